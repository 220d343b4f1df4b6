"""What a tolerant reader lets pass, and says so; what a strict one refuses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from oadr_core import RemoteError, decode, encode
from oadr_core.errors import SchemaViolation, UnknownMessage, WrongProfile
from oadr_core.model import NAMESPACES, CreateOpt, DistributeEvent, Poll, RegisterReport, Response
from tests.golden import ANNEX_A

SAMPLES = {path.stem: path.read_text() for path in ANNEX_A}
POLL, EVENT, REPORT, OPT = (SAMPLES[f"oadr{name}"] for name in ("Poll", "DistributeEvent", "UpdateReport", "CreateOpt"))
PENDING, PENDING_TAG = SAMPLES["oadrCanceledReport"], "oadr:oadrPendingReports"
REGISTRATION = SAMPLES["oadrCreatePartyRegistration"]
AREA = (
    '<emix:serviceArea><gml:FeatureCollection xmlns:gml="http://www.opengis.net/gml/3.2" gml:id="a"><gml:location>'
    "<gml:Polygon><gml:exterior><gml:LinearRing><gml:posList>1 2</gml:posList></gml:LinearRing></gml:exterior>"
    "</gml:Polygon></gml:location></gml:FeatureCollection></emix:serviceArea>"
)
Case = tuple[str, str, str, str, str]

# What is replaced by what, the rule that is named, and a piece of the text that says so.
TOLERATED: dict[str, Case] = {
    "no schemaVersion": (POLL, ' ei:schemaVersion="2.0b"', "", "R509", "schemaVersion is missing"),
    "other schemaVersion": (POLL, '"2.0b"', '"2.0a"', "R509", "not 2.0b"),
    "schemaVersion without prefix": (
        POLL,
        "ei:schemaVersion",
        "schemaVersion",
        "schema",
        "an attribute that the schema does not have",
    ),
    "Id without prefix": (POLL, "<oadr:oadrSignedObject", '<oadr:oadrSignedObject Id="x"', "schema", "an attribute"),
    "foreign attribute beside the Id": (
        POLL,
        "<oadr:oadrSignedObject",
        '<oadr:oadrSignedObject oadr:Id="i" x="y"',
        "schema",
        "an attribute",
    ),
    "Id that is there twice": (
        OPT,
        "<ei:venID>ven-1</ei:venID></ei:eiTarget>",
        f"{AREA}{AREA}<ei:venID>ven-1</ei:venID></ei:eiTarget>",
        "schema",
        "there twice",
    ),
    "foreign attribute": (POLL, "<ei:venID", '<ei:venID note="x"', "schema", "an attribute"),
    "schemaLocation": (
        POLL,
        "<oadr:oadrPayload",
        '<oadr:oadrPayload xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a b"',
        "R45",
        "a schemaLocation",
    ),
    "other order": (
        OPT,
        "<ei:optID>o1</ei:optID><ei:optType>optOut</ei:optType>",
        "<ei:optType>optOut</ei:optType><ei:optID>o1</ei:optID>",
        "schema",
        "not in the order",
    ),
    "wrong namespace": (POLL, "ei:venID", "oadr:venID", "schema", f"in the namespace {NAMESPACES['oadr']}"),
    "no namespace": (POLL, "<ei:venID>ven-1</ei:venID>", "<venID>ven-1</venID>", "schema", "in the namespace none"),
    "wrong namespace of a wrapper": (EVENT, "xcal:date-time", "ei:date-time", "schema", "in the namespace"),
    "wrong namespace of an item": (EVENT, "ei:interval>", "strm:interval>", "schema", "in the namespace"),
    "numeric offset": (EVENT, "2025-06-01T14:00:00Z", "2025-06-01T16:00:00+02:00", "R1", "a numeric offset"),
    "fractions in a duration": (EVENT, "PT5M", "PT5M0.5S", "R1", "fractions of a second"),
    "weeks in ISO form": (EVENT, "PT5M", "P2W", "R1", "weeks"),
    "empty number": (EVENT, "<ei:priority>1</ei:priority>", "<ei:priority/>", "R46", "an empty element"),
    "blanks in a code": (EVENT, ">200<", "> 200 <", "schema", "blanks around the text"),
    "blanks in a duration": (EVENT, ">PT5M<", ">\n PT5M\n<", "schema", "blanks around the text"),
    "other letters": (REGISTRATION, "simpleHttp", "simpleHTTP", "schema", "in other letters"),
    "a URI with brackets": (
        EVENT,
        "http://example.com/program/cpp",
        "http://example.com/[cpp",
        "schema",
        "characters that a URI",
    ),
    "nil with content": (
        EVENT,
        "<xcal:components/>",
        '<xcal:components xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true">x</xcal:components>',
        "schema",
        "an xsi:nil that cannot be",
    ),
    "no components": (EVENT, "<xcal:components/>", "", "schema", "the element is missing"),
    "part of a message in components": (
        EVENT,
        "<xcal:components/>",
        "<xcal:components><ei:venID>x</ei:venID></xcal:components>",
        "schema",
        "a part of a message",
    ),
    "start of an interval of an event": (
        EVENT,
        "<ei:interval><xcal:duration>",
        "<ei:interval><xcal:dtstart><xcal:date-time>2025-06-01T14:00:00Z</xcal:date-time></xcal:dtstart><xcal:duration>",
        "R103",
        "an interval of an event has a start",
    ),
}


def _changed(case: Case) -> tuple[bytes, str, str]:
    sample, old, new, rule, text = case
    assert old in sample
    everywhere = old[0] not in "< " and ":" in old[:5] and "schemaVersion" not in old
    return sample.replace(old, new, -1 if everywhere else 1).encode(), rule, text


@pytest.mark.parametrize("case", TOLERATED.values(), ids=list(TOLERATED))
def test_deviation_is_tolerated_and_named(case: Case, validate: Callable[[bytes], None]) -> None:
    document, rule, text = _changed(case)
    [deviation, *_] = [found for found in decode(document).deviations if found.rule == rule]
    assert text in deviation.text
    assert deviation.path.startswith("oadr")
    assert deviation.line is not None
    validate(encode(decode(document).payload))


@pytest.mark.parametrize("case", TOLERATED.values(), ids=list(TOLERATED))
def test_strict_reader_refuses_it(case: Case) -> None:
    document, rule, _ = _changed(case)
    with pytest.raises(SchemaViolation) as caught:
        decode(document, strict=True)
    assert caught.value.rule in (rule, "schema")
    assert caught.value.path
    assert caught.value.line


@pytest.mark.rule("R509")
def test_missing_schema_version_stays_missing() -> None:
    payload = decode(POLL.replace(' ei:schemaVersion="2.0b"', "").encode()).payload
    assert payload == Poll(ven_id="ven-1", schema_version=None)


def test_bare_message() -> None:
    start, end = POLL.index("<oadr:oadrPoll"), POLL.index("</oadr:oadrSignedObject>")
    declarations = POLL[len("<oadr:oadrPayload") : POLL.index(">")]
    bare = POLL[start:end].replace("<oadr:oadrPoll", f"<oadr:oadrPoll {declarations}")
    envelope = decode(bare.encode())
    assert envelope.payload == Poll(ven_id="ven-1")
    assert [deviation.rule for deviation in envelope.deviations] == ["PS 10.6"]


def test_signature_behind_the_object() -> None:
    signed = SAMPLES["signed.oadrPoll"]
    start, end = signed.index(" <ds:Signature "), signed.index("</ds:Signature>") + len("</ds:Signature>\n")
    moved = signed[:start] + signed[end:].replace("</oadr:oadrPayload>", signed[start:end] + "</oadr:oadrPayload>")
    envelope = decode(moved.encode())
    assert (envelope.signed, envelope.object_id) == (True, "signedObject")
    assert [deviation.text for deviation in envelope.deviations] == ["the signature stands behind the object"]


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("<ds:SignatureValue>AAAA</ds:SignatureValue>", "", "expected inside"),
        ("<ds:DigestValue>AAAA<", "<ds:DigestValue>A-<", "not base64"),
        (' Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"', "", "the attribute Algorithm is missing"),
        (' Target="#sig"', "", "the attribute Target is missing"),
        ('Id="prop"', 'Id="sig"', "there twice"),
        ('Id="prop"', 'Id="signedObject"', "there twice"),
        ('Id="prop"', 'Id="1"', "not an XML name"),
        ('URI="#prop"', 'URI="http://["', "not a URI"),
        ("<ds:SignedInfo>", "<ds:SignedInfo>x", "stray text"),
        ("CN=ven-1", "<ei:venID/>", "a part of a message"),
    ],
)
def test_malformed_signature_is_named(old: str, new: str, text: str) -> None:
    document = SAMPLES["signed.oadrPoll"].replace(old, new, 1).encode()
    assert any(text in deviation.text for deviation in decode(document).deviations)
    with pytest.raises(SchemaViolation):
        decode(document, strict=True)


@pytest.mark.rule("R105")
def test_missing_notification_is_named_and_not_even_refused_by_a_strict_reader() -> None:
    document = EVENT.replace(
        "<ei:x-eiNotification><xcal:duration>PT1H</xcal:duration></ei:x-eiNotification>", ""
    ).encode()
    for strict in (False, True):
        assert [deviation.rule for deviation in decode(document, strict=strict).deviations] == ["R105"]


@pytest.mark.rule("R1")
def test_fraction_of_a_second_in_a_time_is_kept() -> None:
    document = EVENT.replace("2025-06-01T10:00:00Z", "2025-06-01T10:00:00.1234567Z").encode()
    envelope = decode(document, strict=True)
    assert b"10:00:00.1234567Z" in encode(envelope.payload)


def test_time_without_z_is_read_as_utc_and_refused_by_a_strict_reader() -> None:
    document = EVENT.replace("2025-06-01T14:00:00Z", "2025-06-01T14:00:00", 1).encode()
    assert b">2025-06-01T14:00:00<" in encode(decode(document).payload)
    with pytest.raises(SchemaViolation, match="does not end in Z"):
        decode(document, strict=True)


def test_unit_that_is_named_by_its_type() -> None:
    document = EVENT.replace(
        "<power:powerReal>",
        '<power:powerItem xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="power:PowerRealType">',
    )
    envelope = decode(document.replace("</power:powerReal>", "</power:powerItem>").encode())
    assert envelope.payload == decode(EVENT.encode()).payload
    assert ["named by its type" in deviation.text for deviation in envelope.deviations] == [True]


def test_message_of_20a_is_recognised() -> None:
    document = POLL.replace(NAMESPACES["oadr"], "http://openadr.org/oadr-2.0a/2012/07").encode()
    with pytest.raises(WrongProfile, match="2\\.0a") as caught:
        decode(document)
    assert caught.value.rule == "R506"


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ("<html><body/></html>", UnknownMessage),
        (POLL.replace("oadrPoll", "oadrPool"), UnknownMessage),
        (POLL.replace("oadr-2.0b/2012/07", "oadr-2.0b/2012/07/"), UnknownMessage),
        (POLL.replace("ei:venID", "ei:vtnID"), SchemaViolation),
        (POLL.replace("<ei:venID>", "<ei:venID/><ei:venID>"), SchemaViolation),
        (POLL.replace("<ei:venID>ven-1</ei:venID>", ""), SchemaViolation),
        (POLL.replace("ven-1", "<b>ven</b>"), SchemaViolation),
        (POLL.replace("<ei:venID>", "text<ei:venID>"), SchemaViolation),
        (OPT.replace("<ei:eiTarget><ei:venID>ven-1</ei:venID>", "<ei:eiTarget>text"), SchemaViolation),
        (POLL.replace("</oadr:oadrPoll>", "text</oadr:oadrPoll>"), SchemaViolation),
        (POLL.replace("<oadr:oadrSignedObject>", "<oadr:oadrSignedObject>\u00a0"), SchemaViolation),
        (POLL.replace("</oadr:oadrS", "<oadr:oadrPoll><ei:venID/></oadr:oadrPoll></oadr:oadrS"), SchemaViolation),
        (POLL.replace("<oadr:oadrSignedObject>", "<oadr:oadrSignedObject/><oadr:oadrSignedObject>"), SchemaViolation),
        (EVENT.replace("<ei:value>1<", "<ei:value>one<"), SchemaViolation),
        (EVENT.replace("<xcal:text>0<", "<xcal:text/><xcal:text>0<"), SchemaViolation),
        (EVENT.replace(">far<", ">soon<"), SchemaViolation),
        (EVENT.replace("2025-06-01T14:00:00Z", "2025-02-30T14:00:00Z"), SchemaViolation),
        (EVENT.replace(">PT2H<", ">two hours<"), SchemaViolation),
        (PENDING.replace("<oadr:oadrPendingReports/>", f"<{PENDING_TAG}>x</{PENDING_TAG}>"), SchemaViolation),
    ],
)  # fmt: skip
def test_what_nobody_can_mend_is_refused(document: str, error: type[RemoteError]) -> None:
    with pytest.raises(error) as caught:
        decode(document.encode())
    assert caught.value.path
    assert caught.value.line


def test_error_says_where_what_and_which_rule() -> None:
    document = EVENT.replace("<ei:value>2<", "<ei:value>zwei<")
    with pytest.raises(SchemaViolation) as caught:
        decode(document.encode())
    error = caught.value
    assert error.path == (
        "oadrDistributeEvent/oadrEvent[1]/eiEvent/eiEventSignals/eiEventSignal[1]/intervals/interval[2]"
        "/signalPayload[1]/payloadFloat/value"
    )
    assert error.line == document[: document.index("zwei")].count("\n") + 1
    assert error.value == "zwei"
    assert str(error) == f"{error.path} (line {error.line}): not a number: 'zwei' [schema]"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (">PT2H<", ">{}<"),
        ("<oadr:oadrSignedObject>", "<oadr:oadrSignedObject>{}"),
        ("http://example.com", "http://[{}"),
    ],
)
def test_value_of_a_peer_is_escaped_and_cut(old: str, new: str) -> None:
    with pytest.raises(SchemaViolation) as caught:
        decode(EVENT.replace(old, new.format(f"\u202e\n{'x' * 10_000}")).encode())
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_prefixes_are_free() -> None:
    document = POLL.replace("ei:", "oadr2:").replace("xmlns:ei", "xmlns:oadr2")
    assert decode(document.encode()) == decode(POLL.encode())


def test_identifiers_stay_text() -> None:
    for text in ("0012345", "1e5", " a ", "true", ""):
        payload = decode(POLL.replace("ven-1", text).encode()).payload
        assert payload == Poll(ven_id=text)


def test_extension_names_pass() -> None:
    payload = decode(OPT.replace("x-schedule", "x-holiday in May").encode()).payload
    assert isinstance(payload, CreateOpt)
    assert payload.opt_reason == "x-holiday in May"


def test_lists_may_be_there_and_empty() -> None:
    response = decode(SAMPLES["oadrResponse"].encode()).payload
    assert isinstance(response, Response)
    event = decode(
        EVENT[: EVENT.index("<oadr:oadrEvent>")].encode() + EVENT[EVENT.rindex("</oadr:oadrEvent>") + 17 :].encode()
    )
    assert isinstance(event.payload, DistributeEvent)
    assert event.payload.oadr_event == ()
    assert RegisterReport(request_id="r").oadr_report == ()
