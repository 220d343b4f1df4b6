"""The VTN's door: what HTTP says before OpenADR does. Without sockets, under asyncio and trio."""

from __future__ import annotations

import gzip
import logging
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest

from oadr_core import Limits, decode, encode
from oadr_core.engine import SendReply
from oadr_core.model import CreatedPartyRegistration, CreatePartyRegistration, EiResponse, QueryRegistration, Response
from oadr_core.vtn import VtnLimits
from oadr_transports import Vtn
from oadr_transports.asgi import VtnApp

BASE = "/OpenADR2/Simple/2.0b"
QUERY = encode(QueryRegistration(request_id="q"))
XML = {"Content-Type": "application/xml"}


@asynccontextmanager
async def client_of(app: Any, root_path: str = "") -> AsyncIterator[httpx2.AsyncClient]:
    """A client that calls the application directly."""
    transport = httpx2.ASGITransport(app=app, root_path=root_path)
    async with httpx2.AsyncClient(transport=transport, base_url="http://vtn.test") as client:
        yield client


async def post(app: Any, path: str = f"{BASE}/EiRegisterParty", data: bytes = QUERY, **headers: str) -> httpx2.Response:
    """Post to the application, by default a query."""
    async with client_of(app) as client:
        return await client.post(
            path, content=data, headers={**XML, **{k.replace("_", "-"): v for k, v in headers.items()}}
        )


@pytest.fixture
def vtn() -> Vtn:
    return Vtn(vtn_id="VTN-1", identity="insecure")


@pytest.mark.rule("R53")
async def test_query_is_answered(vtn: Vtn, validate: Callable[[bytes], None]) -> None:
    response = await post(vtn.app, Accept_Encoding="identity")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/xml"
    assert response.headers["content-length"] == str(len(response.content))
    assert "transfer-encoding" not in response.headers
    validate(response.content)
    assert isinstance(decode(response.content).payload, CreatedPartyRegistration)


@pytest.mark.parametrize(
    "content_type",
    ["application/xml; charset=utf-8", "Application/XML;charset=UTF-8", "text/xml", " text/xml ; charset=utf-8"],
)
async def test_spellings_of_the_media_type(vtn: Vtn, content_type: str) -> None:
    assert (await post(vtn.app, Content_Type=content_type)).status_code == 200


@pytest.mark.parametrize("content_type", ["application/json", "", "application/xmlx", "multipart/form-data"])
async def test_other_media_types_are_406(vtn: Vtn, content_type: str) -> None:
    response = await post(vtn.app, Content_Type=content_type)
    assert response.status_code == 406
    assert "application/xml" in response.text
    assert response.headers["content-length"] == str(len(response.content))


async def test_packed_requests_are_406(vtn: Vtn) -> None:
    assert (await post(vtn.app, data=gzip.compress(QUERY), Content_Encoding="gzip")).status_code == 406
    assert (await post(vtn.app, Content_Encoding="identity")).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_other_methods_are_501(vtn: Vtn, method: str) -> None:
    async with client_of(vtn.app) as client:
        assert (await client.request(method, f"{BASE}/OadrPoll")).status_code == 501


@pytest.mark.rule("R511")
@pytest.mark.parametrize(
    "path",
    ["/", "/OadrPoll", BASE, f"{BASE}/Other", f"{BASE}/oadrpoll", f"{BASE}/OadrPoll/x", "/OpenADR2/Simple/EiEvent"],
)
async def test_unknown_paths_are_404(vtn: Vtn, path: str) -> None:
    response = await post(vtn.app, path)
    assert response.status_code == 404
    assert response.headers["content-length"] == str(len(response.content))


@pytest.mark.parametrize(
    "path",
    [f"{BASE}/EiRegisterParty/", "/OpenADR2//Simple/2.0b///EiRegisterParty", "/OpenADR2/Simple/2%2E0b/EiRegisterParty"],
)
async def test_slashes_and_escapes_do_not_matter(vtn: Vtn, path: str) -> None:
    assert (await post(vtn.app, path)).status_code == 200


@pytest.mark.parametrize("base_path", ["/utility/OpenADR2/Simple/2.0b", "utility/OpenADR2/Simple/2.0b/", "/"])
async def test_services_may_stand_elsewhere(base_path: str) -> None:
    vtn = Vtn(vtn_id="VTN-1", identity="insecure", base_path=base_path)
    path = "/" + f"{base_path}/EiRegisterParty".strip("/")
    assert (await post(vtn.app, path)).status_code == 200
    assert (await post(vtn.app)).status_code == 404


