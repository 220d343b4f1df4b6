"""The carriers over real TLS: whichever library carries, the same certificates are believed, in the same words."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import anyio.to_thread
import httpx2
import pytest
import requests

from oadr_core import LocalError
from oadr_core.engine import Failure
from oadr_core.vtn import VenRegistered
from oadr_transports import OpenADRClient, SyncOpenADRClient, Vtn
from oadr_transports.http import HttpCarrier
from oadr_transports.http_aiohttp import AiohttpCarrier
from oadr_transports.http_requests import RequestsCarrier, TlsAdapter
from oadr_transports.ports import CarrierError, Reply
from oadr_transports.server import serve
from oadr_transports.tls import client_context, server_context
from tests.logs import logged
from tests.pki import Party, Pki
from tests.running import running

SOON_S = 10.0
CARRIERS: dict[str, Any] = {"httpx2": HttpCarrier, "requests": RequestsCarrier, "aiohttp": AiohttpCarrier}


@pytest.fixture
def anyio_backend() -> str:
    """The server is uvicorn, and aiohttp knows asyncio."""
    return "asyncio"


@pytest.fixture(params=CARRIERS)
def library(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def vtn(pki: Pki) -> Party:
    return pki.issue("vtn")


@pytest.fixture(scope="module")
def ven(pki: Pki) -> Party:
    return pki.issue("ven")


class Door:
    """A server that keeps the headers of what it gets, and answers with an empty 200."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[dict[bytes, bytes]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append(dict(scope["headers"]))
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def door(party: Party, pki: Pki, *, mutual: bool = True) -> AsyncIterator[Door]:
    found = Door()
    demanded = ssl.CERT_REQUIRED if mutual else ssl.CERT_NONE
    context = server_context(party.cert, party.key, ca_file=pki.ca_file, client_certificates=demanded)
    async with serve(found, tls=context) as server:
        found.url = server.url
        yield found


async def post(carrier: Any, timeout_s: float = SOON_S) -> Reply:
    """Enter the carrier, post once, leave it."""
    if isinstance(carrier, RequestsCarrier):

        def in_thread() -> Reply:
            with carrier:
                return carrier.post("OadrPoll", b"<x/>", timeout_s)

        return await anyio.to_thread.run_sync(in_thread)
    async with carrier:
        reply: Reply = await carrier.post("OadrPoll", b"<x/>", timeout_s)
        return reply


async def failure(carrier: Any) -> CarrierError:
    with pytest.raises(CarrierError) as caught:
        await post(carrier)
    return caught.value


async def test_certificate_with_the_right_fingerprint_is_taken(library: str, pki: Pki, vtn: Party, ven: Party) -> None:
    tls = client_context(ven.cert, ven.key, ca_file=pki.ca_file, fingerprints=[vtn.fingerprint])
    async with door(vtn, pki) as server:
        assert await post(CARRIERS[library](server.url, tls=tls)) == Reply(200, b"ok")


async def test_server_with_another_fingerprint_gets_nothing(library: str, pki: Pki, vtn: Party, ven: Party) -> None:
    """Its certificate comes from the right authority, and still it is the wrong one."""
    tls = client_context(ven.cert, ven.key, ca_file=pki.ca_file, fingerprints=[ven.fingerprint])
    async with door(vtn, pki) as server:
        error = await failure(CARRIERS[library](server.url, tls=tls))
        assert server.seen == []
    assert error.failure is Failure.UNREACHABLE
    assert error.detail == (
        "no connection: the peer's certificate is not accepted: "
        f"its fingerprint is {vtn.fingerprint}, and {ven.fingerprint} is expected"
    )


async def test_server_of_an_unknown_authority_gets_nothing(
    library: str, pki: Pki, vtn: Party, ven: Party, tmp_path: Path
) -> None:
    stranger = Pki(tmp_path)
    tls = client_context(ven.cert, ven.key, ca_file=stranger.ca_file)
    async with door(vtn, pki) as server:
        error = await failure(CARRIERS[library](server.url, tls=tls))
        assert server.seen == []
    assert "the peer's certificate is not accepted" in error.detail


