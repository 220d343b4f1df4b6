"""Our VEN, by the documented client API, against OpenLEADR's VTN: the main job, seen from both sides."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.interop.peer_process import Peer, event_answer, message
from tests.observations import Observations
from tests.running import CLIENTS, running

pytestmark = pytest.mark.interop

EXAMPLES = Path(__file__).parents[2] / "examples"
VALUE = 1.23
PRICES = [0.1, 0.2, 0.3]


@pytest.fixture(params=CLIENTS)
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def anyio_backend(driver: str) -> str:
    """The loop in which the driver runs; threads need none, and the test has one."""
    return CLIENTS[driver][1]


def make_client(
    driver: str, vtn_url: str, ven_name: str, on_event: Callable[..., Any], sample: Callable[..., Any]
) -> Any:
    """Return a client with one voltage report, as the documentation builds it."""
    client = CLIENTS[driver][0](ven_name=ven_name, vtn_url=vtn_url)
    client.add_report(
        callback=sample, resource_id="device001", measurement="voltage", sampling_rate=timedelta(seconds=1)
    )
    client.add_handler("on_event", on_event)
    return client


def add_event(vtn: Peer, ven_id: str, event_id: str = "event-1") -> None:
    """Let the peer publish an event of three intervals of five minutes that starts in a minute."""
    vtn.tell("add_event", ven_id=ven_id, event_id=event_id, starts_in_s=60, interval_s=300, values=PRICES)


async def test_main_job(
    driver: str, peer_vtn: Peer, peer_vtn_url: str, validate: Callable[[bytes], None]
) -> None:
    ours = Observations()
    sent: list[str | bytes] = []

    async def sample() -> float:
        ours.add("sampled")
        return VALUE

    async def on_event(event: dict[str, Any]) -> str:
        ours.add("event", event=event)
        return "optIn"

    async def on_update_event(event: dict[str, Any]) -> str:
        ours.add("event_updated", event=event)
        return "optIn"

    client = make_client(driver, peer_vtn_url, "OurVEN", on_event, sample)
    client.add_handler("on_update_event", on_update_event)
    client.add_hook("before_send_xml", sent.append)

    async with running(client):
        registered = await peer_vtn.seen("registered")
        ven_id = registered["ven_id"]
        assert registered["ven_name"] == "OurVEN"

        offered = await peer_vtn.seen("report_offered")
        assert offered["ven_id"] == ven_id
        assert (offered["resource_id"], offered["measurement"], offered["unit"]) == ("device001", "Voltage", "V")
        assert offered["min_sampling_interval"] == 1.0
        created = await peer_vtn.seen("received", message("oadrCreatedReport", ven_id=ven_id))
        assert len(created["payload"]["pending_reports"]) == 1

        add_event(peer_vtn, ven_id)
        event = (await ours.seen("event"))["event"]
        check_event(event)
        await peer_vtn.seen("event_delivered")
        opt = await peer_vtn.seen("opt")
        assert (opt["ven_id"], opt["event_id"], opt["opt_type"]) == (ven_id, "event-1", "optIn")

        await ours.seen("sampled")
        reported = await peer_vtn.seen("report_values")
        assert reported["resource_id"] == "device001"
        [[when, value], *_] = reported["values"]
        assert value == VALUE
        assert abs(datetime.fromisoformat(when) - datetime.now(UTC)) < timedelta(minutes=1)

        peer_vtn.tell("cancel_event", ven_id=ven_id, event_id="event-1")
        cancelled = (await ours.seen("event_updated"))["event"]
        assert cancelled["event_id"] == "event-1"
        assert cancelled["event_descriptor"]["event_status"] == "cancelled"
        await peer_vtn.seen("received", event_answer("event-1", modification_number=1))

    # The peer distributes an event more than once; the handler is asked once for each version.
    assert len(ours.all("event")) == 1
    assert len(ours.all("event_updated")) == 1
    assert not peer_vtn.all("failed")
    for document in sent:
        validate(document.encode() if isinstance(document, str) else document)


def check_event(event: dict[str, Any]) -> None:
    """Check what the documentation says a handler can read."""
    assert event["event_id"] == event["event_descriptor"]["event_id"] == "event-1"
    assert event["event_descriptor"]["modification_number"] == 0
    assert event["event_descriptor"]["event_status"] == "far"
    assert event["event_descriptor"]["market_context"] == "http://example.com/prices"
    start = event["active_period"]["dtstart"]
    assert start.tzinfo is not None
    assert start.utcoffset() == timedelta(0)
    assert event["active_period"]["duration"] == timedelta(minutes=15)
    [signal] = event["event_signals"]
    assert (signal["signal_name"], signal["signal_type"]) == ("ELECTRICITY_PRICE", "price")
    intervals = signal["intervals"]
    assert [interval["signal_payload"] for interval in intervals] == pytest.approx(PRICES)
    assert [interval["dtstart"] for interval in intervals] == [start + n * timedelta(minutes=5) for n in range(3)]
    assert {interval["duration"] for interval in intervals} == {timedelta(minutes=5)}
    assert event["targets"] == event["target"] == [{"ven_id": "id-of-OurVEN"}]
    assert event["targets_by_type"] == {"ven_id": ["id-of-OurVEN"]}
    assert event["response_required"] == "always"
    assert event.typed is not None


async def test_plain_functions_as_handlers(driver: str, peer_vtn: Peer, peer_vtn_url: str) -> None:
    client = make_client(driver, peer_vtn_url, "PlainVEN", lambda event: "optOut", lambda: VALUE)
    async with running(client):
        ven_id = (await peer_vtn.seen("registered"))["ven_id"]
        add_event(peer_vtn, ven_id)
        assert (await peer_vtn.seen("opt"))["opt_type"] == "optOut"
        [[_when, value], *_] = (await peer_vtn.seen("report_values"))["values"]
        assert value == VALUE


async def test_raising_handler_opts_out_of_that_event_only(driver: str, peer_vtn: Peer, peer_vtn_url: str) -> None:
    def on_event(event: dict[str, Any]) -> str:
        if event["event_id"] == "event-bad":
            raise RuntimeError("the device does not answer")
        return "optIn"

    client = make_client(driver, peer_vtn_url, "RaisingVEN", on_event, lambda: VALUE)
    async with running(client):
        ven_id = (await peer_vtn.seen("registered"))["ven_id"]
        add_event(peer_vtn, ven_id, "event-bad")
        add_event(peer_vtn, ven_id, "event-good")
        bad = await peer_vtn.seen("opt", lambda seen: seen["event_id"] == "event-bad")
        good = await peer_vtn.seen("opt", lambda seen: seen["event_id"] == "event-good")
    assert (bad["opt_type"], good["opt_type"]) == ("optOut", "optIn")


@pytest.mark.parametrize("driver", [name for name in CLIENTS if name != "threads"])  # which nobody can cancel
async def test_cancelled_run_ends_cleanly(driver: str, peer_vtn: Peer, peer_vtn_url: str) -> None:
    client = make_client(driver, peer_vtn_url, "CancelledVEN", lambda event: "optIn", lambda: VALUE)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.run)
            await peer_vtn.seen("received", message("oadrPoll"))
            tasks.cancel_scope.cancel()


@pytest.mark.parametrize("name", ["ven.py", "sync_ven.py"])
def test_example_program_runs_as_it_stands(name: str, peer_vtn: Peer, peer_vtn_url: str, tmp_path: Path) -> None:
    program = tmp_path / name
    text = (EXAMPLES / name).read_text("utf-8")
    assert "http://localhost:8080/OpenADR2/Simple/2.0b" in text
    program.write_text(text.replace("http://localhost:8080/OpenADR2/Simple/2.0b", peer_vtn_url), "utf-8")
    log = tmp_path / "ven.log"
    with (
        log.open("w") as out,
        subprocess.Popen([sys.executable, str(program)], stdout=out, stderr=subprocess.STDOUT) as process,
    ):
        try:
            ven_id = peer_vtn.wait("registered", lambda seen: seen["ven_name"] == "ven123")["ven_id"]
            assert peer_vtn.wait("report_offered")["min_sampling_interval"] == 10.0
            peer_vtn.wait("received", message("oadrCreatedReport", ven_id=ven_id))
            add_event(peer_vtn, ven_id)
            assert peer_vtn.wait("opt")["opt_type"] == "optIn"
            [[_when, value], *_] = peer_vtn.wait("report_values", deadline_s=40)["values"]
            assert value == VALUE
            assert process.poll() is None
        finally:
            process.kill()
            sys.stderr.write(log.read_text("utf-8", "replace"))
