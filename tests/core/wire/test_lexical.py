"""Every text of every simple type, judged as a validator does it; every value, written as the validator wants it.

The types are those of the official schema files, found by name: the declarations of the model are not asked.
"""

from __future__ import annotations

import enum
import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from oadr_core import decode, encode
from oadr_core.model import (
    Duration,
    EventStatus,
    LexicalDateTime,
    LexicalDecimal,
    LexicalFloat,
    LexicalInt,
    LexicalStr,
    ResponseRequired,
    SignalName,
)
from oadr_core.model.declare import (
    BOOLEAN,
    DATE_TIME,
    DECIMAL,
    DOUBLES,
    DURATION,
    FLOAT,
    PERCENT,
    RESPONSE_CODE,
    TEXT,
    UNSIGNED,
    URI,
    Scalar,
    closed,
    extensible,
)
from oadr_core.wire.convert import converters
from tests.documents import schema_path
from tests.golden import ANNEX_A

KINDS: dict[str, tuple[str, Scalar, str]] = {
    "string": ("xs:string", TEXT, "a, <,&,\n"),
    "anyURI": ("emix:MarketContextType", URI, "http://,a,/,?,#,[,],%,%41, ,ü,:,//,@,\\,{,\n,::1,-"),
    "unsignedInt": ("xs:unsignedInt", UNSIGNED, "4294967295,4294967296,0,00,7,+,-, ,.,e,\n,\xa0,٣,_"),
    "percent": ("ei:ConfidenceType", PERCENT, "100,101,0,1,+,-, ,00,.,\t"),
    "float": ("xs:float", FLOAT, "INF,-INF,NaN,inf,nan,1,0,-,+,.,5, 1,\n1,1_0,1e400,1E-400,2e+3,infinity,0x1p3,\xa0"),
    "decimal": ("xs:decimal", DECIMAL, "1,0,.,+,-, ,5,e,_,INF"),
    "boolean": ("xs:boolean", BOOLEAN, "true,false,1,0, ,\n,True,\xa0"),
    "dateTime": (
        "xcal:DateTimeType",
        DATE_TIME,
        (
            "2025-06-01T10:00:00Z,2025-06-01,T,24:00:00,23:59:60,.,Z,-,+,0000,9999-12-31,2024-02-29,2023-02-29, ,\n,"
            ".123456789,10:00:00,10:61:00,+00:00,0001-01-01,5,2025-13-01,2025-04-31,0000-01-01,-0001-12-31"
        ),
    ),
    "duration": ("xcal:DurationValueType", DURATION, "+,-,P,1Y,2M,3D,T,4H,5M,6S,2W, ,\n,0,1,W,P1D,PT,.,PT1S,٣,٣W,²"),
    "doubleList": ("gml:doubleList", DOUBLES, "INF,-INF,NaN, ,\n\t,1.5,x,-0,1e5,\xa0,\x85"),
    "responseCode": ("ei:ResponseCodeType", RESPONSE_CODE, "200,2,0, ,٣"),
    "schemaVersion": ("ei:schemaVersionType", Scalar("schemaVersion"), "2.0a,2.0b, ,x-,y,\xa0,\n,x-a  b,\u2028"),
    "signalName": (
        "ei:signalNameType",
        extensible(SignalName),
        "SIMPLE,x-,a, ,\n,  ,x-loadControlCapacity,\t,\x85,\u2028,\xa0,é",
    ),
    "eventStatus": ("ei:EventStatusEnumeratedType", closed(EventStatus), "far,near, ,\n,x-,\xa0"),
    "responseRequired": ("oadr:ResponseRequiredType", closed(ResponseRequired, collapse=False), "always,never, "),
    "ID": ("xs:ID", Scalar("ID"), "a,_,-,:,1,., ,é,·"),
}
"""Name: its type in the schema, its kind in the declarations, and pieces that its texts are put together from."""
FILES = {"ei": "oadr_ei_20b.xsd", "xcal": "oadr_xcal_20b.xsd", "emix": "oadr_emix_20b.xsd", "gml": "oadr_gml_20b.xsd"}
BEHIND_INFINITY = re.compile(r"(INF|NaN)[ \t\n\r]+$")
WITHOUT_EXPONENT = re.compile(r"[eE][+-]?(?![0-9+-])")


