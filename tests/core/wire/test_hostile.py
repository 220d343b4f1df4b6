"""Documents that no peer with good intentions sends: each kind has its error class, and costs little."""

from __future__ import annotations

import gc
import gzip
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from oadr_core import LocalError, RemoteError, decode, encode
from oadr_core.errors import (
    CharacterForbidden,
    DocumentTypeForbidden,
    EncodingForbidden,
    EntityForbidden,
    ExternalReferenceForbidden,
    ForbiddenXml,
    LimitExceeded,
    NamespaceForbidden,
    NotXml,
    ProcessingInstructionForbidden,
    SchemaViolation,
    UnknownMessage,
    WrongProfile,
)
from oadr_core.model import (
    NAMESPACES,
    DistributeEvent,
    Duration,
    EiActivePeriod,
    EiEvent,
    EiEventSignal,
    EiEventSignals,
    Event,
    EventDescriptor,
    EventStatus,
    Interval,
    Poll,
    Properties,
    Report,
    ReportPayload,
    SignalPayload,
    SignalType,
    UpdateReport,
)
from oadr_core.wire import Limits
from tests.golden import ANNEX_A

SAMPLES = {path.stem: path.read_text() for path in ANNEX_A}
POLL, EVENT = SAMPLES["oadrPoll"], SAMPLES["oadrDistributeEvent"]
EI = NAMESPACES["ei"]
NOW = datetime(2025, 1, 1, tzinfo=UTC)


def _within(text: str) -> str:
    return POLL.replace("ven-1", text)


