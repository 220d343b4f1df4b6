"""Values that keep what they said: durations, and numbers and times whose text is not the canonical one.

They stand alone because XML Schema allows many texts for one value, and what a peer wrote must survive
decode and encode. Ordinary Python numbers and datetimes are used wherever their canonical text is what was
written; the ``Lexical…`` subclasses carry the other texts along and otherwise behave like their base.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import attrs

_DURATION: Final = re.compile(
    r"(?P<sign>[+-])?P(?:(?P<years>\d++)Y)?(?:(?P<months>\d++)M)?(?:(?P<days>\d++)D)?"
    r"(?P<time>T)?(?:(?P<hours>\d++)H)?(?:(?P<minutes>\d++)M)?(?:(?P<seconds>\d++)S)?"
)
_BARE_WEEKS: Final = re.compile(r"(\d++)W")
"""Digits of any script: those are what the published pattern means by them, and what ``int`` reads."""
_ISO_WEEKS: Final = re.compile(r"([+-])?P(\d++)W")
_MONTHS_PER_YEAR: Final = 12
_SHORT: Final = 64
"""Characters up to which a text is remembered."""
_DIGITS: Final = 18
_BEYOND: Final = 10**_DIGITS
"""What stands for numbers with more digits: all the same, longer than any calendar."""


@attrs.frozen(order=False)
class Duration:
    """A duration as ISO 8601 and the profile understand it: months and seconds do not mix.

    ``months`` (years count 12) and ``seconds`` (weeks, days, hours, minutes count by their length) carry the sign.
    Two durations are equal when both agree; ``text`` is what the wire said and does not take part.

    Raises nothing by itself; make one with :meth:`parse` or :meth:`of`.
    Source: rules R1, R31, R47; xcal:DurationValueType.
    """

    months: int = 0
    seconds: int = 0
    text: str = attrs.field(default="", eq=False)

    def __attrs_post_init__(self) -> None:
        if not self.text:
            object.__setattr__(self, "text", _write(self.months, self.seconds))

    @classmethod
    def of(cls, span: timedelta) -> Duration:
        """Make a duration of a ``timedelta`` in whole seconds.

        Raises ``ValueError`` for fractions of a second, which the profile does not allow (R1).
        """
        if span.microseconds:
            raise ValueError(f"a duration has whole seconds (R1), not {span!r}")
        return cls(seconds=span.days * 86400 + span.seconds)

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read a duration, e.g. ``PT15M``, ``-PT5M``, ``P1Y2M``, ``2W``.

        ``P2W`` is ISO 8601 and not in the published pattern: it is read, and written as ``P14D``. ``P`` and ``PT``
        are zero. Raises ``ValueError`` for anything else.
        """
        return _parse(text) if len(text) <= _SHORT else _read(text)

    @property
    def timedelta(self) -> timedelta:
        """The duration as a ``timedelta``.

        Raises ``ValueError`` when it has months or years: how long those are depends on the date they start from;
        ``OverflowError`` when it is longer than a ``timedelta`` can be.
        """
        if self.months:
            raise ValueError(f"{self.text} has no fixed length; add it to a date with after()")
        return timedelta(seconds=self.seconds)

    def after(self, start: datetime) -> datetime:
        """The instant that lies this duration after ``start``; months by the calendar, the day clipped to its month.

        Raises ``OverflowError`` beyond the years 1 to 9999.
        """
        if self.months:
            year, month = divmod(start.year * _MONTHS_PER_YEAR + start.month - 1 + self.months, _MONTHS_PER_YEAR)
            if not 1 <= year <= 9999:
                raise OverflowError(f"{start:%Y-%m-%d} and {self.text} is outside the calendar")
            first = start.replace(year=year, month=month + 1, day=1)
            start = first + timedelta(days=min(start.day, _days_in_month(first)) - 1)
        return start + timedelta(seconds=self.seconds)

    def __bool__(self) -> bool:
        """False for zero, which means open-ended, forever or once, depending on the element (R47, R324, R325)."""
        return bool(self.months or self.seconds)

    def __str__(self) -> str:
        return self.text


def _days_in_month(first: datetime) -> int:
    following = (first + timedelta(days=31)).replace(day=1) if (first.year, first.month) != (9999, 12) else None
    return (following - first).days if following else 31


