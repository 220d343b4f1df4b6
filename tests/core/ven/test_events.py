"""What a VEN does with the events that are distributed to it (section 5.2)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oadr_core import LocalError
from oadr_core.engine import Failure, Trouble
from oadr_core.model import (
    CreatedEvent,
    Duration,
    EiResponse,
    Event,
    EventResponse,
    EventStatus,
    OptType,
    Poll,
    ResponseRequired,
)
from oadr_core.ven import (
    Change,
    DecisionNeeded,
    EventCancelled,
    EventChanged,
    EventReceived,
    EventStatusChanged,
    OptDelivered,
    PollNow,
)
from tests.core.ven.bench import START, Bench, decide, distribute, event, nothing

CANCELLED = EventStatus.CANCELLED


@pytest.fixture
def bench() -> Bench:
    """A registered VEN with its first poll under way."""
    ready = Bench(decision_timeout=timedelta(seconds=60))
    ready.register()
    return ready


def answers(bench: Bench) -> list[EventResponse]:
    """The answers to events in the request under way."""
    return list(bench.expect(CreatedEvent).ei_created_event.event_responses or ())


def brief(bench: Bench) -> list[tuple[str, int, str, str]]:
    return [
        (
            answer.qualified_event_id.event_id,
            answer.qualified_event_id.modification_number,
            answer.response_code,
            str(answer.opt_type),
        )
        for answer in answers(bench)
    ]


def again(bench: Bench, *events: Event, request_id: str = "d2") -> None:
    """Acknowledge what is under way, and distribute at the next poll."""
    while not isinstance(bench.pending.payload, Poll):
        bench.answer(nothing())
    bench.answer(distribute(*events, request_id=request_id))


@pytest.mark.rule("R56")
@pytest.mark.rule("R42")
def test_new_event_is_asked_about_and_answered(bench: Bench) -> None:
    bench.answer(distribute(event(), request_id="d7"))
    [question] = bench.heard(DecisionNeeded)
    assert (question.change, question.default, question.previous) == (Change.NEW, OptType.OPT_OUT, None)
    assert [told.event for told in bench.heard(EventReceived)] == [event()]
    assert bench.idle
    bench.put(decide())
    body = bench.expect(CreatedEvent).ei_created_event
    assert (body.ven_id, body.ei_response.request_id, body.ei_response.response_code) == ("ven-1", "", "200")
    assert brief(bench) == [("ev-1", 0, "200", "optIn")]
    assert answers(bench)[0].request_id == "d7"
    assert not bench.heard(OptDelivered)
    bench.answer(nothing())
    assert bench.heard(OptDelivered) == [OptDelivered(event_id="ev-1", modification_number=0, opt_type="optIn")]


@pytest.mark.rule("R12")
def test_several_events_are_answered_in_one_message(bench: Bench) -> None:
    bench.answer(distribute(event("a"), event("b"), event("c")))
    bench.put(decide(event_id="b"))
    bench.put(decide(OptType.OPT_OUT, event_id="c"))
    assert bench.idle
    bench.put(decide(event_id="a"))
    assert brief(bench) == [("b", 0, "200", "optIn"), ("c", 0, "200", "optOut"), ("a", 0, "200", "optIn")]


def test_slow_decision_does_not_hold_back_the_others_for_long(bench: Bench) -> None:
    bench.answer(distribute(event("slow"), event("quick")))
    bench.put(decide(event_id="quick"))
    bench.wait(1.01)
    assert brief(bench) == [("quick", 0, "200", "optIn")]
    bench.answer(nothing())
    bench.put(decide(event_id="slow"))
    assert brief(bench) == [("slow", 0, "200", "optIn")]


def test_open_question_does_not_delay_the_regular_poll(bench: Bench) -> None:
    bench.answer(distribute(event()))
    bench.wait(31)
    bench.expect(Poll)


def test_nobody_decides_and_the_default_is_sent(bench: Bench) -> None:
    bench.answer(distribute(event()))
    bench.wait(31)
    bench.answer(nothing())
    bench.wait(29)
    assert brief(bench) == [("ev-1", 0, "200", "optOut")]
    assert "no decision about event ev-1 in time" in bench.heard(Trouble)[0].text
    bench.answer(nothing())
    bench.put(decide())  # late, and counts
    while isinstance(bench.pending.payload, Poll):
        bench.answer(nothing())
    assert brief(bench) == [("ev-1", 0, "200", "optIn")]


@pytest.mark.rule("R62")
def test_never_is_asked_about_and_not_answered(bench: Bench) -> None:
    bench.answer(distribute(event(required=ResponseRequired.NEVER)))
    assert bench.heard(DecisionNeeded)
    bench.put(decide())
    bench.expect(Poll)


@pytest.mark.rule("R12")
def test_unchanged_event_is_answered_again_without_asking(bench: Bench) -> None:
    bench.answer(distribute(event()))
    bench.put(decide())
    again(bench, event(), request_id="d9")
    assert len(bench.heard(DecisionNeeded)) == 1
    assert brief(bench) == [("ev-1", 0, "200", "optIn")]
    assert answers(bench)[0].request_id == "d9"


def test_failed_decision_opts_out_and_is_offered_again(bench: Bench) -> None:
    bench.answer(distribute(event("bad"), event("good")))
    bench.put(decide(OptType.OPT_OUT, "bad", failed=True, reason="cannot"))
    bench.put(decide(event_id="good"))
    assert brief(bench) == [("bad", 0, "200", "optOut"), ("good", 0, "200", "optIn")]
    again(bench, event("bad"), event("good"))
    assert [question.change for question in bench.heard(DecisionNeeded)] == [Change.NEW, Change.NEW, Change.REPEATED]
    bench.put(decide(event_id="bad"))
    assert brief(bench) == [("good", 0, "200", "optIn"), ("bad", 0, "200", "optIn")]


@pytest.mark.rule("R57")
def test_modified_event_is_asked_about_again(bench: Bench) -> None:
    bench.answer(distribute(event()))
    bench.put(decide())
    again(bench, event(modification=1))
    question = bench.heard(DecisionNeeded)[-1]
    assert (question.change, question.previous) == (Change.MODIFIED, OptType.OPT_IN)
    assert len(bench.heard(EventChanged)) == 1
    bench.put(decide(OptType.OPT_OUT))  # about modification 0: late
    assert bench.idle
    bench.put(decide(OptType.OPT_OUT, modification=1))
    assert brief(bench) == [("ev-1", 1, "200", "optOut")]


@pytest.mark.rule("R58")
@pytest.mark.parametrize("status", [EventStatus.FAR, EventStatus.CANCELLED])
def test_older_modification_is_refused(bench: Bench, status: EventStatus) -> None:
    bench.answer(distribute(event(modification=3)))
    bench.put(decide(modification=3))
    again(bench, event(modification=2, status=status))
    assert brief(bench) == [("ev-1", 2, "450", "optOut")]
    assert bench.session.state.events["ev-1"].modification_number == 3


@pytest.mark.rule("R58")
def test_older_modification_takes_nothing_from_the_answer_to_the_newer(bench: Bench) -> None:
    bench.answer(distribute(event(modification=1), event("slow")))
    bench.put(decide(modification=1))  # and it waits a moment for the other
    bench.put(PollNow())
    bench.answer(distribute(event(modification=0), event("slow"), request_id="d2"))
    bench.wait(1.1)
    assert brief(bench) == [("ev-1", 1, "200", "optIn"), ("ev-1", 0, "450", "optOut")]


@pytest.mark.rule("R59")
@pytest.mark.rule("R36")
@pytest.mark.parametrize("opt", list(OptType))
def test_cancelled_event_is_confirmed_and_forgotten(bench: Bench, opt: OptType) -> None:
    bench.answer(distribute(event()))
    bench.put(decide())
    again(bench, event(modification=1, status=CANCELLED))
    question = bench.heard(DecisionNeeded)[-1]
    assert (question.change, question.default) == (Change.CANCELLED, OptType.OPT_IN)
    assert [told.implied for told in bench.heard(EventCancelled)] == [False]
    bench.put(decide(opt, modification=1))
    assert brief(bench) == [("ev-1", 1, "200", str(opt))]
    bench.answer(nothing())
    assert not bench.session.state.events
    again(bench)
    assert len(bench.heard(EventCancelled)) == 1


@pytest.mark.rule("R59")
def test_cancelled_event_that_is_cancelled_again_stays_cancelled(bench: Bench) -> None:
    bench.answer(distribute(event()))
    bench.put(decide())
    again(bench, event(modification=1, status=CANCELLED))
    bench.wait(31)
    bench.expect(Poll)
    bench.answer(distribute(event(modification=3, status=CANCELLED), request_id="d3"))
    assert bench.session.state.events["ev-1"].cancelled
    assert len(bench.heard(EventCancelled)) == 1
    assert not bench.heard(EventChanged)
    bench.put(decide(modification=3))
    assert brief(bench) == [("ev-1", 3, "200", "optIn")]


@pytest.mark.rule("R60")
@pytest.mark.rule("R21")
def test_unknown_cancelled_event_is_answered_and_ignored(bench: Bench) -> None:
    bench.answer(distribute(event(modification=1, status=CANCELLED)))
    assert not bench.heard(DecisionNeeded)
    assert brief(bench) == [("ev-1", 1, "200", "optIn")]


@pytest.mark.rule("R61")
def test_event_that_is_not_listed_any_more_is_cancelled(bench: Bench) -> None:
    bench.answer(distribute(event("a"), event("b")))
    bench.put(decide(event_id="a"))
    bench.put(decide(event_id="b"))
    again(bench, event("b"))
    [told] = bench.heard(EventCancelled)
    assert told.implied
    assert told.event.ei_event.event_descriptor.event_id == "a"
    assert told.event.ei_event.event_descriptor.event_status is CANCELLED
    assert list(bench.session.state.events) == ["b"]


@pytest.mark.rule("R61")
@pytest.mark.rule("R65")
@pytest.mark.parametrize("first", ["cancelled", "missing"])
def test_event_that_was_told_as_cancelled_runs_out_and_nobody_is_told_or_asked_again(bench: Bench, first: str) -> None:
    active = {"start": START - timedelta(minutes=30), "startafter": Duration(seconds=1200)}
    bench.answer(distribute(event(**active)))
    bench.put(decide())
    again(bench, *[event(modification=1, status=CANCELLED, **active)] if first == "cancelled" else [])
    assert bench.session.state.events["ev-1"].stop_at > bench.wall
    asked = len(bench.heard(DecisionNeeded))
    until = bench.wall + timedelta(minutes=30)  # longer than a question stays open, and than the event may go on
    while bench.wall < until:
        bench.wait(1)
        if not bench.idle:
            bench.expect(Poll)
            bench.answer(distribute())
    assert [told.implied for told in bench.heard(EventCancelled)] == [first == "missing"]
    assert len(bench.heard(DecisionNeeded)) == asked
    assert not bench.heard(Trouble)
    assert not bench.session.state.events


def test_event_that_is_over_goes_without_a_word(bench: Bench) -> None:
    bench.answer(distribute(event(start=START - timedelta(hours=3))))
    bench.put(decide())
    again(bench)
    assert not bench.heard(EventCancelled)
    assert not bench.session.state.events


def test_event_that_ends_while_the_machine_sleeps_is_told_to_be_over_before_it_goes(bench: Bench) -> None:
    bench.answer(distribute(event()))
    bench.put(decide())
    while bench.wall < START + timedelta(minutes=90):
        if not bench.idle:
            bench.answer(nothing())
        bench.wait(10)
    while bench.idle:
        bench.wait(10)
    assert [told.status for told in bench.heard(EventStatusChanged)] == ["active"]
    bench.wall += timedelta(hours=3)
    bench.answer(distribute())  # it arrives before anything else happens
    assert [told.status for told in bench.heard(EventStatusChanged)] == ["active", "completed"]
    assert not bench.session.state.events


@pytest.mark.rule("R21")
@pytest.mark.rule("R35")
def test_events_of_another_vtn_are_refused_as_a_whole(bench: Bench) -> None:
    bench.answer(distribute(event(), vtn_id="other"))
    body = bench.expect(CreatedEvent).ei_created_event
    assert (body.ei_response.response_code, body.event_responses) == ("452", None)
    assert not bench.heard(DecisionNeeded)
    assert "vtnID" in bench.heard(Trouble)[0].text


def test_error_in_place_of_events_cancels_nothing(bench: Bench) -> None:
    bench.answer(distribute(event()))
    bench.put(decide())
    while not isinstance(bench.pending.payload, Poll):
        bench.answer(nothing())
    failed = distribute(request_id="d2")
    bench.answer(type(failed)(ei_response=EiResponse(response_code="500"), request_id="d2", vtn_id="vtn-1"))
    assert list(bench.session.state.events) == ["ev-1"]


@pytest.mark.rule("R114")
@pytest.mark.rule("R13")
def test_states_follow_the_clock_of_the_ven(bench: Bench) -> None:
    bench.answer(distribute(event(ramp_up=Duration(seconds=600))))
    bench.put(decide())
    seen = []
    while bench.wall < START + timedelta(hours=3):
        if not bench.idle:
            bench.answer(nothing())
        bench.wait(10)
        seen += [(told.status, bench.wall) for told in bench.heard(EventStatusChanged)]
        bench.told.clear()
    assert [status for status, _ in seen] == ["near", "active", "completed"]
    expected = (START + timedelta(minutes=50), START + timedelta(minutes=60), START + timedelta(minutes=120))
    for (_, at), due in zip(seen, expected, strict=True):
        assert timedelta() <= at - due <= timedelta(seconds=10)


@pytest.mark.rule("R30")
def test_randomised_start_is_drawn_once_and_kept(bench: Bench) -> None:
    window = Duration(seconds=600)
    bench.answer(distribute(event(startafter=window)))
    offset = bench.session.state.events["ev-1"].offset_s
    assert 0 <= offset < 600
    bench.put(decide())
    again(bench, event(modification=1, startafter=window))
    assert bench.session.state.events["ev-1"].offset_s == offset
    bench.put(decide(modification=1))
    again(bench, event(modification=2, startafter=Duration(seconds=60)))
    assert bench.session.state.events["ev-1"].offset_s < 60
    assert bench.session.state.events["ev-1"].offset_s != offset


def test_opt_that_did_not_arrive_is_delivered_again_unchanged(bench: Bench) -> None:
    bench.answer(distribute(event()))
    bench.put(decide())
    first = bench.expect(CreatedEvent)
    for failure in (Failure.UNREACHABLE, Failure.TIMEOUT, Failure.BROKEN, Failure.UNREADABLE):
        bench.fail(failure)
        while bench.idle or isinstance(bench.pending.payload, Poll):
            if not bench.idle:
                bench.answer(nothing())
            bench.wait(0.5)
        assert bench.expect(CreatedEvent) == first
    bench.answer(nothing())
    assert bench.heard(OptDelivered)


def test_opt_that_the_vtn_refuses_is_told_and_not_repeated(bench: Bench) -> None:
    bench.answer(distribute(event()))
    bench.put(decide())
    response = EiResponse(response_code="452", response_description="unknown event")
    bench.answer(type(nothing())(ei_response=response))
    assert "452" in bench.heard(Trouble)[0].text
    assert not bench.heard(OptDelivered)
    bench.expect(Poll)


def test_decision_with_a_text_that_cannot_be_written_changes_nothing(bench: Bench) -> None:
    bench.answer(distribute(event()))
    before = bench.session.state
    with pytest.raises(LocalError, match="response_description"):
        bench.put(decide(reason="\x00"))
    assert bench.session.state is before


def test_decision_about_an_unknown_event_changes_nothing(bench: Bench) -> None:
    before = bench.session.state
    bench.put(decide(event_id="nobody"))
    assert bench.session.state is before
