"""Opts that a VEN states by itself: schedules and opts to events (section 5.4)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from oadr_core import LocalError
from oadr_core.engine import Failure
from oadr_core.engine.copying import evolve
from oadr_core.model import (
    CanceledOpt,
    CancelOpt,
    CreatedEvent,
    CreatedOpt,
    CreateOpt,
    Duration,
    EiResponse,
    EiTarget,
    Event,
    EventStatus,
    OptType,
    Poll,
    Properties,
    ResponseRequired,
    Tolerance,
)
from oadr_core.ven import MakeOpt, OptAccepted, OptPosted, OptRefused, OptWithdrawn, WithdrawOpt
from tests.core.ven.bench import OK, START, Bench, decide, distribute, event, nothing, registration

PERIOD = Properties(dtstart=START + timedelta(days=1), duration=Duration(seconds=3600))


@pytest.fixture
def bench() -> Bench:
    """Registered, and at rest."""
    ready = Bench()
    ready.register()
    ready.answer(nothing())
    return ready


def schedule(opt_type: OptType = OptType.OPT_OUT, **options: Any) -> MakeOpt:
    return MakeOpt(**{"opt_type": opt_type, "availability": (PERIOD,), **options})


def taken(bench: Bench, payload: CreateOpt) -> None:
    bench.answer(CreatedOpt(ei_response=OK, opt_id=payload.opt_id))


def with_event(bench: Bench, item: Event | None = None) -> None:
    bench.wait(30)
    bench.answer(distribute(item or event()))
    bench.put(decide())
    while not bench.idle:
        bench.answer(nothing())


@pytest.mark.rule("R202")
@pytest.mark.rule("R206")
def test_schedule_is_sent_and_its_acknowledgement_told(bench: Bench) -> None:
    bench.put(schedule(market_context="http://example.com/p", opt_id="o"))
    assert bench.heard(OptPosted)
    payload = bench.expect(CreateOpt)
    assert (payload.opt_id, payload.vavailability, payload.qualified_event_id) == ("o", (PERIOD,), None)
    assert payload.ei_target == EiTarget(ven_id=("ven-1",)), "the narrative wants the venID, the rule allows it"
    assert payload.created_date_time == START
    assert not bench.heard(OptAccepted)
    taken(bench, payload)
    assert bench.heard(OptAccepted) == [OptAccepted(opt_id="o", opt_type=OptType.OPT_OUT)]


@pytest.mark.parametrize("failure", [Failure.UNREACHABLE, Failure.TIMEOUT, Failure.BROKEN])
def test_opt_is_sent_until_it_is_answered(bench: Bench, failure: Failure) -> None:
    bench.put(schedule())
    first = bench.expect(CreateOpt)
    bench.fail(failure)
    while bench.idle or not isinstance(bench.pending.payload, CreateOpt):
        if not bench.idle:
            bench.answer(nothing())
        bench.wait(0.5)
    assert bench.expect(CreateOpt) == first
    taken(bench, first)
    assert bench.heard(OptAccepted)


def test_refused_opt_is_told_and_forgotten(bench: Bench) -> None:
    bench.put(schedule(opt_id="o"))
    response = EiResponse(response_code="462", response_description="whose?")
    bench.answer(CreatedOpt(ei_response=response, opt_id="o"))
    assert bench.heard(OptRefused) == [OptRefused(opt_id="o", code="462", text="whose?")]
    assert not bench.session.state.opts


@pytest.mark.rule("R206")
@pytest.mark.rule("R510")
def test_opt_to_an_event_goes_before_every_other_answer(bench: Bench) -> None:
    with_event(bench)
    bench.put(MakeOpt(opt_type=OptType.OPT_OUT, event_id="ev-1"))
    payload = bench.expect(CreateOpt)
    assert (payload.vavailability, payload.market_context) == (None, None)
    assert payload.qualified_event_id is not None
    assert (payload.qualified_event_id.event_id, payload.qualified_event_id.modification_number) == ("ev-1", 0)
    taken(bench, payload)
    bench.wait(30)
    bench.answer(distribute(event(), request_id="d2"))
    [answer] = bench.expect(CreatedEvent).ei_created_event.event_responses or ()
    assert answer.opt_type is OptType.OPT_OUT, "an always is answered all the same"
    bench.answer(nothing())
    bench.put(decide(OptType.OPT_IN))
    sent = []
    while not bench.idle:
        sent.append(bench.pending.payload)
        if isinstance(sent[-1], CreateOpt):
            taken(bench, sent[-1])
        else:
            bench.answer(nothing())
    [again] = [each for each in sent if isinstance(each, CreateOpt)]
    assert again.opt_type is OptType.OPT_IN, "only another opt can change it"


@pytest.mark.rule("R206")
@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"event_id": "unknown"}, "R206"),
        ({"event_id": "never"}, "R206"),
        ({"event_id": "ev-1", "availability": (PERIOD,)}, "R206"),
        ({"event_id": "ev-1", "market_context": "http://example.com/p"}, "R206"),
        ({"event_id": "aimed", "target": EiTarget(resource_id=("other",))}, "R206"),
        ({}, "R206"),
        ({"availability": (evolve(PERIOD, tolerance=Tolerance(startafter=Duration(seconds=1))),)}, "R200"),
        ({"availability": (evolve(PERIOD, x_ei_ramp_up=Duration(seconds=1)),)}, "R200"),
        ({"availability": (PERIOD,), "device_class": EiTarget(resource_id=("r",))}, "R209"),
        ({"availability": (PERIOD,), "device_class": EiTarget()}, "R209"),
    ],
)
@pytest.mark.rule("R200")
@pytest.mark.rule("R209")
def test_opts_that_cannot_be_are_refused_and_change_nothing(bench: Bench, options: dict[str, Any], rule: str) -> None:
    aimed = event("aimed")
    aimed = evolve(aimed, ei_event=evolve(aimed.ei_event, ei_target=EiTarget(resource_id=("r",))))
    bench.wait(30)
    bench.answer(distribute(event(), event("never", required=ResponseRequired.NEVER), aimed))
    before = bench.session.state
    with pytest.raises(LocalError) as caught:
        bench.put(MakeOpt(opt_type=OptType.OPT_OUT, **options))
    assert caught.value.rule == rule
    assert bench.session.state is before


def test_without_a_registration_there_are_no_opts() -> None:
    with pytest.raises(LocalError, match="no registration"):
        Bench().put(schedule())


@pytest.mark.rule("R203")
@pytest.mark.rule("R211")
def test_later_schedule_for_everything_replaces_the_earlier_of_its_type(bench: Bench) -> None:
    for command in (schedule(opt_id="a"), schedule(OptType.OPT_IN, opt_id="b"), schedule(opt_id="c")):
        bench.put(command)
        taken(bench, bench.expect(CreateOpt))
    found = {opt.payload.opt_id: opt.superseded for opt in bench.session.state.opts.values()}
    assert found == {"a": True, "b": False, "c": False}
    bench.put(WithdrawOpt(opt_id="a"))  # no error
    assert bench.expect(CancelOpt).opt_id == "a"


@pytest.mark.rule("R204")
def test_withdrawal_takes_all_schedules_with_the_id_back(bench: Bench) -> None:
    for _ in range(2):
        bench.put(schedule(opt_id="o", target=EiTarget(resource_id=("r",))))
        taken(bench, bench.expect(CreateOpt))
    bench.put(WithdrawOpt(opt_id="o"))
    bench.expect(CancelOpt)
    bench.answer(CanceledOpt(ei_response=OK, opt_id="o"))
    assert bench.heard(OptWithdrawn) == [OptWithdrawn(opt_id="o")]
    assert not bench.session.state.opts


@pytest.mark.rule("R208")
@pytest.mark.rule("R211")
def test_what_cannot_be_withdrawn(bench: Bench) -> None:
    with_event(bench)
    bench.put(MakeOpt(opt_type=OptType.OPT_OUT, event_id="ev-1", opt_id="e"))
    for opt_id, rule in (("unknown", "R208"), ("e", "R211")):
        with pytest.raises(LocalError) as caught:
            bench.put(WithdrawOpt(opt_id=opt_id))
        assert caught.value.rule == rule


@pytest.mark.rule("R210")
def test_elapsed_schedules_are_forgotten_and_open_ones_are_not(bench: Bench) -> None:
    open_end = evolve(PERIOD, duration=Duration())
    for command in (schedule(opt_id="short"), schedule(OptType.OPT_IN, opt_id="open", availability=(open_end,))):
        bench.put(command)
        taken(bench, bench.expect(CreateOpt))
    bench.wall += timedelta(days=3)
    bench.put(schedule(opt_id="new", target=EiTarget(resource_id=("r",))))
    assert [opt.payload.opt_id for opt in bench.session.state.opts.values()] == ["open", "new"]


@pytest.mark.rule("R406")
def test_new_registration_states_again_what_is_meant(bench: Bench) -> None:
    bench.put(schedule(opt_id="o"))
    taken(bench, bench.expect(CreateOpt))
    bench.wait(30)
    bench.answer(type(nothing())(ei_response=EiResponse(response_code="463")))
    bench.wait(2)
    bench.answer(registration(registration_id="reg-2", ven_id="ven-2"))
    sent = []
    while not isinstance(bench.pending.payload, Poll):
        sent.append(bench.pending.payload)
        bench.answer(nothing())
    [again] = [each for each in sent if isinstance(each, CreateOpt)]
    assert (again.opt_id, again.ven_id, again.ei_target.ven_id) == ("o", "ven-2", ("ven-2",))


@pytest.mark.rule("R206")
def test_cancelled_event_needs_no_further_opt(bench: Bench) -> None:
    """Caught: a tick that failed because nothing can be said to an event that is cancelled."""
    with_event(bench)
    bench.put(MakeOpt(opt_type=OptType.OPT_OUT, event_id="ev-1"))
    taken(bench, bench.expect(CreateOpt))
    bench.wait(30)
    bench.answer(distribute(event(modification=1, status=EventStatus.CANCELLED), request_id="d2"))
    bench.wait(100)  # nobody decides, and a cancellation is confirmed by default
    assert not [sent for sent in bench.sent[-1:] if isinstance(sent.payload, CreateOpt)]
