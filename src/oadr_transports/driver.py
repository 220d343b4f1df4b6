"""The anyio pump for a VEN session, under asyncio and trio.

It stands alone as the whole of an adapter: read the clocks, hand inputs in, carry out outputs, sleep until the next
timer.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import anyio
import anyio.abc

from oadr_core import LocalError
from oadr_core.engine import (
    AbandonExchange,
    ExchangeFailed,
    Input,
    Notification,
    Now,
    Output,
    ReplyArrived,
    SendRequest,
    Tick,
)
from oadr_core.ven import VenSession

from .http import CarrierError, Reply
from .log import log, logger

PAUSE_AFTER_ERROR_S: Final = 1.0
LONGEST_SLEEP_S: Final = 60.0
"""A wall clock that is set is noticed within a minute."""


def clocks() -> Now:
    """The two clocks of this machine."""
    return Now(time.monotonic(), datetime.now(UTC))


class Carrier(Protocol):
    """What a driver needs of a transport."""

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        """Send a message to a service; raise ``CarrierError`` when there is no reply."""


class VenDriver:
    """Runs one session on one carrier.

    ``notify`` is called for each notification, in order; it must not block, and may use ``start`` for work of its
    own.
    """

    def __init__(self, session: VenSession, carrier: Carrier, notify: Callable[[Notification], None]) -> None:
        self.session = session
        self._carrier = carrier
        self._notify = notify
        self._send, self._inbox = anyio.create_memory_object_stream[Input](math.inf)
        self._tasks: anyio.abc.TaskGroup | None = None
        self._scopes: dict[int, anyio.CancelScope] = {}
        self._failed = False

    def put(self, something: Input) -> None:
        """Hand an input in; from the thread of the loop only."""
        self._send.send_nowait(something)

    def start(self, function: Callable[..., Coroutine[Any, Any, None]], *args: object) -> None:
        """Start a task that lives no longer than :meth:`run`."""
        assert self._tasks is not None, "the driver is not running"
        self._tasks.start_soon(function, *args)

    async def run(self) -> None:
        """Pump until cancelled; all exchanges and tasks end with it."""
        async with self._send, self._inbox, anyio.create_task_group() as self._tasks:
            while True:
                self._step(await self._next_input())

    async def _next_input(self) -> Input:
        now = clocks()
        timer = self.session.next_timer(now)
        if self._failed:  # an input that is refused again and again must not become a busy loop
            timer = None if timer is None else max(timer, now.mono + PAUSE_AFTER_ERROR_S)
        sleep_s = LONGEST_SLEEP_S if timer is None else min(max(timer - now.mono, 0.0), LONGEST_SLEEP_S)
        with anyio.move_on_after(sleep_s):
            return await self._inbox.receive()
        return Tick()

    def _step(self, something: Input) -> None:
        self._failed = False
        try:
            outputs = self.session.handle(something, clocks())
        except LocalError as error:
            logger.error("%s was not accepted: %s", type(something).__name__, error)
            self._failed = True
            return
        for output in outputs:
            self._carry_out(output)

    def _carry_out(self, output: Output) -> None:
        if isinstance(output, SendRequest):
            self.start(self._exchange, output)
        elif isinstance(output, AbandonExchange):
            scope = self._scopes.get(output.exchange)
            if scope is not None:
                scope.cancel()
        elif isinstance(output, Notification):
            log(output)
            self._notify(output)

    async def _exchange(self, request: SendRequest) -> None:
        with anyio.CancelScope() as scope:
            self._scopes[request.exchange] = scope
            try:
                reply = await self._carrier.post(request.service, request.data, request.timeout_s)
                arrived: Input = ReplyArrived(
                    exchange=request.exchange,
                    data=reply.data,
                    status=reply.status,
                    retry_after_s=reply.retry_after_s,
                )
            except CarrierError as error:
                arrived = ExchangeFailed(exchange=request.exchange, failure=error.failure, detail=str(error))
            finally:
                del self._scopes[request.exchange]
            self.put(arrived)
