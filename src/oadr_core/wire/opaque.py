"""Foreign XML inside a message, carried as canonical text.

It stands alone because it is the one thing in a message that the declarations do not describe: Green Button feeds,
and the content of ``xcal:components``. The text is exclusive canonical XML with well-known prefixes, so it can stand
by itself.
"""

from __future__ import annotations

import re
from typing import Any, Final
from xml.etree.ElementTree import Element

from ..errors import RemoteError, shown
from ..model import NAMESPACES, LexicalXml
from ..model.namespaces import expand
from .convert import BLANK, write_attribute, write_text
from .greenbutton import ESPI, faults
from .parse import DEFAULT_LIMITS, check_shape, parse

XSI: Final = "{http://www.w3.org/2001/XMLSchema-instance}"
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_AWKWARD: Final = re.compile('[&<>"\\s]')
"""What libxml2 leaves as it is when it declares a namespace in canonical XML, which breaks the document."""
_XML: Final = "http://www.w3.org/XML/1998/namespace"
_PREFIXES: Final = {uri: prefix for prefix, uri in NAMESPACES.items()} | {
    _XML: "xml",
    ESPI: "espi",
    "http://www.w3.org/1999/xhtml": "xhtml",
    "http://www.w3.org/2001/XMLSchema-instance": "xsi",
}
"""Prefixes that are written for well-known namespaces; the others are numbered."""


def read_element(element: Element) -> str:
    """The canonical text of a Green Button feed; raises ``ValueError`` for what the schema does not allow in one."""
    check_shape(element, DEFAULT_LIMITS)
    for _, path, reason in faults(element):
        raise ValueError(f"{path}: {reason}")
    return _Writer().element(element, {_XML: "xml"})


def read_content(element: Element) -> str:
    """The canonical text of what is inside the element; blanks alone count as nothing."""
    content = ""
    if len(element) or (element.text or "").strip(BLANK):
        check_shape(element, DEFAULT_LIMITS)
        content = _Writer().content(element, {_XML: "xml"})
    if not element.keys():
        return content
    if reason := _odd_nil(element, content):
        raise ValueError(reason)
    start = _Writer().start(element, {_XML: "xml"})[0]
    return LexicalXml(content, start.partition(" ")[2])


def _odd_nil(element: Element, content: str) -> str:
    """What the schema does not allow about the attributes that say something about the element itself."""
    for key in set(element.keys()) & {f"{XSI}nil", f"{XSI}type"}:
        if key.endswith("type"):
            return "an xsi:type"
        value = element.get(key, "").strip(BLANK)
        if value not in ("true", "false", "1", "0") or (content and value in ("true", "1")):
            return f"an xsi:nil that cannot be: {shown(value)}"
    return ""


def write_element(value: Any, name: str) -> str:
    """Check a foreign element that is to be put into a message; return it in canonical form.

    Raises ``ValueError`` or ``TypeError`` for what is not one well-formed element called ``name`` (``prefix:local``).
    """
    element = _parse(value, "")
    if len(element) != 1 or element[0].tag != expand(name) or (element.text or "").strip(BLANK):
        raise ValueError(f"one {name} element is expected, not {shown(value)}")
    return read_element(element[0])


def write_content(value: Any) -> str:
    """Check foreign XML that is to be put inside an element; return it in canonical form.

    Raises ``ValueError`` or ``TypeError`` for what is not a well-formed piece of XML.
    """
    return read_content(_parse(value, "")) if value != "" else ""


def write_attributes(value: Any) -> str:
    """The attributes of the element around a :class:`~oadr_core.model.LexicalXml`, with their declarations."""
    if type(value) is not LexicalXml or not value.attributes:
        return ""
    return f" {read_content(_parse(str(value), value.attributes)).attributes}"  # type: ignore[attr-defined]  # it has attributes


def canonical(document: bytes) -> bytes:
    """The C14N 1.0 form of a document of our own that has foreign XML in it.

    Raises ``ValueError`` for what has no such form, e.g. a namespace with a relative name.
    """
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    try:
        result: bytes = etree.tostring(etree.fromstring(document, parser), method="c14n")
    except (etree.LxmlError, OSError) as error:
        raise ValueError(f"the foreign XML has no canonical form: {error}") from None
    return result


def _parse(value: Any, attributes: str) -> Element:
    if not isinstance(value, str):
        raise TypeError(f"XML text is expected, not {shown(value)}")
    try:
        element = parse(f"<x {attributes}>{value}</x>".encode())
        check_shape(element, DEFAULT_LIMITS)
    except RemoteError as error:
        raise ValueError(f"not a piece of XML: {error.text}") from None
    return element


class _Writer:
    """Writes one piece of foreign XML; numbers the namespaces that have no well-known prefix."""

    def __init__(self) -> None:
        self._numbered: dict[str, str] = {}
        self._parts: dict[str, tuple[str, str]] = {}

    def content(self, element: Element, bound: dict[str, str]) -> str:
        pieces = [write_text(element.text or "")]
        for child in element:
            pieces += self.element(child, bound), write_text(child.tail or "")
        return "".join(pieces)

    def element(self, element: Element, bound: dict[str, str]) -> str:
        start, bound = self.start(element, bound)
        return f"<{start}>{self.content(element, bound)}</{start.partition(' ')[0]}>"

    def start(self, element: Element, bound: dict[str, str]) -> tuple[str, dict[str, str]]:
        """What stands in the start tag, and the prefixes that are bound below it."""
        keys = {key: self._parts.get(key) or self._split(key) for key in (element.tag, *element.keys())}
        wanted = {uri for uri, _ in keys.values() if uri and uri not in bound}
        if wanted:
            bound = bound | {uri: self._prefix(uri) for uri in wanted}
        pieces = [_name(*keys[element.tag], bound)]
        pieces += [f'xmlns:{prefix}="{write_attribute(uri)}"' for prefix, uri in sorted((bound[u], u) for u in wanted)]
        pieces += [
            f'{_name(*keys[key], bound)}="{write_attribute(element.get(key, ""))}"'
            for key in sorted(element.keys(), key=keys.__getitem__)
        ]
        return " ".join(pieces), bound

    def _split(self, key: str) -> tuple[str, str]:
        """The namespace and the local part of a name; names repeat themselves."""
        uri, _, local = key[1:].partition("}") if key[0] == "{" else ("", "", key)
        return self._parts.setdefault(key, (uri, local))

    def _prefix(self, uri: str) -> str:
        if not _ABSOLUTE.match(uri):
            raise ValueError(f"canonical XML has no namespaces with relative names: {shown(uri)}")
        if _AWKWARD.search(uri):
            raise ValueError(f"foreign XML in a namespace that canonicalisers do not agree about: {shown(uri)}")
        return _PREFIXES.get(uri) or self._numbered.setdefault(uri, f"ns{len(self._numbered)}")


def _name(uri: str, local: str, bound: dict[str, str]) -> str:
    return f"{bound[uri]}:{local}" if uri else local
