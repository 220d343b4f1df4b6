"""Reports: what VENs offer, what is asked for, and the values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oadr_core import LocalError, encode
from oadr_core.engine import RequestArrived, SaveState, SendReply, Trouble
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
    EiTarget,
    Interval,
    LoadControlState,
    LoadControlStates,
    PayloadResourceStatus,
    ReadingType,
    RegisteredReport,
    RegisterReport,
    Report,
    ReportDescription,
    ReportName,
    ReportPayload,
    ReportRequest,
    ReportSpecifier,
    ReportType,
    Response,
    SamplingRate,
    SpecifierPayload,
    UpdatedReport,
    UpdateReport,
    Voltage,
)
from oadr_core.vtn import (
    AskReport,
    ReportPolicy,
    ReportReceived,
    ReportRequestConfirmed,
    ReportRequestMade,
    ReportRequestStopped,
    ReportRule,
    ReportsOffered,
    ReportValue,
    StopReports,
    VtnLimits,
)
from tests.core.vtn.world import MINUTE, START, Ven, World

WorldMaker = Callable[..., World]
SECOND = timedelta(seconds=1)


def offer(
    specifier: str = "s",
    *r_ids: str,
    name: str = "METADATA_TELEMETRY_USAGE",
    shortest: int = 10,
    longest: int = 600,
    sampled: bool = True,
    duration: timedelta | None = timedelta(hours=1),
) -> Report:
    """The metadata of a report with some data points."""
    rate = SamplingRate(oadr_min_period=Duration(seconds=shortest), oadr_max_period=Duration(seconds=longest))
    return Report(
        duration=duration,
        oadr_report_description=tuple(
            ReportDescription(
                r_id=r_id,
                report_data_source=EiTarget(resource_id=(f"resource of {r_id}",)),
                report_type=ReportType.USAGE,
                item_base=Voltage(),
                reading_type=ReadingType.DIRECT_READ,
                oadr_sampling_rate=rate if sampled else None,
            )
            for r_id in r_ids or ("r",)
        ),
        report_request_id="0",
        report_specifier_id=specifier,
        report_name=name,
        created_date_time=START,
    )


def states() -> Report:
    """The metadata of a report of the state of a resource, in a data point `r`."""
    report = offer("t", name="METADATA_TELEMETRY_STATUS")
    [described] = report.oadr_report_description
    described = evolve(described, report_type=ReportType.X_RESOURCE_STATUS, item_base=None)
    return evolve(report, oadr_report_description=(described,))


def offering(world: World, *reports: Report) -> Ven:
    """A VEN that has offered reports and answered the VTN's own offer."""
    ven = world.ven()
    ven.settle()
    register(world, ven, *reports)
    return ven


def register(world: World, ven: Ven, *reports: Report) -> Any:
    return world.send(RegisterReport(request_id="reg", oadr_report=reports, ven_id=ven.ven_id))


def confirm(world: World, ven: Ven, *ids: str, code: str = "200") -> Any:
    answer = CreatedReport(ei_response=EiResponse(response_code=code), oadr_pending_reports=ids, ven_id=ven.ven_id)
    return world.send(answer)


def ids(message: CreateReport) -> tuple[str, ...]:
    return tuple(one.report_request_id for one in message.oadr_report_request)


def number(r_id: str, value: Any, quality: DataQuality | None = None) -> ReportPayload:
    return ReportPayload(r_id=r_id, payload_base=value, oadr_data_quality=quality)


def data(*intervals: Interval, request: str = "0", specifier: str = "s", **details: Any) -> Report:
    return Report(
        **{
            "dtstart": START,
            "intervals": intervals,
            "report_request_id": request,
            "report_specifier_id": specifier,
            "report_name": ReportName.TELEMETRY_USAGE,
            "created_date_time": START,
            **details,
        }
    )


def update(world: World, ven: Ven, *reports: Report) -> Any:
    return world.send(UpdateReport(request_id="u", oadr_report=reports, ven_id=ven.ven_id))


@pytest.mark.rule("R303")
def test_offer_is_kept_told_and_acknowledged(world: World) -> None:
    ven = world.ven()
    report = offer("s", "a", "b")
    reply = register(world, ven, report)
    assert isinstance(reply, RegisteredReport)
    assert reply.ei_response.request_id == "reg"
    assert reply.oadr_report_request == ()
    assert world.last == [ReportsOffered(ven_id=ven.ven_id, reports=(report,))]
    assert world.session.vens[ven.ven_id].reports == (report,)


@pytest.mark.rule("R305")
def test_offer_of_nothing_is_fine(world: World) -> None:
    ven = offering(world)
    assert world.last == [ReportsOffered(ven_id=ven.ven_id, reports=())]
    assert isinstance(ven.poll(), Response)