HOSTILE: list[tuple[bytes | str, type[RemoteError]]] = [
    ("<!DOCTYPE x>" + POLL, DocumentTypeForbidden),
    ("<!DOCTYPE x [<!ELEMENT x ANY>]>" + POLL, DocumentTypeForbidden),
    ('<!DOCTYPE x [<!ENTITY a "b">]>' + _within("&a;"), EntityForbidden),
    ('<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>' + _within("&b;"), EntityForbidden),
    ('<!DOCTYPE x [<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;]>' + POLL, EntityForbidden),
    ('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + _within("&a;"), EntityForbidden),
    ('<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd">' + POLL, ExternalReferenceForbidden),
    ('<!DOCTYPE x PUBLIC "a" "http://127.0.0.1/x.dtd">' + POLL, ExternalReferenceForbidden),
    (_within("&a;"), NotXml),
    (POLL.encode("utf-16"), EncodingForbidden),
    (POLL.encode("utf-16-le"), EncodingForbidden),
    (POLL.encode("utf-16-be"), EncodingForbidden),
    (POLL.encode("utf-32"), EncodingForbidden),
    ('<?xml version="1.0" encoding="latin-1"?>' + POLL, EncodingForbidden),
    ('<?xml version="1.0" encoding="UTF-7"?>' + POLL, EncodingForbidden),
    ("<?xml version='1.0' encoding='utf-16'?>" + POLL, EncodingForbidden),
    ('<?xml version="1.0" encoding="utf-16" bogus="1"?>' + POLL, NotXml),
    (_within("ä").encode("latin-1"), NotXml),
    (_within("x").replace("x", "\x00").encode(), CharacterForbidden),
    (_within("\x1b[31m"), CharacterForbidden),
    (_within("&#0;"), CharacterForbidden),
    (_within("&#x1B;"), CharacterForbidden),
    (_within("&#xD800;"), CharacterForbidden),
    (_within("\uffff"), CharacterForbidden),
    (_within("x").encode().replace(b">x<", b">\xed\xa0\x80<"), NotXml),
    (_within("x").encode().replace(b">x<", b">\xc0\xbc<"), NotXml),
    ("<?php x?>" + POLL, ProcessingInstructionForbidden),
    (POLL + "<?x?>", ProcessingInstructionForbidden),
    (_within('<?xml-stylesheet href="x"?>'), ProcessingInstructionForbidden),
    (_within("<x:y/>"), NamespaceForbidden),
    (_within('<y x:z="1"/>'), NamespaceForbidden),
    (_within('<y xmlns:xml="urn:x"/>'), NamespaceForbidden),
    (_within('<y xmlns:xmlns="urn:x"/>'), NamespaceForbidden),
    (_within('<y xmlns:a=""/>'), NamespaceForbidden),
    (_within('<y xmlns:a="http://www.w3.org/2000/xmlns/"/>'), NamespaceForbidden),
    (_within('<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/>'), SchemaViolation),
    (_within("<ei:venID>"), NotXml),
    (POLL * 2, NotXml),
    ("", NotXml),
    (" \n", NotXml),
    ("null", NotXml),
    ("<html>", NotXml),
    (b"\xef\xbb\xbf", NotXml),
    (" " + '<?xml version="1.0"?>' + POLL, NotXml),
    (POLL + "<x/>", NotXml),
    (POLL + "garbage", NotXml),
    ("garbage" + POLL, NotXml),
    ("<!DOCTYPE html><html></html>", DocumentTypeForbidden),
    ('{"message": "Poll"}', NotXml),
    (gzip.compress(POLL.encode()), NotXml),
    (POLL.encode("utf-32-be"), EncodingForbidden),
    (POLL.encode("utf-32-le"), EncodingForbidden),
    (POLL.encode("utf-7").replace(b"<", b"+ADw-"), NotXml),
    (POLL.encode("cp037"), NotXml),
    ('<?xml version="1.0" encoding="EBCDIC-CP-US"?>' + POLL, EncodingForbidden),
    ('<?xml version="1.1" encoding="utf-8"?>' + POLL.replace("oadrPoll", "oadr\u0085Poll"), NotXml),
    (b"\xef\xbb\xbf\xef\xbb\xbf" + POLL.encode(), NotXml),
    (b"<?xml version='1.0'?>\xef\xbb\xbf" + POLL.encode(), NotXml),
    ("<?xml version='1.0'?>" * 2 + POLL, NotXml),
    (_within("x").encode().replace(b">x<", b">\xf4\x90\x80\x80<"), NotXml),
    (_within("x").encode().replace(b">x<", b">\xe0\x80\xaf<"), NotXml),
    (_within("&#xFFFE;"), CharacterForbidden),
    (_within("\ufffe"), CharacterForbidden),
    (_within("&#x110000;"), CharacterForbidden),
    (_within("<?xml version='1.0'?>"), NotXml),
    (POLL.replace("<oadr:oadrPoll ", "<?x?><oadr:oadrPoll "), ProcessingInstructionForbidden),
    (POLL.replace("</oadr:oadrPayload>", "<?x y?></oadr:oadrPayload>"), ProcessingInstructionForbidden),
    (POLL.replace("<oadr:oadrPayload ", '<oadr:oadrPayload ei:schemaVersion="a" ei:schemaVersion="b" '), NotXml),
    (
        POLL.replace("<oadr:oadrPayload ", f'<oadr:oadrPayload xmlns:o="{EI}" o:x="a" ei:x="b" '),
        NotXml,
    ),
    (_within('<y xmlns:xml="http://www.w3.org/XML/1998/namespaces"/>'), NamespaceForbidden),
    (_within('<y xmlns="http://www.w3.org/2000/xmlns/"/>'), NamespaceForbidden),
    (_within("<xmlns:y/>"), NamespaceForbidden),
    (POLL.replace("<ei:venID>", '<ei:venID xmlns:ei="urn:other">', 1), SchemaViolation),
    (POLL.replace("<oadr:oadrPoll ", '<oadr:oadrPoll xmlns:oadr="urn:other" ', 1), UnknownMessage),
    (POLL.replace("oadr-2.0b/2012/07", "oadr-2.0a/2012/07"), WrongProfile),
    (f'<a xmlns="{"u" * 257}">{" " * 16_384}</a>', LimitExceeded),
    (f'<p:a xmlns:p="{"u" * 200_000}">' + "".join(f"<p:b{n}/>" for n in range(3000)) + "</p:a>", LimitExceeded),
    (f"<p:a xmlns:p = '{'u' * 1_000_000}'" + "".join(f" p:b{n}=''" for n in range(10_000)) + "/>", LimitExceeded),
    (
        "<!DOCTYPE x [" + "".join(f"<!ATTLIST x a{n} CDATA ''>" for n in range(300_000)) + "]><x/>",
        DocumentTypeForbidden,
    ),
    (f'<!DOCTYPE x [<!ENTITY a "{"a" * 100_000}">]><x>{"&a;" * 100_000}</x>', EntityForbidden),
]


@pytest.mark.parametrize(("document", "error"), HOSTILE, ids=lambda value: getattr(value, "__name__", None))
@pytest.mark.parametrize("strict", [False, True])
def test_hostile_document_is_refused_by_kind(document: bytes | str, error: type[RemoteError], strict: bool) -> None:
    with pytest.raises(error) as caught:
        decode(document.encode() if isinstance(document, str) else document, strict=strict)
    assert type(caught.value) is error
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "text",
    [
        f"xmlns='{'x' * 300}'",
        f' a="{"x" * 300}"',
        "<!-- <!DOCTYPE x> -->",
        "<![CDATA[<!DOCTYPE x>]]>",
        "<!-- <?x?> -->",
        "<![CDATA[<?x?>]]>",
        "?",
        "!",
        "&lt;?x?>",
    ],
)
def test_harmless_look_alike_passes(text: str) -> None:
    envelope = decode(_within(f"a{text}b").encode(), strict=True)
    assert isinstance(envelope.payload, Poll)
    assert envelope.payload.ven_id.startswith("a")


