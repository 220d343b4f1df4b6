"""Events, targets and units in words: what all commands say about them.

It stands alone because a line of a running VEN, a line of a VTN and an inspected file shall use the same words. Every
text of a peer is cleaned on its way.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import attrs

from oadr_core.engine import starts
from oadr_core.model import (
    Currency,
    CurrencyPerKW,
    CurrencyPerKWh,
    CurrencyPerThm,
    CustomUnit,
    Duration,
    EiEvent,
    EiEventSignal,
    EiTarget,
    GBPayload,
    Interval,
    ItemBase,
    PayloadResourceStatus,
    Report,
    ReportPayload,
    SignalPayload,
)
from oadr_core.model.declare import fields_of

from .say import clean, length, local, number, shorten, utc

LONGEST: Final = 60
"""Characters of a text that are shown in a line."""
_PREFIXES: Final = {"none": "", "micro": "µ"}
_PER: Final[dict[type, str]] = {Currency: "", CurrencyPerKWh: "/kWh", CurrencyPerKW: "/kW", CurrencyPerThm: "/thm"}
_KINDS: Final = {"ven_id": "VEN", "resource_id": "resource", "group_id": "group", "party_id": "party"}
_DEGREES: Final = {"celsius": "°C", "fahrenheit": "°F"}


@attrs.frozen(kw_only=True)
class Row:
    """One interval with its own start (aware) and one value; ``duration`` ``None``: a point in time."""

    start: datetime
    duration: Duration | None
    value: str
    raw: Any

    @property
    def length(self) -> str:
        """The duration for people; zero means open-ended (R47)."""
        return duration_text(self.duration, "without end")

    @property
    def text(self) -> str:
        """One line: UTC, local time, duration, value."""
        return f"{utc(self.start)}  ({local(self.start)} local)  {self.length}  {self.value}"

    @property
    def json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "start": utc(self.start),
            "start_local": local(self.start),
            "duration": None if self.duration is None else str(self.duration),
            "value": self.raw,
        }


def rows(intervals: tuple[Interval, ...], start: datetime) -> Iterator[Row]:
    """The intervals of a signal or baseline that begins at ``start``, each with its own start."""
    for at, interval in starts(intervals, start):
        for payload in interval.stream_payload_base:
            yield Row(start=at, duration=interval.duration or Duration(), value=payload_text(payload), raw=raw(payload))


def event_rows(event: EiEvent) -> Iterator[tuple[EiEventSignal, list[Row]]]:
    """Each signal of an event with its intervals."""
    start = event.ei_active_period.properties.dtstart
    for signal in event.ei_event_signals.ei_event_signal:
        yield signal, list(rows(signal.intervals, start))


def signal_title(signal: EiEventSignal) -> str:
    """Name, type and unit of a signal."""
    title = f"{clean(signal.signal_name)} {signal.signal_type}"
    return f"{title} in {unit(signal.item_base)}" if signal.item_base is not None else title


def payload_text(payload: SignalPayload | ReportPayload | GBPayload) -> str:
    """A value for people."""
    return value_text(payload if isinstance(payload, GBPayload) else payload.payload_base)


def value_text(value: float | PayloadResourceStatus | GBPayload) -> str:
    """A number, the state of a resource or a Green Button feed for people."""
    if isinstance(value, GBPayload):
        return f"Green Button data, {len(value.feed)} characters"
    return status_text(value) if isinstance(value, PayloadResourceStatus) else number(value)


def status_text(status: PayloadResourceStatus) -> str:
    """The state of a resource for people."""
    words = ["online" if status.oadr_online else "offline"]
    if status.oadr_manual_override:
        words.append("manual override")
    words.extend(f"{name} {number(value)}" for name, value in _load_control(status))
    return ", ".join(words)


def _load_control(status: PayloadResourceStatus) -> Iterator[tuple[str, float]]:
    """The quantities of a load controller and what they are now."""
    state = status.oadr_load_control_state
    for spec in fields_of(type(state)) if state is not None else ():
        quantity = getattr(state, spec.name)
        if quantity is not None:
            yield spec.name.removeprefix("oadr_").replace("_", " "), float(quantity.oadr_current)


def raw(payload: SignalPayload | ReportPayload | GBPayload) -> Any:
    """A value for programs."""
    return plain(payload if isinstance(payload, GBPayload) else payload.payload_base)


def plain(value: float | PayloadResourceStatus | GBPayload) -> Any:
    """A number, the state of a resource or a Green Button feed as JSON has it."""
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, GBPayload):
        return value.feed
    return {
        "online": bool(value.oadr_online),
        "manual_override": bool(value.oadr_manual_override),
        "load_control": dict(_load_control(value)),
    }


def unit(item: ItemBase | None) -> str:
    """The sign of a unit with its prefix: ``kW``, ``EUR/kWh``, ``°C``; of a custom unit its description as well."""
    if item is None:
        return ""
    scale = str(getattr(item, "si_scale_code", "none"))
    sign = clean(getattr(item, "item_units", ""))
    sign = _PREFIXES.get(scale, scale) + _DEGREES.get(sign, sign) + _PER.get(type(item), "")
    if isinstance(item, CustomUnit):
        return f"{clean(item.item_description)} ({sign})" if sign else clean(item.item_description)
    return sign or type(item).__name__


def duration_text(duration: Duration | None, zero: str = "0 s") -> str:
    """A duration for people; ``None`` is a point in time, and ``zero`` is said of no length at all.

    Months keep their own form, for their length depends on the date, and so does what is longer than any calendar.
    """
    if duration is None:
        return "at this time"
    if not duration:
        return zero
    try:
        return length(duration.timedelta)
    except (ValueError, OverflowError):
        return shorten(str(duration), LONGEST)


def target_text(target: EiTarget | None) -> str:
    """What a target names, by kind; empty for none."""
    if target is None:
        return ""
    found = []
    for spec in fields_of(EiTarget):
        values = getattr(target, spec.name)
        if values:
            names = (clean(value) if isinstance(value, str) else type(value).__name__ for value in values)
            kind = _KINDS.get(spec.name, spec.name.replace("_", " "))
            found.append(f"{kind} {', '.join(names)}")
    return "; ".join(found)


@attrs.frozen(kw_only=True)
class Reading:
    """One value of a report: of which data point, and how far it is to be trusted; all texts are clean."""

    r_id: str
    row: Row
    quality: str = ""
    accuracy: str = ""
    confidence: str = ""


def readings(report: Report) -> Iterator[Reading]:
    """The values of a report. An interval without a start of its own follows the one before it (R314, R316)."""
    for at, interval in starts(report.intervals, report.dtstart or report.created_date_time):
        for payload in interval.stream_payload_base:
            row = Row(
                start=interval.dtstart or at,
                duration=interval.duration,
                value=payload_text(payload),
                raw=raw(payload),
            )
            if not isinstance(payload, ReportPayload):
                yield Reading(r_id="", row=row)
                continue
            yield Reading(
                r_id=clean(payload.r_id),
                row=row,
                quality=clean(payload.oadr_data_quality or ""),
                accuracy="" if payload.accuracy is None else number(payload.accuracy),
                confidence="" if payload.confidence is None else f"{payload.confidence} %",
            )