@pytest.mark.rule("R317")
@pytest.mark.rule("R321")
@pytest.mark.rule("R322")
@pytest.mark.rule("R324")
@pytest.mark.rule("R325")
@pytest.mark.rule("R338")
def test_every_telemetry_report_is_requested_by_a_poll(world: World) -> None:
    status = offer("t", "c", name="METADATA_TELEMETRY_STATUS", shortest=20)
    history = offer("h", "d", name="METADATA_HISTORY_USAGE")
    ven = offering(world, offer("s", "a", "b"), status, history, offer("x", name="x-own"))
    message = ven.poll()
    assert isinstance(message, CreateReport)
    one, other = message.oadr_report_request
    assert len({"", "0", one.report_request_id, other.report_request_id}) == 4
    specifier = one.report_specifier
    assert specifier.report_specifier_id == "s"
    assert [point.r_id for point in specifier.specifier_payload] == ["a", "b"]
    assert {point.reading_type for point in specifier.specifier_payload} == {ReadingType.X_NOT_APPLICABLE}
    assert {point.item_base for point in specifier.specifier_payload} == {None}
    assert specifier.granularity == specifier.report_back_duration == Duration(seconds=10)
    assert specifier.report_interval is not None
    assert (specifier.report_interval.dtstart, str(specifier.report_interval.duration)) == (START, "PT0S")
    assert other.report_specifier.granularity == Duration(seconds=20)
    assert isinstance(ven.poll(), Response)


@pytest.mark.rule("R344")
def test_requests_may_ride_on_the_answer(make_world: WorldMaker) -> None:
    world = make_world(reports=ReportPolicy(piggy_back=True))
    ven = world.ven()
    ven.settle()
    reply = register(world, ven, offer())
    [request] = reply.oadr_report_request
    assert isinstance(ven.poll(), Response)
    world.sleep(2 * MINUTE)
    assert ids(ven.poll()) == (request.report_request_id,)
    confirm(world, ven, request.report_request_id)
    world.sleep(2 * MINUTE)
    assert isinstance(ven.poll(), Response)


def test_policy_may_ask_for_nothing(make_world: WorldMaker) -> None:
    world = make_world(reports=ReportPolicy(rules=()))
    assert isinstance(offering(world, offer()).poll(), Response)


@pytest.mark.rule("R317")
@pytest.mark.rule("R340")
@pytest.mark.parametrize(
    ("policy", "report", "expected"),
    [
        ({}, offer(), (10, 10)),
        ({"granularity": 60}, offer(), (60, 60)),
        ({"granularity": 1}, offer(), (10, 10)),
        ({"granularity": 3600}, offer(), (600, 600)),
        ({"report_back_duration": 60}, offer(), (10, 60)),
        ({"granularity": 60, "report_back_duration": 30}, offer(), (60, 60)),
        ({"report_back_duration": 7200}, offer(), (10, 3600)),
        ({"report_back_duration": 7200}, offer(duration=None), (10, 7200)),
        ({}, offer(sampled=False), (60, 60)),
        ({"granularity": 5}, offer(sampled=False), (5, 5)),
        ({}, offer(shortest=0, longest=0), (60, 60)),
        ({}, offer(shortest=0, longest=30), (30, 30)),
    ],
)
def test_policy_keeps_to_what_is_offered(
    make_world: WorldMaker, policy: dict[str, int], report: Report, expected: tuple[int, int]
) -> None:
    spans = {name: timedelta(seconds=value) for name, value in policy.items()}
    world = make_world(reports=ReportPolicy(rules=(ReportRule(report_name="TELEMETRY_*", **spans),)))
    [request] = offering(world, report).poll().oadr_report_request
    specifier = request.report_specifier
    assert (specifier.granularity.seconds, specifier.report_back_duration.seconds) == expected


def test_data_points_of_different_rates_get_the_slowest(world: World) -> None:
    fast, slow = offer("s", "a"), offer("s", "b", shortest=45)
    both = Report(
        oadr_report_description=fast.oadr_report_description + slow.oadr_report_description,
        report_request_id="0",
        report_specifier_id="s",
        report_name=ReportName.METADATA_TELEMETRY_USAGE,
        created_date_time=START,
    )
    [request] = offering(world, both).poll().oadr_report_request
    assert request.report_specifier.granularity == Duration(seconds=45)


@pytest.mark.rule("R1")
@pytest.mark.parametrize(("offered", "asked"), [("P1H", "PT1H"), ("PT60S", "PT1M"), ("+PT5M", "PT5M"), ("P", "PT1M")])
def test_durations_of_requests_are_written_well_however_they_were_offered(
    world: World, offered: str, asked: str
) -> None:
    ven, other = world.ven("one"), world.ven("other")
    for each in (ven, other):
        each.settle()
    period = SamplingRate(oadr_min_period=Duration.parse(offered), oadr_max_period=Duration.parse(offered))
    [described] = offer().oadr_report_description
    odd = evolve(offer(), oadr_report_description=(evolve(described, oadr_sampling_rate=period),))
    register(world, ven, evolve(odd, duration=Duration.parse("P")))
    [request] = ven.poll().oadr_report_request
    said = request.report_specifier
    assert (said.granularity.text, said.report_back_duration.text) == (asked, asked)
    assert said.report_interval.duration.text == "PT0S"
    register(world, other, offer(shortest=0, longest=0))
    world.tell(AskReport(ven_id=other.ven_id, report_specifier_id="s", report_back_duration=timedelta()))
    texts = [one.report_specifier.report_back_duration.text for one in other.poll().oadr_report_request]
    texts += [one.report_specifier.report_back_duration.text for one in other.poll().oadr_report_request]
    assert "PT0S" in texts
    assert "P" not in texts


