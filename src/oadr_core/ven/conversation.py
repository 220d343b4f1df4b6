"""Which message is sent next, what its reply means, and what follows when there is none.

It stands alone as the only module that changes ``VenState.flight``. Two tables say everything about payloads:
:data:`REPLIES` which answers a message of ours may get, :data:`INCOMING` what the VTN may ask of us, in a poll reply
or by push.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import attrs

from ..engine import AbandonExchange, ExchangeFailed, Failure, ReplyArrived, SendRequest, Trouble
from ..engine.chance import spread
from ..engine.copying import evolve
from ..engine.now import earliest
from ..engine.retry import POLICIES, back_off, failure_of_status
from ..errors import RemoteError
from ..model import (
    CanceledOpt,
    CanceledPartyRegistration,
    CanceledReport,
    CancelOpt,
    CancelPartyRegistration,
    CancelReport,
    CreatedEvent,
    CreatedOpt,
    CreatedPartyRegistration,
    CreatedReport,
    CreateOpt,
    CreatePartyRegistration,
    CreateReport,
    DistributeEvent,
    EiResponse,
    Payload,
    Poll,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    RequestEvent,
    RequestReregistration,
    Response,
    ServiceName,
    UpdatedReport,
    UpdateReport,
)
from ..reporting.sampling import JITTER_MOST_S, JITTER_SHARE
from ..wire import decode
from . import decisions, events, opts, registration, reports, requests
from .outlook import Outlook, outlook
from .state import Flight, Outgoing, Phase, Turn, VenState

MOST_DRAINED: Final = 16
"""Polls in a row before the regular interval is kept again: a VTN that always has something must not be hammered."""
NOT_REGISTERED: Final = frozenset({"452", "463"})
"""Codes with which a VTN answers a VEN that it does not know (R500, R517)."""
NOT_REGISTERED_CODE: Final = "463"
_REGISTERING: Final = (QueryRegistration, CreatePartyRegistration, CancelPartyRegistration)
_SHOWN: Final = 200
_FORBIDDEN: Final = 403

OnReply = Callable[[Turn, Outgoing, Payload | None], None]
OnRequest = Callable[[Turn, Payload], None]


@attrs.frozen
class Answer:
    """What answers a message of ours: the ``kind`` of payload, and what is done ``then``.

    ``refusals``: a response code of failure goes to ``then`` as well; else it is told, and the message is settled.
    """

    kind: type[Payload]
    then: OnReply
    refusals: bool = False


def _settled(turn: Turn, entry: Outgoing, reply: Payload | None) -> None:
    """The VTN has acknowledged; nothing follows."""


def _events_came(turn: Turn, entry: Outgoing, reply: Payload | None) -> None:
    if not isinstance(reply, DistributeEvent):
        return
    crossed = turn.state.crossed == entry.number
    events.on_distributed(turn, reply, complete=not crossed)
    if crossed:
        registration.resynchronise(turn)


REPLIES: Final[Mapping[type[Payload], Answer]] = MappingProxyType(
    {
        QueryRegistration: Answer(CreatedPartyRegistration, registration.on_queried, refusals=True),
        CreatePartyRegistration: Answer(CreatedPartyRegistration, registration.on_created, refusals=True),
        CancelPartyRegistration: Answer(CanceledPartyRegistration, registration.on_cancelled, refusals=True),
        CanceledPartyRegistration: Answer(Response, _settled),
        RegisterReport: Answer(RegisteredReport, reports.on_registered),
        RegisteredReport: Answer(Response, _settled),
        CreateReport: Answer(CreatedReport, requests.on_created, refusals=True),
        CreatedReport: Answer(Response, _settled),
        UpdateReport: Answer(UpdatedReport, reports.on_updated, refusals=True),
        UpdatedReport: Answer(Response, _settled),
        CancelReport: Answer(CanceledReport, requests.on_canceled, refusals=True),
        CanceledReport: Answer(Response, _settled),
        RequestEvent: Answer(DistributeEvent, _events_came),
        CreatedEvent: Answer(Response, decisions.on_answered),
        CreateOpt: Answer(CreatedOpt, opts.on_created, refusals=True),
        CancelOpt: Answer(CanceledOpt, opts.on_cancelled, refusals=True),
        Response: Answer(Response, _settled),
    }
)
"""Our messages: the answer that the profile gives to each (section 2.0), and what is done with it.

