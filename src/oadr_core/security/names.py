"""The names in a signature: elements, algorithms, and the smallest keys.

It stands alone because signing writes and verifying demands the same ones; what is not listed here is not accepted
(profile sections 10.1 and 10.6.3).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from ..model import NAMESPACES

DS: Final = NAMESPACES["ds"]
OADR: Final = NAMESPACES["oadr"]
DSP: Final = "http://openadr.org/oadr-2.0b/2012/07/xmldsig-properties"
XML: Final = "http://www.w3.org/XML/1998/namespace"

C14N: Final = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
C14N_WITH_COMMENTS: Final = f"{C14N}#WithComments"
ENVELOPED: Final = f"{DS}enveloped-signature"
SHA256: Final = "http://www.w3.org/2001/04/xmlenc#sha256"

SMALLEST_RSA_BITS: Final = 2048
"""R68; profile section 10.1."""
SMALLEST_EC_BITS: Final = 224
"""R68 says 224, profile section 10.1 says 256: the smaller is accepted."""

OBJECT_ID: Final = "oadrSignedObject"
PROPERTY_ID: Final = "prop"
SIGNATURE_ID: Final = "signature"


class Method(StrEnum):
    """The two signature methods that the profile allows (section 10.6.3)."""

    RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
    ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"


class Style(StrEnum):
    """How the first reference names what is signed; a receiver accepts both, a signer has one for each peer."""

    OBJECT = "#oadrSignedObject"
    """The signed object by its oadr:Id, as the profile's figure 23 has it."""
    DOCUMENT = ""
    """The whole document without its signature, for peers that cannot resolve an Id in a namespace."""
