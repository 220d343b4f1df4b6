"""Push over real HTTP: a VEN that is a server of its own, and a VTN that posts to it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import httpx2
import pytest

from oadr_core import decode, encode
from oadr_core.engine import ExchangeFailed, SendReply, SendRequest, Trouble
from oadr_core.model import (
    CreatePartyRegistration,
    DistributeEvent,
    EiResponse,
    Payload,
    Poll,
    RegisteredReport,
    RegisterReport,
    ServiceName,
)
from oadr_transports import Vtn
from oadr_transports.asgi import VtnApp
from oadr_transports.server import serve
from oadr_transports.tls import client_context, server_context
from oadr_transports.vtn_push import pushing
from tests.pki import Party, Pki


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class PushedVen:
    """A VEN's own HTTP endpoint: it keeps what it gets, and says what it is told to say."""

    def __init__(self) -> None:
        self.seen: list[Payload] = []
        self.news = anyio.Event()
        self.status = 200

    async def answer(self, service: str, data: bytes, fingerprint: str | None) -> SendReply:
        payload = decode(data, strict=True).payload
        self.seen.append(payload)
        self.news.set()
        if self.status != 200:
            return SendReply(exchange=0, status=self.status, detail="busy")
        if isinstance(payload, RegisterReport):
            answer = RegisteredReport(ei_response=EiResponse(), ven_id=payload.ven_id)
            return SendReply(exchange=0, payload=answer, data=encode(answer))
        return SendReply(exchange=0)

    async def wait_for(self, kind: type[Payload]) -> Payload:
        with anyio.fail_after(20):
            while not (found := [payload for payload in self.seen if isinstance(payload, kind)]):
                self.news = anyio.Event()
                await self.news.wait()
        return found[-1]

    @asynccontextmanager
    async def listening(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
        app = VtnApp(self.answer, base_path="/pre/OpenADR2/Simple/2.0b", limit=1 << 20)
        async with serve(app, base_path="/pre", tls=tls) as server:
            yield server.url


async def register(url: str, address: str, tls: ssl.SSLContext | bool = True) -> str:
    message = CreatePartyRegistration(
        request_id="r", oadr_ven_name="pushed", oadr_http_pull_model=False, oadr_transport_address=address
    )
    async with httpx2.AsyncClient(verify=tls) as client:
        reply = await client.post(
            f"{url}/EiRegisterParty", content=encode(message), headers={"Content-Type": "application/xml"}
        )
    ven_id = decode(reply.content).payload.ven_id
    assert isinstance(ven_id, str)
    return ven_id


def publish(vtn: Vtn) -> str:
    return vtn.publish_event(
        signal_name="SIMPLE",
        signal_type="level",
        dtstart=datetime.now(UTC) + timedelta(hours=1),
        intervals=[(timedelta(minutes=5), 1)],
    )


@pytest.mark.rule("R38")
async def test_messages_arrive_at_the_ven(tmp_path: object) -> None:
    vtn, ven = Vtn(vtn_id="VTN-1", identity="insecure"), PushedVen()
    async with vtn.serve() as server, ven.listening() as address:
        ven_id = await register(server.url, address)
        await ven.wait_for(RegisterReport)
        event_id = publish(vtn)
        message = await ven.wait_for(DistributeEvent)
        assert isinstance(message, DistributeEvent)
        [event] = message.oadr_event
        assert event.ei_event.event_descriptor.event_id == event_id
        assert vtn.vens[ven_id].mailbox == ()


async def test_ven_that_is_not_there_yet_is_tried_again() -> None:
    vtn, ven = Vtn(vtn_id="VTN-1", identity="insecure"), PushedVen()
    ven.status = 503
    async with vtn.notifications() as notes, vtn.serve() as server, ven.listening() as address:
        await register(server.url, address)
        async for note in notes:
            if isinstance(note, Trouble):
                assert "HTTP 503" in note.text
                break
        ven.status = 200
        publish(vtn)
        await ven.wait_for(DistributeEvent)


async def test_what_was_to_be_pushed_before_it_runs_is_pushed_then() -> None:
    vtn, ven = Vtn(vtn_id="VTN-1", identity="insecure"), PushedVen()
    async with ven.listening() as address:
        async with vtn.serve() as server:
            await register(server.url, address)
            await ven.wait_for(RegisterReport)
        publish(vtn)
        async with vtn.serve():
            await ven.wait_for(DistributeEvent)


@pytest.mark.rule("R68")
async def test_push_goes_to_the_ven_that_has_registered_and_to_nobody_else(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    ours, theirs, impostor = pki.issue("vtn"), pki.issue("ven"), pki.issue("impostor")
    vtn = Vtn(vtn_id="VTN-1", cert=ours.cert, key=ours.key, ca_file=pki.ca_file, disable_signature=True)
    ven, other = PushedVen(), PushedVen()

    def tls(party: Party) -> ssl.SSLContext:
        return server_context(party.cert, party.key, None, pki.ca_file, client_certificates=ssl.CERT_REQUIRED)

    client = client_context(theirs.cert, theirs.key, ca_file=pki.ca_file)
    async with vtn.notifications() as notes, vtn.serve() as server:
        async with ven.listening(tls(theirs)) as address:
            await register(server.url, address, client)
            await ven.wait_for(RegisterReport)
        async with other.listening(tls(impostor)) as address:
            await register(server.url, address, client)
            with anyio.fail_after(20):
                async for note in notes:
                    if isinstance(note, Trouble):
                        break
        assert not other.seen, "another certificate of the same authority is not that of the VEN"


@pytest.mark.parametrize("scheme", ["https", "HTTPS"])
async def test_tls_does_not_depend_on_the_letters_of_the_scheme(scheme: str) -> None:
    asked: list[str | None] = []

    def context_for(fingerprint: str | None) -> ssl.SSLContext:
        asked.append(fingerprint)
        return client_context()

    request = SendRequest(
        exchange=1,
        service=ServiceName.EI_EVENT,
        payload=Poll(ven_id="v"),
        data=b"<a/>",
        timeout_s=5.0,
        url=f"{scheme}://127.0.0.1:9/EiEvent",
        fingerprint="AA:BB",
    )
    assert isinstance(await pushing(context_for)(request), ExchangeFailed)
    assert asked == ["AA:BB"]
