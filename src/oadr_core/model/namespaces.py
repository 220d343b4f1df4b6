"""The namespaces of OpenADR 2.0b and the prefixes this project writes for them.

It stands alone because prefixes are a convention, not part of any message: the declarations of the model
name elements as ``prefix:local``, and only this table says what a prefix means (profile section 8.1.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

OADR_20A: Final = "http://openadr.org/oadr-2.0a/2012/07"
"""Namespace of the older 2.0a profile; recognised only to say so."""

NAMESPACES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "atom": "http://www.w3.org/2005/Atom",
        "ds": "http://www.w3.org/2000/09/xmldsig#",
        "ei": "http://docs.oasis-open.org/ns/energyinterop/201110",
        "emix": "http://docs.oasis-open.org/ns/emix/2011/06",
        "gml": "http://www.opengis.net/gml/3.2",
        "oadr": "http://openadr.org/oadr-2.0b/2012/07",
        "power": "http://docs.oasis-open.org/ns/emix/2011/06/power",
        "pyld": "http://docs.oasis-open.org/ns/energyinterop/201110/payloads",
        "scale": "http://docs.oasis-open.org/ns/emix/2011/06/siscale",
        "strm": "urn:ietf:params:xml:ns:icalendar-2.0:stream",
        "xcal": "urn:ietf:params:xml:ns:icalendar-2.0",
    }
)
"""Prefix to namespace URI, in the order in which canonical XML lists the declarations."""


def expand(name: str) -> str:
    """Turn ``prefix:local`` into the ``{namespace}local`` form that XML parsers use.

    Raises ``KeyError`` for an unknown prefix.
    """
    prefix, _, local = name.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"
