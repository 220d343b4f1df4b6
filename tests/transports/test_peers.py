"""Which certificate a request came with: the connection's, or that which a trusted proxy names."""

from __future__ import annotations

import base64
import hashlib
import logging
import ssl
from typing import Any
from urllib.parse import quote

import pytest

from oadr_core import LocalError
from oadr_transports.asgi import Refused
from oadr_transports.peers import Peers
from tests.pki import Party, Pki

PROXY = "10.1.2.3"
ELSEWHERE = "192.0.2.7"
ENVOY = "X-Forwarded-Client-Cert"
NGINX = "X-SSL-Client-Cert"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def ven(pki: Pki) -> Party:
    return pki.issue("ven")


@pytest.fixture(scope="module")
def other(pki: Pki) -> Party:
    return pki.issue("other")


def pem(party: Party) -> str:
    return party.cert.read_text()


def der(party: Party) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem(party))


def rfc9440(party: Party) -> str:
    return f":{base64.b64encode(der(party)).decode()}:"


def scope(client: str | None, *headers: tuple[str, str], tls: Party | None = None, error: str | None = None) -> Any:
    found: dict[str, Any] = {
        "type": "http",
        "client": None if client is None else (client, 4711),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
    }
    if tls is not None:
        found["extensions"] = {"tls": {"client_cert_chain": [pem(tls)], "client_cert_error": error}}
    return found


# --- without proxies ------------------------------------------------------------------------------------------------


def test_certificate_of_the_connection(ven: Party) -> None:
    assert Peers().fingerprint(scope(ELSEWHERE, tls=ven)) == ven.fingerprint


@pytest.mark.parametrize("extensions", [{}, None, {"tls": {}}, {"tls": {"client_cert_chain": []}}])
def test_connection_without_a_certificate(extensions: Any) -> None:
    assert Peers().fingerprint({**scope(ELSEWHERE), "extensions": extensions}) is None


@pytest.mark.rule("R516")
def test_certificate_that_the_server_has_not_accepted_is_403(ven: Party) -> None:
    with pytest.raises(Refused, match="certificate has expired") as caught:
        Peers().fingerprint(scope(ELSEWHERE, tls=ven, error="certificate has expired"))
    assert caught.value.status == 403


@pytest.mark.parametrize("name", ["Client-Cert", ENVOY, NGINX])
def test_header_is_nothing_without_trusted_proxies(name: str, ven: Party, other: Party) -> None:
    header = (name, rfc9440(other))
    assert Peers(client_cert_header=name).fingerprint(scope("127.0.0.1", header)) is None
    assert Peers(client_cert_header=name).fingerprint(scope("127.0.0.1", header, tls=ven)) == ven.fingerprint


# --- with proxies ---------------------------------------------------------------------------------------------------


def envoy(party: Party, *, cert: bool = True) -> str:
    digest = hashlib.sha256(der(party)).hexdigest()
    escaped = f'Cert="{quote(pem(party), safe="")}";' if cert else ""
    return f'By=spiffe://vtn.example;Hash={digest};{escaped}Subject="CN=ven, O=\\"A; B=C\\"";URI='


FORMS = [
    ("Client-Cert", rfc9440),
    ("client-cert", rfc9440),
    (NGINX, lambda party: quote(pem(party), safe="")),
    ("X-Client-Pem", lambda party: quote(pem(party))),
    (ENVOY, envoy),
    (ENVOY, lambda party: envoy(party, cert=False)),
    (ENVOY, lambda party: envoy(party).replace(";URI=", "")),
]


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_forms_of_the_header(name: str, form: Any, ven: Party) -> None:
    peers = Peers([PROXY], name)
    assert peers.fingerprint(scope(PROXY, (name, form(ven)))) == ven.fingerprint


