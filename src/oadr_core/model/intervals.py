"""Time in messages: periods, and intervals with their payloads (sections 2.6 and 2.10).

It stands alone because signals, baselines and reports share ``ei:interval``, and events, opts and report requests
share ``xcal:properties``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from .declare import (
    BOOLEAN,
    DATE_TIME,
    DURATION,
    FLOAT,
    PERCENT,
    TEXT,
    Choice,
    Opaque,
    extensible,
    one,
    opt,
    schema,
    some,
)
from .values import Duration
from .vocabulary import DataQuality


@schema
class Tolerance:
    """Randomisation of the start within ``startafter`` (rule R30)."""

    startafter: Duration | None = opt("xcal:startafter", DURATION)


@schema
class Properties:
    """A period and what surrounds it (XCAL:56).

    ``duration`` zero means open-ended (R47, R210, R325). Only events have more than the first two fields
    (R200, R321).
    """

    dtstart: datetime = one("xcal:dtstart/xcal:date-time", DATE_TIME)
    duration: Duration = one("xcal:duration/xcal:duration", DURATION)
    tolerance: Tolerance | None = opt("xcal:tolerance/xcal:tolerate", Tolerance)
    x_ei_notification: Duration | None = opt("ei:x-eiNotification/xcal:duration", DURATION)
    x_ei_ramp_up: Duration | None = opt("ei:x-eiRampUp/xcal:duration", DURATION)
    x_ei_recovery: Duration | None = opt("ei:x-eiRecovery/xcal:duration", DURATION)


@schema
class LoadControlState:
    """One quantity of a load controller (O:879)."""

    oadr_min: float | None = opt("oadr:oadrMin", FLOAT)
    oadr_max: float | None = opt("oadr:oadrMax", FLOAT)
    oadr_current: float = one("oadr:oadrCurrent", FLOAT)
    oadr_normal: float | None = opt("oadr:oadrNormal", FLOAT)


@schema
class LoadControlStates:
    """The state of a load controller, mirroring the types of LOAD_CONTROL signals (O:871, rule R334)."""

    oadr_capacity: LoadControlState | None = opt("oadr:oadrCapacity", LoadControlState)
    oadr_level_offset: LoadControlState | None = opt("oadr:oadrLevelOffset", LoadControlState)
    oadr_percent_offset: LoadControlState | None = opt("oadr:oadrPercentOffset", LoadControlState)
    oadr_set_point: LoadControlState | None = opt("oadr:oadrSetPoint", LoadControlState)


@schema
class PayloadResourceStatus:
    """State of a resource (O:848)."""

    oadr_online: bool = one("oadr:oadrOnline", BOOLEAN)
    oadr_manual_override: bool = one("oadr:oadrManualOverride", BOOLEAN)
    oadr_load_control_state: LoadControlStates | None = opt("oadr:oadrLoadControlState", LoadControlStates)


PAYLOAD_BASE: Final = Choice(
    (
        ("ei:payloadFloat/ei:value", FLOAT),
        ("oadr:oadrPayloadResourceStatus", PayloadResourceStatus),
    )
)
"""The substitution group of ei:payloadBase: a number, or the state of a resource."""


@schema
class SignalPayload:
    """The value of a signal or baseline in one interval (EI:386); a number by rule R100."""

    payload_base: float | PayloadResourceStatus = one("", PAYLOAD_BASE)


@schema
class ReportPayload:
    """The value of one data point in one interval (O:920).

    ``confidence`` is in percent; ``accuracy`` is in the unit of the value (R319).
    """

    r_id: str = one("ei:rID", TEXT)
    confidence: int | None = opt("ei:confidence", PERCENT)
    accuracy: float | None = opt("ei:accuracy", FLOAT)
    payload_base: float | PayloadResourceStatus = one("", PAYLOAD_BASE)
    oadr_data_quality: DataQuality | str | None = opt("oadr:oadrDataQuality", extensible(DataQuality))


@schema
class GBPayload:
    """Green Button data: an Atom feed, carried as canonical XML."""

    feed: str = one("atom:feed", Opaque())


STREAM_PAYLOAD_BASE: Final = Choice(
    (
        ("ei:signalPayload", SignalPayload),
        ("oadr:oadrReportPayload", ReportPayload),
        ("oadr:oadrGBPayload", GBPayload),
    )
)
"""The substitution group of strm:streamPayloadBase."""


@schema
class Interval:
    """A stretch of time with its payloads (EI:110).

    Events: ``duration`` and ``uid`` (0, 1, 2 …), no ``dtstart``, one SignalPayload (R100-R103).
    Reports: rules R314-R316.
    """

    dtstart: datetime | None = opt("xcal:dtstart/xcal:date-time", DATE_TIME)
    duration: Duration | None = opt("xcal:duration/xcal:duration", DURATION)
    uid: str | None = opt("xcal:uid/xcal:text", TEXT)
    stream_payload_base: tuple[SignalPayload | ReportPayload | GBPayload, ...] = some("", STREAM_PAYLOAD_BASE)
