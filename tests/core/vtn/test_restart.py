"""A VTN that is killed and started again from what it has saved."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from oadr_core import LocalError
from oadr_core.engine import SaveState
from oadr_core.model import CancelOpt, CreateOpt, EiTarget, OptReason, OptType, RegisterReport
from oadr_core.vtn import (
    AskReregistration,
    CancelEvent,
    EndRegistration,
    EventStatusChanged,
    ModifyEvent,
    SetGroup,
    VtnConfig,
    VtnSession,
    change_event,
)
from tests.core.vtn.test_hostile import OFFER
from tests.core.vtn.test_opts import PERIOD, about
from tests.core.vtn.world import HOUR, MINUTE, START, Ven, World, descriptors

WorldMaker = Callable[..., World]


def whole_story(world: World) -> tuple[Ven, str, str]:
    """A VEN with reports, schedules, opts and events in every state."""
    ven = world.ven()
    ven.settle()
    world.send(RegisterReport(request_id="x", oadr_report=(OFFER,), ven_id=ven.ven_id))
    fields: dict[str, Any] = {
        "opt_type": OptType.OPT_OUT,
        "opt_reason": OptReason.EMERGENCY,
        "ven_id": ven.ven_id,
        "created_date_time": START,
        "request_id": "q",
    }
    world.send(CreateOpt(opt_id="s", vavailability=(PERIOD,), **fields))
    first = world.publish(targets={"resource_id": ["r1", "r2"]})
    second = world.publish(in_=timedelta(0), priority=2, start_after=MINUTE)
    ven.answer(ven.poll())
    part = EiTarget(resource_id=("r1",))
    world.send(CreateOpt(opt_id="e", qualified_event_id=about(first), ei_target=part, **fields))
    world.tell(ModifyEvent(event=change_event(world.session.events[first].event, priority=1)))
    world.tell(SetGroup(group="g", ven_ids=(ven.ven_id,)))
    return ven, first, second


def test_everything_comes_back(world: World) -> None:
    whole_story(world)
    before = world.session
    world.restart()
    assert world.session.events == before.events
    assert world.session.groups == before.groups
    assert world.session.snapshot() == before.snapshot()
    [one], [other] = before.vens.values(), world.session.vens.values()
    for name in ("mailbox", "reports", "requests", "deliveries", "schedules", "registration_id", "registered_at"):
        assert getattr(one, name) == getattr(other, name)


def test_the_next_poll_is_the_same_bytes_with_and_without_a_restart(make_world: WorldMaker) -> None:
    replies = []
    for restarts in (False, True):
        world = make_world()
        ven, _, _ = whole_story(world)
        if restarts:
            world.restart()
        replies.append([ven.poll() for _ in range(4)])
    assert replies[0] == replies[1]


def test_what_was_handed_out_and_not_answered_is_due_in_its_time(world: World) -> None:
    ven = world.ven()
    ven.settle()
    event_id = world.publish()
    ven.poll()
    world.sleep(MINUTE / 2)
    world.restart()
    assert ven.drain() == []
    world.sleep(MINUTE / 2)
    [message] = ven.drain()
    assert descriptors(message) == [(event_id, 0, "far")]


def test_after_a_restart_of_the_machine_it_is_due_at_once(world: World) -> None:
    ven = world.ven()
    world.publish()
    assert len(ven.drain()) == 2
    world.restart()
    world.boot_s -= 900  # mono begins anew
    assert len(ven.drain()) == 2


def test_cancelled_while_it_was_down_is_told_to_those_who_know_it(world: World) -> None:
    ven = world.ven()
    ven.settle()
    event_id = world.publish()
    ven.answer(ven.poll())
    world.restart()
    world.tell(CancelEvent(event_id=event_id))
    world.restart()
    assert descriptors(ven.poll()) == [(event_id, 1, "cancelled")]


def test_status_that_changed_meanwhile_is_told(world: World) -> None:
    event_id = world.publish(in_=MINUTE)
    world.restart()
    world.elapsed += 2 * MINUTE
    world.sleep(timedelta(0))
    assert [(note.event_id, note.status) for note in world.said(EventStatusChanged)][-1] == (event_id, "active")
    world.restart()
    world.sleep(HOUR)
    statuses = [str(note.status) for note in world.said(EventStatusChanged)]
    assert statuses == ["far", "active", "completed"], "each is told once"


def test_finished_events_are_forgotten_in_the_store_too(make_world: WorldMaker) -> None:
    from oadr_core.vtn import VtnLimits

    world = make_world(limits=VtnLimits(finished_events=1))
    for _ in range(3):
        world.publish(in_=MINUTE)
    world.sleep(HOUR)
    assert len(world.session.events) == 1
    assert len([key for key, data in world.saved.items() if key.startswith("event/") and data is not None]) == 1


def test_no_identifier_is_made_twice(world: World) -> None:
    seen = set()
    for _ in range(5):
        seen.add(world.publish())
        seen.add(world.ven(f"v{len(seen)}").ven_id)
        world.restart()
    assert len(seen) == 10


def test_unregistered_ven_stays_so(world: World) -> None:
    ven = world.ven()
    world.tell(EndRegistration(ven_id=ven.ven_id, at_once=True))
    world.restart()
    assert not world.session.vens
    assert ven.poll().ei_response.response_code == "463"


# --- what is saved when ---------------------------------------------------------------------------------------------


def test_a_poll_that_changes_nothing_saves_nothing(world: World) -> None:
    ven = world.ven()
    ven.settle()
    world.publish()
    ven.answer(ven.poll())
    saves = world.saves
    for _ in range(3):
        world.sleep(MINUTE)
        assert ven.drain() == []
    assert world.saves == saves


def test_only_what_changed_is_saved_first(world: World) -> None:
    one, other = world.ven("one"), world.ven("other")
    [save, *rest] = world.session.handle(AskReregistration(ven_id=one.ven_id), world.now)
    assert isinstance(save, SaveState)
    assert [record.key for record in save.records] == ["vtn", f"ven/{one.ven_id}"]
    assert not any(isinstance(output, SaveState) for output in rest)
    assert other.ven_id in world.session.vens


def test_repeated_answer_saves_nothing(world: World) -> None:
    ven = world.ven()
    ven.settle()
    world.publish()
    message = ven.poll()
    ven.answer(message)
    saves = world.saves
    ven.answer(message)
    assert world.saves == saves


# --- what is refused ------------------------------------------------------------------------------------------------


def test_state_of_another_vtn_is_refused(world: World) -> None:
    world.ven()
    with pytest.raises(LocalError, match="the state of the VTN 'VTN-1'"):
        VtnSession.restore(VtnConfig(vtn_id="OTHER", identity="insecure"), world.session.snapshot())


def test_damage_is_refused(world: World) -> None:
    world.ven()
    snapshot = world.session.snapshot()
    with pytest.raises(LocalError, match="damaged"):
        VtnSession.restore(world.session.config, snapshot[:-40] + snapshot[-39:])


def test_cancelled_schedule_is_forgotten_for_good(world: World) -> None:
    ven, _, _ = whole_story(world)
    world.send(CancelOpt(request_id="c", opt_id="s", ven_id=ven.ven_id))
    world.restart()
    assert world.session.vens[ven.ven_id].schedules == ()
