"""What a running VTN says: a line for each thing that happens.

It stands alone as a table from notifications to words, for people and for programs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from oadr_core.engine import Notification
from oadr_core.vtn import (
    EventDelivered,
    EventPublished,
    EventsOverlap,
    EventStatusChanged,
    IdentityPolicy,
    OptReceived,
    OptScheduleCancelled,
    OptScheduleReceived,
    ReportReceived,
    ReportRequestConfirmed,
    ReportRequestMade,
    ReportRequestStopped,
    ReportsOffered,
    ReportValue,
    VenRegistered,
    VenReregistered,
    VenUnregistered,
)
from oadr_transports import Vtn

from .describe import event_rows, plain, signal_title, target_text, unit, value_text
from .say import Speaker, clean, utc
from .transcript import message_name

MOST_VALUES: Final = 4
"""Values of a report that are shown to people; the others are counted."""
MOST_IN_JSON: Final = 100
"""Values of a report that programs see here, the last ones; all of them are in the state (oadr vtn report export)."""
_ARROWS: Final = {"received": "<-", "sent": "->"}


class VtnLines:
    """Says what happens to a VTN. Troubles come by the library's log."""

    def __init__(self, speaker: Speaker) -> None:
        self.speaker = speaker

    def started(
        self, url: str, vtn: Vtn, *, admin: str | None = None, open_to_network: bool, kept: bool = False
    ) -> None:
        """The VTN listens; ``admin`` is the contact file of its admin API, ``kept`` whether anything outlives it."""
        self.speaker.say("start", f"VTN listening on {url}; Ctrl-C ends it", url=url, admin=admin)
        for fingerprint in vtn.fingerprints:
            self.speaker.say("start", f"the fingerprint of this VTN is {fingerprint}", fingerprint=fingerprint)
        insecure = vtn.config.identity is IdentityPolicy.INSECURE
        who = "every VEN" if insecure else "every VEN with a certificate"
        where = " from the whole network" if open_to_network and insecure else ""
        how = ", without encryption" if where and url.startswith("http:") else ""
        admission = "" if vtn.config.admitted is not None else f"{who} is accepted{where}{how}"
        loss = "" if kept else "nothing is kept"
        if warning := ", and ".join(each for each in (admission, loss) if each):
            self.speaker.say("warning", f"{warning}: this is for trying things out")

    def stopped(self) -> None:
        """The VTN was told to end."""
        self.speaker.say("start", "stopped")

    def message(self, direction: str, service: str, data: bytes) -> None:
        """A message has passed; the arguments are those of ``Vtn.transcript``."""
        what = message_name(data)
        text = f"{_ARROWS[direction]} {what} ({len(data)} bytes, {service})"
        self.speaker.say("message", text, direction=direction, message=what, bytes=len(data), service=service)

    def say(self, note: Notification, vtn: Vtn) -> None:
        """Say one thing, if there are words for it."""
        words = _WORDS.get(type(note))
        if words is not None:
            words(self.speaker, note, vtn)


def _ven(vtn: Vtn, ven_id: str) -> str:
    """A VEN for people: its name, if it has one, and its ID."""
    state = vtn.vens.get(ven_id)
    return _named(state.ven_name if state is not None else "", ven_id)


def _named(ven_name: str, ven_id: str) -> str:
    return f"{clean(ven_name)} ({clean(ven_id)})" if ven_name else clean(ven_id)


def _registered(how: str) -> Callable[[Speaker, Any, Vtn], None]:
    def words(speaker: Speaker, note: Any, vtn: Vtn) -> None:
        speaker.say(
            "registration",
            f"VEN {_named(note.ven_name, note.ven_id)} {how}",
            change=how,
            ven_id=note.ven_id,
            ven_name=note.ven_name,
            registration_id=note.registration_id,
        )

    return words


def _offered(speaker: Speaker, note: ReportsOffered, vtn: Vtn) -> None:
    points = [
        f"{clean(point.r_id)}{f' in {unit(point.item_base)}' if point.item_base is not None else ''}"
        for report in note.reports
        for point in report.oadr_report_description
    ]
    shown = ", ".join(points[:MOST_VALUES]) + (f" and {len(points) - MOST_VALUES} more" if points[MOST_VALUES:] else "")
    speaker.say(
        "report",
        f"{_ven(vtn, note.ven_id)} offers {f'reports of {shown}' if points else 'no reports'}",
        change="offered",
        ven_id=note.ven_id,
        reports={r.report_specifier_id: [p.r_id for p in r.oadr_report_description] for r in note.reports},
    )


def _asked(speaker: Speaker, note: ReportRequestMade, vtn: Vtn) -> None:
    made = vtn.vens[note.ven_id].requests.get(note.report_request_id) if note.ven_id in vtn.vens else None
    what = f" of {clean(made.request.report_specifier.report_specifier_id)}" if made is not None else ""
    speaker.say(
        "report",
        f"{_ven(vtn, note.ven_id)} is asked for a report{what}",
        change="requested",
        ven_id=note.ven_id,
        report_request_ids=[note.report_request_id],
    )


