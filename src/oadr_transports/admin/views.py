"""What the admin API shows: events, VENs and notifications as plain JSON values.

It stands alone because it is the form that others rely on; how the VTN keeps these things may change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from oadr_core.engine import Notification, Now, starts
from oadr_core.engine.statejson import plain
from oadr_core.model import EiEventSignal, EiTarget, Report, SignalPayload
from oadr_core.model.declare import fields_of
from oadr_core.vtn import Delivery, EventEntry, OptSchedule, VenState
from oadr_core.vtn.render import value_at
from oadr_core.wire.jsonform import part_to_json
from oadr_transports.value_views import instant, offer_view, unit_view
from oadr_transports.vtn import Vtn

Json = dict[str, Any]


def event_view(vtn: Vtn, entry: EventEntry, now: Now, *, whole: bool = False) -> Json:
    """One event; ``whole``: with its intervals, and what each VEN knows of it and has said."""
    found = entry_view(entry, now, whole=whole)
    if whole:
        deliveries = [_delivery(vtn, ven, entry) for ven in _meant(vtn, entry)]
        found["opts"] = dict(Counter(one["opt"] or "none" for one in deliveries))
        found["deliveries"] = deliveries
        found["event"] = part_to_json(entry.event)
    return found


def entry_view(entry: EventEntry, now: Now, *, whole: bool = False) -> Json:
    """What the VTN itself knows of an event; ``whole``: with the intervals of its signals."""
    event, times = entry.event, entry.timeline
    descriptor = event.event_descriptor
    return {
        "event_id": entry.event_id,
        "modification_number": entry.modification_number,
        "status": str(entry.status_at(now.wall)),
        "start": instant(times.start),
        "end": times.end and instant(times.end),
        "start_after_s": times.window.total_seconds(),
        "ramp_up": instant(times.ramp_up),
        "market_context": descriptor.market_context,
        "priority": descriptor.priority,
        "test_event": descriptor.test_event not in (None, "false"),
        "comment": descriptor.vtn_comment,
        "response_required": str(entry.response_required),
        "ven_ids": None if entry.ven_ids is None else list(entry.ven_ids),
        "targets": target_view(event.ei_target),
        "signals": [_signal(signal, entry, now, whole=whole) for signal in event.ei_event_signals.ei_event_signal],
    }


def _meant(vtn: Vtn, entry: EventEntry) -> Iterable[VenState]:
    if entry.ven_ids is None:
        return vtn.vens.values()
    return (vtn.vens[ven_id] for ven_id in entry.ven_ids if ven_id in vtn.vens)


def _signal(signal: EiEventSignal, entry: EventEntry, now: Now, *, whole: bool) -> Json:
    active = entry.status_at(now.wall) == "active"
    found: Json = {
        "signal_id": signal.signal_id,
        "name": str(signal.signal_name),
        "type": str(signal.signal_type),
        "unit": None if signal.item_base is None else type(signal.item_base).__name__,
        "item_units": unit_view(signal.item_base)["unit"],
        "value_now": value_at(signal, entry.timeline.start, now.wall) if active else None,
    }
    if whole:
        found["intervals"] = [
            {
                "start": instant(begin),
                "duration": str(interval.duration),
                "value": payload.payload_base if isinstance(payload, SignalPayload) else None,
            }
            for begin, interval in starts(signal.intervals, entry.timeline.start)
            for payload in interval.stream_payload_base[:1]
        ]
    return found


def _delivery(vtn: Vtn, ven: VenState, entry: EventEntry) -> Json:
    delivery = ven.deliveries.get(entry.event_id, Delivery())
    return {
        "ven_id": ven.ven_id,
        "ven_name": ven.ven_name,
        "state": str(delivery.stage(entry.modification_number)),
        "modification_number": None if delivery.modification_number < 0 else delivery.modification_number,
        "opt": delivery.opt_type and str(delivery.opt_type),
        "opt_id": delivery.opt_id,
        "response_code": delivery.response_code or None,
        "parts": [{"targets": target_view(target), "opt": str(opt)} for target, opt in delivery.partial],
    }


def ven_view(ven: VenState, *, whole: bool = False) -> Json:
    """One VEN; ``whole``: with what it offers, what waits for it, and its schedules."""
    found: Json = {
        "ven_id": ven.ven_id,
        "ven_name": ven.ven_name,
        "registration_id": ven.registration_id,
        "profile": str(ven.profile),
        "transport": "push" if ven.push_address else "pull",
        "push_address": ven.push_address,
        "report_only": ven.report_only,
        "xml_signature": ven.xml_signature,
        "fingerprint": ven.fingerprint,
        "registered_at": instant(ven.registered_at),
        "last_seen": instant(ven.last_seen),
        "waiting": [mail.payload.__element__.removeprefix("oadr:") for mail in ven.mailbox],
        "schedules": len(ven.schedules),
    }
    if whole:
        found["reports"] = [_offered(report) for report in ven.reports]
        found["report_requests"] = [
            {
                "report_request_id": one,
                "report_specifier_id": requested.request.report_specifier.report_specifier_id,
                "confirmed": requested.confirmed,
            }
            for one, requested in ven.requests.items()
            if not requested.stopped
        ]
        found["schedules"] = [_schedule(schedule) for schedule in ven.schedules]
    return found


def _offered(report: Report) -> Json:
    found = offer_view(report)
    return {**found, "r_ids": [point["r_id"] for point in found["data_points"]]}


def _schedule(schedule: OptSchedule) -> Json:
    return {
        "opt_id": schedule.opt_id,
        "opt": str(schedule.opt_type),
        "reason": str(schedule.opt_reason),
        "market_context": schedule.market_context,
        "targets": target_view(schedule.target),
        "device_class": None if schedule.device_class is None else target_view(schedule.device_class),
        "created": instant(schedule.created_date_time),
        "superseded": schedule.superseded,
        "periods": [
            {"start": instant(period.dtstart), "duration": str(period.duration)} for period in schedule.availability
        ],
    }


def note_view(note: Notification, at: datetime) -> Json:
    """One notification: its kind is the name of its class."""
    return {"time": instant(at), "kind": type(note).__name__, **plain(note)}


def target_view(target: EiTarget) -> Json:
    """A target as lists by kind; empty kinds are left out."""
    found = part_to_json(target)
    return {spec.name: found[spec.name] for spec in fields_of(EiTarget) if found.get(spec.name)}
