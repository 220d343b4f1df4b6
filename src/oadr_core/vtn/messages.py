"""What an operator and a VTN session say to each other: commands in, notifications out.

It stands alone because this is the face of the session: an application needs these classes and nothing else
of the package.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import attrs

from ..engine.exchange import Input, Notification
from ..model import (
    DataQuality,
    EiEvent,
    EiTarget,
    EventStatus,
    ItemBase,
    OptReason,
    OptType,
    PayloadResourceStatus,
    Properties,
    Report,
    ReportName,
    ResponseRequired,
)

_ALL: Final = EiTarget()

# --- commands -------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class PublishEvent(Input):
    """Publish an event, for some VENs or groups of them, or (neither) for all, now and later.

    Groups are looked up now: VENs that join one later do not get the event. An event for a target, such as a
    resource, is published for all VENs or some; the VENs find out whether it is for them (R22).

    An empty eventID gets one; the modification number, the creation time and the status are the book's.
    Missing interval numbers (R2) and a missing x-eiNotification (R105) are filled in. :class:`EventPublished`
    tells the eventID.
    """

    event: EiEvent
    response_required: ResponseRequired = ResponseRequired.ALWAYS
    ven_ids: tuple[str, ...] | None = None
    groups: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class ModifyEvent(Input):
    """Replace the content of an event; what concerns the past must stay (R20). Without a change nothing
    happens.
    """

    event: EiEvent
    response_required: ResponseRequired | None = None


@attrs.frozen(kw_only=True)
class CancelEvent(Input):
    """Cancel an event (R10). Cancelling it again changes nothing."""

    event_id: str
    reason: str | None = None


@attrs.frozen(kw_only=True)
class AskReregistration(Input):
    """Ask a VEN to register again under its registration."""

    ven_id: str


@attrs.frozen(kw_only=True)
class EndRegistration(Input):
    """Cancel the registration of a VEN; it is forgotten when the VEN has answered (R407), or ``at_once``, without a
    word to it.
    """

    ven_id: str
    at_once: bool = False


@attrs.frozen(kw_only=True)
class SetGroup(Input):
    """Name some VENs, registered or admitted, as a group for events; without VENs the group is no more."""

    group: str
    ven_ids: tuple[str, ...]


@attrs.frozen(kw_only=True)
class AskReport(Input):
    """Ask a VEN for a report that it has offered, or (``report_specifier_id`` METADATA) for its offers.

    ``r_ids``: empty means all of the report. ``granularity`` and ``report_back_duration``: ``None`` means as
    the policy says; zero has the meaning of R317 and R324. ``dtstart`` (aware; ``None``: now) and
    ``duration`` (zero: without end) are the report interval (R325); a history report needs ``dtstart``.
    """

    ven_id: str
    report_specifier_id: str
    r_ids: tuple[str, ...] = ()
    granularity: timedelta | None = None
    report_back_duration: timedelta | None = None
    dtstart: datetime | None = None
    duration: timedelta = timedelta()


@attrs.frozen(kw_only=True)
class StopReports(Input):
    """Take back report requests; ``report_to_follow`` asks for one last report (R345)."""

    ven_id: str
    report_request_ids: tuple[str, ...]
    report_to_follow: bool = False


# --- notifications --------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class VenRegistered(Notification):
    """A VEN is registered, for the first time or anew (R406). ``ven_name`` is empty when it gave none."""

    ven_id: str
    ven_name: str
    registration_id: str


@attrs.frozen(kw_only=True)
class VenReregistered(Notification):
    """A VEN has renewed its data under the registration that it had."""

    ven_id: str
    ven_name: str
    registration_id: str


@attrs.frozen(kw_only=True)
class VenUnregistered(Notification):
    """A registration is over. ``by_ven``: the VEN cancelled it, else the operator did."""

    ven_id: str
    ven_name: str
    registration_id: str
    by_ven: bool


@attrs.frozen(kw_only=True)
class ReportsOffered(Notification):
    """A VEN has told all that it can report; what it offered before is void (R306)."""

    ven_id: str
    reports: tuple[Report, ...]


@attrs.frozen(kw_only=True)
class ReportRequestMade(Notification):
    """A report request waits for the VEN, as the operator wanted."""

    ven_id: str
    report_request_id: str


@attrs.frozen(kw_only=True)
class ReportRequestConfirmed(Notification):
    """A VEN will serve these report requests. ``pending`` is all that it says it will serve (R329)."""

    ven_id: str
    report_request_ids: tuple[str, ...]
    pending: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class ReportRequestStopped(Notification):
    """A VEN will not serve these report requests any more."""

    ven_id: str
    report_request_ids: tuple[str, ...]


@attrs.frozen(kw_only=True)
class ReportValue:
    """One value of one data point.

    ``dtstart`` is aware. ``duration`` is that of the interval, ``None`` for a value at a point in time
    (R315). ``value`` is a number, or the state of a resource. ``item_base`` and ``resource_id`` come from
    what the VEN offered, if it did.
    """

    r_id: str
    dtstart: datetime
    duration: timedelta | None
    value: float | PayloadResourceStatus
    data_quality: DataQuality | str | None = None
    item_base: ItemBase | None = None
    resource_id: str | None = None


@attrs.frozen(kw_only=True)
class ReportReceived(Notification):
    """Values have arrived. A repeated or corrected value replaces the former one of its time (R346)."""

    ven_id: str
    report_request_id: str
    report_specifier_id: str
    report_name: ReportName | str | None
    values: tuple[ReportValue, ...]


@attrs.frozen(kw_only=True)
class EventPublished(Notification):
    """An event is in the book, or a new version of it is."""

    event_id: str
    modification_number: int


@attrs.frozen(kw_only=True)
class EventStatusChanged(Notification):
    """An event has another status, by time (R13) or by being cancelled."""

    event_id: str
    status: EventStatus


@attrs.frozen(kw_only=True)
class EventsOverlap(Notification):
    """A warning: an event that was published or modified overlaps ``others`` for the same VENs in the same program,
    where what a VEN does is not defined (R18).
    """

    event_id: str
    others: tuple[str, ...]


@attrs.frozen(kw_only=True)
class EventDelivered(Notification):
    """This version of an event was handed to a VEN for the first time. That it arrived, its answer says."""

    ven_id: str
    event_id: str
    modification_number: int


@attrs.frozen(kw_only=True)
class OptReceived(Notification):
    """A VEN has answered an event, or changed its answer.

    ``response_code`` is the VEN's own: with an error the opt is optOut (R48). ``opt_id`` is there when it
    came as oadrCreateOpt; ``target`` then names the resources that it is for, empty meaning all (R206).
    """

    ven_id: str
    event_id: str
    modification_number: int
    opt_type: OptType
    response_code: str
    opt_id: str | None = None
    target: EiTarget = _ALL


@attrs.frozen(kw_only=True)
class OptScheduleReceived(Notification):
    """A VEN has told when it takes part, or does not (R203)."""

    ven_id: str
    opt_id: str
    opt_type: OptType
    opt_reason: OptReason | str
    market_context: str | None
    availability: tuple[Properties, ...]
    target: EiTarget


@attrs.frozen(kw_only=True)
class OptScheduleCancelled(Notification):
    """A VEN has taken its schedules with this optID back (R204)."""

    ven_id: str
    opt_id: str
