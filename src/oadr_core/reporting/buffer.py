"""What waits for the peer: how much of it is kept, what goes into the next message, and what the answer settles.

It stands alone as store and forward: a peer that was away for a day gets all of it afterwards, in order, in messages
that are not too long; only when more waits than may, the oldest is dropped, and that is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from heapq import merge
from typing import Final

import attrs

from ..engine.copying import altered
from ..engine.now import earliest
from ..model import DataQuality, GBPayload, Report
from .jobs import (
    Desk,
    Job,
    Sample,
    Samples,
    drop_job,
    drop_samples,
    is_complete,
    key_of,
    put_job,
    put_samples,
    samples_of,
    tell_lost,
)
from .offers import STATUS
from .readings import Loss, Reading, ReportBuffer
from .shapes import Stamped, reports

MOST_TOGETHER: Final = 100
"""Reports in one message: a backlog goes out in few messages, and none keeps a peer busy for long."""
ENVELOPE_BYTES: Final = 12 * 1024
"""An empty message with a signature and the certificate in it."""
REPORT_BYTES: Final = 640
"""A report without intervals, and without its identifiers."""
INTERVAL_BYTES: Final = 224
NUMBER_BYTES: Final = 152
"""A number, without the rID."""
QUALITY_BYTES: Final = 200
"""What the library knows of qualities, accuracy and confidence."""
STATUS_BYTES: Final = 1_600
"""The state of a resource with all that it may tell, likewise."""
MOST_SETS: Final = 16
"""Different things that the states of resources may tell of: capacity, level, percentage, set point, or some."""
_ESCAPED: Final = 5
"""Bytes that a character needs more at most, when it is written as a reference."""


@attrs.frozen
class Batch:
    """What goes into the next message: reports, and the samples that they were made of."""

    reports: tuple[Report, ...]
    samples: Samples


# --- what is kept ---------------------------------------------------------------------------------------------------


def parts(job: Job, at: datetime, readings: tuple[Reading, ...], buffer: ReportBuffer) -> dict[str, Sample]:
    """An answer as samples: one, unless it is too long for a message; then the oldest values come first."""
    if not readings:
        return {}
    most = _room(job, buffer)
    if _sizes(readings) <= most:
        chunks = [readings]
    else:
        chunks = list(_chunks(sorted(readings, key=lambda reading: reading.at or at), most))
    if len(chunks) == 1:
        return {key_of(job.id, at): Sample(report_request_id=job.id, at=at, readings=chunks[0])}
    return {
        key_of(job.id, at, f"{number:06}"): Sample(report_request_id=job.id, at=at, readings=chunk)
        for number, chunk in enumerate(chunks)
    }


def _chunks(readings: Iterable[Reading], most: int) -> Iterator[tuple[Reading, ...]]:
    chunk: list[Reading] = []
    used = 0
    for reading in readings:
        size = _sizes((reading,))
        if chunk and used + size > most:
            yield tuple(chunk)
            chunk, used = [], 0
        chunk.append(reading)
        used += size
    yield tuple(chunk)


def make_room(desk: Desk) -> None:
    """Drop the oldest values when more wait than may; what is under way is left alone."""
    most, jobs, samples = desk.buffer.values, desk.jobs, desk.samples
    if len(samples) * _most_values(samples) <= most and not any(sample.missed for sample in samples.values()):
        return
    sizes = {key: sample.values(jobs[sample.report_request_id]) for key, sample in samples.items()}
    over = sum(sizes.values()) - most
    if over <= 0:
        return
    lost: dict[str, list[Sample]] = {}
    gone: list[str] = []
    for key, sample in sorted(samples.items(), key=lambda item: item[1].at):
        if over <= 0:
            break
        if key in desk.sending:
            continue
        job = jobs[sample.report_request_id]
        lost.setdefault(job.id, []).append(_dropped(desk, job, key, sample, over, gone))
        over -= lost[job.id][-1].values(job)
    drop_samples(desk, gone)
    for job_id, dropped in lost.items():
        tell_lost(desk, jobs[job_id], dropped, Loss.BUFFER)


def _most_values(samples: Samples) -> int:
    return max((len(sample.readings) for sample in samples.values()), default=0)


def _dropped(desk: Desk, job: Job, key: str, sample: Sample, over: int, gone: list[str]) -> Sample:
    """What of a sample is dropped: all of it, or the beginning of a long gap."""
    instants = -(-over // len(job.r_ids)) if sample.missed else 0
    gone.append(key)
    if not sample.missed or instants >= sample.missed:
        return sample
    _cut(desk, sample, instants)
    return attrs.evolve(sample, missed=instants)


# --- what is sent ---------------------------------------------------------------------------------------------------


@attrs.frozen
class _Piece:
    """A sample, or as much of a gap as belongs to one report."""

    key: str
    sample: Sample
    size: int


@attrs.frozen
class _Group:
    """What belongs to one report and is complete."""

    at: datetime
    job: Job
    pieces: tuple[_Piece, ...]


def next_delivery(jobs: Iterable[Job]) -> float | None:
    """When (on mono) a report will be complete and may be sent."""
    return earliest(*[job.deliver_at for job in jobs])


def next_batch(desk: Desk) -> Batch | None:
    """The reports of the next message, the oldest first; ``None`` if nothing is complete."""
    queues = []
    for job in tuple(desk.jobs.values()):
        if job.deliver_at is None or job.deliver_at > desk.now.mono:
            continue
        waiting = samples_of(desk, job)
        found = [(key, sample) for key, sample in waiting.items() if is_complete(job, sample)]
        if found:
            queues.append(_groups(job, found, desk.buffer))
        elif waiting or job.next_at is not None:
            put_job(desk, altered(job, deliver_at=None))
        else:
            drop_job(desk, job.id)
    return _filled(desk, merge(*queues, key=lambda group: group.at)) if queues else None


def _groups(job: Job, samples: list[tuple[str, Sample]], buffer: ReportBuffer) -> Iterator[_Group]:
    pieces: list[_Piece] = []
    period = None
    for key, sample in samples:
        for piece in _pieces(job, key, sample, buffer):
            here = job.period(piece.sample.at)
            if pieces and here != period:
                yield _Group(pieces[0].sample.at, job, tuple(pieces))
                pieces = []
            period = here
            pieces.append(piece)
    yield _Group(pieces[0].sample.at, job, tuple(pieces))


def _pieces(job: Job, key: str, sample: Sample, buffer: ReportBuffer) -> Iterator[_Piece]:
    if not sample.missed:
        yield _Piece(key, sample, _sizes(sample.readings))
        return
    each = sum(INTERVAL_BYTES + STATUS_BYTES + _length(r_id) for r_id in job.r_ids)
    most = max(_room(job, buffer) // each, 1)
    every, back = timedelta(seconds=job.every_s), timedelta(seconds=job.back_s)
    at, left = sample.at, sample.missed
    while left:
        ends = job.first + (job.period(at) + 1) * back
        instants = min(left, most, -((at - ends) // every))
        yield _Piece(key, attrs.evolve(sample, at=at, missed=instants), instants * each)
        at, left = at + instants * every, left - instants


def _filled(desk: Desk, groups: Iterable[_Group]) -> Batch:
    """As many whole reports as there is room for; of one that does not fit by itself, as much as does."""
    room = desk.buffer.message_bytes - ENVELOPE_BYTES
    found: list[Report] = []
    covered: dict[str, Sample] = {}
    for group in groups:
        room -= _overhead(group.job)
        whole = sum(piece.size for piece in group.pieces) <= room
        if covered and (not whole or len(found) >= MOST_TOGETHER):
            break
        taken = group.pieces if whole else tuple(_as_many(group.pieces, room))
        for piece in taken:
            before = covered.get(piece.key)
            covered[piece.key] = (
                piece.sample if before is None else attrs.evolve(before, missed=before.missed + piece.sample.missed)
            )
        found += _reports(desk, group.job, taken)
        if not whole:
            break
        room -= sum(piece.size for piece in taken)
    return Batch(tuple(found), covered)


def _as_many(pieces: tuple[_Piece, ...], room: int) -> Iterator[_Piece]:
    for number, piece in enumerate(pieces):
        room -= piece.size
        if number and room < 0:
            return
        yield piece


def _reports(desk: Desk, job: Job, pieces: Iterable[_Piece]) -> Iterator[Report]:
    return reports(
        _stamped(job, pieces),
        report_request_id=job.id,
        report_specifier_id=job.specifier_id,
        report_name=job.report_name,
        created=desk.now.seconds,
        grouped=desk.buffer.grouped,
    )


def _stamped(job: Job, pieces: Iterable[_Piece]) -> Iterator[Stamped]:
    every = timedelta(seconds=job.every_s)
    for piece in pieces:
        at = piece.sample.at
        for reading in piece.sample.readings:
            yield reading.at or at, reading
        for number in range(piece.sample.missed):
            for r_id in job.r_ids:
                yield at + number * every, Reading(r_id=r_id, value=None)


def settle(desk: Desk, sent: Samples, lost: Loss | None = None) -> None:
    """The peer has taken these samples, or will not: then ``lost`` says why."""
    gone: list[str] = []
    ended: dict[str, list[Sample]] = {}
    for key, sample in sent.items():
        known = desk.samples.get(key)
        if known is None or (known is not sample and not sample.missed):
            continue  # it was dropped, or corrected, meanwhile
        gone.append(key)
        ended.setdefault(sample.report_request_id, []).append(sample)
        if known.missed > sample.missed:
            _cut(desk, known, sample.missed)
    if gone:
        drop_samples(desk, gone)
    for job_id, samples in ended.items():
        job = desk.jobs[job_id]
        if lost is not None:
            tell_lost(desk, job, samples, lost)
        done = max(sample.until(job) for sample in samples)
        if job.done is None or done > job.done:
            put_job(desk, altered(job, done=done))
        if job.next_at is None and not any(one.report_request_id == job_id for one in desk.samples.values()):
            drop_job(desk, job_id)


def _cut(desk: Desk, gap: Sample, instants: int) -> None:
    """Leave the rest of a gap, whose beginning has been dealt with."""
    job = desk.jobs[gap.report_request_id]
    at = gap.at + timedelta(seconds=job.every_s) * instants
    rest = attrs.evolve(gap, at=at, missed=gap.missed - instants)
    put_samples(desk, {key_of(job.id, at, "missed"): rest})


# --- sizes ----------------------------------------------------------------------------------------------------------


def _room(job: Job, buffer: ReportBuffer) -> int:
    """Bytes for the intervals of one report in a message of its own."""
    return buffer.message_bytes - ENVELOPE_BYTES - _overhead(job)


def _overhead(job: Job) -> int:
    """Bytes of a report without its intervals; states of resources may need several (R334)."""
    each = REPORT_BYTES + _length(job.id) + _length(job.specifier_id) + _length(job.report_name)
    return each * (1 + min(len(job.r_ids), MOST_SETS)) if job.report_name == STATUS else each


def _sizes(readings: Iterable[Reading]) -> int:
    """Bytes of values with an interval each, or some more."""
    total = 0
    for reading in readings:
        value = reading.value
        if type(value) is float and reading.quality is None and reading.accuracy is None and reading.confidence is None:
            total += INTERVAL_BYTES + NUMBER_BYTES + _length(reading.r_id)
        else:
            total += INTERVAL_BYTES + _size(reading)
    return total


def _size(reading: Reading) -> int:
    value, quality = reading.value, reading.quality
    if isinstance(value, GBPayload):
        return _length(value.feed)
    size = _length(reading.r_id) + (NUMBER_BYTES if isinstance(value, (float, int)) else STATUS_BYTES)
    return size + QUALITY_BYTES + (_length(str(quality)) if _is_own(quality) else 0)


def _is_own(quality: DataQuality | str | None) -> bool:
    """A quality that the application has made up, of any length."""
    return quality is not None and not isinstance(quality, DataQuality)


@lru_cache(maxsize=4096)
def _length(text: str) -> int:
    """Bytes of a text on the wire, or some more."""
    return len(text.encode("utf-8", "surrogatepass")) + _ESCAPED * sum(text.count(mark) for mark in '&<>"\r\t\n')
