"""Questions at round times, their answers, and what the clock does to them (section 5.3).

It stands alone because it is what time does to a job, once it has been taken up by :mod:`.serving`.

Each instant at which a sample is due is asked about once, and accounted for in any case: with values, or with
placeholders (R318) when nobody answered, or when the session slept, was not running, or the clock was set ahead
meanwhile. Reports of whole periods are asked for whole periods, so nothing is missed there. When the clock is set back,
instants that have a value are not asked about again; those that have only placeholders are, and their values replace
them (R346). A clock that is set back by more than a day was wrong for long: then everything begins anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import attrs

from ..engine import Trouble
from ..engine.chance import fraction
from ..engine.copying import altered
from ..engine.now import earliest
from ..model import DataQuality
from .buffer import make_room, parts
from .jobs import (
    FARTHEST_BACK,
    ONCE,
    Desk,
    Job,
    Kind,
    Sample,
    drop_job,
    drop_samples,
    is_complete,
    key_of,
    put_job,
    put_samples,
    samples_of,
)
from .readings import Loss, ProvideReport, Reading, ReportDue, ReportsLost
from .shapes import checked

LONGEST_ANSWER_S: Final = 30.0
"""How long a question for readings stays open at most: a placeholder is sent for what is not there by then (R318)."""
JITTER_SHARE: Final = 0.1
JITTER_MOST_S: Final = 300.0
"""Polls and deliveries are spread by 10 % of their interval or five minutes, whichever is less."""
MOST_MISSED: Final = 10_000
"""Instants of one gap that get placeholders: a day of samples every ten seconds. What is older is only told."""


def advance(desk: Desk) -> None:
    """What time alone does: placeholders for missing answers, and questions."""
    now = desk.now
    for job in tuple(desk.jobs.values()):
        if job.deadline is not None and now.mono >= job.deadline:
            desk.tell(Trouble(text=f"no values for report {job.specifier_id!r} in time"))
            _collect(desk, job, _placeholders(job, job.r_ids))
        elif job.asked is None and job.next_at is not None and now.wall < job.next_at:
            _set_back(desk, job, job.next_at)
    for job in tuple(desk.jobs.values()):
        if job.asked is not None or job.next_at is None:
            continue
        if now.wall >= job.next_at or job.kind in ONCE:
            _due(desk, job, job.next_at)


def next_wall(jobs: Iterable[Job]) -> datetime | None:
    """The earliest instant to ask about."""
    return earliest(*[job.next_at for job in jobs if job.asked is None])


def set_back_before(jobs: Iterable[Job]) -> datetime | None:
    """Before this instant the wall clock has been set back, as far as these can tell."""
    waiting = ((job.next_at, job.every_s) for job in jobs if job.asked is None)
    return max((at - timedelta(seconds=every_s) for at, every_s in waiting if at is not None), default=None)


def next_mono(jobs: Iterable[Job]) -> float | None:
    """The earliest end of a question."""
    return earliest(*[job.deadline for job in jobs])


def wake(desk: Desk) -> None:
    """After a restart: go on behind the last sample that is there; what was complete is sent."""
    orphans = [key for key, sample in desk.samples.items() if sample.report_request_id not in desk.jobs]
    if orphans:
        drop_samples(desk, orphans)
    for job in tuple(desk.jobs.values()):
        samples = samples_of(desk, job)
        known = [sample.until(job) for sample in samples.values()]
        reached = max([*known, *([job.done] if job.done else [])], default=None)
        job = _resumed(desk, job, reached)
        if any(is_complete(job, sample) for sample in samples.values()):
            job = altered(job, deliver_at=desk.now.mono)
        put_job(desk, job)
        if job.next_at is None and not samples:
            drop_job(desk, job.id)


def _resumed(desk: Desk, job: Job, reached: datetime | None) -> Job:
    if job.cancelled:
        return job
    if job.over and job.kind not in ONCE and reached is None:  # the last report was wanted, and nobody had answered
        return altered(job, next_at=desk.now.seconds)
    if reached is None:
        return altered(job, next_at=job.opening, reached=job.begin if job.is_whole else None)
    following = job.following(reached)
    if following is not None and job.kind is Kind.ON_CHANGE and job.period(following) == job.period(desk.now.wall):
        following = max(following, job.on_grid(desk.now.wall))  # when nothing changes there is nothing to remember
    return altered(job, next_at=following, reached=reached)


# --- questions ------------------------------------------------------------------------------------------------------


def _due(desk: Desk, job: Job, at: datetime) -> None:
    if job.kind is Kind.METADATA:
        _offer_again(desk, job, at)
        return
    if job.kind not in ONCE and not job.over:
        found = _latest(desk, job, at)
        if found is None:
            return
        job, at = desk.jobs[job.id], found
    since = at if not job.is_whole or job.reached is None else _not_too_long(desk, job, job.reached, at)
    seconds = LONGEST_ANSWER_S if job.is_whole else min(max(job.step_s, 1.0), LONGEST_ANSWER_S)
    deadline = desk.now.mono + seconds
    put_job(desk, altered(job, next_at=at, asked=at, deadline=deadline))
    desk.tell(
        ReportDue(
            report_request_id=job.id,
            report_specifier_id=job.specifier_id,
            r_ids=job.r_ids,
            at=at,
            deadline=deadline,
            collection=job.collection,
            since=since,
            interval=timedelta(seconds=job.step_s),
        )
    )


def _latest(desk: Desk, job: Job, at: datetime) -> datetime | None:
    """The instant to ask about, which is the latest that has come; those before it have been missed."""
    every, wall = timedelta(seconds=job.every_s), desk.now.wall
    if job.beyond is not None and job.gap is not None and wall >= job.gap[1]:
        put_job(desk, altered(job, next_at=job.beyond, beyond=None, gap=None))
        return job.beyond if wall >= job.beyond else None
    late = (wall - at) // every
    if not late:
        return at
    if job.is_whole:
        latest = at + late * every
        return latest if job.end is None else min(latest, job.end)
    left = late + 1 if job.end is None else -((at - job.end) // every)
    missed = min(late, left)
    if job.beyond is None:  # else they have placeholders already
        _miss(desk, job, at, missed)
    return at + late * every if late < left else None


def _miss(desk: Desk, job: Job, at: datetime, missed: int) -> None:
    """Account for instants about which nobody was asked: the values of then are not there any more (R318)."""
    every = timedelta(seconds=job.every_s)
    told = min(missed, MOST_MISSED)
    skipped, begin, end = missed - told, at + (missed - told) * every, at + missed * every
    if skipped:
        _tell_skipped(desk, job, at, begin - every, skipped)
    if job.kind is Kind.ON_CHANGE:  # what was reported last does not hold any more
        readings = _placeholders(job, job.r_ids)
        put_samples(desk, {key_of(job.id, begin): Sample(report_request_id=job.id, at=begin, readings=readings)})
    else:
        run = Sample(report_request_id=job.id, at=begin, missed=told)
        put_samples(desk, {key_of(job.id, begin, "missed"): run})
    following = job.following(end - every)
    gap = (begin, end) if following is not None else None
    job = altered(
        job, reached=end - every, next_at=following, gap=gap, last=(), over=job.over or following is None
    )
    put_job(desk, _completed(desk, job, begin))
    make_room(desk)


def _not_too_long(desk: Desk, job: Job, since: datetime, at: datetime) -> datetime:
    """A whole period is asked for, but not the years that a clock was set ahead by."""
    most = timedelta(seconds=max(MOST_MISSED * job.step_s, job.back_s))
    if at - since <= most or job.kind in ONCE:
        return since
    step = timedelta(seconds=job.step_s)
    _tell_skipped(desk, job, since, at - most - step, (at - most - since) // step)
    return at - most


def _tell_skipped(desk: Desk, job: Job, since: datetime, until: datetime, skipped: int) -> None:
    lost = ReportsLost(
        report_request_id=job.id,
        since=since,
        until=max(since, until),
        values=skipped * len(job.r_ids),
        reason=Loss.CLOCK,
    )
    desk.tell(lost)


def _offer_again(desk: Desk, job: Job, at: datetime) -> None:
    """Metadata are sent again (R306, R327): once, however many times have been missed."""
    every = timedelta(seconds=job.every_s)
    at += (desk.now.wall - at) // every * every
    following = job.following(at)
    if following is None:
        drop_job(desk, job.id)
    else:
        put_job(desk, altered(job, done=at, reached=at, next_at=following))
    desk.offer(job.id)


def _set_back(desk: Desk, job: Job, next_at: datetime) -> None:
    """The clock may have been set back: what has only placeholders is asked about again, the rest is waited for."""
    wall, every = desk.now.wall, timedelta(seconds=job.every_s)
    if next_at - wall <= every or job.kind in ONCE:
        return
    if job.reached is None:  # nothing has been asked yet, so the beginning may well lie ahead
        return
    if job.gap is not None and job.beyond is None and wall < job.gap[1]:
        at = max(job.on_grid(wall), job.gap[0])
        if at < job.gap[1]:
            put_job(desk, altered(job, next_at=at, beyond=next_at))
            return
    if next_at - wall > FARTHEST_BACK + every and job.reached != job.begin:
        at = job.on_grid(wall)
        put_job(desk, altered(job, reached=at - every, next_at=at, gap=None, beyond=None))


# --- answers --------------------------------------------------------------------------------------------------------


def provide(desk: Desk, command: ProvideReport) -> None:
    """Readings from the application; late ones are ignored, missing ones get a placeholder (R300, R318)."""
    job = desk.jobs.get(command.report_request_id)
    if job is None or job.asked is None or job.asked != command.at:
        return
    wanted = [checked(reading) for reading in command.readings if reading.r_id in job.r_ids]
    given = {reading.r_id for reading in wanted}
    missing = _placeholders(job, (r_id for r_id in job.r_ids if r_id not in given))
    _collect(desk, job, (*wanted, *missing))


def _placeholders(job: Job, r_ids: Iterable[str]) -> tuple[Reading, ...]:
    """R318: of the instant, or where the period begins that was asked for."""
    at = job.reached if job.is_whole and job.kind is not Kind.ONE_SHOT else None
    quality = DataQuality.QUALITY_BAD_NON_SPECIFIC
    return tuple(Reading(r_id=r_id, value=None, at=at, quality=quality) for r_id in r_ids)


def _collect(desk: Desk, job: Job, readings: tuple[Reading, ...]) -> None:
    at = job.asked
    assert at is not None
    following, beyond, gap = job.following(at), job.beyond, job.gap
    left = beyond is not None and gap is not None and (following is None or following >= gap[1])
    if left:
        following, beyond, gap = beyond, None, None
    ends = following is None or job.period(following) > job.period(at)
    last = job.last
    if job.kind is Kind.ON_CHANGE:
        readings, last = _changes(desk, job, at, readings, ends=ends)
    elif job.kind is Kind.ONE_SHOT:
        readings = _newest(readings, at)
    put_samples(desk, parts(job, at, readings, desk.buffer))
    job = altered(
        job,
        asked=None,
        deadline=None,
        reached=at,
        next_at=following,
        over=job.over or following is None,
        last=last,
        gap=gap,
        beyond=beyond,
    )
    if ends or left:
        job = _completed(desk, job, at if ends else job.first)
    put_job(desk, job)
    make_room(desk)


def _newest(readings: tuple[Reading, ...], at: datetime) -> tuple[Reading, ...]:
    """R324: one value of each data point."""
    found: dict[str, Reading] = {}
    for reading in readings:
        known = found.get(reading.r_id)
        if known is None or (known.at or at) <= (reading.at or at):
            found[reading.r_id] = reading
    return tuple(found.values())


def _changes(
    desk: Desk, job: Job, at: datetime, readings: tuple[Reading, ...], *, ends: bool
) -> tuple[tuple[Reading, ...], tuple[Reading, ...]]:
    """R317: only values that differ from the one before. At the end of the period, each data point of which there is
    none says that the previous value still holds (R300).
    """
    last = {reading.r_id: reading for reading in job.last}
    changed = []
    for reading in readings:
        known = last.get(reading.r_id)
        if known is None or (known.value, known.quality) != (reading.value, reading.quality):
            changed.append(reading)
            last[reading.r_id] = reading
    if ends:
        here = [sample for sample in samples_of(desk, job).values() if job.period(sample.at) == job.period(at)]
        told = {reading.r_id for sample in here for reading in sample.readings} | {one.r_id for one in changed}
        changed += [_unchanged(last[r_id], at) for r_id in job.r_ids if r_id not in told]
    return tuple(changed), tuple(last.values())


def _unchanged(reading: Reading, at: datetime) -> Reading:
    quality = DataQuality.NO_NEW_VALUE_PREVIOUS_VALUE_USED if reading.value is not None else reading.quality
    return attrs.evolve(reading, at=at, quality=quality)


def _completed(desk: Desk, job: Job, begin: datetime) -> Job:
    """The job with a time of delivery, if a report that ``begin`` belongs to is complete by now."""
    if job.deliver_at is not None or (job.next_at is not None and job.period(begin) >= job.period(job.next_at)):
        return job
    return altered(job, deliver_at=desk.now.mono + _jitter(desk, job))


def _jitter(desk: Desk, job: Job) -> float:
    """Seconds to wait. Never before the report is complete, so the intervals between reports vary by ± 10 %."""
    if not desk.jitter or job.kind in ONCE:
        return 0.0
    most = min(JITTER_SHARE * job.back_s, JITTER_MOST_S)
    return most * fraction(desk.key, "deliver", job.id, desk.number())
