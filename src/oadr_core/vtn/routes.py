"""Which message goes where: for each of the 23, the service, who may send it, what handles it, and how it is
refused.

It stands alone because it is the one table from which the session works; a test holds it against the list of
messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs

from ..errors import WrongPayload
from ..model import (
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
    EiResponse,
    Payload,
    Poll,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    RequestEvent,
    RequestReregistration,
    Response,
    ServiceName,
    UpdatedReport,
    UpdateReport,
)
from . import events, offering, opts, polling, registration, replies, reports
from .identity import Who
from .state import Turn, VenState

Handler = Callable[[Turn, Any, Any], tuple[VenState | None, Payload | None]]
Refusal = Callable[[Turn, EiResponse, Any], Payload]


@attrs.frozen
class Route:
    """How one kind of message is handled. ``service`` ``None``: wherever it is posted."""

    service: ServiceName | None
    who: Who
    handle: Handler
    refuse: Refusal


def misplaced(turn: Turn, ven: VenState | None, payload: Payload) -> tuple[VenState | None, Payload | None]:
    """R33, R51: a message that only a VTN sends."""
    name = payload.__element__.removeprefix("oadr:")
    raise WrongPayload(f"{name} is not for a VTN", path=name, rule="R33")


_S: Final = ServiceName
_NOT_OURS: Final = Route(None, Who.ANYBODY, misplaced, replies.response)

ROUTES: Final[Mapping[type[Payload], Route]] = MappingProxyType(
    {
        # EiRegisterParty
        QueryRegistration: Route(
            _S.EI_REGISTER_PARTY, Who.ANYBODY, registration.query, replies.created_party_registration
        ),
        CreatePartyRegistration: Route(
            _S.EI_REGISTER_PARTY, Who.NEWCOMER, registration.create, replies.created_party_registration
        ),
        CancelPartyRegistration: Route(
            _S.EI_REGISTER_PARTY, Who.MEMBER, registration.cancel, replies.canceled_party_registration
        ),
        CanceledPartyRegistration: Route(_S.EI_REGISTER_PARTY, Who.MEMBER, registration.canceled, replies.response),
        # OadrPoll
        Poll: Route(_S.OADR_POLL, Who.MEMBER, polling.poll, replies.response),
        Response: Route(None, Who.MEMBER, polling.response, replies.response),
        # EiEvent
        RequestEvent: Route(_S.EI_EVENT, Who.MEMBER, events.request_event, replies.distribute_event),
        CreatedEvent: Route(_S.EI_EVENT, Who.MEMBER, events.created_event, replies.response),
        # EiReport
        RegisterReport: Route(_S.EI_REPORT, Who.MEMBER, reports.register_report, replies.registered_report),
        CreatedReport: Route(_S.EI_REPORT, Who.MEMBER, reports.created_report, replies.response),
        UpdateReport: Route(_S.EI_REPORT, Who.MEMBER, reports.update_report, replies.updated_report),
        CanceledReport: Route(_S.EI_REPORT, Who.MEMBER, reports.canceled_report, replies.response),
        RegisteredReport: Route(_S.EI_REPORT, Who.MEMBER, offering.registered_report, replies.response),
        CreateReport: Route(_S.EI_REPORT, Who.MEMBER, offering.create_report, replies.created_report),
        CancelReport: Route(_S.EI_REPORT, Who.MEMBER, offering.cancel_report, replies.canceled_report),
        UpdatedReport: Route(_S.EI_REPORT, Who.MEMBER, offering.updated_report, replies.response),
        # EiOpt
        CreateOpt: Route(_S.EI_OPT, Who.MEMBER, opts.create_opt, replies.created_opt),
        CancelOpt: Route(_S.EI_OPT, Who.MEMBER, opts.cancel_opt, replies.canceled_opt),
        # what only a VTN sends
        CreatedPartyRegistration: _NOT_OURS,
        RequestReregistration: _NOT_OURS,
        DistributeEvent: _NOT_OURS,
        CreatedOpt: _NOT_OURS,
        CanceledOpt: _NOT_OURS,
    }
)
"""The 23 messages."""
