"""Fingerprints of certificates: the identity of a party (profile section 10.5.1).

It stands alone because TLS, registration and signatures all compare them, and because it needs no library: who only
shows fingerprints needs no extra installed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Final

from ..errors import LocalError, shown

_PEM: Final = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----(.*?)-----END ", re.DOTALL)
_SEPARATORS: Final = re.compile(r"[\s:.-]")
_SHOWN_BYTES: Final = 10
"""A fingerprint is the last ten bytes of the digest (profile section 10.5.1)."""
_LENGTHS: Final = (2 * _SHOWN_BYTES, 2 * hashlib.sha256().digest_size)
_SEQUENCE: Final = 0x30
_LONG_FORM: Final = 0x80


def fingerprint(certificate: bytes) -> str:
    """The fingerprint of an X.509 certificate: the last ten bytes of SHA-256 over its DER form, as ``AA:BB:…``.

    ``certificate`` is DER, or PEM (of several certificates, the first: the leaf stands first in a chain).

    Raises :class:`~oadr_core.errors.LocalError` for what is no certificate. Source: profile section 10.5.1.
    """
    return _pairs(hashlib.sha256(der_of(certificate)).digest()[-_SHOWN_BYTES:])


def fingerprint_20a(certificate: bytes) -> str:
    """The fingerprint in the form of OpenADR 2.0a: the last ten bytes of SHA-1. For showing only; nothing trusts it."""
    digest = hashlib.sha1(der_of(certificate), usedforsecurity=False).digest()
    return _pairs(digest[-_SHOWN_BYTES:])


def normal_fingerprint(text: str) -> str:
    """A fingerprint as somebody wrote it, in the form ``AA:BB:…``: case and separators do not count.

    Ten bytes are the profile's form; the 32 bytes of the whole digest are accepted too, and are stronger.

    Raises :class:`~oadr_core.errors.LocalError` for anything else.
    """
    digits = _SEPARATORS.sub("", text)
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        raise LocalError(f"not a fingerprint: {shown(text)} has other signs than hexadecimal digits") from None
    if len(digits) not in _LENGTHS:
        raise LocalError(f"not a fingerprint: {shown(text)} has {len(raw)} bytes, 10 (or 32) are expected")
    return _pairs(raw)


def same_fingerprint(one: str, other: str) -> bool:
    """Whether two texts are the same fingerprint, without regard to case and separators."""
    return _SEPARATORS.sub("", one).upper() == _SEPARATORS.sub("", other).upper()


def matches(trusted: str, der: bytes) -> bool:
    """Whether a certificate has this fingerprint, which is in normal form, of 10 or of 32 bytes."""
    digest = _pairs(hashlib.sha256(der).digest())
    return hmac.compare_digest(digest[-len(trusted) :], trusted)


def der_of(certificate: bytes) -> bytes:
    """The DER form of a certificate in PEM or DER; of several, the first.

    Raises :class:`~oadr_core.errors.LocalError` for what has the shape of neither.
    """
    if is_der(certificate):  # looked at first: a peer's certificate may have PEM text inside it
        return certificate
    if match := _PEM.search(certificate):
        try:
            der = base64.b64decode(b"".join(match[1].split()), validate=True)
        except ValueError as error:
            raise LocalError(f"not a certificate: its base64 text is damaged: {error}") from None
        if is_der(der):
            return der
        raise LocalError("not a certificate: what is in the PEM text is not DER")
    if b"PRIVATE KEY-----" in certificate:
        raise LocalError("not a certificate but a private key")
    if b"-----BEGIN " in certificate:
        raise LocalError("not a certificate, but PEM of another kind")
    what = f"begins with {shown(certificate[:20])}" if certificate else "is empty"
    raise LocalError(f"not a certificate, neither PEM nor DER: the data {what}")


def is_der(data: bytes) -> bool:
    """Whether the data are one DER sequence and nothing else, as a certificate is."""
    if len(data) < 2 or data[0] != _SEQUENCE:
        return False
    length, start = data[1], 2
    if length & _LONG_FORM:
        start += length & ~_LONG_FORM
        length = int.from_bytes(data[2:start])
    return start + length == len(data)


def _pairs(raw: bytes) -> str:
    return raw.hex(":").upper()
