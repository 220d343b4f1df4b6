"""What is wrong with a document or a payload, where exactly, and whether it can be tolerated.

It stands alone because it is the slow half of the codec: the compiled functions only say that something is amiss. It walks
the same declarations, names the place and the rule, and mends in the tree what a tolerant reader lets pass (section 9.3 of
the reference), so that one decoder serves every dialect.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from xml.etree.ElementTree import Element

import attrs

from ..errors import RemoteError, SchemaViolation, shown
from ..model.declare import DATE_TIME, Choice, FieldSpec, Kind, Opaque, Scalar, fields_of
from ..model.namespaces import NAMESPACES, expand
from . import opaque
from ._compile import alternatives
from .convert import converters

_XSI: Final = "{http://www.w3.org/2001/XMLSchema-instance}"
_KNOWN: Final = frozenset(NAMESPACES.values())
_OFFSET: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)([+-]\d\d:?\d\d)", re.ASCII)
_OBJECT_ID: Final = FieldSpec("id", ("oadr:Id",), Scalar("ID"), 0, 1, attribute=True)
_ATTRIBUTES_WITHOUT_PREFIX: Final = {"schemaVersion": expand("ei:schemaVersion"), "Id": expand("oadr:Id")}


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
    """One examination of one document; ``deviations`` collects what was mended.

    ``places`` remembers where each element stood in the document, as the child indexes from the root.
    """

    def __init__(self, root: Element, data: bytes, *, strict: bool) -> None:
        self.deviations: list[Deviation] = []
        self._strict = strict
        self._data = data
        self._places: dict[int, tuple[int, ...]] = {}
        self._keep: list[Element] = []
        self._remember(root)

    def _remember(self, root: Element) -> None:
        stack: list[tuple[Element, tuple[int, ...]]] = [(root, ())]
        while stack:
            element, place = stack.pop()
            self._places[id(element)] = place
            self._keep.append(element)
            stack.extend((child, (*place, index)) for index, child in enumerate(element))

    def line(self, element: Element | None) -> int | None:
        """The line of the element, found by a second parse with a parser that counts lines."""
        place = self._places.get(id(element)) if element is not None else None
        return _line_of(self._data, place) if place is not None else None

    def note(self, rule: str, path: str, text: str, element: Element | None) -> None:
        """Let a deviation pass, or refuse the document in strict mode."""
        if self._strict:
            raise SchemaViolation(text, path=path, line=self.line(element), rule=rule)
        self.deviations.append(Deviation(rule=rule, path=path, text=text, line=self.line(element)))

    def refuse(self, path: str, text: str, element: Element | None, value: Any = None) -> RemoteError:
        """The error for what nobody can mend."""
        return SchemaViolation(text, path=path, line=self.line(element), value=value, rule="schema")

    def message(self, element: Element, cls: type) -> None:
        """Examine a message; afterwards the compiled decoder accepts the element."""
        self._content(element, cls, split(element.tag)[1])

    def envelope(self, root: Element, signed_object: Element) -> None:
        """Examine what surrounds a message, but not the signature, whose content is not the schema's alone."""
        self._attributes(root, [], split(root.tag)[1])
        self._no_text(root, split(root.tag)[1])
        path = f"{split(root.tag)[1]}/{split(signed_object.tag)[1]}"
        self._attributes(signed_object, [_OBJECT_ID], path)
        self._no_text(signed_object, path)

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
        raise self.refuse(f"{path}/{local}", f"the element is not expected here (namespace {namespace or 'none'})", child)

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
            found.append(Element(expand(spec.path[0])))
        elif isinstance(spec.kind, Opaque) and spec.kind.content:
            self.note("schema", path, "the element is missing", parent)
            found.append(Element(expand(spec.path[0])))
        else:
            raise self.refuse(path, "the element is missing", parent)

    def _empty(self, element: Element, spec: FieldSpec) -> bool:
        """True for an optional number, date or name without content: it says nothing (R46)."""
        return (
            isinstance(spec.kind, Scalar)
            and spec.kind.type not in ("string", "anyURI", "fixed")
            and not len(element)
            and not (element.text or "").strip()
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
            try:
                opaque.read_content(element)
            except ValueError as error:
                raise self.refuse(path, str(error), element) from None
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
            if kind is DATE_TIME and (match := _OFFSET.fullmatch((element.text or "").strip())):
                self._mend_offset(element, match, path)
                return
            raise self.refuse(path, str(error), element, element.text) from None
        if kind.type == "duration" and re.fullmatch(r"[+-]?P\d+W", element.text or ""):
            self.note("R1", path, f"{shown(element.text)}: weeks are written without P by the schema", element)

    def _mend_offset(self, element: Element, match: re.Match[str], path: str) -> None:
        from datetime import UTC, datetime

        self.note("R1", path, f"the time has a numeric offset: {shown(element.text)}", element)
        try:
            value = datetime.fromisoformat(match[0]).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise self.refuse(path, str(error), element, element.text) from None
        element.text = converters(DATE_TIME)[1](value)

    def _attributes(self, element: Element, specs: list[FieldSpec], path: str) -> None:
        if not element.keys():
            return
        allowed = {expand(spec.path[0]): spec for spec in specs}
        for key, value in list(element.items()):
            if key.startswith(_XSI):
                if key.endswith("chemaLocation"):
                    self.note("R45", path, "a schemaLocation", element)
                del element.attrib[key]
                continue
            if key not in allowed:
                qualified = _ATTRIBUTES_WITHOUT_PREFIX.get(key)
                self.note("schema", f"{path}/@{split(key)[1]}", "an attribute that the schema does not have", element)
                del element.attrib[key]
                if qualified not in allowed or qualified is None:
                    continue
                key = qualified
                element.set(key, value)
            kind = allowed[key].kind
            assert isinstance(kind, Scalar)
            try:
                converters(kind)[0](value)
            except ValueError as error:
                raise self.refuse(f"{path}/@{split(key)[1]}", str(error), element, value) from None

    def _no_text(self, element: Element, path: str) -> None:
        stray = (element.text or "").strip() or next((t for child in element if (t := (child.tail or "").strip())), "")
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


def _line_of(data: bytes, place: tuple[int, ...]) -> int | None:
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True, huge_tree=True
    )
    try:
        element = etree.fromstring(data, parser)
        for index in place:
            element = element[index]
    except (etree.XMLSyntaxError, IndexError, ValueError):
        return None
    return element.sourceline


