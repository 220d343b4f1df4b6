"""Canonical form: the bytes that a digest is taken of (inclusive C14N 1.0), and the trees they are taken from.

It stands alone because it is all that verifying needs of an XML library, and because its results may be trusted no
further than a digest that fits: the message is read again from these bytes.
"""

from __future__ import annotations

from typing import TypeAlias

from lxml import etree

from ..errors import NotXml, shown
from .errors import SignatureMalformed

Node: TypeAlias = etree._Element


def tree(data: bytes) -> Node:
    """A tree that knows prefixes, which canonical form needs. Only for what :func:`~oadr_core.wire.parse.screen` has
    passed."""
    parser = etree.XMLParser(encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False)
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise NotXml(f"not well-formed: {shown(error.msg)}", line=error.lineno) from None


def canonical(element: Node) -> bytes:
    """Inclusive C14N 1.0 of the element and what is in it, without comments.

    A reference inside the document never has comments (XML Signature 1.1, section 4.4.3.3), and SignedInfo has none.
    The element is made a document of its own first: then the namespaces that are in scope stand on it.
    """
    alone = element
    if element.getparent() is not None:
        alone = tree(etree.tostring(element, encoding="utf-8", with_tail=False))
    try:
        return etree.tostring(alone, method="c14n", with_comments=False)
    except (etree.LxmlError, OSError) as error:
        raise SignatureMalformed(f"no canonical form: {shown(str(error))}") from None


def cut_out(signature: Node) -> None:
    """The enveloped signature transform: the element goes, the text behind it stays."""
    parent, before = signature.getparent(), signature.getprevious()
    assert parent is not None
    if before is not None:
        before.tail = (before.tail or "") + (signature.tail or "")
    else:
        parent.text = (parent.text or "") + (signature.tail or "")
    parent.remove(signature)
