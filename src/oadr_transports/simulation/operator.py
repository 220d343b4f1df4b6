"""The operator of the VTN: publishes, changes and cancels events as the programme says.

It stands alone because it is the VTN's application: it speaks in commands, and says again what a VTN that died did not
take.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from oadr_core import LocalError
from oadr_core.engine import Input
from oadr_core.vtn import CancelEvent, EventEntry, ModifyEvent, PublishEvent, build_event, change_event

from .scenario import Act, Cancel, Modify, Publish, minutes

if TYPE_CHECKING:
    from .world import World

_MINUTE: Final = timedelta(minutes=1)


class Operator:
    """Works off a programme; ``waiting`` is what could not be done because the VTN was dead."""

    def __init__(self, world: World, programme: tuple[Act, ...]) -> None:
        self._world = world
        self._waiting: list[Act] = []
        for act in programme:
            world.agenda.put(act.at_s, self._do, act)

    def resume(self) -> None:
        """The VTN lives again: do what it has missed, before anything else reaches it."""
        waiting, self._waiting = self._waiting, []
        for act in waiting:
            self._do(act)

    def _do(self, act: Act) -> None:
        vtn = self._world.vtn
        if vtn.session is None or self._waiting:
            self._waiting.append(act)
            return
        before = vtn.session.events.get(act.event_id)
        try:
            command = _COMMANDS[type(act)](self._world, act, before)
            if command is None:
                return
            if self._world.transcript is not None:
                self._world.transcript.command("operator", command)
            life = vtn.life
            vtn.handle(command)
        except LocalError as error:
            # what is over cannot be changed any more (R20), and what has begun only in part
            if self._world.transcript is not None:
                self._world.transcript.say("operator", f"the VTN refuses that: {error}")
            return
        if vtn.life != life:
            self._waiting.insert(0, act)
            return
        self._note(act)

    def _note(self, act: Act) -> None:
        session = self._world.vtn.session
        entry = None if session is None else session.events.get(act.event_id)
        if entry is not None and self._world.ledger.published(entry):
            measures, kind = self._world.measures, type(act)
            measures.published += kind is Publish
            measures.changed += kind is Modify
            measures.cancelled += kind is Cancel


def _publish(world: World, act: Publish, before: EventEntry | None) -> Input | None:
    if before is not None:  # the VTN has died when it had saved it
        world.ledger.published(before)
        return None
    event = build_event(
        signal_name="SIMPLE",
        signal_type="level",
        dtstart=world.vtn.wall + timedelta(seconds=act.notice_s),
        intervals=[(minutes * _MINUTE, float(level)) for minutes, level in act.levels],
        market_context=f"http://market.example/{act.event_id}",
        event_id=act.event_id,
        start_after=minutes(act.start_after),
        ramp_up=minutes(act.ramp_up),
        recovery=minutes(act.recovery),
    )
    required: Any = "always" if act.always else "never"
    ids = tuple(ven.ven_id for ven in world.vens.values() if ven.ven_id and ven.index % act.every == 0)
    if act.every > 1 and not ids:
        return None
    return PublishEvent(event=event, response_required=required, ven_ids=ids if act.every > 1 else None)


def _modify(world: World, act: Modify, before: EventEntry | None) -> Input | None:
    if before is None or before.cancelled:
        return None
    changes: dict[str, Any] = {}
    if act.priority:
        changes["priority"] = act.priority
    if act.longer:
        pairs = _pairs(before)
        changes["intervals"] = [*pairs[:-1], (pairs[-1][0] + act.longer * _MINUTE, pairs[-1][1])]
    return ModifyEvent(event=change_event(before.event, **changes))


def _pairs(entry: EventEntry) -> list[tuple[timedelta, float]]:
    intervals = entry.event.ei_event_signals.ei_event_signal[0].intervals
    found = []
    for interval in intervals:
        value: Any = interval.stream_payload_base[0]
        found.append((timedelta(seconds=interval.duration.seconds if interval.duration else 0), value.payload_base))
    return found


def _cancel(world: World, act: Cancel, before: EventEntry | None) -> Input | None:
    return None if before is None else CancelEvent(event_id=act.event_id)


_COMMANDS: Final[Mapping[type, Callable[[World, Any, EventEntry | None], Input | None]]] = MappingProxyType(
    {Publish: _publish, Modify: _modify, Cancel: _cancel}
)
"""How each act is said to the VTN."""