async def test_authorities_of_the_environment_do_not_count(
    library: str, pki: Pki, vtn: Party, ven: Party, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The context says whom to believe, and no library adds to that."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(pki.ca_file))
    tls = client_context(ven.cert, ven.key, ca_file=Pki(tmp_path).ca_file)
    before = tls.cert_store_stats()
    async with door(vtn, pki) as server:
        error = await failure(CARRIERS[library](server.url, tls=tls))
    assert "the peer's certificate is not accepted" in error.detail
    assert tls.cert_store_stats() == before


@pytest.mark.parametrize("check", [True, False])
async def test_host_name_is_compared_where_it_shall_be(library: str, check: bool, pki: Pki, ven: Party) -> None:
    elsewhere = pki.issue("elsewhere", host="elsewhere.example")
    tls = client_context(
        ven.cert, ven.key, ca_file=pki.ca_file, check_hostname=check, fingerprints=[elsewhere.fingerprint]
    )
    async with door(elsewhere, pki) as server:
        carrier = CARRIERS[library](server.url, tls=tls)
        if check:
            assert "the peer's certificate is not accepted" in (await failure(carrier)).detail
        else:
            assert (await post(carrier)).status == 200


async def test_missing_client_certificate_is_put_in_words(library: str, pki: Pki, vtn: Party) -> None:
    async with door(vtn, pki) as server:
        error = await failure(CARRIERS[library](server.url, tls=client_context(ca_file=pki.ca_file)))
    assert "client certificate" in error.detail
    assert "0x" not in error.detail


async def test_server_without_tls_is_put_in_words(library: str, pki: Pki) -> None:
    async with serve(Door(), base_path="") as server:
        url = server.url.replace("http:", "https:")
        error = await failure(CARRIERS[library](url, tls=client_context(ca_file=pki.ca_file)))
    assert "perhaps it is plain HTTP" in error.detail


async def test_closed_port_is_put_in_the_same_words(library: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = await failure(CARRIERS[library](f"http://127.0.0.1:{port}/x"))
    assert error.failure is Failure.UNREACHABLE
    assert error.detail.startswith("no connection: ")
    assert "0x" not in error.detail
    assert "refused" in error.detail or "connect" in error.detail


# --- the caller's own clients ---------------------------------------------------------------------------------------


@asynccontextmanager
async def own_client(library: str, tls: ssl.SSLContext, headers: dict[str, str]) -> AsyncIterator[Any]:
    """A client of a library as an application has it."""
    async with AsyncExitStack() as stack:
        if library == "httpx2":
            yield await stack.enter_async_context(httpx2.AsyncClient(verify=tls, headers=headers, timeout=SOON_S))
        elif library == "aiohttp":
            connector = aiohttp.TCPConnector(ssl=tls)
            yield await stack.enter_async_context(aiohttp.ClientSession(connector=connector, headers=headers))
        else:
            session = stack.enter_context(requests.Session())
            session.mount("https://", TlsAdapter(tls))
            session.headers.update(headers)
            yield session


def around(library: str, url: str, client: Any, **options: Any) -> Any:
    name = "client" if library == "httpx2" else "session"
    return CARRIERS[library](url, **{name: client}, **options)


async def test_own_client_brings_its_tls_and_headers_and_stays_open(
    library: str, pki: Pki, vtn: Party, ven: Party
) -> None:
    tls = client_context(ven.cert, ven.key, ca_file=pki.ca_file)
    async with door(vtn, pki) as server, own_client(library, tls, {"X-Site": "attic"}) as client:
        for _ in range(2):
            options = {} if library == "aiohttp" else {"fingerprints": [vtn.fingerprint]}
            carrier = around(library, server.url, client, **options)
            assert await post(carrier) == Reply(200, b"ok")
    assert [headers[b"x-site"] for headers in server.seen] == [b"attic"] * 2
    assert {headers[b"content-type"] for headers in server.seen} == {b"application/xml"}


@pytest.mark.parametrize("library", ["httpx2", "requests"])
async def test_reply_of_a_server_with_another_fingerprint_does_not_count(
    library: str, pki: Pki, vtn: Party, ven: Party
) -> None:
    """The connection is the caller's, so only its end can be looked at."""
    tls = client_context(ven.cert, ven.key, ca_file=pki.ca_file)
    async with door(vtn, pki) as server, own_client(library, tls, {}) as client:
        error = await failure(around(library, server.url, client, fingerprints=[ven.fingerprint]))
    assert f"its fingerprint is {vtn.fingerprint}" in error.detail


async def test_session_of_aiohttp_gets_the_context_with_the_fingerprint(pki: Pki, vtn: Party, ven: Party) -> None:
    """As aiohttp tells nothing of a connection later, it is refused before anything is sent."""
    tls = client_context(ven.cert, ven.key, ca_file=pki.ca_file)
    pinned = client_context(ven.cert, ven.key, ca_file=pki.ca_file, fingerprints=[ven.fingerprint])
    async with door(vtn, pki) as server, own_client("aiohttp", tls, {}) as client:
        error = await failure(AiohttpCarrier(server.url, session=client, tls=pinned))
        assert server.seen == []
    assert f"its fingerprint is {vtn.fingerprint}" in error.detail


@pytest.mark.parametrize("library", ["httpx2", "requests"])
async def test_fingerprint_of_a_plain_connection_is_missing(library: str, ven: Party, pki: Pki) -> None:
    tls = client_context(ca_file=pki.ca_file)
    async with serve(Door(), base_path="") as server, own_client(library, tls, {}) as client:
        error = await failure(around(library, server.url, client, fingerprints=[ven.fingerprint]))
    assert "its fingerprint is missing" in error.detail


async def test_shorter_timeout_of_the_own_client_holds(library: str) -> None:
    """Where the library has one: ``requests`` has none."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        carriers: dict[str, Callable[[], Any]] = {
            "httpx2": lambda: HttpCarrier(url, client=httpx2.AsyncClient(timeout=0.2)),
            "aiohttp": lambda: AiohttpCarrier(
                url, session=aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.2))
            ),
            "requests": lambda: RequestsCarrier(url, session=requests.Session()),
        }
        carrier = carriers[library]()
        with anyio.fail_after(SOON_S):
            if library == "requests":
                with pytest.raises(CarrierError) as caught:
                    await post(carrier, 0.2)
            else:
                caught_error = await failure(carrier)
        own = getattr(carrier, "_given", None)
        if isinstance(own, aiohttp.ClientSession):
            await own.close()
        elif isinstance(own, httpx2.AsyncClient):
            await own.aclose()
    error = caught.value if library == "requests" else caught_error
    assert error.failure is Failure.TIMEOUT


async def test_redirects_are_not_followed(library: str) -> None:
    async def elsewhere(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        headers = [(b"location", b"http://127.0.0.1:9/"), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 307, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async with serve(elsewhere, base_path="") as server:
        assert (await post(CARRIERS[library](server.url))).status == 307


# --- what a client takes --------------------------------------------------------------------------------------------


async def test_client_registers_through_the_callers_own_client(
    library: str, pki: Pki, vtn: Party, ven: Party
) -> None:
    their = Vtn(vtn_id="VTN", cert=vtn.cert, key=vtn.key, ca_file=pki.ca_file)
    tls = client_context(ven.cert, ven.key, ca_file=pki.ca_file)
    kind: Any = SyncOpenADRClient if library == "requests" else OpenADRClient
    async with (
        their.running(),
        their.serve() as server,
        own_client(library, tls, {}) as own,
        their.notifications() as notes,
    ):
        client = kind("v", server.url, cert=ven.cert, key=ven.key, ca_file=pki.ca_file, carrier=own,
                      vtn_fingerprint=vtn.fingerprint)  # fmt: skip
        async with running(client):
            with anyio.fail_after(SOON_S):
                assert isinstance(await anext(notes), VenRegistered)


async def test_client_checks_the_fingerprint_on_the_callers_own_connections(
    library: str, pki: Pki, vtn: Party, ven: Party
) -> None:
    their = Vtn(vtn_id="VTN", cert=vtn.cert, key=vtn.key, ca_file=pki.ca_file)
    tls = client_context(ven.cert, ven.key, ca_file=pki.ca_file)
    kind: Any = SyncOpenADRClient if library == "requests" else OpenADRClient
    async with their.running(), their.serve() as server, own_client(library, tls, {}) as own:
        files = {"cert": ven.cert, "key": ven.key, "ca_file": pki.ca_file}
        client = kind("v", server.url, carrier=own, vtn_fingerprint=ven.fingerprint, **files)
        with logged() as lines:
            async with running(client):
                await lines.seen("WARNING", lambda each: f"its fingerprint is {vtn.fingerprint}" in each["text"])
        assert client.registration is None


@pytest.mark.parametrize(
    ("client", "carrier", "words"),
    [
        (OpenADRClient, requests.Session, r"requests\.Session is for SyncOpenADRClient"),
        (SyncOpenADRClient, httpx2.AsyncClient, r"httpx2\.AsyncClient is for OpenADRClient"),
        (OpenADRClient, object, r"an object with post\(\)"),
        (SyncOpenADRClient, dict, r"an object with post\(\)"),
    ],
)
def test_wrong_carrier_is_named_at_once(client: Any, carrier: Any, words: str) -> None:
    with pytest.raises(LocalError, match=words):
        client("v", "http://127.0.0.1:1/x", carrier=carrier())
