"""Every message is bound to a certificate and to a VEN, whatever it says or leaves out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oadr_core import LocalError, encode
from oadr_core.engine import RequestArrived, SendReply, Trouble
from oadr_core.engine.copying import evolve
from oadr_core.model import (
    MESSAGES,
    CancelPartyRegistration,
    CreatePartyRegistration,
    EiResponse,
    Payload,
    Poll,
    QueryRegistration,
    RegisterReport,
    Response,
    UpdateReport,
)
from oadr_core.vtn import Admitted, IdentityPolicy, VenReregistered, VtnConfig, VtnLimits
from oadr_core.vtn.identity import _DOORS, Who
from oadr_core.vtn.replies import ven_id
from oadr_core.vtn.routes import ROUTES
from tests.core.vtn.test_routes import FITTING
from tests.core.vtn.world import Ven, World
from tests.strategies import payloads_of

WorldMaker = Callable[..., World]

A, B, UNKNOWN = (":".join([pair] * 10) for pair in ("AA", "BB", "CC"))
LISTED = (
    Admitted(ven_name="a", ven_id="VEN-A", fingerprint=A),
    Admitted(ven_name="b", ven_id="VEN-B", fingerprint=B),
)
KINDS = pytest.mark.parametrize("kind", MESSAGES.values(), ids=lambda kind: kind.__name__)
FEW = settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def saying(payload: Any, claimed: str | None) -> Any:
    """The message with another venID, or none where the schema allows that; where it does not, an empty one means the
    same (R46). A message that has no place for one stays as it is.
    """
    for inner in ("ei_request_event", "ei_created_event"):
        if hasattr(payload, inner):
            return evolve(payload, **{inner: saying(getattr(payload, inner), claimed)})
    if not hasattr(payload, "ven_id"):
        return payload
    if claimed is not None:
        return evolve(payload, ven_id=claimed)
    nothing = evolve(payload, ven_id=None)
    try:
        encode(nothing)
    except LocalError:
        return evolve(payload, ven_id="")
    return nothing


class Street(World):
    """A VTN with two registered VENs, each with its certificate."""

    def __init__(self, validate: Callable[[bytes], None], **config: Any) -> None:
        super().__init__(validate, **{"identity": "certificate", **config})
        self.a, self.b = Ven(self, "a"), Ven(self, "b")
        assert self.a.register(fingerprint=A).ei_response.ok
        assert self.b.register(fingerprint=B).ei_response.ok
        self.notes.clear()

    def post(self, payload: Payload, certificate: str | None) -> SendReply:
        return self.arrive(ROUTES[type(payload)].service or "EiEvent", encode(payload), fingerprint=certificate)

    def refuse(self, payload: Payload, certificate: str | None, *codes: str) -> None:
        """The message is refused with one of the codes, in the fitting message, and nothing else happens."""
        before = dict(self.session.vens)
        reply = self.post(payload, certificate)
        assert reply.status == 200
        assert type(reply.payload) is FITTING.get(type(payload), Response)
        assert reply.payload.ei_response.response_code in codes
        assert [type(note) for note in self.last] == [Trouble]
        assert {name: state is before[name] for name, state in self.session.vens.items()} == dict.fromkeys(before, True)


@pytest.fixture
def street(validate: Callable[[bytes], None]) -> Street:
    return Street(validate)


@pytest.fixture
def closed(validate: Callable[[bytes], None]) -> Street:
    """Only the two may register, with their certificates."""
    return Street(validate, admitted=LISTED)


def test_every_kind_of_sender_has_its_door() -> None:
    assert set(_DOORS) == set(Who)


@pytest.mark.rule("R517")
@KINDS
@FEW
@given(data=st.data())
def test_message_without_a_certificate_is_refused(kind: type[Payload], street: Street, data: Any) -> None:
    payload = data.draw(payloads_of(kind))
    for claimed in (None, "VEN-A", street.a.ven_id):
        street.refuse(saying(payload, claimed), None, "463")


@pytest.mark.rule("R517")
@KINDS
@FEW
@given(data=st.data())
def test_message_without_ven_id_over_an_unknown_certificate_is_refused(
    kind: type[Payload], closed: Street, data: Any
) -> None:
    closed.refuse(saying(data.draw(payloads_of(kind)), None), UNKNOWN, "463")


@pytest.mark.rule("R517")
@KINDS
@FEW
@given(data=st.data())
def test_message_under_the_ven_id_of_another_is_refused(kind: type[Payload], closed: Street, data: Any) -> None:
    payload = saying(data.draw(payloads_of(kind)), "VEN-A")
    if ven_id(payload) is None:
        return  # no place for a venID; the other tests are for these
    closed.refuse(payload, B, "452")
    closed.refuse(payload, UNKNOWN, "463")


@KINDS
@FEW
@given(data=st.data())
def test_message_without_ven_id_does_nothing_to_a_ven_with_another_certificate(
    kind: type[Payload], street: Street, data: Any
) -> None:
    """It names everything that is the other's: the registration, the name."""
    payload = saying(data.draw(payloads_of(kind)), None)
    if hasattr(payload, "registration_id"):
        payload = evolve(payload, registration_id=street.a.registration_id)
    if hasattr(payload, "oadr_ven_name"):
        payload = evolve(payload, oadr_ven_name="a")
    before = street.session.vens[street.a.ven_id]
    for certificate in (B, UNKNOWN):
        street.post(payload, certificate)
        assert street.session.vens[street.a.ven_id] is before
        assert not any(getattr(note, "ven_id", None) == street.a.ven_id for note in street.last)


