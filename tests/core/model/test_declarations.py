"""The declarations say what design and schema demand of them."""

from __future__ import annotations

import re

import attrs
import pytest

from oadr_core.model import MESSAGES
from oadr_core.model.declare import Choice, FieldSpec, Kind, fields_of
from tests.documents import SchemaFiles, schema_path


@pytest.fixture(scope="module")
def schema_files() -> SchemaFiles:
    return SchemaFiles(schema_path())


def _classes() -> list[type]:
    found: list[type] = []
    todo: list[Kind] = list(MESSAGES.values())
    while todo:
        kind = todo.pop()
        if isinstance(kind, Choice):
            todo += [inner for _, inner in kind.alternatives]
        elif isinstance(kind, type) and kind not in found:
            found.append(kind)
            todo += [spec.kind for spec in fields_of(kind)]
    return sorted(found, key=lambda cls: cls.__name__)


def _snake(local: str) -> str:
    """``ei:venID`` is ``ven_id``, ``xcal:date-time`` would be ``date_time``."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|-", "_", local)
    return re.sub(r"(?<=[A-Z])(?=[A-Z][a-z])", "_", words).lower()


@pytest.mark.parametrize("cls", _classes(), ids=lambda cls: cls.__name__)
def test_field_is_named_after_an_element_of_its_path(cls: type) -> None:
    for spec in fields_of(cls):
        if spec.path:
            assert spec.name in {_snake(step.partition(":")[2]) for step in spec.path}, spec


@pytest.mark.parametrize("cls", _classes(), ids=lambda cls: cls.__name__)
def test_class_is_frozen_and_documented(cls: type) -> None:
    assert attrs.has(cls)
    assert cls.__setattr__ is not object.__setattr__
    assert (cls.__doc__ or "").strip()


@pytest.mark.parametrize("cls", _classes(), ids=lambda cls: cls.__name__)
def test_optional_field_needs_no_argument(cls: type) -> None:
    for field, spec in zip(attrs.fields(cls), _in_order(cls), strict=True):
        if not spec.minimum:
            assert field.default is None or field.default in ((), "2.0b"), spec


def _in_order(cls: type) -> list[FieldSpec]:
    specs = {spec.name: spec for spec in fields_of(cls)}
    return [specs[field.name] for field in attrs.fields(cls)]


def test_messages_are_those_of_the_schema(schema_files: SchemaFiles) -> None:
    assert {name.partition(":")[2] for name in MESSAGES} == set(schema_files.messages())


def test_message_is_named_after_its_element() -> None:
    for name, cls in MESSAGES.items():
        assert name == f"oadr:oadr{cls.__name__}"
