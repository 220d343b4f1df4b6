"""Opts that the VEN states by itself: schedules, and opts to events outside the answer to them (section 5.4).

It stands alone as the VEN's side of the service EiOpt. Each is kept until it is void, and its message until the VTN
has answered.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from ..engine.copying import evolve
from ..engine.schedule import later
from ..errors import LocalError, shown
from ..model import (
    CanceledOpt,
    CancelOpt,
    CreatedOpt,
    CreateOpt,
    EiResponse,
    EiTarget,
    OptReason,
    OptType,
    Payload,
    Properties,
    QualifiedEventID,
    ResponseRequired,
    ServiceName,
)
from ..model.declare import fields_of
from ..wire.examine import faults
from .messages import MakeOpt, OptAccepted, OptPosted, OptRefused, OptWithdrawn, WithdrawOpt
from .state import KnownEvent, Opt, Outgoing, Turn

MOST_OPTS: Final = 500
"""Opts that are kept: a schedule for each day of more than a year."""
_TARGETS: Final = frozenset(field.name for field in fields_of(EiTarget))


def make(turn: Turn, command: MakeOpt) -> None:
    """State an opt: look at it, keep it, and post it.

    Raises :class:`~oadr_core.errors.LocalError` for one that cannot be, or while there is no registration (R405).
    """
    ven_id = _registered(turn)
    known = None if command.event_id is None else _qualifiable(turn, command)
    if known is None:
        _check_schedule(command)
    others = command.device_class is not None and _kinds(command.device_class) != {"end_device_asset"}
    if others:
        raise LocalError("only end_device_asset, and at least one, is a device class", path="device_class", rule="R209")
    forget_elapsed(turn)
    if len(turn.state.opts) >= MOST_OPTS:
        raise LocalError(f"more than {MOST_OPTS} opts are not kept; withdraw some", path="MakeOpt")
    payload = CreateOpt(
        opt_id=command.opt_id or turn.token("opt"),
        opt_type=command.opt_type,
        opt_reason=command.opt_reason,
        market_context=command.market_context,
        ven_id=ven_id,
        vavailability=command.availability if known is None else None,
        created_date_time=turn.now.seconds,
        request_id=turn.token("create opt"),
        qualified_event_id=None if known is None else _qualified(known),
        ei_target=command.target if _kinds(command.target) else EiTarget(ven_id=(ven_id,)),
        oadr_device_class=command.device_class,
    )
    for path, text in faults(payload, CreateOpt, "MakeOpt"):
        raise LocalError(text, path=path)
    if known is not None and not _kinds(payload.ei_target) - {"ven_id"}:
        turn.put_event(evolve(known, opt=command.opt_type, qualified=command.opt_type))
    _keep(turn, payload)


def qualify(turn: Turn, known: KnownEvent, opt: OptType) -> None:
    """Another opt to an event whose opt was stated by oadrCreateOpt: only another of these can change it (R206)."""
    command = MakeOpt(opt_type=opt, event_id=known.event_id, opt_reason=OptReason.PARTICIPATING)
    if opt is OptType.OPT_OUT:
        command = evolve(command, opt_reason=OptReason.NOT_PARTICIPATING)
    wanted = known.event.oadr_response_required is ResponseRequired.ALWAYS
    if wanted and turn.state.registration is not None and len(turn.state.opts) < MOST_OPTS:
        make(turn, command)


def _registered(turn: Turn) -> str:
    if turn.state.registration is None:
        raise LocalError("there is no registration", path="MakeOpt", rule="R405")
    if turn.config.report_only:
        raise LocalError("this VEN only reports", path="MakeOpt")
    return turn.state.registration.ven_id


def _qualifiable(turn: Turn, command: MakeOpt) -> KnownEvent:
    known = turn.state.events.get(command.event_id or "")
    if known is None or known.cancelled:
        raise LocalError(f"there is no event {shown(command.event_id)}", path="event_id", rule="R206")
    if known.event.oadr_response_required is not ResponseRequired.ALWAYS:
        raise LocalError(f"event {shown(command.event_id)} wants no answer", path="event_id", rule="R206")
    if command.availability or command.market_context is not None:
        raise LocalError("an opt to an event has neither periods nor market context", path="event_id", rule="R206")
    theirs = known.event.ei_event.ei_target
    if _kinds(theirs) - {"ven_id"}:
        for kind in _kinds(command.target) - {"ven_id"}:
            more = [each for each in getattr(command.target, kind) if each not in getattr(theirs, kind)]
            if more:
                raise LocalError(f"{shown(more[0])} is no target of the event", path=f"target/{kind}", rule="R206")
    return known


def _check_schedule(command: MakeOpt) -> None:
    if not command.availability:
        raise LocalError("either an event or at least one period is expected", path="availability", rule="R206")
    for number, period in enumerate(command.availability):
        path = f"availability[{number}]"
        if period != Properties(dtstart=period.dtstart, duration=period.duration):
            raise LocalError("a period has a start and a duration only", path=path, rule="R200")
        if period.duration.months < 0 or period.duration.seconds < 0:
            raise LocalError("a period does not end before it begins", path=path)


def _qualified(known: KnownEvent) -> QualifiedEventID:
    return QualifiedEventID(event_id=known.event_id, modification_number=known.modification_number)


def _kinds(target: EiTarget) -> set[str]:
    return {kind for kind in _TARGETS if getattr(target, kind)}


def _keep(turn: Turn, payload: CreateOpt) -> None:
    """R203: a schedule for the whole VEN replaces the earlier ones of its opt type; R206: the last opt counts."""
    event = payload.qualified_event_id
    whole = not _kinds(payload.ei_target) - {"ven_id"}
    for key, opt in tuple(turn.state.opts.items()):
        earlier = opt.payload
        if event is not None and earlier.qualified_event_id is not None:
            if whole and earlier.qualified_event_id.event_id == event.event_id:
                turn.drop_opt(key)
        elif event is None and earlier.qualified_event_id is None and whole and earlier.opt_type is payload.opt_type:
            turn.put_opt(key, evolve(opt, superseded=True))
    turn.put_opt(payload.request_id, Opt(payload=payload))
    turn.post(ServiceName.EI_OPT, payload)
    event_id = None if event is None else event.event_id
    turn.tell(OptPosted(opt_id=payload.opt_id, opt_type=payload.opt_type, event_id=event_id))


def withdraw(turn: Turn, command: WithdrawOpt) -> None:
    """Take schedules back: all that bear the ID (R204).

    Raises :class:`~oadr_core.errors.LocalError` for an unknown ID, and for opts to events (R211).
    """
    ven_id = _registered(turn)
    found = {key: opt for key, opt in turn.state.opts.items() if opt.payload.opt_id == command.opt_id}
    if not found:
        raise LocalError(f"there is no schedule {shown(command.opt_id)}", path="opt_id", rule="R208")
    schedules = {key: opt for key, opt in found.items() if opt.payload.qualified_event_id is None}
    if not schedules:
        raise LocalError("an opt to an event is not taken back; make another one", path="opt_id", rule="R211")
    for key, opt in schedules.items():
        turn.put_opt(key, evolve(opt, withdrawn=True))
    payload = CancelOpt(request_id=turn.token("cancel opt"), opt_id=command.opt_id, ven_id=ven_id)
    turn.post(ServiceName.EI_OPT, payload)


def on_created(turn: Turn, entry: Outgoing, reply: Payload | None) -> None:
    """The VTN's answer to an opt: it is taken, or it is void."""
    payload = entry.payload
    assert isinstance(payload, CreateOpt)
    response = reply.ei_response if isinstance(reply, CreatedOpt) else _outcome(reply)
    opt = turn.state.opts.get(payload.request_id)
    if not response.ok:
        text = response.response_description or "no reason given"
        turn.tell(OptRefused(opt_id=payload.opt_id, code=response.response_code, text=text))
        if opt is not None:
            turn.drop_opt(payload.request_id)
        _unqualify(turn, payload)
        return
    if opt is not None:
        turn.put_opt(payload.request_id, evolve(opt, confirmed=True))
    event = payload.qualified_event_id
    event_id = None if event is None else event.event_id
    turn.tell(OptAccepted(opt_id=payload.opt_id, opt_type=payload.opt_type, event_id=event_id))


