"""Cancelled at any await, a client leaves a state that restarts: nothing is lost, and nobody is asked twice for it.

In virtual time, with a VTN in the same process: the first life of a client is ended at its n-th step, for every n that
there is, and the second goes on from the store. The steps are counted by the loop itself.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import anyio.lowlevel
import anyio.to_thread
import pytest
import trio
import trio.testing

from oadr_core.engine import Now
from oadr_core.vtn import OptReceived, OptScheduleReceived, ReportReceived, VenRegistered, VenReregistered
from oadr_transports import OpenADRClient, TrioOpenADRClient
from oadr_transports.stores import MemoryStore
from tests.transports.near import START, NearCarrier, NearVtn

_GLANCE_S = 0.0002
"""How long the loops wait for threads, in which the store commits; else the time passes at once."""


class Day:
    """A VTN with an event and a client with a report and a schedule, whose lives are counted in steps."""

    def __init__(self, make: Callable[..., Any], checkpoint: Any, mono: Callable[[], float]) -> None:
        clocks = lambda: Now(mono(), START + timedelta(seconds=mono()))  # noqa: E731  # the two clocks in a line
        self.vtn = NearVtn(clocks, requested_poll_freq=timedelta(seconds=30))
        self.store = MemoryStore()
        self.asked: list[tuple[str, int]] = []
        self._make = make
        self._checkpoint = checkpoint

    def client(self) -> Any:
        client = self._make(
            "ven",
            "http://vtn.example",
            allow_jitter=False,
            state=self.store,
            carrier=NearCarrier(self.vtn, self._checkpoint),
            clocks=self.vtn.clocks,
            entropy=bytes,
        )

        async def on_event(event: dict[str, Any]) -> str:
            await self._checkpoint()
            self.asked.append((event["event_id"], event["event_descriptor"]["modification_number"]))
            return "optIn"

        client.add_handler("on_event", on_event)

        async def measure() -> float:
            await self._checkpoint()
            return 1.0

        client.add_report(measure, "meter", "voltage", sampling_rate=timedelta(minutes=1))
        return client

    async def live(self, client: Any, sleep: Any) -> None:
        """A life beside `run`: an event comes, and a schedule is stated if it was not before."""
        if "event" not in self.vtn.session.events:
            self.vtn.publish("event")
        async for _ in client.events():
            if not client.opts:
                await client.create_opt("optOut", schedule=[(START, timedelta(hours=1))], opt_id="holidays")
            break
        await sleep(150)

    def check(self, n: int) -> None:
        """What must be true at the end of the second life."""
        vtn = self.vtn
        assert len({note.ven_id for note in vtn.of(VenRegistered)}) == 1, n
        assert len(vtn.of(VenRegistered)) <= 2, n
        assert not vtn.of(VenReregistered), n
        assert {(note.event_id, str(note.opt_type)) for note in vtn.of(OptReceived)} == {("event", "optIn")}, n
        assert 1 <= len(self.asked) <= 2, n
        [ven] = vtn.session.vens.values()
        assert [each.opt_id for each in ven.schedules if not each.superseded] == ["holidays"], n
        assert len(vtn.of(OptScheduleReceived)) <= 2, n
        assert vtn.of(ReportReceived), n


# --- trio -----------------------------------------------------------------------------------------------------------


class CancelAt(trio.abc.Instrument):
    """Cancels a scope before the n-th step that any task takes from now on."""

    def __init__(self, n: int | None, scope: trio.CancelScope) -> None:
        self.steps = 0
        self._n = n
        self._scope = scope

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.steps += 1
        if self.steps == self._n:
            self._scope.cancel()


async def time_passes(clock: trio.testing.MockClock) -> None:
    """Jump to what is next as soon as everybody waits for it, but not while a thread is at work."""
    limiters = (trio.to_thread.current_default_thread_limiter(), anyio.to_thread.current_default_thread_limiter())
    while True:
        await trio.testing.wait_all_tasks_blocked()
        next_s = trio.lowlevel.current_statistics().seconds_to_next_deadline
        if any(limiter.borrowed_tokens for limiter in limiters) or next_s == math.inf:
            time.sleep(_GLANCE_S)  # noqa: ASYNC251  # there is nobody whom it holds up
        else:
            clock.jump(max(next_s, 0.0))


def life_in_trio(make: type[Any], n: int | None) -> tuple[int, Day]:
    """The first life ends at step n, the second goes to the end; the steps of the first come back."""
    steps = 0
    clock = trio.testing.MockClock()

    async def lives() -> Day:
        nonlocal steps
        begun = trio.current_time()
        day = Day(make, trio.lowlevel.checkpoint, lambda: trio.current_time() - begun)
        for which in (n, None):
            client = day.client()
            with trio.CancelScope() as scope:
                instrument = CancelAt(which, scope)
                trio.lowlevel.add_instrument(instrument)
                try:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(time_passes, clock)
                        nursery.start_soon(client.run)
                        await day.live(client, trio.sleep)
                        nursery.cancel_scope.cancel()
                finally:
                    trio.lowlevel.remove_instrument(instrument)
            steps = steps or instrument.steps
        return day

    day = trio.run(lives, clock=clock)
    return steps, day


# --- asyncio --------------------------------------------------------------------------------------------------------


class JumpingSelector(selectors.DefaultSelector):
    """Waits for threads a moment only; then the time has passed."""

    jumped_s = 0.0
    limiter: anyio.CapacityLimiter | None = None

    def select(self, timeout: float | None = None) -> Any:
        busy = timeout is None or (self.limiter is not None and self.limiter.borrowed_tokens > 0)
        found = super().select(_GLANCE_S if busy else 0)
        if not found and not busy:
            self.jumped_s += timeout or 0.0
        return found


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time, which cancels a task before the n-th callback that it is given."""

    def __init__(self) -> None:
        self.leaps = JumpingSelector()
        super().__init__(self.leaps)
        self.steps = 0
        self.cancel_at: tuple[int | None, asyncio.Task[Any]] | None = None

    def time(self) -> float:
        return super().time() + self.leaps.jumped_s

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> Any:
        self.steps += 1
        if self.cancel_at is not None and self.steps == self.cancel_at[0]:
            (_, task), self.cancel_at = self.cancel_at, None
            task.cancel()
        return super().call_soon(callback, *args, context=context)


