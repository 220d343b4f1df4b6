"""The two kinds of ends of a simulation: processes with a session, clocks, a store, and a habit of dying.

It stands alone because this is the pump that every driver is: it commits, carries out, and comes back when the timer is
due. What travels between the ends is the business of the world around them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from math import inf, nextafter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from oadr_core import LocalError
from oadr_core.engine import (
    AbandonExchange,
    ExchangeFailed,
    Failure,
    Input,
    Notification,
    Now,
    Output,
    Record,
    ReplyArrived,
    RequestArrived,
    SaveState,
    SendReply,
    SendRequest,
    Tick,
)
from oadr_core.model import OptType, Poll, Response
from oadr_core.ven import (
    Change,
    Decide,
    DecisionNeeded,
    EventCancelled,
    EventChanged,
    EventReceived,
    EventStatusChanged,
    IntervalStarted,
    MakeOpt,
    ProvideReport,
    Reading,
    Register,
    Registered,
    ReportCancelled,
    ReportDelivered,
    ReportDue,
    ReportsLost,
    VenConfig,
    VenSession,
)
from oadr_core.vtn import OptReceived, VtnConfig, VtnSession

from .device import Device
from .faults import VTN, Fault, Moment
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
        return Now(at_s + self._base_s, START + timedelta(seconds=at_s + self.shift_s))

    def set_clock(self, by_s: float) -> None:
        """Somebody sets the wall clock; the driver notices with its next look at it."""
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
            outputs = outputs[: len(outputs) // 2] if doom.moment is Moment.HALF_WAY else ()
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
            self.world.ledger.received(wanted.reports)

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


class VenEnd(End):
    """A VEN and its application. ``open`` is the exchange that it waits for, ``sent`` how many requests it has made or
    got.
    """

    __slots__ = ("config", "device", "latency_s", "open", "polled_s", "sent", "ven_id")
    session: VenSession | None

    def __init__(self, world: World, index: int, *, push: bool) -> None:
        super().__init__(world, index, f"ven-{index}")
        scenario = world.script.scenario
        self.device = Device(scenario.seed, index)
        self.latency_s = 0.01 + 0.002 * (index % 23)
        self.open: int | None = None
        self.sent = 0
        self.polled_s: float | None = None
        self.ven_id = ""
        self.config = VenConfig(
            ven_name=self.name,
            reports=world.offer,
            jitter=scenario.jitter,
            transport_address=f"http://{self.name}" if push else None,
        )
        self.session = None
        self.restore()
        world.agenda.put(0.0, self.command, (self.life, Register()))

    def restore(self) -> None:
        wire = not self.world.script.scenario.typed
        if self.saved:
            self.session = VenSession.restore(self.config, self._records(), wire=wire)
            if self.session.registration is not None:
                self.world.registered(self, self.session.registration.ven_id)
            return
        key = f"{self.world.script.scenario.seed}/{self.index}/{self.life}".encode().ljust(16, b".")
        self.session = VenSession(self.config, key=key, wire=wire)
        if self.life:
            self.world.agenda.put(self.world.agenda.now_s, self.command, (self.life, Register()))

    def die(self, fault: Fault) -> None:
        self.open = None
        self.polled_s = None
        self.device.levels.clear()
        super().die(fault)
        self.world.ledger.died(self)

    # --- inputs -----------------------------------------------------------------------------------------------------

    def requested(self, request: SendRequest) -> SendReply | None:
        """A request of the VTN has arrived."""
        payload = request.payload if self.world.typed else None
        arrived = RequestArrived(exchange=request.exchange, service=request.service, data=request.data, payload=payload)
        return self.handle(arrived)

    def command(self, about: tuple[int, Input]) -> None:
        """What the application wants; it has died with the process that it thought in."""
        life, command = about
        if life != self.life or self.session is None:
            return
        if self.world.transcript is not None:
            self.world.transcript.command(self.name, command)
        try:
            self.handle(command)
        except LocalError:
            if not isinstance(command, MakeOpt):  # an event that is over by now, or that wants no answer (R206)
                raise

    def replied(self, about: tuple[int, int, SendReply]) -> None:
        life, exchange, reply = about
        if life == self.life and self.open == exchange:
            self.open = None
            if type(reply.payload) is not Response:
                self.polled_s = None
            payload = reply.payload if self.world.typed else None
            self.handle(ReplyArrived(exchange=exchange, data=reply.data, status=reply.status, payload=payload))

    def failed(self, about: tuple[int, int]) -> None:
        life, exchange = about
        if life == self.life and self.open == exchange:
            self.open = None
            self.upset_s = self.world.agenda.now_s
            self.world.measures.failed += 1
            self.handle(ExchangeFailed(exchange=exchange, failure=Failure.UNREACHABLE))

    # --- outputs ----------------------------------------------------------------------------------------------------

    def _send(self, request: SendRequest) -> None:
        self.open = request.exchange
        self.sent += 1
        if type(request.payload) is Poll:
            self.world.ledger.polled(self)
        else:
            self.polled_s = None
        self.world.post(self, request)

    def _abandon(self, given_up: AbandonExchange) -> None:
        if self.open == given_up.exchange:
            self.open = None
        self.upset_s = self.world.agenda.now_s
        self.world.measures.failed += 1

    def _asked(self, question: DecisionNeeded) -> None:
        attempt = self.world.ledger.asked(self, question)
        descriptor = question.event.ei_event.event_descriptor
        event_id, number = descriptor.event_id, descriptor.modification_number
        cancelled = question.change is Change.CANCELLED
        mind = self.device.mind(event_id, number, attempt, cancelled=cancelled)
        if mind.opt is None:
            return
        decision = Decide(event_id=event_id, modification_number=number, opt_type=mind.opt, failed=mind.failed)
        agenda = self.world.agenda
        agenda.put(agenda.now_s + mind.think_s, self.command, (self.life, decision))
        if mind.regret_s is not None:
            at_s = agenda.now_s + mind.think_s + mind.regret_s
            agenda.put(at_s, self._regret, (self.life, decision, mind.by_message))

    def _regret(self, about: tuple[int, Decide, bool]) -> None:
        """Change the mind about an event, if it is still the same version."""
        life, decided, by_message = about
        if life != self.life or not self.world.ledger.stands(self, decided):
            return
        other = OptType.OPT_OUT if decided.opt_type is OptType.OPT_IN else OptType.OPT_IN
        command: Input = Decide(
            event_id=decided.event_id, modification_number=decided.modification_number, opt_type=other
        )
        if by_message:
            command = MakeOpt(event_id=decided.event_id, opt_type=other)
        self.command((life, command))

    def _due(self, due: ReportDue) -> None:
        self.world.ledger.due(self, due)
        after_s = self.device.reading_s(due.at.timestamp())
        if after_s is not None:
            self.world.agenda.put(self.world.agenda.now_s + after_s, self._measure, (self.life, due))

    def _measure(self, about: tuple[int, ReportDue]) -> None:
        life, due = about
        value = self.device.load_kw(self.world.agenda.now_s)
        readings = tuple(Reading(r_id=r_id, value=value) for r_id in due.r_ids)
        self.command((life, ProvideReport(report_request_id=due.report_request_id, at=due.at, readings=readings)))

    def _started(self, note: IntervalStarted) -> None:
        self.world.ledger.acts(self, note)
        assert isinstance(note.value, float)
        self.world.shed(self, note.event.ei_event.event_descriptor.event_id, int(note.value))

    def _status(self, note: EventStatusChanged) -> None:
        self.world.ledger.status(self, note)

    def _registered(self, note: Registered) -> None:
        self.world.registered(self, note.ven_id)

    def _delivered(self, note: ReportDelivered) -> None:
        self.world.ledger.delivered(self, note)

    def _cancelled(self, note: ReportCancelled) -> None:
        self.world.ledger.cancelled(self, note)

    def _lost(self, note: ReportsLost) -> None:
        self.world.ledger.lost(self, note)

    def _event(self, note: EventReceived | EventChanged | EventCancelled) -> None:
        self.world.ledger.learned(self, note)


def _decided(ven: VenEnd, command: Decide | MakeOpt, saved: bool) -> None:
    ven.world.ledger.decided(ven, command)


def _provided(ven: VenEnd, command: ProvideReport, saved: bool) -> None:
    if saved:
        ven.world.ledger.took(ven, command)


VenEnd.ACTS = MappingProxyType(
    {
        SendRequest: VenEnd._send,
        AbandonExchange: VenEnd._abandon,
        DecisionNeeded: VenEnd._asked,
        ReportDue: VenEnd._due,
        IntervalStarted: VenEnd._started,
        EventStatusChanged: VenEnd._status,
        EventReceived: VenEnd._event,
        EventChanged: VenEnd._event,
        EventCancelled: VenEnd._event,
        ReportDelivered: VenEnd._delivered,
        Registered: VenEnd._registered,
        ReportCancelled: VenEnd._cancelled,
        ReportsLost: VenEnd._lost,
    }
)
VenEnd.TAKEN = MappingProxyType({Decide: _decided, MakeOpt: _decided, ProvideReport: _provided})


class VtnEnd(End):
    """The VTN. ``open`` are the exchanges with VENs that are pushed to."""

    __slots__ = ("config", "open")
    session: VtnSession | None

    def __init__(self, world: World, config: VtnConfig) -> None:
        super().__init__(world, VTN, "VTN")
        self.config = config
        self.open: dict[int, VenEnd] = {}
        self.session = None
        self.restore()

    def restore(self) -> None:
        wire = not self.world.script.scenario.typed
        if self.saved:
            self.session = VtnSession.restore(self.config, self._records(), wire=wire)
            self.world.ledger.restored(self.session)
            self.world.operator.resume()
        else:
            key = f"{self.world.script.scenario.seed}/vtn/{self.life}".encode()
            self.session = VtnSession(self.config, key=key, wire=wire)

    def die(self, fault: Fault) -> None:
        self.open.clear()
        super().die(fault)

    def requested(self, ven: VenEnd, request: SendRequest) -> SendReply | None:
        """A request of a VEN has arrived."""
        payload = request.payload if self.world.typed else None
        arrived = RequestArrived(exchange=request.exchange, service=request.service, data=request.data, payload=payload)
        return self.handle(arrived)

    def replied(self, about: tuple[int, int, SendReply]) -> None:
        life, exchange, reply = about
        if life == self.life and self.open.pop(exchange, None) is not None:
            payload = reply.payload if self.world.typed else None
            self.handle(ReplyArrived(exchange=exchange, data=reply.data, status=reply.status, payload=payload))

    def failed(self, about: tuple[int, int]) -> None:
        life, exchange = about
        if life == self.life and (ven := self.open.pop(exchange, None)) is not None:
            ven.upset_s = self.world.agenda.now_s
            self.world.measures.failed += 1
            self.handle(ExchangeFailed(exchange=exchange, failure=Failure.UNREACHABLE))

    def _push(self, request: SendRequest) -> None:
        ven = self.world.by_address(request.url)
        self.open[request.exchange] = ven
        ven.sent += 1
        self.world.push(ven, request)

    def _abandon(self, given_up: AbandonExchange) -> None:
        ven = self.open.pop(given_up.exchange, None)
        if ven is not None:
            ven.upset_s = self.world.agenda.now_s
            self.world.measures.failed += 1

    def _opted(self, note: OptReceived) -> None:
        self.world.ledger.opted(note)


VtnEnd.ACTS = MappingProxyType(
    {SendRequest: VtnEnd._push, AbandonExchange: VtnEnd._abandon, OptReceived: VtnEnd._opted}
)
