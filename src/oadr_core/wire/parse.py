"""Unauthenticated bytes to an element tree, or an error: the one place where a peer's XML is parsed.

It stands alone so that the guards cannot be bypassed. Nothing is resolved, fetched or expanded: a document that
declares a document type is refused before its tree is used, and so is every encoding but UTF-8.
"""

from __future__ import annotations

import re
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError, XMLParser

import attrs

from ..errors import (
    DocumentTypeForbidden,
    EncodingForbidden,
    LimitExceeded,
    NotXml,
    ProcessingInstructionForbidden,
    shown,
)

_UTF8_BOM: Final = b"\xef\xbb\xbf"
_DECLARATION: Final = re.compile(rb"<\?xml\s[^>]*?\?>")
_ENCODING: Final = re.compile(rb"encoding\s*=\s*[\"']([^\"']*)[\"']")


@attrs.frozen(kw_only=True)
class Limits:
    """How large a document may be.

    The defaults let a report of 1,440 intervals with 10 values each pass several times over (about 80,000 elements in
    4 MB), and bound the memory of one document to some 100 MB.
    """

    bytes: int = 16 * 1024 * 1024
    elements: int = 500_000
    depth: int = 64
    """The deepest legal message has 17 levels; Green Button content may add its own."""
    attributes: int = 64
    """Per element: legal messages have one, declarations of namespaces not counted."""
    text: int = 4 * 1024 * 1024
    """Characters in one element."""


DEFAULT_LIMITS: Final = Limits()


def parse(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Element:
    """Parse unauthenticated bytes.

    Raises :class:`~oadr_core.errors.NotXml`, ``ForbiddenXml`` or one of their kinds; nothing else.
    """
    if len(data) > limits.bytes:
        raise LimitExceeded(f"{len(data)} bytes, more than {limits.bytes}")
    body = data[3:] if data[:3] == _UTF8_BOM else data
    declaration = _DECLARATION.match(body)
    if body[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in body:
        raise EncodingForbidden("the document is not UTF-8 (rule: PS 9.1.9.5)")
    if declaration and (encoding := _ENCODING.search(declaration[0])) and encoding[1].lower() != b"utf-8":
        raise EncodingForbidden(f"the document declares the encoding {shown(encoding[1].decode('latin-1'))}, not UTF-8")
    if body.find(b"<?", declaration.end() if declaration else 0) >= 0:
        raise ProcessingInstructionForbidden("the document has a processing instruction")
    if b"<!DOCTYPE" in body:
        _refuse_document_type(body)
    if body.count(b"<") > 2 * limits.elements + 2:
        raise LimitExceeded(f"more than {limits.elements} elements")
    parser: Any = XMLParser()
    try:
        parser.feed(body)
        root: Element = parser.close()
    except ParseError as error:
        line, _ = error.position
        raise NotXml(_reason(body, error), line=line) from None
    except (ValueError, LookupError) as error:
        raise NotXml(f"not well-formed: {error}") from None
    if len(body) > limits.text:
        for element in root.iter():
            if len(element.text or "") > limits.text or len(element.tail or "") > limits.text:
                raise LimitExceeded(f"an element with more than {limits.text} characters")
    return root


def check_depth(root: Element, limits: Limits) -> None:
    """Refuse a tree that is deeper than the limit; needed wherever code follows the tree and not the schema."""
    level, depth = [root], 0
    while level:
        depth += 1
        if depth > limits.depth:
            raise LimitExceeded(f"elements nested deeper than {limits.depth}")
        level = [child for element in level for child in element]


def _refuse_document_type(body: bytes) -> None:
    """Leave the verdict to defusedxml: the text may also stand in a comment or a CDATA section, where it is harmless."""
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        fromstring(body, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    except DefusedXmlException:
        raise DocumentTypeForbidden("the document has a document type or entity declaration") from None
    except (ParseError, ValueError, LookupError) as error:
        raise NotXml(f"not well-formed: {error}") from None


def _reason(body: bytes, error: ParseError) -> str:
    start = body.lstrip()[:14].lower()
    if not start:
        return "the document is empty"
    if start.startswith((b"<html", b"<!doctype html")):
        return "an HTML page, not an OpenADR message"
    if not start.startswith(b"<"):
        return f"not XML: it begins with {shown(body[:30].decode('utf-8', 'replace'))}"
    return f"not well-formed: {error}"
