"""Registration: query, create, renew, cancel, from either side."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from oadr_core import LocalError
from oadr_core.engine import Trouble
from oadr_core.model import (
    CanceledPartyRegistration,
    CancelPartyRegistration,
    CreatedPartyRegistration,
    Duration,
    EiResponse,
    Poll,
    ProfileName,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    RequestReregistration,
    Response,
    TransportName,
)
from oadr_core.vtn import (
    Admitted,
    AskReregistration,
    EndRegistration,
    PushPolicy,
    VenRegistered,
    VenReregistered,
    VenUnregistered,
    VtnConfig,
    VtnLimits,
    admitted,
)
from tests.core.vtn.world import MINUTE, Ven, World

WorldMaker = Callable[..., World]


@pytest.mark.rule("R404")
def test_query_tells_profiles_and_no_ids(world: World) -> None:
    reply = world.send(QueryRegistration(request_id="q"))
    assert isinstance(reply, CreatedPartyRegistration)
    assert (reply.registration_id, reply.ven_id, reply.vtn_id) == (None, None, "VTN-1")
    assert reply.ei_response == EiResponse(response_code="200", response_description="OK", request_id="q")
    [profile] = reply.oadr_profiles
    assert (profile.oadr_profile_name, profile.oadr_transports) == (ProfileName.B, (TransportName.SIMPLE_HTTP,))


@pytest.mark.rule("R403")
def test_registration_brings_ids_and_poll_frequency(make_world: WorldMaker) -> None:
    world = make_world(requested_poll_freq=timedelta(seconds=7))
    reply = Ven(world, "n").register()
    assert reply.ven_id
    assert reply.registration_id
    assert reply.oadr_requested_oadr_poll_freq == Duration(seconds=7)
    assert world.last == [
        VenRegistered(ven_id=reply.ven_id, ven_name="n", registration_id=reply.registration_id),
    ]


def test_refusal_has_the_poll_frequency_too(make_world: WorldMaker) -> None:
    reply = Ven(make_world(admitted=admitted(["other"])), "n").register()
    assert reply.ei_response.response_code == "463"
    assert reply.oadr_requested_oadr_poll_freq is not None


def test_vtn_id_is_sent_as_given(make_world: WorldMaker) -> None:
    assert make_world(vtn_id="a Vtn / ü").send(QueryRegistration(request_id="")).vtn_id == "a Vtn / ü"


@pytest.mark.rule("R301")
def test_first_poll_brings_the_vtn_s_empty_report_list(world: World) -> None:
    ven = world.ven()
    offer = ven.poll()
    assert isinstance(offer, RegisterReport)
    assert offer.oadr_report == ()
    assert offer.report_request_id is None
    answer = world.send(RegisteredReport(ei_response=EiResponse(request_id=offer.request_id), ven_id=ven.ven_id))
    assert isinstance(answer, Response)
    assert answer.ei_response.ok
    world.sleep(10 * MINUTE)
    assert isinstance(ven.poll(), Response)


@pytest.mark.rule("R400")
@pytest.mark.parametrize("wrong", ["registration_id", "ven_id"])
def test_renewal_with_a_wrong_id_is_452_and_changes_nothing(world: World, wrong: str) -> None:
    ven = world.ven()
    before = world.session.vens[ven.ven_id]
    ids = {"registration_id": ven.registration_id, "ven_id": ven.ven_id, wrong: "wrong"}
    reply = ven.register(**ids)
    assert reply.ei_response.response_code == "452"
    assert reply.registration_id is None
    assert world.session.vens[ven.ven_id] is before


def test_renewal_keeps_the_registration_and_what_is_known(world: World) -> None:
    ven = world.ven()
    event_id = world.publish()
    ven.answer(ven.poll())
    ven.register(registration_id=ven.registration_id, ven_id=ven.ven_id, oadr_ven_name="renamed")
    assert world.last == [VenReregistered(ven_id=ven.ven_id, ven_name="renamed", registration_id=ven.registration_id)]
    assert world.session.opts(event_id)[ven.ven_id].answered == 0
    assert world.session.vens[ven.ven_id].ven_name == "renamed"


@pytest.mark.rule("R406")
def test_registration_without_ids_is_completely_new(world: World) -> None:
    ven = world.ven("n")
    event_id = world.publish()
    ven.answer(ven.poll())
    first = ven.registration_id, ven.ven_id
    ven.register()
    assert ven.registration_id != first[0]
    assert ven.ven_id == first[1]
    assert len(world.session.vens) == 1
    assert event_id not in world.session.vens[ven.ven_id].deliveries
    assert len(world.said(VenRegistered)) == 2


@pytest.mark.rule("R406")
def test_copy_of_a_registration_does_not_part_the_ends(world: World) -> None:
    """A network that repeats a request, or a VEN that has not got the answer: nothing has come in between."""
    ven = world.ven("n")
    first = ven.registration_id, ven.ven_id
    ven.register()
    assert (ven.registration_id, ven.ven_id) == first
    world.sleep(MINUTE)
    ven.poll()
    ven.register()
    assert ven.registration_id != first[0], "what comes later is a new registration"


def test_vens_without_a_name_are_different_vens(world: World) -> None:
    one, other = world.ven(""), world.ven("")
    assert one.ven_id != other.ven_id


@pytest.mark.rule("R402")
def test_proposed_ven_id_is_kept(world: World) -> None:
    assert world.ven("n", ven_id="My VEN").ven_id == "My VEN"


@pytest.mark.rule("R46")
def test_empty_ids_are_omitted_ids(world: World) -> None:
    ven = world.ven("n", ven_id="", registration_id="", oadr_transport_address="")
    assert ven.ven_id


@pytest.mark.rule("R70")
def test_proposed_ven_id_of_another_ven_is_refused(world: World) -> None:
    world.ven("n", ven_id="V")
    thief = Ven(world, "thief")
    assert thief.register(ven_id="V").ei_response.response_code == "452"
    assert world.session.vens["V"].ven_name == "n"


def test_proposed_ven_id_may_not_be_endless(world: World) -> None:
    assert Ven(world, "n").register(ven_id="x" * 300).ei_response.response_code == "452"
    assert Ven(world, "n" * 300).register().ei_response.response_code == "469"


@pytest.mark.rule("R517")
def test_only_admitted_vens_register(make_world: WorldMaker) -> None:
    world = make_world(admitted=admitted({"a": "A", "b": None}))
    assert world.ven("a").ven_id == "A"
    assert world.ven("b").ven_id
    assert Ven(world, "c").register().ei_response.response_code == "463"
    assert Ven(world, "a").register(ven_id="B").ei_response.response_code == "452"
    assert Ven(world, "c").register(ven_id="A").ei_response.response_code == "463"
    assert len(world.session.vens) == 2
    [trouble, *_] = world.said(Trouble)
    assert trouble.code == "463"


def test_admitted_by_fingerprint_alone(make_world: WorldMaker) -> None:
    world = make_world(admitted=(Admitted(fingerprint="AA:BB", ven_id="V"),))
    assert Ven(world, "n").register(fingerprint="CC").ei_response.response_code == "463"
    assert Ven(world, "n").register(fingerprint="aabb").ven_id == "V"


@pytest.mark.rule("R517")
def test_certificate_belongs_to_one_ven(world: World) -> None:
    one = Ven(world, "one")
    one.register(fingerprint="AA:BB")
    other = world.ven("other")

    def code(ven_id: str, fingerprint: str | None) -> str:
        return str(world.send(Poll(ven_id=ven_id), fingerprint=fingerprint).ei_response.response_code)

    assert type(world.send(Poll(ven_id=one.ven_id), fingerprint="aabb")) is not Response
    assert code(one.ven_id, "CC") == "463"
    assert code(one.ven_id, None) == "463"
    assert code(other.ven_id, "AA:BB") == "452"
    assert code("nobody", "AA:BB") == "452"


def test_same_name_with_another_certificate_is_another_ven(world: World) -> None:
    one, other = Ven(world, "n"), Ven(world, "n")
    one.register(fingerprint="AA")
    other.register(fingerprint="BB")
    assert one.ven_id != other.ven_id


def test_missing_ven_id_is_known_by_the_certificate(world: World) -> None:
    ven = Ven(world, "n")
    ven.register(fingerprint="AA")
    assert world.send(RegisterReport(request_id=""), fingerprint="AA").ei_response.ok
    assert world.send(QueryRegistration(request_id=""), fingerprint="AA").ven_id == ven.ven_id


@pytest.mark.rule("R517")
def test_unregistered_ven_is_463(world: World) -> None:
    assert world.send(Poll(ven_id="nobody")).ei_response.response_code == "463"


@pytest.mark.rule("R508")
def test_missing_ven_id_is_459(world: World) -> None:
    reply = world.send(RegisterReport(request_id="q"))
    assert (reply.ei_response.response_code, reply.ei_response.request_id) == ("459", "q")


@pytest.mark.rule("R407")
def test_ven_cancels_its_registration(world: World) -> None:
    ven = world.ven("n")
    wrong = CancelPartyRegistration(request_id="c", registration_id="wrong", ven_id=ven.ven_id)
    assert world.send(wrong).ei_response.response_code == "452"
    right = CancelPartyRegistration(request_id="c", registration_id=ven.registration_id, ven_id=ven.ven_id)
    reply = world.send(right)
    assert isinstance(reply, CanceledPartyRegistration)
    assert reply.ei_response.ok
    assert world.last == [
        VenUnregistered(ven_id=ven.ven_id, ven_name="n", registration_id=ven.registration_id, by_ven=True)
    ]
    assert not world.session.vens
    assert ven.poll().ei_response.response_code == "463"
    assert ven.register().ei_response.ok


@pytest.mark.rule("R407")
def test_vtn_cancels_a_registration(world: World) -> None:
    ven = world.ven("n")
    ven.poll()
    world.tell(EndRegistration(ven_id=ven.ven_id))
    world.tell(EndRegistration(ven_id=ven.ven_id))
    request = ven.poll()
    assert isinstance(request, CancelPartyRegistration)
    assert (request.registration_id, request.ven_id) == (ven.registration_id, ven.ven_id)
    assert isinstance(ven.poll(), Response)
    assert ven.ven_id in world.session.vens
    answer = CanceledPartyRegistration(
        ei_response=EiResponse(request_id=request.request_id),
        registration_id=ven.registration_id,
        ven_id=ven.ven_id,
    )
    assert world.send(answer).ei_response.ok
    assert world.last == [
        VenUnregistered(ven_id=ven.ven_id, ven_name="n", registration_id=ven.registration_id, by_ven=False)
    ]
    assert world.send(answer).ei_response.response_code == "463"


def test_ven_that_refuses_to_be_cancelled_stays(world: World) -> None:
    ven = world.ven()
    world.tell(EndRegistration(ven_id=ven.ven_id))
    ven.drain()
    refusal = CanceledPartyRegistration(ei_response=EiResponse(response_code="452"), ven_id=ven.ven_id)
    assert world.send(refusal).ei_response.ok
    [trouble] = world.said(Trouble)
    assert isinstance(trouble.lost, CancelPartyRegistration)
    assert ven.ven_id in world.session.vens


def test_cancelled_ven_may_simply_register_again(world: World) -> None:
    """As the EPRI C++ VEN does."""
    ven = world.ven("n")
    world.tell(EndRegistration(ven_id=ven.ven_id))
    ven.drain()
    ven.register()
    assert [type(note) for note in world.last] == [VenUnregistered, VenRegistered]
    assert [type(message) for message in ven.drain()] == [RegisterReport]


def test_unasked_cancellation_is_452(world: World) -> None:
    ven = world.ven()
    answer = CanceledPartyRegistration(ei_response=EiResponse(), ven_id=ven.ven_id)
    assert world.send(answer).ei_response.response_code == "452"


@pytest.mark.rule("R401")
def test_reregistration_is_asked_for_and_settled_by_registering(world: World) -> None:
    ven = world.ven()
    world.tell(AskReregistration(ven_id=ven.ven_id))
    assert [type(message) for message in ven.drain()] == [RegisterReport, RequestReregistration]
    ven.register(registration_id=ven.registration_id, ven_id=ven.ven_id)
    world.sleep(5 * MINUTE)
    assert [type(message) for message in ven.drain()] == [RegisterReport]


def test_reregistration_is_settled_by_oadr_response(world: World) -> None:
    ven = world.ven()
    world.tell(AskReregistration(ven_id=ven.ven_id))
    ven.drain()
    assert world.send(Response(ei_response=EiResponse(), ven_id=ven.ven_id)) is None
    world.sleep(5 * MINUTE)
    assert [type(message) for message in ven.drain()] == [RegisterReport]


@pytest.mark.parametrize(
    "details",
    [
        {"oadr_transport_name": TransportName.XMPP},
        {"oadr_http_pull_model": False, "oadr_transport_address": "http://ven.example"},
    ],
)
def test_what_is_not_served_is_refused(make_world: WorldMaker, details: dict[str, Any]) -> None:
    world = make_world(push=PushPolicy(enabled=False))
    assert Ven(world, "n").register(**details).ei_response.response_code == "469"
    assert not world.session.vens


def test_limit_of_vens_refuses_new_ones_only(make_world: WorldMaker) -> None:
    world = make_world(limits=VtnLimits(vens=1))
    first = world.ven("first")
    assert Ven(world, "second").register().ei_response.response_code == "469"
    assert first.register().ei_response.ok


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("vtn_id", ""),
        ("vtn_id", "\x00"),
        ("vtn_id", 5),
        ("requested_poll_freq", timedelta(milliseconds=500)),
        ("requested_poll_freq", timedelta(seconds=1.5)),
        ("requested_poll_freq", 10),
        ("resend_after", timedelta()),
        ("tries", 0),
        ("market_context", ""),
    ],
)
def test_wrong_configuration_names_the_field(field: str, value: object) -> None:
    with pytest.raises(LocalError, match=f"VtnConfig/{field}"):
        VtnConfig(**{"vtn_id": "V", field: value})


def test_admission_of_nobody_in_particular_is_refused() -> None:
    with pytest.raises(LocalError, match="Admitted"):
        Admitted()


def test_commands_for_an_unknown_ven_are_refused(world: World) -> None:
    with pytest.raises(LocalError, match="ven_id"):
        world.tell(EndRegistration(ven_id="nobody"))
    with pytest.raises(LocalError, match="ven_id"):
        world.tell(AskReregistration(ven_id="nobody"))
