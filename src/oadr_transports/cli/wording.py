"""A message in words: facts and tables that say what it says.

It stands alone because it decides what is told, from the declarations of the model, and draws nothing: whatever a
message has is told, and what people ask for first (events, reports) has a table of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import attrs

from oadr_core.model import (
    CanceledOpt,
    CanceledPartyRegistration,
    CanceledReport,
    CancelOpt,
    CancelPartyRegistration,
    CancelReport,
    CreatedEvent,
    CreatedOpt,
    CreatedPartyRegistration,
    CreatedReport,
    CreateOpt,
    CreatePartyRegistration,
    CreateReport,
    DistributeEvent,
    Duration,
    EiActivePeriod,
    EiCreatedEvent,
    EiEvent,
    EiEventBaseline,
    EiEventSignal,
    EiRequestEvent,
    EiResponse,
    EiTarget,
    EventDescriptor,
    EventResponse,
    Payload,
    Poll,
    Properties,
    QualifiedEventID,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    Report,
    RequestEvent,
    RequestReregistration,
    Response,
    SpecifierPayload,
    UpdatedReport,
    UpdateReport,
)
from oadr_core.model.declare import fields_of
from oadr_core.model.units import ITEM_BASE

from .describe import Row, duration_text, event_rows, readings, rows, signal_title, target_text, unit
from .say import clean, local, number, utc

SENTENCES: Final[dict[type[Payload], str]] = {
    CancelOpt: "the VEN takes an opt back",
    CancelPartyRegistration: "a party ends the registration",
    CancelReport: "reports are not wanted any more",
    CanceledOpt: "the VTN confirms that an opt is taken back",
    CanceledPartyRegistration: "the registration is ended",
    CanceledReport: "reports will not be sent any more",
    CreateOpt: "the VEN says when it takes part, or opts in or out of an event",
    CreatePartyRegistration: "a VEN registers",
    CreateReport: "reports are requested",
    CreatedEvent: "the VEN answers events",
    CreatedOpt: "the VTN has taken an opt",
    CreatedPartyRegistration: "the VTN answers a query or a registration",
    CreatedReport: "a request for reports is accepted",
    DistributeEvent: "the VTN distributes events",
    Poll: "a VEN asks whether there is anything for it",
    QueryRegistration: "a VEN asks what the VTN offers",
    RegisterReport: "a party says which reports it can give",
    RegisteredReport: "an offer of reports is taken",
    RequestEvent: "a VEN asks for all its events",
    RequestReregistration: "the VTN wants the VEN to register again",
    Response: "a message is acknowledged",
    UpdateReport: "report values are delivered",
    UpdatedReport: "report values are taken",
}
"""What each message is for."""
_TRANSPARENT: Final = (EiActivePeriod, EiCreatedEvent, EiRequestEvent, EventDescriptor)
"""Parts whose fields stand for themselves."""
_UNITS: Final = tuple(kind for _, kind in ITEM_BASE.alternatives if isinstance(kind, type))
_INTERVALS: Final = ("#", "start (UTC)", "start (local)", "duration")


@attrs.frozen
class Fact:
    """A name and what is said of it; ``depth`` is how far it is moved in."""

    name: str
    text: str
    depth: int = 0


@attrs.frozen
class Grid:
    """A table; all texts are clean."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    depth: int = 0


Block = Fact | Grid


def headline(payload: Payload) -> str:
    """The name of the message and what it is for."""
    return f"{type(payload).__element__.partition(':')[2]}: {SENTENCES[type(payload)]}"


def blocks(payload: Payload) -> Iterator[Block]:
    """All that the message says, in its order."""
    yield from _fields(payload, 0)


def _fields(value: Any, depth: int, *, without: tuple[str, ...] = ()) -> Iterator[Block]:
    for spec in fields_of(type(value)):
        found = getattr(value, spec.name)
        if spec.name not in without and spec.name != "schema_version" and found not in (None, ""):
            yield from _block(_label(spec.name), found, depth)


