"""Text of elements to Python values and back, one pair of functions for each type of the schema.

It stands alone as the only place that knows lexical forms. Reading keeps every text that the schema allows: where it
is not the canonical one, the value carries it along (see :mod:`oadr_core.model.values`). All functions raise
``ValueError``, ``TypeError`` or ``AttributeError`` for what they do not accept; callers turn these into errors that
name the place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from ..errors import shown
from ..model.declare import EXTENSION, Scalar
from ..model.values import Duration, LexicalDateTime, LexicalDecimal, LexicalFloat, LexicalInt, LexicalStr
from .uris import is_reference

Reader = Callable[[str | None], Any]
Writer = Callable[[Any], str]

BLANK: Final = " \t\n\r"
"""What XML calls blank: other kinds of space are text."""
_REMEMBERED: Final = 4096
"""Texts of a kind whose values are remembered: the numbers of a long report repeat themselves, and so do the instants
in the reports of many VENs."""
_SHORT: Final = 64
"""Characters up to which a text is remembered; what is read of longer ones is not worth the memory."""
_LONGEST_DECIMAL: Final = 1000
"""Digits of a decimal number that is written: it has no exponent, so a short one may be longer than any memory."""
_FLOAT: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[Ee][+-]?\d+)?", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)", re.ASCII)
_INTEGER: Final = re.compile(r"([+-]?)(?:0*+(\d{1,40})|0++)", re.ASCII)
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT(?!24)\d\d:\d\d:\d\d(?:\.\d{6})?Z", re.ASCII).fullmatch
_ANY_INSTANT: Final = re.compile(
    r"(?P<sign>-)?(?P<date>\d{4}-\d\d-\d\d)T(?P<time>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d+))?Z?", re.ASCII
)
_MICROSECOND_DIGITS: Final = 6
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
_LATEST: Final = datetime.max.replace(tzinfo=UTC)
"""What stands for instants outside the years 1 to 9999, which the schema permits and Python does not have."""
_WHOLE_SECONDS: Final = len("2025-01-31T12:00:00Z")
_CODE: Final = re.compile(r"\d{3}", re.ASCII)
_RUNS: Final = re.compile(r"[ \t\n\r]+")
_EXTENSION_NAME: Final = re.compile(r"x-[^ \t\n\r][^\n\r]*")
_NAME_START: Final = (
    "A-Z_a-z\xc0-\xd6\xd8-\xf6\xf8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u2070-\u218f\u2c00-\u2fef\u3001-\ud7ff"
)
_NAME: Final = re.compile(f"[{_NAME_START}][{_NAME_START}.0-9\xb7\u0300-\u036f\u203f\u2040-]*")
_PUBLISHED_DURATION: Final = re.compile(r"[+-]?P(\d++Y)?(\d++M)?(\d++D)?T?(\d++H)?(\d++M)?(\d++S)?|\d++W")
_UNSAFE: Final = re.compile("[\\x00-\\x08\\x0b-\\x1f&<>\\ud800-\\udfff\\ufffe\\uffff]")
_ILLEGAL: Final = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ud800-\\udfff\\ufffe\\uffff]")
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"})

_ATTRIBUTE_ESCAPES: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", '"': "&quot;", "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;"}
)


class _Memory(dict[str | None, Any]):
    """What short texts mean, by subscription: a hit costs less than any call."""

    def __init__(self, read: Reader) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, text: str | None) -> Any:
        value = self._read(text)
        if text is not None and len(text) <= _SHORT:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[text] = value
        return value


def _remembering(read: Reader) -> Reader:
    return _Memory(read).__getitem__


def _collapse(text: str | None) -> str:
    """Without the blanks that the schema calls insignificant; other kinds of space are text."""
    return _RUNS.sub(" ", text or "").strip(" ")


def _read_text(text: str | None) -> str:
    return text or ""


def _new_float(text: str | None) -> float:
    if text is None:
        raise ValueError("a number is missing")
    if not text.isascii():
        raise ValueError(f"not a number: {text[:40]!r}")
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"not a number: {text[:40]!r}") from None
    canonical = repr(value)
    if canonical[-2:] == ".0":
        canonical = canonical[:-2]
    if canonical == text and text[-1] <= "9":
        return value
    text = text.strip(BLANK)
    if text in ("INF", "-INF", "NaN"):
        return value
    if not _FLOAT.fullmatch(text):
        raise ValueError(f"not a number: {text[:40]!r}")
    return value if text == canonical else LexicalFloat(value, text)


_read_float: Final = _remembering(_new_float)


def _write_float(value: Any) -> str:
    if type(value) is float:
        return _float_text(value) if value else "-0" if str(value)[0] == "-" else "0"
    if type(value) is LexicalFloat:
        return _kept(value, _read_float)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"a number is expected, not {shown(value)}")
    return _write_float(float(value))


def _kept(value: Any, read: Reader) -> str:
    """The text that a lexical value carries, if that is what it means."""
    text: str = value.text
    meant = read(text)
    if meant != value and meant == meant:  # NaN is not itself
        raise ValueError(f"{shown(text)} does not mean {shown(value)}")
    return text


@lru_cache(maxsize=4096)
def _float_text(value: float) -> str:
    text = repr(value)
    if text[-2:] == ".0":
        return text[:-2]
    return text if text[-1] <= "9" else {"inf": "INF", "-inf": "-INF", "nan": "NaN"}[text]


def _read_integer(text: str | None) -> int:
    stripped = (text or "").strip(BLANK)
    match = _INTEGER.fullmatch(stripped)
    if match is None:
        raise ValueError(f"not a whole number: {stripped[:40]!r}")
    value = int(f"{match[1]}{match[2] or 0}")
    return value if str(value) == stripped else LexicalInt(value, stripped)


def _whole(minimum: int, maximum: int) -> tuple[Reader, Writer]:
    def read(text: str | None) -> int:
        value = _read_integer(text)
        if not minimum <= value <= maximum:
            raise ValueError(f"{shown(value)} is not between {minimum} and {maximum}")
        return value

    def write(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"a whole number is expected, not {shown(value)}")
        if not minimum <= value <= maximum:
            raise ValueError(f"{shown(value)} is not between {minimum} and {maximum}")
        return _kept(value, read) if isinstance(value, LexicalInt) else str(int(value))

    return read, write


def _read_decimal(text: str | None) -> Decimal:
    stripped = (text or "").strip(BLANK)
    if not _DECIMAL.fullmatch(stripped):
        raise ValueError(f"not a decimal number: {stripped[:40]!r}")
    value = Decimal(stripped)
    return value if len(text or "") <= _SHORT and format(value, "f") == stripped else LexicalDecimal(stripped, stripped)


def _write_decimal(value: Any) -> str:
    if isinstance(value, LexicalDecimal):
        return _kept(value, _read_decimal)
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise TypeError(f"a decimal number is expected, not {shown(value)}")
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite():
        raise ValueError(f"a finite number is expected, not {shown(value)}")
    if abs(number.adjusted()) > _LONGEST_DECIMAL:
        raise ValueError(f"a number of at most {_LONGEST_DECIMAL} digits is expected, not {shown(value)}")
    return format(number, "f")


_BOOLEANS: Final[dict[str, Any]] = {
    "true": True,
    "false": False,
    "1": LexicalInt(1, "1"),
    "0": LexicalInt(0, "0"),
}


def _read_boolean(text: str | None) -> bool:
    value: bool | None = _BOOLEANS.get((text or "").strip(BLANK))
    if value is None:
        raise ValueError(f"true or false is expected, not {(text or '')[:40]!r}")
    return value


def _write_boolean(value: Any) -> str:
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, LexicalInt):
        return _kept(value, _read_boolean)
    raise TypeError(f"True or False is expected, not {shown(value)}")


def _new_date_time(text: str | None) -> datetime:
    if text is None:
        raise ValueError("a date and time is missing")
    if _INSTANT(text):
        value = datetime.fromisoformat(text)
        return value if len(text) == _WHOLE_SECONDS or value.microsecond else LexicalDateTime.read(text)
    stripped = text.strip(BLANK)
    match = _ANY_INSTANT.fullmatch(stripped)
    if match is None:
        raise ValueError(f"not a UTC date and time: {stripped[:40]!r}; expected for instance 2025-01-31T12:00:00Z (R1)")
    if match["sign"] == "-":
        return LexicalDateTime.of(_EARLIEST, stripped)
    midnight = match["time"] == "24:00:00" and not (match["fraction"] or "").strip("0")
    value = datetime.fromisoformat(f"{match['date']}T{'00:00:00' if midnight else match['time']}+00:00")
    fraction = match["fraction"] or ""
    value = value.replace(microsecond=int(fraction[:_MICROSECOND_DIGITS].ljust(_MICROSECOND_DIGITS, "0")))
    if midnight:
        if value.date() == date.max:
            return LexicalDateTime.of(_LATEST, stripped)
        value += timedelta(days=1)
    return value if _write_date_time(value) == stripped else LexicalDateTime.of(value, stripped)


_read_date_time: Final = _remembering(_new_date_time)


def _write_date_time(value: Any) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"a datetime is expected, not {shown(value)}")
    if isinstance(value, LexicalDateTime) and value.text:
        return _kept(value, _read_date_time)
    if value.utcoffset() is None:
        raise ValueError(f"a datetime with a time zone is expected, not {shown(value)}")
    return _instant_text(value)


@lru_cache(maxsize=_REMEMBERED)
def _instant_text(value: datetime) -> str:
    """The text of an instant: whatever the time zone, equal ones have the same."""
    return f"{value.astimezone(UTC).isoformat()[:-6]}Z"


def _write_duration(value: Any) -> str:
    if type(value) is not Duration or not _is_published(value.text):
        raise TypeError(f"a Duration or timedelta is expected, not {shown(value)}")
    return value.text


def _published(text: str | None) -> bool:
    return text is not None and _PUBLISHED_DURATION.fullmatch(text) is not None


_is_published: Final = _remembering(_published)


def _new_duration(text: str | None) -> Duration:
    duration = Duration.parse(text or "")
    if duration.text != text:
        raise ValueError(f"not a duration of the schema, which has no weeks behind a P: {shown(text)}")
    return duration


_read_duration: Final = _remembering(_new_duration)


def write_text(value: Any) -> str:
    """Escape text as canonical XML does; refuse characters that XML cannot carry."""
    if _UNSAFE.search(value):
        if illegal := _ILLEGAL.search(value):
            raise ValueError(f"the character {illegal[0]!r} cannot stand in XML")
        text: str = value.translate(_ESCAPES)
        return text
    return value if type(value) is str else str.__str__(value)  # what an enumeration calls itself is not its text


def write_attribute(value: str) -> str:
    """Escape the value of an attribute as canonical XML does; refuse characters that XML cannot carry."""
    if illegal := _ILLEGAL.search(value):
        raise ValueError(f"the character {illegal[0]!r} cannot stand in XML")
    return value.translate(_ATTRIBUTE_ESCAPES)


def _read_code(text: str | None) -> str:
    if text is None or not _CODE.fullmatch(text):
        raise ValueError(f"three digits are expected, not {(text or '')[:40]!r}")
    return text


def _write_code(value: Any) -> str:
    return str.__str__(_read_code(value))


def _read_extension(text: str | None) -> str:
    name = _collapse(text)
    if not _EXTENSION_NAME.fullmatch(name):
        raise ValueError(f"not among the names of the schema, and not x-…: {name[:40]!r}")
    return name


def _read_doubles(text: str | None) -> str:
    numbers = _collapse(text)
    for number in numbers.split(" ") if numbers else ():
        _read_float(number)
    return numbers


def _write_doubles(value: Any) -> str:
    return _read_doubles(value if isinstance(value, str) else " ".join(_write_float(number) for number in value))


def read_identifier(text: str | None) -> str:
    """An xs:ID."""
    name = _collapse(text)
    if not _NAME.fullmatch(name):
        raise ValueError(f"not an XML name: {name[:40]!r}")
    return name


def _vocabulary(kind: Scalar) -> tuple[Reader, Writer]:
    members: dict[str, str] = {str(value): value for value in _enumerated(kind)}

    def read(text: str | None) -> str:
        if (value := members.get(text or "")) is not None:
            return value
        name = _collapse(text) if kind.collapse else text or ""
        if (value := members.get(name)) is not None:
            return value
        if kind.open and name.startswith(EXTENSION):
            return _read_extension(name)
        raise ValueError(f"{name[:40]!r} is not one of {', '.join(members)}{' or x-…' if kind.open else ''}")

    def write(value: Any) -> str:
        if (member := members.get(value)) is not None:
            return member
        if read(value) != value:
            raise ValueError(f"without blanks around or doubled, not {shown(value)}")
        return write_text(value)

    return read, write


def _enumerated(kind: Scalar) -> Iterable[str]:
    return sorted(kind.enumeration) if isinstance(kind.enumeration, frozenset) else list(kind.enumeration or ())


def _fixed(wanted: str) -> tuple[Reader, Writer]:
    supplied = LexicalStr(wanted)

    def read(text: str | None) -> str:
        if text == wanted:
            return wanted
        if text:
            raise ValueError(f"{wanted!r} is expected, not {text[:40]!r}")
        return supplied

    def write(value: Any) -> str:
        if value != wanted:
            raise ValueError(f"{wanted!r} is expected, not {shown(value)}")
        return "" if type(value) is LexicalStr else wanted

    return read, write


def _read_schema_version(text: str | None) -> str:
    name = _collapse(text)
    return name if name in ("2.0a", "2.0b") else _read_extension(name)


def _write_schema_version(value: Any) -> str:
    if value == "2.0b":
        return "2.0b"
    if _read_schema_version(value) != value:
        raise ValueError(f"without blanks around or doubled, not {shown(value)}")
    return write_attribute(value)


def _new_uri(text: str | None) -> str:
    uri = _collapse(text)
    if not is_reference(uri):
        raise ValueError(f"not a URI: {shown(uri)}")
    return uri


_read_uri: Final = _remembering(_new_uri)


def _write_uri(value: Any) -> str:
    if _read_uri(value) != value:
        raise ValueError(f"without blanks around or doubled, not {shown(value)}")
    return write_text(value)


_PAIRS: Final[dict[str, tuple[Reader, Writer]]] = {
    "string": (_read_text, write_text),
    "anyURI": (_read_uri, _write_uri),
    "float": (_read_float, _write_float),
    "decimal": (_read_decimal, _write_decimal),
    "boolean": (_read_boolean, _write_boolean),
    "dateTime": (_read_date_time, _write_date_time),
    "duration": (_read_duration, _write_duration),
    "responseCode": (_read_code, _write_code),
    "doubleList": (_read_doubles, _write_doubles),
    "schemaVersion": (_read_schema_version, _write_schema_version),
    "ID": (read_identifier, read_identifier),
}


def converters(kind: Scalar) -> tuple[Reader, Writer]:
    """The functions that read and write the text of this kind."""
    if kind.type == "enumeration":
        return _vocabulary(kind)
    if kind.type == "fixed":
        return _fixed(kind.fixed or "")
    if kind.type == "unsignedInt":
        return _whole(kind.minimum or 0, kind.maximum or 0)
    return _PAIRS[kind.type]
