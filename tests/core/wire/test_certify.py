"""Rules that a strict reader holds against one message, and a tolerant one does not."""

from __future__ import annotations

import pytest

from oadr_core import decode
from oadr_core.errors import SchemaViolation
from tests.golden import ANNEX_A

SAMPLES = {path.stem: path.read_text() for path in ANNEX_A}
EVENT, UPDATE, REGISTER, CREATE, CREATED = (
    SAMPLES[f"oadr{name}"]
    for name in ("DistributeEvent", "UpdateReport", "RegisterReport", "CreateReport", "CreatedEvent")
)
SCHEDULE, OPT = SAMPLES["oadrCreateOpt"], SAMPLES["oadrCreateOpt.2"]
SECOND_EVENT = EVENT[EVENT.index("<oadr:oadrEvent>") : EVENT.rindex("</oadr:oadrDistributeEvent>")]
QUALIFIED = (
    "<ei:qualifiedEventID><ei:eventID>e</ei:eventID>"
    "<ei:modificationNumber>0</ei:modificationNumber></ei:qualifiedEventID>"
)
VALUE = "<ei:signalPayload><ei:payloadFloat><ei:value>1</ei:value></ei:payloadFloat></ei:signalPayload>"
INTERVAL_AT = "<ei:interval><xcal:dtstart><xcal:date-time>"
RAMP = "<ei:x-eiRampUp><xcal:duration>PT1M</xcal:duration></ei:x-eiRampUp>"

# The rule, the message, what is replaced (once), by what, and the end of the path that is named.
BROKEN = [
    ("R41", EVENT, ">d1<", "><", "requestID"),
    (
        "R70",
        EVENT,
        "</oadr:oadrDistributeEvent>",
        SECOND_EVENT + "</oadr:oadrDistributeEvent>",
        "oadrEvent[2]/eiEvent/eventDescriptor/eventID",
    ),
    (
        "R115",
        EVENT,
        "</oadr:oadrDistributeEvent>",
        SECOND_EVENT.replace(">ev-1<", ">ev-2<").replace("T10:00:00Z", "T10:00:01Z") + "</oadr:oadrDistributeEvent>",
        "createdDateTime",
    ),
    ("R63", EVENT, "<ei:venID>", "<ei:venID>other</ei:venID><ei:venID>", "eiTarget/venID[2]"),
    ("R107", EVENT, ">s2<", ">s1<", "eiEventSignal[2]/signalID"),
    ("R2", EVENT, "<xcal:text>1<", "<xcal:text>2<", "eiEventSignal[1]/intervals/interval[2]/uid"),
    (
        "R8",
        EVENT,
        "<ei:interval><xcal:duration><xcal:duration>PT1H<",
        "<ei:interval><xcal:duration><xcal:duration>PT2H<",
        "eiEventSignal[1]/intervals",
    ),
    (
        "R102",
        EVENT,
        "<ei:interval><xcal:duration><xcal:duration>PT1H</xcal:duration></xcal:duration>",
        "<ei:interval>",
        "interval[1]",
    ),
    ("R100", EVENT, "</ei:signalPayload>", "</ei:signalPayload>" + VALUE, "interval[1]"),
    (
        "R111",
        EVENT,
        "</power:endDeviceAsset></ei:eiTarget>",
        "</power:endDeviceAsset><ei:partyID>p</ei:partyID></ei:eiTarget>",
        "eiEventSignal[2]/eiTarget",
    ),
    ("R42", CREATED, "<pyld:requestID/>", "<pyld:requestID>x</pyld:requestID>", "eiResponse/requestID"),
    ("R206", SCHEDULE, "<ei:eiTarget", QUALIFIED + "<ei:eiTarget", "marketContext"),
    ("R206", OPT, "<ei:venID>", "<emix:marketContext>http://x</emix:marketContext><ei:venID>", "marketContext"),
    ("R200", SCHEDULE, "</xcal:properties>", f"{RAMP}</xcal:properties>", "available[1]/properties"),
    ("R209", OPT, "</oadr:oadrCreateOpt>", "<oadr:oadrDeviceClass/></oadr:oadrCreateOpt>", "oadrDeviceClass"),
    (
        "R402",
        SAMPLES["oadrCreatePartyRegistration"],
        "<oadr:oadrHttpPullModel>true</oadr:oadrHttpPullModel>",
        "",
        "oadrHttpPullModel",
    ),
    ("R311", REGISTER, "<ei:reportRequestID>0<", "<ei:reportRequestID>1<", "oadrReport[1]/reportRequestID"),
    ("R312", REGISTER, "<xcal:duration><xcal:duration>PT2H</xcal:duration></xcal:duration>", "", "oadrReport[1]"),
    (
        "R333",
        REGISTER,
        (
            "<oadr:oadrSamplingRate><oadr:oadrMinPeriod>PT1M</oadr:oadrMinPeriod><oadr:oadrMaxPeriod>PT15M"
            "</oadr:oadrMaxPeriod><oadr:oadrOnChange>false</oadr:oadrOnChange></oadr:oadrSamplingRate>"
        ),
        "",
        "oadrReportDescription[1]",
    ),
    (
        "R307",
        REGISTER,
        "<ei:reportDataSource>",
        "<ei:reportSubject><ei:resourceID>r</ei:resourceID></ei:reportSubject><ei:reportDataSource>",
        "oadrReportDescription[1]/reportSubject",
    ),
    ("R510", REGISTER, "METADATA_TELEMETRY_STATUS", "x-status", "oadrReport[1]"),
    ("R322", CREATE, ">req-2<", ">0<", "oadrReportRequest[1]/reportRequestID"),
    ("R338", CREATE, "x-notApplicable", "Net", "specifierPayload[1]/readingType"),
    ("R313", UPDATE, "<ei:reportName>TELEMETRY_USAGE</ei:reportName>", "", "oadrReport[1]"),
    ("R313", UPDATE, ">TELEMETRY_USAGE<", ">METADATA_TELEMETRY_USAGE<", "oadrReport[1]/reportName"),
    ("R316", UPDATE, "<xcal:text>1<", "<xcal:text>7<", "oadrReport[1]/intervals/interval[2]/uid"),
    (
        "R314",
        UPDATE,
        INTERVAL_AT + "2025-06-01T10:15:00Z",
        INTERVAL_AT + "2025-06-01T10:16:00Z",
        "oadrReport[2]/intervals",
    ),
]


@pytest.mark.parametrize(
    ("rule", "sample", "old", "new", "where"),
    [pytest.param(*case, id=case[0], marks=pytest.mark.rule(case[0])) for case in BROKEN],
)
def test_strict_reader_cites_the_rule_and_a_tolerant_one_reads_on(
    rule: str, sample: str, old: str, new: str, where: str
) -> None:
    assert old in sample
    document = sample.replace(old, new, 1).encode()
    with pytest.raises(SchemaViolation) as caught:
        decode(document, strict=True)
    assert caught.value.rule == rule
    assert caught.value.path.endswith(where)
    assert caught.value.line
    assert decode(document).deviations == ()
