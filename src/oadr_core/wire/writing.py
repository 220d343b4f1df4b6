"""Objects of one form, written column by column: what makes long reports and long signals cheap to send.

It stands alone because it is an optimisation that must not change any result, the counterpart of :mod:`.runs`. The
objects of a run differ in nothing but the texts of their elements, so the tags between these are made once, and the
texts of each element in one go. Objects of different forms are left to the code of :mod:`._encoders`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from io import BytesIO
from typing import Any, Final

from ..model.declare import Choice, FieldSpec, Kind, Scalar, fields_of
from ..model.values import LexicalFloat
from ._compile import Mismatch, Source, alternatives
from .columns import PLAIN_NUMBERS, Column, woven, write_columns

_FEW: Final = 64
"""Objects from which on the detour pays."""
_WIDEST: Final = 256
"""Values of an object: a form with more has no long runs."""

_TUPLES: Final = {tuple}
_NUMBERS: Final = PLAIN_NUMBERS | {LexicalFloat}
MARK: Final = "\0"
"""A character that no XML has."""

Runs = list[Iterator[str]]
"""What is written column by column, in parts."""


def write_run(name: str, items: Sequence[Any], encode: Callable[[Any, Runs], str], runs: Runs) -> str:
    """The elements ``name`` of a list of objects of one class; ``encode`` writes the content of one.

    What is written column by column is added to ``runs``, and :data:`MARK` stands for it: copying megabytes into the
    text of each element around them would take as long as writing them.
    """
    if len(items) >= _FEW:
        try:
            pieces = [f"<{name}>", *_object(type(items[0]), items, set(map(type, items))), f"</{name}>"]
            runs.append(woven(write_columns(pieces), len(items)))
        except Mismatch:
            pass
        else:
            return MARK
    return "".join([f"<{name}>{encode(item, runs)}</{name}>" for item in items])


def insert(text: str, runs: Runs) -> bytes:
    """The whole document, of the text with marks and what they stand for."""
    if not runs:
        return text.encode()
    first, *others = text.split(MARK)
    document = BytesIO()
    document.write(first.encode())
    for run, other in zip(runs, others, strict=True):
        document.writelines(part.encode() for part in run)
        document.write(other.encode())
    return document.getvalue()


def _object(cls: type, items: Sequence[Any], types: set[type]) -> Iterator[str | Column]:
    """The content of the elements of objects, which must be of this class."""
    if types != {cls}:
        raise Mismatch
    for spec, values_of in _fields(cls):
        values = values_of(items)
        types = set(map(type, values))
        if len(values) not in (0, len(items)):
            raise Mismatch
        if not values or (types == _TUPLES and not any(values)):
            if spec.minimum:
                raise Mismatch
        elif spec.attribute or spec.repeats:
            raise Mismatch
        elif spec.repeated:
            yield from _several(spec, values)
        else:
            yield from _one(spec.path, spec.kind, values, types)


@cache
def _fields(cls: type) -> list[tuple[FieldSpec, Callable[[Sequence[Any]], list[Any]]]]:
    """The fields of a class, and what takes the values of each, but for ``None``, out of many objects."""
    found = []
    for spec in fields_of(cls):
        out = Source(f"all_{spec.name}", "items")
        out.add(1, f"return [value for item in items if (value := item.{spec.name}) is not None]")
        found.append((spec, out.function()))
    return found


def _several(spec: FieldSpec, values: list[Any]) -> Iterator[str | Column]:
    """As many in each object, of the same types in the same order."""
    count = len(values[0])
    if set(map(type, values)) != {tuple} or set(map(len, values)) != {count} or count > _WIDEST:
        raise Mismatch
    for column in zip(*values, strict=True):
        yield from _one(spec.path, spec.kind, column, set(map(type, column)))


def _one(path: tuple[str, ...], kind: Kind, values: Sequence[Any], types: set[type]) -> Iterator[str | Column]:
    while isinstance(kind, Choice):
        path, kind = _chosen(kind, types)
    yield "".join(f"<{name}>" for name in path)
    if isinstance(kind, Scalar):
        yield Column(kind, values, types)
    elif isinstance(kind, type):
        yield from _object(kind, values, types)
    else:
        raise Mismatch
    yield "".join(f"</{name}>" for name in reversed(path))


def _chosen(kind: Choice, types: set[type]) -> tuple[tuple[str, ...], Kind]:
    """The alternative that all values are of, by their types."""
    for path, inner in alternatives(kind):
        if types <= (_NUMBERS if isinstance(inner, Scalar) else {inner}):
            return path, inner
    raise Mismatch
