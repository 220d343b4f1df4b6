"""Events of a VEN: what is new, changed or cancelled, who decides, and what is answered (section 5.2).

It stands alone as the only module that changes ``VenState.events`` and ``VenState.answers``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..engine import Trouble, timeline
from ..engine.chance import fraction
from ..engine.copying import evolve
from ..errors import LocalError
from ..model import (
    CreatedEvent,
    DistributeEvent,
    EiCreatedEvent,
    EiResponse,
    Event,
    EventResponse,
    EventStatus,
    OptType,
    Payload,
    QualifiedEventID,
    ResponseRequired,
    ServiceName,
)
from ..wire.examine import faults
from .messages import (
    Change,
    Decide,
    DecisionNeeded,
    EventCancelled,
    EventChanged,
    EventReceived,
    EventStatusChanged,
    OptDelivered,
)
from .state import KnownEvent, Outgoing, Turn

GATHER_S: Final = 1.0
"""How long the answer to one event waits for those to the others of its message: one message is preferred (R12)."""
MOST_EVENTS: Final = 1_000
"""Events that are kept: hundreds of times what a program has at once, and a bound for a peer that invents them."""
OUT_OF_SEQUENCE: Final = "450"
INVALID_ID: Final = "452"


def on_distributed(turn: Turn, payload: Payload) -> None:
    """A DistributeEvent has come, by poll or in answer to RequestEvent."""
    assert isinstance(payload, DistributeEvent)
    response, registration = payload.ei_response, turn.state.registration
    if response is not None and not response.ok:
        text = f"the VTN could not distribute events: {response.response_description or 'no reason given'}"
        turn.tell(Trouble(text=text, code=response.response_code))
        return
    if registration is None:
        return  # R405
    if payload.vtn_id != registration.vtn_id and not turn.config.accept_any_vtn:
        _refuse_vtn(turn, payload.vtn_id, registration.vtn_id)
        return
    for event in payload.oadr_event:
        _take(turn, event, payload.request_id)
    _cancel_missing(turn, payload)
    if turn.state.answers or any(known.deadline is not None for known in turn.state.events.values()):
        turn.set(gather_until=turn.now.mono + GATHER_S)


def _take(turn: Turn, event: Event, request_id: str) -> None:
    """One event of a message, by the table of section 5.2."""
    descriptor = event.ei_event.event_descriptor
    known = turn.state.events.get(descriptor.event_id)
    cancelled = descriptor.event_status is EventStatus.CANCELLED
    if known is None:
        if cancelled:  # R60: unknown and cancelled is ignored, but answered
            _answer(turn, event, request_id, OptType.OPT_IN)
        else:  # R56
            _add(turn, event, request_id)
    elif descriptor.modification_number < known.modification_number:  # R58
        text = f"modification {known.modification_number} is known"
        _answer(turn, event, request_id, OptType.OPT_OUT, OUT_OF_SEQUENCE, text)
    elif cancelled and not known.cancelled:  # R59
        _cancel(turn, evolve(known, event=event, request_id=request_id))
    elif descriptor.modification_number > known.modification_number:  # R57
        _change(turn, known, event, request_id)
    else:
        _repeat(turn, evolve(known, event=event, request_id=request_id))


def _add(turn: Turn, event: Event, request_id: str) -> None:
    if len(turn.state.events) >= MOST_EVENTS:
        text = f"more than {MOST_EVENTS} events are not kept"
        turn.tell(Trouble(text=f"event {event.ei_event.event_descriptor.event_id} is refused: {text}"))
        _answer(turn, event, request_id, OptType.OPT_OUT, "469", text)
        return
    times = timeline(event.ei_event)
    share = fraction(turn.key, "start", event.ei_event.event_descriptor.event_id, turn.number())
    known = KnownEvent(
        event=event,
        request_id=request_id,
        timeline=times,
        status=times.status_at(turn.now.wall),
        offset_s=share * times.window.total_seconds(),
    )
    turn.tell(EventReceived(event=event))
    _ask(turn, known, Change.NEW)


def _change(turn: Turn, known: KnownEvent, event: Event, request_id: str) -> None:
    times = timeline(event.ei_event)
    offset_s = known.offset_s
    if times.window != known.timeline.window:  # R30: the offset is kept unless startafter changes
        share = fraction(turn.key, "start", known.event_id, turn.number())
        offset_s = share * times.window.total_seconds()
    changed = evolve(
        known,
        event=event,
        request_id=request_id,
        timeline=times,
        status=times.status_at(turn.now.wall),
        offset_s=offset_s,
        cancelled=False,
    )
    turn.tell(EventChanged(event=event))
    _ask(turn, changed, Change.MODIFIED)


def _cancel(turn: Turn, known: KnownEvent) -> None:
    turn.tell(EventCancelled(event=known.event, implied=False))
    _ask(turn, evolve(known, cancelled=True, status=EventStatus.CANCELLED), Change.CANCELLED)


def _repeat(turn: Turn, known: KnownEvent) -> None:
    """Distributed again without a change: answer again (R12), or ask again what could not be decided."""
    if known.deadline is not None:
        turn.put_event(known)
    elif known.undecided:
        _ask(turn, known, Change.CANCELLED if known.cancelled else Change.REPEATED)
    else:
        turn.put_event(known)
        _answer(turn, known.event, known.request_id, known.opt or turn.config.default_opt, reason=known.reason)


def _ask(turn: Turn, known: KnownEvent, change: Change) -> None:
    deadline = turn.now.mono + turn.config.decision_timeout.total_seconds()
    default = OptType.OPT_IN if change is Change.CANCELLED else turn.config.default_opt
    turn.put_event(evolve(known, opt=None, reason="", undecided=False, deadline=deadline))
    turn.tell(DecisionNeeded(event=known.event, change=change, deadline=deadline, default=default, previous=known.opt))


def decide(turn: Turn, command: Decide) -> None:
    """The application's decision; what is late or about an unknown event changes nothing."""
    known = turn.state.events.get(command.event_id)
    if known is None or known.modification_number != command.modification_number:
        return
    if known.deadline is None and known.opt is command.opt_type:
        return
    decided = evolve(known, opt=command.opt_type, reason=command.reason, undecided=command.failed, deadline=None)
    _settle(turn, decided)


