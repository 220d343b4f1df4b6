"""Which events a VEN refuses, with which code and by which rule (R48)."""

from __future__ import annotations

from typing import Any

import pytest

from oadr_core.engine.copying import evolve
from oadr_core.model import (
    CreatedEvent,
    CurrencyPerKWh,
    Duration,
    EiTarget,
    Event,
    EventResponse,
    EventStatus,
    Interval,
    OptType,
    PayloadResourceStatus,
    ResponseRequired,
    SignalPayload,
    SignalType,
    Voltage,
)
from oadr_core.ven import DecisionNeeded, EventReceived, EventRefused, EventsOverlap, SignalSupport
from oadr_core.ven.events import MOST_EVENTS
from tests.core.ven.bench import Bench, decide, distribute, event, nothing


def signal(original: Event, **changes: Any) -> Event:
    """The event with another signal."""
    signals = original.ei_event.ei_event_signals
    changed = evolve(signals, ei_event_signal=(evolve(signals.ei_event_signal[0], **changes),))
    return evolve(original, ei_event=evolve(original.ei_event, ei_event_signals=changed))


def values(*numbers: Any, minutes: int = 60) -> tuple[Interval, ...]:
    return tuple(
        Interval(
            duration=Duration(seconds=minutes * 60 // len(numbers)),
            uid=str(number),
            stream_payload_base=(SignalPayload(payload_base=value),),
        )
        for number, value in enumerate(numbers)
    )


def to(target: EiTarget) -> Event:
    original = event()
    return evolve(original, ei_event=evolve(original.ei_event, ei_target=target))


def answer_to(item: Event, **config: Any) -> tuple[Bench, EventResponse]:
    bench = Bench(**config)
    bench.register()
    bench.answer(distribute(item, event("good")))
    bench.put(decide(event_id="good"))
    if bench.session.state.events.get("ev-1"):
        bench.put(decide())
    answers = bench.expect(CreatedEvent).ei_created_event.event_responses or ()
    assert ("good", "200") in [(each.qualified_event_id.event_id, each.response_code) for each in answers]
    [answer] = [each for each in answers if each.qualified_event_id.event_id == "ev-1"]
    return bench, answer


OTHER_SIGNAL = signal(event(), signal_name="ELECTRICITY_PRICE", signal_type=SignalType.PRICE, intervals=values(0.5))


REFUSED = (
    pytest.param(event(), "462", "R48", {"market_contexts": ("http://other",)}, id="market context"),
    pytest.param(
        to(EiTarget(resource_id=("x",))), "462", "R48", {"targets": EiTarget(resource_id=("r",))}, id="target"
    ),
    pytest.param(to(EiTarget(ven_id=("another",))), "452", "R21", {}, id="venID of another"),
    pytest.param(signal(event(), signal_name="NEVER_HEARD_OF"), "460", "R48", {}, id="signal name"),
    pytest.param(signal(event(), signal_type=SignalType.PRICE), "460", "R104", {}, id="signal type"),
    pytest.param(signal(event(), item_base=Voltage()), "460", "R104", {}, id="unit"),
    pytest.param(
        OTHER_SIGNAL, "460", "R109", {"signals": (SignalSupport(signal_name="SIMPLE"),)}, id="signal not supported"
    ),
    pytest.param(
        signal(event(), ei_target=EiTarget(end_device_asset=("Sauna",))),
        "469",
        "R112",
        {"device_classes": frozenset({"Thermostat"})},
        id="device class",
    ),
    pytest.param(
        signal(event(), intervals=tuple(evolve(each, uid=str(7)) for each in values(1.0))),
        "450",
        "R2",
        {},
        id="uid",
    ),
    pytest.param(signal(event(), intervals=values(1.0, minutes=59)), "454", "R8", {}, id="sum of durations"),
    pytest.param(
        signal(event(), intervals=tuple(evolve(each, duration=None) for each in values(1.0))),
        "454",
        "R102",
        {},
        id="no duration",
    ),
    pytest.param(signal(event(), intervals=values(4.0)), "454", "R9", {}, id="level of SIMPLE"),
    pytest.param(signal(event(), intervals=values(0.5)), "454", "R9", {}, id="half a level"),
    pytest.param(
        signal(event(), signal_name="x-mine", intervals=values(float("nan"))), "454", "R104", {}, id="no number"
    ),
    pytest.param(
        signal(event(), intervals=values(PayloadResourceStatus(oadr_online=True, oadr_manual_override=False))),
        "459",
        "R100",
        {},
        id="no payloadFloat",
    ),
)
"""Events, the code and the rule with which they are refused, and the configuration that does."""


@pytest.mark.rule("R48")
@pytest.mark.rule("R19")
@pytest.mark.parametrize(
    ("item", "code", "rule", "config"),
    [pytest.param(*case.values, id=case.id, marks=pytest.mark.rule(str(case.values[2]))) for case in REFUSED],
)
def test_unfit_event_is_refused_with_its_code_and_nobody_is_asked(
    item: Event, code: str, rule: str, config: dict[str, Any]
) -> None:
    bench = Bench(**config)
    bench.register()
    bench.answer(distribute(item))
    [refused] = bench.heard(EventRefused)
    assert (refused.code, refused.rule) == (code, rule)
    body = bench.expect(CreatedEvent).ei_created_event
    assert body.ei_response.response_code == "200"
    [answer] = body.event_responses or ()
    assert (answer.response_code, answer.opt_type) == (code, OptType.OPT_OUT)
    assert not bench.heard(DecisionNeeded)
    assert not bench.heard(EventReceived)
    assert not bench.session.state.events


@pytest.mark.rule("R19")
def test_valid_event_beside_an_invalid_one_is_taken() -> None:
    bench, answer = answer_to(signal(event(), intervals=values(9.0)))
    assert answer.response_code == "454"
    assert list(bench.session.state.events) == ["good"]


@pytest.mark.rule("R22")
@pytest.mark.rule("R512")
@pytest.mark.parametrize(
    ("item", "config"),
    [
        pytest.param(to(EiTarget()), {"targets": EiTarget(resource_id=("r",))}, id="no target is this VEN"),
        pytest.param(to(EiTarget(ven_id=("another", "ven-1"))), {}, id="one of several venIDs"),
        pytest.param(
            to(EiTarget(resource_id=("x", "r"))),
            {"targets": EiTarget(resource_id=("r",))},
            id="one of several resources",
        ),
        pytest.param(
            to(EiTarget(ven_id=("another",), group_id=("g",))), {"targets": EiTarget(group_id=("g",))}, id="a group"
        ),
        pytest.param(to(EiTarget(resource_id=("x",))), {}, id="anything without configuration"),
        pytest.param(event(), {"market_contexts": ("HTTP://EXAMPLE.com/p",)}, id="market context in another spelling"),
        pytest.param(
            signal(event(), ei_target=EiTarget(end_device_asset=("Sauna", "Thermostat"))),
            {"device_classes": frozenset({"Thermostat"})},
            id="one of several device classes",
        ),
        pytest.param(OTHER_SIGNAL, {}, id="a unit that is left out"),
        pytest.param(
            evolve(OTHER_SIGNAL, ei_event=signal(OTHER_SIGNAL, item_base=CurrencyPerKWh(item_units="EUR")).ei_event),
            {},
            id="unit",
        ),
        pytest.param(signal(event(), signal_name="simple", intervals=values(1.0, 2.0)), {}, id="the name of 2.0a"),
        pytest.param(signal(event(), signal_name="x-mine", intervals=values(-7.5)), {}, id="a signal of the parties"),
    ],
)
def test_fit_events_are_asked_about(item: Event, config: dict[str, Any]) -> None:
    bench = Bench(**config)
    bench.register()
    bench.answer(distribute(item))
    assert not bench.heard(EventRefused)
    assert bench.heard(DecisionNeeded)


def test_refused_modification_leaves_the_version_before() -> None:
    bench = Bench()
    bench.register()
    bench.answer(distribute(event()))
    bench.put(decide())
    while not bench.idle:
        bench.answer(nothing())
    bench.wait(30)
    bench.answer(distribute(signal(event(modification=1), intervals=values(9.0)), request_id="d2"))
    [answer] = bench.expect(CreatedEvent).ei_created_event.event_responses or ()
    assert (answer.qualified_event_id.modification_number, answer.response_code) == (1, "454")
    assert bench.session.state.events["ev-1"].modification_number == 0


@pytest.mark.rule("R62")
def test_refused_never_is_told_and_not_answered() -> None:
    bench = Bench()
    bench.register()
    bench.answer(distribute(signal(event(required=ResponseRequired.NEVER), intervals=values(9.0))))
    assert bench.heard(EventRefused)
    assert not bench.session.state.answers


@pytest.mark.rule("R59")
def test_unfit_event_is_cancelled_all_the_same() -> None:
    bench = Bench()
    bench.register()
    bench.answer(distribute(event()))
    bench.put(decide())
    while not bench.idle:
        bench.answer(nothing())
    bench.wait(30)
    gone = signal(event(modification=1, status=EventStatus.CANCELLED), intervals=values(9.0))
    bench.answer(distribute(gone, request_id="d2"))
    assert bench.session.state.events["ev-1"].cancelled


@pytest.mark.rule("R48")
def test_code_that_the_application_chooses_goes_out_with_opt_out() -> None:
    bench = Bench()
    bench.register()
    bench.answer(distribute(event()))
    bench.put(decide(OptType.OPT_IN, code="469", reason="the boiler is away"))
    [answer] = bench.expect(CreatedEvent).ei_created_event.event_responses or ()
    assert (answer.response_code, answer.opt_type, answer.response_description) == (
        "469",
        OptType.OPT_OUT,
        "the boiler is away",
    )


@pytest.mark.rule("R18")
def test_overlap_in_a_market_context_is_told() -> None:
    bench = Bench()
    bench.register()
    bench.answer(distribute(event("a"), event("b")))
    assert bench.heard(EventsOverlap) == [EventsOverlap(event_id="b", other_id="a")]


def test_flood_of_events_is_bounded_and_every_always_is_answered() -> None:
    """Caught: a table without a limit."""
    bench = Bench()
    bench.register()
    flood = [event(f"e{number}") for number in range(MOST_EVENTS + 5)]
    bench.answer(distribute(*flood))
    assert len(bench.session.state.events) == MOST_EVENTS
    assert [answer.response_code for answer in bench.session.state.answers] == ["469"] * 5
