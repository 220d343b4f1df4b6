"""Decisions about events: who is asked, until when, and what the VTN is answered (rules R12, R36, R42, R62).

It stands alone as the only module that changes ``VenState.answers``. A question never holds anything up: at its
deadline the default is sent, and a later decision is sent when it comes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..engine import Trouble
from ..engine.copying import evolve
from ..engine.now import earliest
from ..errors import LocalError
from ..model import (
    OK,
    CreatedEvent,
    EiCreatedEvent,
    EiResponse,
    Event,
    EventResponse,
    OptType,
    Payload,
    QualifiedEventID,
    ResponseRequired,
    ServiceName,
)
from ..wire.examine import faults
from . import opts
from .messages import Change, Decide, DecisionNeeded, OptDelivered
from .progress import looked_at_again
from .state import KnownEvent, Outgoing, Turn
from .timeline import own_timeline

GATHER_S: Final = 1.0
"""How long the answer to one event waits for those to the others of its message: one message is preferred (R12)."""


def ask(turn: Turn, known: KnownEvent, change: Change) -> None:
    """Ask the application about an event; what it has decided before is only shown to it."""
    deadline = turn.now.mono + turn.config.decision_timeout.total_seconds()
    fresh = evolve(known, opt=None, code=OK, reason="", undecided=False, acknowledged=False)
    asked = evolve(fresh, asking=change, deadline=deadline)
    turn.put_event(asked)
    _put_question(turn, asked, previous=known.opt)


def ask_again(turn: Turn, known: KnownEvent) -> None:
    """Put an open question once more: whoever was asked is not there any more."""
    asked = evolve(known, deadline=turn.now.mono + turn.config.decision_timeout.total_seconds())
    turn.put_event(asked)
    _put_question(turn, asked, previous=None)


def _put_question(turn: Turn, known: KnownEvent, previous: OptType | None) -> None:
    assert known.asking is not None
    assert known.deadline is not None
    default = _default(turn, known)
    note = DecisionNeeded(
        event=known.event, change=known.asking, deadline=known.deadline, default=default, previous=previous
    )
    turn.tell(note)


def _default(turn: Turn, known: KnownEvent) -> OptType:
    """A cancellation is confirmed, whatever is usual (R36)."""
    return OptType.OPT_IN if known.cancelled else turn.config.default_opt


def repeat(turn: Turn, known: KnownEvent) -> None:
    """Distributed again without a change: answer again (R12), or ask again what could not be decided."""
    if known.asking is not None:
        turn.put_event(known)
    elif known.undecided:
        ask(turn, known, Change.CANCELLED if known.cancelled else Change.REPEATED)
    else:
        turn.put_event(known)
        _answer_known(turn, known)


def decide(turn: Turn, command: Decide) -> None:
    """The application's decision; what is late or about an unknown event changes nothing."""
    known = turn.state.events.get(command.event_id)
    if known is None or known.implied or known.modification_number != command.modification_number:
        return
    refused = not command.code.startswith("2")
    opt = OptType.OPT_OUT if refused else command.opt_type  # R48
    if known.asking is None and (known.opt, known.code) == (opt, command.code):
        return
    decided = evolve(known, opt=opt, code=command.code, reason=command.reason, undecided=command.failed)
    _settle(turn, evolve(decided, asking=None, deadline=None, acknowledged=False))


def _settle(turn: Turn, decided: KnownEvent) -> None:
    if decided.cancelled and decided.opt is OptType.OPT_OUT and not decided.undecided:
        decided = _runs_on(turn, decided)
    turn.put_event(decided)
    _answer_known(turn, decided)
    if decided.qualified is not None and not decided.cancelled and decided.opt is not decided.qualified:
        # R206: an oadrCreateOpt goes before every oadrCreatedEvent, so only another one can change it.
        opts.qualify(turn, decided, decided.opt or OptType.OPT_OUT)


def _runs_on(turn: Turn, known: KnownEvent) -> KnownEvent:
    """R36, R61: what is active and cannot be stopped runs to its end, if it has one."""
    own = own_timeline(known.event.ei_event, known.offset_s)
    active = own.end is not None and own.start <= turn.now.wall < own.end
    return looked_at_again(evolve(known, stop_at=None)) if active else known


def _answer_known(turn: Turn, known: KnownEvent) -> None:
    opt = known.opt or turn.config.default_opt
    answer(turn, known.event, known.request_id, opt, known.code, known.reason)


def answer(turn: Turn, event: Event, request_id: str, opt: OptType, code: str = OK, reason: str = "") -> None:
    """Note an answer, in the place of one that was not sent yet. A never is never answered (R62).

    Raises :class:`~oadr_core.errors.LocalError` for a code or text that cannot be written.
    """
    descriptor = event.ei_event.event_descriptor
    made = EventResponse(
        response_code=code,
        response_description=reason or ("OK" if code == OK else None),
        request_id=request_id,
        qualified_event_id=QualifiedEventID(
            event_id=descriptor.event_id, modification_number=descriptor.modification_number
        ),
        opt_type=opt,
    )
    for path, text in faults(made, EventResponse, "Decide"):
        raise LocalError(text, path=path)
    if event.oadr_response_required is ResponseRequired.NEVER:
        return
    others = (old for old in turn.state.answers if not _replaces(made.qualified_event_id, old.qualified_event_id))
    turn.set(answers=(*others, made))


def _replaces(new: QualifiedEventID, old: QualifiedEventID) -> bool:
    """An answer to a version goes in the place of one to that version or an older one, which the VTN would refuse."""
    return new.event_id == old.event_id and new.modification_number >= old.modification_number


def gather(turn: Turn) -> None:
    """Wait a moment for the other answers to the same message."""
    if turn.state.answers or next_mono(turn.state.events.values()) is not None:
        turn.set(gather_until=turn.now.mono + GATHER_S)


def advance(turn: Turn) -> None:
    """What time alone does: defaults at the deadline, and the sending of gathered answers."""
    for known in tuple(turn.state.events.values()):
        if known.deadline is not None and turn.now.mono >= known.deadline:
            opt = _default(turn, known)
            turn.tell(Trouble(text=f"no decision about event {known.event_id} in time, answering {opt}"))
            _settle(turn, evolve(known, opt=opt, reason="no decision in time", asking=None, deadline=None))
    state = turn.state
    if not state.answers or state.registration is None:
        return
    if next_mono(state.events.values()) is not None and turn.now.mono < (state.gather_until or 0.0):
        return
    body = EiCreatedEvent(
        ei_response=EiResponse(response_description="OK"),  # R42: its requestID stays empty
        event_responses=state.answers,
        ven_id=state.registration.ven_id,
    )
    turn.post(ServiceName.EI_EVENT, CreatedEvent(ei_created_event=body))
    turn.set(answers=(), gather_until=None)


def on_answered(turn: Turn, entry: Outgoing, reply: Payload | None) -> None:
    """The VTN has taken a CreatedEvent."""
    assert isinstance(entry.payload, CreatedEvent)
    for taken in entry.payload.ei_created_event.event_responses or ():
        qualified = taken.qualified_event_id
        known = turn.state.events.get(qualified.event_id)
        if known is not None and known.modification_number == qualified.modification_number:
            turn.put_event(evolve(known, acknowledged=True))
        turn.tell(
            OptDelivered(
                event_id=qualified.event_id,
                modification_number=qualified.modification_number,
                opt_type=taken.opt_type,
            )
        )


def next_mono(known: Iterable[KnownEvent]) -> float | None:
    """The earliest deadline of an open question."""
    return earliest(*[event.deadline for event in known])
