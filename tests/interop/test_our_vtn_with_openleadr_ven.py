"""OpenLEADR's VEN against our VTN: the main job, seen from both sides."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from oadr_transports import Vtn
from tests.interop.peer_process import Peer, message
from tests.observations import Observation, Observations

pytestmark = pytest.mark.interop

PRICES = [0.1, 0.2, 0.3]
INTERVAL = timedelta(minutes=5)


@pytest.fixture
def anyio_backend() -> str:
    """uvicorn runs under asyncio."""
    return "asyncio"


@asynccontextmanager
async def noted(vtn: Vtn) -> AsyncIterator[Observations]:
    """Collect the VTN's notifications, by the name of their class, while the block lasts."""
    seen = Observations()

    async def collect(notes: Any) -> None:
        async for note in notes:
            seen.add(type(note).__name__, note=note)

    async with anyio.create_task_group() as tasks, vtn.notifications() as notes:
        tasks.start_soon(collect, notes)
        yield seen
        tasks.cancel_scope.cancel()


async def test_main_job(start_peer_ven: Callable[[str, str], AbstractContextManager[Peer]]) -> None:
    vtn = Vtn(vtn_id="VTN-1", identity="insecure", requested_poll_freq=timedelta(seconds=1))
    async with vtn.serve(host="127.0.0.1", port=0) as server, noted(vtn) as ours:
        assert not server.url.endswith(":0/OpenADR2/Simple/2.0b")
        with start_peer_ven(server.url, "PeerVEN") as ven:
            registered = (await ours.seen("VenRegistered"))["note"]
            assert registered.ven_name == "PeerVEN"
            at_peer = await ven.seen("registered")
            assert at_peer["ven_id"] == registered.ven_id
            assert at_peer["registration_id"]
            [poll_s] = {
                seen["payload"]["requested_oadr_poll_freq"]
                for seen in ven.all("received")
                if seen["message"] == "oadrCreatedPartyRegistration"
            }
            assert poll_s == 1.0

            offered = (await ours.seen("ReportsOffered"))["note"]
            assert offered.ven_id == registered.ven_id
            assert len(offered.reports) == 1
            confirmed = (await ours.seen("ReportRequestConfirmed"))["note"]
            assert confirmed.ven_id == registered.ven_id
            assert len(confirmed.report_request_ids) == 1

            start = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=1)
            event_id = vtn.publish_event(
                signal_name="ELECTRICITY_PRICE",
                signal_type="price",
                dtstart=start,
                intervals=[(INTERVAL, price) for price in PRICES],
                market_context="http://example.com/prices",
            )
            event = (await ven.seen("event"))["event"]
            check_event(event, event_id, start)
            delivered = (await ours.seen("EventDelivered"))["note"]
            assert (delivered.ven_id, delivered.event_id) == (registered.ven_id, event_id)
            assert delivered.modification_number == 0
            opted = (await ours.seen("OptReceived"))["note"]
            assert (opted.event_id, opted.modification_number, opted.opt_type) == (event_id, 0, "optIn")

            sampled = await ven.seen("sampled")
            reported = (await ours.seen("ReportReceived"))["note"]
            assert reported.ven_id == registered.ven_id
            [value, *_] = reported.values
            assert (value.r_id, value.value) == ("voltage-1", sampled["value"])
            assert abs(value.dtstart - datetime.now(UTC)) < timedelta(minutes=1)
            await ven.seen("received", message("oadrUpdatedReport"))

            vtn.cancel_event(event_id)
            updated = (await ven.seen("event_updated"))["event"]
            assert updated["event_descriptor"]["event_id"] == event_id
            assert updated["event_descriptor"]["event_status"] == "cancelled"
            assert updated["event_descriptor"]["modification_number"] == 1
            await ours.seen("OptReceived", lambda seen: seen["note"].modification_number == 1)
            assert len(ven.all("event")) == 1


def check_event(event: dict[str, Any], event_id: str, start: datetime) -> None:
    """Check the event as the peer's handler got it."""
    assert event["event_descriptor"]["event_id"] == event_id
    assert event["event_descriptor"]["modification_number"] == 0
    assert event["event_descriptor"]["market_context"] == "http://example.com/prices"
    assert datetime.fromisoformat(event["active_period"]["dtstart"]) == start
    assert event["active_period"]["duration"] == 3 * INTERVAL.total_seconds()
    [signal] = event["event_signals"]
    assert (signal["signal_name"], signal["signal_type"]) == ("ELECTRICITY_PRICE", "price")
    assert [interval["signal_payload"] for interval in signal["intervals"]] == pytest.approx(PRICES)
    assert {interval["duration"] for interval in signal["intervals"]} == {INTERVAL.total_seconds()}


