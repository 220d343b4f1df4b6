"""On which line each element of a document begins, for messages about it.

It stands alone because the parser that is fast does not count lines: only where something is amiss is it asked a second time.
"""

from __future__ import annotations

from xml.parsers import expat

from .parse import without_declaration


def line_numbers(data: bytes) -> list[int]:
    """The lines of all elements in document order, of a document that has been parsed before."""
    body = without_declaration(data)
    parser = expat.ParserCreate("utf-8")
    lines: list[int] = []
    parser.StartElementHandler = lambda _name, _attributes: lines.append(parser.CurrentLineNumber)
    parser.Parse(body, True)
    return lines
