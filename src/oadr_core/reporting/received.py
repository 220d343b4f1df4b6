"""Values out of a report that has arrived, whatever the shape of its intervals, and what of it cannot be taken.

It stands alone because a peer may send anything: what is good is kept, what is not is left out and named with the code
that the sender gets (sections 3.6 and 5.3), and nothing else is disturbed.

============================ =====================================================================================
an interval says             its value is
============================ =====================================================================================
start                        at that point in time (R315)
start and duration           of that stretch of time (R314, R315)
duration                     of the stretch that begins where the one before it ends, the first at the report's start
nothing, but the report      of one of as many equal parts as there are intervals, unless they are that many points as
says a duration              granularity was asked for
nothing                      one granularity after the one before it; a single one is at the report's start
============================ =====================================================================================

A long report is a table in nearly all cases, so whole columns are looked at first. Only if something is odd about one
of them, every value is looked at by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import isfinite
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import attrs

from ..engine.schedule import later
from ..engine.values import Columns, DataPoint, ReportValues, Row, Value, said
from ..errors import InvalidID, RemoteError, shown
from ..model import (
    ZERO,
    Duration,
    GBPayload,
    Interval,
    LoadControlState,
    LoadControlStates,
    PayloadResourceStatus,
    ReadingType,
    Report,
    ReportDescription,
    ReportPayload,
    ReportType,
    SignalPayload,
)
from ..model.declare import fields_of
from .offers import GREEN_BUTTON, METADATA_PREFIX

FORECASTS: Final = frozenset({ReadingType.PROJECTED, ReadingType.CONTRACT, ReportType.BASELINE})
"""Reading and report types of values that may lie in the future."""
SHOWN: Final = 3
"""Names that a text about a fault gives at most."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FOREVER: Final = timedelta(days=3653)
_NO_TIME: Final = timedelta()
_STATES: Final = tuple(spec.name for spec in fields_of(LoadControlStates))
_NUMBERS: Final = tuple(spec.name for spec in fields_of(LoadControlState))
_Stretch: TypeAlias = tuple[datetime, timedelta | None]
_Payload: TypeAlias = SignalPayload | ReportPayload | GBPayload


class BadData(RemoteError):
    """Values that cannot be: of the wrong kind, at an impossible time, or no number (section 3.6)."""

    code = "454"
    status = 200


@attrs.frozen(kw_only=True)
class Expected:
    """What a report may bring.

    ``points`` are the data points that were offered, ``kinds`` what each of them has for values (one that is not in
    there: any). ``None`` for ``points``: what was offered is not known any more, so that any data point is taken.
    ``r_ids`` were asked for, and must all be there (R300, see :func:`missing`), ``granularity`` as well. A value can be
    of a time from ``earliest`` to ``latest``.
    """

    points: Mapping[str, DataPoint] | None
    kinds: Mapping[str, type] = MappingProxyType({})
    r_ids: tuple[str, ...] = ()
    granularity: Duration = ZERO
    earliest: datetime
    latest: datetime


@attrs.frozen(kw_only=True)
class Taken:
    """What of a report is taken. ``faults`` say what is not, and why; ``doubts`` are about what is."""

    values: ReportValues
    faults: tuple[RemoteError, ...] = ()
    doubts: tuple[str, ...] = ()


def described(offered: Report) -> tuple[Mapping[str, DataPoint], Mapping[str, type]]:
    """The data points of a metadata report, and what kind of values each has, where that is known."""
    points: dict[str, DataPoint] = {}
    kinds: dict[str, type] = {}
    name = (offered.report_name or "").removeprefix(METADATA_PREFIX)
    for one in offered.oadr_report_description:
        points[one.r_id] = DataPoint(
            item_base=one.item_base,
            resource_id=resource(one),
            report_type=one.report_type,
            reading_type=one.reading_type,
            market_context=one.market_context,
        )
        if name == GREEN_BUTTON:
            kinds[one.r_id] = GBPayload
        elif one.report_type == ReportType.X_RESOURCE_STATUS:
            kinds[one.r_id] = PayloadResourceStatus
        elif one.item_base is not None:
            kinds[one.r_id] = float
    return points, kinds


