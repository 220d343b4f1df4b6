"""A VEN that asks its VTN for reports: with replies as they are written here, and with a real VTN at the other end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from oadr_core import LocalError
from oadr_core.engine import Now, ReplyArrived, RequestArrived, SendReply, SendRequest, Tick, Trouble
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
    Interval,
    Payload,
    Poll,
    RegisteredReport,
    RegisterReport,
    Report,
    ReportPayload,
    UpdatedReport,
    UpdateReport,
)
from oadr_core.ven import (
    AskReport,
    Collection,
    ProvideReport,
    Reading,
    Register,
    ReportDue,
    ReportOffer,
    ReportReceived,
    ReportRequestConfirmed,
    ReportRequestMade,
    ReportRequestStopped,
    ReportsOffered,
    StopReports,
    VenConfig,
    VenSession,
)
from oadr_core.ven.requests import MOST_REPORTS, SERVED_KEPT
from oadr_core.vtn import VtnConfig, VtnSession
from tests.core.ven.bench import KEY, OK, START, Bench, nothing, offer

MINUTE = timedelta(minutes=1)


def offers(*specifiers: str) -> RegisterReport:
    return RegisterReport(request_id="o", oadr_report=tuple(offer(one, "r1", "r2").report for one in specifiers))


def data(request_id: str, *values: float, specifier: str = "price", at: datetime = START, r_id: str = "r1") -> Report:
    return Report(
        dtstart=at,
        intervals=tuple(
            Interval(
                dtstart=at + number * MINUTE,
                stream_payload_base=(ReportPayload(r_id=r_id, payload_base=value),),
            )
            for number, value in enumerate(values)
        ),
        report_request_id=request_id,
        report_specifier_id=specifier,
        report_name="TELEMETRY_USAGE",
        created_date_time=at,
    )


def settle(bench: Bench, **replies: Payload) -> list[Payload]:
    """Answer everything that is under way, and say what it was."""
    sent = []
    while not bench.idle:
        payload = bench.pending.payload
        assert payload is not None
        sent.append(payload)
        bench.answer(replies.get(type(payload).__name__, nothing()))
    return sent


def come(bench: Bench, payload: Payload) -> Payload:
    """Let the VTN send a request with its reply to the next poll; the VEN's answer comes back."""
    settle(bench)
    bench.wait(31)
    assert bench.expect(Poll)
    bench.answer(payload)
    answer = bench.pending.payload
    assert answer is not None
    bench.answer(nothing())
    return answer


@pytest.fixture
def bench() -> Bench:
    ready = Bench()
    ready.register()
    come(ready, offers("price"))
    settle(ready)
    ready.forget()
    return ready


def ask(bench: Bench, **options: Any) -> str:
    """Ask, and let the VTN confirm; the reportRequestID comes back."""
    settle(bench)
    bench.put(AskReport(**{"report_specifier_id": "price", **options}))
    request_id = bench.heard(ReportRequestMade)[-1].report_request_id
    settle(bench, CreateReport=CreatedReport(ei_response=OK, oadr_pending_reports=(request_id,)))
    return request_id


@pytest.mark.rule("R301")
@pytest.mark.rule("R306")
def test_offer_of_the_vtn_is_told_and_confirmed_and_replaces_the_one_before() -> None:
    bench = Bench()
    bench.register()
    answer = come(bench, offers("price", "weather"))
    assert isinstance(answer, RegisteredReport)
    assert (answer.ei_response.response_code, answer.ei_response.request_id, answer.ven_id) == ("200", "o", "ven-1")
    [told] = bench.heard(ReportsOffered)
    assert (told.ven_id, [one.report_specifier_id for one in told.reports]) == ("ven-1", ["price", "weather"])
    come(bench, offers())
    assert bench.heard(ReportsOffered)[-1].reports == ()
    assert not bench.session.state.vtn_reports


def test_offer_of_nothing_is_no_news() -> None:
    bench = Bench()
    bench.register()
    come(bench, offers())
    assert not bench.heard(ReportsOffered)


def test_offer_that_is_too_large_changes_nothing(bench: Bench) -> None:
    before = bench.session.state.vtn_reports
    answer = come(bench, offers(*(f"n{number}" for number in range(MOST_REPORTS + 1))))
    assert isinstance(answer, RegisteredReport)
    assert answer.ei_response.response_code == "459"
    assert bench.session.state.vtn_reports == before


