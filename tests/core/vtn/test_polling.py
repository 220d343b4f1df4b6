"""The poll, the mailbox, and posted oadrResponse."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from oadr_core import LocalError
from oadr_core.engine import Now, RequestArrived, SendReply, Tick, Trouble
from oadr_core.model import (
    CancelPartyRegistration,
    CreatePartyRegistration,
    DistributeEvent,
    EiResponse,
    Poll,
    QueryRegistration,
    RegisterReport,
    RequestReregistration,
    Response,
)
from oadr_core.vtn import AskReregistration, EndRegistration, PublishEvent, VtnConfig, VtnSession, build_event
from tests.core.vtn.world import HOUR, MINUTE, START, World

WorldMaker = Callable[..., World]


@pytest.mark.rule("R500")
def test_one_message_per_poll_events_first_then_in_order(world: World) -> None:
    ven = world.ven()
    world.tell(AskReregistration(ven_id=ven.ven_id))
    world.tell(EndRegistration(ven_id=ven.ven_id))
    world.publish()
    kinds = [DistributeEvent, RegisterReport, RequestReregistration, CancelPartyRegistration]
    assert [type(message) for message in ven.drain()] == kinds
    nothing = ven.poll()
    assert isinstance(nothing, Response)
    assert (nothing.ei_response.ok, nothing.ei_response.request_id, nothing.ven_id) == (True, "", ven.ven_id)


def test_polling_before_answering_brings_the_next_message(world: World) -> None:
    """Annex C, scenario 3: answers come later, in any order."""
    ven = world.ven()
    world.tell(AskReregistration(ven_id=ven.ven_id))
    ven.drain()
    world.send(Response(ei_response=EiResponse(), ven_id=ven.ven_id))
    world.sleep(2 * MINUTE)
    assert [type(message) for message in ven.drain()] == [RegisterReport]


def test_asking_twice_is_asking_once(world: World) -> None:
    ven = world.ven()
    world.tell(AskReregistration(ven_id=ven.ven_id))
    world.tell(AskReregistration(ven_id=ven.ven_id))
    assert [type(message) for message in ven.drain()] == [RegisterReport, RequestReregistration]


def test_deaf_ven_fills_no_mailbox(make_world: WorldMaker) -> None:
    world = make_world(tries=2, resend_after=timedelta(seconds=10))
    ven = world.ven()
    found = []
    for _ in range(10):
        found += ven.drain()
        world.sleep(timedelta(seconds=10))
    assert [type(message) for message in found] == [RegisterReport] * 2
    assert [type(note.lost) for note in world.said(Trouble)] == [RegisterReport]
    assert world.session.vens[ven.ven_id].mailbox == ()


def test_posted_response_has_an_empty_answer(world: World) -> None:
    ven = world.ven()
    assert world.send(Response(ei_response=EiResponse(), ven_id=ven.ven_id)) is None
    assert world.send(Response(ei_response=EiResponse(response_code="500"), ven_id=ven.ven_id)) is None
    assert world.send(Response(ei_response=EiResponse(), ven_id="nobody")).ei_response.response_code == "463"


@pytest.mark.rule("R41")
def test_response_that_repeats_a_request_id_settles_that_message(world: World) -> None:
    ven = world.ven()
    world.tell(AskReregistration(ven_id=ven.ven_id))
    offer, _ = ven.drain()
    world.send(Response(ei_response=EiResponse(request_id=offer.request_id), ven_id=ven.ven_id))
    world.sleep(2 * MINUTE)
    assert [type(message) for message in ven.drain()] == [RequestReregistration]


def test_response_with_an_error_settles_the_oldest_message_and_is_told(world: World) -> None:
    ven = world.ven()
    ven.drain()
    world.send(Response(ei_response=EiResponse(response_code="459", response_description="what?"), ven_id=ven.ven_id))
    [trouble] = world.said(Trouble)
    assert (trouble.code, type(trouble.lost)) == ("459", RegisterReport)
    assert "what?" in trouble.text
    world.sleep(2 * MINUTE)
    assert isinstance(ven.poll(), Response)


def test_message_that_was_not_fetched_is_not_settled(world: World) -> None:
    ven = world.ven()
    world.send(Response(ei_response=EiResponse(response_code="459"), ven_id=ven.ven_id))
    assert isinstance(ven.poll(), RegisterReport)


# --- the session itself ---------------------------------------------------------------------------------------------


def make_session(key: bytes = b"key") -> VtnSession:
    return VtnSession(VtnConfig(vtn_id="V", identity="insecure"), key=key)


def at(seconds: float) -> Now:
    return Now(seconds, START + timedelta(seconds=seconds))


def typed(session: VtnSession, payload: object, service: str) -> SendReply:
    request = RequestArrived(exchange=1, service=service, payload=payload)
    [reply] = [output for output in session.handle(request, at(0)) if isinstance(output, SendReply)]
    return reply


def test_typed_requests_get_typed_replies_without_bytes() -> None:
    reply = typed(make_session(), QueryRegistration(request_id="q"), "EiRegisterParty")
    assert reply.data == b""
    assert reply.payload is not None


def test_same_inputs_and_key_give_the_same_bytes() -> None:
    def run(key: bytes) -> list[object]:
        session = make_session(key)
        registered = typed(session, CreatePartyRegistration(request_id="r"), "EiRegisterParty").payload
        event = build_event(
            signal_name="SIMPLE",
            signal_type="level",
            dtstart=START + HOUR,
            intervals=[(MINUTE, 1)],
            market_context="urn:m",
        )
        published = session.handle(PublishEvent(event=event), at(1))
        polled = typed(session, Poll(ven_id=registered.ven_id), "OadrPoll")
        return [registered, published, polled]

    assert run(b"a") == run(b"a")
    assert run(b"a")[0] != run(b"b")[0]


def test_a_poll_does_not_look_at_other_vens_or_their_events(world: World) -> None:
    """The number of Python calls of a poll is the same with one VEN and with three hundred that have events."""
    import sys

    ven = world.ven("mine")
    ven.settle()

    def calls() -> int:
        count = 0

        def profile(*_: object) -> None:
            nonlocal count
            count += 1

        request = RequestArrived(exchange=1, service="OadrPoll", payload=Poll(ven_id=ven.ven_id))
        now = world.now
        sys.setprofile(profile)
        try:
            world.session.handle(request, now)
        finally:
            sys.setprofile(None)
        return count

    alone = calls()
    for n in range(300):
        other = world.ven(f"other {n}")
        world.publish(ven_ids=(other.ven_id,))
    assert calls() == alone


def test_tick_without_events_does_nothing() -> None:
    session = make_session()
    assert session.next_timer(at(0)) is None
    assert session.handle(Tick(), at(5)) == ()


def test_timer_follows_the_calendar(world: World) -> None:
    world.publish()
    jumped = Now(world.now.mono + 1, world.now.wall + 2 * HOUR)
    timer = world.session.next_timer(jumped)
    assert timer is not None
    assert timer <= jumped.mono


def test_what_is_no_input_is_refused() -> None:
    from oadr_core.engine import Input

    with pytest.raises(LocalError, match="Input"):
        make_session().handle(Input(), at(0))
    with pytest.raises(LocalError, match="23 messages"):
        typed(make_session(), EiResponse(), "OadrPoll")


def test_key_is_needed() -> None:
    with pytest.raises(LocalError, match="key"):
        make_session(b"")
