"""Whether a report request can be served, and what kind it is: codes and texts of what makes it impossible.

It stands alone as a table of rules (R300, R304, R317, R324, R325, R340): who asks for something else than what was
offered learns which identifier or duration is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

import attrs

from ..engine.schedule import later
from ..errors import shown
from ..model import METADATA, Duration, Properties, ReportDescription, ReportRequest
from .jobs import MOST_JOBS, Desk, Kind
from .offers import ReportOffer, find, longest

INVALID_ID: Final = "452"
INVALID_DATA: Final = "454"
COMPLIANCE: Final = "459"
UNSUPPORTED: Final = "461"
LONGEST_S: Final = 3_000_000_000
"""Some 95 years: longer periods are not asked for in earnest, and would leave the calendar."""
LONGEST_MONTHS: Final = 1_200
LAST_YEAR: Final = 9_000


@attrs.frozen
class Fault:
    """Why a request is refused (section 3.6)."""

    code: str
    text: str
    rule: str = ""


@attrs.frozen(kw_only=True)
class Case:
    """A request with what was offered, and the time at which it is judged."""

    request: ReportRequest
    offer: ReportOffer
    wall: datetime

    @property
    def granularity(self) -> Duration:
        return self.request.report_specifier.granularity

    @property
    def granularity_s(self) -> float:
        return length_s(self.granularity, self.wall)

    @property
    def back(self) -> Duration:
        return self.request.report_specifier.report_back_duration

    @property
    def back_s(self) -> float:
        return length_s(self.back, self.wall)

    @property
    def interval(self) -> Properties | None:
        return self.request.report_specifier.report_interval

    @property
    def points(self) -> tuple[ReportDescription, ...]:
        """The data points that are asked for; what is not offered is not among them."""
        wanted = {payload.r_id for payload in self.request.report_specifier.specifier_payload}
        return tuple(one for one in self.offer.report.oadr_report_description if one.r_id in wanted)


Check = Callable[[Case], Iterator[Fault]]


def length_s(duration: Duration, now: datetime) -> float:
    """Seconds of a duration; months are as long as they are from now on (PS 8.1)."""
    return (later(now, duration) - now).total_seconds() if duration.months else float(duration.seconds)


def kind_of(request: ReportRequest, offer: ReportOffer | None) -> Kind:
    """What is asked for, by reportSpecifierID, reportBackDuration and granularity (R317, R324, R327)."""
    specifier = request.report_specifier
    if specifier.report_specifier_id == METADATA:
        return Kind.METADATA
    if offer is not None and offer.is_history:
        return Kind.HISTORY
    if not specifier.report_back_duration:
        return Kind.ONE_SHOT
    return Kind.PERIODIC if specifier.granularity else Kind.ON_CHANGE


def fault(desk: Desk, request: ReportRequest) -> Fault | None:
    """The first thing that makes a request impossible; ``None`` if it can be served."""
    specifier = request.report_specifier
    offer = find(desk.offers, specifier.report_specifier_id)
    kind = kind_of(request, offer)
    if offer is None and kind is not Kind.METADATA:
        code = INVALID_ID if desk.offers else UNSUPPORTED
        return Fault(code, f"no report {shown(specifier.report_specifier_id)} is offered", "R304")
    found = next(_plain(specifier.granularity, specifier.report_back_duration, specifier.report_interval), None)
    if found is None and offer is not None:
        case = Case(request=request, offer=offer, wall=desk.now.wall)
        found = next((each for check in CHECKS[kind] for each in check(case)), None)
    if found is None and len(desk.jobs) >= MOST_JOBS and request.report_request_id not in desk.jobs:
        return Fault(COMPLIANCE, f"more than {MOST_JOBS} reports at once are not served")
    return found


def _plain(granularity: Duration, back: Duration, interval: Properties | None) -> Iterator[Fault]:
    """What calendars can reckon with; a peer may write any number (XCAL:29)."""
    for name, length in (("granularity", granularity), ("reportBackDuration", back)):
        if length.months < 0 or length.seconds < 0:
            yield Fault(INVALID_DATA, f"{name} is positive or zero, not {length}", "R317")
        elif length.seconds > LONGEST_S or length.months > LONGEST_MONTHS:
            yield Fault(INVALID_DATA, f"{name} is beyond the calendar", "R317")
    if interval is None:
        return
    length = interval.duration
    if interval.dtstart.year >= LAST_YEAR or abs(length.seconds) > LONGEST_S or abs(length.months) > LONGEST_MONTHS:
        yield Fault(INVALID_DATA, "reportInterval is beyond the calendar", "R325")
    elif length.seconds < 0 or length.months < 0:
        yield Fault(INVALID_DATA, f"the duration of reportInterval is positive or zero, not {length}", "R325")


def _offered(case: Case) -> Iterator[Fault]:
    """R300, R304: nothing but what the metadata list."""
    known = {description.r_id for description in case.offer.report.oadr_report_description}
    for payload in case.request.report_specifier.specifier_payload:
        if payload.r_id not in known:
            report = shown(case.offer.report.report_specifier_id)
            yield Fault(INVALID_ID, f"report {report} has no data point {shown(payload.r_id)}", "R304")


def _granularity(case: Case) -> Iterator[Fault]:
    """R317: within what is offered, and no longer than the time between reports."""
    if case.granularity_s > case.back_s:
        yield Fault(INVALID_DATA, f"granularity {case.granularity} is longer than reportBackDuration", "R317")
    for point in case.points:
        rate = point.oadr_sampling_rate
        if rate is None:
            continue
        low, high = rate.oadr_min_period, rate.oadr_max_period
        if not low.seconds <= case.granularity_s <= max(low.seconds, high.seconds):
            text = f"{shown(point.r_id)} is sampled every {low} to {high}, not every {case.granularity}"
            yield Fault(INVALID_DATA, text, "R317")


def _on_change(case: Case) -> Iterator[Fault]:
    """R317: no denser than the shortest sampling period, so not with reports that are denser still."""
    for point in case.points:
        rate = point.oadr_sampling_rate
        if rate is not None and rate.oadr_min_period.seconds > case.back_s:
            text = f"{shown(point.r_id)} is sampled every {rate.oadr_min_period} at most, not every {case.back}"
            yield Fault(INVALID_DATA, text, "R317")


def _amount(case: Case) -> Iterator[Fault]:
    """R340: no more in one report than is offered."""
    if case.back_s > longest(case.offer.report.duration):
        text = f"{case.back} of data are asked for, and {case.offer.report.duration} offered"
        yield Fault(INVALID_DATA, text, "R340")


def _still_to_come(case: Case) -> Iterator[Fault]:
    """R325: the period of telemetry is one in which samples can still be taken."""
    period = case.interval
    if period is not None and period.duration and later(period.dtstart, period.duration) <= case.wall:
        yield Fault(INVALID_DATA, "the reportInterval is over", "R325")


def _at_once(case: Case) -> Iterator[Fault]:
    """R317, R324: history is sent once, as it was recorded."""
    if case.granularity or case.back:
        yield Fault(INVALID_DATA, "granularity and reportBackDuration of history are zero", "R324")


def _past(case: Case) -> Iterator[Fault]:
    """R324, R325, R340: the range is told, has begun, and is no longer than what is kept."""
    period = case.interval
    if period is None:
        yield Fault(COMPLIANCE, "history needs a reportInterval", "R324")
        return
    if period.dtstart > case.wall:
        yield Fault(INVALID_DATA, "the reportInterval has not begun", "R325")
    kept = timedelta(seconds=longest(case.offer.report.duration))
    if period.duration and later(period.dtstart, period.duration) - period.dtstart > kept:
        text = f"{period.duration} of data are asked for, and {case.offer.report.duration} offered"
        yield Fault(INVALID_DATA, text, "R340")


CHECKS: Final[Mapping[Kind, tuple[Check, ...]]] = MappingProxyType(
    {
        Kind.ONE_SHOT: (_offered,),  # R324: granularity and interval are ignored
        Kind.PERIODIC: (_offered, _granularity, _amount, _still_to_come),
        Kind.ON_CHANGE: (_offered, _on_change, _amount, _still_to_come),
        Kind.HISTORY: (_offered, _at_once, _past),
        Kind.METADATA: (),
    }
)
"""What is checked of a request of each kind, in this order."""
