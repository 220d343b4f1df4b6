"""Reports of the VTN's own, for VENs that ask for them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from oadr_core import LocalError
from oadr_core.engine import Trouble
from oadr_core.engine.copying import evolve
from oadr_core.model import (
    METADATA,
    CanceledReport,
    CancelReport,
    CreatedReport,
    CreateReport,
    DataQuality,
    Duration,
    EiResponse,
    Properties,
    RegisteredReport,
    RegisterReport,
    ReportRequest,
    ReportSpecifier,
    Response,
    SpecifierPayload,
    UpdatedReport,
    UpdateReport,
)
from oadr_core.vtn import (
    Collection,
    EndRegistration,
    ProvideReport,
    Reading,
    ReportCancelled,
    ReportDelivered,
    ReportDue,
    ReportOffer,
    ReportRequested,
    VtnConfig,
    VtnLimits,
)
from tests.core.vtn.test_reports import WorldMaker, offer, states
from tests.core.vtn.world import HOUR, MINUTE, START, Ven, World

SECOND = timedelta(seconds=1)
PRICES = ReportOffer(report=offer("prices", "a", "b", shortest=10, longest=600))
STATES = ReportOffer(report=states())
LOG = ReportOffer(report=offer("log", name="METADATA_HISTORY_USAGE", sampled=False))


@pytest.fixture
def world(make_world: WorldMaker) -> World:
    """A VTN that has reports to offer."""
    return make_world(offered_reports=(PRICES, STATES, LOG))


def asking(world: World) -> Ven:
    """A VEN that knows what the VTN offers."""
    ven = world.ven()
    ven.settle()
    return ven


def wish(
    specifier: str = "prices", *r_ids: str, name: str = "q", step: int = 60, back: int = 60, **period: Any
) -> ReportRequest:
    interval = Properties(**{"dtstart": START, "duration": timedelta(), **period})
    return ReportRequest(
        report_request_id=name,
        report_specifier=ReportSpecifier(
            report_specifier_id=specifier,
            granularity=Duration(seconds=step),
            report_back_duration=Duration(seconds=back),
            report_interval=interval,
            specifier_payload=tuple(SpecifierPayload(r_id=r_id) for r_id in r_ids or ("a",)),
        ),
    )


def ask(world: World, ven: Ven, *wishes: ReportRequest) -> CreatedReport:
    reply = world.send(CreateReport(request_id="c", oadr_report_request=wishes, ven_id=ven.ven_id))
    assert isinstance(reply, CreatedReport)
    return reply


def provide(world: World, value: float = 1.5) -> ReportDue:
    """Answer the last question of the VTN."""
    due = world.said(ReportDue)[-1]
    readings = tuple(Reading(r_id=r_id, value=value) for r_id in due.r_ids)
    world.tell(ProvideReport(ven_id=due.ven_id, report_request_id=due.report_request_id, at=due.at, readings=readings))
    return due


def confirm(world: World, ven: Ven, code: str = "200", cancel: CancelReport | None = None) -> Any:
    return world.send(
        UpdatedReport(ei_response=EiResponse(response_code=code), oadr_cancel_report=cancel, ven_id=ven.ven_id)
    )


def values(message: Any) -> list[tuple[str, str, float, float]]:
    """Request, data point, seconds from START, and value of everything in a message."""
    assert isinstance(message, UpdateReport)
    return [
        (report.report_request_id, payload.r_id, (interval.dtstart - START) / SECOND, payload.payload_base)
        for report in message.oadr_report
        for interval in report.intervals
        for payload in interval.stream_payload_base
    ]


@pytest.mark.rule("R301")
@pytest.mark.rule("R306")
@pytest.mark.rule("R311")
def test_new_ven_is_told_what_there_is(world: World) -> None:
    ven = world.ven()
    [listed] = ven.drain()
    assert isinstance(listed, RegisterReport)
    assert listed.report_request_id is None
    assert listed.oadr_report == (PRICES.report, STATES.report, LOG.report)
    answer = RegisteredReport(ei_response=EiResponse(request_id=listed.request_id), ven_id=ven.ven_id)
    assert world.send(answer).ei_response.ok


@pytest.mark.rule("R324")
@pytest.mark.rule("R510")
def test_single_report_is_asked_for_and_comes_at_once(world: World) -> None:
    ven = asking(world)
    assert ask(world, ven, wish("prices", "a", "b", back=0)).ei_response.ok
    [requested, due] = world.last
    assert isinstance(requested, ReportRequested)
    assert isinstance(due, ReportDue)
    assert (requested.ven_id, due.ven_id, due.r_ids) == (ven.ven_id, ven.ven_id, ("a", "b"))
    provide(world, 4.5)
    [message] = ven.drain()
    assert values(message) == [("q", "a", 0, 4.5), ("q", "b", 0, 4.5)]
    assert isinstance(confirm(world, ven), Response)
    [delivered] = world.last
    assert isinstance(delivered, ReportDelivered)
    assert delivered.ven_id == ven.ven_id
    assert world.session.vens[ven.ven_id].jobs == {}


@pytest.mark.rule("R317")
@pytest.mark.rule("R325")
@pytest.mark.rule("R329")
def test_periodic_report_is_sampled_at_round_times_and_sent(world: World) -> None:
    ven = asking(world)
    reply = ask(world, ven, wish(step=60, back=120, duration=5 * MINUTE))
    assert reply.oadr_pending_reports == ("q",)
    for _ in range(10):
        if world.session.vens[ven.ven_id].jobs and world.said(ReportDue)[-1].at == world.now.wall:
            provide(world, world.elapsed / SECOND)
        world.sleep(MINUTE)
    found = []
    while isinstance(message := ven.poll(), UpdateReport):
        found += values(message)
        confirm(world, ven)
    assert found == [("q", "a", float(at), float(at)) for at in (0, 60, 120, 180, 240)]
    assert world.session.vens[ven.ven_id].jobs == {}
    assert world.session.next_timer(world.now) is None


@pytest.mark.rule("R318")
def test_application_that_does_not_answer_makes_a_placeholder(world: World) -> None:
    ven = asking(world)
    ask(world, ven, wish(back=0))
    world.sleep(5 * MINUTE)
    [message] = ven.drain()
    [report] = message.oadr_report
    [interval] = report.intervals
    assert interval.stream_payload_base[0].oadr_data_quality is DataQuality.QUALITY_BAD_NON_SPECIFIC


@pytest.mark.rule("R325")
def test_history_is_asked_for_as_a_whole(world: World) -> None:
    ven = asking(world)
    assert ask(world, ven, wish("log", "r", step=0, back=0, dtstart=START - HOUR)).ei_response.ok
    due = world.said(ReportDue)[-1]
    assert (due.since, due.at, due.collection) == (START - HOUR, START, Collection.FULL)


@pytest.mark.rule("R304")
@pytest.mark.rule("R340")
@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (wish("other"), "452"),
        (wish("prices", "z"), "452"),
        (wish(step=5, back=60), "454"),
        (wish(step=60, back=7200), "454"),
    ],
)
def test_what_is_not_offered_is_refused_and_the_rest_served(world: World, wrong: ReportRequest, code: str) -> None:
    ven = asking(world)
    reply = ask(world, ven, evolve(wrong, report_request_id="bad"), wish())
    assert (reply.ei_response.response_code, reply.oadr_pending_reports) == (code, ("q",))
    assert [trouble.code for trouble in world.said(Trouble)] == [code]


@pytest.mark.rule("R336")
@pytest.mark.rule("R345")
@pytest.mark.parametrize("follow", [False, True])
def test_request_is_taken_back(world: World, follow: bool) -> None:
    ven = asking(world)
    ask(world, ven, wish(back=600), wish(name="other"))
    provide(world)
    cancel = CancelReport(
        request_id="x", report_request_id=("q", "unknown"), report_to_follow=follow, ven_id=ven.ven_id
    )
    reply = world.send(cancel)
    assert isinstance(reply, CanceledReport)
    assert reply.ei_response.response_code == "452"
    assert "other" in reply.oadr_pending_reports
    assert [note.ven_id for note in world.said(ReportCancelled)] == [ven.ven_id]
    world.sleep(MINUTE)
    sent = {request for message in ven.drain() for request, *_ in values(message)}
    assert ("q" in sent) is follow


@pytest.mark.rule("R328")
def test_request_is_taken_back_in_the_answer_to_its_values(world: World) -> None:
    ven = asking(world)
    ask(world, ven, wish())
    provide(world)
    world.sleep(2 * MINUTE)
    assert isinstance(ven.poll(), UpdateReport)
    nested = CancelReport(request_id="x", report_request_id=("q",), ven_id=ven.ven_id)
    assert confirm(world, ven, cancel=nested).ei_response.ok
    assert world.session.vens[ven.ven_id].jobs == {}
    assert world.session.next_timer(world.now) is None


@pytest.mark.rule("R306")
@pytest.mark.rule("R327")
def test_metadata_are_sent_again_as_often_as_they_are_asked_for(world: World) -> None:
    ven = asking(world)
    request = wish(METADATA, "0", step=0, back=3600)
    assert ask(world, ven, request).oadr_pending_reports == ("q",)
    found = []
    for _ in range(3):
        found += [message.report_request_id for message in ven.drain() if isinstance(message, RegisterReport)]
        world.sleep(HOUR)
    assert found == ["q"] * 3


@pytest.mark.rule("R510")
def test_without_reports_periodic_metadata_are_sent_once(make_world: WorldMaker) -> None:
    world = make_world()
    ven = asking(world)
    assert ask(world, ven, wish(METADATA, "0", step=0, back=3600)).oadr_pending_reports == ()
    [listed] = ven.drain()
    assert (listed.report_request_id, listed.oadr_report) == ("q", ())
    world.send(RegisteredReport(ei_response=EiResponse(), ven_id=ven.ven_id))
    world.sleep(3 * HOUR)
    assert ven.drain() == []


def test_each_ven_has_reports_of_its_own(world: World) -> None:
    one, other = asking(world), world.ven("other")
    other.settle()
    ask(world, one, wish(back=0))
    first = world.said(ReportDue)[-1]
    ask(world, other, wish(back=0))
    provide(world, 2.0)
    world.tell(
        ProvideReport(ven_id=one.ven_id, report_request_id="q", at=first.at, readings=(Reading(r_id="a", value=1.0),))
    )
    assert [values(message)[0][3] for message in one.drain()] == [1.0]
    assert [values(message)[0][3] for message in other.drain()] == [2.0]


def test_report_waits_until_the_mailbox_has_room(make_world: WorldMaker) -> None:
    world = make_world(offered_reports=(PRICES, STATES), limits=VtnLimits(mailbox=1))
    ven = world.ven()
    ask(world, ven, wish(back=0))
    provide(world)
    world.sleep(MINUTE)
    [listed] = ven.drain()
    assert isinstance(listed, RegisterReport)
    world.send(RegisteredReport(ei_response=EiResponse(), ven_id=ven.ven_id))
    assert isinstance(ven.poll(), UpdateReport)


def test_reports_go_on_after_a_restart(world: World) -> None:
    ven = asking(world)
    ask(world, ven, wish(back=120))
    provide(world, 1.0)
    world.restart()
    world.sleep(MINUTE)
    assert world.said(ReportDue)[-1].at == START + MINUTE
    world.restart()
    world.sleep(timedelta())
    provide(world, 2.0)
    world.sleep(MINUTE)
    world.restart()
    [message] = ven.drain()
    assert values(message) == [("q", "a", 0, 1.0), ("q", "a", 60, 2.0)]


@pytest.mark.rule("R306")
def test_another_configuration_is_told_and_ends_what_was_requested(make_world: WorldMaker) -> None:
    world = make_world(offered_reports=(PRICES, STATES))
    ven = asking(world)
    ask(world, ven, wish())
    other = make_world(offered_reports=(LOG, STATES, PRICES))
    records = {key: data for key, data in world.saved.items() if data is not None}
    other.session = type(world.session).restore(other.session.config, records)
    ven.world = other
    [listed] = [message for message in ven.drain() if isinstance(message, RegisterReport)]
    assert listed.oadr_report[0].report_specifier_id == "log"
    assert other.session.vens[ven.ven_id].jobs == {}


def test_reports_of_a_ven_that_is_gone_are_asked_for_no_more(world: World) -> None:
    ven = asking(world)
    ask(world, ven, wish())
    world.tell(EndRegistration(ven_id=ven.ven_id, at_once=True))
    assert world.session.next_timer(world.now) is None
    with pytest.raises(LocalError, match="not registered"):
        provide(world)


def test_refused_report_is_told(world: World) -> None:
    ven = asking(world)
    ask(world, ven, wish(back=0))
    provide(world)
    ven.drain()
    confirm(world, ven, code="454")
    [trouble] = world.said(Trouble)
    assert (trouble.code, type(trouble.lost)) == ("454", UpdateReport)
    assert world.said(ReportDelivered) == []


@pytest.mark.rule("R308")
def test_what_cannot_be_offered_is_refused_at_once() -> None:
    with pytest.raises(LocalError) as caught:
        VtnConfig(vtn_id="VTN", offered_reports=(PRICES, PRICES))
    assert caught.value.rule == "R308"
