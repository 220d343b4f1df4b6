"""Which report requests are served, how they are told apart, and what becomes of those that cannot be served."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from oadr_core.engine.copying import evolve
from oadr_core.engine.schedule import later
from oadr_core.model import (
    METADATA,
    CancelReport,
    CreatedReport,
    CreateReport,
    Duration,
    Properties,
    RegisterReport,
    ReportRequest,
    SpecifierPayload,
    UpdateReport,
)
from oadr_core.reporting.jobs import MOST_JOBS, Kind
from oadr_core.reporting.judging import CHECKS, kind_of
from oadr_core.ven import Collection, PollNow, Register, ReportCancelled, ReportDue, ReportOffer, ReportRequested
from tests.core.reporting.plant import Plant
from tests.core.ven.bench import START, Bench, nothing, offer, request

HOUR = timedelta(hours=1)


def history(specifier: str = "old", hours: int = 24) -> ReportOffer:
    base = offer(specifier, "r1").report
    return ReportOffer(
        report=evolve(base, report_name="METADATA_HISTORY_USAGE", duration=Duration(seconds=hours * 3600))
    )


def period(start_s: float, length_s: int) -> Properties:
    return Properties(dtstart=START + timedelta(seconds=start_s), duration=Duration(seconds=length_s))


def within(wanted: ReportRequest, start_s: float, length_s: int) -> ReportRequest:
    specifier = evolve(wanted.report_specifier, report_interval=period(start_s, length_s))
    return evolve(wanted, report_specifier=specifier)


def metadata_request(request_id: str = "meta", back_s: int = 0) -> ReportRequest:
    return request(request_id, METADATA, "0", step_s=0, back_s=back_s)


def ask(bench: Bench, *requests: ReportRequest) -> CreatedReport:
    """The VEN's answer to a request, which is acknowledged."""
    while not bench.idle:
        bench.answer(nothing())
    bench.put(PollNow())
    bench.answer(CreateReport(request_id="q", oadr_report_request=requests))
    answer = bench.expect(CreatedReport)
    bench.answer(nothing())
    return answer


@pytest.fixture
def bench() -> Bench:
    ready = Bench(reports=(offer("spec", "r1", "r2"), history()))
    ready.register()
    return ready


@pytest.mark.rule("R317")
@pytest.mark.rule("R324")
@pytest.mark.rule("R327")
def test_kinds_are_told_apart_by_specifier_durations_and_name() -> None:
    telemetry = offer("spec", "r1")
    assert kind_of(request(step_s=0, back_s=0), telemetry) is Kind.ONE_SHOT
    assert kind_of(request(step_s=10, back_s=0), telemetry) is Kind.ONE_SHOT
    assert kind_of(request(step_s=10, back_s=20), telemetry) is Kind.PERIODIC
    assert kind_of(request(step_s=0, back_s=20), telemetry) is Kind.ON_CHANGE
    assert kind_of(request("x", "old", step_s=0, back_s=0), history()) is Kind.HISTORY
    assert kind_of(metadata_request(), None) is Kind.METADATA
    assert set(CHECKS) == set(Kind)


REFUSED = [
    ("452", "specifier", request("x", "other")),
    ("452", "data-point", request("x", "spec", "r1", "r9")),
    ("454", "too-often", request("x", step_s=5, back_s=10)),
    ("454", "too-seldom", request("x", step_s=1200, back_s=1200)),
    ("454", "longer-than-back-duration", request("x", step_s=60, back_s=30)),
    ("454", "more-than-offered", request("x", step_s=600, back_s=3601)),
    ("454", "on-change-more-than-offered", request("x", step_s=0, back_s=3601)),
    ("454", "on-change-too-often", request("x", step_s=0, back_s=5)),
    ("454", "beyond-the-calendar", request("x", step_s=0, back_s=10**14)),
    ("454", "negative", request("x", step_s=-10, back_s=10)),
    ("454", "over", within(request("x"), -7200, 3600)),
    ("454", "year-9999", within(request("x"), 250_000_000_000, 3600)),
    ("454", "negative-period", within(request("x"), 0, -1)),
    ("459", "history-without-period", request("x", "old", step_s=0, back_s=0)),
    ("454", "history-with-granularity", within(request("x", "old", step_s=60, back_s=0), -7200, 0)),
    ("454", "history-again-and-again", within(request("x", "old", step_s=0, back_s=60), -7200, 0)),
    ("454", "history-of-tomorrow", within(request("x", "old", step_s=0, back_s=0), 7200, 3600)),
    ("454", "more-history-than-offered", within(request("x", "old", step_s=0, back_s=0), -200_000, 90_000)),
]


