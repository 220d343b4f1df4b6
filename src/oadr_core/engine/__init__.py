"""The machinery that both roles share: clocks, chance, exchanges, retries, and the times of events."""

from __future__ import annotations

from .exchange import (
    AbandonExchange,
    ExchangeFailed,
    Input,
    Notification,
    Output,
    ReplyArrived,
    RequestArrived,
    SendReply,
    SendRequest,
    Tick,
    Trouble,
)
from .now import Now
from .records import Record, SaveState
from .retry import Failure
from .schedule import Timeline, starts, timeline
from .values import DataPoint, ReportReceived, ReportValue, ReportValues

__all__ = [
    "AbandonExchange",
    "DataPoint",
    "ExchangeFailed",
    "Failure",
    "Input",
    "Notification",
    "Now",
    "Output",
    "Record",
    "ReplyArrived",
    "ReportReceived",
    "ReportValue",
    "ReportValues",
    "RequestArrived",
    "SaveState",
    "SendReply",
    "SendRequest",
    "Tick",
    "Timeline",
    "Trouble",
    "starts",
    "timeline",
]
