"""Fixtures of the wire tests: the schema as a judge of bytes, and as a source of documents."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from lxml import etree

from tests.documents import Node, SchemaFiles, schema_path

# Whole messages take long to draw; `HYPOTHESIS_PROFILE=search` (nox -s search) is for a quiet hour.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
settings.register_profile("search", parent=_PATIENT, max_examples=3000)
# A planted bug is found or not: nobody reads the smallest example (tools/planted.py).
settings.register_profile("planted", parent=_PATIENT, derandomize=True, phases=[Phase.explicit, Phase.generate])
settings.register_profile("patient", parent=_PATIENT, derandomize=bool(os.environ.get("CI")))  # see tests/conftest.py
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "patient"))


@pytest.fixture(scope="session")
def is_valid(official_schema: etree.XMLSchema) -> Callable[[bytes], bool]:
    """What the official schema thinks of a document."""
    return lambda document: bool(official_schema.validate(etree.fromstring(document)))


@pytest.fixture(scope="session")
def schema_documents() -> st.SearchStrategy[Node]:
    """Documents drawn from the schema's own files."""
    files = SchemaFiles(schema_path())
    return st.composite(files.document)()
