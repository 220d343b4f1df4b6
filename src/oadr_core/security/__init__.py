"""Who sent a message, and whether it arrived as it was sent: fingerprints, signatures, trust, replay protection.

It stands alone because it is the only part of the core that needs cryptography, which is an extra
(``oadr[security]``). That is imported with the first name that needs it; fingerprints, the replay guard and the
errors do without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import (
    AlgorithmForbidden,
    CertificateExpired,
    CertificateUnreadable,
    CertificateUntrusted,
    DigestMismatch,
    DuplicateId,
    FromTheFuture,
    KeyUnsuitable,
    Replayed,
    ReplayProtectMissing,
    SecondReplayProtect,
    SecondSignature,
    SignatureError,
    SignatureInvalid,
    SignatureMalformed,
    SignatureMissing,
    Stale,
    TransformForbidden,
    WrongReference,
)
from .fingerprints import fingerprint, fingerprint_20a, normal_fingerprint, same_fingerprint
from .names import Style
from .replay import ReplayGuard, Window

if TYPE_CHECKING:
    from .signing import Signer, seal
    from .trust import Trust
    from .verifying import SignedEnvelope, open_envelope

__all__ = [
    "AlgorithmForbidden",
    "CertificateExpired",
    "CertificateUnreadable",
    "CertificateUntrusted",
    "DigestMismatch",
    "DuplicateId",
    "FromTheFuture",
    "KeyUnsuitable",
    "ReplayGuard",
    "ReplayProtectMissing",
    "Replayed",
    "SecondReplayProtect",
    "SecondSignature",
    "SignatureError",
    "SignatureInvalid",
    "SignatureMalformed",
    "SignatureMissing",
    "SignedEnvelope",
    "Signer",
    "Stale",
    "Style",
    "TransformForbidden",
    "Trust",
    "Window",
    "WrongReference",
    "fingerprint",
    "fingerprint_20a",
    "normal_fingerprint",
    "open_envelope",
    "same_fingerprint",
    "seal",
]


_HOMES = {
    "Signer": "signing",
    "seal": "signing",
    "Trust": "trust",
    "SignedEnvelope": "verifying",
    "open_envelope": "verifying",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from . import signing, trust, verifying
    except ModuleNotFoundError as error:
        raise ImportError(f"{name} needs {error.name}, which comes with oadr[security]") from error
    return getattr({"signing": signing, "trust": trust, "verifying": verifying}[home], name)
