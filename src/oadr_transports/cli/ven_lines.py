"""What a running VEN says: a line for each thing that happens.

It stands alone as a table from notifications to words, for people and for programs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from oadr_core.engine import Notification
from oadr_core.model import Event, ReportSpecifier
from oadr_core.ven import (
    EventCancelled,
    EventChanged,
    EventReceived,
    EventRefused,
    EventStatusChanged,
    IntervalStarted,
    OptAccepted,
    OptDelivered,
    OptWithdrawn,
    Registered,
    ReportCancelled,
    ReportDelivered,
    ReportRequested,
    ReportsLost,
    Stage,
)
from oadr_transports import OpenADRClient

from .describe import duration_text, event_rows, readings, signal_title
from .say import Speaker, clean, length
from .transcript import message_name

MOST_ROWS: Final = 24
"""Intervals of a signal that are shown to people; the others are counted."""
_WAYS: Final = {"before_send_xml": ("sent", "->"), "after_receive_xml": ("received", "<-")}


class VenLines:
    """Says what happens to one VEN. Troubles and refusals come by the library's log, and are not repeated here."""

    def __init__(self, speaker: Speaker) -> None:
        self._speaker = speaker

    def started(self, client: OpenADRClient) -> None:
        """The VEN begins."""
        who, where = clean(client.ven_name), clean(client.vtn_url)
        self._speaker.say("start", f"VEN {who}: registering with {where}; Ctrl-C ends it")
        if client.fingerprint is not None:
            text = f"the fingerprint of this VEN is {client.fingerprint}; the VTN must know it"
            self._speaker.say("start", text, fingerprint=client.fingerprint)

    def stopped(self, client: OpenADRClient) -> None:
        """The VEN was told to end."""
        self._speaker.say("start", "stopped")

    async def follow(self, happenings: AsyncIterator[Notification]) -> None:
        """Say everything, until cancelled or until there is no more."""
        async for happening in happenings:
            self.say(happening)

    def say(self, happening: Notification) -> None:
        """Say one thing, if there are words for it."""
        words = _WORDS.get(type(happening))
        if words is not None:
            words(self._speaker, happening)

    def hook(self, name: str) -> Callable[[str], Awaitable[None]]:
        """A hook of the client that says which message passes."""
        way, arrow = _WAYS[name]

        async def passed(text: str) -> None:
            data = text.encode()
            what = message_name(data) if data else "nothing"
            said = f"{arrow} {what} ({len(data)} bytes)"
            self._speaker.say("message", said, direction=way, message=what, bytes=len(data))

        return passed


def _registered(speaker: Speaker, note: Registered) -> None:
    again = "again " if note.again else ""
    parties = f"with {clean(note.vtn_id)} as {clean(note.ven_id)}"
    speaker.say(
        "registration",
        f"registered {again}{parties}, polling every {length(note.poll_interval)}",
        vtn_id=note.vtn_id,
        ven_id=note.ven_id,
        registration_id=note.registration_id,
        poll_s=note.poll_interval.total_seconds(),
        again=note.again,
    )


def _event(word: str) -> Callable[[Speaker, Any], None]:
    def words(speaker: Speaker, note: Any) -> None:
        event: Event = note.event
        descriptor = event.ei_event.event_descriptor
        lines, signals = [], []
        for signal, rows in event_rows(event.ei_event):
            lines.append(signal_title(signal))
            lines.extend(f"  {row.text}" for row in rows[:MOST_ROWS])
            if len(rows) > MOST_ROWS:
                lines.append(f"  … and {len(rows) - MOST_ROWS} more intervals")
            signals.append(
                {
                    "name": str(signal.signal_name),
                    "type": str(signal.signal_type),
                    "intervals": [row.json for row in rows],
                }
            )
        speaker.say(
            "event",
            f"{word} event {clean(descriptor.event_id)}, modification {descriptor.modification_number}, "
            f"{descriptor.event_status}",
            *lines,
            change=word,
            event_id=descriptor.event_id,
            modification_number=descriptor.modification_number,
            status=str(descriptor.event_status),
            signals=signals,
        )

    return words


def _cancelled(speaker: Speaker, note: EventCancelled) -> None:
    event_id = note.event.ei_event.event_descriptor.event_id
    how = ", it is no longer distributed" if note.implied else ""
    text = f"cancelled event {clean(event_id)}{how}"
    speaker.say("event", text, change="cancelled", event_id=event_id, implied=note.implied)


def _status(speaker: Speaker, note: EventStatusChanged) -> None:
    text = f"event {clean(note.event_id)} is {note.status}"
    if note.stage in (Stage.NOTIFIED, Stage.RAMP_UP, Stage.RECOVERY):
        text += f", {_STAGES[note.stage]}"
    speaker.say(
        "event",
        text,
        change="status",
        event_id=note.event_id,
        status=str(note.status),
        stage=str(note.stage),
        at=note.at.isoformat(),
    )


_STAGES: Final = {
    Stage.NOTIFIED: "the notification period has begun",
    Stage.RAMP_UP: "ramping up",
    Stage.RECOVERY: "recovering",
}


