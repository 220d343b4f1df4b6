"""A day without a VTN: every sample that a client took arrives afterwards, in order, or is told to be lost.

The client's own face and pilot, the stores on the disk and the VTN's session are the real ones; only time and the
network are made up. The VEN's process is killed again and again meanwhile.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from oadr_core.engine import ExchangeFailed, Failure, Input, Now, ReplyArrived, RequestArrived, SaveState, SendReply
from oadr_core.ven import Loss, ReportBuffer, ReportDelivered, ReportsLost
from oadr_core.vtn import ReportPolicy, ReportReceived, ReportRule, VtnConfig, VtnSession
from oadr_transports import resource_status
from oadr_transports.asking import advance, called
from oadr_transports.drivers.pilot import Given, Pilot
from oadr_transports.face import ClientFace
from oadr_transports.stores import SqliteStore

MINUTE = timedelta(minutes=1)
HOUR_S = 3600.0
START = datetime(2026, 3, 28, 12, tzinfo=UTC)
"""The night in which clocks in Europe are set to summer time lies in the outage."""
POINTS = ("power", "energy", "state")
KILLS = 25
MESSAGE_BYTES = 64 * 1024


Away = Callable[[int], Input]


def unreachable(exchange: int) -> Input:
    return ExchangeFailed(exchange=exchange, failure=Failure.UNREACHABLE)


def bad_gateway(exchange: int) -> Input:
    """The proxy is there, and the VTN behind it is not."""
    return ReplyArrived(exchange=exchange, status=502)


def too_many(exchange: int) -> Input:
    """Somebody counts requests."""
    return ReplyArrived(exchange=exchange, status=429)


def broken(exchange: int) -> Input:
    """The VTN fails whatever it is asked, perhaps because its database is away."""
    return ReplyArrived(exchange=exchange, status=500)


def captive(exchange: int) -> Input:
    """Somebody else answers."""
    return ReplyArrived(exchange=exchange, data=b"<html><body>Log in to the hotel network</body></html>")


class World:
    """One VEN, one VTN, and time that passes when nothing else happens."""

    def __init__(self, folder: Path, buffer: ReportBuffer) -> None:
        self.time = 0.0
        self.folder = folder
        self.buffer = buffer
        self.away: Away | None = None
        self.given: dict[tuple[str, datetime], float] = {}
        self.lost: list[ReportsLost] = []
        self.delivered = 0
        self.arrived: list[tuple[str, datetime]] = []
        self.longest = 0
        config = VtnConfig(
            vtn_id="VTN",
            identity="insecure",  # type: ignore[arg-type]  # converted
            requested_poll_freq=MINUTE,
            reports=ReportPolicy(rules=(ReportRule(granularity=MINUTE, report_back_duration=15 * MINUTE),)),
        )
        self.vtn = VtnSession(config, key=b"u" * 32)
        self.values = SqliteStore(folder / "vtn.db")
        self.start()

    # --- the VEN --------------------------------------------------------------------------------------------------

    def clocks(self) -> Now:
        return Now(self.time, self.wall)

    @property
    def wall(self) -> datetime:
        return START + timedelta(seconds=self.time)

    def start(self) -> None:
        """The VEN's process begins."""
        client = ClientFace(
            ven_name="ven",
            vtn_url="http://vtn",
            allow_jitter=False,
            report_buffer=self.buffer,
            clocks=self.clocks,
            entropy=Random(7).randbytes,
        )
        client.add_handler("on_event", lambda event: "optIn")
        client.add_report(lambda: self.measure("power"), "house", "powerReal", sampling_rate=MINUTE, r_id="power")
        client.add_report(lambda: self.measure("energy"), "house", "energyReal", sampling_rate=MINUTE, r_id="energy")
        client.add_report(
            lambda: resource_status(capacity=self.measure("state")),
            "house",
            "status",
            sampling_rate=MINUTE,
            r_id="state",
        )
        self.inbox: deque[Input] = deque()
        self.store = SqliteStore(self.folder / "ven.db")
        self.pilot: Pilot = client._pilot(client._begin(), self.store)
        client._begun(self)
        self.work()

    def measure(self, name: str) -> float:
        """What a callback gives: another number each minute."""
        at = self.wall.replace(second=0, microsecond=0)
        self.given[name, at] = (at - START) / MINUTE + POINTS.index(name) / 4
        return self.given[name, at]

    def put(self, something: Input) -> None:
        self.inbox.append(something)

    def stop(self) -> None:
        """A driver has this."""

    def kill(self) -> None:
        """The process is killed, and begins anew at once."""
        self.store.close()
        self.start()

    def work(self) -> None:
        """Everything that can be done without time passing."""
        self.turn(None)
        while self.inbox:
            self.turn(Given(self.inbox.popleft()))

    def turn(self, given: Given | None) -> None:
        turn = self.pilot.take(given)
        if turn.changes is not None:
            self.store.commit(turn.changes)
        for request in turn.requests:
            self.longest = max(self.longest, len(request.data))
            self.put(self.exchange(request.exchange, request.service, request.data))
        for output in turn.outputs:
            if isinstance(output, ReportsLost):
                self.lost.append(output)
            self.delivered += isinstance(output, ReportDelivered)
        for errand in self.pilot.told(turn):
            step = advance(errand)
            while isinstance(step, tuple):
                step = advance(errand, tuple(called(asked) for asked in step))
            if step is not None:
                self.put(step)

    # --- the VTN --------------------------------------------------------------------------------------------------

    def exchange(self, exchange: int, service: str, data: bytes) -> Input:
        if self.away is not None:
            return self.away(exchange)
        outputs = self.vtn.handle(RequestArrived(exchange=exchange, service=service, data=data), self.clocks())
        [reply] = [output for output in outputs if isinstance(output, SendReply)]
        for output in outputs:
            if isinstance(output, SaveState):
                changes = {record.key: record.data() for record in output.records}
                self.values.commit(changes, output.reports)
            elif isinstance(output, ReportReceived):
                self.arrived.extend((value.r_id, value.dtstart) for value in output.values)
        return ReplyArrived(exchange=exchange, status=reply.status, data=reply.data)

    # --- time -----------------------------------------------------------------------------------------------------

    def run(self, until_s: float) -> None:
        while self.time < until_s:
            timer = self.pilot.session.next_timer(self.clocks())
            assert timer is None or timer > self.time, "nothing is left to do now"
            self.time = until_s if timer is None else min(timer, until_s)
            self.work()

    def stored(self) -> dict[tuple[str, datetime], Any]:
        return {(value.r_id, value.dtstart): value for value in self.values.values()}

    def close(self) -> None:
        self.store.close()
        self.values.close()


