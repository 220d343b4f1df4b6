"""How a VEN serves report requests: samples at round times, delivery, placeholders, cancellation (section 5.3)."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import pytest

from oadr_core import LocalError
from oadr_core.engine import Failure, Trouble
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
    PayloadResourceStatus,
    Poll,
    Properties,
    RegisteredReport,
    RegisterReport,
    ReportPayload,
    ReportRequest,
    UpdatedReport,
    UpdateReport,
)
from oadr_core.ven import (
    Collection,
    PollNow,
    ProvideReport,
    Reading,
    Register,
    ReportCancelled,
    ReportDelivered,
    ReportDue,
    ReportOffer,
    ReportRequested,
    VenSession,
)
from oadr_core.wire import encode
from tests.core.ven.bench import OK, START, Bench, nothing, offer, registration, request

UPDATED = UpdatedReport(ei_response=OK)


def ask(bench: Bench, *requests: ReportRequest) -> CreatedReport:
    """Let the VTN ask for reports, and acknowledge the VEN's answer."""
    bench.answer(CreateReport(request_id="q1", oadr_report_request=requests, ven_id="ven-1"))
    answer = bench.expect(CreatedReport)
    bench.answer(nothing())
    return answer


@pytest.fixture
def bench() -> Bench:
    ready = Bench(reports=(offer(),))
    ready.wall += timedelta(seconds=3, milliseconds=200)
    ready.register()
    return ready