def resource(described: ReportDescription) -> str | None:
    """The resource that a data point is about, if it is one."""
    for target in (described.report_data_source, described.report_subject):
        if target is not None and target.resource_id:
            return target.resource_id[0]
    return None


def take(report: Report, expected: Expected) -> Taken:
    """The values of a report, oldest first; of two for the same data point and time the later one (R346)."""
    stretches = _stretches(report, expected.granularity)
    points = expected.points or MappingProxyType({})
    columns = _table(report, stretches, expected)
    faults: tuple[RemoteError, ...] = ()
    if columns is not None:
        values = ReportValues(columns=columns, points=points)
    else:
        rows, faults = _one_by_one(report, stretches, expected)
        if len(latest := {row[:2]: row for row in rows}) < len(rows):
            rows = list(latest.values())
        rows.sort(key=itemgetter(1))
        values = ReportValues(rows, points)
    return Taken(values=values, faults=faults, doubts=tuple(_doubts(stretches, values)))


# --- times ----------------------------------------------------------------------------------------------------------


def _stretches(report: Report, granularity: Duration) -> list[_Stretch | None]:
    """Begin and length of each interval; ``None`` for one of which nobody can say when it was."""
    found: list[_Stretch | None] = []
    before = report.dtstart or report.created_date_time
    step: timedelta | None = _NO_TIME
    spacing, length_of_all = _spacing(report, granularity)
    said: Duration | None = None
    length: timedelta | None = None
    for interval in report.intervals:
        begin = interval.dtstart or _following(before, step)
        if begin is None:
            found.append(None)
            continue
        if type(begin) is not datetime or begin.tzinfo is not UTC:
            begin = _EPOCH + (begin - _EPOCH)
        if interval.duration is not said or (said and said.months):
            said = interval.duration
            length = later(begin, said) - begin if said else None
        before = begin
        if length is None:
            step = spacing
            found.append((begin, length_of_all))
        else:
            step = length
            found.append((begin, length) if length > _NO_TIME else None)
    return found


def _spacing(report: Report, granularity: Duration) -> tuple[timedelta | None, timedelta | None]:
    """How far apart intervals are that say nothing of time, and how long each is (``None``: a point in time)."""
    step = timedelta(seconds=granularity.seconds) if 0 < granularity.seconds < _FOREVER.total_seconds() else None
    intervals = report.intervals
    silent = not any(one.duration for one in intervals) and not any(one.dtstart for one in intervals[1:])
    if not silent or not report.duration:
        return step, None
    begin = report.dtstart or report.created_date_time
    whole, count = later(begin, report.duration) - begin, len(intervals)
    if whole <= timedelta() or (step is not None and count > 1 and whole == (count - 1) * step):
        return step, None
    return whole / count, whole / count


def _following(begin: datetime | None, step: timedelta | None) -> datetime | None:
    return None if begin is None or step is None else _after(begin, step)


def _after(begin: datetime, length: timedelta) -> datetime:
    try:
        return begin + length
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


# --- whole columns --------------------------------------------------------------------------------------------------


def _table(report: Report, stretches: Sequence[_Stretch | None], expected: Expected) -> Mapping[str, Columns] | None:
    """The columns of a report with the same data points in each interval, each interval after the one before it, and
    nothing to be said against any value.
    """
    times = [stretch[0] for stretch in stretches if stretch]
    if not times or len(times) < len(stretches) or not all(one < other for one, other in pairwise(times)):
        return None
    if times[0] < expected.earliest or times[-1] > expected.latest:
        return None
    payloads: list[Any] = [one for interval in report.intervals for one in interval.stream_payload_base]
    if set(map(type, payloads)) != {ReportPayload}:
        return None
    r_ids = [one.r_id for one in payloads]
    width = len(report.intervals[0].stream_payload_base)
    points = r_ids[:width]
    if len(set(points)) < width or r_ids != points * len(times) or not all(_is_number(one, expected) for one in points):
        return None
    values = [one.payload_base for one in payloads]
    if (kinds := set(map(type, values))) != {float}:
        if not all(issubclass(kind, (float, int)) for kind in kinds):
            return None
        values = list(map(float, values))
    durations = said([stretch[1] for stretch in stretches if stretch])
    qualities = said([one.oadr_data_quality for one in payloads])
    accuracies = said([one.accuracy for one in payloads])
    confidences = said([one.confidence for one in payloads])
    if not isfinite(sum(values)) or not isfinite(sum(one or 0.0 for one in accuracies or ())):
        return None
    return MappingProxyType(
        {
            r_id: Columns(
                times=times,
                durations=durations,
                values=values[place::width],
                qualities=qualities and said(qualities[place::width]),
                accuracies=accuracies and said(accuracies[place::width]),
                confidences=confidences and said(confidences[place::width]),
            )
            for place, r_id in enumerate(points)
        }
    )


