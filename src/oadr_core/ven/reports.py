"""Report requests of a VEN: what is taken up, refused and cancelled (section 5.3).

It stands alone because it answers the VTN; what time does to the jobs that it makes is in :mod:`.sampling`. A job asks
the application for readings at round times in UTC, gathers them, and posts an UpdateReport when a report is complete.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from ..engine.copying import evolve
from ..errors import shown
from ..model import (
    METADATA,
    CanceledReport,
    CancelReport,
    CreatedReport,
    CreateReport,
    EiResponse,
    Payload,
    Properties,
    RegisteredReport,
    RegisterReport,
    ReportRequest,
    ServiceName,
    UpdatedReport,
    UpdateReport,
)
from . import registration
from .config import ReportOffer
from .messages import (
    Collection,
    ReportCancelled,
    ReportDelivered,
    ReportRequested,
)
from .state import Job, Outgoing, Turn

OK: Final = "200"
INVALID_ID: Final = "452"
INVALID_DATA: Final = "454"
COMPLIANCE: Final = "459"
UNSUPPORTED: Final = "461"
LONGEST_S: Final = 3_000_000_000
"""Some 95 years: longer periods are not asked for in earnest, and would leave the calendar."""
LONGEST_MONTHS: Final = 1_200
LAST_YEAR: Final = 9_000
MOST_JOBS: Final = 200
"""Report requests served at once: a VTN has a few per offered report."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def on_requested(turn: Turn, payload: Payload) -> None:
    """CreateReport: take up what can be served, say what cannot, list everything pending (R329)."""
    assert isinstance(payload, CreateReport)
    _take_up(turn, payload.oadr_report_request, payload.request_id)


def on_registered(turn: Turn, entry: Outgoing, reply: Payload | None) -> None:
    """RegisteredReport may bring requests along (R344)."""
    if isinstance(reply, RegisteredReport) and reply.oadr_report_request:
        _take_up(turn, reply.oadr_report_request, reply.ei_response.request_id)


def _take_up(turn: Turn, requests: tuple[ReportRequest, ...], request_id: str) -> None:
    code, text, metadata = OK, "OK", []
    for request in requests:
        if request.report_specifier.report_specifier_id == METADATA:
            metadata.append(request.report_request_id)
            continue
        fault = _fault(turn, request)
        if fault is None:
            _start(turn, request)
        elif code == OK:
            code, text = fault
    registered = turn.state.registration
    response = EiResponse(response_code=code, response_description=text, request_id=request_id)
    answer = CreatedReport(
        ei_response=response,
        oadr_pending_reports=tuple(turn.state.jobs),
        ven_id=registered.ven_id if registered else None,
    )
    turn.answer(ServiceName.EI_REPORT, answer)
    for report_request_id in metadata[:MOST_JOBS]:
        registration.offer_reports(turn, report_request_id)


def _fault(turn: Turn, request: ReportRequest) -> tuple[str, str] | None:
    """Code and text of what makes a request impossible (R300, R304, R317, R340)."""
    specifier = request.report_specifier
    offer = turn.config.offer(specifier.report_specifier_id)
    if offer is None:
        return INVALID_ID, f"no report {specifier.report_specifier_id!r} is offered"
    descriptions = {item.r_id: item for item in offer.report.oadr_report_description}
    for payload in specifier.specifier_payload:
        if payload.r_id not in descriptions:
            return INVALID_ID, f"report {specifier.report_specifier_id!r} has no data point {payload.r_id!r}"
    durations = (specifier.granularity, specifier.report_back_duration)
    if any(duration.months or duration.seconds < 0 for duration in durations):
        return INVALID_DATA, "granularity and reportBackDuration are positive, without months"
    period = specifier.report_interval
    if max(durations[0].seconds, durations[1].seconds) > LONGEST_S or (period and not _sane(period)):
        return INVALID_DATA, "beyond the calendar"
    step, back = specifier.granularity.seconds, specifier.report_back_duration.seconds
    if step and back and step > back:
        return INVALID_DATA, "granularity is longer than reportBackDuration"
    for payload in specifier.specifier_payload:
        rate = descriptions[payload.r_id].oadr_sampling_rate
        if (
            step
            and back
            and rate
            and not rate.oadr_min_period.seconds
            <= step
            <= max(rate.oadr_max_period.seconds, rate.oadr_min_period.seconds)
        ):
            return INVALID_DATA, (
                f"{payload.r_id!r} is sampled every {rate.oadr_min_period} to {rate.oadr_max_period}, "
                f"not every {specifier.granularity}"
            )
    if len(turn.state.jobs) >= MOST_JOBS and request.report_request_id not in turn.state.jobs:
        return COMPLIANCE, f"more than {MOST_JOBS} reports at once are not served"
    return None


