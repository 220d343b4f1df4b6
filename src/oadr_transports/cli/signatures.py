"""What a signed message says about who signed it, and whether it is what was signed.

It stands alone because a reader of files trusts nobody: the certificate is shown with its fingerprint, the signature is
checked against that very certificate, and whether to believe it is left to the reader.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from xml.etree import ElementTree

import attrs

from oadr_core import LocalError, RemoteError

from .failures import missing
from .say import clean, utc

_CERTIFICATE: Final = "{http://www.w3.org/2000/09/xmldsig#}X509Certificate"

_ANY_AGE: Final = timedelta(days=365_000)
"""A recorded message may be as old as it is."""


@attrs.frozen(kw_only=True)
class SignatureFacts:
    """Fingerprint and owner of the first certificate; ``intact`` is ``None`` when it could not be checked, and
    ``text`` then says why. ``timestamp`` is when it was signed, by the signer's clock.
    """

    fingerprint: str | None
    subject: str | None
    valid: str | None
    intact: bool | None
    text: str
    timestamp: datetime | None = None

    @property
    def json(self) -> dict[str, Any]:
        """For programs."""
        found = attrs.asdict(self)
        found["timestamp"] = None if self.timestamp is None else utc(self.timestamp)
        return found


def signature_facts(data: bytes) -> SignatureFacts:
    """Look at the signature of a message that ``decode`` has accepted."""
    der = _certificate(data)
    subject, valid = _owner(der)
    intact, text, timestamp = _check(data)
    return SignatureFacts(
        fingerprint=_fingerprint(der), subject=subject, valid=valid, intact=intact, text=text, timestamp=timestamp
    )


def _certificate(data: bytes) -> bytes | None:
    """The first certificate. The document has passed the hardened parser before, so that this one cannot be harmed."""
    element = next(ElementTree.fromstring(data).iter(_CERTIFICATE), None)
    if element is None or not element.text:
        return None
    try:
        return base64.b64decode("".join(element.text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _fingerprint(der: bytes | None) -> str | None:
    from oadr_core.security import fingerprint

    try:
        return None if der is None else fingerprint(der)
    except LocalError:
        return None


def _owner(der: bytes | None) -> tuple[str | None, str | None]:
    """Subject and validity, where cryptography is installed and can read the certificate."""
    if der is None:
        return None, None
    try:
        from cryptography import x509
    except ModuleNotFoundError:
        return None, None
    try:
        certificate = x509.load_der_x509_certificate(der)
        subject = clean(certificate.subject.rfc4514_string())
        valid = f"{utc(certificate.not_valid_before_utc)} to {utc(certificate.not_valid_after_utc)}"
    except (ValueError, Warning):  # where warnings are errors
        return None, None
    return subject, valid


def _check(data: bytes) -> tuple[bool | None, str, datetime | None]:
    try:
        from oadr_core.security import Trust, Window, open_envelope
        from oadr_core.security.verifying import SignedEnvelope
    except ModuleNotFoundError as error:
        return None, f"not checked: {missing(error) or error}", None
    window = Window(past=_ANY_AGE, future=_ANY_AGE)
    trust = Trust(insecure_any_signer=True, check_validity=False, window=window)
    try:
        envelope = open_envelope(data, trust=trust, now=datetime.now(UTC))
    except RemoteError as error:
        return False, f"not intact: {clean(error.text)}", None
    timestamp = envelope.timestamp if isinstance(envelope, SignedEnvelope) else None
    return True, "intact: the message is what the owner of this certificate has signed", timestamp
