"""What holds for a VEN whatever its VTN, its network and its application do.

Planted bugs that these properties have caught are noted at each of them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oadr_core import LocalError
from oadr_core.engine import ExchangeFailed, Failure, ReplyArrived, SendRequest
from oadr_core.model import (
    CancelReport,
    CreatedEvent,
    CreateReport,
    EiResponse,
    Event,
    EventStatus,
    OptType,
    Poll,
    RegisteredReport,
    RegisterReport,
    RequestReregistration,
    Response,
    ResponseRequired,
    UpdatedReport,
)
from oadr_core.reporting.jobs import MOST_JOBS
from oadr_core.ven import Decide, DecisionNeeded, PollNow, ProvideReport, Reading, Register, ReportDue, VenConfig
from oadr_core.ven.conversation import MOST_DRAINED
from oadr_core.ven.events import MOST_EVENTS
from oadr_core.ven.session import VenSession
from tests.core.ven.bench import KEY, OK, Bench, distribute, event, nothing, offer, registration, request
from tests.strategies import payloads

IDS = st.sampled_from(["a", "b", "c"])
EVENTS = st.builds(
    event,
    IDS,
    st.integers(0, 3),
    status=st.sampled_from([EventStatus.FAR, EventStatus.ACTIVE, EventStatus.CANCELLED, EventStatus.COMPLETED]),
    required=st.sampled_from(list(ResponseRequired)),
    minutes=st.sampled_from([0, 1, 60]),
)
PLAUSIBLE = st.one_of(
    st.just(nothing()),
    st.just(Response(ei_response=EiResponse(response_code="463"))),
    st.just(registration()),
    st.just(RegisteredReport(ei_response=OK)),
    st.just(RegisterReport(request_id="r")),
    st.just(RequestReregistration(ven_id="ven-1")),
    st.just(UpdatedReport(ei_response=OK)),
    st.lists(EVENTS, max_size=3, unique_by=lambda e: e.ei_event.event_descriptor.event_id).map(
        lambda events: distribute(*events)
    ),
    st.builds(
        lambda id_, step, back: CreateReport(
            request_id="q", oadr_report_request=(request(id_, step_s=step, back_s=back),)
        ),
        IDS,
        st.sampled_from([0, 10, 20]),
        st.sampled_from([0, 10, 60]),
    ),
    st.builds(
        lambda id_, follow: CancelReport(request_id="c", report_request_id=(id_,), report_to_follow=follow),
        IDS,
        st.booleans(),
    ),
)
MOVES = st.one_of(
    st.tuples(st.just("reply"), PLAUSIBLE),
    st.tuples(st.just("reply"), payloads()),
    st.tuples(st.just("data"), st.binary(max_size=40)),
    st.tuples(st.just("status"), st.sampled_from([200, 204, 404, 500, 503])),
    st.tuples(st.just("fail"), st.sampled_from(list(Failure))),
    st.tuples(st.just("wait"), st.floats(0, 100)),
    st.tuples(st.just("jump"), st.integers(-10_000, 10_000)),
    st.tuples(st.just("decide"), st.tuples(IDS, st.integers(0, 3), st.sampled_from(list(OptType)), st.booleans())),
    st.tuples(st.just("provide"), st.one_of(st.floats(), st.none(), st.text(max_size=3))),
    st.tuples(st.just("settle"), st.integers(1, 8)),
    st.tuples(st.just("command"), st.sampled_from([Register(), PollNow()])),
)


def play(moves: list[tuple[str, Any]], *, registered: bool) -> list[object]:
    """Play moves against a session that writes its messages, and check after each what always holds."""
    session = VenSession(VenConfig(ven_name="v", reports=(offer(),), query_first=False), key=KEY)
    bench = Bench(session=session)
    if registered:
        bench.register()
        bench.answer(CreateReport(request_id="q", oadr_report_request=(request("a", step_s=10, back_s=20),)))
        bench.answer(nothing())
        bench.answer(distribute(event("a"), event("b")))
    record: list[object] = [] if registered else list(bench.put(Register()))
    for kind, what in moves:
        record.append(_move(bench, kind, what))
        state = session.state
        flying = [output for output in bench.sent if isinstance(output, SendRequest)]
        assert len(flying) <= 2_000
        assert len(state.events) <= MOST_EVENTS
        assert len(state.jobs) <= MOST_JOBS
        assert len(state.outbox) <= 400
        timer = session.next_timer(bench.now)
        assert timer is None or timer > bench.mono or kind in ("jump", "refused"), (
            "a timer is due and nobody dealt with it"
        )
    return record


def _move(bench: Bench, kind: str, what: Any) -> object:
    exchange = bench.session.state.flight.exchange if bench.session.state.flight else 0
    match kind:
        case "reply":
            return bench.put(ReplyArrived(exchange=exchange, payload=what))
        case "data":
            return bench.put(ReplyArrived(exchange=exchange, data=what))
        case "status":
            return bench.put(ReplyArrived(exchange=exchange, status=what))
        case "fail":
            return bench.put(ExchangeFailed(exchange=exchange, failure=what))
        case "wait":
            bench.wait(what)
            return None
        case "settle":
            for _ in range(what):
                if bench.idle:
                    bench.wait(5)
                else:
                    bench.answer(nothing())
            return None
        case "jump":
            bench.wall += timedelta(seconds=what)
            bench.wait(0)
            return None
        case "decide":
            event_id, modification, opt, failed = what
            return bench.put(Decide(event_id=event_id, modification_number=modification, opt_type=opt, failed=failed))
        case "provide":
            due = [told for told in bench.told if isinstance(told, ReportDue)][-1:]
            before = bench.session.state
            try:
                return [
                    bench.put(
                        ProvideReport(
                            report_request_id=question.report_request_id,
                            at=question.at,
                            readings=(Reading(r_id="r1", value=what),),
                        )
                    )
                    for question in due
                ]
            except LocalError:
                assert bench.session.state is before
                return None
        case _:
            return bench.put(what)


@given(st.lists(MOVES, max_size=25), st.booleans())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_nothing_makes_a_session_raise_spin_or_grow(moves: list[tuple[str, Any]], registered: bool) -> None:
    """Caught: a deadline that stayed due after its question was answered; answers due without a registration."""
    play(moves, registered=registered)


@given(st.lists(MOVES, max_size=12), st.booleans())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], max_examples=40)
def test_same_inputs_same_outputs(moves: list[tuple[str, Any]], registered: bool) -> None:
    """Caught: identifiers from a counter that was shared between sessions."""
    assert play(moves, registered=registered) == play(moves, registered=registered)


@pytest.mark.rule("R12")
@pytest.mark.rule("R62")
@given(
    st.lists(
        st.tuples(
            st.lists(EVENTS, max_size=3, unique_by=lambda e: e.ei_event.event_descriptor.event_id),
            st.dictionaries(IDS, st.sampled_from([*OptType, "fail"])),
            st.booleans(),
        ),
        max_size=6,
    )
)
@settings(deadline=None)
def test_every_always_is_answered_every_time_and_a_never_is_not(
    rounds: list[tuple[list[Event], dict[str, Any], bool]],
) -> None:
    """Caught: an unchanged event that was not answered again; a never that was answered when cancelled unknown."""
    bench = Bench(decision_timeout=timedelta(seconds=5))
    bench.register()
    known: dict[str, int] = {}
    for number, (events, opts, lose) in enumerate(rounds):
        bench.forget_keep_flight()
        bench.answer(distribute(*events, request_id=f"d{number}"))
        for question in bench.heard(DecisionNeeded):
            descriptor = question.event.ei_event.event_descriptor
            opt = opts.get(descriptor.event_id)
            if opt is not None:
                bench.put(
                    Decide(
                        event_id=descriptor.event_id,
                        modification_number=descriptor.modification_number,
                        opt_type=OptType.OPT_OUT if opt == "fail" else opt,
                        failed=opt == "fail",
                    )
                )
        answered = _drain(bench, lose)
        _update(known, events)
        expected = {
            (item.ei_event.event_descriptor.event_id, item.ei_event.event_descriptor.modification_number, f"d{number}")
            for item in events
            if item.oadr_response_required is ResponseRequired.ALWAYS
        }
        assert answered == expected
        assert set(bench.session.state.events) <= set(known)


def _drain(bench: Bench, lose: bool) -> set[tuple[str, int, str]]:
    """Let everything be delivered, losing the first message if asked to; stop at the next regular poll."""
    answered = set()
    for _ in range(300):
        if bench.idle:
            bench.wait(0.5)
            continue
        payload = bench.pending.payload
        if isinstance(payload, Poll) and not bench.session.state.answers and not bench.session.state.outbox:
            if not any(known.deadline is not None for known in bench.session.state.events.values()):
                return answered
            bench.answer(nothing())
        elif lose:
            lose = False
            bench.fail()
        else:
            if isinstance(payload, CreatedEvent):
                for answer in payload.ei_created_event.event_responses or ():
                    qualified = answer.qualified_event_id
                    answered.add((qualified.event_id, qualified.modification_number, answer.request_id))
            bench.answer(nothing())
    raise AssertionError("it never comes to rest")


def _update(known: dict[str, int], events: list[Event]) -> None:
    """The naive model: what is listed and not cancelled is known, in its highest version."""
    listed = {item.ei_event.event_descriptor.event_id for item in events}
    for gone in set(known) - listed:
        del known[gone]
    for item in events:
        descriptor = item.ei_event.event_descriptor
        if descriptor.event_status is not EventStatus.CANCELLED or descriptor.event_id in known:
            known[descriptor.event_id] = max(known.get(descriptor.event_id, 0), descriptor.modification_number)


@pytest.mark.rule("R500")
@given(st.lists(st.integers(0, 60), min_size=1, max_size=6))
@settings(deadline=None, max_examples=30)
def test_polls_never_exceed_the_rate(runs: list[int]) -> None:
    """Caught: a drain without an end. ``runs``: how much the VTN has each time until it has nothing more."""
    bench = Bench()
    bench.register()
    began = bench.mono
    polls = 1
    for has_more in [more for run in runs for more in [*[True] * run, False]]:
        while bench.idle or not isinstance(bench.pending.payload, Poll):
            if bench.idle:
                bench.wait(1)
            else:
                bench.answer(nothing())
        polls += 1
        bench.answer(RegisterReport(request_id="r") if has_more else nothing())
    intervals = (bench.mono - began) // 30 + 1
    assert polls <= intervals * MOST_DRAINED + 2
