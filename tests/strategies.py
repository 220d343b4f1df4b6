"""Payloads that the declarations of the model allow, as Hypothesis strategies derived from those declarations.

They describe validity only: what they draw can be written and is valid against the official schema. Nothing about a
field is written here; a new field of the model is drawn from the moment it is declared.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from oadr_core.model import MESSAGES, Duration, LexicalXml, Payload
from oadr_core.model.declare import Choice, FieldSpec, Kind, Opaque, Scalar, fields_of

MOST_ITEMS = 3
"""Items of a repeated element: enough for order and neighbours, few enough to keep documents small."""

_SMALL = (
    '<atom:feed xmlns:atom="http://www.w3.org/2005/Atom"><atom:id>urn:1</atom:id><atom:title>t</atom:title>'
    "<atom:updated>2025-01-01T00:00:00Z</atom:updated></atom:feed>"
)
_LARGE = (
    '<atom:feed xmlns:atom="http://www.w3.org/2005/Atom" xml:lang="en"><atom:id>urn:&amp;</atom:id>'
    '<atom:title type="text">&lt;t&gt;</atom:title><atom:updated>2025-01-01T00:00:00Z</atom:updated>'
    '<atom:entry><atom:content> <espi:ServiceStatus xmlns:espi="http://naesb.org/espi">'
    "<espi:currentStatus>1</espi:currentStatus></espi:ServiceStatus></atom:content><atom:id>urn:2</atom:id>"
    "<atom:title>x</atom:title></atom:entry></atom:feed>"
)
_USAGE = (
    '<atom:feed xmlns:atom="http://www.w3.org/2005/Atom"><atom:entry><atom:link href="/x" rel="self"></atom:link>'
    '<atom:content type="xml"><espi:IntervalBlock xmlns:espi="http://naesb.org/espi"><espi:interval><espi:duration>900'
    "</espi:duration><espi:start>1330578000</espi:start></espi:interval><espi:IntervalReading><espi:cost>974</espi:cost>"
    "<espi:value>-007</espi:value></espi:IntervalReading></espi:IntervalBlock></atom:content></atom:entry></atom:feed>"
)
FEEDS = (_SMALL, _LARGE, _USAGE)
"""Atom feeds in canonical form."""

COMPONENTS = (
    "",
    '<ns0:x xmlns:ns0="urn:c" b="1">t &amp; u</ns0:x>',
    "text",
    LexicalXml("", 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"'),
    LexicalXml("<x></x>", 'a="&#xA;"'),
)
"""The content of xcal:components, and its attributes, in canonical form."""


def payloads() -> st.SearchStrategy[Payload]:
    """Any of the 23 messages."""
    return st.one_of([payloads_of(cls) for cls in MESSAGES.values()])


@st.composite
def payloads_of(draw: st.DrawFn, cls: type) -> Any:
    """Objects of a class of the model."""
    return cls(**{spec.name: draw(values(spec)) for spec in fields_of(cls)})


def values(spec: FieldSpec) -> st.SearchStrategy[Any]:
    """Values of one field."""
    items = kinds(spec.kind)
    if not spec.repeated:
        return items if spec.minimum else st.none() | items
    fewest = spec.minimum if not spec.wrapper else 0
    several = st.lists(items, min_size=fewest, max_size=MOST_ITEMS).map(tuple)
    return st.none() | several if spec.wrapper and not spec.minimum else several


def kinds(kind: Kind) -> st.SearchStrategy[Any]:
    """Values of a kind of content."""
    match kind:
        case Choice():
            return st.one_of([kinds(inner) for _, inner in kind.alternatives])
        case Opaque():
            return st.sampled_from(COMPONENTS if kind.content else FEEDS)
        case Scalar():
            return scalars(kind)
        case _:
            return payloads_of(kind)


def texts() -> st.SearchStrategy[str]:
    """Everything that XML 1.0 can carry."""
    return st.text(
        st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")) | st.sampled_from("\t\n\r<>&\"' "), max_size=12
    )


def extension_names() -> st.SearchStrategy[str]:
    """Names that parties may add: ``x-`` and a token."""
    return st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Z")), min_size=1, max_size=8).map(
        lambda name: f"x-{name}"
    )


def durations() -> st.SearchStrategy[Duration]:
    """Durations in every form that the published pattern has."""
    count = st.integers(0, 99)
    made = st.builds(lambda months, seconds: Duration(months=months, seconds=seconds), count, st.integers(0, 10**7))
    return made | st.from_regex(
        r"[+-]?P(\d{1,3}Y)?(\d{1,3}M)?(\d{1,3}D)?T?(\d{1,3}H)?(\d{1,3}M)?(\d{1,3}S)?|\d{1,3}W", fullmatch=True
    ).filter(str.isascii).map(Duration.parse)


def instants() -> st.SearchStrategy[datetime]:
    """Aware instants of the whole calendar."""
    return st.datetimes(timezones=st.just(UTC))


def scalars(kind: Scalar) -> st.SearchStrategy[Any]:
    """Values of a kind of text."""
    if kind.enumeration is not None:
        members = st.sampled_from(sorted(kind.enumeration))
        return members | extension_names() if kind.open else members
    numbers = st.integers(kind.minimum or 0, kind.maximum or 0)
    return {
        "string": texts(),
        "anyURI": st.from_regex(r"(https?://[a-z.]{1,9}(/([a-zA-Z0-9&?=.é{}]|%20){0,9})?|[a-z ]?)", fullmatch=True).map(
            str.strip
        ),
        "unsignedInt": numbers,
        "float": st.floats(allow_nan=False) | st.integers(-(10**6), 10**6).map(float),
        "decimal": st.decimals(
            allow_nan=False, allow_infinity=False, min_value=Decimal(-(10**9)), max_value=Decimal(10**9)
        ),
        "boolean": st.booleans(),
        "dateTime": instants(),
        "duration": durations(),
        "responseCode": st.from_regex(r"[0-9]{3}", fullmatch=True),
        "doubleList": st.lists(st.integers(-180, 180).map(str), max_size=6).map(" ".join),
        "schemaVersion": st.sampled_from(["2.0a", "2.0b"]) | extension_names(),
        "ID": st.uuids().map(lambda value: f"i{value.hex}"),
        "fixed": st.just(kind.fixed),
    }[kind.type]
