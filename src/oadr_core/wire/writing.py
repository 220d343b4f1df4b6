"""Objects of one form, written column by column: what makes long reports and long signals cheap to send.

It stands alone because it is an optimisation that must not change any result, the counterpart of :mod:`.runs`. The
objects of a run differ in nothing but the texts of their elements, so the tags between these are made once, and the
texts of each element in one go. Objects of different forms are left to the code of :mod:`._encoders`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from types import NoneType
from typing import Any, Final

from ..model.declare import Choice, FieldSpec, Kind, Scalar, fields_of
from ..model.values import LexicalFloat
from ._compile import Mismatch, alternatives
from .columns import PLAIN_NUMBERS, write_column

_FEW: Final = 64
"""Objects from which on the detour pays."""
_WIDEST: Final = 256
"""Values of an object: a form with more has no long runs."""

_NOTHING: Final = {NoneType}
_TUPLES: Final = {tuple}
_NUMBERS: Final = PLAIN_NUMBERS | {LexicalFloat}
MARK: Final = "\0"
"""A character that no XML has."""

Piece = str | list[str]
"""What is the same in all objects, or the texts of an element, one for each object."""


def write_run(name: str, items: Sequence[Any], encode: Callable[[Any, list[str]], str], runs: list[str]) -> str:
    """The elements ``name`` of a list of objects of one class; ``encode`` writes the content of one.

    What was written column by column is added to ``runs``, and :data:`MARK` stands for it: copying megabytes into the
    text of each element around them would take as long as writing them.
    """
    if len(items) >= _FEW:
        try:
            runs.append(_joined([f"<{name}>", *_object(type(items[0]), items), f"</{name}>"], len(items)))
        except Mismatch:
            pass
        else:
            return MARK
    return "".join([f"<{name}>{encode(item, runs)}</{name}>" for item in items])


def insert(text: str, runs: list[str]) -> bytes:
    """The whole document, of the text with marks and what they stand for."""
    if not runs:
        return text.encode()
    pieces = text.split(MARK)
    between = [piece.encode() for run in zip(pieces, runs, strict=False) for piece in run]
    return b"".join([*between, pieces[-1].encode()])


def _joined(pieces: list[Piece], count: int) -> str:
    """The pieces of each object one after the other, and the objects one after the other."""
    merged: list[Piece] = [""]
    for piece in pieces:
        last = merged[-1]
        if isinstance(last, str) and isinstance(piece, str):
            merged[-1] = last + piece
        else:
            merged.append(piece)
    width = len(merged)
    texts = [""] * (width * count)
    for place, piece in enumerate(merged):
        texts[place::width] = [piece] * count if isinstance(piece, str) else piece
    return "".join(texts)


def _object(cls: type, items: Sequence[Any]) -> Iterator[Piece]:
    """The content of the elements of objects, which must be of this class."""
    if set(map(type, items)) != {cls}:
        raise Mismatch
    for spec in fields_of(cls):
        values = list(map(attrgetter(spec.name), items))
        types = set(map(type, values))
        if types == _NOTHING or (types == _TUPLES and not any(values)):
            if spec.minimum:
                raise Mismatch
        elif spec.attribute or spec.repeats or NoneType in types:
            raise Mismatch
        elif spec.repeated:
            yield from _several(spec, values)
        else:
            yield from _one(spec.path, spec.kind, values, types)


def _several(spec: FieldSpec, values: list[Any]) -> Iterator[Piece]:
    """As many in each object, of the same types in the same order."""
    count = len(values[0])
    if set(map(type, values)) != {tuple} or set(map(len, values)) != {count} or count > _WIDEST:
        raise Mismatch
    for column in zip(*values, strict=True):
        yield from _one(spec.path, spec.kind, column, set(map(type, column)))


def _one(path: tuple[str, ...], kind: Kind, values: Sequence[Any], types: set[type]) -> Iterator[Piece]:
    while isinstance(kind, Choice):
        path, kind = _chosen(kind, types)
    yield "".join(f"<{name}>" for name in path)
    if isinstance(kind, Scalar):
        yield _texts(kind, values, types)
    elif isinstance(kind, type):
        yield from _object(kind, values)
    else:
        raise Mismatch
    yield "".join(f"</{name}>" for name in reversed(path))


def _chosen(kind: Choice, types: set[type]) -> tuple[tuple[str, ...], Kind]:
    """The alternative that all values are of, by their types."""
    for path, inner in alternatives(kind):
        if types <= (_NUMBERS if isinstance(inner, Scalar) else {inner}):
            return path, inner
    raise Mismatch


def _texts(kind: Scalar, values: Sequence[Any], types: set[type]) -> Piece:
    """The texts of an element: one, if it is the same in all objects."""
    if kind.type != "float":
        first = values[0]
        same = len(set(map(id, values))) == 1
        if same or (types == {str} and values.count(first) == len(values)):
            return write_column(kind, [first])[0]
    return write_column(kind, values)
