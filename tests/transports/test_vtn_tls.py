"""The VTN over real TLS: every message is bound to the certificate that it came with."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import attrs
import httpx2
import pytest
import uvicorn
from anyio.streams.tls import TLSAttribute
from cryptography.hazmat.primitives import serialization
from uvicorn.protocols.http.h11_impl import H11Protocol

from oadr_core import LocalError, decode, encode
from oadr_core.engine import Trouble
from oadr_core.engine.copying import evolve
from oadr_core.model import (
    CreatePartyRegistration,
    EiResponse,
    Payload,
    Poll,
    QueryRegistration,
    RegisterReport,
    Response,
    UpdateReport,
)
from oadr_core.security import fingerprint
from oadr_core.vtn import Admitted, OptReceived, VenRegistered
from oadr_core.vtn.routes import ROUTES
from oadr_transports import OpenADRClient, Vtn, uvicorn_tls
from oadr_transports.http import HttpCarrier
from oadr_transports.ports import CarrierError
from oadr_transports.server import Server, serve
from oadr_transports.tls import Level, client_context, server_context
from tests.core.vtn.test_identity import saying
from tests.golden import ANNEX_A
from tests.logs import logged
from tests.observations import Observations
from tests.pki import KINDS, Party, Pki
from tests.running import running

SOON = 30.0
PROTOCOLS = ("h11", "httptools")


@pytest.fixture
def anyio_backend() -> str:
    """uvicorn runs under asyncio."""
    return "asyncio"


@pytest.fixture(scope="module", params=KINDS)
def pki(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"), request.param)


@pytest.fixture(scope="module")
def vtn_party(pki: Pki) -> Party:
    return pki.issue("vtn")


@pytest.fixture(scope="module")
def ven_party(pki: Pki) -> Party:
    return pki.issue("ven")


@pytest.fixture(scope="module")
def other_party(pki: Pki) -> Party:
    return pki.issue("other")


def secure_vtn(pki: Pki, party: Party, **options: Any) -> Vtn:
    given = {"cert": party.cert, "key": party.key, "ca_file": pki.ca_file, **options}
    return Vtn(vtn_id="VTN-1", requested_poll_freq=timedelta(seconds=1), **given)


def client_of(server: Server, pki: Pki, party: Party | None, **options: Any) -> OpenADRClient:
    files = {} if party is None else {"cert": party.cert, "key": party.key}
    given = {"ven_name": "ven-1", "vtn_url": server.url, "ca_file": pki.ca_file, **files, **options}
    return OpenADRClient(**given)


@asynccontextmanager
async def posting(server: Server, pki: Pki, party: Party | None) -> AsyncIterator[Any]:
    """A function that posts messages over the certificate of a party."""
    files = () if party is None else (party.cert, party.key)
    context = client_context(*files, ca_file=pki.ca_file)
    async with httpx2.AsyncClient(verify=context) as client:

        async def post(service: str, payload: Payload) -> Any:
            headers = {"Content-Type": "application/xml"}
            reply = await client.post(f"{server.url}/{service}", content=encode(payload), headers=headers)
            assert reply.status_code == 200
            return decode(reply.content).payload if reply.content else None

        yield post


def registration(name: str = "ven-1", **details: Any) -> CreatePartyRegistration:
    return CreatePartyRegistration(request_id="r", oadr_ven_name=name, oadr_http_pull_model=True, **details)


@pytest.mark.rule("R67")
@pytest.mark.rule("R514")
@pytest.mark.parametrize("http", PROTOCOLS)
async def test_main_job_over_mutual_tls_with_signatures(
    http: str, pki: Pki, vtn_party: Party, ven_party: Party
) -> None:
    seen = Observations()
    vtn = secure_vtn(pki, vtn_party, transcript=lambda *entry: seen.add("message", entry=entry))
    with anyio.fail_after(SOON):
        async with vtn.serve(http=http) as server, vtn.notifications() as notes:
            assert server.url.startswith("https://127.0.0.1:")
            client = client_of(server, pki, ven_party, vtn_fingerprint=vtn_party.fingerprint)
            client.add_handler("on_event", lambda event: "optIn")
            async with running(client):
                vtn.publish_event(
                    signal_name="SIMPLE",
                    signal_type="level",
                    dtstart=datetime.now(UTC) + timedelta(minutes=5),
                    intervals=[(timedelta(minutes=5), 1)],
                    market_context="http://example.com/p",
                )
                async for note in notes:
                    if isinstance(note, OptReceived):
                        break
    assert note.opt_type == "optIn"
    [ven] = vtn.vens.values()
    assert ven.fingerprint == ven_party.fingerprint.replace(":", "").lower()
    assert ven.guard is not None
    messages = [data for _, _, data in (each["entry"] for each in seen.all("message"))]
    assert {direction for direction, _, _ in (each["entry"] for each in seen.all("message"))} == {"received", "sent"}
    assert all(b"<ds:Signature " in data for data in messages)


async def test_private_authority_without_client_certificates_when_asked_for_by_name(
    pki: Pki, vtn_party: Party
) -> None:
    """TLS that identifies the server only; VENs are believed by their venID."""
    vtn = secure_vtn(pki, vtn_party, ca_file=None, identity="insecure")
    with logged() as lines:
        async with vtn.serve() as server, vtn.notifications() as notes:
            client = client_of(server, pki, None, vtn_fingerprint=vtn_party.fingerprint)
            async with running(client):
                with anyio.fail_after(SOON):
                    assert isinstance(await anext(notes), VenRegistered)
    assert any(line["text"].startswith("INSECURE") for line in lines.all("WARNING"))


@pytest.mark.parametrize("http", PROTOCOLS)
async def test_certificate_is_optional_for_an_insecure_vtn_and_then_binds(
    http: str, pki: Pki, vtn_party: Party, ven_party: Party
) -> None:
    vtn = secure_vtn(pki, vtn_party, identity="insecure")
    async with vtn.serve(http=http) as server:
        async with posting(server, pki, ven_party) as post:
            ven_id = (await post("EiRegisterParty", registration())).ven_id
        async with posting(server, pki, None) as post:
            assert (await post("OadrPoll", Poll(ven_id=ven_id))).ei_response.response_code == "463"
            assert (await post("EiRegisterParty", registration("other"))).ei_response.ok


async def test_client_without_a_certificate_is_not_let_in_and_told_why(pki: Pki, vtn_party: Party) -> None:
    vtn = secure_vtn(pki, vtn_party)
    with logged() as lines:
        async with vtn.serve() as server, running(client_of(server, pki, None)):
            theirs = await lines.seen("WARNING", lambda each: "no connection" in each["text"])
            ours = await lines.seen("WARNING", lambda each: "handshake has failed" in each["text"])
    assert "client certificate" in theirs["text"]
    assert "the peer has shown no client certificate" in ours["text"]
    assert not vtn.vens


@pytest.mark.rule("R516")
async def test_expired_certificate_is_not_let_in(pki: Pki, vtn_party: Party) -> None:
    expired = pki.issue("expired", not_after=datetime.now(UTC) - timedelta(days=1))
    vtn = secure_vtn(pki, vtn_party)
    with logged() as lines:
        async with vtn.serve() as server, running(client_of(server, pki, expired)):
            theirs = await lines.seen("WARNING", lambda each: "no connection" in each["text"])
            ours = await lines.seen("WARNING", lambda each: "handshake has failed" in each["text"])
    assert "expired" in ours["text"]
    assert "expired" in theirs["text"] or "client certificate" in theirs["text"]
    [told] = lines.all("ERROR")
    assert "the certificate of this VEN is expired" in told["text"]


@pytest.mark.rule("R516")
async def test_certificate_that_expires_while_the_connection_lasts_is_403(
    pki: Pki, vtn_party: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = datetime.now(UTC) + timedelta(hours=1)
    party = pki.issue("brief", not_after=end)
    vtn = secure_vtn(pki, vtn_party)
    async with vtn.serve() as server:
        context = client_context(party.cert, party.key, ca_file=pki.ca_file)
        async with httpx2.AsyncClient(verify=context) as client:

            async def ask() -> int:
                data, headers = encode(QueryRegistration(request_id="q")), {"Content-Type": "application/xml"}
                reply = await client.post(f"{server.url}/EiRegisterParty", content=data, headers=headers)
                return int(reply.status_code)

            assert await ask() == 200
            monkeypatch.setattr(uvicorn_tls, "clock", lambda: end.timestamp() + 1)
            assert await ask() == 403


@pytest.mark.rule("R517")
@pytest.mark.parametrize("http", PROTOCOLS)
async def test_message_over_somebody_else_s_certificate_is_refused(
    http: str, pki: Pki, vtn_party: Party, ven_party: Party, other_party: Party
) -> None:
    """With a venID and without one."""
    vtn = secure_vtn(pki, vtn_party, admitted=(Admitted(ven_id="VEN-A", fingerprint=ven_party.fingerprint),))
    async with vtn.serve(http=http) as server:
        async with posting(server, pki, ven_party) as post:
            reply = await post("EiRegisterParty", registration())
            assert reply.ven_id == "VEN-A"
            assert (await post("EiReport", RegisterReport(request_id="q"))).ei_response.ok
        state = vtn.vens["VEN-A"]
        async with posting(server, pki, other_party) as post:
            for claimed in (None, "VEN-A"):
                messages = (
                    ("EiRegisterParty", registration(ven_id=claimed)),
                    ("EiRegisterParty", registration(ven_id=claimed, registration_id=reply.registration_id)),
                    ("EiRegisterParty", QueryRegistration(request_id="q")),
                    ("EiRegisterParty", Response(ei_response=EiResponse(), ven_id=claimed)),
                    ("EiReport", RegisterReport(request_id="q", ven_id=claimed)),
                    ("EiReport", UpdateReport(request_id="q", ven_id=claimed)),
                    ("OadrPoll", Poll(ven_id=claimed or "")),
                )
                for service, payload in messages:
                    refusal = await post(service, payload)
                    assert refusal.ei_response.response_code == "463"
        assert vtn.vens == {"VEN-A": state}


@pytest.mark.rule("R517")
async def test_no_message_without_a_ven_id_passes_over_somebody_else_s_certificate(
    pki: Pki, vtn_party: Party, ven_party: Party, other_party: Party
) -> None:
    """All 23, each as our own sample of it with its venID taken out."""
    samples = {type(payload): payload for payload in (decode(path.read_bytes()).payload for path in ANNEX_A)}
    assert set(samples) == set(ROUTES)
    vtn = secure_vtn(pki, vtn_party, admitted=(Admitted(ven_id="VEN-A", fingerprint=ven_party.fingerprint),))
    async with vtn.serve() as server:
        async with posting(server, pki, ven_party) as post:
            reply = await post("EiRegisterParty", registration())
        state = vtn.vens["VEN-A"]
        async with vtn.notifications() as notes, posting(server, pki, other_party) as post:
            for kind, sample in samples.items():
                payload = saying(sample, None)
                if getattr(payload, "registration_id", None):
                    payload = evolve(payload, registration_id=reply.registration_id)
                refusal = await post(ROUTES[kind].service or "EiEvent", payload)
                assert refusal.ei_response.response_code == "463", kind
        assert {type(note) async for note in notes} == {Trouble}
    assert vtn.vens == {"VEN-A": state}


async def test_vtn_with_another_fingerprint_gets_no_request(pki: Pki, vtn_party: Party, ven_party: Party) -> None:
    """Its certificate comes from the right authority, and still it is the wrong one."""
    seen: list[str] = []
    vtn = secure_vtn(pki, vtn_party, transcript=lambda direction, service, data: seen.append(service))
    with logged() as lines:
        async with vtn.serve() as server:
            client = client_of(server, pki, ven_party, vtn_fingerprint=ven_party.fingerprint)
            async with running(client):
                warning = await lines.seen("WARNING", lambda each: "no connection" in each["text"])
    assert f"its fingerprint is {vtn_party.fingerprint}" in warning["text"]
    assert seen == []


@pytest.mark.parametrize("scheme", ["HTTPS", "Https"])
async def test_scheme_in_capitals_is_no_way_around_the_checks(
    scheme: str, pki: Pki, vtn_party: Party, ven_party: Party
) -> None:
    vtn = secure_vtn(pki, vtn_party)
    async with vtn.serve() as server:
        shouted = attrs.evolve(server, scheme=scheme)
        with logged() as lines:
            client = client_of(shouted, pki, ven_party, vtn_fingerprint=ven_party.fingerprint)
            async with running(client):
                await lines.seen("WARNING", lambda each: f"{ven_party.fingerprint} is expected" in each["text"])
        assert not vtn.vens
        async with vtn.notifications() as notes, running(client_of(shouted, pki, ven_party)):
            with anyio.fail_after(SOON):
                assert isinstance(await anext(notes), VenRegistered)


async def test_carrier_without_a_context_believes_no_unknown_server(pki: Pki, vtn_party: Party) -> None:
    async with secure_vtn(pki, vtn_party).serve() as server:
        url = server.url.replace("https", "HTTPS")
        async with HttpCarrier(url) as carrier:
            with pytest.raises(CarrierError, match="certificate is not accepted"):
                await carrier.post("EiRegisterParty", b"<x/>", SOON)


async def test_vtn_may_have_a_certificate_of_each_kind(pki: Pki, ven_party: Party) -> None:
    """As the profile wants it (section 10.1); the first one signs."""
    rsa, ec = pki.issue("rsa", kind="RSA"), pki.issue("ec", kind="ECDSA")
    vtn = secure_vtn(pki, rsa, cert=[rsa.cert, ec.cert], key=[rsa.key, ec.key])
    async with vtn.serve() as server:
        for suite, party in (("AES128-SHA256", rsa), ("ECDHE-ECDSA-AES128-SHA256", ec)):
            context = client_context(ven_party.cert, ven_party.key, ca_file=pki.ca_file, level=Level.PROFILE)
            context.set_ciphers(suite)
            stream = await anyio.connect_tcp("127.0.0.1", server.port, ssl_context=context)
            async with stream:
                assert stream.extra(TLSAttribute.cipher)[0] == suite
                der = stream.extra(TLSAttribute.peer_certificate_binary)
                assert fingerprint(der) == party.fingerprint
        names = [rsa.fingerprint, ec.fingerprint]
        client = client_of(server, pki, ven_party, vtn_fingerprint=names)
        async with vtn.notifications() as notes, running(client):
            with anyio.fail_after(SOON):
                assert isinstance(await anext(notes), VenRegistered)


async def test_unsigned_messages_are_refused_where_signatures_are_required(
    pki: Pki, vtn_party: Party, ven_party: Party
) -> None:
    vtn = secure_vtn(pki, vtn_party, require_signature=True)
    with logged() as lines:
        async with vtn.serve() as server:
            async with running(client_of(server, pki, ven_party, disable_signature=True)):
                await lines.seen("WARNING", lambda each: "the message is not signed" in each["text"])
                assert not vtn.vens
            async with vtn.notifications() as notes, running(client_of(server, pki, ven_party)):
                with anyio.fail_after(SOON):
                    assert isinstance(await anext(notes), VenRegistered)


async def test_replies_are_not_signed_when_that_is_disabled(pki: Pki, vtn_party: Party, ven_party: Party) -> None:
    vtn = secure_vtn(pki, vtn_party, disable_signature=True)
    with logged() as lines:
        async with vtn.serve() as server:
            async with running(client_of(server, pki, ven_party, vtn_fingerprint=vtn_party.fingerprint)):
                await lines.seen("WARNING", lambda each: "the message is not signed" in each["text"])
            async with vtn.notifications() as notes, running(client_of(server, pki, ven_party)):
                with anyio.fail_after(SOON):
                    while not isinstance(await anext(notes), VenRegistered):
                        pass


async def test_both_sides_log_the_fingerprint_to_hand_over(pki: Pki, vtn_party: Party, ven_party: Party) -> None:
    vtn = secure_vtn(pki, vtn_party)
    with logged() as lines:
        async with vtn.serve() as server:
            async with running(client_of(server, pki, ven_party, disable_signature=True)):
                await lines.seen("INFO", lambda each: f"this VEN is {ven_party.fingerprint}" in each["text"])
                await lines.seen("INFO", lambda each: "registered with VTN" in each["text"])
            assert [each for each in lines.all("INFO") if f"this VTN is {vtn_party.fingerprint}" in each["text"]]
            async with running(client_of(server, pki, ven_party, show_fingerprint=False)):
                await lines.seen("INFO", lambda each: "registered with VTN" in each["text"], count=2)
    assert len([each for each in lines.all("INFO") if ven_party.fingerprint in each["text"]]) == 1
    assert not [each for each in lines.all("WARNING") if "INSECURE" in each["text"]]


async def test_plain_http_on_the_port_is_logged(pki: Pki, vtn_party: Party) -> None:
    vtn = secure_vtn(pki, vtn_party)
    with logged() as lines:
        async with vtn.serve() as server, await anyio.connect_tcp("127.0.0.1", server.port) as stream:
            await stream.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await lines.seen("WARNING", lambda each: "plain HTTP on a TLS port" in each["text"])


# --- behind a proxy -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("http", PROTOCOLS)
async def test_proxy_hands_the_certificate_on(http: str, pki: Pki, vtn_party: Party, ven_party: Party) -> None:
    """Plain HTTP from the proxy, which is this test."""
    vtn = secure_vtn(pki, vtn_party, trusted_proxies=["127.0.0.1"])
    der = ssl.PEM_cert_to_DER_cert(ven_party.cert.read_text())
    certificate = {"Client-Cert": f":{base64.b64encode(der).decode()}:"}
    async with vtn.serve(http=http) as server, httpx2.AsyncClient() as proxy:
        assert server.url.startswith("http://")

        async def forward(payload: Payload, **headers: str) -> Any:
            headers = {"Content-Type": "application/xml", "X-Forwarded-For": "192.0.2.1", **headers}
            reply = await proxy.post(f"{server.url}/EiRegisterParty", content=encode(payload), headers=headers)
            return decode(reply.content).payload if reply.status_code == 200 else reply.status_code

        assert (await forward(registration(), **certificate)).ei_response.ok
        [ven] = vtn.vens.values()
        assert ven.fingerprint == ven_party.fingerprint.replace(":", "").lower()
        assert (await forward(registration("other"))).ei_response.response_code == "463"
        assert await forward(registration("other"), **{"Client-Cert": ":AAAA:"}) == 403


async def test_forwarded_address_makes_nobody_a_proxy(pki: Pki, vtn_party: Party, ven_party: Party) -> None:
    vtn = secure_vtn(pki, vtn_party, trusted_proxies=["192.0.2.1"])
    der = ssl.PEM_cert_to_DER_cert(ven_party.cert.read_text())
    headers = {
        "Content-Type": "application/xml",
        "X-Forwarded-For": "192.0.2.1",
        "Client-Cert": f":{base64.b64encode(der).decode()}:",
    }
    async with vtn.serve() as server, httpx2.AsyncClient() as client:
        data = encode(registration())
        reply = await client.post(f"{server.url}/EiRegisterParty", content=data, headers=headers)
    assert decode(reply.content).payload.ei_response.response_code == "463"
    assert not vtn.vens


# --- wrong settings -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("cert", {"cert": None, "key": None}),
        ("cert", {"cert": None, "key": None, "ca_file": None}),
        ("ca_file", {"ca_file": None}),
    ],
)
async def test_serving_nobody_is_refused_with_a_hint(
    path: str, options: dict[str, Any], pki: Pki, vtn_party: Party
) -> None:
    vtn = secure_vtn(pki, vtn_party, **options)
    with pytest.raises(LocalError) as caught:
        vtn.serve()
    assert caught.value.path == path
    with pytest.raises(LocalError):
        Vtn(vtn_id="VTN-1").serve(tls=True)


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("key", {"key": None}),
        ("cert", {"cert": None}),
        ("passphrase", {"cert": None, "key": None, "passphrase": "x"}),
        ("passphrase", {"passphrase": 5}),
        ("cert", {"cert": 5}),
        ("key", {"key": "-----BEGIN PRIVATE KEY-----"}),
        ("disable_signature", {"disable_signature": "no"}),
        ("require_signature", {"require_signature": "no"}),
        ("tls_level", {"tls_level": "old"}),
        ("trusted_proxies", {"trusted_proxies": 5}),
        ("trusted_proxies", {"trusted_proxies": [5]}),
        ("trusted_proxies", {"trusted_proxies": ["0.0.0.0/0"]}),
        ("trusted_proxies", {"trusted_proxies": ["::/0"]}),
        ("client_cert_header", {"client_cert_header": "a b"}),
        ("cert", {"cert": "nowhere.pem"}),
        ("ca_file", {"ca_file": "nowhere.pem"}),
        ("trusted_proxies", {"trusted_proxies": ["proxy.example"]}),
        ("client_cert_header", {"client_cert_header": "Client Cert"}),
        ("ca_file", {"ca_file": None, "require_signature": True}),
        ("VtnConfig/identity", {"identity": "none"}),
    ],
)
def test_wrong_options_are_named(path: str, options: dict[str, Any], pki: Pki, vtn_party: Party) -> None:
    with pytest.raises(LocalError) as caught:
        secure_vtn(pki, vtn_party, **options)
    assert caught.value.path == path


async def test_key_with_a_passphrase_serves_and_signs(
    pki: Pki, vtn_party: Party, ven_party: Party, tmp_path: Path
) -> None:
    key = serialization.load_pem_private_key(vtn_party.key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    cipher = serialization.BestAvailableEncryption(b"open sesame")
    locked.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, cipher))
    vtn = secure_vtn(pki, vtn_party, key=locked, passphrase="open sesame")
    async with vtn.serve() as server, vtn.notifications() as notes:
        client = client_of(server, pki, ven_party, vtn_fingerprint=vtn_party.fingerprint)
        async with running(client):
            with anyio.fail_after(SOON):
                assert isinstance(await anext(notes), VenRegistered)
    with pytest.raises(LocalError, match="passphrase"):
        secure_vtn(pki, vtn_party, key=locked)


# --- uvicorn --------------------------------------------------------------------------------------------------------


class _Elsewhere(H11Protocol):
    """As a later uvicorn might be: the application is kept under another name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.application = self.__dict__.pop("app")


