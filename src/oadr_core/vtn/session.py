"""The VTN: requests of VENs and commands of the operator in, replies and notifications out.

It stands alone as the shell around the steps: it finds out who is meant, lets the handler work on that VEN's
state, and keeps the outcome only if the handler returned and the reply could be written. Whatever was refused
has changed nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs

from ..engine import Input, Notification, Now, Output, RequestArrived, SendReply, Tick, Trouble
from ..errors import LocalError, RemoteError, WrongPayload, shown
from ..model import (
    CancelPartyRegistration,
    Payload,
    RequestReregistration,
)
from ..wire import decode, encode
from . import publish, replies, requests
from .book import EventBook, EventEntry
from .config import VtnConfig
from .directory import Directory, plain
from .mailbox import post, waits
from .messages import (
    AskReport,
    AskReregistration,
    CancelEvent,
    EndRegistration,
    EventPublished,
    EventStatusChanged,
    ModifyEvent,
    PublishEvent,
    ReportRequestMade,
    StopReports,
)
from .routes import ROUTES, Route, Who
from .state import Delivery, Turn, VenState

_INTERNAL_ERROR: Final = 500


class VtnSession:
    """A VTN without I/O. ``key`` is the source of everything that looks random; give each installation its
    own.

    :meth:`handle` is the only thing that changes it. It is for one thread at a time.
    """

    def __init__(self, config: VtnConfig, *, key: bytes) -> None:
        if not key:
            raise LocalError("a key of at least one byte is expected", path="VtnSession/key")
        self.config = config
        self._key = key
        self._step = 0
        self._directory = Directory(config)
        self._book = EventBook(config.limits.finished_events)

    # --- the face ---------------------------------------------------------------------------------------------------

    def handle(self, input: Input, now: Now) -> tuple[Output, ...]:  # noqa: A002  # the design's name
        """Take one input and return what to do, in causal order.

        Every :class:`~oadr_core.engine.RequestArrived`, whatever it brings, gets exactly one ``SendReply``.
        Raises :class:`~oadr_core.errors.LocalError` for a command that cannot be carried out; nothing has
        changed then.
        """
        work = _INPUTS.get(type(input))
        if work is None:
            raise LocalError(f"no input of a VTN: {type(input).__name__}")
        outputs = work(self, input, now)
        self._step += 1
        return outputs

    def next_timer(self, now: Now) -> float | None:
        """When :class:`~oadr_core.engine.Tick` is due, on the monotonic clock; ``None`` for not by itself.

        It follows the calendar, so a driver asks again after at most a minute, lest a wall clock that jumps
        be missed.
        """
        at = self._book.next_change()
        return None if at is None else now.mono_at(at)

    @property
    def vens(self) -> Mapping[str, VenState]:
        """The registered VENs by venID."""
        return self._directory.vens

    @property
    def events(self) -> Mapping[str, EventEntry]:
        """The events by eventID, live ones and the last finished ones."""
        return self._book.entries

    def opts(self, event_id: str) -> Mapping[str, Delivery]:
        """What each VEN knows of an event and has said to it, by venID. This looks at every VEN."""
        found = ((ven_id, ven.deliveries.get(event_id)) for ven_id, ven in self.vens.items())
        return MappingProxyType({ven_id: delivery for ven_id, delivery in found if delivery is not None})

    # --- requests ---------------------------------------------------------------------------------------------------

    def _request(self, request: RequestArrived, now: Now) -> tuple[Output, ...]:
        payload = request.payload
        if payload is None:
            try:
                payload = decode(request.data, limits=self.config.limits.document).payload
            except RemoteError as error:
                # section 6.1: what is no message is the transport's business
                text = f"{shown(request.service)}: {error}"
                return SendReply(exchange=request.exchange, status=error.status, detail=str(error)), Trouble(text=text)
        elif type(payload) not in ROUTES:
            raise LocalError(f"one of the 23 messages is expected, not {type(payload).__name__}")
        route = ROUTES[type(payload)]
        fingerprint = plain(request.fingerprint) if request.fingerprint else None
        turn = self._turn(now, fingerprint)
        try:
            before, after, reply = self._answer(turn, route, request.service, payload)
            send = _reply(request, reply)
        except RemoteError as error:
            refuse = replies.response if isinstance(error, Misdirected) else route.refuse
            refusal = refuse(self._turn(now, fingerprint), replies.no(error, payload), payload)
            name = payload.__element__.removeprefix("oadr:")
            sender = replies.ven_id(payload)
            text = f"{name} from {shown(sender) if sender else 'an unnamed VEN'} refused: {error.code} {error.text}"
            return _reply(request, refusal), Trouble(text=text, code=error.code)
        except LocalError as error:  # a bug of ours must not silence the VTN
            text = f"a reply could not be written: {error}"
            return SendReply(exchange=request.exchange, status=_INTERNAL_ERROR, detail=text), Trouble(text=text)
        self._keep(before, after)
        return send, *turn.notes

    def _answer(
        self, turn: Turn, route: Route, service: str, payload: Payload
    ) -> tuple[VenState | None, VenState | None, Payload | None]:
        """The state of the VEN before and after, and the reply."""
        if route.service is not None and service != route.service:
            name = payload.__element__.removeprefix("oadr:")
            raise Misdirected(f"{name} belongs to {route.service.value}, not to {shown(service)}", rule="R33")
        before = _SENDERS[route.who](self._directory, turn, payload)
        seen = before if before is None else attrs.evolve(before, last_seen=turn.now.wall)
        after, reply = route.handle(turn, seen, payload)
        return before, after, reply

    def _keep(self, before: VenState | None, after: VenState | None) -> None:
        if after is not None:
            self._directory.put(after)
        elif before is not None:
            self._directory.remove(before.ven_id)

    def _turn(self, now: Now, fingerprint: str | None = None) -> Turn:
        return Turn(
            config=self.config, book=self._book, now=now, key=self._key, number=self._step, fingerprint=fingerprint
        )

    # --- time -------------------------------------------------------------------------------------------------------

    def _tick(self, tick: Tick, now: Now) -> tuple[Output, ...]:
        changed = self._book.advance(now)
        return tuple(EventStatusChanged(event_id=entry.event_id, status=entry.status) for entry in changed)

    # --- events -----------------------------------------------------------------------------------------------------

    def _publish(self, command: PublishEvent, now: Now) -> tuple[Output, ...]:
        event_id = self._turn(now).token("event")
        entry = publish.published(command, self._book, self.config, self._directory, now, event_id)
        return self._book_in(entry, None, now)

    def _modify(self, command: ModifyEvent, now: Now) -> tuple[Output, ...]:
        before = self._book.get(command.event.event_descriptor.event_id)
        return self._book_in(publish.modified(command, self._book, now), before, now)

    def _cancel(self, command: CancelEvent, now: Now) -> tuple[Output, ...]:
        before = self._book.get(command.event_id)
        return self._book_in(publish.cancelled(command, self._book, now), before, now)

    def _book_in(self, entry: EventEntry | None, before: EventEntry | None, now: Now) -> tuple[Output, ...]:
        if entry is None:
            return ()
        self._book.put(entry, now)
        notes: list[Notification] = []
        if before is None or before.modification_number != entry.modification_number:
            notes.append(EventPublished(event_id=entry.event_id, modification_number=entry.modification_number))
        if before is None or before.status is not entry.status:
            notes.append(EventStatusChanged(event_id=entry.event_id, status=entry.status))
        return tuple(notes)

    # --- messages to one VEN ----------------------------------------------------------------------------------------

    def _ask_reregistration(self, command: AskReregistration, now: Now) -> tuple[Output, ...]:
        ven = self._ven(command.ven_id)
        if not waits(ven, RequestReregistration):
            self._directory.put(post(ven, self.config, RequestReregistration(ven_id=ven.ven_id)))
        return ()

    def _end_registration(self, command: EndRegistration, now: Now) -> tuple[Output, ...]:
        ven = self._ven(command.ven_id)
        if not waits(ven, CancelPartyRegistration):
            message = CancelPartyRegistration(
                request_id=self._turn(now).token("cancel registration"),
                registration_id=ven.registration_id,
                ven_id=ven.ven_id,
            )
            self._directory.put(post(ven, self.config, message))
        return ()

    def _ask_report(self, command: AskReport, now: Now) -> tuple[Output, ...]:
        ven, report_request_id = requests.ask(self._turn(now), self._ven(command.ven_id), command)
        self._directory.put(ven)
        return (ReportRequestMade(ven_id=ven.ven_id, report_request_id=report_request_id),)

    def _stop_reports(self, command: StopReports, now: Now) -> tuple[Output, ...]:
        self._directory.put(requests.stop(self._turn(now), self._ven(command.ven_id), command))
        return ()

    def _ven(self, ven_id: str) -> VenState:
        ven = self.vens.get(ven_id)
        if ven is None:
            raise LocalError(f"{shown(ven_id)} is not registered", path="ven_id")
        return ven


class Misdirected(WrongPayload):
    """A message at the path of another service: oadrResponse 459, whatever it is (R33)."""


def _reply(request: RequestArrived, payload: Payload | None) -> SendReply:
    """The reply with its bytes, if the request came as bytes."""
    data = b"" if payload is None or request.payload is not None else encode(payload)
    return SendReply(exchange=request.exchange, payload=payload, data=data)


def _newcomer(directory: Directory, turn: Turn, payload: Any) -> VenState | None:
    ven_id, ven = directory.newcomer(payload, turn.fingerprint)
    turn.new_id = ven_id or turn.token("ven")
    return ven


_SENDERS: Final[Mapping[Who, Callable[[Directory, Turn, Any], VenState | None]]] = MappingProxyType(
    {
        Who.ANYBODY: lambda directory, turn, payload: directory.known(replies.ven_id(payload), turn.fingerprint),
        Who.NEWCOMER: _newcomer,
        Who.MEMBER: lambda directory, turn, payload: directory.member(replies.ven_id(payload), turn.fingerprint),
    }
)

_INPUTS: Final[Mapping[type[Input], Callable[[VtnSession, Any, Now], tuple[Output, ...]]]] = MappingProxyType(
    {
        RequestArrived: VtnSession._request,
        Tick: VtnSession._tick,
        PublishEvent: VtnSession._publish,
        ModifyEvent: VtnSession._modify,
        CancelEvent: VtnSession._cancel,
        AskReregistration: VtnSession._ask_reregistration,
        EndRegistration: VtnSession._end_registration,
        AskReport: VtnSession._ask_report,
        StopReports: VtnSession._stop_reports,
    }
)
"""What each input does."""
