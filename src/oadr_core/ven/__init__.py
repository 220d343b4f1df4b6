"""The VEN: the client at the device, as a pure state machine."""

from __future__ import annotations

from .config import ReportOffer, VenConfig
from .messages import (
    CancelRegistration,
    Change,
    Collection,
    Decide,
    DecisionNeeded,
    EventCancelled,
    EventChanged,
    EventReceived,
    EventStatusChanged,
    OptDelivered,
    PollNow,
    ProvideReport,
    Reading,
    Register,
    Registered,
    RegistrationEnded,
    RegistrationRefused,
    ReportCancelled,
    ReportDelivered,
    ReportDue,
    ReportRequested,
)
from .session import VenSession
from .state import Registration, VenState

__all__ = [
    "CancelRegistration",
    "Change",
    "Collection",
    "Decide",
    "DecisionNeeded",
    "EventCancelled",
    "EventChanged",
    "EventReceived",
    "EventStatusChanged",
    "OptDelivered",
    "PollNow",
    "ProvideReport",
    "Reading",
    "Register",
    "Registered",
    "Registration",
    "RegistrationEnded",
    "RegistrationRefused",
    "ReportCancelled",
    "ReportDelivered",
    "ReportDue",
    "ReportOffer",
    "ReportRequested",
    "VenConfig",
    "VenSession",
    "VenState",
]
