"""Events on their way to VENs, and the VENs' answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from oadr_core.engine import Trouble
from oadr_core.model import (
    CreatedEvent,
    DistributeEvent,
    EiCreatedEvent,
    EiResponse,
    EventStatus,
    OptType,
    RegisterReport,
    Response,
    ResponseRequired,
)
from oadr_core.vtn import (
    CancelEvent,
    EventDelivered,
    EventPublished,
    EventStatusChanged,
    ModifyEvent,
    OptReceived,
    change_event,
)
from tests.core.vtn.world import HOUR, MINUTE, Ven, World, descriptors

WorldMaker = Callable[..., World]


@pytest.fixture
def ven(world: World) -> Ven:
    """A VEN that has nothing in its mailbox."""
    ven = world.ven()
    ven.settle()
    return ven


def modify(world: World, event_id: str, **changes: object) -> None:
    event = change_event(world.session.events[event_id].event, **changes)
    world.tell(ModifyEvent(event=event))


@pytest.mark.rule("R50")
def test_no_events_is_an_empty_distribution(ven: Ven) -> None:
    message = ven.request_events()
    assert message.oadr_event == ()
    assert message.ei_response is not None
    assert message.ei_response.request_id == "all"


@pytest.mark.rule("R4")
@pytest.mark.rule("R502")
def test_new_event_comes_by_poll_once(world: World, ven: Ven) -> None:
    event_id = world.publish()
    message = ven.poll()
    assert descriptors(message) == [(event_id, 0, "far")]
    assert world.last == [EventDelivered(ven_id=ven.ven_id, event_id=event_id, modification_number=0)]
    assert isinstance(ven.poll(), Response)


@pytest.mark.rule("R40")
@pytest.mark.rule("R41")
@pytest.mark.rule("R115")
def test_distribution_has_a_response_an_id_and_one_creation_time(world: World, ven: Ven) -> None:
    world.publish()
    world.sleep(MINUTE + timedelta(seconds=0.5))
    world.publish(in_=2 * HOUR)
    message = ven.poll()
    assert message.ei_response.ok
    assert message.request_id
    assert message.vtn_id == "VTN-1"
    created = {event.ei_event.event_descriptor.created_date_time for event in message.oadr_event}
    assert created == {world.now.seconds}


@pytest.mark.rule("R12")
@pytest.mark.rule("R16")
def test_answer_settles_and_is_told_once(world: World, ven: Ven) -> None:
    event_id = world.publish()
    message = ven.poll()
    reply = ven.answer(message)
    assert isinstance(reply, Response)
    assert reply.ei_response.ok
    opt = OptReceived(
        ven_id=ven.ven_id, event_id=event_id, modification_number=0, opt_type=OptType.OPT_IN, response_code="200"
    )
    assert world.last == [opt]
    assert ven.answer(message).ei_response.ok
    assert world.last == []
    world.sleep(10 * MINUTE)
    assert isinstance(ven.poll(), Response)


@pytest.mark.rule("R17")
def test_later_opt_out_is_taken(world: World, ven: Ven) -> None:
    event_id = world.publish()
    message = ven.poll()
    ven.answer(message)
    world.sleep(HOUR + MINUTE)
    ven.answer(message, OptType.OPT_OUT)
    assert world.session.opts(event_id)[ven.ven_id].opt_type is OptType.OPT_OUT
    assert [note.opt_type for note in world.said(OptReceived)] == [OptType.OPT_IN, OptType.OPT_OUT]


def test_unanswered_event_is_distributed_again(make_world: WorldMaker) -> None:
    world = make_world(resend_after=timedelta(seconds=30))
    ven = world.ven()
    ven.settle()
    event_id = world.publish()
    assert descriptors(ven.poll()) == [(event_id, 0, "far")]
    world.sleep(timedelta(seconds=29))
    assert isinstance(ven.poll(), Response)
    world.sleep(timedelta(seconds=1))
    assert descriptors(ven.poll()) == [(event_id, 0, "far")]
    assert len(world.said(EventDelivered)) == 1


@pytest.mark.rule("R52")
def test_completed_event_is_not_repeated(world: World, ven: Ven) -> None:
    world.publish(start_after=HOUR)
    ven.poll()
    world.sleep(HOUR + 20 * MINUTE)
    assert not any(isinstance(message, DistributeEvent) for message in ven.drain())
    assert descriptors(ven.request_events())[0][2] == "completed"


def test_event_without_answer_is_distributed_a_few_times(make_world: WorldMaker) -> None:
    world = make_world(never_tries=2, resend_after=timedelta(seconds=30))
    ven = world.ven()
    world.publish(response="never")
    found = []
    for _ in range(10):
        found += ven.drain()
        world.sleep(timedelta(seconds=31))
    assert sum(isinstance(message, DistributeEvent) for message in found) == 2


@pytest.mark.rule("R50")
@pytest.mark.rule("R61")
def test_each_distribution_has_all_events(world: World, ven: Ven) -> None:
    first = world.publish()
    ven.answer(ven.poll())
    second = world.publish(in_=2 * HOUR)
    assert [one[0] for one in descriptors(ven.poll())] == [first, second]


@pytest.mark.rule("R502")
def test_change_of_status_is_no_news(world: World, ven: Ven) -> None:
    event_id = world.publish(ramp_up=10 * MINUTE)
    ven.answer(ven.poll())
    world.sleep(HOUR + MINUTE)
    assert isinstance(ven.poll(), Response)
    assert descriptors(ven.request_events()) == [(event_id, 0, "active")]


@pytest.mark.rule("R13")
def test_status_goes_by_time(world: World) -> None:
    event_id = world.publish(ramp_up=10 * MINUTE)
    world.sleep(3 * HOUR)
    told = [note.status for note in world.said(EventStatusChanged)]
    assert told == [EventStatus.FAR, EventStatus.NEAR, EventStatus.ACTIVE, EventStatus.COMPLETED]
    assert world.session.events[event_id].status is EventStatus.COMPLETED


@pytest.mark.rule("R13")
@pytest.mark.parametrize("ramp_up", [None, timedelta(), -10 * MINUTE])
def test_without_ramp_up_an_event_is_never_near(world: World, ramp_up: timedelta | None) -> None:
    world.publish(ramp_up=ramp_up)
    world.sleep(3 * HOUR)
    told = [note.status for note in world.said(EventStatusChanged)]
    assert told == [EventStatus.FAR, EventStatus.ACTIVE, EventStatus.COMPLETED]


@pytest.mark.rule("R47")
def test_open_ended_event_is_active_until_cancelled(world: World, ven: Ven) -> None:
    event_id = world.publish(intervals=[(timedelta(), 1)])
    world.sleep(timedelta(days=400))
    assert descriptors(ven.poll()) == [(event_id, 0, "active")]
    world.tell(CancelEvent(event_id=event_id))
    assert descriptors(ven.poll()) == [(event_id, 1, "cancelled")]
    world.sleep(timedelta(days=2))
    assert ven.request_events().oadr_event == ()


@pytest.mark.rule("R5")
def test_modification_counts_and_is_distributed(world: World, ven: Ven) -> None:
    event_id = world.publish()
    ven.answer(ven.poll())
    modify(world, event_id, intervals=[(5 * MINUTE, 3)], priority=1)
    assert world.last == [EventPublished(event_id=event_id, modification_number=1)]
    message = ven.poll()
    assert descriptors(message) == [(event_id, 1, "far")]
    [event] = message.oadr_event
    assert event.ei_event.event_descriptor.modification_date_time == world.now.seconds
    assert event.ei_event.ei_active_period.properties.duration.seconds == 300
    ven.answer(message)
    assert [note.modification_number for note in world.said(OptReceived)] == [0, 1]


@pytest.mark.rule("R5")
def test_no_change_is_no_modification(world: World, ven: Ven) -> None:
    event_id = world.publish()
    ven.answer(ven.poll())
    world.sleep(MINUTE)
    modify(world, event_id)
    assert world.last == []
    assert isinstance(ven.poll(), Response)


@pytest.mark.rule("R5")
def test_wanting_an_answer_is_no_modification_and_asks_for_one(world: World, ven: Ven) -> None:
    event_id = world.publish(response="never")
    ven.poll()
    event = world.session.events[event_id].event
    world.tell(ModifyEvent(event=event, response_required=ResponseRequired.ALWAYS))
    world.sleep(2 * MINUTE)
    message = ven.poll()
    assert descriptors(message) == [(event_id, 0, "far")]
    assert message.oadr_event[0].oadr_response_required is ResponseRequired.ALWAYS


def test_modification_changes_when_the_status_changes(world: World) -> None:
    event_id = world.publish()
    modify(world, event_id, dtstart=world.now.wall + 2 * HOUR)
    world.sleep(HOUR + MINUTE)
    assert world.session.events[event_id].status is EventStatus.FAR
    world.sleep(HOUR)
    assert world.session.events[event_id].status is EventStatus.ACTIVE


@pytest.mark.rule("R10")
@pytest.mark.rule("R52")
def test_cancelled_event_is_repeated_until_acknowledged(world: World, ven: Ven) -> None:
    event_id = world.publish()
    ven.answer(ven.poll())
    world.tell(CancelEvent(event_id=event_id, reason="calm"))
    assert EventStatusChanged(event_id=event_id, status=EventStatus.CANCELLED) in world.last
    for _ in range(3):
        message = ven.poll()
        assert descriptors(message) == [(event_id, 1, "cancelled")]
        world.sleep(2 * MINUTE)
    assert message.oadr_event[0].ei_event.event_descriptor.modification_reason == "calm"
    assert ven.answer(message).ei_response.ok
    world.sleep(2 * MINUTE)
    assert isinstance(ven.poll(), Response)


@pytest.mark.rule("R50")
def test_acknowledged_cancelled_event_disappears(world: World, ven: Ven) -> None:
    cancelled, other = world.publish(), world.publish(in_=2 * HOUR)
    ven.answer(ven.poll())
    world.tell(CancelEvent(event_id=cancelled))
    ven.answer(ven.poll())
    assert descriptors(ven.request_events()) == [(other, 0, "far")]


@pytest.mark.rule("R52")
def test_cancelled_event_goes_with_its_time(world: World, ven: Ven) -> None:
    event_id = world.publish()
    ven.answer(ven.poll())
    world.tell(CancelEvent(event_id=event_id))
    ven.poll()
    world.sleep(HOUR + 10 * MINUTE)
    assert ven.request_events().oadr_event == ()


def test_cancelled_never_event_is_told_a_few_times(make_world: WorldMaker) -> None:
    world = make_world(never_tries=2)
    ven = world.ven()
    ven.drain()
    event_id = world.publish(response="never")
    ven.poll()
    world.tell(CancelEvent(event_id=event_id))
    assert descriptors(ven.poll()) == [(event_id, 1, "cancelled")]
    assert descriptors(ven.request_events()) == [(event_id, 1, "cancelled")]
    assert ven.request_events().oadr_event == ()


def test_who_never_knew_an_event_does_not_hear_of_its_end(world: World, ven: Ven) -> None:
    event_id = world.publish()
    world.tell(CancelEvent(event_id=event_id))
    assert isinstance(ven.poll(), Response)
    assert ven.request_events().oadr_event == ()


def test_cancelling_again_changes_nothing(world: World) -> None:
    event_id = world.publish()
    world.tell(CancelEvent(event_id=event_id))
    assert world.tell(CancelEvent(event_id=event_id)) == []
    assert world.session.events[event_id].modification_number == 1


@pytest.mark.rule("R66")
def test_event_stays_until_startafter_is_over(world: World, ven: Ven) -> None:
    event_id = world.publish(start_after=30 * MINUTE)
    world.sleep(HOUR + 11 * MINUTE)
    assert descriptors(ven.request_events()) == [(event_id, 0, "completed")]
    world.sleep(30 * MINUTE)
    assert ven.request_events().oadr_event == ()
    assert world.session.events[event_id].status is EventStatus.COMPLETED


def test_late_answer_to_a_finished_event_is_taken(world: World, ven: Ven) -> None:
    event_id = world.publish()
    message = ven.poll()
    world.sleep(3 * HOUR)
    assert ven.answer(message).ei_response.ok
    assert [note.event_id for note in world.said(OptReceived)] == [event_id]


@pytest.mark.rule("R15")
def test_order_is_active_by_priority_then_start(world: World, ven: Ven) -> None:
    later = world.publish(in_=3 * HOUR, event_id="later", priority=1)
    sooner = world.publish(in_=2 * HOUR, event_id="sooner")
    for name, priority, start in [
        ("none", None, 30),
        ("zero", 0, 20),
        ("two", 2, 20),
        ("one-late", 1, 25),
        ("one-early", 1, 20),
    ]:
        world.publish(in_=start * MINUTE, event_id=name, priority=priority, intervals=[(HOUR, 1)], start_after=HOUR)
    world.publish(in_=MINUTE, event_id="over", start_after=2 * HOUR)
    world.sleep(40 * MINUTE)
    order = ["one-early", "one-late", "two", "zero", "none", sooner, later, "over"]
    assert [one[0] for one in descriptors(ven.request_events())] == order
    world.tell(CancelEvent(event_id="two"))
    assert [one[0] for one in descriptors(ven.request_events())] == order


@pytest.mark.rule("R27")
def test_reply_limit_gives_the_first_events_and_the_poll_the_rest(world: World, ven: Ven) -> None:
    events = [world.publish(in_=n * HOUR) for n in (1, 2, 3)]
    assert [one[0] for one in descriptors(ven.request_events(2))] == events[:2]
    assert ven.request_events(0).oadr_event == ()
    assert [one[0] for one in descriptors(ven.poll())] == events


@pytest.mark.rule("R14")
@pytest.mark.rule("R29")
def test_current_value_of_simple_is_zero_unless_active(world: World, ven: Ven) -> None:
    world.publish(start_after=HOUR)
    found = []
    for _ in range(3):
        [event] = ven.request_events().oadr_event
        found.append(event.ei_event.ei_event_signals.ei_event_signal[0].current_value)
        world.sleep(HOUR + 6 * MINUTE if len(found) == 1 else 10 * MINUTE)
    assert found == [0, 2, 0]


@pytest.mark.rule("R110")
def test_current_value_of_other_signals_is_there_while_active(world: World, ven: Ven) -> None:
    world.publish(signal_name="ELECTRICITY_PRICE", signal_type="price", start_after=HOUR)
    found = []
    for wait in (HOUR, 5 * MINUTE, 5 * MINUTE, timedelta()):
        [event] = ven.request_events().oadr_event
        found.append(event.ei_event.ei_event_signals.ei_event_signal[0].current_value)
        world.sleep(wait)
    assert found == [None, 1, 2, None]


@pytest.mark.rule("R22")
@pytest.mark.rule("R510")
def test_targets_are_the_ven_or_what_is_named(world: World, ven: Ven) -> None:
    world.publish(event_id="all")
    world.publish(event_id="some", in_=2 * HOUR, targets={"resource_id": ["r1", "r2"]})
    everything, some = (event.ei_event.ei_target for event in ven.poll().oadr_event)
    assert everything.ven_id == (ven.ven_id,)
    assert (some.resource_id, some.ven_id) == (("r1", "r2"), ())


def test_event_for_one_ven_is_not_shown_to_another(world: World) -> None:
    one, other = world.ven("one"), world.ven("other")
    for ven in (one, other):
        ven.drain()
    event_id = world.publish(ven_ids=(one.ven_id,))
    assert isinstance(other.poll(), Response)
    assert other.request_events().oadr_event == ()
    message = one.poll()
    assert descriptors(message) == [(event_id, 0, "far")]
    other_answers = other.created(other.opt("x", message.oadr_event[0]))
    assert other_answers.ei_response.response_code == "452"
    world.tell(CancelEvent(event_id=event_id))
    assert isinstance(other.poll(), Response)
    assert descriptors(one.poll()) == [(event_id, 1, "cancelled")]


@pytest.mark.rule("R48")
def test_unknown_event_is_452_and_wrong_version_450(world: World, ven: Ven) -> None:
    event_id = world.publish()
    message = ven.poll()
    [event] = message.oadr_event
    wrong_number = ven.created(ven.opt("x", event, number=7))
    assert (wrong_number.ei_response.response_code, world.last[0].code) == ("450", "450")
    assert not world.said(OptReceived)
    world.sleep(2 * MINUTE)
    assert descriptors(ven.poll()) == [(event_id, 0, "far")]


def test_good_answers_beside_a_bad_one_are_taken(world: World, ven: Ven) -> None:
    world.publish(event_id="a")
    world.publish(event_id="b", in_=2 * HOUR)
    message = ven.poll()
    a, b = message.oadr_event
    reply = ven.created(ven.opt("x", a, number=3), ven.opt("x", b))
    assert reply.ei_response.response_code == "450"
    assert [note.event_id for note in world.said(OptReceived)] == ["b"]


def test_answer_to_a_superseded_version_is_450(world: World, ven: Ven) -> None:
    event_id = world.publish()
    message = ven.poll()
    modify(world, event_id, priority=3)
    assert ven.answer(message).ei_response.response_code == "450"
    assert descriptors(ven.poll()) == [(event_id, 1, "far")]


def test_opts_count_whatever_the_outer_code_says(world: World, ven: Ven) -> None:
    """As the OpenLEADR VEN sends them where it does not like the vtnID."""
    event_id = world.publish()
    message = ven.poll()
    reply = ven.created(ven.opt(message.request_id, message.oadr_event[0]), code="452")
    assert reply.ei_response.ok
    assert world.session.opts(event_id)[ven.ven_id].opt_type is OptType.OPT_IN


@pytest.mark.rule("R25")
def test_refusal_of_the_whole_message_is_told_and_nothing_is_settled(world: World, ven: Ven) -> None:
    event_id = world.publish()
    ven.poll()
    body = EiCreatedEvent(ei_response=EiResponse(response_code="452"), ven_id=ven.ven_id)
    assert world.send(CreatedEvent(ei_created_event=body)).ei_response.ok
    [trouble] = world.said(Trouble)
    assert trouble.code == "452"
    world.sleep(2 * MINUTE)
    assert descriptors(ven.poll()) == [(event_id, 0, "far")]


def test_empty_answers_are_fine(ven: Ven) -> None:
    """As the EPRI C++ VEN sends them after every distribution."""
    assert ven.created().ei_response.ok


@pytest.mark.rule("R48")
def test_error_in_an_answer_is_told_and_settles(world: World, ven: Ven) -> None:
    world.publish()
    ven.answer(ven.poll(), OptType.OPT_OUT, "460")
    [opt] = world.said(OptReceived)
    assert (opt.opt_type, opt.response_code) == (OptType.OPT_OUT, "460")
    world.sleep(2 * MINUTE)
    assert isinstance(ven.poll(), Response)


def test_report_only_ven_gets_no_events(world: World) -> None:
    ven = world.ven(oadr_report_only=True)
    world.publish()
    assert [type(message) for message in ven.drain()] == [RegisterReport]
    assert ven.request_events().oadr_event == ()


@pytest.mark.rule("R43")
def test_repeated_request_id_is_no_replay(world: World, ven: Ven) -> None:
    """The EPRI C++ VEN repeats its requestID within a second."""
    first, second = ven.request_events(), ven.request_events()
    assert first.ei_response == second.ei_response


def test_a_ven_forgets_finished_events_when_there_are_many(world: World, ven: Ven) -> None:
    for n in range(50):
        world.publish(in_=timedelta(seconds=n))
    ven.answer(ven.poll())
    world.sleep(HOUR)
    world.publish()
    ven.poll()
    assert len(world.session.vens[ven.ven_id].deliveries) == 1


def test_finished_events_are_kept_up_to_a_limit(make_world: WorldMaker) -> None:
    from oadr_core.vtn import VtnLimits

    world = make_world(limits=VtnLimits(finished_events=3))
    for n in range(5):
        world.publish(in_=timedelta(seconds=n), event_id=f"e{n}")
    world.sleep(HOUR)
    assert list(world.session.events) == ["e2", "e3", "e4"]
    assert world.session.next_timer(world.now) is None


def test_modifying_often_keeps_the_timers_few(world: World) -> None:
    event_id = world.publish()
    for n in range(500):
        modify(world, event_id, dtstart=world.now.wall + 2 * HOUR + n * MINUTE)
    assert len(world.session._book._timers) < 100
    world.sleep(24 * HOUR)
    assert world.session.events[event_id].status is EventStatus.COMPLETED