def _unqualify(turn: Turn, payload: CreateOpt) -> None:
    """An opt to an event that the VTN has refused goes before nothing."""
    event = payload.qualified_event_id
    known = None if event is None else turn.state.events.get(event.event_id)
    if known is not None and known.qualified is payload.opt_type:
        turn.put_event(evolve(known, qualified=None))


def on_cancelled(turn: Turn, entry: Outgoing, reply: Payload | None) -> None:
    """The VTN's answer to a withdrawal; one that it does not know is void as well."""
    payload = entry.payload
    assert isinstance(payload, CancelOpt)
    response = reply.ei_response if isinstance(reply, CanceledOpt) else _outcome(reply)
    for key, opt in tuple(turn.state.opts.items()):
        if opt.payload.opt_id == payload.opt_id and opt.withdrawn:
            turn.drop_opt(key)
    if response.ok:
        turn.tell(OptWithdrawn(opt_id=payload.opt_id))
        return
    text = response.response_description or "no reason given"
    turn.tell(OptRefused(opt_id=payload.opt_id, code=response.response_code, text=text, withdrawing=True))


def _outcome(reply: Payload | None) -> EiResponse:
    response = getattr(reply, "ei_response", None)
    return response if isinstance(response, EiResponse) else EiResponse()


def renew(turn: Turn) -> None:
    """A new registration begins without any opt (R406): state again what is still meant."""
    assert turn.state.registration is not None
    ven_id = turn.state.registration.ven_id
    forget_elapsed(turn)
    for key, opt in tuple(turn.state.opts.items()):
        turn.drop_opt(key)
        if opt.withdrawn or opt.superseded:
            continue
        target = opt.payload.ei_target
        again = evolve(
            opt.payload,
            ven_id=ven_id,
            ei_target=evolve(target, ven_id=(ven_id,)) if target.ven_id else target,
            request_id=turn.token("create opt"),
            created_date_time=turn.now.seconds,
        )
        turn.put_opt(again.request_id, Opt(payload=again))
        turn.post(ServiceName.EI_OPT, again)


def given_up(turn: Turn, payload: Payload) -> None:
    """The message of an opt was given up: it is void."""
    if isinstance(payload, CreateOpt) and payload.request_id in turn.state.opts:
        turn.drop_opt(payload.request_id)
        _unqualify(turn, payload)
        turn.tell(OptRefused(opt_id=payload.opt_id, code="", text="it could not be delivered"))


def forget_elapsed(turn: Turn) -> None:
    """Drop schedules that have elapsed, and opts to events that are gone; an open end elapses never (R210)."""
    for key, opt in tuple(turn.state.opts.items()):
        if (opt.confirmed or opt.payload.qualified_event_id is not None) and _void(turn, opt):
            turn.drop_opt(key)


def _void(turn: Turn, opt: Opt) -> bool:
    event = opt.payload.qualified_event_id
    if event is not None:
        known = turn.state.events.get(event.event_id)
        return known is None or known.cancelled
    ends = [_end(period) for period in opt.payload.vavailability or ()]
    return all(end is not None and end <= turn.now.wall for end in ends)


def _end(period: Properties) -> datetime | None:
    return later(period.dtstart, period.duration) if period.duration else None