_WORDS: Final = {"oadr": "", "ei": "", "id": "ID", "ven": "VEN", "vtn": "VTN", "dtstart": "start", "freq": "frequency"}
"""Parts of field names that people read otherwise."""


def _label(name: str) -> str:
    words = (_WORDS.get(word, word) for word in name.removeprefix("x_ei_").split("_"))
    return " ".join(filter(None, words))


def _block(label: str, value: Any, depth: int) -> Iterator[Block]:
    if isinstance(value, tuple):
        yield from _several(label, value, depth)
        return
    kind = type(value)
    if kind in _SPECIAL:
        yield from _SPECIAL[kind](label, value, depth)
    elif kind in _TRANSPARENT:
        yield from _fields(value, depth)
    elif attrs.has(kind):
        yield Fact(label, "", depth)
        yield from _fields(value, depth + 1)
    else:
        yield Fact(label, _scalar(value), depth)


def _several(label: str, values: tuple[Any, ...], depth: int) -> Iterator[Block]:
    if not values:
        return
    if isinstance(values[0], SpecifierPayload):
        yield from _asked(label, values, depth)
        return
    if not any(attrs.has(type(value)) for value in values):
        yield Fact(label, ", ".join(_scalar(value) for value in values), depth)
        return
    for index, value in enumerate(values, 1):
        yield from _block(f"{label} {index}" if len(values) > 1 else label, value, depth)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, StrEnum | str):
        return clean(value)
    return number(value)


def instant(at: datetime) -> str:
    """An instant in both clocks."""
    return f"{utc(at)} ({local(at)} local)"


# --- what has a form of its own -------------------------------------------------------------------------------------


def _response(label: str, value: EiResponse, depth: int) -> Iterator[Block]:
    text = value.response_code + ("" if value.ok else ", an error")
    if value.response_description:
        text += f", {clean(value.response_description)}"
    yield Fact(label, f"{text}, to request {clean(value.request_id)}" if value.request_id else text, depth)


def _target(label: str, value: EiTarget, depth: int) -> Iterator[Block]:
    text = target_text(value)
    if text:
        yield Fact(label, text, depth)


def _unit(label: str, value: Any, depth: int) -> Iterator[Block]:
    yield Fact("unit", unit(value), depth)


def _duration(label: str, value: Duration, depth: int) -> Iterator[Block]:
    yield Fact(label, duration_text(value), depth)


def _properties(label: str, value: Properties, depth: int) -> Iterator[Block]:
    """R47, R210, R325: a period of no length has no end."""
    yield Fact("start", instant(value.dtstart), depth)
    yield Fact("duration", duration_text(value.duration, "without end"), depth)
    yield from _fields(value, depth, without=("dtstart", "duration"))


def _qualified(label: str, value: QualifiedEventID, depth: int) -> Iterator[Block]:
    yield Fact("event", f"{clean(value.event_id)}, modification {value.modification_number}", depth)


def _answer(label: str, value: EventResponse, depth: int) -> Iterator[Block]:
    event = value.qualified_event_id
    text = f"{value.opt_type} to event {clean(event.event_id)}, modification {event.modification_number}"
    description = f" {clean(value.response_description)}" if value.response_description else ""
    yield Fact("answer", f"{text}; {value.response_code}{description}, to request {clean(value.request_id)}", depth)


def _asked(label: str, value: tuple[SpecifierPayload, ...], depth: int) -> Iterator[Block]:
    yield Fact("data points", ", ".join(clean(point.r_id) for point in value), depth)


def _event(label: str, value: EiEvent, depth: int) -> Iterator[Block]:
    yield from _fields(value, depth, without=("ei_event_signals",))
    start = value.ei_active_period.properties.dtstart
    for signal, found in event_rows(value):
        yield _signal(signal, found, depth)
    if value.ei_event_signals.ei_event_baseline is not None:
        yield _baseline(value.ei_event_signals.ei_event_baseline, depth)
    if value.ei_active_period.properties.duration:
        yield Fact("ends", _end(start, value.ei_active_period.properties.duration), depth)


