"""An event as the dict that ``on_event`` handlers get.

It stands alone because the shape is given by the documentation of the client, and by nothing in the protocol:
wrapper elements are gone, starts of intervals are absolute, and targets come in two forms.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from oadr_core.engine import starts
from oadr_core.model import (
    Duration,
    EiActivePeriod,
    EiEventBaseline,
    EiEventSignal,
    EiTarget,
    Event,
    EventDescriptor,
    FeatureCollection,
    Interval,
    ItemBase,
    SignalPayload,
    TransportInterface,
)
from oadr_core.model.declare import fields_of
from oadr_core.model.units import ITEM_BASE

_MEASUREMENT_NAMES: Final = {kind: path.partition(":")[2] for path, kind in ITEM_BASE.alternatives}


class EventDict(dict[str, Any]):
    """The dict of an event; ``typed`` is the frozen object that it was made of."""

    def __init__(self, typed: Event, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.typed = typed


def event_dict(event: Event) -> EventDict:
    """Make the dict of an event: see the documentation for its keys."""
    body = event.ei_event
    targets = target_list(body.ei_target)
    start = body.ei_active_period.properties.dtstart
    signals = body.ei_event_signals
    found: dict[str, Any] = {
        "event_id": body.event_descriptor.event_id,
        "event_descriptor": _descriptor(body.event_descriptor),
        "active_period": _active_period(body.ei_active_period),
        "event_signals": [_signal(signal, start) for signal in signals.ei_event_signal],
        "targets": targets,
        "target": targets,
        "targets_by_type": targets_by_type(targets),
        "response_required": str(event.oadr_response_required),
    }
    if signals.ei_event_baseline is not None:
        found["event_baseline"] = _baseline(signals.ei_event_baseline)
    return EventDict(event, found)


def target_list(target: EiTarget | None) -> list[dict[str, Any]]:
    """A target as a list of one-key dicts."""
    if target is None:
        return []
    return [
        {field.name: _target_value(value)} for field in fields_of(EiTarget) for value in getattr(target, field.name)
    ]


def targets_by_type(targets: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """The same targets as a dict of lists."""
    found: dict[str, list[Any]] = {}
    for target in targets:
        for name, value in target.items():
            found.setdefault(name, []).append(value)
    return found


def _target_value(value: Any) -> Any:
    if isinstance(value, FeatureCollection):
        return {"pos_list": value.polygon.pos_list}
    if isinstance(value, TransportInterface):
        return {"point_of_receipt": value.point_of_receipt, "point_of_delivery": value.point_of_delivery}
    return value


def _descriptor(descriptor: EventDescriptor) -> dict[str, Any]:
    text = (descriptor.test_event or "").strip()
    return {
        "event_id": descriptor.event_id,
        "modification_number": descriptor.modification_number,
        "modification_date_time": descriptor.modification_date_time,
        "modification_reason": descriptor.modification_reason,
        "priority": descriptor.priority or 0,
        "market_context": descriptor.market_context,
        "created_date_time": descriptor.created_date_time,
        "event_status": str(descriptor.event_status),
        # R6: any text but false is a test; R46: an empty element is none.
        "test_event": text.lower() not in ("", "false"),
        "vtn_comment": descriptor.vtn_comment,
    }


def _active_period(period: EiActivePeriod) -> dict[str, Any]:
    properties = period.properties
    start = properties.dtstart
    found: dict[str, Any] = {"dtstart": start, "duration": span(properties.duration, start)}
    optional = {
        "notification_period": properties.x_ei_notification,
        "ramp_up_period": properties.x_ei_ramp_up,
        "recovery_period": properties.x_ei_recovery,
    }
    for name, duration in optional.items():
        if duration is not None:
            found[name] = span(duration, start)
    if properties.tolerance is not None and properties.tolerance.startafter is not None:
        startafter = span(properties.tolerance.startafter, start)
        found["tolerance"] = {"tolerate": {"startafter": startafter}}
    return found


def _signal(signal: EiEventSignal, start: datetime) -> dict[str, Any]:
    found: dict[str, Any] = {
        "signal_name": str(signal.signal_name),
        "signal_type": str(signal.signal_type),
        "signal_id": signal.signal_id,
        "current_value": signal.current_value,
        "intervals": [_interval(interval, at) for at, interval in starts(signal.intervals, start)],
    }
    if signal.item_base is not None:
        found["measurement"] = measurement_dict(signal.item_base)
    if signal.ei_target is not None:
        targets = target_list(signal.ei_target)
        found["targets"] = targets
        found["targets_by_type"] = targets_by_type(targets)
    return found


def _interval(interval: Interval, start: datetime) -> dict[str, Any]:
    payload = interval.stream_payload_base[0]
    return {
        "dtstart": start,
        "duration": span(interval.duration or Duration(), start),
        "uid": interval.uid,
        "signal_payload": payload.payload_base if isinstance(payload, SignalPayload) else payload,
    }


def _baseline(baseline: EiEventBaseline) -> dict[str, Any]:
    return {
        "baseline_id": baseline.baseline_id,
        "baseline_name": baseline.baseline_name,
        "resource_ids": list(baseline.resource_id),
        "dtstart": baseline.dtstart,
        "duration": span(baseline.duration, baseline.dtstart),
        "intervals": [_interval(interval, at) for at, interval in starts(baseline.intervals, baseline.dtstart)],
        "measurement": None if baseline.item_base is None else measurement_dict(baseline.item_base),
    }


def measurement_dict(unit: ItemBase) -> dict[str, Any]:
    """A unit as a dict of name, description, unit and scale."""
    found: dict[str, Any] = {
        "name": _MEASUREMENT_NAMES[type(unit)],
        "description": str(getattr(unit, "item_description", "")),
        "unit": str(getattr(unit, "item_units", "")),
        "scale": str(getattr(unit, "si_scale_code", "none")),
    }
    power = getattr(unit, "power_attributes", None)
    if power is not None:
        found["power_attributes"] = {"hertz": power.hertz, "voltage": power.voltage, "ac": power.ac}
    if hasattr(unit, "pulse_factor"):
        found["pulse_factor"] = unit.pulse_factor
    return found


def span(duration: Duration, start: datetime) -> timedelta:
    """A duration as a ``timedelta``; months count from ``start``, by the calendar."""
    return duration.after(start) - start if duration.months else duration.timedelta
