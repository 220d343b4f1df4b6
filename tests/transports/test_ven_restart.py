"""A VEN that is killed at any instant goes on where it was: with SIGKILL, a real VTN and a real file."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from oadr_core import LocalError
from oadr_core.vtn import OptReceived, OptScheduleReceived, VenRegistered, VenReregistered
from oadr_transports import OpenADRClient, Vtn
from oadr_transports.stores import SqliteStore
from tests.running import running
from tests.transports.programs import killable_ven

DEADLINE_S = 30.0
KILLS = 12
PROGRAM = Path(killable_ven.__file__)


@pytest.fixture
def anyio_backend() -> str:
    """The server is uvicorn, which knows asyncio."""
    return "asyncio"


class Watched:
    """A VTN's notifications with the time at which each came."""

    def __init__(self) -> None:
        self.notes: list[tuple[float, Any]] = []
        self._news = anyio.Event()

    async def follow(self, vtn: Vtn) -> None:
        async with vtn.notifications() as notes:
            async for note in notes:
                self.notes.append((time.time(), note))
                self._news.set()
                self._news = anyio.Event()

    def of(self, kind: type) -> list[Any]:
        return [note for _, note in self.notes if isinstance(note, kind)]

    async def until(self, true: Callable[[], bool]) -> None:
        with anyio.fail_after(DEADLINE_S):
            while not true():
                with anyio.move_on_after(0.5):
                    await self._news.wait()


def publish(vtn: Vtn, event_id: str, *, minutes: float = 30) -> None:
    vtn.publish_event(
        event_id=event_id,
        signal_name="SIMPLE",
        signal_type="level",
        dtstart=datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=minutes),
        intervals=[(timedelta(minutes=5), 1.0)],
        market_context="http://example.com/p",
    )


def answered(seen: Watched, event_id: str, modification: int) -> bool:
    versions = [(note.event_id, note.modification_number) for note in seen.of(OptReceived)]
    return (event_id, modification) in versions


async def test_killed_at_random_moments_it_loses_nothing_and_does_nothing_twice(tmp_path: Path) -> None:
    """Caught: a driver that carries out outputs before it has committed."""
    dice = random.Random(os.environ.get("OADR_SEED", "phoenix"))
    seen = Watched()
    vtn = Vtn(vtn_id="VTN", requested_poll_freq=timedelta(seconds=1), identity="insecure")
    state, notes = tmp_path / "ven.state", tmp_path / "notes"
    notes.touch()
    async with anyio.create_task_group() as tasks, vtn.running(), vtn.serve() as server:
        tasks.start_soon(seen.follow, vtn)
        await anyio.lowlevel.checkpoint()

        def start() -> subprocess.Popen[bytes]:
            return subprocess.Popen([sys.executable, str(PROGRAM), server.url, str(state), str(notes)])

        wanted = []
        for round_ in range(KILLS):
            ven = start()
            publish(vtn, f"e{round_}")
            wanted.append((f"e{round_}", 0))
            if round_ % 3 == 2:
                vtn.modify_event(f"e{round_ - 2}", priority=round_)
                wanted.append((f"e{round_ - 2}", 1))
            await anyio.sleep(dice.uniform(0.3, 2.2))
            ven.kill()
            await anyio.to_thread.run_sync(ven.wait)
        ven = start()
        try:
            current = [(event_id, number) for event_id, number in wanted if (event_id, number + 1) not in wanted]
            await seen.until(lambda: all(answered(seen, *version) for version in current))
            await seen.until(lambda: bool(seen.of(OptScheduleReceived)))
            publish(vtn, "last")
            await seen.until(lambda: answered(seen, "last", 0))
        finally:
            ven.kill()
            ven.wait()
        tasks.cancel_scope.cancel()

    assert len({note.ven_id for note in seen.of(VenRegistered)}) == 1
    assert len(seen.of(VenRegistered)) <= 1 + KILLS, "one for each time that it was killed before it knew of the first"
    assert not seen.of(VenReregistered), "a restart is no reason to register again"
    assert all(str(note.opt_type) == "optIn" for note in seen.of(OptReceived))

    [ven_state] = vtn.vens.values()
    live = [schedule for schedule in ven_state.schedules if not schedule.superseded]
    assert [schedule.opt_id for schedule in live] == [killable_ven.SCHEDULE]

    calls = [json.loads(line) for line in notes.read_text("ascii").splitlines()]
    assert not [call for call in calls if call["called"] == "trouble"]
    taken: dict[tuple[str, int], float] = {}
    for at, note in seen.notes:
        if isinstance(note, OptReceived):
            taken.setdefault((note.event_id, note.modification_number), at)
    for call in calls:
        if call["called"] == "on_event":
            version = (call["event_id"], call["modification"])
            answered_at = taken.get(version, call["at"])  # never, if it was modified before the answer came
            assert call["at"] <= answered_at + 0.05, f"{version} was asked about after the VTN had the answer"
    asked = Counter((call["event_id"], call["modification"]) for call in calls if call["called"] == "on_event")
    assert asked.keys() >= set(current)