@pytest.mark.parametrize(
    ("trusted", "client", "is_trusted"),
    [
        ("10.1.2.3", "10.1.2.3", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.1.2.3", "::ffff:10.1.2.3", True),
        ("fe80::/10", "fe80::1%eth0", True),
        ("::1", "::1", True),
        ("10.1.2.3", "10.1.2.4", False),
        ("::1", "127.0.0.1", False),
        ("10.1.2.3", "", False),
        ("10.1.2.3", "/run/proxy.sock", False),
        ("10.1.2.3", None, False),
    ],
)
def test_header_counts_only_from_a_trusted_address(
    trusted: str, client: str | None, is_trusted: bool, ven: Party
) -> None:
    found = Peers([trusted]).fingerprint(scope(client, ("Client-Cert", rfc9440(ven))))
    assert found == (ven.fingerprint if is_trusted else None)


def test_header_of_somebody_else_is_ignored_with_a_warning(
    ven: Party, other: Party, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "oadr"):
        found = Peers([PROXY]).fingerprint(scope(ELSEWHERE, ("Client-Cert", rfc9440(other)), tls=ven))
    assert found == ven.fingerprint
    [record] = caplog.records
    assert ELSEWHERE in record.getMessage()


def test_certificate_of_the_proxy_itself_is_nobody_s(ven: Party, other: Party) -> None:
    """It would be the same for every VEN."""
    assert Peers([PROXY]).fingerprint(scope(PROXY, tls=other)) is None
    assert Peers([PROXY]).fingerprint(scope(PROXY, ("Client-Cert", ""), tls=other)) is None
    assert Peers([PROXY]).fingerprint(scope(PROXY, ("Client-Cert", rfc9440(ven)), tls=other)) == ven.fingerprint


def test_other_headers_do_not_count(ven: Party) -> None:
    assert Peers([PROXY], NGINX).fingerprint(scope(PROXY, ("Client-Cert", rfc9440(ven)))) is None


@pytest.mark.rule("R517")
def test_second_copy_of_the_header_is_403(ven: Party, other: Party) -> None:
    """One of them may be the client's own."""
    headers = ("Client-Cert", rfc9440(ven)), ("CLIENT-CERT", rfc9440(other))
    with pytest.raises(Refused, match="2 times") as caught:
        Peers([PROXY]).fingerprint(scope(PROXY, *headers))
    assert caught.value.status == 403


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Client-Cert", "AAAA"),
        ("Client-Cert", ":"),
        ("Client-Cert", "::"),
        ("Client-Cert", ":AAAA:"),
        ("Client-Cert", ":not base64:"),
        ("Client-Cert", ":MA==:, :MA==:"),
        ("Client-Cert", ":\u00fc:"),
        (NGINX, "nonsense"),
        (NGINX, "-----BEGIN%20CERTIFICATE-----AAAA-----END%20CERTIFICATE-----"),
        (NGINX, "-----BEGIN%20PRIVATE%20KEY-----AAAA-----END%20PRIVATE%20KEY-----"),
        (ENVOY, "nonsense"),
        (ENVOY, "By=x"),
        (ENVOY, "Hash=xyz"),
        (ENVOY, "Hash=" + "ab" * 32 + ",Hash=" + "cd" * 32),
        (ENVOY, "By=x,Hash=" + "cd" * 32),
        (ENVOY, "Hash=" + "ab" * 32 + ";Hash=" + "cd" * 32),
        (ENVOY, 'Cert="unfinished'),
    ],
)
def test_header_that_cannot_be_read_is_403(name: str, value: str) -> None:
    with pytest.raises(Refused) as caught:
        Peers([PROXY], name).fingerprint(scope(PROXY, (name, value)))
    assert caught.value.status == 403
    assert caught.value.text


@pytest.mark.parametrize("between", [",", ", ", ";"])
def test_copies_that_a_proxy_has_joined_are_403(ven: Party, other: Party, between: str) -> None:
    both = between.join((quote(pem(other), safe=""), quote(pem(ven), safe="")))
    with pytest.raises(Refused, match="more than one value"):
        Peers([PROXY], NGINX).fingerprint(scope(PROXY, (NGINX, both)))


def test_chain_after_the_certificate_does_not_matter(ven: Party, other: Party) -> None:
    both = quote(pem(ven) + pem(other), safe="")
    assert Peers([PROXY], NGINX).fingerprint(scope(PROXY, (NGINX, both))) == ven.fingerprint


@pytest.mark.parametrize("arguments", [(["nonsense"],), (["10.1.2.3/8"],), ("10.1.2.3",), ((), "a b"), ((), "")])
def test_wrong_settings_are_refused(arguments: Any) -> None:
    with pytest.raises(LocalError, match=r"trusted_proxies|client_cert_header"):
        Peers(*arguments)


