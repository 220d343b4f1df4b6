"""The doctor against real servers that do things wrong, one for each kind of trouble."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from oadr_core import DEFAULT_LIMITS, encode, seal
from oadr_core.engine.copying import evolve
from oadr_core.model import EiResponse, Profile, ProfileName, Response, TransportName
from oadr_core.security import Signer, fingerprint
from oadr_transports.certificates import Kind, issue, new_authority
from oadr_transports.doctor import Diagnosis, Finding, Options, Status, Step, examine, probe

from .servers import (
    HOST,
    NOW,
    PATH,
    WELCOME,
    Party,
    Pki,
    Talk,
    answering,
    answering_with,
    authority,
    hanging_up,
    odd_tls_server,
    renewed,
    saying,
    serving,
    silent,
    tls_server,
)

GOOD = answering_with(WELCOME)
SHORT_S = 0.5


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("doctor"))


def visit(port: int, *, scheme: str = "https", host: str = HOST, path: str = PATH, **options: Any) -> Diagnosis:
    diagnosis = examine(Options(url=f"{scheme}://{host}:{port}{path}", **{"timeout_s": 10.0, **options}))
    check_form(diagnosis)
    return diagnosis


def check_form(diagnosis: Diagnosis) -> None:
    """What holds for every diagnosis."""
    assert [checked.step for checked in diagnosis.steps] == list(Step)
    assert all(checked.text for checked in diagnosis.steps)
    failed = [checked for checked in diagnosis.steps if checked.status is Status.FAILED]
    if diagnosis.failure is None:
        assert not failed
    else:
        assert failed[0].step is diagnosis.failure.step
        assert failed[0].text == diagnosis.failure.what
        assert len(diagnosis.failure.advice) > 10
        assert "(unknown)" not in diagnosis.failure.what + diagnosis.failure.advice


def finding(diagnosis: Diagnosis) -> Finding | None:
    return None if diagnosis.failure is None else diagnosis.failure.finding


def status(diagnosis: Diagnosis, step: Step) -> Status:
    return next(checked.status for checked in diagnosis.steps if checked.step is step)


def text(diagnosis: Diagnosis, step: Step) -> str:
    return next(" ".join((checked.text, *checked.notes)) for checked in diagnosis.steps if checked.step is step)


def what(diagnosis: Diagnosis) -> str:
    assert diagnosis.failure is not None
    return diagnosis.failure.what


def advice(diagnosis: Diagnosis) -> str:
    assert diagnosis.failure is not None
    return diagnosis.failure.advice


@contextmanager
def free_port() -> Iterator[int]:
    """A port where nobody listens: it is taken, and not listened at."""
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        yield taken.getsockname()[1]


def read_until_quiet(connection: socket.socket, quiet_s: float | None) -> bytes:
    """One part, and all that follows it without a pause."""
    data = connection.recv(65_536)
    if quiet_s is not None:
        connection.settimeout(quiet_s)
        with suppress(TimeoutError):
            while part := connection.recv(65_536):
                data += part
        connection.settimeout(None)
    return data


# --- all is well ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("newest", [True, False], ids=["TLS 1.3", "TLS 1.2"])
def test_all_is_well(pki: Pki, kind: Kind, newest: bool) -> None:
    vtn, ven = pki.party("vtn", kind=kind), pki.party("ven1", kind=kind)
    with serving(GOOD, tls_server(vtn, ca=pki.ca(), newest=newest)) as port:
        seen = visit(port, cert=ven.cert, key=ven.key, ca_file=pki.ca(), ven_name="ven1")
    assert finding(seen) is None
    assert {checked.status for checked in seen.steps} == {Status.OK}
    assert text(seen, Step.TLS).startswith("TLSv1.3" if newest else "TLSv1.2")
    assert text(seen, Step.CLIENT) == "accepted; without one the server hangs up"
    assert fingerprint(vtn.cert.read_bytes()) in text(seen, Step.FINGERPRINT)
    assert "vtn-1" in text(seen, Step.REGISTRATION)


def test_without_tls(pki: Pki) -> None:
    with serving(GOOD) as port:
        seen = visit(port, scheme="http")
    assert finding(seen) is None
    assert [status(seen, step) for step in (Step.TLS, Step.CHAIN, Step.HOST, Step.CLIENT)] == [Status.SKIPPED] * 4
    assert "plain HTTP" in text(seen, Step.URL)


def test_server_that_asks_for_no_certificate(pki: Pki) -> None:
    ven = pki.party("ven1")
    with serving(GOOD, tls_server(pki.party("vtn"))) as port:
        without = visit(port, ca_file=pki.ca())
        given = visit(port, ca_file=pki.ca(), cert=ven.cert, key=ven.key)
    assert finding(without) is finding(given) is None
    assert "does not insist" in text(without, Step.CLIENT)
    assert "takes connections without" in text(given, Step.CLIENT)


def test_known_fingerprint_demands_signed_answers(pki: Pki) -> None:
    vtn = pki.party("vtn")
    signed = Signer.from_pem(vtn.cert.read_bytes(), vtn.key.read_bytes())
    known = fingerprint(vtn.cert.read_bytes())
    data = seal(WELCOME, signer=signed, now=datetime.now(UTC), nonce="0123456789abcdef")
    for body, expected in (
        (data, None),
        (encode(WELCOME), Finding.NOT_SIGNED),
        (data.replace(b"vtn-1", b"vtn-2"), Finding.SIGNATURE_WRONG),
    ):
        with serving(answering(body), tls_server(vtn)) as port:
            seen = visit(port, ca_file=pki.ca(), vtn_fingerprints=(known.lower(),))
        assert finding(seen) is expected
        assert status(seen, Step.FINGERPRINT) is Status.OK


# --- URL, files, name, connection -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("vtn.example", Finding.URL_UNUSABLE),
        ("ftp://vtn.example", Finding.URL_UNUSABLE),
        ("http://vtn.example:70000/", Finding.URL_UNUSABLE),
        ("http://[::1/", Finding.URL_UNUSABLE),
        ("http:///OpenADR2", Finding.URL_UNUSABLE),
        ("https://vtn.example/OpenADR2/Simple/2.0b/EiRegisterParty", Finding.URL_OF_A_SERVICE),
        ("https://vtn.example/OpenADR2/Simple/2.0b/oadrpoll/", Finding.URL_OF_A_SERVICE),
    ],
)
def test_url(url: str, expected: Finding) -> None:
    seen = examine(Options(url=url))
    check_form(seen)
    assert finding(seen) is expected


def test_port_0_is_not_the_usual_one() -> None:
    seen = examine(Options(url="https://127.0.0.1:0/"))
    assert "port 0" in text(seen, Step.URL)
    assert finding(seen) is Finding.CONNECTION_REFUSED


def test_key_of_another_certificate(pki: Pki) -> None:
    one, other = pki.party("one"), pki.party("other")
    for scheme in ("http", "https"):
        seen = visit(1, scheme=scheme, cert=one.cert, key=other.key)
        assert finding(seen) is Finding.KEY_OF_ANOTHER
    assert "other.key" in what(seen)


def test_passphrases(pki: Pki) -> None:
    ven = pki.party("locked")
    key = ven.protected(b"open sesame")
    assert finding(visit(1, cert=ven.cert, key=key)) is Finding.PASSPHRASE_MISSING
    assert finding(visit(1, cert=ven.cert, key=key, passphrase="wrong")) is Finding.PASSPHRASE_WRONG
    right = visit(1, cert=ven.cert, key=key, passphrase="open sesame")
    assert status(right, Step.FILES) is Status.OK


def test_files_that_cannot_be_used(pki: Pki, tmp_path: Path) -> None:
    ven = pki.party("ven1")
    empty = tmp_path / "empty.pem"
    empty.write_bytes(b"")
    for options in (
        {"cert": empty, "key": ven.key},
        {"ca_file": empty},
        {"ca_file": tmp_path / "missing.pem"},
    ):
        seen = visit(1, **options)
        assert finding(seen) is Finding.FILES_UNUSABLE
    assert "missing.pem" in what(seen)
    for half in ({"cert": ven.cert}, {"key": ven.key}):
        assert finding(visit(1, **half)) is Finding.HALF_A_PAIR


@pytest.mark.rule("R516")
def test_our_own_certificate_is_out_of_its_time(pki: Pki) -> None:
    old = pki.party("old", now=NOW - timedelta(days=30), days=10)
    early = pki.party("early", now=NOW + timedelta(days=9))
    seen = visit(1, cert=old.cert, key=old.key)
    assert finding(seen) is Finding.OWN_EXPIRED
    assert "CN=old" in what(seen)
    assert finding(visit(1, cert=early.cert, key=early.key)) is Finding.OWN_NOT_YET_VALID


def test_host_that_nobody_knows() -> None:
    seen = visit(443, host="vtn.invalid")
    assert finding(seen) in (Finding.NAME_UNKNOWN, Finding.NAME_SERVICE_SILENT)
    assert "vtn.invalid" in what(seen)


def test_host_that_cannot_be_a_name() -> None:
    assert finding(visit(443, host="a" * 70 + ".example")) in (Finding.NAME_UNUSABLE, Finding.NAME_UNKNOWN)


def test_wrong_port() -> None:
    with free_port() as port:
        seen = visit(port)
    assert finding(seen) is Finding.CONNECTION_REFUSED
    assert str(port) in what(seen)
    assert status(seen, Step.NAME) is Status.OK
    assert status(seen, Step.TLS) is Status.SKIPPED


def test_host_that_drops_connections() -> None:
    """A listener whose queue is full answers nobody."""
    with socket.socket() as full, ExitStack() as waiting:
        full.bind((HOST, 0))
        full.listen(0)
        for _ in range(4):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        seen = visit(full.getsockname()[1], timeout_s=SHORT_S)
    assert finding(seen) is Finding.CONNECTION_SILENT
    assert "0.5 s" in what(seen)


# --- TLS ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("talk", [GOOD, answering(b"<html>Welcome</html>", "400 Bad Request", "text/html")])
def test_plain_http_at_the_port(talk: Talk) -> None:
    with serving(talk) as port:
        seen = visit(port)
    assert finding(seen) is Finding.PLAIN_HTTP
    assert "plain HTTP" in what(seen)


def test_another_service_at_the_port() -> None:
    def greet(connection: socket.socket) -> None:
        connection.sendall(b"220 mail.example ESMTP ready\r\n")
        silent(connection)

    with serving(greet) as port:
        secure, plain = visit(port, timeout_s=2.0), visit(port, scheme="http", timeout_s=2.0)
    assert finding(secure) is Finding.NOT_TLS
    assert finding(plain) is Finding.NOT_HTTP
    assert "mail.example" in what(plain)


def test_server_that_says_nothing() -> None:
    with serving(silent) as port:
        assert finding(visit(port, timeout_s=SHORT_S)) is Finding.TLS_SILENT
        seen = visit(port, scheme="http", timeout_s=SHORT_S)
    assert finding(seen) is Finding.HTTP_SILENT
    assert "0.5 s" in what(seen)


def test_server_that_hangs_up() -> None:
    with serving(hanging_up) as port:
        assert finding(visit(port)) is Finding.TLS_HUNG_UP
        assert finding(visit(port, scheme="http")) is Finding.NO_ANSWER


def test_server_that_hangs_up_behind_tls(pki: Pki) -> None:
    with serving(hanging_up, tls_server(pki.party("vtn"))) as port:
        seen = visit(port, ca_file=pki.ca())
    assert finding(seen) is Finding.NO_ANSWER
    assert status(seen, Step.CLIENT) is Status.OK


@pytest.mark.rule("R67")
def test_server_with_old_versions_only(pki: Pki) -> None:
    old = odd_tls_server(pki.party("vtn"), suites="ALL:@SECLEVEL=0", newest=ssl.TLSVersion.TLSv1_1)
    with serving(GOOD, old) as port:
        seen = visit(port, ca_file=pki.ca())
    assert finding(seen) is Finding.TLS_TOO_OLD
    assert "TLSv1.1" in what(seen)


@pytest.mark.rule("R67")
def test_server_with_rsa_suites_only(pki: Pki) -> None:
    party = pki.party("vtn", kind=Kind.RSA)
    of_the_profile = odd_tls_server(party, suites="AES128-SHA256", newest=ssl.TLSVersion.TLSv1_2)
    with serving(GOOD, of_the_profile) as port:
        seen = visit(port, ca_file=pki.ca())
    assert finding(seen) is None
    assert "AES128-SHA256 without forward secrecy" in text(seen, Step.TLS)
    other = odd_tls_server(party, suites="AES256-SHA", newest=ssl.TLSVersion.TLSv1_2)
    with serving(GOOD, other) as port:
        seen = visit(port, ca_file=pki.ca())
    assert finding(seen) is Finding.NO_SUITE
    assert "AES256-SHA" in what(seen)
    assert "ECDHE-ECDSA-AES128-SHA256" in advice(seen)


# --- the server's certificate ---------------------------------------------------------------------------------------


@pytest.mark.rule("R516")
def test_expired_certificate(pki: Pki) -> None:
    old = pki.party("vtn-old", now=NOW - timedelta(days=30), days=10)
    with serving(GOOD, tls_server(old)) as port:
        seen = visit(port, ca_file=pki.ca())
    assert finding(seen) is Finding.CHAIN_EXPIRED
    assert "CN=vtn-old" in what(seen)
    assert f"{NOW - timedelta(days=20):%Y-%m-%d}" in what(seen)
    assert status(seen, Step.TLS) is Status.OK


@pytest.mark.rule("R516")
def test_expired_authority(pki: Pki) -> None:
    """What the server shows is valid, and what stands in the file of authorities is not."""
    old = new_authority(Kind.ECC, now=NOW - timedelta(days=30), days=20)
    issued = issue(renewed(old), name="vtn", hosts=[HOST], kind=Kind.ECC, now=NOW, days=1)
    ca = pki.folder / "ca-expired.pem"
    ca.write_bytes(old.certificate_pem)
    with serving(GOOD, tls_server(Party(pki.folder, "vtn-of-old", issued))) as port:
        seen = visit(port, ca_file=ca)
    assert finding(seen) is Finding.CHAIN_EXPIRED
    assert f"in {ca}, CN=oadr test CA" in what(seen)


def test_certificate_that_is_not_yet_valid(pki: Pki) -> None:
    with serving(GOOD, tls_server(pki.party("vtn-new", now=NOW + timedelta(days=9)))) as port:
        seen = visit(port, ca_file=pki.ca())
    assert finding(seen) is Finding.CHAIN_NOT_YET_VALID
    assert "clock" in advice(seen)


def test_certificate_of_another_authority(pki: Pki) -> None:
    with serving(GOOD, tls_server(pki.party("vtn"))) as port:
        other, system = visit(port, ca_file=pki.ca("other")), visit(port)
    assert finding(other) is Finding.OTHER_AUTHORITY
    assert "CN=oadr test CA" in what(other)
    assert "ca-other.pem" in what(other)
    assert finding(system) is Finding.UNKNOWN_AUTHORITY
    assert "--ca" in advice(system)


def test_self_signed_certificate(pki: Pki) -> None:
    alone = Party(pki.folder, "alone", authority("alone"))
    with serving(GOOD, tls_server(alone)) as port:
        seen = visit(port, ca_file=pki.ca())
    assert finding(seen) is Finding.SELF_SIGNED
    assert fingerprint(alone.cert.read_bytes()) in advice(seen)


def test_wrong_host_name(pki: Pki) -> None:
    with serving(GOOD, tls_server(pki.party("vtn", host="vtn.example"))) as port:
        name, address = visit(port, ca_file=pki.ca(), host="localhost"), visit(port, ca_file=pki.ca())
    assert finding(name) is Finding.OTHER_HOST
    assert "not for localhost, but for vtn.example" in what(name)
    assert finding(address) is Finding.OTHER_ADDRESS
    assert "vtn.example" in what(address)


def test_wrong_fingerprint(pki: Pki) -> None:
    vtn = pki.party("vtn")
    with serving(GOOD, tls_server(vtn)) as port:
        seen = visit(port, ca_file=pki.ca(), vtn_fingerprints=("00:11:22:33:44:55:66:77:88:99",))
    assert finding(seen) is Finding.OTHER_FINGERPRINT
    assert fingerprint(vtn.cert.read_bytes()) in what(seen)
    assert status(seen, Step.HTTP) is Status.SKIPPED


# --- our certificate ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("newest", [True, False], ids=["TLS 1.3", "TLS 1.2"])
def test_no_client_certificate(pki: Pki, newest: bool) -> None:
    with serving(GOOD, tls_server(pki.party("vtn"), ca=pki.ca(), newest=newest)) as port:
        seen = visit(port, ca_file=pki.ca())
    assert finding(seen) is Finding.CERTIFICATE_DEMANDED
    assert "--cert" in advice(seen)
    assert status(seen, Step.CHAIN) is Status.OK
    assert status(seen, Step.HOST) is Status.OK
    assert status(seen, Step.HTTP) is Status.SKIPPED


@pytest.mark.parametrize("newest", [True, False], ids=["TLS 1.3", "TLS 1.2"])
def test_client_certificate_of_another_authority(pki: Pki, newest: bool) -> None:
    stranger = pki.party("stranger", ca="other")
    with serving(GOOD, tls_server(pki.party("vtn"), ca=pki.ca(), newest=newest)) as port:
        seen = visit(port, ca_file=pki.ca(), cert=stranger.cert, key=stranger.key)
    assert finding(seen) is Finding.CERTIFICATE_OF_ANOTHER_AUTHORITY
    assert "CN=oadr test CA" in what(seen)


def test_refusal_that_comes_with_the_first_answer(pki: Pki) -> None:
    """A proxy that says in HTTP what it did not say in TLS."""
    page = b"<html>400 No required SSL certificate was sent</html>"
    with serving(answering(page, "400 Bad Request", "text/html"), tls_server(pki.party("vtn"))) as port:
        seen = visit(port, ca_file=pki.ca())
    assert finding(seen) is Finding.CERTIFICATE_DEMANDED


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("newest", [True, False], ids=["TLS 1.3", "TLS 1.2"])
def test_server_that_hangs_up_when_it_has_our_certificate(pki: Pki, newest: bool, given: bool) -> None:
    tls, ven = tls_server(pki.party("vtn"), ca=pki.ca(), newest=newest), pki.party("ven1")

    def mute(connection: socket.socket) -> None:
        """A TLS server that says its first word, and nothing more."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        incoming.write(connection.recv(65_536))
        with suppress(ssl.SSLError):
            tls.wrap_bio(incoming, outgoing, server_side=True).do_handshake()
        connection.sendall(outgoing.read())
        connection.recv(65_536)

    options = {"cert": ven.cert, "key": ven.key} if given else {}
    with serving(mute) as port:
        seen = visit(port, ca_file=pki.ca(), **options)
    assert finding(seen) is (Finding.CERTIFICATE_UNANSWERED if given else Finding.CERTIFICATE_DEMANDED)
    assert status(seen, Step.HOST) is Status.OK


