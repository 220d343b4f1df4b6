"""A VTN and VENs in one process, in virtual time: the real sessions with the faces that applications know, and no event
loop, socket, thread or clock.

It stands alone because a test of an application wants to say "a day later" and go on. Everything happens in the thread
of the test, in an order that is always the same: handlers and report callbacks of the application too.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeVar

from oadr_core.engine import (
    ExchangeFailed,
    Failure,
    Input,
    Notification,
    Now,
    Output,
    ReplyArrived,
    RequestArrived,
    SendReply,
    SendRequest,
    Tick,
)

from ..asking import Call, Errand, Outcome, advance, called
from ..drivers.pilot import Given, Pilot, deliver_here
from ..face import ClientFace
from ..hooks import WatchedHere
from ..notes import Reader
from ..options import make_opt, opened
from ..ports import CarrierError, Reply
from ..vtn import Vtn

START: Final = datetime(2025, 6, 2, 8, tzinfo=UTC)
"""A Monday morning, unless a test says otherwise."""
MOST_AT_ONCE: Final = 10_000
"""Things at one instant. More than these are two ends that never come to rest."""
_URL: Final = "http://vtn.test/OpenADR2/Simple/2.0b"
_T = TypeVar("_T", bound=Notification)


class Party(Protocol):
    """Who lives in virtual time."""

    def timer(self, now: Now) -> float | None:
        """When it wants to be woken, on the monotonic clock."""
        raise NotImplementedError

    def tick(self) -> None:
        """Wake it."""
        raise NotImplementedError

    def work(self) -> bool:
        """Do one thing that waits; false when nothing does."""
        raise NotImplementedError


class VirtualClock:
    """Both clocks of a world, which stand still until they are advanced. Calling it reads them, as a driver does."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._us = 0
        self._parties: list[Party] = []

    def __call__(self) -> Now:
        return Now(self._us / 1e6, self.now)

    @property
    def now(self) -> datetime:
        """The time of day, aware."""
        return self._start + timedelta(microseconds=self._us)

    def advance(self, duration: timedelta = timedelta(), **parts: float) -> None:
        """Let so much time pass, and everything happen that is due in it: ``advance(timedelta(hours=1))``, or
        ``advance(hours=1)`` with the keywords of ``timedelta``.

        Raises ``AssertionError`` when something never comes to rest.
        """
        until = self._us + round((duration + timedelta(**parts)).total_seconds() * 1e6)
        self.settle()
        times = 0
        while (due := self._due()) is not None and due <= until:
            times = 0 if due > self._us else times + 1
            assert times < MOST_AT_ONCE, f"something is due again and again at {self.now}"
            self._us = max(self._us, due)
            now = self()
            for party in tuple(self._parties):
                timer = party.timer(now)
                if timer is not None and timer <= now.mono:
                    party.tick()
            self.settle()
        self._us = until

    def settle(self) -> None:
        """Let everything happen that is due now; no time passes. Raises as :meth:`advance`."""
        for _ in range(MOST_AT_ONCE):
            # Who came last goes first: a VTN pushes when its VENs have read what it has sent before.
            if not any(party.work() for party in self._parties[::-1]):
                return
        raise AssertionError(f"messages go to and fro without an end at {self.now}")

    def set(self, now: datetime) -> None:
        """Set the clock of the day, on all machines at once; the monotonic clock does not notice."""
        self._start += now - self.now

    def join(self, party: Party) -> None:
        """Somebody lives by this clock."""
        self._parties.append(party)

    def leave(self, party: Party) -> None:
        """Somebody lives by it no more."""
        if party in self._parties:
            self._parties.remove(party)

    def _due(self) -> int | None:
        now = self()
        timers = [timer for party in self._parties if (timer := party.timer(now)) is not None]
        return math.ceil(min(timers) * 1e6) if timers else None


class InMemoryVtn(Vtn):
    """A VTN in virtual time: the same as :class:`~oadr_transports.Vtn`, without a server.

    ``options`` are those of ``Vtn``. ``notes`` has everything that has happened. While ``away`` is true nobody answers.
    """

    def __init__(self, clock: VirtualClock, **options: Any) -> None:
        super().__init__(
            **{"vtn_id": "VTN", "identity": "insecure", "seed": bytes(32), **options},
            clocks=clock,
        )
        self.clock = clock
        self.notes: list[Notification] = []
        self.away = False
        self._vens: list[InMemoryVen] = []
        _Ear(self.notes, self._pump.readers).open()
        clock.join(self)

    def told(self, kind: type[_T]) -> list[_T]:
        """The notifications of a kind."""
        return [note for note in self.notes if isinstance(note, kind)]

    def meet(self, ven: InMemoryVen) -> None:
        """A VEN that may be pushed to."""
        self._vens.append(ven)

    def close(self) -> None:
        """Release the state, if there is one."""
        self.clock.leave(self)
        super().close()

    # --- a party ----------------------------------------------------------------------------------------------------

    def timer(self, now: Now) -> float | None:
        """See :class:`Party`."""
        return self._session.next_timer(now)

    def tick(self) -> None:
        """See :class:`Party`."""
        self._handle(Tick())

    def work(self) -> bool:
        """See :class:`Party`: push what is to be pushed."""
        parked = self._pump.parked()
        for request in parked:
            self._handle(self._pushed(request))
        return bool(parked)

    def _pushed(self, request: SendRequest) -> ReplyArrived | ExchangeFailed:
        ven = next((ven for ven in self._vens if ven.push_url and request.url.startswith(ven.push_url)), None)
        reply = None if ven is None or self.away else ven.answered(request)
        if reply is None:
            detail = "the VEN is away, or has no such address"
            return ExchangeFailed(exchange=request.exchange, failure=Failure.UNREACHABLE, detail=detail)
        return ReplyArrived(exchange=request.exchange, data=reply.data, status=reply.status)

    # --- for carriers -----------------------------------------------------------------------------------------------

    def reply_to(self, service: str, data: bytes) -> Reply:
        """What a carrier brings back from this VTN. Raises :class:`~oadr_transports.ports.CarrierError`."""
        if self.away:
            raise CarrierError(Failure.UNREACHABLE, "the VTN is away")
        reply = self._pump.answer_here(service, data, None)
        return Reply(reply.status, reply.data)


