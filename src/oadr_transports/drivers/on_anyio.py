"""The anyio pump for a VEN session, under asyncio and trio.

It stands alone as the whole of an adapter: wait for an input or for the next timer, save what must not be lost, carry
out outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Any, Final

import anyio
import anyio.abc
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread

from oadr_core.engine import SendRequest

from ..asking import CANCELLED, Call, Calls, Errand, Outcomes, late, outcome_of, perform
from ..hooks import Hooks, Watched
from ..notes import Event
from ..ports import Carrier
from .crew import Crew
from .inlet import Inlet
from .pilot import CALLS, INPUTS, Given, Pilot, deliver


class AnyioDriver(Inlet):
    """Runs the session of a pilot on one carrier; ``hooks`` see its messages."""

    def __init__(self, pilot: Pilot, carrier: Carrier, hooks: Hooks) -> None:
        super().__init__(pilot)
        self._carrier = Watched(carrier, hooks, self._ask)
        self._send, self._inbox = anyio.create_memory_object_stream[Given](INPUTS)
        self._threads: Final = Crew(CALLS, "handler")  # busy threads of anyio keep the process from ending
        self._meters: Final = Crew(CALLS, "meter")  # who is stuck there takes no thread from the handlers
        self._scopes: dict[int, anyio.CancelScope] = {}
        self._all = anyio.CancelScope()
        self._token = anyio.lowlevel.current_token()

    # --- in ---------------------------------------------------------------------------------------------------------

    def _event(self) -> Event:
        return anyio.Event()

    def _put(self, given: Given) -> None:
        try:
            self._send.send_nowait(given)
        except (anyio.WouldBlock, anyio.ClosedResourceError, anyio.BrokenResourceError):
            raise self._pilot.full() from None

    def _cancel(self) -> None:
        self._all.cancel()

    def _from_thread(self, function: Callable[..., Any], *args: object) -> None:
        anyio.from_thread.run_sync(function, *args, token=self._token)

    # --- the pump ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Pump until stopped or cancelled; all exchanges and calls end with it.

        Raises ``OSError`` when the store cannot save any more: then nothing is done that would be forgotten.
        """
        try:
            with self._all:
                async with self._send, self._inbox, anyio.create_task_group() as tasks:
                    while True:
                        await self._turn(tasks)
        finally:
            self._pilot.over()
            self._threads.dismiss()
            self._meters.dismiss()

    async def _turn(self, tasks: anyio.abc.TaskGroup) -> None:
        given = None
        with anyio.move_on_after(self._pilot.sleep_s()):
            given = await self._inbox.receive()
        turn = self._pilot.take(given)
        if turn.changes is not None and self._pilot.store is not None:
            await anyio.to_thread.run_sync(self._pilot.store.commit, turn.changes)  # the next input waits for the disk
        for request in turn.requests:
            tasks.start_soon(self._exchange, request)
        for exchange in turn.abandoned:
            if exchange in self._scopes:
                self._scopes[exchange].cancel()
        for errand in self._pilot.told(turn):
            tasks.start_soon(self._run_errand, errand)

    async def _exchange(self, request: SendRequest) -> None:
        with anyio.CancelScope() as self._scopes[request.exchange]:
            try:
                outcome = await deliver(self._carrier, request)
            finally:
                del self._scopes[request.exchange]
            await self._send.send(Given(outcome))

    async def _run_errand(self, errand: Errand) -> None:
        answer = await perform(errand, self._ask)
        if answer is not None:
            await self._send.send(Given(answer))

    # --- the application --------------------------------------------------------------------------------------------

    async def _ask(self, calls: Calls) -> Outcomes:
        """Call functions at the same time: plain ones in threads, coroutines here."""
        outcomes = [CANCELLED] * len(calls)

        async def ask(number: int, asked: Call) -> None:
            with anyio.move_on_after(asked.within_s) as scope:
                crew = self._threads if asked.within_s is None else self._meters
                outcomes[number] = await outcome_of(asked, partial(self._in_thread, crew))
            if scope.cancelled_caught:
                outcomes[number] = late(asked)

        async with anyio.create_task_group() as tasks:
            for number, asked in enumerate(calls):
                tasks.start_soon(ask, number, asked)
        return tuple(outcomes)

    async def _in_thread(self, crew: Crew, function: Callable[[], list[Any]]) -> list[Any]:
        done = anyio.Event()

        def ring(future: Future[list[Any]]) -> None:
            with suppress(RuntimeError):  # the loop has ended, and nobody waits
                self._here(done.set)

        future = crew.start(copy_context().run, function)
        future.add_done_callback(ring)
        try:
            await done.wait()
        finally:
            future.cancel()  # one that has not begun is not begun
        return future.result()
