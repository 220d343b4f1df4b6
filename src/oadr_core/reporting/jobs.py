"""What is remembered of the reports that a peer has asked for: the jobs, and the samples that wait for it.

It stands alone because everything else of the reporter exchanges nothing but this, and because each role keeps it in
its own state: a session lends its tables to the reducers as a :class:`Desk`.

A sample is written once, when the application has answered, as a record of its own; it stays until the peer has taken
the report that it went into. A report that is complete is therefore nothing but samples that may be sent, and survives
a restart like them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol

import attrs

from ..engine import Now, Output
from ..engine.records import EMPTY, volatile
from ..model import ReportRequest
from .offers import ReportOffer
from .readings import Collection, Loss, Reading, ReportBuffer, ReportCancelled, ReportsLost

MOST_JOBS: Final = 200
"""Report requests served at once: a peer has a few per offered report."""
FARTHEST_BACK: Final = timedelta(days=1)
"""A clock that is set back is waited for so long: more than any time zone, or summer time, is wrong by."""


class Kind(StrEnum):
    """The ways to ask for a report (section 5.3)."""

    ONE_SHOT = "one-shot"
    """Values of now, once (R324)."""
    PERIODIC = "periodic"
    """Values at round times, several of them in each report (R317, R325)."""
    ON_CHANGE = "on change"
    """The same, but only values that differ from the one before (R317)."""
    HISTORY = "history"
    """Values of the past, once (R325)."""
    METADATA = "metadata"
    """What can be reported, again and again (R306, R327)."""


ONCE: Final = frozenset({Kind.ONE_SHOT, Kind.HISTORY})
"""Kinds with one question and one report."""


@attrs.frozen(kw_only=True, weakref_slot=False)
class Job:
    """A report request that is being served.

    ``every_s`` lies between two questions to the application, ``back_s`` between two reports; ``step_s`` is how far
    apart values should be. The instants of questions are counted from ``first``; nothing is asked at or after ``end``
    (``None``: for ever). ``begin`` is where the time begins of which values are wanted. ``done``: up to here all values
    have been delivered, or given up. ``over``: nothing more is asked; what is there goes out. ``cancelled``: the peer
    does not count on it any more, but takes what was complete.

    ``reached`` is the last instant that is accounted for, ``next_at`` the next; ``asked`` (instant) and ``deadline``
    (on mono) belong to an open question. ``deliver_at`` (on mono) is set while a report is complete. ``last`` holds the
    last values, for reports on change. ``gap`` and ``beyond`` are for a clock that is set ahead and back again: see
    :mod:`.sampling`.
    """

    request: ReportRequest
    kind: Kind
    collection: Collection
    report_name: str
    r_ids: tuple[str, ...]
    step_s: float
    every_s: float
    back_s: float
    begin: datetime
    first: datetime
    end: datetime | None = None
    done: datetime | None = None
    over: bool = False
    cancelled: bool = False
    reached: datetime | None = volatile(None)
    next_at: datetime | None = volatile(None)
    asked: datetime | None = volatile(None)
    deadline: float | None = volatile(None)
    deliver_at: float | None = volatile(None)
    last: tuple[Reading, ...] = volatile(())
    gap: tuple[datetime, datetime] | None = volatile(None)
    beyond: datetime | None = volatile(None)

    @property
    def id(self) -> str:
        return self.request.report_request_id

    @property
    def specifier_id(self) -> str:
        return self.request.report_specifier.report_specifier_id

    @property
    def is_whole(self) -> bool:
        """Values of a whole period are asked for at once."""
        return self.collection is Collection.FULL

    @property
    def opening(self) -> datetime:
        """The first instant at which the application is asked."""
        return self.first if self.end is None or not self.is_whole else min(self.first, self.end)

    def on_grid(self, at: datetime) -> datetime:
        """The first instant of this job that is not before ``at``, whether the job has begun then or not."""
        every = timedelta(seconds=self.every_s)
        return self.first + -((self.first - at) // every) * every

    def period(self, at: datetime) -> int:
        """The number of the report that the sample of an instant goes into."""
        return 0 if self.kind in ONCE else (at - self.first) // timedelta(seconds=self.back_s)

    def following(self, at: datetime) -> datetime | None:
        """The next instant after ``at`` at which the application is asked."""
        if self.kind in ONCE or self.over:
            return None
        following = at + timedelta(seconds=self.every_s)
        if self.end is None:
            return following
        if self.is_whole:  # the last period may be a short one
            return None if at >= self.end else min(following, self.end)
        return following if following < self.end else None


@attrs.frozen(kw_only=True)
class Sample:
    """What was answered to one question, or a part of it; with ``missed``, so many instants from ``at`` on of which
    nobody could be asked: each has placeholders (R318).
    """

    report_request_id: str
    at: datetime
    readings: tuple[Reading, ...] = ()
    missed: int = 0

    def values(self, job: Job) -> int:
        """How many values it has in a report."""
        return self.missed * len(job.r_ids) or len(self.readings)

    def until(self, job: Job) -> datetime:
        """The last instant that it accounts for."""
        return self.at + timedelta(seconds=job.every_s) * max(self.missed - 1, 0)


Samples = Mapping[str, Sample]
"""By key: see :func:`key_of`."""


class Desk(Protocol):
    """What a session lends to the reporter for one step, of the peer that it is about.

    Tables are replaced, never changed. ``sending`` are the samples of the report that is under way.
    """

    jobs: Mapping[str, Job]
    samples: Samples

    @property
    def now(self) -> Now: ...
    @property
    def key(self) -> bytes: ...
    @property
    def offers(self) -> tuple[ReportOffer, ...]: ...
    @property
    def buffer(self) -> ReportBuffer: ...
    @property
    def jitter(self) -> bool: ...
    @property
    def sending(self) -> Samples: ...

    def tell(self, *outputs: Output) -> None:
        """Add outputs."""

    def number(self) -> int:
        """The next number of the session; used once."""

    def offer(self, report_request_id: str) -> None:
        """Send all metadata, in answer to this request (R311)."""


def key_of(job_id: str, at: datetime, part: str = "") -> str:
    """The key of a sample: the same instant of the same request has the same one."""
    return f"{job_id}/{int(at.timestamp())}/{part}"


# --- tables ---------------------------------------------------------------------------------------------------------


def put_job(desk: Desk, job: Job) -> None:
    desk.jobs = MappingProxyType({**desk.jobs, job.id: job})


def drop_job(desk: Desk, job_id: str) -> None:
    desk.jobs = MappingProxyType({key: job for key, job in desk.jobs.items() if key != job_id})


def put_samples(desk: Desk, found: Mapping[str, Sample]) -> None:
    desk.samples = MappingProxyType({**desk.samples, **found})


def drop_samples(desk: Desk, keys: Iterable[str]) -> None:
    left = dict(desk.samples)
    for key in keys:
        left.pop(key, None)
    desk.samples = MappingProxyType(left)


def samples_of(desk: Desk, job: Job) -> dict[str, Sample]:
    """What is kept for a job, the oldest first."""
    found = [item for item in desk.samples.items() if item[1].report_request_id == job.id]
    return dict(sorted(found, key=lambda item: item[1].at))


def is_complete(job: Job, sample: Sample) -> bool:
    """True for a sample whose report has all that it will ever have."""
    if job.next_at is None or job.period(sample.at) < job.period(job.next_at):
        return True
    return job.asked is None and sample.at - job.next_at > FARTHEST_BACK  # from before the clock was set back


def pending(desk: Desk) -> tuple[str, ...]:
    """All requests for which something is still to be delivered (R329)."""
    return tuple(job.id for job in desk.jobs.values() if not job.cancelled)


# --- ends -----------------------------------------------------------------------------------------------------------


def cancel(desk: Desk, job: Job, *, follow: bool) -> None:
    """The peer does not want a report any more; with ``follow`` it wants a last one with what there is (R345)."""
    if follow and job.kind is not Kind.METADATA:
        if not job.over:
            put_job(desk, attrs.evolve(job, over=True, next_at=job.asked or desk.now.seconds, beyond=None, gap=None))
        desk.tell(ReportCancelled(report_request_id=job.id))
        return
    dropped = samples_of(desk, job)
    drop_samples(desk, dropped)
    drop_job(desk, job.id)
    desk.tell(ReportCancelled(report_request_id=job.id, dropped=_count(job, dropped)))


def replaced(desk: Desk) -> None:
    """R306: new metadata end all reports but those of metadata; what was complete is still sent."""
    for job in tuple(desk.jobs.values()):
        if job.kind is Kind.METADATA or job.cancelled:
            continue
        kept = samples_of(desk, job)
        dropped = {key: sample for key, sample in kept.items() if not is_complete(job, sample)}
        drop_samples(desk, dropped)
        if len(dropped) < len(kept):
            put_job(
                desk, attrs.evolve(job, over=True, cancelled=True, next_at=None, asked=None, deadline=None, beyond=None)
            )
        else:
            drop_job(desk, job.id)
        desk.tell(ReportCancelled(report_request_id=job.id, dropped=_count(job, dropped)))


def forget(desk: Desk) -> None:
    """The registration is over, and with it all reports (R407)."""
    for job in desk.jobs.values():
        tell_lost(desk, job, samples_of(desk, job).values(), Loss.UNREGISTERED)
    if desk.jobs or desk.samples:
        desk.jobs = EMPTY
        desk.samples = EMPTY


def forget_metadata(desk: Desk) -> None:
    """R406: requests for metadata outlive new metadata, but not a new registration."""
    for job in tuple(desk.jobs.values()):
        if job.kind is Kind.METADATA:
            drop_job(desk, job.id)


def tell_lost(desk: Desk, job: Job, lost: Iterable[Sample], reason: Loss) -> None:
    """Say which values the peer will never get."""
    found = tuple(lost)
    if not found:
        return
    desk.tell(
        ReportsLost(
            report_request_id=job.id,
            since=min(sample.at for sample in found),
            until=max(sample.until(job) for sample in found),
            values=sum(sample.values(job) for sample in found),
            reason=reason,
        )
    )


def _count(job: Job, samples: Mapping[str, Sample]) -> int:
    return sum(sample.values(job) for sample in samples.values())