@pytest.mark.rule("R321")
@pytest.mark.rule("R338")
def test_request_is_made_of_what_is_offered(bench: Bench) -> None:
    settle(bench)
    bench.put(
        AskReport(report_specifier_id="price", r_ids=("r2",), granularity=MINUTE, report_back_duration=5 * MINUTE)
    )
    [request] = bench.expect(CreateReport).oadr_report_request
    specifier = request.report_specifier
    assert [one.r_id for one in specifier.specifier_payload] == ["r2"]
    assert specifier.specifier_payload[0].reading_type == "x-notApplicable"
    assert (str(specifier.granularity), str(specifier.report_back_duration)) == ("PT1M", "PT5M")
    assert bench.expect(CreateReport).ven_id == "ven-1"
    pending = (request.report_request_id,)
    bench.answer(CreatedReport(ei_response=OK, oadr_pending_reports=pending))
    [told] = bench.heard(ReportRequestConfirmed)
    assert told.report_request_ids == told.pending == pending
    assert bench.session.state.requests[request.report_request_id].confirmed


@pytest.mark.rule("R300")
@pytest.mark.parametrize(
    "options",
    [
        {"report_specifier_id": "weather"},
        {"report_specifier_id": "price", "r_ids": ("r9",)},
        {"report_specifier_id": "price", "granularity": timedelta(seconds=1)},
    ],
)
def test_what_is_not_offered_cannot_be_asked_for(bench: Bench, options: dict[str, Any]) -> None:
    before = bench.session.state
    with pytest.raises(LocalError):
        bench.put(AskReport(**options))
    assert bench.session.state is before


def test_without_a_registration_nobody_can_be_asked() -> None:
    with pytest.raises(LocalError, match="no registration"):
        Bench().put(AskReport(report_specifier_id="price"))


def test_request_that_the_vtn_refuses_is_over(bench: Bench) -> None:
    settle(bench)
    bench.put(AskReport(report_specifier_id="price"))
    [made] = bench.heard(ReportRequestMade)
    bench.answer(CreatedReport(ei_response=EiResponse(response_code="461"), oadr_pending_reports=()))
    [told] = bench.heard(ReportRequestStopped)
    assert told.report_request_ids == (made.report_request_id,)
    assert bench.heard(Trouble)[-1].code == "461"
    assert not bench.session.state.requests


@pytest.mark.rule("R329")
def test_request_that_is_pending_is_served_although_something_is_wrong(bench: Bench) -> None:
    settle(bench)
    bench.put(AskReport(report_specifier_id="price"))
    [made] = bench.heard(ReportRequestMade)
    answer = CreatedReport(
        ei_response=EiResponse(response_code="452"), oadr_pending_reports=("other", made.report_request_id)
    )
    bench.answer(answer)
    [told] = bench.heard(ReportRequestConfirmed)
    assert told.report_request_ids == (made.report_request_id,)
    assert not bench.heard(ReportRequestStopped)
    assert bench.session.state.requests[made.report_request_id].confirmed


def test_request_that_the_vtn_cannot_read_is_over(bench: Bench) -> None:
    settle(bench)
    bench.put(AskReport(report_specifier_id="price"))
    bench.answer(status=404)
    assert bench.heard(ReportRequestStopped)
    assert not bench.session.state.requests


def test_values_are_told_with_their_times_and_units(bench: Bench) -> None:
    request_id = ask(bench)
    answer = come(bench, UpdateReport(request_id="u", oadr_report=(data(request_id, 1.0, 2.0),)))
    assert isinstance(answer, UpdatedReport)
    assert (answer.ei_response.response_code, answer.ei_response.request_id) == ("200", "u")
    [told] = bench.heard(ReportReceived)
    assert [one for saved in bench.saves for one in saved.reports] == [told], "and saved, for whoever keeps values"
    assert (told.ven_id, told.report_request_id, told.report_name) == ("ven-1", request_id, "TELEMETRY_USAGE")
    assert [(one.r_id, one.dtstart - START, one.value) for one in told.values] == [
        ("r1", timedelta(), 1.0),
        ("r1", MINUTE, 2.0),
    ]
    assert told.values[0].item_base == offer().report.oadr_report_description[0].item_base


@pytest.mark.rule("R346")
def test_copy_of_a_report_is_known_as_one(bench: Bench) -> None:
    request_id = ask(bench)
    for _ in range(2):
        come(bench, UpdateReport(request_id="u", oadr_report=(data(request_id, 1.0),)))
    come(bench, UpdateReport(request_id="u", oadr_report=(data(request_id, 2.0),)))
    assert [told.repeated for told in bench.heard(ReportReceived)] == [False, True, False]


