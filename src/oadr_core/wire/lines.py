"""On which line an element of a document begins, for messages about it.

It stands alone because the parser that is fast does not count lines: only where something is amiss is it asked a
second time.
"""

from __future__ import annotations

from contextlib import suppress
from xml.parsers import expat

from .parse import without_declaration


class _Enough(Exception):
    """All elements that were asked for have been seen."""


def line_numbers(data: bytes, count: int | None = None) -> list[int]:
    """The lines of all elements in document order, or of the first ``count``; the document has been parsed before."""
    parser = expat.ParserCreate("utf-8")
    lines: list[int] = []

    def start(_name: str, _attributes: dict[str, str]) -> None:
        lines.append(parser.CurrentLineNumber)
        if len(lines) == count:
            raise _Enough

    parser.StartElementHandler = start
    with suppress(_Enough):
        parser.Parse(without_declaration(data), True)
    return lines
