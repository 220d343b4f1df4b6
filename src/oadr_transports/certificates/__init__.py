"""Certificates for people: a small authority that issues them, the folder where they lie, and what they say.

It stands alone because no transport needs it: the commands ``oadr cert`` and ``oadr doctor`` do, and tests that want a
secure channel. It needs ``cryptography`` (``oadr[security]``).
"""

from __future__ import annotations

from .facts import CertificateFacts, facts_of, read_certificates
from .folder import Kit, Party, make_kit
from .issue import Issued, Kind, issue, new_authority

__all__ = [
    "CertificateFacts",
    "Issued",
    "Kind",
    "Kit",
    "Party",
    "facts_of",
    "issue",
    "make_kit",
    "new_authority",
    "read_certificates",
]
