"""Keys and certificates for the security tests, made when they are first asked for, and messages to sign with them.

Nothing here is secret and nothing is kept: a run makes its own. Certificates are valid for the ten days around ``NOW``.
"""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from oadr_core import RemoteError
from oadr_core.model import Poll
from oadr_core.security import Signer, Style, Trust, fingerprint, open_envelope, seal

NOW = datetime(2030, 6, 1, 12, 0, 0, 250_000, tzinfo=UTC)
FIVE_DAYS = timedelta(days=5)
POLL = Poll(ven_id="ven-1")
NONCE = "0123456789abcdef"

KINDS = ("rsa", "ec")
CURVES = {
    "p192": ec.SECP192R1,
    "p224": ec.SECP224R1,
    "p384": ec.SECP384R1,
    "p521": ec.SECP521R1,
    "k256": ec.SECP256K1,
    "brainpool": ec.BrainpoolP256R1,
}
STYLES = tuple(Style)


@cache
def private_key(name: str) -> Any:
    """The key of a party; a name that begins with ``ec`` has an elliptic-curve key, of P-256 or what follows; others
    have an RSA key."""
    if name.startswith("ed25519"):
        return ed25519.Ed25519PrivateKey.generate()
    if name.startswith("ec"):
        curve = CURVES.get(name.removeprefix("ec-"), ec.SECP256R1)
        return ec.generate_private_key(curve())
    return rsa.generate_private_key(65537, 1024 if name.startswith("rsa-short") else 2048)


@cache
def certificate(
    name: str,
    issuer: str | None = None,
    *,
    begin: datetime = NOW - FIVE_DAYS,
    end: datetime = NOW + FIVE_DAYS,
    authority: bool = False,
    signs: bool | None = None,
    extra: bytes = b"",
) -> x509.Certificate:
    """The certificate of a party. ``signs`` is what its key usage says of digitalSignature; ``None``: it has none."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    by = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer or name)])
    key, issuer_key = private_key(name), private_key(issuer or name)
    builder = x509.CertificateBuilder(by, subject, key.public_key(), x509.random_serial_number(), begin, end)
    builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    known = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = builder.add_extension(known, critical=False)
    if authority or signs is not None:
        usage = dict.fromkeys(
            "content_commitment key_encipherment data_encipherment key_agreement encipher_only decipher_only".split(),
            False,
        )
        usage = {**usage, "key_agreement": not authority, "key_cert_sign": authority, "crl_sign": authority}
        builder = builder.add_extension(x509.KeyUsage(digital_signature=bool(signs), **usage), critical=True)
    if extra:
        oid = x509.ObjectIdentifier("1.3.6.1.4.1.99999.1")
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, extra), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def pem(made: x509.Certificate) -> bytes:
    return made.public_bytes(serialization.Encoding.PEM)


def der(made: x509.Certificate) -> bytes:
    return made.public_bytes(serialization.Encoding.DER)


def key_bytes(name: str, passphrase: bytes | None = None, encoding: str = "PEM", form: str = "PKCS8") -> bytes:
    """The key of a party as a file has it."""
    cipher: Any = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return bytes(
        private_key(name).private_bytes(
            getattr(serialization.Encoding, encoding), getattr(serialization.PrivateFormat, form), cipher
        )
    )


@cache
def signer(name: str, style: Style = Style.OBJECT) -> Signer:
    return Signer.from_pem(pem(certificate(name)), key_bytes(name), style=style)


def trust(*names: str, **settings: Any) -> Trust:
    """Trust in the self-signed certificates of these parties."""
    return Trust(fingerprints=[fingerprint(pem(certificate(name))) for name in names], **settings)


def sealed(name: str = "rsa", style: Style = Style.OBJECT, *, now: datetime = NOW, nonce: str = NONCE) -> bytes:
    """A signed poll."""
    return seal(POLL, signer=signer(name, style), now=now, nonce=nonce)


def own_fingerprint(data: bytes) -> str:
    """The fingerprint of the certificate in somebody's signed message."""
    found = re.search(rb"X509Certificate[^>]*>([^<]+)<", data)
    assert found
    return fingerprint(base64.b64decode(found[1].replace(b"&#13;", b"")))


def refused(data: bytes, kind: type[RemoteError], *, believed: Trust | None = None, now: datetime = NOW) -> RemoteError:
    """Assert that a document is refused with exactly this error."""
    with pytest.raises(RemoteError) as caught:
        open_envelope(data, trust=believed or trust("rsa", "ec"), now=now)
    assert type(caught.value) is kind, repr(caught.value)
    assert str(caught.value)
    return caught.value