def _settle(turn: Turn, decided: KnownEvent) -> None:
    turn.put_event(decided)
    _answer(turn, decided.event, decided.request_id, decided.opt or OptType.OPT_OUT, reason=decided.reason)
    if decided.cancelled and not decided.undecided:
        turn.drop_event(decided.event_id)


def _answer(turn: Turn, event: Event, request_id: str, opt: OptType, code: str = "200", reason: str = "") -> None:
    """Note an answer; it replaces one to the same event that was not sent yet. A never is never answered (R62)."""
    if event.oadr_response_required is ResponseRequired.NEVER:
        return
    descriptor = event.ei_event.event_descriptor
    answer = EventResponse(
        response_code=code,
        response_description=reason or ("OK" if code == "200" else None),
        request_id=request_id,
        qualified_event_id=QualifiedEventID(
            event_id=descriptor.event_id, modification_number=descriptor.modification_number
        ),
        opt_type=opt,
    )
    for path, text in faults(answer, EventResponse, "Decide"):
        raise LocalError(text, path=path)
    others = (old for old in turn.state.answers if old.qualified_event_id.event_id != descriptor.event_id)
    turn.set(answers=(*others, answer))


def _cancel_missing(turn: Turn, payload: DistributeEvent) -> None:
    """R61: a known event that is not in the payload is cancelled, unless it was over anyway."""
    listed = {event.ei_event.event_descriptor.event_id for event in payload.oadr_event}
    for known in tuple(turn.state.events.values()):
        if known.event_id in listed:
            continue
        turn.drop_event(known.event_id)
        gone = known.timeline.gone
        if not known.cancelled and (gone is None or turn.now.wall < gone):
            turn.tell(EventCancelled(event=_as_cancelled(known.event), implied=True))


def forget_all(turn: Turn) -> None:
    """The registration is over, and with it the events."""
    for known in tuple(turn.state.events.values()):
        if not known.cancelled and known.status is not EventStatus.COMPLETED:
            turn.tell(EventCancelled(event=_as_cancelled(known.event), implied=True))
    turn.set(events={}, answers=())


def _as_cancelled(event: Event) -> Event:
    descriptor = evolve(event.ei_event.event_descriptor, event_status=EventStatus.CANCELLED)
    return evolve(event, ei_event=evolve(event.ei_event, event_descriptor=descriptor))


def _refuse_vtn(turn: Turn, vtn_id: str, expected: str) -> None:
    """R21, R35: another VTN's events are answered as a whole and not looked at."""
    assert turn.state.registration is not None
    text = f"unexpected vtnID {vtn_id!r}, registered with {expected!r}"
    turn.tell(Trouble(text=text, code=INVALID_ID))
    response = EiResponse(response_code=INVALID_ID, response_description="unexpected vtnID")
    body = EiCreatedEvent(ei_response=response, ven_id=turn.state.registration.ven_id)
    turn.post(ServiceName.EI_EVENT, CreatedEvent(ei_created_event=body))


def advance(turn: Turn) -> None:
    """What time alone does: defaults at the deadline, states, and the sending of gathered answers."""
    for known in tuple(turn.state.events.values()):
        if known.deadline is not None and turn.now.mono >= known.deadline:
            opt = OptType.OPT_IN if known.cancelled else turn.config.default_opt
            text = f"no decision about event {known.event_id} in time, answering {opt}"
            turn.tell(Trouble(text=text))
            _settle(turn, evolve(known, opt=opt, reason="no decision in time", deadline=None))
    for known in tuple(turn.state.events.values()):
        status = known.timeline.status_at(turn.now.wall)
        if status is not known.status and not known.cancelled:
            turn.put_event(evolve(known, status=status))
            turn.tell(EventStatusChanged(event_id=known.event_id, status=status))
    _send_answers(turn)


def _send_answers(turn: Turn) -> None:
    state = turn.state
    if not state.answers or state.registration is None:
        return
    open_questions = any(known.deadline is not None for known in state.events.values())
    if open_questions and state.gather_until is not None and turn.now.mono < state.gather_until:
        return
    body = EiCreatedEvent(
        ei_response=EiResponse(response_description="OK"),  # R42: its requestID stays empty
        event_responses=state.answers,
        ven_id=state.registration.ven_id,
    )
    turn.post(ServiceName.EI_EVENT, CreatedEvent(ei_created_event=body))
    turn.set(answers=(), gather_until=None)


def on_answered(turn: Turn, entry: Outgoing, reply: Payload | None) -> None:
    """The VTN has taken a CreatedEvent."""
    assert isinstance(entry.payload, CreatedEvent)
    for answer in entry.payload.ei_created_event.event_responses or ():
        turn.tell(
            OptDelivered(
                event_id=answer.qualified_event_id.event_id,
                modification_number=answer.qualified_event_id.modification_number,
                opt_type=answer.opt_type,
            )
        )


def next_mono(known: Iterable[KnownEvent]) -> float | None:
    """The earliest deadline of an open question."""
    return min((event.deadline for event in known if event.deadline is not None), default=None)
