"""Reports that a VEN wants of its VTN: asked for, received, taken back, and refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import pytest

from oadr_core import LocalError
from oadr_core.model import Duration, PowerReal, Report
from oadr_core.ven import Reading, ReportReceived, ReportsOffered
from oadr_core.vtn import ReportDue as VtnReportDue
from oadr_core.vtn import ReportOffer
from oadr_transports import OpenADRClient, ReportError, SyncOpenADRClient, Vtn
from oadr_transports.application import Application
from oadr_transports.offers import ReportOffers
from tests.observations import Observations
from tests.running import running
from tests.transports.scripted_vtn import ScriptedVtn, envelope

SECOND = timedelta(seconds=1)


@pytest.fixture
def anyio_backend() -> str:
    """uvicorn runs under asyncio."""
    return "asyncio"


def offer() -> tuple[ReportOffer, ...]:
    """What a substation would offer, made with the words of the client's face."""
    offers = ReportOffers()
    for name in ("north", "south"):
        offers.add_report(
            float, name, "powerReal", sampling_rate=SECOND, r_id=name, report_specifier_id="feeders", scale="M"
        )
    return offers._reports()


@asynccontextmanager
async def utility() -> AsyncIterator[str]:
    """A VTN that measures: the values are 1, 2, 3 …"""
    vtn = Vtn(vtn_id="VTN-1", identity="insecure", requested_poll_freq=SECOND, offered_reports=offer())
    numbers = iter(range(1, 1_000))

    async def measure() -> None:
        async with vtn.notifications() as notes:
            async for note in notes:
                if isinstance(note, VtnReportDue):
                    value = float(next(numbers))
                    vtn.provide_report(note, [Reading(r_id=r_id, value=value) for r_id in note.r_ids])

    async with vtn.serve(port=0) as server, anyio.create_task_group() as tasks:
        tasks.start_soon(measure)
        await anyio.lowlevel.checkpoint()
        yield server.url
        tasks.cancel_scope.cancel()


def client_of(url: str, seen: Observations) -> OpenADRClient:
    client = OpenADRClient(ven_name="ven-1", vtn_url=url, allow_jitter=False)
    client.add_handler("on_event", lambda event: "optIn")
    client.add_handler("on_report", lambda report: seen.add("report", report=report))
    return client


async def until_offered(client: Any) -> tuple[Report, ...]:
    with anyio.fail_after(30):
        while not client.vtn_reports:
            async with client.notifications() as notes:
                if client.vtn_reports:
                    break
                async for note in notes:
                    if isinstance(note, ReportsOffered):
                        break
    return tuple(client.vtn_reports)


async def test_report_of_the_vtn_is_asked_for_received_and_taken_back() -> None:
    seen = Observations()
    async with utility() as url:
        client = client_of(url, seen)
        async with running(client), client.notifications() as notes:
            [report] = await until_offered(client)
            assert (report.report_specifier_id, report.duration) == ("feeders", Duration.parse("P1D"))
            made = await client.request_report("feeders", ["north"], SECOND, 2 * SECOND)
            first = (await seen.seen("report"))["report"]
            with anyio.fail_after(30):
                async for note in notes:
                    if isinstance(note, ReportReceived):
                        break
            assert note.report_request_id == made
            await client.cancel_report(made)
            with pytest.raises(LocalError, match="not requested"):
                await client.cancel_report(made)
    assert (first["report_request_id"], first["report_specifier_id"], first["report_name"]) == (
        made,
        "feeders",
        "TELEMETRY_USAGE",
    )
    assert [value["r_id"] for value in first["values"]] == ["north"] * 2
    assert [value["value"] for value in first["values"]] == [1.0, 2.0]
    assert first["values"][1]["dtstart"] - first["values"][0]["dtstart"] == SECOND
    assert abs(first["values"][0]["dtstart"] - datetime.now(UTC)) < timedelta(minutes=5)
    assert isinstance(first["values"][0]["item_base"], PowerReal)
    assert first["values"][0]["resource_id"] == "north"


