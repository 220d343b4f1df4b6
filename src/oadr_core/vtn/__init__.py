"""The VTN: the server at the utility, as a pure state machine."""

from __future__ import annotations

from .book import EventEntry
from .build import UNSAID, Targets, build_event, change_event
from .config import Admitted, ReportPolicy, VtnConfig, VtnLimits, admitted
from .messages import (
    AskReport,
    AskReregistration,
    CancelEvent,
    EndRegistration,
    EventDelivered,
    EventPublished,
    EventStatusChanged,
    ModifyEvent,
    OptReceived,
    OptScheduleCancelled,
    OptScheduleReceived,
    PublishEvent,
    ReportReceived,
    ReportRequestConfirmed,
    ReportRequestMade,
    ReportRequestStopped,
    ReportsOffered,
    ReportValue,
    StopReports,
    VenRegistered,
    VenReregistered,
    VenUnregistered,
)
from .session import VtnSession
from .signals import usual_unit
from .state import Delivery, OptSchedule, RequestedReport, VenState

__all__ = [
    "UNSAID",
    "Admitted",
    "AskReport",
    "AskReregistration",
    "CancelEvent",
    "Delivery",
    "EndRegistration",
    "EventDelivered",
    "EventEntry",
    "EventPublished",
    "EventStatusChanged",
    "ModifyEvent",
    "OptReceived",
    "OptSchedule",
    "OptScheduleCancelled",
    "OptScheduleReceived",
    "PublishEvent",
    "ReportPolicy",
    "ReportReceived",
    "ReportRequestConfirmed",
    "ReportRequestMade",
    "ReportRequestStopped",
    "ReportValue",
    "ReportsOffered",
    "RequestedReport",
    "StopReports",
    "Targets",
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
    "usual_unit",
]
