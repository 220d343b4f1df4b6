"""Registration of a VEN: query, create, again, cancel (section 5.1; rules R400-R407).

It stands alone as the only module that changes ``VenState.registration`` and ``VenState.phase``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from ..engine import Trouble
from ..engine.retry import back_off
from ..model import (
    CanceledPartyRegistration,
    CancelPartyRegistration,
    CreatedPartyRegistration,
    CreatePartyRegistration,
    Duration,
    EiRequestEvent,
    EiResponse,
    Payload,
    QueryRegistration,
    RequestEvent,
    RequestReregistration,
    Response,
    ServiceName,
)
from ..reporting.offers import digest
from . import events, opts, reports, requests
from .config import SHORTEST_POLL_S, VenConfig
from .messages import Registered, RegistrationEnded, RegistrationRefused
from .state import Identity, Outgoing, Phase, Registration, Turn

WHILE_UNREGISTERED: Final[tuple[type[Payload], ...]] = (
    QueryRegistration,
    CreatePartyRegistration,
    CancelPartyRegistration,
    CanceledPartyRegistration,
    Response,
)
"""What may be sent while there is no registration, or a new one is under way."""
INVALID_ID: Final = "452"
LONGEST_POLL_S: Final = 86_400.0
"""A poll interval is believed up to a day; a longer one would look like a VEN that is gone."""


def begin(turn: Turn) -> None:
    """Register; under the same registration if there is one (R402)."""
    known = turn.state.registration
    entries = turn.state.outbox.values()
    turn.remove(*(entry for entry in entries if not known or isinstance(entry.payload, WHILE_UNREGISTERED[:2])))
    turn.set(phase=Phase.REGISTERING, register_at=None, cancel_wanted=False)
    if turn.config.query_first and known is None:
        turn.post(ServiceName.EI_REGISTER_PARTY, QueryRegistration(request_id=turn.token("query")))
    else:
        _create(turn)


def _create(turn: Turn) -> None:
    known, identity = turn.state.registration, identity_of(turn.config)
    payload = CreatePartyRegistration(
        request_id=turn.token("register"),
        registration_id=known.registration_id if known else None,
        ven_id=known.ven_id if known else turn.config.ven_id,
        oadr_transport_address=identity.transport_address,
        oadr_report_only=identity.report_only,
        oadr_xml_signature=identity.xml_signature,
        oadr_ven_name=identity.ven_name,
        oadr_http_pull_model=identity.transport_address is None,
    )
    turn.set(identity=identity)
    turn.post(ServiceName.EI_REGISTER_PARTY, payload)


def identity_of(config: VenConfig) -> Identity:
    """What a VTN is told of this VEN when it registers."""
    return Identity(
        ven_name=config.ven_name,
        report_only=config.report_only,
        xml_signature=config.xml_signature,
        transport_address=config.transport_address,
    )


def refresh(turn: Turn) -> None:
    """The configuration may be another one: tell the VTN what has changed, and nothing else (R402, R306)."""
    if turn.state.phase is not Phase.REGISTERED:
        return
    if turn.state.identity != identity_of(turn.config):
        begin(turn)
    elif turn.state.offered != digest(turn.config.reports):
        reports.offer_reports(turn)


def resynchronise(turn: Turn) -> None:
    """Ask for all events: after a registration (R405), a restart, or replies that were lost (R500)."""
    registration = turn.state.registration
    asked = any(isinstance(entry.payload, RequestEvent) for entry in turn.state.outbox.values())
    if registration is None or turn.config.report_only or asked:
        return
    request = EiRequestEvent(request_id=turn.token("events"), ven_id=registration.ven_id)
    turn.post(ServiceName.EI_EVENT, RequestEvent(ei_request_event=request))


def on_queried(turn: Turn, entry: Outgoing, reply: Payload | None) -> None:
    """The VTN has said what it offers, or cannot: go on in either case, the query is optional."""
    _create(turn)


def on_created(turn: Turn, entry: Outgoing, reply: Payload | None) -> None:
    """The VTN's decision about the registration (R403)."""
    if not isinstance(reply, CreatedPartyRegistration):
        code = reply.ei_response.response_code if isinstance(reply, Response) else ""
        text = reply.ei_response.response_description if isinstance(reply, Response) else None
        refused(turn, code, text or "the VTN did not answer with oadrCreatedPartyRegistration")
        return
    response = reply.ei_response
    if not response.ok:
        refused(turn, response.response_code, response.response_description or "no reason given")
        return
    ven_id = reply.ven_id or turn.config.ven_id
    if not reply.registration_id or not ven_id:
        missing = "venID" if reply.registration_id else "registrationID"
        refused(turn, response.response_code, f"the answer has no {missing}")
        return
    before = turn.state.registration
    again = before is not None and before.registration_id == reply.registration_id
    registration = Registration(
        ven_id=ven_id,
        registration_id=reply.registration_id,
        vtn_id=reply.vtn_id,
        poll_interval_s=_poll_interval(turn, reply.oadr_requested_oadr_poll_freq),
    )
    next_poll = None if turn.config.transport_address else turn.now.mono  # R500: who is pushed to does not poll
    turn.set(registration=registration, phase=Phase.REGISTERED, next_poll=next_poll, drained=0, failures=0)
    turn.set(delivery=None)  # it is made again, perhaps under another venID
    turn.tell(
        Registered(
            ven_id=ven_id,
            registration_id=registration.registration_id,
            vtn_id=registration.vtn_id,
            poll_interval=timedelta(seconds=registration.poll_interval_s),
            again=again,
        )
    )
    if turn.state.cancel_wanted:
        turn.set(cancel_wanted=False)
        cancel(turn)
        return
    # R405, R309: metadata and oadrRequestEvent come before everything else. R306: metadata ends all report requests.
    if not again:
        reports.forget_metadata_requests(turn)
        requests.forget(turn)
    reports.offer_reports(turn)
    resynchronise(turn)
    if not again:
        opts.renew(turn)


