"""Fixtures for every test: the official schema, the other implementation's python, the async backends."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from lxml import etree

from tools.peer_env import peer_python as make_peer_python
from tools.peer_env import peer_schema

# CI judges a change by the same examples each time; whoever runs the tests by hand searches new ones.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run every async test under asyncio and under trio; a module may override it."""
    return str(request.param)


@pytest.fixture(scope="session")
def peer_python() -> Path:
    """The python of an environment that has OpenLEADR and what it pins."""
    return make_peer_python()


@pytest.fixture(scope="session")
def official_schema() -> etree.XMLSchema:
    """The profile's own schema, compiled from the copy inside the openleadr wheel.

    The wheel may stand beside us without its dependencies: the file is found, the package never imported.
    """
    spec = importlib.util.find_spec("openleadr")
    if spec is not None and spec.submodule_search_locations:
        path = Path(spec.submodule_search_locations[0]) / "schema" / "oadr_20b.xsd"
    else:
        path = peer_schema()
    return etree.XMLSchema(etree.parse(str(path)))


@pytest.fixture(scope="session")
def validate(official_schema: etree.XMLSchema) -> Callable[[bytes], None]:
    """A function that fails the test unless the document is valid against the official schema."""

    def check(document: bytes) -> None:
        __tracebackhide__ = True
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        try:
            tree = etree.fromstring(document, parser)
        except etree.XMLSyntaxError as error:
            pytest.fail(f"not well-formed: {error}\n{_numbered(document)}")
        if not official_schema.validate(tree):
            complaints = [f"  line {entry.line}: {entry.message}" for entry in official_schema.error_log]
            pytest.fail("not schema-valid:\n" + "\n".join(complaints) + "\n" + _numbered(document))

    return check


def _numbered(document: bytes, most_lines: int = 60) -> str:
    """Return the document with line numbers, cut where it gets long."""
    lines = document.decode("utf-8", "backslashreplace").splitlines()
    shown = [f"{number:4} {line[:2000]}" for number, line in enumerate(lines[:most_lines], 1)]
    if len(lines) > most_lines:
        shown.append(f"     … {len(lines) - most_lines} more lines")
    return "\n".join(shown)