def _sane(period: Properties) -> bool:
    """True for a period that calendars can reckon with; a peer may write any number (XCAL:29)."""
    length = period.duration
    return period.dtstart.year < LAST_YEAR and abs(length.seconds) <= LONGEST_S and abs(length.months) <= LONGEST_MONTHS


def _start(turn: Turn, request: ReportRequest) -> None:
    running = turn.state.jobs.get(request.report_request_id)
    if running is not None and running.request == request:
        return  # sent again because our answer was lost; what is collected stays
    specifier, wall = request.report_specifier, turn.now.wall
    offer = turn.config.offer(specifier.report_specifier_id)
    assert offer is not None
    back_s = float(specifier.report_back_duration.seconds)
    step_s = float(specifier.granularity.seconds) or _fastest(offer) or back_s
    period = specifier.report_interval
    start = max(period.dtstart, wall) if period else wall
    end = period.duration.after(period.dtstart) if period and period.duration and back_s else None
    since = period.dtstart if period and not back_s else wall
    first = _aligned(start, step_s) if back_s else start
    step_s = min(step_s, back_s) if back_s else step_s
    job = Job(
        request=request,
        r_ids=tuple(payload.r_id for payload in specifier.specifier_payload),
        step_s=step_s,
        back_s=back_s,
        start=start,
        end=end,
        next_sample=first,
        boundary=first + timedelta(seconds=max(back_s - step_s, 0.0)),
        since=since,
        last=not back_s,
    )
    if offer.collection is Collection.FULL and back_s:
        job = evolve(job, boundary=_aligned(start + timedelta(seconds=back_s), step_s))
        job = evolve(job, next_sample=job.boundary)
    turn.put_job(job)
    turn.tell(ReportRequested(request=request))


def _fastest(offer: ReportOffer) -> float:
    rates = (item.oadr_sampling_rate for item in offer.report.oadr_report_description)
    return max((float(rate.oadr_min_period.seconds) for rate in rates if rate), default=0.0)


def _aligned(at: datetime, step_s: float) -> datetime:
    """The first round multiple of the step, counted from 1970 in UTC, that is not before ``at``."""
    step = timedelta(seconds=step_s)
    return at if not step else _EPOCH + -((_EPOCH - at) // step) * step


def on_cancelled(turn: Turn, payload: Payload) -> None:
    """CancelReport: stop, perhaps after one last report (R336, R345)."""
    assert isinstance(payload, CancelReport)
    unknown = [id_ for id_ in payload.report_request_id if id_ not in turn.state.jobs]
    _stop(turn, payload)
    registered = turn.state.registration
    response = EiResponse(
        response_code=INVALID_ID if unknown else OK,
        response_description=f"unknown: {shown(', '.join(unknown))}" if unknown else "OK",
        request_id=payload.request_id,
    )
    answer = CanceledReport(
        ei_response=response,
        oadr_pending_reports=tuple(turn.state.jobs),
        ven_id=registered.ven_id if registered else None,
    )
    turn.answer(ServiceName.EI_REPORT, answer)


def _stop(turn: Turn, payload: CancelReport) -> None:
    for report_request_id in payload.report_request_id:
        job = turn.state.jobs.get(report_request_id)
        if job is None:
            continue
        if payload.report_to_follow and not job.last:
            turn.put_job(evolve(job, last=True, next_sample=turn.now.seconds, boundary=turn.now.seconds))
        else:
            turn.drop_job(report_request_id)
            turn.tell(ReportCancelled(report_request_id=report_request_id))


def on_updated(turn: Turn, entry: Outgoing, reply: Payload | None) -> None:
    """The VTN has taken a report, and may cancel it with that (R328, R335)."""
    assert isinstance(entry.payload, UpdateReport)
    for report in entry.payload.oadr_report:
        turn.tell(ReportDelivered(report=report))
    if isinstance(reply, UpdatedReport) and reply.oadr_cancel_report is not None:
        _stop(turn, reply.oadr_cancel_report)


def on_offered(turn: Turn, payload: Payload) -> None:
    """RegisterReport from the VTN: taken note of; nothing is asked for (R301)."""
    assert isinstance(payload, RegisterReport)
    registered = turn.state.registration
    answer = RegisteredReport(
        ei_response=EiResponse(response_description="OK", request_id=payload.request_id),
        ven_id=registered.ven_id if registered else None,
    )
    turn.answer(ServiceName.EI_REPORT, answer)


def on_values(turn: Turn, payload: Payload) -> None:
    """UpdateReport from the VTN: nothing was asked for, so it is acknowledged and dropped."""
    assert isinstance(payload, UpdateReport)
    registered = turn.state.registration
    answer = UpdatedReport(
        ei_response=EiResponse(response_description="OK", request_id=payload.request_id),
        ven_id=registered.ven_id if registered else None,
    )
    turn.answer(ServiceName.EI_REPORT, answer)
