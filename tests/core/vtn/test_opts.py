"""Opts outside the answer to an event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from oadr_core.model import (
    CanceledOpt,
    CancelOpt,
    CreatedOpt,
    CreateOpt,
    Duration,
    EiTarget,
    OptReason,
    OptType,
    Properties,
    QualifiedEventID,
)
from oadr_core.vtn import (
    ModifyEvent,
    OptReceived,
    OptScheduleCancelled,
    OptScheduleReceived,
    VtnLimits,
    change_event,
    standing_schedule,
)
from tests.core.vtn.world import HOUR, START, Ven, World

WorldMaker = Callable[..., World]
PERIOD = Properties(dtstart=START + HOUR, duration=Duration(seconds=3600))


def create(world: World, ven: Ven, opt_id: str = "o", **details: Any) -> Any:
    fields = {
        "opt_id": opt_id,
        "opt_type": OptType.OPT_OUT,
        "opt_reason": OptReason.X_SCHEDULE,
        "ven_id": ven.ven_id,
        "created_date_time": START,
        "request_id": "q",
        **details,
    }
    if "qualified_event_id" not in fields:
        fields.setdefault("vavailability", (PERIOD,))
    return world.send(CreateOpt(**fields))


def about(event_id: str, number: int = 0) -> QualifiedEventID:
    return QualifiedEventID(event_id=event_id, modification_number=number)


def schedules(world: World, ven: Ven) -> list[tuple[str, bool]]:
    return [(one.opt_id, one.superseded) for one in world.session.vens[ven.ven_id].schedules]


@pytest.mark.rule("R207")
def test_schedule_is_kept_told_and_echoed(world: World) -> None:
    ven = world.ven()
    reply = create(world, ven, market_context="urn:m", ei_target=EiTarget(resource_id=("r",)))
    assert isinstance(reply, CreatedOpt)
    assert (reply.opt_id, reply.ei_response.request_id, reply.ei_response.ok) == ("o", "q", True)
    [note] = world.last
    assert note == OptScheduleReceived(
        ven_id=ven.ven_id,
        opt_id="o",
        opt_type=OptType.OPT_OUT,
        opt_reason=OptReason.X_SCHEDULE,
        market_context="urn:m",
        availability=(PERIOD,),
        target=EiTarget(resource_id=("r",)),
    )
    assert schedules(world, ven) == [("o", False)]


def test_repeated_schedule_is_the_same_one(world: World) -> None:
    ven = world.ven()
    create(world, ven)
    assert create(world, ven).ei_response.ok
    assert world.last == []
    assert schedules(world, ven) == [("o", False)]


@pytest.mark.rule("R203")
def test_schedule_for_the_whole_ven_replaces_those_of_its_kind(world: World) -> None:
    ven = world.ven()
    create(world, ven, "out")
    create(world, ven, "part", ei_target=EiTarget(resource_id=("r",)))
    create(world, ven, "in", opt_type=OptType.OPT_IN)
    create(world, ven, "program", market_context="urn:m")
    assert schedules(world, ven) == [("out", False), ("part", False), ("in", False), ("program", False)]
    create(world, ven, "new", ei_target=EiTarget(ven_id=(ven.ven_id,)))
    assert schedules(world, ven) == [
        ("out", True),
        ("part", True),
        ("in", False),
        ("program", True),
        ("new", False),
    ]


@pytest.mark.rule("R203")
def test_schedule_for_some_resources_overrides_those_only(world: World) -> None:
    ven = world.ven()
    some, one = EiTarget(resource_id=("r1", "r2")), EiTarget(resource_id=("r1",))
    create(world, ven, "whole")
    create(world, ven, "some", ei_target=some)
    create(world, ven, "one", ei_target=one)
    assert schedules(world, ven) == [("whole", False), ("some", False), ("one", False)]

    def standing(*resources: str) -> str | None:
        kept = world.session.vens[ven.ven_id].schedules
        found = standing_schedule(kept, OptType.OPT_OUT, target=EiTarget(resource_id=resources))
        return found and found.opt_id

    assert [standing("r1"), standing("r2"), standing("r3"), standing()] == ["one", "some", "whole", "whole"]
    create(world, ven, "again", ei_target=some)
    assert schedules(world, ven) == [("whole", False), ("some", True), ("one", True), ("again", False)]
    assert [standing("r1"), standing("r2"), standing("r3")] == ["again", "again", "whole"]


@pytest.mark.rule("R205")
def test_schedule_of_a_program_counts_for_that_program_only(world: World) -> None:
    ven = world.ven()
    create(world, ven, "all")
    create(world, ven, "program", market_context="urn:m")
    kept = world.session.vens[ven.ven_id].schedules
    found = [standing_schedule(kept, OptType.OPT_OUT, market_context=name) for name in (None, "urn:m", "urn:x")]
    assert [one and one.opt_id for one in found] == ["all", "program", "all"]
    assert standing_schedule(kept, OptType.OPT_IN) is None


@pytest.mark.rule("R203")
def test_repetition_of_a_replaced_schedule_stays_replaced(world: World) -> None:
    ven = world.ven()
    create(world, ven, "a")
    create(world, ven, "b")
    assert create(world, ven, "a").ei_response.ok
    assert schedules(world, ven) == [("a", True), ("b", False)]
    assert world.last == []


@pytest.mark.rule("R204")
@pytest.mark.rule("R208")
@pytest.mark.rule("R211")
def test_cancel_takes_all_with_the_id_even_replaced_ones(world: World) -> None:
    ven = world.ven()
    create(world, ven, "a")
    create(world, ven, "b")
    create(world, ven, "b", ei_target=EiTarget(resource_id=("r",)))

    def cancel(opt_id: str) -> Any:
        return world.send(CancelOpt(request_id="c", opt_id=opt_id, ven_id=ven.ven_id))

    reply = cancel("a")
    assert isinstance(reply, CanceledOpt)
    assert (reply.opt_id, reply.ei_response.ok) == ("a", True)
    assert world.last == [OptScheduleCancelled(ven_id=ven.ven_id, opt_id="a")]
    assert cancel("b").ei_response.ok
    assert schedules(world, ven) == []
    refused = cancel("b")
    assert (refused.ei_response.response_code, refused.opt_id) == ("452", "b")


def test_opt_of_an_unregistered_ven_is_463(world: World) -> None:
    reply = create(world, Ven(world, "n"), ven_id="nobody")
    assert (reply.ei_response.response_code, reply.opt_id) == ("463", "o")


@pytest.mark.rule("R206")
def test_opt_to_an_event_takes_over(world: World) -> None:
    ven = world.ven()
    event_id = world.publish()
    message = ven.poll()
    ven.answer(message)
    assert create(world, ven, qualified_event_id=about(event_id)).ei_response.ok
    [note] = world.last
    assert isinstance(note, OptReceived)
    assert (note.opt_type, note.opt_id, note.target) == (OptType.OPT_OUT, "o", EiTarget())
    assert create(world, ven, qualified_event_id=about(event_id)).ei_response.ok
    assert world.last == []
    assert ven.answer(message).ei_response.ok
    assert world.last == []
    assert world.session.opts(event_id)[ven.ven_id].opt_type is OptType.OPT_OUT
    event = change_event(world.session.events[event_id].event, priority=1)
    world.tell(ModifyEvent(event=event))
    ven.answer(ven.poll())
    delivery = world.session.opts(event_id)[ven.ven_id]
    assert (delivery.opt_type, delivery.answered) == (OptType.OPT_OUT, 1)


@pytest.mark.rule("R206")
def test_opt_that_crosses_with_a_modification_counts(world: World) -> None:
    ven = world.ven()
    event_id = world.publish()
    ven.answer(ven.poll())
    world.tell(ModifyEvent(event=change_event(world.session.events[event_id].event, priority=1)))
    assert create(world, ven, qualified_event_id=about(event_id, 0)).ei_response.ok
    ven.answer(ven.poll())
    assert world.session.opts(event_id)[ven.ven_id].opt_type is OptType.OPT_OUT


@pytest.mark.rule("R206")
def test_opt_for_some_resources_of_an_event(world: World) -> None:
    ven = world.ven()
    event_id = world.publish(targets={"resource_id": ["r1", "r2"]})
    ven.answer(ven.poll())
    part = EiTarget(resource_id=("r1",))
    assert create(world, ven, qualified_event_id=about(event_id), ei_target=part).ei_response.ok
    [note] = world.last
    assert isinstance(note, OptReceived)
    assert note.target == part
    delivery = world.session.opts(event_id)[ven.ven_id]
    assert (delivery.opt_type, delivery.partial) == (OptType.OPT_IN, ((part, OptType.OPT_OUT),))
    wrong = EiTarget(resource_id=("r3",))
    refused = create(world, ven, qualified_event_id=about(event_id), ei_target=wrong)
    assert (refused.ei_response.response_code, refused.opt_id) == ("462", "o")


@pytest.mark.rule("R206")
@pytest.mark.rule("R48")
def test_impossible_event_opts_are_refused(world: World) -> None:
    ven = world.ven()
    always, never = world.publish(), world.publish(response="never")

    def code(**details: Any) -> str:
        return str(create(world, ven, **details).ei_response.response_code)

    assert code(qualified_event_id=about("unknown")) == "452"
    assert code(qualified_event_id=about(always, 3)) == "450"
    assert code(qualified_event_id=about(never)) == "459"
    assert code(qualified_event_id=about(always), vavailability=(PERIOD,)) == "459"
    assert code(qualified_event_id=about(always), market_context="urn:m") == "459"
    assert code(vavailability=None) == "459"
    assert code(vavailability=()) == "459"
    assert not world.said(OptReceived)


@pytest.mark.rule("R200")
def test_availability_has_no_ramp(world: World) -> None:
    ven = world.ven()
    period = Properties(dtstart=START, duration=Duration(seconds=60), x_ei_ramp_up=Duration(seconds=5))
    assert create(world, ven, vavailability=(period,)).ei_response.response_code == "459"


def test_limits_of_schedules(make_world: WorldMaker) -> None:
    world = make_world(limits=VtnLimits(schedules=2, periods=3))
    ven = world.ven()
    assert create(world, ven, vavailability=(PERIOD,) * 4).ei_response.response_code == "469"
    for n in range(5):  # each replaces the one before it
        assert create(world, ven, f"whole {n}").ei_response.ok
    assert create(world, ven, "part", ei_target=EiTarget(resource_id=("r",))).ei_response.ok
    other = EiTarget(resource_id=("s",))
    assert create(world, ven, "one too many", ei_target=other).ei_response.response_code == "469"
    assert schedules(world, ven) == [("whole 4", False), ("part", False)]


def test_limit_of_partial_opts(make_world: WorldMaker) -> None:
    world = make_world(limits=VtnLimits(schedules=2))
    ven = world.ven()
    event_id = world.publish()

    def code(resource: str) -> str:
        target = EiTarget(resource_id=(resource,))
        reply = create(world, ven, qualified_event_id=about(event_id), ei_target=target)
        return str(reply.ei_response.response_code)

    assert [code("a"), code("b"), code("a"), code("c")] == ["200", "200", "200", "469"]
