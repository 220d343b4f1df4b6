"""Reports of a VEN: requests, synchronised samples, jittered delivery, cancellation (section 5.3).

It stands alone as the only module that changes ``VenState.jobs``. A job asks the application for readings at round
times in UTC, gathers them, and posts an UpdateReport when a report is complete.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from ..engine import Trouble
from ..engine.chance import fraction
from ..engine.copying import evolve
from ..errors import LocalError
from ..model import (
    METADATA,
    CanceledReport,
    CancelReport,
    CreatedReport,
    CreateReport,
    DataQuality,
    EiResponse,
    Interval,
    Payload,
    RegisteredReport,
    RegisterReport,
    Report,
    ReportPayload,
    ReportRequest,
    ServiceName,
    UpdatedReport,
    UpdateReport,
)
from ..wire.examine import faults
from . import registration
from .config import ReportOffer
from .messages import (
    Collection,
    ProvideReport,
    Reading,
    ReportCancelled,
    ReportDelivered,
    ReportDue,
    ReportRequested,
)
from .state import Job, Outgoing, Turn

OK: Final = "200"
INVALID_ID: Final = "452"
INVALID_DATA: Final = "454"
COMPLIANCE: Final = "459"
UNSUPPORTED: Final = "461"
MOST_JOBS: Final = 200
"""Report requests served at once: a VTN has a few per offered report."""
MOST_TOGETHER: Final = 20
"""Reports in one message at most: a backlog goes out in few messages, and none becomes too large for a peer."""
MOST_WAITING: Final = 500
"""Messages with reports that wait for the VTN: days of ordinary reporting, some tens of megabytes at worst."""
LONGEST_ANSWER_S: Final = 30.0
"""How long a question for readings stays open at most: a placeholder is sent for what is not there by then (R318)."""
JITTER_SHARE: Final = 0.1
JITTER_MOST_S: Final = 300.0
"""Polls and deliveries are spread by 10 % of their interval or five minutes, whichever is less."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


# --- requests -------------------------------------------------------------------------------------------------------


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
    turn.post(ServiceName.EI_REPORT, answer)
    for report_request_id in metadata:
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
        response_description=f"unknown: {', '.join(unknown)}" if unknown else "OK",
        request_id=payload.request_id,
    )
    answer = CanceledReport(
        ei_response=response,
        oadr_pending_reports=tuple(turn.state.jobs),
        ven_id=registered.ven_id if registered else None,
    )
    turn.post(ServiceName.EI_REPORT, answer)


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
    turn.post(ServiceName.EI_REPORT, answer)


def on_values(turn: Turn, payload: Payload) -> None:
    """UpdateReport from the VTN: nothing was asked for, so it is acknowledged and dropped."""
    assert isinstance(payload, UpdateReport)
    registered = turn.state.registration
    answer = UpdatedReport(
        ei_response=EiResponse(response_description="OK", request_id=payload.request_id),
        ven_id=registered.ven_id if registered else None,
    )
    turn.post(ServiceName.EI_REPORT, answer)


# --- samples --------------------------------------------------------------------------------------------------------


def advance(turn: Turn) -> None:
    """What time alone does: questions, placeholders for missing answers, deliveries."""
    for job in tuple(turn.state.jobs.values()):
        if job.deadline is not None and turn.now.mono >= job.deadline and job.asked is not None:
            specifier_id = job.request.report_specifier.report_specifier_id
            turn.tell(Trouble(text=f"no values for report {specifier_id!r} in time"))
            _collect(turn, job, job.asked, _placeholders(job, job.r_ids))
    for job in tuple(turn.state.jobs.values()):
        if job.next_sample is not None and job.asked is None and turn.now.wall >= job.next_sample:
            _ask(turn, job)
    for job in tuple(turn.state.jobs.values()):
        if job.deliver_at is not None and turn.now.mono >= job.deliver_at:
            _deliver(turn, job)


def _ask(turn: Turn, job: Job) -> None:
    assert job.next_sample is not None
    offer = turn.config.offer(job.request.report_specifier.report_specifier_id)
    if offer is None:
        turn.drop_job(job.id)
        return
    at = job.next_sample
    missed = (turn.now.wall - at) // timedelta(seconds=job.step_s) if job.back_s and not job.last else 0
    if missed:  # the wall clock jumped, or nobody woke the session: the values of then are not there any more
        at += missed * timedelta(seconds=job.step_s)
        if at > job.boundary:
            job = evolve(job, boundary=_following(job, at))
    deadline = turn.now.mono + min(max(job.step_s, 1.0), LONGEST_ANSWER_S)
    turn.put_job(evolve(job, next_sample=at, asked=at, deadline=deadline))
    turn.tell(
        ReportDue(
            report_request_id=job.id,
            report_specifier_id=job.request.report_specifier.report_specifier_id,
            r_ids=job.r_ids,
            at=at,
            deadline=deadline,
            collection=offer.collection,
            since=job.since if not job.back_s else at - timedelta(seconds=job.back_s),
            interval=timedelta(seconds=job.step_s),
        )
    )


