"""Messages to signed bytes.

It stands alone because signing needs no parser: the encoder writes canonical XML, so the bytes that are digested can
be cut out of the bytes that are sent, and all that costs time is the private key's operation. Profile section 10.6,
R514.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeAlias

import attrs
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from ..errors import LocalError, shown
from ..model import Payload
from ..wire import encode
from .fingerprints import fingerprint, is_der
from .names import (
    C14N,
    DS,
    DSP,
    ENVELOPED,
    OBJECT_ID,
    PROPERTY_ID,
    SHA256,
    SIGNATURE_ID,
    SMALLEST_EC_BITS,
    SMALLEST_RSA_BITS,
    Method,
    Style,
)

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

LONGEST_NONCE: Final = 256
"""Characters; the 32 digits of a UUID are usual, and a receiver remembers every nonce for a while."""

_PEM_MARK: Final = b"-----BEGIN "
_NONCE: Final = re.compile(r"[!-~]+")
_DECLARATION: Final = re.compile(r' xmlns:?([^=]*)="[^"]*"')
_SIGNED_OBJECT: Final = "<oadr:oadrSignedObject"
_PAYLOAD_END: Final = "</oadr:oadrPayload>"
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


@attrs.frozen(kw_only=True, eq=False)
class Signer:
    """A private key with its certificate, loaded once and good for any number of messages.

    ``style`` says how the signed object is referred to; ``fingerprint`` is what the peer must know (profile 10.5.1).
    Make one with :meth:`from_pem`.
    """

    method: Method
    style: Style
    fingerprint: str
    certificate: bytes = attrs.field(repr=False)
    """The certificate in DER form."""
    _key_info: str = attrs.field(repr=False)
    _sign: Callable[[bytes], bytes] = attrs.field(repr=False)

    @classmethod
    def from_pem(
        cls,
        certificate: bytes,
        key: bytes,
        passphrase: bytes | str | None = None,
        *,
        style: Style = Style.OBJECT,
    ) -> Signer:
        """Load a certificate and its private key, each in PEM or DER.

        ``certificate`` may have its chain behind it; all of it is sent. ``passphrase`` opens an encrypted key. A
        certificate that has expired is loaded: whether to use it is not decided here (R516).

        Raises :class:`~oadr_core.errors.LocalError`, which says what is wrong: no certificate, no key, a passphrase
        that is missing or wrong, a key of another certificate, a key of a kind or size that the profile does not
        allow (R68).
        """
        chain = load_certificates(certificate)
        private = load_key(key, passphrase)
        if private.public_key() != chain[0].public_key():
            raise LocalError("the private key does not belong to the certificate", path="key")
        ders = [each.public_bytes(serialization.Encoding.DER) for each in chain]
        return cls(
            method=Method.RSA_SHA256 if isinstance(private, rsa.RSAPrivateKey) else Method.ECDSA_SHA256,
            style=Style(style),
            fingerprint=fingerprint(ders[0]),
            certificate=ders[0],
            key_info="".join(f"<ds:X509Certificate>{_base64(der)}</ds:X509Certificate>" for der in ders),
            sign=_operation(private),
        )

    def in_style(self, style: Style) -> Signer:
        """The same key and certificate, for a peer that wants this style."""
        return attrs.evolve(self, style=Style(style))


def seal(payload: Payload, *, signer: Signer, now: datetime, nonce: str) -> bytes:
    """Write and sign a message.

    ``now`` is the time of sending, an aware datetime; ``nonce`` a text that is never used twice, of at most 256
    printable characters. A message that is sent again later needs both anew, as its receiver looks at them (R514).

    Returns UTF-8 that is valid against the schema and must be sent as it is.

    Raises :class:`~oadr_core.errors.LocalError` for a payload that cannot be written, and for a naive ``now`` or an
    unfit ``nonce``.
    """
    head, tail = _cut(encode(payload).decode())
    declarations = head.removeprefix("<oadr:oadrPayload").removesuffix(">")
    replay_protect = _replay_protect(now, nonce)
    if signer.style is Style.OBJECT:
        transforms: tuple[str, ...] = (C14N,)
        start = f'{_SIGNED_OBJECT}{declarations} oadr:Id="{OBJECT_ID}">'
        signed = start + tail.removesuffix(_PAYLOAD_END)
    else:
        transforms = (ENVELOPED, C14N)
        signed = f'{head}{_SIGNED_OBJECT} oadr:Id="{OBJECT_ID}">{tail}'
    inside = _with_signature_namespace(declarations)
    prop = f'<ds:Object{inside} Id="{PROPERTY_ID}">{replay_protect}</ds:Object>'
    references = _reference(signer.style, transforms, signed) + _reference(f"#{PROPERTY_ID}", (C14N,), prop)
    signed_info = (
        f'<ds:CanonicalizationMethod Algorithm="{C14N}"></ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{signer.method}"></ds:SignatureMethod>{references}</ds:SignedInfo>'
    )
    value = signer._sign(f"<ds:SignedInfo{inside}>{signed_info}".encode())
    return (
        f'{head}<ds:Signature xmlns:ds="{DS}" Id="{SIGNATURE_ID}"><ds:SignedInfo>{signed_info}'
        f"<ds:SignatureValue>{_base64(value)}</ds:SignatureValue>"
        f"<ds:KeyInfo><ds:X509Data>{signer._key_info}</ds:X509Data></ds:KeyInfo>"
        f'<ds:Object Id="{PROPERTY_ID}">{replay_protect}</ds:Object></ds:Signature>'
        f'{_SIGNED_OBJECT} oadr:Id="{OBJECT_ID}">{tail}'
    ).encode()


def load_certificates(certificate: bytes) -> list[x509.Certificate]:
    """Load all certificates of a PEM text, or the one of a DER text, and check that the first has an allowed key.

    Raises :class:`~oadr_core.errors.LocalError` for what is no certificate.
    """
    fingerprint(certificate)  # has the better words for what is no certificate at all
    try:
        if is_der(certificate):
            chain = [x509.load_der_x509_certificate(certificate)]
        else:
            chain = x509.load_pem_x509_certificates(certificate)
        chain[0].public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise LocalError(f"not an X.509 certificate: {error}", path="certificate") from None
    return chain


def load_key(key: bytes, passphrase: bytes | str | None) -> PrivateKey:
    """Load a private key, PEM or DER, and check its kind and size (R68).

    Raises :class:`~oadr_core.errors.LocalError`, which says what is wrong.
    """
    password = passphrase.encode() if isinstance(passphrase, str) else passphrase
    load = serialization.load_pem_private_key if _PEM_MARK in key else serialization.load_der_private_key
    if load is serialization.load_pem_private_key and b"PRIVATE KEY" not in key:
        raise LocalError("not a private key, but PEM of another kind", path="key")
    try:
        private = load(key, password or None)
    except TypeError:
        if not password:
            raise LocalError("the private key is encrypted, and there is no passphrase", path="key") from None
        return load_key(key, None)  # as TLS does: a passphrase that is not needed does no harm
    except (ValueError, UnsupportedAlgorithm) as error:
        if password:
            raise LocalError(f"the passphrase is wrong or the private key is damaged: {error}", path="key") from None
        raise LocalError(f"not a private key: {error}", path="key") from None
    if isinstance(private, rsa.RSAPrivateKey):
        smallest = SMALLEST_RSA_BITS
    elif isinstance(private, ec.EllipticCurvePrivateKey):
        smallest = SMALLEST_EC_BITS
    else:
        raise LocalError("an RSA or elliptic-curve key is expected, not another kind", path="key", rule="R68")
    if private.key_size < smallest:
        raise LocalError(f"a key of {private.key_size} bits, fewer than {smallest}", path="key", rule="R68")
    return private


def _operation(private: PrivateKey) -> Callable[[bytes], bytes]:
    """The private key's operation, from bytes to the signature value as XML signatures write it."""
    if isinstance(private, rsa.RSAPrivateKey):
        pkcs1, sha256 = padding.PKCS1v15(), hashes.SHA256()
        return lambda data: private.sign(data, pkcs1, sha256)
    try:
        ecdsa = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)  # RFC 6979: same input, same bytes
    except UnsupportedAlgorithm:  # an OpenSSL before 3.2 has only the other form, which receivers cannot tell apart
        ecdsa = ec.ECDSA(hashes.SHA256())
    width = (private.key_size + 7) // 8

    def sign(data: bytes) -> bytes:
        r, s = decode_dss_signature(private.sign(data, ecdsa))
        return r.to_bytes(width) + s.to_bytes(width)

    return sign