def _is_number(r_id: str, expected: Expected) -> bool:
    return (expected.points is None or r_id in expected.points) and expected.kinds.get(r_id, float) is float


# --- one value after the other --------------------------------------------------------------------------------------


class _Faults:
    """What is wrong, each kind of fault once, with the number of values that it concerns."""

    def __init__(self) -> None:
        self._found: dict[tuple[type[RemoteError], str, str], tuple[dict[str, None], int]] = {}

    def add(self, kind: type[RemoteError], rule: str, text: str, example: str) -> None:
        examples, count = self._found.get((kind, rule, text), ({}, 0))
        if len(examples) <= SHOWN:
            examples[example] = None
        self._found[kind, rule, text] = examples, count + 1

    def errors(self) -> Iterator[RemoteError]:
        for (kind, rule, text), (examples, count) in self._found.items():
            yield kind(f"{count} not taken: {text} ({few(list(examples))})", rule=rule)


def few(names: Sequence[str]) -> str:
    """The first of some names, for a message."""
    return ", ".join(map(shown, names[:SHOWN])) + (" …" if len(names) > SHOWN else "")


def _one_by_one(
    report: Report, stretches: Sequence[_Stretch | None], expected: Expected
) -> tuple[list[Row], tuple[RemoteError, ...]]:
    rows: list[Row] = []
    faults = _Faults()
    feeds = _feeds(report, stretches, expected)
    for interval, stretch in zip(report.intervals, stretches, strict=True):
        for payload in interval.stream_payload_base:
            r_id = payload.r_id if isinstance(payload, ReportPayload) else next(feeds)
            if not _is_wrong(faults, interval, stretch, payload, r_id, expected) and stretch is not None:
                rows.append(_row(r_id, stretch, payload))
    return rows, tuple(faults.errors())


def _is_wrong(
    faults: _Faults, interval: Interval, stretch: _Stretch | None, payload: _Payload, r_id: str, expected: Expected
) -> bool:
    """True, and the fault is noted, for a value that cannot be taken."""
    value: object = payload if isinstance(payload, GBPayload) else payload.payload_base
    point = None if expected.points is None else expected.points.get(r_id)
    if isinstance(payload, SignalPayload):
        faults.add(BadData, "R313", "the value of a signal, not of a report", interval.uid or "")
    elif expected.points is not None and point is None and not isinstance(payload, GBPayload):
        faults.add(InvalidID, "R304", "a data point that was not offered", r_id)
    elif not _is_of_kind(value, r_id, expected):
        faults.add(BadData, "R331", "a value of another kind than was offered", r_id)
    elif not _is_finite(value):
        faults.add(BadData, "R318", "not a number; say bad quality for a missing value", r_id)
    elif stretch is None:
        faults.add(BadData, "R315", "an interval without a time", interval.uid or r_id)
    elif stretch[0] < expected.earliest or stretch[0] > (expected.latest if _is_past(point) else _future(expected)):
        faults.add(BadData, "R314", "a time at which nothing was measured", str(stretch[0]))
    else:
        return False
    return True


def _is_of_kind(value: object, r_id: str, expected: Expected) -> bool:
    if isinstance(value, GBPayload) and not r_id:
        return expected.points is None or GBPayload in expected.kinds.values()
    kind = expected.kinds.get(r_id, object)
    return isinstance(value, (int, float) if kind is float else kind)