@pytest.mark.rule("R329")
def test_confirmation_settles_and_is_told(world: World) -> None:
    ven = offering(world, offer("s"), offer("t"))
    wanted = ids(ven.poll())
    assert confirm(world, ven, *wanted).ei_response.ok
    assert world.last == [ReportRequestConfirmed(ven_id=ven.ven_id, report_request_ids=wanted, pending=wanted)]
    assert confirm(world, ven, *wanted).ei_response.ok
    assert world.last == []
    world.sleep(10 * MINUTE)
    assert isinstance(ven.poll(), Response)
    assert all(one.confirmed for one in world.session.vens[ven.ven_id].requests.values())


def test_confirmation_without_the_id_settles_what_was_fetched(world: World) -> None:
    ven = offering(world, offer())
    wanted = ids(ven.poll())
    confirm(world, ven)
    assert [note.report_request_ids for note in world.said(ReportRequestConfirmed)] == [wanted]


def test_unconfirmed_request_is_repeated_and_given_up(make_world: WorldMaker) -> None:
    world = make_world(tries=3)
    ven = offering(world, offer())
    for _ in range(3):
        assert isinstance(ven.poll(), CreateReport)
        world.sleep(2 * MINUTE)
    assert isinstance(ven.poll(), Response)
    [trouble] = world.said(Trouble)
    assert isinstance(trouble.lost, CreateReport)
    assert "oadrCreateReport" in trouble.text


def test_refused_request_is_told_and_forgotten(world: World) -> None:
    ven = offering(world, offer())
    ven.poll()
    confirm(world, ven, code="461")
    [trouble] = world.said(Trouble)
    assert trouble.code == "461"
    assert not world.session.vens[ven.ven_id].requests
    world.sleep(2 * MINUTE)
    assert isinstance(ven.poll(), Response)


@pytest.mark.rule("R306")
def test_new_offer_voids_the_old_one_and_its_requests(world: World) -> None:
    ven = offering(world, offer("s"))
    old = ids(ven.poll())
    register(world, ven, offer("t"))
    message = ven.poll()
    assert [one.report_specifier.report_specifier_id for one in message.oadr_report_request] == ["t"]
    assert set(world.session.vens[ven.ven_id].requests) == set(ids(message))
    assert not set(old) & set(ids(message))


def test_too_large_an_offer_is_refused(make_world: WorldMaker) -> None:
    world = make_world(limits=VtnLimits(reports=2, data_points=3))
    ven = world.ven()
    assert register(world, ven, *(offer(f"s{n}") for n in range(3))).ei_response.response_code == "469"
    assert register(world, ven, offer("s", "a", "b", "c", "d")).ei_response.response_code == "469"
    assert world.session.vens[ven.ven_id].reports == ()


@pytest.mark.rule("R305")
def test_metadata_are_kept_without_values_and_within_limits(world: World) -> None:
    ven = world.ven()
    with_values = evolve(offer(), intervals=data(Interval(stream_payload_base=(number("r", 1.0),))).intervals)
    assert register(world, ven, with_values).ei_response.ok
    assert world.session.vens[ven.ven_id].reports == (offer(),)
    [described] = offer().oadr_report_description
    for long in (
        offer("s" * 257),
        offer("s", "r" * 257),
        evolve(offer(), oadr_report_description=(evolve(described, market_context="http://" + "m" * 3_900_000),) * 2),
    ):
        assert register(world, ven, long).ei_response.response_code == "469"
    assert world.session.vens[ven.ven_id].reports == (offer(),)


# --- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R314")
@pytest.mark.rule("R315")
def test_intervals_with_their_own_start_are_points_or_stretches(world: World) -> None:
    ven = offering(world, offer("s", "a", "b"))
    [request] = ids(ven.poll())
    report = data(
        Interval(dtstart=START, stream_payload_base=(number("a", 1.5), number("b", 2.5))),
        Interval(
            dtstart=START + MINUTE,
            duration=Duration(seconds=30),
            stream_payload_base=(number("a", 3.0, DataQuality.QUALITY_GOOD_NON_SPECIFIC),),
        ),
        request=request,
    )
    reply = update(world, ven, report)
    assert isinstance(reply, UpdatedReport)
    assert reply.ei_response == EiResponse(response_description="OK", request_id="u")
    a = {"r_id": "a", "item_base": Voltage(), "resource_id": "resource of a"}
    b = {"r_id": "b", "item_base": Voltage(), "resource_id": "resource of b"}
    assert world.last == [
        ReportReceived(
            ven_id=ven.ven_id,
            report_request_id=request,
            report_specifier_id="s",
            report_name=ReportName.TELEMETRY_USAGE,
            values=(
                ReportValue(dtstart=START, duration=None, value=1.5, **a),
                ReportValue(dtstart=START, duration=None, value=2.5, **b),
                ReportValue(
                    dtstart=START + MINUTE,
                    duration=30 * SECOND,
                    value=3.0,
                    data_quality=DataQuality.QUALITY_GOOD_NON_SPECIFIC,
                    **a,
                ),
            ),
            created_date_time=START,
        )
    ]


