"""Real handshakes on loopback: suites, certificates, mutual authentication, and words for every failure."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from oadr_core import LocalError
from oadr_core.security import fingerprint
from oadr_transports.tls import SUITES, Level, client_context, explain, peer_fingerprint, server_context

HOST = "vtn.example"
PROFILE_SUITES = {"ECDHE-ECDSA-AES128-SHA256", "AES128-SHA256"}
DEADLINE_S = 10.0


class Files(NamedTuple):
    """A party's files."""

    cert: Path
    key: Path
    fingerprint: str


class Side(NamedTuple):
    """What one side saw of a handshake."""

    suite: str = ""
    version: str = ""
    peer: str | None = None
    error: BaseException | None = None


class Kit:
    """A certificate authority, and the files of those whom it certified."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(str(self.ca_file))

    def issue(self, name: str, kind: str = "ECDSA", host: str = HOST, **settings: object) -> Files:
        issued = self.authority.issue_cert(host, key_type=trustme.KeyType[kind], **settings)
        files = Files(
            self.folder / f"{name}.pem", self.folder / f"{name}.key", fingerprint(issued.cert_chain_pems[0].bytes())
        )
        files.cert.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(str(files.key))
        return files


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    return Kit(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def rsa(kit: Kit) -> Files:
    return kit.issue("rsa", "RSA")


@pytest.fixture(scope="module")
def ecc(kit: Kit) -> Files:
    return kit.issue("ecc", "ECDSA")


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, host: str = HOST) -> tuple[Side, Side]:
    """Connect on a free port, exchange one byte each way, and tell what both sides saw."""
    served: list[Side] = []

    def see(connection: ssl.SSLSocket) -> Side:
        suite = connection.cipher()
        assert suite is not None
        return Side(suite[0], connection.version() or "", peer_fingerprint(connection))

    def serve() -> None:
        try:
            raw, _ = listener.accept()
            raw.settimeout(DEADLINE_S)
            with raw, server.wrap_socket(raw, server_side=True) as connection:
                connection.sendall(connection.recv(1))
                served.append(see(connection))
        except OSError as error:
            served.append(Side(error=error))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with (
                socket.create_connection(listener.getsockname(), DEADLINE_S) as raw,
                client.wrap_socket(raw, server_hostname=host) as connection,
            ):
                connection.sendall(b"x")
                answer = connection.recv(1)
                mine = see(connection) if answer else Side(error=ssl.SSLEOFError(8, "closed"))
        except OSError as error:
            mine = Side(error=error)
        thread.join()
    return mine, served[0]


@pytest.mark.rule("R67")
@pytest.mark.parametrize("level", Level)
def test_both_suites_of_the_profile_are_offered(level: Level, ecc: Files, kit: Kit) -> None:
    for context in (client_context(level=level), server_context(ecc.cert, ecc.key, ca_file=kit.ca_file, level=level)):
        names = {suite["name"] for suite in context.get_ciphers()}
        wanted = PROFILE_SUITES - ({"AES128-SHA256"} if level is Level.MODERN else set())
        assert wanted <= names
        if level is Level.PROFILE:
            assert {name for name in names if not name.startswith("TLS_")} == PROFILE_SUITES
            assert context.maximum_version is ssl.TLSVersion.TLSv1_2
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_no_suite_without_forward_secrecy_is_modern() -> None:
    names = [suite["name"] for suite in client_context(level=Level.MODERN).get_ciphers()]
    assert names
    assert all(name.startswith(("ECDHE-", "TLS_")) for name in names)


def test_forward_secrecy_comes_first() -> None:
    names = [suite["name"] for suite in client_context().get_ciphers() if not suite["name"].startswith("TLS_")]
    assert names[-1] == "AES128-SHA256"
    assert all(name.startswith("ECDHE-") for name in names[:-1])


@pytest.mark.rule("R67")
@pytest.mark.parametrize("client_name", ["rsa", "ecc"])
@pytest.mark.parametrize("server_name", ["rsa", "ecc"])
@pytest.mark.parametrize("level", Level)
def test_mutual_authentication(
    client_name: str, server_name: str, level: Level, request: pytest.FixtureRequest, kit: Kit
) -> None:
    ours: Files = request.getfixturevalue(client_name)
    theirs: Files = request.getfixturevalue(server_name)
    client = client_context(ours.cert, ours.key, ca_file=kit.ca_file, level=level)
    server = server_context(theirs.cert, theirs.key, ca_file=kit.ca_file, level=level)
    mine, seen = handshake(client, server)
    assert (mine.error, seen.error) == (None, None)
    assert mine.peer == theirs.fingerprint
    assert seen.peer == ours.fingerprint
    if level is Level.PROFILE:
        expected = "AES128-SHA256" if server_name == "rsa" else "ECDHE-ECDSA-AES128-SHA256"
        assert (mine.version, mine.suite) == ("TLSv1.2", expected)
    else:
        assert mine.version == "TLSv1.3"


@pytest.mark.parametrize("suite", sorted(PROFILE_SUITES))
def test_peer_with_one_suite_of_the_profile(suite: str, rsa: Files, ecc: Files, kit: Kit) -> None:
    server = server_context(ecc.cert, ecc.key, ca_file=kit.ca_file, also=[(rsa.cert, rsa.key)])
    only = client_context(rsa.cert, rsa.key, ca_file=kit.ca_file, level=Level.PROFILE)
    only.set_ciphers(suite)
    mine, seen = handshake(only, server)
    assert (mine.error, seen.error) == (None, None)
    assert mine.suite == suite
    assert mine.peer == (rsa if suite == "AES128-SHA256" else ecc).fingerprint


def test_modern_level_refuses_rsa_key_exchange(rsa: Files, kit: Kit) -> None:
    server = server_context(rsa.cert, rsa.key, ca_file=kit.ca_file, level=Level.MODERN)
    old = client_context(rsa.cert, rsa.key, ca_file=kit.ca_file, level=Level.PROFILE)
    old.set_ciphers("AES128-SHA256")
    mine, seen = handshake(old, server)
    assert mine.error is not None
    assert seen.error is not None
    assert "no common cipher suite" in explain(seen.error)
    assert "no common cipher suite" in explain(mine.error)


def test_server_prefers_forward_secrecy(rsa: Files, kit: Kit) -> None:
    server = server_context(rsa.cert, rsa.key, ca_file=kit.ca_file)
    client = client_context(rsa.cert, rsa.key, ca_file=kit.ca_file)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers("AES128-SHA256:ECDHE-RSA-AES128-SHA256")
    assert handshake(client, server)[0].suite == "ECDHE-RSA-AES128-SHA256"


def test_private_authority_without_client_certificate(ecc: Files, kit: Kit) -> None:
    server = server_context(ecc.cert, ecc.key, client_certificates=ssl.CERT_NONE)
    mine, seen = handshake(client_context(ca_file=kit.ca_file), server)
    assert (mine.error, seen.error) == (None, None)
    assert (mine.peer, seen.peer) == (ecc.fingerprint, None)


def test_client_certificate_that_is_optional(ecc: Files, rsa: Files, kit: Kit) -> None:
    server = server_context(ecc.cert, ecc.key, ca_file=kit.ca_file, client_certificates=ssl.CERT_OPTIONAL)
    assert handshake(client_context(ca_file=kit.ca_file), server)[1].peer is None
    with_one = client_context(rsa.cert, rsa.key, ca_file=kit.ca_file)
    assert handshake(with_one, server)[1].peer == rsa.fingerprint


@pytest.mark.parametrize("level", [Level.PROFILE, Level.COMPATIBLE])
def test_no_client_certificate(level: Level, ecc: Files, kit: Kit) -> None:
    server = server_context(ecc.cert, ecc.key, ca_file=kit.ca_file, level=level)
    mine, seen = handshake(client_context(ca_file=kit.ca_file, level=level), server)
    assert mine.error is not None
    assert seen.error is not None
    assert "no client certificate" in explain(seen.error)
    assert "client certificate" in explain(mine.error) or isinstance(mine.error, ConnectionError)


def test_host_name_is_checked_unless_told_otherwise(ecc: Files, kit: Kit) -> None:
    server = server_context(ecc.cert, ecc.key, client_certificates=ssl.CERT_NONE)
    mine, _ = handshake(client_context(ca_file=kit.ca_file), server, "other.example")
    assert mine.error is not None
    assert "other.example" in explain(mine.error)
    unchecked = client_context(ca_file=kit.ca_file, check_hostname=False)
    assert handshake(unchecked, server, "other.example")[0].error is None


def test_chain_is_checked_even_without_the_host_name(ecc: Files, tmp_path: Path) -> None:
    server = server_context(ecc.cert, ecc.key, client_certificates=ssl.CERT_NONE)
    other = Kit(tmp_path)
    for context in (client_context(ca_file=other.ca_file, check_hostname=False), client_context(check_hostname=False)):
        mine, seen = handshake(context, server)
        assert mine.error is not None
        assert "certificate is not accepted" in explain(mine.error)
        assert seen.error is not None
        assert "does not trust the authority" in explain(seen.error)


def test_client_of_another_authority(ecc: Files, kit: Kit, tmp_path: Path) -> None:
    stranger = Kit(tmp_path).issue("stranger")
    server = server_context(ecc.cert, ecc.key, ca_file=kit.ca_file)
    mine, seen = handshake(client_context(stranger.cert, stranger.key, ca_file=kit.ca_file), server)
    assert mine.error is not None
    assert seen.error is not None
    assert "certificate is not accepted" in explain(seen.error)


@pytest.mark.rule("R516")
@pytest.mark.parametrize("who", ["client", "server"])
def test_expired_certificate(who: str, ecc: Files, kit: Kit) -> None:
    old = kit.issue(f"old-{who}", not_after=datetime.now(UTC) - timedelta(days=1))
    ours, theirs = (old, ecc) if who == "client" else (ecc, old)
    server = server_context(theirs.cert, theirs.key, ca_file=kit.ca_file)
    sides = handshake(client_context(ours.cert, ours.key, ca_file=kit.ca_file), server)
    error = sides[1 if who == "client" else 0].error
    assert error is not None
    assert "expired" in explain(error)


def test_peer_certificate_itself_as_the_anchor(ecc: Files, rsa: Files) -> None:
    server = server_context(ecc.cert, ecc.key, ca_file=rsa.cert)
    mine, seen = handshake(client_context(rsa.cert, rsa.key, ca_file=ecc.cert), server)
    assert (mine.error, seen.error) == (None, None)


def test_plain_http_on_a_tls_port(ecc: Files) -> None:
    server = server_context(ecc.cert, ecc.key, client_certificates=ssl.CERT_NONE)
    left, right = socket.socketpair()
    with left, right:
        left.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(ssl.SSLError) as caught:
            server.wrap_socket(right, server_side=True)
    assert "plain HTTP on a TLS port" in explain(caught.value)


def test_tls_on_a_plain_port() -> None:
    left, right = socket.socketpair()
    with left, right:
        left.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with pytest.raises(ssl.SSLError) as caught:
            client_context(check_hostname=False).wrap_socket(right)
    assert "does not speak TLS on this port" in explain(caught.value)


def test_explanation_is_never_empty() -> None:
    for error in (ssl.SSLError(), OSError(), TimeoutError(), ssl.SSLCertVerificationError(), ConnectionResetError()):
        assert explain(error)
    outer = RuntimeError()
    outer.__cause__ = ssl.SSLEOFError(8, "UNEXPECTED_EOF")
    assert "hung up" in explain(outer)
    assert explain(ssl.SSLError(1, "odd")) == "TLS failed: odd"


# --- files ----------------------------------------------------------------------------------------------------------


def protected(files: Files, passphrase: bytes) -> Path:
    """A copy of the key with a passphrase."""
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    path = files.key.with_suffix(".protected")
    cipher = serialization.BestAvailableEncryption(passphrase)
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, cipher))
    return path


@pytest.mark.parametrize("passphrase", ["open sesame", b"open sesame"])
def test_key_with_a_passphrase(passphrase: str | bytes, ecc: Files, kit: Kit) -> None:
    key = protected(ecc, b"open sesame")
    client = client_context(ecc.cert, key, passphrase, kit.ca_file)
    server = server_context(ecc.cert, key, passphrase, kit.ca_file)
    assert handshake(client, server)[0].error is None


def test_passphrase_that_is_not_needed(ecc: Files) -> None:
    client_context(ecc.cert, ecc.key, "superfluous")


def test_key_inside_the_certificate_file(ecc: Files, kit: Kit) -> None:
    both = kit.folder / "both.pem"
    both.write_bytes(ecc.key.read_bytes() + ecc.cert.read_bytes())
    server = server_context(both, ca_file=kit.ca_file)
    mine, seen = handshake(client_context(both, ca_file=kit.ca_file), server)
    assert (mine.error, seen.error) == (None, None)


def test_authority_in_der(ecc: Files, kit: Kit) -> None:
    path = kit.folder / "ca.der"
    path.write_bytes(ssl.PEM_cert_to_DER_cert(kit.ca_file.read_text()))
    server = server_context(ecc.cert, ecc.key, client_certificates=ssl.CERT_NONE)
    assert handshake(client_context(ca_file=path), server)[0].error is None


def complaint(file: Path, argument: str, **arguments: object) -> str:
    """The complaint about a file; both contexts make the same."""
    texts = set()
    for context in (client_context, server_context):
        with pytest.raises(LocalError) as caught:
            context(**arguments)
        assert repr(str(file)) in str(caught.value)
        assert caught.value.path == argument
        texts.add(str(caught.value))
    (text,) = texts
    return text


def test_complaints_name_the_file(ecc: Files, rsa: Files, kit: Kit, tmp_path: Path) -> None:
    missing, empty, junk = tmp_path / "missing.pem", tmp_path / "empty.pem", tmp_path / "junk.pem"
    empty.write_bytes(b"")
    kinds = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"PRIVATE KEY-----"
    junk.write_bytes(b"".join(kinds))
    locked = protected(ecc, b"open sesame")
    good = {"cert": ecc.cert, "key": ecc.key, "ca_file": kit.ca_file}

    def about(file: Path, argument: str, **changes: object) -> str:
        return complaint(file, argument, **{**good, argument: file, **changes})

    assert "No such file" in about(missing, "cert")
    assert "No such file" in about(missing, "key")
    assert "No such file" in about(missing, "ca_file")
    assert "Is a directory" in about(tmp_path, "cert")
    assert "no PEM certificate" in about(empty, "cert")
    assert "no PEM private key" in about(empty, "key")
    assert "no certificate of an authority" in about(empty, "ca_file")
    assert "no certificate of an authority" in about(ecc.key, "ca_file")
    assert "no PEM certificate" in about(ecc.key, "cert")
    assert "no PEM private key" in about(ecc.cert, "key")
    assert "cannot be read" in about(junk, "cert", key=None)
    assert "does not belong to the certificate" in about(rsa.key, "key")
    assert "is encrypted, and there is no passphrase" in about(locked, "key")
    assert "is encrypted, and there is no passphrase" in about(locked, "key", passphrase="")
    assert "the passphrase does not open the private key" in about(locked, "key", passphrase="wrong")


def test_key_without_certificate(ecc: Files) -> None:
    with pytest.raises(LocalError, match="given without a certificate"):
        client_context(key=ecc.key)


def test_client_certificates_need_authorities(ecc: Files) -> None:
    with pytest.raises(LocalError, match="no file of authorities"):
        server_context(ecc.cert, ecc.key)


def test_every_level_has_suites() -> None:
    assert set(SUITES) == set(Level)
