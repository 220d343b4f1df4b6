"""What time does to events: states and stages that come, intervals that begin, cancelled ones that stop.

It stands alone as the pump of :mod:`.timeline`: it compares what holds with what was told, and tells the difference.
It also answers which value holds now.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import attrs

from ..engine.copying import evolve
from ..engine.now import earliest
from ..engine.uris import normal
from ..model import (
    EiEventSignal,
    EventStatus,
    ItemBase,
    OptType,
    PayloadResourceStatus,
    ResponseRequired,
    SignalPayload,
)
from .messages import EventStatusChanged, IntervalStarted
from .state import KnownEvent, Turn
from .timeline import Moment, Stage, interval_times, moment


@attrs.frozen(kw_only=True)
class Value:
    """A value of a signal that holds, since when and until when (``until`` ``None``: no end is known).

    ``opt`` is what this VEN has decided about the event, ``None`` while it has not. ``test``: the event is one (R6).
    ``priority``: lower goes before, 0 last (R3).
    """

    event_id: str
    modification_number: int
    signal_id: str
    signal_name: str
    signal_type: str
    value: float | PayloadResourceStatus
    since: datetime
    until: datetime | None
    unit: ItemBase | None
    priority: int
    market_context: str
    test: bool
    opt: OptType | None


def advance(turn: Turn) -> None:
    """Tell what has come, and drop what has run out."""
    for known in tuple(turn.state.events.values()):
        before = known.moment
        if before is None or not before.holds(turn.now.wall):
            known = _moved(turn, known, before)
        if _finished(known):
            turn.drop_event(known.event_id)
            continue
        if known.told != _to_tell(known):
            known = _tell_intervals(turn, known)
        if known is not turn.state.events.get(known.event_id):
            turn.put_event(known)


def _moved(turn: Turn, known: KnownEvent, before: Moment | None) -> KnownEvent:
    now = moment(known.event.ei_event, known.offset_s, turn.now.wall, known.stop_at)
    was = (EventStatus.FAR, Stage.WAITING) if before is None else (before.status, before.stage)
    if (now.status, now.stage) != was and not (before is None and now.stage is Stage.OVER and not known.cancelled):
        note = EventStatusChanged(
            event_id=known.event_id, status=now.status, stage=now.stage, at=now.since, event=known.event
        )
        turn.tell(note)
    return evolve(known, moment=now)


def last_look(turn: Turn, known: KnownEvent) -> None:
    """Tell how far an event has come that is dropped next: a clock may have gone on since the last look at it."""
    if known.moment is not None and not known.moment.holds(turn.now.wall):
        _moved(turn, known, known.moment)


def _finished(known: KnownEvent) -> bool:
    """R59: a cancelled event is forgotten when it has stopped, and when the VTN has the answer to it (R36)."""
    stopped = known.moment is not None and known.moment.stage is Stage.OVER
    answered = known.implied or known.acknowledged or known.event.oadr_response_required is ResponseRequired.NEVER
    return known.cancelled and stopped and answered and known.asking is None and not known.undecided


def _to_tell(known: KnownEvent) -> tuple[int | None, ...]:
    """Intervals are told of events that this VEN takes part in."""
    return known.moment.intervals if known.moment is not None and known.takes_part else ()


def _tell_intervals(turn: Turn, known: KnownEvent) -> KnownEvent:
    wanted = _to_tell(known)
    signals = known.event.ei_event.ei_event_signals.ei_event_signal
    for index, number in enumerate(wanted):
        if number is not None and number != (known.told[index] if index < len(known.told) else None):
            turn.tell(_started(known, signals[index], number))
    return evolve(known, told=wanted)


def _started(known: KnownEvent, signal: EiEventSignal, number: int) -> IntervalStarted:
    at, until = interval_times(known.event.ei_event, known.offset_s, signal, number)
    return IntervalStarted(
        event=known.event,
        signal_id=signal.signal_id,
        signal_name=str(signal.signal_name),
        number=number,
        value=_value(signal, number),
        at=at,
        until=earliest(until, known.stop_at),
    )


def _value(signal: EiEventSignal, number: int) -> float | PayloadResourceStatus:
    payload = signal.intervals[number].stream_payload_base[0]
    return payload.payload_base if isinstance(payload, SignalPayload) else float("nan")


def looked_at_again(known: KnownEvent) -> KnownEvent:
    """The event with a moment that holds no longer: something about it has changed."""
    held = known.moment
    return known if held is None else evolve(known, moment=attrs.evolve(held, until=held.since))


def values(events: Iterable[KnownEvent], wall: datetime) -> tuple[Value, ...]:
    """All values that hold at ``wall``: by priority, then by start, then by eventID (R3, R15)."""
    found: list[tuple[tuple[float, datetime, str], Value]] = []
    for known in events:
        body = known.event.ei_event
        held = moment(body, known.offset_s, wall, known.stop_at)
        descriptor = body.event_descriptor
        opt = OptType.OPT_IN if known.cancelled and known.followed else known.opt
        rank = (descriptor.priority or float("inf"), body.ei_active_period.properties.dtstart, known.event_id)
        for signal, number in zip(body.ei_event_signals.ei_event_signal, held.intervals, strict=True):
            if number is None:
                continue
            since, until = interval_times(body, known.offset_s, signal, number)
            value = Value(
                event_id=known.event_id,
                modification_number=known.modification_number,
                signal_id=signal.signal_id,
                signal_name=str(signal.signal_name),
                signal_type=str(signal.signal_type),
                value=_value(signal, number),
                since=since,
                until=earliest(until, known.stop_at),
                unit=signal.item_base,
                priority=descriptor.priority or 0,
                market_context=descriptor.market_context,
                test=is_test(descriptor.test_event),
                opt=opt,
            )
            found.append((rank, value))
    return tuple(value for _, value in sorted(found, key=lambda item: item[0]))


def is_test(text: str | None) -> bool:
    """R6: any text but false is a test; R46: an empty element is none."""
    return (text or "").strip().lower() not in ("", "false")


def foremost(found: Iterable[Value], signal_name: str, market_context: str | None) -> Value | None:
    """The first value that is to be followed."""
    program = None if market_context is None else normal(market_context)
    for value in found:
        followed = not value.test and value.opt is not OptType.OPT_OUT and value.signal_name == signal_name
        if followed and program in (None, normal(value.market_context)):
            return value
    return None