async def test_restart_keeps_registration_events_and_the_value_that_holds(tmp_path: Path) -> None:
    vtn = Vtn(vtn_id="VTN", requested_poll_freq=timedelta(seconds=1), identity="insecure")
    seen, asked, intervals = Watched(), [], []
    path = tmp_path / "ven.state"

    def client() -> OpenADRClient:
        made = OpenADRClient(ven_name="v", vtn_url=server.url, allow_jitter=False, state=path)

        async def on_event(event: dict[str, Any]) -> str:
            asked.append(event["event_id"])
            return "optIn"

        made.add_handler("on_event", on_event)
        made.add_handler("on_interval", lambda interval: intervals.append(interval["signal_payload"]))
        return made

    async with anyio.create_task_group() as tasks, vtn.running(), vtn.serve() as server:
        tasks.start_soon(seen.follow, vtn)
        first = client()
        async with running(first):
            await seen.until(lambda: first.registration is not None)
            publish(vtn, "now", minutes=0)
            await seen.until(lambda: answered(seen, "now", 0) and bool(intervals))
        registration = first.registration
        second = client()
        async with running(second):
            await seen.until(lambda: second.is_running and len(intervals) == 2)
            assert second.registration == registration
            value = second.value_now("SIMPLE")
            assert value is not None
            assert (value.event_id, value.value) == ("now", 1.0)
            third = client()
            with pytest.raises(BlockingIOError):
                await third.run()
        tasks.cancel_scope.cancel()
    assert asked == ["now"]
    assert intervals == [1.0, 1.0], "what holds is told again"
    assert len(seen.of(VenRegistered)) == 1
    assert not seen.of(VenReregistered)


async def test_damaged_state_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ven.state"
    path.write_bytes(b'{"v":1,"digest":"')
    client = OpenADRClient(ven_name="v", vtn_url="http://127.0.0.1:9/", state=path)
    with pytest.raises(LocalError, match="damaged"):
        await client.run()
    assert path.read_bytes() == b'{"v":1,"digest":"'


async def test_nothing_is_done_that_could_not_be_saved(tmp_path: Path) -> None:
    class FullDisk(SqliteStore):
        def commit(self, changes: object, reports: object = ()) -> None:
            raise OSError(28, "no space left on device")

    received: list[bytes] = []
    vtn = Vtn(vtn_id="VTN", identity="insecure", transcript=lambda way, service, data: received.append(data))
    async with vtn.running(), vtn.serve() as server:
        client = OpenADRClient(ven_name="v", vtn_url=server.url, state=FullDisk(tmp_path / "ven.state"))
        with pytest.raises(BaseExceptionGroup) as caught:
            await client.run()
    assert caught.group_contains(OSError, match="no space left")
    assert not received
