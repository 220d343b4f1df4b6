"""Unauthenticated bytes to an element tree, or an error: the one place where a peer's XML is parsed.

It stands alone so that the guards cannot be bypassed. Nothing is resolved, fetched or expanded: a document that
declares a document type is refused before its tree is used, and so is every encoding but UTF-8.
"""

from __future__ import annotations

import re
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError, XMLParser
from xml.parsers import expat

import attrs

from ..errors import (
    CharacterForbidden,
    DocumentTypeForbidden,
    EncodingForbidden,
    EntityForbidden,
    ExternalReferenceForbidden,
    LimitExceeded,
    NamespaceForbidden,
    NotXml,
    ProcessingInstructionForbidden,
    RemoteError,
    shown,
)

_SHORTEST: Final = len(b"<a/>")
_UTF8_BOM: Final = b"\xef\xbb\xbf"
_OTHER_BOMS: Final = (b"\xff\xfe", b"\xfe\xff", b"\0", b"<\0")
"""How documents in UTF-16 and UTF-32 begin, with and without a byte order mark."""
_DECLARATION: Final = re.compile(
    rb"""<\?xml\s+version\s*=\s*(?:"1\.\d+"|'1\.\d+')"""
    rb"""(?:\s+encoding\s*=\s*(?P<encoding>"[^"<>]*"|'[^'<>]*'))?"""
    rb"""(?:\s+standalone\s*=\s*(?:"(?:yes|no)"|'(?:yes|no)'))?\s*\?>"""
)
_EXTERNAL: Final = re.compile(rb"<!DOCTYPE[^>\[]*\s(?:SYSTEM|PUBLIC)\s")
_LONG_VALUE: Final = re.compile(rb"""=\s*(?:"[^"<]{257}|'[^'<]{257})""")
"""Perhaps an attribute, or the declaration of a namespace, of more bytes than a namespace needs."""
_SHORT: Final = 16_384
"""Bytes up to which the longest name of a namespace costs the parser less than looking for it in every document."""
_HEAD: Final = 65_536
"""Bytes of a document type that are looked at to say what is wrong with it: the parser needs the square of them."""
_ELEMENT: Final = re.compile(rb"<([^\s<>/!?]++)")
_ATTRIBUTE: Final = re.compile(rb"""(?<=\s)([^\s<>/="']++)\s*+=\s*+["']""")
"""What may be names: the text also stands in comments, where it does no harm."""
_LONG: Final = 16 * 1024 * 1024
_MANY: Final = 500_000
"""Bytes and tags from which on different names are counted: what the names of a shorter document need is bounded."""
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]")
_BAD_REFERENCE: Final = expat.errors.codes[expat.errors.XML_ERROR_BAD_CHAR_REF]
_BAD_PREFIXES: Final = frozenset(
    expat.errors.codes[text]
    for text in (
        expat.errors.XML_ERROR_UNBOUND_PREFIX,
        expat.errors.XML_ERROR_UNDECLARING_PREFIX,
        expat.errors.XML_ERROR_RESERVED_PREFIX_XML,
        expat.errors.XML_ERROR_RESERVED_PREFIX_XMLNS,
        expat.errors.XML_ERROR_RESERVED_NAMESPACE_URI,
    )
)


@attrs.frozen(kw_only=True)
class Limits:
    """How large a document may be.

    The defaults let a report of 100,000 intervals pass, indented, or with all that an interval can say (1,400,000
    elements in 49 MB), and bound the memory of one document to some 400 MB: what half a million different names, or
    two million elements, need before they are refused.
    """

    bytes: int = 64 * 1024 * 1024
    elements: int = 2_000_000
    depth: int = 64
    """The deepest legal message has 17 levels; Green Button content may add its own, but never more than 64."""
    attributes: int = 64
    """Per element: legal messages have one, declarations of namespaces not counted."""
    text: int = 4 * 1024 * 1024
    """Characters in one element."""
    namespace: int = 256
    """Bytes of the name of a namespace: the parser repeats it for every element and attribute in it, so it counts in
    documents beyond 16 KiB (with a smaller limit in all)."""
    deviations: int = 10_000
    """Each costs some 300 bytes; a long report in the wrong namespaces has a few per interval."""
    names: int = 10_000
    """Different names of elements and attributes, in documents beyond 16 MiB or half a million tags: the parser
    keeps each of them, with its namespace. The schema has some four hundred."""


