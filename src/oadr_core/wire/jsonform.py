"""Payloads as plain JSON values and back, without loss, from the same declarations: for stores, logs and the command
line.

It stands alone because it is a second form of the same messages, which has nothing to do with XML.

A payload is an object with ``"message"``, its name, and its fields; a nested object has its fields only, and beside
them ``"type"`` where the schema has a choice. Fields without value are left out. Times, durations, decimal numbers
and numbers in an unusual form are text, as they would be on the wire; ordinary numbers and booleans are JSON's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from ..errors import LocalError, shown
from ..model import MESSAGES, LexicalFloat, LexicalInt, LexicalStr, LexicalXml, Payload
from ..model.declare import Choice, FieldSpec, Kind, Opaque, Scalar, fields_of
from .convert import converters
from .explain import faults

_T = TypeVar("_T")
_MESSAGE: Final = "message"
_TYPE: Final = "type"
_NAMES: Final = {cls.__name__: cls for cls in MESSAGES.values()}
_NATIVE: Final = frozenset({"unsignedInt", "boolean", "float"})
_TEXT: Final = "text"
_ATTRIBUTES: Final = "attributes"


def to_json(payload: Payload) -> dict[str, Any]:
    """A payload as a ``dict`` of ``str``, ``int``, ``float``, ``bool``, ``list`` and ``dict``.

    :func:`from_json` gives back a payload that is equal and that is written to the same bytes.

    Raises :class:`~oadr_core.errors.LocalError`, which names the field, when ``payload`` cannot be written.
    """
    cls = type(payload)
    if _NAMES.get(cls.__name__) is not cls:
        raise LocalError(f"one of the 23 messages is expected, not {cls.__name__}")
    for path, text in faults(payload, cls, cls.__name__):
        raise LocalError(text, path=path)
    return {_MESSAGE: cls.__name__, **_object(payload, cls)}


def from_json(value: Mapping[str, Any]) -> Payload:
    """The payload that :func:`to_json` has turned into ``value``.

    Raises :class:`~oadr_core.errors.LocalError`, which names the place, for anything else.
    """
    if not isinstance(value, Mapping):
        raise LocalError(f"an object is expected, not {shown(value)}")
    name = value.get(_MESSAGE)
    cls = _NAMES.get(name) if isinstance(name, str) else None
    if cls is None:
        raise LocalError(f"not the name of a message: {shown(name)}", path=_MESSAGE)
    payload: Payload = _read_object(value, cls, cls.__name__, {_MESSAGE})
    for path, text in faults(payload, cls, cls.__name__):
        raise LocalError(text, path=path)
    return payload


def part_to_json(value: Any) -> dict[str, Any]:
    """A part of a message, for instance an event, as a ``dict``; the caller keeps in mind what it was.

    Raises :class:`~oadr_core.errors.LocalError`, which names the field, when it cannot be written.
    """
    cls = type(value)
    for path, text in faults(value, cls, cls.__name__):
        raise LocalError(text, path=path)
    return _object(value, cls)


def part_from_json(cls: type[_T], value: Mapping[str, Any]) -> _T:
    """The part of class ``cls`` that :func:`part_to_json` has turned into ``value``.

    Raises :class:`~oadr_core.errors.LocalError`, which names the place, for anything else.
    """
    part: _T = _read_object(value, cls, cls.__name__, set())
    for path, text in faults(part, cls, cls.__name__):
        raise LocalError(text, path=path)
    return part


# --- writing --------------------------------------------------------------------------------------------------------


def _object(value: Any, cls: type) -> dict[str, Any]:
    result = {}
    for spec in fields_of(cls):
        item = getattr(value, spec.name)
        if item is None:
            continue
        result[spec.name] = [_value(entry, spec.kind) for entry in item] if spec.repeated else _value(item, spec.kind)
    return result


def _value(value: Any, kind: Kind) -> Any:
    match kind:
        case Scalar():
            return _scalar(value, kind)
        case Opaque():
            lexical = type(value) is LexicalXml and value.attributes
            return {_TEXT: str(value), _ATTRIBUTES: value.attributes} if lexical else str(value)
        case Choice():
            for _, inner in kind.alternatives:
                if isinstance(inner, type) and type(value) is inner:
                    return {_TYPE: inner.__name__, **_object(value, inner)}
            [number] = [inner for _, inner in kind.alternatives if isinstance(inner, Scalar)]
            return _scalar(value, number)
        case _:
            return _object(value, kind)


def _scalar(value: Any, kind: Scalar) -> Any:
    if kind.type == "fixed":
        return "" if type(value) is LexicalStr else str(value)
    if kind.type in ("string", "anyURI", "enumeration", "responseCode", "schemaVersion", "ID"):
        return str(value)
    if kind.type in _NATIVE and type(value) not in (LexicalFloat, LexicalInt):
        if kind.type != "float":
            return value
        if value - value == 0:  # finite; JSON has no other numbers
            return float(value)
    return converters(kind)[1](value)


# --- reading --------------------------------------------------------------------------------------------------------


def _read_object(value: Any, cls: type, path: str, others: set[str]) -> Any:
    if not isinstance(value, Mapping):
        raise LocalError(f"an object is expected, not {shown(value)}", path=path)
    specs = {spec.name: spec for spec in fields_of(cls)}
    for name in value:
        if name not in specs and name not in others:
            raise LocalError(f"{cls.__name__} has no field {shown(name)}", path=path)
    fields = {name: _field(value.get(name), spec, f"{path}/{name}") for name, spec in specs.items()}
    return cls(**fields)


def _field(value: Any, spec: FieldSpec, path: str) -> Any:
    if not spec.repeated:
        return None if value is None else _read(value, spec.kind, path)
    if value is None:
        return None if spec.wrapper and not spec.minimum else ()
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise LocalError(f"a list is expected, not {shown(value)}", path=path)
    return tuple(_read(entry, spec.kind, f"{path}[{number}]") for number, entry in enumerate(value))


def _read(value: Any, kind: Kind, path: str) -> Any:
    match kind:
        case Scalar():
            return _read_scalar(value, kind, path)
        case Opaque():
            if isinstance(value, Mapping):
                return LexicalXml(_text(value.get(_TEXT), path), _text(value.get(_ATTRIBUTES), path))
            return _text(value, path)
        case Choice():
            return _read_choice(value, kind, path)
        case _:
            return _read_object(value, kind, path, set())


def _read_choice(value: Any, kind: Choice, path: str) -> Any:
    for _, inner in kind.alternatives:
        if isinstance(inner, Scalar) and not isinstance(value, Mapping):
            return _read_scalar(value, inner, path)
        if isinstance(inner, type) and isinstance(value, Mapping) and value.get(_TYPE) == inner.__name__:
            return _read_object(value, inner, path, {_TYPE})
    names = ", ".join(inner.__name__ for _, inner in kind.alternatives if isinstance(inner, type))
    raise LocalError(f"an object with a type is expected, one of {names}", path=path)


def _read_scalar(value: Any, kind: Scalar, path: str) -> Any:
    native = kind.type in _NATIVE and not isinstance(value, str)
    if native and kind.type == "float" and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) < 2**1023 else value
    text = _text(value if not native else _written(value, kind, path), path)
    try:
        read = converters(kind)[0](text)
    except (ValueError, OverflowError) as error:
        raise LocalError(str(error), path=path) from None
    return value if native else read


def _written(value: Any, kind: Scalar, path: str) -> str:
    try:
        return converters(kind)[1](value)
    except (ValueError, TypeError, OverflowError) as error:
        raise LocalError(str(error), path=path) from None


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise LocalError(f"text is expected, not {shown(value)}", path=path)
    return value
