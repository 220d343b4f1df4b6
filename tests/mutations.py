"""Documents that nearly say something: known good ones with a few small changes to their trees.

The changes know nothing of the declarations: they draw names and texts from the documents themselves and from a short
list of usual mistakes.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from lxml import etree

from oadr_core.model import NAMESPACES, OADR_20A

TEXTS = (
    "",
    " ",
    "0",
    "1",
    "-1",
    "007",
    "x",
    "x-",
    "x-é",
    "true",
    "TRUE",
    "none",
    "NaN",
    "INF",
    "1e5",
    "1.50",
    "1_0",
    "٣",
    "4294967296",
    "+5",
    "-0",
    "0000000000000000000000000000000000000000000000000001",
    "1e",
    "1 2",
    "1\u00a02",
    "PT5M",
    "P",
    "PT",
    "2W",
    "P2W",
    "PT1.5S",
    "P1M",
    "-PT5M",
    "2025-06-01T10:00:00Z",
    "2025-06-01T10:00:00",
    "2025-06-01T10:00:00.5Z",
    "2025-06-01T10:00:00+02:00",
    "2025-06-01T24:00:00Z",
    "2025-02-30T10:00:00Z",
    "+2025-06-01T10:00:00Z",
    "2025-06-01T10:00:00.Z",
    "9999-12-31T24:00:00Z",
    "-0001-01-01T00:00:00Z",
    "2025-06-01",
    "2.0a",
    "2.0b",
    "kW",
    "W",
    "200",
    " 200",
    "20",
    "101",
    "always",
    " always",
    "Direct Read",
    "Direct  Read",
    "\u00a0far",
    " far ",
    "a&b<c>",
    "\r\n",
    "METADATA",
)
NAMESPACE_CHOICES = (*NAMESPACES.values(), OADR_20A, "", "urn:unknown")
ATTRIBUTES = (
    ("schemaVersion", "2.0b"),
    (f"{{{NAMESPACES['ei']}}}schemaVersion", "2.0a"),
    (f"{{{NAMESPACES['ei']}}}schemaVersion", " x-y "),
    (f"{{{NAMESPACES['oadr']}}}Id", "i"),
    (f"{{{NAMESPACES['gml']}}}id", "i"),
    ("Id", "i"),
    ("{http://www.w3.org/2001/XMLSchema-instance}schemaLocation", "urn:a b.xsd"),
    ("{http://www.w3.org/2001/XMLSchema-instance}nil", "true"),
    ("{http://www.w3.org/XML/1998/namespace}lang", "en"),
    ("foreign", "1"),
)


@st.composite
def mutations(draw: st.DrawFn, originals: st.SearchStrategy[bytes], most: int = 4) -> bytes:
    """One of the documents, changed in a few places."""
    root = etree.fromstring(draw(originals))
    for _ in range(draw(st.integers(1, most))):
        elements = [element for element in root.iter() if isinstance(element.tag, str)]
        if not elements:
            break  # a comment has become the root, and nothing is left to change
        element = draw(st.sampled_from(elements))
        root = _change(draw, root, element, elements)
    return bytes(etree.tostring(root))


def _change(draw: st.DrawFn, root: Any, element: Any, elements: list[Any]) -> Any:
    parent = element.getparent()
    change = draw(
        st.sampled_from(
            [
                "drop",
                "double",
                "swap",
                "move",
                "rename",
                "namespace",
                "text",
                "text",
                "stray",
                "attribute",
                "bare",
                "comment",
                "unwrap",
            ]
        )
    )
    other = draw(st.sampled_from(elements))
    match change:
        case "drop" if parent is not None:
            parent.remove(element)
        case "double" if parent is not None:
            element.addnext(copy.deepcopy(element))
        case "swap" if element.getnext() is not None:
            element.getnext().addnext(element)
        # What stands in components is judged laxly: by what happens to be declared.
        case "move" if parent is not None and element not in other.iterancestors() and _takes(other, element):
            other.insert(draw(st.integers(0, 3)), element)
        case "rename":
            element.tag = other.tag
        case "namespace":
            uri = draw(st.sampled_from(NAMESPACE_CHOICES))
            element.tag = f"{{{uri}}}{etree.QName(element).localname}" if uri else etree.QName(element).localname
        case "text":
            if not len(element) or draw(st.booleans()):
                element.text = draw(st.sampled_from(TEXTS))
        case "stray":
            element.tail = draw(st.sampled_from(TEXTS))
        case "attribute":
            if element.attrib and draw(st.booleans()):
                del element.attrib[next(iter(element.attrib))]
            else:
                element.set(*draw(st.sampled_from(ATTRIBUTES)))
        case "bare" if len(root) == 1 and len(root[0]) == 1:
            return root[0][0]
        case "comment":
            element.insert(0, etree.Comment("note"))
        case "unwrap" if parent is not None:
            for child in reversed(element):
                element.addnext(child)
            parent.remove(element)
        case _:
            pass
    return root


def _takes(other: Any, element: Any) -> bool:
    return other is not element and not str(other.tag).endswith("}components")


FRAGMENTS = (
    b"<",
    b">",
    b"&",
    b"/>",
    b"</",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"<?x?>",
    b"<!DOCTYPE x>",
    b"&lt;",
    b"&#0;",
    b"&#xFFFE;",
    b"&x;",
    b"\x00",
    b"\x1f",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\xc2\xa0",
    b'"',
    b"'",
    b"=",
    b' xmlns="urn:x"',
    b' xmlns:ei="urn:x"',
    b' xmlns:xml="urn:x"',
    b' a="1"',
    b" x:a='1'",
    b"999999999999999999999999",
    b"NaN",
    b"P",
    b"-",
    b"\r\n",
    b" ",
)


@st.composite
def splices(draw: st.DrawFn, originals: Sequence[bytes], most: int = 4) -> bytes:
    """One of the documents with pieces cut out, doubled, or put in."""
    data = draw(st.sampled_from(originals))
    for _ in range(draw(st.integers(1, most))):
        begin = draw(st.integers(0, len(data)))
        end = min(len(data), begin + draw(st.integers(0, 40)))
        piece = draw(st.sampled_from(FRAGMENTS) | st.just(data[begin:end] * 2) | st.binary(max_size=4) | st.just(b""))
        data = data[:begin] + piece + data[end:]
    return data
