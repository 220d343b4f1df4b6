"""What can be wrong with a signed message: each kind of forgery and each kind of mistake has a name of its own.

It stands alone because verifying, trust and the replay guard raise these, and an application or a log tells an attack
from a wrong clock by the class. Whatever is raised, nothing of the message has been believed (R514).
"""

from __future__ import annotations

from ..errors import RemoteError


class SignatureError(RemoteError):
    """A message that is not believed. R514: a receiver that wants signatures ignores a message without a valid one."""

    code = "463"
    status = 403


class SignatureMissing(SignatureError):
    """No signature, though the trust demands one: never signed, or stripped on the way."""


class SecondSignature(SignatureError):
    """More than one ds:Signature in the document."""


class SignatureMalformed(SignatureError):
    """A signature, or an envelope around it, that does not have the form of the profile (section 10.6)."""


class DuplicateId(SignatureError):
    """An Id that a reference names stands on more than one element."""


class WrongReference(SignatureError):
    """A reference to something else than the signed object and the ReplayProtect property, or not to both."""


class AlgorithmForbidden(SignatureError):
    """An algorithm that the profile does not allow, for instance SHA-1 or HMAC (section 10.6.3)."""


class TransformForbidden(SignatureError):
    """A transform that is not inclusive canonicalisation or, for the whole document, the enveloped signature."""


class CertificateUnreadable(SignatureError):
    """What stands in KeyInfo is no X.509 certificate with an RSA or elliptic-curve key."""


class CertificateUntrusted(SignatureError):
    """A certificate that is not one of the trusted ones; ``value`` has its fingerprint."""


class CertificateExpired(SignatureError):
    """A certificate that is no longer, or not yet, valid (R516)."""


class KeyUnsuitable(SignatureError):
    """A key that is too short (R68), or that does not fit the signature method."""


class SignatureInvalid(SignatureError):
    """The signature value was not made with the certificate's key over this SignedInfo."""


class DigestMismatch(SignatureError):
    """The signed object or the property is not what was signed."""


class ReplayProtectMissing(SignatureError):
    """No ReplayProtect property with timestamp and nonce (R514)."""


class SecondReplayProtect(SignatureError):
    """More than one ReplayProtect in the document."""


class Stale(SignatureError):
    """Signed longer ago than the window allows: a replay, a slow way, or a clock that is wrong."""


class FromTheFuture(SignatureError):
    """Signed later than the window allows: a clock that is wrong, or a message kept in stock."""


class Replayed(SignatureError):
    """This timestamp and nonce have been seen, or can no longer be told from those that have been."""
