"""Many values of one kind at a time: the numbers of a long report, read or written in a few calls of C.

It stands alone because it is an optimisation that must not change any result. What is proven here of a whole column is
what :mod:`.convert` finds out of each value; a column of which it cannot be proven is left to that module.
What Python writes for a finite double is what is written here, but for the ``.0`` of whole numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from ..model.declare import Scalar
from .convert import converters

PLAIN_NUMBERS: Final = frozenset((float, int))


def read_column(kind: Scalar) -> Callable[[list[str]], Sequence[Any]]:
    """The function that reads many texts of a kind; it raises what the reader of one text raises."""
    if kind.type == "string":
        return _same
    read = converters(kind)[0]
    if kind.type == "float":
        return lambda texts: _read_floats(texts, read)
    return lambda texts: list(map(read, texts))


def write_column(kind: Scalar, values: Sequence[Any]) -> list[str]:
    """The texts of many values of a kind; it raises what the writer of one value raises."""
    types = set(map(type, values))
    if kind.type == "float" and types <= PLAIN_NUMBERS and (lines := _lines(map(float, values))) is not None:
        return lines.splitlines()
    write = converters(kind)[1]
    if kind.type == "string" and types == {str}:
        return [value if value.isalnum() else write(value) for value in values]
    return list(map(write, values))


def _same(texts: list[str]) -> list[str]:
    return texts


def _lines(values: Iterable[float]) -> str | None:
    """The texts of numbers, a line for each, if all are finite."""
    text = "\n".join(map(repr, values)) + "\n"
    return None if "n" in text else text.replace(".0\n", "\n")


def _read_floats(texts: list[str], read: Callable[[str], Any]) -> list[float]:
    if len(set(texts)) * 2 <= len(texts):  # they repeat themselves, so they are remembered
        return list(map(read, texts))
    values = list(map(float, texts))
    lines = _lines(values)
    if lines is None:
        return list(map(read, texts))
    if lines[:-1] == "\n".join(texts):
        return values
    written = zip(values, lines.splitlines(), texts, strict=True)
    return [value if again == text else read(text) for value, again, text in written]
