"""Signed bytes to messages: verified, or an error, and built from nothing but what was digested.

It stands alone because the order of steps is the security: hardened parse, form, trust in the certificate, signature,
digests, time, and only then the message. Profile section 10.6, R514.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import Final
from xml.parsers import expat

import attrs
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from ..errors import LimitExceeded, NotXml, shown
from ..wire import DEFAULT_LIMITS, Deviation, Envelope, Limits, decode
from ..wire.parse import parse, screen
from .canonical import canonical, cut_out, tree
from .errors import DigestMismatch, KeyUnsuitable, ReplayProtectMissing, SignatureInvalid, SignatureMissing
from .fingerprints import fingerprint
from .form import NONCE, REPLAY_PROTECT, TIMESTAMP, Parts, find_parts
from .names import OADR, Method, Style
from .replay import utc
from .signing import LONGEST_NONCE
from .trust import Trust

MOST_DECLARATIONS: Final = 32
"""Declarations of namespaces in scope at one element, hidden ones counted; one product seen has 21, the others fewer
than 10."""
HARMLESS: Final = 10_000_000
"""Declarations squared times elements that need no closer look: some 50 ms of canonicalisation at worst."""
MOST_WORK: Final = 200_000_000
"""Declarations in scope times depth, over all elements: about a second of canonicalisation. A report of 1,440 intervals
with 10 values each has 10 million."""

SIGNATURE_LAST: Final = Deviation(
    rule="schema", path="oadrPayload/Signature", text="the signature stands behind the object"
)

_TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,12})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_ENVELOPE: Final = (f'<w:oadrPayload xmlns:w="{OADR}">'.encode(), b"</w:oadrPayload>")
_PKCS1: Final = padding.PKCS1v15()
_ECDSA: Final = ec.ECDSA(hashes.SHA256())


@attrs.frozen(kw_only=True)
class SignedEnvelope(Envelope):
    """A message whose signature was verified.

    ``signer`` is the fingerprint of the certificate and ``certificate`` its DER form; ``timestamp`` and ``nonce`` are
    the verified ReplayProtect, for :meth:`oadr_core.security.ReplayGuard.accept`.
    """

    signer: str
    certificate: bytes = attrs.field(repr=False)
    timestamp: datetime
    nonce: str
    style: Style


def open_envelope(
    data: bytes, *, trust: Trust, now: datetime, strict: bool = False, limits: Limits = DEFAULT_LIMITS
) -> Envelope:
    """Verify unauthenticated bytes and read the message in them.

    ``now`` is an aware datetime, against which certificates and the time of signing are checked. ``strict`` and
    ``limits`` are those of :func:`oadr_core.decode`. Whether the message was seen before is left to the caller's
    :class:`~oadr_core.security.ReplayGuard`.

    Returns a :class:`SignedEnvelope`; a plain envelope only for an unsigned message, where the trust allows it. The
    message is built from the canonical bytes that were digested, so the lines that an error names are counted there.

    Raises :class:`~oadr_core.errors.RemoteError`, and :class:`~oadr_core.errors.LocalError` for a naive ``now``.
    """
    now = utc(now)
    body = screen(data, limits)
    _check_declarations(body)
    try:
        root = tree(body)
    except NotXml:
        parse(body, limits)  # has the better words
        raise
    parts = find_parts(root)
    if parts is None:
        if trust.required:
            raise SignatureMissing("the message is not signed", rule="R514")
        return decode(data, strict=strict, limits=limits)
    certificate = trust.believe(parts.certificates, now)
    _check_signature(parts, certificate)
    properties = canonical(parts.properties)
    _check_digest(properties, parts.properties_digest, "the ReplayProtect property")
    timestamp, nonce = _replay_protect(properties)
    trust.window.check(timestamp, now)
    document = _signed_document(parts)
    if strict:
        decode(data, strict=True, limits=limits)  # a strict reader wants the signature itself as the schema has it
    envelope = decode(document, strict=strict, limits=limits)
    return SignedEnvelope(
        payload=envelope.payload,
        deviations=(*((SIGNATURE_LAST,) if parts.last else ()), *envelope.deviations),
        signed=True,
        object_id=envelope.object_id,
        signer=fingerprint(parts.certificates[0]),
        certificate=parts.certificates[0],
        timestamp=timestamp,
        nonce=nonce,
        style=parts.style,
    )


def _check_declarations(body: bytes) -> None:
    """Refuse a document with many namespaces in scope at once, or with many elements deep below some: canonical form
    looks at all that is declared above each element."""
    if body.count(b"xmlns") ** 2 * body.count(b"<") <= HARMLESS:
        return
    in_scope = depth = work = 0

    def declare(_prefix: str | None, _uri: str | None) -> None:
        nonlocal in_scope
        in_scope += 1
        if in_scope > MOST_DECLARATIONS:
            raise LimitExceeded(f"more than {MOST_DECLARATIONS} namespaces declared in one place")

    def forget(_prefix: str | None) -> None:
        nonlocal in_scope
        in_scope -= 1

    def begin(_name: str, _attributes: object) -> None:
        nonlocal depth, work
        depth += 1
        work += in_scope * depth
        if work > MOST_WORK:
            raise LimitExceeded("too many elements below too many declarations of namespaces")

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate("utf-8", namespace_separator=" ")
    parser.StartNamespaceDeclHandler, parser.EndNamespaceDeclHandler = declare, forget
    parser.StartElementHandler, parser.EndElementHandler = begin, end
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise NotXml(f"not well-formed: {error}", line=error.lineno) from None


def _signed_document(parts: Parts) -> bytes:
    """The canonical bytes that the digest was checked over, as a document."""
    if parts.style is Style.OBJECT:
        signed = canonical(parts.signed_object)
        _check_digest(signed, parts.object_digest, "oadrSignedObject")
        return signed.join(_ENVELOPE)
    cut_out(parts.signature)
    signed = canonical(parts.root)
    _check_digest(signed, parts.object_digest, "the document")
    return signed


def _check_signature(parts: Parts, certificate: x509.Certificate) -> None:
    signed_info = canonical(parts.signed_info)
    key = certificate.public_key()
    try:
        if parts.method is Method.RSA_SHA256 and isinstance(key, rsa.RSAPublicKey):
            key.verify(parts.value, signed_info, _PKCS1, hashes.SHA256())
        elif parts.method is Method.ECDSA_SHA256 and isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(_der_signature(parts.value, key), signed_info, _ECDSA)
        else:
            raise KeyUnsuitable(f"the certificate's key does not fit the signature method {parts.method}", rule="R514")
    except InvalidSignature:
        raise SignatureInvalid("the signature does not fit the certificate's key and SignedInfo", rule="R514") from None


def _der_signature(value: bytes, key: ec.EllipticCurvePublicKey) -> bytes:
    """XML signatures have ECDSA's r and s side by side, both as wide as the key (XML Signature 1.1, section 6.4.3)."""
    width = (key.key_size + 7) // 8
    if len(value) != 2 * width:
        raise SignatureInvalid(f"a signature value of {len(value)} bytes, {2 * width} are expected", rule="R514")
    return encode_dss_signature(int.from_bytes(value[:width]), int.from_bytes(value[width:]))


