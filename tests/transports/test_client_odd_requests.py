"""Requests and answers as third-party VTNs write them: legal, or tolerated, and not as our own VTN does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oadr_transports import OpenADRClient
from tests.running import running
from tests.transports.delivered import all_values, value_of
from tests.transports.scripted_vtn import (
    VEN_ID,
    Answer,
    ScriptedVtn,
    create_report,
    envelope,
    plain_response,
    registered_report,
    report_request,
    response,
)

SECOND = timedelta(seconds=1)
REQUEST = report_request("1", "spec", "r")
VOLTAGE = (
    '<power:voltage xmlns:power="http://docs.oasis-open.org/ns/emix/2011/06/power">'
    "<power:itemDescription>Voltage</power:itemDescription><power:itemUnits>V</power:itemUnits>"
    '<scale:siScaleCode xmlns:scale="http://docs.oasis-open.org/ns/emix/2011/06/siscale">none</scale:siScaleCode>'
    "</power:voltage>"
)


@pytest.fixture
def anyio_backend() -> str:
    """What a request means does not depend on the loop."""
    return "asyncio"


@pytest.fixture
def vtn() -> Iterator[ScriptedVtn]:
    with ScriptedVtn() as server:
        yield server


@pytest.fixture
def client(vtn: ScriptedVtn) -> OpenADRClient:
    made = OpenADRClient(ven_name="ven-1", vtn_url=vtn.url, allow_jitter=False)
    made.add_handler("on_event", lambda event: "optIn")
    rates = (SECOND, timedelta(hours=1))
    made.add_report(lambda: 1.5, "meter", "powerReal", sampling_rate=rates, report_specifier_id="spec", r_id="r")
    return made


def told(message: str, *words: bytes) -> Callable[[dict[str, Any]], bool]:
    return lambda seen: seen["message"] == message and all(word in seen["body"] for word in words)


def rewritten(request: str, old: str, new: str) -> str:
    assert old in request
    return request.replace(old, new)


@pytest.mark.parametrize(
    "request_",
    [
        report_request("1", "spec", "r", length=None),
        report_request("1", "spec", "r", start="2020-01-01T02:00:00+02:00"),
        report_request("1", "spec", "r", start="2020-01-01T00:00:00.1234567Z"),
        report_request("1", "spec", "r", granularity="PT0M1S", back="P0DT0H0M1S", length="P0D"),
        report_request("1", "spec", "r", back="PT0S", granularity="PT15M", length=None),
        report_request("1", "spec", "r", "r"),
        rewritten(REQUEST, "x-notApplicable", "Direct Read"),
        rewritten(
            REQUEST,
            "<ei:readingType>",
            f"{VOLTAGE}<ei:readingType>",
        ),
        rewritten(REQUEST, "<ei:reportRequestID>1<", "<ei:reportRequestID> request 1 &amp; more <"),
    ],
    ids=[
        "no period",
        "a zone",
        "seven digits",
        "long durations",
        "one-shot with a granularity",
        "a point twice",
        "another reading type",
        "an item base",
        "an identifier with blanks",
    ],
)
async def test_unusual_request_is_served(vtn: ScriptedVtn, client: OpenADRClient, request_: str) -> None:
    vtn.script("oadrRegisterReport", registered_report("", request_))
    async with running(client):
        value = await value_of(vtn, "r")
    assert (float(value.value), value.quality) == (1.5, None)


async def test_request_without_a_granularity_below_the_fastest_is_served_on_change(
    vtn: ScriptedVtn, client: OpenADRClient
) -> None:
    on_change = report_request("1", "spec", "r", granularity="PT0S", back="PT2S")
    vtn.script("oadrRegisterReport", registered_report("", on_change))
    async with running(client):
        await value_of(vtn, "r")
        await vtn.seen("request", told("oadrUpdateReport", b"No New Value"))
    assert [value.quality for value in all_values(vtn)][:2] == [None, "No New Value - Previous Value Used"]


async def test_request_that_comes_twice_is_one(vtn: ScriptedVtn, client: OpenADRClient) -> None:
    vtn.script("oadrRegisterReport", registered_report("", REQUEST))
    vtn.script("oadrPoll", create_report(REQUEST), create_report(REQUEST))
    async with running(client):
        await vtn.seen("request", told("oadrCreatedReport"), count=3)
        await vtn.seen("request", told("oadrUpdateReport"), count=3)
    found = [value.at for value in all_values(vtn)]
    assert len(found) == len(set(found))


async def test_metadata_and_values_in_one_request(vtn: ScriptedVtn, client: OpenADRClient) -> None:
    metadata = report_request("m", "METADATA", "0", granularity="PT0S", back="PT0S", length=None)
    vtn.script("oadrRegisterReport", registered_report(""), registered_report("", REQUEST))
    vtn.script("oadrPoll", create_report(metadata, REQUEST))
    async with running(client):
        await vtn.seen("request", told("oadrRegisterReport", b">m<"))
        await value_of(vtn, "r")


async def test_values_that_are_answered_by_a_plain_response_are_not_sent_again(
    vtn: ScriptedVtn, client: OpenADRClient
) -> None:
    vtn.script("oadrRegisterReport", registered_report("", REQUEST))
    vtn.script("oadrUpdateReport", *[plain_response() for _ in range(3)])
    async with running(client):
        await vtn.seen("request", told("oadrUpdateReport"), count=4)
    found = [value.at for value in all_values(vtn)]
    assert len(found) == len(set(found))


async def test_cancellation_inside_the_answer_to_values(vtn: ScriptedVtn, client: OpenADRClient) -> None:
    cancelling = envelope(
        f'<oadr:oadrUpdatedReport ei:schemaVersion="2.0b">{response("")}<oadr:oadrCancelReport '
        'ei:schemaVersion="2.0b"><pyld:requestID>c</pyld:requestID><ei:reportRequestID>1</ei:reportRequestID>'
        "<pyld:reportToFollow>false</pyld:reportToFollow></oadr:oadrCancelReport>"
        f"<ei:venID>{VEN_ID}</ei:venID></oadr:oadrUpdatedReport>"
    )
    vtn.script("oadrRegisterReport", registered_report("", REQUEST, report_request("2", "spec", "r")))
    async with running(client):
        await value_of(vtn, "r", request="1")
        vtn.script("oadrUpdateReport", *[cancelling] * 3)
        await vtn.seen("request", told("oadrUpdateReport"), count=6)
        before = len([value for value in all_values(vtn) if value.request == "1"])
        await vtn.seen("request", told("oadrUpdateReport"), count=9)
        assert len([value for value in all_values(vtn) if value.request == "1"]) == before
        assert len([value for value in all_values(vtn) if value.request == "2"]) >= 3


EMPTY_OFFER = envelope(
    '<oadr:oadrRegisterReport ei:schemaVersion="2.0b"><pyld:requestID>offer-1</pyld:requestID>'
    f"<ei:venID>{VEN_ID}</ei:venID></oadr:oadrRegisterReport>"
)


@pytest.mark.rule("R301")
async def test_vtn_that_offers_nothing_is_answered(vtn: ScriptedVtn, client: OpenADRClient) -> None:
    vtn.script("oadrPoll", EMPTY_OFFER)
    async with running(client):
        await vtn.seen("request", told("oadrRegisteredReport", b"offer-1"))


@pytest.mark.rule("R304")
@pytest.mark.rule("R340")
@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (report_request("1", "other", "r"), b"452"),
        (report_request("1", "spec", "other"), b"452"),
        (report_request("1", "spec", "r", back="P2D", granularity="PT1H"), b"454"),
        (report_request("1", "spec", "r", back="PT4H", granularity="PT2H"), b"454"),
        (report_request("1", "spec", "r", back="PT1S", granularity="PT2S"), b"454"),
        (report_request("1", "spec", "r", back="-PT1S"), b"454"),
        (report_request("1", "spec", "r", length="PT1S"), b"454"),
    ],
    ids=["report", "point", "too much", "too rarely", "too often", "backwards", "over"],
)
async def test_what_was_not_offered_is_refused_and_the_rest_served(
    vtn: ScriptedVtn, client: OpenADRClient, request_: str, code: bytes
) -> None:
    good = report_request("good", "spec", "r")
    vtn.script("oadrRegisterReport", registered_report("", rewritten(request_, "ID>1<", "ID>bad<"), good))
    async with running(client):
        answer = await vtn.seen("request", told("oadrCreatedReport"))
        assert b"responseCode>" + code in answer["body"]
        assert (await value_of(vtn, "r")).request == "good"
    assert b"good" in answer["body"].split(b"PendingReports")[1]
    assert b"bad" not in answer["body"].split(b"PendingReports")[1]


async def test_report_begins_when_it_is_wanted(vtn: ScriptedVtn, client: OpenADRClient) -> None:
    begin = datetime.now(UTC).replace(microsecond=0) + 3 * SECOND
    later = report_request("1", "spec", "r", start=f"{begin:%Y-%m-%dT%H:%M:%SZ}", length="PT3S")
    vtn.script("oadrRegisterReport", registered_report("", later))
    async with running(client):
        await vtn.seen("request", told("oadrUpdateReport"), count=2)
    assert min(value.at for value in all_values(vtn) if value.at) >= begin


BAD_ANSWERS: list[Answer] = [
    envelope(f'<oadr:oadrUpdatedReport ei:schemaVersion="2.0b">{response("", "454", "no")}</oadr:oadrUpdatedReport>'),
]


@pytest.mark.parametrize("answer", BAD_ANSWERS)
async def test_values_that_are_refused_are_told_lost_and_the_next_are_sent(
    vtn: ScriptedVtn, client: OpenADRClient, answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    vtn.script("oadrRegisterReport", registered_report("", REQUEST))
    vtn.script("oadrUpdateReport", answer)
    async with running(client):
        await vtn.seen("request", told("oadrUpdateReport"), count=3)
    assert "never reach the VTN" in caplog.text
