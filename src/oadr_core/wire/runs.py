"""Intervals of one form, read as the rows of a table: the parser sees the first, and the others only fill its texts.

It stands alone because it is an optimisation that must not change any result. Nearly all bytes of a long message are
intervals that differ in nothing but their values, so :func:`shorten` takes all but the first of them out of the
document, and :func:`restore` puts into the parsed tree an element that stands for all. Why that is the same:

- Only documents without ``<!`` and ``<?`` are shortened, so every ``<`` begins a tag, and what stands between the first
  interval's start tag and its end tag is what the parser sees there, whatever surrounds it.
- The others have the same bytes, except where the first has ``>text</``: written with their texts between the tags of
  the first, they are what arrived. The texts on either side are of characters that mean themselves, so they begin and
  end in the same state of the parser, and have the same elements.
- The parser finds the first where it was marked, and its texts are exactly the ones that vary.

Everything else (one interval of another form, an entity among the values, a comment) is left to the parser alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final, NamedTuple
from xml.etree.ElementTree import Element

from ..model.namespaces import expand
from ._compile import Mismatch
from ._rows import Form, RowReader, row_reader
from .columns import Texts, woven
from .convert import BLANK

_TEXT: Final = r"([ -%'-;=?-~]++)"
"""Text of characters that mean themselves."""
_SLOT: Final = re.compile(f">{_TEXT}</")
"""That between a start tag and an end tag."""
RUNS: Final = ("strm:intervals", "ei:interval")
"""The list in which there may be a run, and the elements that it is of."""
_LISTS: Final = expand(RUNS[0])
_LIST_END: Final = b"intervals>"
_NAME: Final = b"interval>"
_FEW: Final = 4
"""Rows from which on the detour pays."""
_GUESSED: Final = 400_000
"""Characters from which on it pays to guess which texts are the same in all rows."""
_SAMPLES: Final = 8
"""Rows that are looked at for that."""
_WIDEST: Final = 256
"""Texts of a row: the code that reads rows grows with them, and is remembered."""
_FORMS: Final = 128
"""Forms that are remembered: peers use one or two each."""
_MARK: Final = "run"


class Rows(NamedTuple):
    """The texts of a run of intervals: those of the first, and each text in all of them."""

    first: list[str]
    columns: list[Texts]
    number: int
    readers: dict[Callable[[Element], Any], RowReader]
    """What reads rows between these tags, by what reads one."""
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
        first, rows = decode(self), self._rows
        read = rows.readers.get(decode)
        if read is None:
            read = rows.readers[decode] = row_reader(Form.of(first))
        items = read(rows.columns, rows.number)
        if items[0] != first:
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
        if (rows := _rows(document[start:first], memoryview(document)[first:end])) is not None:
            mark = b' %b="%d"' % (_MARK.encode(), len(found))
            pieces += document[behind : tag_end - 1], mark, document[tag_end - 1 : first]
            found.append(rows)
            behind = end
    return (b"".join([*pieces, document[behind:]]), found) if found else None


def _rows(first: bytes, others: memoryview) -> Rows | None:
    """The texts in intervals that follow each other, if all are of one form."""
    ends = first.count(b"</")
    try:
        head, *form = _SLOT.split(str(first[:-1], "ascii"))
        text = str(others, "ascii")
    except UnicodeDecodeError:
        return None
    texts, tags = form[::2], [f"</{tag}>" for tag in form[1::2]]
    blank = text[: max(0, text.find("<"))]
    if not 0 < len(texts) <= _WIDEST or blank.strip(BLANK) or first.count(b"<") != 2 * ends + first.count(b"/>"):
        return None
    tags = [f"{blank}{head}>", *tags]
    found = _read(_guess(texts, tags, text), tags, text) if len(text) > _GUESSED else None
    columns, count = found or _read([None] * len(texts), tags, text) or ([], 0)
    if count < _FEW:
        return None
    every = [one if one is own else (own, *one) for own, one in zip(texts, columns, strict=True)]
    return Rows(texts, every, count + 1, _readers(tuple(tags)), first.count(b"<") - ends)


@lru_cache(maxsize=_FORMS)
def _readers(tags: tuple[str, ...]) -> dict[Callable[[Element], Any], RowReader]:
    """What has read rows between these tags: they say which form an object has."""
    return {}


def _guess(texts: list[str], tags: list[str], text: str) -> list[str | None]:
    """The texts of the first row that are the same in some others, and perhaps in all."""
    places = [text.find(tags[0], at) for at in range(0, len(text), len(text) // _SAMPLES)]
    matches = [_matcher(tuple(map(len, tags)))(text, place) for place in places if place >= 0]
    rows = [match.groups() for match in matches if match]
    return [own if others.count(own) == len(others) else None for own, *others in zip(texts, *rows, strict=True)]


def _read(texts: Sequence[str | None], tags: Sequence[str], text: str) -> tuple[list[Texts], int] | None:
    """Each text in all rows, and their number, where rows are tags and texts in turns. It is said which texts are
    always the same, where that is known; so are the columns.
    """
    between = [tags[0]]
    for own, tag in zip(texts, tags[1:], strict=True):
        if own is None:
            between.append(tag)
        else:
            between[-1] += own + tag
    match, at = _matcher(tuple(map(len, between))), 0
    cells: list[tuple[str, ...]] = []
    while (found := match(text, at)) is not None:
        cells.append(found.groups())
        at = found.end()
    if not cells or at < len(text):
        return None
    varying, at = zip(*cells, strict=True), 0
    columns: list[Texts] = [next(varying) if own is None else own for own in texts]
    for part in woven([tags[0], *chain.from_iterable(zip(columns, tags[1:], strict=True))], len(cells)):
        if not text.startswith(part, at):
            return None
        at += len(part)
    return columns, len(cells)


@lru_cache(maxsize=_FORMS)
def _matcher(lengths: tuple[int, ...]) -> Callable[[str, int], re.Match[str] | None]:
    """What finds the texts between so many characters."""
    return re.compile(f"(?s){_TEXT.join(f'.{{{length}}}' for length in lengths)}").match


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
        if len(elements) != rows.elements or [leaf.text for leaf in leaves] != rows.first:
            return False
        intervals[0] = Run(first, rows)
        number += 1
    return number == len(found)
