"""Guard (a): the core imports only what is on the allow-list."""

from __future__ import annotations

import pytest

from tests.guards.purity import core_modules, import_violations


def test_core_imports_only_what_is_allowed() -> None:
    found = [
        violation
        for module, path in core_modules().items()
        for violation in import_violations(
            path.read_text("utf-8"), module, is_package=path.name == "__init__.py"
        )
    ]
    assert not found, "\n" + "\n".join(map(str, found))


def test_there_is_a_core_to_guard() -> None:
    assert len(core_modules()) > 5


@pytest.mark.parametrize(
    "source",
    [
        "import socket",
        "import os.path",
        "import xml.sax",
        "from urllib import request",
        "import importlib",
        "def late():\n    import asyncio",
        "try:\n    import ssl\nexcept ImportError:\n    ssl = None",
        "import anyio",
        "import signxml",
        "from cryptography import x509",
        "import oadr_transports",
    ],
)
def test_planted_import_is_caught(source: str) -> None:
    assert import_violations(source, "oadr_core.engine.planted")


@pytest.mark.parametrize(
    "source",
    [
        "from __future__ import annotations",
        "from xml.etree import ElementTree",
        "import xml.etree.ElementTree as ET",
        "from collections.abc import Mapping",
        "from lxml import etree",
        "from ..model import Poll",
        "from . import machine",
    ],
)
def test_allowed_import_passes(source: str) -> None:
    assert not import_violations(source, "oadr_core.engine.planted")


def test_signature_libraries_are_for_security_only() -> None:
    assert not import_violations("import signxml", "oadr_core.security.signer")
    assert import_violations("import signxml", "oadr_core.securityish")
