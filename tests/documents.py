"""Documents drawn from the official schema files themselves, so that the declarations of the model are not their own
judge.

It reads the subset of XML Schema that the profile's files use. A drawn document knows what it means: a tree without
prefixes and without insignificant space, to hold what comes back against.
"""

from __future__ import annotations

import importlib.util
import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import attrs
from hypothesis import strategies as st
from lxml import etree

from oadr_core.model import NAMESPACES
from tests.strategies import texts
from tools.peer_env import peer_schema

XS = "{http://www.w3.org/2001/XMLSchema}"
OADR = NAMESPACES["oadr"]
XML = "http://www.w3.org/XML/1998/namespace"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
ESPI = "http://naesb.org/espi"
ATOM = NAMESPACES["atom"]
SIGNATURE = (NAMESPACES["ds"], "Signature")
MOST_ITEMS = 2
PREFIXES = {uri: prefix for prefix, uri in NAMESPACES.items()} | {XSI: "xsi", XML: "xml"}

Name = tuple[str, str]
"""Namespace and local name."""

Meaning = tuple[str, tuple[tuple[str, str], ...], str, tuple[Any, ...]]
"""Tag, attributes, text and children of an element."""


@attrs.frozen(kw_only=True)
class Node:
    """An element to be written: ``meant`` is its text after the schema's treatment of blanks."""

    tag: str
    attributes: tuple[tuple[str, str], ...] = ()
    text: str = ""
    meant: str = ""
    children: tuple[Node, ...] = ()

    @property
    def message(self) -> Node:
        """The element of the message inside this document."""
        return self.children[-1].children[0]

    @property
    def meaning(self) -> Meaning:
        """What must survive a round trip."""
        return self.tag, tuple(sorted(self.attributes)), self.meant, tuple(child.meaning for child in self.children)


def meaning(element: Any) -> Meaning:
    """The same of a parsed element: no prefixes, no comments, no blanks between elements."""
    children = [child for child in element if isinstance(child.tag, str)]
    text = "".join(element.xpath("text()"))
    if children and not text.strip():
        text = ""
    attributes = tuple(sorted((str(key), str(value)) for key, value in element.attrib.items()))
    return element.tag, attributes, text, tuple(meaning(child) for child in children)


def squashed(found: Meaning) -> Meaning:
    """The same with all blanks collapsed, for documents of which nobody knows where blanks matter.

    A schemaLocation is no part of a message (R45).
    """
    tag, attributes, text, children = found
    keys = tuple((key, " ".join(value.split())) for key, value in attributes if not key.endswith("chemaLocation"))
    return tag, keys, " ".join(text.split()), tuple(squashed(child) for child in children)


def message_of(document: bytes) -> Any:
    """The element of the message in a document, with or without envelope, comments taken out."""
    root = etree.fromstring(document, etree.XMLParser(remove_comments=True))
    for wrapper in ("oadrPayload", "oadrSignedObject"):
        if root.tag == f"{{{OADR}}}{wrapper}":
            [root] = [child for child in root if etree.QName(child).namespace == OADR]
    return root


def schema_path() -> Path:
    """The official schema, from the copy inside the openleadr wheel; the package is found and never imported."""
    spec = importlib.util.find_spec("openleadr")
    if spec is not None and spec.submodule_search_locations:
        return Path(spec.submodule_search_locations[0]) / "schema" / "oadr_20b.xsd"
    return peer_schema()


