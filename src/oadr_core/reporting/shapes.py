"""Readings as the intervals of reports: points in time, intervals, and both mixed (R313-R316, R334, R342).

It stands alone because the rules for the form of a report have nothing to do with when and why it is sent.

=============== ========================================= ===========================================================
the readings    an interval has                           the report has
=============== ========================================= ===========================================================
points          its start                                 the start of the first
have a duration start and duration                        that, and the time from the first start to the last end
mixed           start and duration; that of a point is 0  the same
=============== ========================================= ===========================================================
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, Final

import attrs

from ..errors import LocalError
from ..model import (
    ZERO,
    DataQuality,
    Duration,
    GBPayload,
    Interval,
    LoadControlState,
    LoadControlStates,
    PayloadResourceStatus,
    Report,
    ReportPayload,
)
from ..model.declare import fields_of
from ..model.drafts import draft
from ..wire.examine import faults
from .offers import STATUS
from .readings import Reading

LARGEST: Final = 3e38
"""Numbers up to here are written as they are; others are looked at one by one."""
CHILDREN: Final = tuple(field.name for field in fields_of(LoadControlStates))
_Draft: Final[Any] = draft(ReportPayload)
_WHEN: Final = itemgetter(0)
_DURATION: Final = attrgetter("duration")
_BAD: Final = DataQuality.QUALITY_BAD_NON_SPECIFIC

Stamped = tuple[datetime, Reading]
"""A reading with its time."""


def checked(reading: Reading) -> Reading:
    """Refuse now what could not be written later, when the report is sent.

    Raises :class:`~oadr_core.errors.LocalError`, with the path.
    """
    value, at, duration = reading.value, reading.at, reading.duration
    if at is not None and (type(at) is not datetime or at.tzinfo is None) and not _is_time(at):
        raise LocalError(f"a datetime with a time zone is expected, not {at!r}", path="Reading/at")
    plain = reading.quality is None and reading.accuracy is None and reading.confidence is None and duration is None
    if plain and (type(value) is float or type(value) is int) and -LARGEST < value < LARGEST:
        return reading
    if duration is not None and not _is_span(duration):
        raise LocalError(f"a timedelta of whole seconds is expected, not {duration!r}", path="Reading/duration")
    payload = _payload(reading, None)
    for path, text in faults(Interval(stream_payload_base=(payload,)), Interval, "Reading"):
        raise LocalError(text, path=path)
    if isinstance(value, float) and not math.isfinite(value):  # R318: that is not a valid value
        bad = reading.quality is not None and reading.quality.startswith("Quality Bad")
        return attrs.evolve(reading, value=None, quality=reading.quality if bad else _BAD)
    return reading


def _is_time(at: object) -> bool:
    return isinstance(at, datetime) and at.tzinfo is not None


def _is_span(duration: object) -> bool:
    return isinstance(duration, timedelta) and duration >= timedelta() and not duration.microseconds


def reports(
    readings: Iterable[Stamped],
    *,
    report_request_id: str,
    report_specifier_id: str,
    report_name: str,
    created: datetime,
    grouped: bool,
) -> Iterator[Report]:
    """The readings of one period as a report, the oldest first (R313, R314).

    Of two readings of the same data point and time the later counts, and a placeholder never does where there is a
    value. States of resources that tell of different things make a report each (R334). ``grouped``: values of the same
    time share an interval.
    """
    status = report_name == STATUS
    for same in _alike(_without_repetitions(readings), status):
        mixed = any(reading.duration is not None for _, reading in same)
        intervals = tuple(_intervals(same, mixed, grouped, _states_of(same) if status else None))
        yield Report(
            dtstart=intervals[0].dtstart,
            duration=_span(same) if mixed else None,
            intervals=intervals,
            report_request_id=report_request_id,
            report_specifier_id=report_specifier_id,
            report_name=report_name,
            created_date_time=created,
        )


def _without_repetitions(readings: Iterable[Stamped]) -> list[Stamped]:
    """The oldest first, and one for each data point and time."""
    found: list[Stamped] = []
    for _, group in groupby(sorted(readings, key=_WHEN), _WHEN):
        together = list(group)
        is_clear = len(together) == 1 or len({reading.r_id for _, reading in together}) == len(together)
        found += together if is_clear else _last_of_each(together)
    return found


def _last_of_each(together: list[Stamped]) -> Iterable[Stamped]:
    found: dict[tuple[str, timedelta | None], Stamped] = {}
    for stamped in together:
        reading = stamped[1]
        key = (reading.r_id, reading.duration)
        if reading.value is not None or key not in found:
            found[key] = stamped
    return found.values()


def _intervals(
    readings: list[Stamped], mixed: bool, grouped: bool, states: PayloadResourceStatus | None
) -> Iterator[Interval]:
    if not grouped:
        for at, reading in readings:
            yield _interval(at, reading.duration, [_payload(reading, states)], mixed)
        return
    for at, group in groupby(readings, _WHEN):
        for length, same in groupby([reading for _, reading in group], _DURATION):
            yield _interval(at, length, [_payload(reading, states) for reading in same], mixed)


def _interval(
    at: datetime | None, length: timedelta | None, payloads: list[ReportPayload | GBPayload], mixed: bool
) -> Interval:
    duration = None if not mixed else ZERO if length is None else _length(length)
    return Interval(dtstart=at, duration=duration, stream_payload_base=tuple(payloads))


@lru_cache(maxsize=64)
def _length(length: timedelta) -> Duration:
    """Nearly all intervals of a report are of one length."""
    return Duration.of(length)


def _payload(reading: Reading, states: PayloadResourceStatus | None) -> ReportPayload | GBPayload:
    value = reading.value
    if isinstance(value, GBPayload):
        return value
    quality = reading.quality
    if value is None:  # R318
        value, quality = (0.0 if states is None else states), quality or _BAD
    payload = _Draft()  # a reading was checked when it came, so this may take a fifth of the time
    payload.r_id = reading.r_id
    payload.confidence = reading.confidence
    payload.accuracy = reading.accuracy
    payload.payload_base = value
    payload.oadr_data_quality = quality
    payload.__class__ = ReportPayload
    made: ReportPayload = payload
    return made


def _span(readings: list[Stamped]) -> Duration | None:
    """R315: from the first start to the last end, where that is whole seconds (R1)."""
    first, (last, latest) = readings[0][0], readings[-1]
    if all(reading.duration is latest.duration for _, reading in readings):  # as nearly always; the ends ascend, too
        readings = [(last, latest)]
    length = max(at + (reading.duration or timedelta()) for at, reading in readings) - first
    return Duration.of(length) if not length.microseconds else None


# --- states of resources --------------------------------------------------------------------------------------------


def _alike(readings: list[Stamped], status: bool) -> Iterator[list[Stamped]]:
    """R334: the readings by what their states tell of; placeholders go with those of the same data point."""
    if not status:
        if readings:
            yield readings
        return
    sets = {reading.r_id: _children(reading) for _, reading in reversed(readings) if reading.value is not None}
    usual = next(iter(sets.values()), ())
    groups: dict[tuple[str, ...], list[Stamped]] = {}
    for stamped in readings:
        reading = stamped[1]
        told = _children(reading) if reading.value is not None else sets.get(reading.r_id, usual)
        groups.setdefault(told, []).append(stamped)
    yield from groups.values()


def _children(reading: Reading) -> tuple[str, ...]:
    states = reading.value.oadr_load_control_state if isinstance(reading.value, PayloadResourceStatus) else None
    return tuple(name for name in CHILDREN if getattr(states, name, None) is not None)


def _states_of(readings: list[Stamped]) -> PayloadResourceStatus:
    """What stands in the place of a state that is not known: one that tells of the same things."""
    children = next((_children(reading) for _, reading in readings if reading.value is not None), ())
    states = LoadControlStates(**{name: LoadControlState(oadr_current=0.0) for name in children}) if children else None
    return PayloadResourceStatus(oadr_online=False, oadr_manual_override=False, oadr_load_control_state=states)