def _cut(document: str) -> tuple[str, str]:
    """The start tag of oadrPayload, and all that follows the start tag of oadrSignedObject."""
    head, _, tail = document.partition(f"{_SIGNED_OBJECT}>")
    return head, tail


def _with_signature_namespace(declarations: str) -> str:
    """The declarations in scope inside ds:Signature, in canonical order: an apex has them all."""
    found = {match[1]: match[0] for match in _DECLARATION.finditer(declarations)}
    found["ds"] = f' xmlns:ds="{DS}"'
    return "".join(found[prefix] for prefix in sorted(found))


def _reference(uri: str, transforms: tuple[str, ...], canonical: str) -> str:
    names = "".join(f'<ds:Transform Algorithm="{name}"></ds:Transform>' for name in transforms)
    digest = _base64(hashlib.sha256(canonical.encode()).digest())
    return (
        f'<ds:Reference URI="{uri}"><ds:Transforms>{names}</ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{SHA256}"></ds:DigestMethod>'
        f"<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>"
    )


def _replay_protect(now: datetime, nonce: str) -> str:
    if now.tzinfo is None:
        raise LocalError(f"a datetime with a time zone is expected, not {now!r}", path="now")
    if not _NONCE.fullmatch(nonce) or len(nonce) > LONGEST_NONCE:
        text = f"a nonce of 1 to {LONGEST_NONCE} printable ASCII characters is expected, not {shown(nonce)}"
        raise LocalError(text, path="nonce")
    timestamp = now.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
    return (
        f'<ds:SignatureProperties><ds:SignatureProperty Target="#{SIGNATURE_ID}">'
        f'<dsp:ReplayProtect xmlns:dsp="{DSP}"><dsp:timestamp>{timestamp}Z</dsp:timestamp>'
        f"<dsp:nonce>{nonce.translate(_ESCAPES)}</dsp:nonce></dsp:ReplayProtect>"
        "</ds:SignatureProperty></ds:SignatureProperties>"
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
