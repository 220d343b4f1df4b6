"""The VEN of a simulation, and its application: what it is asked, decides, measures and is told.

It stands alone as the half of an end that knows what a VEN is; it hands all that happens to the ledger, which judges.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from oadr_core import LocalError
from oadr_core.engine import (
    AbandonExchange,
    ExchangeFailed,
    Failure,
    Input,
    ReplyArrived,
    RequestArrived,
    SendReply,
    SendRequest,
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

from .device import Device
from .end import End
from .faults import Fault

if TYPE_CHECKING:
    from .world import World


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
        self.world.ledger.samples.due(self, due)
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
        self.world.ledger.samples.delivered(self, note)

    def _cancelled(self, note: ReportCancelled) -> None:
        self.world.ledger.samples.cancelled(self, note)

    def _lost(self, note: ReportsLost) -> None:
        self.world.ledger.samples.lost(self, note)

    def _event(self, note: EventReceived | EventChanged | EventCancelled) -> None:
        self.world.ledger.learned(self, note)


def _decided(ven: VenEnd, command: Decide | MakeOpt, saved: bool) -> None:
    ven.world.ledger.decided(ven, command)


def _provided(ven: VenEnd, command: ProvideReport, saved: bool) -> None:
    if saved:
        ven.world.ledger.samples.took(ven, command)


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