class SchemaFiles:
    """The declarations of a set of schema files, and the elements that can be drawn from them."""

    def __init__(self, path: Path) -> None:
        self._global: dict[str, dict[Name, Any]] = {
            kind: {} for kind in ("element", "complexType", "simpleType", "attribute", "attributeGroup")
        }
        self._home: dict[Any, Any] = {}
        loaded: set[Path] = set()
        todo = [path]
        while todo:
            file = todo.pop().resolve()
            if file in loaded:
                continue
            loaded.add(file)
            root = etree.parse(str(file), etree.XMLParser(remove_comments=True)).getroot()
            for child in root:
                kind = str(child.tag).removeprefix(XS)
                if kind in self._global:
                    self._global[kind][root.get("targetNamespace"), child.get("name")] = child
                elif kind == "import" and child.get("schemaLocation"):
                    todo.append(file.parent / child.get("schemaLocation"))

    @cached_property
    def _members(self) -> dict[Name, list[Name]]:
        members: dict[Name, list[Name]] = {}
        for name, declared in self._global["element"].items():
            if head := declared.get("substitutionGroup"):
                members.setdefault(_resolve(declared, head), []).append(name)
        return members

    def messages(self) -> list[str]:
        """The local names of the messages."""
        signed_object = self._global["element"][OADR, "oadrSignedObject"]
        return [str(ref).partition(":")[2] for ref in signed_object.xpath(".//*[local-name()='choice']/*/@ref")]

    def substitutes(self, head: Name) -> list[Name]:
        """What can stand for an element: itself unless it is abstract, and the members of its group."""
        found = [head] if self._concrete(head) else []
        for member in self._members.get(head, []):
            found += self.substitutes(member)
        return found

    def _concrete(self, name: Name) -> bool:
        declared = self._global["element"][name]
        if declared.get("abstract") == "true":
            return False
        declared_type = declared.get("type")
        made = self._global["complexType"].get(_resolve(declared, declared_type)) if declared_type else None
        return made is None or made.get("abstract") != "true"

    # --- drawing ----------------------------------------------------------------------------------------------------

    def document(self, draw: st.DrawFn, message: str | None = None) -> Node:
        """An envelope with one message."""
        name = message or draw(st.sampled_from(self.messages()))
        body = self.element(draw, self._global["element"][OADR, name])
        signed_object = Node(
            tag=f"{{{OADR}}}oadrSignedObject",
            children=(body,),
            attributes=draw(st.sampled_from([(), ((f"{{{OADR}}}Id", "the-object"),)])),
        )
        signed = draw(st.sampled_from([False, False, False, True]))
        signature = (self.element(draw, self._global["element"][SIGNATURE]),) if signed else ()
        return Node(tag=f"{{{OADR}}}oadrPayload", children=(*signature, signed_object))

    def global_element(self, draw: st.DrawFn, name: Name) -> Node:
        """An element of this name."""
        return self.element(draw, self._global["element"][name])

    def element(self, draw: st.DrawFn, declared: Any) -> Node:
        """An element that a declaration allows."""
        if ref := declared.get("ref"):
            choices = self.substitutes(_resolve(declared, ref))
            declared = self._global["element"][draw(st.sampled_from(choices))]
        home = declared.getroottree().getroot().get("targetNamespace")
        tag = f"{{{home}}}{declared.get('name')}"
        if (fixed := declared.get("fixed")) is not None:
            text = draw(st.sampled_from([fixed, fixed, ""]))
            return Node(tag=tag, text=text, meant=text)
        kind = self._type(declared)
        if kind in (None, "anyType"):
            return draw(anything(tag, nillable=declared.get("nillable") == "true"))
        foreign = home in FOREIGN
        if isinstance(kind, str) or kind.tag == f"{XS}simpleType":
            text, meant = self.scalar(draw, kind)
            return Node(tag=tag, text=text, meant=text if foreign else meant)
        attributes = self._attributes(draw, kind)
        simple = kind.find(f"{XS}simpleContent/{XS}extension")
        if simple is not None:
            text = self._text(draw, self._named(simple, simple.get("base")))
            return Node(tag=tag, text=text, meant=text, attributes=attributes)
        children = tuple(child for particle in self._particles(kind) for child in self._occurrences(draw, particle))
        text = draw(texts()) if kind.get("mixed") == "true" else ""
        meant = "" if children and not text.strip() else text
        return Node(tag=tag, children=children, attributes=attributes, text=text, meant=meant)

    def _type(self, declared: Any) -> Any:
        """The type of an element: a node, the name of a built-in, or None for any content."""
        if name := declared.get("type"):
            return self._named(declared, name)
        for child in declared:
            if child.tag in (f"{XS}complexType", f"{XS}simpleType"):
                return child
        head = declared.get("substitutionGroup")
        return self._type(self._global["element"][_resolve(declared, head)]) if head else None

    def _named(self, where: Any, name: str) -> Any:
        resolved = _resolve(where, name)
        if resolved[0] == XS[1:-1]:
            return resolved[1]
        found = self._global["complexType"].get(resolved)
        return found if found is not None else self._global["simpleType"][resolved]

    def _particles(self, kind: Any) -> Iterator[Any]:
        for child in kind:
            if child.tag in (f"{XS}sequence", f"{XS}choice", f"{XS}any"):
                yield child
            elif child.tag == f"{XS}complexContent":
                derived = child[0]
                if derived.tag == f"{XS}extension":
                    yield from self._particles(self._named(derived, derived.get("base")))
                yield from self._particles(derived)

    def _occurrences(self, draw: st.DrawFn, particle: Any) -> Iterator[Node]:
        fewest = int(particle.get("minOccurs", "1"))
        most = particle.get("maxOccurs", "1")
        most = fewest + MOST_ITEMS if most == "unbounded" else int(most)
        for _ in range(draw(st.integers(fewest, most))):
            if particle.tag == f"{XS}element":
                yield self.element(draw, particle)
            elif particle.tag == f"{XS}any":
                yield from self._any(draw, particle)
            else:
                inner = [child for child in particle if child.tag != f"{XS}annotation"]
                chosen = [draw(st.sampled_from(inner))] if particle.tag == f"{XS}choice" else inner
                for child in chosen:
                    yield from self._occurrences(draw, child)

    def _attributes(self, draw: st.DrawFn, kind: Any) -> tuple[tuple[str, str], ...]:
        found: list[tuple[str, str]] = []
        for declared in kind:
            if declared.tag == f"{XS}attribute":
                if declared.get("use") == "required" or draw(st.booleans()):
                    found.append(self._attribute(draw, declared))
            elif declared.tag == f"{XS}attributeGroup":
                found += self._attributes(draw, self._global["attributeGroup"][_resolve(declared, declared.get("ref"))])
            elif declared.tag == f"{XS}anyAttribute":
                found += draw(st.sampled_from([[], [], [(f"{{{XML}}}space", "preserve")]]))
            elif declared.tag in (f"{XS}complexContent", f"{XS}simpleContent"):
                found += self._attributes(draw, declared[0])
                if declared[0].tag == f"{XS}extension":
                    base = self._named(declared[0], declared[0].get("base"))
                    found += self._attributes(draw, base) if not isinstance(base, str) else []
        return tuple(found)

    def _attribute(self, draw: st.DrawFn, declared: Any) -> tuple[str, str]:
        root = declared.getroottree().getroot()
        qualified = root.get("attributeFormDefault") == "qualified"
        if ref := declared.get("ref"):
            declared, qualified = self._global["attribute"][_resolve(declared, ref)], True
        name = f"{{{declared.getroottree().getroot().get('targetNamespace')}}}" if qualified else ""
        return f"{name}{declared.get('name')}", self.scalar(draw, self._type(declared))[1]

    def _any(self, draw: st.DrawFn, particle: Any) -> Iterator[Node]:
        """What a wildcard permits and messages could have."""
        if particle.get("namespace") not in ("##any", "##other"):
            return  # of a namespace that no file declares
        if particle.getroottree().getroot().get("targetNamespace") == NAMESPACES["ds"]:
            if particle.get("processContents") == "lax":
                yield draw(anything("{urn:foreign}thing", names=FOREIGN_NAMES))
            return  # what the schema must know is of no use in a signature
        names = sorted(local for namespace, local in self._global["element"] if namespace == ESPI)
        yield self.element(draw, self._global["element"][ESPI, draw(st.sampled_from(names))])

    # --- text -------------------------------------------------------------------------------------------------------

    def scalar(self, draw: st.DrawFn, kind: Any) -> tuple[str, str]:
        """A text, and the same after the schema's treatment of blanks."""
        text = self._text(draw, kind)
        if self._keeps_blanks(kind):
            return text, text
        # The validator beside us refuses a blank behind INF and NaN, which the schema's own rules permit.
        behind = "" if text in ("INF", "-INF", "NaN") else draw(st.sampled_from(["", "", " "]))
        return draw(st.sampled_from(["", "", " ", "\n  "])) + text + behind, text

    def _keeps_blanks(self, kind: Any) -> bool:
        if isinstance(kind, str):
            return kind in ("string", "normalizedString")
        if kind.tag != f"{XS}simpleType":
            return False
        restriction = kind.find(f"{XS}restriction")
        return restriction is not None and self._keeps_blanks(self._named(restriction, restriction.get("base")))

    def _text(self, draw: st.DrawFn, kind: Any) -> str:
        if isinstance(kind, str):
            return str(draw(BUILT_IN[kind]))
        if kind.tag != f"{XS}simpleType":  # simple content
            extension = kind.find(f"{XS}simpleContent/{XS}extension")
            return self._text(draw, self._named(extension, extension.get("base")))
        union, items = kind.find(f"{XS}union"), kind.find(f"{XS}list")
        if union is not None:
            members = [self._named(union, name) for name in (union.get("memberTypes") or "").split()]
            return self._text(draw, draw(st.sampled_from(members + union.findall(f"{XS}simpleType"))))
        if items is not None:
            item = self._named(items, items.get("itemType"))
            return " ".join(self._text(draw, item) for _ in range(draw(st.integers(0, 6))))
        restriction = kind.find(f"{XS}restriction")
        if values := restriction.xpath("*[local-name()='enumeration']/@value"):
            return str(draw(st.sampled_from(values)))
        base = self._named(restriction, restriction.get("base"))
        if base == "dateTime":
            return draw(instants())
        if patterns := restriction.xpath("*[local-name()='pattern']/@value"):
            pattern = (
                patterns[0]
                .replace(r"\d", "[0-9]")
                .replace(r"\w", "[a-z]")
                .replace(r"x-\S.*", r"x-[!-~é]([ -~é]{0,6}[!-~é])?")
            )
            found = draw(st.from_regex(pattern, fullmatch=True))
            return re.sub(" +", " ", found) if not self._keeps_blanks(kind) else found
        lowest = restriction.xpath("*[local-name()='minInclusive']/@value")
        highest = restriction.xpath("*[local-name()='maxInclusive']/@value")
        if lowest and highest:
            return str(draw(st.integers(int(lowest[0]), int(highest[0]))))
        if longest := restriction.xpath("*[local-name()='maxLength']/@value"):
            return self._text(draw, base)[: 2 * int(longest[0]) if base == "hexBinary" else int(longest[0])]
        if highest:
            return str(draw(st.integers(0, int(highest[0]))))
        return self._text(draw, base)