@pytest.mark.parametrize(
    "declaration",
    [
        "",
        '<?xml version="1.0"?>',
        "<?xml version='1.0' encoding='UTF-8' standalone='no'?>\r\n",
        '<?xml version="1.0" encoding="utf8"?>',
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_declaration_and_mark_of_utf8_pass(declaration: str, mark: bytes) -> None:
    assert decode(mark + (declaration + POLL).encode()).payload == Poll(ven_id="ven-1")


@pytest.mark.parametrize("document", [POLL, EVENT, SAMPLES["signed.oadrPoll"]], ids=["poll", "event", "signed"])
def test_document_that_is_cut_off_anywhere_is_not_xml(document: str) -> None:
    data = document.strip().encode()
    for length in range(len(data)):
        with pytest.raises(NotXml):
            decode(data[:length])


@pytest.mark.parametrize("position", ["<oadr:oadrPayload", "<oadr:oadrSignedObject", "<oadr:oadrPoll", "<ei:venID"])
def test_comments_may_stand_anywhere(position: str) -> None:
    assert decode(POLL.replace(position, f"<!-- x -->{position}").encode(), strict=True).payload == Poll(ven_id="ven-1")
    assert decode(_within("ven<!-- x -->-1").encode(), strict=True).payload == Poll(ven_id="ven-1")


# --- limits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (Limits(bytes=len(POLL) - 1), "bytes"),
        (Limits(elements=3), "elements"),
        (Limits(text=4), "characters"),
    ],
)
def test_limit_is_exact(limits: Limits, text: str) -> None:
    with pytest.raises(LimitExceeded, match=text):
        decode(POLL.encode(), limits=limits)
    decode(POLL.encode(), limits=Limits(bytes=len(POLL), elements=4, text=5))


@pytest.mark.parametrize("document", [POLL, EVENT, SAMPLES["oadrUpdateReport"]], ids=["poll", "event", "report"])
def test_depth_attributes_and_namespaces_of_ordinary_messages_have_limits(document: str) -> None:
    depth = max(len(list(element.iterancestors())) + 1 for element in etree.fromstring(document).iter())
    decode(document.encode(), limits=Limits(depth=depth, attributes=1, namespace=60))
    for limits in (Limits(depth=depth - 1), Limits(attributes=0), Limits(namespace=40)):
        with pytest.raises(LimitExceeded):
            decode(document.encode(), limits=limits)