async def test_uvicorn_that_is_built_otherwise_is_refused_with_a_hint(pki: Pki, vtn_party: Party) -> None:
    vtn = secure_vtn(pki, vtn_party)
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - anyio may group it
        async with vtn.serve(http=_Elsewhere):
            pass
    error: BaseException = caught.value
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, RuntimeError)
    assert uvicorn.__version__ in str(error)
    assert "trusted_proxies" in str(error)


@pytest.mark.parametrize("http", PROTOCOLS)
async def test_tls_extension_has_what_asgi_says(http: str, pki: Pki, vtn_party: Party, ven_party: Party) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["extensions"]["tls"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    context = server_context(vtn_party.cert, vtn_party.key, ca_file=pki.ca_file)
    async with serve(app, tls=context, http=http) as server:  # type: ignore[arg-type]  # any application will do
        client_side = client_context(ven_party.cert, ven_party.key, ca_file=pki.ca_file)
        async with httpx2.AsyncClient(verify=client_side) as client:
            for _ in range(2):
                await client.get(f"https://127.0.0.1:{server.port}/")
    for tls in seen:
        assert fingerprint(tls["client_cert_chain"][0].encode()) == ven_party.fingerprint
        assert tls["client_cert_error"] is None
        assert tls["tls_version"] == 0x0304
        assert tls["cipher_suite"] in (0x1301, 0x1302, 0x1303)
        assert set(tls) == {
            "server_cert",
            "client_cert_chain",
            "client_cert_name",
            "client_cert_error",
            "tls_version",
            "cipher_suite",
        }
    assert len(seen) == 2
