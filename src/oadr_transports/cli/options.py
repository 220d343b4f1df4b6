"""The kinds of values that options take: durations, reports, events.

It stands alone because these are small languages of their own, and are tested as such.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from operator import itemgetter
from typing import Any, Final, TypeVar

import attrs
import click

_T = TypeVar("_T")

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION: Final = re.compile(r"(?:\d+[smhd])+", re.ASCII)
_PART: Final = re.compile(r"(\d+)([smhd])", re.ASCII)
_LONGEST: Final = timedelta(days=3650)


class Number(click.FloatRange):
    """A number of a range. ``nan`` lies in none, and click lets it pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """As of click."""
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail("nan is no number.", param, ctx)
        return number


def parse_duration(text: str) -> timedelta:
    """Read ``10s``, ``5m``, ``1h30m``, ``2d``: whole seconds, at most ten years. Raises ``ValueError``."""
    if not _DURATION.fullmatch(text) or len(text) > 40:
        raise ValueError(f"{text!r} is no duration: 10s, 5m, 1h, 1h30m or 2d is expected")
    seconds = sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if seconds > _LONGEST.total_seconds():
        raise ValueError(f"{text!r} is too long: at most {_LONGEST.days} days")
    return timedelta(seconds=seconds)


def parse_start(text: str, now: datetime) -> datetime:
    """Read when something starts: ``+30s`` from ``now``, or a date and time with zone. Raises ``ValueError``."""
    text = text.removeprefix("start=")
    if text.startswith("+"):
        return now + parse_duration(text[1:])
    try:
        start = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no start: +30s or 2030-01-31T17:00:00Z is expected") from None
    if start.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone: add Z for UTC, or an offset such as +01:00")
    return start.astimezone(UTC)