def _intervals(title: str, found: Iterable[Row], depth: int) -> Grid:
    texts = [(str(n), utc(row.start), local(row.start), row.length, row.value) for n, row in enumerate(found)]
    return Grid(title, (*_INTERVALS, "value"), tuple(texts), depth)


def _baseline(baseline: EiEventBaseline, depth: int) -> Grid:
    title = f"baseline {clean(baseline.baseline_id)}: {clean(baseline.baseline_name)}"
    if baseline.item_base is not None:
        title += f" in {unit(baseline.item_base)}"
    if baseline.resource_id:
        title += f", for resource {', '.join(map(clean, baseline.resource_id))}"
    title += f", {duration_text(baseline.duration)}"
    return _intervals(title, rows(baseline.intervals, baseline.dtstart), depth)


def _signal(signal: EiEventSignal, found: Iterable[Row], depth: int) -> Grid:
    title = f"signal {clean(signal.signal_id)}: {signal_title(signal)}"
    if signal.current_value is not None:
        title += f", now {number(signal.current_value)}"
    if signal.ei_target is not None and target_text(signal.ei_target):
        title += f", for {target_text(signal.ei_target)}"
    return _intervals(title, found, depth)


def _end(start: datetime, duration: Duration) -> str:
    try:
        return instant(duration.after(start))
    except OverflowError:
        return "beyond the calendar"


def _report(label: str, value: Report, depth: int) -> Iterator[Block]:
    name = clean(value.report_name) if value.report_name else ""
    yield Fact(label, f"{name} {clean(value.report_specifier_id)}".strip(), depth)
    yield from _fields(
        value, depth + 1, without=("report_name", "report_specifier_id", "intervals", "oadr_report_description")
    )
    if value.oadr_report_description:
        yield _descriptions(value, depth + 1)
    if value.intervals:
        yield _values(value, depth + 1)


def _descriptions(report: Report, depth: int) -> Grid:
    rows = []
    for point in report.oadr_report_description:
        rate = point.oadr_sampling_rate
        period = ""
        if rate is not None:
            shortest, longest = duration_text(rate.oadr_min_period), duration_text(rate.oadr_max_period)
            period = shortest if shortest == longest else f"{shortest} to {longest}"
        sources = (target_text(point.report_data_source), target_text(point.report_subject))
        rows.append(
            (
                clean(point.r_id),
                clean(point.report_type),
                unit(point.item_base),
                clean(point.reading_type),
                period,
                "; ".join(filter(None, sources)),
            )
        )
    return Grid("data points", ("rID", "type", "unit", "reading", "every", "of"), tuple(rows), depth)


def _values(report: Report, depth: int) -> Grid:
    found = list(readings(report))
    timed = report.dtstart is not None or any(interval.dtstart for interval in report.intervals)
    trust = [name for name in ("accuracy", "confidence", "quality") if any(getattr(item, name) for item in found)]
    texts = [
        (
            reading.r_id,
            *((utc(reading.row.start), local(reading.row.start)) if timed else ("-", "-")),
            duration_text(reading.row.duration),
            reading.row.value,
            *(getattr(reading, name) for name in trust),
        )
        for reading in found
    ]
    return Grid("values", ("rID", *_INTERVALS[1:], "value", *trust), tuple(texts), depth)


_SPECIAL: Final[dict[type, Callable[[str, Any, int], Iterator[Block]]]] = {
    EiResponse: _response,
    EiTarget: _target,
    EiEvent: _event,
    Report: _report,
    Duration: _duration,
    Properties: _properties,
    EventResponse: _answer,
    QualifiedEventID: _qualified,
    **dict.fromkeys(_UNITS, _unit),
}
"""What is not told field by field."""
