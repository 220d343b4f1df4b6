"""Opts: availability schedules, and opts to events outside the answer to them (sections 2.2 and 2.8).

It stands alone as the payloads of the service EiOpt.
"""

from __future__ import annotations

from datetime import datetime

from .base import EiResponse, Payload, QualifiedEventID
from .declare import DATE_TIME, TEXT, URI, closed, extensible, maybe, message, one, opt
from .intervals import Properties
from .targets import EiTarget
from .vocabulary import OptReason, OptType


@message("oadr:oadrCreateOpt")
class CreateOpt(Payload):
    """A schedule (``vavailability``) or an opt to an event (``qualified_event_id``): one of the two (R206)."""

    opt_id: str = one("ei:optID", TEXT)
    opt_type: OptType = one("ei:optType", closed(OptType))
    opt_reason: OptReason | str = one("ei:optReason", extensible(OptReason))
    market_context: str | None = opt("emix:marketContext", URI)
    ven_id: str = one("ei:venID", TEXT)
    vavailability: tuple[Properties, ...] | None = maybe(
        "xcal:vavailability/xcal:components/xcal:available*/xcal:properties", Properties
    )
    created_date_time: datetime = one("ei:createdDateTime", DATE_TIME)
    request_id: str = one("pyld:requestID", TEXT)
    qualified_event_id: QualifiedEventID | None = opt("ei:qualifiedEventID", QualifiedEventID)
    ei_target: EiTarget = one("ei:eiTarget", EiTarget, default=EiTarget())
    oadr_device_class: EiTarget | None = opt("oadr:oadrDeviceClass", EiTarget)


@message("oadr:oadrCreatedOpt")
class CreatedOpt(Payload):
    """The VTN has taken the opt, or says why not."""

    ei_response: EiResponse = one("ei:eiResponse", EiResponse)
    opt_id: str = one("ei:optID", TEXT)


@message("oadr:oadrCancelOpt")
class CancelOpt(Payload):
    """The VEN takes schedules back: all with this ``opt_id`` (R204)."""

    request_id: str = one("pyld:requestID", TEXT)
    opt_id: str = one("ei:optID", TEXT)
    ven_id: str = one("ei:venID", TEXT)


@message("oadr:oadrCanceledOpt")
class CanceledOpt(Payload):
    """The answer to CancelOpt."""

    ei_response: EiResponse = one("ei:eiResponse", EiResponse)
    opt_id: str | None = opt("ei:optID", TEXT)
