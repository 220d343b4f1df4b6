"""What is wrong with a document, where exactly, and whether it can be tolerated.

It stands alone because it is the slow half of reading: the compiled decoders only say that something is amiss. It
walks the same declarations, names the place and the rule, and mends in the tree what a tolerant reader lets pass
(section 9.3 of the reference), so that one decoder serves every dialect. How single texts are mended stands in
:mod:`.mend`.
"""

from __future__ import annotations

from typing import Any, Final
from xml.etree.ElementTree import Element

import attrs

from ..errors import LimitExceeded, RemoteError, SchemaViolation, shown
from ..model.declare import Choice, FieldSpec, Kind, Opaque, Scalar, fields_of
from ..model.namespaces import NAMESPACES, expand
from ._compile import alternatives
from .convert import BLANK, converters
from .explain import faults as faults  # part of this module's face
from .greenbutton import faults as feed_faults
from .lines import line_numbers
from .mend import mended
from .opaque import XSI, read_content, read_element
from .parse import Limits
from .signature import signature_faults

_KNOWN: Final = frozenset(NAMESPACES.values())
_OBJECT_ID: Final = FieldSpec("id", ("oadr:Id",), Scalar("ID"), 0, 1, attribute=True)
_ATTRIBUTES_WITHOUT_PREFIX: Final = {
    "schemaVersion": expand("ei:schemaVersion"),
    "Id": expand("oadr:Id"),
    "id": expand("gml:id"),
}
_ABSTRACT_UNITS: Final = frozenset({expand("power:energyItem"), expand("power:powerItem")})
"""Elements of abstract types: with an xsi:type they stand for one of the units of section 2.9."""


@attrs.frozen(kw_only=True)
class Deviation:
    """Something that a tolerant reader let pass: the rule it breaks, where, and what it is."""

    rule: str
    path: str
    text: str
    line: int | None = None

    def __str__(self) -> str:
        where = self.path + (f" (line {self.line})" if self.line else "")
        return f"{where}: {self.text} [{self.rule}]"


def split(tag: str) -> tuple[str, str]:
    """Namespace and local name of a tag."""
    namespace, _, local = tag.rpartition("}")
    return namespace.removeprefix("{"), local