An oadrResponse is taken in place of any of them, and an empty body in place of an oadrResponse (section 9.2).
"""
_TOLD_THERE: Final = (CreatePartyRegistration, CreateOpt, CancelOpt)
"""Messages whose refusal has a notification of its own."""

INCOMING: Final[Mapping[type[Payload], OnRequest]] = MappingProxyType(
    {
        DistributeEvent: events.on_distributed,
        CreateReport: reports.on_requested,
        CancelReport: reports.on_cancelled,
        RegisterReport: requests.on_offered,
        UpdateReport: requests.on_values,
        CancelPartyRegistration: registration.on_cancelled_by_vtn,
        RequestReregistration: registration.on_reregistration_requested,
    }
)
"""What the VTN may ask, in the reply to a poll (section 5.5) or in a request of its own (section 6.2)."""


# --- replies --------------------------------------------------------------------------------------------------------


def on_reply(turn: Turn, arrived: ReplyArrived) -> None:
    """The reply to the exchange under way; any other is a stray."""
    flight = turn.state.flight
    if flight is None or flight.exchange != arrived.exchange:
        return
    turn.set(flight=None)
    failure = failure_of_status(arrived.status)
    if failure is not None:
        detail = arrived.data[:_SHOWN].decode("utf-8", "replace").strip()
        text = f"HTTP status {arrived.status}" + (f": {detail!r}" if detail else "")
        _failed(turn, flight, failure, text, arrived.retry_after_s)
        return
    payload = arrived.payload
    if payload is None and arrived.data.strip():
        try:
            payload = opened(turn, arrived.data)
        except RemoteError as error:
            _failed(turn, flight, Failure.UNREADABLE, _unreadable(arrived.data, error))
            return
    missed = turn.state.missed and not isinstance(flight.payload, RequestEvent)
    turn.set(retry_at=None, failures=0, missed=False)
    if flight.number is None:
        _polled(turn, flight, payload)
    else:
        _answered(turn, flight, payload)
    if missed and not turn.state.missed and turn.state.phase is Phase.REGISTERED:
        registration.resynchronise(turn)


def opened(turn: Turn, data: bytes) -> Payload:
    """Read unauthenticated bytes; where the VTN must sign, build the message only from what it has signed (R514)."""
    if turn.trust is None:
        return decode(data).payload
    from ..security import ReplayGuard, SignedEnvelope, open_envelope  # an extra, and not needed without trust

    envelope = open_envelope(data, trust=turn.trust, now=turn.now.wall)
    if isinstance(envelope, SignedEnvelope):
        guard = turn.state.guard or ReplayGuard(window=turn.trust.window)
        turn.set(guard=guard.accept(envelope.timestamp, envelope.nonce, now=turn.now.wall))
    return envelope.payload


def _unreadable(data: bytes, error: RemoteError) -> str:
    start = data.lstrip()[:14].lower()
    if start.startswith((b"<html", b"<!doctype html")):
        return "the reply is an HTML page, not an OpenADR message"
    if error.status == _FORBIDDEN:
        return f"the reply is not believed: {error}"
    return f"the reply is not an OpenADR message: {error}"


def _polled(turn: Turn, flight: Flight, payload: Payload | None) -> None:
    if payload is None:
        _failed(turn, flight, Failure.UNEXPECTED, "the reply is empty")
    elif isinstance(payload, Response):
        turn.set(drained=0)
        if payload.ei_response.response_code in NOT_REGISTERED:
            registration.lost(turn, payload.ei_response.response_code, payload.ei_response.response_description or "")
        elif not payload.ei_response.ok:
            _complain(turn, flight.payload, payload.ei_response)
        else:
            turn.set(losses=0)
    elif type(payload) in INCOMING:
        asks_again = isinstance(payload, RequestReregistration)
        turn.set(drained=turn.state.drained + 1, losses=turn.state.losses if asks_again else 0)
        INCOMING[type(payload)](turn, payload)
    else:
        _failed(turn, flight, Failure.UNEXPECTED, f"{name_of(payload)} is not an answer to it")


def _answered(turn: Turn, flight: Flight, payload: Payload | None) -> None:
    entry = _entry(turn, flight.number)
    if entry is None:
        return
    answer = REPLIES[type(entry.payload)]
    if payload is not None and type(payload) in INCOMING and type(payload) is not answer.kind:
        # A VTN that does not know the VEN may ask it to register again, whatever it was sent.
        _delay(turn, entry)
        INCOMING[type(payload)](turn, payload)
        return
    if payload is None and answer.kind is not Response:
        _failed(turn, flight, Failure.UNEXPECTED, "the reply is empty")
        return
    if payload is not None and type(payload) not in (answer.kind, Response):
        _failed(turn, flight, Failure.UNEXPECTED, f"{name_of(payload)} is not an answer to it")
        return
    turn.remove(entry)
    response = getattr(payload, "ei_response", None)
    refusal = response if isinstance(response, EiResponse) and not response.ok else None
    if refusal is not None and not isinstance(entry.payload, _TOLD_THERE):
        _complain(turn, entry.payload, refusal)
    if refusal is None or answer.refusals:
        answer.then(turn, entry, payload)
    unknown = refusal is not None and refusal.response_code == NOT_REGISTERED_CODE
    if refusal is not None and unknown and not isinstance(entry.payload, _REGISTERING):
        registration.lost(turn, refusal.response_code, refusal.response_description or "")


def on_failure(turn: Turn, failed: ExchangeFailed) -> None:
    """The carrier brought no reply."""
    flight = turn.state.flight
    if flight is not None and flight.exchange == failed.exchange:
        turn.set(flight=None)
        _failed(turn, flight, failed.failure, failed.detail or failed.failure.value)


def _failed(turn: Turn, flight: Flight, failure: Failure, detail: str, retry_after_s: float | None = None) -> None:
    """Say what went wrong, and see to it that nothing is lost: see the table of policies."""
    policy, longest = POLICIES[failure], _longest_delay(turn)
    what = f"{name_of(flight.payload)} failed: {detail}"
    entry = _entry(turn, flight.number)
    away = turn.state.missed and failure is not Failure.REFUSED  # polls fail, too: this message is not to blame
    turn.set(drained=0, missed=turn.state.missed or policy.whole or entry is None)
    if policy.whole:
        failures = turn.state.failures + 1
        delay = retry_after_s or back_off(failures, longest, turn.key, "retry", turn.number())
        turn.set(failures=failures, retry_at=turn.now.mono + delay)
        if entry is None:
            turn.set(next_poll=turn.now.mono + delay)
        turn.tell(Trouble(text=what, failure=failure, retry_s=delay))
    elif entry is None:
        wait = (turn.state.next_poll or turn.now.mono) - turn.now.mono
        turn.tell(Trouble(text=what, failure=failure, retry_s=max(wait, 0.0)))
    elif isinstance(entry.payload, QueryRegistration):
        turn.tell(Trouble(text=f"{what}; registering without it", failure=failure))
        turn.remove(entry)
        registration.on_queried(turn, entry, None)
    elif isinstance(entry.payload, CreatePartyRegistration) and failure is Failure.REFUSED:
        registration.refused(turn, "", detail)
    elif (
        policy.attempts is not None
        and entry.attempts + 1 >= policy.attempts
        and not away
        and not isinstance(entry.payload, CreatePartyRegistration)
    ):
        turn.remove(entry)
        turn.tell(Trouble(text=f"{what}; it is given up", failure=failure, lost=entry.payload))
        opts.given_up(turn, entry.payload)
        reports.given_up(turn, entry)
        requests.given_up(turn, entry.payload)
    else:
        turn.tell(Trouble(text=what, failure=failure, retry_s=_delay(turn, entry)))


def _complain(turn: Turn, sent: Payload, response: EiResponse) -> None:
    text = f"the VTN answered {name_of(sent)} with {response.response_code}"
    if response.response_description:
        text += f": {response.response_description[:_SHOWN]!r}"
    turn.tell(Trouble(text=text, code=response.response_code))


# --- the outbox -----------------------------------------------------------------------------------------------------


def _entry(turn: Turn, number: int | None) -> Outgoing | None:
    delivery = turn.state.delivery
    return delivery if delivery is not None and delivery.number == number else turn.state.outbox.get(str(number))


def _delay(turn: Turn, entry: Outgoing) -> float:
    """Hold one message back after a failure of its own."""
    attempts = entry.attempts + 1
    delay = back_off(attempts, _longest_delay(turn), turn.key, "entry", entry.number)
    turn.keep(evolve(entry, attempts=attempts, not_before=turn.now.mono + delay))
    return delay


def _longest_delay(turn: Turn) -> float:
    registered = turn.state.registration
    return registered.poll_interval_s if registered else turn.config.poll_interval.total_seconds()


def _sendable(state: VenState) -> tuple[Outgoing, ...]:
    if not state.outbox:
        return ()
    if state.phase is Phase.REGISTERED:
        return tuple(state.outbox.values())
    allowed = registration.WHILE_UNREGISTERED
    return tuple([entry for entry in state.outbox.values() if isinstance(entry.payload, allowed)])


def _poll_at(state: VenState, ahead: Outlook, mono: float) -> float | None:
    """When to poll next: at the regular time, or at once while the VTN has more and everything is answered (R500)."""
    if state.phase is not Phase.REGISTERED or state.next_poll is None:
        return None
    more = 0 < state.drained < MOST_DRAINED and not state.outbox and not state.answers and ahead.decide_by is None
    return mono if more else state.next_poll


def send_next(turn: Turn) -> None:
    """Send the next message if nothing is under way: what the VTN waits for, else a poll that is due, else data.

    Data comes last, so that a backlog of reports never keeps events from a VEN.
    """
    state, mono = turn.state, turn.now.mono
    if state.flight is not None or (state.retry_at is not None and mono < state.retry_at):
        return
    for entry in _sendable(state):
        if entry.not_before <= mono:
            _send(turn, entry.service, entry.payload, entry.number)
            return
    ahead = outlook(turn)
    poll_at, deliver_at = _poll_at(state, ahead, mono), _deliver_at(state, ahead)
    if poll_at is not None and poll_at <= mono:
        _poll(turn)
    elif deliver_at is not None and deliver_at <= mono:
        if state.delivery is None:
            reports.deliver(turn)
        if (delivery := turn.state.delivery) is not None:
            _send(turn, delivery.service, delivery.payload, delivery.number)


def _deliver_at(state: VenState, ahead: Outlook) -> float | None:
    """When (on mono) reports may be sent."""
    if state.phase is not Phase.REGISTERED:
        return None
    return state.delivery.not_before if state.delivery is not None else ahead.deliver_at


def _poll(turn: Turn) -> None:
    registered = turn.state.registration
    assert registered is not None
    interval = registered.poll_interval_s
    share = min(JITTER_SHARE, JITTER_MOST_S / interval) if turn.config.jitter else 0.0
    next_poll = turn.now.mono + interval * spread(turn.key, share, "poll", turn.number())
    _send(turn, ServiceName.OADR_POLL, Poll(ven_id=registered.ven_id), None, next_poll=next_poll)


def _send(turn: Turn, service: ServiceName, payload: Payload, number: int | None, **changes: object) -> None:
    timeout_s = turn.config.timeout.total_seconds()
    exchange = turn.number()
    flight = Flight(exchange=exchange, number=number, payload=payload, deadline=turn.now.mono + timeout_s)
    turn.set(flight=flight, retry_at=None, crossed=0, **changes)
    turn.tell(SendRequest(exchange=exchange, service=service, payload=payload, timeout_s=timeout_s))


def advance(turn: Turn) -> None:
    """Give up an exchange that has had its time."""
    flight = turn.state.flight
    if flight is not None and turn.now.mono >= flight.deadline:
        turn.set(flight=None)
        turn.tell(AbandonExchange(exchange=flight.exchange))
        _failed(turn, flight, Failure.TIMEOUT, f"timed out: no reply within {turn.config.timeout.total_seconds():g} s")


def next_mono(state: VenState, ahead: Outlook, mono: float) -> float | None:
    """When :func:`advance` or :func:`send_next` will have something to do."""
    if state.flight is not None:
        return state.flight.deadline
    waiting = [entry.not_before for entry in _sendable(state)]
    at = earliest(_poll_at(state, ahead, mono), _deliver_at(state, ahead), *waiting)
    return at if at is None or state.retry_at is None else max(at, state.retry_at)


def name_of(payload: Payload) -> str:
    """The name of a message, without the prefix."""
    return payload.__element__.partition(":")[2]