FOREIGN_NAMES = ("{urn:foreign}a", "{http://x/y?a=1}b", "{http://www.w3.org/1999/xhtml}p")
"""Elements that the schema does not have."""


@st.composite
def anything(
    draw: st.DrawFn,
    tag: str,
    *,
    nillable: bool = False,
    depth: int = 2,
    names: Sequence[str] = ("plain", *FOREIGN_NAMES),
) -> Node:
    """An element with any content and any attributes, none of which the schema knows."""
    attributes = draw(st.sampled_from([(), (), (("plain", " a\tb\n'\""),), (("{urn:foreign}b", "<"), ("a", "&"))]))
    attributes += draw(st.sampled_from([(), ((f"{{{XML}}}lang", "en"),), ((f"{{{XML}}}space", "preserve"),)]))
    if nillable:
        nil = draw(st.sampled_from([None, None, "true", "1", "false", "0"]))
        attributes += ((f"{{{XSI}}}nil", nil),) if nil else ()
        if nil in ("true", "1"):
            return Node(tag=tag, attributes=attributes)
    tags = draw(st.lists(st.sampled_from(names), max_size=MOST_ITEMS if depth else 0))
    children = tuple(draw(anything(tag, depth=depth - 1, names=names)) for tag in tags)
    text = draw(texts())
    meant = "" if not text.strip(" \t\n\r") and (children or not depth or nillable) else text
    return Node(tag=tag, attributes=attributes, children=children, text=text, meant=meant)


