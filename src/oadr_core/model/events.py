"""Events: what the VTN distributes and how the VEN answers (sections 2.1 and 2.6).

It stands alone as the payloads of the service EiEvent.
"""

from __future__ import annotations

from datetime import datetime

from .base import EiResponse, Payload, QualifiedEventID
from .declare import (
    DATE_TIME,
    DURATION,
    FLOAT,
    RESPONSE_CODE,
    TEXT,
    UNSIGNED,
    URI,
    Opaque,
    closed,
    extensible,
    many,
    maybe,
    message,
    one,
    opt,
    schema,
    some,
)
from .intervals import Interval, Properties
from .targets import EiTarget
from .units import ITEM_BASE, ItemBase
from .values import Duration
from .vocabulary import EventStatus, OptType, ResponseRequired, SignalName, SignalType


@schema
class EventDescriptor:
    """Identity, version, program and status of an event (EI:337).

    ``priority``: lower is more important, 0 or ``None`` least (R3). ``test_event``: any text but ``false`` is a
    test (R6).
    """

    event_id: str = one("ei:eventID", TEXT)
    modification_number: int = one("ei:modificationNumber", UNSIGNED, default=0)
    modification_date_time: datetime | None = opt("ei:modificationDateTime", DATE_TIME)
    modification_reason: str | None = opt("ei:modificationReason", TEXT)
    priority: int | None = opt("ei:priority", UNSIGNED)
    market_context: str = one("ei:eiMarketContext/emix:marketContext", URI)
    created_date_time: datetime = one("ei:createdDateTime", DATE_TIME)
    event_status: EventStatus = one("ei:eventStatus", closed(EventStatus))
    test_event: str | None = opt("ei:testEvent", TEXT)
    vtn_comment: str | None = opt("ei:vtnComment", TEXT)


@schema
class EiActivePeriod:
    """When an event is active (EI:245). ``components`` is empty in practice and carried as canonical XML."""

    properties: Properties = one("xcal:properties", Properties)
    components: str = one("xcal:components", Opaque(content=True), default="")


@schema
class EiEventSignal:
    """One signal of an event (EI:426). ``ei_target`` holds device classes only (R111)."""

    intervals: tuple[Interval, ...] = some("strm:intervals/ei:interval*", Interval)
    ei_target: EiTarget | None = opt("ei:eiTarget", EiTarget)
    signal_name: SignalName | str = one("ei:signalName", extensible(SignalName))
    signal_type: SignalType = one("ei:signalType", closed(SignalType))
    signal_id: str = one("ei:signalID", TEXT)
    item_base: ItemBase | None = opt("", ITEM_BASE)
    current_value: float | None = opt("ei:currentValue/ei:payloadFloat/ei:value", FLOAT)


@schema
class EiEventBaseline:
    """What would have been used without the event (EI:546)."""

    dtstart: datetime = one("xcal:dtstart/xcal:date-time", DATE_TIME)
    duration: Duration = one("xcal:duration/xcal:duration", DURATION)
    intervals: tuple[Interval, ...] = some("strm:intervals/ei:interval*", Interval)
    baseline_id: str = one("ei:baselineID", TEXT)
    resource_id: tuple[str, ...] = many("ei:resourceID*", TEXT)
    baseline_name: str = one("ei:baselineName", TEXT)
    item_base: ItemBase | None = opt("", ITEM_BASE)


@schema
class EiEventSignals:
    """The signals of an event, and its baseline (EI:526)."""

    ei_event_signal: tuple[EiEventSignal, ...] = some("ei:eiEventSignal*", EiEventSignal)
    ei_event_baseline: EiEventBaseline | None = opt("ei:eiEventBaseline", EiEventBaseline)


@schema
class EiEvent:
    """An event (EI:231)."""

    event_descriptor: EventDescriptor = one("ei:eventDescriptor", EventDescriptor)
    ei_active_period: EiActivePeriod = one("ei:eiActivePeriod", EiActivePeriod)
    ei_event_signals: EiEventSignals = one("ei:eiEventSignals", EiEventSignals)
    ei_target: EiTarget = one("ei:eiTarget", EiTarget, default=EiTarget())


@schema
class Event:
    """An event as it is distributed, and whether it wants an answer (O:69)."""

    ei_event: EiEvent = one("ei:eiEvent", EiEvent)
    oadr_response_required: ResponseRequired = one(
        "oadr:oadrResponseRequired", closed(ResponseRequired, collapse=False), default=ResponseRequired.ALWAYS
    )


@message("oadr:oadrDistributeEvent")
class DistributeEvent(Payload):
    """All events of a VEN, each time (R50, R502). ``ei_response`` is there in a reply and not in a push (R40)."""

    ei_response: EiResponse | None = opt("ei:eiResponse", EiResponse)
    request_id: str = one("pyld:requestID", TEXT)
    vtn_id: str = one("ei:vtnID", TEXT)
    oadr_event: tuple[Event, ...] = many("oadr:oadrEvent*", Event)


@schema
class EventResponse:
    """The answer to one event (EI:214). ``request_id`` is that of the message which brought the event (R42)."""

    response_code: str = one("ei:responseCode", RESPONSE_CODE, default="200")
    response_description: str | None = opt("ei:responseDescription", TEXT)
    request_id: str = one("pyld:requestID", TEXT)
    qualified_event_id: QualifiedEventID = one("ei:qualifiedEventID", QualifiedEventID)
    opt_type: OptType = one("ei:optType", closed(OptType))


@schema
class EiCreatedEvent:
    """The body of CreatedEvent (PYLD:34). ``event_responses`` is required unless ``ei_response`` is an error (R35)."""

    ei_response: EiResponse = one("ei:eiResponse", EiResponse)
    event_responses: tuple[EventResponse, ...] | None = maybe("ei:eventResponses/ei:eventResponse*", EventResponse)
    ven_id: str = one("ei:venID", TEXT)


@message("oadr:oadrCreatedEvent")
class CreatedEvent(Payload):
    """The VEN's opts (R12, R62)."""

    ei_created_event: EiCreatedEvent = one("pyld:eiCreatedEvent", EiCreatedEvent)


@schema
class EiRequestEvent:
    """The body of RequestEvent (PYLD:17). ``reply_limit``: at most so many events come back (R27)."""

    request_id: str = one("pyld:requestID", TEXT)
    ven_id: str = one("ei:venID", TEXT)
    reply_limit: int | None = opt("pyld:replyLimit", UNSIGNED)


@message("oadr:oadrRequestEvent")
class RequestEvent(Payload):
    """The VEN asks for all its events (R23)."""

    ei_request_event: EiRequestEvent = one("pyld:eiRequestEvent", EiRequestEvent)


@message("oadr:oadrResponse")
class Response(Payload):
    """An acknowledgement (O:101). ``ven_id`` is required from a VEN (R508)."""

    ei_response: EiResponse = one("ei:eiResponse", EiResponse)
    ven_id: str | None = opt("ei:venID", TEXT)
