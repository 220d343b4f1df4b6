"""A VEN that the VTN pushes to: it registers its address, does not poll, answers each request once (section 6.2)."""

from __future__ import annotations

import pytest

from oadr_core import LocalError
from oadr_core.engine import RequestArrived, SendReply, Trouble
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
from oadr_core.ven import DecisionNeeded, PollNow, Register, RegistrationEnded, VenConfig, VenSession
from oadr_core.wire import decode, encode
from tests.core.ven.bench import KEY, OK, Bench, decide, distribute, event, nothing, offer, registration, request

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
    wants = CreateReport(
        request_id="q", oadr_report_request=tuple(request(f"m{number}", "METADATA") for number in range(400))
    )
    statuses = [push(bench, wants).status for _ in range(12)]
    assert statuses[0] == 200
    assert statuses[-1] == 503
    assert len(bench.session.state.outbox) < 1_500


def test_what_is_no_message_is_the_adapters_mistake(bench: Bench) -> None:
    with pytest.raises(LocalError, match="a message is expected"):
        bench.put(RequestArrived(exchange=1, service="EiEvent", payload="text"))
