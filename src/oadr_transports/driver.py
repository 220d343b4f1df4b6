"""The anyio pump for a VEN session, under asyncio and trio.

It stands alone as the whole of an adapter: read the clocks, hand inputs in, save what must not be lost, carry out
outputs, sleep until the next timer.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import anyio
import anyio.abc
import anyio.to_thread

from oadr_core import LocalError
from oadr_core.engine import (
    AbandonExchange,
    ExchangeFailed,
    Input,
    Notification,
    Now,
    Output,
    ReplyArrived,
    SaveState,
    SendRequest,
    Tick,
)
from oadr_core.ven import VenSession

from .http import CarrierError, Reply
from .log import log, logger
from .stores import Store

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


_ENDED: Final = "the client has stopped"


class _Call:
    """An input whose giver waits for what comes of it."""

    def __init__(self, something: Input) -> None:
        self.input = something
        self.done = anyio.Event()
        self.outputs: tuple[Output, ...] = ()
        self.error: LocalError | None = None


class VenDriver:
    """Runs one session on one carrier.

    ``notify`` is called for each notification, in order; it must not block, and may use ``start`` for work of its
    own. ``store`` keeps what the session must not forget: nothing is carried out before it is saved.
    """

    def __init__(
        self,
        session: VenSession,
        carrier: Carrier,
        notify: Callable[[Notification], None],
        *,
        store: Store | None = None,
    ) -> None:
        self.session = session
        self._carrier = carrier
        self._notify = notify
        self._store = store
        self._send, self._inbox = anyio.create_memory_object_stream[Input | _Call](math.inf)
        self._tasks: anyio.abc.TaskGroup | None = None
        self._scopes: dict[int, anyio.CancelScope] = {}
        self._failed = False
        self._calls: set[_Call] = set()

    def put(self, something: Input) -> None:
        """Hand an input in; from the thread of the loop only."""
        self._send.send_nowait(something)

    async def call(self, something: Input) -> tuple[Output, ...]:
        """Hand an input in, and wait until what comes of it is saved and carried out.

        Raises :class:`~oadr_core.LocalError` when the session does not take it, or when the driver has ended.
        """
        call = _Call(something)
        try:
            self._send.send_nowait(call)
        except anyio.ClosedResourceError:
            raise LocalError(_ENDED) from None
        self._calls.add(call)
        try:
            await call.done.wait()
        finally:
            self._calls.discard(call)
        if call.error is not None:
            raise call.error
        return call.outputs

    def start(self, function: Callable[..., Coroutine[Any, Any, None]], *args: object) -> None:
        """Start a task that lives no longer than :meth:`run`."""
        assert self._tasks is not None, "the driver is not running"
        self._tasks.start_soon(function, *args)

    async def run(self) -> None:
        """Pump until cancelled; all exchanges and tasks end with it.

        Raises ``OSError`` when the store cannot save any more: then nothing is done that would be forgotten.
        """
        try:
            async with self._send, self._inbox, anyio.create_task_group() as self._tasks:
                while True:
                    something = await self._next_input()
                    if isinstance(something, _Call):
                        await self._answer(something)
                    else:
                        await self._tolerant_step(something)
        finally:
            for call in self._calls:
                if not call.done.is_set():
                    call.error = LocalError(_ENDED)
                    call.done.set()

    async def _next_input(self) -> Input | _Call:
        now = clocks()
        timer = self.session.next_timer(now)
        if self._failed:  # an input that is refused again and again must not become a busy loop
            timer = None if timer is None else max(timer, now.mono + PAUSE_AFTER_ERROR_S)
        sleep_s = LONGEST_SLEEP_S if timer is None else min(max(timer - now.mono, 0.0), LONGEST_SLEEP_S)
        with anyio.move_on_after(sleep_s):
            return await self._inbox.receive()
        return Tick()

    async def _answer(self, call: _Call) -> None:
        try:
            call.outputs = await self._step(call.input)
        except LocalError as error:
            call.error = error
        call.done.set()

    async def _tolerant_step(self, something: Input) -> None:
        self._failed = False
        try:
            await self._step(something)
        except LocalError as error:
            logger.error("%s was not accepted: %s", type(something).__name__, error)
            self._failed = True

    async def _step(self, something: Input) -> tuple[Output, ...]:
        outputs = self.session.handle(something, clocks())
        for output in outputs:
            if isinstance(output, SaveState):
                await self._save(output)
            else:
                self._carry_out(output)
        return outputs

    async def _save(self, output: SaveState) -> None:
        """A commit waits for the disk, so it has a thread; the next input waits for it."""
        if self._store is not None:
            changes = {record.key: record.data() for record in output.records}
            await anyio.to_thread.run_sync(self._store.commit, changes)

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
