"""How a VEN registers, and what it does when it is refused, forgotten or dropped (section 5.1)."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from oadr_core.engine import Failure, Trouble
from oadr_core.model import (
    CanceledPartyRegistration,
    CancelPartyRegistration,
    CreatePartyRegistration,
    CreateReport,
    DistributeEvent,
    Duration,
    EiResponse,
    Poll,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    RequestEvent,
    RequestReregistration,
    Response,
)
from oadr_core.ven import (
    CancelRegistration,
    DecisionNeeded,
    EventCancelled,
    EventReceived,
    IntervalStarted,
    PollNow,
    Register,
    Registered,
    RegistrationEnded,
    RegistrationRefused,
)
from tests.core.ven.bench import OK, START, Bench, decide, distribute, event, nothing, offer, registration, request


@pytest.mark.rule("R405")
@pytest.mark.rule("R309")
def test_metadata_and_events_come_before_the_first_poll() -> None:
    bench = Bench(query_first=True, reports=(offer(),))
    bench.put(Register())
    bench.expect(QueryRegistration)
    bench.answer(registration(registration_id=None, ven_id=None))
    bench.expect(CreatePartyRegistration)
    bench.answer(registration())
    assert [item.r_id for item in bench.expect(RegisterReport).oadr_report[0].oadr_report_description] == ["r1"]
    bench.answer(RegisteredReport(ei_response=OK))
    assert bench.expect(RequestEvent).ei_request_event.ven_id == "ven-1"
    bench.answer(nothing())  # an oadrResponse in place of an empty oadrDistributeEvent
    assert bench.expect(Poll).ven_id == "ven-1"
    [told] = bench.heard(Registered)
    assert (told.ven_id, told.registration_id, told.poll_interval) == ("ven-1", "reg-1", timedelta(seconds=30))


@pytest.mark.rule("R402")
def test_first_registration_has_no_ids_and_says_pull() -> None:
    bench = Bench()
    bench.put(Register())
    payload = bench.expect(CreatePartyRegistration)
    assert (payload.registration_id, payload.ven_id, payload.oadr_http_pull_model) == (None, None, True)
    assert payload.oadr_transport_address is None


@pytest.mark.rule("R402")
def test_preconfigured_ven_id_is_sent() -> None:
    bench = Bench(ven_id="ven-9")
    bench.put(Register())
    assert bench.expect(CreatePartyRegistration).ven_id == "ven-9"


@pytest.mark.rule("R301")
def test_metadata_without_reports_is_sent_empty() -> None:
    bench = Bench()
    bench.put(Register())
    bench.answer(registration())
    payload = bench.expect(RegisterReport)
    assert payload.oadr_report == ()
    assert payload.report_request_id is None


def test_query_that_fails_does_not_keep_from_registering() -> None:
    bench = Bench(query_first=True)
    bench.put(Register())
    bench.answer(status=404)
    bench.expect(CreatePartyRegistration)


@pytest.mark.rule("R401")
@pytest.mark.parametrize(
    "answer",
    [
        registration(ei_response=EiResponse(response_code="463", response_description="who are you?")),
        registration(registration_id=None),
        registration(ven_id=None),
        Response(ei_response=EiResponse(response_code="452")),
        Response(ei_response=OK),
    ],
    ids=["error-code", "no-registration-id", "no-ven-id", "response-with-error", "response"],
)
def test_refusal_is_told_and_tried_again_later(answer: object) -> None:
    bench = Bench(registration_retry=timedelta(minutes=2))
    bench.put(Register())
    bench.answer(answer)
    [told] = bench.heard(RegistrationRefused)
    assert told.retry_s == 120
    assert bench.idle
    bench.wait(119)
    assert bench.idle
    bench.wait(2)
    bench.expect(CreatePartyRegistration)


def test_refusal_while_a_question_is_open_leaves_the_session_at_rest() -> None:
    bench = Bench(decision_timeout=timedelta(seconds=20))
    bench.register()
    bench.answer(distribute(event()))
    bench.put(Register())
    bench.answer(Response(ei_response=OK))
    bench.wait(60)
    assert bench.idle


def test_refusal_without_retry_waits_for_the_application() -> None:
    bench = Bench(registration_retry=None)
    bench.put(Register())
    bench.answer(registration(registration_id=None))
    bench.wait(86_400)
    assert bench.idle
    bench.put(Register())
    bench.expect(CreatePartyRegistration)


@pytest.mark.rule("R407")
def test_cancellation_by_the_vtn_is_confirmed_and_everything_forgotten() -> None:
    bench = Bench()
    bench.register()
    bench.answer(distribute(event()))
    bench.wait(31)
    bench.answer(CancelPartyRegistration(request_id="c1", registration_id="reg-1", ven_id="ven-1"))
    answer = bench.expect(CanceledPartyRegistration)
    assert (answer.ei_response.response_code, answer.ei_response.request_id) == ("200", "c1")
    assert bench.heard(RegistrationEnded)[0].by_vtn
    assert [told.implied for told in bench.heard(EventCancelled)] == [True]
    assert bench.session.registration is None
    assert not bench.session.state.events
    bench.answer(nothing())
    bench.wait(100)
    assert bench.idle


@pytest.mark.rule("R400")
@pytest.mark.parametrize(("registration_id", "ven_id"), [("reg-2", "ven-1"), ("reg-1", "ven-2")])
def test_cancellation_of_another_registration_is_refused(registration_id: str, ven_id: str) -> None:
    bench = Bench()
    bench.register()
    bench.answer(CancelPartyRegistration(request_id="c1", registration_id=registration_id, ven_id=ven_id))
    assert bench.expect(CanceledPartyRegistration).ei_response.response_code == "452"
    assert bench.session.registration is not None


def test_own_cancellation_ends_when_the_vtn_confirms() -> None:
    bench = Bench()
    bench.register()
    bench.answer(nothing())
    bench.put(CancelRegistration())
    payload = bench.expect(CancelPartyRegistration)
    assert (payload.registration_id, payload.ven_id) == ("reg-1", "ven-1")
    assert bench.session.registration is not None
    bench.answer(CanceledPartyRegistration(ei_response=OK, registration_id="reg-1", ven_id="ven-1"))
    assert bench.session.registration is None
    assert not bench.heard(RegistrationEnded)[0].by_vtn
    bench.put(Register())
    assert bench.expect(CreatePartyRegistration).registration_id is None


def test_cancellation_while_the_registration_is_under_way_waits_for_it() -> None:
    bench = Bench()
    bench.put(Register())
    bench.put(CancelRegistration())
    bench.answer(registration())
    assert bench.expect(CancelPartyRegistration).registration_id == "reg-1"
    bench.answer(CanceledPartyRegistration(ei_response=OK))
    assert bench.session.registration is None
    bench.wait(100)
    assert bench.idle


def test_registration_wanted_while_the_cancellation_is_under_way_begins_anew() -> None:
    bench = Bench()
    bench.register()
    bench.answer(nothing())
    bench.put(CancelRegistration())
    bench.put(Register())
    bench.answer(CanceledPartyRegistration(ei_response=OK))
    assert bench.expect(CreatePartyRegistration).registration_id is None


@pytest.mark.rule("R402")
def test_reregistration_is_acknowledged_and_keeps_the_ids() -> None:
    bench = Bench()
    bench.register()
    bench.answer(RequestReregistration(ven_id="ven-1"))
    assert bench.pending.service == "EiRegisterParty"
    bench.expect(Response)
    bench.answer(None)  # an empty body
    payload = bench.expect(CreatePartyRegistration)
    assert (payload.registration_id, payload.ven_id) == ("reg-1", "ven-1")
    bench.answer(registration())
    assert bench.heard(Registered)[0].again
    bench.expect(RegisterReport)


def test_reregistration_asked_in_place_of_any_answer_loses_no_message() -> None:
    bench = Bench()
    bench.register()
    bench.answer(distribute(event()))
    bench.put(decide())
    bench.answer(RequestReregistration(ven_id="ven-1"))  # to oadrCreatedEvent
    kinds = []
    for reply in (None, registration(), nothing(), RegisteredReport(ei_response=OK), distribute(event()), nothing()):
        kinds.append(type(bench.pending.payload).__name__)
        bench.answer(reply)
        bench.wait(2)
    assert kinds[:4] == ["Response", "CreatePartyRegistration", "CreatedEvent", "RegisterReport"]


@pytest.mark.rule("R500")
@pytest.mark.parametrize("code", ["452", "463"])
def test_vtn_that_forgot_the_ven_gets_a_new_registration(code: str) -> None:
    bench = Bench()
    bench.register()
    bench.answer(Response(ei_response=EiResponse(response_code=code, response_description="unknown")))
    assert bench.heard(RegistrationEnded)[0].by_vtn
    bench.wait(1.2)
    payload = bench.expect(CreatePartyRegistration)
    assert (payload.registration_id, payload.ven_id) == (None, None)


def test_vtn_that_forgets_the_ven_while_answers_are_gathered_leaves_it_at_rest() -> None:
    bench = Bench()
    bench.register()
    bench.answer(distribute(event("a"), event("b")))
    bench.put(PollNow())
    bench.put(decide(event_id="a"))
    bench.answer(Response(ei_response=EiResponse(response_code="463")))
    bench.wait(5)
    bench.expect(CreatePartyRegistration)


def test_vtn_that_forgets_again_and_again_is_asked_ever_less_often() -> None:
    bench = Bench()
    bench.register()
    waits = []
    for _ in range(5):
        bench.answer(Response(ei_response=EiResponse(response_code="463")))
        began = bench.mono
        while bench.idle:
            bench.wait(0.5)
        waits.append(bench.mono - began)
        bench.answer(registration())
        bench.answer(RegisteredReport(ei_response=OK))
        bench.answer(DistributeEvent(ei_response=OK, request_id="d", vtn_id="vtn-1"))
    assert all(later > earlier for earlier, later in pairwise(waits))


def test_vtn_that_asks_for_registration_again_and_again_is_not_hammered() -> None:
    bench = Bench()
    bench.register()
    for _ in range(200):
        if bench.idle:
            break
        kind = type(bench.pending.payload)
        known = {CreatePartyRegistration: registration(), Response: None}
        bench.answer(known.get(kind, RequestReregistration(ven_id="ven-1")))
    assert bench.idle, "there is a pause"
    before = len(bench.sent)
    bench.wait(60)
    for _ in range(200):
        if bench.idle:
            bench.wait(1)
            continue
        kind = type(bench.pending.payload)
        known = {CreatePartyRegistration: registration(), Response: None}
        bench.answer(known.get(kind, RequestReregistration(ven_id="ven-1")))
    assert len(bench.sent) - before < 120


def test_vtn_that_is_down_is_waited_for_ever_less_often_up_to_the_poll_interval() -> None:
    bench = Bench(poll_interval=timedelta(seconds=10))
    bench.put(Register())
    delays = []
    for _ in range(7):
        bench.fail()
        retry_s = bench.heard(Trouble)[-1].retry_s
        assert retry_s is not None
        delays.append(retry_s)
        bench.wait(retry_s + 0.001)
    for delay, nominal in zip(delays, (1, 2, 4, 8, 10, 10, 10), strict=True):
        assert nominal * 0.9 <= delay < nominal * 1.1
    bench.answer(registration())
    bench.expect(RegisterReport)


def test_poll_frequency_of_zero_is_one_second() -> None:
    bench = Bench()
    bench.put(Register())
    bench.answer(registration(oadr_requested_oadr_poll_freq=Duration()))
    assert bench.heard(Registered)[0].poll_interval == timedelta(seconds=1)


def test_registration_that_breaks_is_never_given_up() -> None:
    bench = Bench(poll_interval=timedelta(seconds=10))
    bench.put(Register())
    for _ in range(20):
        bench.answer(status=500)
        bench.wait(12)
    bench.expect(CreatePartyRegistration)
    assert bench.heard(Trouble)[-1].failure is Failure.BROKEN


@pytest.mark.rule("R401")
@pytest.mark.rule("R405")
def test_registration_again_in_the_middle_of_an_event_doubles_nothing() -> None:
    bench = Bench(reports=(offer(),))
    bench.register()
    running = event(start=START)
    bench.answer(distribute(running))
    bench.put(decide())
    while not isinstance(bench.pending.payload, Poll):
        bench.answer(nothing())
    bench.answer(CreateReport(request_id="q", oadr_report_request=(request("req-1"),)))
    while not isinstance(bench.pending.payload, Poll):
        bench.answer(nothing())
    before = bench.session.value_now("SIMPLE", bench.now)
    bench.forget_keep_flight()
    bench.answer(RequestReregistration(ven_id="ven-1"))
    sent = []
    while bench.idle or not isinstance(bench.pending.payload, Poll):
        payload = bench.pending.payload
        sent.append(type(payload).__name__)
        if isinstance(payload, CreatePartyRegistration):
            assert (payload.registration_id, payload.ven_id) == ("reg-1", "ven-1")
            bench.answer(registration())
        elif isinstance(payload, RequestEvent):
            bench.answer(distribute(running, request_id="d9"))
        elif isinstance(payload, RegisterReport):
            again = (request("req-2"),)
            bench.answer(RegisteredReport(ei_response=OK, oadr_report_request=again))
        else:
            bench.answer(nothing())
    assert sorted(sent) == [
        "CreatePartyRegistration",
        "CreatedEvent",
        "CreatedReport",
        "RegisterReport",
        "RequestEvent",
        "Response",
    ]
    assert not bench.heard(DecisionNeeded)
    assert not bench.heard(EventReceived)
    assert not bench.heard(IntervalStarted)
    assert list(bench.session.state.events) == ["ev-1"]
    assert list(bench.session.state.jobs) == ["req-2"], "metadata ends the requests before (R306)"
    assert bench.session.value_now("SIMPLE", bench.now) == before
    [told] = bench.heard(Registered)
    assert told.again
