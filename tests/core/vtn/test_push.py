"""Messages pushed to VENs that have registered an address: which, when, how many at once, and how often."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from oadr_core import encode
from oadr_core.engine import AbandonExchange, ExchangeFailed, Failure, ReplyArrived, SendRequest, Trouble
from oadr_core.model import (
    METADATA,
    ZERO,
    CanceledPartyRegistration,
    CancelPartyRegistration,
    CreatedReport,
    CreateReport,
    DistributeEvent,
    EiResponse,
    Payload,
    Poll,
    RegisteredReport,
    RegisterReport,
    ReportRequest,
    ReportSpecifier,
    RequestReregistration,
    Response,
    SpecifierPayload,
)
from oadr_core.vtn import (
    AskReregistration,
    CancelEvent,
    EndRegistration,
    ModifyEvent,
    PushPolicy,
    UnknownVens,
    VenUnregistered,
    VtnConfig,
    change_event,
)
from tests.core.vtn.world import HOUR, MINUTE, Ven, World, descriptors

WorldMaker = Callable[..., World]
ADDRESS = "http://ven.example:8081/prefix/"
OK = EiResponse(response_description="OK")


def push_ven(world: World, name: str = "ven", address: str = ADDRESS) -> Ven:
    return world.ven(name, oadr_http_pull_model=False, oadr_transport_address=address)


def sent(world: World) -> list[SendRequest]:
    """What is under way, and is not any more: the next call has only what came after it."""
    found = [output for output in world.pushed if isinstance(output, SendRequest)]
    world.pushed.clear()
    return found


def reply(world: World, request: SendRequest, payload: Payload | None = None, status: int = 200) -> None:
    data = b"" if payload is None else encode(payload)
    world.tell(ReplyArrived(exchange=request.exchange, data=data, status=status))


def take_offer(world: World, ven: Ven) -> None:
    """Answer the VTN's own (empty) list of reports, which every new VEN gets."""
    [offer] = sent(world)
    assert isinstance(offer.payload, RegisterReport)
    reply(world, offer, RegisteredReport(ei_response=OK, ven_id=ven.ven_id))


@pytest.mark.rule("R51")
@pytest.mark.rule("R38")
def test_new_ven_gets_the_offer_of_reports_at_its_address(world: World) -> None:
    ven = push_ven(world)
    [offer] = sent(world)
    assert (offer.service, offer.url) == (
        "EiReport",
        "http://ven.example:8081/prefix/OpenADR2/Simple/2.0b/EiReport",
    )
    assert offer.data == encode(offer.payload)
    assert isinstance(offer.payload, RegisterReport)
    reply(world, offer, RegisteredReport(ei_response=OK, ven_id=ven.ven_id))
    assert not world.session.vens[ven.ven_id].mailbox
    assert not sent(world)
    assert world.session.next_timer(world.now) is None


@pytest.mark.parametrize(
    ("address", "base"),
    [
        ("https://a", "https://a/OpenADR2/Simple/2.0b"),
        ("https://a:1/OpenADR2/Simple/2.0b/", "https://a:1/OpenADR2/Simple/2.0b"),
    ],
)
def test_address_is_a_base(world: World, address: str, base: str) -> None:
    ven = push_ven(world, address=address)
    assert world.session.vens[ven.ven_id].push_address == base


@pytest.mark.rule("R402")
@pytest.mark.parametrize(
    "address", [None, "", "None", "ftp://a", "http://", "http://u:p@a", "http://a/?q", "http://a:b", "//a", "h" * 2000]
)
def test_useless_address_is_refused(world: World, address: str | None) -> None:
    refused = Ven(world, "n").register(oadr_http_pull_model=False, oadr_transport_address=address)
    assert refused.ei_response.response_code == "459"
    assert not world.session.vens


def test_scheme_may_be_demanded(make_world: WorldMaker) -> None:
    world = make_world(push=PushPolicy(schemes=("https",)))
    refused = Ven(world, "n").register(oadr_http_pull_model=False, oadr_transport_address="http://a")
    assert refused.ei_response.response_code == "459"