def test_depth_and_attributes_have_limits() -> None:
    with pytest.raises(LimitExceeded, match="nested deeper"):
        decode(_within("<a>" * 100 + "</a>" * 100).encode())
    attributes = "".join(f' a{number}=""' for number in range(100))
    with pytest.raises(LimitExceeded, match="attributes"):
        decode(_within(f"<a{attributes}/>").encode())


def test_deviations_have_a_limit() -> None:
    document = EVENT.replace("ei:payloadFloat", "oadr:payloadFloat").encode()
    assert len(decode(document).deviations) == 5
    with pytest.raises(LimitExceeded, match="deviations"):
        decode(document, limits=Limits(deviations=4))


@pytest.mark.parametrize(
    "document",
    [
        "<a>" * 200_000 + "</a>" * 200_000,
        "<a>" + "<b/>" * 2_000_000 + "</a>",
        _within("<a>" * 100_000 + "</a>" * 100_000),
        _within("x" * 5_000_000),
        "<a" + "".join(f' xmlns:a{number}="urn:{number}"' for number in range(100_000)) + "/>",
        "<a" + "".join(f' a{number}="x"' for number in range(100_000)) + "/>",
        EVENT.replace("<ei:value>1<", f"<ei:value>{'1' * 1_000_000}<"),
        EVENT.replace(">PT5M<", f">P{'1' * 1_000_000}D<"),
        EVENT.replace("<ei:priority>1<", f"<ei:priority>{'1' * 1_000_000}<"),
        EVENT.replace("http://example.com", f"http://{'a:' * 500_000}"),
        EVENT.replace("<ei:venID>", "<ei:venID/>" * 200_000 + "<ei:venID>"),
    ],
    ids=[
        "deep",
        "wide",
        "deep inside",
        "long",
        "namespaces",
        "attributes",
        "number",
        "duration",
        "integer",
        "URI",
        "repeated",
    ],
)
def test_large_document_is_refused_or_read_in_bounded_memory(document: str) -> None:
    data = document.encode()
    tracemalloc.start()
    try:
        decode(data)
    except RemoteError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 100 * len(data) + 1_000_000


def test_report_of_a_day_by_minutes_passes_the_limits() -> None:
    payloads = [ReportPayload(r_id=f"r{number}", payload_base=float(number)) for number in range(10)]
    intervals = [
        Interval(dtstart=NOW + timedelta(minutes=number), stream_payload_base=payloads) for number in range(1440)
    ]
    report = Report(
        dtstart=NOW, intervals=intervals, report_request_id="q", report_specifier_id="s", created_date_time=NOW
    )
    payload = UpdateReport(request_id="u", ven_id="v", oadr_report=[report])
    assert decode(encode(payload)).payload == payload


def test_report_of_a_hundred_thousand_intervals_that_say_all_they_can_passes_the_limits() -> None:
    before, rest = SAMPLES["oadrUpdateReport"].split("<strm:intervals>", 1)
    after = rest.split("</strm:intervals>", 1)[1]
    intervals = "".join(
        "<ei:interval><xcal:dtstart><xcal:date-time>2025-01-01T00:00:00Z</xcal:date-time></xcal:dtstart>"
        f"<xcal:duration><xcal:duration>PT1S</xcal:duration></xcal:duration><xcal:uid><xcal:text>{number}</xcal:text>"
        f"</xcal:uid><oadr:oadrReportPayload><ei:rID>a</ei:rID><ei:confidence>95</ei:confidence><ei:accuracy>0.5"
        f"</ei:accuracy><ei:payloadFloat><ei:value>{number}.5</ei:value></ei:payloadFloat><oadr:oadrDataQuality>"
        "Quality Good - Non Specific</oadr:oadrDataQuality></oadr:oadrReportPayload></ei:interval>\n"
        for number in range(100_000)
    )
    payload = decode(f"{before}<strm:intervals>{intervals}</strm:intervals>{after}".encode()).payload
    assert isinstance(payload, UpdateReport)
    assert len(payload.oadr_report[0].intervals) == 100_000