def instants() -> st.SearchStrategy[str]:
    """Texts of xcal:DateTimeType, the odd ones too."""
    plain = st.datetimes().map(lambda value: value.isoformat(timespec="seconds"))
    fractions = st.from_regex(r"(\.[0-9]{1,9})?", fullmatch=True)
    midnight = st.dates().filter(lambda day: day.year < 9999).map(lambda day: f"{day}T24:00:00")
    return (
        st.builds("{}{}{}{}".format, st.sampled_from(["", "", "-"]), plain, fractions, st.sampled_from(["Z", ""]))
        | midnight
    )


FOREIGN = frozenset({ATOM, ESPI, "urn:foreign"})
"""Namespaces of what is carried as it is, blanks and all."""


def _resolve(where: Any, name: str) -> Name:
    prefix, _, local = name.rpartition(":")
    return XML if prefix == "xml" else where.nsmap[prefix or None], local


_NUMBERS = st.from_regex(r"[+-]?([0-9]{1,20}(\.[0-9]{0,20})?|\.[0-9]{1,20})", fullmatch=True) | st.sampled_from(
    ["0", "-0", "+0.0", "1.", ".5", "0" * 300, "9" * 1200, f".{'0' * 1100}1"]
)
_FLOATS = (
    st.sampled_from(
        ["INF", "-INF", "NaN", "1E5", "1.50", "-0", "1e-3", "007", "3.4028235e38", "1e400", "+1.e+00", "-.5E-99"]
    )
    | st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr)
    | _NUMBERS
)


