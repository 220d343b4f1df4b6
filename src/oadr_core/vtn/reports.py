"""Reports from one VEN: what it offers, what it confirms, and the values (section 5.3).

It stands alone as the half of the service EiReport in which the VEN has the data; the other one is :mod:`.offering`.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

import attrs

from ..engine import Trouble
from ..engine.copying import evolve
from ..engine.values import Columns, ReportReceived, ReportValues, Value
from ..errors import InvalidID, RemoteError, shown
from ..model import (
    CanceledReport,
    CancelReport,
    CreatedReport,
    CreateReport,
    Payload,
    RegisteredReport,
    RegisterReport,
    Report,
    ReportName,
    Response,
    UpdatedReport,
    UpdateReport,
)
from ..reporting.asking import is_single
from ..reporting.offers import METADATA_PREFIX
from ..reporting.received import Expected, Taken, described, few, missing, take
from ..reporting.requested import ReportRequestConfirmed, ReportRequestStopped, ReportsOffered
from . import replies
from .config import LONGEST_ID
from .mailbox import settle
from .replies import NotServed
from .requests import offered_anew, over, stop_at_once
from .state import RequestedReport, Turn, VenState

MOST_TEXT: Final = 4 * 1024 * 1024
"""Characters of the metadata of one VEN, as Python shows them: four times what the allowed data points need."""
_NO_REQUEST: Final = ("0", "")
"""What some VENs say instead of the reportRequestID (EPRI C# VEN)."""


# --- the VEN's reports ----------------------------------------------------------------------------------------------


def register_report(turn: Turn, ven: VenState, payload: RegisterReport) -> tuple[VenState, Payload]:
    """Everything that the VEN can report: it replaces all that was offered and requested before (R306)."""
    # R305: metadata have no intervals; whoever sends some is not asked to leave them out, but nobody keeps them
    limits, reports = turn.config.limits, tuple(evolve(report, intervals=()) for report in payload.oadr_report)
    points = sum(len(report.oadr_report_description) for report in reports)
    if len(reports) > limits.reports or points > limits.data_points:
        text = f"{len(reports)} reports with {points} data points; at most {limits.reports} with {limits.data_points}"
        raise NotServed(text)
    ids = (text for report in reports for text in (report.report_specifier_id, *_r_ids(report)))
    if any(len(text) > LONGEST_ID for text in ids):
        raise NotServed(f"a reportSpecifierID and an rID have at most {LONGEST_ID} characters")
    if len(repr(reports)) > MOST_TEXT:
        raise NotServed(f"the reports are described in more than {MOST_TEXT} characters")
    ven = attrs.evolve(ven, reports=tuple(map(turn.shared.parts, reports)))
    turn.tell(ReportsOffered(ven_id=ven.ven_id, reports=ven.reports))
    ven, riding = offered_anew(turn, ven)
    return ven, RegisteredReport(ei_response=replies.answer(payload), oadr_report_request=riding, ven_id=ven.ven_id)


def _r_ids(report: Report) -> tuple[str, ...]:
    return tuple(described.r_id for described in report.oadr_report_description)


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
        return over(ven, asked - pending), reply
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
        ven = over(ven, stopped)
        turn.tell(ReportRequestStopped(ven_id=ven.ven_id, report_request_ids=stopped))
    return ven, reply


def update_report(turn: Turn, ven: VenState, payload: UpdateReport) -> tuple[VenState, Payload]:
    """Values. What is good of them is taken, and the code is that of the first fault (R304, R340); if nothing is, then
    nothing at all happens.
    """
    count = sum(len(interval.stream_payload_base) for report in payload.oadr_report for interval in report.intervals)
    if count > (limit := turn.config.limits.report_values):
        raise NotServed(f"{count} values in one message; at most {limit} are taken")
    faults: list[RemoteError] = []
    accepted: list[tuple[Report, str, Expected, Taken]] = []
    for report in payload.oadr_report:
        try:
            report_request_id, expected = _expected(turn, ven, report)
        except InvalidID as error:
            faults.append(error)
            continue
        taken = take(report, expected)
        faults.extend(taken.faults)
        if taken.values or not taken.faults:
            accepted.append((report, report_request_id, expected, taken))
    updated: dict[str, list[ReportValues]] = {}
    wanted: dict[str, Expected] = {}
    marks: dict[str, int] = {}
    for report, report_request_id, expected, taken in accepted:
        wanted.setdefault(report_request_id, expected)
        updated.setdefault(report_request_id, []).append(taken.values)
        marks[report_request_id] = _mark(report, taken.values, marks.get(report_request_id, 0))
    copies = {one for one, mark in marks.items() if mark in _latest(ven, one)}
    for report, report_request_id, _, taken in accepted:
        mark = None if report_request_id in copies else marks[report_request_id]
        ven = _receive(turn, ven, report, report_request_id, taken.values, mark)
        for doubt in taken.doubts:
            turn.tell(Trouble(text=f"{ven.ven_id} reports {shown(report.report_specifier_id)}: {doubt}"))
    if faults and not updated:
        raise faults[0]
    for report_request_id, expected in wanted.items():
        if lacking := missing(expected, updated[report_request_id]):
            turn.tell(Trouble(text=f"{ven.ven_id} says nothing of {few(lacking)}, which was asked for (R300)"))
    ven, nested = stop_at_once(turn, ven, set(updated))
    code, text = "200", None
    if faults:
        code, text = faults[0].code, "; ".join(fault.text for fault in faults) + "; the rest is taken"
        turn.tell(Trouble(text=f"{ven.ven_id} reports what cannot be taken: {code} {text}", code=code))
    return ven, UpdatedReport(
        ei_response=replies.answer(payload, code, text), oadr_cancel_report=nested, ven_id=ven.ven_id
    )


def _expected(turn: Turn, ven: VenState, report: Report) -> tuple[str, Expected]:
    """For which request of ours a report is, and what it may bring.

    Raises ``InvalidID`` (452) for one that was never requested of this VEN (R304).
    """
    report_request_id, specifier_id = report.report_request_id, report.report_specifier_id
    if report_request_id in _NO_REQUEST:
        same = [one for one, made in ven.requests.items() if _specifier_id(made) == specifier_id]
        report_request_id = same[0] if len(same) == 1 else report_request_id
    offered = next((one for one in ven.reports if one.report_specifier_id == specifier_id), None)
    made, former = ven.requests.get(report_request_id), ven.former.get(report_request_id)
    wanted = _specifier_id(made) if made else former.report_specifier_id if former else None
    if wanted is None and (offered is None or report_request_id not in _NO_REQUEST):
        raise InvalidID(f"the report request {shown(report_request_id)} is unknown", rule="R304")
    if (wanted is not None and wanted != specifier_id) or (offered is None and former is None):
        text = f"the report request {shown(report_request_id)} is not for the report {shown(specifier_id)}"
        raise InvalidID(text, rule="R304")
    points, kinds = described(offered) if offered is not None else (None, {})
    limits, now = turn.config.limits, turn.now.wall
    expected = Expected(points=points, kinds=kinds, earliest=now - limits.report_age, latest=now + limits.report_ahead)
    if made is not None and not made.stopped:
        specifier = made.request.report_specifier
        everything = specifier.granularity or is_single(specifier)  # else only what has changed (R317)
        r_ids = tuple(one.r_id for one in specifier.specifier_payload) if everything else ()
        expected = attrs.evolve(expected, granularity=specifier.granularity, r_ids=r_ids)
    return report_request_id, expected


def _specifier_id(made: RequestedReport) -> str:
    return made.request.report_specifier.report_specifier_id


def _receive(
    turn: Turn, ven: VenState, report: Report, report_request_id: str, values: ReportValues, mark: int | None
) -> VenState:
    """Tell the values, and save them; without ``mark`` they are copies of what came last, and are not saved again."""
    received = ReportReceived(
        ven_id=ven.ven_id,
        report_request_id=report_request_id,
        report_specifier_id=report.report_specifier_id,
        report_name=_name(report),
        values=values,
        created_date_time=report.created_date_time,
        repeated=mark is None,
    )
    if mark is None:
        turn.tell(received)
        return ven
    turn.receive(received)
    made, former = ven.requests.get(report_request_id), ven.former.get(report_request_id)
    if made is not None:
        made = attrs.evolve(made, latest=mark)
        ven = attrs.evolve(ven, requests=MappingProxyType({**ven.requests, report_request_id: made}))
        return over(ven, (report_request_id,)) if is_single(made.request.report_specifier) else ven
    if former is not None:
        former = attrs.evolve(former, latest=mark)
        ven = attrs.evolve(ven, former=MappingProxyType({**ven.former, report_request_id: former}))
    return ven


def _latest(ven: VenState, report_request_id: str) -> tuple[int, ...]:
    """What tells the reports of a request that came last from others."""
    found = ven.requests.get(report_request_id), ven.former.get(report_request_id)
    return tuple(one.latest for one in found if one is not None and one.latest)


def _mark(report: Report, values: ReportValues, before: int) -> int:
    """A number that tells this report, and what was said of those of the same request ``before`` it in a message, from
    others: an exact copy has the same.
    """
    content = [
        (r_id, _exact(one.values), *(part and tuple(part) for part in _details(one)))
        for r_id, one in values.columns.items()
    ]
    return hash((before, report.created_date_time, *content)) or 1


def _details(columns: Columns) -> tuple[Sequence[object] | None, ...]:
    return columns.times, columns.durations, columns.qualities, columns.accuracies, columns.confidences


def _exact(values: Sequence[Value]) -> tuple[object, ...] | str:
    """Something with another hash for other values, which numbers are not: that of -1 is that of -2."""
    if set(map(type, values)) == {float}:
        return tuple([None if value == -1.0 else value for value in values])
    return repr(values)


def _name(report: Report) -> ReportName | str | None:
    """Without METADATA_, which some VENs leave there."""
    name = report.report_name
    if name is None or not name.startswith(METADATA_PREFIX):
        return name
    return ReportName(name.removeprefix(METADATA_PREFIX))


def _ids(mail: Payload | None) -> set[str]:
    if isinstance(mail, CreateReport):
        return {one.report_request_id for one in mail.oadr_report_request}
    return set(mail.report_request_id) if isinstance(mail, CancelReport) else set()
