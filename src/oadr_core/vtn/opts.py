"""Opts outside the answer to an event: availability schedules, and opts to events by their own message
(section 5.4).

It stands alone as the service EiOpt.
"""

from __future__ import annotations

from typing import Final

import attrs

from ..engine.copying import evolve
from ..errors import InvalidID, shown
from ..model import (
    OK,
    CanceledOpt,
    CancelOpt,
    CreatedOpt,
    CreateOpt,
    EiTarget,
    OptType,
    Payload,
    Properties,
    QualifiedEventID,
)
from ..model.declare import fields_of
from . import replies
from .book import EventEntry
from .events import look_again, opted
from .messages import OptReceived, OptScheduleCancelled, OptScheduleReceived
from .replies import Illogical, NotServed
from .state import Delivery, OptSchedule, Turn, VenState, with_item

_EVERYTHING: Final = EiTarget()


class TargetMismatch(Illogical):
    """A target that is not part of what it should be part of."""

    code = "462"


def create_opt(turn: Turn, ven: VenState, payload: CreateOpt) -> tuple[VenState, Payload]:
    """A schedule or an opt to an event: one of the two, and not both (R206)."""
    event, periods = payload.qualified_event_id, payload.vavailability
    if event is not None and (periods is not None or payload.market_context is not None):
        raise Illogical("an opt to an event has neither vavailability nor marketContext", rule="R206")
    if event is not None:
        ven = _event_opt(turn, ven, payload, event)
    elif periods is not None:
        ven = _schedule(turn, ven, payload, periods)
    else:
        raise Illogical("either qualifiedEventID or vavailability is expected", rule="R206")
    return ven, CreatedOpt(ei_response=replies.answer(payload), opt_id=payload.opt_id)


def cancel_opt(turn: Turn, ven: VenState, payload: CancelOpt) -> tuple[VenState, Payload]:
    """All schedules with the optID go (R204), replaced ones included (R211); an unknown optID is refused
    (R208).
    """
    kept = tuple(schedule for schedule in ven.schedules if schedule.opt_id != payload.opt_id)
    if len(kept) == len(ven.schedules):
        raise InvalidID(f"there is no opt schedule {shown(payload.opt_id)}", rule="R208")
    turn.tell(OptScheduleCancelled(ven_id=ven.ven_id, opt_id=payload.opt_id))
    reply = CanceledOpt(ei_response=replies.answer(payload), opt_id=payload.opt_id)
    return attrs.evolve(ven, schedules=kept), reply


def _event_opt(turn: Turn, ven: VenState, payload: CreateOpt, event: QualifiedEventID) -> VenState:
    """From now on this decides about the event, or about the named resources of it, and not oadrCreatedEvent, even
    after modifications (R206): so an opt to an earlier version, which crosses with a modification, counts too.
    """
    entry = turn.book.get(event.event_id)
    if entry is None or not entry.is_for(ven.ven_id):
        raise InvalidID(f"the event {shown(event.event_id)} is unknown", rule="R206")
    if event.modification_number > entry.modification_number:
        number = entry.modification_number
        text = (
            f"the event {shown(event.event_id)} has the modification number {number}, not {event.modification_number}"
        )
        raise _OutOfSequence(text, rule="R48")
    if not entry.always:
        raise Illogical(f"the event {shown(event.event_id)} wants no answer", rule="R206")
    _check_part(entry, payload.ei_target)
    before = ven.deliveries.get(event.event_id, Delivery())
    if _is_everything(payload.ei_target):
        after = attrs.evolve(before, opt_type=payload.opt_type, opt_id=payload.opt_id, response_code=OK, partial=())
        if after != before:
            turn.tell(opted(ven, entry.event_id, entry.modification_number, payload.opt_type, after))
    else:
        others = tuple(one for one in before.partial if one[0] != payload.ei_target)
        after = attrs.evolve(before, partial=(*others, (payload.ei_target, payload.opt_type)))
        if len(after.partial) > turn.config.limits.schedules:
            raise NotServed(f"at most {turn.config.limits.schedules} opts for parts of one event")
        if after != before:
            turn.tell(
                OptReceived(
                    ven_id=ven.ven_id,
                    event_id=entry.event_id,
                    modification_number=entry.modification_number,
                    opt_type=payload.opt_type,
                    response_code=OK,
                    opt_id=payload.opt_id,
                    target=payload.ei_target,
                )
            )
    return look_again(turn, attrs.evolve(ven, deliveries=with_item(ven.deliveries, event.event_id, after)))


