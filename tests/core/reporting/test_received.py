"""Values out of reports: every shape of intervals, what is left out and why, and that nothing else is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import decode, encode
from oadr_core.engine.copying import evolve
from oadr_core.engine.values import DataPoint, ReportValue, ReportValues
from oadr_core.model import (
    DataQuality,
    Duration,
    EiTarget,
    GBPayload,
    Interval,
    LoadControlState,
    LoadControlStates,
    PayloadResourceStatus,
    ReadingType,
    Report,
    ReportDescription,
    ReportName,
    ReportPayload,
    ReportType,
    SignalPayload,
    UpdateReport,
    Voltage,
)
from oadr_core.reporting.received import Expected, Taken, described, missing, take
from oadr_core.wire.jsonform import part_to_json

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
GOOD = DataQuality.QUALITY_GOOD_NON_SPECIFIC
BAD = DataQuality.QUALITY_BAD_NON_SPECIFIC
ONLINE = PayloadResourceStatus(
    oadr_online=True,
    oadr_manual_override=False,
    oadr_load_control_state=LoadControlStates(oadr_capacity=LoadControlState(oadr_current=1.5)),
)


def expecting(*r_ids: str, granularity: int = 0, **kinds: type) -> Expected:
    """What is expected of a report with these data points; numbers, but for the ones whose kind is given."""
    return Expected(
        points=MappingProxyType({r_id: DataPoint(item_base=Voltage()) for r_id in (*r_ids, *kinds)}),
        kinds=MappingProxyType(dict.fromkeys(r_ids, float) | kinds),
        granularity=Duration(seconds=granularity),
        earliest=START - 3653 * DAY,
        latest=START + DAY,
    )


def value(r_id: str, base: Any, quality: DataQuality | str | None = None, **details: Any) -> ReportPayload:
    return ReportPayload(r_id=r_id, payload_base=base, oadr_data_quality=quality, **details)


def interval(*payloads: Any, at: Any = None, length: timedelta | None = None, uid: int | None = None) -> Interval:
    begin = START + at if isinstance(at, timedelta) else at
    return Interval(dtstart=begin, duration=length, uid=None if uid is None else str(uid), stream_payload_base=payloads)


def report(*intervals: Interval, **details: Any) -> Report:
    return Report(
        **{
            "dtstart": START,
            "intervals": intervals,
            "report_request_id": "q",
            "report_specifier_id": "s",
            "report_name": ReportName.TELEMETRY_USAGE,
            "created_date_time": START,
            **details,
        }
    )


def times(taken: Taken) -> list[tuple[float, float | None]]:
    """Begin (seconds from START) and length of each value."""
    return [
        ((one.dtstart - START) / SECOND, None if one.duration is None else one.duration / SECOND)
        for one in taken.values
    ]


def codes(taken: Taken) -> list[tuple[str, str]]:
    return [(fault.code, fault.rule) for fault in taken.faults]


# --- shapes ---------------------------------------------------------------------------------------------------------


ONE = value("r", 1.0)


@pytest.mark.rule("R314")
@pytest.mark.rule("R315")
@pytest.mark.rule("R316")
@pytest.mark.rule("R342")
@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (report(interval(ONE, at=0 * SECOND), interval(ONE, at=MINUTE)), [(0, None), (60, None)]),
        (report(interval(ONE, at=SECOND, length=SECOND), interval(ONE, at=MINUTE, length=SECOND)), [(1, 1), (60, 1)]),
        (report(interval(ONE, length=MINUTE, uid=0), interval(ONE, length=SECOND, uid=1)), [(0, 60), (60, 1)]),
        (report(interval(ONE, at=SECOND, length=MINUTE), interval(ONE, length=MINUTE)), [(1, 60), (61, 60)]),
        (report(interval(ONE, at=SECOND), interval(ONE)), [(1, None), (31, None)]),
        (report(interval(ONE, uid=0)), [(0, None)]),
        (report(interval(ONE, uid=0), interval(ONE, uid=1), interval(ONE, uid=2)), [(0, None), (30, None), (60, None)]),
        (report(interval(ONE, uid=0), duration=MINUTE), [(0, 60)]),
        (report(interval(ONE), interval(ONE), duration=MINUTE), [(0, 30), (30, 30)]),
        (report(interval(ONE), interval(ONE), interval(ONE), duration=MINUTE), [(0, None), (30, None), (60, None)]),
        (report(interval(ONE, at=SECOND), duration=MINUTE), [(1, 60)]),
        (report(interval(ONE, at=SECOND, length=0 * SECOND)), [(1, None)]),
        (report(interval(ONE, at=SECOND, length=MINUTE), interval(ONE, at=5 * MINUTE)), [(1, 60), (300, None)]),
        (report(interval(ONE), dtstart=None, created_date_time=START + MINUTE), [(60, None)]),
        (report(interval(ONE, length=MINUTE), dtstart=None), [(0, 60)]),
        (report(interval(ONE, at=MINUTE), dtstart=None), [(60, None)]),
        (report(interval(ONE, at=5 * MINUTE)), [(300, None)]),
    ],
)
def test_every_shape_has_its_times(shape: Report, expected: list[tuple[float, float | None]]) -> None:
    taken = take(shape, expecting("r", granularity=30))
    assert times(taken) == expected
    assert taken.faults == taken.doubts == ()


def test_months_are_as_long_as_the_calendar_says() -> None:
    january = datetime(2026, 1, 31, tzinfo=UTC)
    month = Interval(duration=Duration(months=1), stream_payload_base=(ONE,))
    taken = take(report(month, month, dtstart=january), expecting("r"))
    assert [one.dtstart.isoformat()[:10] for one in taken.values] == ["2026-01-31", "2026-02-28"]
    assert [one.duration for one in taken.values] == [28 * DAY, 28 * DAY]


def test_times_are_utc_whoever_says_them() -> None:
    local = START.astimezone(timezone(timedelta(hours=2)))
    [one] = take(report(interval(ONE, at=local), interval(ONE, at=START)), expecting("r")).values
    assert one.dtstart.tzinfo is UTC


@pytest.mark.rule("R315")
def test_points_without_any_time_are_left_out() -> None:
    taken = take(report(interval(ONE), interval(ONE), interval(ONE, at=MINUTE), interval(ONE, uid=7)), expecting("r"))
    assert times(taken) == [(0, None), (60, None)]
    assert codes(taken) == [("454", "R315")]
    assert "2 not taken" in str(taken.faults[0])


def test_everything_that_is_said_of_a_value_is_there() -> None:
    said = interval(value("a", 1.5, GOOD, accuracy=0.1, confidence=95), value("b", ONLINE), at=MINUTE, length=SECOND)
    first, second = take(report(said), expecting("a", b=PayloadResourceStatus)).values
    assert first == ReportValue(
        r_id="a",
        dtstart=START + MINUTE,
        duration=SECOND,
        value=1.5,
        data_quality=GOOD,
        accuracy=0.1,
        confidence=95,
        item_base=Voltage(),
    )
    assert second.value == ONLINE


@pytest.mark.rule("R316")
def test_green_button_feeds_are_values() -> None:
    feed = GBPayload(feed="<feed/>")
    taken = take(report(interval(feed, length=DAY)), expecting(usage=GBPayload))
    assert [(one.r_id, one.value, one.duration) for one in taken.values] == [("usage", feed, DAY)]
    assert taken.faults == taken.doubts == ()


@pytest.mark.parametrize(
    ("feeds", "whose"),
    [(2, ["a", "b"]), (1, [""]), (3, [""])],
    ids=["one each", "too few", "too many"],
)
def test_feeds_of_one_time_are_those_of_the_data_points_in_their_order(feeds: int, whose: list[str]) -> None:
    sent = [GBPayload(feed=f"<feed>{number}</feed>") for number in range(feeds)]
    expected = expecting(a=GBPayload, b=GBPayload)
    for shape in (report(interval(*sent, at=MINUTE)), report(*(interval(one, at=MINUTE) for one in sent))):
        taken = take(shape, expected)
        assert [one.r_id for one in taken.values] == whose
        assert [one.value for one in taken.values] == sent[-len(whose) :]
        assert taken.faults == ()


def test_feeds_of_several_times_are_those_of_the_data_points_at_each() -> None:
    sent = [GBPayload(feed=f"<feed>{number}</feed>") for number in range(4)]
    shape = report(*(interval(one, at=(number // 2) * MINUTE) for number, one in enumerate(sent)))
    taken = take(shape, expecting(a=GBPayload, b=GBPayload))
    assert [(one.r_id, one.value) for one in taken.values] == list(zip("abab", sent, strict=True))


def test_report_without_intervals_has_no_values() -> None:
    taken = take(report(), expecting("r"))
    assert (len(taken.values), taken.faults, taken.doubts) == (0, (), ())


# --- what is not good -----------------------------------------------------------------------------------------------


@pytest.mark.rule("R318")
@pytest.mark.parametrize("text", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("quality", [None, BAD])
def test_what_is_no_number_is_left_out(text: float, quality: DataQuality | None) -> None:
    taken = take(report(interval(value("a", text, quality), value("b", 2.0), at=MINUTE)), expecting("a", "b"))
    assert [one.r_id for one in taken.values] == ["b"]
    assert codes(taken) == [("454", "R318")]


@pytest.mark.rule("R318")
def test_state_with_what_is_no_number_is_left_out() -> None:
    odd = LoadControlStates(oadr_set_point=LoadControlState(oadr_current=1.0, oadr_max=float("nan")))
    taken = take(
        report(
            interval(value("r", evolve(ONLINE, oadr_load_control_state=odd)), at=MINUTE),
            interval(value("r", ONLINE), at=2 * MINUTE),
        ),
        expecting(r=PayloadResourceStatus),
    )
    assert times(taken) == [(120, None)]
    assert codes(taken) == [("454", "R318")]


@pytest.mark.rule("R319")
def test_accuracy_that_is_no_number_is_none() -> None:
    shape = report(interval(value("a", 1.0, accuracy=float("inf")), value("b", 1.0, accuracy=0.5), at=MINUTE))
    taken = take(shape, expecting("a", "b"))
    assert [one.accuracy for one in taken.values] == [None, 0.5]
    assert taken.faults == ()


def test_numbers_are_plain_however_they_were_written() -> None:
    text = encode(UpdateReport(request_id="u", oadr_report=(report(interval(value("r", 1.0))),), ven_id="v"))
    [arrived] = decode(text.replace(b">1<", b">1.50<")).payload.oadr_report  # type: ignore[attr-defined]
    whole = report(interval(value("r", 7)))
    for shape, expected in ((arrived, 1.5), (whole, 7.0)):
        [one] = take(shape, expecting("r")).values
        assert (type(one.value), one.value) == (float, expected)


def test_states_are_plain_however_they_were_written() -> None:
    odd = LoadControlStates(oadr_level_offset=LoadControlState(oadr_current=1.0, oadr_min=0.0))
    sent = PayloadResourceStatus(oadr_online=False, oadr_manual_override=True, oadr_load_control_state=odd)
    text = encode(UpdateReport(request_id="u", oadr_report=(report(interval(value("r", sent))),), ven_id="v"))
    for old, new in ((b">false<", b">0<"), (b">true<", b"> 1 <"), (b"oadrCurrent>1<", b"oadrCurrent>1.0<")):
        assert old in text
        text = text.replace(old, new)
    [arrived] = decode(text).payload.oadr_report  # type: ignore[attr-defined]
    [one] = take(arrived, expecting(r=PayloadResourceStatus)).values
    assert one.value == sent
    assert (one.value.oadr_online, one.value.oadr_manual_override) == (False, True)
    assert part_to_json(one.value) == part_to_json(sent)


@pytest.mark.rule("R331")
@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (float, ONLINE),
        (PayloadResourceStatus, 1.0),
        (GBPayload, 1.0),
        (GBPayload, ONLINE),
    ],
)
def test_value_of_another_kind_is_left_out(kind: type, wrong: Any) -> None:
    taken = take(report(interval(value("r", wrong), value("good", 1.0), at=MINUTE)), expecting("good", r=kind))
    assert [one.r_id for one in taken.values] == ["good"]
    assert codes(taken) == [("454", "R331")]


@pytest.mark.parametrize("others", [(), ("other",)])
def test_feed_among_numbers_is_left_out(others: tuple[str, ...]) -> None:
    taken = take(report(interval(GBPayload(feed="<feed/>"), ONE, at=MINUTE)), expecting("r", *others))
    assert [one.r_id for one in taken.values] == ["r"]
    assert codes(taken) == [("454", "R331")]


def test_signal_in_a_report_is_left_out() -> None:
    taken = take(report(interval(SignalPayload(payload_base=1.0), ONE, at=MINUTE)), expecting("r"))
    assert [one.r_id for one in taken.values] == ["r"]
    assert codes(taken) == [("454", "R313")]


@pytest.mark.rule("R314")
@pytest.mark.parametrize("wrong", [2 * DAY, -4000 * DAY, datetime(1970, 1, 1, tzinfo=UTC) - START])
def test_time_at_which_nothing_was_measured_is_left_out(wrong: timedelta) -> None:
    shape = report(*(interval(ONE, at=at) for at in sorted([wrong, MINUTE])))
    taken = take(shape, expecting("r"))
    assert times(taken) == [(60, None)]
    assert codes(taken) == [("454", "R314")]


def test_forecasts_lie_in_the_future() -> None:
    expected = expecting("r")
    points = MappingProxyType({"r": DataPoint(reading_type=ReadingType.PROJECTED)})
    shape = report(interval(ONE, at=2 * DAY), interval(ONE, at=4000 * DAY))
    taken = take(shape, evolve(expected, points=points))
    assert times(taken) == [(2 * DAY / SECOND, None)]
    assert codes(taken) == [("454", "R314")]


def test_interval_that_ends_before_it_begins_is_left_out() -> None:
    backwards = Interval(duration=Duration(seconds=-60), stream_payload_base=(ONE,))
    taken = take(report(interval(ONE, length=2 * MINUTE), backwards, interval(ONE, at=MINUTE)), expecting("r"))
    assert times(taken) == [(0, 120), (60, None)]
    assert codes(taken) == [("454", "R315")]


@pytest.mark.rule("R346")
def test_of_two_values_for_one_time_the_later_counts() -> None:
    shape = report(
        interval(ONE, at=MINUTE), interval(value("r", 2.0), at=MINUTE), interval(ONE, value("r", 3.0), at=DAY)
    )
    assert [one.value for one in take(shape, expecting("r")).values] == [2.0, 3.0]


@pytest.mark.rule("R314")
def test_values_out_of_order_and_with_gaps_are_put_in_order() -> None:
    shape = report(interval(ONE, at=5 * MINUTE, length=SECOND), interval(ONE, at=MINUTE), interval(ONE, at=DAY))
    taken = take(shape, expecting("r"))
    assert times(taken) == [(60, None), (300, 1), (86400, None)]
    assert taken.faults == taken.doubts == ()


@pytest.mark.rule("R314")
def test_overlap_is_doubtful_and_taken() -> None:
    shape = report(interval(ONE, at=MINUTE, length=MINUTE), interval(ONE, at=1.5 * MINUTE, length=MINUTE))
    taken = take(shape, expecting("r"))
    assert times(taken) == [(60, 60), (90, 60)]
    assert taken.faults == ()
    assert taken.doubts == ("intervals of 'r' overlap (R314)",)


def test_data_points_side_by_side_do_not_overlap() -> None:
    shape = report(
        interval(value("a", 1.0), at=MINUTE, length=MINUTE), interval(value("b", 1.0), at=MINUTE, length=MINUTE)
    )
    assert take(shape, expecting("a", "b")).doubts == ()


@pytest.mark.rule("R300")
def test_what_was_asked_for_and_is_nowhere_is_missing() -> None:
    expected = evolve(expecting("a", "b", "c"), r_ids=("a", "c"))
    one = take(report(interval(value("a", 1.0))), expected).values
    other = take(report(interval(value("c", 0.0, BAD))), expected).values
    assert missing(expected, [one]) == ("c",)
    assert missing(expected, [one, other]) == ()
    assert missing(expected, [take(report(), expected).values]) == ()


def test_many_faults_are_told_in_few_words() -> None:
    payloads = tuple(value(f"unknown {number}", 1.0) for number in range(1000))
    [fault] = take(report(interval(*payloads)), expecting("r")).faults
    assert fault.code == "452"
    assert "1000 not taken" in str(fault)
    assert len(str(fault)) < 200


def test_hundred_thousand_intervals_are_taken() -> None:
    count = 100_000
    intervals = (interval(value("r", float(number)), at=-number * SECOND) for number in range(count))
    taken = take(report(*intervals), expecting("r"))
    assert len(taken.values) == count
    assert taken.values[0].value == count - 1


def test_data_points_of_metadata_that_are_gone_are_taken_as_they_are() -> None:
    taken = take(report(interval(ONE, value("x", ONLINE), at=MINUTE)), evolve(expecting(), points=None))
    assert [(one.r_id, one.item_base) for one in taken.values] == [("r", None), ("x", None)]
    assert taken.faults == ()


@pytest.mark.rule("R331")
def test_metadata_say_what_kind_of_values_there_are() -> None:
    plain = ReportDescription(r_id="number", report_type="usage", reading_type="Direct Read", item_base=Voltage())
    source = EiTarget(resource_id=("meter",))
    descriptions = (
        evolve(plain, report_data_source=source, market_context="http://m"),
        evolve(plain, r_id="state", report_type=ReportType.X_RESOURCE_STATUS, item_base=None, report_subject=source),
        evolve(plain, r_id="anything", item_base=None),
    )
    metadata = report(oadr_report_description=descriptions, report_name="METADATA_TELEMETRY_USAGE")
    points, kinds = described(metadata)
    assert kinds == {"number": float, "state": PayloadResourceStatus}
    assert points["number"] == DataPoint(
        item_base=Voltage(),
        resource_id="meter",
        report_type=ReportType.USAGE,
        reading_type=ReadingType.DIRECT_READ,
        market_context="http://m",
    )
    assert points["state"].resource_id == "meter"
    assert set(described(evolve(metadata, report_name="METADATA_HISTORY_GREENBUTTON"))[1].values()) == {GBPayload}


# --- any report -----------------------------------------------------------------------------------------------------

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)
QUALITIES = st.none() | st.sampled_from(list(DataQuality))
LENGTHS = st.integers(1, 10_000).map(lambda seconds: timedelta(seconds=seconds))
ROWS = st.fixed_dictionaries(
    {
        "value": NUMBERS,
        "data_quality": QUALITIES,
        "accuracy": st.none() | NUMBERS,
        "confidence": st.none() | st.integers(0, 100),
    }
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[Report, list[ReportValue]]:
    """A report of one of the shapes, and the values that it was made of, oldest first."""
    names = draw(st.lists(st.sampled_from("abcde"), min_size=1, max_size=4, unique=True))
    count = draw(st.integers(1, 8))
    shape = draw(st.sampled_from(["points", "stretches", "chain", "first start only", "equal parts", "granularity"]))
    step = draw(LENGTHS)
    lengths = [step if shape in ("equal parts", "granularity") else draw(LENGTHS) for _ in range(count)]
    begins = [START + sum(lengths[:number], timedelta()) for number in range(count)]
    is_point = shape in ("points", "granularity")
    made, intervals = [], []
    for number, begin in enumerate(begins):
        cells = [(name, draw(ROWS)) for name in names]
        made += [
            ReportValue(r_id=name, dtstart=begin, duration=None if is_point else lengths[number], **cell)
            for name, cell in cells
        ]
        has_start = shape in ("points", "stretches") or (shape == "first start only" and not number)
        intervals.append(
            Interval(
                dtstart=begin if has_start else None,
                duration=lengths[number] if shape in ("stretches", "chain", "first start only") else None,
                uid=None if has_start else str(number),
                stream_payload_base=tuple(
                    ReportPayload(
                        r_id=name,
                        payload_base=cell["value"],
                        oadr_data_quality=cell["data_quality"],
                        accuracy=cell["accuracy"],
                        confidence=cell["confidence"],
                    )
                    for name, cell in cells
                ),
            )
        )
    whole = sum(lengths, timedelta()) if shape == "equal parts" else None
    found = report(*intervals, duration=whole, report_request_id=f"{step // SECOND if shape == 'granularity' else 0}")
    return found, made


def bare(values: Any) -> list[ReportValue]:
    return [evolve(one, item_base=None) for one in values]


@pytest.mark.rule("R314")
@pytest.mark.rule("R315")
@given(tables())
def test_values_of_any_shape_are_those_that_it_was_made_of(table: tuple[Report, list[ReportValue]]) -> None:
    made, values = table
    message = encode(UpdateReport(request_id="u", oadr_report=(made,), ven_id="v"))
    [arrived] = decode(message).payload.oadr_report  # type: ignore[attr-defined]  # it is what was encoded
    taken = take(arrived, expecting(*"abcde", granularity=int(made.report_request_id)))
    assert taken.faults == ()
    assert bare(taken.values) == values
    assert bare(ReportValues.of(list(taken.values))) == values


@given(tables(), st.data())
def test_whole_columns_and_single_values_are_read_alike(
    table: tuple[Report, list[ReportValue]], data: st.DataObject
) -> None:
    """One odd value makes that all are looked at one by one: the others come out as they did before."""
    made, _ = table
    expected = expecting(*"abcde", granularity=int(made.report_request_id))
    together = take(made, expected)
    place = data.draw(st.integers(0, len(made.intervals) - 1))
    odd = data.draw(st.sampled_from([value("zzz", 1.0), value("a", float("nan")), value("a", ONLINE)]))
    changed = evolve(made.intervals[place], stream_payload_base=(*made.intervals[place].stream_payload_base, odd))
    intervals = (*made.intervals[:place], changed, *made.intervals[place + 1 :])
    single = take(evolve(made, intervals=intervals), expected)
    assert len(single.faults) == 1
    assert single.values == together.values
    assert single.values.rows == together.values.rows
    assert {r_id: list(one.rows(r_id)) for r_id, one in single.values.columns.items()} == {
        r_id: list(one.rows(r_id)) for r_id, one in together.values.columns.items()
    }


PAYLOADS = st.one_of(
    st.builds(
        ReportPayload,
        r_id=st.sampled_from(["a", "b", "c", "unknown", ""]),
        payload_base=st.one_of(st.floats(width=32), st.just(ONLINE)),
        oadr_data_quality=QUALITIES,
    ),
    st.just(GBPayload(feed="<feed/>")),
    st.just(SignalPayload(payload_base=1.0)),
)
INTERVALS = st.builds(
    Interval,
    dtstart=st.none() | st.datetimes(timezones=st.just(UTC)),
    duration=st.none()
    | st.builds(Duration, months=st.integers(-30, 10**6))
    | st.builds(Duration, seconds=st.integers(-(10**12), 10**15)),
    uid=st.none() | st.text(max_size=3),
    stream_payload_base=st.lists(PAYLOADS, min_size=1, max_size=3).map(tuple),
)


@given(
    st.builds(
        report,
        st.deferred(lambda: INTERVALS),
        st.deferred(lambda: INTERVALS),
        dtstart=st.none() | st.datetimes(timezones=st.just(UTC)),
        duration=st.none() | st.builds(Duration, seconds=st.integers(-(10**12), 10**15)),
    ),
    st.sampled_from([0, 60, 10**15]),
)
def test_whatever_comes_is_taken_or_named(shape: Report, granularity: int) -> None:
    expected = expecting("a", c=PayloadResourceStatus, granularity=granularity)
    expected = evolve(expected, points=MappingProxyType({**expected.points, "b": DataPoint()}))  # type: ignore[dict-item]
    taken = take(shape, expected)
    count = sum(len(one.stream_payload_base) for one in shape.intervals)
    assert len(taken.values) == count or taken.faults or len(taken.values) < count <= 6
    assert {fault.code for fault in taken.faults} <= {"452", "454"}
    for one in taken.values:
        assert one.r_id in ("a", "b", "c")
        assert expected.earliest <= one.dtstart <= expected.latest
        assert isinstance(one.value, {"a": float, "b": object, "c": PayloadResourceStatus}[one.r_id])
        assert one.value == one.value, "no number is unlike itself"
        assert one.duration is None or one.duration > timedelta()
    keys = [(one.r_id, one.dtstart) for one in taken.values]
    assert len(set(keys)) == len(keys)
    assert [at for _, at in keys] == sorted(at for _, at in keys)