async def test_one_report_now() -> None:
    seen = Observations()
    async with utility() as url:
        client = client_of(url, seen)
        async with running(client):
            await until_offered(client)
            await client.request_report("feeders", report_back_duration=timedelta())
            report = (await seen.seen("report"))["report"]
    assert {value["r_id"] for value in report["values"]} == {"north", "south"}


async def test_what_the_vtn_does_not_offer_cannot_be_asked_for() -> None:
    async with utility() as url:
        client = client_of(url, Observations())
        with pytest.raises(LocalError, match="not running"):
            await client.request_report("feeders")
        async with running(client):
            await until_offered(client)
            with pytest.raises(LocalError, match="weather"):
                await client.request_report("weather")
            with pytest.raises(LocalError, match="west"):
                await client.request_report("feeders", ["west"])
            with pytest.raises(LocalError, match="list of texts"):
                await client.request_report("feeders", "north")


async def test_client_with_threads_asks_alike() -> None:
    async with utility() as url:
        await anyio.to_thread.run_sync(partial(ask_in_a_thread, url))


def ask_in_a_thread(url: str) -> None:
    seen = Observations()
    client = SyncOpenADRClient(ven_name="ven-2", vtn_url=url, allow_jitter=False)
    client.add_handler("on_event", lambda event: "optIn")
    client.add_handler("on_report", lambda report: seen.add("report", report=report))
    with client, client.notifications() as notes:
        client.start()
        if not client.vtn_reports:
            next(note for note in notes if isinstance(note, ReportsOffered))
        made = client.request_report("feeders", granularity=SECOND)
        assert seen.wait("report")["report"]["report_request_id"] == made
        client.cancel_report(made)


def test_copy_of_a_report_is_not_told_again() -> None:
    application = Application()
    application.add("on_report", print)
    received = ReportReceived(ven_id="v", report_request_id="1", report_specifier_id="s", values=[], report_name=None)
    assert application.errand(received) is not None
    assert Application().errand(received) is None
    application.forget_news()
    assert application.errand(attrs.evolve(received, repeated=True)) is None


@pytest.fixture
def scripted() -> Iterator[ScriptedVtn]:
    with ScriptedVtn() as server:
        yield server


async def test_refusal_of_the_vtn_is_an_error_with_the_request(scripted: ScriptedVtn) -> None:
    offered = envelope(
        '<oadr:oadrRegisterReport ei:schemaVersion="2.0b"><pyld:requestID>offer-1</pyld:requestID><oadr:oadrReport>'
        "<xcal:duration><xcal:duration>PT1H</xcal:duration></xcal:duration><oadr:oadrReportDescription><ei:rID>r</ei:rID>"
        "<ei:reportType>x-resourceStatus</ei:reportType><ei:readingType>x-notApplicable</ei:readingType>"
        "</oadr:oadrReportDescription><ei:reportRequestID>0</ei:reportRequestID>"
        "<ei:reportSpecifierID>spec</ei:reportSpecifierID><ei:reportName>METADATA_TELEMETRY_STATUS</ei:reportName>"
        "<ei:createdDateTime>2026-05-04T12:00:00Z</ei:createdDateTime></oadr:oadrReport></oadr:oadrRegisterReport>"
    )
    refused = envelope(
        '<oadr:oadrCreatedReport ei:schemaVersion="2.0b"><ei:eiResponse><ei:responseCode>461</ei:responseCode>'
        "<pyld:requestID/></ei:eiResponse><oadr:oadrPendingReports/></oadr:oadrCreatedReport>"
    )
    scripted.script("oadrPoll", offered)
    scripted.script("oadrCreateReport", refused)
    client = client_of(scripted.url, Observations())
    async with running(client):
        await until_offered(client)
        with pytest.raises(ReportError) as caught:
            await client.request_report("spec")
    assert caught.value.report_request_id in str(caught.value)
