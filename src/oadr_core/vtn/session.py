"""The VTN: requests of VENs and commands of the operator in, replies and notifications out.

It stands alone as the shell around the steps: it finds out who is meant, lets the handler work on that VEN's
state, and keeps the outcome only if the handler returned and the reply could be written. Whatever was refused
has changed nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType, NoneType
from typing import TYPE_CHECKING, Any, Final

import attrs

from ..engine import (
    ExchangeFailed,
    Input,
    Notification,
    Now,
    Output,
    ReplyArrived,
    RequestArrived,
    SendReply,
    Tick,
    Trouble,
)
from ..engine.copying import altered
from ..engine.now import earliest
from ..engine.records import Record, SaveState, everything, opened, pack, restored
from ..engine.sharing import Shared
from ..engine.values import ReportReceived
from ..errors import LocalError, RemoteError, WrongPayload, shown
from ..model import (
    CancelPartyRegistration,
    Payload,
    Poll,
    RequestReregistration,
)
from ..reporting.asking import AskReport, StopReports
from ..reporting.policy import ReportPolicy
from ..reporting.readings import ProvideReport
from ..reporting.requested import ReportRequestMade
from ..security.errors import SignatureError
from . import offering, publish, registration, replies, requests
from .book import EventBook, EventEntry
from .config import UnknownVens, VtnConfig
from .directory import Directory
from .identity import Door
from .letters import Letter, Letters
from .mailbox import post, waits
from .messages import (
    AskReregistration,
    CancelEvent,
    EndRegistration,
    EventPublished,
    EventsOverlap,
    EventStatusChanged,
    ModifyEvent,
    PublishEvent,
    SetGroup,
    SetReportPolicy,
)
from .offering import Reporter
from .push import Pusher
from .routes import ROUTES, Route
from .saving import HEAD, Group, Journal, VtnState
from .state import Delivery, StandingPolicy, Turn, VenState

if TYPE_CHECKING:
    from ..security import ReplayGuard, Signer, Trust

_INTERNAL_ERROR: Final = 500


class VtnSession:
    """A VTN without I/O. ``key`` is the source of everything that looks random; give each installation its
    own. ``wire`` ``False``: pushed requests have no bytes, only their payload.

    ``signer`` signs what is sent. ``trust`` says whose signatures are believed, and whether unsigned messages pass; a
    message that is signed must be signed with the certificate that the carrier has seen (section 7.3, R514).

    :meth:`handle` is the only thing that changes it. It is for one thread at a time.
    """

    def __init__(
        self,
        config: VtnConfig,
        *,
        key: bytes,
        wire: bool = True,
        signer: Signer | None = None,
        trust: Trust | None = None,
    ) -> None:
        if not key:
            raise LocalError("a key of at least one byte is expected", path="VtnSession/key")
        self.config = config
        self._key = key
        self._step = 0
        self._directory = Directory(config)
        self._door = Door(config, self._directory)
        self._journal = Journal()
        self._letters = Letters(config, self._journal.stranger, signer=signer, trust=trust)
        self._book = EventBook(config.limits.finished_events)
        self._groups: dict[str, tuple[str, ...]] = {}
        self._received: Sequence[ReportReceived] = ()
        self._standing = StandingPolicy(config.reports)
        self._policy: ReportPolicy | None = None
        self._shared = Shared()
        self._pusher = Pusher(config, self._directory, lambda kind: ROUTES[kind].handle)
        self._reporter = Reporter()
        self._wire = wire

    @classmethod
    def restore(
        cls,
        config: VtnConfig,
        snapshot: bytes | Mapping[str, bytes],
        *,
        wire: bool = True,
        signer: Signer | None = None,
        trust: Trust | None = None,
    ) -> VtnSession:
        """The session of a :meth:`snapshot`, or of the records that a store has collected; the key is among them.

        Whatever was sent and not answered is sent again in its time. Raises :class:`~oadr_core.errors.LocalError`
        for what is damaged, of a later version, or of another VTN.
        """
        state = restored(VtnState, HEAD, opened(snapshot))
        if state.vtn_id != config.vtn_id:
            text = f"this is the state of the VTN {shown(state.vtn_id)}, not of {shown(config.vtn_id)}"
            raise LocalError(text, path="vtn_id")
        session = cls(config, key=bytes.fromhex(state.key), wire=wire, signer=signer, trust=trust)
        session._step = state.step
        session._letters.strangers.update(state.strangers)
        session._groups = {name: group.ven_ids for name, group in state.groups.items()}
        session._book.restore(state.events.values(), state.published)
        session._stand(state.reports)
        for ven in sorted(state.vens.values(), key=lambda ven: ven.registered_at):
            session._directory.put(requests.sparing(session._shared, ven))
            session._pusher.seen(None, ven)
            session._reporter.restored(ven)
        return session

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
        if self._pusher.has_waiting:
            turn = self._turn(now)
            pushed = self._pusher.send(turn, self._written, self._keep)
            outputs = (*outputs, *pushed, *turn.notes)
        self._step += 1
        return (*self._save(), *outputs)

    def snapshot(self) -> bytes:
        """The whole durable state as one document, for :meth:`restore`."""
        groups = {name: Group(ven_ids=ven_ids) for name, ven_ids in self._groups.items()}
        strangers = self._letters.strangers
        whole = attrs.evolve(self._head(), vens=self.vens, events=self.events, groups=groups, strangers=strangers)
        records = ((record.key, record.data()) for record in everything(HEAD, whole))
        return pack((key, data) for key, data in records if data is not None)

    def next_timer(self, now: Now) -> float | None:
        """When :class:`~oadr_core.engine.Tick` is due, on the monotonic clock; ``None`` for not by itself.

        It follows the calendar, so a driver asks again after at most a minute, lest a wall clock that jumps
        be missed.
        """
        change = None if (at := self._book.next_change()) is None else now.mono_at(at)
        return earliest(change, self._pusher.next_timer(), self._reporter.next_timer(now))

    @property
    def vens(self) -> Mapping[str, VenState]:
        """The registered VENs by venID."""
        return self._directory.vens

    @property
    def events(self) -> Mapping[str, EventEntry]:
        """The events by eventID, live ones and the last finished ones."""
        return self._book.entries

    @property
    def report_policy(self) -> ReportPolicy:
        """What is asked for of every VEN's offer, as configured or as it was set."""
        return self._standing.policy

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """The venIDs of each group."""
        return MappingProxyType(self._groups)

    def opts(self, event_id: str) -> Mapping[str, Delivery]:
        """What each VEN knows of an event and has said to it, by venID. This looks at every VEN."""
        found = ((ven_id, ven.deliveries.get(event_id)) for ven_id, ven in self.vens.items())
        return MappingProxyType({ven_id: delivery for ven_id, delivery in found if delivery is not None})

    # --- requests ---------------------------------------------------------------------------------------------------

    def _request(self, request: RequestArrived, now: Now) -> tuple[Output, ...]:
        try:
            letter = self._letter(request, now)
        except RemoteError as error:
            return _no_message(request, error)
        payload = letter.payload
        route = ROUTES[type(payload)]
        turn = self._turn(now)
        try:
            before, after, reply, guard = self._answer(turn, route, request, letter)
            send = self._reply(request, letter, turn, reply)
        except SignatureError as error:
            return _no_message(request, error)
        except RemoteError as error:
            if self._is_invited(error, payload):
                invitation = RequestReregistration(ven_id=replies.ven_id(payload) or "")
                return (self._reply(request, letter, self._turn(now), invitation),)
            turn = self._turn(now)
            refuse = replies.response if isinstance(error, Misdirected) else route.refuse
            refusal = refuse(turn, replies.no(error, payload), payload)
            text = f"{_who(payload, request)} refused: {error.code} {error.text}"
            return self._reply(request, letter, turn, refusal), Trouble(text=text, code=error.code)
        except LocalError as error:  # a bug of ours must not silence the VTN
            text = f"a reply could not be written: {error}"
            return SendReply(exchange=request.exchange, status=_INTERNAL_ERROR, detail=text), Trouble(text=text)
        if guard is not None and letter.signed is not None:
            after = self._letters.remember(letter.signed, guard, after, now)
        self._keep(before, after)
        self._received = turn.received
        return send, *turn.notes

    def _letter(self, request: RequestArrived, now: Now) -> Letter:
        if request.payload is None:
            return self._letters.read(request.data, request.fingerprint, now)
        if type(request.payload) not in ROUTES:
            raise LocalError(f"one of the 23 messages is expected, not {type(request.payload).__name__}")
        return Letter(request.payload)

    def _answer(
        self, turn: Turn, route: Route, request: RequestArrived, letter: Letter
    ) -> tuple[VenState | None, VenState | None, Payload | None, ReplayGuard | None]:
        """The state of the VEN before and after, the reply, and what is remembered of the signature.

        Nobody gets past the door without an identity.
        """
        payload, now = letter.payload, turn.now
        sender = self._door.sender(route.who, payload, self._door.prove(request.fingerprint, letter.signer))
        guard = None if letter.signed is None else self._letters.guard(sender.ven, letter.signed, now)
        if route.service is not None and request.service != route.service:
            name = payload.__element__.removeprefix("oadr:")
            raise Misdirected(f"{name} belongs to {route.service.value}, not to {shown(request.service)}", rule="R33")
        before = sender.ven
        turn.fingerprint = sender.fingerprint
        if before is None:
            turn.new_id = sender.new_id or turn.token("ven")
        seen = before if before is None else altered(before, last_seen=now.wall)
        after, reply = route.handle(turn, seen, payload)
        return before, after, reply, guard

    def _reply(self, request: RequestArrived, letter: Letter, turn: Turn, payload: Payload | None) -> SendReply:
        """The reply with its bytes, if the request came as bytes."""
        if payload is None or request.payload is not None:
            return SendReply(exchange=request.exchange, payload=payload)
        data = self._letters.write(payload, turn, answering=letter)
        return SendReply(exchange=request.exchange, payload=payload, data=data)

    def _is_invited(self, error: RemoteError, payload: Payload) -> bool:
        policy = self.config.unknown_vens
        return policy is UnknownVens.INVITE and isinstance(error, replies.Unregistered) and isinstance(payload, Poll)

    def _keep(self, before: VenState | None, after: VenState | None) -> None:
        if after is not None:
            self._directory.put(after)
        elif before is not None:
            self._directory.remove(before.ven_id)
        self._journal.ven(before, after)
        self._pusher.seen(before, after)
        self._reporter.seen(before, after)

    def _save(self) -> tuple[SaveState, ...]:
        """What this step has changed of the durable state, if anything."""
        for event_id, entry in self._book.changes().items():
            self._journal.event(event_id, entry)
        is_changed, records = self._journal.drain()
        reports, self._received = tuple(self._received), ()
        if is_changed:
            records = (Record(key=HEAD, state=self._head()), *records)
        return (SaveState(records=records, reports=reports),) if records or reports else ()

    def _head(self) -> VtnState:
        key, published = self._key.hex(), self._book.published
        return VtnState(vtn_id=self.config.vtn_id, key=key, step=self._step, published=published, reports=self._policy)

    def _turn(self, now: Now, fingerprint: str | None = None) -> Turn:
        return Turn(
            config=self.config,
            book=self._book,
            standing=self._standing,
            shared=self._shared,
            now=now,
            key=self._key,
            number=self._step,
            fingerprint=fingerprint,
        )

    # --- time -------------------------------------------------------------------------------------------------------

    def _tick(self, tick: Tick, now: Now) -> tuple[Output, ...]:
        changed = self._book.advance(now)
        turn = self._turn(now)
        self._reporter.advance(turn, self.vens, self._keep)
        given_up = self._pusher.tick(turn, self._keep)
        status = (EventStatusChanged(event_id=entry.event_id, status=entry.status) for entry in changed)
        return (*given_up, *status, *turn.notes)

    # --- replies to what was pushed -----------------------------------------------------------------------------------

    def _reply_arrived(self, reply: ReplyArrived, now: Now) -> tuple[Output, ...]:
        turn = self._turn(now)
        self._pusher.arrived(turn, reply, lambda data, ven: self._opened(data, ven, now), self._keep)
        return tuple(turn.notes)

    def _exchange_failed(self, failed: ExchangeFailed, now: Now) -> tuple[Output, ...]:
        turn = self._turn(now)
        self._pusher.failed(turn, failed, self._keep)
        return tuple(turn.notes)

    def _opened(self, data: bytes, ven: VenState, now: Now) -> Payload:
        """The reply to what was pushed over a connection with the VEN: if it is signed, then by the VEN."""
        letter = self._letters.read(data, ven.fingerprint, now)
        self._door.prove(ven.fingerprint, letter.signer)
        return letter.payload

    def _written(self, payload: Payload, ven: VenState, turn: Turn) -> bytes:
        return self._letters.write(payload, turn, to=ven.ven_id) if self._wire else b""

    # --- events -----------------------------------------------------------------------------------------------------

    def _publish(self, command: PublishEvent, now: Now) -> tuple[Output, ...]:
        event_id = self._turn(now).token("event")
        command = attrs.evolve(command, ven_ids=publish.recipients(command, self._groups), groups=())
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
        self._pusher.news(entry.ven_ids)
        notes: list[Notification] = []
        if before is None or before.modification_number != entry.modification_number:
            notes.append(EventPublished(event_id=entry.event_id, modification_number=entry.modification_number))
        if before is None or before.status is not entry.status:
            notes.append(EventStatusChanged(event_id=entry.event_id, status=entry.status))
        if others := publish.overlapping(entry, self._book, now):
            notes.append(EventsOverlap(event_id=entry.event_id, others=others))
        return tuple(notes)

    def _set_group(self, command: SetGroup, now: Now) -> tuple[Output, ...]:
        members = publish.group(command, self._groups, self.config, self._directory)
        if members:
            self._groups[command.group] = members
        else:
            self._groups.pop(command.group, None)
        self._journal.group(command.group, members)
        return ()

    # --- messages to one VEN ----------------------------------------------------------------------------------------

    def _ask_reregistration(self, command: AskReregistration, now: Now) -> tuple[Output, ...]:
        ven = self._ven(command.ven_id)
        if not waits(ven, RequestReregistration):
            self._keep(ven, post(ven, self.config, RequestReregistration(ven_id=ven.ven_id)))
        return ()

    def _end_registration(self, command: EndRegistration, now: Now) -> tuple[Output, ...]:
        ven = self._ven(command.ven_id)
        if command.at_once:
            self._keep(ven, None)
            return (registration.unregistered(ven, by_ven=False),)
        if not waits(ven, CancelPartyRegistration):
            message = CancelPartyRegistration(
                request_id=self._turn(now).token("cancel registration"),
                registration_id=ven.registration_id,
                ven_id=ven.ven_id,
            )
            self._keep(ven, post(ven, self.config, message))
        return ()

    def _ask_report(self, command: AskReport, now: Now) -> tuple[Output, ...]:
        before = self._ven(command.ven_id)
        ven, report_request_id = requests.ask(self._turn(now), before, command)
        self._keep(before, ven)
        return (ReportRequestMade(ven_id=ven.ven_id, report_request_id=report_request_id),)

    def _stop_reports(self, command: StopReports, now: Now) -> tuple[Output, ...]:
        ven = self._ven(command.ven_id)
        self._keep(ven, requests.stop(self._turn(now), ven, command))
        return ()

    def _provide_report(self, command: ProvideReport, now: Now) -> tuple[Output, ...]:
        before = self._ven(command.ven_id)
        turn = self._turn(now)
        self._keep(before, offering.provide(turn, before, command))
        return tuple(turn.notes)

    def _set_report_policy(self, command: SetReportPolicy, now: Now) -> tuple[Output, ...]:
        if not isinstance(command.policy, (ReportPolicy, NoneType)):
            raise LocalError(f"a ReportPolicy is expected, not {command.policy!r}", path="policy")
        if command.policy != self._policy:
            self._stand(command.policy)
            self._journal.head()
            self._pusher.news(None)
        return ()

    def _stand(self, policy: ReportPolicy | None) -> None:
        self._policy = policy
        self._standing = StandingPolicy(self.config.reports if policy is None else policy)

    def _ven(self, ven_id: str) -> VenState:
        ven = self.vens.get(ven_id)
        if ven is None:
            raise LocalError(f"{shown(ven_id)} is not registered", path="ven_id")
        return ven


class Misdirected(WrongPayload):
    """A message at the path of another service: oadrResponse 459, whatever it is (R33)."""


def _no_message(request: RequestArrived, error: RemoteError) -> tuple[Output, ...]:
    """What is no message is the transport's business (section 6.1), and so is one whose signature is not believed:
    it is ignored (R514).
    """
    text = f"{shown(request.service)}: {error}"
    return SendReply(exchange=request.exchange, status=error.status, detail=str(error)), Trouble(text=text)


def _who(payload: Payload, request: RequestArrived) -> str:
    """The message and its alleged sender, for a log."""
    name, sender = payload.__element__.removeprefix("oadr:"), replies.ven_id(payload)
    over = f" over the certificate {shown(request.fingerprint)}" if request.fingerprint else ""
    return f"{name} from {shown(sender) if sender else 'an unnamed VEN'}{over}"


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
        SetReportPolicy: VtnSession._set_report_policy,
        ProvideReport: VtnSession._provide_report,
        SetGroup: VtnSession._set_group,
        ReplyArrived: VtnSession._reply_arrived,
        ExchangeFailed: VtnSession._exchange_failed,
    }
)
"""What each input does."""