class InMemoryVen(ClientFace):
    """A VEN in virtual time, with the face of :class:`~oadr_transports.OpenADRClient` and without ``await``.

    ``options`` are those of the client. Add handlers and reports, then :meth:`start`. ``notes`` has everything that has
    happened. While ``away`` is true nobody can push to it, and it reaches nobody.
    """

    def __init__(self, clock: VirtualClock, vtn: InMemoryVtn, ven_name: str = "ven", **options: Any) -> None:
        self.clock = clock
        self.vtn = vtn
        self.notes: list[Notification] = []
        self.away = False
        self.push_url: str | None = options.get("push_url")
        options.setdefault("entropy", lambda count: ven_name.encode().ljust(count, b"-")[:count])
        super().__init__(ven_name, _URL, clocks=clock, **options)
        vtn.meet(self)
        self._ear = _Ear(self.notes, self._readers)
        self._ear.open()
        self._inbox: deque[Given] = deque()
        self._open = ExitStack()
        self._pump: Pilot | None = None

    def told(self, kind: type[_T]) -> list[_T]:
        """The notifications of a kind."""
        return [note for note in self.notes if isinstance(note, kind)]

    # --- life -------------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Run from now on; it registers, if it has not. Time passes by ``clock.advance``."""
        config = self._begin()
        self._pump = self._pilot(config, self._open.enter_context(opened(self._state)))
        self.clock.join(self)
        self._begun(self)
        self.clock.settle()
        return self

    def stop(self) -> None:
        """Run no more, as a process that ends at once: with ``state`` it goes on where it was, else anew."""
        if self._pump is not None:
            self.clock.leave(self)
            self._pump.over()
            self._over()
            self._pump = None
            self._inbox.clear()
            self._open.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def create_opt(
        self,
        opt_type: str,
        *,
        event_id: str | None = None,
        schedule: Iterable[tuple[datetime, timedelta]] = (),
        opt_reason: str | None = None,
        market_context: str | None = None,
        targets: Mapping[str, Iterable[str]] | None = None,
        device_classes: Iterable[str] = (),
        opt_id: str | None = None,
    ) -> None:
        """As of the client; what the VTN says to it is in ``notes``."""
        self.put(
            make_opt(opt_type, event_id, schedule, opt_reason, market_context, targets, device_classes, opt_id or "")
        )
        self.clock.settle()

    # --- a driver, and a party ----------------------------------------------------------------------------------------

    def put(self, something: Input) -> None:
        """Hand an input in."""
        self._inbox.append(Given(something))

    def timer(self, now: Now) -> float | None:
        """See :class:`Party`."""
        return None if self._session is None else self._session.next_timer(now)

    def tick(self) -> None:
        """See :class:`Party`."""
        self._take(None)

    def work(self) -> bool:
        """See :class:`Party`: take one input."""
        if not self._inbox:
            return False
        self._take(self._inbox.popleft())
        return True

    def answered(self, request: SendRequest) -> SendReply | None:
        """The reply to what the VTN pushes; ``None`` when there is nobody to give one."""
        if self._pump is None or self.away:
            return None
        arrived = RequestArrived(exchange=request.exchange, service=request.service, data=request.data)
        [reply] = [each for each in self._take(Given(arrived)) if isinstance(each, SendReply)]
        while self.work():
            pass  # it goes on while its reply is on the way
        return reply

    async def _call(self, something: Input) -> tuple[Output, ...]:
        self._running()
        return self._take(Given(something))

    def _take(self, given: Given | None) -> tuple[Output, ...]:
        pilot = self._pump
        if pilot is None:
            return ()
        turn = pilot.take(given)
        if turn.changes is not None and pilot.store is not None:
            pilot.store.commit(turn.changes)
        for request in turn.requests:
            self.put(deliver_here(WatchedHere(self, self._hooks), request))
        for errand in pilot.told(turn):
            self._run_errand(errand)
        return turn.outputs

    def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        """It is its own carrier: the VTN is at hand."""
        if self.away:
            raise CarrierError(Failure.UNREACHABLE, "the VEN is cut off")
        return self.vtn.reply_to(service, data)

    def _run_errand(self, errand: Errand) -> None:
        step = advance(errand)
        while isinstance(step, tuple):
            step = advance(errand, tuple(_outcome(asked) for asked in step))
        if step is not None:
            self.put(step)


class _Ear(Reader):
    """Keeps all notifications."""

    def __init__(self, notes: list[Notification], readers: Any) -> None:
        super().__init__(readers)
        self._notes = notes

    def put(self, note: Notification) -> None:
        self._notes.append(note)

    def _wake(self) -> None:
        """Nobody waits."""


def _outcome(asked: Call) -> Outcome:
    """What comes of a function of the application; an ``async`` one gets a loop of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return called(asked)
    with ThreadPoolExecutor(1) as pool:  # the test runs in a loop itself
        return pool.submit(called, asked).result()