@pytest.mark.rule("R50")
@pytest.mark.rule("R502")
def test_events_are_pushed_when_they_are_new_modified_and_cancelled(world: World) -> None:
    ven = push_ven(world)
    take_offer(world, ven)
    first = world.publish()
    [push] = sent(world)
    assert push.service == "EiEvent"
    assert isinstance(push.payload, DistributeEvent)
    assert descriptors(push.payload) == [(first, 0, "far")]
    second = world.publish(in_=2 * HOUR)
    assert not sent(world), "one at a time for each VEN"
    reply(world, push)
    [push] = sent(world)
    assert isinstance(push.payload, DistributeEvent)
    assert descriptors(push.payload) == [(first, 0, "far"), (second, 0, "far")]
    reply(world, push)
    ven.answer(push.payload)
    assert not sent(world)
    world.tell(ModifyEvent(event=change_event(world.session.events[first].event, priority=1)))
    [push] = sent(world)
    reply(world, push)
    assert isinstance(push.payload, DistributeEvent)
    ven.answer(push.payload)
    world.tell(CancelEvent(event_id=second))
    [push] = sent(world)
    assert isinstance(push.payload, DistributeEvent)
    assert descriptors(push.payload) == [(first, 1, "far"), (second, 1, "cancelled")]
    reply(world, push)
    ven.answer(push.payload)
    world.sleep(30 * MINUTE)
    assert not sent(world)


def test_event_whose_push_has_failed_is_pushed_again_after_the_pause(world: World) -> None:
    ven = push_ven(world)
    take_offer(world, ven)
    event_id = world.publish(response="never")
    for _ in range(3):
        [push] = sent(world)
        reply(world, push, status=503)
        world.sleep(timedelta(seconds=5))
    [push] = sent(world)
    assert isinstance(push.payload, DistributeEvent)
    assert descriptors(push.payload) == [(event_id, 0, "far")]
    assert world.session.opts(event_id)[ven.ven_id].tries == 1, "what has failed is no try"


def test_event_is_pushed_again_until_it_is_answered(world: World) -> None:
    ven = push_ven(world)
    take_offer(world, ven)
    world.publish()
    for _ in range(3):
        [push] = sent(world)
        reply(world, push)
        world.sleep(timedelta(seconds=59))
        assert not sent(world)
        world.sleep(timedelta(seconds=1))
    [push] = sent(world)
    reply(world, push)
    assert isinstance(push.payload, DistributeEvent)
    ven.answer(push.payload)
    world.sleep(HOUR / 2)
    assert not sent(world)


def test_no_more_exchanges_than_allowed_and_each_ven_has_its_turn(make_world: WorldMaker) -> None:
    world = make_world(push=PushPolicy(at_once=2))
    vens = [push_ven(world, f"v{n}", f"http://ven{n}") for n in range(5)]
    served = []
    while requests := sent(world):
        assert len(requests) <= 2
        served += [request.url.split("/")[2] for request in requests]
        for request in requests:
            ven = next(ven for ven in vens if f"//ven{ven.name[1]}/" in request.url)
            reply(world, request, RegisteredReport(ei_response=OK, ven_id=ven.ven_id))
    assert sorted(served) == [f"ven{n}" for n in range(5)]


def test_back_off_doubles_and_is_truncated(make_world: WorldMaker) -> None:
    world = make_world(push=PushPolicy(longest_pause=timedelta(seconds=8)))
    push_ven(world)
    pauses = []
    for _ in range(6):
        [request] = sent(world)
        begin = world.elapsed
        world.tell(ExchangeFailed(exchange=request.exchange, failure=Failure.UNREACHABLE, detail="no"))
        [note] = world.last
        assert isinstance(note, Trouble)
        assert note.retry_s is not None
        while not world.pushed:
            world.sleep(timedelta(milliseconds=100))
        pauses.append((world.elapsed - begin).total_seconds())
        assert pauses[-1] == pytest.approx(note.retry_s, abs=0.11)
    assert [round(pause) for pause in pauses[:3]] == [1, 2, 4]
    assert all(7 <= pause <= 9 for pause in pauses[3:])


