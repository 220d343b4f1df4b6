"""Which field of a payload cannot be written, and why.

It stands alone because it is the slow half of writing: the compiled encoders only say that something is amiss. It
walks the same declarations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..errors import shown
from ..model.declare import Choice, Kind, Opaque, Scalar, fields_of
from . import opaque
from ._compile import alternatives
from .convert import converters


def faults(value: Any, cls: type, path: str) -> Iterator[tuple[str, str]]:
    """The fields of an object that cannot be written, each with the reason."""
    if type(value) is not cls:
        yield path, f"a {cls.__name__} is expected, not {shown(value)}"
        return
    for spec in fields_of(cls):
        item, here = getattr(value, spec.name), f"{path}/{spec.name}"
        if spec.repeated:
            if item is None and spec.wrapper and not spec.minimum:
                continue
            if type(item) is not tuple:
                yield here, f"a tuple is expected, not {shown(item)}"
            elif not item and spec.minimum and not spec.wrapper:
                yield here, "at least one item is needed"
            else:
                for number, entry in enumerate(item):
                    yield from _item_faults(entry, spec.kind, f"{here}[{number}]", spec.path)
        elif item is not None or spec.minimum:
            yield from _item_faults(item, spec.kind, here, spec.path)


def double_identifiers(value: Any, cls: type, path: str) -> Iterator[tuple[str, str]]:
    """The fields of a payload that can be written whose XML Id was there before: Ids are unique in a document."""
    seen: set[str] = set()
    for here, identifier in _identifiers(value, cls, path):
        if identifier in seen:
            yield here, f"the Id {shown(identifier)} is there twice"
        seen.add(identifier)


def _identifiers(value: Any, cls: type, path: str) -> Iterator[tuple[str, str]]:
    for spec in fields_of(cls):
        item, here = getattr(value, spec.name), f"{path}/{spec.name}"
        entries = [(here, item)]
        if spec.repeated:
            entries = [(f"{here}[{number}]", entry) for number, entry in enumerate(item or ())]
        for place, entry in entries:
            if isinstance(spec.kind, Scalar):
                if spec.kind.type == "ID" and entry is not None:
                    yield place, entry
            elif hasattr(type(entry), "__attrs_attrs__"):
                yield from _identifiers(entry, type(entry), place)


def _item_faults(item: Any, kind: Kind, path: str, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if item is None:
        yield path, "a value is needed"
    elif isinstance(kind, Scalar):
        yield from _try(converters(kind)[1], item, path)
    elif isinstance(kind, Opaque):
        if kind.content:
            yield from _try(opaque.write_attributes, item, path)
            yield from _try(opaque.write_content, item, path)
        else:
            yield from _try(lambda value: opaque.write_element(value, names[-1]), item, path)
    elif isinstance(kind, Choice):
        for _, inner in alternatives(kind):
            if isinstance(inner, type) and type(item) is inner:
                yield from faults(item, inner, path)
                return
            if isinstance(inner, Scalar) and isinstance(item, (int, float)):
                yield from _try(converters(inner)[1], item, path)
                return
        yield path, f"none of the types that the schema allows: {shown(item)}"
    else:
        yield from faults(item, kind, path)


def _try(write: Callable[[Any], str], item: Any, path: str) -> Iterator[tuple[str, str]]:
    try:
        write(item)
    except AttributeError:
        yield path, f"a value of another type is expected, not {shown(item)}"
    except (ValueError, TypeError, OverflowError) as error:
        yield path, str(error)
