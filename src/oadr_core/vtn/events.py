"""Events on their way to one VEN, and its answers (section 5.2).

It stands alone as the service EiEvent. A distribution always carries all events of the VEN as they are at
that instant, so that nothing is cancelled by omission (R50, R61).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

from ..engine import Notification, Trouble
from ..errors import shown
from ..model import (
    CreatedEvent,
    DistributeEvent,
    EiResponse,
    EiTarget,
    EventResponse,
    OptType,
    Payload,
    RequestEvent,
    Response,
)
from . import replies
from .book import EventEntry
from .messages import EventDelivered, OptReceived
from .render import in_order, render
from .state import AT_ONCE, Delivery, Turn, VenState, with_item

FINISHED_DELIVERIES: Final = 32
"""Deliveries of a VEN beyond which those of finished events are forgotten."""


def request_event(turn: Turn, ven: VenState, payload: RequestEvent) -> tuple[VenState, Payload]:
    """All events of the VEN, even if there are none (R50); at most ``reply_limit`` of them (R27)."""
    limit = payload.ei_request_event.reply_limit
    return distribute(turn, ven, replies.answer(payload), limit)


def news(turn: Turn, ven: VenState) -> tuple[VenState, DistributeEvent | None]:
    """What a poll brings of events: all of them when one is new or changed (R502), or is to be answered and
    was not.

    Without news this looks at no event at all.
    """
    version = turn.book.version(ven.ven_id)
    if ven.report_only or (version == ven.book_version and (ven.resend_at is None or turn.now.mono < ven.resend_at)):
        return ven, None
    due = _next_due(turn, ven)
    if due is None or due > turn.now.mono:
        return attrs.evolve(ven, book_version=version, resend_at=due), None
    ven, message = distribute(turn, ven, EiResponse(response_description="OK"))
    return ven, message


def distribute(
    turn: Turn, ven: VenState, response: EiResponse, limit: int | None = None
) -> tuple[VenState, DistributeEvent]:
    """Hand out the events of a VEN; ``response`` because it is always a reply (R40)."""
    wall = turn.now.wall
    entries = [
        entry for entry in turn.book.of(ven.ven_id) if _is_shown(turn, entry, ven.deliveries.get(entry.event_id))
    ]
    shown_now = [] if ven.report_only else in_order(entries, wall)[:limit]
    deliveries = dict(_kept(turn, ven.deliveries))
    for entry in shown_now:
        before = deliveries.get(entry.event_id, _UNKNOWN)
        same = before.modification_number == entry.modification_number
        deliveries[entry.event_id] = attrs.evolve(
            before,
            modification_number=entry.modification_number,
            sent_at=turn.now.mono,
            tries=before.tries + 1 if same else 1,
        )
        if not same:
            turn.tell(
                EventDelivered(
                    ven_id=ven.ven_id, event_id=entry.event_id, modification_number=entry.modification_number
                )
            )
    ven = attrs.evolve(ven, deliveries=MappingProxyType(deliveries), book_version=turn.book.version(ven.ven_id))
    target = EiTarget(ven_id=(ven.ven_id,))
    message = DistributeEvent(
        ei_response=response,
        request_id=turn.token("distribute", ven.ven_id),
        vtn_id=turn.config.vtn_id,
        oadr_event=tuple(render(entry, target, wall) for entry in shown_now),
    )
    return attrs.evolve(ven, resend_at=_next_due(turn, ven)), message


def distribute_again(ven: VenState, message: DistributeEvent) -> VenState:
    """A distribution did not arrive, or not for certain: what it brought is due again, unless it was answered in
    the meantime.
    """
    deliveries = dict(ven.deliveries)
    for event in message.oadr_event:
        descriptor = event.ei_event.event_descriptor
        known = deliveries.get(descriptor.event_id)
        if known is not None and known.modification_number == descriptor.modification_number:
            deliveries[descriptor.event_id] = attrs.evolve(known, sent_at=None, tries=max(0, known.tries - 1))
    return attrs.evolve(ven, deliveries=MappingProxyType(deliveries), resend_at=AT_ONCE)


def created_event(turn: Turn, ven: VenState, payload: CreatedEvent) -> tuple[VenState, Payload]:
    """Record the opts; the first answer that cannot be one is refused: 452, or 450 for another version (R48).

    The answers inside are read even when the code outside says failure, as some VENs send it with correct
    answers inside (OpenLEADR VEN); without any, the failure is told and the events are distributed again.
    """
    body = payload.ei_created_event
    answers = body.event_responses or ()
    refusal: EiResponse | None = None
    for one in answers:
        ven, fault = _opt(turn, ven, one)
        if fault is not None and refusal is None:
            refusal = replies.answer(payload, *fault)
    if not answers and not body.ei_response.ok:
        code, text = body.ei_response.response_code, body.ei_response.response_description
        turn.tell(Trouble(text=f"{ven.ven_id} refuses the events: {code} {shown(text or '')}", code=code))
    if answers:
        ven = look_again(turn, ven)
    if refusal is not None:
        turn.tell(Trouble(text=f"{ven.ven_id}: {refusal.response_description}", code=refusal.response_code))
    return ven, Response(ei_response=refusal or replies.answer(payload), ven_id=ven.ven_id)


def _opt(turn: Turn, ven: VenState, one: EventResponse) -> tuple[VenState, tuple[str, str] | None]:
    """Record one answer (R16, R17), or tell the code and the text that refuse it."""
    event_id, number = one.qualified_event_id.event_id, one.qualified_event_id.modification_number
    entry = turn.book.get(event_id)
    if entry is None or not entry.is_for(ven.ven_id):
        return ven, ("452", f"the event {shown(event_id)} is unknown")
    if number != entry.modification_number:
        return ven, (
            "450",
            f"the event {shown(event_id)} has the modification number {entry.modification_number}, not {number}",
        )
    before = ven.deliveries.get(event_id, _UNKNOWN)
    after = attrs.evolve(before, answered=number, response_code=one.response_code)
    if before.opt_id is None:  # R206: an oadrCreateOpt has taken over
        after = attrs.evolve(after, opt_type=one.opt_type)
        if after != before:
            turn.tell(opted(ven, event_id, number, one.opt_type, after))
    return attrs.evolve(ven, deliveries=with_item(ven.deliveries, event_id, after)), None


def look_again(turn: Turn, ven: VenState) -> VenState:
    """What is due to a VEN has changed with what it has said."""
    return attrs.evolve(ven, resend_at=_next_due(turn, ven))


def opted(ven: VenState, event_id: str, number: int, opt_type: OptType, delivery: Delivery) -> Notification:
    """The notification of an opt to the whole event."""
    return OptReceived(
        ven_id=ven.ven_id,
        event_id=event_id,
        modification_number=number,
        opt_type=opt_type,
        response_code=delivery.response_code,
        opt_id=delivery.opt_id,
    )


_UNKNOWN: Final = Delivery()


def _is_shown(turn: Turn, entry: EventEntry, delivery: Delivery | None) -> bool:
    """R50, R66: every event until it is gone; a cancelled one for those who know it, until they have
    acknowledged it.
    """
    if entry.is_gone(turn.now.wall):
        return False
    if not entry.cancelled:
        return True
    return delivery is not None and not _is_settled(turn, entry, delivery)


def _is_settled(turn: Turn, entry: EventEntry, delivery: Delivery) -> bool:
    """True when the VEN has answered this version (R12), or has been told often enough where no answer is
    wanted (R52).
    """
    if entry.always:
        return delivery.answered == entry.modification_number
    return delivery.modification_number == entry.modification_number and delivery.tries >= turn.config.never_tries


def _due_at(turn: Turn, entry: EventEntry, delivery: Delivery | None) -> float | None:
    """When (on mono) the VEN shall get this event, ``None`` for not of its own accord."""
    if not _is_shown(turn, entry, delivery):
        return None
    if delivery is None or delivery.modification_number != entry.modification_number:
        return AT_ONCE
    if _is_settled(turn, entry, delivery) or entry.is_over(turn.now.wall):
        return None
    return turn.again_at(delivery.sent_at)


def _next_due(turn: Turn, ven: VenState) -> float | None:
    due = (_due_at(turn, entry, ven.deliveries.get(entry.event_id)) for entry in turn.book.of(ven.ven_id))
    return min((at for at in due if at is not None), default=None)


def _kept(turn: Turn, deliveries: Mapping[str, Delivery]) -> Mapping[str, Delivery]:
    if len(deliveries) <= FINISHED_DELIVERIES:
        return deliveries
    wall = turn.now.wall
    known = ((event_id, turn.book.get(event_id)) for event_id in deliveries)
    return {event_id: deliveries[event_id] for event_id, entry in known if entry and not entry.is_gone(wall)}
