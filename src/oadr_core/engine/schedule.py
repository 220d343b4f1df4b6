"""The times of an event: when it is near, active and over, and when each interval of a signal begins.

It stands alone because the VTN renders states from it, the VEN acts on it, and the application's face shows it
(section 4.4 of the reference). Nothing here knows a session.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

from ..model import ZERO, Duration, EiEvent, EventStatus, Interval

_FOREVER: Final = datetime(9999, 12, 31, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Timeline:
    """The instants of one event (aware, UTC). ``end`` is ``None`` for an open-ended one (R47).

    ``window`` is startafter, the length of the randomisation (R30); ``gone`` is when the VTN may drop it (R66).
    """

    notification: datetime
    ramp_up: datetime
    start: datetime
    end: datetime | None
    window: timedelta
    gone: datetime | None

    def status_at(self, wall: datetime) -> EventStatus:
        """The state by time alone (R13): near begins with a positive ramp-up, otherwise far goes to active."""
        if wall < self.ramp_up:
            return EventStatus.FAR
        if wall < self.start:
            return EventStatus.NEAR
        return EventStatus.COMPLETED if self.end is not None and wall >= self.end else EventStatus.ACTIVE

    def next_change(self, wall: datetime) -> datetime | None:
        """The next instant after ``wall`` at which :meth:`status_at` or :attr:`gone` says something else."""
        return min((at for at in (self.ramp_up, self.start, self.end, self.gone) if at and at > wall), default=None)


def timeline(event: EiEvent) -> Timeline:
    """The instants of an event as the VTN published it, without randomisation."""
    period = event.ei_active_period.properties
    ramp_up = period.x_ei_ramp_up or ZERO
    window = (period.tolerance.startafter if period.tolerance else None) or ZERO
    end = _after(period.dtstart, period.duration) if period.duration else None
    return Timeline(
        notification=_after(period.dtstart, period.x_ei_notification or ZERO, -1),
        ramp_up=_after(period.dtstart, ramp_up, -1)
        if _length(period.dtstart, ramp_up) > timedelta()
        else period.dtstart,
        start=period.dtstart,
        end=end,
        window=_length(period.dtstart, window),
        gone=None if end is None else _after(end, window),
    )


def starts(intervals: tuple[Interval, ...], start: datetime) -> Iterator[tuple[datetime, Interval]]:
    """Each interval with its own start, computed from the durations before it (R8, R102).

    An explicit dtstart, which rule R103 forbids in events, does not change the sum.
    """
    for interval in intervals:
        yield start, interval
        start = _after(start, interval.duration or ZERO)


def later(start: datetime, duration: Duration) -> datetime:
    """The instant ``duration`` after ``start`` by the calendar, within the years 1 to 9999."""
    return _after(start, duration)


def _after(start: datetime, duration: Duration, sign: int = 1) -> datetime:
    try:
        if sign < 0:
            duration = Duration(months=-duration.months, seconds=-duration.seconds)
        return duration.after(start)
    except OverflowError:
        return _FOREVER if sign * (duration.months + duration.seconds) > 0 else datetime.min.replace(tzinfo=UTC)


def _length(start: datetime, duration: Duration) -> timedelta:
    return _after(start, duration) - start