@pytest.mark.rule("R304")
@pytest.mark.parametrize(
    ("report", "code"),
    [
        (data("nobody", 1.0), "452"),
        (data("ID", 1.0, specifier="weather"), "452"),
        (data("ID", 1.0, r_id="r9"), "452"),
        (data("ID", float("nan")), "454"),
        (data("ID", 1.0, at=START + timedelta(days=400)), "454"),
    ],
    ids=["request", "specifier", "data-point", "no-number", "future"],
)
def test_what_cannot_be_taken_is_refused_and_the_rest_told(bench: Bench, report: Report, code: str) -> None:
    request_id = ask(bench)
    bad = evolve(report, report_request_id=report.report_request_id.replace("ID", request_id))
    answer = come(bench, UpdateReport(request_id="u", oadr_report=(bad, data(request_id, 5.0))))
    assert isinstance(answer, UpdatedReport)
    assert answer.ei_response.response_code == code
    assert bench.heard(Trouble)[-1].code == code
    [told] = bench.heard(ReportReceived)
    assert [one.value for one in told.values] == [5.0]


@pytest.mark.rule("R324")
def test_parts_of_a_single_report_are_taken_and_the_request_forgotten_by_and_by(bench: Bench) -> None:
    first = ask(bench, report_back_duration=timedelta())
    for value in (1.0, 2.0):
        come(bench, UpdateReport(request_id="u", oadr_report=(data(first, value),)))
    assert len(bench.heard(ReportReceived)) == 2
    for _ in range(SERVED_KEPT + 1):
        another = ask(bench, report_back_duration=timedelta())
        come(bench, UpdateReport(request_id="u", oadr_report=(data(another, 3.0),)))
    assert len(bench.session.state.requests) == SERVED_KEPT
    assert first not in bench.session.state.requests


@pytest.mark.rule("R336")
@pytest.mark.rule("R345")
@pytest.mark.parametrize("follow", [False, True])
def test_request_is_taken_back(bench: Bench, follow: bool) -> None:
    request_id = ask(bench)
    bench.put(StopReports(report_request_ids=(request_id,), report_to_follow=follow))
    message = bench.expect(CancelReport)
    assert (message.report_request_id, message.report_to_follow, message.ven_id) == ((request_id,), follow, "ven-1")
    bench.answer(CanceledReport(ei_response=OK, oadr_pending_reports=()))
    [told] = bench.heard(ReportRequestStopped)
    assert told.report_request_ids == (request_id,)
    answer = come(bench, UpdateReport(request_id="u", oadr_report=(data(request_id, 1.0),)))
    assert isinstance(answer, UpdatedReport)
    assert answer.ei_response.ok is follow, "the last report is taken"


@pytest.mark.rule("R304")
@pytest.mark.parametrize("ids", [(), ("nobody",)])
def test_what_was_not_asked_for_cannot_be_taken_back(bench: Bench, ids: tuple[str, ...]) -> None:
    with pytest.raises(LocalError):
        bench.put(StopReports(report_request_ids=ids))


@pytest.mark.rule("R306")
def test_new_offer_ends_all_requests_and_what_is_still_offered_is_asked_for_again(bench: Bench) -> None:
    come(bench, offers("price", "weather"))
    price, weather = ask(bench), ask(bench, report_specifier_id="weather")
    settle(bench)
    bench.wait(31)
    bench.forget_keep_flight()
    bench.answer(offers("price"))
    sent = settle(bench)
    [again] = [one for message in sent if isinstance(message, CreateReport) for one in message.oadr_report_request]
    assert again.report_specifier.report_specifier_id == "price"
    assert again.report_request_id not in (price, weather)
    assert list(bench.session.state.requests) == [again.report_request_id]
    assert any("weather" in told.text for told in bench.heard(Trouble))


@pytest.mark.rule("R306")
@pytest.mark.rule("R327")
def test_periodic_request_for_metadata_outlives_new_metadata(bench: Bench) -> None:
    once = ask(bench, report_specifier_id=METADATA)
    lasting = ask(bench, report_specifier_id=METADATA, report_back_duration=timedelta(hours=1))
    assert set(bench.session.state.requests) == {once, lasting}
    come(bench, evolve(offers("price"), report_request_id=once))
    assert list(bench.session.state.requests) == [lasting]


@pytest.mark.rule("R407")
def test_end_of_the_registration_ends_all_requests(bench: Bench) -> None:
    ask(bench)
    settle(bench)
    bench.wait(31)
    bench.answer(evolve(nothing(), ei_response=EiResponse(response_code="463")))
    assert not bench.session.state.requests
    assert not bench.session.state.vtn_reports


def test_requests_and_offers_outlive_a_restart(bench: Bench) -> None:
    request_id = ask(bench)
    session = VenSession.restore(bench.session.config, bench.session.snapshot(), wire=False)
    after = Bench(session=session)
    after.put(Tick())
    come(after, UpdateReport(request_id="u", oadr_report=(data(request_id, 1.0),)))
    assert after.heard(ReportReceived)


