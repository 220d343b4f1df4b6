"""A VEN that the VTN pushes to: it registers its address, does not poll, answers each request once (section 6.2)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from oadr_core import LocalError
from oadr_core.engine import RequestArrived, SendReply, Trouble
from oadr_core.engine.copying import evolve
from oadr_core.model import (
    CanceledPartyRegistration,
    CanceledReport,
    CancelPartyRegistration,
    CancelReport,
    CreatedEvent,
    CreatedReport,
    CreatePartyRegistration,
    CreateReport,
    DistributeEvent,
    EiResponse,
    Event,
    Payload,
    Poll,
    RegisteredReport,
    RegisterReport,
    RequestEvent,
    RequestReregistration,
    Response,
    UpdatedReport,
    UpdateReport,
)
from oadr_core.ven import DecisionNeeded, EventCancelled, PollNow, Register, RegistrationEnded, VenConfig, VenSession
from oadr_core.wire import decode, encode
from tests.core.ven.bench import KEY, OK, START, Bench, decide, distribute, event, nothing, offer, registration, request

ADDRESS = "https://ven.example:8443"


@pytest.fixture
def bench() -> Bench:
    """A registered VEN with an address, at rest."""
    ready = Bench(transport_address=ADDRESS, reports=(offer(),))
    ready.put(Register())
    ready.answer(registration())
    while not ready.idle:
        ready.answer(nothing())
    ready.forget()
    return ready


def push(bench: Bench, payload: Payload, service: str = "EiReport") -> SendReply:
    outputs = bench.put(RequestArrived(exchange=9, service=service, payload=payload))
    [reply] = [output for output in outputs if isinstance(output, SendReply)]
    assert reply.exchange == 9
    return reply


@pytest.mark.rule("R402")
@pytest.mark.rule("R37")
@pytest.mark.parametrize("address", [None, ADDRESS])
def test_address_is_registered_instead_of_the_pull_model(address: str | None) -> None:
    bench = Bench(transport_address=address)
    bench.put(Register())
    payload = bench.expect(CreatePartyRegistration)
    assert (payload.oadr_transport_address, payload.oadr_http_pull_model) == (address, address is None)


@pytest.mark.rule("R500")
@pytest.mark.rule("R51")
def test_who_is_pushed_to_does_not_poll(bench: Bench) -> None:
    bench.wait(10_000)
    assert not bench.sent
    bench.put(PollNow())
    bench.expect(RequestEvent)
    bench.answer(distribute())
    assert not [sent for sent in bench.sent if isinstance(sent.payload, Poll)]


@pytest.mark.rule("R62")
def test_pushed_events_are_acknowledged_empty_and_answered_by_a_message_of_their_own(bench: Bench) -> None:
    reply = push(bench, DistributeEvent(request_id="p1", vtn_id="vtn-1", oadr_event=(event(),)), "EiEvent")
    assert (reply.status, reply.payload) == (200, None)
    assert bench.heard(DecisionNeeded)
    bench.put(decide())
    [answer] = bench.expect(CreatedEvent).ei_created_event.event_responses or ()
    assert answer.request_id == "p1"


@pytest.mark.parametrize(
    ("payload", "service", "kind", "code"),
    [
        (CreateReport(request_id="q", oadr_report_request=(request(),)), "EiReport", CreatedReport, "200"),
        (RegisterReport(request_id="q"), "EiReport", RegisteredReport, "200"),
        (UpdateReport(request_id="q"), "EiReport", UpdatedReport, "200"),
        (
            CancelReport(request_id="q", report_request_id=("x",), report_to_follow=False),
            "EiReport",
            CanceledReport,
            "452",
        ),
        (CreatedReport(ei_response=OK), "EiReport", Response, "200"),
        (RequestReregistration(ven_id="ven-1"), "EiRegisterParty", Response, "200"),
        (
            CancelPartyRegistration(request_id="q", registration_id="other"),
            "EiRegisterParty",
            CanceledPartyRegistration,
            "452",
        ),
        (Poll(ven_id="ven-1"), "OadrPoll", Response, "459"),
        (RegisterReport(request_id="q"), "EiEvent", Response, "459"),
    ],
)
@pytest.mark.rule("R33")
@pytest.mark.rule("R400")
def test_every_request_gets_its_reply_in_its_own_exchange(
    bench: Bench, payload: Payload, service: str, kind: type[Payload], code: str
) -> None:
    reply = push(bench, payload, service)
    assert type(reply.payload) is kind
    response = getattr(reply.payload, "ei_response", None)
    assert isinstance(response, EiResponse)
    assert response.response_code == code
    answers = [sent.payload for sent in bench.sent if not isinstance(sent.payload, (CreatePartyRegistration, Response))]
    assert not answers, "nothing goes out besides"


@pytest.mark.rule("R407")
def test_cancelled_registration_is_confirmed_and_everything_forgotten(bench: Bench) -> None:
    push(bench, DistributeEvent(request_id="p1", vtn_id="vtn-1", oadr_event=(event(),)), "EiEvent")
    push(bench, CreateReport(request_id="q", oadr_report_request=(request(),)))
    reply = push(bench, CancelPartyRegistration(request_id="c", registration_id="reg-1"), "EiRegisterParty")
    assert isinstance(reply.payload, CanceledPartyRegistration)
    assert reply.payload.ei_response.ok
    assert bench.heard(RegistrationEnded)
    state = bench.session.state
    assert (state.registration, dict(state.events), dict(state.jobs), dict(state.opts)) == (None, {}, {}, {})


@pytest.mark.rule("R405")
def test_without_a_registration_nothing_is_taken() -> None:
    bench = Bench(transport_address=ADDRESS)
    reply = push(bench, distribute(event()), "EiEvent")
    assert isinstance(reply.payload, Response)
    assert reply.payload.ei_response.response_code == "463"
    assert not bench.session.state.events


def test_bytes_that_are_no_message_get_the_status_of_the_transport(bench: Bench) -> None:
    before = bench.session.state
    [*_, reply] = [
        output
        for output in bench.put(RequestArrived(exchange=9, service="EiEvent", data=b"<html/>"))
        if isinstance(output, SendReply)
    ]
    assert (reply.status, reply.payload) == (406, None)
    assert bench.heard(Trouble)
    assert bench.session.state.events == before.events


def test_replies_bear_their_bytes() -> None:
    session = VenSession(VenConfig(ven_name="v", transport_address=ADDRESS), key=KEY)
    bench = Bench(session=session)
    bench.put(Register())
    data = encode(RegisterReport(request_id="q"))
    [reply] = [
        output
        for output in bench.put(RequestArrived(exchange=1, service="EiReport", data=data))
        if isinstance(output, SendReply)
    ]
    assert decode(reply.data).payload == reply.payload


def test_flood_of_requests_is_told_to_wait(bench: Bench) -> None:
    """Caught: an outbox that a VTN can fill without an end."""

    def wants(push_number: int) -> CreateReport:
        ids = (f"m{push_number}-{number}" for number in range(400))
        once = tuple(request(id_, "METADATA", step_s=0, back_s=0) for id_ in ids)
        return CreateReport(request_id="q", oadr_report_request=once)

    statuses = [push(bench, wants(number)).status for number in range(12)]
    assert statuses[0] == 200
    assert statuses[-1] == 503
    assert len(bench.session.state.outbox) < 1_500


def test_what_is_no_message_is_the_adapters_mistake(bench: Bench) -> None:
    with pytest.raises(LocalError, match="a message is expected"):
        bench.put(RequestArrived(exchange=1, service="EiEvent", payload="text"))


@pytest.mark.rule("R61")
def test_reply_that_crosses_with_a_push_cancels_nothing_and_is_asked_for_again(bench: Bench) -> None:
    """The events were asked for before the second one was published; its push is faster than the reply."""
    bench.put(PollNow())
    bench.expect(RequestEvent)
    push(bench, distribute(event("e1"), event("e2")), "EiEvent")
    bench.answer(distribute(event("e1")))
    assert not bench.heard(EventCancelled)
    bench.wait(100)
    while not isinstance(bench.pending.payload, RequestEvent):
        bench.answer(nothing())
    bench.answer(distribute(event("e1")))
    assert [note.implied for note in bench.heard(EventCancelled)] == [True], "this reply is the later one for certain"


@pytest.mark.rule("R61")
def test_reply_to_a_request_that_was_sent_again_after_the_push_is_the_later_one(bench: Bench) -> None:
    bench.put(PollNow())
    bench.expect(RequestEvent)
    push(bench, distribute(event("e1"), event("e2")), "EiEvent")
    bench.fail()
    bench.wait(10)
    bench.expect(RequestEvent)
    bench.answer(distribute(event("e1")))
    assert [note.implied for note in bench.heard(EventCancelled)] == [True]


@pytest.mark.rule("R61")
@pytest.mark.rule("R115")
def test_push_that_was_overtaken_cancels_nothing(bench: Bench) -> None:
    def created(at: int, *ids: str) -> DistributeEvent:
        when = START + timedelta(seconds=at)
        found = (event(one) for one in ids)
        return distribute(*(_created(one, when) for one in found))

    push(bench, created(10, "e1", "e2"), "EiEvent")
    push(bench, created(9, "e1"), "EiEvent")
    assert not bench.heard(EventCancelled), "it was made before the second event was"
    push(bench, created(11, "e1"), "EiEvent")
    assert [note.implied for note in bench.heard(EventCancelled)] == [True]


def _created(one: Event, when: datetime) -> Event:
    descriptor = evolve(one.ei_event.event_descriptor, created_date_time=when)
    return evolve(one, ei_event=evolve(one.ei_event, event_descriptor=descriptor))