@pytest.mark.rule("R316")
def test_intervals_without_start_follow_each_other(world: World) -> None:
    ven = offering(world, offer())
    intervals = (
        Interval(uid=str(n), duration=Duration(seconds=10 * (n + 1)), stream_payload_base=(number("r", float(n)),))
        for n in range(3)
    )
    update(world, ven, data(*intervals))
    [note] = world.said(ReportReceived)
    assert [(value.dtstart - START, value.duration) for value in note.values] == [
        (0 * SECOND, 10 * SECOND),
        (10 * SECOND, 20 * SECOND),
        (30 * SECOND, 30 * SECOND),
    ]


def test_months_are_counted_by_the_calendar(world: World) -> None:
    ven = offering(world, offer())
    month = Duration(months=1)
    intervals = (Interval(duration=month, stream_payload_base=(number("r", 1.0),)) for _ in range(2))
    update(world, ven, data(*intervals, dtstart=datetime(2026, 1, 31, tzinfo=UTC)))
    [note] = world.said(ReportReceived)
    assert [value.dtstart for value in note.values] == [
        datetime(2026, 1, 31, tzinfo=UTC),
        datetime(2026, 2, 28, tzinfo=UTC),
    ]


def test_times_beyond_the_calendar_do_no_harm(world: World) -> None:
    ven = offering(world, offer())
    intervals = (Interval(duration=Duration(seconds=10**14), stream_payload_base=(number("r", 1.0),)) for _ in "ab")
    assert update(world, ven, data(*intervals)).ei_response.response_code == "454"
    [note] = world.said(ReportReceived)
    assert [value.dtstart for value in note.values] == [START]


def test_report_without_start_begins_when_it_was_made(world: World) -> None:
    ven = offering(world, offer())
    interval = Interval(stream_payload_base=(number("r", 1.0),))
    update(world, ven, data(interval, dtstart=None, created_date_time=START + MINUTE))
    [note] = world.said(ReportReceived)
    assert note.values[0].dtstart == START + MINUTE


def test_states_of_resources_are_values(world: World) -> None:
    ven = offering(world, states())
    state = PayloadResourceStatus(oadr_online=True, oadr_manual_override=False)
    interval = Interval(dtstart=START, stream_payload_base=(number("r", state),))
    update(world, ven, data(interval, specifier="t", report_name=ReportName.TELEMETRY_STATUS))
    [note] = world.said(ReportReceived)
    assert note.values[0].value == state


def test_empty_updates_and_reports_without_values_are_fine(world: World) -> None:
    ven = offering(world, offer())
    assert update(world, ven).ei_response.ok
    assert world.last == []
    assert update(world, ven, data()).ei_response.ok
    [note] = world.said(ReportReceived)
    assert note.values == ()


def test_request_id_zero_is_known_by_its_specifier(world: World) -> None:
    """The EPRI C# VEN always says 0."""
    ven = offering(world, offer())
    assert update(world, ven, data(request="0")).ei_response.ok
    assert len(world.said(ReportReceived)) == 1


@pytest.mark.rule("R304")
@pytest.mark.parametrize(
    "wrong",
    [
        {"request": "x", "specifier": "x"},
        {"request": "x", "specifier": "s"},
        {"request": "0", "specifier": "x"},
        {"request": "mine", "specifier": "t"},
    ],
)
def test_report_that_was_not_asked_for_is_452_and_the_others_are_taken(world: World, wrong: dict[str, str]) -> None:
    ven = offering(world, offer("s"), offer("t"))
    mine, _ = ids(ven.poll())
    wrong = {name: mine if text == "mine" else text for name, text in wrong.items()}
    point = Interval(dtstart=START, stream_payload_base=(number("r", 1.0),))
    before = world.session.vens[ven.ven_id].requests
    assert update(world, ven, data(point, **wrong)).ei_response.response_code == "452"
    assert not world.said(ReportReceived)
    assert world.session.vens[ven.ven_id].requests == before
    reply = update(world, ven, data(point, **wrong), data(point, request=mine))
    assert isinstance(reply, UpdatedReport)
    assert reply.ei_response.response_code == "452"
    assert [note.report_request_id for note in world.said(ReportReceived)] == [mine]
    assert {trouble.code for trouble in world.said(Trouble)} == {"452"}


@pytest.mark.rule("R304")
def test_unknown_data_point_is_452_and_the_others_are_taken(world: World) -> None:
    ven = offering(world, offer("s", "a", "b"))
    [mine] = ids(ven.poll())
    point = Interval(dtstart=START, stream_payload_base=(number("a", 1.0), number("other", 2.0), number("b", 3.0)))
    reply = update(world, ven, data(point, request=mine))
    assert reply.ei_response.response_code == "452"
    assert "'other'" in reply.ei_response.response_description
    [note] = world.said(ReportReceived)
    assert [value.r_id for value in note.values] == ["a", "b"]


