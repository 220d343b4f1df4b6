"""Sampling and delivery of reports: questions at round times, readings, placeholders, messages (section 5.3).

It stands alone because it is what time does to a job, once a request has been taken up by :mod:`.reports`.
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
    DataQuality,
    Interval,
    Report,
    ReportPayload,
    ServiceName,
    UpdateReport,
)
from ..wire.examine import faults
from .messages import Collection, ProvideReport, Reading, ReportDue
from .state import Job, Turn

LONGEST_ANSWER_S: Final = 30.0
"""How long a question for readings stays open at most: a placeholder is sent for what is not there by then (R318)."""
JITTER_SHARE: Final = 0.1
JITTER_MOST_S: Final = 300.0
"""Polls and deliveries are spread by 10 % of their interval or five minutes, whichever is less."""
MOST_TOGETHER: Final = 20
"""Reports in one message at most: a backlog goes out in few messages, and none becomes too large for a peer."""
MOST_WAITING: Final = 500
"""Messages with reports that wait for the VTN: days of ordinary reporting, some tens of megabytes at worst."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


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


def wake(turn: Turn) -> None:
    """After a restart: a report that was complete is delivered, and an open question is asked again by its time."""
    for job in tuple(turn.state.jobs.values()):
        taken = [reading.at for reading in job.readings if reading.at is not None]
        if (taken and max(taken) >= job.boundary) or (job.last and job.next_sample is None):
            turn.put_job(evolve(job, deliver_at=turn.now.mono))


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
    waiting = [entry for entry in outbox.values() if isinstance(entry.payload, UpdateReport)]
    if len(waiting) >= MOST_WAITING:
        oldest = waiting[0]
        turn.remove(oldest)
        text = f"{len(waiting)} messages with reports wait for the VTN; the oldest is given up"
        turn.tell(Trouble(text=text, lost=oldest.payload))
    last = waiting[-1] if waiting else None
    under_way = flight is not None and last is not None and flight.number == last.number
    if last is not None and isinstance(last.payload, UpdateReport) and not last.attempts and not under_way:
        reports = (*last.payload.oadr_report, report)
        if len(reports) <= MOST_TOGETHER:
            turn.keep(evolve(last, payload=evolve(last.payload, oadr_report=reports)))
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