def _following(job: Job, at: datetime) -> datetime:
    """The first boundary that is not before ``at``."""
    back = timedelta(seconds=job.back_s)
    return job.boundary + -((job.boundary - at) // back) * back


def provide(turn: Turn, command: ProvideReport) -> None:
    """Readings from the application; late ones are ignored, missing ones get a placeholder (R300, R318)."""
    job = turn.state.jobs.get(command.report_request_id)
    if job is None or job.asked != command.at:
        return
    wanted = [_checked(reading) for reading in command.readings if reading.r_id in job.r_ids]
    given = {reading.r_id for reading in wanted}
    missing = _placeholders(job, [r_id for r_id in job.r_ids if r_id not in given])
    _collect(turn, job, command.at, (*wanted, *missing))


def _checked(reading: Reading) -> Reading:
    """Refuse now what could not be written later, when the report is sent."""
    for path, text in faults(_interval(evolve(reading, at=reading.at or _EPOCH)), Interval, "Reading"):
        raise LocalError(text, path=path)
    return reading


def _placeholders(job: Job, r_ids: Iterable[str]) -> tuple[Reading, ...]:
    return tuple(Reading(r_id=r_id, value=None, quality=DataQuality.QUALITY_BAD_NON_SPECIFIC) for r_id in r_ids)


def _collect(turn: Turn, job: Job, at: datetime, readings: Iterable[Reading]) -> None:
    stamped = tuple(evolve(reading, at=reading.at or at) for reading in readings)
    following = at + timedelta(seconds=job.step_s)
    offer = turn.config.offer(job.request.report_specifier.report_specifier_id)
    if offer is not None and offer.collection is Collection.FULL:
        following = at + timedelta(seconds=job.back_s)
    over = job.last or (job.end is not None and following >= job.end)
    job = evolve(
        job,
        readings=(*job.readings, *stamped),
        asked=None,
        deadline=None,
        next_sample=None if over else following,
        last=over,
    )
    if over or at >= job.boundary:
        delay = 0.0 if over and not job.back_s else _jitter(turn, job)
        job = evolve(job, deliver_at=turn.now.mono + delay)
    turn.put_job(job)


def _jitter(turn: Turn, job: Job) -> float:
    """Seconds to wait. Never before the report is complete, so the intervals between reports vary by ± 10 %."""
    if not turn.config.jitter:
        return 0.0
    most = min(JITTER_SHARE * job.back_s, JITTER_MOST_S)
    return most * fraction(turn.key, "deliver", job.id, turn.number())


def _deliver(turn: Turn, job: Job) -> None:
    """Post what was collected up to the boundary; later samples begin the next report."""
    cut = tuple(reading for reading in job.readings if reading.at is not None and reading.at <= job.boundary)
    ready = job.readings if job.last else cut
    rest = () if job.last else tuple(reading for reading in job.readings if reading not in ready)
    if ready:
        _post(turn, job, ready)
    if job.last and job.next_sample is None:
        turn.drop_job(job.id)
        return
    boundary = job.boundary + timedelta(seconds=job.back_s)
    turn.put_job(evolve(job, readings=rest, deliver_at=None, boundary=boundary))


def _post(turn: Turn, job: Job, readings: tuple[Reading, ...]) -> None:
    registered = turn.state.registration
    offer = turn.config.offer(job.request.report_specifier.report_specifier_id)
    if registered is None or offer is None:
        return
    ordered = sorted(readings, key=lambda reading: reading.at or _EPOCH)  # R314: oldest first
    report = Report(
        dtstart=ordered[0].at,
        intervals=tuple(_interval(reading) for reading in ordered),
        report_request_id=job.id,
        report_specifier_id=offer.report.report_specifier_id,
        report_name=(offer.report.report_name or "").removeprefix("METADATA_") or None,
        created_date_time=turn.now.seconds,
    )
    _queue(turn, report, registered.ven_id)


def _queue(turn: Turn, report: Report, ven_id: str) -> None:
    """Put a report into the outbox: with others that wait there, so that a backlog is worked off in few messages."""
    outbox, flight = turn.state.outbox, turn.state.flight
    waiting = [entry for entry in outbox if isinstance(entry.payload, UpdateReport)]
    if len(waiting) >= MOST_WAITING:
        oldest = waiting[0]
        turn.set(outbox=tuple(entry for entry in outbox if entry is not oldest))
        text = f"{len(waiting)} messages with reports wait for the VTN; the oldest is given up"
        turn.tell(Trouble(text=text, lost=oldest.payload))
    last = waiting[-1] if waiting else None
    under_way = flight is not None and last is not None and flight.number == last.number
    if last is not None and isinstance(last.payload, UpdateReport) and not last.attempts and not under_way:
        reports = (*last.payload.oadr_report, report)
        if len(reports) <= MOST_TOGETHER:
            more = evolve(last, payload=evolve(last.payload, oadr_report=reports))
            turn.set(outbox=tuple(more if entry.number == last.number else entry for entry in turn.state.outbox))
            return
    turn.post(
        ServiceName.EI_REPORT, UpdateReport(request_id=turn.token("update"), oadr_report=(report,), ven_id=ven_id)
    )


def _interval(reading: Reading) -> Interval:
    """Point data: a start and no duration, one data point each (R314, R315, R342)."""
    quality = reading.quality
    if reading.value is None and quality is None:
        quality = DataQuality.QUALITY_BAD_NON_SPECIFIC
    value = 0.0 if reading.value is None else reading.value
    payload = ReportPayload(r_id=reading.r_id, payload_base=value, oadr_data_quality=quality)
    return Interval(dtstart=reading.at, stream_payload_base=(payload,))


def next_wall(jobs: Iterable[Job]) -> datetime | None:
    """The earliest sample to ask for."""
    return min((job.next_sample for job in jobs if job.next_sample and job.asked is None), default=None)


def next_mono(jobs: Iterable[Job]) -> float | None:
    """The earliest deadline of a question or delivery."""
    found = [at for job in jobs for at in (job.deadline, job.deliver_at) if at is not None]
    return min(found, default=None)
