"""Which message is sent next, what its reply means, and what follows when there is none.

It stands alone as the only module that changes ``VenState.outbox`` and ``VenState.flight``. Two tables say
everything about payloads: :data:`REPLIES` which answers a message of ours may get, :data:`INCOMING` what the VTN
may ask of us in a poll reply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from ..engine import AbandonExchange, ExchangeFailed, Failure, ReplyArrived, SendRequest, Trouble
from ..engine.chance import spread
from ..engine.copying import evolve
from ..engine.retry import POLICIES, back_off, failure_of_status
from ..errors import RemoteError
from ..model import (
    CanceledPartyRegistration,
    CanceledReport,
    CancelPartyRegistration,
    CancelReport,
    CreatedEvent,
    CreatedPartyRegistration,
    CreatedReport,
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
from ..wire import decode
from . import events, registration, reports
from .sampling import JITTER_MOST_S, JITTER_SHARE
from .state import Flight, Outgoing, Phase, Turn

MOST_DRAINED: Final = 16
"""Polls in a row before the regular interval is kept again: a VTN that always has something must not be hammered."""
NOT_REGISTERED: Final = frozenset({"452", "463"})
"""Codes with which a VTN answers a VEN that it does not know (R500, R517)."""
_SHOWN: Final = 200
_FORBIDDEN: Final = 403

OnReply = Callable[[Turn, Outgoing, Payload | None], None]
OnRequest = Callable[[Turn, Payload], None]


def _settled(turn: Turn, entry: Outgoing, reply: Payload | None) -> None:
    """The VTN has acknowledged; nothing follows."""


def _events_came(turn: Turn, entry: Outgoing, reply: Payload | None) -> None:
    if isinstance(reply, DistributeEvent):
        events.on_distributed(turn, reply)


REPLIES: Final[Mapping[type[Payload], tuple[type[Payload], OnReply]]] = MappingProxyType(
    {
        QueryRegistration: (CreatedPartyRegistration, registration.on_queried),
        CreatePartyRegistration: (CreatedPartyRegistration, registration.on_created),
        CancelPartyRegistration: (CanceledPartyRegistration, registration.on_cancelled),
        CanceledPartyRegistration: (Response, _settled),
        RegisterReport: (RegisteredReport, reports.on_registered),
        RegisteredReport: (Response, _settled),
        CreatedReport: (Response, _settled),
        UpdateReport: (UpdatedReport, reports.on_updated),
        UpdatedReport: (Response, _settled),
        CanceledReport: (Response, _settled),
        RequestEvent: (DistributeEvent, _events_came),
        CreatedEvent: (Response, events.on_answered),
        Response: (Response, _settled),
    }
)
"""Our messages: the answer that the profile gives to each (section 2.0), and what is done with it.

