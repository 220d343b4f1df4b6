"""What may be published: each rule refuses what breaks it, names the field, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oadr_core import LocalError
from oadr_core.engine.copying import evolve
from oadr_core.model import (
    Currency,
    CurrencyPerKWh,
    EiEvent,
    EiEventBaseline,
    EiEventSignal,
    EiEventSignals,
    EiTarget,
    EnergyReal,
    Event,
    EventStatus,
    Interval,
    PayloadResourceStatus,
    PowerReal,
    SignalName,
    SignalPayload,
    SignalType,
    Therm,
)
from oadr_core.rules.signals import SIGNALS
from oadr_core.vtn import CancelEvent, ModifyEvent, PublishEvent, VtnLimits, build_event, change_event, usual_unit
from oadr_core.vtn.checks import CHECKS
from tests.core.vtn.world import HOUR, MINUTE, START, World

WorldMaker = Callable[..., World]


def event(**details: Any) -> EiEvent:
    return build_event(
        **{
            "signal_name": "SIMPLE",
            "signal_type": "level",
            "dtstart": START + HOUR,
            "intervals": [(5 * MINUTE, 1), (5 * MINUTE, 2)],
            "market_context": "urn:m",
            **details,
        }
    )


def with_signal(base: EiEvent, *more: EiEventSignal, **changes: Any) -> EiEvent:
    [signal] = base.ei_event_signals.ei_event_signal
    signals = (evolve(signal, **changes), *more)
    return evolve(base, ei_event_signals=EiEventSignals(ei_event_signal=signals))


def with_interval(base: EiEvent, index: int, **changes: Any) -> EiEvent:
    [signal] = base.ei_event_signals.ei_event_signal
    intervals = list(signal.intervals)
    intervals[index] = evolve(intervals[index], **changes)
    return with_signal(base, intervals=tuple(intervals))


def with_properties(base: EiEvent, **changes: Any) -> EiEvent:
    period = base.ei_active_period
    return evolve(base, ei_active_period=evolve(period, properties=evolve(period.properties, **changes)))


def with_baseline(base: EiEvent, *, uid: str = "0", seconds: int = 600) -> EiEvent:
    payload = SignalPayload(payload_base=1.0)
    interval = Interval(duration=timedelta(minutes=10), uid=uid, stream_payload_base=(payload,))
    baseline = EiEventBaseline(
        dtstart=START + HOUR,
        duration=timedelta(seconds=seconds),
        intervals=(interval,),
        baseline_id="b",
        baseline_name="b",
    )
    return evolve(base, ei_event_signals=evolve(base.ei_event_signals, ei_event_baseline=baseline))


def payload(value: Any) -> tuple[SignalPayload, ...]:
    return (SignalPayload(payload_base=value),)


STATUS = PayloadResourceStatus(oadr_online=True, oadr_manual_override=False)

BROKEN = [
    ("R2", "intervals[1]/uid", lambda: with_interval(event(), 1, uid="5")),
    ("R2", "intervals[0]/uid", lambda: with_interval(event(), 0, uid=None)),
    ("R8", "intervals", lambda: with_properties(event(), duration=timedelta(minutes=11))),
    ("R9", "intervals[0]", lambda: event(intervals=[(MINUTE, 4)])),
    ("R9", "intervals[0]", lambda: event(intervals=[(MINUTE, 1.5)])),
    ("R63", "ei_target/ven_id", lambda: event(targets={"ven_id": ["a", "b"]})),
    ("R100", "stream_payload_base", lambda: with_interval(event(), 0, stream_payload_base=payload(STATUS))),
    ("R100", "stream_payload_base", lambda: with_interval(event(), 0, stream_payload_base=payload(float("nan")))),
    ("R100", "stream_payload_base", lambda: with_interval(event(), 0, stream_payload_base=payload(1.0) * 2)),
    ("R101", "ei_event_baseline", lambda: with_baseline(event(), uid="1")),
    ("R102", "intervals[0]/duration", lambda: with_interval(event(), 0, duration=None)),
    ("R102", "intervals[0]/duration", lambda: event(intervals=[(-MINUTE, 1), (2 * MINUTE, 1)])),
    ("R8", "ei_event_baseline", lambda: with_baseline(event(), seconds=601)),
    ("R103", "intervals[0]/dtstart", lambda: with_interval(event(), 0, dtstart=START)),
    ("R104", "signal_name", lambda: event(signal_name="simple")),
    ("R104", "signal_type", lambda: event(signal_name="ELECTRICITY_PRICE", signal_type="delta")),
    ("R104", "item_base", lambda: event(item_base=EnergyReal())),
    (
        "R104",
        "item_base",
        lambda: event(signal_name="ELECTRICITY_PRICE", signal_type="price", item_base=Currency(item_units="EUR")),
    ),
    (
        "R104",
        "intervals[0]",
        lambda: event(signal_name="LOAD_DISPATCH", signal_type="level", intervals=[(MINUTE, 11)]),
    ),
    ("R107", "signal_id", lambda: with_signal(event(), event().ei_event_signals.ei_event_signal[0])),
    ("R111", "end_device_asset", lambda: with_signal(event(), ei_target=EiTarget(end_device_asset=("Toaster",)))),
    ("R111", "ei_target", lambda: with_signal(event(), ei_target=EiTarget(resource_id=("r",)))),
    ("R116", "signal_type", lambda: event(signal_type="delta")),
    ("R31", "x_ei_notification", lambda: event(notification=-MINUTE)),
    ("R31", "startafter", lambda: event(start_after=-MINUTE)),
    ("EI:337", "market_context", lambda: event(market_context="")),
    ("", "market_context", lambda: event(market_context="\x01")),
    ("", "vtn_comment", lambda: event(vtn_comment=5)),
    ("", "dtstart", lambda: event(dtstart=START - HOUR)),
]


@pytest.mark.rule("R2")
@pytest.mark.rule("R8")
@pytest.mark.rule("R9")
@pytest.mark.rule("R63")
@pytest.mark.rule("R100")
@pytest.mark.rule("R101")
@pytest.mark.rule("R102")
@pytest.mark.rule("R103")
@pytest.mark.rule("R104")
@pytest.mark.rule("R107")
@pytest.mark.rule("R111")
@pytest.mark.rule("R116")
@pytest.mark.parametrize(("rule", "path", "make"), BROKEN, ids=[f"{rule}-{path}" for rule, path, _ in BROKEN])
def test_event_that_breaks_a_rule_is_refused(world: World, rule: str, path: str, make: Callable[[], EiEvent]) -> None:
    with pytest.raises(LocalError) as caught:
        world.tell(PublishEvent(event=make()))
    assert caught.value.rule == rule
    assert path in caught.value.path
    assert not world.session.events
    assert world.session.next_timer(world.now) is None


def test_every_check_is_tried() -> None:
    assert {rule for rule, _ in CHECKS} - {"R105"} <= {rule for rule, _, _ in BROKEN}


@pytest.mark.rule("R105")
@pytest.mark.rule("R2")
def test_what_the_book_supplies(world: World) -> None:
    bare = with_properties(event(), x_ei_notification=None, dtstart=START + HOUR + timedelta(milliseconds=7))
    bare = with_signal(
        bare,
        intervals=tuple(evolve(one, uid=None) for one in bare.ei_event_signals.ei_event_signal[0].intervals),
    )
    [published, *_] = world.tell(PublishEvent(event=bare))
    kept = world.session.events[published.event_id].event
    assert kept.ei_active_period.properties.x_ei_notification is not None
    assert kept.ei_active_period.properties.dtstart == START + HOUR
    assert [one.uid for one in kept.ei_event_signals.ei_event_signal[0].intervals] == ["0", "1"]


@pytest.mark.rule("R105")
def test_event_without_notification_is_refused_by_the_check() -> None:
    from oadr_core.vtn.checks import check

    with pytest.raises(LocalError, match="R105"):
        check(with_properties(event(), x_ei_notification=None))


@pytest.mark.rule("R70")
def test_event_id_is_unique(world: World) -> None:
    world.publish(event_id="e")
    with pytest.raises(LocalError, match="R70"):
        world.publish(event_id="e")
    assert len({world.publish() for _ in range(10)}) == 10


@pytest.mark.rule("R4")
def test_new_event_begins_with_zero(world: World) -> None:
    base = event(event_id="e")
    numbered = evolve(base, event_descriptor=evolve(base.event_descriptor, modification_number=7))
    world.tell(PublishEvent(event=numbered))
    assert world.session.events["e"].modification_number == 0


@pytest.mark.rule("R10")
def test_new_event_is_not_cancelled(world: World) -> None:
    base = event()
    dead = evolve(base, event_descriptor=evolve(base.event_descriptor, event_status=EventStatus.CANCELLED))
    with pytest.raises(LocalError, match="cancelled"):
        world.tell(PublishEvent(event=dead))


@pytest.mark.rule("R104")
@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, types in SIGNALS.items() for kind in types], ids=str)
def test_every_well_known_signal_is_published_in_its_usual_unit(world: World, name: str, kind: SignalType) -> None:
    world.publish(signal_name=name, signal_type=kind, intervals=[(MINUTE, 1)])
    ven = world.ven()
    [sent] = ven.poll().oadr_event
    [signal] = sent.ei_event.ei_event_signals.ei_event_signal
    assert signal.item_base == usual_unit(name, kind, "EUR")


def test_units_are_as_expected() -> None:
    price = usual_unit(SignalName.ELECTRICITY_PRICE, SignalType.PRICE, "CHF")
    assert price == CurrencyPerKWh(item_units="CHF")
    assert isinstance(usual_unit(SignalName.LOAD_DISPATCH, SignalType.SETPOINT, "EUR"), PowerReal)
    assert usual_unit("x-own", SignalType.DELTA, "EUR") is None


def test_own_signals_are_free(world: World) -> None:
    world.publish(signal_name="x-heat", signal_type="delta", item_base=Therm(), intervals=[(MINUTE, -3)])


@pytest.mark.rule("R111")
@pytest.mark.parametrize("device_class", ["Thermostat", "x-toaster"])
def test_device_classes_are_fine(world: World, device_class: str) -> None:
    target = EiTarget(end_device_asset=(device_class,))
    assert world.tell(PublishEvent(event=with_signal(event(), ei_target=target)))


def test_baseline_is_published(world: World) -> None:
    ven = world.ven()
    world.tell(PublishEvent(event=with_baseline(event())))
    [sent] = ven.poll().oadr_event
    assert sent.ei_event.ei_event_signals.ei_event_baseline is not None


def test_recipients_must_be_vens(world: World) -> None:
    with pytest.raises(LocalError, match="ven_ids"):
        world.publish(ven_ids=("nobody",))
    with pytest.raises(LocalError, match="ven_ids"):
        world.publish(ven_ids=())


def test_recipient_may_be_a_ven_that_is_yet_to_come(make_world: WorldMaker) -> None:
    from oadr_core.vtn import admitted

    world = make_world(admitted=admitted({"n": "V"}))
    event_id = world.publish(ven_ids=("V",))
    assert world.ven("n").poll().oadr_event[0].ei_event.event_descriptor.event_id == event_id


@pytest.mark.rule("R63")
def test_targeted_ven_is_the_recipient(world: World) -> None:
    one, other = world.ven("one"), world.ven("other")
    event_id = world.publish(targets={"ven_id": [one.ven_id]})
    assert world.session.events[event_id].ven_ids == (one.ven_id,)
    with pytest.raises(LocalError, match=r"R63|targeted"):
        world.publish(targets={"ven_id": [one.ven_id]}, ven_ids=(other.ven_id,))
    with pytest.raises(LocalError, match="published for"):
        world.tell(
            ModifyEvent(event=change_event(world.session.events[event_id].event, targets={"ven_id": [other.ven_id]}))
        )


def test_limit_of_events(make_world: WorldMaker) -> None:
    world = make_world(limits=VtnLimits(events=1))
    world.publish()
    with pytest.raises(LocalError, match="limit"):
        world.publish()
    world.sleep(3 * HOUR)
    world.publish()


def test_answer_is_wanted_always_or_never(world: World) -> None:
    with pytest.raises(LocalError, match="response_required"):
        world.publish(response="sometimes")


# --- changes --------------------------------------------------------------------------------------------------------


def change(world: World, event_id: str, **changes: Any) -> None:
    world.tell(ModifyEvent(event=change_event(world.session.events[event_id].event, **changes)))


@pytest.mark.rule("R20")
@pytest.mark.parametrize(
    "changes",
    [
        {"dtstart": START + 2 * HOUR},
        {"intervals": [(5 * MINUTE, 3), (5 * MINUTE, 2)]},
        {"intervals": [(4 * MINUTE, 1), (6 * MINUTE, 2)]},
        {"intervals": [(5 * MINUTE, 1), (5 * MINUTE, 3)]},
        {"intervals": [(5 * MINUTE, 1), (MINUTE, 2)]},
        {"intervals": [(5 * MINUTE, 1)]},
    ],
)
def test_the_past_of_an_active_event_stays(world: World, changes: dict[str, Any]) -> None:
    event_id = world.publish()
    world.sleep(HOUR + 7 * MINUTE)
    before = world.session.events[event_id]
    with pytest.raises(LocalError, match="R20"):
        change(world, event_id, **changes)
    assert world.session.events[event_id] is before


@pytest.mark.rule("R20")
@pytest.mark.parametrize(
    "changes",
    [
        {"intervals": [(5 * MINUTE, 1), (8 * MINUTE, 2)]},
        {"intervals": [(5 * MINUTE, 1), (3 * MINUTE, 2)]},
        {"intervals": [(5 * MINUTE, 1), (5 * MINUTE, 2), (5 * MINUTE, 3)]},
        {"priority": 1, "vtn_comment": "c", "test_event": True, "market_context": "urn:other"},
    ],
)
def test_the_future_of_an_active_event_may_change(world: World, changes: dict[str, Any]) -> None:
    event_id = world.publish()
    world.sleep(HOUR + 7 * MINUTE)
    change(world, event_id, **changes)
    assert world.session.events[event_id].modification_number == 1


@pytest.mark.rule("R20")
def test_signal_of_an_active_event_cannot_be_taken_away(world: World) -> None:
    event_id = world.publish()
    world.sleep(HOUR + MINUTE)
    renamed = with_signal(world.session.events[event_id].event, signal_id="other")
    with pytest.raises(LocalError, match="R20"):
        world.tell(ModifyEvent(event=renamed))


@pytest.mark.rule("R20")
def test_finished_cancelled_and_unknown_events_do_not_change(world: World) -> None:
    over, dead = world.publish(), world.publish(in_=5 * HOUR)
    world.tell(CancelEvent(event_id=dead))
    world.sleep(2 * HOUR)
    for event_id in (over, dead):
        with pytest.raises(LocalError, match=r"completed|cancelled"):
            change(world, event_id, priority=1)
    with pytest.raises(LocalError, match="completed"):
        world.tell(CancelEvent(event_id=over))
    with pytest.raises(LocalError, match="not published"):
        world.tell(CancelEvent(event_id="unknown"))


def test_changed_event_must_keep_the_rules(world: World) -> None:
    event_id = world.publish()
    with pytest.raises(LocalError, match="R9"):
        change(world, event_id, intervals=[(MINUTE, 9)])
    with pytest.raises(LocalError, match="over"):
        change(world, event_id, dtstart=START - HOUR)
    assert world.session.events[event_id].modification_number == 0


def test_every_part_can_be_changed_and_taken_away() -> None:
    changed = change_event(
        event(),
        dtstart=START + 2 * HOUR,
        intervals=[(MINUTE, 1)],
        market_context="urn:other",
        priority=4,
        notification=HOUR,
        ramp_up=2 * MINUTE,
        recovery=3 * MINUTE,
        start_after=4 * MINUTE,
        test_event=True,
        vtn_comment="c",
        targets={"group_id": "g"},
        reason="why",
        signal_id="0",
        item_base=Therm(),
    )
    properties, descriptor = changed.ei_active_period.properties, changed.event_descriptor
    assert properties.tolerance is not None
    assert [
        str(one)
        for one in (
            properties.duration,
            properties.x_ei_notification,
            properties.x_ei_ramp_up,
            properties.x_ei_recovery,
            properties.tolerance.startafter,
        )
    ] == ["PT1M", "PT1H", "PT2M", "PT3M", "PT4M"]
    assert (descriptor.market_context, descriptor.priority, descriptor.vtn_comment) == ("urn:other", 4, "c")
    assert (descriptor.test_event, descriptor.modification_reason) == ("true", "why")
    assert changed.ei_target == EiTarget(group_id=("g",))
    taken = change_event(
        changed,
        priority=None,
        notification=None,
        ramp_up=None,
        recovery=None,
        start_after=None,
        test_event=False,
        vtn_comment=None,
        targets=None,
        reason=None,
        dtstart=START + HOUR,
        intervals=[(5 * MINUTE, 1), (5 * MINUTE, 2)],
        market_context="urn:m",
        item_base=None,
    )
    assert taken == event()


@pytest.mark.parametrize(
    ("path", "details"),
    [
        ("signal_name", {"signal_name": "PRICE"}),
        ("signal_name", {"signal_name": 5}),
        ("signal_type", {"signal_type": "cost"}),
        ("dtstart", {"dtstart": datetime(2026, 1, 1)}),  # noqa: DTZ001 - the case
        ("dtstart", {"dtstart": "now"}),
        ("intervals", {"intervals": []}),
        ("intervals[0]", {"intervals": [5]}),
        ("intervals[0]", {"intervals": [(60, 1)]}),
        ("intervals[0]", {"intervals": [(None, 1)]}),
        ("intervals[0]", {"intervals": [(MINUTE, "much")]}),
        ("intervals[0]", {"intervals": [(timedelta(seconds=1.5), 1)]}),
        ("ramp_up", {"ramp_up": 5}),
        ("targets", {"targets": {"resource": ["r"]}}),
        ("targets", {"targets": ["r"]}),
    ],
)
def test_wrong_argument_is_named(path: str, details: dict[str, Any]) -> None:
    with pytest.raises(LocalError) as caught:
        event(**details)
    assert caught.value.path == path


def test_changing_one_of_several_signals_needs_its_id(world: World) -> None:
    [signal] = event().ei_event_signals.ei_event_signal
    both = with_signal(event(), evolve(signal, signal_id="1"))
    with pytest.raises(LocalError, match="signal_id"):
        change_event(both, intervals=[(MINUTE, 1)])
    changed = change_event(both, intervals=[(10 * MINUTE, 3)], signal_id="1")
    assert [len(one.intervals) for one in changed.ei_event_signals.ei_event_signal] == [2, 1]
    assert world.tell(PublishEvent(event=changed))


def test_start_is_cut_to_whole_seconds_in_utc() -> None:
    from datetime import timezone

    zone = timezone(timedelta(hours=2))
    made = event(dtstart=datetime(2026, 1, 1, 12, 0, 0, 999, zone))
    assert made.ei_active_period.properties.dtstart == datetime(2026, 1, 1, 10, tzinfo=UTC)


def test_event_is_what_it_is(world: World) -> None:
    """A published event comes back as it was, apart from what the book says about it."""
    ven = world.ven()
    made = event(event_id="e", priority=2, vtn_comment="ä < ö", recovery=-MINUTE, targets={"resource_id": ["r"]})
    world.tell(PublishEvent(event=made))
    [sent] = ven.poll().oadr_event
    assert isinstance(sent, Event)
    [signal] = sent.ei_event.ei_event_signals.ei_event_signal
    assert with_signal(sent.ei_event, current_value=None) == evolve(
        made, event_descriptor=evolve(made.event_descriptor, created_date_time=START)
    )
    assert signal.current_value == 0