def test_a_ven_in_trouble_is_not_disturbed_by_news_and_disturbs_nobody(world: World) -> None:
    good, bad = push_ven(world, "good", "http://good"), push_ven(world, "bad", "http://bad")
    for request in sent(world):
        if "bad" in request.url:
            reply(world, request, status=503)
        else:
            reply(world, request, RegisteredReport(ei_response=OK, ven_id=good.ven_id))
    world.publish()
    assert [request.url.split("/")[2] for request in sent(world)] == ["good"]
    world.sleep(timedelta(seconds=2))
    [again] = [request for request in sent(world) if "bad" in request.url]
    assert isinstance(again.payload, DistributeEvent)
    reply(world, again)
    [offer] = sent(world)
    reply(world, offer, RegisteredReport(ei_response=OK, ven_id=bad.ven_id))
    assert not world.session.vens[bad.ven_id].mailbox


def test_retry_after_is_respected(world: World) -> None:
    push_ven(world)
    [request] = sent(world)
    world.tell(ReplyArrived(exchange=request.exchange, status=503, retry_after_s=30))
    world.sleep(timedelta(seconds=29))
    assert not sent(world)
    world.sleep(timedelta(seconds=1))
    assert sent(world)


def test_exchange_without_a_reply_is_given_up(world: World) -> None:
    ven = push_ven(world)
    [request] = sent(world)
    world.sleep(timedelta(seconds=10))
    abandoned, *_ = world.pushed
    assert abandoned == AbandonExchange(exchange=request.exchange)
    world.sleep(timedelta(seconds=2))
    [again] = sent(world)
    assert again.exchange != request.exchange
    reply(world, request, RegisteredReport(ei_response=OK, ven_id=ven.ven_id))
    assert world.session.vens[ven.ven_id].mailbox, "the late reply is nobody's"
    reply(world, again, RegisteredReport(ei_response=OK, ven_id=ven.ven_id))
    assert not world.session.vens[ven.ven_id].mailbox


def test_refused_message_is_not_sent_again(world: World) -> None:
    ven = push_ven(world)
    [request] = sent(world)
    reply(world, request, status=404)
    assert not world.session.vens[ven.ven_id].mailbox
    [note] = world.last
    assert isinstance(note, Trouble)
    assert note.lost == request.payload
    world.sleep(HOUR)
    assert not sent(world)


@pytest.mark.parametrize(
    "answer",
    [
        lambda ven: Poll(ven_id=ven.ven_id),
        lambda ven: RegisteredReport(ei_response=OK, ven_id="another"),
        lambda ven: CanceledPartyRegistration(ei_response=OK, registration_id="r", ven_id=ven.ven_id),
    ],
)
def test_reply_that_is_no_answer_changes_nothing(world: World, answer: Callable[[Ven], Payload]) -> None:
    ven = push_ven(world)
    [request] = sent(world)
    before = [mail.payload for mail in world.session.vens[ven.ven_id].mailbox]
    reply(world, request, answer(ven))
    assert [mail.payload for mail in world.session.vens[ven.ven_id].mailbox] == before
    [note] = world.last
    assert isinstance(note, Trouble)
    assert note.failure is Failure.UNEXPECTED


def test_unreadable_reply_is_tried_again(world: World) -> None:
    push_ven(world)
    [request] = sent(world)
    world.tell(ReplyArrived(exchange=request.exchange, data=b"<html/>"))
    world.sleep(timedelta(seconds=2))
    assert sent(world)


def test_given_up_after_so_many_tries(make_world: WorldMaker) -> None:
    world = make_world(tries=3)
    ven = push_ven(world)
    for _ in range(3):
        [request] = sent(world)
        reply(world, request, status=500)
        world.sleep(timedelta(seconds=10))
    assert not sent(world)
    assert not world.session.vens[ven.ven_id].mailbox
    assert [note.lost for note in world.said(Trouble) if note.lost] == [request.payload]


@pytest.mark.rule("R407")
def test_registration_is_cancelled_by_push(world: World) -> None:
    ven = push_ven(world)
    take_offer(world, ven)
    world.tell(EndRegistration(ven_id=ven.ven_id))
    [request] = sent(world)
    assert isinstance(request.payload, CancelPartyRegistration)
    answer = CanceledPartyRegistration(ei_response=OK, registration_id=ven.registration_id, ven_id=ven.ven_id)
    reply(world, request, answer)
    assert not world.session.vens
    assert world.said(VenUnregistered)
    assert world.session.next_timer(world.now) is None


