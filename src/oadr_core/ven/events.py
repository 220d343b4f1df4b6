"""Events of a VEN: what is new, changed, refused or cancelled (section 5.2).

It stands alone as the table of that section: which event of a message does what. What is asked of the application and
answered to the VTN is in :mod:`.decisions`, what time does in :mod:`.progress`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from ..engine import Trouble
from ..engine.chance import fraction
from ..engine.copying import evolve
from ..engine.schedule import timeline
from ..engine.uris import normal
from ..model import (
    CreatedEvent,
    DistributeEvent,
    EiCreatedEvent,
    EiResponse,
    Event,
    EventStatus,
    OptType,
    Payload,
    RequestEvent,
    ServiceName,
)
from . import decisions
from .checks import DEPLOYMENT, INVALID_ID, OUT_OF_SEQUENCE, Fault, fault
from .messages import Change, EventCancelled, EventChanged, EventReceived, EventRefused, EventsOverlap
from .progress import last_look, looked_at_again
from .state import KnownEvent, Turn
from .timeline import own_timeline

MOST_EVENTS: Final = 1_000
"""Events that are kept: hundreds of times what a program has at once, and a bound for a peer that invents them."""

_SETTLED: Final[Mapping[str, Any]] = MappingProxyType({"asking": None, "deadline": None, "undecided": False})
"""Nobody is asked any more about an event that the VTN does not distribute."""


def on_distributed(turn: Turn, payload: Payload, *, complete: bool = True) -> None:
    """A DistributeEvent has come, by poll, by push, or in answer to RequestEvent.

    Not ``complete``: what is missing in it is not cancelled by that (R61), for it may be older than what came before.
    """
    assert isinstance(payload, DistributeEvent)
    response, registration = payload.ei_response, turn.state.registration
    if response is not None and not response.ok:
        text = f"the VTN could not distribute events: {response.response_description or 'no reason given'}"
        turn.tell(Trouble(text=text, code=response.response_code))
        return
    if registration is None:
        return  # R405
    if turn.config.report_only:
        turn.tell(Trouble(text="the VTN distributes events to a VEN that only reports"))
        return
    if payload.vtn_id != registration.vtn_id and not turn.config.accept_any_vtn:
        _refuse_vtn(turn, payload.vtn_id, registration.vtn_id)
        return
    before = turn.state.events
    complete = complete and not _is_older(payload, before)
    _note_crossing(turn)
    for event in payload.oadr_event:
        _take(turn, event, payload.request_id, registration.ven_id)
    if complete:
        _cancel_missing(turn, payload)
    _tell_overlaps(turn, before)
    decisions.gather(turn)


def _is_older(payload: DistributeEvent, known: Mapping[str, KnownEvent]) -> bool:
    """R115: all events of a message have its time in createdDateTime, so a push that was overtaken can be told by an
    event that came with a later one before.
    """
    for event in payload.oadr_event:
        before = known.get(event.ei_event.event_descriptor.event_id)
        if before is not None and _created(event) < _created(before.event):
            return True
    return False


def _created(event: Event) -> datetime:
    return event.ei_event.event_descriptor.created_date_time


def _note_crossing(turn: Turn) -> None:
    """Events are pushed while an oadrRequestEvent is under way: which of the two is the later one, nobody can tell."""
    flight = turn.state.flight
    if turn.pushed and flight is not None and flight.number is not None and isinstance(flight.payload, RequestEvent):
        turn.set(crossed=flight.number)


def _take(turn: Turn, event: Event, request_id: str, ven_id: str) -> None:
    """One event of a message, by the table of section 5.2."""
    descriptor = event.ei_event.event_descriptor
    known = turn.state.events.get(descriptor.event_id)
    cancelled = descriptor.event_status is EventStatus.CANCELLED
    unfit = None if cancelled else fault(event, turn.config, ven_id)
    if known is not None and descriptor.modification_number < known.modification_number:  # R58
        text = f"modification {known.modification_number} is known"
        _refuse(turn, event, request_id, Fault(OUT_OF_SEQUENCE, text, "R58"), told=False)
    elif unfit is not None:  # R19, R48: the others are taken all the same
        _refuse(turn, event, request_id, unfit)
    elif known is None or (known.implied and not cancelled):
        if cancelled:  # R60: unknown and cancelled is ignored, but answered
            decisions.answer(turn, event, request_id, OptType.OPT_IN)
        else:  # R56
            _add(turn, event, request_id, known)
    elif cancelled and (known.implied or not known.cancelled or _is_later(event, known)):  # R59
        _cancel(turn, evolve(known, event=event, request_id=request_id))
    elif _is_later(event, known):  # R57
        _change(turn, known, event, request_id)
    else:
        decisions.repeat(turn, evolve(known, event=event, request_id=request_id))


def _is_later(event: Event, known: KnownEvent) -> bool:
    return event.ei_event.event_descriptor.modification_number > known.modification_number


def _refuse(turn: Turn, event: Event, request_id: str, unfit: Fault, *, told: bool = True) -> None:
    """R48: the code in the answer to this event, with optOut; what is known of it stays."""
    decisions.answer(turn, event, request_id, OptType.OPT_OUT, unfit.code, unfit.text)
    if told:
        turn.tell(EventRefused(event=event, code=unfit.code, text=unfit.text, rule=unfit.rule))
    else:
        event_id = event.ei_event.event_descriptor.event_id
        turn.tell(Trouble(text=f"event {event_id} is refused: {unfit.text}", code=unfit.code))


def _add(turn: Turn, event: Event, request_id: str, stopping: KnownEvent | None) -> None:
    if stopping is None and len(turn.state.events) >= MOST_EVENTS:
        unfit = Fault(DEPLOYMENT, f"more than {MOST_EVENTS} events are not kept", "")
        _refuse(turn, event, request_id, unfit)
        return
    offset_s = _offset(turn, event, stopping)
    known = KnownEvent(event=event, request_id=request_id, offset_s=offset_s)
    turn.tell(EventReceived(event=event))
    decisions.ask(turn, known, Change.NEW)


def _change(turn: Turn, known: KnownEvent, event: Event, request_id: str) -> None:
    changed = evolve(
        known,
        event=event,
        request_id=request_id,
        offset_s=_offset(turn, event, known),
        cancelled=False,
        implied=False,
        stop_at=None,
        followed=False,
        told=(),
    )
    turn.tell(EventChanged(event=event))
    decisions.ask(turn, looked_at_again(changed), Change.MODIFIED)


def _offset(turn: Turn, event: Event, known: KnownEvent | None) -> float:
    """R30: drawn once within startafter, and kept as long as startafter stays what it was."""
    window = timeline(event.ei_event).window
    if known is not None and timeline(known.event.ei_event).window == window:
        return known.offset_s
    if not window:
        return 0.0
    return fraction(turn.key, "start", event.ei_event.event_descriptor.event_id, turn.number()) * window.total_seconds()


def _cancel(turn: Turn, known: KnownEvent) -> None:
    if not known.cancelled:
        turn.tell(EventCancelled(event=known.event, implied=False))
    decisions.ask(turn, _stopping(turn, known, implied=False), Change.CANCELLED)


def _stopping(turn: Turn, known: KnownEvent, *, implied: bool) -> KnownEvent:
    stop_at = known.stop_at or _stop_at(turn, known)
    followed = known.takes_part
    return looked_at_again(evolve(known, cancelled=True, implied=implied, stop_at=stop_at, followed=followed))


def _stop_at(turn: Turn, known: KnownEvent) -> datetime:
    """R65: what is active goes on for a random time within startafter; anything else is over at once."""
    wall, event = turn.now.wall, known.event.ei_event
    window_s = timeline(event).window.total_seconds()
    own = own_timeline(event, known.offset_s)
    if not window_s or wall < own.start or (own.end is not None and wall >= own.end):
        return wall
    share = fraction(turn.key, "stop", known.event_id, turn.number())
    return wall + timedelta(seconds=share * window_s)


def _cancel_missing(turn: Turn, payload: DistributeEvent) -> None:
    """R61: a known event that is not in the payload is cancelled, unless it was over anyway."""
    listed = {event.ei_event.event_descriptor.event_id for event in payload.oadr_event}
    for known in tuple(turn.state.events.values()):
        if known.event_id not in listed:
            _drop(turn, known)


def forget_all(turn: Turn) -> None:
    """The registration is over, and with it the events (R407)."""
    for known in tuple(turn.state.events.values()):
        _drop(turn, known)
    turn.set(answers=())


def _drop(turn: Turn, known: KnownEvent) -> None:
    gone = timeline(known.event.ei_event).gone
    if known.cancelled:  # it was told, and only runs out: the VTN wants nothing more of it
        turn.put_event(evolve(known, acknowledged=True, **_SETTLED))
    elif gone is not None and turn.now.wall >= gone:
        last_look(turn, known)
        turn.drop_event(known.event_id)
    else:
        event = _as_cancelled(known.event)
        turn.tell(EventCancelled(event=event, implied=True))
        turn.put_event(evolve(_stopping(turn, known, implied=True), event=event, **_SETTLED))


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


def _tell_overlaps(turn: Turn, before: Mapping[str, KnownEvent]) -> None:
    """R18: two events of one program at the same time may be, and what is done then is the application's choice.

    Each event that is new or changed is told once, with one that lasts longest of those that began before it.
    """
    longest: dict[str, tuple[datetime | None, str]] = {}
    for start, end, event_id, context in sorted(_spans(turn), key=lambda span: (span[0], span[2])):
        other = longest.get(context)
        if other is not None and (other[0] is None or start < other[0]):
            pair = (event_id, other[1]) if _is_fresh(turn, before, event_id) else (other[1], event_id)
            if _is_fresh(turn, before, pair[0]):
                turn.tell(EventsOverlap(event_id=pair[0], other_id=pair[1]))
        if other is None or (other[0] is not None and (end is None or end > other[0])):
            longest[context] = (end, event_id)


def _spans(turn: Turn) -> Iterator[tuple[datetime, datetime | None, str, str]]:
    """From dtstart to dtstart, duration and startafter together; the end does not belong to it (R18)."""
    for known in turn.state.events.values():
        if not known.cancelled:
            times = timeline(known.event.ei_event)
            context = known.event.ei_event.event_descriptor.market_context
            yield times.start, times.gone, known.event_id, normal(context)


def _is_fresh(turn: Turn, before: Mapping[str, KnownEvent], event_id: str) -> bool:
    known = before.get(event_id)
    return known is None or known.modification_number != turn.state.events[event_id].modification_number