# --- payloads that cannot be written --------------------------------------------------------------------------------


def faults(value: Any, cls: type, path: str) -> Iterator[tuple[str, str]]:
    """The fields of an object that cannot be written, each with the reason."""
    if type(value) is not cls:
        yield path, f"a {cls.__name__} is expected, not {shown(value)}"
        return
    for spec in fields_of(cls):
        item, here = getattr(value, spec.name), f"{path}/{spec.name}"
        if spec.repeated:
            if item is None and spec.wrapper and not spec.minimum:
                continue
            if type(item) is not tuple:
                yield here, f"a tuple is expected, not {shown(item)}"
            elif not item and spec.minimum and not spec.wrapper:
                yield here, "at least one item is needed"
            else:
                for number, entry in enumerate(item):
                    yield from _item_faults(entry, spec.kind, f"{here}[{number}]", spec.path)
        elif item is not None or spec.minimum:
            yield from _item_faults(item, spec.kind, here, spec.path)


def _item_faults(item: Any, kind: Kind, path: str, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if item is None:
        yield path, "a value is needed"
    elif isinstance(kind, Scalar):
        yield from _try(converters(kind)[1], item, path)
    elif isinstance(kind, Opaque):
        yield from _try(opaque.write_attributes, item, path)
        yield from _try(opaque.write_content if kind.content else lambda value: opaque.write_element(value, names[-1]), item, path)
    elif isinstance(kind, Choice):
        for _, inner in alternatives(kind):
            if isinstance(inner, type) and type(item) is inner:
                yield from faults(item, inner, path)
                return
            if isinstance(inner, Scalar) and isinstance(item, (int, float)):
                yield from _try(converters(inner)[1], item, path)
                return
        yield path, f"none of the types that the schema allows: {shown(item)}"
    else:
        yield from faults(item, kind, path)


def _try(write: Any, item: Any, path: str) -> Iterator[tuple[str, str]]:
    try:
        write(item)
    except AttributeError:
        yield path, f"a value of another type is expected, not {shown(item)}"
    except (ValueError, TypeError, OverflowError, RemoteError) as error:
        yield path, str(error)
