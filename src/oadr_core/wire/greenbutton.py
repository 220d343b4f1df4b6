"""What a Green Button feed looks like, as far as the schema says: Atom around the types of NAESB ESPI.

It stands alone because feeds are carried and not part of the model: nothing here says what a reading means, only
whether a feed may stand in a message. What is looked at is what the official schema's validator looks at; the lists of
codes are not, because every list permits other numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import cache
from types import MappingProxyType
from typing import Final
from unicodedata import category
from xml.etree.ElementTree import Element

import attrs

from ..errors import shown
from ..model.namespaces import NAMESPACES
from .convert import BLANK
from .uris import is_reference

ESPI: Final = "http://naesb.org/espi"
_ATOM: Final = NAMESPACES["atom"]
_XML: Final = "{http://www.w3.org/XML/1998/namespace}"
_XSI: Final = "{http://www.w3.org/2001/XMLSchema-instance}"
_MESSAGES: Final = frozenset(NAMESPACES.values()) - {_ATOM}

_ENTRY: Final = (
    "author:person category:category content:content contributor:person id:uri link:link published:dateTime "
    "rights:text source:text summary:text title:text updated:dateTime +"
)
_FEED: Final = (
    "author:person category:category contributor:person generator:generator icon:uri id:uri link:link logo:uri "
    "rights:text subtitle:text title:text updated:dateTime entry:entry +"
)
_OPEN: Final = {"any": (f"{_XSI}nil", f"{_XSI}type"), "unknown": (f"{_XSI}type",)}
"""Types in which anything goes, and the attributes that do not: the prefix in an xsi:type means nothing elsewhere, and
what the schema knows is not nillable."""
_OBJECT: Final = "extension:any*"
_IDENTIFIED: Final = f"{_OBJECT} batchItemInfo:BatchItemInfo?"

_ANY_ORDER: Final = {"feed": _FEED, "entry": _ENTRY, "person": "name:string uri:uri email:email +", "content": "+"}
"""Atom: elements in any order and number; ``+`` is one of ESPI."""
_SEQUENCES: Final = {
    "text": "",
    "link": "",
    "category": "",
    "Object": _OBJECT,
    "IdentifiedObject": _IDENTIFIED,
    "MeterReading": _IDENTIFIED,
    "IntervalBlock": f"{_IDENTIFIED} interval:DateTimeInterval? IntervalReading:IntervalReading*",
    "IntervalReading": (
        f"{_OBJECT} cost:Int48? ReadingQuality:ReadingQuality* timePeriod:DateTimeInterval? value:Int48?"
    ),
    "ReadingQuality": f"{_OBJECT} quality:UInt16",
    "ReadingType": (
        f"{_IDENTIFIED} accumulationBehaviour:UInt16? commodity:UInt16? consumptionTier:Int16? currency:UInt16? "
        "dataQualifier:UInt16? defaultQuality:UInt16? flowDirection:UInt16? intervalLength:UInt32? kind:UInt16? "
        "phase:UInt16? powerOfTenMultiplier:Int16? timeAttribute:UInt16? tou:Int16? uom:UInt16? cpp:Int16? "
        "interharmonic:Rational? measuringPeriod:UInt16? argument:Rational?"
    ),
    "UsagePoint": (
        f"{_IDENTIFIED} roleFlags:Hex2? ServiceCategory:ServiceCategory? status:UInt8? "
        "ServiceDeliveryPoint:ServiceDeliveryPoint?"
    ),
    "ServiceCategory": f"{_OBJECT} kind:UInt16",
    "ServiceDeliveryPoint": f"{_OBJECT} name:String256? tariffProfile:String256? customerAgreement:String256?",
    "ServiceStatus": f"{_OBJECT} currentStatus:UInt16",
    "BatchItemInfo": f"{_OBJECT} name:Hex2? operation:UInt16? statusCode:UInt16? statusReason:String256?",
    "DateTimeInterval": f"{_OBJECT} duration:UInt32? start:Int64?",
    "TimeConfiguration": f"{_IDENTIFIED} dstEndRule:Hex4 dstOffset:Int64 dstStartRule:Hex4 tzOffset:Int64",
    "SummaryMeasurement": f"{_OBJECT} powerOfTenMultiplier:Int16? timeStamp:Int64? uom:UInt16? value:Int48?",
    "LineItem": "amount:Int48 rounding:Int48? dateTime:Int64 note:String256",
    "Rational": "numerator:integer? denominator:any?",
    "ElectricPowerQualitySummary": (
        f"{_IDENTIFIED} flickerPlt:Int48? flickerPst:Int48? harmonicVoltage:Int48? longInterruptions:Int48? "
        "mainsVoltage:Int48? measurementProtocol:UInt8? powerFrequency:Int48? rapidVoltageChanges:Int48? "
        "shortInterruptions:Int48? summaryInterval:DateTimeInterval supplyVoltageDips:Int48? "
        "supplyVoltageImbalance:Int48? supplyVoltageVariations:Int48? tempOvervoltage:Int48?"
    ),
    "ElectricPowerUsageSummary": (
        f"{_IDENTIFIED} billingPeriod:DateTimeInterval? billLastPeriod:Int48? billToDate:Int48? "
        "costAdditionalLastPeriod:Int48? costAdditionalDetailLastPeriod:LineItem* currency:UInt16? "
        "overallConsumptionLastPeriod:SummaryMeasurement? currentBillingPeriodOverAllConsumption:SummaryMeasurement? "
        "currentDayLastYearNetConsumption:SummaryMeasurement? currentDayNetConsumption:SummaryMeasurement? "
        "currentDayOverallConsumption:SummaryMeasurement? peakDemand:SummaryMeasurement? "
        "previousDayLastYearOverallConsumption:SummaryMeasurement? previousDayNetConsumption:SummaryMeasurement? "
        "previousDayOverallConsumption:SummaryMeasurement? qualityOfReading:UInt16? ratchetDemand:SummaryMeasurement? "
        "ratchetDemandPeriod:DateTimeInterval? statusTimeStamp:Int64"
    ),
}
"""Elements in this order: ``?`` at most one, ``*`` any number, else exactly one."""
_ALONE: Final = {
    name: name
    for name in (
        "IntervalBlock IntervalReading MeterReading ReadingQuality ReadingType IdentifiedObject UsagePoint "
        "ElectricPowerQualitySummary ElectricPowerUsageSummary DateTimeInterval SummaryMeasurement BatchItemInfo "
        "Object ServiceStatus"
    ).split()
} | {"LocalTimeParameters": "TimeConfiguration"}
"""The elements of ESPI that may stand in Atom, and their types."""
_MIXED: Final = frozenset({"text", "link", "content"})
_ATTRIBUTES: Final = {
    "text": "type:textType",
    "content": "type:string src:uri",
    "category": "term:string! scheme:uri label:string",
    "generator": "uri:uri version:string",
    "link": "href:uri! rel:string type:string hreflang:nmtoken title:string length:positive",
}
"""The attributes of each type of Atom besides those in the namespace of XML; ``!`` marks those that must be there."""
_COMMON: Final = {"lang": "language", "base": "uri", "space": "space"}


# --- texts ----------------------------------------------------------------------------------------------------------

_DATE_TIME: Final = re.compile(
    r"-?(?P<year>(?:[1-9]\d*)?\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
    r"T(?:(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?|24:00:00(?:\.0+)?)"
    r"(?:Z|[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00))?[ \t\n\r]*",
    re.ASCII,
)
_CYCLE: Final = 400
"""Years after which the calendar repeats itself."""


def _is_date_time(text: str) -> bool:
    match = _DATE_TIME.fullmatch(text)
    if match is None or not match["year"].strip("0"):
        return False
    year = int(match["year"][-4:]) % _CYCLE + _CYCLE
    try:
        date(year, int(match["month"]), int(match["day"]))
    except ValueError:
        return False
    return True


def _is_email(text: str) -> bool:
    name, _, host = text.partition("@")
    words = [name, *host.split(".")]
    return len(words) > 2 and all(word and not any(category(char)[0] in "PZC" for char in word) for word in words)


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.ASCII)
    return lambda text: compiled.fullmatch(text.strip(BLANK)) is not None


def _whole(lowest: int, highest: int) -> Callable[[str], bool]:
    digits = re.compile(r"([+-]?)0*+(\d{0,20})", re.ASCII)

    def check(text: str) -> bool:
        match = digits.fullmatch(text.strip(BLANK))
        if match is None or match[0] in ("", "+", "-"):
            return False
        return lowest <= int(f"{match[1]}{match[2] or 0}") <= highest

    return check


def _hexadecimal(longest: int) -> Callable[[str], bool]:
    return _matches(f"(?:[0-9A-Fa-f]{{2}}){{0,{longest}}}")


def _always(_text: str) -> bool:
    return True


_TEXTS: Final[Mapping[str, Callable[[str], bool]]] = MappingProxyType(
    {
        "string": _always,
        "generator": _always,
        "String256": lambda text: len(text) <= 256,
        "uri": lambda text: is_reference(re.sub(f"[{BLANK}]+", " ", text).strip(" ")),
        "email": _is_email,
        "dateTime": _is_date_time,
        "textType": _matches("text|html|xhtml"),
        "nmtoken": _matches(r"[A-Za-z0-9._:-]+"),
        "positive": _matches(r"\+?0*+[1-9]\d*"),
        "integer": _matches(r"[+-]?\d+"),
        "language": _matches("[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*"),
        "space": _matches("default|preserve"),
        "Hex2": _hexadecimal(2),
        "Hex4": _hexadecimal(4),
        "UInt8": _whole(0, 2**8 - 1),
        "UInt16": _whole(0, 2**16 - 1),
        "UInt32": _whole(0, 2**32 - 1),
        "Int16": _whole(-(2**15), 2**15 - 1),
        "Int48": _whole(-(2**47), 2**47),
        "Int64": _whole(-(2**63), 2**63 - 1),
    }
)


# --- elements -------------------------------------------------------------------------------------------------------


@attrs.frozen
class _Shape:
    """What the schema says about the children and attributes of a type."""

    content: re.Pattern[str] | None
    children: Mapping[str, str]
    attributes: Mapping[str, str]
    required: tuple[str, ...]


def faults(feed: Element) -> Iterator[tuple[Element, str, str]]:
    """What the schema does not allow in a feed: the element, its path, and why."""
    stack = [(feed, "feed", "feed")]
    while stack:
        element, kind, path = stack.pop()
        yield from ((element, path, reason) for reason in _attribute_faults(element, kind))
        if kind in _OPEN:
            children = [(child, _known(child)) for child in element]
            yield from ((child, path, "a part of a message in a feed") for child, known in children if not known)
        else:
            reason = _content_fault(element, kind)
            if reason:
                yield element, path, reason
                continue
            children = [(child, _shape(kind).children.get(_local(child)) or _known(child)) for child in element]
        stack.extend((child, inner, f"{path}/{_local(child)}") for child, inner in reversed(children) if inner)


def _content_fault(element: Element, kind: str) -> str:
    """What is wrong with the text and the children of an element of a known type, if anything."""
    shape = _shape(kind)
    if shape.content is None:
        if len(element):
            return "text is expected, not elements"
        return "" if _TEXTS[kind](element.text or "") else f"not of the type {kind}: {shown(element.text or '')}"
    if not shape.content.fullmatch("".join([f"{_token(child, kind)};" for child in element])):
        return f"other elements than the type {kind} has, or in another order"
    pieces = [element.text or "", *(child.tail or "" for child in element)]
    ignored = "" if kind == "category" else BLANK  # a type without any content has no blanks either
    return "stray text" if kind not in _MIXED and any(piece.strip(ignored or "\0") for piece in pieces) else ""


def _known(element: Element) -> str:
    """The type of an element where anything goes: what the schema knows must be as it says; empty for what must not
    be there."""
    namespace, local = element.tag[1:].rpartition("}")[0], _local(element)
    if namespace == ESPI and local in _ALONE:
        return _ALONE[local]
    if namespace == _ATOM and local in ("feed", "entry"):
        return local
    return "" if namespace in _MESSAGES else "unknown"


def _local(element: Element) -> str:
    return str(element.tag.rpartition("}")[2])


def _attribute_faults(element: Element, kind: str) -> Iterator[str]:
    if kind in _OPEN:
        yield from (f"an attribute that cannot be: {shown(key)}" for key in _OPEN[kind] if element.get(key) is not None)
        return
    shape = _shape(kind)
    atom = element.tag.startswith(f"{{{_ATOM}}}") and kind not in ("string", "email")
    for key, value in element.items():
        if key.startswith(_XSI) and key.endswith("chemaLocation"):
            continue
        if key.startswith(_XML) and atom:
            wanted = _COMMON.get(key[len(_XML) :])
        else:
            wanted = shape.attributes.get(key)
        if wanted is None:
            yield f"an attribute that the schema does not have: {shown(key)}"
        elif not _TEXTS[wanted](value):
            yield f"the attribute {shown(key)} is not of the type {wanted}: {shown(value)}"
    for key in shape.required:
        if element.get(key) is None:
            yield f"the attribute {key} is missing"


@cache
def _shape(kind: str) -> _Shape:
    declared = [item.removesuffix("!").split(":") for item in _ATTRIBUTES.get(kind, "").split()]
    required = tuple(item.partition(":")[0] for item in _ATTRIBUTES.get(kind, "").split() if item.endswith("!"))
    spec = _ANY_ORDER.get(kind, _SEQUENCES.get(kind))
    content, children = None, {}
    if spec is not None:
        items = [item.partition(":") for item in spec.split()]
        children = {name: rest.rstrip("?*") for name, _, rest in items if rest}
        if kind in _ANY_ORDER:
            content = re.compile(f"(?:(?:{'|'.join(re.escape(name) for name, _, _ in items)});)*+")
        else:
            content = re.compile("".join(f"(?:{name};){rest[len(rest.rstrip('?*')) :]}" for name, _, rest in items))
    return _Shape(content=content, children=children, attributes=dict(declared), required=required)


def _token(child: Element, parent: str) -> str:
    """What stands for an element in a content model."""
    namespace, _, local = child.tag[1:].rpartition("}")
    atom = parent in _ANY_ORDER
    if namespace == (_ATOM if atom else ESPI):
        return local
    return "+" if atom and namespace == ESPI and local in _ALONE else "!"