@pytest.mark.rule("R304")
@pytest.mark.rule("R317")
@pytest.mark.rule("R324")
@pytest.mark.rule("R325")
@pytest.mark.rule("R340")
@pytest.mark.parametrize(
    ("code", "wanted"), [(code, wanted) for code, _, wanted in REFUSED], ids=[i for _, i, _ in REFUSED]
)
def test_impossible_request_is_refused_and_the_others_served(bench: Bench, code: str, wanted: ReportRequest) -> None:
    answer = ask(bench, wanted, request("good"))
    assert answer.ei_response.response_code == code
    assert "'x'" in (answer.ei_response.response_description or "")
    assert answer.oadr_pending_reports == ("good",)
    assert [told.request.report_request_id for told in bench.heard(ReportRequested)] == ["good"]


def test_all_that_is_wrong_is_named(bench: Bench) -> None:
    answer = ask(bench, request("one", "other"), request("two", "spec", "r9"))
    text = answer.ei_response.response_description or ""
    assert "'one'" in text
    assert "'two'" in text


def test_whoever_offers_nothing_does_not_support_reports() -> None:
    bench = Bench()
    bench.register()
    assert ask(bench, request("x")).ei_response.response_code == "461"


def test_no_more_than_so_many_requests_are_served(bench: Bench) -> None:
    answer = ask(bench, *(request(f"n{number}") for number in range(MOST_JOBS + 1)))
    assert answer.ei_response.response_code == "459"
    assert len(answer.oadr_pending_reports) == MOST_JOBS
    assert ask(bench, request("n0")).ei_response.response_code == "200", "one that runs may be repeated"


@pytest.mark.rule("R324")
def test_single_report_ignores_granularity_and_interval(bench: Bench) -> None:
    ask(bench, within(request("x", step_s=5, back_s=0), 7200, 60))
    [due] = bench.heard(ReportDue)
    assert (due.at, due.collection) == (bench.now.seconds, Collection.INCREMENTAL)


@pytest.mark.rule("R322")
def test_other_request_with_the_same_id_takes_the_place_of_the_first(bench: Bench) -> None:
    ask(bench, request("x", step_s=10, back_s=60))
    answer = ask(bench, request("x", step_s=20, back_s=60))
    assert answer.oadr_pending_reports == ("x",)
    [job] = bench.session.state.jobs.values()
    assert job.step_s == 20
    assert [told.report_request_id for told in bench.heard(ReportCancelled)] == ["x"]


@pytest.mark.rule("R322")
def test_same_request_again_changes_nothing(bench: Bench) -> None:
    ask(bench, request("x", step_s=10, back_s=60))
    before = bench.session.state.jobs
    ask(bench, request("x", step_s=10, back_s=60))
    assert bench.session.state.jobs == before
    assert len(bench.heard(ReportRequested)) == 1


def test_data_point_that_is_asked_for_twice_is_given_once(bench: Bench) -> None:
    base = request("x", "spec", "r1", step_s=0, back_s=0)
    twice = evolve(base.report_specifier, specifier_payload=(SpecifierPayload(r_id="r1"),) * 2)
    ask(bench, evolve(base, report_specifier=twice))
    [due] = bench.heard(ReportDue)
    assert due.r_ids == ("r1",)


def test_several_requests_for_one_specifier_are_served_side_by_side() -> None:
    plant = Plant(offer("spec", "r1", "r2"))
    plant.ask(
        request("a", "spec", "r1", step_s=10, back_s=30),
        request("b", "spec", "r2", step_s=20, back_s=20),
        request("c", "spec", "r1", "r2", step_s=0, back_s=0),
    )
    plant.run(130)
    found: dict[str, set[Any]] = {}
    for report_request_id, r_id, at in plant.arrived:
        found.setdefault(report_request_id, set()).add((r_id, (at - START).total_seconds()))
    assert found["a"] >= {("r1", second) for second in range(0, 120, 10)}
    assert found["b"] >= {("r2", second) for second in range(0, 120, 20)}
    assert found["c"] == {("r1", 0.0), ("r2", 0.0)}


# --- metadata -------------------------------------------------------------------------------------------------------


def registered(bench: Bench) -> list[str | None]:
    """What RegisterReports have been sent since the registration, with the request that they answer."""
    return [sent.payload.report_request_id for sent in bench.sent if isinstance(sent.payload, RegisterReport)]


