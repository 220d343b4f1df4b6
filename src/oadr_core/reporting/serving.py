"""Report requests are taken up, refused, and taken back (section 5.3).

It stands alone because it is what the peer's messages do to the jobs; what time does to them is in :mod:`.sampling`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

from ..engine.schedule import later
from ..errors import shown
from ..model import ReportRequest
from .jobs import MOST_JOBS, ONCE, Desk, Job, Kind, cancel, put_job, samples_of
from .judging import INVALID_ID, Fault, fault, kind_of, length_s
from .offers import ReportOffer, find, longest
from .readings import Collection, ReportRequested

USUAL_STEP_S: Final = 60.0
"""Between values of a report of which nothing says how often it can be sampled."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OK: Final = Fault("200", "OK")


def take_up(desk: Desk, requests: Iterable[ReportRequest]) -> Fault:
    """Take up what can be served; the first fault, if any, is that of the answer, and its text names all.

    Answer with all that is pending, then send the metadata that were asked for: :func:`offer_metadata`.
    """
    faults: list[Fault] = []
    for request in requests:
        found = fault(desk, request)
        if found is None:
            _start(desk, request)
        else:
            faults.append(attrs.evolve(found, text=f"{shown(request.report_request_id)}: {found.text}"))
    return attrs.evolve(faults[0], text="; ".join(each.text for each in faults)) if faults else _OK


def offer_metadata(desk: Desk, requests: Iterable[ReportRequest]) -> None:
    """Send the metadata that were asked for, once per request (R311, R327)."""
    wanted = [request for request in requests if kind_of(request, None) is Kind.METADATA]
    for request in wanted[:MOST_JOBS]:
        if fault(desk, request) is None:
            desk.offer(request.report_request_id)


def stop(desk: Desk, report_request_ids: Iterable[str], *, follow: bool) -> Fault:
    """Take requests back (R336); ``follow``: one more report with what there is (R345)."""
    unknown = []
    for report_request_id in dict.fromkeys(report_request_ids):
        job = desk.jobs.get(report_request_id)
        if job is None or job.cancelled:
            unknown.append(report_request_id)
        else:
            cancel(desk, job, follow=follow)
    return Fault(INVALID_ID, f"unknown: {shown(', '.join(unknown))}", "R336") if unknown else _OK


def _start(desk: Desk, request: ReportRequest) -> None:
    """R322: the same request again, for our answer was lost, changes nothing; another one takes its place."""
    offer = find(desk.offers, request.report_specifier.report_specifier_id)
    kind = kind_of(request, offer)
    if kind is Kind.METADATA and not request.report_specifier.report_back_duration:
        return  # it is sent at once, and there is nothing to remember
    running = desk.jobs.get(request.report_request_id)
    if running is not None and running.request == request and not running.cancelled:
        return
    if running is not None and not running.cancelled:
        cancel(desk, running, follow=False)
    job = _periodic(desk, request, kind, offer) if kind not in ONCE or offer is None else _once(desk, request, offer)
    if running is not None and running.cancelled and samples_of(desk, running):
        job = _continued(desk, running, job)
    put_job(desk, job)
    if kind is not Kind.METADATA:
        desk.tell(ReportRequested(request=request))


def _once(desk: Desk, request: ReportRequest, offer: ReportOffer) -> Job:
    """One question and one report, at once."""
    kind, now = kind_of(request, offer), desk.now.seconds
    until, begin = now, now
    step_s = _step(request, offer, now)
    if kind is Kind.HISTORY:
        period = request.report_specifier.report_interval
        assert period is not None  # or it would have been refused
        if period.duration:
            until = min(later(period.dtstart, period.duration), now)
        begin = max(period.dtstart, until - timedelta(seconds=longest(offer.report.duration)))
    elif offer.collection is Collection.FULL:
        begin = now - timedelta(seconds=step_s)
    full = kind is Kind.HISTORY or offer.collection is Collection.FULL
    return Job(
        request=request,
        kind=kind,
        collection=Collection.FULL if full else Collection.INCREMENTAL,
        report_name=offer.report_name,
        r_ids=_r_ids(request),
        step_s=step_s,
        every_s=0.0,
        back_s=0.0,
        begin=begin,
        first=until,
        over=True,
        reached=begin,
        next_at=until,
    )


def _periodic(desk: Desk, request: ReportRequest, kind: Kind, offer: ReportOffer | None) -> Job:
    """Questions at round times, reports every reportBackDuration (R325)."""
    specifier, wall = request.report_specifier, desk.now.wall
    period, back_s = specifier.report_interval, length_s(specifier.report_back_duration, wall)
    start = max(period.dtstart, wall) if period else wall  # R324 demands a period; OpenLEADR VTN leaves it out
    end = later(period.dtstart, period.duration) if period and period.duration else None
    collection = Collection.INCREMENTAL if kind is not Kind.PERIODIC or offer is None else offer.collection
    whole = kind is Kind.METADATA or collection is Collection.FULL
    step_s = back_s if offer is None else min(_step(request, offer, wall), back_s)
    every_s = back_s if whole else step_s
    begin = aligned(start, step_s) if kind is not Kind.METADATA else desk.now.seconds
    first = begin + timedelta(seconds=back_s) if whole else begin
    job = Job(
        request=request,
        kind=kind,
        collection=collection,
        report_name=offer.report_name if offer else "",
        r_ids=_r_ids(request) if offer else (),
        step_s=step_s,
        every_s=every_s,
        back_s=back_s,
        begin=begin,
        first=first,
        end=end,
        reached=begin if whole else None,
    )
    if end is None or first < end:
        return attrs.evolve(job, next_at=first)
    if whole:  # the only period is a short one
        return attrs.evolve(job, next_at=end)
    # no round time lies in the period: one sample is taken all the same
    start = start.replace(microsecond=0)
    return attrs.evolve(job, begin=start, first=start, next_at=start)


def _continued(desk: Desk, before: Job, job: Job) -> Job:
    """The same request after new metadata: what waits is sent under it, and no instant is asked about twice."""
    reached = max(sample.until(before) for sample in samples_of(desk, before).values())
    if job.kind in ONCE or reached < job.first:
        return attrs.evolve(job, deliver_at=before.deliver_at)
    on_grid = reached - (reached - job.first) % timedelta(seconds=job.every_s)
    return attrs.evolve(job, reached=reached, next_at=job.following(on_grid), deliver_at=before.deliver_at)


def _r_ids(request: ReportRequest) -> tuple[str, ...]:
    return tuple(dict.fromkeys(payload.r_id for payload in request.report_specifier.specifier_payload))


def _step(request: ReportRequest, offer: ReportOffer, now: datetime) -> float:
    """Seconds between values: as asked, else the shortest at which all data points can be sampled."""
    asked = request.report_specifier.granularity
    if asked and kind_of(request, offer) is Kind.PERIODIC:
        return length_s(asked, now)
    wanted = set(_r_ids(request))
    rates = (one.oadr_sampling_rate for one in offer.report.oadr_report_description if one.r_id in wanted)
    shortest = max((float(rate.oadr_min_period.seconds) for rate in rates if rate), default=0.0)
    return shortest or USUAL_STEP_S


def aligned(at: datetime, step_s: float) -> datetime:
    """The first round multiple of the step, counted from 1970 in UTC, that is not before ``at``."""
    step = timedelta(seconds=step_s)
    return at if not step else _EPOCH + -((_EPOCH - at) // step) * step
