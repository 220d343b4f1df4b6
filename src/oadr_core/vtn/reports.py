"""Reports from one VEN: what it offers, what it confirms, and the values (section 5.3).

It stands alone as the service EiReport, in both directions: this VTN has no reports of its own and says so
(R301, R510).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType

import attrs

from ..engine import Trouble
from ..engine.schedule import later
from ..errors import InvalidID, RemoteError, shown
from ..model import (
    METADATA,
    ZERO,
    CanceledReport,
    CancelReport,
    CreatedReport,
    CreateReport,
    Interval,
    Payload,
    RegisteredReport,
    RegisterReport,
    Report,
    ReportDescription,
    ReportPayload,
    ReportRequest,
    Response,
    UpdatedReport,
    UpdateReport,
)
from . import replies
from .mailbox import discard, has_room, post, settle
from .messages import (
    ReportReceived,
    ReportRequestConfirmed,
    ReportRequestStopped,
    ReportsOffered,
    ReportValue,
)
from .replies import NotServed
from .requests import request, stop_at_once, wanted
from .state import RequestedReport, Turn, VenState


class NoSuchReport(RemoteError):
    """A report that this VTN does not have."""

    code = "461"
    status = 200


# --- the VEN's reports ----------------------------------------------------------------------------------------------


def register_report(turn: Turn, ven: VenState, payload: RegisterReport) -> tuple[VenState, Payload]:
    """Everything that the VEN can report: it replaces all that was offered and requested before (R306)."""
    limits, reports = turn.config.limits, payload.oadr_report
    points = sum(len(report.oadr_report_description) for report in reports)
    if len(reports) > limits.reports or points > limits.data_points:
        text = f"{len(reports)} reports with {points} data points; at most {limits.reports} with {limits.data_points}"
        raise NotServed(text)
    ven = discard(ven, CreateReport, CancelReport)
    ven = attrs.evolve(ven, reports=reports, requests=MappingProxyType({}))
    turn.tell(ReportsOffered(ven_id=ven.ven_id, reports=reports))
    requests = wanted(turn, turn.config.reports, reports)
    piggy_back = turn.config.reports.piggy_back
    if requests and has_room(ven, turn.config):
        ven = request(turn, ven, requests, sent=piggy_back)
    elif requests:
        turn.tell(Trouble(text=f"too many messages wait for {ven.ven_id}; its reports are not requested"))
    reply = RegisteredReport(
        ei_response=replies.answer(payload),
        oadr_report_request=requests if piggy_back else (),
        ven_id=ven.ven_id,
    )
    return ven, reply


def created_report(turn: Turn, ven: VenState, payload: CreatedReport) -> tuple[VenState, Payload]:
    """The VEN's answer to a request for reports; which one, the pending identifiers tell (R329)."""
    pending = set(payload.oadr_pending_reports)
    reply = Response(ei_response=replies.answer(payload), ven_id=ven.ven_id)
    ven, settled = settle(ven, lambda mail: isinstance(mail, CreateReport) and not _ids(mail).isdisjoint(pending))
    if settled is None:  # done already, or refused: then it is not pending
        ven, settled = settle(ven, lambda mail: isinstance(mail, CreateReport))
    asked = _ids(settled)
    code = payload.ei_response.response_code
    if not payload.ei_response.ok:
        text = payload.ei_response.response_description or ""
        turn.tell(Trouble(text=f"{ven.ven_id} refuses reports: {code} {shown(text)}", code=code, lost=settled))
        return _without(ven, asked - pending), reply
    confirmed = tuple(
        one for one in ven.requests if one in asked or (one in pending and not ven.requests[one].confirmed)
    )
    if confirmed:
        changed = {one: attrs.evolve(ven.requests[one], confirmed=True) for one in confirmed}
        ven = attrs.evolve(ven, requests=MappingProxyType({**ven.requests, **changed}))
        turn.tell(
            ReportRequestConfirmed(
                ven_id=ven.ven_id, report_request_ids=confirmed, pending=payload.oadr_pending_reports
            )
        )
    return ven, reply


def canceled_report(turn: Turn, ven: VenState, payload: CanceledReport) -> tuple[VenState, Payload]:
    """The VEN's answer to a cancellation: the oldest one that it has, for its pending list may still name
    it (EPRI C++ VEN).
    """
    ven, settled = settle(ven, lambda mail: isinstance(mail, CancelReport))
    reply = Response(ei_response=replies.answer(payload), ven_id=ven.ven_id)
    code = payload.ei_response.response_code
    if not payload.ei_response.ok:
        turn.tell(Trouble(text=f"{ven.ven_id} refuses to stop reports: {code}", code=code, lost=settled))
    elif settled is not None:
        stopped = tuple(one for one in ven.requests if one in _ids(settled))
        ven = _without(ven, set(stopped))
        turn.tell(ReportRequestStopped(ven_id=ven.ven_id, report_request_ids=stopped))
    return ven, reply


