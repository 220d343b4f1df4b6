"""The form of reports: points, intervals and both mixed, placeholders, states of resources (R313-R316, R334, R342)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oadr_core import LocalError, decode
from oadr_core.model import (
    DataQuality,
    Duration,
    GBPayload,
    LoadControlState,
    LoadControlStates,
    PayloadResourceStatus,
    Report,
    ReportPayload,
    UpdateReport,
)
from oadr_core.reporting import shapes
from oadr_core.reporting.readings import Reading
from oadr_core.reporting.shapes import Stamped, checked, reports
from oadr_core.wire import encode

START = datetime(2025, 6, 1, 12, 0, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
FEED = GBPayload(
    feed='<atom:feed xmlns:atom="http://www.w3.org/2005/Atom"><atom:id>x</atom:id><atom:title>x</atom:title>'
    "<atom:updated>2020-01-01T00:00:00Z</atom:updated></atom:feed>"
)


def made(*readings: Stamped, name: str = "TELEMETRY_USAGE", grouped: bool = False) -> tuple[Report, ...]:
    return tuple(
        reports(
            readings,
            report_request_id="req",
            report_specifier_id="spec",
            report_name=name,
            created=START,
            grouped=grouped,
        )
    )


def one(*readings: Stamped, **options: Any) -> Report:
    [report] = made(*readings, **options)
    return report


def at(minute: float, value: Any = 1.0, r_id: str = "r", **options: Any) -> Stamped:
    return START + minute * MINUTE, Reading(r_id=r_id, value=value, **options)


def state(*children: str, current: float = 1.0) -> PayloadResourceStatus:
    states = LoadControlStates(**{f"oadr_{name}": LoadControlState(oadr_current=current) for name in children})
    return PayloadResourceStatus(
        oadr_online=True, oadr_manual_override=False, oadr_load_control_state=states if children else None
    )


def form(report: Report) -> list[tuple[datetime | None, str | None]]:
    durations = [None if each.duration is None else str(each.duration) for each in report.intervals]
    return [(each.dtstart, duration) for each, duration in zip(report.intervals, durations, strict=True)]


@pytest.mark.rule("R313")
@pytest.mark.rule("R314")
@pytest.mark.rule("R342")
def test_points_have_a_start_and_no_duration_and_the_oldest_comes_first() -> None:
    report = one(at(2, 3.0), at(0, 1.0), at(1, 2.0))
    assert form(report) == [(START, None), (START + MINUTE, None), (START + 2 * MINUTE, None)]
    assert (report.dtstart, report.duration, report.report_name) == (START, None, "TELEMETRY_USAGE")
    assert not report.oadr_report_description
    assert not report.ei_report_id


@pytest.mark.rule("R315")
@pytest.mark.rule("R342")
def test_intervals_have_start_and_duration_and_the_report_spans_them() -> None:
    report = one(at(0, duration=MINUTE), at(1, duration=2 * MINUTE))
    assert form(report) == [(START, "PT1M"), (START + MINUTE, "PT2M")]
    assert report.duration == Duration.of(3 * MINUTE)


@pytest.mark.rule("R315")
@pytest.mark.rule("R342")
def test_points_among_intervals_last_for_nothing() -> None:
    report = one(at(0, duration=MINUTE), at(0.5, r_id="point"))
    assert form(report) == [(START, "PT1M"), (START + MINUTE / 2, "PT0S")]
    assert report.duration == Duration.of(MINUTE)


def test_span_that_is_not_whole_seconds_is_left_out() -> None:
    report = one((START, Reading(r_id="r", value=1.0, duration=MINUTE)), (START + MINUTE * 1.0001, at(0)[1]))
    assert report.duration is None


def test_values_of_one_time_share_an_interval_when_the_peer_can_read_that() -> None:
    readings = [at(minute, float(minute), r_id) for minute in (0, 1) for r_id in ("a", "b")]
    together, apart = one(*readings, grouped=True), one(*readings)
    assert [len(each.stream_payload_base) for each in together.intervals] == [2, 2]
    assert [len(each.stream_payload_base) for each in apart.intervals] == [1, 1, 1, 1]
    assert len(encode(UpdateReport(request_id="", oadr_report=(together,)))) < len(
        encode(UpdateReport(request_id="", oadr_report=(apart,)))
    )


@pytest.mark.parametrize("grouped", [False, True])
def test_point_and_interval_of_one_time_stay_apart(grouped: bool) -> None:
    report = one(at(0, duration=MINUTE), at(0, r_id="point"), grouped=grouped)
    assert sorted(str(each.duration) for each in report.intervals) == ["PT0S", "PT1M"]


@pytest.mark.rule("R318")
def test_what_is_not_known_is_a_number_of_bad_quality() -> None:
    [payload] = one(at(0, None)).intervals[0].stream_payload_base
    assert isinstance(payload, ReportPayload)
    assert (payload.payload_base, payload.oadr_data_quality) == (0.0, DataQuality.QUALITY_BAD_NON_SPECIFIC)


@pytest.mark.rule("R318")
def test_reason_of_the_application_is_kept() -> None:
    reason = DataQuality.QUALITY_BAD_SENSOR_FAILURE
    [payload] = one(at(0, None, quality=reason)).intervals[0].stream_payload_base
    assert isinstance(payload, ReportPayload)
    assert payload.oadr_data_quality is reason


@pytest.mark.rule("R319")
def test_quality_accuracy_and_confidence_are_written() -> None:
    quality = DataQuality.QUALITY_GOOD_NON_SPECIFIC
    report = one(at(0, 2.5, quality=quality, accuracy=0.1, confidence=90))
    decoded = decode(encode(UpdateReport(request_id="", oadr_report=(report,)))).payload
    assert isinstance(decoded, UpdateReport)
    [payload] = decoded.oadr_report[0].intervals[0].stream_payload_base
    expected = ReportPayload(r_id="r", payload_base=2.5, oadr_data_quality=quality, accuracy=0.1, confidence=90)
    assert payload == expected


@pytest.mark.rule("R346")
def test_later_reading_of_the_same_time_replaces_the_former_but_a_placeholder_does_not() -> None:
    report = one(at(0, 1.0), at(0, 2.0), at(0, None), at(1, None), at(1, 5.0))
    found = [payload.payload_base for each in report.intervals for payload in each.stream_payload_base]  # type: ignore[union-attr]  # they are ReportPayloads
    assert found == [2.0, 5.0]


@pytest.mark.rule("R334")
def test_states_tell_of_the_same_things_in_all_intervals_of_a_report() -> None:
    readings = [at(0, state("capacity")), at(1, state("capacity", "set_point")), at(2, state("capacity")), at(3, None)]
    found = made(*readings, name="TELEMETRY_STATUS")
    sets = [
        {_children(payload) for each in report.intervals for payload in each.stream_payload_base} for report in found
    ]
    assert sets == [{("oadr_capacity",)}, {("oadr_capacity", "oadr_set_point")}]
    assert [len(report.intervals) for report in found] == [3, 1], "the placeholder goes with the values around it"


@pytest.mark.rule("R318")
@pytest.mark.rule("R331")
@pytest.mark.rule("R334")
def test_state_that_is_not_known_is_a_state_of_bad_quality() -> None:
    report = one(at(0, state("level_offset")), at(1, None), name="TELEMETRY_STATUS")
    [payload] = report.intervals[1].stream_payload_base
    assert isinstance(payload, ReportPayload)
    assert isinstance(payload.payload_base, PayloadResourceStatus)
    assert not payload.payload_base.oadr_online
    assert _children(payload) == ("oadr_level_offset",)
    assert payload.oadr_data_quality is DataQuality.QUALITY_BAD_NON_SPECIFIC


@pytest.mark.rule("R316")
def test_green_button_feed_is_an_interval_of_its_own() -> None:
    report = one(at(0, FEED, duration=timedelta(days=1)), name="HISTORY_GREENBUTTON")
    assert report.intervals[0].stream_payload_base == (FEED,)
    decoded = decode(encode(UpdateReport(request_id="", oadr_report=(report,)))).payload
    assert isinstance(decoded, UpdateReport)
    assert decoded.oadr_report[0].intervals[0].stream_payload_base == (FEED,)


@pytest.mark.parametrize(
    ("reading", "path"),
    [
        (Reading(r_id="r", value="12"), "payload_base"),  # type: ignore[arg-type]  # on purpose
        (Reading(r_id="r", value=True), "payload_base"),
        (Reading(r_id="r", value=10**400), "payload_base"),
        (Reading(r_id="r", value=1.0, at=datetime(2025, 1, 1)), "Reading/at"),  # noqa: DTZ001  # on purpose
        (Reading(r_id="r", value=1.0, at="now"), "Reading/at"),  # type: ignore[arg-type]  # on purpose
        (Reading(r_id="r", value=1.0, duration=timedelta(seconds=-1)), "Reading/duration"),
        (Reading(r_id="r", value=1.0, duration=timedelta(milliseconds=1)), "Reading/duration"),
        (Reading(r_id="r", value=1.0, duration=5), "Reading/duration"),  # type: ignore[arg-type]  # on purpose
        (Reading(r_id="r", value=1.0, confidence=101), "confidence"),
        (Reading(r_id="r", value=1.0, accuracy="1"), "accuracy"),  # type: ignore[arg-type]  # on purpose
        (Reading(r_id="r", value=1.0, quality="fine"), "oadr_data_quality"),
    ],
)
def test_reading_that_cannot_be_written_is_refused(reading: Reading, path: str) -> None:
    with pytest.raises(LocalError) as caught:
        checked(reading)
    assert path in str(caught.value.path)


@pytest.mark.rule("R318")
@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_not_a_finite_number_is_no_value(number: str) -> None:
    broken = DataQuality.QUALITY_BAD_SENSOR_FAILURE
    for quality, expected in (
        (None, DataQuality.QUALITY_BAD_NON_SPECIFIC),
        (DataQuality.QUALITY_GOOD_NON_SPECIFIC, DataQuality.QUALITY_BAD_NON_SPECIFIC),
        (broken, broken),
    ):
        found = checked(Reading(r_id="r", value=float(number), quality=quality))
        assert (found.value, found.quality) == (None, expected)


NUMBERS = st.one_of(st.none(), st.floats(), st.integers(-(2**80), 2**80))
SETS = st.sets(st.sampled_from(["capacity", "level_offset", "percent_offset", "set_point"]))
STATES = st.one_of(st.none(), SETS.map(lambda children: state(*children)))
TIMES = st.integers(0, 20).map(lambda minute: START + minute * MINUTE)
EAST = timezone(timedelta(hours=2))


def readings_of(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Stamped]]:
    reading = st.builds(
        Reading,
        r_id=st.sampled_from(["a", "b", "<&>"]),
        value=values,
        quality=st.one_of(st.none(), st.sampled_from(list(DataQuality)), st.just("x-own")),
        accuracy=st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False, width=32)),
        confidence=st.one_of(st.none(), st.integers(0, 100)),
        duration=st.one_of(st.none(), st.integers(0, 7200).map(lambda s: timedelta(seconds=s))),
    )
    times = st.one_of(TIMES, TIMES.map(lambda time: time.astimezone(EAST)), TIMES.map(lambda t: t + MINUTE * 1e-5))
    return st.lists(st.tuples(times, reading), min_size=1, max_size=12)


@pytest.mark.rule("R313")
@pytest.mark.rule("R314")
@pytest.mark.rule("R315")
@pytest.mark.rule("R334")
@pytest.mark.rule("R342")
@given(
    st.one_of(readings_of(NUMBERS).map(lambda r: (r, False)), readings_of(STATES).map(lambda r: (r, True))),
    st.booleans(),
)
@settings(deadline=None)
def test_every_report_keeps_the_rules_and_has_all_readings(
    validate: Callable[[bytes], None], given_: tuple[list[Stamped], bool], grouped: bool
) -> None:
    readings, status = given_
    fit = [(time, checked(reading)) for time, reading in readings]
    found = made(*fit, name="TELEMETRY_STATUS" if status else "TELEMETRY_USAGE", grouped=grouped)
    data = encode(UpdateReport(request_id="", oadr_report=found))
    validate(data)
    assert not decode(data, strict=True).deviations
    told = set()
    for report in found:
        starts = [each.dtstart for each in report.intervals]
        assert None not in starts
        assert starts == sorted(starts, key=lambda start: start or START)
        assert report.dtstart == starts[0]
        durations = {each.duration is None for each in report.intervals}
        assert len(durations) == 1
        if report.duration is not None:
            ends = [
                (each.dtstart or START) + timedelta(seconds=(each.duration or Duration()).seconds)
                for each in report.intervals
            ]
            assert max(ends) - (starts[0] or START) == timedelta(seconds=report.duration.seconds)
        for each in report.intervals:
            for payload in each.stream_payload_base:
                assert isinstance(payload, ReportPayload)
                key = (each.dtstart, payload.r_id, str(each.duration or "PT0S"))
                told.add(key)
        if status:
            assert len({_children(payload) for each in report.intervals for payload in each.stream_payload_base}) == 1
    expected = {(time, reading.r_id, str(Duration.of(reading.duration or timedelta()))) for time, reading in fit}
    assert told == expected


def _children(payload: Any) -> tuple[str, ...]:
    states = payload.payload_base.oadr_load_control_state
    names = ("oadr_capacity", "oadr_level_offset", "oadr_percent_offset", "oadr_set_point")
    return tuple(name for name in names if states is not None and getattr(states, name) is not None)


@st.composite
def tables(draw: st.DrawFn) -> list[Stamped]:
    """Readings of some data points, time by time; now and then one is odd."""
    r_ids, length = (
        draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3)),
        draw(st.sampled_from([None, MINUTE])),
    )
    readings = [
        at(minute, draw(st.sampled_from([1.5, 0, None, FEED])), r_id, duration=length)
        for minute in range(draw(st.integers(1, 4)))
        for r_id in r_ids
    ]
    place = draw(st.integers(0, len(readings) - 1))
    odd = at(
        draw(st.integers(-1, 5)), 7.5, draw(st.sampled_from("abd")), duration=draw(st.sampled_from([length, HOUR]))
    )
    return [*readings[:place], *draw(st.sampled_from([[], [odd], [readings[place]]])), *readings[place:]]


@given(readings=tables(), grouped=st.booleans())
def test_table_is_the_report_that_is_made_one_by_one(readings: list[Stamped], grouped: bool) -> None:
    table = shapes._table(readings, grouped)
    assert table is None or [table] == list(shapes._one_by_one(readings, False, grouped))


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("length", [None, MINUTE])
def test_regular_readings_are_a_table(grouped: bool, length: timedelta | None) -> None:
    readings = [at(minute, float(minute), r_id, duration=length) for minute in range(3) for r_id in "ab"]
    assert shapes._table(readings, grouped) == next(shapes._one_by_one(readings, False, grouped))


@pytest.mark.parametrize("odd", [at(1, r_id="b", duration=HOUR), at(1, r_id="b"), at(2, r_id="b", duration=MINUTE)])
def test_one_odd_reading_makes_it_no_table(odd: Stamped) -> None:
    readings = [at(minute, r_id=r_id, duration=MINUTE) for minute in range(2) for r_id in "ab"]
    assert shapes._table(readings, True)
    assert shapes._table([*readings[:-1], odd], True) is None
