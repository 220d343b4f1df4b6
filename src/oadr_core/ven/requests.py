"""The VTN's reports, for a VEN that wants them: what is offered, what was asked for, and the values (section 5.3).

It stands alone as the half of EiReport in which the VTN has the data; the other one is :mod:`.reports`. What may be
asked for, and what of a report can be taken, is decided in :mod:`oadr_core.reporting`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from types import MappingProxyType
from typing import Final

import attrs

from ..engine import Trouble
from ..engine.records import EMPTY
from ..engine.values import ReportReceived
from ..errors import InvalidID, LocalError, RemoteError, shown
from ..model import (
    METADATA,
    CanceledReport,
    CancelReport,
    CreatedReport,
    CreateReport,
    EiResponse,
    Payload,
    RegisteredReport,
    RegisterReport,
    Report,
    ReportName,
    ReportRequest,
    ReportSpecifier,
    ServiceName,
    UpdatedReport,
    UpdateReport,
)
from ..reporting.asking import AskReport, StopReports, asked, is_single, still_offered
from ..reporting.offers import METADATA_PREFIX
from ..reporting.received import Expected, described, take
from ..reporting.requested import ReportRequestConfirmed, ReportRequestMade, ReportRequestStopped, ReportsOffered
from .state import Outgoing, Phase, Requested, Turn

MOST_REPORTS: Final = 64
MOST_POINTS: Final = 2_000
"""Reports and data points of a VTN that are remembered: it has a few."""
MOST_REQUESTS: Final = 200
"""Report requests of a VEN at a time."""
MOST_VALUES: Final = 1_000_000
"""Values in one message."""
SERVED_KEPT: Final = 16
"""Requests for a single report that is there: more parts of it may come, or copies."""
OLDEST: Final = timedelta(days=3_653)
NEWEST: Final = timedelta(days=1)
"""Values from then to then, seen from now, are believed."""
COMPLIANCE: Final = "459"


# --- what the VTN offers --------------------------------------------------------------------------------------------


def on_offered(turn: Turn, payload: Payload) -> None:
    """RegisterReport from the VTN: it replaces what was offered, and ends what was asked for (R301, R306)."""
    assert isinstance(payload, RegisterReport)
    reports = payload.oadr_report
    points = sum(len(report.oadr_report_description) for report in reports)
    if len(reports) > MOST_REPORTS or points > MOST_POINTS:
        text = f"{len(reports)} reports with {points} data points; at most {MOST_REPORTS} with {MOST_POINTS}"
        _answer_offer(turn, payload, COMPLIANCE, text)
        return
    before, known = turn.state.requests, turn.state.vtn_reports
    lasting = {key: one for key, one in before.items() if _is_lasting(one.request.report_specifier)}
    offered = MappingProxyType({one.report_specifier_id: one for one in reports})
    turn.set(vtn_reports=offered, requests=MappingProxyType(lasting))
    if reports or known or before:
        turn.tell(ReportsOffered(ven_id=_ven_id(turn), reports=reports))
    _answer_offer(turn, payload, "200", "OK")
    wanted = [one.request.report_specifier for one in before.values() if not one.served]
    _request(turn, tuple(_again(turn, reports, wanted)))


def _again(turn: Turn, reports: tuple[Report, ...], wanted: Iterable[ReportSpecifier]) -> Iterator[ReportSpecifier]:
    for wish in wanted:
        if wish.report_specifier_id == METADATA:
            continue
        found = still_offered(turn.now, reports, wish)
        if found is None:
            name = shown(wish.report_specifier_id)
            turn.tell(Trouble(text=f"the VTN was asked for {name}, which it does not offer any more, or is over"))
        else:
            yield found


def _answer_offer(turn: Turn, payload: RegisterReport, code: str, text: str) -> None:
    response = EiResponse(response_code=code, response_description=text, request_id=payload.request_id)
    turn.answer(ServiceName.EI_REPORT, RegisteredReport(ei_response=response, ven_id=_ven_id(turn)))


# --- what is asked for ----------------------------------------------------------------------------------------------


def ask(turn: Turn, command: AskReport) -> None:
    """Ask the VTN for a report.

    Raises :class:`~oadr_core.errors.LocalError` when there is no registration, or the VTN has not offered that (R300).
    """
    if turn.state.phase is not Phase.REGISTERED:
        raise LocalError("there is no registration, so nobody can be asked for reports", path="AskReport")
    specifier = asked(turn.now, turn.state.vtn_reports.values(), command)
    if sum(not one.served for one in turn.state.requests.values()) >= MOST_REQUESTS:
        raise LocalError(f"the VTN is asked for {MOST_REQUESTS} reports, which is the limit", path="AskReport")
    [request] = _request(turn, [specifier])
    turn.tell(ReportRequestMade(ven_id=_ven_id(turn), report_request_id=request.report_request_id))


def _request(turn: Turn, specifiers: Iterable[ReportSpecifier]) -> tuple[ReportRequest, ...]:
    """R322: each under an identifier that no other request has."""
    requests = tuple(ReportRequest(report_request_id=turn.token("ask"), report_specifier=one) for one in specifiers)
    if requests:
        fresh = {one.report_request_id: Requested(request=one) for one in requests}
        turn.set(requests=MappingProxyType({**turn.state.requests, **fresh}))
        message = CreateReport(request_id=turn.token("create"), oadr_report_request=requests, ven_id=_ven_id(turn))
        turn.post(ServiceName.EI_REPORT, message)
    return requests


def on_created(turn: Turn, entry: Outgoing, reply: Payload | None) -> None:
    """The VTN has taken requests up, or not; which ones, it says (R329)."""
    assert isinstance(entry.payload, CreateReport)
    ids = [
        one.report_request_id
        for one in entry.payload.oadr_report_request
        if one.report_request_id in turn.state.requests
    ]
    pending = reply.oadr_pending_reports if isinstance(reply, CreatedReport) else ()
    response = getattr(reply, "ei_response", None)
    refused = isinstance(response, EiResponse) and not response.ok
    confirmed = tuple(one for one in ids if not refused or one in pending)
    if confirmed:
        known = turn.state.requests
        changed = {one: attrs.evolve(known[one], confirmed=True) for one in confirmed}
        turn.set(requests=MappingProxyType({**known, **changed}))
        turn.tell(ReportRequestConfirmed(ven_id=_ven_id(turn), report_request_ids=confirmed, pending=pending))
    _stopped(turn, [one for one in ids if one not in confirmed])


def stop(turn: Turn, command: StopReports) -> None:
    """Take requests back; they are forgotten when the VTN has answered.

    Raises :class:`~oadr_core.errors.LocalError` for a request that was never made, or is over.
    """
    if not command.report_request_ids:
        raise LocalError("at least one reportRequestID is expected", path="report_request_ids")
    for report_request_id in command.report_request_ids:
        if report_request_id not in turn.state.requests:
            raise LocalError(f"{shown(report_request_id)} was not requested", path="report_request_ids", rule="R304")
    message = CancelReport(
        request_id=turn.token("stop"),
        report_request_id=tuple(dict.fromkeys(command.report_request_ids)),
        report_to_follow=command.report_to_follow,
        ven_id=_ven_id(turn),
    )
    turn.post(ServiceName.EI_REPORT, message)


def on_canceled(turn: Turn, entry: Outgoing, reply: Payload | None) -> None:
    """The VTN has stopped, or does not know the requests (R336): they are over in either case.

    One that a last report is still to come of is kept for it (R345).
    """
    assert isinstance(entry.payload, CancelReport)
    ids = entry.payload.report_request_id
    if isinstance(reply, CanceledReport) and reply.ei_response.ok and entry.payload.report_to_follow:
        for made in [turn.state.requests[one] for one in ids if one in turn.state.requests]:
            _put(turn, attrs.evolve(made, served=True))
        turn.tell(ReportRequestStopped(ven_id=_ven_id(turn), report_request_ids=ids))
    else:
        _stopped(turn, ids)


def given_up(turn: Turn, payload: Payload) -> None:
    """The VTN does not read what was asked of it."""
    if isinstance(payload, CreateReport):
        _stopped(turn, [one.report_request_id for one in payload.oadr_report_request])


def forget(turn: Turn) -> None:
    """The registration is over (R407)."""
    if turn.state.requests or turn.state.vtn_reports:
        turn.set(requests=EMPTY, vtn_reports=EMPTY)


def _stopped(turn: Turn, ids: Iterable[str]) -> None:
    gone = tuple(one for one in ids if one in turn.state.requests)
    if gone:
        left = {key: one for key, one in turn.state.requests.items() if key not in gone}
        turn.set(requests=MappingProxyType(left))
        turn.tell(ReportRequestStopped(ven_id=_ven_id(turn), report_request_ids=gone))


# --- values ---------------------------------------------------------------------------------------------------------


def on_values(turn: Turn, payload: Payload) -> None:
    """UpdateReport from the VTN: what is good of it is told, and the code is that of the first fault (R304)."""
    assert isinstance(payload, UpdateReport)
    count = sum(len(interval.stream_payload_base) for report in payload.oadr_report for interval in report.intervals)
    faults: list[RemoteError] = []
    code, texts = "200", ["OK"]
    if count > MOST_VALUES:
        code, texts = COMPLIANCE, [f"{count} values in one message; at most {MOST_VALUES} are taken"]
    else:
        for report in payload.oadr_report:
            faults.extend(_receive(turn, report))
    if faults:
        code, texts = faults[0].code, [fault.text for fault in faults]
        turn.tell(Trouble(text=f"the VTN reports what cannot be taken: {code} {'; '.join(texts)}", code=code))
    response = EiResponse(response_code=code, response_description="; ".join(texts), request_id=payload.request_id)
    turn.answer(ServiceName.EI_REPORT, UpdatedReport(ei_response=response, ven_id=_ven_id(turn)))


def _receive(turn: Turn, report: Report) -> tuple[RemoteError, ...]:
    """Tell the values of one report; what of it cannot be taken comes back."""
    made = turn.state.requests.get(report.report_request_id)
    specifier = None if made is None else made.request.report_specifier
    if made is None or specifier is None or specifier.report_specifier_id != report.report_specifier_id:
        text = f"the report request {shown(report.report_request_id)} is unknown"
        return (InvalidID(text, rule="R304"),)
    offered = turn.state.vtn_reports.get(specifier.report_specifier_id)
    points, kinds = described(offered) if offered is not None else (None, {})
    wall = turn.now.wall
    expected = Expected(
        points=points,
        kinds=kinds,
        r_ids=tuple(one.r_id for one in specifier.specifier_payload),
        granularity=specifier.granularity,
        earliest=wall - OLDEST,
        latest=wall + NEWEST,
    )
    taken = take(report, expected)
    if taken.values or not taken.faults:
        turn.tell(
            ReportReceived(
                ven_id=_ven_id(turn),
                report_request_id=report.report_request_id,
                report_specifier_id=report.report_specifier_id,
                report_name=_name(report),
                values=taken.values,
                created_date_time=report.created_date_time,
                repeated=report == made.latest,
            )
        )
        _put(turn, attrs.evolve(made, latest=report, served=made.served or is_single(specifier)))
    return taken.faults


def _name(report: Report) -> ReportName | str | None:
    """Without METADATA_, which some peers leave there."""
    name = report.report_name
    if name is None or not name.startswith(METADATA_PREFIX):
        return name
    return ReportName(name.removeprefix(METADATA_PREFIX))


# --- parts ----------------------------------------------------------------------------------------------------------


def _put(turn: Turn, made: Requested) -> None:
    """Remember a request; of those that are served, the latest will do."""
    known = {**turn.state.requests, made.request.report_request_id: made}
    served = [key for key, one in known.items() if one.served]
    for key in served[:-SERVED_KEPT]:
        del known[key]
    turn.set(requests=MappingProxyType(known))


def _is_lasting(specifier: ReportSpecifier) -> bool:
    """R306: periodic requests for metadata outlive new metadata."""
    return specifier.report_specifier_id == METADATA and not is_single(specifier)


def _ven_id(turn: Turn) -> str:
    registered = turn.state.registration
    return registered.ven_id if registered else ""
