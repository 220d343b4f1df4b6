"""What a certificate says, for people and for programs.

It stands alone because a certificate is looked at in many places (files, connections, signed messages) and should be
told in the same words. What it says is not believed here: the bytes may come from anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

import attrs
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from oadr_core.security import fingerprint, fingerprint_20a
from oadr_core.security.names import SMALLEST_EC_BITS, SMALLEST_RSA_BITS
from oadr_core.security.signing import load_certificates

_USAGES: Final = {
    "digital_signature": "digitalSignature",
    "content_commitment": "nonRepudiation",
    "key_encipherment": "keyEncipherment",
    "data_encipherment": "dataEncipherment",
    "key_agreement": "keyAgreement",
    "key_cert_sign": "keyCertSign",
    "crl_sign": "cRLSign",
}
"""RFC 5280, 4.2.1.3, in the words of the standard."""
_ENDS: Final = {ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth", ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth"}


@attrs.frozen(kw_only=True)
class CertificateFacts:
    """One certificate. ``usages`` and ``extended`` are ``None`` where it has no such extension: then it may be used
    for anything. ``remarks`` are what will make trouble with OpenADR.
    """

    subject: str
    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime
    key: str
    names: tuple[str, ...]
    usages: tuple[str, ...] | None
    extended: tuple[str, ...] | None
    authority: bool
    fingerprint: str
    fingerprint_20a: str
    sha256: str
    remarks: tuple[str, ...]

    @property
    def self_signed(self) -> bool:
        """Whether it names itself as its issuer."""
        return self.subject == self.issuer

    def validity(self, now: datetime) -> str:
        """``valid``, ``expired`` or ``not yet valid`` at ``now`` (aware)."""
        if now > self.not_after:
            return "expired"
        return "not yet valid" if now < self.not_before else "valid"

    def left(self, now: datetime) -> timedelta:
        """How long from ``now`` to its end, or to its beginning if that is to come; negative once it has expired."""
        return (self.not_before if now < self.not_before else self.not_after) - now

    def json(self, now: datetime) -> dict[str, Any]:
        """For programs."""
        found = attrs.asdict(self)
        found["not_before"], found["not_after"] = self.not_before.isoformat(), self.not_after.isoformat()
        return {**found, "self_signed": self.self_signed, "validity": self.validity(now)}


def read_certificates(data: bytes) -> list[CertificateFacts]:
    """The certificates in PEM text, in its order, or the one in DER.

    Raises :class:`~oadr_core.LocalError`, which says what the data are instead.
    """
    return [_facts(certificate) for certificate in load_certificates(data)]


def facts_of(der: bytes) -> CertificateFacts:
    """One certificate in DER, as a peer shows it. Raises :class:`~oadr_core.LocalError`."""
    return read_certificates(der)[0]


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The names and addresses in the subject alternative name."""
    found = _extension(certificate, x509.SubjectAlternativeName)
    return () if found is None else tuple(str(getattr(name, "value", name)) for name in found)


def _facts(certificate: x509.Certificate) -> CertificateFacts:
    der = certificate.public_bytes(Encoding.DER)
    constraints = _extension(certificate, x509.BasicConstraints)
    usage = _extension(certificate, x509.KeyUsage)
    extended = _extension(certificate, x509.ExtendedKeyUsage)
    facts = CertificateFacts(
        subject=_text(certificate.subject),
        issuer=_text(certificate.issuer),
        serial=f"{certificate.serial_number:x}",
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        key=_key(certificate),
        names=names_of(certificate),
        usages=None if usage is None else tuple(text for name, text in _USAGES.items() if getattr(usage, name)),
        extended=None if extended is None else tuple(_ENDS.get(oid, oid.dotted_string) for oid in extended),
        authority=constraints is not None and constraints.ca,
        fingerprint=fingerprint(der),
        fingerprint_20a=fingerprint_20a(der),
        sha256=sha256(der).digest().hex(":").upper(),
        remarks=(),
    )
    return attrs.evolve(facts, remarks=tuple(text for holds, text in _REMARKS if holds(facts, certificate)))


def _text(name: x509.Name) -> str:
    return name.rfc4514_string() or "(empty)"


def _public_key(certificate: x509.Certificate) -> CertificatePublicKeyTypes | None:
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None


def _key(certificate: x509.Certificate) -> str:
    key = _public_key(certificate)
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ECC {key.key_size} ({key.curve.name})"
    return "unknown" if key is None else type(key).__name__.removesuffix("PublicKey").strip("_")


def _extension(certificate: x509.Certificate, kind: Any) -> Any:
    """An extension, or ``None`` where there is none, or none that can be read."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return None


def _small(_: CertificateFacts, certificate: x509.Certificate) -> bool:
    key = _public_key(certificate)
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size < SMALLEST_RSA_BITS
    return isinstance(key, ec.EllipticCurvePublicKey) and key.key_size < SMALLEST_EC_BITS


def _lacks(usages: tuple[str, ...] | None, *wanted: str) -> bool:
    return usages is not None and not set(wanted) & set(usages)


_REMARKS: Final[tuple[tuple[Callable[[CertificateFacts, x509.Certificate], bool], str], ...]] = (
    (_small, f"its key is too small: RSA has {SMALLEST_RSA_BITS} bits or more, ECC {SMALLEST_EC_BITS} (R68)"),
    (
        lambda facts, _: not facts.key.startswith(("RSA", "ECC")),
        "its key is neither RSA nor ECC, and OpenADR has no other (R68)",
    ),
    (
        lambda facts, _: _lacks(facts.usages, "digitalSignature") and not facts.authority,
        "its key usage does not name digitalSignature: TLS and signatures will refuse it",
    ),
    (
        lambda facts, _: _lacks(facts.extended, "clientAuth", "2.5.29.37.0") and not facts.authority,
        "its extended key usage does not name clientAuth: a VEN cannot use it",
    ),
    (
        lambda facts, _: _lacks(facts.extended, "serverAuth", "2.5.29.37.0") and not facts.authority,
        "its extended key usage does not name serverAuth: a VTN cannot use it",
    ),
    (
        lambda facts, _: not facts.names and not facts.authority,
        "it has no subject alternative name: as a server's, host names do not match it",
    ),
)
"""What will make trouble, and how it is told."""

