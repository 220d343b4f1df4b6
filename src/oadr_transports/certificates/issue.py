"""A small certificate authority: its own certificate, and those that it issues.

It stands alone because it touches no file and no clock. What it makes is what strict verifiers want (RFC 5280: key
usages that are named and critical, key identifiers, serial numbers of 20 bytes) and what the profile wants (sections
10.1 and 10.5, R68): RSA of 2048 bits or P-256, and ``digitalSignature`` for TLS and for XML signatures alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address
from typing import Final, TypeAlias

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from oadr_core import LocalError

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

MOST_DAYS: Final = 3650
"""An authority lives so long; what it issues ends no later."""
BACKDATED: Final = timedelta(minutes=5)
"""Certificates are valid a little before they are made: the clock of a peer may be behind."""
LONGEST_NAME: Final = 64
"""Characters of a common name (RFC 5280, ub-common-name)."""

_RSA_BITS: Final = 2048
_HOST: Final = re.compile(r"(?:\*\.)?[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?", re.ASCII)


class Kind(StrEnum):
    """The kind of a key; the profile has both (section 10.1)."""

    ECC = "ecc"
    RSA = "rsa"


@attrs.frozen(kw_only=True)
class Issued:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: PrivateKey = attrs.field(repr=False)

    @property
    def certificate_pem(self) -> bytes:
        """The certificate in PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self, passphrase: bytes | None = None) -> bytes:
        """The private key in PEM (PKCS #8), encrypted if there is a passphrase."""
        cipher: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase:
            cipher = serialization.BestAvailableEncryption(passphrase)
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, cipher)


def new_authority(kind: Kind, *, now: datetime, days: int = MOST_DAYS) -> Issued:
    """Make an authority: a key, and a certificate that it has signed itself.

    ``now`` is aware; ``days`` is how long it is valid, from 1 to 3650. Its name ends in digits of its key, so that
    the authorities of two kits can be told apart.

    Raises :class:`~oadr_core.LocalError` for other ``days``.
    """
    key = _new_key(kind)
    known_as = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    name = _name(f"oadr test CA {known_as.digest.hex()[:8]}")
    begin = _begin(now)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(begin).not_valid_after(begin + _span(days))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage("digital_signature", "key_cert_sign", "crl_sign"), critical=True)
    builder = builder.add_extension(known_as, critical=False)
    return Issued(certificate=builder.sign(key, hashes.SHA256()), key=key)


def issue(
    authority: Issued, *, name: str, hosts: Iterable[str], kind: Kind, now: datetime, days: int
) -> Issued:
    """Issue a certificate for a party, good for both ends of TLS and for signatures.

    ``name`` becomes the common name, at most 64 characters; ``hosts`` are the names and addresses that it can be
    reached by. It is valid from ``now`` (aware) for ``days`` (1 to 3650), and no longer than the authority.

    Raises :class:`~oadr_core.LocalError` for what cannot be certified.
    """
    if not 0 < len(name) <= LONGEST_NAME:
        raise LocalError(f"a name of 1 to {LONGEST_NAME} characters is expected, not {name!r}", path="name")
    issuer, key = authority.certificate, _new_key(kind)
    known_issuer = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    begin = max(_begin(now), issuer.not_valid_before_utc)
    end = min(begin + _span(days), issuer.not_valid_after_utc)
    if end <= now:
        raise LocalError(f"the authority {issuer.subject.rfc4514_string()} has expired: make a new one", path="days")
    usage = _usage("digital_signature", *(("key_encipherment",) if kind is Kind.RSA else ()))
    ends = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    builder = x509.CertificateBuilder(issuer.subject, _name(name), key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(begin).not_valid_after(end)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(usage, critical=True)
    builder = builder.add_extension(ends, critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName([_host(each) for each in hosts]), critical=False)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    known = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(known_issuer)
    builder = builder.add_extension(known, critical=False)
    return Issued(certificate=builder.sign(authority.key, hashes.SHA256()), key=key)


def _new_key(kind: Kind) -> PrivateKey:
    if kind is Kind.RSA:
        return rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    return ec.generate_private_key(ec.SECP256R1())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _begin(now: datetime) -> datetime:
    if now.tzinfo is None:
        raise LocalError("an aware time is expected, not a naive one", path="now")
    return now.replace(microsecond=0) - BACKDATED


def _span(days: int) -> timedelta:
    if not 1 <= days <= MOST_DAYS:
        raise LocalError(f"1 to {MOST_DAYS} days are expected, not {days}", path="days")
    return timedelta(days=days) + BACKDATED


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text.strip("[]")))
    except ValueError:
        pass
    try:
        plain = text if text.isascii() else text.encode("idna").decode("ascii")
    except UnicodeError:
        plain = ""
    if not _HOST.fullmatch(plain):
        raise LocalError(f"{text!r} is no host name and no address", path="host")
    return x509.DNSName(plain)


def _usage(*wanted: str) -> x509.KeyUsage:
    usages = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign "
        "crl_sign encipher_only decipher_only"
    )
    return x509.KeyUsage(**{usage: usage in wanted for usage in usages.split()})