class _OutOfSequence(Illogical):
    code = "450"


def _schedule(turn: Turn, ven: VenState, payload: CreateOpt, periods: tuple[Properties, ...]) -> VenState:
    """R203: it replaces the earlier ones that it covers whole, and takes precedence over the others."""
    limits = turn.config.limits
    if not periods:
        raise Illogical("a schedule has at least one period", rule="R206")
    if len(periods) > limits.periods:
        raise NotServed(f"at most {limits.periods} periods in one schedule")
    for period in periods:
        extras = (period.tolerance, period.x_ei_notification, period.x_ei_ramp_up, period.x_ei_recovery)
        if any(extra is not None for extra in extras):
            raise Illogical("an availability has a start and a duration only", rule="R200")
    new = OptSchedule(
        opt_id=payload.opt_id,
        opt_type=payload.opt_type,
        opt_reason=payload.opt_reason,
        market_context=payload.market_context or None,
        availability=periods,
        target=payload.ei_target,
        device_class=payload.oadr_device_class,
        created_date_time=payload.created_date_time,
    )
    if any(attrs.evolve(old, superseded=False) == new for old in ven.schedules):
        return ven  # a repetition, perhaps of a schedule that a later one has replaced: it stays replaced
    kept = tuple(attrs.evolve(old, superseded=True) if _covers(new, old) else old for old in ven.schedules)
    if len(kept) >= limits.schedules:
        kept = tuple(old for old in kept if not old.superseded)
    if len(kept) >= limits.schedules:
        raise NotServed(f"at most {limits.schedules} opt schedules of one VEN")
    turn.tell(
        OptScheduleReceived(
            ven_id=ven.ven_id,
            opt_id=new.opt_id,
            opt_type=new.opt_type,
            opt_reason=new.opt_reason,
            market_context=new.market_context,
            availability=new.availability,
            target=new.target,
        )
    )
    return attrs.evolve(ven, schedules=(*kept, new))


def standing_schedule(
    schedules: tuple[OptSchedule, ...],
    opt_type: OptType,
    *,
    target: EiTarget = _EVERYTHING,
    market_context: str | None = None,
) -> OptSchedule | None:
    """The schedule that counts for some resources (``target``, empty: the VEN as a whole) and a program: the latest
    one that is for them (R203, R205), and that no later one has replaced. ``None`` when there is none.
    """
    for schedule in reversed(schedules):
        if (
            not schedule.superseded
            and schedule.opt_type is opt_type
            and schedule.market_context in (None, market_context)
            and _contains(schedule.target, target)
        ):
            return schedule
    return None


def _covers(new: OptSchedule, old: OptSchedule) -> bool:
    """R203: True when ``new`` leaves nothing of ``old``: of the same kind, for all its resources, programs and
    device classes. One for some of the resources leaves the others as they were.
    """
    return (
        new.opt_type is old.opt_type
        and new.market_context in (None, old.market_context)
        and new.device_class in (None, old.device_class)
        and _contains(new.target, old.target)
    )


def _contains(whole: EiTarget, part: EiTarget) -> bool:
    if _is_everything(whole):
        return True
    if _is_everything(part):
        return False
    kinds = (spec.name for spec in fields_of(EiTarget) if spec.name != "ven_id")
    return all(set(getattr(part, kind)) <= set(getattr(whole, kind)) for kind in kinds)


def _is_everything(target: EiTarget) -> bool:
    """R202, R203: no target, or the venID alone, means all resources."""
    return evolve(target, ven_id=()) == EiTarget()


def _check_part(entry: EventEntry, target: EiTarget) -> None:
    """R206: what an opt names must be among what the event names of that kind."""
    for spec in fields_of(EiTarget):
        wanted, offered = getattr(target, spec.name), getattr(entry.event.ei_target, spec.name)
        if offered and not set(wanted) <= set(offered):
            missing = ", ".join(map(str, sorted(set(map(str, wanted)) - set(map(str, offered)))))
            raise TargetMismatch(f"the event is not for {shown(missing)}", rule="R206")
