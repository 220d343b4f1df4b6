"""What an operator and a VTN session say to each other: commands in, notifications out.

It stands alone because this is the face of the session: an application needs these classes and nothing else
of the package.
"""

from __future__ import annotations

from typing import Final

import attrs

from ..engine.exchange import Input, Notification
from ..model import (
    EiEvent,
    EiTarget,
    EventStatus,
    OptReason,
    OptType,
    Properties,
    ResponseRequired,
)
from ..reporting.policy import ReportPolicy

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
class SetReportPolicy(Input):
    """Ask for other reports from now on, of VENs that are registered and of those to come; ``None``: as configured.

    A VEN whose requests change hears of it when it next polls, or by a push: what the new policy does not ask for is
    cancelled, what it asks for besides is requested. What somebody asked for (:class:`AskReport`) stays.
    """

    policy: ReportPolicy | None


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
