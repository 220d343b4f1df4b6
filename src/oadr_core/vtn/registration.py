"""Registration: query, create, renew, cancel, from either side (section 5.1).

It stands alone as the service EiRegisterParty. Who is meant is found out by the directory before these
handlers run.
"""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType
from typing import Final

import attrs

from ..engine import Trouble
from ..engine.copying import evolve
from ..errors import InvalidID, shown
from ..model import (
    CanceledPartyRegistration,
    CancelPartyRegistration,
    CreatedPartyRegistration,
    CreatePartyRegistration,
    Payload,
    QueryRegistration,
    RegisterReport,
    RequestReregistration,
    Response,
    TransportName,
)
from . import replies
from .config import LONGEST_ID
from .mailbox import discard, has_room, settle, waits
from .messages import VenRegistered, VenReregistered, VenUnregistered
from .offering import tell_offer
from .push_address import base_url
from .replies import Illogical, NotServed
from .requests import former_of, wishes_of
from .state import Turn, VenState

COPIES_WITHIN: Final = timedelta(minutes=1)
"""A request lives no longer than its connection, which nobody keeps open for so long."""


def query(turn: Turn, ven: VenState | None, payload: QueryRegistration) -> tuple[VenState | None, Payload]:
    """R404: profiles and transports; IDs only for a VEN that is registered, by its certificate."""
    reply = replies.created_party_registration(turn, replies.answer(payload), payload)
    if ven is None:
        return None, reply
    return ven, _with_ids(reply, ven)


def create(turn: Turn, ven: VenState | None, payload: CreatePartyRegistration) -> tuple[VenState, Payload]:
    """Register a VEN, anew or again.

    With its registrationID a VEN renews its data and keeps everything (PS 8.4.1); without, the registration
    is completely new and everything that was known is erased (R406).
    """
    if payload.oadr_transport_name is not TransportName.SIMPLE_HTTP:
        raise NotServed(f"transport {payload.oadr_transport_name.value} is not served here", rule="R403")
    push_address = _push_address(turn, payload)
    name = payload.oadr_ven_name or ""
    if len(name) > LONGEST_ID:
        raise NotServed(f"a name has at most {LONGEST_ID} characters")
    again = ven is not None and (bool(payload.registration_id) or _is_copied(turn, ven))
    seen = turn.now.wall
    if ven is not None and again:
        ven = attrs.evolve(ven, ven_name=name or ven.ven_name, last_seen=seen)
        ven = discard(ven, RequestReregistration)
        told = VenReregistered if payload.registration_id else VenRegistered  # to its sender a copy is the first one
        turn.tell(told(ven_id=ven.ven_id, ven_name=ven.ven_name, registration_id=ven.registration_id))
    else:
        if ven is not None and waits(ven, CancelPartyRegistration):
            turn.tell(unregistered(ven, by_ven=False))
        ven = VenState(
            ven_id=ven.ven_id if ven else turn.new_id,
            registration_id=turn.token("registration"),
            ven_name=name,
            registered_at=seen,
            last_seen=seen,
            policy=turn.standing.number,
            # a report that was asked for is asked for again, and one that was under way may still arrive
            wishes=wishes_of(ven) if ven else (),
            former=former_of(ven) if ven else MappingProxyType({}),
        )
        turn.tell(VenRegistered(ven_id=ven.ven_id, ven_name=name, registration_id=ven.registration_id))
    ven = attrs.evolve(
        ven,
        fingerprint=turn.fingerprint or ven.fingerprint,
        profile=payload.oadr_profile_name,
        report_only=payload.oadr_report_only,
        xml_signature=payload.oadr_xml_signature,
        push_address=push_address,
    )
    if not waits(ven, RegisterReport) and has_room(ven, turn.config):
        ven = tell_offer(turn, ven)  # R301: even without reports of its own the VTN tells so, by the first polls
    reply = replies.created_party_registration(turn, replies.answer(payload), payload)
    return ven, _with_ids(reply, ven)


def _is_copied(turn: Turn, ven: VenState) -> bool:
    """True for a registration without IDs that follows upon another, before the VEN has said anything that would have
    to be erased. It is a copy that the network has made, or its sender has not got the answer: another registrationID
    would part the two ends.
    """
    fresh = abs(turn.now.wall - ven.registered_at) < COPIES_WITHIN
    known = ven.reports or ven.jobs or ven.deliveries or ven.schedules or waits(ven, CancelPartyRegistration)
    return fresh and not known


def cancel(turn: Turn, ven: VenState, payload: CancelPartyRegistration) -> tuple[None, Payload]:
    """R407: the VEN ends its registration, and everything about it is erased; wrong IDs change nothing
    (R400).
    """
    if payload.registration_id != ven.registration_id:
        raise InvalidID("the registrationID is not that of this VEN", rule="R400")
    turn.tell(unregistered(ven, by_ven=True))
    return None, replies.canceled_party_registration(turn, replies.answer(payload), payload)


def canceled(turn: Turn, ven: VenState, payload: CanceledPartyRegistration) -> tuple[VenState | None, Payload]:
    """The VEN's answer to our cancellation: now it is forgotten (R407)."""
    reply = Response(ei_response=replies.answer(payload), ven_id=ven.ven_id)
    ven, asked = settle(ven, lambda mail: isinstance(mail, CancelPartyRegistration))
    if not payload.ei_response.ok:
        code = payload.ei_response.response_code
        turn.tell(Trouble(text=f"{ven.ven_id} refuses to end its registration: {code}", code=code, lost=asked))
        return ven, reply
    if asked is None:
        raise InvalidID("no cancellation is under way")
    turn.tell(unregistered(ven, by_ven=False))
    return None, reply


def _push_address(turn: Turn, payload: CreatePartyRegistration) -> str | None:
    """Where a VEN wants its messages pushed (R402), ``None`` for one that polls."""
    if payload.oadr_http_pull_model is not False:
        return None
    policy = turn.config.push
    if not policy.enabled:
        raise NotServed("HTTP push is not served here; register with oadrHttpPullModel true", rule="R403")
    if not payload.oadr_transport_address:
        raise Illogical("push needs an oadrTransportAddress", path="oadrTransportAddress", rule="R402")
    try:
        return base_url(payload.oadr_transport_address, policy)
    except ValueError as error:
        address = shown(payload.oadr_transport_address)
        text = f"{address} is no address: {error}"
        raise Illogical(text, path="oadrTransportAddress", rule="R402") from None


def _with_ids(reply: CreatedPartyRegistration, ven: VenState) -> CreatedPartyRegistration:
    return evolve(reply, registration_id=ven.registration_id, ven_id=ven.ven_id)


def unregistered(ven: VenState, *, by_ven: bool) -> VenUnregistered:
    """The notification that a registration is over."""
    return VenUnregistered(ven_id=ven.ven_id, ven_name=ven.ven_name, registration_id=ven.registration_id, by_ven=by_ven)