def _write(months: int, seconds: int) -> str:
    if months and seconds and (months < 0) != (seconds < 0):
        raise ValueError(f"{months} months and {seconds} seconds have different signs")
    sign = "-" if months < 0 or seconds < 0 else ""
    years, months = divmod(abs(months), _MONTHS_PER_YEAR)
    minutes, seconds = divmod(abs(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    date = "".join(f"{n}{unit}" for n, unit in ((years, "Y"), (months, "M"), (days, "D")) if n)
    time = "".join(f"{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if n)
    if not date and not time:
        return "PT0S"
    return f"{sign}P{date}{'T' + time if time else ''}"


def _read(text: str) -> Duration:
    if weeks := _BARE_WEEKS.fullmatch(text):
        return Duration(seconds=_count(weeks[1]) * 604800, text=text)
    if (weeks := _ISO_WEEKS.fullmatch(text)) and len(text) <= _DIGITS:
        return Duration(seconds=int(weeks[2]) * (-604800 if weeks[1] == "-" else 604800))
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"not a duration: {text[:40]!r}; expected for instance PT15M or P1DT2H")
    part = {name: _count(digits) for name, digits in match.groupdict("0").items() if name not in ("sign", "time")}
    sign = -1 if match["sign"] == "-" else 1
    return Duration(
        months=sign * (part["years"] * _MONTHS_PER_YEAR + part["months"]),
        seconds=sign * (part["days"] * 86400 + part["hours"] * 3600 + part["minutes"] * 60 + part["seconds"]),
        text=text,
    )


_parse: Final = lru_cache(maxsize=1024)(_read)


def _count(digits: str) -> int:
    digits = digits.lstrip("0")
    return int(digits or 0) if len(digits) <= _DIGITS else _BEYOND


class LexicalStr(str):
    """The text that the schema fixes, where the element on the wire was empty and the schema supplied it."""

    __slots__ = ()


class LexicalXml(str):
    """The content of an element whose attributes are carried along: ``xcal:components`` may have any."""

    __slots__ = ("attributes",)
    attributes: str

    def __new__(cls, value: str, attributes: str) -> LexicalXml:
        self = super().__new__(cls, value)
        self.attributes = attributes
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return LexicalXml, (str(self), self.attributes)


class LexicalFloat(float):
    """A float whose text on the wire is not the canonical one, e.g. ``1.50``."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, value: float, text: str) -> LexicalFloat:
        self = super().__new__(cls, value)
        self.text = text
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return LexicalFloat, (float(self), self.text)


class LexicalInt(int):
    """An integer whose text on the wire is not the canonical one, e.g. ``007``; also ``1`` for a boolean."""

    text: str

    def __new__(cls, value: int, text: str) -> LexicalInt:
        self = super().__new__(cls, value)
        self.text = text
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return LexicalInt, (int(self), self.text)


class LexicalDecimal(Decimal):
    """A decimal number whose text on the wire is not the canonical one, e.g. ``+50``."""

    text: str

    def __new__(cls, value: str, text: str) -> LexicalDecimal:
        self = super().__new__(cls, value)
        self.text = text
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return LexicalDecimal, (str(self), self.text)


class LexicalDateTime(datetime):
    """An aware UTC instant whose text on the wire is not the canonical one, e.g. with seven decimals.

    What is computed from it (``+ timedelta``, ``replace``) has no such text any more.
    """

    text: str = ""

    @classmethod
    def of(cls, value: datetime, text: str) -> LexicalDateTime:
        """``value`` with ``text`` to be written for it."""
        self = cls(
            value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond, UTC
        )
        self.text = text
        return self

    @classmethod
    def read(cls, text: str) -> LexicalDateTime:
        """What ``text`` says, in the form that ``datetime.fromisoformat`` knows, with the text."""
        self = cls.fromisoformat(text)
        self.text = text
        return self

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        plain = datetime(
            self.year, self.month, self.day, self.hour, self.minute, self.second, self.microsecond, self.tzinfo
        )
        return (LexicalDateTime.of, (plain, self.text)) if self.text else (plain.replace, ())


ZERO: Final = Duration()
"""The zero duration: open-ended, forever, once or none, depending on the element."""