class Examiner:
    """One examination of one document; ``deviations`` collects what was mended."""

    def __init__(self, root: Element, data: bytes, limits: Limits, *, strict: bool) -> None:
        self.deviations: list[Deviation] = []
        self._strict = strict
        self._data = data
        self._limits = limits
        self._elements = list(root.iter())
        self._places = {id(element): place for place, element in enumerate(self._elements)}
        self._lines: list[int] | None = None
        self._identifiers: set[str] = set()

    def line(self, element: Element | None) -> int | None:
        """The line of the element, found by a second parse with a parser that counts lines."""
        place = self._places.get(id(element))
        if place is None:
            return None
        if self._lines is None:
            self._lines = line_numbers(self._data)
        return self._lines[place]

    def note(self, rule: str, path: str, text: str, element: Element | None, *, tolerable: bool = False) -> None:
        """Let a deviation pass, or refuse the document: in strict mode what is not ``tolerable`` even there."""
        if self._strict and not tolerable:
            raise SchemaViolation(text, path=path, line=self.line(element), rule=rule)
        if len(self.deviations) >= self._limits.deviations:
            raise LimitExceeded(f"more than {self._limits.deviations} deviations", path=path, line=self.line(element))
        self.deviations.append(Deviation(rule=rule, path=path, text=text, line=self.line(element)))

    def refuse(self, path: str, text: str, element: Element | None, value: Any = None) -> RemoteError:
        """The error for what nobody can mend."""
        return SchemaViolation(text, path=path, line=self.line(element), value=value, rule="schema")

    def message(self, element: Element, cls: type) -> None:
        """Examine a message; afterwards the compiled decoder accepts the element."""
        self._content(element, cls, split(element.tag)[1])

    def envelope(self, root: Element, signed_object: Element, signature: Element | None) -> None:
        """Examine what surrounds a message."""
        name, path = split(root.tag)[1], f"{split(root.tag)[1]}/{split(signed_object.tag)[1]}"
        if root is not signed_object:
            self._attributes(root, [], name)
            self._no_text(root, name)
        self._attributes(signed_object, [_OBJECT_ID], path)
        self._no_text(signed_object, path)
        if signature is not None:
            for element, where, text in signature_faults(signature, self._identifiers):
                self.note("schema", f"{name}/{where}", text, element)

    # --- one element ------------------------------------------------------------------------------------------------

    def _content(self, element: Element, cls: type, path: str) -> None:
        specs = fields_of(cls)
        self._attributes(element, [spec for spec in specs if spec.attribute], path)
        self._no_text(element, path)
        elements = [spec for spec in specs if not spec.attribute]
        children: list[list[Element]] = [[] for _ in elements]
        order: list[int] = []
        for child in list(element):
            index = self._place(child, elements, path)
            order.append(index)
            children[index].append(child)
        if order != sorted(order):
            self.note("schema", path, "the elements are not in the order of the schema", element)
        for spec, found in zip(elements, children, strict=True):
            self._field(element, spec, found, path)
        element[:] = [child for found in children for child in found]

    def _place(self, child: Element, specs: list[FieldSpec], path: str) -> int:
        """The index of the field that a child belongs to; its namespace is mended where only that is wrong."""
        namespace, local = split(child.tag)
        if child.tag in _ABSTRACT_UNITS:
            self._concrete(child, f"{path}/{local}")
        for index, spec in enumerate(specs):
            if child.tag in _heads(spec):
                return index
        if namespace in _KNOWN or not namespace:
            for index, spec in enumerate(specs):
                for head in _heads(spec):
                    if split(head)[1] == local:
                        self.note("schema", f"{path}/{local}", f"in the namespace {namespace or 'none'}", child)
                        child.tag = head
                        return index
        raise self.refuse(f"{path}/{local}", f"the element is not expected here (namespace {shown(namespace)})", child)

    def _concrete(self, unit: Element, path: str) -> None:
        """Give a unit that is named by its xsi:type the element of that type."""
        local = unit.get(f"{XSI}type", "").rpartition(":")[2].removesuffix("Type")
        if local:
            self.note("schema", path, f"a unit that is named by its type: {shown(local)}", unit)
            del unit.attrib[f"{XSI}type"]
            unit.tag = expand(f"power:{local[0].lower()}{local[1:]}")

    def _field(self, parent: Element, spec: FieldSpec, found: list[Element], path: str) -> None:
        name = _label(spec)
        outer = spec.repeats if spec.repeated and not isinstance(spec.kind, Choice) else 0
        limit = None if spec.repeated and not outer else 1
        if limit is not None and len(found) > limit:
            raise self.refuse(f"{path}/{name}", f"{len(found)} of these elements, at most 1 is allowed", found[1])
        if not found:
            if spec.minimum:
                self._missing(parent, spec, found, f"{path}/{name}")
            return
        if not spec.minimum and not spec.repeated and self._empty(found[0], spec):
            self.note("R46", f"{path}/{name}", "an empty element where a value is expected", found[0])
            found.clear()
            return
        for number, child in enumerate(found, 1):
            here = f"{path}/{split(child.tag)[1]}" + (f"[{number}]" if spec.repeated and not outer else "")
            self._descend(child, spec, here, outer)

    def _missing(self, parent: Element, spec: FieldSpec, found: list[Element], path: str) -> None:
        if isinstance(spec.kind, Scalar) and spec.kind.fixed is not None and len(spec.path) == 1:
            self.note("schema", path, "the element is missing; the schema fixes its text", parent)
        elif isinstance(spec.kind, Opaque) and spec.kind.content:
            self.note("schema", path, "the element is missing", parent)
        else:
            raise self.refuse(path, "the element is missing", parent)
        found.append(Element(expand(spec.path[0])))

    def _empty(self, element: Element, spec: FieldSpec) -> bool:
        """True for an optional number, date or name without content: it says nothing (R46)."""
        return (
            isinstance(spec.kind, Scalar)
            and spec.kind.type not in ("string", "anyURI", "fixed")
            and not len(element)
            and not (element.text or "").strip(BLANK)
        )

    def _descend(self, element: Element, spec: FieldSpec, path: str, outer: int) -> None:
        """From the first element of a path to what the field holds."""
        if isinstance(spec.kind, Choice):
            for names, kind in alternatives(spec.kind):
                if expand(names[0]) == element.tag:
                    self._steps(element, names[1:], kind, path)
            return
        for name in spec.path[1 : outer + 1] if outer else ():
            self._attributes(element, [], path)
            self._no_text(element, path)
            if name != spec.path[outer]:
                element = self._only_child(element, name, path)
                path = f"{path}/{split(element.tag)[1]}"
        if outer:
            wanted = expand(spec.path[outer])
            for number, child in enumerate(element, 1):
                here = f"{path}/{split(child.tag)[1]}[{number}]"
                self._rename(child, wanted, here)
                self._steps(child, spec.path[outer + 1 :], spec.kind, here)
            if not len(element) and not spec.wrapper:
                raise self.refuse(path, "the element is empty", element)
            return
        self._steps(element, spec.path[1:], spec.kind, path)

    def _steps(self, element: Element, names: tuple[str, ...], kind: Kind, path: str) -> None:
        for name in names:
            self._attributes(element, [], path)
            self._no_text(element, path)
            element = self._only_child(element, name, path)
            path = f"{path}/{split(element.tag)[1]}"
        if isinstance(kind, Scalar):
            self._scalar(element, kind, path)
        elif isinstance(kind, Opaque):
            (self._foreign if kind.content else self._feed)(element, path)
        elif isinstance(kind, type):
            self._content(element, kind, path)

    def _only_child(self, element: Element, name: str, path: str) -> Element:
        if len(element) != 1:
            local = name.partition(":")[2]
            raise self.refuse(path, f"exactly one {local} is expected inside, not {len(element)} elements", element)
        child = element[0]
        self._rename(child, expand(name), f"{path}/{split(child.tag)[1]}")
        return child

    def _rename(self, child: Element, wanted: str, path: str) -> None:
        if child.tag == wanted:
            return
        namespace, local = split(child.tag)
        if local != split(wanted)[1] or (namespace and namespace not in _KNOWN):
            raise self.refuse(path, f"{split(wanted)[1]} is expected here", child)
        self.note("schema", path, f"in the namespace {namespace or 'none'}", child)
        child.tag = wanted

    # --- content ----------------------------------------------------------------------------------------------------

    def _scalar(self, element: Element, kind: Scalar, path: str) -> None:
        self._attributes(element, [], path)
        if len(element):
            raise self.refuse(path, "text is expected, not elements", element)
        try:
            converters(kind)[0](element.text)
        except (ValueError, OverflowError) as error:
            mending = mended(element.text or "", kind)
            if mending is None:
                raise self.refuse(path, str(error), element, element.text) from None
            self.note(mending.rule, path, f"{mending.reason}: {shown(element.text)}", element)
            element.text = mending.text
            return
        if kind.type == "dateTime" and self._strict and not (element.text or "").strip(BLANK).endswith("Z"):
            raise SchemaViolation("the time does not end in Z", path=path, line=self.line(element), rule="R1")

    def _foreign(self, element: Element, path: str) -> None:
        try:
            read_content(element)
        except ValueError as error:
            odd = [key for key in element.attrib if key.startswith(XSI)]
            if not odd:
                raise self.refuse(path, str(error), element) from None
            self.note("schema", path, str(error), element)
            for key in odd:
                del element.attrib[key]
            self._foreign(element, path)

    def _feed(self, element: Element, path: str) -> None:
        for inner, where, reason in feed_faults(element):
            raise self.refuse(f"{path}{where.removeprefix('feed')}", reason, inner)
        try:
            read_element(element)
        except ValueError as error:
            raise self.refuse(path, str(error), element) from None
        if any(key.startswith(XSI) for inner in element.iter() for key in inner.attrib):
            self.note("R45", path, "a schemaLocation", element)

    def _attributes(self, element: Element, specs: list[FieldSpec], path: str) -> None:
        if not element.keys():
            return
        allowed = {expand(spec.path[0]): spec for spec in specs}
        for key, value in list(element.items()):
            if key not in allowed:
                del element.attrib[key]
                if key.startswith(XSI) and key.endswith("chemaLocation"):
                    self.note("R45", path, "a schemaLocation", element)
                    continue
                self.note("schema", f"{path}/@{split(key)[1]}", "an attribute that the schema does not have", element)
                qualified = _ATTRIBUTES_WITHOUT_PREFIX.get(key)
                if qualified not in allowed or qualified is None:
                    continue
                key = qualified
                element.set(key, value)
            kind = allowed[key].kind
            assert isinstance(kind, Scalar)
            try:
                text = converters(kind)[0](value)
            except ValueError as error:
                raise self.refuse(f"{path}/@{split(key)[1]}", str(error), element, value) from None
            if kind.type == "ID":
                self._identifier(element, key, text, path)

    def _identifier(self, element: Element, key: str, text: str, path: str) -> None:
        if text in self._identifiers:
            self.note("schema", f"{path}/@{split(key)[1]}", f"the Id {shown(text)} is there twice", element)
            del element.attrib[key]
        self._identifiers.add(text)

    def _no_text(self, element: Element, path: str) -> None:
        pieces = (element.text, *(child.tail for child in element))
        stray = next((text for piece in pieces if (text := (piece or "").strip(BLANK))), "")
        if stray:
            raise self.refuse(path, f"stray text {shown(stray)}", element, stray)


def _heads(spec: FieldSpec) -> tuple[str, ...]:
    """The tags that the first element of a field can have."""
    if isinstance(spec.kind, Choice):
        return tuple(expand(names[0]) for names, _ in alternatives(spec.kind))
    return (expand(spec.path[0]),)


def _label(spec: FieldSpec) -> str:
    if spec.path:
        return spec.path[0].partition(":")[2]
    return "itemBase" if spec.name == "item_base" else spec.name
