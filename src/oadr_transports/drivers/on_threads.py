"""The pump for a VEN session without an event loop: the caller's thread pumps, others wait for replies and handlers.

It stands alone as the whole of an adapter: wait for an input or for the next timer, save what must not be lost, carry
out outputs. Only the thread in :meth:`ThreadDriver.run` touches the session.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from time import monotonic
from typing import Final

from oadr_core.engine import Input, Output, SendRequest

from ..asking import Call, Calls, Errand, Outcome, Outcomes, advance, called, late
from ..hooks import Hooks, WatchedHere
from ..ports import SyncCarrier
from .crew import Crew
from .pilot import CALLS, INPUTS, Given, Pilot, deliver_here

EXCHANGES: Final = 8
"""Requests under way: one, and some that are given up and end in their own time."""


class ThreadDriver:
    """Runs the session of a pilot on one carrier; ``hooks`` see its messages."""

    def __init__(self, pilot: Pilot, carrier: SyncCarrier, hooks: Hooks) -> None:
        self._pilot = pilot
        self._carrier = WatchedHere(carrier, hooks)
        self._inbox: deque[Given] = deque()
        self._moved = threading.Condition()  # its lock may be taken again, as a signal handler that stops us does
        self._stopped = False
        self._couriers = Crew(EXCHANGES, "exchange")
        self._runners = Crew(CALLS, "errand")
        self._handlers = Crew(CALLS, "handler")

    # --- in ---------------------------------------------------------------------------------------------------------

    def put(self, something: Input) -> None:
        """Hand an input in, from any thread. Raises :class:`~oadr_core.LocalError` when too many wait."""
        self._put(Given(something))

    def call(self, something: Input) -> tuple[Output, ...]:
        """Hand an input in, and wait until what comes of it is saved and carried out.

        Raises :class:`~oadr_core.LocalError` when the session does not take it, or when the driver has ended.
        """
        bell = threading.Event()
        given = self._pilot.asked(something, bell)
        try:
            self._put(given)
            bell.wait()
        finally:
            self._pilot.forget(given)
        return given.result()

    def stop(self) -> None:
        """End :meth:`run`; from any thread, and from a signal handler."""
        with self._moved:
            self._stopped = True
            self._moved.notify_all()

    def _put(self, given: Given, *, wait: bool = False) -> None:
        with self._moved:
            while wait and len(self._inbox) >= INPUTS and not self._stopped:
                self._moved.wait()
            if self._stopped or len(self._inbox) >= INPUTS:
                raise self._pilot.full()
            self._inbox.append(given)
            self._moved.notify_all()

    # --- the pump ---------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Pump until stopped. Handlers that are at work then are left to themselves: what they answer counts no more.

        Raises ``OSError`` when the store cannot save any more: then nothing is done that would be forgotten.
        """
        try:
            while not self._stopped:
                self._turn()
        finally:
            self.stop()
            self._pilot.over()
            for crew in (self._couriers, self._runners, self._handlers):
                crew.dismiss()

    def _turn(self) -> None:
        given = self._next(monotonic() + self._pilot.sleep_s())
        if self._stopped:
            return
        turn = self._pilot.take(given)
        if turn.changes is not None and self._pilot.store is not None:
            self._pilot.store.commit(turn.changes)
        for request in turn.requests:  # those in turn.abandoned nobody can interrupt: their replies are too late
            self._couriers.start(self._exchange, request)
        for errand in self._pilot.told(turn):
            self._runners.start(self._run_errand, errand)

    def _next(self, until: float) -> Given | None:
        with self._moved:
            while not self._inbox and not self._stopped and (left := until - monotonic()) > 0:
                self._moved.wait(left)
            given = self._inbox.popleft() if self._inbox else None
            self._moved.notify_all()
            return given

    def _exchange(self, request: SendRequest) -> None:
        self._answer(deliver_here(self._carrier, request))

    def _run_errand(self, errand: Errand) -> None:
        step = advance(errand)
        while isinstance(step, tuple):
            step = advance(errand, self._ask(step))
        if step is not None:
            self._answer(step)

    def _answer(self, something: Input) -> None:
        if not self._stopped:
            self._put(Given(something), wait=True)

    # --- the application --------------------------------------------------------------------------------------------

    def _ask(self, calls: Calls) -> Outcomes:
        """Call functions at the same time, in threads; one alone that may take its time, in this one."""
        if len(calls) == 1 and calls[0].within_s is None:
            return (called(calls[0]),)
        begun = monotonic()
        futures = [self._handlers.start(called, asked) for asked in calls]
        return tuple(_waited(future, asked, begun) for future, asked in zip(futures, calls, strict=True))


def _waited(future: Future[Outcome], asked: Call, begun: float) -> Outcome:
    try:
        return future.result(None if asked.within_s is None else max(begun + asked.within_s - monotonic(), 0.0))
    except TimeoutError:
        future.cancel()  # one that has not begun is not begun
        return late(asked)