def _whole(highest: int, lowest: int = 0) -> st.SearchStrategy[str]:
    return st.integers(lowest, highest).map(str) | st.sampled_from(["007", "00", "+5", "-0", "0" * 200, str(highest)])


BUILT_IN: dict[str, st.SearchStrategy[str]] = {
    "string": texts(),
    "token": texts().map(lambda text: " ".join(re.split(r"[ \t\n\r]+", text)).strip(" ")),
    "anyURI": st.sampled_from(["", "http://x/y?a=1&b=2", "urn:x", "ABC", "http://ü.example/"]),
    "boolean": st.sampled_from(["true", "false", "1", "0"]),
    "float": _FLOATS,
    "double": _FLOATS,
    "decimal": _NUMBERS,
    "unsignedInt": _whole(2**32 - 1),
    "unsignedLong": _whole(2**64 - 1),
    "unsignedShort": _whole(2**16 - 1),
    "unsignedByte": _whole(2**8 - 1),
    "long": _whole(2**63 - 1, -(2**63)),
    "short": _whole(2**15 - 1, -(2**15)),
    "integer": st.integers(-(10**30), 10**30).map(str),
    "positiveInteger": st.integers(1, 10**30).map(str),
    "normalizedString": texts().map(lambda text: " ".join(re.split(r"[\t\n\r]", text))),
    "ID": st.uuids().map(lambda value: f"id-{value.hex}"),
    "NMTOKEN": st.sampled_from(["en", "de-AT", ".1:-_"]),
    "NCName": st.sampled_from(["preserve"]),
    "language": st.sampled_from(["en", "de-AT", "i-x"]),
    "hexBinary": st.sampled_from(["", "00", "aF", "0123"]),
    "base64Binary": st.binary(max_size=9).map(lambda value: b64encode(value).decode()),
    "dateTime": st.sampled_from(["2025-01-01T00:00:00Z", "2025-01-01T00:00:00", "-0044-03-15T24:00:00+14:00"]),
}


