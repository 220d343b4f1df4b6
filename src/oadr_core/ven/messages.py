"""What an application and a VEN session say to each other: commands in, notifications out.

It stands alone because this is the face of the session: an application needs these classes and nothing else of the
package.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

import attrs

from ..engine.exchange import Input, Notification
from ..model import DataQuality, Event, EventStatus, OptType, PayloadResourceStatus, Report, ReportRequest


class Change(StrEnum):
    """Why the application is asked about an event, or told about it."""

    NEW = "new"
    MODIFIED = "modified"
    CANCELLED = "cancelled"
    REPEATED = "repeated"
    """Unchanged, and asked again because the last decision failed."""


class Collection(StrEnum):
    """How the values of a report are collected."""

    INCREMENTAL = "incremental"
    """One question per sample, for the value of now."""
    FULL = "full"
    """One question per report, for all values of a period."""


# --- commands -------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Register(Input):
    """Register with the VTN, now; again, if the session is registered already."""


@attrs.frozen(kw_only=True)
class CancelRegistration(Input):
    """End the registration (R407)."""


@attrs.frozen(kw_only=True)
class Decide(Input):
    """The application's decision about one version of one event.

    ``reason`` is for the log and the response description; ``failed`` says that no decision could be made: the
    event is opted out of, and offered again when it is next distributed. A decision about another version than the
    current one is late, and ignored.
    """

    event_id: str
    modification_number: int
    opt_type: OptType
    reason: str = ""
    failed: bool = False


@attrs.frozen(kw_only=True)
class Reading:
    """One value of one data point.

    ``at`` is when it was taken (aware; ``None``: at the time asked for); ``value`` is a number, the state of a
    resource, or ``None`` when there is no valid value (R318).
    """

    r_id: str
    value: float | PayloadResourceStatus | None
    at: datetime | None = None
    quality: DataQuality | str | None = None


@attrs.frozen(kw_only=True)
class ProvideReport(Input):
    """The answer to :class:`ReportDue`; ``at`` repeats its ``at``. Late ones are ignored."""

    report_request_id: str
    at: datetime
    readings: tuple[Reading, ...]


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
class EventStatusChanged(Notification):
    """An event has become near, active or completed by this VEN's clock (R114)."""

    event_id: str
    status: EventStatus


@attrs.frozen(kw_only=True)
class OptDelivered(Notification):
    """The VTN has taken the answer to an event."""

    event_id: str
    modification_number: int
    opt_type: OptType


@attrs.frozen(kw_only=True)
class ReportRequested(Notification):
    """The VTN wants a report, and will get it."""

    request: ReportRequest


@attrs.frozen(kw_only=True)
class ReportDue(Notification):
    """Values are needed: answer with :class:`ProvideReport` until ``deadline`` (on ``mono``).

    ``at`` is the synchronised time of the sample. For a full collection ``since`` is where the period begins that
    ends at ``at``, and ``interval`` how far apart its values should be.
    """

    report_request_id: str
    report_specifier_id: str
    r_ids: tuple[str, ...]
    at: datetime
    deadline: float
    collection: Collection
    since: datetime
    interval: timedelta


@attrs.frozen(kw_only=True)
class ReportDelivered(Notification):
    """The VTN has taken a report."""

    report: Report


@attrs.frozen(kw_only=True)
class ReportCancelled(Notification):
    """The VTN does not want a report any more."""

    report_request_id: str
