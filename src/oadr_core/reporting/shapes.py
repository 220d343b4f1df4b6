"""Readings as the intervals of reports: points in time, intervals, and both mixed (R313-R316, R334, R342).

It stands alone because the rules for the form of a report have nothing to do with when and why it is sent.

=============== ========================================= ===========================================================
the readings    an interval has                           the report has
=============== ========================================= ===========================================================
points          its start                                 the start of the first
have a duration start and duration                        that, and the time from the first start to the last end
mixed           start and duration; that of a point is 0  the same
=============== ========================================= ===========================================================

Many readings are a table in nearly all cases, so whole columns are looked at first. Only if something is odd about one
of them, every reading is looked at by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import groupby
from operator import attrgetter, itemgetter, lt
from typing import Any, Final, TypeAlias

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
_Payload: Final[Any] = draft(ReportPayload)
_Interval: Final[Any] = draft(Interval)
"""A reading was checked when it came, so these may take a fifth of the time."""
_WHEN: Final = itemgetter(0)
_LENGTH: Final = attrgetter("duration")
_BAD: Final = DataQuality.QUALITY_BAD_NON_SPECIFIC

Stamped = tuple[datetime, Reading]
"""A reading with its time."""
_Shape: TypeAlias = tuple[tuple[Interval, ...], Duration | None]
"""Intervals of a report, and its duration."""


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
    for path, text in faults(_interval(None, None, tuple(_payloads([reading]))), Interval, "Reading"):
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
    status, stamped = report_name == STATUS, list(readings)
    table = None if status else _table(stamped, grouped)
    for intervals, duration in [table] if table else _one_by_one(stamped, status, grouped):
        yield Report(
            dtstart=intervals[0].dtstart,
            duration=duration,
            intervals=intervals,
            report_request_id=report_request_id,
            report_specifier_id=report_specifier_id,
            report_name=report_name,
            created_date_time=created,
        )


def _payloads(
    readings: Iterable[Reading], states: PayloadResourceStatus | None = None
) -> list[ReportPayload | GBPayload]:
    """The values of readings; ``states`` stands in the place of a state that is not known."""
    found: list[ReportPayload | GBPayload] = []
    for reading in readings:
        value, quality = reading.value, reading.quality
        if value is None:  # R318
            value, quality = (0.0 if states is None else states), quality or _BAD
        elif type(value) is GBPayload:
            found.append(value)
            continue
        payload = _Payload()
        payload.r_id = reading.r_id
        payload.confidence = reading.confidence
        payload.accuracy = reading.accuracy
        payload.payload_base = value
        payload.oadr_data_quality = quality
        payload.__class__ = ReportPayload
        found.append(payload)
    return found


def _interval(
    at: datetime | None, duration: Duration | None, payloads: tuple[ReportPayload | GBPayload, ...]
) -> Interval:
    interval = _Interval()
    interval.dtstart = at
    interval.duration = duration
    interval.uid = None
    interval.stream_payload_base = payloads
    interval.__class__ = Interval
    made: Interval = interval
    return made


@lru_cache(maxsize=64)
def _duration(length: timedelta) -> Duration:
    """Nearly all intervals of a report are of one length."""
    return Duration.of(length)


def _span(readings: list[Stamped]) -> Duration | None:
    """R315: from the first start to the last end, where that is whole seconds (R1)."""
    length = max(at + (reading.duration or timedelta()) for at, reading in readings) - readings[0][0]
    return Duration.of(length) if not length.microseconds else None


# --- whole columns --------------------------------------------------------------------------------------------------


def _table(readings: list[Stamped], grouped: bool) -> _Shape | None:
    """The report of the same data points at each time, each time after the one before it, and all of one length."""
    times = [at for at, _ in readings]
    width = times.count(times[0]) if times else 1
    starts = times[::width]
    if any(times[place::width] != starts for place in range(1, width)) or not all(map(lt, starts, starts[1:])):
        return None
    r_ids = [reading.r_id for _, reading in readings]
    lengths = {reading.duration for _, reading in readings}
    if len(set(r_ids[:width])) < width or r_ids != r_ids[:width] * len(starts) or len(lengths) != 1:
        return None
    [length] = lengths
    duration = None if length is None else _duration(length)
    payloads, share = _payloads([reading for _, reading in readings]), width if grouped else 1
    together = zip(*[iter(payloads)] * share, strict=True)
    intervals = tuple([_interval(at, duration, some) for at, some in zip(times[::share], together, strict=True)])
    return intervals, None if length is None else _span([readings[0], readings[-1]])


# --- one reading after the other ------------------------------------------------------------------------------------


def _one_by_one(readings: list[Stamped], status: bool, grouped: bool) -> Iterator[_Shape]:
    for same in _alike(_without_repetitions(readings), status):
        mixed = any(reading.duration is not None for _, reading in same)
        intervals = tuple(_intervals(same, mixed, grouped, _states_of(same) if status else None))
        yield intervals, _span(same) if mixed else None


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
    zero = ZERO if mixed else None
    for at, group in groupby(readings, _WHEN):
        for length, same in groupby([reading for _, reading in group], _LENGTH):
            payloads = _payloads(same, states)
            for together in [payloads] if grouped else zip(payloads):
                yield _interval(at, zero if length is None else _duration(length), tuple(together))


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