@pytest.mark.rule("R306")
@pytest.mark.rule("R311")
@pytest.mark.rule("R327")
def test_metadata_are_sent_again_and_again_when_asked_for_periodically() -> None:
    plant = Plant(offer())
    sent: list[tuple[float, str | None]] = []
    plain = plant.reply

    def reply(payload: Any) -> Any:
        if isinstance(payload, RegisterReport):
            sent.append(((plant.bench.wall - START).total_seconds(), payload.report_request_id))
        return plain(payload)

    plant.reply = reply  # type: ignore[method-assign]  # in the place of a method
    plant.ask(metadata_request(back_s=3600))
    plant.run(2 * 3600 + 10)
    assert [(round(at / 3600), id_) for at, id_ in sent] == [(0, "meta"), (1, "meta"), (2, "meta")]
    plant.restart()
    plant.sleep(5 * 3600)
    assert len(sent) == 4, "what was missed is not made up for"
    plant.run(3600)
    assert len(sent) == 5
    plant.queue.append(CancelReport(request_id="c", report_request_id=("meta",)))
    plant.bench.put(PollNow())
    plant.serve()
    plant.run(7200)
    assert len(sent) == 5
    assert not plant.jobs


@pytest.mark.rule("R306")
def test_new_metadata_end_all_reports_but_those_of_metadata() -> None:
    bench = Bench(reports=(offer(),))
    bench.register()
    ask(bench, request("x", step_s=10, back_s=30), metadata_request("all", back_s=60))
    bench.wait(0)
    assert list(bench.session.state.jobs) == ["all"]
    assert [told.report_request_id for told in bench.heard(ReportCancelled)] == ["x"]
    assert registered(bench) == ["all"]


@pytest.mark.rule("R306")
def test_what_was_complete_when_new_metadata_came_is_still_sent_and_what_was_not_is_told() -> None:
    plant = Plant(offer())
    plant.ask(request("x", step_s=10, back_s=70))
    plant.away = True
    plant.run(75)
    cancelled: list[ReportCancelled] = []
    plant.bench.answer = _listening(plant.bench, cancelled)  # type: ignore[method-assign]
    plant.queue.append(CreateReport(request_id="q", oadr_report_request=(metadata_request(),)))
    plant.away = False
    plant.run(200)
    [told] = cancelled
    assert len(plant.arrived) % 7 == 0, "whole reports"
    assert {(at - START).total_seconds() for _, _, at in plant.arrived} >= {0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0}
    assert (told.report_request_id, told.dropped) == ("x", len(plant.answered) - len(plant.arrived))
    assert told.dropped
    assert not plant.jobs


def _listening(bench: Bench, cancelled: list[ReportCancelled]) -> Any:
    plain = bench.answer

    def answer(*args: Any, **options: Any) -> Any:
        outputs = plain(*args, **options)
        cancelled.extend(told for told in outputs if isinstance(told, ReportCancelled))
        return outputs

    return answer


@pytest.mark.rule("R306")
def test_same_request_after_new_metadata_asks_about_no_instant_twice() -> None:
    plant = Plant(offer())
    plant.ask(request("x", step_s=10, back_s=30))
    plant.run(25)
    plant.away = True
    plant.run(30)
    plant.queue.append(CreateReport(request_id="q", oadr_report_request=(metadata_request(),)))
    plant.queue.append(CreateReport(request_id="q", oadr_report_request=(request("x", step_s=10, back_s=30),)))
    plant.away = False
    plant.run(200)
    assert all(count == 1 for count in plant.copies.values())
    assert {(at - START).total_seconds() for _, _, at in plant.arrived} >= {0.0, 10.0, 20.0}


# --- history --------------------------------------------------------------------------------------------------------


def one_history(plant: Plant, wanted: ReportRequest) -> ReportDue:
    plant.ask(wanted)
    [due] = plant.asked
    assert due.collection is Collection.FULL
    assert not plant.jobs, "it is sent, and over"
    assert plant.reports[0].report_name == "HISTORY_USAGE"
    return due


@pytest.mark.rule("R324")
@pytest.mark.rule("R325")
def test_history_is_asked_for_at_once_and_as_a_whole() -> None:
    plant = Plant(history())
    due = one_history(plant, within(request("h", "old", step_s=0, back_s=0), -7200, 3600))
    assert (due.since, due.at) == (START - 2 * HOUR, START - HOUR)
    assert len(plant.reports[0].intervals) == 360


@pytest.mark.rule("R325")
def test_history_without_a_length_goes_up_to_now_and_back_to_what_is_kept() -> None:
    plant = Plant(history(hours=1))
    due = one_history(plant, within(request("h", "old", step_s=0, back_s=0), -1800, 0))
    assert due.at - due.since == HOUR / 2
    plant = Plant(history(hours=1))
    due = one_history(plant, within(request("h", "old", step_s=0, back_s=0), -(10**8), 0))
    assert due.at - due.since == HOUR


@pytest.mark.rule("R325")
def test_history_is_not_asked_for_beyond_now() -> None:
    plant = Plant(history(hours=4))
    due = one_history(plant, within(request("h", "old", step_s=0, back_s=0), -1800, 3 * 3600))
    assert (due.since, due.at) == (START - HOUR / 2, START)


