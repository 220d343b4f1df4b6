"""Requests that the VTN makes of this VEN's own server (push; section 6.2): each gets exactly one reply.

It stands alone as the other way in: what a payload means is the same as in a poll reply, and is in the same table.
"""

from __future__ import annotations

from typing import Final

from ..engine import RequestArrived, SendReply, Trouble
from ..errors import LocalError, RemoteError, shown
from ..model import (
    CancelPartyRegistration,
    CreatedReport,
    DistributeEvent,
    EiResponse,
    Payload,
    RequestReregistration,
    Response,
    ServiceName,
)
from .checks import COMPLIANCE
from .conversation import INCOMING, NOT_REGISTERED_CODE, name_of, opened
from .state import Phase, Turn

MOST_UNSENT: Final = 1_000
"""Messages that wait for the VTN while it pushes more: twice what a backlog of reports may be; above, it must wait."""
_BUSY: Final = 503
_SERVICE: Final[dict[type[Payload], ServiceName]] = {
    DistributeEvent: ServiceName.EI_EVENT,
    CancelPartyRegistration: ServiceName.EI_REGISTER_PARTY,
    RequestReregistration: ServiceName.EI_REGISTER_PARTY,
}
"""Where a payload belongs; all others belong to EiReport."""


def on_request(turn: Turn, request: RequestArrived) -> None:
    """Answer a request: a reply is among the outputs whatever it brings (R33).

    Raises :class:`~oadr_core.errors.LocalError` only for an adapter that gives something else than bytes or a message.
    """
    payload = request.payload
    if payload is not None and not isinstance(payload, Payload):
        raise LocalError(f"a message is expected, not {type(payload).__name__}", path="RequestArrived/payload")
    if len(turn.state.outbox) > MOST_UNSENT:
        text = f"more than {MOST_UNSENT} messages wait to be sent"
        turn.tell(SendReply(exchange=request.exchange, status=_BUSY, detail=text))
        return
    if payload is None:
        try:
            payload = opened(turn, request.data)
        except RemoteError as error:
            turn.tell(Trouble(text=f"a request to {shown(request.service)} is no message that counts: {error}"))
            turn.tell(SendReply(exchange=request.exchange, status=error.status, detail=str(error)))
            return
    at = len(turn.outputs)
    turn.pushed = True
    try:
        reply = _reply(turn, request.service, payload)
    finally:
        turn.pushed = False
    turn.outputs.insert(at, SendReply(exchange=request.exchange, payload=reply))


def _reply(turn: Turn, service: str, payload: Payload) -> Payload | None:
    if type(payload) is CreatedReport:  # what the VTN says after a request that came along with RegisteredReport
        return _response(turn)
    handler = INCOMING.get(type(payload))
    if handler is None or service != _SERVICE.get(type(payload), ServiceName.EI_REPORT):
        text = f"{name_of(payload)} is not for {shown(service)} of a VEN"
        turn.tell(Trouble(text=text, code=COMPLIANCE))
        return _response(turn, COMPLIANCE, text)
    if turn.state.phase is Phase.IDLE or turn.state.registration is None:  # R405
        turn.tell(Trouble(text=f"{name_of(payload)} came from a VTN without a registration"))
        return _response(turn, NOT_REGISTERED_CODE, "not registered")
    turn.reply = None
    handler(turn, payload)
    return turn.reply


def _response(turn: Turn, code: str = "200", text: str = "OK") -> Response:
    registration = turn.state.registration
    return Response(
        ei_response=EiResponse(response_code=code, response_description=text),
        ven_id=registration.ven_id if registration else turn.config.ven_id,
    )
