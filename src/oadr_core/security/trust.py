"""Whose signatures are believed: the certificates a party trusts, and how strictly.

It stands alone because it is policy, decided by a deployment and not by the profile alone; verifying asks it before
anything of a message is believed (profile section 10.5, R514, R516).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import attrs
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from ..errors import LocalError
from .errors import CertificateExpired, CertificateUnreadable, CertificateUntrusted, KeyUnsuitable
from .fingerprints import fingerprint, matches, normal_fingerprint
from .names import SMALLEST_EC_BITS, SMALLEST_RSA_BITS
from .replay import WINDOW, Window
from .signing import load_certificates


def _fingerprints(texts: Iterable[str]) -> tuple[str, ...]:
    if isinstance(texts, str):
        raise LocalError(f"a list of fingerprints is expected, not the text {texts!r}", path="fingerprints")
    return tuple(normal_fingerprint(text) for text in texts)


def _authorities(files: Iterable[bytes | x509.Certificate] | bytes) -> tuple[x509.Certificate, ...]:
    """All that the files hold; what is loaded already, as in a changed copy, stays."""
    each = (files,) if isinstance(files, bytes) else files
    found = ([one] if isinstance(one, x509.Certificate) else load_certificates(one) for one in each)
    return tuple(certificate for certificates in found for certificate in certificates)


@attrs.frozen(kw_only=True)
class Trust:
    """Whom to believe. At least one of the first three must say so.

    ``fingerprints``: these certificates, by the profile's fingerprints in any spelling (the 32 bytes of a whole
    SHA-256 are taken too). ``authorities``: certificates issued below these, each in PEM or DER.
    ``insecure_any_signer``: any certificate at all; then a signature only shows that the message was not damaged.

    ``required``: an unsigned message is refused (R514); otherwise it passes, but a signature that is there must be
    right. ``window``: how old, and how far ahead of the clock, a message may be. ``check_validity``: a certificate
    that has expired, or is not yet valid, is refused (R516). ``require_key_usage``: for certificates that are
    believed for their authority's sake, the key usage extension must be there and name digitalSignature; otherwise it
    must name it only if it is there.

    Raises :class:`~oadr_core.errors.LocalError` for a fingerprint or an authority that is none.
    """

    fingerprints: tuple[str, ...] = attrs.field(default=(), converter=_fingerprints)
    authorities: tuple[x509.Certificate, ...] = attrs.field(default=(), converter=_authorities, repr=False)
    insecure_any_signer: bool = False
    required: bool = True
    window: Window = WINDOW
    check_validity: bool = True
    require_key_usage: bool = False

    def __attrs_post_init__(self) -> None:
        if not (self.fingerprints or self.authorities or self.insecure_any_signer):
            text = "nobody is trusted: give fingerprints, authorities, or ask for insecure_any_signer"
            raise LocalError(text, path="Trust")

    def believe(self, ders: Sequence[bytes], now: datetime) -> x509.Certificate:
        """The first of the certificates, if it is to be believed at ``now`` (aware). The others are its chain.

        ``ders`` is unauthenticated. Raises a :class:`~oadr_core.security.SignatureError`.
        """
        leaf = _load(ders[0])
        if not self.insecure_any_signer and not any(matches(each, ders[0]) for each in self.fingerprints):
            if not self.authorities:
                who = fingerprint(ders[0])
                text = f"signed with the certificate {who}, which is not a trusted one"
                raise CertificateUntrusted(text, value=who, rule="R514")
            self._check_chain(leaf, ders, now)
        if self.check_validity:
            _check_validity(leaf, now)
        _check_key(leaf)
        return leaf

    def _check_chain(self, leaf: x509.Certificate, ders: Sequence[bytes], now: datetime) -> None:
        if self.check_validity:
            _check_validity(leaf, now)  # has the better words for the most frequent case
        # With expired certificates allowed, the chain is judged at a time when the leaf was valid.
        moment = now if self.check_validity else min(max(now, leaf.not_valid_before_utc), leaf.not_valid_after_utc)
        leaf_policy = ExtensionPolicy.permit_all()
        if self.require_key_usage:
            leaf_policy = leaf_policy.require_present(x509.KeyUsage, Criticality.AGNOSTIC, _must_sign)
        else:
            leaf_policy = leaf_policy.may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _may_sign)
        builder = PolicyBuilder().store(Store(list(self.authorities))).time(moment)
        policies = builder.extension_policies(
            ee_policy=leaf_policy, ca_policy=ExtensionPolicy.webpki_defaults_ca()
        )
        try:
            policies.build_client_verifier().verify(leaf, [_load(der) for der in ders[1:]])
        except (VerificationError, ValueError) as error:
            who = fingerprint(ders[0])
            text = f"the certificate {who} is not a trusted one, nor issued by a trusted authority: {error}"
            raise CertificateUntrusted(text, value=who, rule="R514") from None


def _load(der: bytes) -> x509.Certificate:
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.public_key()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion, Warning) as error:  # where warnings are errors
        raise CertificateUnreadable(f"not an X.509 certificate: {error}", path="ds:X509Certificate") from None
    return certificate


def _check_validity(leaf: x509.Certificate, now: datetime) -> None:
    if now > leaf.not_valid_after_utc:
        raise CertificateExpired(f"the certificate expired on {leaf.not_valid_after_utc.isoformat()}", rule="R516")
    if now < leaf.not_valid_before_utc:
        raise CertificateExpired(
            f"the certificate is not valid before {leaf.not_valid_before_utc.isoformat()}", rule="R516"
        )


def _check_key(leaf: x509.Certificate) -> None:
    key = leaf.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        smallest = SMALLEST_RSA_BITS
    elif isinstance(key, ec.EllipticCurvePublicKey):
        smallest = SMALLEST_EC_BITS
    else:
        raise KeyUnsuitable("an RSA or elliptic-curve key is expected, not another kind", rule="R68")
    if key.key_size < smallest:
        raise KeyUnsuitable(f"a key of {key.key_size} bits, fewer than {smallest}", rule="R68")


def _must_sign(_policy: object, _leaf: x509.Certificate, usage: x509.KeyUsage) -> None:
    if not usage.digital_signature:
        raise ValueError("its key usage does not have digitalSignature")


def _may_sign(_policy: object, _leaf: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None:
        _must_sign(_policy, _leaf, usage)
