"""A VTN against a naive model of itself: whatever operators, VENs, time and crashes do, in whatever order.

The model looks at everything each time and knows no index, no version counter and no timer. Beside the session runs
its twin, which is killed and restored from its snapshot before every single input: both must say the same.

Properties, and the planted bug that each has caught (tests/planted/bugs.toml):

- a distribution has all current events of the VEN, in order, as they are: "a distribution has news only"
- a poll brings events when there is news, and not otherwise: "a modified event is no news"
- the opts are those that the VENs gave last: "an answer is taken after an oadrCreateOpt"
- a twin that is restored before each step says the same: "what was handed out is forgotten in a restart"
- the records that were saved are the state: "a deleted VEN stays in the store"
- a due tick leads to a later timer: "a tick does not look at the events"
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import attrs
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule

from oadr_core import LocalError
from oadr_core.engine import (
    AbandonExchange,
    ExchangeFailed,
    Input,
    Notification,
    Now,
    Output,
    ReplyArrived,
    RequestArrived,
    SaveState,
    SendReply,
    SendRequest,
    Tick,
)
from oadr_core.engine.copying import evolve
from oadr_core.engine.records import plan
from oadr_core.model import (
    CancelOpt,
    CancelPartyRegistration,
    CreatedEvent,
    CreateOpt,
    CreatePartyRegistration,
    DistributeEvent,
    EiCreatedEvent,
    EiRequestEvent,
    EiResponse,
    EventResponse,
    OptReason,
    OptType,
    Payload,
    Poll,
    QualifiedEventID,
    RegisteredReport,
    RegisterReport,
    RequestEvent,
    RequestReregistration,
    Response,
    ServiceName,
)
from oadr_core.vtn import (
    AskReregistration,
    CancelEvent,
    EndRegistration,
    EventPublished,
    ModifyEvent,
    PublishEvent,
    VenState,
    VtnConfig,
    VtnSession,
    build_event,
    change_event,
)
from oadr_core.vtn.routes import ROUTES
from tests.core.vtn.test_opts import PERIOD
from tests.core.vtn.world import MINUTE, START
from tests.strategies import payloads

CONFIG = VtnConfig(vtn_id="VTN-1", identity="insecure")
NEVER_TRIES, RESEND_S = CONFIG.never_tries, CONFIG.resend_s
NAMES = st.sampled_from("aaabbc")
OPTS = st.sampled_from([OptType.OPT_IN, OptType.OPT_OUT])
WAITS = st.sampled_from([1, 10, 59, 60, 61, 600, 1800, 7200])
OK = EiResponse(response_description="OK")


@attrs.define
class Event:
    """An event, as an operator thinks of it."""

    number: int
    always: bool
    ven_ids: tuple[str, ...] | None
    start: datetime
    end: datetime
    gone: datetime
    ramp_up: datetime
    priority: int
    version: int = 0
    cancelled: bool = False

    def status(self, wall: datetime) -> str:
        if wall >= self.end:
            return "completed"
        if wall >= self.start:
            return "active"
        return "near" if wall >= self.ramp_up else "far"


@attrs.define
class Known:
    """What a VEN has been handed of an event, and what it said."""

    version: int = -1
    at: float = 0.0
    tries: int = 0
    answered: int | None = None
    opt: OptType | None = None
    taken_over: bool = False


@attrs.define
class Ven:
    name: str
    ven_id: str
    registration_id: str
    push: bool = False
    known: dict[str, Known] = attrs.Factory(dict)
    request_id: str = ""
    schedules: list[str] = attrs.Factory(list)


class VtnMachine(RuleBasedStateMachine):
    events: Bundle[str] = Bundle("events")

    def __init__(self) -> None:
        super().__init__()
        self.session = VtnSession(CONFIG, key=b"k" * 16, wire=False)
        self.twin: bytes | None = None
        self.saved: dict[str, bytes] = {}
        self.elapsed = 0.0
        self.exchange = 0
        self.book: dict[str, Event] = {}
        self.vens: dict[str, Ven] = {}
        self.flights: list[SendRequest] = []
        self.sent_at: dict[int, float] = {}
        self.pushing = False

    # --- the world ----------------------------------------------------------------------------------------------------

    @property
    def now(self) -> Now:
        return Now(1000.0 + self.elapsed, START + timedelta(seconds=self.elapsed))

    def handle(self, something: Input) -> list[Output]:
        """Hand an input to the session and to its twin; what is to be saved is saved."""
        twin = None if self.twin is None or self.pushing else VtnSession.restore(CONFIG, self.twin, wire=False)
        try:
            outputs = self.session.handle(something, self.now)
        except LocalError:
            self.twin = self.session.snapshot()
            raise
        if twin is not None:
            told = twin.handle(something, self.now)
            mine = [one for one in outputs if not isinstance(one, SaveState)]
            assert [one for one in told if not isinstance(one, SaveState)] == mine, "a restart changes nothing"
        if outputs and isinstance(outputs[0], SaveState):
            for record in outputs[0].records:
                data = record.data()
                if data is None:
                    self.saved.pop(record.key, None)
                else:
                    self.saved[record.key] = data
            outputs = outputs[1:]
        assert not any(isinstance(output, SaveState) for output in outputs)
        for output in outputs:
            if isinstance(output, SendRequest):
                self.sent(output)
            elif isinstance(output, AbandonExchange):
                self.flights = [flight for flight in self.flights if flight.exchange != output.exchange]
        self.twin = self.session.snapshot()
        return list(outputs)

    def sent(self, request: SendRequest) -> None:
        """A push: each VEN has one at a time, and no more than allowed run."""
        self.flights.append(request)
        self.sent_at[request.exchange] = self.now.mono
        assert len(self.flights) <= CONFIG.push.at_once
        assert len({flight.url.split("/")[2] for flight in self.flights}) == len(self.flights)
        if isinstance(request.payload, DistributeEvent):
            ven = self.vens[request.url.split("/")[2]]
            self.distributed(ven, request.payload)

    def send(self, payload: Payload, service: str | None = None) -> Any:
        """A message of a VEN; its one reply comes back."""
        self.exchange += 1
        where = service or ROUTES[type(payload)].service or ServiceName.EI_EVENT
        outputs = self.handle(RequestArrived(exchange=self.exchange, service=where, payload=payload))
        replies = [output for output in outputs if isinstance(output, SendReply)]
        assert len(replies) == 1, "each request has one reply"
        assert replies[0].exchange == self.exchange
        assert all(isinstance(one, Notification | SendReply | SendRequest | AbandonExchange) for one in outputs)
        return replies[0].payload

    # --- the model ----------------------------------------------------------------------------------------------------

    def shown(self, ven: Ven) -> list[str]:
        """The events of a VEN as they have to be distributed now, in order (R15, R50, R52, R66)."""
        wall = self.now.wall
        found = []
        for event_id, event in self.book.items():
            if wall >= event.gone or (event.ven_ids is not None and ven.ven_id not in event.ven_ids):
                continue
            known = ven.known.get(event_id)
            if event.cancelled and (known is None or self.settled(event, known)):
                continue
            found.append(event_id)

        def place(event_id: str) -> tuple[Any, ...]:
            event = self.book[event_id]
            if event.status(wall) == "active":
                return 0, event.priority or 10**9, event.start, event.number
            return (2 if event.status(wall) == "completed" else 1), 0, event.start, event.number

        return sorted(found, key=place)

    def settled(self, event: Event, known: Known) -> bool:
        if event.always:
            return known.answered == event.version
        return known.version == event.version and known.tries >= NEVER_TRIES

    def has_news(self, ven: Ven) -> bool:
        for event_id in self.shown(ven):
            event, known = self.book[event_id], ven.known.get(event_id)
            if known is None or known.version != event.version:
                return True
            due = known.at is None or self.now.mono >= known.at + RESEND_S
            if not self.settled(event, known) and self.now.wall < event.end and due:
                return True
        return False

    def distributed(self, ven: Ven, message: DistributeEvent, limit: int | None = None) -> None:
        """A distribution is right, and the VEN knows it now."""
        wall = self.now.wall
        expected = self.shown(ven)[:limit]
        found = [event.ei_event.event_descriptor for event in message.oadr_event]
        assert [one.event_id for one in found] == expected
        for one, event in zip(found, message.oadr_event, strict=True):
            model = self.book[one.event_id]
            status = "cancelled" if model.cancelled else model.status(wall)
            assert (one.modification_number, str(one.event_status)) == (model.version, status)
            assert one.created_date_time == self.now.seconds, "R115"
            [signal] = event.ei_event.ei_event_signals.ei_event_signal
            assert signal.current_value == (1.0 if status == "active" else 0.0), "R14, R29"
            known = ven.known.setdefault(one.event_id, Known())
            known.tries = known.tries + 1 if known.version == model.version else 1
            known.version, known.at = model.version, self.now.mono
        assert message.vtn_id == "VTN-1"
        assert message.ei_response is not None, "R40"
        assert message.ei_response.ok
        assert message.request_id, "R41"
        ven.request_id = message.request_id

    # --- VENs ---------------------------------------------------------------------------------------------------------

    @initialize(target=events, pushing=st.booleans())
    def begin(self, pushing: bool) -> Any:
        """Two VENs and an event. Where nobody is pushed to, the twin is killed at every step; a push under way would
        be lost with it.
        """
        self.pushing = pushing
        for name in "ab":
            self.register(name, push=True)
            while self.flights:
                self.reply(fine=True)
            if not pushing:
                self.poll(name)
        return self.publish(30, 30, 0, None, 1, always=True, names=None)

    @rule(name=NAMES, push=st.booleans())
    def register(self, name: str, push: bool) -> None:
        """R406: without IDs a VEN is known by its name, and everything about it is erased; IDs may be used again."""
        before = self.vens.pop(name, None)
        message = CreatePartyRegistration(request_id="r", oadr_ven_name=name, oadr_http_pull_model=True)
        reply = self.send(message)
        assert reply.ei_response.ok
        self.vens[name] = Ven(name, reply.ven_id, reply.registration_id, push=push and self.pushing)
        assert before is None or before.ven_id == reply.ven_id
        if self.vens[name].push:
            ids = {"ven_id": reply.ven_id, "registration_id": reply.registration_id}
            again = evolve(message, **ids, oadr_http_pull_model=False, oadr_transport_address=f"http://{name}")
            assert self.send(again).ei_response.ok

    def drop(self, name: str) -> None:
        """Nobody knows this VEN any more; who registers under its name later is another."""
        del self.vens[name]
        self.flights = [flight for flight in self.flights if flight.url.split("/")[2] != name]

    def ven(self, name: str) -> Ven | None:
        return self.vens.get(name)

    @rule(name=NAMES)
    def renew(self, name: str) -> None:
        """R400, 5.1: with its IDs a VEN keeps everything."""
        if (ven := self.ven(name)) is None or ven.push:
            return
        reply = self.send(
            CreatePartyRegistration(
                request_id="r",
                oadr_ven_name=name,
                ven_id=ven.ven_id,
                registration_id=ven.registration_id,
                oadr_http_pull_model=True,
            )
        )
        assert (reply.ven_id, reply.registration_id) == (ven.ven_id, ven.registration_id)

    @rule(name=NAMES, right=st.booleans())
    def unregister(self, name: str, right: bool) -> None:
        if (ven := self.ven(name)) is None:
            return
        registration_id = ven.registration_id if right else "wrong"
        reply = self.send(CancelPartyRegistration(request_id="c", registration_id=registration_id, ven_id=ven.ven_id))
        assert reply.ei_response.response_code == ("200" if right else "452")
        if right:
            self.drop(name)

    @rule(name=NAMES, at_once=st.booleans())
    def operator_ends_or_asks(self, name: str, at_once: bool) -> None:
        if (ven := self.ven(name)) is None:
            return
        if at_once:
            self.drop(name)
            self.handle(EndRegistration(ven_id=ven.ven_id, at_once=True))
        else:
            self.handle(AskReregistration(ven_id=ven.ven_id))

    @rule(name=NAMES)
    def poll(self, name: str) -> None:
        if (ven := self.ven(name)) is None:
            return
        expected = self.has_news(ven)
        message = self.send(Poll(ven_id=ven.ven_id))
        assert isinstance(message, DistributeEvent) == expected, "R502: events when there is news"
        if isinstance(message, DistributeEvent):
            self.distributed(ven, message)
        elif isinstance(message, RegisterReport):
            self.send(RegisteredReport(ei_response=OK, ven_id=ven.ven_id))
        elif isinstance(message, RequestReregistration):
            self.send(Response(ei_response=OK, ven_id=ven.ven_id))
        else:
            assert isinstance(message, Response)

    @rule(name=NAMES, limit=st.none() | st.integers(0, 3))
    def request_events(self, name: str, limit: int | None) -> None:
        """R27, R50."""
        if (ven := self.ven(name)) is None:
            return
        body = EiRequestEvent(request_id="q", ven_id=ven.ven_id, reply_limit=limit)
        message = self.send(RequestEvent(ei_request_event=body))
        assert isinstance(message, DistributeEvent)
        self.distributed(ven, message, limit)

    @rule(name=NAMES, event_id=events, opt=OPTS, back=st.integers(0, 1), repeat=st.booleans())
    def answer(self, name: str, event_id: str, opt: OptType, back: int, repeat: bool) -> None:
        """R16, R17, R48: the latest answer to the current version counts."""
        if (ven := self.ven(name)) is None or event_id not in self.book:
            return
        event = self.book[event_id]
        version = max(0, event.version - back)
        one = EventResponse(
            response_code="200",
            request_id=ven.request_id,
            opt_type=opt,
            qualified_event_id=QualifiedEventID(event_id=event_id, modification_number=version),
        )
        body = EiCreatedEvent(ei_response=OK, event_responses=(one,), ven_id=ven.ven_id)
        meant = event.ven_ids is None or ven.ven_id in event.ven_ids
        code = "452" if not meant else "450" if version != event.version else "200"
        if code == "200":
            known = ven.known.setdefault(event_id, Known())
            known.answered = version
            if not known.taken_over:
                known.opt = opt
        for _ in range(2 if repeat else 1):
            reply = self.send(CreatedEvent(ei_created_event=body))
            assert reply.ei_response.response_code == code

    @rule(name=NAMES, event_id=events, opt=OPTS, answers=st.booleans())
    def opt_by_message(self, name: str, event_id: str, opt: OptType, answers: bool) -> None:
        """R206: oadrCreateOpt takes over, and a later answer says nothing."""
        if (ven := self.ven(name)) is None or event_id not in self.book:
            return
        event = self.book[event_id]
        meant = event.ven_ids is None or ven.ven_id in event.ven_ids
        if meant and event.always:
            known = ven.known.setdefault(event_id, Known())
            known.opt, known.taken_over = opt, True
        reply = self.send(
            CreateOpt(
                opt_id=f"o {event_id}",
                opt_type=opt,
                opt_reason=OptReason.ECONOMIC,
                ven_id=ven.ven_id,
                created_date_time=self.now.seconds,
                request_id="o",
                qualified_event_id=QualifiedEventID(event_id=event_id, modification_number=event.version),
            )
        )
        assert reply.ei_response.response_code == ("452" if not meant else "200" if event.always else "459")
        if answers:
            other = OptType.OPT_OUT if opt is OptType.OPT_IN else OptType.OPT_IN
            self.answer(name, event_id, other, back=0, repeat=False)

    @rule(name=NAMES, opt_id=st.sampled_from("xy"), keep=st.booleans())
    def schedule(self, name: str, opt_id: str, keep: bool) -> None:
        """R203, R204, R208, R211."""
        if (ven := self.ven(name)) is None:
            return
        if keep:
            created = self.now.seconds
            message: Any = CreateOpt(
                opt_id=opt_id,
                opt_type=OptType.OPT_OUT,
                opt_reason=OptReason.ECONOMIC,
                ven_id=ven.ven_id,
                created_date_time=created,
                request_id="o",
                vavailability=(PERIOD,),
            )
            assert self.send(message).ei_response.ok
            if opt_id not in ven.schedules:
                ven.schedules.append(opt_id)
        else:
            reply = self.send(CancelOpt(opt_id=opt_id, request_id="x", ven_id=ven.ven_id))
            assert reply.ei_response.response_code == ("200" if opt_id in ven.schedules else "452")
            ven.schedules = [one for one in ven.schedules if one != opt_id]

    @precondition(lambda self: self.exchange % 5 == 0)
    @rule(payload=payloads(), service=st.none() | st.sampled_from(ServiceName))
    def strangers(self, payload: Payload, service: ServiceName | None) -> None:
        """Whatever else arrives has one reply; who registers by it is dropped again."""
        before = set(self.session.vens)
        if any(getattr(payload, "oadr_ven_name", None) == name for name in self.vens):
            return
        self.send(payload, service)
        for ven_id in set(self.session.vens) - before:
            self.handle(EndRegistration(ven_id=ven_id, at_once=True))

    # --- push -------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.flights)
    @rule(fine=st.booleans())
    def reply(self, fine: bool) -> None:
        """A VEN replies to a push, or the push fails."""
        flight = self.flights.pop(0)
        ven = self.ven(flight.url.split("/")[2])
        if not fine:
            self.undelivered(flight)
            self.handle(ExchangeFailed(exchange=flight.exchange))
            return
        offer = isinstance(flight.payload, RegisterReport) and ven is not None
        answer = RegisteredReport(ei_response=OK) if offer else None
        self.handle(ReplyArrived(exchange=flight.exchange, payload=answer))

    def undelivered(self, flight: SendRequest) -> None:
        """What a failed push brought is due again."""
        ven = self.ven(flight.url.split("/")[2])
        if ven is None or not isinstance(flight.payload, DistributeEvent):
            return
        for event in flight.payload.oadr_event:
            descriptor = event.ei_event.event_descriptor
            known = ven.known.get(descriptor.event_id)
            if known is not None and known.version == descriptor.modification_number:
                known.tries, known.at = max(0, known.tries - 1), -1e9

    # --- the operator -----------------------------------------------------------------------------------------------

    @rule(
        target=events,
        begins=st.integers(-20, 90),
        minutes=st.integers(1, 60),
        window=st.sampled_from([0, 5]),
        ramp_up=st.sampled_from([None, 15]),
        priority=st.integers(0, 3),
        always=st.booleans(),
        names=st.none() | st.sets(NAMES, min_size=1),
    )
    def publish(
        self,
        begins: int,
        minutes: int,
        window: int,
        ramp_up: int | None,
        priority: int,
        always: bool,
        names: set[str] | None,
    ) -> Any:
        ven_ids = None
        if names is not None:
            ven_ids = tuple(self.vens[name].ven_id for name in sorted(names) if name in self.vens)
        start = self.now.seconds + begins * MINUTE
        end = start + minutes * MINUTE
        if end <= self.now.wall or ven_ids == ():
            return multiple()
        content = build_event(
            signal_name="SIMPLE",
            signal_type="level",
            dtstart=start,
            intervals=[(end - start, 1)],
            market_context="urn:m",
            priority=priority,
            start_after=window * MINUTE or None,
            ramp_up=ramp_up and ramp_up * MINUTE,
        )
        command = PublishEvent(event=content, ven_ids=ven_ids, response_required="always" if always else "never")
        number = len(self.book) if not self.book else max(event.number for event in self.book.values()) + 1
        model = Event(
            number=number,
            always=always,
            ven_ids=ven_ids,
            start=start,
            end=end,
            gone=end + window * MINUTE,
            ramp_up=start - (ramp_up or 0) * MINUTE,
            priority=priority,
        )
        event_id = f"e{number}"
        self.book[event_id] = model
        descriptor = evolve(content.event_descriptor, event_id=event_id)
        outputs = self.handle(attrs.evolve(command, event=evolve(content, event_descriptor=descriptor)))
        assert EventPublished(event_id=event_id, modification_number=0) in outputs
        return event_id

    @rule(event_id=events, priority=st.integers(4, 1000), polls=st.booleans())
    def modify(self, event_id: str, priority: int, polls: bool) -> None:
        """R5, R20: a change makes a new version; what is over or cancelled cannot change."""
        event = self.book.get(event_id)
        if event is None:
            return
        entry = self.session.events[event_id]
        command = ModifyEvent(event=change_event(entry.event, priority=priority))
        if event.cancelled or self.now.wall >= event.end:
            self.refused(command)
        elif priority != event.priority:
            event.priority, event.version = priority, event.version + 1
            self.handle(command)
        else:
            assert not any(isinstance(output, EventPublished) for output in self.handle(command))
        for name in list(self.vens) if polls else ():
            self.poll(name)

    @rule(event_id=events)
    def cancel(self, event_id: str) -> None:
        """R10."""
        event = self.book.get(event_id)
        if event is None:
            return
        command = CancelEvent(event_id=event_id)
        if not event.cancelled and self.now.wall >= event.end:
            self.refused(command)
            return
        if not event.cancelled:
            event.cancelled, event.version = True, event.version + 1
        self.handle(command)

    def refused(self, command: Input) -> None:
        before = self.session.snapshot()
        try:
            self.session.handle(command, self.now)
        except LocalError:
            assert self.session.snapshot() == before, "a refusal changes nothing"
        else:
            raise AssertionError("this cannot be done")

    # --- time and crashes -------------------------------------------------------------------------------------------

    @rule(seconds=WAITS)
    def wait(self, seconds: int) -> None:
        """Time passes; each timer is served, and each leads to a later one."""
        end = self.elapsed + seconds
        while (timer := self.session.next_timer(self.now)) is not None:
            due = max(self.elapsed, timer - 1000.0 + 1e-6)
            if due > end:
                break
            self.elapsed = due
            self.expire()
            self.handle(Tick())
            following = self.session.next_timer(self.now)
            assert following is None or following > self.now.mono, "a due tick leads to a later timer"
        self.elapsed = end

    def expire(self) -> None:
        """What the VTN gives up at this tick, the model does too: that is no news to anybody, so it may come first."""
        for flight in self.flights:
            if self.now.mono >= self.sent_at[flight.exchange] + flight.timeout_s:
                self.undelivered(flight)

    @rule()
    def crash(self) -> None:
        """The process dies; what was under way is under way no more."""
        records = dict(self.saved)
        if not records:
            return
        before = self.session
        self.session = VtnSession.restore(CONFIG, records, wire=False)
        assert self.session.events == before.events, "every event is in the store"
        assert self.session.groups == before.groups
        assert set(self.session.vens) == set(before.vens), "every registration is in the store"
        for ven_id, ven in self.session.vens.items():
            for name in plan(VenState).durable:
                assert getattr(ven, name) == getattr(before.vens[ven_id], name), "everything of a VEN is in the store"
        self.flights.clear()
        self.twin = None

    # --- what always holds --------------------------------------------------------------------------------------------

    @invariant()
    def the_directory_is_the_model(self) -> None:
        assert {ven.ven_id for ven in self.vens.values()} == set(self.session.vens)

    @invariant()
    def the_opts_are_those_that_the_vens_gave_last(self) -> None:
        for event_id in self.book:
            for ven in self.vens.values():
                delivery = self.session.opts(event_id).get(ven.ven_id)
                known = ven.known.get(event_id)
                expected = known and known.opt
                assert (delivery and delivery.opt_type) == expected

    @invariant()
    def tables_stay_within_their_limits(self) -> None:
        for ven in self.session.vens.values():
            assert len(ven.mailbox) <= CONFIG.limits.mailbox
            assert len(ven.schedules) <= CONFIG.limits.schedules
            assert len(ven.deliveries) <= len(self.book)


VtnMachine.TestCase.settings = settings(
    max_examples=80, stateful_step_count=50, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)
TestVtn = VtnMachine.TestCase