@pytest.mark.rule("R304")
def test_reports_of_another_ven_are_452_whatever_it_knows(world: World) -> None:
    """An identifier proves nothing: values belong to the VEN that has registered them."""
    ven = offering(world, offer("s"))
    [mine] = ids(ven.poll())
    other = world.ven("other")
    register(world, other, offer("s"))
    before = world.session.vens[ven.ven_id]
    point = Interval(dtstart=START, stream_payload_base=(number("r", 666.0),))
    assert update(world, other, data(point, request=mine)).ei_response.response_code == "452"
    world.send(CreatedReport(ei_response=EiResponse(response_code="461"), oadr_pending_reports=(), ven_id=other.ven_id))
    world.send(CanceledReport(ei_response=EiResponse(), ven_id=other.ven_id))
    assert not world.said(ReportReceived)
    assert world.session.vens[ven.ven_id] is before
    update(world, ven, data(point, request=mine))
    [note] = world.said(ReportReceived)
    assert note.ven_id == ven.ven_id


def test_values_are_saved_with_the_step_before_the_reply(world: World) -> None:
    ven = offering(world, offer())
    [mine] = ids(ven.poll())
    report = data(Interval(dtstart=START, stream_payload_base=(number("r", 1.0),)), request=mine)
    message = encode(UpdateReport(request_id="u", oadr_report=(report,), ven_id=ven.ven_id))
    outputs = world.session.handle(RequestArrived(exchange=1, service="EiReport", data=message), world.now)
    save, reply, told = outputs
    assert isinstance(save, SaveState)
    assert isinstance(reply, SendReply)
    assert save.reports == (told,)


@pytest.mark.rule("R346")
def test_the_same_report_again_is_told_as_repeated_and_not_saved_again(world: World) -> None:
    ven = offering(world, offer("s", "a", "b"))
    [mine] = ids(ven.poll())
    first = data(Interval(dtstart=START, stream_payload_base=(number("a", 1.0), number("b", 2.0))), request=mine)
    corrected = data(Interval(dtstart=START, stream_payload_base=(number("a", 1.5), number("b", 2.0))), request=mine)
    for report in (first, first, corrected, first):
        assert update(world, ven, report).ei_response.ok
    assert [note.repeated for note in world.said(ReportReceived)] == [False, True, False, False]
    assert [len(note.values) for note in world.said(ReportReceived)] == [2, 2, 2, 2]
    assert [report.values[0].value for report in world.received] == [1.0, 1.5, 1.0]


def interval(r_id: str, value: object, at: datetime = START, **said: Any) -> Interval:
    payload = ReportPayload(r_id=r_id, payload_base=value, **said)
    return Interval(dtstart=at, stream_payload_base=(payload,))


@pytest.mark.rule("R346")
@pytest.mark.parametrize(
    ("first", "corrected"),
    [
        ((interval("a", -1.0),), (interval("a", -2.0),)),
        ((interval("a", 1.0, accuracy=1.0),), (interval("a", 1.0, accuracy=0.5),)),
        ((interval("a", 1.0, confidence=1),), (interval("a", 1.0, confidence=100),)),
        ((interval("a", 1.0),), (evolve(interval("a", 1.0), duration=Duration(seconds=60)),)),
        (
            tuple(interval("a", 1.0, START + number * SECOND) for number in (0, 1, 9)),
            tuple(interval("a", 1.0, START + number * SECOND) for number in (0, 2, 9)),
        ),
    ],
    ids=["value", "accuracy", "confidence", "duration", "time"],
)
def test_correction_in_the_same_second_is_no_copy(
    world: World, first: tuple[Interval, ...], corrected: tuple[Interval, ...]
) -> None:
    ven = offering(world, offer("s", "a"))
    [mine] = ids(ven.poll())
    for intervals in (first, corrected, corrected):
        assert update(world, ven, data(*intervals, request=mine)).ei_response.ok
    assert [note.repeated for note in world.said(ReportReceived)] == [False, False, True]
    assert len(world.received) == 2


@pytest.mark.rule("R346")
def test_correction_of_a_state_is_no_copy(world: World) -> None:
    ven = offering(world, states())
    [mine] = ids(ven.poll())
    for level in (-1.0, -2.0, -2.0):
        offset = LoadControlStates(oadr_level_offset=LoadControlState(oadr_current=level))
        state = PayloadResourceStatus(oadr_online=True, oadr_manual_override=False, oadr_load_control_state=offset)
        report = data(interval("r", state), request=mine, specifier="t")
        assert update(world, ven, report).ei_response.ok
    assert [note.repeated for note in world.said(ReportReceived)] == [False, False, True]


def test_the_same_message_with_several_reports_of_a_request_again_is_told_as_repeated(world: World) -> None:
    ven = offering(world, offer("s", "a"))
    [mine] = ids(ven.poll())
    reports = [data(interval("a", float(n), START + n * SECOND), request=mine) for n in range(3)]
    corrected = data(interval("a", 7.0), request=mine)
    for several in (reports, reports, [corrected, *reports[1:]]):
        assert update(world, ven, *several).ei_response.ok
    assert [note.repeated for note in world.said(ReportReceived)] == [False] * 3 + [True] * 3 + [False] * 3
    assert len(world.received) == 6