@pytest.fixture(scope="module")
def types() -> etree.XMLSchema:
    """A schema with an element of each type."""
    folder = schema_path().parent
    names = {prefix: etree.parse(folder / file).getroot().get("targetNamespace") for prefix, file in FILES.items()}
    names["oadr"] = etree.parse(schema_path()).getroot().get("targetNamespace")
    imports = [("oadr", schema_path().name), *FILES.items()]
    return etree.XMLSchema(
        etree.fromstring(
            '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"'
            + "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in names.items())
            + ">"
            + "".join(f'<xs:import namespace="{names[p]}" schemaLocation="{folder / file}"/>' for p, file in imports)
            + "".join(f'<xs:element name="{name}" type="{declared}"/>' for name, (declared, _, _) in KINDS.items())
            + "</xs:schema>"
        )
    )


def _is_valid(types: etree.XMLSchema, name: str, text: str) -> bool:
    element = etree.Element(name)
    element.text = text
    return bool(types.validate(element))


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=150)
@given(data=st.data())
def test_text_is_judged_as_a_validator_does_and_kept(name: str, data: st.DataObject, types: etree.XMLSchema) -> None:
    _, kind, listed = KINDS[name]
    pieces = [piece for piece in listed.split(",") if piece]
    text = "".join(data.draw(st.lists(st.sampled_from(pieces), max_size=6)))
    valid = _is_valid(types, name, text)
    read, write = converters(kind)
    try:
        value = read(text)
    except (ValueError, OverflowError):
        # The validator beside us takes "1e" for a number, which the schema's own rules do not.
        assert not valid or WITHOUT_EXPONENT.search(text)
        return
    # It also refuses a blank behind INF and NaN, which they permit.
    assert valid or BEHIND_INFINITY.search(text)
    again = etree.fromstring(f"<a>{write(value)}</a>").text or ""
    assert again == (text if _keeps_blanks(name) else " ".join(re.split("[ \t\n\r]+", text)).strip(" "))


def _keeps_blanks(name: str) -> bool:
    return name in ("string", "duration", "responseCode", "responseRequired")


class Word(str, enum.Enum):  # noqa: UP042  # StrEnum has no such difference
    """An enumeration whose ``str()`` is not its value."""

    FAR = "far"
    CODE = "200"
    TIME = "PT5M"


class Count(int, enum.Enum):
    """The same of numbers."""

    ONE = 1


class Nowhere(tzinfo):
    """A time zone that knows nothing."""

    def utcoffset(self, _moment: datetime | None) -> None:
        return None


NOW = datetime(2025, 1, 31, 12, tzinfo=UTC)
ODD_TEXTS = st.sampled_from(
    ["", "x", "<x/>", " 1 ", "1.50", "007", "+5", "2025-01-31T12:00:00.0Z", "NaN", "\x00", None, 5]
)
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**32, 10**5000, -1, 100, 101, Count.ONE, *Word, EventStatus.FAR, SignalName.SIMPLE]),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["2.0b", "x-a", "x-", "far", "http://x", "http://[", "1 2", "a b", "i", "\ud800", "\ufffe", "\r"]),
    st.binary(max_size=3),
    st.decimals(),
    st.sampled_from([Decimal("1E+999999999"), Decimal("-1E-999999999"), Decimal("sNaN"), Decimal("1E+20")]),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC) | st.just(timezone(timedelta(hours=-14, minutes=3)))),
    st.just(NOW.replace(tzinfo=Nowhere())),
    st.timedeltas(),
    st.builds(lambda text: Duration(text=text), ODD_TEXTS),
    st.builds(lambda months: Duration(months=months), st.integers(0, 10**30)),
    st.builds(LexicalFloat, st.floats(), ODD_TEXTS),
    st.builds(LexicalInt, st.integers(0, 9), ODD_TEXTS),
    st.builds(lambda text: LexicalDecimal("1.5", text), ODD_TEXTS),
    st.builds(lambda text: LexicalDateTime.of(NOW, text), ODD_TEXTS),
    st.builds(LexicalStr, st.text(max_size=3)),
    st.lists(st.floats() | st.text(max_size=2), max_size=3),
    st.builds(object),
)


