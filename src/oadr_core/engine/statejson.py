"""Frozen state as plain JSON values and back, driven by the types of the fields.

It stands alone because only saving and restoring need it, and cattrs with it. Parts of messages are written by the
declarations of the model (:mod:`oadr_core.wire.jsonform`), everything else by cattrs; no class lists its fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import Enum
from functools import cache, lru_cache
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import attrs
from cattrs import Converter, transform_error
from cattrs.errors import BaseValidationError, StructureHandlerNotFoundError
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
from cattrs.preconf.json import make_converter

from ..errors import LocalError
from ..model import Duration, Payload
from ..model.declare import fields_of
from ..wire.jsonform import from_json, part_from_json, part_to_json, to_json
from .records import plan

_SHOWN: Final = 200
_UNIONS: Final = (Union, UnionType)


def plain(state: object) -> dict[str, Any]:
    """The durable half of a value, without its tables."""
    found: dict[str, Any] = _converter().unstructure(state)
    return found


def structured(value: object, cls: type, path: str) -> object:
    """The value that :func:`plain` has taken apart.

    Raises :class:`~oadr_core.errors.LocalError` that names the place.
    """
    try:
        return _converter().structure(value, cls)
    except (BaseValidationError, StructureHandlerNotFoundError, ValueError, TypeError, KeyError) as error:
        what = "; ".join(transform_error(error, path=cls.__name__))[:_SHOWN]
        raise LocalError(f"the record is damaged: {what}", path=path) from None


@cache
def hints(cls: type) -> Mapping[str, Any]:
    """The types of the fields of a class."""
    return MappingProxyType(get_type_hints(cls))


@lru_cache(maxsize=1)
def _converter() -> Converter:
    converter = make_converter(forbid_extra_keys=True, omit_if_default=True)
    converter.register_unstructure_hook_factory(_is_state, lambda cls: _writer(cls, converter))
    converter.register_structure_hook_factory(_is_state, lambda cls: _reader(cls, converter))
    converter.register_unstructure_hook_func(_is_part, part_to_json)
    converter.register_structure_hook_func(_is_part, lambda value, cls: part_from_json(cls, value))
    converter.register_unstructure_hook_func(_is_payload, to_json)
    converter.register_structure_hook_func(_is_payload, lambda value, cls: from_json(value))
    converter.register_unstructure_hook(Duration, str)
    converter.register_structure_hook(Duration, lambda value, cls: Duration.parse(value))
    converter.register_unstructure_hook(timedelta, timedelta.total_seconds)
    converter.register_structure_hook(timedelta, lambda value, cls: timedelta(seconds=value))
    converter.register_structure_hook_factory(_is_mapping, lambda cls: _mapping_reader(cls, converter))
    converter.register_structure_hook_factory(_is_union, lambda cls: _union_reader(cls, converter))
    converter.register_unstructure_hook_factory(_is_union, lambda cls: lambda value: converter.unstructure(value))
    return converter


def _is_payload(cls: Any) -> bool:
    return isinstance(cls, type) and issubclass(cls, Payload)


def _is_part(cls: Any) -> bool:
    return isinstance(cls, type) and attrs.has(cls) and not _is_payload(cls) and bool(fields_of(cls))


def _is_state(cls: Any) -> bool:
    return isinstance(cls, type) and attrs.has(cls) and cls is not Duration and not fields_of(cls)


def _is_mapping(cls: Any) -> bool:
    return get_origin(cls) is Mapping


def _is_union(cls: Any) -> bool:
    """Unions of more than a type and ``None``, which cattrs leaves to us."""
    return get_origin(cls) in _UNIONS and sum(arm is not NoneType for arm in get_args(cls)) > 1


def _left_out(cls: type) -> dict[str, Any]:
    marks = plan(cls)
    return {name: override(omit=True) for name in (*marks.volatile, *(field for field, _ in marks.tables))}


def _writer(cls: type, converter: Converter) -> Callable[[Any], dict[str, Any]]:
    attrs.resolve_types(cls)
    return make_dict_unstructure_fn(cls, converter, _cattrs_omit_if_default=True, **_left_out(cls))


def _reader(cls: type, converter: Converter) -> Callable[[Any, Any], Any]:
    attrs.resolve_types(cls)
    return make_dict_structure_fn(cls, converter, _cattrs_forbid_extra_keys=True, **_left_out(cls))


def _mapping_reader(cls: Any, converter: Converter) -> Callable[[Any, Any], Any]:
    as_dict: Any = dict[get_args(cls)]  # type: ignore[misc]  # a type made at run time

    def read(value: Any, _: Any) -> Any:
        return MappingProxyType(converter.structure(value, as_dict))

    return read


def _union_reader(cls: Any, converter: Converter) -> Callable[[Any, Any], Any]:
    """Read the arm that fits the JSON value: an object is the class that has its fields, text a known name or itself,
    the rest a number.
    """
    arms = get_args(cls)
    objects = [arm for arm in arms if isinstance(arm, type) and attrs.has(arm)]
    names = [arm for arm in arms if isinstance(arm, type) and issubclass(arm, Enum)]

    def read(value: Any, _: Any) -> Any:
        if value is None and NoneType in arms:
            return None
        if isinstance(value, dict):
            fitting = [arm for arm in objects if set(value) <= {field.name for field in attrs.fields(arm)}]
            if len(fitting) == 1:
                return converter.structure(value, fitting[0])
        if isinstance(value, str):
            known = (name(value) for name in names if value in [str(member.value) for member in name])
            return next(known, value)
        if isinstance(value, (int, float)) and float in arms:
            return float(value)
        raise ValueError(f"not a {cls}")

    return read