@pytest.mark.rule("R304")
def test_values_of_requests_that_are_over_are_still_taken(world: World) -> None:
    """A VEN that was cut off sends what it has gathered, though it has offered its reports anew meanwhile."""
    ven = offering(world, offer("s"), offer("t"))
    mine, gone = ids(ven.poll())
    register(world, ven, offer("s"))
    point = Interval(dtstart=START, stream_payload_base=(number("r", 1.0),))
    assert update(world, ven, data(point, request=mine)).ei_response.ok
    assert update(world, ven, data(point, request=gone, specifier="t")).ei_response.ok
    assert update(world, ven, data(point, request=gone, specifier="s")).ei_response.response_code == "452"
    known, unknown = world.said(ReportReceived)
    assert (known.report_request_id, known.values[0].item_base) == (mine, Voltage())
    assert (unknown.report_request_id, unknown.values[0].item_base) == (gone, None)
    ven.register()
    assert update(world, ven, data(point, request=gone, specifier="t")).ei_response.ok, "the registration is new"


def test_few_requests_that_are_over_are_remembered(world: World) -> None:
    ven = offering(world, offer())
    for _ in range(40):
        register(world, ven, offer())
    assert len(world.session.vens[ven.ven_id].former) == 16


@pytest.mark.rule("R313")
def test_name_of_metadata_in_a_report_is_the_name_of_the_report(world: World) -> None:
    ven = offering(world, offer())
    update(world, ven, data(report_name=ReportName.METADATA_TELEMETRY_USAGE))
    assert [note.report_name for note in world.said(ReportReceived)] == [ReportName.TELEMETRY_USAGE]


@pytest.mark.rule("R300")
def test_data_point_that_is_missing_is_told(world: World) -> None:
    ven = offering(world, offer("s", "a", "b"))
    [mine] = ids(ven.poll())
    point = Interval(dtstart=START, stream_payload_base=(number("a", 1.0),))
    assert update(world, ven, data(point, request=mine)).ei_response.ok
    [trouble] = world.said(Trouble)
    assert "'b'" in trouble.text
    assert "R300" in trouble.text


def test_more_values_than_are_taken_at_once_are_refused(make_world: WorldMaker) -> None:
    world = make_world(limits=VtnLimits(report_values=3))
    ven = offering(world, offer())
    points = [Interval(dtstart=START + n * MINUTE, stream_payload_base=(number("r", 1.0),)) for n in range(4)]
    assert update(world, ven, data(*points)).ei_response.response_code == "469"
    assert update(world, ven, data(*points[:3])).ei_response.ok
    assert [len(note.values) for note in world.said(ReportReceived)] == [3]


# --- the operator's wishes ------------------------------------------------------------------------------------------


@pytest.fixture
def quiet(make_world: WorldMaker) -> World:
    """A VTN that asks for nothing by itself."""
    return make_world(reports=ReportPolicy(rules=()))


def test_operator_asks_and_stops(quiet: World) -> None:
    ven = offering(quiet, offer("s", "a", "b"))
    [made] = quiet.tell(AskReport(ven_id=ven.ven_id, report_specifier_id="s", r_ids=("b",), granularity=MINUTE))
    assert isinstance(made, ReportRequestMade)
    message = ven.poll()
    assert ids(message) == (made.report_request_id,)
    [request] = message.oadr_report_request
    assert [point.r_id for point in request.report_specifier.specifier_payload] == ["b"]
    assert request.report_specifier.report_back_duration == Duration(seconds=60)
    confirm(quiet, ven, made.report_request_id)
    quiet.tell(StopReports(ven_id=ven.ven_id, report_request_ids=(made.report_request_id,), report_to_follow=True))
    stop = ven.poll()
    assert isinstance(stop, CancelReport)
    assert (stop.report_request_id, stop.report_to_follow) == ((made.report_request_id,), True)
    # the EPRI C++ VEN still lists the cancelled request
    answer = CanceledReport(ei_response=EiResponse(), oadr_pending_reports=(made.report_request_id,), ven_id=ven.ven_id)
    assert isinstance(quiet.send(answer), Response)
    assert quiet.last == [ReportRequestStopped(ven_id=ven.ven_id, report_request_ids=(made.report_request_id,))]
    assert not quiet.session.vens[ven.ven_id].requests
    assert quiet.send(answer).ei_response.ok
    quiet.sleep(10 * MINUTE)
    assert isinstance(ven.poll(), Response)


@pytest.mark.rule("R328")
@pytest.mark.rule("R335")
def test_request_is_taken_back_in_the_reply_to_its_values(quiet: World) -> None:
    ven, (one, other) = running(quiet, 2)
    quiet.tell(StopReports(ven_id=ven.ven_id, report_request_ids=(one, other)))
    nested = update(quiet, ven, data(request=one)).oadr_cancel_report
    assert (nested.report_request_id, nested.report_to_follow) == ((one,), False)
    assert ReportRequestStopped(ven_id=ven.ven_id, report_request_ids=(one,)) in quiet.last
    stop = ven.poll()
    assert isinstance(stop, CancelReport)
    assert stop.report_request_id == (other,), "what was not in the values is cancelled by a message of its own"
    quiet.send(CanceledReport(ei_response=EiResponse(), ven_id=ven.ven_id))
    assert isinstance(ven.poll(), Response)
    assert update(quiet, ven, data(request=one)).oadr_cancel_report is None
    again = ven.poll()
    assert isinstance(again, CancelReport), "the values go on: it is cancelled by a message of its own"
    assert again.report_request_id == (one,)
    quiet.send(CanceledReport(ei_response=EiResponse(), ven_id=ven.ven_id))
    assert not quiet.session.vens[ven.ven_id].requests


