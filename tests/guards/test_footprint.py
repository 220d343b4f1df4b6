"""What importing the core loads: no network, no event loop, nothing of an extra."""

from __future__ import annotations

import json
import subprocess
import sys

FORBIDDEN = (
    "anyio",
    "asyncio",
    "cryptography",
    "http.client",
    "httpx2",
    "requests",
    "signxml",
    "socket",
    "ssl",
    "trio",
)


def loaded_after(statement: str) -> list[str]:
    """Return which forbidden modules a fresh interpreter has loaded after the statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps([m for m in {FORBIDDEN!r} if m in sys.modules]))"
    # -S leaves out site, whose .pth files may import what they like.
    paths = f"import sys\nsys.path[:] = {sys.path!r}\n"
    output = subprocess.check_output([sys.executable, "-I", "-S", "-c", paths + code], text=True)
    return list(json.loads(output))


def test_importing_the_core_loads_nothing_forbidden() -> None:
    assert loaded_after("import oadr_core") == []


def test_planted_import_is_caught() -> None:
    assert loaded_after("import http.client") == ["http.client", "socket", "ssl"]
