"""What an application and a VEN session say to each other: commands in, notifications out.

It stands alone because this is the face of the session: an application needs these classes and nothing else of the
package.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import attrs

from ..engine.exchange import Input, Notification
from ..model import (
    EiTarget,
    Event,
    EventStatus,
    OptReason,
    OptType,
    PayloadResourceStatus,
    Properties,
)
from .timeline import Stage

if TYPE_CHECKING:
    from .config import VenConfig


_EVERYTHING: Final = EiTarget()


class Change(StrEnum):
    """Why the application is asked about an event, or told about it."""

    NEW = "new"
    MODIFIED = "modified"
    CANCELLED = "cancelled"
    REPEATED = "repeated"
    """Unchanged, and asked again because the last decision failed."""


# --- commands -------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Register(Input):
    """Register with the VTN, now; again, if the session is registered already."""


@attrs.frozen(kw_only=True)
class CancelRegistration(Input):
    """End the registration (R407)."""


@attrs.frozen(kw_only=True)
class Reconfigure(Input):
    """The VEN's own data have changed: the VTN is told what it needs to know of it, and nothing else (R402, R306)."""

    config: VenConfig


@attrs.frozen(kw_only=True)
class Decide(Input):
    """The application's decision about one version of one event.

    ``reason`` is for the log and the response description. ``code`` is the response code (section 3.6): with any but
    ``2xx`` the event is opted out of, whatever ``opt_type`` says (R48). ``failed`` says that no decision could be made:
    the event is opted out of, and offered again when it is next distributed. A decision about another version than
    the current one is late, and ignored.
    """

    event_id: str
    modification_number: int
    opt_type: OptType
    reason: str = ""
    failed: bool = False
    code: str = "200"


@attrs.frozen(kw_only=True)
class MakeOpt(Input):
    """Tell the VTN when, or to which event, this VEN opts in or out, outside the answers to events (section 5.4).

    Either ``event_id``, an opt to an event that the VEN knows, which goes before every other answer to it (R206), or
    ``availability``, a schedule: periods with start and duration only (R200), zero for an open end (R210). A schedule
    may be limited to a ``market_context`` (R205). ``target`` empty: all resources of this VEN (R202); ``device_class``
    holds end_device_asset only (R209). ``opt_id``: made up if empty; need not be unique (R204).
    """

    opt_type: OptType
    event_id: str | None = None
    availability: tuple[Properties, ...] = ()
    opt_reason: OptReason | str = OptReason.X_SCHEDULE
    market_context: str | None = None
    target: EiTarget = _EVERYTHING
    device_class: EiTarget | None = None
    opt_id: str = ""


@attrs.frozen(kw_only=True)
class WithdrawOpt(Input):
    """Take all schedules with this ``opt_id`` back (R204). An opt to an event cannot be: make another (R211)."""

    opt_id: str


@attrs.frozen(kw_only=True)
class PollNow(Input):
    """Poll at once instead of at the next regular time."""


# --- notifications --------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Registered(Notification):
    """The VTN has registered this VEN. ``again``: it was registered before under the same registration."""

    ven_id: str
    registration_id: str
    vtn_id: str
    poll_interval: timedelta
    again: bool = False


@attrs.frozen(kw_only=True)
class RegistrationRefused(Notification):
    """The VTN does not register this VEN. ``retry_s``: it will be asked again in so many seconds (``None``: not)."""

    code: str
    text: str
    retry_s: float | None


@attrs.frozen(kw_only=True)
class RegistrationEnded(Notification):
    """The registration is over. ``by_vtn``: the VTN ended it, or does not know it."""

    by_vtn: bool
    text: str
    retry_s: float | None = None


@attrs.frozen(kw_only=True)
class DecisionNeeded(Notification):
    """Opt in or out? Answer with :class:`Decide` until ``deadline`` (on ``mono``), else ``default`` is sent.

    ``event`` bears the current state as this VEN computes it. ``previous`` is the opt that was sent for the version
    before.
    """

    event: Event
    change: Change
    deadline: float
    default: OptType
    previous: OptType | None = None


@attrs.frozen(kw_only=True)
class EventReceived(Notification):
    """A new event (R56)."""

    event: Event


@attrs.frozen(kw_only=True)
class EventChanged(Notification):
    """A new version of a known event (R57)."""

    event: Event


@attrs.frozen(kw_only=True)
class EventCancelled(Notification):
    """An event was cancelled (R59); ``implied``: by not being distributed any more (R61)."""

    event: Event
    implied: bool


@attrs.frozen(kw_only=True)
class EventRefused(Notification):
    """The VTN has sent an event, or a version of one, that this VEN does not take; nobody is asked about it (R48).

    ``code`` is the response code that the VTN gets, ``rule`` the rule that says so.
    """

    event: Event
    code: str
    text: str
    rule: str = ""


@attrs.frozen(kw_only=True)
class EventsOverlap(Notification):
    """An event lasts while another of the same market context does (R18): what comes first is for the application."""

    event_id: str
    other_id: str


@attrs.frozen(kw_only=True)
class EventStatusChanged(Notification):
    """This VEN's own timeline of an event has come to another point (R30, R31, R114).

    ``status`` is far, near, active, completed or cancelled; ``stage`` says what is to be done. ``at`` is the instant
    from which that holds. An event that is cancelled while it is active has this at its randomised stop (R65). After
    a restart what holds is told again.
    """

    event_id: str
    status: EventStatus
    stage: Stage
    at: datetime
    event: Event


@attrs.frozen(kw_only=True)
class IntervalStarted(Notification):
    """An interval of a signal of an event that this VEN has opted in to holds from ``at`` until ``until`` (R32).

    ``until`` is ``None`` where there is no end (R47). ``number`` counts from 0 in each signal. After a restart, or an
    opt in to an event that is active already, what holds is told with an ``at`` that has passed.
    """

    event: Event
    signal_id: str
    signal_name: str
    number: int
    value: float | PayloadResourceStatus
    at: datetime
    until: datetime | None


@attrs.frozen(kw_only=True)
class OptDelivered(Notification):
    """The VTN has taken the answer to an event."""

    event_id: str
    modification_number: int
    opt_type: OptType


@attrs.frozen(kw_only=True)
class OptPosted(Notification):
    """An opt is on its way to the VTN, and will be sent until the VTN has answered: see :class:`MakeOpt`."""

    opt_id: str
    opt_type: OptType
    event_id: str | None = None


@attrs.frozen(kw_only=True)
class OptAccepted(Notification):
    """The VTN has taken an opt."""

    opt_id: str
    opt_type: OptType
    event_id: str | None = None


@attrs.frozen(kw_only=True)
class OptRefused(Notification):
    """The VTN does not take an opt, or does not take one back (``withdrawing``)."""

    opt_id: str
    code: str
    text: str
    withdrawing: bool = False


@attrs.frozen(kw_only=True)
class OptWithdrawn(Notification):
    """The VTN has taken all schedules with this opt_id back."""

    opt_id: str
