"""What is asked for of VENs by standing rules, how that changes meanwhile, and what outlives a change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oadr_core import LocalError, encode
from oadr_core.engine import ReplyArrived, SendRequest, Trouble
from oadr_core.engine.copying import evolve
from oadr_core.model import (
    METADATA,
    CanceledReport,
    CancelReport,
    CreatedReport,
    CreateReport,
    Duration,
    EiResponse,
    Interval,
    RegisteredReport,
    RegisterReport,
    ReportSpecifier,
    Response,
    SamplingRate,
)
from oadr_core.vtn import (
    AskReport,
    ReportKind,
    ReportPolicy,
    ReportRequestMade,
    ReportRule,
    SetReportPolicy,
    StopReports,
    VtnLimits,
)
from tests.core.vtn.test_reports import (
    SECOND,
    WorldMaker,
    confirm,
    data,
    ids,
    number,
    offer,
    offering,
    register,
    update,
)
from tests.core.vtn.world import HOUR, MINUTE, START, Ven, World

SLOW = ReportPolicy(rules=(ReportRule(granularity=5 * MINUTE),))


@pytest.fixture
def quiet(make_world: WorldMaker) -> World:
    """A VTN that asks for nothing by itself."""
    return make_world(reports=ReportPolicy(rules=()))


def specifiers(message: CreateReport) -> list[ReportSpecifier]:
    return [one.report_specifier for one in message.oadr_report_request]


def told(world: World, ven: Ven) -> tuple[list[str], list[tuple[str, int]]]:
    """What a VEN hears and obeys: the requests that are cancelled, and specifier and granularity of new ones."""
    gone: list[str] = []
    new: list[tuple[str, int]] = []
    for message in ven.drain():
        if isinstance(message, CancelReport):
            gone += message.report_request_id
            world.send(CanceledReport(ei_response=EiResponse(), ven_id=ven.ven_id))
        elif isinstance(message, CreateReport):
            new += [(one.report_specifier_id, one.granularity.seconds) for one in specifiers(message)]
            confirm(world, ven, *ids(message))
    return gone, new


def requests(world: World, ven: Ven) -> dict[str, tuple[str, int]]:
    """Specifier and granularity of every request."""
    return {
        one: (made.request.report_specifier.report_specifier_id, made.request.report_specifier.granularity.seconds)
        for one, made in world.session.vens[ven.ven_id].requests.items()
    }


def on_change(shortest: int = 10) -> Any:
    report = offer("c")
    [described] = report.oadr_report_description
    rate = SamplingRate(
        oadr_min_period=Duration(seconds=shortest), oadr_max_period=Duration(seconds=3600), oadr_on_change=True
    )
    return evolve(report, oadr_report_description=(evolve(described, oadr_sampling_rate=rate),))


# --- kinds of requests ----------------------------------------------------------------------------------------------


@pytest.mark.rule("R317")
@pytest.mark.rule("R324")
@pytest.mark.rule("R325")
@pytest.mark.parametrize(
    ("rule", "report", "granularity", "back", "since", "length"),
    [
        ({}, offer(), 10, 10, 0, 0),
        ({"granularity": MINUTE, "duration": HOUR}, offer(), 60, 60, 0, 3600),
        ({"ask": "on change"}, on_change(), 0, 60, 0, 0),
        ({"ask": "on change", "report_back_duration": 5 * MINUTE}, on_change(), 0, 300, 0, 0),
        ({"ask": "once"}, offer(), 0, 0, 0, 0),
        ({"ask": "history"}, offer(name="METADATA_HISTORY_USAGE"), 0, 0, -3600, 0),
        ({"ask": "history", "history": 5 * MINUTE}, offer(name="METADATA_HISTORY_USAGE"), 0, 0, -300, 0),
        ({"ask": "history", "history": 9 * HOUR}, offer(name="METADATA_HISTORY_USAGE"), 0, 0, -3600, 0),
    ],
)
def test_every_kind_of_report_is_asked_for_by_a_rule(
    make_world: WorldMaker, rule: dict[str, Any], report: Any, granularity: int, back: int, since: int, length: int
) -> None:
    world = make_world(reports=ReportPolicy(rules=(ReportRule(**rule),)))
    [specifier] = specifiers(offering(world, report).poll())
    assert (specifier.granularity.seconds, specifier.report_back_duration.seconds) == (granularity, back)
    assert specifier.report_interval is not None
    assert specifier.report_interval.dtstart == START + since * SECOND
    assert specifier.report_interval.duration.seconds == length


@pytest.mark.rule("R317")
def test_on_change_report_need_not_bring_everything(make_world: WorldMaker) -> None:
    world = make_world(reports=ReportPolicy(rules=(ReportRule(ask=ReportKind.ON_CHANGE),)))
    ven = offering(
        world,
        evolve(
            on_change(),
            oadr_report_description=(
                *on_change().oadr_report_description,
                evolve(on_change().oadr_report_description[0], r_id="other"),
            ),
        ),
    )
    [mine] = ids(ven.poll())
    point = Interval(dtstart=START, stream_payload_base=(number("r", 1.0),))
    assert update(world, ven, data(point, request=mine, specifier="c")).ei_response.ok
    assert not world.said(Trouble)


@pytest.mark.rule("R324")
def test_request_that_was_for_one_report_is_over_with_it(quiet: World) -> None:
    ven = offering(quiet, offer())
    quiet.tell(AskReport(ven_id=ven.ven_id, report_specifier_id="s", report_back_duration=timedelta()))
    [mine] = ids(ven.poll())
    confirm(quiet, ven, mine)
    point = Interval(dtstart=START, stream_payload_base=(number("r", 1.0),))
    assert update(quiet, ven, data(point, request=mine)).ei_response.ok
    assert requests(quiet, ven) == {}
    assert update(quiet, ven, data(point, request=mine)).ei_response.ok, "the same again, for the reply was lost"
    assert [report.repeated for report in quiet.received] == [False]


@pytest.mark.rule("R317")
def test_values_on_change_that_are_not_offered_are_refused_at_once(quiet: World) -> None:
    ven = offering(quiet, offer())
    wish = AskReport(ven_id=ven.ven_id, report_specifier_id="s", granularity=timedelta(), report_back_duration=MINUTE)
    with pytest.raises(LocalError) as caught:
        quiet.tell(wish)
    assert (caught.value.path, caught.value.rule) == ("granularity", "R317")
    register(quiet, ven, on_change())
    quiet.tell(evolve(wish, report_specifier_id="c"))
    [specifier] = specifiers(ven.poll())
    assert (specifier.granularity.seconds, specifier.report_back_duration.seconds) == (0, 60)


@pytest.mark.rule("R317")
@pytest.mark.parametrize(("shortest_s", "back_s"), [(10, 60), (900, 900)])
def test_values_on_change_come_each_minute_or_as_often_as_they_can(
    quiet: World, shortest_s: int, back_s: int
) -> None:
    ven = offering(quiet, on_change(shortest_s))
    quiet.tell(AskReport(ven_id=ven.ven_id, report_specifier_id="c", granularity=timedelta()))
    [specifier] = specifiers(ven.poll())
    assert (specifier.granularity.seconds, specifier.report_back_duration.seconds) == (0, back_s)
    with pytest.raises(LocalError) as caught:
        quiet.tell(
            AskReport(
                ven_id=ven.ven_id,
                report_specifier_id="c",
                granularity=timedelta(),
                report_back_duration=timedelta(seconds=shortest_s - 1),
            )
        )
    assert (caught.value.path, caught.value.rule) == ("report_back_duration", "R317")


@pytest.mark.rule("R340")
@pytest.mark.parametrize("late_s", [0, 1, 59])
def test_all_history_that_is_offered_can_be_asked_for_by_its_start(quiet: World, late_s: int) -> None:
    ven = offering(quiet, offer("h", name="METADATA_HISTORY_USAGE"))
    quiet.sleep(timedelta(seconds=late_s))
    quiet.tell(AskReport(ven_id=ven.ven_id, report_specifier_id="h", dtstart=START - HOUR))
    [specifier] = specifiers(ven.poll())
    assert specifier.report_interval is not None
    assert specifier.report_interval.dtstart == START - HOUR + timedelta(seconds=late_s)


@pytest.mark.rule("R340")
@pytest.mark.parametrize("wish", [{"dtstart": START - 2 * HOUR}, {"dtstart": START - HOUR, "duration": 2 * HOUR}])
def test_more_history_than_is_offered_is_refused_at_once(quiet: World, wish: dict[str, Any]) -> None:
    ven = offering(quiet, offer("h", name="METADATA_HISTORY_USAGE"))
    with pytest.raises(LocalError) as caught:
        quiet.tell(AskReport(ven_id=ven.ven_id, report_specifier_id="h", **wish))
    assert caught.value.rule == "R340"


@pytest.mark.rule("R325")
def test_history_without_a_start_is_all_that_is_offered(quiet: World) -> None:
    ven = offering(quiet, offer("h", name="METADATA_HISTORY_USAGE"))
    quiet.tell(AskReport(ven_id=ven.ven_id, report_specifier_id="h"))
    [specifier] = specifiers(ven.poll())
    assert specifier.report_interval is not None
    assert specifier.report_interval.dtstart == START - HOUR


def test_ven_is_asked_for_so_many_reports_and_no_more(make_world: WorldMaker) -> None:
    world = make_world(reports=ReportPolicy(rules=()), limits=VtnLimits(report_requests=2))
    ven = offering(world, offer())
    for _ in range(2):
        world.tell(AskReport(ven_id=ven.ven_id, report_specifier_id="s", duration=HOUR))
        confirm(world, ven, *ids(ven.poll()))
    with pytest.raises(LocalError, match="limits/report_requests"):
        world.tell(AskReport(ven_id=ven.ven_id, report_specifier_id="s"))
    world.sleep(2 * HOUR)
    world.tell(AskReport(ven_id=ven.ven_id, report_specifier_id="s"))  # what is over makes room
    world.tell(SetReportPolicy(policy=ReportPolicy()))
    register(world, ven, offer("s"), offer("t"), offer("u"))
    assert len(requests(world, ven)) == 2
    assert "limit" in world.said(Trouble)[-1].text


# --- another policy -------------------------------------------------------------------------------------------------


def test_another_policy_replaces_what_differs_and_leaves_the_rest(world: World) -> None:
    ven = offering(world, offer("s"), offer("t"))
    told(world, ven)
    before = requests(world, ven)
    s, t = before
    rules = (ReportRule(report_specifier_id="s", granularity=MINUTE), ReportRule(report_specifier_id="t"))
    world.tell(SetReportPolicy(policy=ReportPolicy(rules=rules)))
    assert told(world, ven) == ([s], [("s", 60)])
    after = requests(world, ven)
    assert after[t] == before[t]
    assert sorted(after.values()) == [("s", 60), ("t", 10)]
    assert world.session.report_policy.rules == rules
    world.tell(SetReportPolicy(policy=None))
    assert told(world, ven)[1] == [("s", 10)]
    assert told(world, ven) == ([], [])


def test_policy_that_asks_for_nothing_takes_all_back_but_what_somebody_wants(world: World) -> None:
    ven = offering(world, offer("s"), offer("t"))
    told(world, ven)
    by_policy = set(requests(world, ven))
    [made] = world.tell(AskReport(ven_id=ven.ven_id, report_specifier_id="s"))
    assert isinstance(made, ReportRequestMade)
    told(world, ven)
    world.tell(SetReportPolicy(policy=ReportPolicy(rules=())))
    gone, new = told(world, ven)
    assert (set(gone), new) == (by_policy, [])
    assert set(requests(world, ven)) == {made.report_request_id}


def test_setting_a_policy_touches_no_ven_until_it_comes(world: World) -> None:
    ven = offering(world, offer())
    told(world, ven)
    before, saves = world.session.vens[ven.ven_id], world.saves
    world.tell(SetReportPolicy(policy=SLOW))
    assert world.session.vens[ven.ven_id] is before
    assert world.saves == saves + 1
    world.tell(SetReportPolicy(policy=SLOW))
    assert world.saves == saves + 1


def test_policy_outlives_a_restart_and_so_do_its_effects(world: World) -> None:
    ven, late = offering(world, offer()), world.ven("late")
    told(world, ven)
    world.tell(SetReportPolicy(policy=SLOW))
    world.restart()
    assert world.session.report_policy == SLOW
    gone, new = told(world, ven)
    assert (len(gone), new) == (1, [("s", 300)])
    world.restart()
    assert told(world, ven) == ([], [])
    late.settle()
    register(world, late, offer())
    assert told(world, late) == ([], [("s", 300)])


def test_another_configuration_is_followed_after_a_restart(make_world: WorldMaker) -> None:
    world = make_world()
    ven = offering(world, offer())
    told(world, ven)
    records = {key: data for key, data in world.saved.items() if data is not None}
    other = make_world(reports=SLOW)
    other.session = type(world.session).restore(other.session.config, records)
    gone, new = told(other, at(other, ven))
    assert (len(gone), new) == (1, [("s", 300)])


def at(world: World, ven: Ven) -> Ven:
    """The same VEN, talking to another VTN."""
    again = Ven(world, ven.name)
    again.ven_id, again.registration_id = ven.ven_id, ven.registration_id
    return again


def test_pushed_ven_hears_of_another_policy_at_once(world: World) -> None:
    ven = world.ven(oadr_http_pull_model=False, oadr_transport_address="http://ven.example")
    register(world, ven, offer())

    def answer(reply: Any) -> Any:
        sent = world.pushed.pop()
        assert isinstance(sent, SendRequest)
        world.tell(ReplyArrived(exchange=sent.exchange, data=encode(reply)))
        return sent.payload

    answer(RegisteredReport(ei_response=EiResponse(), ven_id=ven.ven_id))
    answer(CreatedReport(ei_response=EiResponse(), oadr_pending_reports=tuple(requests(world, ven)), ven_id=ven.ven_id))
    assert world.pushed == []
    world.tell(SetReportPolicy(policy=SLOW))
    assert isinstance(answer(CanceledReport(ei_response=EiResponse(), ven_id=ven.ven_id)), CancelReport)
    [sent] = world.pushed
    assert isinstance(sent.payload, CreateReport)  # type: ignore[attr-defined]  # it is a request


def test_full_mailbox_delays_another_policy(make_world: WorldMaker) -> None:
    world = make_world(limits=VtnLimits(mailbox=3))
    ven = offering(world, offer())
    told(world, ven)
    for _ in range(2):
        world.tell(AskReport(ven_id=ven.ven_id, report_specifier_id="s"))
    world.tell(SetReportPolicy(policy=SLOW))
    assert told(world, ven) == ([], [("s", 10)] * 2)
    assert told(world, ven)[1] == [("s", 300)]


def test_single_reports_that_were_served_are_not_asked_for_again_by_another_policy(make_world: WorldMaker) -> None:
    once = ReportRule(ask=ReportKind.ONCE, report_specifier_id="s")
    world = make_world(reports=ReportPolicy(rules=(once,)))
    ven = offering(world, offer("s"), offer("t"))
    [mine] = ids(ven.poll())
    confirm(world, ven, mine)
    update(world, ven, data(Interval(dtstart=START, stream_payload_base=(number("r", 1.0),)), request=mine))
    world.tell(SetReportPolicy(policy=ReportPolicy(rules=(once, ReportRule()))))
    assert told(world, ven) == ([], [("t", 10)])


def test_single_report_that_never_came_is_asked_for_again_by_another_policy(make_world: WorldMaker) -> None:
    once = ReportPolicy(rules=(ReportRule(ask=ReportKind.ONCE),))
    world = make_world(reports=once)
    ven = offering(world, offer("s"))
    told(world, ven)
    world.tell(SetReportPolicy(policy=ReportPolicy(rules=())))
    assert told(world, ven)[1] == []
    world.tell(SetReportPolicy(policy=once))
    assert told(world, ven) == ([], [("s", 0)])


# --- what somebody asked for ----------------------------------------------------------------------------------------


@pytest.mark.rule("R306")
def test_wish_is_asked_for_again_when_reports_are_offered_anew(quiet: World) -> None:
    ven = offering(quiet, offer("s", "a", "b"), offer("t"))
    wish = AskReport(ven_id=ven.ven_id, report_specifier_id="s", r_ids=("b",), granularity=MINUTE)
    [made] = quiet.tell(wish)
    assert isinstance(made, ReportRequestMade)
    confirm(quiet, ven, *ids(ven.poll()))
    quiet.sleep(MINUTE)
    register(quiet, ven, offer("s", "a", "b", "c"))
    message = ven.poll()
    [again] = specifiers(message)
    assert ids(message) != (made.report_request_id,), "R322: a new request has a new identifier"
    assert [one.r_id for one in again.specifier_payload] == ["b"]
    assert again.granularity == Duration(seconds=60)
    assert again.report_interval is not None
    assert again.report_interval.dtstart == START + MINUTE


@pytest.mark.rule("R306")
@pytest.mark.parametrize("restarts", [False, True])
def test_wish_outlives_a_new_registration(quiet: World, restarts: bool) -> None:
    ven = offering(quiet, offer("s"))
    quiet.tell(AskReport(ven_id=ven.ven_id, report_specifier_id="s", granularity=MINUTE, duration=HOUR))
    confirm(quiet, ven, *ids(ven.poll()))
    assert ven.register().ei_response.ok
    if restarts:
        quiet.restart()
    ven.settle()
    quiet.sleep(10 * MINUTE)
    register(quiet, ven, offer("s"))
    [again] = specifiers(ven.poll())
    assert again.report_interval is not None
    assert again.report_interval.dtstart == START + 10 * MINUTE
    assert again.report_interval.duration.seconds == 50 * 60
    register(quiet, ven, offer("s"))
    assert len(requests(quiet, ven)) == 1, "one wish is one request"


@pytest.mark.rule("R306")
@pytest.mark.parametrize(
    "now_offered", [(), (offer("other"),), (offer("s", "other"),), (offer("s", shortest=300),)], ids=str
)
def test_wish_that_cannot_be_had_any_more_is_told_and_dropped(quiet: World, now_offered: Any) -> None:
    ven = offering(quiet, offer("s"))
    quiet.tell(AskReport(ven_id=ven.ven_id, report_specifier_id="s", granularity=MINUTE))
    register(quiet, ven, *now_offered)
    [trouble] = quiet.said(Trouble)
    assert "'s'" in trouble.text
    register(quiet, ven, offer("s"))
    assert requests(quiet, ven) == {}


@pytest.mark.rule("R306")
def test_wish_that_was_served_or_taken_back_or_is_over_is_none_any_more(quiet: World) -> None:
    ven = offering(quiet, offer("s"))
    tell = quiet.tell
    [once] = tell(AskReport(ven_id=ven.ven_id, report_specifier_id="s", report_back_duration=timedelta()))
    [back] = tell(AskReport(ven_id=ven.ven_id, report_specifier_id="s"))
    tell(AskReport(ven_id=ven.ven_id, report_specifier_id="s", duration=MINUTE))
    told(quiet, ven)
    update(
        quiet,
        ven,
        data(Interval(dtstart=START, stream_payload_base=(number("r", 1.0),)), request=once.report_request_id),
    )
    tell(StopReports(ven_id=ven.ven_id, report_request_ids=(back.report_request_id,)))
    quiet.sleep(HOUR)
    register(quiet, ven, offer("s"))
    assert requests(quiet, ven) == {}


@pytest.mark.rule("R341")
@pytest.mark.parametrize(("later_s", "counts"), [(90, True), (150, False)])
def test_last_report_of_a_request_may_be_late(quiet: World, later_s: int, counts: bool) -> None:
    ven = offering(quiet, offer("s"))
    [made] = quiet.tell(AskReport(ven_id=ven.ven_id, report_specifier_id="s", granularity=MINUTE, duration=HOUR))
    confirm(quiet, ven, *ids(ven.poll()))
    quiet.sleep(HOUR + timedelta(seconds=later_s))
    quiet.tell(AskReport(ven_id=ven.ven_id, report_specifier_id="s"))
    assert (made.report_request_id in quiet.session.vens[ven.ven_id].requests) is counts
    one = Interval(dtstart=quiet.now.wall.replace(microsecond=0), stream_payload_base=(number("r", 1.0),))
    assert update(quiet, ven, data(one, request=made.report_request_id)).ei_response.ok


@pytest.mark.rule("R306")
@pytest.mark.rule("R327")
def test_periodic_request_for_metadata_outlives_new_metadata(quiet: World) -> None:
    ven = offering(quiet, offer("s"))
    [lasting] = quiet.tell(AskReport(ven_id=ven.ven_id, report_specifier_id=METADATA, report_back_duration=HOUR))
    [once] = quiet.tell(AskReport(ven_id=ven.ven_id, report_specifier_id=METADATA))
    told(quiet, ven)
    answer = RegisterReport(
        request_id="x", oadr_report=(offer("s"),), ven_id=ven.ven_id, report_request_id=once.report_request_id
    )
    assert quiet.send(answer).ei_response.ok
    assert set(requests(quiet, ven)) == {lasting.report_request_id}
    assert isinstance(ven.poll(), Response)


def test_stopping_twice_is_stopping_once(quiet: World) -> None:
    ven = offering(quiet, offer("s"))
    [made] = quiet.tell(AskReport(ven_id=ven.ven_id, report_specifier_id="s"))
    told(quiet, ven)
    for _ in range(2):
        quiet.tell(StopReports(ven_id=ven.ven_id, report_request_ids=(made.report_request_id,)))
    assert told(quiet, ven) == ([made.report_request_id], [])


# --- any order ------------------------------------------------------------------------------------------------------

POLICIES = st.sampled_from(
    [
        ReportPolicy(),
        ReportPolicy(rules=()),
        SLOW,
        ReportPolicy(rules=(ReportRule(report_specifier_id="s", granularity=MINUTE), ReportRule(ask="nothing"))),
        ReportPolicy(piggy_back=True),
        ReportPolicy(rules=(ReportRule(ask="once", report_specifier_id="t"), ReportRule())),
    ]
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("policy"), POLICIES),
        st.tuples(st.just("offer"), st.lists(st.sampled_from("stu"), unique=True)),
        st.tuples(st.just("poll"), st.none()),
        st.tuples(st.just("ask"), st.sampled_from("stu")),
        st.tuples(st.just("register"), st.none()),
        st.tuples(st.just("restart"), st.none()),
    ),
    max_size=12,
)


@pytest.mark.rule("R306")
@given(STEPS)
@settings(max_examples=60)
def test_whatever_happens_the_ven_ends_with_what_is_wanted(
    validate: Callable[[bytes], None], steps: list[tuple[str, Any]]
) -> None:
    """After any number of changes, a VEN that has read its messages serves just what the policy asks for of its last
    offer, and the wishes that are still on offer.
    """
    world = World(validate)
    ven = world.ven()
    ven.settle()
    offered: list[str] = []
    wishes: list[str] = []
    for step, what in steps:
        if step == "policy":
            world.tell(SetReportPolicy(policy=what))
        elif step == "offer":
            offered = what
            wishes = [wish for wish in wishes if wish in offered]
            reply = register(world, ven, *map(offer, offered))
            if reply.oadr_report_request:
                confirm(world, ven, *(one.report_request_id for one in reply.oadr_report_request))
        elif step == "poll":
            told(world, ven)
        elif step == "ask" and what in offered:
            world.tell(AskReport(ven_id=ven.ven_id, report_specifier_id=what, granularity=2 * MINUTE))
            wishes.append(what)
        elif step == "register":
            ven.register()
            offered = []
            ven.settle()
        elif step == "restart":
            world.restart()
    told(world, ven)
    rules = world.session.report_policy.rules
    expected = [(wish, 120) for wish in wishes if wish in offered]
    for specifier in offered:
        for rule in rules:
            if rule.report_specifier_id in ("*", specifier):
                if rule.ask is not ReportKind.NOTHING:
                    once = rule.ask is ReportKind.ONCE
                    expected.append((specifier, 0 if once else int((rule.granularity or 10 * SECOND) / SECOND)))
                break
    assert sorted(requests(world, ven).values()) == sorted(expected)
    assert all(made.confirmed for made in world.session.vens[ven.ven_id].requests.values())
