"""Reading and writing long runs of intervals as rows, and polls by what is around their venID, changes no result."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import Limits, LocalError, RemoteError, decode, encode
from oadr_core.model import (
    CurrencyPerKWh,
    DistributeEvent,
    Duration,
    EiActivePeriod,
    EiEvent,
    EiEventSignal,
    EiEventSignals,
    EiResponse,
    EiTarget,
    Event,
    EventDescriptor,
    EventStatus,
    Interval,
    PayloadResourceStatus,
    Poll,
    Properties,
    Report,
    ReportName,
    ReportPayload,
    SignalPayload,
    SignalType,
    UpdateReport,
)
from oadr_core.wire import columns, runs, writing
from oadr_core.wire.parse import parse
from tests.golden import ANNEX_A, PEERS

START = datetime(2030, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
COUNT = 6


def _event(count: int) -> bytes:
    intervals = [
        Interval(
            duration=Duration.of(HOUR), uid=str(number), stream_payload_base=[SignalPayload(payload_base=number / 8)]
        )
        for number in range(count)
    ]
    signal = EiEventSignal(
        intervals=intervals,
        signal_name="ELECTRICITY_PRICE",
        signal_type=SignalType.PRICE,
        signal_id="s",
        item_base=CurrencyPerKWh(item_units="EUR"),
    )
    event = EiEvent(
        event_descriptor=EventDescriptor(
            event_id="e", market_context="http://m", created_date_time=START, event_status=EventStatus.FAR
        ),
        ei_active_period=EiActivePeriod(
            properties=Properties(dtstart=START, duration=Duration.of(count * HOUR), x_ei_notification=Duration())
        ),
        ei_event_signals=EiEventSignals(ei_event_signal=[signal, attrs.evolve(signal, signal_id="t")]),
        ei_target=EiTarget(ven_id=["ven"]),
    )
    return encode(
        DistributeEvent(ei_response=EiResponse(), request_id="r", vtn_id="v", oadr_event=[Event(ei_event=event)])
    )


def _report(count: int) -> bytes:
    intervals = [
        Interval(
            dtstart=START + number * HOUR,
            stream_payload_base=[
                ReportPayload(r_id="a", payload_base=number / 3),
                ReportPayload(r_id="b", confidence=number, payload_base=-number),
            ],
        )
        for number in range(count)
    ]
    report = Report(
        dtstart=START,
        intervals=intervals,
        report_request_id="q",
        report_specifier_id="s",
        report_name=ReportName.TELEMETRY_USAGE,
        created_date_time=START,
    )
    return encode(UpdateReport(request_id="u", ven_id="v", oadr_report=[report, report]))


EVENT, REPORT = _event(COUNT), _report(COUNT)
LONG = [EVENT, REPORT, EVENT.replace(b"><", b">\n  <")]
POLLS = [encode(Poll(ven_id="ven-1")), *(path.read_bytes() for path in PEERS if b"oadrPoll" in path.read_bytes())]
PIECES = [
    b"",
    b"<",
    b">",
    b"/",
    b"&",
    b"&amp;",
    b"&#60;",
    b'"',
    b"=",
    b" ",
    b"\n",
    b"\x00",
    b"\xc3\xa9",
    b"\xff",
    b"]]>",
    b"<?x?>",
    b"<ei:interval>",
    b"</ei:interval>",
    b"<ei:interval/>",
    b"<ei:value>1</ei:value>",
    b"</ei:value>",
    b"<xcal:uid><xcal:text>7</xcal:text></xcal:uid>",
    b"<x/>",
    b"<strm:intervals>",
    b"</strm:intervals>",
    b' run="0"',
    b' xmlns:ei="urn:other"',
    b"<ei:venID>other</ei:venID>",
    b"NaN",
    b"x",
    b"PT5M",
]


def plainly(data: bytes) -> Any:
    """What the parser alone makes of a message: a comment behind it, and limits of its own, allow no shortcut.

    The comment may move the line on which a document is cut off, which has no path.
    """
    return _outcome(data + b"<!---->", Limits(bytes=1_000_000))


def _outcome(data: bytes, limits: Limits) -> Any:
    try:
        return decode(data, limits=limits)
    except RemoteError as error:
        return type(error), error.path, error.path and error.line


def outcome(data: bytes) -> Any:
    """What decode makes of a message."""
    try:
        return decode(data)
    except RemoteError as error:
        return type(error), error.path, error.path and error.line


@st.composite
def edited(draw: st.DrawFn, documents: list[bytes]) -> bytes:
    """A document with pieces put into it, mostly at the borders of tags and texts, and mostly several times alike."""
    data = draw(st.sampled_from(documents))
    for _ in range(draw(st.integers(1, 3))):
        piece = draw(st.sampled_from(PIECES))
        places = [match.start() for match in re.finditer(rb"(?<=>)|(?=<)|(?=>)|(?<=[0-9])", data)]
        start = draw(st.sampled_from(places))
        end = start + draw(st.sampled_from([0, 0, 1, 2, 13]))
        if draw(st.booleans()):
            data = data[:start] + piece + data[end:]
        else:
            around = data[max(0, start - 12) : start]
            data = data.replace(around + data[start:end], around + piece)
    return data


def test_runs_of_intervals_are_found() -> None:
    for document in LONG:
        shortened = runs.shorten(document)
        assert shortened is not None
        assert [rows.number for rows in shortened[1]] == [COUNT, COUNT]
        assert document.count(b"<ei:interval>") == 2 * COUNT
        assert outcome(document) == plainly(document)


@pytest.mark.parametrize("path", [*ANNEX_A, *PEERS], ids=lambda path: path.name)
def test_messages_of_peers_mean_the_same(path: Any) -> None:
    data = path.read_bytes()
    assert outcome(data) == plainly(data)


@given(data=edited(LONG), guessed=st.sampled_from([0, 1_000_000]))
def test_edited_run_means_the_same(data: bytes, guessed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "_GUESSED", guessed)
        assert outcome(data) == plainly(data)


@pytest.mark.parametrize("changed", [None, 0, 1, 37, 99])
def test_texts_that_are_nearly_always_the_same(changed: int | None) -> None:
    intervals = [
        Interval(
            dtstart=START + number * HOUR,
            stream_payload_base=[ReportPayload(r_id="other" if number == changed else "a", payload_base=number / 7)],
        )
        for number in range(100)
    ]
    document = written(intervals, few=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "_GUESSED", 0)
        shortened = runs.shorten(document)
        assert shortened is not None
        assert [isinstance(rows.columns[1], str) for rows in shortened[1]] == [changed is None] * 2
        assert outcome(document) == plainly(document)


@given(data=edited(POLLS))
def test_edited_poll_means_the_same(data: bytes) -> None:
    assert outcome(data) == plainly(data)


@given(ven_id=st.text(max_size=20))
def test_poll_with_any_ven_id_means_the_same(ven_id: str) -> None:
    for poll in POLLS[:2]:
        data = re.sub(rb"(?<=venID>)[^<]+", lambda _: ven_id.encode("utf-8", "surrogatepass"), poll, count=1)
        assert outcome(data) == plainly(data)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<ei:interval>", b"<ei:interval><ei:interval>"),
        (b"</ei:interval>", b"</ei:interval></ei:interval>"),
        (b"<strm:intervals>", b"<strm:intervals><x>"),
        (b"<ei:value>0</ei:value>", b"<ei:value>0<x/></ei:value>"),
        (b"<xcal:text>0</xcal:text>", b"<xcal:text><![CDATA[<xcal:text>0</xcal:text>]]></xcal:text>"),
        (b"<xcal:text>0</xcal:text>", b"<xcal:text>&#48;</xcal:text>"),
        (b"<xcal:text>3</xcal:text>", b"<xcal:text>&#55;</xcal:text>"),
        (b"<xcal:text>3</xcal:text>", b"<xcal:text>]]></xcal:text>"),
        (b"<xcal:text>3</xcal:text>", b"<xcal:test>3</xcal:test>"),
        (b"<xcal:text>1</xcal:text>", b"<xcal:text/>"),
        (b"<xcal:text>0</xcal:text>", b"<xcal:text/>"),
        (b"<ei:interval>", b'<ei:interval run="0">'),
        (b"<strm:intervals>", b'<strm:intervals run="0">'),
    ],
)
def test_what_only_seems_to_be_a_run(old: bytes, new: bytes) -> None:
    for document in (EVENT.replace(old, new), EVENT.replace(old, new, 1)):
        assert document != EVENT
        assert outcome(document) == plainly(document)


def test_values_in_comments_are_no_values() -> None:
    uid = rb"<xcal:text>(\d)</xcal:text></xcal:uid>"
    document = re.sub(uid, rb"<xcal:text><![CDATA[0]]></xcal:text></xcal:uid><!--<y>\1</y>-->", EVENT)
    assert document != EVENT
    assert outcome(document) == plainly(document)


def test_run_is_only_put_back_where_its_first_element_stands() -> None:
    shortened = runs.shorten(EVENT)
    assert shortened is not None
    document, found = shortened
    assert runs.restore(parse(document), found)
    for changed in (
        document.replace(b">0</xcal:text>", b">7</xcal:text>"),
        document.replace(b' run="0"', b""),
        document.replace(b' run="0"', b' run="1"'),
        document.replace(b"</xcal:uid>", b"</xcal:uid><x/>"),
    ):
        assert changed != document
        assert not runs.restore(parse(changed), found)


@pytest.mark.parametrize(
    "ven_id", [b"a&amp;b", b"a&#65;b", b"a]]>b", b"a>b", "\u00e9".encode(), b" a ", b"", b"\xff", b"&x;"]
)
def test_poll_with_a_venid_that_is_not_plain_means_the_same(ven_id: bytes) -> None:
    data = POLLS[0].replace(b"ven-1", ven_id)
    assert outcome(data) == plainly(data)


# --- writing --------------------------------------------------------------------------------------------------------

TEXTS = st.sampled_from(["a", "b", "<&>", "\u00e9", "", " "])
NUMBERS = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -230.0, 0.1, 1e16, 1e-5, float("inf"), float("nan"), 3]), st.floats(width=64)
)
TIMES = [START, START.astimezone(timezone(2 * HOUR)), START + HOUR / 7, START.replace(tzinfo=timezone(0 * HOUR))]
STATUS = PayloadResourceStatus(oadr_online=True, oadr_manual_override=False)


@st.composite
def intervals_of_reports(draw: st.DrawFn) -> list[Interval]:
    """Intervals that are mostly of one form."""
    count, width = draw(st.integers(2, 6)), draw(st.integers(1, 3))
    same = draw(st.booleans())
    quality = draw(st.sampled_from([None, "Quality Good - Non Specific", "x-own"]))
    times = st.sampled_from([START] if draw(st.booleans()) else TIMES)
    return [
        Interval(
            dtstart=draw(times) + number * HOUR if same or draw(st.booleans()) else None,
            duration=draw(st.sampled_from([Duration.of(HOUR), Duration.parse("PT3600S")])),
            uid=str(number) if same or draw(st.booleans()) else None,
            stream_payload_base=[
                ReportPayload(
                    r_id=draw(TEXTS),
                    confidence=None if same else draw(st.sampled_from([None, 0, 100])),
                    payload_base=draw(NUMBERS) if same else draw(st.one_of(NUMBERS, st.just(STATUS))),
                    oadr_data_quality=quality,
                )
                for _ in range(width if same else draw(st.integers(1, 3)))
            ],
        )
        for number in range(count)
    ]


def written(intervals: list[Interval], few: int) -> bytes:
    """The report with these intervals, where so many are a run."""
    report = Report(
        dtstart=START,
        intervals=intervals,
        report_request_id="q",
        report_specifier_id="s",
        created_date_time=START,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "_FEW", few)
        patch.setattr(columns, "_MANY_TIMES", few)
        return encode(UpdateReport(request_id="u", ven_id="v", oadr_report=[report, report]))


@given(intervals=intervals_of_reports())
def test_runs_are_written_like_anything_else(intervals: list[Interval]) -> None:
    document = written(intervals, few=2)
    assert document == written(intervals, few=1_000)
    again = decode(document).payload
    assert isinstance(again, UpdateReport)
    assert written(list(again.oadr_report[0].intervals), few=2) == document  # values as they were read, too


def test_long_report_is_written_as_runs() -> None:
    intervals = [
        Interval(dtstart=START + n * HOUR, stream_payload_base=[ReportPayload(r_id="a", payload_base=n / 7)])
        for n in range(100)
    ]
    text: writing.Runs = []
    mark = writing.write_run("ei:interval", intervals, lambda item, runs: "", text)
    assert mark == writing.MARK
    [run] = text
    assert "".join(run).count("<ei:interval>") == len(intervals)
    assert written(intervals, few=2) == written(intervals, few=1_000)


@pytest.mark.parametrize("wrong", ["nan", True, None, "1"])
def test_value_that_cannot_be_written_is_named_wherever_it_stands(wrong: Any) -> None:
    intervals = [
        Interval(dtstart=START + n * HOUR, stream_payload_base=[ReportPayload(r_id="a", payload_base=n / 7)])
        for n in range(100)
    ]
    payload = attrs.evolve(intervals[70].stream_payload_base[0], payload_base=wrong)
    intervals[70] = attrs.evolve(intervals[70], stream_payload_base=(payload,))
    with pytest.raises(LocalError) as caught:
        written(intervals, few=2)
    assert "intervals[70]" in (caught.value.path or "")


ODD_NUMBERS = [
    "1.0",
    "01",
    "1e5",
    "1E5",
    "+1",
    "INF",
    " 2",
    "-0",
    "0.0001",
    "0.00001",
    "1.",
    ".5",
    "0.10",
    "1.2.3",
    "_1",
]
LONG_NUMBERS = ["123456789.123456", "123456789012345678", "0.12345678901234567", "1234567.1234567890"]
ODD_TIMES = [
    "2030-01-01T00:00:00Z",
    "2030-12-31T23:59:59Z",
    "2030-01-01T24:00:00Z",
    "2030-02-30T00:00:00Z",
    "2030-01-01T00:00:60Z",
    "2030-01-01T00:00:00.5Z",
    "2030-01-01T00:00:00.000000Z",
    "2030-01-01T00:00:00",
    "2030-01-01T00:00:00+00:00",
    "0000-01-01T00:00:00Z",
    "-2030-01-01T00:00:00Z",
    " 2030-01-01T00:00:00Z",
]


@given(
    numbers=st.lists(st.one_of(NUMBERS.map(repr), st.integers().map(str), st.sampled_from(ODD_NUMBERS + LONG_NUMBERS)))
)
def test_columns_of_numbers_are_read_like_single_ones(numbers: list[str]) -> None:
    numbers = ["0", *numbers, "7"]
    columns_are_read_like_single_texts(numbers, [f"2030-01-01T{hour % 24:02}:00:00Z" for hour in range(len(numbers))])


@given(times=st.lists(st.one_of(st.sampled_from(ODD_TIMES[:2]), st.sampled_from(ODD_TIMES)), min_size=6))
def test_columns_of_times_are_read_like_single_ones(times: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "_MANY_TIMES", 2)
        columns_are_read_like_single_texts([str(number) for number, _ in enumerate(times)], times)


@pytest.mark.parametrize("odd", ODD_NUMBERS + LONG_NUMBERS)
def test_number_among_plain_ones_keeps_its_text(odd: str) -> None:
    times = [f"2030-01-01T{hour:02}:00:00Z" for hour in range(20)]
    for repeated in (False, True):
        numbers = [str(1 if repeated else number / 8) for number in range(20)]
        columns_are_read_like_single_texts([*numbers[:7], odd, *numbers[8:]], times)


def columns_are_read_like_single_texts(numbers: list[str], times: list[str]) -> None:
    """A report of these is what it is without shortcuts."""
    rows = "".join(
        f"<ei:interval><xcal:dtstart><xcal:date-time>{time}</xcal:date-time></xcal:dtstart><oadr:oadrReportPayload>"
        f"<ei:rID>r</ei:rID><ei:payloadFloat><ei:value>{number}</ei:value></ei:payloadFloat></oadr:oadrReportPayload>"
        "</ei:interval>"
        for number, time in zip(numbers, times, strict=True)
    )
    begin, end = REPORT.index(b"<ei:interval>"), REPORT.index(b"</strm:intervals>")
    data = REPORT[:begin] + rows.encode() + REPORT[end:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "_MANY_NUMBERS", 2)
        one, other = outcome(data), plainly(data)
    assert repr(one) == repr(other)  # NaN is not itself
    if isinstance(one, Exception | tuple):
        return
    intervals = one.payload.oadr_report[0].intervals, other.payload.oadr_report[0].intervals
    for mine, same in zip(*intervals, strict=True):
        assert type(mine.dtstart) is type(same.dtstart)
        assert mine.dtstart.tzinfo is same.dtstart.tzinfo
        assert type(mine.stream_payload_base[0].payload_base) is type(same.stream_payload_base[0].payload_base)
    assert encode(one.payload) == encode(other.payload)


@pytest.mark.parametrize("zeros", [[0.0, -0.0], [-0.0, 0.0], [0, -0.0], [0.0, 0]])
def test_zeros_keep_their_sign_among_many(zeros: list[float]) -> None:
    intervals = [
        Interval(dtstart=START + n * HOUR, stream_payload_base=[ReportPayload(r_id="a", payload_base=value)])
        for n, value in enumerate(zeros * 10)
    ]
    assert written(intervals, few=2) == written(intervals, few=1_000)