DEFAULT_LIMITS: Final = Limits()


def parse(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Element:
    """Parse unauthenticated bytes.

    Raises :class:`~oadr_core.errors.NotXml`, ``ForbiddenXml`` or one of their kinds; nothing else.
    """
    return tree(screen(data, limits), limits)


def tree(body: bytes, limits: Limits = DEFAULT_LIMITS) -> Element:
    """Parse what :func:`screen` has returned.

    Raises :class:`~oadr_core.errors.NotXml`, ``ForbiddenXml`` or one of their kinds; nothing else.
    """
    parser: Any = XMLParser(encoding="utf-8")
    try:
        parser.feed(body)
        root: Element = parser.close()
    except ParseError as error:
        raise _refusal(body, error) from None
    if not is_small(body, limits):
        _check_size(root, limits)
    if limits is not DEFAULT_LIMITS:  # the compiled decoders follow the schema, which is well within these
        check_shape(root, limits)
    return root


def is_small(body: bytes, limits: Limits) -> bool:
    """True if the bytes alone show that there are not too many elements, and no text is too long."""
    if len(body) > limits.text:
        return False
    return len(body) <= _SHORTEST * limits.elements or body.count(b"<") <= limits.elements


def screen(data: bytes, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Refuse unauthenticated bytes that no parser is to see; return them without byte order mark and XML declaration.

    What is returned has no document type, no entity declaration, no processing instruction, no other encoding than
    UTF-8, and is within the limits of bytes, elements, names and namespaces. Whether it is well-formed is for a parser
    to say.

    Raises :class:`~oadr_core.errors.NotXml`, ``ForbiddenXml`` or one of their kinds; nothing else.
    """
    if len(data) > limits.bytes:
        raise LimitExceeded(f"{len(data)} bytes, more than {limits.bytes}")
    body = without_declaration(data)
    if len(body) > _SHORTEST * limits.elements and body.count(b"<") - body.count(b"</") > limits.elements:
        raise LimitExceeded(f"more than {limits.elements} elements")
    # One byte is found much faster than several, and most messages have neither.
    if b"!" in body and b"<!DOCTYPE" in body:
        _judge_document_type(body)
    if b"?" in body and b"<?" in body:
        _judge_instructions(body)
    if len(body) > _LONG or (len(body) > _SHORTEST * _MANY and body.count(b"<") > _MANY):
        _judge_names(body, limits)
    if (len(body) > _SHORT and _LONG_VALUE.search(body)) or limits.namespace < DEFAULT_LIMITS.namespace:
        _judge_namespaces(body, limits)
    return body


def without_declaration(data: bytes) -> bytes:
    """The document without byte order mark and XML declaration; their lines are kept.

    Raises :class:`~oadr_core.errors.EncodingForbidden` for every encoding but UTF-8, and
    :class:`~oadr_core.errors.NotXml` for a second mark or declaration, which the parser would take for the first.
    """
    body = data[3:] if data[:3] == _UTF8_BOM else data
    declaration = _DECLARATION.match(body)
    if declaration is None:
        if body.startswith(_OTHER_BOMS):
            raise EncodingForbidden("the document is not UTF-8 (profile section 9.1.9.5)")
        if body.startswith(_UTF8_BOM):
            raise NotXml("two byte order marks in front of the document")
        return body
    encoding = (declaration["encoding"] or b"utf-8").strip(b"\"'")
    if encoding.lower() not in (b"utf-8", b"utf8"):
        raise EncodingForbidden(f"the document declares the encoding {shown(encoding.decode('latin-1'))}, not UTF-8")
    body = b"\n" * declaration[0].count(b"\n") + body[declaration.end() :]
    if body.startswith((_UTF8_BOM, b"<?xml")):
        raise NotXml("two declarations in front of the document")
    return body


def check_shape(root: Element, limits: Limits) -> None:
    """Refuse a tree that is too deep or has too many attributes; needed where code follows the tree and not the
    schema."""
    level, depth = [root], 0
    while level:
        depth += 1
        if depth > limits.depth:
            raise LimitExceeded(f"elements nested deeper than {limits.depth}")
        for element in level:
            if len(element.keys()) > limits.attributes:
                raise LimitExceeded(f"an element with more than {limits.attributes} attributes")
        level = [child for element in level for child in element]


def _check_size(root: Element, limits: Limits) -> None:
    for number, element in enumerate(root.iter(), 1):
        if number > limits.elements:
            raise LimitExceeded(f"more than {limits.elements} elements")
        if len(element.text or "") > limits.text or len(element.tail or "") > limits.text:
            raise LimitExceeded(f"an element with more than {limits.text} characters")


def _judge_document_type(body: bytes) -> None:
    """Ask the parser: the text may also stand in a comment or a CDATA section, where it is harmless. What kind of
    document type it is says defusedxml."""
    if not _has_document_type(body):
        return
    from defusedxml.common import EntitiesForbidden
    from defusedxml.common import ExternalReferenceForbidden as OutsideForbidden
    from defusedxml.ElementTree import fromstring

    try:
        fromstring(body[:_HEAD], forbid_dtd=False, forbid_entities=True, forbid_external=True)
    except EntitiesForbidden:
        raise EntityForbidden("the document declares an entity") from None
    except OutsideForbidden:
        raise ExternalReferenceForbidden("the document refers to something outside") from None
    except ParseError:
        if b"<!ENTITY" in body:
            raise EntityForbidden("the document declares an entity") from None
    if _EXTERNAL.search(body[:_HEAD]):
        raise ExternalReferenceForbidden("the document type refers to something outside")
    raise DocumentTypeForbidden("the document has a document type")


class _Found(Exception):
    """What a parser was asked to look for."""


def _has_document_type(body: bytes) -> bool:
    parser = expat.ParserCreate("utf-8")

    def found(*_what: object) -> None:
        raise _Found

    parser.StartDoctypeDeclHandler = found
    try:
        parser.Parse(body, True)
    except _Found:
        return True
    except expat.ExpatError:
        pass  # the parser that builds the tree says so again
    return False


def _judge_namespaces(body: bytes, limits: Limits) -> None:
    most = limits.namespace + 1
    long_name = rb"""\sxmlns(?::[^\s=<>"'/]*+)?\s*+=\s*+(?:"[^"<]{%d}|'[^'<]{%d})""" % (most, most)
    if re.search(long_name, body):
        raise LimitExceeded(f"a namespace with a name of more than {limits.namespace} bytes")


def _judge_names(body: bytes, limits: Limits) -> None:
    for name, mark in ((_ELEMENT, b"<"), (_ATTRIBUTE, b"=")):
        if body.count(mark) <= limits.names:
            continue
        found: set[bytes] = set()
        for match in name.finditer(body):
            found.add(match[1])
            if len(found) > limits.names:
                raise LimitExceeded(f"more than {limits.names} different names")


class _Inspector:
    """A parser target that keeps nothing and refuses processing instructions."""

    def pi(self, target: str, data: str | None) -> None:
        raise ProcessingInstructionForbidden(f"the document has a processing instruction {shown(target)}")

    def close(self) -> None:
        return None


def _judge_instructions(body: bytes) -> None:
    """Ask the parser: the text may also stand in a comment or a CDATA section, where it is harmless."""
    parser: Any = XMLParser(target=_Inspector(), encoding="utf-8")
    try:
        parser.feed(body)
        parser.close()
    except ParseError as error:
        raise _refusal(body, error) from None


def _refusal(body: bytes, error: ParseError) -> RemoteError:
    line, _ = error.position
    if error.code in _BAD_PREFIXES:
        return NamespaceForbidden(f"a misused namespace: {error}", line=line)
    if error.code == _BAD_REFERENCE or (body.lstrip().startswith(b"<") and _CONTROL.search(body)):
        return CharacterForbidden("the document has a character that XML does not allow", line=line)
    return NotXml(_reason(body, error), line=line)


def _reason(body: bytes, error: ParseError) -> str:
    start = body.lstrip()[:14].lower()
    if not start:
        return "the document is empty"
    if start.startswith((b"<html", b"<!doctype html")):
        return "an HTML page, not an OpenADR message"
    if not start.startswith(b"<"):
        return f"not XML: it begins with {shown(body[:30].decode('utf-8', 'replace'))}"
    return f"not well-formed: {error}"
