"""The kinds of values that options take: durations, reports, events.

It stands alone because these are small languages of their own, and are tested as such.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import attrs
import click

_T = TypeVar("_T")

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION: Final = re.compile(r"(?:\d+[smhd])+", re.ASCII)
_PART: Final = re.compile(r"(\d+)([smhd])", re.ASCII)
_LONGEST: Final = timedelta(days=3650)


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


@attrs.frozen(kw_only=True)
class ReportOption:
    """``RESOURCE:MEASUREMENT:INTERVAL[:VALUE]``; ``value`` ``None`` means a simulated one."""

    resource: str
    measurement: str
    interval: timedelta
    value: float | None = None


@attrs.frozen(kw_only=True)
class EventOption:
    """``SIGNAL:TYPE:START:VALUExDURATION,…``; ``start`` stays text until the clock is read."""

    signal_name: str
    signal_type: str
    start: str
    intervals: tuple[tuple[timedelta, float], ...]


def parse_report(text: str) -> ReportOption:
    """Read a report option. Raises ``ValueError``."""
    parts = text.split(":")
    if len(parts) not in (3, 4) or not all(parts):
        raise ValueError(
            f"{text!r}: RESOURCE:MEASUREMENT:INTERVAL or RESOURCE:MEASUREMENT:INTERVAL:VALUE is expected, "
            "for instance device001:voltage:10s"
        )
    interval = parse_duration(parts[2])
    if interval < timedelta(seconds=1):
        raise ValueError(f"{text!r}: an interval of at least 1s is expected, not {parts[2]!r}")
    value = _number(parts[3], "value") if len(parts) == 4 else None
    return ReportOption(resource=parts[0], measurement=parts[1], interval=interval, value=value)


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
