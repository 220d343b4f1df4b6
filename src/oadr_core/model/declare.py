"""How a class says what it looks like on the wire, once.

It stands alone so that the decoder, the encoder, the validation messages, the JSON form, the Hypothesis
strategies and the documentation can all be derived from the same declarations (design section 5).

A class of the model is declared with :func:`schema` (a part of a message) or :func:`message` (one of the 23
messages), and each field with one of

======== ============ ====================================================
helper   cardinality  value of the field
======== ============ ====================================================
`one`    1            the value
`opt`    0..1         the value or ``None``
`many`   0..*         a tuple, perhaps empty
`some`   1..*         a tuple with at least one item
`maybe`  0..1 of 0..* ``None``, or a tuple (the wrapper element may be empty)
`each`   1 of 0..*    a tuple (the wrapper element is there, and may be empty)
======== ============ ====================================================

The path of a field is written from its parent: ``"xcal:dtstart/xcal:date-time"`` is a wrapper with exactly one
child, and the field holds what the innermost element holds. Where there are several items, ``*`` marks the element
that repeats: ``"strm:intervals/ei:interval*"``. The order of the fields is the order on the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from enum import StrEnum
from functools import cache
from typing import Any, Final, TypeVar, dataclass_transform

import attrs

from .values import Duration

_T = TypeVar("_T")
_METADATA: Final = "oadr"
Vocabulary = type[StrEnum] | frozenset[str]
"""The permitted texts of an enumeration."""


@attrs.frozen
class Scalar:
    """A kind of text content: the name of its type in the schema, and its limits.

    ``collapse`` says whether blanks around the text are insignificant (xs:token, numbers, dates), ``enumeration``
    lists the permitted texts, ``open`` permits ``x-…`` names besides, ``fixed`` is the only permitted text.
    """

    type: str
    collapse: bool = True
    enumeration: Vocabulary | None = None
    open: bool = False
    fixed: str | None = None
    minimum: int | None = None
    maximum: int | None = None


@attrs.frozen
class Choice:
    """Exactly one of several alternatives, told apart by the element (on the wire) and the type (in Python)."""

    alternatives: tuple[tuple[str, Scalar | type | Opaque], ...]


@attrs.frozen
class Opaque:
    """Foreign XML that is carried and not understood, as canonical text.

    ``content`` is True when only the content of the element is kept, and False when the element itself is.
    """

    content: bool = False


Kind = Scalar | Choice | Opaque | type

TEXT: Final = Scalar("string", collapse=False)
URI: Final = Scalar("anyURI")
UNSIGNED: Final = Scalar("unsignedInt", minimum=0, maximum=2**32 - 1)
PERCENT: Final = Scalar("unsignedInt", minimum=0, maximum=100)
FLOAT: Final = Scalar("float")
DECIMAL: Final = Scalar("decimal")
BOOLEAN: Final = Scalar("boolean")
DATE_TIME: Final = Scalar("dateTime")
DURATION: Final = Scalar("duration", collapse=False)
DOUBLES: Final = Scalar("doubleList")
RESPONSE_CODE: Final = Scalar("responseCode", collapse=False)
EXTENSION: Final = "x-"
"""How the names begin that parties may add to an open vocabulary (ei:EiExtensionTokenType)."""


def closed(values: Vocabulary, *, collapse: bool = True) -> Scalar:
    """A vocabulary that nobody may extend."""
    return Scalar("enumeration", collapse=collapse, enumeration=values)


def extensible(values: type[StrEnum]) -> Scalar:
    """A vocabulary that parties may extend by names that begin with ``x-``."""
    return Scalar("enumeration", enumeration=values, open=True)


def fixed(text: str) -> Scalar:
    """An element whose text the schema fixes; an empty element means the same text."""
    return Scalar("fixed", collapse=False, fixed=text)


@attrs.frozen
class FieldSpec:
    """What a field declares: name in Python, path on the wire, kind, and cardinality (maximum ``None``: no end)."""

    name: str
    path: tuple[str, ...]
    kind: Kind
    minimum: int
    maximum: int | None
    wrapper: bool = False
    """True when the elements before the repeated one may be there without any item."""
    attribute: bool = False
    repeats: int = 0
    """Index in ``path`` of the element that repeats, where ``maximum`` is ``None``."""

    @property
    def repeated(self) -> bool:
        return self.maximum is None


def one(path: str, kind: Kind, **options: Any) -> Any:
    """A field that is there exactly once."""
    return _field(path, kind, 1, 1, **options)


def opt(path: str, kind: Kind) -> Any:
    """A field that may be missing (``None``)."""
    return _field(path, kind, 0, 1, default=None)


def many(path: str, kind: Kind) -> Any:
    """Any number of items, as a tuple."""
    return _field(path, kind, 0, None, default=())


def some(path: str, kind: Kind) -> Any:
    """At least one item, as a tuple."""
    return _field(path, kind, 1, None)


def maybe(path: str, kind: Kind) -> Any:
    """A wrapper element that may be missing (``None``) and may be empty (an empty tuple)."""
    return _field(path, kind, 0, None, default=None, wrapper=True)


def each(path: str, kind: Kind) -> Any:
    """A wrapper element that must be there and may be empty (an empty tuple)."""
    return _field(path, kind, 1, None, default=(), wrapper=True)


def attribute(path: str, kind: Scalar, *, default: Any = None) -> Any:
    """An optional attribute of the element."""
    return _field(path, kind, 0, 1, default=default, attribute=True)


def _field(
    path: str,
    kind: Kind,
    minimum: int,
    maximum: int | None,
    *,
    default: Any = attrs.NOTHING,
    wrapper: bool = False,
    attribute: bool = False,
) -> Any:
    steps = path.split("/") if path else []
    repeats = next((i for i, step in enumerate(steps) if step.endswith("*")), 0)
    names = tuple(step.removesuffix("*") for step in steps)
    spec = FieldSpec("", names, kind, minimum, maximum, wrapper, attribute, repeats)
    converter: Callable[[Any], Any] | None = None
    if maximum is None:
        converter = _as_tuple
    elif kind is DURATION:
        converter = _as_duration
    return attrs.field(default=default, converter=converter, metadata={_METADATA: spec})


def _as_tuple(value: Any) -> Any:
    """Any collection becomes a tuple; what is none stays, for the encoder to name the field."""
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, (tuple, str, bytes)) else value


def _as_duration(value: Any) -> Any:
    return Duration.of(value) if isinstance(value, timedelta) else value


@dataclass_transform(frozen_default=True, kw_only_default=True)
def schema(cls: type[_T]) -> type[_T]:
    """Make a frozen class of the model out of the declarations in its body."""
    return attrs.frozen(kw_only=True, weakref_slot=False)(cls)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def message(element: str) -> Callable[[type[_T]], type[_T]]:
    """Like :func:`schema`, for one of the messages; ``element`` is its qualified name."""

    def declare(cls: type[_T]) -> type[_T]:
        cls.__element__ = element  # type: ignore[attr-defined]  # Payload declares it as ClassVar
        return attrs.frozen(kw_only=True, weakref_slot=False)(cls)

    return declare


def _fields_of(cls: type) -> tuple[FieldSpec, ...]:
    found = [
        attrs.evolve(field.metadata[_METADATA], name=field.name)
        for field in attrs.fields(cls)
        if _METADATA in field.metadata
    ]
    return tuple(sorted(found, key=lambda spec: spec.attribute))


fields_of: Final[Callable[[type], tuple[FieldSpec, ...]]] = cache(_fields_of)
"""The declarations of a class of the model, in wire order, attributes last."""
