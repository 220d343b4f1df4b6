"""What an application and a session say to each other about the application's own reports.

It stands alone because this is the face of the side that has the data, whichever role it plays: questions and answers,
and what has become of the reports. ``ven_id`` is empty at a VEN; at a VTN it says which VEN the report is for.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import attrs

from ..engine.exchange import Input, Notification
from ..errors import LocalError
from ..model import DataQuality, GBPayload, PayloadResourceStatus, Report, ReportRequest

SMALLEST_MESSAGE: Final = 16 * 1024
"""Bytes: less would not hold an envelope with a signature and some values."""


class Collection(StrEnum):
    """How the values of a report are collected."""

    INCREMENTAL = "incremental"
    """One question per sample, for the value of now."""
    FULL = "full"
    """One question per report, for all values of a period."""


class Loss(StrEnum):
    """Why values will never reach the peer."""

    BUFFER = "buffer"
    """Too many waited: the oldest were dropped."""
    REFUSED = "refused"
    """The peer does not take them."""
    UNREGISTERED = "unregistered"
    """The registration ended before they could be sent (R407)."""
    CLOCK = "clock"
    """The clock went ahead so far that not even placeholders are sent for all samples."""


@attrs.frozen(kw_only=True)
class ReportBuffer:
    """How much waits while the peer is away, and how large one message becomes.

    ``values``: when more wait, the oldest are dropped, and :class:`ReportsLost` says so. The default is a day of ten
    data points every ten seconds, in some 20 MB. ``message_bytes``: reports are spread over several messages so that
    none becomes longer, signature included; the default is what usual servers take. ``grouped``: the values of one
    instant share an interval, which makes messages a third shorter; not every peer can read that.

    Raises :class:`~oadr_core.errors.LocalError` for numbers out of range.
    """

    values: int = 100_000
    message_bytes: int = 512 * 1024
    grouped: bool = False

    def __attrs_post_init__(self) -> None:
        for name, value, least in (
            ("values", self.values, 1),
            ("message_bytes", self.message_bytes, SMALLEST_MESSAGE),
        ):
            number: Any = value  # annotations do not bind a caller
            if not isinstance(number, int) or isinstance(number, bool) or number < least:
                text = f"a whole number from {least} is expected, not {number!r}"
                raise LocalError(text, path=f"ReportBuffer/{name}")


# --- answers --------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Reading:
    """One value of one data point.

    ``at`` is when it was taken, or where its interval begins (aware; ``None``: at the time asked for). ``duration`` is
    the length of its interval in whole seconds, ``None`` for a value at a point in time (R315). ``value`` is a number,
    the state of a resource, a Green Button feed, or ``None`` when there is no valid value (R318). ``accuracy`` is in
    the unit of the value (R319), ``confidence`` in percent.
    """

    r_id: str
    value: float | PayloadResourceStatus | GBPayload | None
    at: datetime | None = None
    quality: DataQuality | str | None = None
    accuracy: float | None = None
    confidence: int | None = None
    duration: timedelta | None = None


@attrs.frozen(kw_only=True)
class ProvideReport(Input):
    """The answer to :class:`ReportDue`; ``at`` repeats its ``at``. Late ones are ignored."""

    report_request_id: str
    at: datetime
    readings: tuple[Reading, ...]
    ven_id: str = ""


# --- notifications --------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class ReportRequested(Notification):
    """The peer wants a report, and will get it."""

    request: ReportRequest
    ven_id: str = ""


@attrs.frozen(kw_only=True)
class ReportDue(Notification):
    """Values are needed: answer with :class:`ProvideReport` until ``deadline`` (on ``mono``).

    ``at`` is the synchronised time of the sample. For a full collection, and for every report of history, ``since`` is
    where the period begins that ends at ``at``, and ``interval`` how far apart its values should be.
    """

    report_request_id: str
    report_specifier_id: str
    r_ids: tuple[str, ...]
    at: datetime
    deadline: float
    collection: Collection
    since: datetime
    interval: timedelta
    ven_id: str = ""


@attrs.frozen(kw_only=True)
class ReportDelivered(Notification):
    """The peer has taken a report, or a part of it that filled a message."""

    report: Report
    ven_id: str = ""


@attrs.frozen(kw_only=True)
class ReportCancelled(Notification):
    """The peer does not want a report any more. ``dropped``: values that were collected, and are not sent."""

    report_request_id: str
    dropped: int = 0
    ven_id: str = ""


@attrs.frozen(kw_only=True)
class ReportsLost(Notification):
    """Values of a report that the peer will never get: how many, and from when to when they were taken."""

    report_request_id: str
    since: datetime
    until: datetime
    values: int
    reason: Loss
    ven_id: str = ""
