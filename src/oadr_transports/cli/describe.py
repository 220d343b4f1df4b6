"""Events, targets and units in words: what all commands say about them.

It stands alone because a line of a running VEN, a line of a VTN and an inspected file shall use the same words. Every text
of a peer is cleaned on its way.
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
    ReportPayload,
    SignalPayload,
)
from oadr_core.model.declare import fields_of

from .say import clean, length, local, number, utc

_PREFIXES: Final = {"none": "", "micro": "µ"}
_PER: Final[dict[type, str]] = {Currency: "", CurrencyPerKWh: "/kWh", CurrencyPerKW: "/kW", CurrencyPerThm: "/thm"}
_DEGREES: Final = {"celsius": "°C", "fahrenheit": "°F"}


@attrs.frozen(kw_only=True)
class Row:
    """One interval with its own start (aware) and one value; ``duration`` ``None``: a point in time."""

    start: datetime
    duration: Duration | None
    value: str
    raw: Any

    @property
    def text(self) -> str:
        """One line: UTC, local time, duration, value."""
        return f"{utc(self.start)}  ({local(self.start)} local)  {duration_text(self.duration)}  {self.value}"

    @property
    def json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "start": utc(self.start),
            "start_local": local(self.start),
            "duration": None if self.duration is None else str(self.duration),
            "value": self.raw,
        }


def rows(signal: EiEventSignal, start: datetime) -> Iterator[Row]:
    """The intervals of a signal that begins at ``start``, each with its own start."""
    for at, interval in starts(signal.intervals, start):
        for payload in interval.stream_payload_base:
            yield Row(start=at, duration=interval.duration or Duration(), value=payload_text(payload), raw=raw(payload))


def event_rows(event: EiEvent) -> Iterator[tuple[EiEventSignal, list[Row]]]:
    """Each signal of an event with its intervals."""
    start = event.ei_active_period.properties.dtstart
    for signal in event.ei_event_signals.ei_event_signal:
        yield signal, list(rows(signal, start))


def signal_title(signal: EiEventSignal) -> str:
    """Name, type and unit of a signal."""
    title = f"{clean(signal.signal_name)} {signal.signal_type}"
    return f"{title} in {unit(signal.item_base)}" if signal.item_base is not None else title


def payload_text(payload: SignalPayload | ReportPayload | GBPayload) -> str:
    """A value for people."""
    if isinstance(payload, GBPayload):
        return f"Green Button data, {len(payload.feed)} characters"
    value = payload.payload_base
    return status_text(value) if isinstance(value, PayloadResourceStatus) else number(value)


def status_text(status: PayloadResourceStatus) -> str:
    """The state of a resource for people."""
    words = ["online" if status.oadr_online else "offline"]
    if status.oadr_manual_override:
        words.append("manual override")
    state = status.oadr_load_control_state
    for spec in fields_of(type(state)) if state is not None else ():
        quantity = getattr(state, spec.name)
        if quantity is not None:
            words.append(f"{spec.name.removeprefix('oadr_').replace('_', ' ')} {number(quantity.oadr_current)}")
    return ", ".join(words)


def raw(payload: SignalPayload | ReportPayload | GBPayload) -> Any:
    """A value for programs."""
    if isinstance(payload, GBPayload):
        return payload.feed
    value = payload.payload_base
    return float(value) if isinstance(value, int | float) else attrs.asdict(value)


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


def duration_text(duration: Duration | None) -> str:
    """A duration for people; months keep their own form, for their length depends on the date."""
    if duration is None:
        return "at this time"
    if not duration:
        return "without end"
    return str(duration) if duration.months else length(duration.timedelta)


def target_text(target: EiTarget | None) -> str:
    """What a target names, by kind; empty for none."""
    if target is None:
        return ""
    found = []
    for spec in fields_of(EiTarget):
        values = getattr(target, spec.name)
        if values:
            names = (clean(value) if isinstance(value, str) else type(value).__name__ for value in values)
            found.append(f"{spec.name.replace('_', ' ')} {', '.join(names)}")
    return "; ".join(found)


def report_values(interval: Interval, start: datetime) -> Iterator[tuple[str, Row, str]]:
    """Each value of an interval of a report: rID, row, quality."""
    for payload in interval.stream_payload_base:
        r_id = clean(payload.r_id) if isinstance(payload, ReportPayload) else ""
        quality = payload.oadr_data_quality if isinstance(payload, ReportPayload) else None
        row = Row(start=start, duration=interval.duration, value=payload_text(payload), raw=raw(payload))
        yield r_id, row, clean(quality) if quality is not None else ""