def refused(turn: Turn, code: str, text: str) -> None:
    """The VTN does not want this VEN: say so, and perhaps ask again later (R401)."""
    retry = turn.config.registration_retry
    delay = None if retry is None else retry.total_seconds()
    reports.forget(turn)
    requests.forget(turn)
    turn.set(
        registration=None,
        phase=Phase.IDLE if delay is None else Phase.REGISTERING,
        register_at=None if delay is None else turn.now.mono + delay,
        next_poll=None,
        outbox={},
        answers=(),
    )
    turn.tell(RegistrationRefused(code=code, text=text, retry_s=delay))


def lost(turn: Turn, code: str, text: str) -> None:
    """The VTN does not know this VEN (any more): register anew, ever less often while that does not help (R517)."""
    losses = turn.state.losses + 1
    delay = back_off(losses, _longest_retry(turn), turn.key, "lost", turn.number())
    reports.forget(turn)
    requests.forget(turn)
    turn.set(
        registration=None,
        phase=Phase.REGISTERING,
        register_at=turn.now.mono + delay,
        next_poll=None,
        outbox={},
        answers=(),
        losses=losses,
    )
    turn.tell(RegistrationEnded(by_vtn=True, text=f"the VTN does not know this VEN: {code} {text}", retry_s=delay))


def on_reregistration_requested(turn: Turn, payload: Payload) -> None:
    """RequestReregistration: acknowledge, then register again under the same IDs."""
    registration = turn.state.registration
    ven_id = registration.ven_id if registration else turn.config.ven_id
    assert isinstance(payload, RequestReregistration)
    acknowledged = Response(ei_response=EiResponse(), ven_id=ven_id)
    if turn.state.phase is not Phase.REGISTERED:  # it is under way already
        turn.reply = acknowledged
        return
    turn.answer(ServiceName.EI_REGISTER_PARTY, acknowledged)
    before = turn.state.losses
    turn.set(losses=before + 1)
    if not before:
        begin(turn)
        return
    # It asks again, and nothing else came in between: registering at once would go round and round.
    delay = back_off(before, _longest_retry(turn), turn.key, "again", turn.number())
    turn.set(phase=Phase.REGISTERING, register_at=turn.now.mono + delay)
    turn.tell(Trouble(text="the VTN asks for registration again and again", retry_s=delay))


def on_cancelled_by_vtn(turn: Turn, payload: Payload) -> None:
    """CancelPartyRegistration from the VTN: check, confirm, forget (R400, R407)."""
    assert isinstance(payload, CancelPartyRegistration)
    registration = turn.state.registration
    ours = registration is not None and payload.registration_id == registration.registration_id
    ours = ours and payload.ven_id in (None, "", registration.ven_id if registration else None)
    answer = CanceledPartyRegistration(
        ei_response=EiResponse(request_id=payload.request_id)
        if ours
        else EiResponse(
            response_code=INVALID_ID, response_description="not this registration", request_id=payload.request_id
        ),
        registration_id=payload.registration_id,
        ven_id=registration.ven_id if registration else payload.ven_id,
    )
    if ours:
        retry = turn.config.registration_retry
        delay = None if retry is None else retry.total_seconds()
        _forget(turn)
        turn.set(
            phase=Phase.IDLE if delay is None else Phase.REGISTERING,
            register_at=None if delay is None else turn.now.mono + delay,
        )
        turn.tell(RegistrationEnded(by_vtn=True, text="cancelled by the VTN", retry_s=delay))
    turn.answer(ServiceName.EI_REGISTER_PARTY, answer)


def cancel(turn: Turn) -> None:
    """End the registration from this side; it is forgotten when the VTN has answered."""
    registration = turn.state.registration
    flight = turn.state.flight
    if registration is None and flight is not None and isinstance(flight.payload, CreatePartyRegistration):
        turn.set(cancel_wanted=True)  # the VTN may have registered this VEN already: cancel when it says so
        return
    if registration is None:
        turn.set(phase=Phase.IDLE, register_at=None, outbox={})
        return
    payload = CancelPartyRegistration(
        request_id=turn.token("cancel"), registration_id=registration.registration_id, ven_id=registration.ven_id
    )
    turn.post(ServiceName.EI_REGISTER_PARTY, payload)


def on_cancelled(turn: Turn, entry: Outgoing, reply: Payload | None) -> None:
    """The VTN has confirmed our cancellation."""
    response = getattr(reply, "ei_response", None)
    if isinstance(response, EiResponse) and not response.ok:
        return  # 452: it was told as trouble; the registration stands
    wanted_again = turn.state.phase is Phase.REGISTERING
    _forget(turn)
    turn.set(phase=Phase.IDLE, register_at=None)
    turn.tell(RegistrationEnded(by_vtn=False, text="cancelled"))
    if wanted_again:
        begin(turn)


def _forget(turn: Turn) -> None:
    events.forget_all(turn)
    reports.forget(turn)
    requests.forget(turn)
    turn.set(registration=None, outbox={}, opts={}, answers=(), next_poll=None, drained=0)


def _longest_retry(turn: Turn) -> float:
    return (turn.config.registration_retry or timedelta(minutes=5)).total_seconds()


def _poll_interval(turn: Turn, requested: Duration | None) -> float:
    own = turn.config.poll_interval.total_seconds()
    if requested is None or requested.months:
        return own
    return min(max(float(requested.seconds), SHORTEST_POLL_S), LONGEST_POLL_S)
