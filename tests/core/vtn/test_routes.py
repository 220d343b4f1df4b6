"""Every message has its place, its check and its refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oadr_core import decode, encode
from oadr_core.engine import Notification, Now, RequestArrived, SaveState, SendReply, Trouble
from oadr_core.model import (
    MESSAGES,
    CanceledOpt,
    CanceledPartyRegistration,
    CanceledReport,
    CancelOpt,
    CancelPartyRegistration,
    CancelReport,
    CreatedEvent,
    CreatedOpt,
    CreatedPartyRegistration,
    CreatedReport,
    CreateOpt,
    CreatePartyRegistration,
    CreateReport,
    DistributeEvent,
    Payload,
    Poll,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    RequestEvent,
    Response,
    ServiceName,
    UpdatedReport,
    UpdateReport,
)
from oadr_core.vtn import VtnConfig, VtnSession
from oadr_core.vtn.routes import ROUTES, Who, misplaced
from tests.core.vtn.world import START, World
from tests.strategies import payloads_of

PEERS = Path(__file__).resolve().parents[2] / "golden" / "wire" / "peers"
PEER_MESSAGES = sorted(PEERS.glob("*/*.xml"))
ONLY_A_VTN_SENDS = {name for name, route in ROUTES.items() if route.handle is misplaced}

FITTING: dict[type[Payload], type[Payload]] = {
    QueryRegistration: CreatedPartyRegistration,
    CreatePartyRegistration: CreatedPartyRegistration,
    CancelPartyRegistration: CanceledPartyRegistration,
    RequestEvent: DistributeEvent,
    RegisterReport: RegisteredReport,
    CreateReport: CreatedReport,
    UpdateReport: UpdatedReport,
    CancelReport: CanceledReport,
    CreateOpt: CreatedOpt,
    CancelOpt: CanceledOpt,
}
"""Section 2.0: what a message is answered with, also when it is refused; everything else with oadrResponse."""


def test_every_message_has_a_route() -> None:
    assert set(ROUTES) == set(MESSAGES.values())


@pytest.mark.rule("R51")
def test_what_only_a_vtn_sends_has_no_service() -> None:
    for kind, route in ROUTES.items():
        assert (route.service is None) == (kind in ONLY_A_VTN_SENDS | {Response})


def serve(session: VtnSession, payload: Payload, service: str) -> tuple[SendReply, list[Notification]]:
    data = encode(payload)
    outputs = session.handle(RequestArrived(exchange=1, service=service, data=data), Now(1.0, START))
    reply, *notes = [output for output in outputs if not isinstance(output, SaveState)]
    assert isinstance(reply, SendReply)
    return reply, [note for note in notes if isinstance(note, Notification)]


@pytest.mark.rule("R517")
@pytest.mark.parametrize("kind", MESSAGES.values(), ids=lambda kind: kind.__name__)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(data=st.data())
def test_strangers_are_refused_in_the_fitting_message(kind: type[Payload], validate: Any, data: Any) -> None:
    payload = data.draw(payloads_of(kind))
    route = ROUTES[kind]
    session = VtnSession(VtnConfig(vtn_id="V", identity="insecure"), key=b"k")
    reply, notes = serve(session, payload, route.service or "EiEvent")
    assert reply.status == 200
    assert reply.payload is not None
    validate(reply.data)
    assert type(reply.payload) is FITTING.get(kind, Response)
    code = reply.payload.ei_response.response_code
    if kind in ONLY_A_VTN_SENDS:
        assert code == "459"
    elif route.who is Who.MEMBER:
        assert code in ("463", "459")
        assert not session.vens
    if code != "200":
        assert any(isinstance(note, Trouble) and note.code == code for note in notes)


@pytest.mark.rule("R33")
@pytest.mark.parametrize("service", [*(one for one in ServiceName if one != "OadrPoll"), "Unknown", ""])
def test_wrong_path_is_459_in_oadr_response(world: World, service: str) -> None:
    ven = world.ven()
    reply = world.arrive(service, encode(Poll(ven_id=ven.ven_id)))
    assert isinstance(reply.payload, Response)
    assert reply.payload.ei_response.response_code == "459"
    query = world.arrive("OadrPoll", encode(QueryRegistration(request_id="q"))).payload
    assert isinstance(query, Response)
    assert query.ei_response.request_id == "q"
    assert ven.poll().request_id  # nothing was lost


@pytest.mark.parametrize("path", PEER_MESSAGES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_peers_send_is_answered(world: World, path: Path) -> None:
    """Bare roots, odd prefixes, empty IDs: each real message gets an OpenADR message, or a clean HTTP error."""
    document = path.read_bytes()
    for service in ServiceName:
        reply = world.arrive(service, document)
        assert reply.status in (200, 406)
        if reply.status == 406:
            assert reply.detail
            assert any(isinstance(note, Trouble) for note in world.last)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"not xml",
        b"<html><body>hello</body></html>",
        b"<oadr:oadrPayload xmlns:oadr='http://openadr.org/oadr-2.0b/2012/07'/>",
        b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>",
        "<x/>".encode("utf-16"),
    ],
)
def test_what_is_no_message_is_an_http_error(world: World, document: bytes) -> None:
    reply = world.arrive("OadrPoll", document)
    assert (reply.status, reply.payload, reply.data) == (406, None, b"")
    assert reply.detail
    [trouble] = world.said(Trouble)
    assert "\n" not in trouble.text


def test_message_of_the_older_profile_is_an_http_error(world: World) -> None:
    document = b"<o:oadrRequestEvent xmlns:o='http://openadr.org/oadr-2.0a/2012/07'/>"
    assert world.arrive("EiEvent", document).status == 406


def test_too_large_a_message_is_an_http_error(make_world: Any) -> None:
    from oadr_core import Limits
    from oadr_core.vtn import VtnLimits

    world = make_world(limits=VtnLimits(document=Limits(bytes=100)))
    assert world.arrive("OadrPoll", encode(Poll(ven_id="v" * 100))).status == 406


def test_bare_message_is_accepted(world: World) -> None:
    """As the avob VEN sends it."""
    document = (
        b'<o:oadrQueryRegistration xmlns:o="http://openadr.org/oadr-2.0b/2012/07"'
        b' xmlns:e="http://docs.oasis-open.org/ns/energyinterop/201110" e:schemaVersion="2.0b">'
        b'<p:requestID xmlns:p="http://docs.oasis-open.org/ns/energyinterop/201110/payloads">q</p:requestID>'
        b"</o:oadrQueryRegistration>"
    )
    reply = world.arrive("EiRegisterParty", document)
    assert isinstance(reply.payload, CreatedPartyRegistration)
    assert decode(reply.data).payload == reply.payload


def test_created_event_of_a_stranger(world: World) -> None:
    from oadr_core.model import EiCreatedEvent, EiResponse

    body = EiCreatedEvent(ei_response=EiResponse(request_id="x"), ven_id="nobody", event_responses=())
    reply = world.send(CreatedEvent(ei_created_event=body))
    assert isinstance(reply, Response)
    assert (reply.ei_response.response_code, reply.ei_response.request_id) == ("463", "x")
