"""An end of a simulation: a process with a session, clocks, a store, and a habit of dying.

It stands alone because this is the pump that every driver is: it commits, carries out, and comes back when the timer is
due. What travels between the ends is the business of the world around them; the two kinds of ends are in
:mod:`.ven_end` and :mod:`.vtn_end`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from math import inf, nextafter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from oadr_core.engine import Input, Notification, Now, Output, Record, SaveState, SendReply, Tick

from .faults import Fault, Moment
from .scenario import START

if TYPE_CHECKING:
    from .world import World

NAP_S: Final = 60.0
"""A driver looks at its clocks at least so often: a clock that was set is noticed by then."""
UPTIME_S: Final = 1000.0
"""What the monotonic clock shows in the beginning, and (less) after a reboot."""


class End:
    """One process. ``life`` counts its lives: what belongs to an earlier one is gone.

    ``session`` is ``None`` while it is dead. ``upset_s`` is when something last went wrong at or on the way to this
    end, ``moved_s`` when it last began to live, or noticed that its clock was set.
    """

    __slots__ = (
        "_base_s",
        "_doom",
        "_queued_s",
        "_timer_s",
        "cut_s",
        "furthest",
        "index",
        "life",
        "moved_s",
        "name",
        "saved",
        "session",
        "shift_s",
        "upset_s",
        "world",
    )
    session: Any
    ACTS: ClassVar[Mapping[type[Output], Callable[[Any, Any], None]]] = MappingProxyType({})
    """What driver and application do about an output."""
    TAKEN: ClassVar[Mapping[type[Input], Callable[[Any, Any, bool], None]]] = MappingProxyType({})
    """What is written down when an input has been taken for good; the flag says whether something was saved."""

    def __init__(self, world: World, index: int, name: str) -> None:
        self.world = world
        self.index = index
        self.name = name
        self.life = 0
        self.saved: dict[str, Record] = {}
        self.shift_s = 0.0
        self.furthest = START
        self.cut_s = -inf
        self.upset_s = self.moved_s = 0.0
        self._base_s = UPTIME_S
        self._timer_s = self._queued_s = inf
        self._doom: Fault | None = None

    # --- clocks -----------------------------------------------------------------------------------------------------

    @property
    def wall(self) -> datetime:
        """What the wall clock of this end shows."""
        return START + timedelta(seconds=self.world.agenda.now_s + self.shift_s)

    def now(self) -> Now:
        at_s = self.world.agenda.now_s
        return Now(at_s + self._base_s, START + timedelta(0, at_s + self.shift_s))

    def set_clock(self, by_s: float) -> None:
        """Somebody sets the wall clock; the driver notices with its next look at it."""
        self.furthest = max(self.furthest, self.wall)  # it may come to these times once more
        self.shift_s += by_s
        self.upset_s = self.world.agenda.now_s
        self.moved_s = self.upset_s + NAP_S / 2
        self.world.agenda.put(self.moved_s, self._look, self.life)

    def _look(self, life: int) -> None:
        if life == self.life and self.session is not None:
            self._arm(self.now())

    def _arm(self, now: Now) -> None:
        """Come back when the session wants it. An earlier entry of the agenda is left there, and looks again."""
        at = self.session.next_timer(now)
        if at is None:
            self._timer_s = inf
            return
        at_s = at - self._base_s
        while at_s + self._base_s < at:  # what was rounded down would come too early
            at_s = nextafter(at_s, inf)
        self._timer_s = at_s
        if at_s < self._queued_s:
            self._queued_s = at_s
            self.world.agenda.put(at_s, self._wake, at_s)

    def _wake(self, at_s: float) -> None:
        if at_s != self._queued_s:
            return
        self._queued_s = inf
        if self.session is None:
            return
        if self._timer_s > self.world.agenda.now_s:
            if self._timer_s < inf:
                self._queued_s = self._timer_s
                self.world.agenda.put(self._timer_s, self._wake, self._timer_s)
            return
        self.handle(_TICK)

    # --- life and death ---------------------------------------------------------------------------------------------

    def handle(self, something: Input) -> SendReply | None:
        """Pump one input: commit, then carry out. The reply, if it was a request and the process has lived to give it.

        A doomed process dies in the first step that saves something, at the moment that its fault says.
        """
        now = self.now()
        outputs: tuple[Output, ...] = self.session.handle(something, now)
        saves = bool(outputs) and type(outputs[0]) is SaveState
        doom = self._doom if saves else None
        if doom is not None and doom.moment is Moment.BEFORE_COMMIT:
            self.die(doom)
            return None
        if saves:
            self._commit(outputs[0])
            outputs = outputs[1:]
        if (taken := self.TAKEN.get(type(something))) is not None:
            taken(self, something, saves)
        if doom is not None:
            carried_out = len(outputs) // 2 if doom.moment is Moment.HALF_WAY else 0
            self._saved_untold(outputs[carried_out:])
            outputs = outputs[:carried_out]
        transcript, reply = self.world.transcript, None
        for output in outputs:
            if type(output) is SendReply:
                reply = output
            elif (act := self.ACTS.get(type(output))) is not None:
                act(self, output)
            if transcript is not None and isinstance(output, Notification):
                transcript.told(self.name, output)
        if doom is not None:
            self.die(doom)
        else:
            self._arm(now)
        return reply

    def _commit(self, wanted: Any) -> None:
        saved = self.saved
        for record in wanted.records:
            if record.state is None:
                saved.pop(record.key, None)
            else:
                saved[record.key] = record
        if wanted.reports:
            self.world.ledger.samples.received(wanted.reports)

    def _saved_untold(self, outputs: tuple[Output, ...]) -> None:
        """The process dies before it carries these out; what they tell of is saved."""

    def restore(self) -> None:
        raise NotImplementedError

    def doom(self, fault: Fault) -> None:
        """Let the process die: now, or in the next step that has something to save."""
        if self.session is None:
            return
        if fault.moment is Moment.BETWEEN:
            self.die(fault)
        else:
            self._doom = fault

    def die(self, fault: Fault) -> None:
        """All is gone that was not saved."""
        agenda = self.world.agenda
        self.life += 1
        self.session = None
        self._doom = None
        self._timer_s = self._queued_s = inf
        self.upset_s = self.moved_s = agenda.now_s
        if fault.reboot:
            self._base_s = UPTIME_S / 2 - agenda.now_s
        self.world.died(self, fault)
        agenda.put(agenda.now_s + fault.amount_s, self._live, self.life)

    def _live(self, life: int) -> None:
        if life != self.life:
            return
        self.upset_s = self.moved_s = self.world.agenda.now_s
        self.world.measures.restarts += 1
        self.restore()
        self._arm(self.now())

    def _records(self) -> dict[str, bytes]:
        """What the store has: encoded only when somebody needs it, which is when a process begins."""
        found = ((key, record.data()) for key, record in self.saved.items())
        return {key: data for key, data in found if data is not None}


_TICK: Final = Tick()
