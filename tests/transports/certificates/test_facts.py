"""What is read out of certificates, ours and odd ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from oadr_core import LocalError
from oadr_core.security import fingerprint
from oadr_transports.certificates import Kind, facts_of, issue, new_authority, read_certificates

NOW = datetime(2030, 6, 1, 12, 0, tzinfo=UTC)
AUTHORITY = new_authority(Kind.ECC, now=NOW)
PARTY = issue(AUTHORITY, name="ven1", hosts=["ven1", "192.0.2.7"], kind=Kind.RSA, now=NOW, days=10)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def odd(key: object, *extensions: x509.ExtensionType) -> x509.Certificate:
    """A self-signed certificate with this key and these extensions, and no other."""
    name = x509.Name([])
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), 1, NOW, NOW + timedelta(days=1)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm)


def test_facts() -> None:
    facts = facts_of(der(PARTY.certificate))
    assert facts.subject == "CN=ven1"
    assert facts.issuer == AUTHORITY.certificate.subject.rfc4514_string()
    assert not facts.self_signed
    assert not facts.authority
    assert facts.key == "RSA 2048"
    assert facts.names == ("ven1", "192.0.2.7")
    assert facts.usages == ("digitalSignature", "keyEncipherment")
    assert facts.extended == ("serverAuth", "clientAuth")
    assert facts.fingerprint == fingerprint(der(PARTY.certificate))
    assert facts.sha256.replace(":", "").lower() == sha256(der(PARTY.certificate)).hexdigest()
    assert facts.sha256.endswith(facts.fingerprint)
    assert facts.remarks == ()
    json.dumps(facts.json(NOW))


def test_validity() -> None:
    facts = facts_of(der(PARTY.certificate))
    begin, end, second = facts.not_before, facts.not_after, timedelta(seconds=1)
    assert [facts.validity(at) for at in (begin - second, begin, end, end + second)] == [
        "not yet valid",
        "valid",
        "valid",
        "expired",
    ]
    assert facts.left(end - timedelta(days=3)) == timedelta(days=3)
    assert facts.left(end + timedelta(days=3)) == timedelta(days=-3)
    assert facts.left(begin - timedelta(days=3)) == timedelta(days=3)


def test_chain_in_its_order() -> None:
    found = read_certificates(PARTY.certificate_pem + AUTHORITY.certificate_pem)
    assert [facts.authority for facts in found] == [False, True]
    assert found[1].self_signed
    assert found[1].remarks == ()


@pytest.mark.parametrize(
    ("certificate", "remarks"),
    [
        (odd(rsa.generate_private_key(65537, 1024)), ["too small", "subject alternative name"]),
        (odd(ec.generate_private_key(ec.SECP192R1())), ["too small", "subject alternative name"]),
        (odd(ed25519.Ed25519PrivateKey.generate()), ["neither RSA nor ECC", "subject alternative name"]),
        (
            odd(
                ec.generate_private_key(ec.SECP256R1()),
                x509.KeyUsage(False, False, False, False, True, False, False, False, False),
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]),
                x509.SubjectAlternativeName([x509.DNSName("a")]),
            ),
            ["digitalSignature", "clientAuth", "serverAuth"],
        ),
        (
            odd(
                ec.generate_private_key(ec.SECP256R1()),
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]),
                x509.SubjectAlternativeName([x509.DNSName("a")]),
            ),
            [],
        ),
    ],
)
def test_what_will_make_trouble(certificate: x509.Certificate, remarks: list[str]) -> None:
    found = facts_of(der(certificate)).remarks
    assert len(found) == len(remarks)
    assert all(part in remark for part, remark in zip(remarks, found, strict=True))


def test_what_is_no_certificate() -> None:
    for data, text in ((b"", "is empty"), (PARTY.key_pem(), "private key"), (b"junk", "neither PEM nor DER")):
        with pytest.raises(LocalError, match=text):
            read_certificates(data)
