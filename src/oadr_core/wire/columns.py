"""Many values of one kind at a time: the numbers of a long report, read or written in a few calls of C.

It stands alone because it is an optimisation that must not change any result. What is proven here of all texts or
values of a kind is what :mod:`.convert` finds out of each; where it cannot be proven, they are left to that module.
What Python writes for a finite double is what is written here, but for the ``.0`` of whole numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import accumulate, chain, pairwise, repeat
from typing import Any, Final, NamedTuple, TypeVar

from ..model.declare import Scalar
from .convert import converters

PLAIN_NUMBERS: Final = frozenset((float, int))
Texts = str | Sequence[str]
"""What is the same in all rows, or one text for each."""
_PART: Final = 64
"""Rows that are written at once."""
_In = TypeVar("_In", bound=Hashable)
_Out = TypeVar("_Out")

_MANY_TIMES: Final = 1_000
"""Times that are more than worth remembering one by one. Fewer are: the reports of many VENs have the same."""
_MANY_NUMBERS: Final = 64
"""Numbers from which on it pays to look at all of them at once."""
_CANONICAL: Final[dict[str, tuple[Callable[[str], object], Callable[[str], Any]]]] = {
    "float": (re.compile(r"(?:-?(?:0(?!\.0000)|[1-9][0-9]{0,8}+)(?:\.[0-9]{1,6}+(?<!0))?+\n)*+").fullmatch, float),
    "dateTime": (
        re.compile(r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}T(?!24)[0-9]{2}:[0-9]{2}:[0-9]{2}Z\n)*+").fullmatch,
        datetime.fromisoformat,
    ),
}
"""By the type of a kind: what finds that all lines are such that they are written as they were read, and what reads
one of them. Numbers have at most 15 digits, as many as a double keeps, and no exponent."""


def woven(pieces: Iterable[Texts], count: int) -> Iterator[str]:
    """So many rows one after the other, and of each one piece after the other; some rows at a time, for a copy of
    megabytes takes longer than all the rest.
    """
    merged: list[Texts] = [""]
    for piece in pieces:
        last = merged[-1]
        if isinstance(last, str) and isinstance(piece, str):
            merged[-1] = last + piece
        else:
            merged.append(piece)
    width = len(merged)
    for begin in range(0, count, _PART):
        part = min(_PART, count - begin)
        texts = [""] * (width * part)
        for place, piece in enumerate(merged):
            texts[place::width] = [piece] * part if isinstance(piece, str) else piece[begin : begin + part]
        yield "".join(texts)


def _together(
    columns: Sequence[Sequence[_In]], convert: Callable[[Sequence[_In]], Sequence[_Out]]
) -> list[Sequence[_Out]]:
    """What becomes of several columns that are of one kind."""
    if len(columns) == 1:
        return [convert(columns[0])]
    found = convert(list(chain.from_iterable(columns)))
    return [found[begin:end] for begin, end in pairwise(accumulate(map(len, columns), initial=0))]


def _each_once(
    items: Sequence[_In], convert: Callable[[Sequence[_In]], Iterable[_Out]], but: object = None
) -> list[_Out]:
    """What becomes of many items, which often repeat themselves; not if there is one that equals others and yet is not
    the same.
    """
    different = set(items)
    if len(different) * 2 > len(items) or but in different:
        return list(convert(items))
    known = list(different)
    return list(map(dict(zip(known, convert(known), strict=True)).__getitem__, items))


# --- reading --------------------------------------------------------------------------------------------------------


ColumnsReader = Callable[[Sequence[Texts], int], list[Iterable[Any]]]


def columns_reader(kinds: Sequence[Scalar]) -> ColumnsReader:
    """The function that makes values of the texts of so many rows, column by column. The texts are without line breaks.

    It raises what the readers of one text raise.
    """
    alike: dict[Scalar, list[int]] = {}
    for place, kind in enumerate(kinds):
        alike.setdefault(kind, []).append(place)
    readers = [(_reader(kind), places) for kind, places in alike.items()]

    def read_columns(columns: Sequence[Texts], count: int) -> list[Iterable[Any]]:
        found: list[Iterable[Any]] = [()] * len(kinds)
        for read, places in readers:
            varying: dict[int, Sequence[str]] = {}
            for place in places:
                column = columns[place]
                if isinstance(column, str):
                    found[place] = repeat(read([column])[0], count)
                else:
                    varying[place] = column
            for place, values in zip(varying, _together(list(varying.values()), read), strict=True):
                found[place] = values
        return found

    return read_columns


def _reader(kind: Scalar) -> Callable[[Sequence[str]], Sequence[Any]]:
    """The function that reads texts of a kind."""
    if kind.type == "string":
        return lambda texts: texts
    read = converters(kind)[0]

    def one_by_one(texts: Sequence[str]) -> list[Any]:
        return list(map(read, texts))

    at_once = partial(_read_canonical, kind, read)
    if kind.type == "float":
        return lambda texts: one_by_one(texts) if len(texts) < _MANY_NUMBERS else _each_once(texts, at_once)
    if kind.type == "dateTime":
        return lambda texts: one_by_one(texts) if len(texts) < _MANY_TIMES else list(at_once(texts))
    return one_by_one


def _read_canonical(kind: Scalar, read: Callable[[str], Any], texts: Sequence[str]) -> Iterable[Any]:
    are_canonical, quickly = _CANONICAL[kind.type]
    return map(quickly if are_canonical("\n".join(texts) + "\n") else read, texts)


# --- writing --------------------------------------------------------------------------------------------------------


class Column(NamedTuple):
    """The values of an element in all rows, and their types."""

    kind: Scalar
    values: Sequence[Any]
    types: set[type]


def write_columns(pieces: Iterable[str | Column]) -> list[Texts]:
    """The texts of columns, with what stands between them as it is.

    It raises what the writer of one value raises.
    """
    found: list[Texts] = []
    alike: dict[Scalar, list[tuple[int, Column]]] = {}
    for place, piece in enumerate(pieces):
        found.append("")
        if isinstance(piece, str):
            found[place] = piece
        elif _is_constant(piece):
            found[place] = converters(piece.kind)[1](piece.values[0])
        else:
            alike.setdefault(piece.kind, []).append((place, piece))
    for kind, columns in alike.items():
        types = set().union(*(column.types for _, column in columns))
        written = _together([column.values for _, column in columns], partial(_write, kind, types))
        for (place, _), texts in zip(columns, written, strict=True):
            found[place] = texts
    return found


def _is_constant(column: Column) -> bool:
    """True if all values are one; of texts that are plain, also if they are equal."""
    _, values, types = column
    first, last = values[0], values[-1]
    if types == {str}:
        return bool(first == last) and values.count(first) == len(values)
    return first is last and len(set(map(id, values))) == 1


def _write(kind: Scalar, types: set[type], values: Sequence[Any]) -> list[str]:
    write = converters(kind)[1]
    if kind.type == "float" and types <= PLAIN_NUMBERS:
        return _each_once(values, partial(_write_numbers, write), but=0.0)  # -0.0 is that, too
    if kind.type == "string" and types == {str}:
        return [value if value.isalnum() else write(value) for value in values]
    is_long = kind.type == "dateTime" and len(values) >= _MANY_TIMES
    if is_long and types == {datetime} and {value.tzinfo for value in values} == {UTC}:
        return [text[:-6] + "Z" for text in map(datetime.isoformat, values)]
    return list(map(write, values))


def _write_numbers(write: Callable[[Any], str], values: Sequence[float]) -> list[str]:
    lines = "\n".join(map(repr, map(float, values))) + "\n"
    if "n" in lines:  # some are not finite
        return list(map(write, values))
    return lines.replace(".0\n", "\n").splitlines()
