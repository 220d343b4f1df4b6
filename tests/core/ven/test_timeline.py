"""A VEN's own timeline: stages, intervals, randomised start and stop, and the value that holds (section 4.4)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core.engine.copying import evolve
from oadr_core.model import Duration, Event, EventStatus, Interval, OptType, Poll, SignalPayload
from oadr_core.ven import EventCancelled, EventStatusChanged, IntervalStarted, Stage
from oadr_core.ven.timeline import moment, own_timeline
from tests.core.ven.bench import START, Bench, decide, distribute, event, nothing

HOUR = 3600


def with_intervals(original: Event, *lengths_s: int, priority: int | None = None, test: str | None = None) -> Event:
    """The event with intervals of these lengths and values 1, 2, 3 …"""
    body = original.ei_event
    [signal] = body.ei_event_signals.ei_event_signal
    intervals = tuple(
        Interval(
            duration=Duration(seconds=length),
            uid=str(number),
            stream_payload_base=(SignalPayload(payload_base=float(number % 3 + 1)),),
        )
        for number, length in enumerate(lengths_s)
    )
    signals = evolve(body.ei_event_signals, ei_event_signal=(evolve(signal, intervals=intervals),))
    properties = evolve(body.ei_active_period.properties, duration=Duration(seconds=sum(lengths_s)))
    period = evolve(body.ei_active_period, properties=properties)
    descriptor = evolve(body.event_descriptor, priority=priority, test_event=test)
    return evolve(
        original,
        ei_event=evolve(body, ei_event_signals=signals, ei_active_period=period, event_descriptor=descriptor),
    )


def shaped(original: Event, **properties: Any) -> Event:
    """The event with other properties of its active period."""
    period = original.ei_event.ei_active_period
    changed = evolve(period, properties=evolve(period.properties, **properties))
    return evolve(original, ei_event=evolve(original.ei_event, ei_active_period=changed))


@pytest.fixture
def bench() -> Bench:
    ready = Bench()
    ready.register()
    return ready


def settle(bench: Bench) -> None:
    """Answer everything up to the next regular poll."""
    while not bench.idle:
        bench.answer(nothing())


def live(bench: Bench, seconds: float, *events: Event) -> None:
    """Let time pass with a VTN that has these events, noting at what second each notification came."""
    end = bench.mono + seconds
    while bench.mono < end:
        if not bench.idle:
            bench.answer(distribute(*events) if isinstance(bench.pending.payload, Poll) else nothing())
            continue
        timer = bench.session.next_timer(bench.now)
        bench.wait(min(end, timer or end) - bench.mono)


def stages(bench: Bench) -> list[tuple[float, str, str]]:
    return [
        ((told.at - START).total_seconds(), str(told.stage), str(told.status))
        for told in bench.heard(EventStatusChanged)
    ]


@pytest.mark.rule("R31")
@pytest.mark.rule("R13")
def test_every_stage_before_and_behind_the_event_is_told_at_its_time(bench: Bench) -> None:
    item = shaped(
        event(),
        x_ei_notification=Duration(seconds=HOUR),
        x_ei_ramp_up=Duration(seconds=600),
        x_ei_recovery=Duration(seconds=300),
        dtstart=START + timedelta(hours=2),
    )
    bench.answer(distribute(item))
    bench.put(decide())
    live(bench, 4 * HOUR, item)
    assert stages(bench) == [
        (HOUR, "notified", "far"),
        (2 * HOUR - 600, "rampUp", "near"),
        (2 * HOUR, "active", "active"),
        (3 * HOUR, "recovery", "completed"),
        (3 * HOUR + 300, "over", "completed"),
    ]


@pytest.mark.rule("R31")
def test_ramp_up_and_recovery_with_a_minus_lie_inside_the_event(bench: Bench) -> None:
    item = shaped(event(), x_ei_ramp_up=Duration(seconds=-600), x_ei_recovery=Duration(seconds=-300))
    bench.answer(distribute(item))
    bench.put(decide())
    live(bench, 3 * HOUR, item)
    assert stages(bench) == [
        (HOUR, "rampUp", "active"),
        (HOUR + 600, "active", "active"),
        (2 * HOUR - 300, "recovery", "active"),
        (2 * HOUR, "over", "completed"),
    ]


@pytest.mark.rule("R32")
@pytest.mark.rule("R8")
def test_every_interval_is_told_at_its_time_with_its_value(bench: Bench) -> None:
    item = with_intervals(event(), 60, 120, 30)
    bench.answer(distribute(item))
    bench.put(decide())
    live(bench, 2 * HOUR, item)
    told = bench.heard(IntervalStarted)
    assert [(note.number, note.value, (note.at - START).total_seconds()) for note in told] == [
        (0, 1.0, HOUR),
        (1, 2.0, HOUR + 60),
        (2, 3.0, HOUR + 180),
    ]
    assert [note.until for note in told] == [told[1].at, told[2].at, told[2].at + timedelta(seconds=30)]


def test_intervals_of_an_event_that_was_opted_out_of_are_not_told(bench: Bench) -> None:
    item = event(start=START)
    bench.answer(distribute(item))
    bench.put(decide(OptType.OPT_OUT))
    assert not bench.heard(IntervalStarted)
    assert bench.session.value_now("SIMPLE", bench.now) is None
    bench.put(decide())  # the mind is changed in the middle
    [told] = bench.heard(IntervalStarted)
    assert told.at == START
    assert bench.session.value_now("SIMPLE", bench.now) is not None
    bench.put(decide(OptType.OPT_OUT))
    assert bench.session.value_now("SIMPLE", bench.now) is None


@pytest.mark.rule("R47")
def test_event_without_an_end_is_active_until_it_is_cancelled(bench: Bench) -> None:
    item = with_intervals(event(start=START), 0)
    bench.answer(distribute(item))
    bench.put(decide())
    live(bench, 100 * HOUR, item)
    value = bench.session.value_now("SIMPLE", bench.now)
    assert value is not None
    assert (value.value, value.until) == (1.0, None)
    live(bench, 60)
    assert bench.session.value_now("SIMPLE", bench.now) is None


@pytest.mark.rule("R30")
@given(offset_s=st.floats(0, 600), after_s=st.integers(-4000, 9000))
def test_the_whole_event_shifts_by_the_random_start(offset_s: float, after_s: int) -> None:
    """Caught: an end that does not shift with the start."""
    item = with_intervals(event(start=START, startafter=Duration(seconds=600)), 600, 1200, 1800).ei_event
    wall = START + timedelta(seconds=after_s)
    shifted, plain = moment(item, offset_s, wall), moment(item, 0.0, wall - timedelta(seconds=offset_s))
    assert (shifted.status, shifted.stage, shifted.intervals) == (plain.status, plain.stage, plain.intervals)
    own = own_timeline(item, offset_s)
    assert own.start - START == timedelta(seconds=offset_s)
    assert own.end is not None
    assert own.end - own.start == timedelta(hours=1)


@given(
    lengths=st.lists(st.integers(0, 100), min_size=1, max_size=6),
    ramp=st.integers(-200, 200),
    back=st.integers(-200, 200),
    notice=st.integers(0, 400),
    offset_s=st.integers(0, 50),
    at=st.integers(-500, 900),
    stop=st.none() | st.integers(-100, 700),
)
def test_a_moment_agrees_with_a_naive_walk_through_its_seconds(
    lengths: list[int], ramp: int, back: int, notice: int, offset_s: int, at: int, stop: int | None
) -> None:
    """Caught: intervals that end a second late."""
    item = shaped(
        with_intervals(event(start=START), *lengths),
        x_ei_ramp_up=Duration(seconds=ramp),
        x_ei_recovery=Duration(seconds=back),
        x_ei_notification=Duration(seconds=notice),
    ).ei_event
    stop_at = None if stop is None else START + timedelta(seconds=stop)

    def look(second: int) -> Any:
        return moment(item, float(offset_s), START + timedelta(seconds=second), stop_at)

    held = look(at)
    length = sum(lengths)
    inside = at - offset_s
    stopped = stop is not None and at >= stop
    active = inside >= 0 and (length == 0 or inside < length) and not stopped
    if active and length:
        begun = [number for number in range(len(lengths)) if sum(lengths[:number]) <= inside]
        assert held.intervals == (begun[-1],)
    elif not active:
        assert held.intervals == (None,)
    assert (held.status is EventStatus.ACTIVE) == active
    assert (held.stage is Stage.OVER) == (stopped or (length > 0 and inside >= length + max(back, 0)))
    assert held.holds(START + timedelta(seconds=at))
    if held.until is not None:
        end = round((held.until - START).total_seconds())
        before, after = look(end - 1), look(end)
        assert before.since == held.since, "nothing changes before it is said to"
        assert after.since == held.until


@pytest.mark.rule("R65")
@pytest.mark.parametrize("implied", [False, True])
def test_cancelled_while_active_it_stops_within_startafter(bench: Bench, implied: bool) -> None:
    window = Duration(seconds=600)
    item = event(start=START - timedelta(minutes=20), startafter=window)
    bench.answer(distribute(item))
    bench.put(decide())
    settle(bench)
    bench.wait(30)
    gone = event(modification=1, status=EventStatus.CANCELLED, start=START - timedelta(minutes=20), startafter=window)
    bench.answer(distribute(*([] if implied else [gone]), request_id="d2"))
    assert len(bench.heard(EventCancelled)) == 1
    if not implied:
        bench.put(decide(modification=1))
    settle(bench)
    assert bench.session.value_now("SIMPLE", bench.now) is not None, "it goes on for a while"
    began = bench.wall
    while bench.session.state.events:
        bench.wait(1)
        settle(bench)
    assert timedelta(seconds=1) < bench.wall - began <= timedelta(seconds=601)
    last = bench.heard(EventStatusChanged)[-1]
    assert (last.status, last.stage) == (EventStatus.CANCELLED, Stage.OVER)
    assert bench.session.value_now("SIMPLE", bench.now) is None


@pytest.mark.rule("R65")
def test_cancelled_before_it_is_active_it_is_over_at_once(bench: Bench) -> None:
    bench.answer(distribute(event(startafter=Duration(seconds=600))))
    bench.put(decide())
    settle(bench)
    bench.wait(30)
    bench.answer(distribute(request_id="d2"))
    assert not bench.session.state.events


@pytest.mark.rule("R36")
@pytest.mark.rule("R61")
def test_what_cannot_be_cancelled_runs_to_its_end(bench: Bench) -> None:
    item = event(start=START)
    bench.answer(distribute(item))
    bench.put(decide())
    settle(bench)
    bench.wait(30)
    bench.answer(distribute(event(modification=1, status=EventStatus.CANCELLED, start=START), request_id="d2"))
    bench.put(decide(OptType.OPT_OUT, modification=1))
    settle(bench)
    bench.wait(60)
    assert bench.session.value_now("SIMPLE", bench.now) is not None


@pytest.mark.rule("R66")
def test_completed_from_the_vtn_stops_nothing(bench: Bench) -> None:
    item = event(start=START)
    bench.answer(distribute(item))
    bench.put(decide())
    settle(bench)
    bench.wait(30)
    bench.answer(distribute(event(start=START, status=EventStatus.COMPLETED), request_id="d2"))
    assert bench.session.value_now("SIMPLE", bench.now) is not None
    assert [told.status for told in bench.heard(EventStatusChanged)] == [EventStatus.ACTIVE]


@pytest.mark.rule("R3")
def test_of_overlapping_events_the_lowest_priority_number_goes_before_and_zero_is_last(bench: Bench) -> None:
    items = [
        with_intervals(event("none", start=START), HOUR, priority=0),
        with_intervals(event("second", start=START - timedelta(minutes=5)), HOUR, priority=2),
        with_intervals(event("first", start=START), HOUR, priority=1),
        with_intervals(event("earlier", start=START - timedelta(minutes=5)), HOUR),
    ]
    bench.answer(distribute(*items))
    assert [value.event_id for value in bench.session.values_now(bench.now)] == ["first", "second", "earlier", "none"]
    bench.put(decide(OptType.OPT_OUT, event_id="first"))
    value = bench.session.value_now("SIMPLE", bench.now)
    assert value is not None
    assert value.event_id == "second"


@pytest.mark.rule("R6")
@pytest.mark.parametrize(
    ("text", "is_test"), [("true", True), ("x", True), ("false", False), ("", False), (None, False)]
)
def test_tests_are_told_and_answered_and_not_followed(bench: Bench, text: str | None, is_test: bool) -> None:
    bench.answer(distribute(with_intervals(event(start=START), HOUR, test=text)))
    bench.put(decide())
    [value] = bench.session.values_now(bench.now)
    assert value.test is is_test
    assert (bench.session.value_now("SIMPLE", bench.now) is None) == is_test


@pytest.mark.rule("R512")
def test_a_market_context_is_asked_for_in_any_spelling(bench: Bench) -> None:
    bench.answer(distribute(event(start=START)))
    bench.put(decide())
    assert bench.session.value_now("SIMPLE", bench.now, market_context="HTTP://Example.com/p") is not None
    assert bench.session.value_now("SIMPLE", bench.now, market_context="http://example.com/P") is None


def test_clock_that_is_set_back_brings_the_stages_back(bench: Bench) -> None:
    bench.answer(distribute(event(start=START)))
    bench.put(decide())
    bench.wall -= timedelta(hours=1)
    bench.wait(0.001)
    assert [told.status for told in bench.heard(EventStatusChanged)] == [EventStatus.ACTIVE, EventStatus.FAR]