def _check_digest(octets: bytes, claimed: bytes, what: str) -> None:
    if not hmac.compare_digest(hashlib.sha256(octets).digest(), claimed):
        raise DigestMismatch(f"{what} is not what was signed", rule="R514")


def _replay_protect(octets: bytes) -> tuple[datetime, str]:
    """Timestamp and nonce, read from the bytes that were digested (R514)."""
    (element,) = tree(octets).iter(REPLAY_PROTECT)
    if [child.tag for child in element] != [TIMESTAMP, NONCE] or any(len(child) for child in element):
        raise ReplayProtectMissing("ReplayProtect must have a timestamp and a nonce", rule="R514")
    text, nonce = (child.text or "" for child in element)
    if not nonce or len(nonce) > LONGEST_NONCE:
        raise ReplayProtectMissing(f"a nonce of {len(nonce)} characters, 1 to {LONGEST_NONCE} are allowed", rule="R514")
    if not _TIMESTAMP.fullmatch(text.strip()):
        complaint = f"the timestamp {shown(text)} is not a date-time with a zone"
        raise ReplayProtectMissing(complaint, value=text, rule="R514")
    try:
        return datetime.fromisoformat(text.strip()).astimezone(UTC), nonce
    except (ValueError, OverflowError) as error:
        raise ReplayProtectMissing(f"the timestamp {shown(text)}: {error}", value=text, rule="R514") from None