An oadrResponse is taken in place of any of them, and an empty body in place of an oadrResponse (section 9.2).
"""

INCOMING: Final[Mapping[type[Payload], OnRequest]] = MappingProxyType(
    {
        DistributeEvent: events.on_distributed,
        CreateReport: reports.on_requested,
        CancelReport: reports.on_cancelled,
        RegisterReport: reports.on_offered,
        UpdateReport: reports.on_values,
        CancelPartyRegistration: registration.on_cancelled_by_vtn,
        RequestReregistration: registration.on_reregistration_requested,
    }
)
"""What the VTN may ask in the reply to a poll (section 5.5)."""


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
            payload = _open(turn, arrived.data)
        except RemoteError as error:
            _failed(turn, flight, Failure.UNREADABLE, _unreadable(arrived.data, error))
            return
    turn.set(retry_at=None, failures=0)
    if flight.number is None:
        _polled(turn, flight, payload)
    else:
        _answered(turn, flight, payload)


def _open(turn: Turn, data: bytes) -> Payload:
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
        _failed(turn, flight, Failure.UNEXPECTED, f"{_name(payload)} is not an answer to it")


def _answered(turn: Turn, flight: Flight, payload: Payload | None) -> None:
    entry = _entry(turn, flight.number)
    if entry is None:
        return
    expected, handler = REPLIES[type(entry.payload)]
    if type(payload) in INCOMING and type(payload) is not expected:
        # A VTN that does not know the VEN may ask it to register again, whatever it was sent.
        _delay(turn, entry)
        assert payload is not None
        INCOMING[type(payload)](turn, payload)
        return
    if payload is None and expected is not Response:
        _failed(turn, flight, Failure.UNEXPECTED, "the reply is empty")
        return
    if payload is not None and type(payload) not in (expected, Response):
        _failed(turn, flight, Failure.UNEXPECTED, f"{_name(payload)} is not an answer to it")
        return
    _remove(turn, entry)
    response = getattr(payload, "ei_response", None)
    if isinstance(entry.payload, (QueryRegistration, CreatePartyRegistration, CancelPartyRegistration)):
        if (
            isinstance(response, EiResponse)
            and not response.ok
            and not isinstance(entry.payload, CreatePartyRegistration)
        ):
            _complain(turn, entry.payload, response)
        handler(turn, entry, payload)
    elif isinstance(response, EiResponse) and not response.ok:
        _complain(turn, entry.payload, response)
        if response.response_code == "463":
            registration.lost(turn, response.response_code, response.response_description or "")
    else:
        handler(turn, entry, payload)


def on_failure(turn: Turn, failed: ExchangeFailed) -> None:
    """The carrier brought no reply."""
    flight = turn.state.flight
    if flight is not None and flight.exchange == failed.exchange:
        turn.set(flight=None)
        _failed(turn, flight, failed.failure, failed.detail or failed.failure.value)


def _failed(turn: Turn, flight: Flight, failure: Failure, detail: str, retry_after_s: float | None = None) -> None:
    """Say what went wrong, and see to it that nothing is lost: see the table of policies."""
    policy, longest = POLICIES[failure], _longest_delay(turn)
    what = f"{_name(flight.payload)} failed: {detail}"
    entry = _entry(turn, flight.number)
    turn.set(drained=0)
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
        _remove(turn, entry)
        registration.on_queried(turn, entry, None)
    elif isinstance(entry.payload, CreatePartyRegistration) and failure is Failure.REFUSED:
        registration.refused(turn, "", detail)
    elif (
        policy.attempts is not None
        and entry.attempts + 1 >= policy.attempts
        and not isinstance(entry.payload, CreatePartyRegistration)
    ):
        _remove(turn, entry)
        turn.tell(Trouble(text=f"{what}; it is given up", failure=failure, lost=entry.payload))
    else:
        turn.tell(Trouble(text=what, failure=failure, retry_s=_delay(turn, entry)))


def _complain(turn: Turn, sent: Payload, response: EiResponse) -> None:
    text = f"the VTN answered {_name(sent)} with {response.response_code}"
    if response.response_description:
        text += f": {response.response_description[:_SHOWN]!r}"
    turn.tell(Trouble(text=text, code=response.response_code))


# --- the outbox -----------------------------------------------------------------------------------------------------


def _entry(turn: Turn, number: int | None) -> Outgoing | None:
    return next((entry for entry in turn.state.outbox if entry.number == number), None)


def _remove(turn: Turn, entry: Outgoing) -> None:
    turn.set(outbox=tuple(other for other in turn.state.outbox if other.number != entry.number))


def _delay(turn: Turn, entry: Outgoing) -> float:
    """Hold one message back after a failure of its own."""
    attempts = entry.attempts + 1
    delay = back_off(attempts, _longest_delay(turn), turn.key, "entry", entry.number)
    later = evolve(entry, attempts=attempts, not_before=turn.now.mono + delay)
    turn.set(outbox=tuple(later if other.number == entry.number else other for other in turn.state.outbox))
    return delay


def _longest_delay(turn: Turn) -> float:
    registered = turn.state.registration
    return registered.poll_interval_s if registered else turn.config.poll_interval.total_seconds()


def _sendable(turn: Turn) -> tuple[Outgoing, ...]:
    if turn.state.phase is Phase.REGISTERED:
        return turn.state.outbox
    allowed = registration.WHILE_UNREGISTERED
    return tuple(entry for entry in turn.state.outbox if isinstance(entry.payload, allowed))


def _poll_at(turn: Turn) -> float | None:
    """When to poll next: at the regular time, or at once while the VTN has more and everything is answered (R500)."""
    state = turn.state
    if state.phase is not Phase.REGISTERED or state.next_poll is None:
        return None
    waiting = any(not isinstance(entry.payload, UpdateReport) for entry in state.outbox)
    quiet = not waiting and not state.answers and events.next_mono(state.events.values()) is None
    return turn.now.mono if 0 < state.drained < MOST_DRAINED and quiet else state.next_poll


def send_next(turn: Turn) -> None:
    """Send the next message if nothing is under way: what the VTN waits for, else a poll that is due, else data.

    Data comes last, so that a backlog of reports never keeps events from a VEN.
    """
    state, mono = turn.state, turn.now.mono
    if state.flight is not None or (state.retry_at is not None and mono < state.retry_at):
        return
    ready = [entry for entry in _sendable(turn) if entry.not_before <= mono]
    urgent = next((entry for entry in ready if not isinstance(entry.payload, UpdateReport)), None)
    poll_at = _poll_at(turn)
    if urgent is not None:
        _send(turn, urgent.service, urgent.payload, urgent.number)
    elif poll_at is not None and poll_at <= mono:
        _poll(turn)
    elif ready:
        _send(turn, ready[0].service, ready[0].payload, ready[0].number)


def _poll(turn: Turn) -> None:
    registered = turn.state.registration
    assert registered is not None
    interval = registered.poll_interval_s
    share = min(JITTER_SHARE, JITTER_MOST_S / interval) if turn.config.jitter else 0.0
    turn.set(next_poll=turn.now.mono + interval * spread(turn.key, share, "poll", turn.number()))
    _send(turn, ServiceName.OADR_POLL, Poll(ven_id=registered.ven_id), None)


def _send(turn: Turn, service: ServiceName, payload: Payload, number: int | None) -> None:
    timeout_s = turn.config.timeout.total_seconds()
    exchange = turn.number()
    flight = Flight(exchange=exchange, number=number, payload=payload, deadline=turn.now.mono + timeout_s)
    turn.set(flight=flight, retry_at=None)
    turn.tell(SendRequest(exchange=exchange, service=service, payload=payload, timeout_s=timeout_s))


def advance(turn: Turn) -> None:
    """Give up an exchange that has had its time."""
    flight = turn.state.flight
    if flight is not None and turn.now.mono >= flight.deadline:
        turn.set(flight=None)
        turn.tell(AbandonExchange(exchange=flight.exchange))
        _failed(turn, flight, Failure.TIMEOUT, f"timed out: no reply within {turn.config.timeout.total_seconds():g} s")


def next_mono(turn: Turn) -> float | None:
    """When :func:`advance` or :func:`send_next` will have something to do."""
    state = turn.state
    if state.flight is not None:
        return state.flight.deadline
    waiting = [entry.not_before for entry in _sendable(turn)]
    poll_at = _poll_at(turn)
    if poll_at is not None:
        waiting.append(poll_at)
    earliest = min(waiting, default=None)
    return earliest if earliest is None or state.retry_at is None else max(earliest, state.retry_at)


def _name(payload: Payload) -> str:
    return payload.__element__.partition(":")[2]