@pytest.mark.rule("R517")
@pytest.mark.parametrize("certificate", [B, UNKNOWN])
def test_others_registration_cannot_be_cancelled_or_renewed(street: Street, certificate: str) -> None:
    their = {"request_id": "r", "registration_id": street.a.registration_id}
    renewal = CreatePartyRegistration(**their, oadr_ven_name="a", oadr_http_pull_model=True)
    for claimed in (None, street.a.ven_id):
        street.refuse(CancelPartyRegistration(**their, ven_id=claimed), certificate, "452", "463")
        street.refuse(evolve(renewal, ven_id=claimed), certificate, "452", "463")


def test_certificate_is_good_for_one_ven_only(closed: Street) -> None:
    """Neither a free venID nor another name makes a second VEN of it."""
    fresh = CreatePartyRegistration(request_id="r", oadr_ven_name="c", oadr_http_pull_model=True, ven_id="VEN-C")
    closed.refuse(fresh, A, "452", "463")
    closed.refuse(evolve(fresh, ven_id=None, oadr_ven_name="b"), A, "452", "463")


def test_certificate_is_good_for_one_ven_only_where_everybody_may_register(street: Street) -> None:
    fresh = CreatePartyRegistration(request_id="r", oadr_ven_name="c", oadr_http_pull_model=True, ven_id="VEN-C")
    street.refuse(fresh, A, "452")
    street.refuse(evolve(fresh, ven_id=None), A, "452")


def test_listed_name_is_that_of_one_ven(validate: Callable[[bytes], None]) -> None:
    street = Street(validate, admitted=(Admitted(ven_name="a"), Admitted(ven_name="b")))
    request = CreatePartyRegistration(request_id="r", oadr_ven_name="a", oadr_http_pull_model=True)
    street.refuse(request, UNKNOWN, "463")


def test_message_without_ven_id_is_that_of_its_certificate(street: Street) -> None:
    assert street.post(RegisterReport(request_id="q"), A).payload.ei_response.ok
    reply = street.post(QueryRegistration(request_id="q"), B.lower().replace(":", "")).payload
    assert reply.ven_id == street.b.ven_id
    renewal = CreatePartyRegistration(
        request_id="r", registration_id=street.a.registration_id, oadr_ven_name="a", oadr_http_pull_model=True
    )
    assert street.post(renewal, A).payload.ei_response.ok
    assert isinstance(street.last[0], VenReregistered)


def test_whole_digest_is_the_same_certificate(street: Street) -> None:
    whole = ":".join(["01"] * 22) + ":" + A
    assert street.post(Poll(ven_id=street.a.ven_id), whole).payload.__class__ is not Response


@pytest.mark.rule("R404")
def test_unknown_certificate_may_ask_where_everybody_may_register(street: Street) -> None:
    reply = street.post(QueryRegistration(request_id="q"), UNKNOWN).payload
    assert reply.ei_response.ok
    assert (reply.ven_id, reply.registration_id) == (None, None)