@pytest.mark.rule("R317")
def test_values_on_change_may_be_sent_as_often_as_they_are_sampled(bench: Bench) -> None:
    answer = ask(bench, request("x", step_s=0, back_s=10))
    assert (answer.ei_response.response_code, answer.oadr_pending_reports) == ("200", ("x",))


# --- bounds of the interval -----------------------------------------------------------------------------------------


@pytest.mark.rule("R325")
@pytest.mark.parametrize(
    ("start_s", "length_s", "expected"),
    [
        (35, 30, [40, 50, 60]),
        (-3600, 3625, [0, 10, 20]),
        (-3600, 0, [*range(0, 120, 10)]),
        (95, 0, [100, 110]),
        (33, 4, [33]),
    ],
    ids=["ahead", "begun", "for-ever", "from-later-on", "no-round-time-in-it"],
)
def test_samples_are_taken_within_the_interval(start_s: int, length_s: int, expected: list[int]) -> None:
    plant = Plant(offer())
    plant.ask(within(request("x", step_s=10, back_s=30), start_s, length_s))
    plant.run(119)
    assert [(due.at - START).total_seconds() for due in plant.asked] == expected
    if length_s:
        assert not plant.jobs
        assert {(at - START).total_seconds() for _, _, at in plant.arrived} == set(expected)


@pytest.mark.rule("R325")
@pytest.mark.parametrize(
    ("length_s", "expected"), [(150, [(0, 60), (60, 120), (120, 150)]), (120, [(0, 60), (60, 120)]), (30, [(0, 30)])]
)
def test_whole_periods_are_asked_for_up_to_the_end(length_s: int, expected: list[tuple[int, int]]) -> None:
    plant = Plant(ReportOffer(report=offer().report, collection=Collection.FULL))
    plant.ask(within(request("x", step_s=10, back_s=60), 0, length_s))
    plant.run(300)
    found = [((due.since - START).total_seconds(), (due.at - START).total_seconds()) for due in plant.asked]
    assert found == expected
    assert not plant.jobs
    assert {(at - START).total_seconds() for _, _, at in plant.arrived} == set(range(0, length_s, 10))
    assert all(isinstance(payload, UpdateReport) for _, payload in plant.messages)


def test_back_duration_need_not_be_a_multiple_of_the_granularity() -> None:
    plant = Plant(offer())
    plant.ask(request("x", step_s=40, back_s=60))
    plant.run(1200)
    sizes = [len(report.intervals) for report in plant.reports]
    assert set(sizes) == {1, 2}
    times = [(at - START).total_seconds() for _, _, at in plant.arrived]
    assert times == [float(second) for second in range(0, int(times[-1]) + 1, 40)]
    assert len(plant.reports) in (19, 20, 21), "one report every minute"


@pytest.mark.rule("R317")
@pytest.mark.rule("R340")
def test_report_may_be_wanted_once_a_month() -> None:
    day = 86_400
    offered = offer(longest=31 * day)
    offered = evolve(offered, report=evolve(offered.report, duration=Duration(seconds=31 * day)))
    plant = Plant(offered)
    monthly = request("monthly", step_s=day, back_s=1)
    monthly = evolve(
        monthly, report_specifier=evolve(monthly.report_specifier, report_back_duration=Duration(months=1))
    )
    whole = request("whole")
    whole = evolve(
        whole,
        report_specifier=evolve(
            whole.report_specifier, granularity=Duration(months=1), report_back_duration=Duration(months=1)
        ),
    )
    longer = evolve(
        monthly,
        report_request_id="longer",
        report_specifier=evolve(monthly.report_specifier, report_back_duration=Duration(months=2)),
    )
    plant.ask(monthly, whole, longer)
    assert set(plant.jobs) == {"monthly", "whole"}
    plant.run(62 * day)
    month = (later(START, Duration(months=1)) - START).days
    sizes = [len(report.intervals) for report in plant.reports if report.report_request_id == "monthly"]
    assert sizes == [month, month]


@pytest.mark.rule("R306")
def test_metadata_that_nobody_fetches_do_not_pile_up() -> None:
    plant = Plant(offer())
    plant.ask(metadata_request("a", back_s=10), metadata_request("b", back_s=60))
    plant.away = True
    plant.run(600)
    waiting = [entry.payload for entry in plant.bench.session.state.outbox.values()]
    assert len([payload for payload in waiting if isinstance(payload, RegisterReport)]) <= 4


@pytest.mark.rule("R306")
def test_requests_for_metadata_outlive_a_restart_in_the_midst_of_a_registration() -> None:
    plant = Plant(offer())
    plant.ask(metadata_request("all", back_s=3600), request("x", step_s=10, back_s=60))
    plant.run(15)
    plant.away = True
    plant.bench.put(Register())
    plant.restart()
    plant.away = False
    plant.run(60)
    assert list(plant.jobs) == ["all"]
    assert plant.jobs["all"].next_at is not None
