"""Signed messages to a VTN, and its signed replies."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from oadr_core import decode, encode
from oadr_core.engine import Notification, Now, ReplyArrived, RequestArrived, SendReply, SendRequest, Trouble
from oadr_core.engine.copying import evolve
from oadr_core.model import (
    CancelPartyRegistration,
    CreatePartyRegistration,
    EiResponse,
    Payload,
    Poll,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    Response,
)
from oadr_core.security import Style, Trust, open_envelope, seal
from oadr_core.security.names import DS
from oadr_core.vtn import Admitted, VtnConfig, VtnSession, letters
from oadr_core.vtn.routes import ROUTES
from tests.core.security.kit import KINDS, NOW, STYLES, signer, trust

pytestmark = pytest.mark.rule("R514")

REGISTRATION = CreatePartyRegistration(request_id="r", oadr_ven_name="ven", oadr_http_pull_model=True)
ANYBODY = Trust(insecure_any_signer=True, required=False)


class Office:
    """A VTN that signs, and a clock."""

    def __init__(self, validate: Callable[[bytes], None], *, trust: Trust | None = None, **config: Any) -> None:
        settings = VtnConfig(vtn_id="VTN-1", **config)
        self.session = VtnSession(settings, key=b"k", signer=signer("rsa-vtn"), trust=trust)
        self.elapsed = timedelta()
        self.notes: list[Notification] = []
        self._validate = validate
        self._nonce = 0

    @property
    def now(self) -> Now:
        return Now(1000 + self.elapsed.total_seconds(), NOW + self.elapsed)

    def sealed(self, payload: Payload, by: str, style: Style = Style.OBJECT) -> bytes:
        self._nonce += 1
        return seal(payload, signer=signer(by, style), now=self.now.wall, nonce=f"n{self._nonce}")

    def arrive(self, payload: Payload, data: bytes, over: str | None) -> SendReply:
        """Bytes of a message over the certificate of a party."""
        service = ROUTES[type(payload)].service or "EiEvent"
        seen = signer(over).fingerprint if over else None
        request = RequestArrived(exchange=1, service=service, data=data, fingerprint=seen)
        outputs = self.session.handle(request, self.now)
        [reply] = [output for output in outputs if isinstance(output, SendReply)]
        self.notes = [output for output in outputs if isinstance(output, Notification)]
        if reply.data:
            self._validate(reply.data)
        return reply

    def send(self, payload: Payload, by: str, over: str | None = None) -> Any:
        """What the VTN says to a signed message."""
        return self.arrive(payload, self.sealed(payload, by), over or by).payload

    def ignore(self, payload: Payload, data: bytes, over: str | None, text: str) -> None:
        """The message is not answered by a message, and changes nothing."""
        before = dict(self.session.vens)
        reply = self.arrive(payload, data, over)
        assert (reply.status, reply.payload, reply.data) == (403, None, b"")
        assert text in reply.detail
        [trouble] = self.notes
        assert isinstance(trouble, Trouble)
        assert all(self.session.vens[name] is state for name, state in before.items())
        assert len(self.session.vens) == len(before)

    def register(self, by: str) -> str:
        reply = self.send(REGISTRATION, by)
        assert reply.ei_response.ok
        return str(reply.ven_id)


@pytest.fixture
def office(validate: Callable[[bytes], None]) -> Office:
    return Office(validate)


@pytest.mark.parametrize("kind", KINDS)
def test_signature_of_the_carrier_s_certificate_is_believed(office: Office, kind: str) -> None:
    ven_id = office.register(kind)
    state = office.session.vens[ven_id]
    assert state.guard is not None
    assert len(state.guard.seen) == 1
    assert office.send(Poll(ven_id=ven_id), kind).__class__ is not Response
    guard = office.session.vens[ven_id].guard
    assert guard is not None
    assert len(guard.seen) == 2


@pytest.mark.parametrize("style", STYLES)
def test_replies_are_signed_in_the_style_of_the_peer(office: Office, style: Style) -> None:
    query = QueryRegistration(request_id="q")
    nonces = set()
    for _ in range(2):
        data = office.arrive(query, office.sealed(query, "rsa", style), "rsa").data
        envelope: Any = open_envelope(data, trust=trust("rsa-vtn"), now=NOW)
        assert envelope.style is style
        assert envelope.payload.ei_response.request_id == "q"
        nonces.add(envelope.nonce)
    assert len(nonces) == 2


def test_refusals_are_signed_too(office: Office) -> None:
    poll = Poll(ven_id="nobody")
    data = office.arrive(poll, encode(poll), "rsa").data
    envelope = open_envelope(data, trust=trust("rsa-vtn"), now=NOW)
    assert envelope.payload.ei_response.response_code == "463"


@pytest.mark.rule("R517")
def test_key_that_signed_must_agree_with_the_certificate_of_the_carrier(validate: Callable[[bytes], None]) -> None:
    """Both certificates are trusted, each for its own messages."""
    office = Office(validate, trust=trust("rsa", "ec", required=False))
    ven_id = office.register("rsa")
    before = office.session.vens[ven_id]
    for payload in (Poll(ven_id=ven_id), Response(ei_response=EiResponse()), QueryRegistration(request_id="q")):
        for by, over in (("ec", "rsa"), ("rsa", "ec")):
            reply = office.send(payload, by, over)
            assert reply.ei_response.response_code == "463"
            assert office.session.vens[ven_id] is before


def test_signature_of_somebody_who_is_not_trusted_is_ignored(office: Office) -> None:
    ven_id = office.register("rsa")
    poll = Poll(ven_id=ven_id)
    office.ignore(poll, office.sealed(poll, "ec"), "rsa", "not a trusted one")


def test_damaged_signature_is_ignored(office: Office) -> None:
    ven_id = office.register("rsa")
    poll = Poll(ven_id=ven_id)
    data = office.sealed(poll, "rsa").replace(b"oadrPoll", b"oadrPoIl")
    office.ignore(poll, data, "rsa", "is not what was signed")


@pytest.mark.parametrize(
    "rest",
    [
        b"<ds:Signature xmlns:ds='%s'/>",
        b"<Signature\nxmlns='%s'></Signature>",
        b"<x:Signature xmlns:x='%s'><x:KeyInfo/></x:Signature>",
    ],
)
def test_what_is_left_of_a_signature_makes_no_unsigned_message(office: Office, rest: bytes) -> None:
    ven_id = office.register("rsa")
    poll = Poll(ven_id=ven_id)
    data = re.sub(rb"<ds:Signature .*</ds:Signature>", rest % DS.encode(), office.sealed(poll, "rsa"), flags=re.DOTALL)
    office.ignore(poll, data, "rsa", "ds:Signature must have")


def test_unsigned_message_is_ignored_where_signatures_are_required(validate: Callable[[bytes], None]) -> None:
    office = Office(validate, trust=trust("rsa"))
    office.ignore(REGISTRATION, encode(REGISTRATION), "rsa", "not signed")
    assert office.register("rsa")


def test_signature_alone_is_no_certificate_where_one_is_demanded(validate: Callable[[bytes], None]) -> None:
    office = Office(validate, trust=trust("rsa"))
    reply = office.arrive(REGISTRATION, office.sealed(REGISTRATION, "rsa"), None).payload
    assert reply.ei_response.response_code == "463"
    assert not office.session.vens


def test_insecure_carrier_is_bound_to_the_key_that_signs(validate: Callable[[bytes], None]) -> None:
    office = Office(validate, trust=ANYBODY, identity="insecure")
    reply = office.arrive(REGISTRATION, office.sealed(REGISTRATION, "rsa"), None).payload
    poll = Poll(ven_id=reply.ven_id)
    for data in (encode(poll), office.sealed(poll, "ec")):
        refusal = office.arrive(poll, data, None).payload
        assert refusal.ei_response.response_code == "463"
    assert office.arrive(poll, office.sealed(poll, "rsa"), None).payload.__class__ is not Response


def test_without_trust_an_insecure_carrier_s_signatures_are_not_looked_at(validate: Callable[[bytes], None]) -> None:
    office = Office(validate, identity="insecure")
    damaged = office.sealed(REGISTRATION, "rsa").replace(b">ven<", b">nev<")
    reply = office.arrive(REGISTRATION, damaged, None).payload
    assert reply.ei_response.ok


def test_admitted_certificates_are_believed(validate: Callable[[bytes], None]) -> None:
    listed = (Admitted(ven_id="V", fingerprint=signer("rsa").fingerprint),)
    office = Office(validate, admitted=listed)
    assert office.register("rsa") == "V"


@pytest.mark.parametrize(("by", "code"), [("rsa", None), ("ec", "463"), ("ec-stranger", "not a trusted one")])
def test_reply_to_what_was_pushed_is_signed_by_that_ven(
    validate: Callable[[bytes], None], by: str, code: str | None
) -> None:
    office = Office(validate, trust=trust("rsa", "ec", required=False))
    pushed = evolve(REGISTRATION, oadr_http_pull_model=False, oadr_transport_address="https://ven.example")
    service, seen = "EiRegisterParty", signer("rsa").fingerprint
    data = office.sealed(pushed, "rsa")
    request = RequestArrived(exchange=1, service=service, data=data, fingerprint=seen)
    [push] = [output for output in office.session.handle(request, office.now) if isinstance(output, SendRequest)]
    envelope: Any = open_envelope(push.data, trust=trust("rsa-vtn"), now=NOW)
    assert isinstance(envelope.payload, RegisterReport)
    [ven_id] = office.session.vens
    answer = RegisteredReport(ei_response=EiResponse(request_id=envelope.payload.request_id), ven_id=ven_id)
    arrived = ReplyArrived(exchange=push.exchange, data=office.sealed(answer, by))
    troubles = [output for output in office.session.handle(arrived, office.now) if isinstance(output, Trouble)]
    waiting = office.session.vens[ven_id].mailbox
    if code is None:
        assert (troubles, waiting) == ([], ())
    else:
        [trouble] = troubles
        assert code in trouble.text or "signed with the certificate" in trouble.text
        assert len(waiting) == 1


# --- replays --------------------------------------------------------------------------------------------------------


def test_replay_is_ignored(office: Office) -> None:
    ven_id = office.register("rsa")
    poll = Poll(ven_id=ven_id)
    data = office.sealed(poll, "rsa")
    assert office.arrive(poll, data, "rsa").payload is not None
    office.ignore(poll, data, "rsa", "seen before")
    office.elapsed += timedelta(minutes=6)
    office.ignore(poll, data, "rsa", "signed 0:06")


def test_replay_of_a_registration_is_ignored(office: Office) -> None:
    data = office.sealed(REGISTRATION, "rsa")
    assert office.arrive(REGISTRATION, data, "rsa").payload is not None
    office.ignore(REGISTRATION, data, "rsa", "seen before")


def test_registering_anew_forgets_no_nonce(office: Office) -> None:
    first = office.sealed(REGISTRATION, "rsa")
    office.arrive(REGISTRATION, first, "rsa")
    office.register("rsa")
    office.ignore(REGISTRATION, first, "rsa", "seen before")


def test_replay_after_the_registration_has_ended_is_ignored(office: Office) -> None:
    data = office.sealed(REGISTRATION, "rsa")
    reply: Any = office.arrive(REGISTRATION, data, "rsa").payload
    goodbye = CancelPartyRegistration(request_id="c", registration_id=reply.registration_id, ven_id=reply.ven_id)
    assert office.send(goodbye, "rsa").ei_response.ok
    assert not office.session.vens
    office.ignore(REGISTRATION, data, "rsa", "seen before")
    assert office.register("rsa")
    office.ignore(REGISTRATION, data, "rsa", "seen before")


def test_replayed_question_of_a_stranger_is_ignored(office: Office) -> None:
    query = QueryRegistration(request_id="q")
    data = office.sealed(query, "rsa")
    assert office.arrive(query, data, "rsa").payload is not None
    office.ignore(query, data, "rsa", "seen before")


@pytest.mark.parametrize("ended", [False, True])
def test_replay_after_a_restart_is_ignored(office: Office, ended: bool) -> None:
    data = office.sealed(REGISTRATION, "rsa")
    reply: Any = office.arrive(REGISTRATION, data, "rsa").payload
    if ended:
        goodbye = CancelPartyRegistration(request_id="c", registration_id=reply.registration_id, ven_id=reply.ven_id)
        assert office.send(goodbye, "rsa").ei_response.ok
    office.session = VtnSession.restore(office.session.config, office.session.snapshot(), signer=signer("rsa-vtn"))
    office.ignore(REGISTRATION, data, "rsa", "seen before")


def test_refused_message_is_not_remembered(office: Office) -> None:
    """A rejected input changes nothing; what was refused once may come again, and is refused again."""
    poll = Poll(ven_id="nobody")
    data = office.sealed(poll, "rsa")
    for _ in range(2):
        reply = office.arrive(poll, data, "rsa").payload
        assert reply.ei_response.response_code == "463"


def test_memory_of_strangers_is_bounded(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters, "MOST_STRANGERS", 1)
    query = QueryRegistration(request_id="q")
    assert office.send(query, "rsa").ei_response.ok
    assert office.send(query, "rsa").ei_response.ok
    assert office.send(query, "ec").ei_response.response_code == "469"
    office.elapsed += timedelta(minutes=6)
    assert office.send(query, "ec").ei_response.ok
    assert len(office.session._letters.strangers) == 1


def test_unsigned_messages_need_no_second_look(office: Office) -> None:
    """A fingerprint is all that a carrier gives; the document is not searched for signatures that are not there."""
    request = RequestArrived(exchange=1, service="EiRegisterParty", data=encode(REGISTRATION), fingerprint="ab")
    [reply] = [output for output in office.session.handle(request, office.now) if isinstance(output, SendReply)]
    assert decode(reply.data).payload.ei_response.ok