@pytest.mark.rule("R345")
def test_one_more_report_follows_a_request_that_was_taken_back_in_the_reply(quiet: World) -> None:
    ven, (one,) = running(quiet, 1)
    quiet.tell(StopReports(ven_id=ven.ven_id, report_request_ids=(one,), report_to_follow=True))
    assert update(quiet, ven, data(request=one)).oadr_cancel_report.report_to_follow
    assert update(quiet, ven, data(request=one)).oadr_cancel_report is None
    assert isinstance(ven.poll(), Response)
    update(quiet, ven, data(request=one))
    assert isinstance(ven.poll(), CancelReport)


@pytest.mark.rule("R345")
def test_last_report_need_not_bring_everything(quiet: World) -> None:
    ven = offering(quiet, offer("s", "a", "b"))
    [made] = quiet.tell(AskReport(ven_id=ven.ven_id, report_specifier_id="s"))
    [one] = ids(ven.poll())
    confirm(quiet, ven, one)
    whole = data(interval("a", 1.0), interval("b", 1.0), request=one)
    quiet.tell(StopReports(ven_id=ven.ven_id, report_request_ids=(one,), report_to_follow=True))
    assert update(quiet, ven, whole).oadr_cancel_report.report_to_follow
    update(quiet, ven, data(interval("a", 2.0, START + SECOND), request=one))
    assert isinstance(made, ReportRequestMade)
    assert not quiet.said(Trouble)


def test_cancellation_that_was_handed_out_is_not_repeated_in_a_reply(quiet: World) -> None:
    ven, (one,) = running(quiet, 1)
    quiet.tell(StopReports(ven_id=ven.ven_id, report_request_ids=(one,)))
    assert isinstance(ven.poll(), CancelReport)
    assert update(quiet, ven, data(request=one)).oadr_cancel_report is None


def test_cancellation_in_a_reply_can_be_forgone(make_world: WorldMaker) -> None:
    world = make_world(reports=ReportPolicy(rules=(), cancel_in_reply=False))
    ven, (one,) = running(world, 1)
    world.tell(StopReports(ven_id=ven.ven_id, report_request_ids=(one,)))
    assert update(world, ven, data(request=one)).oadr_cancel_report is None
    assert isinstance(ven.poll(), CancelReport)


def test_few_requests_that_were_taken_back_are_remembered(quiet: World) -> None:
    ven = offering(quiet, offer())
    for _ in range(40):
        [made] = quiet.tell(AskReport(ven_id=ven.ven_id, report_specifier_id="s"))
        one = made.report_request_id
        ven.poll()
        confirm(quiet, ven, one)
        quiet.tell(StopReports(ven_id=ven.ven_id, report_request_ids=(one,)))
        assert update(quiet, ven, data(request=one)).oadr_cancel_report
    assert len(quiet.session.vens[ven.ven_id].requests) == 16


def running(world: World, count: int) -> tuple[Ven, tuple[str, ...]]:
    """A VEN that serves so many requests."""
    ven = offering(world, offer())
    found = []
    for _ in range(count):
        [made] = world.tell(AskReport(ven_id=ven.ven_id, report_specifier_id="s"))
        assert isinstance(made, ReportRequestMade)
        ven.poll()
        confirm(world, ven, made.report_request_id)
        found.append(made.report_request_id)
    return ven, tuple(found)


def test_refused_stop_is_told(quiet: World) -> None:
    ven = offering(quiet, offer())
    [made] = quiet.tell(AskReport(ven_id=ven.ven_id, report_specifier_id="s"))
    ven.poll()
    confirm(quiet, ven, made.report_request_id)
    quiet.tell(StopReports(ven_id=ven.ven_id, report_request_ids=(made.report_request_id,)))
    ven.poll()
    quiet.send(CanceledReport(ei_response=EiResponse(response_code="452"), ven_id=ven.ven_id))
    [trouble] = quiet.said(Trouble)
    assert trouble.code == "452"
    assert quiet.session.vens[ven.ven_id].requests


@pytest.mark.rule("R324")
@pytest.mark.rule("R325")
def test_history_is_asked_for_once(quiet: World) -> None:
    ven = offering(quiet, offer("h", name="METADATA_HISTORY_USAGE"))
    quiet.tell(AskReport(ven_id=ven.ven_id, report_specifier_id="h", dtstart=START - MINUTE, granularity=MINUTE))
    [request] = ven.poll().oadr_report_request
    specifier = request.report_specifier
    assert not specifier.granularity
    assert not specifier.report_back_duration
    assert specifier.report_interval is not None
    assert specifier.report_interval.dtstart == START - MINUTE


@pytest.mark.rule("R327")
def test_metadata_can_be_asked_for(quiet: World) -> None:
    ven = offering(quiet)
    quiet.tell(AskReport(ven_id=ven.ven_id, report_specifier_id=METADATA))
    [request] = ven.poll().oadr_report_request
    assert request.report_specifier.report_specifier_id == METADATA
    assert [point.r_id for point in request.report_specifier.specifier_payload] == ["0"]