def _is_finite(value: object) -> bool:
    """True for a number, and a state of numbers, that can be measured."""
    if isinstance(value, (int, float)):
        return isfinite(value)
    if not isinstance(value, PayloadResourceStatus) or value.oadr_load_control_state is None:
        return True
    states = (getattr(value.oadr_load_control_state, name) for name in _STATES)
    numbers = (getattr(state, name) for state in states if state for name in _NUMBERS)
    return all(number is None or isfinite(number) for number in numbers)


def _row(r_id: str, stretch: _Stretch, payload: _Payload) -> Row:
    if not isinstance(payload, ReportPayload):
        assert isinstance(payload, GBPayload)
        return (r_id, *stretch, payload, None, None, None)
    base = payload.payload_base
    value: Value = _plain(base) if isinstance(base, PayloadResourceStatus) else float(base)
    accuracy = payload.accuracy if payload.accuracy is None or isfinite(payload.accuracy) else None
    return (r_id, *stretch, value, payload.oadr_data_quality, accuracy, payload.confidence)


def _plain(said: PayloadResourceStatus) -> PayloadResourceStatus:
    """The same state with plain values, however they were written: 0 for false, or 1.50."""
    states = said.oadr_load_control_state
    told = {} if states is None else {name: getattr(states, name) for name in _STATES}
    plain = {
        name: state and LoadControlState(**{number: _number(getattr(state, number)) for number in _NUMBERS})
        for name, state in told.items()
    }
    return PayloadResourceStatus(
        oadr_online=bool(said.oadr_online),
        oadr_manual_override=bool(said.oadr_manual_override),
        oadr_load_control_state=None if states is None else LoadControlStates(**plain),
    )


def _number(value: float | None) -> Any:
    return None if value is None else float(value)


def _feeds(report: Report, stretches: Sequence[_Stretch | None], expected: Expected) -> Iterator[str]:
    """Whose each payload without an rID is, one after the other. A Green Button feed does not say so: it is that of the
    data point that was asked for, or of several in their order, if there are as many feeds of one time; else nobody's.
    """
    wanted = expected.r_ids or tuple(expected.points or ())
    begins = [
        None if stretch is None else stretch[0]
        for interval, stretch in zip(report.intervals, stretches, strict=True)
        for payload in interval.stream_payload_base
        if not isinstance(payload, ReportPayload)
    ]
    together, before = Counter(begins), Counter[datetime | None]()
    for begin in begins:
        place = 0 if len(wanted) == 1 else before[begin]
        before[begin] += 1
        yield wanted[place] if len(wanted) in (1, together[begin]) else ""


def _is_past(point: DataPoint | None) -> bool:
    return point is None or not {point.reading_type, point.report_type} & FORECASTS


def _future(expected: Expected) -> datetime:
    return _after(expected.latest, _FOREVER)


# --- what is doubtful -----------------------------------------------------------------------------------------------


def missing(expected: Expected, reports: Iterable[ReportValues]) -> tuple[str, ...]:
    """The data points that were asked for and of which these reports, which belong together, say nothing (R300)."""
    found = tuple(reports)
    if not any(found) or any(
        isinstance(one.values[0], GBPayload) for values in found for one in values.columns.values()
    ):
        return ()  # there is nothing at all, or feeds, which do not say whose they are
    return tuple(r_id for r_id in expected.r_ids if not any(r_id in values.columns for values in found))


def _doubts(stretches: Sequence[_Stretch | None], values: ReportValues) -> Iterator[str]:
    spans = [stretch for stretch in stretches if stretch and stretch[1]]
    if any(_is_within(begin, before) for before, (begin, _) in pairwise(spans)):
        overlapping = [r_id for r_id, one in values.columns.items() if _overlap(one)]
        if overlapping:
            yield f"intervals of {few(overlapping)} overlap (R314)"


def _overlap(columns: Columns) -> bool:
    stretches = list(zip(columns.times, columns.durations or (), strict=False))
    return any(_is_within(begin, before) for before, (begin, _) in pairwise(stretches))


def _is_within(begin: datetime, stretch: _Stretch) -> bool:
    return stretch[1] is not None and begin - stretch[0] < stretch[1]
