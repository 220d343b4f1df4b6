"""What an event must satisfy before it may be published: the rules that bind the VTN, one function each.

It stands alone because the rules are a table: each is named, tested by its number, and says which field
breaks it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from math import isfinite
from typing import Final

from ..engine.copying import evolve
from ..engine.schedule import later, starts, timeline
from ..errors import LocalError, shown
from ..model import (
    ZERO,
    DistributeEvent,
    Duration,
    EiEvent,
    EiEventSignal,
    EiTarget,
    Event,
    Interval,
    SignalName,
    SignalPayload,
    SignalType,
)
from ..model.declare import EXTENSION
from ..rules.signals import DEVICE_CLASSES, SIGNALS
from ..wire import encode

Fault = tuple[str, str]
"""Where, and what is wrong."""


def complete(event: EiEvent) -> EiEvent:
    """The event with what the book supplies: interval numbers (R2, R101), idle values (R14),
    x-eiNotification (R105), whole seconds (R1).
    """
    properties = event.ei_active_period.properties
    signals = event.ei_event_signals
    baseline = signals.ei_event_baseline
    return evolve(
        event,
        ei_active_period=evolve(
            event.ei_active_period,
            properties=evolve(
                properties,
                dtstart=_whole(properties.dtstart),
                x_ei_notification=ZERO if properties.x_ei_notification is None else properties.x_ei_notification,
            ),
        ),
        ei_event_signals=evolve(
            signals,
            ei_event_signal=tuple(
                evolve(signal, intervals=_numbered(signal.intervals), current_value=idle_value(signal))
                for signal in signals.ei_event_signal
            ),
            ei_event_baseline=baseline and evolve(baseline, intervals=_numbered(baseline.intervals)),
        ),
    )


def idle_value(signal: EiEventSignal) -> float | None:
    """The currentValue of a signal while its event is not active: 0 for SIMPLE (R14), none for others
    (R110).
    """
    return 0.0 if signal.signal_name == SignalName.SIMPLE else None


def check(event: EiEvent) -> None:
    """Refuse an event that breaks a rule.

    Raises :class:`~oadr_core.errors.LocalError`, which names the field and the rule.
    """
    sample = DistributeEvent(request_id="0", vtn_id="0", oadr_event=(Event(ei_event=event),))
    try:
        encode(sample)
    except LocalError as error:
        path = error.path.removeprefix("DistributeEvent/oadr_event[0]/ei_event/")
        raise LocalError(error.text, path=path, rule=error.rule) from None
    for rule, find in CHECKS:
        for path, text in find(event):
            raise LocalError(f"{text} ({rule})", path=path, rule=rule)


def check_past(old: EiEvent, new: EiEvent, wall: datetime) -> None:
    """Refuse a change of what is already past (R20).

    Raises :class:`~oadr_core.errors.LocalError`, which names the field.
    """
    before, after = old.ei_active_period.properties, new.ei_active_period.properties
    if before.dtstart > wall:
        return
    path = "ei_active_period/properties"
    if after.dtstart != before.dtstart:
        raise LocalError("the event has begun and its start cannot change (R20)", path=f"{path}/dtstart", rule="R20")
    signals = {signal.signal_id: signal for signal in new.ei_event_signals.ei_event_signal}
    for signal in old.ei_event_signals.ei_event_signal:
        replaced = signals.get(signal.signal_id)
        path = f"ei_event_signals/ei_event_signal[signal_id={signal.signal_id!r}]"
        if replaced is None:
            raise LocalError("the event has begun and a signal cannot be taken away (R20)", path=path, rule="R20")
        for index, (one, other) in enumerate(_side_by_side(signal, replaced, before.dtstart, wall)):
            if one != other:
                raise LocalError("the past cannot change (R20)", path=f"{path}/intervals[{index}]", rule="R20")


def _side_by_side(
    old: EiEventSignal, new: EiEventSignal, start: datetime, wall: datetime
) -> Iterator[tuple[object, object]]:
    """For each interval that has begun: what of it is past, before and after the change."""
    after = list(starts(new.intervals, start))
    for index, (begin, interval) in enumerate(starts(old.intervals, start)):
        if begin > wall:
            return
        values: list[object] = []
        for at, candidate in ((begin, interval), after[index] if index < len(after) else (None, None)):
            if at is None or candidate is None:
                values.append(None)
                continue
            end = later(at, candidate.duration or ZERO) if candidate.duration else None
            values.append((at, candidate.stream_payload_base, end if end is not None and end <= wall else None))
        yield values[0], values[1]


def _whole(instant: object) -> datetime:
    if not isinstance(instant, datetime) or instant.tzinfo is None:
        path = "ei_active_period/properties/dtstart"
        raise LocalError(f"a datetime with a time zone is expected, not {instant!r}", path=path, rule="R1")
    return instant.replace(microsecond=0) if instant.microsecond else instant


def _numbered(intervals: tuple[Interval, ...]) -> tuple[Interval, ...]:
    if any(interval.uid is not None for interval in intervals):
        return intervals
    return tuple(evolve(interval, uid=str(index)) for index, interval in enumerate(intervals))


# --- the rules, each as the faults it finds -------------------------------------------------------------------------


def _signals(event: EiEvent) -> Iterator[tuple[str, EiEventSignal]]:
    for index, signal in enumerate(event.ei_event_signals.ei_event_signal):
        yield f"ei_event_signals/ei_event_signal[{index}]", signal


def _series(event: EiEvent) -> Iterator[tuple[str, tuple[Interval, ...], datetime, Duration]]:
    """Every sequence of intervals: where, the intervals, and the period that they fill."""
    properties = event.ei_active_period.properties
    for path, signal in _signals(event):
        yield path, signal.intervals, properties.dtstart, properties.duration
    if (baseline := event.ei_event_signals.ei_event_baseline) is not None:
        yield "ei_event_signals/ei_event_baseline", baseline.intervals, baseline.dtstart, baseline.duration


def _uids(event: EiEvent) -> Iterator[Fault]:
    for path, signal in _signals(event):
        yield from _numbering(path, signal.intervals)


def _baseline_uids(event: EiEvent) -> Iterator[Fault]:
    if (baseline := event.ei_event_signals.ei_event_baseline) is not None:
        yield from _numbering("ei_event_signals/ei_event_baseline", baseline.intervals)


def _numbering(path: str, intervals: tuple[Interval, ...]) -> Iterator[Fault]:
    for index, interval in enumerate(intervals):
        if interval.uid != str(index):
            yield f"{path}/intervals[{index}]/uid", f"intervals are numbered 0, 1, 2 …, not {shown(interval.uid)}"


def _durations(event: EiEvent) -> Iterator[Fault]:
    for path, intervals, _, _ in _series(event):
        for index, interval in enumerate(intervals):
            if interval.duration is None:
                yield f"{path}/intervals[{index}]/duration", "an interval has a duration"
            elif _is_negative(interval.duration):
                yield f"{path}/intervals[{index}]/duration", f"{interval.duration} is negative"


def _sums(event: EiEvent) -> Iterator[Fault]:
    for path, intervals, start, duration in _series(event):
        end = start
        for interval in intervals:
            end = later(end, interval.duration or ZERO)
        if end != later(start, duration):
            yield f"{path}/intervals", f"the durations of the intervals do not add up to {duration}"


def _starts(event: EiEvent) -> Iterator[Fault]:
    for path, intervals, _, _ in _series(event):
        for index, interval in enumerate(intervals):
            if interval.dtstart is not None:
                yield f"{path}/intervals[{index}]/dtstart", "an interval of an event has no start of its own"


def _payloads(event: EiEvent) -> Iterator[Fault]:
    for path, intervals, _, _ in _series(event):
        for index, interval in enumerate(intervals):
            where = f"{path}/intervals[{index}]/stream_payload_base"
            payloads = interval.stream_payload_base
            if len(payloads) != 1 or not isinstance(payloads[0], SignalPayload):
                yield where, "exactly one signal payload is expected"
            elif not isinstance(payloads[0].payload_base, int | float) or not isfinite(payloads[0].payload_base):
                yield where, f"a finite number is expected, not {shown(payloads[0].payload_base)}"


def _names(event: EiEvent) -> Iterator[Fault]:
    for path, signal in _signals(event):
        if signal.signal_name.startswith(EXTENSION):
            continue
        types = SIGNALS.get(signal.signal_name)
        if types is None:
            hint = f", but {SignalName.SIMPLE.value}" if signal.signal_name == SignalName.SIMPLE_20A else ""
            yield f"{path}/signal_name", f"{shown(str(signal.signal_name))} is no signal of 2.0b{hint}"
        elif (rule := types.get(signal.signal_type)) is None:
            yield (
                f"{path}/signal_type",
                f"{signal.signal_name} has the types {', '.join(types)}, not {signal.signal_type}",
            )
        elif (type(signal.item_base) not in rule.units) if rule.units else signal.item_base is not None:
            units = " or ".join(unit.__name__ for unit in rule.units) or "no unit"
            got = "none" if signal.item_base is None else type(signal.item_base).__name__
            yield f"{path}/item_base", f"{signal.signal_name} {signal.signal_type} has {units}, not {got}"


def _values(event: EiEvent) -> Iterator[Fault]:
    for path, signal in _signals(event):
        yield from _range(path, signal)


def _range(path: str, signal: EiEventSignal) -> Iterator[Fault]:
    if (rule := SIGNALS.get(signal.signal_name, {}).get(signal.signal_type)) is None:
        return
    for index, interval in enumerate(signal.intervals):
        payload = interval.stream_payload_base[0]
        value = payload.payload_base if isinstance(payload, SignalPayload) else None
        if isinstance(value, int | float) and not rule.allows(value):
            yield f"{path}/intervals[{index}]", f"{signal.signal_name} takes {rule.values}, not {value:g}"


def _simple_values(event: EiEvent) -> Iterator[Fault]:
    for path, signal in _signals(event):
        if signal.signal_name == SignalName.SIMPLE:
            yield from _range(path, signal)


def _simple_type(event: EiEvent) -> Iterator[Fault]:
    for path, signal in _signals(event):
        if signal.signal_name == SignalName.SIMPLE and signal.signal_type is not SignalType.LEVEL:
            yield f"{path}/signal_type", f"SIMPLE has the type level, not {signal.signal_type}"


def _signal_ids(event: EiEvent) -> Iterator[Fault]:
    seen: set[str] = set()
    for path, signal in _signals(event):
        if signal.signal_id in seen:
            yield f"{path}/signal_id", f"{shown(signal.signal_id)} stands twice in the event"
        seen.add(signal.signal_id)


def _device_classes(event: EiEvent) -> Iterator[Fault]:
    for path, signal in _signals(event):
        target = signal.ei_target
        if target is None:
            continue
        if not target.end_device_asset or evolve(target, end_device_asset=()) != EiTarget():
            yield f"{path}/ei_target", "the target of a signal has device classes, and nothing else"
        for device_class in target.end_device_asset:
            if device_class not in DEVICE_CLASSES and not device_class.startswith(EXTENSION):
                yield f"{path}/ei_target/end_device_asset", f"{shown(device_class)} is no device class, and no x- name"


def _notification(event: EiEvent) -> Iterator[Fault]:
    if event.ei_active_period.properties.x_ei_notification is None:
        yield "ei_active_period/properties/x_ei_notification", "the notification period is missing"


def _one_ven(event: EiEvent) -> Iterator[Fault]:
    if len(event.ei_target.ven_id) > 1:
        yield "ei_target/ven_id", "at most one venID; publish for several VENs with ven_ids"


def _lengths(event: EiEvent) -> Iterator[Fault]:
    properties = event.ei_active_period.properties
    startafter = properties.tolerance.startafter if properties.tolerance else None
    for name, duration in (
        ("duration", properties.duration),
        ("tolerance/startafter", startafter),
        ("x_ei_notification", properties.x_ei_notification),
    ):
        if duration is not None and _is_negative(duration):
            yield f"ei_active_period/properties/{name}", f"{duration} is negative"


def _market_context(event: EiEvent) -> Iterator[Fault]:
    if not event.event_descriptor.market_context:
        yield "event_descriptor/market_context", "an event belongs to a program"


def _is_negative(duration: Duration) -> bool:
    return duration.months < 0 or duration.seconds < 0


CHECKS: Final[tuple[tuple[str, Callable[[EiEvent], Iterator[Fault]]], ...]] = (
    ("EI:337", _market_context),
    ("R31", _lengths),
    ("R105", _notification),
    ("R63", _one_ven),
    ("R107", _signal_ids),
    ("R2", _uids),
    ("R101", _baseline_uids),
    ("R102", _durations),
    ("R103", _starts),
    ("R8", _sums),
    ("R100", _payloads),
    ("R116", _simple_type),
    ("R104", _names),
    ("R9", _simple_values),
    ("R104", _values),
    ("R111", _device_classes),
)
"""Every rule with the function that finds its faults, in the order in which they are told."""


def check_times(event: EiEvent, wall: datetime) -> None:
    """Refuse an event that is over before anybody can get it."""
    end = timeline(event).end
    if end is not None and end <= wall:
        late = (wall - end) // timedelta(seconds=1)
        raise LocalError(f"the event was over {late} s ago", path="ei_active_period/properties/dtstart")