def test_refusal_that_comes_late(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """In TLS 1.3, over a slow line, the request is under way before the certificate has been refused."""
    monkeypatch.setattr(probe, "VERDICT_S", 0.01)
    tls, stranger = tls_server(pki.party("vtn"), ca=pki.ca()), pki.party("stranger", ca="other")

    def slow(connection: socket.socket) -> None:
        """A TLS server that hears nothing more of its peer until that has said all it has to say."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        end = tls.wrap_bio(incoming, outgoing, server_side=True)
        for quiet_s in (None, SHORT_S):
            incoming.write(read_until_quiet(connection, quiet_s))
            with suppress(ssl.SSLError):
                end.do_handshake()
            connection.sendall(outgoing.read())
        silent(connection)

    with serving(slow) as port:
        seen = visit(port, ca_file=pki.ca(), cert=stranger.cert, key=stranger.key)
    assert finding(seen) is Finding.CERTIFICATE_OF_ANOTHER_AUTHORITY
    assert status(seen, Step.HTTP) is Status.SKIPPED


# --- HTTP -----------------------------------------------------------------------------------------------------------


def test_tls_at_the_port(pki: Pki) -> None:
    with serving(GOOD, tls_server(pki.party("vtn"), ca=pki.ca())) as port:
        seen = visit(port, scheme="http")
    assert finding(seen) is Finding.TLS_PORT
    assert "https:" in advice(seen)


def test_tls_alert_as_the_answer() -> None:
    with serving(saying(b"\x15\x03\x03\x00\x02\x02\x50")) as port:
        assert finding(visit(port, scheme="http")) is Finding.TLS_PORT


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("301 Moved Permanently", Finding.REDIRECT),
        ("400 Bad Request", Finding.BAD_REQUEST),
        ("401 Unauthorized", Finding.UNAUTHORIZED),
        ("403 Forbidden", Finding.FORBIDDEN),
        ("404 Not Found", Finding.NOT_FOUND),
        ("405 Method Not Allowed", Finding.NOT_POST),
        ("406 Not Acceptable", Finding.NOT_ACCEPTABLE),
        ("418 I'm a teapot", Finding.CLIENT_ERROR),
        ("429 Too Many Requests", Finding.TOO_MANY),
        ("500 Internal Server Error", Finding.INTERNAL_ERROR),
        ("501 Not Implemented", Finding.NOT_IMPLEMENTED),
        ("502 Bad Gateway", Finding.BAD_GATEWAY),
        ("503 Service Unavailable", Finding.UNAVAILABLE),
        ("507 Insufficient Storage", Finding.SERVER_ERROR),
        ("201 Created", Finding.ODD_STATUS),
    ],
)
def test_status(line: str, expected: Finding) -> None:
    with serving(answering(b"the reason", line, "text/plain", "Location: https://elsewhere.example/")) as port:
        seen = visit(port, scheme="http")
    assert finding(seen) is expected
    assert line[:3] in what(seen)
    if expected is Finding.REDIRECT:
        assert "https://elsewhere.example/" in what(seen)


@pytest.mark.parametrize(
    ("body", "media_type", "expected"),
    [
        (b"<!DOCTYPE html><html><body>Welcome</body></html>", "text/html", Finding.HTML),
        (b"  <HTML>Welcome", "application/xml", Finding.HTML),
        (b"", "application/xml", Finding.EMPTY),
        (b" \r\n", "application/xml", Finding.EMPTY),
        (b'{"hello": "world"}', "application/json", Finding.OTHER_TYPE),
        (b"hello", "application/xml", Finding.NOT_XML),
        (b"\x00\xff\x00", "application/xml", Finding.NOT_XML),
        (b"<a><b></a>", "application/xml", Finding.NOT_XML),
        (b"<a/>", "application/xml", Finding.NOT_OPENADR),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "application/xml", Finding.FORBIDDEN_XML),
        (
            b'<oadrResponse xmlns="http://openadr.org/oadr-2.0a/2012/07"/>',
            "application/xml",
            Finding.PROFILE_20A,
        ),
        (encode(WELCOME).replace(b"<ei:vtnID>vtn-1</ei:vtnID>", b""), "application/xml", Finding.NOT_VALID),
    ],
)
def test_answer_that_is_none(body: bytes, media_type: str, expected: Finding) -> None:
    with serving(answering(body, "200 OK", media_type)) as port:
        seen = visit(port, scheme="http")
    assert finding(seen) is expected


def test_answer_that_is_not_http_or_ends_too_soon() -> None:
    for data, expected in (
        (b"\x00\x01\x02 garbage\r\n\r\n", Finding.NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<oadr", Finding.CUT_SHORT),
        (b"HTTP/1.1 200 OK\r\nContent-", Finding.CUT_SHORT),
        (b"HTTP/1.1 200 OK\r\nno header\r\n\r\n", Finding.NOT_HTTP),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\n\r\n", Finding.NOT_HTTP),
    ):
        with serving(saying(data)) as port:
            assert finding(visit(port, scheme="http")) is expected


def test_answer_without_end() -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<oadr")
        silent(connection)

    with serving(drip) as port:
        seen = visit(port, scheme="http", timeout_s=SHORT_S)
    assert finding(seen) is Finding.CUT_SHORT
    assert "no end within 0.5 s" in what(seen)


def test_answer_that_drips() -> None:
    """Each byte comes in time, and all of them do not."""

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        connection.settimeout(SHORT_S / 10)
        for letter in b"X" * 60:
            with suppress(TimeoutError):
                while connection.recv(65_536):
                    pass
                return
            connection.sendall(bytes((letter,)))

    with serving(drip) as port:
        began = time.monotonic()
        seen = visit(port, scheme="http", timeout_s=SHORT_S)
        assert time.monotonic() - began < 2.0
    assert finding(seen) is Finding.CUT_SHORT


def test_answer_that_is_too_large() -> None:
    with serving(answering(b" " * (DEFAULT_LIMITS.bytes + 1))) as port:
        assert finding(visit(port, scheme="http")) is Finding.TOO_LARGE


def test_compressed_answer() -> None:
    import gzip

    body = gzip.compress(encode(WELCOME))
    with serving(answering(body, "200 OK", "application/xml", "Content-Encoding: gzip")) as port:
        assert finding(visit(port, scheme="http")) is None


def test_answer_in_chunks() -> None:
    body = encode(WELCOME)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nTransfer-Encoding: chunked\r\n\r\n"
    with serving(saying(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))) as port:
        seen = visit(port, scheme="http")
    assert finding(seen) is None
    assert "R53" in text(seen, Step.HTTP)


def test_clock_that_was_never_set() -> None:
    with serving(answering_with(WELCOME, clock=timedelta(days=-9460))) as port:
        seen = visit(port, scheme="http")
    assert finding(seen) is Finding.CLOCK_BEHIND
    assert "9460 days" in what(seen)


@pytest.mark.parametrize("hours", [1, -1])
def test_clock_that_is_an_hour_off(hours: int) -> None:
    with serving(answering_with(WELCOME, clock=timedelta(hours=hours))) as port:
        seen = visit(port, scheme="http")
    assert finding(seen) is (Finding.CLOCK_AHEAD if hours > 0 else Finding.CLOCK_BEHIND)
    assert "60 minutes" in what(seen)
    assert status(seen, Step.REGISTRATION) is Status.OK  # the answer was there, and is looked at all the same


def test_answer_without_a_date() -> None:
    with serving(answering_with(WELCOME, clock=None)) as port:
        seen = visit(port, scheme="http")
    assert finding(seen) is None
    assert status(seen, Step.CLOCK) is Status.SKIPPED


# --- OpenADR --------------------------------------------------------------------------------------------------------


def test_vtn_that_refuses() -> None:
    for code, expected in (("463", Finding.NOT_AUTHORIZED), ("452", Finding.NOT_AUTHORIZED), ("459", Finding.REFUSED)):
        said = EiResponse(response_code=code, response_description="who are you?", request_id="r-1")
        for answer in (evolve(WELCOME, ei_response=said), Response(ei_response=said)):
            with serving(answering_with(answer)) as port:
                seen = visit(port, scheme="http", ven_name="ven1")
            assert finding(seen) is expected
            assert f"({code}): who are you?" in what(seen)


def test_vtn_that_answers_something_else() -> None:
    with serving(answering_with(Response(ei_response=WELCOME.ei_response))) as port:
        seen = visit(port, scheme="http")
    assert finding(seen) is Finding.OTHER_MESSAGE
    assert "oadrResponse" in what(seen)


def test_vtn_that_offers_other_things() -> None:
    for profile, transport, expected in (
        (ProfileName.A, TransportName.SIMPLE_HTTP, Finding.NO_PROFILE_20B),
        (ProfileName.B, TransportName.XMPP, Finding.NO_SIMPLE_HTTP),
    ):
        offer = (Profile(oadr_profile_name=profile, oadr_transports=(transport,)),)
        with serving(answering_with(evolve(WELCOME, oadr_profiles=offer))) as port:
            assert finding(visit(port, scheme="http")) is expected


def test_deviations_are_told() -> None:
    body = encode(WELCOME).replace(b' ei:schemaVersion="2.0b"', b"")
    with serving(answering(body)) as port:
        seen = visit(port, scheme="http")
    assert finding(seen) is None
    assert "R509" in text(seen, Step.REGISTRATION)