# --- with a real VTN ------------------------------------------------------------------------------------------------


class Pair:
    """A VEN and a VTN that offers a report, with nothing in between; bytes are written and read."""

    def __init__(self, *reports: ReportOffer) -> None:
        vtn = VtnConfig(
            vtn_id="VTN",
            identity="insecure",  # type: ignore[arg-type]  # converted
            offered_reports=reports,
            requested_poll_freq=timedelta(seconds=10),
        )
        self.vtn = VtnSession(vtn, key=b"u" * 16)
        self.ven = VenSession(VenConfig(ven_name="v", jitter=False), key=KEY)
        self.second = 0.0
        self.heard: list[Any] = []
        self.numbers = 0
        self.put(Register())

    @property
    def now(self) -> Now:
        return Now(self.second, START + timedelta(seconds=self.second))

    def put(self, command: Any) -> None:
        self._carry_out(self.ven.handle(command, self.now))

    def _carry_out(self, outputs: tuple[Any, ...]) -> None:
        for output in outputs:
            if isinstance(output, SendRequest):
                self._exchange(output)
            else:
                self.heard.append(output)

    def _exchange(self, request: SendRequest) -> None:
        arrived = RequestArrived(exchange=request.exchange, service=request.service, data=request.data)
        [reply] = [one for one in self._vtn(arrived) if isinstance(one, SendReply)]
        self.put(ReplyArrived(exchange=request.exchange, data=reply.data))

    def _vtn(self, something: Any) -> tuple[Any, ...]:
        outputs = self.vtn.handle(something, self.now)
        for due in [one for one in outputs if isinstance(one, ReportDue)]:
            self.numbers += 1
            readings = tuple(Reading(r_id=r_id, value=float(self.numbers)) for r_id in due.r_ids)
            command = ProvideReport(
                ven_id=due.ven_id, report_request_id=due.report_request_id, at=due.at, readings=readings
            )
            outputs += self.vtn.handle(command, self.now)
        return outputs

    def run(self, seconds: float) -> None:
        end = self.second + seconds
        while self.second < end:
            timers = (self.ven.next_timer(self.now), self.vtn.next_timer(self.now), end)
            self.second = max(min(timer for timer in timers if timer is not None), self.second + 0.001)
            self._vtn(Tick())
            self.put(Tick())

    def told(self, kind: type[Any]) -> list[Any]:
        return [one for one in self.heard if isinstance(one, kind)]


@pytest.mark.rule("R301")
@pytest.mark.rule("R324")
def test_ven_gets_reports_of_a_vtn() -> None:
    pair = Pair(offer("price", "r1", "r2"))
    pair.run(30)
    [offered] = pair.told(ReportsOffered)
    assert [one.report_specifier_id for one in offered.reports] == ["price"]
    pair.put(AskReport(report_specifier_id="price", granularity=MINUTE, report_back_duration=2 * MINUTE))
    pair.put(AskReport(report_specifier_id="price", r_ids=("r2",), report_back_duration=timedelta()))
    periodic, once = (made.report_request_id for made in pair.told(ReportRequestMade))
    pair.run(610)
    assert {id_ for told in pair.told(ReportRequestConfirmed) for id_ in told.report_request_ids} == {periodic, once}
    received = pair.told(ReportReceived)
    assert [len(told.values) for told in received if told.report_request_id == once] == [1]
    times = [one.dtstart for told in received if told.report_request_id == periodic for one in told.values]
    assert sorted(set(times)) == [START + number * MINUTE for number in range(1, 1 + len(set(times)))]
    assert len(times) == 2 * len(set(times)) >= 16
    pair.put(StopReports(report_request_ids=(periodic,)))
    pair.run(60)
    assert [told.report_request_ids for told in pair.told(ReportRequestStopped)] == [(periodic,)]
    before = len(pair.told(ReportReceived))
    pair.run(600)
    assert len(pair.told(ReportReceived)) == before
    assert not pair.told(Trouble)


def test_ven_gets_history_of_a_vtn() -> None:
    base = offer("old", "r1").report
    kept = evolve(base, report_name="METADATA_HISTORY_USAGE", duration=Duration(seconds=86_400))
    pair = Pair(ReportOffer(report=kept, collection=Collection.FULL))
    pair.run(30)
    pair.put(AskReport(report_specifier_id="old", dtstart=START - timedelta(hours=2), duration=timedelta(hours=1)))
    pair.run(60)
    [told] = pair.told(ReportReceived)
    assert told.report_name == "HISTORY_USAGE"
    assert told.values[0].data_quality is not DataQuality.QUALITY_BAD_NON_SPECIFIC
