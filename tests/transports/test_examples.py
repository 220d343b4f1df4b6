"""The examples run, each in a process of its own, against a real VTN."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from oadr_core.vtn import OptReceived, ReportReceived, VenRegistered
from oadr_transports import Vtn
from oadr_transports.testing import check_carrier

EXAMPLES = Path(__file__).parents[2] / "examples"
DEADLINE_S = 60.0


@pytest.fixture
def anyio_backend() -> str:
    """The server is uvicorn, which knows asyncio."""
    return "asyncio"


@contextmanager
def running(name: str, url: str, folder: Path) -> Iterator[None]:
    """An example, as long as the block lasts."""
    with subprocess.Popen([sys.executable, str(EXAMPLES / name), url], cwd=folder) as ven:
        try:
            yield
        finally:
            ven.kill()


async def seen(notes: Any, kind: type[Any]) -> Any:
    with anyio.fail_after(DEADLINE_S):
        while not isinstance(note := await anext(notes), kind):
            pass
        return note


@pytest.mark.parametrize("name", ["selectors_loop.py", "callback_loop.py", "following.py"])
async def test_ven_registers_and_answers(name: str, tmp_path: Path) -> None:
    vtn = Vtn(vtn_id="VTN", requested_poll_freq=timedelta(seconds=1), identity="insecure")
    async with vtn.running(), vtn.serve() as server, vtn.notifications() as notes:
        with running(name, server.url, tmp_path):
            await seen(notes, VenRegistered)
            event_id = vtn.publish_event(
                signal_name="SIMPLE",
                signal_type="level",
                dtstart=datetime.now(UTC) - timedelta(seconds=1),
                intervals=[(timedelta(minutes=5), 1.0)],
                market_context="http://example.com/program",
            )
            opt = await seen(notes, OptReceived)
    assert (opt.event_id, str(opt.opt_type)) == (event_id, "optIn")


async def test_ven_that_waits_for_its_vtn(tmp_path: Path) -> None:
    """The one without a driver keeps trying, too: that is the core's, not a driver's."""
    vtn = Vtn(vtn_id="VTN", requested_poll_freq=timedelta(seconds=1), identity="insecure")
    async with vtn.serve() as server:
        pass  # the address of somebody who is not there
    with running("selectors_loop.py", server.url, tmp_path):
        async with vtn.running(), vtn.notifications() as notes, vtn.serve(port=server.port):
            await seen(notes, VenRegistered)


async def test_ven_reports(tmp_path: Path) -> None:
    vtn = Vtn(vtn_id="VTN", requested_poll_freq=timedelta(seconds=1), identity="insecure")
    async with vtn.running(), vtn.serve() as server, vtn.notifications() as notes:
        with running("ven.py", server.url, tmp_path):
            report = await seen(notes, ReportReceived)
    assert [value.value for value in report.values] == [1.23]


def test_both_ends_on_a_bus() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "bus.py")], capture_output=True, text=True, timeout=DEADLINE_S, check=True
    )
    assert done.stdout == "optIn has come over the bus\n"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_carrier_of_the_bus_is_a_good_one(backend: str) -> None:
    spec = importlib.util.spec_from_file_location("bus_example", EXAMPLES / "bus.py")
    assert spec is not None
    assert spec.loader is not None
    bus = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bus)
    check_carrier(bus.BusLink, without=["connections"], backend=backend)
