"""Events for groups of VENs, events that overlap, and VENs that are dropped."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from oadr_core import LocalError
from oadr_core.vtn import (
    CancelEvent,
    EndRegistration,
    EventsOverlap,
    ModifyEvent,
    PublishEvent,
    SetGroup,
    VenUnregistered,
    VtnLimits,
    build_event,
    change_event,
)
from tests.core.vtn.world import HOUR, MINUTE, World

WorldMaker = Callable[..., World]


def publish(world: World, *groups: str, ven_ids: tuple[str, ...] | None = None) -> str:
    event = build_event(
        signal_name="SIMPLE",
        signal_type="level",
        dtstart=world.now.wall + HOUR,
        intervals=[(MINUTE, 1)],
        market_context="urn:m",
    )
    [published, *_] = world.tell(PublishEvent(event=event, groups=groups, ven_ids=ven_ids))
    return str(published.event_id)


def test_event_for_groups_is_for_their_members(world: World) -> None:
    vens = [world.ven(name) for name in "abcd"]
    a, b, c, d = (ven.ven_id for ven in vens)
    world.tell(SetGroup(group="north", ven_ids=(a, b)))
    world.tell(SetGroup(group="south", ven_ids=(b, c)))
    assert world.session.groups == {"north": (a, b), "south": (b, c)}
    event_id = publish(world, "north", "south")
    assert world.session.events[event_id].ven_ids == (a, b, c)
    assert world.session.events[publish(world, "north", ven_ids=(d,))].ven_ids == (d, a, b)
    assert [len(ven.request_events().oadr_event) for ven in vens] == [2, 2, 1, 1]


def test_group_without_members_is_no_more(world: World) -> None:
    ven = world.ven()
    world.tell(SetGroup(group="g", ven_ids=(ven.ven_id,)))
    world.tell(SetGroup(group="g", ven_ids=()))
    assert world.session.groups == {}
    with pytest.raises(LocalError, match="there is no group 'g'"):
        publish(world, "g")
    assert not world.session.events


def test_group_of_nobody_is_refused(make_world: WorldMaker) -> None:
    world = make_world(limits=VtnLimits(groups=1))
    ven = world.ven()
    with pytest.raises(LocalError, match="'nobody' is no VEN"):
        world.tell(SetGroup(group="g", ven_ids=("nobody",)))
    with pytest.raises(LocalError, match="a name"):
        world.tell(SetGroup(group="", ven_ids=(ven.ven_id,)))
    world.tell(SetGroup(group="g", ven_ids=(ven.ven_id,)))
    with pytest.raises(LocalError, match="the limit"):
        world.tell(SetGroup(group="h", ven_ids=(ven.ven_id,)))
    assert set(world.session.groups) == {"g"}


@pytest.mark.rule("R18")
def test_overlap_in_one_program_is_told(world: World) -> None:
    first = world.publish(start_after=2 * MINUTE)  # 10 minutes, and 2 more
    assert not world.said(EventsOverlap)
    second = world.publish(in_=HOUR + 11 * MINUTE)
    assert world.said(EventsOverlap) == [EventsOverlap(event_id=second, others=(first,))]
    world.notes.clear()
    world.publish(in_=HOUR + 21 * MINUTE)  # begins when the second ends: start inclusive, end exclusive
    world.publish(market_context="urn:another")
    ven = world.ven()
    world.publish(market_context="urn:third", ven_ids=(ven.ven_id,))
    world.publish(market_context="urn:third", ven_ids=(world.ven("b").ven_id,))
    assert not world.said(EventsOverlap)


@pytest.mark.rule("R18")
@pytest.mark.rule("R512")
def test_programs_are_compared_in_their_normal_form(world: World) -> None:
    first = world.publish(market_context="http://Example.com/%7Em")
    second = world.publish(market_context="HTTP://example.com/~m")
    assert world.said(EventsOverlap) == [EventsOverlap(event_id=second, others=(first,))]


@pytest.mark.rule("R18")
def test_modification_that_makes_an_overlap_is_told_and_cancelled_events_do_not_count(world: World) -> None:
    first = world.publish()
    second = world.publish(in_=2 * HOUR)
    start = world.session.events[first].timeline.start
    change = change_event(world.session.events[second].event, dtstart=start + timedelta(minutes=5))
    world.tell(ModifyEvent(event=change))
    assert world.said(EventsOverlap) == [EventsOverlap(event_id=second, others=(first,))]
    world.notes.clear()
    world.tell(CancelEvent(event_id=first))
    world.publish()
    assert [note.others for note in world.said(EventsOverlap)] == [(second,)]


@pytest.mark.rule("R18")
@pytest.mark.rule("R47")
def test_open_ended_event_overlaps_all_that_follow(world: World) -> None:
    first = world.publish(intervals=[(timedelta(0), 1)])
    second = world.publish(in_=1000 * HOUR)
    assert world.said(EventsOverlap) == [EventsOverlap(event_id=second, others=(first,))]


@pytest.mark.rule("R407")
def test_dropped_ven_is_forgotten_at_once(world: World) -> None:
    ven = world.ven()
    world.tell(EndRegistration(ven_id=ven.ven_id, at_once=True))
    assert [note.by_ven for note in world.said(VenUnregistered)] == [False]
    assert not world.session.vens
    assert ven.poll().ei_response.response_code == "463"
