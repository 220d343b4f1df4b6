"""What a ds:Signature looks like, as far as the schema says: structure and text, not whether it is true.

It stands alone because signatures are carried and not part of the model. Verifying them is the work of
:mod:`oadr_core.security`.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from functools import cache
from typing import Final
from xml.etree.ElementTree import Element

import attrs

from ..errors import shown
from ..model import NAMESPACES
from .convert import BLANK, read_identifier
from .greenbutton import ESPI
from .uris import is_reference

_DS: Final = NAMESPACES["ds"]
_MESSAGES: Final = frozenset({ESPI, *NAMESPACES.values()} - {_DS})
_CONTENT: Final = {
    "Signature": "SignedInfo SignatureValue KeyInfo? Object*",
    "SignedInfo": "CanonicalizationMethod SignatureMethod Reference+",
    "CanonicalizationMethod": "",
    "SignatureMethod": "HMACOutputLength?",
    "Reference": "Transforms? DigestMethod DigestValue",
    "Transforms": "Transform+",
    "Transform": "(XPath | _)*",
    "DigestMethod": "_*",
    "KeyInfo": "(KeyName | KeyValue | RetrievalMethod | X509Data | PGPData | SPKIData | MgmtData | _)+",
    "KeyValue": "DSAKeyValue | RSAKeyValue | _",
    "RetrievalMethod": "Transforms?",
    "X509Data": "(X509IssuerSerial | X509SKI | X509SubjectName | X509Certificate | X509CRL | _)+",
    "X509IssuerSerial": "X509IssuerName X509SerialNumber",
    "PGPData": "PGPKeyID PGPKeyPacket? _* | PGPKeyPacket _*",
    "SPKIData": "(SPKISexp _?)+",
    "Object": "(SignatureProperties | Manifest | _ | none)*",
    "Manifest": "Reference+",
    "SignatureProperties": "SignatureProperty+",
    "SignatureProperty": "_+",
    "DSAKeyValue": "(P Q)? G? Y J? (Seed PgenCounter)?",
    "RSAKeyValue": "Modulus Exponent",
}
"""What may stand in each element with elements: ``_`` is one of another namespace, ``none`` one without any."""
_MIXED: Final = frozenset(
    "CanonicalizationMethod SignatureMethod Transform DigestMethod KeyInfo KeyValue Object SignatureProperty".split()
)
_TEXT: Final = frozenset("KeyName MgmtData X509SubjectName X509IssuerName XPath".split())
_INTEGER: Final = frozenset({"HMACOutputLength", "X509SerialNumber"})
_ATTRIBUTES: Final = {
    "Signature": "Id",
    "SignatureValue": "Id",
    "SignedInfo": "Id",
    "CanonicalizationMethod": "Algorithm!",
    "SignatureMethod": "Algorithm!",
    "Reference": "Id URI Type",
    "Transform": "Algorithm!",
    "DigestMethod": "Algorithm!",
    "KeyInfo": "Id",
    "RetrievalMethod": "URI Type",
    "Object": "Id MimeType Encoding",
    "Manifest": "Id",
    "SignatureProperties": "Id",
    "SignatureProperty": "Id Target!",
}
"""The attributes of each element; ``!`` marks those that must be there."""


@attrs.frozen
class _Shape:
    """What the schema says about one element, ready for use."""

    content: re.Pattern[str] | None
    mixed: bool
    allowed: frozenset[str]
    required: tuple[str, ...]


def signature_faults(signature: Element, identifiers: set[str]) -> Iterator[tuple[Element, str, str]]:
    """What the schema does not allow in a signature: the element, its path, and why.

    ``identifiers`` are the Ids of the document that are known already; those of the signature are added.
    """
    stack = [(signature, "Signature")]
    while stack:
        element, path = stack.pop()
        namespace, _, name = element.tag[1:].rpartition("}")
        if namespace == _DS:
            if name in _KNOWN:
                for reason in _reasons(element, name, identifiers):
                    yield element, path, reason
        elif namespace in _MESSAGES:
            yield element, path, "a part of a message in a signature"
        if len(element):
            stack.extend((child, f"{path}/{child.tag.rpartition('}')[2]}") for child in reversed(element))


def _reasons(element: Element, name: str, identifiers: set[str]) -> Iterator[str]:
    shape, text = _shape(name), (element.text or "").strip(BLANK)
    if shape.content is not None:
        if not shape.content.fullmatch("".join([f"{_token(child)};" for child in element])):
            yield f"expected inside: {_CONTENT[name] or 'nothing'}"
        if not shape.mixed and (text or any((child.tail or "").strip(BLANK) for child in element)):
            yield "stray text"
    elif len(element):
        yield "text is expected, not elements"
    elif name in _INTEGER and not re.fullmatch(r"[+-]?\d+", text, re.ASCII):
        yield f"not a whole number: {shown(text)}"
    elif name not in _TEXT | _INTEGER and not _is_base64(text):
        yield f"not base64: {shown(text)}"
    for key, value in element.items():
        if key not in shape.allowed:
            yield f"an attribute that the schema does not have: {shown(key)}"
        elif key == "Id":
            yield from _identifier(value, identifiers)
        elif key != "MimeType" and not is_reference(value.strip(BLANK)):
            yield f"not a URI: {shown(value)}"
    for key in shape.required:
        if element.get(key) is None:
            yield f"the attribute {key} is missing"


@cache
def _shape(name: str) -> _Shape:
    content = re.sub(r"\w+", r"(?:\g<0>;)", _CONTENT[name]).replace(" ", "") if name in _CONTENT else None
    attributes = _ATTRIBUTES.get(name, "").split()
    return _Shape(
        content=re.compile(content) if content is not None else None,
        mixed=name in _MIXED,
        allowed=frozenset(key.removesuffix("!") for key in attributes),
        required=tuple(key[:-1] for key in attributes if key[-1] == "!"),
    )


def _identifier(text: str, identifiers: set[str]) -> Iterator[str]:
    try:
        name = read_identifier(text)
    except ValueError as error:
        yield str(error)
        return
    if name in identifiers:
        yield f"the Id {shown(name)} is there twice"
    identifiers.add(name)


def _token(element: Element) -> str:
    """What stands for an element in a content model."""
    namespace, _, local = element.tag[1:].rpartition("}")
    return local if namespace == _DS else "_" if namespace else "none"


_KNOWN: Final = frozenset(_CONTENT) | frozenset(re.findall(r"\w{2,}|[A-Z]", " ".join(_CONTENT.values())))


def _is_base64(text: str) -> bool:
    compact = "".join(text.split())
    try:
        return b64encode(b64decode(compact, validate=True)).decode() == compact
    except ValueError:
        return False
