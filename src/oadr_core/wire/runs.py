"""Intervals of one form, read as the rows of a table: the parser sees the first, and the others only fill its texts.

It stands alone because it is an optimisation that must not change any result. Nearly all bytes of a long message are
intervals that differ in nothing but their values, so :func:`shorten` takes all but the first of them out of the
document, and :func:`restore` puts into the parsed tree an element that stands for all. Why that is the same:

- Only documents without ``<!`` and ``<?`` are shortened, so every ``<`` begins a tag, and what stands between the first
  interval's start tag and its end tag is what the parser sees there, whatever surrounds it.
- The others have the same bytes, except where the first has ``>text</``. The text on either side is of characters that
  mean themselves, so they begin and end in the same state of the parser, and have the same elements.
- The parser finds the first where it was marked, and its texts are exactly the ones that vary.

Everything else (one interval of another form, an entity among the values, a comment) is left to the parser alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple
from xml.etree.ElementTree import Element

from ..model.namespaces import expand
from ._compile import Mismatch
from ._rows import Form, row_reader

_SLOT: Final = re.compile(r">([ -%'-;=?-~]+)</")
"""Text between a start tag and an end tag, of characters that mean themselves."""
_BLANK: Final = b" \t\r\n"
RUNS: Final = ("strm:intervals", "ei:interval")
"""The list in which there may be a run, and the elements that it is of."""
_LISTS: Final = expand(RUNS[0])
_LIST_END: Final = b"intervals>"
_NAME: Final = b"interval>"
_FEW: Final = 4
"""Rows from which on the detour pays."""
_WIDEST: Final = 256
"""Texts of a row: the code that reads rows grows with them, and is remembered."""
_MARK: Final = "run"


class Rows(NamedTuple):
    """The texts of a run of intervals, one after the other, and how many belong to one."""

    texts: list[str]
    width: int
    elements: int
    """How many each interval has."""


class Run(Element):
    """The first of a run of elements of one form, which stands for all of them."""

    def __init__(self, first: Element, rows: Rows) -> None:
        super().__init__(first.tag)
        self.text, self.tail = first.text, first.tail
        self[:] = first[:]
        self._rows = rows

    def read(self, decode: Callable[[Element], Any]) -> list[Any]:
        """What ``decode`` makes of each of them."""
        first, texts, width = decode(self), self._rows.texts, self._rows.width
        items = row_reader(Form.of(first))(texts)
        if len(items) * width != len(texts) or items[0] != first:
            raise Mismatch
        return items


def shorten(document: bytes) -> tuple[bytes, list[Rows]] | None:
    """The document with one interval for each run of them, and what the runs say; ``None`` if there are none."""
    if (b"!" in document and b"<!" in document) or (b"?" in document and b"<?" in document):
        return None
    pieces: list[bytes] = []
    found: list[Rows] = []
    behind = at = 0
    while (start := document.find(_NAME, at)) > 0 and (stop := document.find(_LIST_END, start)) > 0:
        start, tag_end = document.rfind(b"<", at, start), start + len(_NAME)
        at = stop
        close = b"</" + document[start + 1 : tag_end]
        first = document.find(close, tag_end, stop) + len(close)
        end = document.rfind(close, first, stop) + len(close)
        if start < 0 or first < tag_end or end < first:
            continue
        if (rows := _rows(document[start:first], document[first:end])) is not None:
            mark = b' %b="%d"' % (_MARK.encode(), len(found))
            pieces += document[behind : tag_end - 1], mark, document[tag_end - 1 : first]
            found.append(rows)
            behind = end
    return (b"".join([*pieces, document[behind:]]), found) if found else None


def _rows(first: bytes, others: bytes) -> Rows | None:
    """The texts in intervals that follow each other, if all are of one form."""
    start = others.find(b"<")
    if start < 0 or others[:start].strip(_BLANK) or not others.isascii():
        return None
    form = _SLOT.split(first.decode("ascii", "replace"))
    pieces = _SLOT.split(others.decode("ascii"))
    width, blank = len(form) // 2, others[:start].decode("ascii")
    count, rest = divmod(len(pieces) // 2, width or 1)
    if not 0 < width <= _WIDEST or rest or count < _FEW or pieces[0] != blank + form[0] or pieces[-1] != form[-1]:
        return None
    if pieces[2:-1:2] != ([*form[2:-1:2], form[-1] + blank + form[0]] * count)[:-1]:
        return None
    ends = first.count(b"</")
    if first.count(b"<") != 2 * ends + first.count(b"/>"):
        return None
    return Rows(form[1::2] + pieces[1::2], width, first.count(b"<") - ends)


def restore(root: Element, found: list[Rows]) -> bool:
    """Put what was taken out into the tree; False if it is not what it seemed to be."""
    number = 0
    for intervals in root.iter(_LISTS):
        if len(intervals) != 1 or intervals[0].keys() != [_MARK]:
            continue
        first = intervals[0]
        if number == len(found) or first.get(_MARK) != str(number):
            return False
        rows, elements = found[number], list(first.iter())
        leaves = [element for element in elements if element.text and not len(element)]
        if len(elements) != rows.elements or [leaf.text for leaf in leaves] != rows.texts[: rows.width]:
            return False
        intervals[0] = Run(first, rows)
        number += 1
    return number == len(found)