@pytest.mark.parametrize("with_body", [True, False])
def test_request_for_reregistration_is_settled_by_any_answer(world: World, with_body: bool) -> None:
    ven = push_ven(world)
    take_offer(world, ven)
    world.tell(AskReregistration(ven_id=ven.ven_id))
    [request] = sent(world)
    assert isinstance(request.payload, RequestReregistration)
    reply(world, request, Response(ei_response=OK, ven_id=ven.ven_id) if with_body else None)
    assert not world.session.vens[ven.ven_id].mailbox


@pytest.mark.rule("R344")
def test_piggy_backed_request_is_answered_by_another_push(world: World) -> None:
    ven = push_ven(world)
    [offer] = sent(world)
    wanted = ReportRequest(
        report_request_id="m",
        report_specifier=ReportSpecifier(
            report_specifier_id=METADATA,
            granularity=ZERO,
            report_back_duration=ZERO,
            specifier_payload=(SpecifierPayload(r_id="0"),),
        ),
    )
    answer = RegisteredReport(ei_response=OK, oadr_report_request=(wanted,), ven_id=ven.ven_id)
    reply(world, offer, answer)
    payloads: list[Any] = []
    while requests := sent(world):
        [request] = requests
        payloads.append(request.payload)
        taken = RegisteredReport(ei_response=OK, ven_id=ven.ven_id)
        reply(world, request, taken if isinstance(request.payload, RegisterReport) else None)
    assert {type(payload) for payload in payloads} == {RegisterReport, CreatedReport}
    assert not world.session.vens[ven.ven_id].mailbox


def test_ven_that_turns_to_polling_is_not_pushed_to(world: World) -> None:
    ven = push_ven(world)
    take_offer(world, ven)
    ven.register(registration_id=ven.registration_id, ven_id=ven.ven_id)
    world.publish()
    world.sleep(10 * MINUTE)
    assert not sent(world)
    assert isinstance(ven.poll(), DistributeEvent)


def test_new_address_ends_the_back_off(world: World) -> None:
    ven = push_ven(world)
    [request] = sent(world)
    reply(world, request, status=503)
    ven.register(
        registration_id=ven.registration_id,
        ven_id=ven.ven_id,
        oadr_http_pull_model=False,
        oadr_transport_address="http://new",
    )
    [request] = sent(world)
    assert request.url.startswith("http://new/")


def test_messages_wait_for_a_ven_over_a_restart(world: World) -> None:
    ven = push_ven(world)
    [request] = sent(world)
    event_id = world.publish()
    world.restart()
    world.sleep(MINUTE)
    world.publish(ven_ids=(ven.ven_id,))
    world.tell(ReplyArrived(exchange=request.exchange + 1000))
    found = []
    for _ in range(4):
        for again in sent(world):
            found.append(type(again.payload))
            reply(world, again, RegisteredReport(ei_response=OK) if isinstance(again.payload, RegisterReport) else None)
    assert set(found) == {RegisterReport, DistributeEvent}
    assert not world.session.vens[ven.ven_id].mailbox
    assert world.session.opts(event_id)[ven.ven_id].modification_number == 0


def test_policy_for_the_unknown(make_world: WorldMaker) -> None:
    world = make_world(unknown_vens=UnknownVens.INVITE)
    invited = world.send(Poll(ven_id="gone"))
    assert isinstance(invited, RequestReregistration)
    assert invited.ven_id == "gone"
    assert not world.session.vens
    assert VtnConfig(vtn_id="v", unknown_vens="invite").unknown_vens is UnknownVens.INVITE


def test_report_requests_are_pushed_and_confirmed_in_the_reply(world: World) -> None:
    from oadr_core.vtn import ReportRequestConfirmed
    from tests.core.vtn.test_hostile import OFFER

    ven = push_ven(world)
    take_offer(world, ven)
    world.send(RegisterReport(request_id="x", oadr_report=(OFFER,), ven_id=ven.ven_id))
    [request] = sent(world)
    assert isinstance(request.payload, CreateReport)
    pending = tuple(one.report_request_id for one in request.payload.oadr_report_request)
    reply(world, request, CreatedReport(ei_response=OK, oadr_pending_reports=pending, ven_id=ven.ven_id))
    assert [note.report_request_ids for note in world.said(ReportRequestConfirmed)] == [pending]
    assert not world.session.vens[ven.ven_id].mailbox
