"""The reports that a VEN gives: what is offered, what was asked for, and the values on their way (section 5.3).

It stands alone because it turns messages into what :mod:`oadr_core.reporting` does, and that into messages; the rules
of reports are there. Those that the VTN gives are in :mod:`.requests`.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..engine.chance import token
from ..model import (
    CanceledReport,
    CancelReport,
    CreatedReport,
    CreateReport,
    EiResponse,
    Payload,
    RegisteredReport,
    RegisterReport,
    ReportRequest,
    ServiceName,
    UpdatedReport,
    UpdateReport,
)
from ..reporting import buffer, jobs, sampling, serving
from ..reporting.judging import Fault
from ..reporting.offers import digest, metadata
from ..reporting.readings import Loss, ProvideReport, ReportDelivered
from .desk import VenDesk
from .state import Outgoing, Turn

# --- what this VEN has ----------------------------------------------------------------------------------------------


def offer_reports(turn: Turn, report_request_id: str | None = None) -> None:
    """Send the metadata of all reports, none included (R301, R311); that ends all that were requested (R306)."""
    assert turn.state.registration is not None
    jobs.replaced(_desk(turn))
    payload = RegisterReport(
        request_id=turn.token("reports"),
        oadr_report=metadata(turn.config.reports, turn.now.seconds),
        ven_id=turn.state.registration.ven_id,
        report_request_id=report_request_id,
    )
    turn.set(offered=digest(turn.config.reports))
    turn.remove(*_superseded(turn, report_request_id))
    turn.post(ServiceName.EI_REPORT, payload)


def _superseded(turn: Turn, report_request_id: str | None) -> Iterator[Outgoing]:
    """Metadata that wait for the VTN, in answer to the same request: the new ones replace them (R306)."""
    flight = turn.state.flight
    for entry in turn.state.outbox.values():
        same = isinstance(entry.payload, RegisterReport) and entry.payload.report_request_id == report_request_id
        if same and (flight is None or flight.number != entry.number):
            yield entry


def forget(turn: Turn) -> None:
    """The registration is over (R407)."""
    jobs.forget(_desk(turn))
    turn.set(delivery=None)


def forget_metadata_requests(turn: Turn) -> None:
    """R406: they outlive new metadata, but not a new registration."""
    jobs.forget_metadata(_desk(turn))


def on_requested(turn: Turn, payload: Payload) -> None:
    """CreateReport: take up what can be served, say what cannot, list everything pending (R329)."""
    assert isinstance(payload, CreateReport)
    _take_up(turn, payload.oadr_report_request, payload.request_id)


def on_registered(turn: Turn, entry: Outgoing, reply: Payload | None) -> None:
    """RegisteredReport may bring requests along (R344)."""
    if isinstance(reply, RegisteredReport) and reply.oadr_report_request:
        _take_up(turn, reply.oadr_report_request, reply.ei_response.request_id)


def _take_up(turn: Turn, requests: tuple[ReportRequest, ...], request_id: str) -> None:
    desk = _desk(turn)
    outcome = serving.take_up(desk, requests)
    answer = CreatedReport(
        ei_response=_response(outcome, request_id),
        oadr_pending_reports=jobs.pending(desk),
        ven_id=_ven_id(turn),
    )
    turn.answer(ServiceName.EI_REPORT, answer)
    _take_back(turn)
    serving.offer_metadata(desk, requests)


def on_cancelled(turn: Turn, payload: Payload) -> None:
    """CancelReport: stop, perhaps after one last report (R336, R345)."""
    assert isinstance(payload, CancelReport)
    desk = _desk(turn)
    outcome = serving.stop(desk, payload.report_request_id, follow=payload.report_to_follow)
    _take_back(turn)
    answer = CanceledReport(
        ei_response=_response(outcome, payload.request_id),
        oadr_pending_reports=jobs.pending(desk),
        ven_id=_ven_id(turn),
    )
    turn.answer(ServiceName.EI_REPORT, answer)


# --- values ---------------------------------------------------------------------------------------------------------


def wake(turn: Turn) -> None:
    """Go on after a restart."""
    if turn.state.jobs or turn.state.samples:
        sampling.wake(_desk(turn))


def advance(turn: Turn) -> None:
    """What time alone does to reports."""
    if turn.state.jobs:
        sampling.advance(_desk(turn))


def provide(turn: Turn, command: ProvideReport) -> None:
    """Values from the application."""
    sampling.provide(_desk(turn), command)


def deliver(turn: Turn) -> None:
    """Make a message of the reports that are complete; it is not saved, for it can be made again of its samples."""
    batch = buffer.next_batch(_desk(turn))
    if batch is None:
        return
    number = turn.number()
    payload = UpdateReport(
        request_id=token(turn.key, "update", number, turn.now.wall),  # numbers of reports are not saved either
        oadr_report=batch.reports,
        ven_id=_ven_id(turn),
    )
    entry = Outgoing(number=number, service=ServiceName.EI_REPORT, payload=payload, samples=batch.samples)
    turn.set(delivery=entry)


def _take_back(turn: Turn) -> None:
    """A message that waits to be tried again does not bring what nobody wants any more; the rest is sent anew."""
    delivery, flight = turn.state.delivery, turn.state.flight
    if delivery is None or (flight is not None and flight.number == delivery.number):
        return
    if not all(key in turn.state.samples for key in delivery.samples):
        turn.set(delivery=None)


def on_updated(turn: Turn, entry: Outgoing, reply: Payload | None) -> None:
    """The VTN has taken reports, or refuses them; it may cancel some with that (R328, R335)."""
    assert isinstance(entry.payload, UpdateReport)
    response = getattr(reply, "ei_response", None)
    if isinstance(response, EiResponse) and not response.ok:
        given_up(turn, entry)
    else:
        buffer.settle(_desk(turn), entry.samples)
        for report in entry.payload.oadr_report:
            turn.tell(ReportDelivered(report=report))
    nested = reply.oadr_cancel_report if isinstance(reply, UpdatedReport) else None
    if nested is not None:
        serving.stop(_desk(turn), nested.report_request_id, follow=nested.report_to_follow)


def given_up(turn: Turn, entry: Outgoing) -> None:
    """The VTN does not take a message; if it was one with reports, their values are lost."""
    buffer.settle(_desk(turn), entry.samples, Loss.REFUSED)


# --- parts ----------------------------------------------------------------------------------------------------------


def _desk(turn: Turn) -> VenDesk:
    return VenDesk(turn, offer_reports)


def _response(outcome: Fault, request_id: str) -> EiResponse:
    return EiResponse(response_code=outcome.code, response_description=outcome.text, request_id=request_id)


def _ven_id(turn: Turn) -> str | None:
    registered = turn.state.registration
    return registered.ven_id if registered else None
