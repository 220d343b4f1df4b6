"""What the authority issues passes the strict verifiers that peers use."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store
from lxml import etree
from signxml import XMLSigner, XMLVerifier, methods

from oadr_core import LocalError, open_envelope, seal
from oadr_core.model import Poll
from oadr_core.security import Signer, Trust
from oadr_transports.certificates import Issued, Kind, issue, new_authority
from oadr_transports.tls import Level, client_context, server_context

NOW = datetime.now(UTC)
DEADLINE_S = 10.0


def party(authority: Issued, kind: Kind, *, days: int = 30, now: datetime = NOW, name: str = "ven1") -> Issued:
    return issue(authority, name=name, hosts=["localhost", "127.0.0.1"], kind=kind, now=now, days=days)


@pytest.fixture(scope="module", params=Kind)
def kind(request: pytest.FixtureRequest) -> Kind:
    return Kind(request.param)


@pytest.fixture(scope="module")
def authority(kind: Kind) -> Issued:
    return new_authority(kind, now=NOW)


@pytest.fixture(scope="module")
def issued(authority: Issued, kind: Kind) -> Issued:
    return party(authority, kind)


def files(folder: Path, name: str, issued: Issued) -> tuple[Path, Path]:
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    cert.write_bytes(issued.certificate_pem)
    key.write_bytes(issued.key_pem())
    return cert, key


@pytest.mark.parametrize("level", Level)
def test_strict_tls(authority: Issued, issued: Issued, level: Level, tmp_path: Path) -> None:
    """Mutual TLS under OpenSSL's strict flag, which Python sets by default since 3.13."""
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority.certificate_pem)
    cert, key = files(tmp_path, "party", issued)
    client = client_context(cert, key, ca_file=ca, level=level)
    server = server_context(cert, key, ca_file=ca, level=level)
    for context in (client, server):
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        context.verify_flags &= ~ssl.VERIFY_X509_PARTIAL_CHAIN
    left, right = socket.socketpair()
    left.settimeout(DEADLINE_S)
    right.settimeout(DEADLINE_S)

    def serve() -> None:
        with server.wrap_socket(right, server_side=True) as end:
            end.sendall(end.recv(1))

    thread = threading.Thread(target=serve)
    thread.start()
    with left, client.wrap_socket(left, server_hostname="localhost") as end:
        end.sendall(b"x")
        assert end.recv(1) == b"x"
    thread.join()


def test_web_pki(authority: Issued, issued: Issued) -> None:
    """The policy of browsers, as cryptography has it, for both ends."""
    builder = PolicyBuilder().store(Store([authority.certificate])).time(NOW)
    builder.build_client_verifier().verify(issued.certificate, [])
    builder.build_server_verifier(x509.DNSName("localhost")).verify(issued.certificate, [])


def test_signatures(authority: Issued, issued: Issued, kind: Kind, tmp_path: Path) -> None:
    """Ours, and another verifier, which wants the key usage."""
    signer = Signer.from_pem(issued.certificate_pem, issued.key_pem())
    data = seal(Poll(ven_id="ven-1"), signer=signer, now=NOW, nonce="0123456789abcdef")
    trust = Trust(authorities=[authority.certificate_pem], require_key_usage=True)
    assert open_envelope(data, trust=trust, now=NOW).payload == Poll(ven_id="ven-1")

    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority.certificate_pem)
    algorithm = "rsa-sha256" if kind is Kind.RSA else "ecdsa-sha256"
    signed = XMLSigner(method=methods.enveloped, signature_algorithm=algorithm).sign(
        etree.fromstring(b"<a/>"), key=issued.key_pem(), cert=issued.certificate_pem.decode()
    )
    assert XMLVerifier().verify(signed, ca_pem_file=str(ca)).signed_xml is not None


def test_usages(authority: Issued, issued: Issued, kind: Kind) -> None:
    usage = issued.certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert usage.value.key_encipherment is (kind is Kind.RSA)  # for the profile's suite AES128-SHA256
    assert not usage.value.key_cert_sign
    ends = issued.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(ends) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    constraints = authority.certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
    assert issued.certificate.serial_number.bit_length() <= 159
    assert issued.certificate.serial_number != party(authority, kind).certificate.serial_number


def test_times() -> None:
    authority = new_authority(Kind.ECC, now=NOW, days=100)
    short, long = party(authority, Kind.ECC, days=10), party(authority, Kind.ECC, days=1000)
    assert short.certificate.not_valid_before_utc < NOW
    assert short.certificate.not_valid_after_utc == NOW.replace(microsecond=0) + timedelta(days=10)
    assert long.certificate.not_valid_after_utc == authority.certificate.not_valid_after_utc
    with pytest.raises(LocalError, match="has expired"):
        party(authority, Kind.ECC, now=NOW + timedelta(days=101))
    for days in (0, -1, 3651):
        with pytest.raises(LocalError, match="days"):
            party(authority, Kind.ECC, days=days)
        with pytest.raises(LocalError, match="days"):
            new_authority(Kind.ECC, now=NOW, days=days)
    with pytest.raises(LocalError, match="aware"):
        new_authority(Kind.ECC, now=NOW.replace(tzinfo=None))


def test_hosts() -> None:
    authority = new_authority(Kind.ECC, now=NOW)
    wanted = ["vtn.example", "*.vtn.example", "192.0.2.7", "::1", "[2001:db8::1]", "bücher.example"]
    issued = issue(authority, name="vtn", hosts=wanted, kind=Kind.ECC, now=NOW, days=1)
    names = issued.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    found = [str(name.value) for name in names]
    assert found == ["vtn.example", "*.vtn.example", "192.0.2.7", "::1", "2001:db8::1", "xn--bcher-kva.example"]
    for host in ("", "two words", "a/b", "-a", "é" * 300):
        with pytest.raises(LocalError, match="no host name"):
            issue(authority, name="vtn", hosts=[host], kind=Kind.ECC, now=NOW, days=1)
    for name in ("", "x" * 65):
        with pytest.raises(LocalError, match="name of 1 to 64"):
            issue(authority, name=name, hosts=["a"], kind=Kind.ECC, now=NOW, days=1)


def test_authorities_can_be_told_apart() -> None:
    one, other = new_authority(Kind.ECC, now=NOW), new_authority(Kind.ECC, now=NOW)
    assert one.certificate.subject != other.certificate.subject
