"""Reading long runs of intervals as rows, and polls by what is around their venID, changes no result."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import Limits, RemoteError, decode, encode
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
    Poll,
    Properties,
    Report,
    ReportName,
    ReportPayload,
    SignalPayload,
    SignalType,
    UpdateReport,
)
from oadr_core.wire import runs
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
        assert [len(rows.texts) // rows.width for rows in shortened[1]] == [COUNT, COUNT]
        assert document.count(b"<ei:interval>") == 2 * COUNT
        assert outcome(document) == plainly(document)


@pytest.mark.parametrize("path", [*ANNEX_A, *PEERS], ids=lambda path: path.name)
def test_messages_of_peers_mean_the_same(path: Any) -> None:
    data = path.read_bytes()
    assert outcome(data) == plainly(data)


@given(data=edited(LONG))
def test_edited_run_means_the_same(data: bytes) -> None:
    assert outcome(data) == plainly(data)


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