def test_new_certificate_of_a_ven_is_taken_when_the_operator_lists_it(validate: Callable[[bytes], None]) -> None:
    old = Street(validate, admitted=LISTED)
    session = old.session
    renewed = (Admitted(ven_name="a", ven_id="VEN-A", fingerprint=UNKNOWN), LISTED[1])
    new = Street.__new__(Street)
    World.__init__(new, validate, identity="certificate", admitted=renewed)
    new.session._directory.put(session.vens["VEN-A"])
    renewal = CreatePartyRegistration(
        request_id="r",
        ven_id="VEN-A",
        registration_id=old.a.registration_id,
        oadr_ven_name="a",
        oadr_http_pull_model=True,
    )
    new.refuse(Poll(ven_id="VEN-A"), UNKNOWN, "463")
    assert new.post(renewal, UNKNOWN).payload.ei_response.ok
    assert type(new.post(Poll(ven_id="VEN-A"), UNKNOWN).payload) is not Response
    new.refuse(Poll(ven_id="VEN-A"), A, "463")


def test_ven_from_the_time_before_certificates_gets_one_by_its_registration_id(street: Street) -> None:
    state = attrs.evolve(street.session.vens[street.a.ven_id], ven_id="OLD", ven_name="old", fingerprint=None)
    street.session._directory.put(state)
    street.refuse(Poll(ven_id="OLD"), UNKNOWN, "463")
    by_name = CreatePartyRegistration(request_id="r", oadr_ven_name="old", oadr_http_pull_model=True)
    street.refuse(evolve(by_name, ven_id="OLD"), UNKNOWN, "463")
    renewal = evolve(by_name, ven_id="OLD", registration_id=state.registration_id)
    assert street.post(renewal, UNKNOWN).payload.ei_response.ok
    assert type(street.post(Poll(ven_id="OLD"), UNKNOWN).payload) is not Response


# --- by name: insecure ----------------------------------------------------------------------------------------------


def test_certificates_are_demanded_unless_asked_otherwise() -> None:
    assert VtnConfig(vtn_id="V").identity is IdentityPolicy.CERTIFICATE
    assert VtnConfig(vtn_id="V", identity="insecure").identity is IdentityPolicy.INSECURE
    with pytest.raises(LocalError, match=r"VtnConfig/identity.*certificate, insecure"):
        VtnConfig(vtn_id="V", identity="none")


def test_insecure_policy_still_protects_a_ven_that_has_a_certificate(make_world: WorldMaker) -> None:
    world = make_world(identity="insecure")
    ven = Ven(world, "a")
    ven.register(fingerprint=A)

    def code(payload: Payload, certificate: str | None) -> str:
        return str(world.send(payload, fingerprint=certificate).ei_response.response_code)

    assert code(Poll(ven_id=ven.ven_id), None) == "463"
    assert code(Poll(ven_id=ven.ven_id), B) == "463"
    assert code(CreatePartyRegistration(request_id="r", ven_id=ven.ven_id, oadr_http_pull_model=True), None) == "463"
    assert code(UpdateReport(request_id="r"), None) == "459"


def test_typed_requests_go_through_the_same_door(street: Street) -> None:
    request = RequestArrived(exchange=1, service="OadrPoll", payload=Poll(ven_id=street.a.ven_id), fingerprint=B)
    reply, trouble = street.session.handle(request, street.now)
    assert isinstance(reply, SendReply)
    assert reply.payload.ei_response.response_code == "452"
    assert isinstance(trouble, Trouble)


def test_refusal_tells_the_operator_which_certificate_it_was(closed: Street) -> None:
    request = CreatePartyRegistration(request_id="r", oadr_ven_name="new", oadr_http_pull_model=True)
    closed.refuse(request, UNKNOWN, "463")
    [trouble] = closed.last
    assert UNKNOWN in trouble.text


def test_limit_of_vens_holds_for_certificates_too(validate: Callable[[bytes], None]) -> None:
    street = Street(validate, limits=VtnLimits(vens=2))
    request = CreatePartyRegistration(request_id="r", oadr_ven_name="c", oadr_http_pull_model=True)
    street.refuse(request, UNKNOWN, "469")


def test_posted_response_of_a_stranger_settles_nothing(street: Street) -> None:
    street.refuse(Response(ei_response=EiResponse()), UNKNOWN, "463")
    street.refuse(Response(ei_response=EiResponse(), ven_id=street.a.ven_id), B, "452")
