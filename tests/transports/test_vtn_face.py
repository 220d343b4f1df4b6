"""The application's face of the VTN: commands and notifications. Without sockets, under asyncio and trio."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx2
import pytest

from oadr_core import LocalError, decode, encode
from oadr_core.model import (
    CancelPartyRegistration,
    CancelReport,
    CreatePartyRegistration,
    CreateReport,
    Duration,
    Payload,
    Poll,
    ReadingType,
    RegisterReport,
    Report,
    ReportDescription,
    ReportName,
    ReportRequest,
    ReportSpecifier,
    ReportType,
    RequestReregistration,
    SamplingRate,
    SpecifierPayload,
    UpdateReport,
)
from oadr_core.vtn import EventPublished, Reading, ReportDue, ReportOffer, ReportPolicy, build_event
from oadr_transports import Vtn
from tests.core.vtn.test_reports import offer, states

MINUTE = timedelta(minutes=1)


@pytest.fixture
def vtn() -> Vtn:
    return Vtn(vtn_id="VTN-1", identity="insecure", reports=ReportPolicy(rules=()))


def publish(vtn: Vtn, **details: Any) -> str:
    fields = {
        "signal_name": "SIMPLE",
        "signal_type": "level",
        "dtstart": datetime.now(UTC) + 10 * MINUTE,
        "intervals": [(MINUTE, 1)],
        **details,
    }
    return vtn.publish_event(**fields)


async def post(vtn: Vtn, service: str, payload: Payload) -> Any:
    transport = httpx2.ASGITransport(app=vtn.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://vtn.test") as client:
        headers = {"Content-Type": "application/xml"}
        reply = await client.post(f"/OpenADR2/Simple/2.0b/{service}", content=encode(payload), headers=headers)
    return decode(reply.content).payload


async def registered(vtn: Vtn, name: str = "ven") -> str:
    request = CreatePartyRegistration(request_id="r", oadr_ven_name=name, oadr_http_pull_model=True)
    reply = await post(vtn, "EiRegisterParty", request)
    assert reply.ven_id
    return str(reply.ven_id)


async def fetched(vtn: Vtn, ven_id: str) -> list[type]:
    kinds = []
    while (kind := type(await post(vtn, "OadrPoll", Poll(ven_id=ven_id)))).__name__ != "Response":
        kinds.append(kind)
    return kinds


def test_event_in_words_and_as_a_whole(vtn: Vtn) -> None:
    first = publish(vtn, market_context="urn:m", priority=1, event_id="mine", vtn_comment="c")
    assert first == "mine"
    assert vtn.events["mine"].event.event_descriptor.market_context == "urn:m"
    second = publish(vtn)
    assert vtn.events[second].event.event_descriptor.market_context == vtn.config.market_context
    event = build_event(
        signal_name="SIMPLE",
        signal_type="level",
        dtstart=datetime.now(UTC) + MINUTE,
        intervals=[(MINUTE, 1)],
        market_context="urn:m",
    )
    assert vtn.publish_event(event=event) in vtn.events
    with pytest.raises(LocalError, match="either"):
        vtn.publish_event(event=event, priority=1)
    with pytest.raises(LocalError, match="signal_type"):
        vtn.publish_event(signal_name="SIMPLE")


def test_modify_and_cancel(vtn: Vtn) -> None:
    event_id = publish(vtn)
    assert vtn.modify_event(event_id, priority=2) == 1
    assert vtn.modify_event(event_id, priority=2) == 1
    assert vtn.modify_event(event_id, event=vtn.events[event_id].event) == 1
    assert vtn.modify_event(event_id, response_required="never") == 1
    vtn.cancel_event(event_id, reason="calm")
    vtn.cancel_event(event_id)
    assert vtn.events[event_id].modification_number == 2
    with pytest.raises(LocalError, match="cancelled"):
        vtn.modify_event(event_id, priority=3)
    with pytest.raises(LocalError, match="not published"):
        vtn.modify_event("other", priority=3)
    with pytest.raises(LocalError, match="either"):
        vtn.modify_event(event_id, event=vtn.events[event_id].event, priority=1)
    with pytest.raises(TypeError, match="colour"):
        vtn.modify_event(event_id, colour="red")


def test_event_id_does_not_change(vtn: Vtn) -> None:
    one, other = publish(vtn), publish(vtn)
    with pytest.raises(LocalError, match="eventID"):
        vtn.modify_event(one, event=vtn.events[other].event)


async def test_messages_to_a_ven(vtn: Vtn) -> None:
    ven_id = await registered(vtn)
    description = ReportDescription(
        r_id="r",
        report_type=ReportType.USAGE,
        reading_type=ReadingType.DIRECT_READ,
        oadr_sampling_rate=SamplingRate(oadr_min_period=Duration(seconds=10), oadr_max_period=Duration(seconds=600)),
    )
    offer = Report(
        duration=Duration(seconds=3600),
        oadr_report_description=(description,),
        report_request_id="0",
        report_specifier_id="s",
        report_name=ReportName.METADATA_TELEMETRY_USAGE,
        created_date_time=datetime.now(UTC),
    )
    await post(vtn, "EiReport", RegisterReport(request_id="r", oadr_report=(offer,), ven_id=ven_id))
    report_id = vtn.request_report(ven_id, "s", ["r"], MINUTE, 5 * MINUTE)
    assert report_id in vtn.vens[ven_id].requests
    vtn.cancel_report(ven_id, report_id)
    vtn.request_reregistration(ven_id)
    vtn.cancel_registration(ven_id)
    assert await fetched(vtn, ven_id) == [
        RegisterReport,
        CreateReport,
        CancelReport,
        RequestReregistration,
        CancelPartyRegistration,
    ]
    with pytest.raises(LocalError, match="offered is 's', not"):
        vtn.request_report(ven_id, "other")


async def test_only_named_vens(vtn: Vtn) -> None:
    closed = Vtn(vtn_id="VTN-1", identity="insecure", vens={"a": "A"})
    assert await registered(closed, "a") == "A"
    request = CreatePartyRegistration(request_id="r", oadr_ven_name="b", oadr_http_pull_model=True)
    assert (await post(closed, "EiRegisterParty", request)).ei_response.response_code == "463"


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("requested_poll_freq", {"requested_poll_freq": 10}),
        ("requested_poll_freq", {"requested_poll_freq": timedelta(0)}),
        ("vtn_id", {"vtn_id": ""}),
        ("nonsense", {"nonsense": 1}),
    ],
)
def test_wrong_argument_raises_at_once(field: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(LocalError, match=field):
        Vtn(**{"vtn_id": "VTN-1", **arguments})


# --- notifications --------------------------------------------------------------------------------------------------


async def test_every_reader_gets_everything_from_its_beginning_on(vtn: Vtn) -> None:
    async with vtn.notifications() as first:
        one = publish(vtn)
        async with vtn.notifications() as second:
            other = publish(vtn)
        assert [note.event_id async for note in second if isinstance(note, EventPublished)] == [other]
    assert [note.event_id async for note in first if isinstance(note, EventPublished)] == [one, other]


async def test_slow_reader_loses_the_oldest_with_a_warning(vtn: Vtn, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "oadr"):
        async with vtn.notifications(limit=2) as notes:
            for _ in range(3):
                last = publish(vtn)
    assert notes.lost == 6  # three events, each with its status, and two overlaps; two fit
    assert [note.event_id async for note in notes] == [last, last]
    assert len([record for record in caplog.records if "too slow" in record.getMessage()]) == 3


async def test_waiting_reader_is_woken_by_news_and_by_the_end(vtn: Vtn) -> None:
    seen: list[Any] = []

    async def read(notes: Any) -> None:
        async for note in notes:
            seen.append(note)
            woken.set()
        ended.set()

    woken, ended = anyio.Event(), anyio.Event()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            async with vtn.notifications() as notes:
                tasks.start_soon(read, notes)
                await anyio.wait_all_tasks_blocked()
                publish(vtn)
                await woken.wait()
                await anyio.wait_all_tasks_blocked()
            await ended.wait()
    assert [type(note) for note in seen[:1]] == [EventPublished]


def test_buffer_holds_at_least_one(vtn: Vtn) -> None:
    with pytest.raises(LocalError, match="limit"):
        vtn.notifications(limit=0)


async def test_vtn_has_reports_of_its_own() -> None:
    offered = (ReportOffer(report=offer("prices")), ReportOffer(report=states()))
    vtn = Vtn(vtn_id="VTN-1", identity="insecure", offered_reports=offered)
    ven_id = await registered(vtn)
    specifier = ReportSpecifier(
        report_specifier_id="prices",
        granularity=Duration(),
        report_back_duration=Duration(),
        specifier_payload=(SpecifierPayload(r_id="r"),),
    )
    request = ReportRequest(report_request_id="q", report_specifier=specifier)
    async with vtn.notifications() as notes:
        await post(vtn, "EiReport", CreateReport(request_id="c", oadr_report_request=(request,), ven_id=ven_id))
        async for note in notes:
            if isinstance(note, ReportDue):
                vtn.provide_report(note, [Reading(r_id="r", value=21.5)])
                break
    message = await post(vtn, "OadrPoll", Poll(ven_id=ven_id))
    while not isinstance(message, UpdateReport):
        message = await post(vtn, "OadrPoll", Poll(ven_id=ven_id))
    [interval] = message.oadr_report[0].intervals
    assert [payload.payload_base for payload in interval.stream_payload_base] == [21.5]
