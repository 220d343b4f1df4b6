"""How this VTN says no, in the reply that fits the request, and who it says it is.

It stands alone because a refusal is a normal reply with a 4xx code and everything that the schema requires
beside it (R517; section 2.0), whichever module refuses.
"""

from __future__ import annotations

from typing import Any, Final

from ..errors import NotAuthorized, RemoteError
from ..model import (
    CanceledOpt,
    CanceledPartyRegistration,
    CanceledReport,
    CreatedOpt,
    CreatedPartyRegistration,
    CreatedReport,
    DistributeEvent,
    EiResponse,
    Payload,
    Profile,
    ProfileName,
    RegisteredReport,
    Response,
    TransportName,
    UpdatedReport,
)
from .state import Turn

PROFILES: Final = (Profile(oadr_profile_name=ProfileName.B, oadr_transports=(TransportName.SIMPLE_HTTP,)),)
"""All profiles and transports that this VTN serves (R403, R404)."""
LONGEST_TEXT: Final = 400
"""Characters of a response description: enough for a sentence that names the fault."""


class NotServed(RemoteError):
    """Something that is legal and that this VTN does not do, or does not do any more of."""

    code = "469"
    status = 200


class Unregistered(NotAuthorized):
    """Nobody is registered under this venID (R517)."""


class Illogical(RemoteError):
    """A message that is valid by the schema and contradicts itself or what is known (R33, R48)."""

    status = 200


def request_id(payload: Any) -> str:
    """The requestID that a reply repeats when it is not empty (R207, R303)."""
    inner = getattr(payload, "ei_request_event", payload)
    found = getattr(inner, "request_id", None)
    if found is None:
        inner = getattr(payload, "ei_created_event", payload)
        response = getattr(inner, "ei_response", None)
        found = response.request_id if response is not None else ""
    return str(found)


def ven_id(payload: Any) -> str | None:
    """The venID in a message from a VEN; empty means omitted (R46)."""
    inner = getattr(payload, "ei_request_event", None) or getattr(payload, "ei_created_event", payload)
    return getattr(inner, "ven_id", None) or None


def answer(payload: Any, code: str = "200", text: str | None = None) -> EiResponse:
    """The eiResponse of the reply to ``payload``."""
    if text is None and code == "200":
        text = "OK"
    return EiResponse(
        response_code=code,
        response_description=text if text is None else text[:LONGEST_TEXT],
        request_id=request_id(payload),
    )


def no(error: RemoteError, payload: Any) -> EiResponse:
    """The eiResponse of a refusal."""
    return answer(payload, error.code, error.text)


def response(turn: Turn, eir: EiResponse, payload: Any) -> Payload:
    return Response(ei_response=eir, ven_id=ven_id(payload))


def created_party_registration(turn: Turn, eir: EiResponse, payload: Any) -> CreatedPartyRegistration:
    """The poll frequency is there even in a refusal: some VENs read it without a look at the code (EPRI
    C++ VEN).
    """
    return CreatedPartyRegistration(
        ei_response=eir,
        vtn_id=turn.config.vtn_id,
        oadr_profiles=PROFILES,
        oadr_requested_oadr_poll_freq=turn.config.poll_freq,
    )


def canceled_party_registration(turn: Turn, eir: EiResponse, payload: Any) -> CanceledPartyRegistration:
    return CanceledPartyRegistration(ei_response=eir, registration_id=payload.registration_id, ven_id=ven_id(payload))


def distribute_event(turn: Turn, eir: EiResponse, payload: Any) -> DistributeEvent:
    """R41: requestID has a value."""
    return DistributeEvent(ei_response=eir, request_id=turn.token("distribute"), vtn_id=turn.config.vtn_id)


def registered_report(turn: Turn, eir: EiResponse, payload: Any) -> RegisteredReport:
    return RegisteredReport(ei_response=eir, ven_id=ven_id(payload))


def created_report(turn: Turn, eir: EiResponse, payload: Any) -> CreatedReport:
    return CreatedReport(ei_response=eir, ven_id=ven_id(payload))


def updated_report(turn: Turn, eir: EiResponse, payload: Any) -> UpdatedReport:
    return UpdatedReport(ei_response=eir, ven_id=ven_id(payload))


def canceled_report(turn: Turn, eir: EiResponse, payload: Any) -> CanceledReport:
    return CanceledReport(ei_response=eir, ven_id=ven_id(payload))


def created_opt(turn: Turn, eir: EiResponse, payload: Any) -> CreatedOpt:
    return CreatedOpt(ei_response=eir, opt_id=payload.opt_id)


def canceled_opt(turn: Turn, eir: EiResponse, payload: Any) -> CanceledOpt:
    return CanceledOpt(ei_response=eir, opt_id=payload.opt_id)
