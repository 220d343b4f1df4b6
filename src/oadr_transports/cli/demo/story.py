"""What the demonstration has seen so far, and what is still to come.

It stands alone because it does no I/O: the players put in what happens, the views and the summary read it, and a test
can tell it a story without a network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from oadr_core import ven, vtn
from oadr_core.engine import Notification
from oadr_core.model import EventStatus

from ..say import clean, length, number
from ..transcript import message_name

VTN: Final = "VTN"
VEN: Final = "VEN"
STATES: Final = (EventStatus.FAR, EventStatus.NEAR, EventStatus.ACTIVE, EventStatus.COMPLETED)
"""What an event goes through, and what both sides must have seen."""
ENOUGH_VALUES: Final = 4
"""So many report values are expected at least: two reports."""
_SILENT: Final = ("oadrPoll", "oadrResponse")
"""Messages that say nothing by themselves."""


@attrs.frozen(kw_only=True)
class Message:
    """One message: seconds since the start, ``received`` or ``sent`` as the VTN sees it, name, and size in bytes."""

    at_s: float
    direction: str
    name: str
    size: int

    @property
    def to_vtn(self) -> bool:
        return self.direction == "received"

    @property
    def silent(self) -> bool:
        """True for what only keeps the conversation going."""
        return self.name in _SILENT


@attrs.frozen(kw_only=True)
class Entry:
    """Something that one side, ``VTN`` or ``VEN``, has noticed; ``side`` is empty for a warning."""

    at_s: float
    side: str
    text: str
    kind: str


@attrs.define(kw_only=True)
class Side:
    """What one side knows in the end."""

    registered_as: str = ""
    registered_s: float | None = None
    reports_offered: int = 0
    reports_requested: int = 0
    intervals: int = 0
    states: dict[EventStatus, float] = attrs.Factory(dict)
    opt: str = ""
    values: int = 0


@attrs.define(kw_only=True)
class Story:
    """All that was seen. ``clock`` gives seconds since the start; ``told`` is called after each change."""

    clock: Callable[[], float]
    told: Callable[[Entry | Message], None] = attrs.field(default=lambda _: None)
    record: Callable[[str, str, bytes], None] | None = None
    sides: dict[str, Side] = attrs.Factory(lambda: {VTN: Side(), VEN: Side()})
    entries: list[Entry] = attrs.Factory(list)
    messages: list[Message] = attrs.Factory(list)
    readings: list[tuple[datetime, float]] = attrs.Factory(list)
    """Report values as they arrived at the VTN."""
    prices: list[tuple[datetime, timedelta, float]] = attrs.Factory(list)
    """Start, length and value of each interval, as the VEN computed them."""
    url: str = ""
    event_id: str = ""
    trouble: str = ""
    finished_s: float | None = None

    # --- what comes in ----------------------------------------------------------------------------------------------

    def message(self, direction: str, service: str, data: bytes) -> None:
        """A message has passed; the arguments are those of ``Vtn.transcript``."""
        if self.record is not None:
            self.record(direction, service, data)
        message = Message(at_s=self.clock(), direction=direction, name=message_name(data), size=len(data))
        self.messages.append(message)
        self.told(message)

    def note(self, side: str, note: Notification) -> None:
        """One side has noticed something."""
        found = _TOLD.get((side, type(note)))
        if found is not None:
            kind, tell = found
            text = tell(self, self.sides[side], note)
            if text:
                self.say(side, text, kind)

    def say(self, side: str, text: str, kind: str = "start") -> None:
        """Put down a line."""
        entry = Entry(at_s=self.clock(), side=side, text=text, kind=kind)
        self.entries.append(entry)
        self.told(entry)

    def complain(self, text: str) -> None:
        """Something goes wrong; if the end is not reached, this is the likely reason."""
        self.trouble = clean(text)
        self.say("", self.trouble, "warning")

    # --- what is made of it -----------------------------------------------------------------------------------------

    @property
    def missing(self) -> tuple[str, ...]:
        """What was expected and has not been seen, in the order in which it was to come."""
        at_vtn, at_ven = self.sides[VTN], self.sides[VEN]
        expected = [
            (at_vtn.registered_as, "the VEN's registration at the VTN"),
            (at_ven.registered_as, "the registration at the VEN"),
            (at_vtn.reports_offered, "the VEN's report offer at the VTN"),
            (at_ven.reports_requested, "the VTN's report request at the VEN"),
            (at_vtn.reports_requested, "the VEN's consent to the report request"),
            (at_ven.intervals == 3, "an event with three intervals at the VEN"),
            (at_vtn.opt == "optIn", "the VEN's optIn at the VTN"),
            *((state in at_vtn.states, f"the event being {state} at the VTN") for state in STATES),
            *((state in at_ven.states, f"the event being {state} at the VEN") for state in STATES),
            (at_vtn.values >= ENOUGH_VALUES, f"{ENOUGH_VALUES} report values at the VTN, not {at_vtn.values}"),
        ]
        return tuple(what for seen, what in expected if not seen)

    @property
    def state(self) -> EventStatus | None:
        """The event's state, as the VTN sees it; ``None`` before it is published."""
        return next(reversed(self.sides[VTN].states), None)

    @property
    def bytes(self) -> int:
        """How much was exchanged, without HTTP's own."""
        return sum(message.size for message in self.messages)

    @property
    def names(self) -> Counter[str]:
        """How often each message passed."""
        return Counter(message.name for message in self.messages)

    def status(self, side: Side, status: EventStatus) -> str:
        """Put down the event's state; returns what to say."""
        if status in side.states:
            return ""
        side.states[status] = self.clock()
        return f"event {status}"


