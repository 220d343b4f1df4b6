"""A VEN against a naive VTN, in any order of publications, losses, decisions, pushes, restarts and hostile replies.

The model is what a person would write on paper: which events the VEN has seen, which answers it owes, what was decided.
Each invariant names the planted bug that it has caught (``tests/planted/bugs.toml``).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from oadr_core.engine import (
    AbandonExchange,
    ExchangeFailed,
    Failure,
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
from oadr_core.engine.records import everything
from oadr_core.errors import LocalError
from oadr_core.model import (
    CanceledOpt,
    CanceledPartyRegistration,
    CancelOpt,
    CancelPartyRegistration,
    CancelReport,
    CreatedEvent,
    CreatedOpt,
    CreateOpt,
    CreatePartyRegistration,
    CreateReport,
    DistributeEvent,
    Duration,
    EiResponse,
    Event,
    EventStatus,
    OptType,
    Payload,
    Poll,
    Properties,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    RequestEvent,
    RequestReregistration,
    Response,
    ResponseRequired,
    UpdatedReport,
    UpdateReport,
)
from oadr_core.reporting.jobs import MOST_JOBS
from oadr_core.ven import (
    Decide,
    DecisionNeeded,
    MakeOpt,
    Register,
    VenConfig,
    VenSession,
    WithdrawOpt,
)
from oadr_core.ven.conversation import MOST_DRAINED
from oadr_core.ven.events import MOST_EVENTS
from oadr_core.ven.opts import MOST_OPTS
from oadr_core.ven.state import HEAD
from tests.core.ven.bench import KEY, OK, START, distribute, event, nothing, registration, request

INTERVAL_S = 30
IDS = st.sampled_from(["a", "b", "c"])
HOSTILE = (
    nothing(),
    registration(),
    registration(ei_response=EiResponse(response_code="452")),
    Response(ei_response=EiResponse(response_code="463")),
    Response(ei_response=EiResponse(response_code="500")),
    RegisterReport(request_id=""),
    RegisteredReport(ei_response=OK, oadr_report_request=(request(), request("x", step_s=0, back_s=0))),
    CreateReport(request_id="q", oadr_report_request=(request("x", "unheard of"),)),
    CancelReport(request_id="c", report_request_id=("x",), report_to_follow=True),
    UpdateReport(request_id="u"),
    RequestReregistration(ven_id="somebody"),
    CreatedOpt(ei_response=EiResponse(response_code="452"), opt_id="o"),
    CanceledOpt(ei_response=OK),
    QueryRegistration(request_id="?"),
)
"""What a VTN might send where it has no place."""
CONFIG = VenConfig(ven_name="m", jitter=False, query_first=False, decision_timeout=timedelta(seconds=20))


_ON_PAPER = (CreatePartyRegistration, CreatedEvent, RequestEvent)


@attrs.define
class Published:
    """An event in the book of the naive VTN."""

    modification: int
    required: ResponseRequired
    start_s: int
    window_s: int
    cancelled: bool = False

    def render(self, event_id: str) -> Event:
        return event(
            event_id,
            self.modification,
            status=EventStatus.CANCELLED if self.cancelled else EventStatus.FAR,
            required=self.required,
            start=START + timedelta(seconds=self.start_s),
            minutes=60,
            startafter=Duration(seconds=self.window_s) if self.window_s else None,
        )


class VenMachine(RuleBasedStateMachine):
    """The session, the world around it, and what is on the paper."""

    def __init__(self) -> None:
        super().__init__()
        self.session = VenSession(CONFIG, key=KEY, wire=False)
        self.mono, self.wall = 1000.0, START
        self.store: dict[str, bytes] = {}
        self.book: dict[str, Published] = {}
        self.dirty = False
        self.flying: SendRequest | None = None
        self.crossed = 0
        self.messages = 0
        self.used: dict[str, int] = {}
        # what is on the paper
        self.known: dict[str, int] = {}
        self.owed: dict[str, tuple[int, str]] = {}
        self.said: dict[str, tuple[int, str]] = {}
        self.open: dict[str, tuple[int, bool]] = {}
        self.decided: set[tuple[str, int, bool]] = set()
        self.polls: list[float] = []
        self.inputs: list[tuple[Input, Now]] = []
        self.outputs: list[tuple[Output, ...]] = []

    # --- the world --------------------------------------------------------------------------------------------------

    @property
    def now(self) -> Now:
        return Now(self.mono, self.wall)

    def put(self, something: Input) -> tuple[Output, ...]:
        outputs = self.session.handle(something, self.now)
        self.inputs.append((something, self.now))
        self.outputs.append(outputs)
        for number, output in enumerate(outputs):
            self.carry_out(output, first=number == 0)
        return outputs

    def carry_out(self, output: Output, *, first: bool) -> None:
        match output:
            case SaveState():
                assert first, "what has to be saved comes before everything that rests on it"
                for record in output.records:
                    data = record.data()
                    if data is None:
                        self.store.pop(record.key, None)
                    else:
                        self.store[record.key] = data
            case SendRequest():
                assert self.flying is None, "one exchange at a time"
                self.flying = output
                if isinstance(output.payload, Poll):
                    self.polls.append(self.mono)
            case AbandonExchange():
                assert self.flying is not None
                assert self.flying.exchange == output.exchange
                self.flying = None
            case DecisionNeeded():
                descriptor = output.event.ei_event.event_descriptor
                cancelled = descriptor.event_status is EventStatus.CANCELLED
                version = (descriptor.event_id, descriptor.modification_number, cancelled)
                assert version not in self.decided, "nobody is asked twice about the same version"
                self.open[descriptor.event_id] = (descriptor.modification_number, cancelled)
            case Notification() | SendReply():
                pass

    def take_up(self, payload: DistributeEvent, *, complete: bool = True) -> None:
        """What a VEN does with a distribution, on paper (section 5.2)."""
        listed = set()
        for item in payload.oadr_event:
            descriptor = item.ei_event.event_descriptor
            event_id, number = descriptor.event_id, descriptor.modification_number
            listed.add(event_id)
            if item.oadr_response_required is ResponseRequired.ALWAYS:
                self.owed[event_id] = (number, payload.request_id)
            else:
                self.owed.pop(event_id, None)  # the version that wanted an answer is replaced
            if descriptor.event_status is EventStatus.CANCELLED:
                if number >= self.known.get(event_id, 0):
                    self.known.pop(event_id, None)
            elif number >= self.known.get(event_id, 0):
                if self.known.get(event_id) != number:
                    self.open.pop(event_id, None)
                self.known[event_id] = number
        if not complete:
            return  # a push came in between, which may be the later one
        for paper in (self.known, self.open, self.owed):  # an answer to what is gone would be an answer to nothing
            for event_id in set(paper) - listed:
                del paper[event_id]

    def current(self) -> DistributeEvent:
        self.messages += 1
        events = [published.render(event_id) for event_id, published in sorted(self.book.items())]
        return distribute(*events, request_id=f"d{self.messages}")

    def reply_of(self, payload: Payload) -> Payload:
        """What a well-meaning VTN answers."""
        match payload:
            case CreatePartyRegistration():
                return registration()
            case CancelPartyRegistration():
                return CanceledPartyRegistration(ei_response=OK)
            case RegisterReport():
                return RegisteredReport(ei_response=OK)
            case UpdateReport():
                return UpdatedReport(ei_response=OK)
            case CreateOpt():
                return CreatedOpt(ei_response=OK, opt_id=payload.opt_id)
            case CancelOpt():
                return CanceledOpt(ei_response=OK, opt_id=payload.opt_id)
            case RequestEvent():
                self.dirty = False
                return self.current()
            case Poll() if self.dirty:
                self.dirty = False
                return self.current()
            case CreatedEvent():
                self.answered(payload)
        return nothing()

    def answered(self, payload: CreatedEvent) -> None:
        for answer in payload.ei_created_event.event_responses or ():
            event_id = answer.qualified_event_id.event_id
            made = (answer.qualified_event_id.modification_number, answer.request_id)
            if self.owed.get(event_id) == made:
                self.said[event_id] = self.owed.pop(event_id)
            for cancelled in (False, True):
                if self.open.get(event_id) == (made[0], cancelled) and answer.response_code == "200":
                    del self.open[event_id]
            published = self.book.get(event_id)
            if published is not None and published.cancelled and published.modification == made[0]:
                del self.book[event_id]  # R50: not after it was acknowledged
                self.dirty = True

    def wait(self, seconds: float) -> None:
        end = self.mono + seconds
        for _ in range(2_000):
            timer = self.session.next_timer(self.now)
            if timer is None or timer > end + 1e-6:  # wall clocks have microseconds
                break
            self.go(max(timer - self.mono, 0.0))
            self.put(Tick())
            following = self.session.next_timer(self.now)
            assert following is None or following > self.mono, "after a due tick the next timer is later"
        else:
            raise AssertionError("the session does not come to rest")
        self.go(max(end - self.mono, 0.0))

    def go(self, seconds: float) -> None:
        self.mono += seconds
        self.wall += timedelta(seconds=seconds)

    # --- rules ------------------------------------------------------------------------------------------------------

    @initialize()
    def register(self) -> None:
        self.put(Register())
        for _ in range(3):
            self.reply()

    @rule(
        event_id=IDS,
        required=st.sampled_from([ResponseRequired.ALWAYS, ResponseRequired.ALWAYS, ResponseRequired.NEVER]),
        start_s=st.sampled_from([0, 100, 3600]),
        window_s=st.sampled_from([0, 0, 300]),
        modification=st.integers(0, 2),
    )
    def publish(
        self, event_id: str, required: ResponseRequired, start_s: int, window_s: int, modification: int
    ) -> None:
        if event_id not in self.book:
            first = max(modification, self.used.get(event_id, -1) + 1)  # an ID that comes back goes on counting
            self.used[event_id] = first
            since = (self.wall - START).total_seconds()
            self.book[event_id] = Published(first, required, round(since) + start_s, window_s)
            self.dirty = True

    @precondition(lambda self: self.book)
    @rule(data=st.data())
    def modify(self, data: st.DataObject) -> None:
        event_id = data.draw(st.sampled_from(sorted(self.book)))
        published = self.book[event_id]
        published.cancelled = False
        published.modification += 1
        self.used[event_id] = published.modification
        self.dirty = True

    @precondition(lambda self: self.book)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        event_id = data.draw(st.sampled_from(sorted(self.book)))
        published = self.book[event_id]
        if not published.cancelled:
            published.cancelled = True
            published.modification += 1
            self.used[event_id] = published.modification
            self.dirty = True

    @precondition(lambda self: self.book)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        """An implied cancel (R61)."""
        del self.book[data.draw(st.sampled_from(sorted(self.book)))]
        self.dirty = True

    @precondition(lambda self: self.flying is not None)
    @rule()
    def reply(self) -> None:
        if self.flying is None:
            return
        request, self.flying = self.flying, None
        answer = self.reply_of(request.payload)
        if isinstance(answer, DistributeEvent):
            self.take_up(answer, complete=request.exchange != self.crossed)
        self.put(ReplyArrived(exchange=request.exchange, payload=answer))

    @precondition(lambda self: self.flying is not None)
    @rule(failure=st.sampled_from([Failure.UNREACHABLE, Failure.TIMEOUT]), arrived=st.booleans())
    def lose(self, failure: Failure, arrived: bool) -> None:
        """The request is lost, or only its reply."""
        assert self.flying is not None
        request, self.flying = self.flying, None
        if arrived and failure is Failure.TIMEOUT:
            self.reply_of(request.payload)
            self.dirty = True
        self.put(ExchangeFailed(exchange=request.exchange, failure=failure))

    @precondition(lambda self: self.flying is not None)
    @rule(payload=st.sampled_from(HOSTILE), status=st.sampled_from([200, 200, 500, 503]))
    def hostile(self, payload: Payload, status: int) -> None:
        """Anything in place of a reply, but for those that are on paper."""
        assert self.flying is not None
        if isinstance(self.flying.payload, _ON_PAPER) or self.session.registration is None:
            return
        request, self.flying = self.flying, None
        self.put(ReplyArrived(exchange=request.exchange, payload=payload, status=status))

    @rule()
    def stray(self) -> None:
        exchange = 0 if self.flying is None else self.flying.exchange - 1
        before = self.session.state.events
        self.put(ReplyArrived(exchange=exchange, payload=distribute(event("stray"))))
        assert "stray" not in self.session.state.events
        assert set(before) >= set(self.session.state.events)

    @precondition(lambda self: self.session.registration is not None)
    @rule()
    def push(self) -> None:
        """One reply for each request, and the same meaning as in a poll reply."""
        payload = self.current()
        if self.flying is not None and isinstance(self.flying.payload, RequestEvent):
            self.crossed = self.flying.exchange  # which of the two is the later one, nobody can tell
        self.take_up(payload)
        outputs = self.put(RequestArrived(exchange=7, service="EiEvent", payload=payload))
        replies = [output for output in outputs if isinstance(output, SendReply)]
        assert replies == [SendReply(exchange=7)]

    @precondition(lambda self: self.open)
    @rule(data=st.data(), opt=st.sampled_from(list(OptType)), failed=st.booleans())
    def decide(self, data: st.DataObject, opt: OptType, failed: bool) -> None:
        event_id = data.draw(st.sampled_from(sorted(self.open)))
        number, cancelled = self.open.pop(event_id)
        asked = self.session.state.events.get(event_id)
        if asked is not None and asked.asking is not None and asked.modification_number == number and not failed:
            self.decided.add((event_id, number, cancelled))
        self.put(Decide(event_id=event_id, modification_number=number, opt_type=opt, failed=failed))

    @rule(event_id=IDS, number=st.integers(0, 4), opt=st.sampled_from(list(OptType)))
    def change_mind(self, event_id: str, number: int, opt: OptType) -> None:
        """About any version, at any time."""
        asked = self.session.state.events.get(event_id)
        if asked is not None and asked.asking is not None:
            return
        self.put(Decide(event_id=event_id, modification_number=number, opt_type=opt))

    @rule(event_id=st.none() | IDS, opt=st.sampled_from(list(OptType)))
    def make_opt(self, event_id: str | None, opt: OptType) -> None:
        period = Properties(dtstart=self.wall.replace(microsecond=0), duration=Duration(seconds=60))
        command = MakeOpt(opt_type=opt, event_id=event_id, availability=() if event_id else (period,), opt_id="o")
        before = self.session.state
        try:
            self.put(command)
        except LocalError:
            assert self.session.state is before

    @rule()
    def withdraw_opt(self) -> None:
        before = self.session.state
        try:
            self.put(WithdrawOpt(opt_id="o"))
        except LocalError:
            assert self.session.state is before

    @rule(seconds=st.sampled_from([0.5, 5.0, 31.0, 400.0]))
    def pass_time(self, seconds: float) -> None:
        self.wait(seconds)

    @rule(snapshot=st.booleans())
    def restart(self, snapshot: bool) -> None:
        """The process is killed: what the store has is all that is left."""
        before = self.session
        document = before.snapshot() if snapshot else dict(self.store)
        self.session = VenSession.restore(CONFIG, document, wire=False)
        if snapshot:
            assert records_of(self.session) == records_of(before), "nothing durable is lost or made up"
            assert self.session.snapshot() == document
        self.flying = None
        self.polls.clear()
        self.inputs.clear()
        self.outputs.clear()
        self.again = document
        self.put(Tick())

    # --- what always holds ------------------------------------------------------------------------------------------

    @invariant()
    def table_agrees(self) -> None:
        seen = {
            known.event_id: known.modification_number
            for known in self.session.state.events.values()
            if not known.cancelled
        }
        if self.session.registration is not None:
            assert seen == self.known

    @invariant()
    def tables_keep_their_limits(self) -> None:
        state = self.session.state
        assert len(state.events) <= MOST_EVENTS
        assert len(state.opts) <= MOST_OPTS
        assert len(state.jobs) <= MOST_JOBS
        assert len(state.outbox) <= 400

    @invariant()
    def store_has_everything(self) -> None:
        """But for the counter and what else is quiet."""
        now = {key for key, _ in records_of(self.session)}
        assert now == set(self.store)

    @invariant()
    def restart_is_equivalent_at_every_step(self) -> None:
        """Whoever is restored here knows the same, asks what is open and nothing else, and goes on alike each time."""
        document = self.session.snapshot()
        twins = [VenSession.restore(CONFIG, document, wire=False) for _ in range(2)]
        assert records_of(twins[0]) == records_of(self.session)
        first, second = (twin.handle(Tick(), self.now) for twin in twins)
        assert first == second
        asked = [output.event.ei_event.event_descriptor for output in first if isinstance(output, DecisionNeeded)]
        open_here = [known for known in self.session.state.events.values() if known.asking is not None]
        assert [(each.event_id, each.modification_number) for each in asked] == [
            (known.event_id, known.modification_number) for known in open_here
        ]
        assert followed(twins[0]) == followed(self.session)
        resent = [output.payload for output in first if isinstance(output, SendRequest)]
        waiting = [entry.payload for entry in self.session.state.outbox.values()]
        assert not waiting or resent[0] in waiting or isinstance(resent[0], (CreatePartyRegistration, CreatedEvent))

    @invariant()
    def polls_keep_the_rate(self) -> None:
        """R500: draining apart, one poll in an interval."""
        recent = [at for at in self.polls if at > self.mono - INTERVAL_S]
        assert len(recent) <= 2 * (MOST_DRAINED + 2)

    @invariant()
    def rests(self) -> None:
        timer = self.session.next_timer(self.now)
        assert timer is None or timer > self.mono, "a timer is due and nobody dealt with it"

    def teardown(self) -> None:
        """The network heals: then every always is answered (R12), with the version and request that came last (R42)."""
        for _ in range(400):
            if self.flying is not None:
                self.reply()
            elif not self.owed:
                break
            else:
                self.wait(1.0)
            self.table_agrees()
        if self.session.registration is not None:
            assert not self.owed, "every always is answered"
        self.same_inputs_same_outputs()

    def same_inputs_same_outputs(self) -> None:
        document = getattr(self, "again", None)
        if document is None:
            twin = VenSession(CONFIG, key=KEY, wire=False)
        else:
            twin = VenSession.restore(CONFIG, document, wire=False)
        for (something, now), outputs in zip(self.inputs, self.outputs, strict=True):
            assert twin.handle(something, now) == outputs


def followed(session: VenSession) -> dict[str, Any]:
    """What the session would do about its events."""
    return {
        known.event_id: (known.modification_number, known.opt, known.offset_s, known.stop_at, known.takes_part)
        for known in session.state.events.values()
    }


def records_of(session: VenSession) -> list[tuple[str, Any]]:
    return [(record.key, record.data()) for record in everything(HEAD, session.state)]


# Not shrunk, for that takes minutes: who has to understand a failure adds Phase.shrink.
VenMachine.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
TestVenMachine = VenMachine.TestCase
