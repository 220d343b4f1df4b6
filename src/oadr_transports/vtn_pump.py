"""The pump of a VTN: clocks and requests in, outputs carried out in order, after what they rest on is saved.

It stands alone as the whole of an adapter: everything that a VTN decides is in :mod:`oadr_core.vtn`, and everything
that an application says to it in :mod:`.vtn`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import anyio
import anyio.abc

from oadr_core.engine import (
    AbandonExchange,
    ExchangeFailed,
    Input,
    Notification,
    Now,
    Output,
    ReplyArrived,
    RequestArrived,
    SaveState,
    SendReply,
    SendRequest,
    Tick,
)
from oadr_core.vtn import VtnSession

from .notes import Reader
from .ports import Clocks, clocks
from .stores import Store
from .vtn_ledger import Ledger, StoreFailed
from .vtn_log import log, logger

LONGEST_SLEEP_S: Final = 60.0
"""A wall clock that jumps is noticed after so long."""

Transcript = Callable[[str, str, bytes], None]
"""Sees every message: ``received`` or ``sent``, the service, and the bytes."""
Push = Callable[[SendRequest], Awaitable[ReplyArrived | ExchangeFailed]]
"""Posts a message to a VEN, and says what came of it."""


class Pump:
    """Runs ``session``. ``store`` keeps its state, ``push`` carries messages to VENs that have an address."""

    def __init__(
        self,
        session: VtnSession,
        *,
        store: Store | None,
        push: Push,
        transcript: Transcript | None = None,
        clocks: Clocks = clocks,
    ) -> None:
        self.session = session
        self._clocks = clocks
        self.readers: set[Reader] = set()
        self.transcript = transcript
        self._push = push
        self._ledger = Ledger(store)
        self._outbox: deque[tuple[int, Output]] = deque()
        self._parked: list[SendRequest] = []
        self._exchange = 0
        self._until = -math.inf
        self._wake: anyio.Event | None = None
        self._tasks: anyio.abc.TaskGroup | None = None
        self._scopes: dict[int, anyio.CancelScope] = {}

    # --- in ---------------------------------------------------------------------------------------------------------

    async def answer(self, service: str, data: bytes, fingerprint: str | None) -> SendReply:
        """The reply to a request; it comes when all that it rests on is saved."""
        outputs = self._step(self._request(service, data, fingerprint))
        [reply] = [output for output in outputs if isinstance(output, SendReply)]
        await self._settle()
        self._record("sent", service, reply.data)
        return reply

    def answer_here(self, service: str, data: bytes, fingerprint: str | None) -> SendReply:
        """The same for a caller without an event loop; it blocks as long as a disk takes."""
        outputs = self.tell(self._request(service, data, fingerprint))
        [reply] = [output for output in outputs if isinstance(output, SendReply)]
        self._record("sent", service, reply.data)
        return reply

    def _request(self, service: str, data: bytes, fingerprint: str | None) -> RequestArrived:
        self._exchange += 1
        self._record("received", service, data)
        return RequestArrived(exchange=self._exchange, service=service, data=data, fingerprint=fingerprint)

    def tell(self, command: Input) -> tuple[Output, ...]:
        """Carry out a command; when this returns it is saved."""
        outputs = self._step(command)
        self._ledger.settle()
        self._carry_out()
        return outputs

    def _step(self, something: Input, now: Now | None = None) -> tuple[Output, ...]:
        now = now or self._clocks()
        outputs = self.session.handle(something, now)
        for output in outputs:
            if isinstance(output, SaveState):
                self._ledger.add(output)
            elif not isinstance(output, SendReply):
                self._outbox.append((self._ledger.added, output))
        if self._wake is not None:
            timer = self.session.next_timer(now)
            if timer is not None and timer < self._until:
                self._wake.set()
        return outputs

    # --- out --------------------------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        if self._ledger.committed < self._ledger.added:
            try:
                await self._ledger.settled()
            except StoreFailed:
                if self._wake is not None:
                    self._wake.set()  # this is the end of all of it
                raise
        self._carry_out()

    def _carry_out(self) -> None:
        """What rests on nothing that is not saved, in the order of the steps."""
        while self._outbox and self._outbox[0][0] <= self._ledger.committed:
            _, output = self._outbox.popleft()
            if isinstance(output, Notification):
                log(output)
                for reader in tuple(self.readers):
                    reader.put(output)
            elif isinstance(output, SendRequest):
                if self._tasks is not None:
                    self._tasks.start_soon(self._exchange_with, output)
                else:
                    self._parked.append(output)
            elif isinstance(output, AbandonExchange) and (scope := self._scopes.get(output.exchange)) is not None:
                scope.cancel()

    def parked(self) -> tuple[SendRequest, ...]:
        """What is to be pushed, and waits for a loop that runs: whoever takes it carries it out."""
        parked, self._parked = tuple(self._parked), []
        return parked

    async def _exchange_with(self, request: SendRequest) -> None:
        """Push one message, and hand in what comes of it."""
        self._record("sent", request.service, request.data)
        with anyio.CancelScope() as scope:
            self._scopes[request.exchange] = scope
            try:
                outcome = await self._push(request)
            finally:
                del self._scopes[request.exchange]
            if isinstance(outcome, ReplyArrived):
                self._record("received", request.service, outcome.data)
            self._step(outcome)
            await self._settle()

    def _record(self, direction: str, service: str, data: bytes) -> None:
        if self.transcript is not None and data:
            try:
                self.transcript(direction, service, data)
            except Exception as error:  # the application's code: it must not cost a VEN its answer
                logger.error("the transcript raised %s: %s", type(error).__name__, error)

    # --- time -------------------------------------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """True inside the block of :meth:`running`."""
        return self._tasks is not None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let time pass while the block lasts, and push. Within another one it does nothing.

        Raises :class:`~oadr_transports.vtn_ledger.StoreFailed` when the state cannot be saved any more.
        """
        if self._tasks is not None:
            yield
            return
        try:
            async with anyio.create_task_group() as self._tasks:
                self._tasks.start_soon(self._keep_time)
                for request in self.parked():
                    self._tasks.start_soon(self._exchange_with, request)
                yield
                self._tasks.cancel_scope.cancel()
        finally:
            self._tasks = self._wake = None

    async def _keep_time(self) -> None:
        """A tick for each timer; at the beginning for what was left over from a former life."""
        now = self._clocks()
        while True:
            self._step(Tick(), now)
            await self._settle()
            now = await self._sleep()

    async def _sleep(self) -> Now:
        """Sleep until the next timer is due."""
        while True:
            now = self._clocks()
            timer = self.session.next_timer(now)
            if timer is not None and timer <= now.mono:
                return now
            await self._settle()  # raises when a commit has failed meanwhile
            self._until = min(now.mono + LONGEST_SLEEP_S, math.inf if timer is None else timer)
            self._wake = anyio.Event()
            with anyio.move_on_after(self._until - now.mono):
                await self._wake.wait()