@pytest.mark.parametrize(
    "document",
    [
        "".join(f"<a{number:x}/>" for number in range(500_001)),
        "".join(
            "<a" + "".join(f" a{number:x}\n= 'b'" for number in range(at, at + 60)) + "/>"
            for at in range(0, 12_000, 60)
        )
        + " " * 16 * 1024 * 1024,
    ],
    ids=["elements", "attributes"],
)
def test_different_names_have_a_limit_in_a_long_document(document: str) -> None:
    with pytest.raises(LimitExceeded, match="different names"):
        decode(_within(document).encode())


def test_memory_of_reading_stays_below_twelve_times_the_document() -> None:
    document = encode(_events(5, 288))
    decode(document)
    gc.collect()
    tracemalloc.start()
    decode(document)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 * len(document)


def _events(count: int, length: int) -> DistributeEvent:
    value = SignalPayload(payload_base=1.5)
    intervals = [
        Interval(duration=Duration.parse("PT5M"), uid=str(number), stream_payload_base=[value])
        for number in range(length)
    ]
    signal = EiEventSignal(intervals=intervals, signal_name="SIMPLE", signal_type=SignalType.LEVEL, signal_id="s")
    period = EiActivePeriod(
        properties=Properties(dtstart=NOW, duration=Duration.parse("P1D"), x_ei_notification=Duration())
    )
    events = [
        Event(
            ei_event=EiEvent(
                event_descriptor=EventDescriptor(
                    event_id=f"e{number}",
                    market_context="http://x",
                    created_date_time=NOW,
                    event_status=EventStatus.FAR,
                ),
                ei_active_period=period,
                ei_event_signals=EiEventSignals(ei_event_signal=[signal]),
            )
        )
        for number in range(count)
    ]
    return DistributeEvent(request_id="r", vtn_id="V", oadr_event=events)


# --- writing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["\x00", "\x1b", "\ud800", "\ufffe"])
def test_character_that_xml_cannot_carry_is_not_written(text: str) -> None:
    with pytest.raises(LocalError) as caught:
        encode(Poll(ven_id=text))
    assert caught.value.path == "Poll/ven_id"


@pytest.mark.parametrize("text", ["</ei:venID>", "<!--", "]]>", "&amp;", "\r\n", '"', "'", "<?x?>", "<!DOCTYPE x>"])
def test_text_is_never_markup(text: str) -> None:
    assert decode(encode(Poll(ven_id=text))).payload == Poll(ven_id=text)


@pytest.mark.parametrize(
    "foreign",
    [
        "<a>",
        "</xcal:components>",
        "&x;",
        "<?x?>",
        "<a:b/>",
        "<!DOCTYPE x>",
        '<a xmlns="relative"/>',
        "\x00",
        "<a>" * 500 + "</a>" * 500,
    ],
)
def test_foreign_xml_is_checked_before_it_is_written(foreign: str) -> None:
    event = _events(1, 1)
    body = event.oadr_event[0].ei_event
    period = EiActivePeriod(properties=body.ei_active_period.properties, components=foreign)
    spoilt = DistributeEvent(
        request_id="r",
        vtn_id="V",
        oadr_event=[
            Event(
                ei_event=EiEvent(
                    event_descriptor=body.event_descriptor,
                    ei_active_period=period,
                    ei_event_signals=body.ei_event_signals,
                )
            )
        ],
    )
    with pytest.raises(LocalError) as caught:
        encode(spoilt)
    assert caught.value.path == "DistributeEvent/oadr_event[0]/ei_event/ei_active_period/components"


def test_forbidden_kinds_have_one_base() -> None:
    assert all(
        issubclass(error, (ForbiddenXml, NotXml, SchemaViolation, UnknownMessage, WrongProfile)) for _, error in HOSTILE
    )