def life_in_asyncio(make: type[Any], n: int | None) -> tuple[int, Day]:
    """The same under asyncio, where whoever cancels, cancels a task."""
    steps = 0

    async def lives() -> Day:
        nonlocal steps
        loop = asyncio.get_running_loop()
        assert isinstance(loop, JumpingLoop)
        loop.leaps.limiter = anyio.to_thread.current_default_thread_limiter()
        begun = loop.time()
        day = Day(make, anyio.lowlevel.checkpoint, lambda: loop.time() - begun)

        async def life() -> None:
            client = day.client()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.run)
                await day.live(client, anyio.sleep)
                tasks.cancel_scope.cancel()

        for which in (n, None):
            loop.steps = 0
            task = asyncio.create_task(life())
            loop.cancel_at = (which, task)
            await asyncio.wait([task])
            steps = steps or loop.steps
            assert task.cancelled() or task.exception() is None, task.exception()
        return day

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        day = runner.run(lives())
    return steps, day


DRIVERS = {
    "trio-native": (life_in_trio, TrioOpenADRClient, 1),
    "trio": (life_in_trio, OpenADRClient, 3),
    "asyncio": (life_in_asyncio, OpenADRClient, 3),
}
"""How a life goes, with which client, and in which strides: together they stop everywhere."""


@pytest.mark.parametrize("driver", DRIVERS)
def test_cancelled_at_any_await_it_goes_on_from_the_store(driver: str) -> None:
    """Caught: a driver that carries out outputs before it has committed; a handler that is called for good."""
    life, make, stride = DRIVERS[driver]
    steps, whole = life(make, None)
    whole.check(0)
    assert len(whole.asked) == 1
    assert steps > 100
    for n in range(1, steps, stride):
        _, day = life(make, n)
        day.check(n)