class Meter:
    """Answers every question of a bench, and everything that it sends; keeps the reports."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.asked: list[tuple[datetime, datetime]] = []
        self.sent: list[tuple[datetime, UpdateReport]] = []
        self.silent = False

    def run(self, seconds: float) -> None:
        end = self.bench.mono + seconds
        while self.bench.mono < end:
            self._serve()
            timer = self.bench.session.next_timer(self.bench.now)
            pause = end - self.bench.mono if timer is None else timer - self.bench.mono
            self.bench.wait(min(max(pause, 0.001), end - self.bench.mono))
        self._serve()

    def _serve(self) -> None:
        for _ in range(100):
            due = self.bench.heard(ReportDue)
            self.bench.told = [told for told in self.bench.told if not isinstance(told, ReportDue)]
            for question in due:
                self.asked.append((question.at, self.bench.wall))
                if not self.silent:
                    readings = tuple(Reading(r_id=r_id, value=1.5) for r_id in question.r_ids)
                    self.bench.put(
                        ProvideReport(report_request_id=question.report_request_id, at=question.at, readings=readings)
                    )
            if self.bench.idle:
                if not due:
                    return
                continue
            payload = self.bench.pending.payload
            if isinstance(payload, UpdateReport):
                self.sent.append((self.bench.wall, payload))
                self.bench.answer(UPDATED)
            else:
                self.bench.answer(nothing())


def starts(payload: UpdateReport) -> list[datetime | None]:
    return [interval.dtstart for interval in payload.oadr_report[0].intervals]


@pytest.mark.rule("R329")
def test_request_is_taken_up_and_listed(bench: Bench) -> None:
    answer = ask(bench, request("req-1"), request("req-2"))
    assert (answer.ei_response.response_code, answer.ei_response.request_id) == ("200", "q1")
    assert answer.oadr_pending_reports == ("req-1", "req-2")
    assert len(bench.heard(ReportRequested)) == 2


@pytest.mark.rule("R344")
def test_request_that_comes_with_the_registration_is_confirmed() -> None:
    bench = Bench(reports=(offer(),))
    bench.put(Register())
    bench.answer(registration())
    response = EiResponse(request_id="g1")
    bench.answer(RegisteredReport(ei_response=response, oadr_report_request=(request(),)))
    bench.answer(nothing())  # to RequestEvent, which was waiting already
    answer = bench.expect(CreatedReport)
    assert answer.ei_response.request_id == "g1"
    assert answer.oadr_pending_reports == ("req-1",)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (request("x", "other"), "452"),
        (request("x", "spec", "r9"), "452"),
        (request("x", step_s=5, back_s=10), "454"),
        (request("x", step_s=1200, back_s=1200), "454"),
        (request("x", step_s=60, back_s=30), "454"),
        (request("x", step_s=0, back_s=10**14), "454"),
    ],
    ids=["specifier", "data-point", "too-often", "too-seldom", "longer-than-back-duration", "beyond-the-calendar"],
)
@pytest.mark.rule("R304")
@pytest.mark.rule("R317")
def test_impossible_request_is_refused_and_the_others_served(bench: Bench, wanted: ReportRequest, code: str) -> None:
    answer = ask(bench, wanted, request("good"))
    assert answer.ei_response.response_code == code
    assert answer.ei_response.response_description
    assert answer.oadr_pending_reports == ("good",)


def test_samples_are_taken_at_round_times_and_sent_at_once_when_one_is_enough(bench: Bench) -> None:
    ask(bench, request())
    meter = Meter(bench)
    meter.run(60)
    assert [at.second for at, _ in meter.asked] == [10, 20, 30, 40, 50, 0]
    assert all(timedelta() <= asked - at < timedelta(milliseconds=10) for at, asked in meter.asked)
    assert [starts(payload) for _, payload in meter.sent] == [[at] for at, _ in meter.asked]


@pytest.mark.rule("R313")
@pytest.mark.rule("R314")
@pytest.mark.rule("R342")
def test_several_samples_make_one_report_oldest_first(bench: Bench) -> None:
    ask(bench, request(step_s=10, back_s=30))
    meter = Meter(bench)
    meter.run(100)
    assert len(meter.sent) == 3
    _, payload = meter.sent[0]
    [report] = payload.oadr_report
    assert report.dtstart == starts(payload)[0] == START + timedelta(seconds=10)
    assert starts(payload) == [START + timedelta(seconds=s) for s in (10, 20, 30)]
    assert (report.report_request_id, report.report_specifier_id) == ("req-1", "spec")
    assert report.report_name == "TELEMETRY_USAGE"
    assert not report.oadr_report_description
    assert all(interval.duration is None for interval in report.intervals)
    encode(payload)
    every = [at for _, sent in meter.sent for at in starts(sent)]
    assert every == [START + timedelta(seconds=s) for s in range(10, 100, 10)], "no sample is lost or doubled"


def test_delivery_is_jittered_and_samples_are_not() -> None:
    bench = Bench(reports=(offer(),), jitter=True)
    bench.register()
    ask(bench, request(step_s=100, back_s=100))
    meter = Meter(bench)
    meter.run(3000)
    delays = [(sent - (starts(payload)[0] or sent)).total_seconds() for sent, payload in meter.sent]
    assert len(delays) >= 28
    assert all(0 <= delay <= 10.1 for delay in delays)
    assert max(delays) - min(delays) > 5
    assert all((asked - at).total_seconds() < 0.01 for at, asked in meter.asked)
    assert {at.second for at, _ in meter.asked} <= {0, 20, 40}


@pytest.mark.rule("R300")
@pytest.mark.rule("R318")
def test_value_that_does_not_come_in_time_is_a_placeholder(bench: Bench) -> None:
    ask(bench, request())
    meter = Meter(bench)
    meter.silent = True
    meter.run(25)
    [payload] = meter.sent[0][1].oadr_report[0].intervals[0].stream_payload_base
    assert isinstance(payload, ReportPayload)
    assert (payload.r_id, payload.oadr_data_quality) == ("r1", DataQuality.QUALITY_BAD_NON_SPECIFIC)
    assert "in time" in bench.heard(Trouble)[0].text


@pytest.mark.rule("R318")
def test_data_point_that_is_left_out_gets_a_placeholder() -> None:
    bench = Bench(reports=(offer("spec", "r1", "r2"),))
    bench.register()
    ask(bench, request("req-1", "spec", "r1", "r2"))
    bench.answer(nothing())
    [due] = bench.heard(ReportDue)
    bench.put(ProvideReport(report_request_id="req-1", at=due.at, readings=(Reading(r_id="r2", value=2.0),)))
    found = {}
    for interval in bench.expect(UpdateReport).oadr_report[0].intervals:
        for payload in interval.stream_payload_base:
            assert isinstance(payload, ReportPayload)
            found[payload.r_id] = (payload.payload_base, payload.oadr_data_quality)
    assert found == {"r1": (0.0, DataQuality.QUALITY_BAD_NON_SPECIFIC), "r2": (2.0, None)}


@pytest.mark.rule("R324")
def test_one_shot_is_sent_at_once_and_then_over(bench: Bench) -> None:
    ask(bench, request(step_s=0, back_s=0))
    [due] = bench.heard(ReportDue)
    bench.put(ProvideReport(report_request_id="req-1", at=due.at, readings=(Reading(r_id="r1", value=3.0),)))
    while not isinstance(bench.pending.payload, UpdateReport):
        bench.answer(nothing())
    assert len(bench.expect(UpdateReport).oadr_report[0].intervals) == 1
    bench.answer(UPDATED)
    assert not bench.session.state.jobs
    assert len(bench.heard(ReportDelivered)) == 1


@pytest.mark.rule("R325")
def test_report_interval_bounds_the_samples(bench: Bench) -> None:
    period = Properties(dtstart=START + timedelta(seconds=35), duration=Duration(seconds=30))
    base = request()
    bounded = evolve(base, report_specifier=evolve(base.report_specifier, report_interval=period))
    ask(bench, bounded)
    meter = Meter(bench)
    meter.run(120)
    assert [at - START for at, _ in meter.asked] == [timedelta(seconds=s) for s in (40, 50, 60)]
    assert not bench.session.state.jobs


def test_full_collection_asks_once_for_the_whole_period() -> None:
    bench = Bench(reports=(ReportOffer(report=offer().report, collection=Collection.FULL),))
    bench.register()
    ask(bench, request(step_s=10, back_s=60))
    while not bench.idle:
        bench.answer(nothing())
    bench.wait(61)
    [due] = bench.heard(ReportDue)
    assert due.collection is Collection.FULL
    assert (due.at - due.since, due.interval) == (timedelta(seconds=60), timedelta(seconds=10))
    readings = tuple(Reading(r_id="r1", value=float(n), at=due.since + timedelta(seconds=10 * n)) for n in range(6))
    bench.put(ProvideReport(report_request_id="req-1", at=due.at, readings=readings))
    while not isinstance(bench.pending.payload, UpdateReport):
        bench.answer(nothing())
    assert len(bench.expect(UpdateReport).oadr_report[0].intervals) == 6


@pytest.mark.rule("R336")
@pytest.mark.rule("R345")
@pytest.mark.parametrize("follow", [False, True])
def test_cancelled_report_ends_perhaps_with_a_last_one(bench: Bench, follow: bool) -> None:
    ask(bench, request("req-1", step_s=10, back_s=30), request("req-2"))
    meter = Meter(bench)
    meter.run(8)
    bench.put(PollNow())
    bench.answer(CancelReport(request_id="c1", report_request_id=("req-1",), report_to_follow=follow))
    answer = bench.expect(CanceledReport)
    assert answer.ei_response.response_code == "200"
    assert "req-2" in answer.oadr_pending_reports
    meter.run(60)
    final = [payload for _, payload in meter.sent if payload.oadr_report[0].report_request_id == "req-1"]
    assert len(final) == (1 if follow else 0)
    assert list(bench.session.state.jobs) == ["req-2"]


@pytest.mark.rule("R336")
def test_report_that_is_cancelled_twice_in_one_message_is_cancelled(bench: Bench) -> None:
    ask(bench, request())
    bench.answer(CancelReport(request_id="c1", report_request_id=("req-1", "req-1")))
    answer = bench.expect(CanceledReport)
    assert (answer.ei_response.response_code, answer.oadr_pending_reports) == ("200", ())


@pytest.mark.rule("R336")
def test_cancelling_an_unknown_report_is_an_error(bench: Bench) -> None:
    ask(bench, request())
    bench.answer(CancelReport(request_id="c1", report_request_id=("nobody",)))
    answer = bench.expect(CanceledReport)
    assert (answer.ei_response.response_code, answer.oadr_pending_reports) == ("452", ("req-1",))


@pytest.mark.rule("R328")
@pytest.mark.rule("R335")
def test_report_can_be_cancelled_with_its_acknowledgement(bench: Bench) -> None:
    ask(bench, request())
    bench.wait(12)
    while not bench.idle:
        bench.answer(nothing())
    due = bench.heard(ReportDue)[0]
    bench.put(ProvideReport(report_request_id="req-1", at=due.at, readings=(Reading(r_id="r1", value=1.0),)))
    bench.expect(UpdateReport)
    cancel = CancelReport(request_id="", report_request_id=("req-1",))
    bench.answer(UpdatedReport(ei_response=OK, oadr_cancel_report=cancel))
    assert bench.heard(ReportCancelled)
    assert not bench.session.state.jobs


@pytest.mark.rule("R311")
@pytest.mark.rule("R327")
def test_request_for_metadata_is_answered_with_metadata(bench: Bench) -> None:
    bench.answer(
        CreateReport(request_id="q", oadr_report_request=(request("meta-1", METADATA, "0", step_s=0, back_s=0),))
    )
    assert bench.expect(CreatedReport).ei_response.response_code == "200"
    bench.answer(nothing())
    payload = bench.expect(RegisterReport)
    assert payload.report_request_id == "meta-1"
    assert payload.oadr_report[0].report_request_id == "0"
    assert payload.oadr_report[0].created_date_time == bench.now.seconds


def test_repeated_request_does_not_begin_anew(bench: Bench) -> None:
    ask(bench, request(step_s=10, back_s=30))
    meter = Meter(bench)
    meter.run(15)
    bench.put(PollNow())
    assert isinstance(bench.pending.payload, Poll)
    ask(bench, request(step_s=10, back_s=30))
    meter.run(60)
    assert starts(meter.sent[0][1]) == [START + timedelta(seconds=s) for s in (10, 20, 30)]
    assert len(bench.heard(ReportRequested)) <= 1


def test_report_waits_while_the_vtn_is_away_and_none_is_lost(bench: Bench) -> None:
    ask(bench, request(step_s=10, back_s=30))
    meter = Meter(bench)
    meter.run(25)
    for _ in range(4):
        if bench.idle:
            bench.wait(10)
        for question in bench.heard(ReportDue):
            bench.put(
                ProvideReport(report_request_id="req-1", at=question.at, readings=(Reading(r_id="r1", value=1.0),))
            )
        if not bench.idle:
            bench.fail(Failure.UNREACHABLE)
    meter.run(120)
    times = [at for _, payload in meter.sent for at in starts(payload)]
    assert times == sorted(set(times))


def test_backlog_of_reports_goes_out_together_and_does_not_keep_from_polling(bench: Bench) -> None:
    ask(bench, request())
    kinds, reports = [], 0
    for _ in range(40):
        for question in bench.heard(ReportDue):
            reading = Reading(r_id="r1", value=1.0)
            bench.put(ProvideReport(report_request_id="req-1", at=question.at, readings=(reading,)))
        if bench.idle:
            bench.wait(1)
            continue
        payload = bench.pending.payload
        bench.wait(25)  # a VTN that is slow
        kinds.append(type(payload))
        reports += len(payload.oadr_report) if isinstance(payload, UpdateReport) else 0
        bench.answer(UPDATED if isinstance(payload, UpdateReport) else nothing())
    assert kinds.count(Poll) >= len(kinds) // 3
    assert reports > kinds.count(UpdateReport)


@pytest.mark.parametrize("value", [math.nan, math.inf, 10**400])
def test_numbers_that_are_hard_to_write_do_not_block_the_report(bench: Bench, value: float) -> None:
    ask(bench, request())
    bench.wait(12)
    while not bench.idle:
        bench.answer(nothing())
    due = bench.heard(ReportDue)[0]
    command = ProvideReport(report_request_id="req-1", at=due.at, readings=(Reading(r_id="r1", value=value),))
    before = bench.session.state
    try:
        bench.put(command)
    except LocalError:
        assert bench.session.state is before
    else:
        encode(bench.expect(UpdateReport))


@pytest.mark.parametrize("value", ["12", b"1", object()])
def test_reading_that_is_no_number_is_refused_and_changes_nothing(bench: Bench, value: object) -> None:
    ask(bench, request())
    bench.wait(12)
    while not bench.idle:
        bench.answer(nothing())
    due = bench.heard(ReportDue)[0]
    before = bench.session.state
    with pytest.raises(LocalError, match="payload_base"):
        bench.put(
            ProvideReport(
                report_request_id="req-1",
                at=due.at,
                readings=(Reading(r_id="r1", value=value),),
            )
        )
    assert bench.session.state is before


def test_status_of_a_resource_can_be_reported(bench: Bench) -> None:
    ask(bench, request())
    bench.wait(12)
    while not bench.idle:
        bench.answer(nothing())
    due = bench.heard(ReportDue)[0]
    status = PayloadResourceStatus(oadr_online=True, oadr_manual_override=False)
    bench.put(ProvideReport(report_request_id="req-1", at=due.at, readings=(Reading(r_id="r1", value=status),)))
    [payload] = bench.expect(UpdateReport).oadr_report[0].intervals[0].stream_payload_base
    assert isinstance(payload, ReportPayload)
    assert payload.payload_base == status


def test_wall_clock_that_jumps_ahead_skips_what_cannot_be_measured_any_more(bench: Bench) -> None:
    ask(bench, request())
    meter = Meter(bench)
    meter.run(15)
    bench.wall += timedelta(hours=5, seconds=1)
    meter.run(30)
    recent = [at for at, _ in meter.asked if at > START + timedelta(hours=1)]
    assert 2 <= len(recent) <= 5


@pytest.mark.rule("R324")
@pytest.mark.rule("R337")
@pytest.mark.parametrize("collection", list(Collection))
def test_one_shot_has_one_value_of_each_data_point_and_it_is_the_latest(collection: Collection) -> None:
    bench = Bench(reports=(ReportOffer(report=offer("spec", "r1", "r2").report, collection=collection),))
    bench.register()
    ask(bench, request("req-1", "spec", "r1", "r2", step_s=0, back_s=0))
    [due] = bench.heard(ReportDue)
    assert due.since == due.at - (timedelta(seconds=10) if collection is Collection.FULL else timedelta())
    minute = timedelta(minutes=1)
    several = tuple(
        Reading(r_id=r_id, value=float(number), at=due.at - number * minute, duration=minute)
        for r_id in ("r1", "r2")
        for number in (3, 1, 2)
    )
    bench.put(ProvideReport(report_request_id="req-1", at=due.at, readings=several))
    while not isinstance(bench.pending.payload, UpdateReport):
        bench.answer(nothing())
    [report] = bench.expect(UpdateReport).oadr_report
    found = [(interval.dtstart, interval.duration) for interval in report.intervals]
    assert found == [(due.at - minute, Duration(seconds=60))] * 2
    assert report.duration == Duration(seconds=60)


def test_answer_that_comes_too_late_is_ignored(bench: Bench) -> None:
    ask(bench, request())
    bench.wait(7)
    while not bench.idle:
        bench.answer(nothing())
    [due] = bench.heard(ReportDue)
    bench.wait(11)
    late = ProvideReport(report_request_id="req-1", at=due.at, readings=(Reading(r_id="r1", value=5.0),))
    before = dict(bench.session.state.samples)
    bench.put(late)
    assert dict(bench.session.state.samples) == before
    assert [told.at for told in bench.heard(ReportDue)] == [due.at, due.at + timedelta(seconds=10)]


@pytest.mark.rule("R345")
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("collection", list(Collection))
def test_last_report_has_what_was_collected_and_the_value_of_now(nested: bool, collection: Collection) -> None:
    offered = ReportOffer(report=offer().report, collection=collection)
    bench = Bench(reports=(offered,))
    bench.register()
    ask(bench, request("req-1", step_s=10, back_s=60), request("req-2", step_s=10, back_s=10))
    meter = Meter(bench)
    meter.run(34)
    cancel = CancelReport(request_id="c1", report_request_id=("req-1",), report_to_follow=True)
    if nested:
        while not bench.idle and not isinstance(bench.pending.payload, UpdateReport):
            bench.answer(nothing())
        bench.wait(10)
        for due in bench.heard(ReportDue):
            readings = (Reading(r_id="r1", value=1.5),)
            bench.put(ProvideReport(report_request_id=due.report_request_id, at=due.at, readings=readings))
        while not isinstance(bench.pending.payload, UpdateReport):
            bench.answer(nothing())
        bench.answer(UpdatedReport(ei_response=OK, oadr_cancel_report=cancel))
    else:
        bench.put(PollNow())
        bench.answer(cancel)
        assert set(bench.expect(CanceledReport).oadr_pending_reports) == {"req-1", "req-2"}, "one is still to come"
    cancelled = bench.now.seconds
    assert [told.report_request_id for told in bench.heard(ReportCancelled)] == ["req-1"]
    meter.run(60)
    reports = [report for _, sent in meter.sent for report in sent.oadr_report if report.report_request_id == "req-1"]
    [last] = reports
    times = [interval.dtstart for interval in last.intervals]
    assert times[-1] == cancelled
    if collection is Collection.INCREMENTAL:
        assert len(times) >= 4, "what was collected until then"
    assert list(bench.session.state.jobs) == ["req-2"]


@pytest.mark.rule("R345")
def test_last_report_is_sent_though_the_process_died_before_its_values_came(bench: Bench) -> None:
    ask(bench, request("req-1", step_s=10, back_s=60))
    bench.put(PollNow())
    bench.answer(CancelReport(request_id="c1", report_request_id=("req-1",), report_to_follow=True))
    session = VenSession.restore(bench.session.config, bench.session.snapshot(), wire=False)
    after = Bench(session=session)
    after.wall = bench.wall
    meter = Meter(after)
    meter.run(60)
    assert len(meter.sent) == 1
    assert not session.state.jobs


@pytest.mark.rule("R328")
@pytest.mark.rule("R336")
def test_what_was_collected_is_not_sent_after_the_cancellation(bench: Bench) -> None:
    ask(bench, request("req-1", step_s=10, back_s=60))
    meter = Meter(bench)
    meter.run(34)
    bench.put(PollNow())
    bench.answer(CancelReport(request_id="c1", report_request_id=("req-1",), report_to_follow=False))
    assert bench.expect(CanceledReport).oadr_pending_reports == ()
    [told] = bench.heard(ReportCancelled)
    assert told.dropped == len(meter.asked)
    meter.run(200)
    assert not meter.sent
    assert not bench.session.state.samples


@pytest.mark.rule("R336")
def test_report_that_waits_to_be_tried_again_is_not_sent_after_its_cancellation(bench: Bench) -> None:
    ask(bench, request("req-1"), request("req-2"))
    bench.wait(7)
    while not bench.idle:
        bench.answer(nothing())
    for due in bench.heard(ReportDue):
        readings = (Reading(r_id="r1", value=1.0),)
        bench.put(ProvideReport(report_request_id=due.report_request_id, at=due.at, readings=readings))
    assert len(bench.expect(UpdateReport).oadr_report) in (1, 2)
    bench.fail(Failure.BROKEN)
    bench.put(PollNow())
    bench.expect(Poll)
    bench.answer(CancelReport(request_id="c1", report_request_id=("req-1",), report_to_follow=False))
    meter = Meter(bench)
    meter.run(60)
    reports = [report.report_request_id for _, sent in meter.sent for report in sent.oadr_report]
    assert "req-1" not in reports
    first = next(report for _, sent in meter.sent for report in sent.oadr_report)
    assert (first.report_request_id, first.dtstart) == ("req-2", START + timedelta(seconds=10)), "the other one is sent"