# --- the words for what is noticed ----------------------------------------------------------------------------------


def _vtn_registered(story: Story, side: Side, note: vtn.VenRegistered) -> str:
    side.registered_as, side.registered_s = note.ven_id, story.clock()
    return f"VEN registered: {clean(note.ven_name)}"


def _ven_registered(story: Story, side: Side, note: ven.Registered) -> str:
    side.registered_as, side.registered_s = note.ven_id, story.clock()
    return f"registered with {clean(note.vtn_id)}"


def _offered(story: Story, side: Side, note: vtn.ReportsOffered) -> str:
    side.reports_offered = len(note.reports)
    points = sum(len(report.oadr_report_description) for report in note.reports)
    return f"{points} value{'s' if points != 1 else ''} offered"


def _requested(story: Story, side: Side, note: ven.ReportRequested) -> str:
    side.reports_requested += 1
    back = note.request.report_specifier.report_back_duration
    return f"report requested, every {length(back.timedelta)}"


def _confirmed(story: Story, side: Side, note: vtn.ReportRequestConfirmed) -> str:
    side.reports_requested += len(note.report_request_ids)
    return "report agreed"


def _published(story: Story, side: Side, note: vtn.EventPublished) -> str:
    story.event_id = note.event_id
    return "event published"


def _received(story: Story, side: Side, note: ven.EventReceived) -> str:
    from ...eventdict import event_dict

    event = event_dict(note.event)
    [signal] = event["event_signals"]
    story.prices = [(i["dtstart"], i["duration"], i["signal_payload"]) for i in signal["intervals"]]
    side.intervals = len(story.prices)
    prices = ", ".join(number(price) for _, _, price in story.prices)
    story.say(VEN, f"event received: {prices}", "event")
    return story.status(side, note.event.ei_event.event_descriptor.event_status)


def _status(story: Story, side: Side, note: Any) -> str:
    return story.status(side, note.status)


def _opt_received(story: Story, side: Side, note: vtn.OptReceived) -> str:
    side.opt = str(note.opt_type)
    return f"{note.opt_type} received"


def _opt_delivered(story: Story, side: Side, note: ven.OptDelivered) -> str:
    side.opt = str(note.opt_type)
    return f"{note.opt_type} delivered"


def _values(story: Story, side: Side, note: vtn.ReportReceived) -> str:
    numbers = [(value.dtstart, value.value) for value in note.values if isinstance(value.value, float)]
    story.readings.extend(numbers)
    side.values += len(numbers)
    return f"values {', '.join(f'{value:.2f}' for _, value in numbers)} kW"


def _delivered(story: Story, side: Side, note: ven.ReportDelivered) -> str:
    side.values += len(note.report.intervals)
    return ""


_TOLD: Final[dict[tuple[str, type[Notification]], tuple[str, Callable[[Story, Side, Any], str]]]] = {
    (VTN, vtn.VenRegistered): ("registration", _vtn_registered),
    (VEN, ven.Registered): ("registration", _ven_registered),
    (VTN, vtn.ReportsOffered): ("report", _offered),
    (VEN, ven.ReportRequested): ("report", _requested),
    (VTN, vtn.ReportRequestConfirmed): ("report", _confirmed),
    (VTN, vtn.EventPublished): ("event", _published),
    (VEN, ven.EventReceived): ("event", _received),
    (VTN, vtn.EventStatusChanged): ("event", _status),
    (VEN, ven.EventStatusChanged): ("event", _status),
    (VTN, vtn.OptReceived): ("opt", _opt_received),
    (VEN, ven.OptDelivered): ("opt", _opt_delivered),
    (VTN, vtn.ReportReceived): ("report", _values),
    (VEN, ven.ReportDelivered): ("report", _delivered),
}
"""What is put down and said when a side notices something; everything else is passed over."""
