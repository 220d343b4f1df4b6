"""Declarations to code that reads rows: objects of one form out of nothing but the texts of their elements.

It stands alone as the part of the generated code that never sees an element (:mod:`._decoders` does). An object shows
the form: which of its fields are there, and of which types; its texts stand in the order of the declarations, and
:mod:`.columns` reads them. The generated source can be read with :func:`row_source`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

import attrs

from ..model.declare import Choice, FieldSpec, Kind, Scalar, fields_of
from ..model.drafts import draft
from ._compile import Mismatch, Source
from .columns import Texts, columns_reader

RowReader = Callable[[Sequence[Texts], int], list[Any]]
_FORMS: Final = 128
"""Forms that are remembered: peers use one or two each; writing the code for one takes a millisecond."""


@attrs.frozen
class Form:
    """A class, and what each of its fields holds.

    That is the form of an object, the kind of a text, several of these, or ``None`` or ``()`` for nothing.
    """

    cls: type
    fields: tuple[Any, ...]

    @classmethod
    def of(cls, item: Any) -> Form:
        """The form of an object of the model.

        Raises :class:`~._compile.Mismatch` for an object with more to it than elements with texts.
        """
        return cls(type(item), tuple([_held(spec, getattr(item, spec.name)) for spec in fields_of(type(item))]))


def _held(spec: FieldSpec, value: Any) -> Any:
    if value is None or value == ():
        return value
    if spec.attribute:
        raise Mismatch
    if type(value) is tuple:
        return tuple([_one(spec.kind, item) for item in value])
    return _one(spec.kind, value)


def _one(kind: Kind, value: Any) -> Any:
    cls: type = type(value)
    while type(kind) is Choice:
        inner = [inner for _, inner in kind.alternatives]
        kind = cls if cls in inner else next(kind for kind in inner if not isinstance(kind, type))
    if kind is cls:
        return Form.of(value)
    if type(kind) is Scalar:
        return kind
    raise Mismatch


@lru_cache(maxsize=_FORMS)
def row_reader(wanted: Form) -> RowReader:
    """The function that makes objects of a form out of the texts of all rows, column by column, and their number.

    It raises :class:`~._compile.Mismatch` for more or fewer columns than the form has, and what readers of texts raise.
    """
    kinds = tuple(_kinds(wanted))
    if not kinds:
        raise Mismatch
    make, read_columns = _source(wanted).function(), columns_reader(kinds)

    def read(columns: Sequence[Texts], count: int) -> list[Any]:
        if len(columns) != len(kinds):
            raise Mismatch
        made: list[Any] = make(*read_columns(columns, count))
        return made

    return read


def row_source(wanted: Form) -> str:
    """The generated source of :func:`row_reader`, for reading."""
    return _source(wanted).text()


def _source(wanted: Form) -> Source:
    columns = [f"c{number}" for number, _ in enumerate(_kinds(wanted))]
    names = ", ".join(columns)
    out = Source(f"rows_of_{wanted.cls.__name__}", names)
    out.add(1, "found = []")
    out.add(1, f"for {names}, in zip({names}):")
    item = _value(out, wanted, iter(columns))
    out.add(2, f"found.append({item})")
    out.add(1, "return found")
    return out


def _kinds(held: Any) -> Iterator[Scalar]:
    """The kinds of the texts of something."""
    if isinstance(held, Scalar):
        yield held
    elif held is not None:
        for inner in held.fields if isinstance(held, Form) else held:
            yield from _kinds(inner)


def _value(out: Source, held: Any, columns: Iterator[str]) -> str:
    """The expression for what a field holds, behind the lines that make it."""
    if isinstance(held, Scalar):
        return next(columns)
    if isinstance(held, tuple):
        return f"({''.join(f'{_value(out, item, columns)}, ' for item in held)})"
    if held is None:
        return "None"
    values = [_value(out, value, columns) for value in held.fields]
    name = out.fresh("o")
    out.add(2, f"{name} = {out.bind(draft(held.cls), 'Draft')}()")
    for spec, value in zip(fields_of(held.cls), values, strict=True):
        out.add(2, f"{name}.{spec.name} = {value}")
    out.add(2, f"{name}.__class__ = {out.bind(held.cls, 'C')}")
    return name