def parse_moment(text: str, now: datetime) -> datetime:
    """Read a time in the past or present: ``24h`` ago, a date (UTC), or a date and time with zone. Raises
    ``ValueError``.
    """
    if _DURATION.fullmatch(text):
        return now - parse_duration(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time: 24h (ago), 2030-01-31 or 2030-01-31T17:00:00Z is expected") from None
    if len(text) == len("2030-01-31"):
        return found.replace(tzinfo=UTC)
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone: add Z for UTC, or an offset such as +01:00")
    return found.astimezone(UTC)


def moment(text: str) -> datetime:
    """The same, by the clock of this machine. Raises ``ValueError``."""
    return parse_moment(text, datetime.now(UTC))


class From(StrEnum):
    """Where the values of a report come from."""

    SIMULATION = ""
    CONSTANT = "constant"
    LINES = "-"
    """Lines of standard input."""
    FILE = "@"
    """A CSV file of times and values."""
    COMMAND = "!"
    """What a command prints."""


@attrs.frozen(kw_only=True)
class ReportOption:
    """``RESOURCE:MEASUREMENT[/UNIT]:INTERVAL[:VALUE]``; ``argument`` is what belongs to the source."""

    resource: str
    measurement: str
    interval: timedelta
    unit: str | None = None
    source: From = From.SIMULATION
    argument: str = ""

    @property
    def value(self) -> float:
        """The constant value."""
        return float(self.argument)


@attrs.frozen(kw_only=True)
class EventOption:
    """``SIGNAL:TYPE:START:VALUExDURATION,…``; ``start`` stays text until the clock is read."""

    signal_name: str
    signal_type: str
    start: str
    intervals: tuple[tuple[timedelta, float], ...]


def parse_report(text: str) -> ReportOption:
    """Read a report option. Raises ``ValueError``."""
    parts = text.split(":", 3)
    if len(parts) < 3 or not all(parts):
        raise ValueError(
            f"{text!r}: RESOURCE:MEASUREMENT:INTERVAL or RESOURCE:MEASUREMENT:INTERVAL:VALUE is expected, "
            "for instance device001:voltage:10s"
        )
    interval = parse_duration(parts[2])
    if interval < timedelta(seconds=1):
        raise ValueError(f"{text!r}: an interval of at least 1s is expected, not {parts[2]!r}")
    measurement, _, unit = parts[1].partition("/")
    source, argument = _source(parts[3]) if len(parts) == 4 else (From.SIMULATION, "")
    return ReportOption(
        resource=parts[0],
        measurement=measurement,
        unit=unit or None,
        interval=interval,
        source=source,
        argument=argument,
    )


def _source(value: str) -> tuple[From, str]:
    if value == From.LINES:
        return From.LINES, ""
    for source in (From.FILE, From.COMMAND):
        if value.startswith(source):
            if len(value) == 1:
                raise ValueError(f"{value!r}: a file is expected behind @, a command behind !")
            return source, value[1:]
    _number(value, "value")
    return From.CONSTANT, value


def parse_event(text: str) -> EventOption:
    """Read an event option. Raises ``ValueError``."""
    head, _, tail = text.rpartition(":")
    parts = head.split(":", 2)
    if len(parts) != 3 or not all(parts) or not tail:
        raise ValueError(
            f"{text!r}: SIGNAL:TYPE:START:VALUExDURATION,… is expected, "
            "for instance ELECTRICITY_PRICE:price:+30s:0.10x5m,0.25x5m,0.12x5m"
        )
    checked_start(parts[2])
    return EventOption(
        signal_name=parts[0],
        signal_type=parts[1],
        start=parts[2],
        intervals=parse_intervals(tail),
    )


def parse_intervals(text: str) -> tuple[tuple[timedelta, float], ...]:
    """Read ``VALUExDURATION,…``. Raises ``ValueError``."""
    return tuple(_interval(interval) for interval in text.split(","))


def parse_target(text: str) -> tuple[str, str]:
    """Read ``KIND=ID``. Raises ``ValueError``."""
    kind, equals, identifier = text.partition("=")
    if not (kind and equals and identifier):
        raise ValueError(f"{text!r}: KIND=ID is expected, for instance resource_id=heater")
    return kind.replace("-", "_"), identifier


def checked_start(text: str) -> str:
    """A start that can be read; it stays text until the clock counts. Raises ``ValueError``."""
    parse_start(text, datetime.now(UTC))
    return text


def _interval(text: str) -> tuple[timedelta, float]:
    value, x, duration = text.strip().rpartition("x")
    if not x:
        raise ValueError(f"{text!r}: VALUExDURATION is expected, for instance 0.25x5m")
    return parse_duration(duration), _number(value, "value")


def _number(text: str, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number, and a {what} is one") from None
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError(f"{text!r}: a finite number is expected")
    return number


_RULE_LENGTHS: Final = {
    "granularity": "granularity",
    "back": "report_back_duration",
    "duration": "duration",
    "history": "history",
}
_RULE_PATTERNS: Final = {
    "report": "report_name",
    "specifier": "report_specifier_id",
    "r-id": "r_id",
    "type": "report_type",
    "reading": "reading_type",
    "unit": "unit",
    "resource": "resource_id",
    "program": "market_context",
    "ven": "ven_id",
    "name": "ven_name",
}
_RULE_KINDS: Final = {
    "periodic": "periodic",
    "on-change": "on change",
    "once": "once",
    "history": "history",
    "nothing": "nothing",
}


def parse_rule(text: str) -> dict[str, Any]:
    """Read ``KIND[,FIELD=VALUE…]``: the fields of a :class:`~oadr_core.vtn.ReportRule`. Raises ``ValueError``."""
    kind, *settings = text.split(",")
    if kind not in _RULE_KINDS:
        names = ", ".join(_RULE_KINDS)
        raise ValueError(f"{text!r}: one of {names} is expected first, for instance periodic,unit=powerReal")
    found: dict[str, Any] = {"ask": _RULE_KINDS[kind]}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if name in _RULE_LENGTHS and equals:
            found[_RULE_LENGTHS[name]] = parse_period(value)
        elif name in _RULE_PATTERNS and value:
            found[_RULE_PATTERNS[name]] = value
        else:
            known = ", ".join((*_RULE_PATTERNS, *_RULE_LENGTHS))
            raise ValueError(f"{setting!r}: FIELD=VALUE is expected, with one of {known}")
    return found


def rule_text(rule: Mapping[str, Any]) -> str:
    """A rule, with its durations in seconds, as :func:`parse_rule` reads it."""
    words = [next(word for word, kind in _RULE_KINDS.items() if kind == rule["ask"])]
    words += [f"{word}={rule[name]}" for word, name in _RULE_PATTERNS.items() if name in rule]
    words += [f"{word}={_period_text(int(rule[name]))}" for word, name in _RULE_LENGTHS.items() if name in rule]
    return ",".join(words)


def _period_text(seconds: int) -> str:
    unit, length = max(((unit, length) for unit, length in _UNITS.items() if not seconds % length), key=itemgetter(1))
    return f"{seconds // length}{unit}"


def option(parse: Callable[[str], _T]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """The callback of an option, perhaps a repeated one, whose text ``parse`` reads."""

    def callback(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        try:
            if isinstance(value, tuple):
                return tuple(parse(text) for text in value)
            return None if value is None else parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error), context, parameter) from None

    return callback


def parse_period(text: str) -> timedelta:
    """A duration of at least one second. Raises ``ValueError``."""
    found = parse_duration(text)
    if not found:
        raise ValueError(f"{text!r} is too short: at least 1s is expected")
    return found
