"""The pytest plugin: what the documentation shows works, and a run that does not use it loads nothing."""

from __future__ import annotations

from pathlib import Path

from tests.transports.testing.blocks import lay_out, run

IDLE = """
import sys

def test_nothing_is_loaded():
    assert "oadr_transports.testing.plugin" in sys.modules
    assert not [name for name in sys.modules if name.startswith(("oadr_core", "anyio", "lxml", "attr"))]
"""
ASYNC = """
from datetime import timedelta

import pytest

from oadr_core.vtn import OptReceived

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def test_in_a_loop(oadr_vtn, oadr_ven, oadr_clock):
    async def on_event(event):
        return "optIn"

    oadr_ven.add_handler("on_event", on_event)
    with oadr_ven:
        oadr_vtn.publish_event(
            signal_name="SIMPLE",
            signal_type="level",
            dtstart=oadr_clock.now,
            intervals=[(timedelta(hours=1), 1.0)],
            market_context="http://example.com/program",
        )
        oadr_clock.advance(minutes=1)
    assert oadr_vtn.told(OptReceived)
"""


def test_examples_of_the_documentation(tmp_path: Path) -> None:
    assert lay_out("testing.md", tmp_path) == {"test_boiler.py", "test_more.py"}
    said = run(tmp_path, "-m", "pytest", "-q", "-W", "error", "--strict-markers")
    assert "6 passed" in said[-1]


def test_idle_plugin_loads_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_idle.py").write_text(IDLE)
    run(tmp_path, "-m", "pytest", "-q", "-p", "no:anyio", "-p", "no:hypothesispytest", "-W", "error")


def test_async_handlers_in_an_async_test(tmp_path: Path) -> None:
    (tmp_path / "test_async.py").write_text(ASYNC)
    run(tmp_path, "-m", "pytest", "-q", "-W", "error")