@pytest.mark.rule("R511")
async def test_mounted_application_ignores_where_it_is_mounted(vtn: Vtn) -> None:
    async with client_of(vtn.app, root_path="/vtn") as client:
        for path in (f"/vtn{BASE}/EiRegisterParty", f"{BASE}/EiRegisterParty"):
            assert (await client.post(path, content=QUERY, headers=XML)).status_code == 200


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("gzip, deflate, br", "gzip"),
        ("deflate, gzip;q=0.5", "deflate"),
        ("GZIP;q=1.0", "gzip"),
        ("*", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=nonsense", None),
        ("identity", None),
        ("br", None),
    ],
)
async def test_replies_are_packed_as_the_peer_wants(vtn: Vtn, accepted: str, coding: str | None) -> None:
    plain = (await post(vtn.app, Accept_Encoding="identity")).content
    received: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": QUERY}

    async def send(message: Any) -> None:
        messages.append(message)

    messages: list[Any] = []
    headers = [(b"content-type", b"application/xml"), (b"accept-encoding", accepted.encode())]
    scope = {"type": "http", "method": "POST", "path": f"{BASE}/EiRegisterParty", "headers": headers}
    await vtn.app(scope, receive, send)
    start, body = messages
    sent = dict(start["headers"])
    received.append(body["body"])
    assert sent.get(b"content-encoding", b"").decode() == (coding or "")
    assert sent[b"content-length"] == str(len(received[0])).encode()
    unpack: dict[str | None, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "deflate": zlib.decompress}
    assert unpack.get(coding, bytes)(received[0]) == plain


async def test_posted_response_is_answered_with_an_empty_body(vtn: Vtn) -> None:
    request = CreatePartyRegistration(request_id="r", oadr_ven_name="ven", oadr_http_pull_model=True)
    ven_id = decode((await post(vtn.app, data=encode(request))).content).payload.ven_id
    response = await post(
        vtn.app, data=encode(Response(ei_response=EiResponse(), ven_id=ven_id)), Accept_Encoding="gzip"
    )
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == "0"
    assert "content-encoding" not in response.headers


async def test_credentials_and_other_headers_do_not_matter(vtn: Vtn) -> None:
    """The EPRI C# VEN sends empty credentials."""
    response = await post(vtn.app, Authorization="Basic Og==", User_Agent="", Cookie="a=b")
    assert response.status_code == 200


@pytest.mark.parametrize("data", [b"", b"<html/>", b"half a <docu", QUERY[:-10]])
async def test_what_is_no_message_is_406_with_the_cause(
    vtn: Vtn, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "oadr"):
        response = await post(vtn.app, data=data)
    assert response.status_code == 406
    assert response.headers["content-type"].startswith("text/plain")
    assert response.text
    [record] = caplog.records
    assert record.name == "oadr"
    assert response.text in record.getMessage()


async def test_too_large_a_body_is_413() -> None:
    limits = VtnLimits(document=Limits(bytes=len(QUERY)))
    vtn = Vtn(vtn_id="VTN-1", identity="insecure", limits=limits)
    assert (await post(vtn.app)).status_code == 200
    for announced in (None, str(len(QUERY) + 1), "9" * 5000):
        headers = {} if announced is None else {"Content_Length": announced}
        assert (await post(vtn.app, data=QUERY + b" ", **headers)).status_code == 413


async def test_body_may_come_in_pieces_without_a_length(vtn: Vtn) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(QUERY), 50):
            yield QUERY[at : at + 50]

    async with client_of(vtn.app) as client:
        response = await client.post(f"{BASE}/EiRegisterParty", content=pieces(), headers=XML)
    assert response.status_code == 200


async def test_peer_that_goes_away_is_not_answered(vtn: Vtn) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    scope = {"type": "http", "method": "POST", "path": f"{BASE}/OadrPoll", "headers": [(b"content-type", b"text/xml")]}
    await vtn.app(scope, receive, send)


async def test_bug_of_ours_is_500_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    def answer(service: str, data: bytes, fingerprint: str | None) -> SendReply:
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR, "oadr"):
        response = await post(VtnApp(answer, limit=1000))
    assert (response.status_code, response.content) == (500, b"")
    assert caplog.records[0].exc_info is not None


async def test_logged_values_are_escaped(vtn: Vtn, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "oadr"):
        await post(vtn.app, Content_Type="a\x1b[31mb")
        await post(vtn.app, "/evil%0Apath%1B")
        await post(vtn.app, data=encode(QueryRegistration(request_id="x\n\x85")), path=f"{BASE}/OadrPoll")
    assert caplog.records
    assert all(record.getMessage().isprintable() for record in caplog.records)


async def test_other_protocols_are_refused(vtn: Vtn) -> None:
    with pytest.raises(RuntimeError, match="websocket"):
        await vtn.app({"type": "websocket"}, None, None)


async def test_lifespan_runs_the_timers(vtn: Vtn) -> None:
    to_app, from_server = anyio.create_memory_object_stream[Any](2)
    to_server, from_app = anyio.create_memory_object_stream[Any](2)

    async def run() -> None:
        await vtn.app({"type": "lifespan"}, from_server.receive, to_server.send)

    async with to_app, from_server, to_server, from_app, anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        with anyio.fail_after(5):
            await to_app.send({"type": "lifespan.startup"})
            assert await from_app.receive() == {"type": "lifespan.startup.complete"}
            await to_app.send({"type": "lifespan.shutdown"})
            assert await from_app.receive() == {"type": "lifespan.shutdown.complete"}


async def test_lifespan_of_a_bare_application() -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, str]:
        return {"type": "lifespan"}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await VtnApp(lambda service, data, fingerprint: SendReply(exchange=0), limit=1)({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