def update_report(turn: Turn, ven: VenState, payload: UpdateReport) -> tuple[VenState, Payload]:
    """Values. Neither request nor specifier known: 452, and nothing of the message is taken (R304)."""
    known = {report.report_specifier_id: report for report in ven.reports}
    for report in payload.oadr_report:
        if report.report_request_id not in ven.requests and report.report_specifier_id not in known:
            text = f"the report request {shown(report.report_request_id)} is unknown, and so is its specifier"
            raise InvalidID(text, rule="R304")
    for report in payload.oadr_report:
        offered = known.get(report.report_specifier_id)
        turn.tell(
            ReportReceived(
                ven_id=ven.ven_id,
                report_request_id=report.report_request_id,
                report_specifier_id=report.report_specifier_id,
                report_name=report.report_name,
                values=tuple(values(report, offered)),
            )
        )
    ven, nested = stop_at_once(turn, ven, {report.report_request_id for report in payload.oadr_report})
    reply = UpdatedReport(ei_response=replies.answer(payload), oadr_cancel_report=nested, ven_id=ven.ven_id)
    return ven, reply


def values(report: Report, offered: Report | None) -> Iterator[ReportValue]:
    """The values of a report with their times; units and resources from the metadata, where there are any.

    R314: an interval begins at its own dtstart, or where the one before it ends, the first at the report's.
    R315: without duration it is a point in time.
    """
    descriptions = {one.r_id: one for one in offered.oadr_report_description} if offered else {}
    begin = report.dtstart or report.created_date_time
    for interval in report.intervals:
        begin = interval.dtstart or begin
        end = later(begin, interval.duration or ZERO)
        for payload in interval.stream_payload_base:
            if isinstance(payload, ReportPayload):
                yield _value(payload, interval, begin, end, descriptions.get(payload.r_id))
        begin = end


def _value(
    payload: ReportPayload, interval: Interval, begin: datetime, end: datetime, described: ReportDescription | None
) -> ReportValue:
    return ReportValue(
        r_id=payload.r_id,
        dtstart=begin,
        duration=None if interval.duration is None else end - begin,
        value=payload.payload_base,
        data_quality=payload.oadr_data_quality,
        item_base=described.item_base if described else None,
        resource_id=_resource(described) if described else None,
    )


def _resource(described: ReportDescription) -> str | None:
    for target in (described.report_data_source, described.report_subject):
        if target is not None and target.resource_id:
            return target.resource_id[0]
    return None


def _ids(mail: Payload | None) -> set[str]:
    if isinstance(mail, CreateReport):
        return {one.report_request_id for one in mail.oadr_report_request}
    return set(mail.report_request_id) if isinstance(mail, CancelReport) else set()


def _without(ven: VenState, report_request_ids: set[str]) -> VenState:
    kept: Mapping[str, RequestedReport] = {
        one: requested for one, requested in ven.requests.items() if one not in report_request_ids
    }
    return attrs.evolve(ven, requests=MappingProxyType(kept))


# --- the VTN's own side: nothing to report --------------------------------------------------------------------------


def registered_report(turn: Turn, ven: VenState, payload: RegisteredReport) -> tuple[VenState, Payload]:
    """The VEN has taken our (empty) offer. A request that it adds is answered like any other (R344)."""
    ven, settled = settle(ven, lambda mail: isinstance(mail, RegisterReport))
    if not payload.ei_response.ok:
        code = payload.ei_response.response_code
        turn.tell(Trouble(text=f"{ven.ven_id} refuses our offer of reports: {code}", code=code, lost=settled))
    if payload.oadr_report_request:
        return _requested(turn, ven, payload.oadr_report_request, payload)
    return ven, Response(ei_response=replies.answer(payload), ven_id=ven.ven_id)


def create_report(turn: Turn, ven: VenState, payload: CreateReport) -> tuple[VenState, Payload]:
    """The VEN wants reports. There is only the list of them, which is empty (R301, R308, R311); once, even
    if asked for periodically (R510).
    """
    return _requested(turn, ven, payload.oadr_report_request, payload)


def cancel_report(turn: Turn, ven: VenState, payload: CancelReport) -> tuple[VenState, Payload]:
    """Nothing is ever pending here, so that every identifier is unknown (R336)."""
    raise InvalidID(f"the report request {shown(payload.report_request_id[0])} is unknown", rule="R336")


def updated_report(turn: Turn, ven: VenState, payload: UpdatedReport) -> tuple[VenState, Payload]:
    """The VEN confirms a report of ours; this VTN sends none, and a confirmation harms nobody."""
    return ven, Response(ei_response=replies.answer(payload), ven_id=ven.ven_id)


def _requested(
    turn: Turn, ven: VenState, requests: tuple[ReportRequest, ...], payload: Payload
) -> tuple[VenState, Payload]:
    for one in requests:
        if one.report_specifier.report_specifier_id != METADATA:
            raise NoSuchReport(f"this VTN has no report {shown(one.report_specifier.report_specifier_id)}", rule="R300")
    for one in requests:
        ven = discard(ven, RegisterReport)
        offer = RegisterReport(
            request_id=turn.token("register", one.report_request_id),
            ven_id=ven.ven_id,
            report_request_id=one.report_request_id,  # R311
        )
        if not has_room(ven, turn.config):
            raise NotServed("too many messages wait for this VEN")
        ven = post(ven, turn.config, offer)
    return ven, CreatedReport(ei_response=replies.answer(payload), ven_id=ven.ven_id)
