"""The VTN on a real socket: uvicorn on a free port, and a client that knows nothing of ours."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx2
import pytest

from oadr_core import decode, encode
from oadr_core.model import (
    CreatedEvent,
    CreatePartyRegistration,
    EiCreatedEvent,
    EiResponse,
    EventResponse,
    EventStatus,
    OptType,
    Payload,
    Poll,
    QualifiedEventID,
    QueryRegistration,
)
from oadr_core.vtn import (
    EventDelivered,
    EventPublished,
    EventStatusChanged,
    OptReceived,
    VenRegistered,
)
from oadr_transports import Vtn

SOON = 20.0
"""Seconds within which everything here must have happened."""
Validate = Callable[[bytes], None]


@pytest.fixture
def anyio_backend() -> str:
    """uvicorn runs under asyncio."""
    return "asyncio"


class PlainVen:
    """A VEN that posts what it is told to."""

    def __init__(self, url: str, client: httpx2.AsyncClient, validate: Validate) -> None:
        self._url = url
        self._client = client
        self._validate = validate

    async def post(self, service: str, payload: Payload) -> Any:
        response = await self._client.post(
            f"{self._url}/{service}", content=encode(payload), headers={"Content-Type": "application/xml"}
        )
        assert response.status_code == 200
        self._validate(response.content)
        return decode(response.content, strict=True).payload


def price(vtn: Vtn, in_: timedelta = timedelta(minutes=5), **details: Any) -> str:
    return vtn.publish_event(
        signal_name="ELECTRICITY_PRICE",
        signal_type="price",
        dtstart=datetime.now(UTC) + in_,
        intervals=[(timedelta(seconds=1), 0.1), (timedelta(seconds=1), 0.2)],
        **details,
    )


async def test_main_job(validate: Validate) -> None:
    vtn = Vtn(vtn_id="VTN-1", identity="insecure", requested_poll_freq=timedelta(seconds=1))
    with anyio.fail_after(SOON):
        async with vtn.serve() as server, vtn.notifications() as notes, httpx2.AsyncClient() as client:
            assert server.url == f"http://127.0.0.1:{server.port}/OpenADR2/Simple/2.0b"
            ven = PlainVen(server.url, client, validate)
            await ven.post("EiRegisterParty", QueryRegistration(request_id="q"))
            request = CreatePartyRegistration(request_id="r", oadr_ven_name="ven", oadr_http_pull_model=True)
            ven_id = (await ven.post("EiRegisterParty", request)).ven_id
            assert list(vtn.vens) == [ven_id]
            event_id = price(vtn, market_context="http://example.com/prices")
            message = await ven.post("OadrPoll", Poll(ven_id=ven_id))
            [event] = message.oadr_event
            assert event.ei_event.event_descriptor.event_id == event_id
            answer = EventResponse(
                request_id=message.request_id,
                qualified_event_id=QualifiedEventID(event_id=event_id, modification_number=0),
                opt_type=OptType.OPT_IN,
            )
            body = EiCreatedEvent(ei_response=EiResponse(), event_responses=(answer,), ven_id=ven_id)
            assert (await ven.post("EiEvent", CreatedEvent(ei_created_event=body))).ei_response.ok
            assert vtn.opts(event_id)[ven_id].opt_type is OptType.OPT_IN
            expected = [VenRegistered, EventPublished, EventStatusChanged, EventDelivered, OptReceived]
            assert [type(await anext(notes)) for _ in expected] == expected


async def test_time_goes_by() -> None:
    vtn = Vtn(vtn_id="VTN-1", identity="insecure")
    told = []
    with anyio.fail_after(SOON):
        async with vtn.running(), vtn.running(), vtn.notifications() as notes:
            event_id = price(vtn, timedelta(seconds=2), ramp_up=timedelta(seconds=1))
            async for note in notes:
                if isinstance(note, EventStatusChanged):
                    told.append(note.status)
                    if note.status is EventStatus.COMPLETED:
                        break
    assert told == [EventStatus.FAR, EventStatus.NEAR, EventStatus.ACTIVE, EventStatus.COMPLETED]
    assert vtn.events[event_id].status is EventStatus.COMPLETED


async def test_server_stops_cleanly_and_leaves_signals_alone() -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    vtn = Vtn(vtn_id="VTN-1", identity="insecure")
    async with vtn.serve() as server:
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
        port = server.port
    with pytest.raises(OSError, match=r".*"), socket.create_connection(("127.0.0.1", port), timeout=1):
        pass
    async with vtn.serve(port=port) as again:
        assert again.port == port


async def test_server_stops_when_cancelled() -> None:
    vtn = Vtn(vtn_id="VTN-1", identity="insecure")
    with anyio.move_on_after(0.2) as scope:
        async with vtn.serve() as server:
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    async with vtn.serve(port=server.port):
        pass


async def test_error_in_the_block_comes_out() -> None:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - anyio may group it
        async with Vtn(vtn_id="VTN-1", identity="insecure").serve():
            raise KeyError("mine")
    assert "mine" in repr(caught.value) or "mine" in repr(getattr(caught.value, "exceptions", ""))


async def test_taken_port_is_told() -> None:
    vtn, other = Vtn(vtn_id="VTN-1", identity="insecure"), Vtn(vtn_id="VTN-2", identity="insecure")
    async with vtn.serve() as server:
        with pytest.raises(BaseException) as caught:  # noqa: PT011 - anyio may group it
            async with other.serve(port=server.port):
                pass
    error: BaseException = caught.value
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, OSError)
    assert str(server.port) in str(error)


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_under_trio_uvicorn_is_refused_with_a_hint(anyio_backend: str) -> None:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - anyio may group it
        async with Vtn(vtn_id="VTN-1", identity="insecure").serve():
            pass
    assert "vtn.app" in repr(caught.value)


async def test_transcript_sees_every_message() -> None:
    seen: list[tuple[str, str, bytes]] = []
    vtn = Vtn(vtn_id="VTN-1", identity="insecure", transcript=lambda *entry: seen.append(entry))
    query = encode(QueryRegistration(request_id="q"))
    async with vtn.serve() as server, httpx2.AsyncClient() as client:
        headers = {"Content-Type": "application/xml"}
        reply = await client.post(f"{server.url}/EiRegisterParty", content=query, headers=headers)
    assert seen == [("received", "EiRegisterParty", query), ("sent", "EiRegisterParty", reply.content)]