def _interval(speaker: Speaker, note: IntervalStarted) -> None:
    event_id = note.event.ei_event.event_descriptor.event_id
    value = note.value if isinstance(note.value, (int, float)) else str(note.value)
    until = f" until {note.until:%H:%M:%S}" if note.until else ""
    speaker.say(
        "event",
        f"{clean(note.signal_name)} is {value:g} from {note.at:%H:%M:%S}{until} UTC, event {clean(event_id)}"
        if isinstance(value, (int, float))
        else f"{clean(note.signal_name)} is {value}, event {clean(event_id)}",
        change="interval",
        event_id=event_id,
        signal=note.signal_name,
        interval=note.number,
        value=value,
        at=note.at.isoformat(),
        until=note.until.isoformat() if note.until else None,
    )


def _refused(speaker: Speaker, note: EventRefused) -> None:
    descriptor = note.event.ei_event.event_descriptor
    speaker.say(
        "event",
        f"refused event {clean(descriptor.event_id)} with {note.code}: {clean(note.text)}",
        change="refused",
        event_id=descriptor.event_id,
        modification_number=descriptor.modification_number,
        code=note.code,
        rule=note.rule,
    )


def _opt_accepted(speaker: Speaker, note: OptAccepted) -> None:
    event_id = note.event_id
    about = f" to event {clean(event_id)}" if event_id is not None else ""
    text = f"{note.opt_type}{about} taken by the VTN, opt {clean(note.opt_id)}"
    speaker.say("opt", text, change="accepted", opt_id=note.opt_id, event_id=event_id, opt=str(note.opt_type))


def _opt_withdrawn(speaker: Speaker, note: OptWithdrawn) -> None:
    speaker.say("opt", f"opt {clean(note.opt_id)} taken back", change="withdrawn", opt_id=note.opt_id)


def _opt(speaker: Speaker, note: OptDelivered) -> None:
    speaker.say(
        "opt",
        f"{note.opt_type} to event {clean(note.event_id)} delivered",
        event_id=note.event_id,
        modification_number=note.modification_number,
        opt=str(note.opt_type),
    )


def _requested(speaker: Speaker, note: ReportRequested) -> None:
    specifier = note.request.report_specifier
    points = [point.r_id for point in specifier.specifier_payload]
    speaker.say(
        "report",
        f"report requested: {', '.join(map(clean, points))}; {_often(specifier)}",
        change="requested",
        report_request_id=note.request.report_request_id,
        report_specifier_id=specifier.report_specifier_id,
        r_ids=points,
        granularity=str(specifier.granularity),
        report_back_duration=str(specifier.report_back_duration),
    )


def _often(specifier: ReportSpecifier) -> str:
    """How often values are taken and sent: granularity and reportBackDuration may be zero (R317, R324)."""
    if not specifier.report_back_duration:
        return "once"
    taken = f"every {duration_text(specifier.granularity)}" if specifier.granularity else "whenever it changes"
    return f"a value {taken}, delivered every {duration_text(specifier.report_back_duration)}"


def _delivered(speaker: Speaker, note: ReportDelivered) -> None:
    report = note.report
    values = [(reading.r_id, reading.row) for reading in readings(report)]
    shown = ", ".join(f"{r_id} {row.value}" for r_id, row in values[-4:])
    count = f"{len(values)} value{'s' if len(values) != 1 else ''}"
    speaker.say(
        "report",
        f"report delivered, {count}: {'… ' if len(values) > 4 else ''}{shown}",
        change="delivered",
        report_request_id=report.report_request_id,
        report_specifier_id=report.report_specifier_id,
        values=[{"r_id": r_id, **row.json} for r_id, row in values],
    )


def _report_cancelled(speaker: Speaker, note: ReportCancelled) -> None:
    rest = f"; {note.dropped} values are not sent" if note.dropped else ""
    speaker.say(
        "report",
        f"the VTN wants report {clean(note.report_request_id)} no longer{rest}",
        change="cancelled",
        report_request_id=note.report_request_id,
        dropped=note.dropped,
    )


def _lost(speaker: Speaker, note: ReportsLost) -> None:
    period = f"from {note.since:%Y-%m-%d %H:%M:%S} to {note.until:%Y-%m-%d %H:%M:%S} UTC"
    speaker.say(
        "report",
        f"{note.values} values of report {clean(note.report_request_id)} lost, {period}: {note.reason}",
        change="lost",
        report_request_id=note.report_request_id,
        values=note.values,
        since=note.since.isoformat(),
        until=note.until.isoformat(),
        reason=str(note.reason),
    )


_WORDS: Final[dict[type[Notification], Callable[[Speaker, Any], None]]] = {
    Registered: _registered,
    EventReceived: _event("new"),
    EventChanged: _event("changed"),
    EventCancelled: _cancelled,
    EventStatusChanged: _status,
    EventRefused: _refused,
    IntervalStarted: _interval,
    OptDelivered: _opt,
    OptAccepted: _opt_accepted,
    OptWithdrawn: _opt_withdrawn,
    ReportRequested: _requested,
    ReportDelivered: _delivered,
    ReportCancelled: _report_cancelled,
    ReportsLost: _lost,
}
"""What is said of each notification; RegistrationRefused, RegistrationEnded and Trouble are in the log."""
