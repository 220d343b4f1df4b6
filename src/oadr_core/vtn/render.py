"""An event as one VEN sees it at one instant: status, current values, times, order.

It stands alone because a distribution is written when it is asked for, never when it is queued, so that it is
current (R115).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from ..engine.copying import evolve
from ..engine.schedule import starts
from ..model import EiEvent, EiEventSignal, EiEventSignals, EiTarget, Event, EventStatus, SignalPayload
from .book import EventEntry

_LAST: Final = 2**32
"""Behind every priority: 0 and none are the lowest (R3)."""
_NOBODY: Final = EiTarget()


def in_order(entries: Iterable[EventEntry], wall: datetime) -> list[EventEntry]:
    """R15: active events by priority, then start; then pending ones by start; then completed ones; otherwise
    as published.

    A cancelled event keeps the place that it would have.
    """
    return sorted(entries, key=lambda entry: _place(entry, wall))


def _place(entry: EventEntry, wall: datetime) -> tuple[int, int, datetime, int]:
    status = entry.timeline.status_at(wall)
    start = entry.timeline.start
    if status is EventStatus.ACTIVE:
        return 0, entry.event.event_descriptor.priority or _LAST, start, entry.number
    return (2 if status is EventStatus.COMPLETED else 1), 0, start, entry.number


def render(entry: EventEntry, target: EiTarget, wall: datetime) -> Event:
    """The event at an instant; ``createdDateTime`` is that instant for all events of a message (R115).

    ``target`` is the VEN that gets it: an event without any target is targeted at it, which means the same
    (R22).
    """
    event = entry.event
    status = entry.status_at(wall)
    return Event(
        ei_event=EiEvent(
            event_descriptor=evolve(
                event.event_descriptor, event_status=status, created_date_time=wall.replace(microsecond=0)
            ),
            ei_active_period=event.ei_active_period,
            ei_event_signals=_executing(entry, wall) if status is EventStatus.ACTIVE else event.ei_event_signals,
            ei_target=target if event.ei_target == _NOBODY else event.ei_target,
        ),
        oadr_response_required=entry.response_required,
    )


def _executing(entry: EventEntry, wall: datetime) -> EiEventSignals:
    """R29: currentValue is that of the executing interval; the book keeps the values of an event that is
    not active.
    """
    signals = entry.event.ei_event_signals
    start = entry.timeline.start
    return evolve(
        signals,
        ei_event_signal=tuple(
            evolve(signal, current_value=value_at(signal, start, wall)) for signal in signals.ei_event_signal
        ),
    )


def value_at(signal: EiEventSignal, start: datetime, wall: datetime) -> float | None:
    """The value of the interval that holds at ``wall``, for a signal that begins at ``start``; ``None``
    before it.

    The last interval holds on: it is asked for while the event is active only.
    """
    found = None
    for begin, interval in starts(signal.intervals, start):
        if begin > wall:
            break
        found = interval.stream_payload_base[0]
    value = found.payload_base if isinstance(found, SignalPayload) else None
    return value if isinstance(value, int | float) else None