def instants(first: datetime, last: datetime) -> Iterator[datetime]:
    while first <= last:
        yield first
        first += MINUTE


def number_of(value: Any) -> float:
    status = getattr(value.value, "oadr_load_control_state", None)
    return float(value.value if status is None else status.oadr_capacity.oadr_current)


@pytest.mark.parametrize("away", [bad_gateway, too_many, broken, captive])
def test_vtn_that_answers_nonsense_is_as_good_as_away(tmp_path: Path, away: Away) -> None:
    world = World(tmp_path, ReportBuffer())
    world.run(HOUR_S)
    world.away = away
    world.run(4 * HOUR_S)
    world.away = None
    world.run(5 * HOUR_S)
    stored = world.stored()
    world.close()
    first, last = min(at for _, at in stored), max(at for _, at in stored)
    assert last - first > 260 * MINUTE
    assert set(stored) == {(name, at) for at in instants(first, last) for name in POINTS}
    assert not world.lost


def test_day_of_outage_loses_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, ReportBuffer(message_bytes=MESSAGE_BYTES))
    world.run(2 * HOUR_S)
    assert world.stored(), "it reports before the outage"
    world.away = unreachable
    dice = Random(os.environ.get("OADR_SEED", "a day"))
    for at_s in sorted(dice.uniform(2, 26) for _ in range(KILLS)):
        world.run(at_s * HOUR_S)
        world.kill()
    world.run(26 * HOUR_S)
    before = len(world.arrived)
    assert world.wall - max(at for _, at in world.arrived) > 23 * 60 * MINUTE
    world.away = None
    world.run(28 * HOUR_S)
    stored = world.stored()
    world.close()

    first, last = min(at for _, at in stored), max(at for _, at in stored)
    assert first <= START + 16 * MINUTE
    assert last >= START + 28 * 60 * MINUTE - 16 * MINUTE
    wanted = {(name, at) for at in instants(first, last) for name in POINTS}
    assert set(stored) == wanted
    assert {key: number_of(value) for key, value in stored.items()} == {key: world.given[key] for key in wanted}
    assert all(value.is_good for value in stored.values())
    assert not world.lost
    assert world.longest <= MESSAGE_BYTES
    for name in POINTS:
        late = [at for r_id, at in world.arrived[before:] if r_id == name]
        assert late == sorted(late), "oldest first"
        assert len(late) == len(set(late)), "each once"


def test_what_the_buffer_cannot_hold_is_told_and_it_is_the_oldest(tmp_path: Path) -> None:
    world = World(tmp_path, ReportBuffer(values=1_000, message_bytes=MESSAGE_BYTES))
    world.run(2 * HOUR_S)
    world.away = unreachable
    world.run(26 * HOUR_S)
    world.away = None
    world.run(28 * HOUR_S)
    stored = world.stored()
    world.close()

    first, last = min(at for _, at in stored), max(at for _, at in stored)
    missing = {(name, at) for at in instants(first, last) for name in POINTS} - set(stored)
    assert {note.reason for note in world.lost} == {Loss.BUFFER}
    assert sum(note.values for note in world.lost) == len(missing)
    assert all(any(note.since <= at <= note.until for note in world.lost) for _, at in missing)
    kept = [at for _, at in stored if at > START + 2 * 60 * MINUTE and at < START + 26 * 60 * MINUTE]
    assert max(at for _, at in missing) <= min(at for at in kept if at > START + 150 * MINUTE)
    assert {key: number_of(value) for key, value in stored.items()} == {key: world.given[key] for key in stored}