@pytest.mark.parametrize("name", KINDS)
@given(value=VALUES)
def test_any_value_is_refused_or_written_as_the_type_wants_it(name: str, value: Any, types: etree.XMLSchema) -> None:
    try:
        written = converters(KINDS[name][1])[1](value)
    except (ValueError, TypeError, AttributeError, OverflowError):
        return
    text = f"{written}"
    # What is written is markup-free and escaped as canonical XML does it.
    element = etree.fromstring(f"<{name}>{text}</{name}>")
    assert len(element) == 0
    # The validator beside us knows fewer letters than the fifth edition of XML.
    assert types.validate(element) or (name == "ID" and not text.isascii())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("float", LexicalFloat(1.5, "2.5")),
        ("float", LexicalFloat(1.5, "<x/>")),
        ("decimal", LexicalDecimal("1.5", "1,5")),
        ("unsignedInt", LexicalInt(7, "-7")),
        ("boolean", LexicalInt(1, "yes")),
        ("dateTime", LexicalDateTime.of(NOW, "now")),
        ("dateTime", NOW.replace(tzinfo=Nowhere())),
        ("duration", Duration(text="an hour")),
        ("decimal", Decimal("1E+999999999")),
        ("unsignedInt", 10**5000),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_value_that_does_not_mean_its_text_is_refused(name: str, value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        converters(KINDS[name][1])[1](value)


@pytest.mark.parametrize(
    ("name", "member", "text"),
    [
        ("string", Word.FAR, "far"),
        ("eventStatus", Word.FAR, "far"),
        ("responseCode", Word.CODE, "200"),
        ("anyURI", Word.FAR, "far"),
        ("ID", Word.FAR, "far"),
        ("unsignedInt", Count.ONE, "1"),
        ("float", Count.ONE, "1"),
        ("decimal", Count.ONE, "1"),
    ],
)
def test_member_of_an_enumeration_is_written_as_its_value(name: str, member: Any, text: str) -> None:
    assert f"{converters(KINDS[name][1])[1](member)}" == text


# --- forms of any length --------------------------------------------------------------------------------------------

EVENT = next(path.read_text() for path in ANNEX_A if path.stem == "oadrDistributeEvent")
LONG = 100_000


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<ei:value>1<", f"<ei:value>{'1' * LONG}<"),
        ("<ei:value>1<", f"<ei:value>0.{'0' * LONG}1<"),
        ("<ei:value>1<", f"<ei:value>1e-{'0' * LONG}1<"),
        ("<ei:priority>1<", f"<ei:priority>{'0' * LONG}1<"),
        ("<power:hertz>50<", f"<power:hertz>{'5' * LONG}.{'5' * LONG}<"),
        (">PT2H<", f">P{'1' * LONG}D<"),
        (">PT2H<", f">{'0' * LONG}1W<"),
        ("2025-06-01T14:00:00Z", f"2025-06-01T14:00:00.{'1' * LONG}Z"),
        ("http://example.com", f"http://example.com/{'a/' * LONG}"),
    ],
)
def test_text_of_any_length_survives_a_round_trip(old: str, new: str) -> None:
    assert old in EVENT
    document = EVENT.replace(old, new).encode()
    assert new.encode() in encode(decode(document).payload)
