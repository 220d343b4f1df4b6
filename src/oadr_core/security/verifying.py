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
from lxml import etree

from ..errors import LimitExceeded, NotXml, SchemaViolation, shown
from ..wire import DEFAULT_LIMITS, Deviation, Envelope, Limits, decode
from ..wire.parse import screen
from .errors import (
    DigestMismatch,
    KeyUnsuitable,
    ReplayProtectMissing,
    SignatureInvalid,
    SignatureMalformed,
    SignatureMissing,
)
from .fingerprints import fingerprint
from .form import NONCE, REPLAY_PROTECT, TIMESTAMP, Node, Parts, find_parts
from .names import OADR, Method, Style
from .replay import utc
from .signing import LONGEST_NONCE
from .trust import Trust

MOST_DECLARATIONS: Final = 32
"""Declarations of namespaces in scope at one element, hidden ones counted; one product seen has 21, the others fewer
than 10."""
HARMLESS: Final = 10_000_000
"""Declarations squared times elements that need no closer look: some 50 ms of canonicalisation at worst."""

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
    parts = find_parts(_tree(body))
    if parts is None:
        if trust.required:
            raise SignatureMissing("the message is not signed", rule="R514")
        return decode(data, strict=strict, limits=limits)
    certificate = trust.believe(parts.certificates, now)
    _check_signature(parts, certificate)
    properties = _canonical(parts.properties)
    _check_digest(properties, parts.properties_digest, "the ReplayProtect property")
    timestamp, nonce = _replay_protect(properties)
    trust.window.check(timestamp, now)
    document = _signed_document(parts)
    envelope = decode(document, strict=strict, limits=limits)
    deviations = envelope.deviations
    if parts.last:
        deviation = Deviation(
            rule="schema", path="oadrPayload/Signature", text="the signature stands behind the object"
        )
        if strict:
            raise SchemaViolation(deviation.text, path=deviation.path, rule=deviation.rule)
        deviations = (deviation, *deviations)
    return SignedEnvelope(
        payload=envelope.payload,
        deviations=deviations,
        signed=True,
        object_id=envelope.object_id,
        signer=fingerprint(parts.certificates[0]),
        certificate=parts.certificates[0],
        timestamp=timestamp,
        nonce=nonce,
        style=parts.style,
    )


def _check_declarations(body: bytes) -> None:
    """Refuse a document with many namespaces in scope at once: canonical form costs their square, for each element."""
    if body.count(b"xmlns") ** 2 * body.count(b"<") <= HARMLESS:
        return
    in_scope = 0

    def begin(_prefix: str | None, _uri: str | None) -> None:
        nonlocal in_scope
        in_scope += 1
        if in_scope > MOST_DECLARATIONS:
            raise LimitExceeded(f"more than {MOST_DECLARATIONS} namespaces declared in one place")

    def end(_prefix: str | None) -> None:
        nonlocal in_scope
        in_scope -= 1

    parser = expat.ParserCreate("utf-8", namespace_separator=" ")
    parser.StartNamespaceDeclHandler, parser.EndNamespaceDeclHandler = begin, end
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise NotXml(f"not well-formed: {error}", line=error.lineno) from None


def _signed_document(parts: Parts) -> bytes:
    """The canonical bytes that the digest was checked over, as a document."""
    if parts.style is Style.OBJECT:
        canonical = _canonical(parts.signed_object)
        _check_digest(canonical, parts.object_digest, "oadrSignedObject")
        return canonical.join(_ENVELOPE)
    _cut_out(parts.signature)
    canonical = _canonical(parts.root)
    _check_digest(canonical, parts.object_digest, "the document")
    return canonical


def _check_signature(parts: Parts, certificate: x509.Certificate) -> None:
    signed_info = _canonical(parts.signed_info)
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


def _check_digest(canonical: bytes, claimed: bytes, what: str) -> None:
    if not hmac.compare_digest(hashlib.sha256(canonical).digest(), claimed):
        raise DigestMismatch(f"{what} is not what was signed", rule="R514")


def _replay_protect(canonical: bytes) -> tuple[datetime, str]:
    """Timestamp and nonce, read from the bytes that were digested (R514)."""
    (element,) = _tree(canonical).iter(REPLAY_PROTECT)
    if [child.tag for child in element] != [TIMESTAMP, NONCE]:
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


def _tree(data: bytes) -> Node:
    """A tree that knows prefixes, which canonical form needs. Only for what :func:`~oadr_core.wire.parse.parse` has
    passed."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise NotXml(f"not well-formed: {error}") from None


def _canonical(element: Node) -> bytes:
    """Inclusive C14N 1.0 of the element and what is in it, without comments.

    A reference inside the document never has comments (XML Signature 1.1, section 4.4.3.3), and SignedInfo has none.
    The element is made a document of its own first: then the namespaces that are in scope stand on it.
    """
    alone = element
    if element.getparent() is not None:
        alone = _tree(etree.tostring(element, encoding="utf-8", with_tail=False))
    try:
        return etree.tostring(alone, method="c14n", with_comments=False)
    except (etree.LxmlError, OSError) as error:
        raise SignatureMalformed(f"no canonical form: {error}") from None


def _cut_out(signature: Node) -> None:
    """The enveloped signature transform: the element goes, the text behind it stays."""
    parent, before = signature.getparent(), signature.getprevious()
    assert parent is not None
    if before is not None:
        before.tail = (before.tail or "") + (signature.tail or "")
    else:
        parent.text = (parent.text or "") + (signature.tail or "")
    parent.remove(signature)