def _requests(change: str, how: str) -> Callable[[Speaker, Any, Vtn], None]:
    def words(speaker: Speaker, note: Any, vtn: Vtn) -> None:
        count = len(note.report_request_ids)
        speaker.say(
            "report",
            f"{_ven(vtn, note.ven_id)} {how} {count} report{'s' if count != 1 else ''}",
            change=change,
            ven_id=note.ven_id,
            report_request_ids=list(note.report_request_ids),
        )

    return words


def _values(speaker: Speaker, note: ReportReceived, vtn: Vtn) -> None:
    last = note.values[-MOST_VALUES:]
    shown = ", ".join(_value(value) for value in last)
    count = f"{len(note.values)} value{'s' if len(note.values) != 1 else ''}"
    speaker.say(
        "report",
        f"{_ven(vtn, note.ven_id)} reports {count}: {'… ' if len(note.values) > len(last) else ''}{shown}",
        change="received",
        ven_id=note.ven_id,
        report_request_id=note.report_request_id,
        report_specifier_id=note.report_specifier_id,
        count=len(note.values),
        values=[
            {
                "r_id": value.r_id,
                "dtstart": utc(value.dtstart),
                "value": plain(value.value),
                "unit": unit(value.item_base) or None,
                "resource_id": value.resource_id,
                "data_quality": None if value.data_quality is None else str(value.data_quality),
            }
            for value in note.values[-MOST_IN_JSON:]
        ],
    )


def _value(value: ReportValue) -> str:
    bad = f" ({clean(value.data_quality)})" if value.data_quality and "Good" not in str(value.data_quality) else ""
    sign = unit(value.item_base) if isinstance(value.value, float) else ""
    return f"{clean(value.r_id)} {value_text(value.value)} {sign}".rstrip() + bad


def _published(speaker: Speaker, note: EventPublished, vtn: Vtn) -> None:
    entry = vtn.events.get(note.event_id)
    lines = []
    for signal, rows in event_rows(entry.event) if entry is not None else ():
        lines.append(signal_title(signal))
        lines.extend(f"  {row.text}" for row in rows)
    text = f"event {note.event_id}, modification {note.modification_number}, published"
    speaker.say(
        "event", text, *lines, change="published", event_id=note.event_id, modification_number=note.modification_number
    )


def _status(speaker: Speaker, note: EventStatusChanged, vtn: Vtn) -> None:
    text = f"event {note.event_id} is {note.status}"
    speaker.say("event", text, change="status", event_id=note.event_id, status=str(note.status))


def _overlap(speaker: Speaker, note: EventsOverlap, vtn: Vtn) -> None:
    """The library's log has the warning; this is for programs."""
    if speaker.as_json:
        text = f"event {note.event_id} overlaps {', '.join(note.others)}"
        speaker.say("event", text, change="overlap", event_id=note.event_id, others=list(note.others))


def _delivered(speaker: Speaker, note: EventDelivered, vtn: Vtn) -> None:
    text = f"event {note.event_id} handed to {_ven(vtn, note.ven_id)}"
    speaker.say(
        "event",
        text,
        change="delivered",
        event_id=note.event_id,
        modification_number=note.modification_number,
        ven_id=note.ven_id,
    )


def _opt(speaker: Speaker, note: OptReceived, vtn: Vtn) -> None:
    code = "" if note.response_code.startswith("2") else f", code {clean(note.response_code)}"
    target = f", for {target_text(note.target)}" if target_text(note.target) else ""
    speaker.say(
        "opt",
        f"{_ven(vtn, note.ven_id)}: {note.opt_type} to event {clean(note.event_id)}{target}{code}",
        ven_id=note.ven_id,
        event_id=note.event_id,
        modification_number=note.modification_number,
        opt=str(note.opt_type),
        response_code=note.response_code,
    )


def _schedule(speaker: Speaker, note: OptScheduleReceived, vtn: Vtn) -> None:
    speaker.say(
        "opt",
        f"{_ven(vtn, note.ven_id)}: {note.opt_type} schedule {clean(note.opt_id)}, {len(note.availability)} periods",
        ven_id=note.ven_id,
        opt_id=note.opt_id,
        opt=str(note.opt_type),
    )


def _schedule_cancelled(speaker: Speaker, note: OptScheduleCancelled, vtn: Vtn) -> None:
    text = f"{_ven(vtn, note.ven_id)} takes schedule {clean(note.opt_id)} back"
    speaker.say("opt", text, ven_id=note.ven_id, opt_id=note.opt_id, opt=None)


_WORDS: Final[dict[type[Notification], Callable[[Speaker, Any, Vtn], None]]] = {
    VenRegistered: _registered("registered"),
    VenReregistered: _registered("registered again"),
    VenUnregistered: _registered("unregistered"),
    ReportsOffered: _offered,
    ReportRequestMade: _asked,
    ReportRequestConfirmed: _requests("agreed", "agrees to send"),
    ReportRequestStopped: _requests("stopped", "stops sending"),
    ReportReceived: _values,
    EventPublished: _published,
    EventStatusChanged: _status,
    EventsOverlap: _overlap,
    EventDelivered: _delivered,
    OptReceived: _opt,
    OptScheduleReceived: _schedule,
    OptScheduleCancelled: _schedule_cancelled,
}
"""What is said of each notification; Trouble is in the log."""