@pytest.mark.rule("R300")
@pytest.mark.parametrize(
    ("field", "wish"),
    [
        ("ven_id", {"ven_id": "nobody"}),
        ("report_specifier_id", {"report_specifier_id": "other"}),
        ("r_ids", {"r_ids": ("other",)}),
        ("granularity", {"granularity": SECOND}),
        ("granularity", {"granularity": timedelta(hours=1)}),
        ("granularity", {"granularity": -MINUTE}),
        ("granularity", {"granularity": 60}),
        ("granularity", {"granularity": MINUTE, "report_back_duration": 30 * SECOND}),
        ("report_back_duration", {"report_back_duration": timedelta(hours=2)}),
        ("duration", {"duration": timedelta(seconds=0.5)}),
        ("dtstart", {"dtstart": datetime(2026, 1, 1)}),  # noqa: DTZ001 - the case
        ("dtstart", {"report_specifier_id": "h"}),
    ],
)
def test_impossible_wish_names_the_field(quiet: World, field: str, wish: dict[str, Any]) -> None:
    history = offer("h", name="METADATA_HISTORY_USAGE", duration=None)
    ven = offering(quiet, offer("s"), history)
    before = quiet.session.vens[ven.ven_id]
    with pytest.raises(LocalError) as caught:
        quiet.tell(AskReport(**{"ven_id": ven.ven_id, "report_specifier_id": "s", **wish}))
    assert caught.value.path == field
    assert quiet.session.vens[ven.ven_id] is before


def test_only_what_was_asked_for_can_be_stopped(quiet: World) -> None:
    ven = offering(quiet)
    with pytest.raises(LocalError, match="report_request_ids"):
        quiet.tell(StopReports(ven_id=ven.ven_id, report_request_ids=("x",)))
    with pytest.raises(LocalError, match="report_request_ids"):
        quiet.tell(StopReports(ven_id=ven.ven_id, report_request_ids=()))


def test_full_mailbox_takes_no_more(make_world: WorldMaker) -> None:
    world = make_world(limits=VtnLimits(mailbox=3), reports=ReportPolicy(rules=()))
    ven = offering(world, offer())
    for _ in range(3):
        world.tell(AskReport(ven_id=ven.ven_id, report_specifier_id="s"))
    before = world.session.vens[ven.ven_id]
    with pytest.raises(LocalError, match="limit"):
        world.tell(AskReport(ven_id=ven.ven_id, report_specifier_id="s"))
    assert world.session.vens[ven.ven_id] is before
    assert ven.register(registration_id=ven.registration_id, ven_id=ven.ven_id).ei_response.ok


# --- the VTN's own side ---------------------------------------------------------------------------------------------


def wish(specifier: str) -> ReportRequest:
    return ReportRequest(
        report_request_id="theirs",
        report_specifier=ReportSpecifier(
            report_specifier_id=specifier,
            granularity=Duration(),
            report_back_duration=Duration(),
            specifier_payload=(SpecifierPayload(r_id="0"),),
        ),
    )


@pytest.mark.rule("R301")
@pytest.mark.rule("R311")
@pytest.mark.parametrize("riding", [False, True])
def test_ven_asks_for_our_metadata(world: World, riding: bool) -> None:
    ven = world.ven()
    ven.settle()
    if riding:
        answer = RegisteredReport(ei_response=EiResponse(), oadr_report_request=(wish(METADATA),), ven_id=ven.ven_id)
        reply = world.send(answer)
    else:
        request = CreateReport(request_id="c", oadr_report_request=(wish(METADATA),), ven_id=ven.ven_id)
        reply = world.send(request)
    assert isinstance(reply, CreatedReport)
    assert reply.ei_response.ok
    assert reply.oadr_pending_reports == ()
    listed = ven.poll()
    assert isinstance(listed, RegisterReport)
    assert (listed.report_request_id, listed.oadr_report) == ("theirs", ())


def test_ven_asks_for_a_report_that_we_do_not_have(world: World) -> None:
    ven = world.ven()
    request = CreateReport(request_id="c", oadr_report_request=(wish("x"),), ven_id=ven.ven_id)
    reply = world.send(request)
    assert isinstance(reply, CreatedReport)
    assert (reply.ei_response.response_code, reply.ei_response.request_id) == ("461", "c")


@pytest.mark.rule("R336")
def test_ven_cancels_what_it_never_asked_for(world: World) -> None:
    ven = world.ven()
    reply = world.send(CancelReport(request_id="c", report_request_id=("x",), ven_id=ven.ven_id))
    assert isinstance(reply, CanceledReport)
    assert reply.ei_response.response_code == "452"


def test_posted_confirmations_are_acknowledged(world: World) -> None:
    ven = world.ven()
    assert world.send(UpdatedReport(ei_response=EiResponse(), ven_id=ven.ven_id)).ei_response.ok


def test_refusal_of_our_offer_is_told(world: World) -> None:
    ven = world.ven()
    ven.drain()
    world.send(RegisteredReport(ei_response=EiResponse(response_code="459"), ven_id=ven.ven_id))
    [trouble] = world.said(Trouble)
    assert trouble.code == "459"
    world.sleep(2 * MINUTE)
    assert isinstance(ven.poll(), Response)
