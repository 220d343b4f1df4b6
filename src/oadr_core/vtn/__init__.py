"""The VTN: the server at the utility, as a pure state machine."""

from __future__ import annotations

from ..engine.values import DataPoint, ReportReceived, ReportValue, ReportValues
from ..reporting.asking import AskReport, StopReports
from ..reporting.offers import ReportOffer
from ..reporting.policy import ReportKind, ReportPolicy, ReportRule
from ..reporting.readings import (
    Collection,
    ProvideReport,
    Reading,
    ReportBuffer,
    ReportCancelled,
    ReportDelivered,
    ReportDue,
    ReportRequested,
    ReportsLost,
)
from ..reporting.requested import (
    ReportRequestConfirmed,
    ReportRequestMade,
    ReportRequestStopped,
    ReportsOffered,
)
from ..rules.signals import usual_unit
from .book import EventEntry
from .build import UNSAID, Targets, build_event, change_event
from .config import Admitted, IdentityPolicy, PushPolicy, UnknownVens, VtnConfig, VtnLimits, admitted
from .messages import (
    AskReregistration,
    CancelEvent,
    EndRegistration,
    EventDelivered,
    EventPublished,
    EventsOverlap,
    EventStatusChanged,
    ModifyEvent,
    OptReceived,
    OptScheduleCancelled,
    OptScheduleReceived,
    PublishEvent,
    SetGroup,
    SetReportPolicy,
    VenRegistered,
    VenReregistered,
    VenUnregistered,
)
from .opts import standing_schedule
from .session import VtnSession
from .state import Delivery, FormerRequest, OptSchedule, RequestedReport, Stage, VenState

__all__ = [
    "UNSAID",
    "Admitted",
    "AskReport",
    "AskReregistration",
    "CancelEvent",
    "Collection",
    "DataPoint",
    "Delivery",
    "EndRegistration",
    "EventDelivered",
    "EventEntry",
    "EventPublished",
    "EventStatusChanged",
    "EventsOverlap",
    "FormerRequest",
    "IdentityPolicy",
    "ModifyEvent",
    "OptReceived",
    "OptSchedule",
    "OptScheduleCancelled",
    "OptScheduleReceived",
    "ProvideReport",
    "PublishEvent",
    "PushPolicy",
    "Reading",
    "ReportBuffer",
    "ReportCancelled",
    "ReportDelivered",
    "ReportDue",
    "ReportKind",
    "ReportOffer",
    "ReportPolicy",
    "ReportReceived",
    "ReportRequestConfirmed",
    "ReportRequestMade",
    "ReportRequestStopped",
    "ReportRequested",
    "ReportRule",
    "ReportValue",
    "ReportValues",
    "ReportsLost",
    "ReportsOffered",
    "RequestedReport",
    "SetGroup",
    "SetReportPolicy",
    "Stage",
    "StopReports",
    "Targets",
    "UnknownVens",
    "VenRegistered",
    "VenReregistered",
    "VenState",
    "VenUnregistered",
    "VtnConfig",
    "VtnLimits",
    "VtnSession",
    "admitted",
    "build_event",
    "change_event",
    "standing_schedule",
    "usual_unit",
]
