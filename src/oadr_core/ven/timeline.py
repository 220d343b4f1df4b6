"""A VEN's own timeline of an event: what state it is in, which interval of each signal holds, and until when.

It stands alone because it is arithmetic about one event (section 4.4): the active period shifted by the randomised
start (R30), with ramp-up and recovery before, inside or behind it (R31), cut short by a randomised stop (R65). The
state that the VTN writes into the event plays no part (R66, R114).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import attrs

from ..engine.schedule import later, starts
from ..model import ZERO, Duration, EiEvent, EiEventSignal, EventStatus

_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)


class Stage(StrEnum):
    """What this VEN does about an event, in the order in which it comes."""

    WAITING = "waiting"
    """It is known, and nothing is to be done yet."""
    NOTIFIED = "notified"
    """The notification period has begun."""
    RAMP_UP = "rampUp"
    """On the way to what the event wants; before the start, or after it if the ramp lies inside the event."""
    ACTIVE = "active"
    RECOVERY = "recovery"
    """On the way back; before the end, or after it."""
    OVER = "over"


@attrs.frozen(kw_only=True)
class OwnTimeline:
    """The instants of one event for one VEN (aware, UTC); ``end`` and after are ``None`` if it has no end (R47)."""

    notification: datetime
    ramp_up: datetime
    start: datetime
    ramped: datetime
    recovery: datetime | None
    end: datetime | None
    over: datetime | None

    @property
    def instants(self) -> tuple[datetime | None, ...]:
        """Everything at which the state or the stage may change."""
        return (self.notification, self.ramp_up, self.start, self.ramped, self.recovery, self.end, self.over)

    def status_at(self, wall: datetime) -> EventStatus:
        """Far, near, active or completed, by this VEN's clock (R13, R114)."""
        if wall < min(self.ramp_up, self.start):
            return EventStatus.FAR
        if wall < self.start:
            return EventStatus.NEAR
        return EventStatus.COMPLETED if self.end is not None and wall >= self.end else EventStatus.ACTIVE

    def stage_at(self, wall: datetime) -> Stage:
        """What is to be done; the end of each stage belongs to the next (R18)."""
        if self.over is not None and wall >= self.over:
            return Stage.OVER
        if self.recovery is not None and wall >= self.recovery:
            return Stage.RECOVERY
        if wall >= self.start:
            return Stage.RAMP_UP if wall < self.ramped else Stage.ACTIVE
        if wall >= self.ramp_up:
            return Stage.RAMP_UP
        return Stage.NOTIFIED if wall >= self.notification else Stage.WAITING


@attrs.frozen
class Moment:
    """What holds from ``since`` (inclusive) until ``until`` (exclusive; ``None``: for ever).

    ``intervals`` has for each signal the number of its interval, or ``None`` when none holds.
    """

    status: EventStatus
    stage: Stage
    intervals: tuple[int | None, ...]
    since: datetime
    until: datetime | None

    def holds(self, wall: datetime) -> bool:
        """True as long as nothing has changed; a clock that is set back changes something, too."""
        return self.since <= wall and (self.until is None or wall < self.until)


def own_timeline(event: EiEvent, offset_s: float) -> OwnTimeline:
    """The instants of an event that this VEN starts ``offset_s`` seconds after dtstart (R30)."""
    period = event.ei_active_period.properties
    begin = period.dtstart
    start = _shifted(begin, offset_s)
    notice = period.x_ei_notification or ZERO
    ramp, back = period.x_ei_ramp_up or ZERO, period.x_ei_recovery or ZERO
    end = _shifted(later(begin, period.duration), offset_s) if period.duration else None
    before, inside = _split(ramp)
    behind, earlier = _split(back)
    recovery = end if end is None or not earlier else max(start, later(end, negative(earlier)))
    return OwnTimeline(
        notification=later(begin, negative(notice)) if notice else start,
        ramp_up=later(start, negative(before)),
        start=start,
        ramped=later(start, inside) if end is None else min(end, later(start, inside)),
        recovery=recovery,
        end=end,
        over=None if end is None else later(end, behind),
    )


def moment(event: EiEvent, offset_s: float, wall: datetime, stop_at: datetime | None = None) -> Moment:
    """What holds at ``wall``. ``stop_at``: the event was cancelled, and is over then (R65)."""
    own = own_timeline(event, offset_s)
    signals = [_begins(signal, own.start) for signal in event.ei_event_signals.ei_event_signal]
    points = [at for at in (*own.instants, stop_at) if at is not None]
    points.extend(at for begins in signals for at in begins)
    since = max((at for at in points if at <= wall), default=_BEGINNING)
    until = min((at for at in points if at > wall), default=None)
    if stop_at is not None and wall >= stop_at:
        nothing = (None,) * len(signals)
        return Moment(EventStatus.CANCELLED, Stage.OVER, nothing, min(since, stop_at), None)
    status = own.status_at(wall)
    held = tuple(_held(begins, wall) if status is EventStatus.ACTIVE else None for begins in signals)
    return Moment(status, own.stage_at(wall), held, since, until)


def interval_times(
    event: EiEvent, offset_s: float, signal: EiEventSignal, number: int
) -> tuple[datetime, datetime | None]:
    """When an interval of a signal begins, and when it ends (``None``: with an event that has no end)."""
    own = own_timeline(event, offset_s)
    begins = _begins(signal, own.start)
    return begins[number], begins[number + 1] if number + 1 < len(begins) else own.end


def negative(duration: Duration) -> Duration:
    """The same length backwards."""
    return Duration(months=-duration.months, seconds=-duration.seconds)


def _begins(signal: EiEventSignal, start: datetime) -> list[datetime]:
    return [at for at, _ in starts(signal.intervals, start)]


def _held(begins: list[datetime], wall: datetime) -> int | None:
    """The last interval that has begun: what lasts for no time is passed over, and the last one lasts to the end."""
    found = [number for number, at in enumerate(begins) if at <= wall]
    return found[-1] if found else None


def _split(duration: Duration) -> tuple[Duration, Duration]:
    """The part outside the event (positive) and the part inside it (negative), both as lengths (R31)."""
    return (ZERO, negative(duration)) if duration.months < 0 or duration.seconds < 0 else (duration, ZERO)


def _shifted(at: datetime, seconds: float) -> datetime:
    try:
        return at + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
