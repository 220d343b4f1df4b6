"""A session that remembers when it has to look again does what one does that always looks.

Planted bugs that this has caught are in the list of planted bugs.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from oadr_core.engine import Input, Now, Output, Tick
from oadr_core.model import (
    CancelReport,
    CreateReport,
    EventStatus,
    OptType,
    Payload,
    Poll,
    RegisterReport,
    RequestEvent,
    ResponseRequired,
    UpdatedReport,
    UpdateReport,
)
from oadr_core.ven import (
    Decide,
    DecisionNeeded,
    IntervalStarted,
    PollNow,
    ProvideReport,
    Reading,
    ReportDue,
    VenConfig,
    VenSession,
)
from tests.core.ven.bench import KEY, OK, START, Bench, distribute, event, nothing, offer, request
from tests.core.ven.bench import RegisteredReport as Taken

IDS = ("a", "b")
EVENTS = st.builds(
    event,
    st.sampled_from(IDS),
    st.integers(0, 3),
    status=st.sampled_from([EventStatus.FAR, EventStatus.FAR, EventStatus.CANCELLED]),
    required=st.sampled_from(list(ResponseRequired)),
    start=st.sampled_from([0, 30, 90, 3600]).map(lambda s: START + timedelta(seconds=s)),
    minutes=st.sampled_from([0, 1, 5]),
)
MESSAGES: st.SearchStrategy[Payload] = st.one_of(
    st.lists(EVENTS, max_size=2, unique_by=lambda one: one.ei_event.event_descriptor.event_id).map(
        lambda found: distribute(*found)
    ),
    st.builds(
        lambda name, step_s, back_s: CreateReport(
            request_id="q", oadr_report_request=(request(name, step_s=step_s, back_s=back_s),)
        ),
        st.sampled_from(IDS),
        st.sampled_from([0, 10, 60]),
        st.sampled_from([0, 60, 120]),
    ),
    st.builds(CancelReport, request_id=st.just("c"), report_request_id=st.just(("a",)), report_to_follow=st.booleans()),
)
STEPS = st.one_of(
    st.tuples(st.just("message"), MESSAGES),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 5.0, 45.0, 400.0])),
    st.tuples(st.just("nap"), st.sampled_from([10.0, 100.0])),
    st.tuples(st.just("clock"), st.sampled_from([-7200, -120, -15, 15, 120, 7200])),
    st.tuples(st.just("decide"), st.tuples(st.sampled_from(IDS), st.integers(0, 3), st.sampled_from(list(OptType)))),
    st.tuples(st.just("silent"), st.booleans()),
)


class Watchful(VenSession):
    """It notes nothing."""

    def handle(self, something: Input, now: Now) -> tuple[Output, ...]:
        self._outlook = None
        return super().handle(something, now)

    def next_timer(self, now: Now) -> float | None:
        self._outlook = None
        return super().next_timer(now)


class Twins(VenSession):
    """Two that must agree in everything."""

    def __init__(self, config: VenConfig, **options: Any) -> None:
        super().__init__(config, **options)
        self.other = Watchful(config, **options)

    def handle(self, something: Input, now: Now) -> tuple[Output, ...]:
        outputs = super().handle(something, now)
        assert outputs == self.other.handle(something, now)
        return outputs

    def next_timer(self, now: Now) -> float | None:
        timer = super().next_timer(now)
        assert timer == self.other.next_timer(now)
        return timer


WISH = CreateReport(request_id="q", oadr_report_request=(request("a", step_s=10, back_s=60),))
THERE_AND_BACK = [("clock", 7200), ("wait", 45.0), ("wait", 5.0), ("clock", -7200), ("wait", 45.0)]
"""The clock is set back while nothing else has changed for a while."""


@settings(deadline=None)
@example([("message", WISH), ("wait", 45.0), *THERE_AND_BACK])
@example([("message", distribute(event(start=START))), ("wait", 45.0), *THERE_AND_BACK])
@given(st.lists(STEPS, max_size=25))
def test_session_that_looks_only_when_it_must_does_the_same(steps: list[tuple[str, Any]]) -> None:
    config = VenConfig(
        ven_name="v", jitter=False, query_first=False, reports=(offer(),), decision_timeout=timedelta(seconds=20)
    )
    bench = Bench(Twins(config, key=KEY, wire=False))
    bench.register()
    silent = False
    for kind, what in steps:
        _answer_all(bench)
        if kind == "message":
            bench.put(PollNow())
            _answer_all(bench, what)
        elif kind == "wait":
            for _ in range(20):
                bench.wait(what / 20)
                _answer_all(bench)
                _provide(bench, silent)
        elif kind == "nap":
            bench.mono += what
            bench.wall += timedelta(seconds=what)
            bench.put(Tick())
        elif kind == "clock":
            bench.wall += timedelta(seconds=what)
            bench.session.next_timer(bench.now)
            bench.put(Tick())
        elif kind == "decide":
            event_id, number, opt = what
            bench.put(Decide(event_id=event_id, modification_number=number, opt_type=opt))
        else:
            silent = what
        _provide(bench, silent)


def _answer_all(bench: Bench, *messages: Payload) -> None:
    """Answer what is under way until nothing is; the next polls bring these messages."""
    queue = list(messages)
    for _ in range(50):
        if bench.idle:
            return
        match bench.pending.payload:
            case Poll() if queue:
                bench.answer(queue.pop(0))
            case RegisterReport():
                bench.answer(Taken(ei_response=OK))
            case RequestEvent():
                bench.answer(distribute())
            case UpdateReport():
                bench.answer(UpdatedReport(ei_response=OK))
            case _:
                bench.answer(nothing())


def _provide(bench: Bench, silent: bool) -> None:
    due = [] if silent else bench.heard(ReportDue)
    bench.told.clear()
    for each in due:
        readings = tuple(Reading(r_id=r_id, value=1.0) for r_id in each.r_ids)
        bench.put(ProvideReport(report_request_id=each.report_request_id, at=each.at, readings=readings))


def test_what_nobody_decided_in_time_begins_at_once() -> None:
    bench = Bench(decision_timeout=timedelta(seconds=20), default_opt=OptType.OPT_IN)
    bench.register()
    bench.answer(distribute(event(required=ResponseRequired.NEVER, start=START)))
    assert bench.heard(DecisionNeeded)
    bench.wait(20)
    assert bench.heard(IntervalStarted), "there is no answer that might come back and make the session look"