async def test_event_for_one_ven_is_not_shown_to_another(
    start_peer_ven: Callable[[str, str], AbstractContextManager[Peer]],
) -> None:
    vtn = Vtn(vtn_id="VTN-1", identity="insecure", requested_poll_freq=timedelta(seconds=1))
    async with vtn.serve(host="127.0.0.1", port=0) as server, noted(vtn) as ours:
        with start_peer_ven(server.url, "FirstVEN") as first, start_peer_ven(server.url, "SecondVEN") as second:
            ids = {}
            for name in ("FirstVEN", "SecondVEN"):
                registered = await ours.seen("VenRegistered", lambda seen, name=name: seen["note"].ven_name == name)
                ids[name] = registered["note"].ven_id
            assert ids["FirstVEN"] != ids["SecondVEN"]
            soon = datetime.now(UTC) + timedelta(minutes=1)
            common = {"signal_name": "SIMPLE", "signal_type": "level", "dtstart": soon, "intervals": [(INTERVAL, 1)]}
            for_first = vtn.publish_event(**common, market_context="http://example.com/a", ven_ids=[ids["FirstVEN"]])
            for_all = vtn.publish_event(**common, market_context="http://example.com/b", ven_ids=None)
            await second.seen("event", lambda seen: seen["event"]["event_descriptor"]["event_id"] == for_all)
            await first.seen("event", lambda seen: seen["event"]["event_descriptor"]["event_id"] == for_first)
            await first.seen("event", lambda seen: seen["event"]["event_descriptor"]["event_id"] == for_all)
            assert len(second.all("event")) == 1


def _version(name: str, number: int) -> Callable[[Observation], bool]:
    def is_it(seen: Observation) -> bool:
        descriptor = seen["event"]["event_descriptor"]
        return (descriptor["event_id"], descriptor["modification_number"]) == (name, number)

    return is_it


def _opt_in(name: str, number: int) -> Callable[[Observation], bool]:
    def is_it(seen: Observation) -> bool:
        note = seen["note"]
        return (note.event_id, note.modification_number, note.opt_type) == (name, number, "optIn")

    return is_it


async def test_events_change_while_one_is_active_and_the_vtn_restarts(
    start_peer_ven: Callable[[str, str], AbstractContextManager[Peer]], tmp_path: Path
) -> None:
    """What the peer saw and said before the restart is still known after it, and nothing is delivered anew."""
    options: dict[str, Any] = {
        "identity": "insecure",
        "requested_poll_freq": timedelta(seconds=1),
        "state": tmp_path / "vtn.db",
    }
    now = datetime.now(UTC).replace(microsecond=0)
    starts = {"running": now, "next": now + 2 * INTERVAL, "later": now + 9 * INTERVAL}
    async with AsyncExitStack() as peers:
        with Vtn(vtn_id="VTN-1", **options) as vtn:
            async with vtn.serve(host="127.0.0.1", port=0) as server, noted(vtn) as ours:
                port = server.port
                ven = peers.enter_context(start_peer_ven(server.url, "PeerVEN"))
                ven_id = (await ours.seen("VenRegistered"))["note"].ven_id
                for name, start in starts.items():
                    vtn.publish_event(
                        event_id=name,
                        signal_name="ELECTRICITY_PRICE",
                        signal_type="price",
                        dtstart=start,
                        intervals=[(INTERVAL, price) for price in PRICES],
                        market_context="http://example.com/prices",
                    )
                for name in starts:
                    await ven.seen("event", _version(name, 0))
                    await ours.seen("OptReceived", _opt_in(name, 0))
                assert vtn.modify_event("running", intervals=[(INTERVAL, 0.1), (INTERVAL, 0.9)]) == 1
                await ven.seen("event_updated", _version("running", 1))
                await ours.seen("OptReceived", _opt_in("running", 1))
                vtn.cancel_event("next")
                await ven.seen("event_updated", _version("next", 1))
                await ours.seen("OptReceived", _opt_in("next", 1))
        with Vtn(vtn_id="VTN-1", **options) as vtn:
            assert [*vtn.vens] == [ven_id]
            assert {name: vtn.opts(name)[ven_id].opt_type for name in ("running", "later")} == {
                "running": "optIn",
                "later": "optIn",
            }
            async with vtn.serve(host="127.0.0.1", port=port), noted(vtn) as ours:
                assert vtn.modify_event("later", priority=1) == 1
                await ven.seen("event_updated", _version("later", 1))
                await ours.seen("OptReceived", _opt_in("later", 1))
                assert not ours.all("VenRegistered")
        assert [seen["event"]["event_descriptor"]["event_id"] for seen in ven.all("event")] == [*starts]
        assert len(ven.all("event_updated")) == 3  # running, next, later
