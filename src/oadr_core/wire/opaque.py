"""Foreign XML inside a message, carried as canonical text.

It stands alone because it is the one thing in a message that the declarations do not describe: Green Button feeds, and the
content of ``xcal:components``. The text is exclusive canonical XML, so it declares every namespace that it uses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from xml.etree.ElementTree import Element, tostring

from .parse import DEFAULT_LIMITS, check_depth, parse


def read_element(element: Element) -> str:
    """The canonical text of the element itself."""
    return _read((element,), "")


def read_content(element: Element) -> str:
    """The canonical text of what is inside the element; blanks alone count as nothing."""
    if not len(element) and not (element.text or "").strip():
        return ""
    return _read(element, element.text or "")


def write_content(value: Any) -> str:
    """Check foreign XML that is to be put into a message; return it in canonical form.

    Raises ``ValueError`` for what is not a well-formed piece of XML.
    """
    if value == "":
        return ""
    if not isinstance(value, str):
        raise TypeError(f"XML text is expected, not {value!r}")
    return read_content(parse(f"<x>{value}</x>".encode()))


def canonical(document: bytes) -> bytes:
    """The C14N 1.0 form of a document of our own that has foreign XML in it."""
    from lxml import etree

    result: bytes = etree.tostring(etree.fromstring(document, _parser(etree)), method="c14n")
    return result


def _parser(etree: Any) -> Any:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)


def _read(children: Iterable[Element], text: str) -> str:
    """Canonical text of elements: inside a frame without namespace, so that each declares what it uses."""
    from lxml import etree

    frame = Element("x")
    frame.text = text
    frame.extend(children)
    check_depth(frame, DEFAULT_LIMITS)
    tree = etree.fromstring(tostring(frame), _parser(etree))
    text: bytes = etree.tostring(tree, method="c14n", exclusive=True)
    return text[len(b"<x>") : -len(b"</x>")].decode()
