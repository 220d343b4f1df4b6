"""A VTN for applications: publish events, watch what VENs answer, on a server of its own or mounted in
another.

It stands alone because it is the pump around the pure session: it reads the clocks, hands requests and
commands in, wakes for timers, and passes on what happened. Everything else is in :mod:`oadr_core.vtn`.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import anyio
import attrs

from oadr_core.engine import Input, Notification, Now, Output, RequestArrived, SendReply, Tick
from oadr_core.errors import LocalError
from oadr_core.model import EiEvent, ResponseRequired, SignalName, SignalType
from oadr_core.vtn import (
    AskReport,
    AskReregistration,
    CancelEvent,
    Delivery,
    EndRegistration,
    EventEntry,
    EventPublished,
    ModifyEvent,
    PublishEvent,
    ReportRequestMade,
    StopReports,
    VenState,
    VtnConfig,
    VtnSession,
    admitted,
    build_event,
    change_event,
)

from .asgi import BASE_PATH, VtnApp
from .notes import Notes
from .vtn_log import log, logger

if TYPE_CHECKING:
    from .server import Server

LONGEST_SLEEP_S: Final = 60.0
"""A wall clock that jumps is noticed after so long."""
NOTES: Final = 10_000
"""Notifications that wait for one slow reader: minutes of a busy server, some megabytes."""

Transcript = Callable[[str, str, bytes], None]
"""Sees every message: ``received`` or ``sent``, the service, and the bytes."""


class Vtn:
    """A VTN.

    ``vtn_id`` and the other keywords are those of :class:`~oadr_core.vtn.VtnConfig`. ``vens``: who may
    register, as names or a mapping of names to venIDs; without it everyone may. ``base_path`` is where the
    services stand; ``key`` is the source of all identifiers, random when not given; ``transcript`` sees every
    message.

    All methods are for the thread of the event loop. Raises :class:`~oadr_core.errors.LocalError` for wrong
    values.
    """

    def __init__(
        self,
        *,
        vtn_id: str,
        vens: Mapping[str, str | None] | Iterable[str] | None = None,
        base_path: str = BASE_PATH,
        key: bytes | None = None,
        transcript: Transcript | None = None,
        **config: Any,
    ) -> None:
        if vens is not None:
            config["admitted"] = admitted(vens)
        self.base_path = base_path
        self.transcript = transcript
        self._session = VtnSession(_config(vtn_id=vtn_id, **config), key=key or os.urandom(32))
        self._readers: set[Notes] = set()
        self._exchange = 0
        self._wake: anyio.Event | None = None
        self.app = VtnApp(
            self._answer, base_path=base_path, limit=self.config.limits.document.bytes, lifespan=self.running
        )
        """The services as a plain ASGI application, for any server or framework."""

    # --- running ----------------------------------------------------------------------------------------------------

    def serve(self, *, host: str = "127.0.0.1", port: int = 0, **options: Any) -> AbstractAsyncContextManager[Server]:
        """Serve while the block lasts; it begins when the server listens. ``port`` 0 takes a free one.

        The block gets an object with ``host``, ``port`` and ``url``, the URL that VENs need. ``options`` go
        to ``uvicorn.Config``. Needs asyncio.
        """
        return self._serve(host, port, options)

    @asynccontextmanager
    async def _serve(self, host: str, port: int, options: dict[str, Any]) -> AsyncIterator[Server]:
        from .server import serve

        async with self.running(), serve(self.app, host=host, port=port, base_path=self.base_path, **options) as server:
            yield server

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let time pass for the VTN while the block lasts: events change their status.

        :meth:`serve` does this, and so does :attr:`app` under a server that runs its lifespan. An application
        that mounts :attr:`app` in a framework enters this itself. Within another one it does nothing.
        """
        if self._wake is not None:
            yield
            return
        self._wake = anyio.Event()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._keep_time)
                yield
                tasks.cancel_scope.cancel()
        finally:
            self._wake = None

    async def _keep_time(self) -> None:
        while True:
            now = _now()
            timer = self._session.next_timer(now)
            if timer is not None and timer <= now.mono:
                self._handle(Tick(), now)
                continue
            self._wake = anyio.Event()
            with anyio.move_on_after(LONGEST_SLEEP_S if timer is None else min(timer - now.mono, LONGEST_SLEEP_S)):
                await self._wake.wait()

    def notifications(self, *, limit: int = NOTES) -> Notes:
        """Everything that happens from now on, to be iterated: ``async with vtn.notifications() as notes:
        async for …``.

        Every reader gets every notification. One that lags by more than ``limit`` loses the oldest, with a
        warning.
        """
        return Notes(limit, self._readers)

    # --- events -----------------------------------------------------------------------------------------------------

    def publish_event(
        self,
        *,
        event: EiEvent | None = None,
        signal_name: SignalName | str | None = None,
        signal_type: SignalType | str | None = None,
        dtstart: datetime | None = None,
        intervals: Iterable[tuple[timedelta, float]] | None = None,
        ven_ids: Iterable[str] | None = None,
        response_required: ResponseRequired | str = ResponseRequired.ALWAYS,
        **details: Any,
    ) -> str:
        """Publish an event and return its eventID.

        Either a whole ``event``, or one signal: ``dtstart`` (aware), ``intervals`` (pairs of duration and
        value), and the ``details`` of :func:`~oadr_core.vtn.build_event`: ``market_context``, ``item_base``,
        ``currency``, ``priority``, ``notification``, ``ramp_up``, ``recovery``, ``start_after``,
        ``test_event``, ``vtn_comment``, ``event_id``, ``targets``. ``ven_ids``: for these VENs only.
        ``response_required``: ``always`` or ``never`` (R12).

        Raises :class:`~oadr_core.errors.LocalError`, which names the field and the rule.
        """
        if event is None:
            given = {"signal_name": signal_name, "signal_type": signal_type, "dtstart": dtstart, "intervals": intervals}
            for name, value in given.items():
                if value is None:
                    raise LocalError(f"{name} is expected, or a whole event", path=f"publish_event/{name}")
            details.setdefault("market_context", None)
            details["market_context"] = details["market_context"] or self.config.market_context
            event = build_event(**given, **details)  # type: ignore[arg-type]  # none of them is None
        elif details or signal_name or signal_type or dtstart or intervals:
            raise LocalError("either a whole event or its parts", path="publish_event/event")
        command = PublishEvent(
            event=event,
            response_required=response_required,  # type: ignore[arg-type]  # checked by the session
            ven_ids=None if ven_ids is None else tuple(ven_ids),
        )
        [published] = [note for note in self._handle(command) if isinstance(note, EventPublished)]
        return published.event_id

    def modify_event(
        self,
        event_id: str,
        *,
        event: EiEvent | None = None,
        response_required: ResponseRequired | str | None = None,
        **changes: Any,
    ) -> int:
        """Change an event and return its modification number, the old one if nothing has changed.

        Either a whole new ``event``, or ``changes`` as in :func:`~oadr_core.vtn.change_event`: ``dtstart``,
        ``intervals``, ``priority``, ``market_context``, ``notification``, ``ramp_up``, ``recovery``,
        ``start_after``, ``test_event``, ``vtn_comment``, ``targets``, ``item_base``, ``signal_id``,
        ``reason``; ``None`` takes something away.

        Raises :class:`~oadr_core.errors.LocalError`, also for changes of the past (R20).
        """
        entry = self.events.get(event_id)
        if entry is None:
            raise LocalError(f"{event_id!r} is not published", path="modify_event/event_id")
        if event is not None and changes:
            raise LocalError("either a whole event or changes", path="modify_event/event")
        new = change_event(entry.event, **changes) if event is None else event
        if new.event_descriptor.event_id != event_id:
            raise LocalError("the eventID cannot change", path="modify_event/event")
        command = ModifyEvent(
            event=new,
            response_required=response_required,  # type: ignore[arg-type]  # checked by the session
        )
        self._handle(command)
        return self.events[event_id].modification_number

    def cancel_event(self, event_id: str, *, reason: str | None = None) -> None:
        """Cancel an event (R10); again does no harm. Raises :class:`~oadr_core.errors.LocalError` for one
        that is over.
        """
        self._handle(CancelEvent(event_id=event_id, reason=reason))

    @property
    def events(self) -> Mapping[str, EventEntry]:
        """The events by eventID, also the last ones that are over."""
        return self._session.events

    def opts(self, event_id: str) -> Mapping[str, Delivery]:
        """What each VEN knows of an event and has said to it, by venID."""
        return self._session.opts(event_id)

    # --- VENs -------------------------------------------------------------------------------------------------------

    @property
    def vens(self) -> Mapping[str, VenState]:
        """The registered VENs by venID."""
        return self._session.vens

    def request_reregistration(self, ven_id: str) -> None:
        """Ask a VEN, by its next poll, to register again under its registration."""
        self._handle(AskReregistration(ven_id=ven_id))

    def cancel_registration(self, ven_id: str) -> None:
        """End a registration, by the next poll of the VEN; ``VenUnregistered`` tells that it is done
        (R407).
        """
        self._handle(EndRegistration(ven_id=ven_id))

    def request_report(
        self,
        ven_id: str,
        specifier_id: str,
        r_ids: Iterable[str] = (),
        granularity: timedelta | None = None,
        report_back_duration: timedelta | None = None,
        *,
        dtstart: datetime | None = None,
        duration: timedelta = timedelta(),
    ) -> str:
        """Ask a VEN for a report that it has offered, and return the reportRequestID.

        See :class:`~oadr_core.vtn.AskReport`. Raises :class:`~oadr_core.errors.LocalError` for what it has
        not offered.
        """
        command = AskReport(
            ven_id=ven_id,
            report_specifier_id=specifier_id,
            r_ids=tuple(r_ids),
            granularity=granularity,
            report_back_duration=report_back_duration,
            dtstart=dtstart,
            duration=duration,
        )
        [made] = [note for note in self._handle(command) if isinstance(note, ReportRequestMade)]
        return made.report_request_id

    def cancel_report(self, ven_id: str, *report_request_ids: str, report_to_follow: bool = False) -> None:
        """Take report requests back; ``report_to_follow`` asks for one last report (R345)."""
        self._handle(
            StopReports(ven_id=ven_id, report_request_ids=tuple(report_request_ids), report_to_follow=report_to_follow)
        )

    # --- the pump ---------------------------------------------------------------------------------------------------

    @property
    def config(self) -> VtnConfig:
        """What the VTN was told at the beginning."""
        return self._session.config

    def _answer(self, service: str, data: bytes) -> SendReply:
        self._exchange += 1
        self._record("received", service, data)
        outputs = self._handle(RequestArrived(exchange=self._exchange, service=service, data=data))
        [reply] = [output for output in outputs if isinstance(output, SendReply)]
        self._record("sent", service, reply.data)
        return reply

    def _handle(self, something: Input, now: Now | None = None) -> tuple[Output, ...]:
        outputs = self._session.handle(something, now or _now())
        for output in outputs:
            if isinstance(output, Notification):
                log(output)
                for reader in tuple(self._readers):
                    reader.put(output)
        if self._wake is not None and not isinstance(something, RequestArrived):
            self._wake.set()
        return outputs

    def _record(self, direction: str, service: str, data: bytes) -> None:
        if self.transcript is not None and data:
            try:
                self.transcript(direction, service, data)
            except Exception as error:  # the application's code: it must not cost a VEN its answer
                logger.error("the transcript raised %s: %s", type(error).__name__, error)


def _config(**fields: Any) -> VtnConfig:
    known = attrs.fields_dict(VtnConfig)
    for name in fields:
        if name not in known:
            raise LocalError(f"one of {', '.join(known)} is expected, not {name!r}", path="Vtn")
    return VtnConfig(**fields)


def _now() -> Now:
    return Now(time.monotonic(), datetime.now(UTC))
