"""A run in words: each message, command, notification and fault with its time.

It stands alone because only the shortest history of a failure is written down: a run that is only counted does not pay
for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import attrs

from oadr_core.engine import Input, Notification, SendReply, SendRequest
from oadr_core.model import CreatedEvent, DistributeEvent, Payload, UpdateReport

from .scenario import START

if TYPE_CHECKING:
    from .agenda import Agenda

LONGEST: Final = 160
"""Characters of a line behind the time: what a notification bears can be long."""


@attrs.frozen
class Line:
    """One thing that happened. ``data`` are the bytes of a message that passed as bytes."""

    at_s: float
    who: str
    text: str
    data: bytes = b""

    def __str__(self) -> str:
        at = START + timedelta(seconds=self.at_s)
        return f"{at:%a %H:%M:%S}.{at.microsecond // 1000:03}  {self.who:>10}  {self.text}"


class Transcript:
    """The lines of one run."""

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda
        self.lines: list[Line] = []

    def say(self, who: str, text: str, data: bytes = b"") -> None:
        """Write one line down."""
        self.lines.append(Line(self._agenda.now_s, who, text[:LONGEST], data))

    def request(self, sender: str, receiver: str, request: SendRequest) -> None:
        self.say(sender, f"-> {receiver}  {message(request.payload)}", request.data)

    def reply(self, sender: str, receiver: str, reply: SendReply) -> None:
        what = "empty" if reply.payload is None else message(reply.payload)
        status = "" if reply.status == 200 else f" (HTTP {reply.status})"
        self.say(sender, f"=> {receiver}  {what}{status}", reply.data)

    def command(self, who: str, command: Input) -> None:
        self.say(who, f"!  {_shown(command)}")

    def told(self, who: str, note: Notification) -> None:
        self.say(who, f"*  {_shown(note)}")


def message(payload: Payload) -> str:
    """A message in a few words: its name, and of events their versions and opts."""
    name = payload.__element__.partition(":")[2]
    if isinstance(payload, DistributeEvent):
        return " ".join((name, *(_event(event.ei_event.event_descriptor) for event in payload.oadr_event)))
    if isinstance(payload, CreatedEvent):
        responses = payload.ei_created_event.event_responses or ()
        found = (
            f"{one.qualified_event_id.event_id} v{one.qualified_event_id.modification_number} {one.opt_type}"
            for one in responses
        )
        return " ".join((name, *found))
    if isinstance(payload, UpdateReport):
        return f"{name} {sum(len(report.intervals or ()) for report in payload.oadr_report)} intervals"
    response = getattr(payload, "ei_response", None)
    code = getattr(response, "response_code", "200")
    return name if code == "200" else f"{name} {code} {getattr(response, 'response_description', '') or ''}"


def _event(descriptor: Any) -> str:
    return f"{descriptor.event_id} v{descriptor.modification_number} {descriptor.event_status}"


def _shown(value: Any) -> str:
    """The class and its plain fields; of an event its version is told, of reports their size and times."""
    parts = []
    for field in attrs.fields(type(value)):
        found = getattr(value, field.name)
        shown = _WORDS.get(field.name)
        if shown is not None:
            parts.append(shown(found))
        elif found not in (None, "", (), False):
            parts.append(f"{field.name}={found:.3f}" if isinstance(found, float) else f"{field.name}={found!s}")
    return f"{type(value).__name__} {' '.join(parts)}"


def _values(values: Any) -> str:
    """How many values, and of when."""
    if isinstance(values, int) or not values:
        return f"{values or 'no'} values"
    first, last = values[0].dtstart, values[-1].dtstart
    return f"{len(values)} values of {first:%H:%M:%S} to {last:%H:%M:%S}"


_WORDS: Final[Mapping[str, Callable[[Any], str]]] = MappingProxyType(
    {
        "event": lambda found: _event((found.ei_event if hasattr(found, "ei_event") else found).event_descriptor),
        "report": lambda found: f"{found.report_specifier_id}, {len(found.intervals or ())} intervals",
        "reports": lambda found: ", ".join(one.report_specifier_id for one in found),
        "request": lambda found: found.report_request_id,
        "values": _values,
        "readings": lambda found: " ".join(f"{one.r_id}={one.value}" for one in found),
    }
)
"""How a field is told that has a value with much inside."""