# --- writing --------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Manner:
    """How a document is written where XML leaves the choice."""

    prefixes: str = "usual"
    indent: str = ""
    comments: bool = False
    declaration: str = ""
    mark: bool = False
    cdata: bool = False
    references: bool = False
    location: bool = False

    def write(self, node: Node) -> bytes:
        """The document as bytes."""
        if self.location:
            node = attrs.evolve(node, attributes=(*node.attributes, (f"{{{XSI}}}schemaLocation", f"{OADR} x.xsd")))
        text = self.declaration + self._element(node, None, "\n" if self.indent else "")
        return (b"\xef\xbb\xbf" if self.mark else b"") + text.encode()

    def _element(self, node: Node, bound: dict[str, str] | None, margin: str) -> str:
        own = {etree.QName(name).namespace for name in (node.tag, *(key for key, _ in node.attributes))} - {None, XML}
        if self.prefixes == "everywhere":
            bound = fresh = {uri: f"p{number}" for number, uri in enumerate(sorted(own), 1)}
        elif bound is None:
            bound = {**PREFIXES, OADR: ""} if self.prefixes == "default" else dict(PREFIXES)
            fresh = {uri: prefix for uri, prefix in bound.items() if prefix != "xml"}
        else:
            fresh = {uri: f"n{len(bound) + number}" for number, uri in enumerate(sorted(own - set(bound)))}
            bound = {**bound, **fresh}
        declared = "".join(f' xmlns{":" if p else ""}{p}="{escape(uri)}"' for uri, p in fresh.items())
        if bound.get(OADR) == "":  # neither attributes nor names without a namespace take the default namespace
            declared += f' xmlns:o="{OADR}"' if OADR in fresh else ""
            if not etree.QName(node.tag).namespace:
                declared, bound = f'{declared} xmlns=""', {**bound, OADR: "o"}
        attributes = "".join(
            f" {self._name(key, bound, True)}={quoteattr(value, {chr(10): '&#10;', chr(13): '&#13;', chr(9): '&#9;'})}"
            for key, value in node.attributes
        )
        name = self._name(node.tag, bound, False)
        margin, indent = ("", "") if node.text or not margin else (margin, self.indent)
        inside = "".join(
            f"{margin}{indent}{'<!-- <?note?> <!DOCTYPE x> -->' if self.comments else ''}"
            + self._element(child, bound, margin and margin + indent)
            for child in node.children
        )
        return f"<{name}{declared}{attributes}>{self._text(node.text)}{inside}{margin if inside else ''}</{name}>"

    def _text(self, text: str) -> str:
        if self.cdata and text and "]]>" not in text and "\r" not in text:
            return f"<![CDATA[{text[:1]}]]><![CDATA[{text[1:]}]]>"
        if self.references:
            return "".join(
                f"&#{ord(char)};" if number % 2 else f"&#x{ord(char):x};" for number, char in enumerate(text)
            )
        if self.comments:
            return f"{escape(text[:1], {chr(13): '&#13;'})}<!-- -->{escape(text[1:], {chr(13): '&#13;'})}"
        return escape(text, {"\r": "&#13;"})

    def _name(self, tag: str, bound: dict[str, str], attribute: bool) -> str:
        name = etree.QName(tag)
        uri = str(name.namespace or "")
        prefix = {"": "", XML: "xml"}.get(uri) if uri in ("", XML) else bound[uri] or ("o" if attribute else "")
        return f"{prefix}:{name.localname}" if prefix else name.localname


def manners() -> st.SearchStrategy[Manner]:
    """Ways to write a document."""
    return st.builds(
        Manner,
        prefixes=st.sampled_from(["usual", "usual", "default", "everywhere"]),
        indent=st.sampled_from(["", "", "  ", "\t"]),
        comments=st.sampled_from([False, False, True]),
        declaration=st.sampled_from(
            ["", '<?xml version="1.0" encoding="UTF-8"?>', "<?xml version='1.0' encoding='utf-8' standalone='yes'?>\n"]
        ),
        mark=st.sampled_from([False, False, False, True]),
        cdata=st.sampled_from([False, False, True]),
        references=st.sampled_from([False, False, False, True]),
        location=st.sampled_from([False, False, False, True]),
    )
