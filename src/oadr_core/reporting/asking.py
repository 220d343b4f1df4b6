"""Report requests: made of what a peer offers, by a standing rule or because somebody asks (section 5.3).

It stands alone because the rules for a request (R300, R317, R321, R324, R325, R327, R338, R340) are the same for both
roles. What somebody asks for is refused at once, with the rule that is against it; what a rule asks for is moved to
where it is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

from ..engine import Now
from ..engine.exchange import Input
from ..engine.schedule import later
from ..errors import LocalError, shown
from ..model import (
    METADATA,
    ZERO,
    Duration,
    Properties,
    Report,
    ReportDescription,
    ReportSpecifier,
    SpecifierPayload,
)
from .offers import HISTORY
from .policy import ReportKind, ReportRule, bare_name

USUAL_GRANULARITY: Final = Duration(seconds=60)
"""For a report whose metadata do not say how often it can be sampled, which R333 demands."""
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_METADATA_POINT: Final = (SpecifierPayload(r_id="0"),)
_ON_THE_WAY: Final = timedelta(minutes=1)
"""Who wants all that is kept says since when, and that is a little longer ago when it is asked for."""
_SECOND: Final = timedelta(seconds=1)


@attrs.frozen(kw_only=True)
class AskReport(Input):
    """Ask a VEN (or, at a VEN, its VTN: ``ven_id`` is empty then) for a report that it has offered, or
    (``report_specifier_id`` METADATA) for its offers.

    ``r_ids``: empty means all of the report. ``granularity``: ``None`` means the shortest that is offered, zero values
    that have changed (R317). ``report_back_duration``: ``None`` means the granularity, or for values that have changed
    a minute, or as soon as is offered; zero a report at once, and no more (R324). ``dtstart`` (aware; ``None``: now, or
    for history the earliest that is offered) and ``duration`` (zero: without end) are the report interval (R325).

    The wish holds until it is taken back or served: it is asked for again when the peer offers its reports anew (R306)
    and the data are still among them.
    """

    ven_id: str = ""
    report_specifier_id: str
    r_ids: tuple[str, ...] = ()
    granularity: timedelta | None = None
    report_back_duration: timedelta | None = None
    dtstart: datetime | None = None
    duration: timedelta = timedelta()


@attrs.frozen(kw_only=True)
class StopReports(Input):
    """Take back report requests; ``report_to_follow`` asks for one last report (R345)."""

    ven_id: str = ""
    report_request_ids: tuple[str, ...]
    report_to_follow: bool = False


def span(duration: Duration) -> timedelta:
    """The length of a duration; months count as from the first of January 2000."""
    return later(_EPOCH, duration) - _EPOCH


def is_single(specifier: ReportSpecifier) -> bool:
    """True for a request of one report, now (R324)."""
    return not specifier.report_back_duration


def end_of(specifier: ReportSpecifier) -> datetime | None:
    """When the last value of a request will be measured; ``None`` for no end (R325)."""
    interval = specifier.report_interval
    return None if interval is None or not interval.duration else later(interval.dtstart, interval.duration)


# --- by a rule ------------------------------------------------------------------------------------------------------


def by_rule(now: Now, report: Report, rule: ReportRule, r_ids: tuple[str, ...]) -> ReportSpecifier:
    """What a rule asks of some data points of an offered report."""
    points = _points(report, r_ids)
    dtstart, duration = now.seconds, _as_duration(rule.duration) or ZERO
    granularity = back = ZERO
    if rule.ask is ReportKind.HISTORY:
        offered = _spanned(report)
        reach = min((one for one in (offered, rule.history) if one is not None), default=timedelta())
        dtstart, duration = dtstart - reach, ZERO
    elif rule.ask in (ReportKind.PERIODIC, ReportKind.ON_CHANGE):
        shortest = _granularity(_described(report, r_ids), rule.granularity)
        granularity = shortest if rule.ask is ReportKind.PERIODIC else ZERO
        back = max(shortest, _as_duration(rule.report_back_duration) or _usual_back(rule, shortest), key=span)
        if report.duration and span(report.duration) < span(back):  # R340: no more than offered
            back = max(shortest, report.duration, key=span)
    return _specifier(report, granularity, back, Properties(dtstart=dtstart, duration=duration), points)


def _usual_back(rule: ReportRule, granularity: Duration) -> Duration:
    return USUAL_GRANULARITY if rule.ask is ReportKind.ON_CHANGE else granularity


# --- because somebody asks ------------------------------------------------------------------------------------------


def asked(now: Now, reports: Iterable[Report], command: AskReport) -> ReportSpecifier:
    """What somebody asks for, of these offers.

    Raises :class:`~oadr_core.errors.LocalError` that names the field and the rule.
    """
    granularity = _given(command.granularity, "granularity")
    back = _given(command.report_back_duration, "report_back_duration")
    if command.report_specifier_id == METADATA:  # R327, R308
        return ReportSpecifier(
            report_specifier_id=METADATA,
            granularity=granularity or ZERO,
            report_back_duration=back or ZERO,
            specifier_payload=_METADATA_POINT,
        )
    report = _offered(reports, command.report_specifier_id)
    r_ids = _known(report, command.r_ids)
    if bare_name(report).startswith(HISTORY):
        granularity = back = ZERO  # R317, R324
        interval = _history(now, report, command)
    else:
        descriptions = _described(report, r_ids)
        shortest = _granularity(descriptions, None)
        granularity = shortest if granularity is None else granularity
        if back is None:
            back = granularity or max(USUAL_GRANULARITY, shortest, key=span)
        if back:  # R324: a single report has no granularity
            _check(report, descriptions, granularity, back)
        interval = _interval(now, command)
    return _specifier(report, granularity, back, interval, _points(report, r_ids))


def still_offered(now: Now, reports: Iterable[Report], specifier: ReportSpecifier) -> ReportSpecifier | None:
    """The same wish for offers that are new (R306): from now on, if it began before; ``None`` when it cannot be had."""
    interval, dtstart, duration = specifier.report_interval, None, timedelta()
    if interval is not None:
        end = end_of(specifier)
        if end is not None and end <= now.wall and not is_single(specifier):
            return None
        is_past = is_single(specifier)  # history is asked for from when it was
        dtstart = interval.dtstart if is_past else max(interval.dtstart, now.seconds)
        duration = timedelta() if end is None else max(end - dtstart, _SECOND)
    command = AskReport(
        report_specifier_id=specifier.report_specifier_id,
        r_ids=tuple(one.r_id for one in specifier.specifier_payload),
        granularity=span(specifier.granularity),
        report_back_duration=span(specifier.report_back_duration),
        dtstart=dtstart,
        duration=duration,
    )
    try:
        return asked(now, reports, command)
    except LocalError:
        return None


def _history(now: Now, report: Report, command: AskReport) -> Properties:
    offered = _spanned(report)
    if command.dtstart is None and offered is None:
        raise LocalError("a history report needs the earliest time (R324)", path="dtstart", rule="R324")
    if command.dtstart is None and offered is not None:
        return Properties(dtstart=now.seconds - offered, duration=_given(command.duration, "duration") or ZERO)
    interval = _interval(now, command)
    length = span(interval.duration) if interval.duration else now.seconds - interval.dtstart
    if offered is not None and not interval.duration and offered < length <= offered + _ON_THE_WAY:
        return Properties(dtstart=now.seconds - offered, duration=ZERO)
    if offered is not None and length > offered:
        text = f"{length} is more than the {report.duration} that is offered (R340)"
        raise LocalError(text, path="duration" if interval.duration else "dtstart", rule="R340")
    return interval


def _interval(now: Now, command: AskReport) -> Properties:
    dtstart = now.seconds
    if command.dtstart is not None:
        if command.dtstart.tzinfo is None:
            text = f"a datetime with a time zone is expected, not {command.dtstart!r}"
            raise LocalError(text, path="dtstart", rule="R1")
        dtstart = command.dtstart.astimezone(UTC).replace(microsecond=0)
    return Properties(dtstart=dtstart, duration=_given(command.duration, "duration") or ZERO)


def _check(report: Report, descriptions: tuple[ReportDescription, ...], granularity: Duration, back: Duration) -> None:
    if granularity:
        for low, high in _periods(descriptions):
            if span(granularity) < span(low) or (high and span(granularity) > span(high)):
                text = f"{granularity} is not between {low} and {high}, which is offered (R317)"
                raise LocalError(text, path="granularity", rule="R317")
    elif any(rate and not rate.oadr_on_change for rate in (one.oadr_sampling_rate for one in descriptions)):
        raise LocalError("values on change (granularity zero) are not offered (R317)", path="granularity", rule="R317")
    else:
        for low, _ in _periods(descriptions):
            if span(low) > span(back):
                text = f"{back} is shorter than {low}, which is offered (R317)"
                raise LocalError(text, path="report_back_duration", rule="R317")
    if span(granularity) > span(back):
        text = f"{granularity} is longer than report_back_duration {back} (R317)"
        raise LocalError(text, path="granularity", rule="R317")
    if report.duration and span(back) > span(report.duration):
        text = f"{back} is more than the {report.duration} that is offered (R340)"
        raise LocalError(text, path="report_back_duration", rule="R340")


def _offered(reports: Iterable[Report], report_specifier_id: str) -> Report:
    for report in (reports := tuple(reports)):
        if report.report_specifier_id == report_specifier_id:
            return report
    known = ", ".join(shown(report.report_specifier_id) for report in reports) or "nothing"
    text = f"offered is {known}, not {shown(report_specifier_id)}"
    raise LocalError(text, path="report_specifier_id", rule="R300")


def _known(report: Report, r_ids: tuple[str, ...]) -> tuple[str, ...]:
    offered = dict.fromkeys(described.r_id for described in report.oadr_report_description)
    for r_id in r_ids:
        if r_id not in offered:
            text = f"{shown(report.report_specifier_id)} has {', '.join(map(shown, offered))}, not {shown(r_id)}"
            raise LocalError(text, path="r_ids", rule="R300")
    found = tuple(dict.fromkeys(r_ids)) or tuple(offered)
    if not found:
        text = f"{shown(report.report_specifier_id)} has no data points"
        raise LocalError(text, path="report_specifier_id", rule="R300")
    return found


# --- parts ----------------------------------------------------------------------------------------------------------


def _specifier(
    report: Report,
    granularity: Duration,
    back: Duration,
    interval: Properties,
    points: tuple[SpecifierPayload, ...],
) -> ReportSpecifier:
    """R321: no tolerance, notification, ramps; R324, R325: an interval for all but a single telemetry report, where it
    does no harm.
    """
    return ReportSpecifier(
        report_specifier_id=report.report_specifier_id,
        granularity=_plain(granularity),
        report_back_duration=_plain(back),
        report_interval=interval,
        specifier_payload=points,
    )


def _plain(offered: Duration) -> Duration:
    """As we write it: a peer's ``P1H`` or ``P`` is read, and not sent (section 4.1)."""
    return Duration(months=offered.months, seconds=offered.seconds)


def _points(report: Report, r_ids: tuple[str, ...]) -> tuple[SpecifierPayload, ...]:
    """R338: the reading type of a request is x-notApplicable, which is the default; R321: without unit."""
    return tuple(SpecifierPayload(r_id=r_id) for r_id in r_ids)


def _described(report: Report, r_ids: tuple[str, ...]) -> tuple[ReportDescription, ...]:
    return tuple(described for described in report.oadr_report_description if described.r_id in r_ids)


def _spanned(report: Report) -> timedelta | None:
    """How much data is offered (R312)."""
    return span(report.duration) if report.duration else None


def _periods(descriptions: Iterable[ReportDescription]) -> Iterator[tuple[Duration, Duration]]:
    for description in descriptions:
        if (rate := description.oadr_sampling_rate) is not None:
            yield rate.oadr_min_period, rate.oadr_max_period


def _granularity(descriptions: tuple[ReportDescription, ...], preferred: timedelta | None) -> Duration:
    """R317: within what every data point offers, as near to the preferred as can be; without a preference the
    shortest.
    """
    periods = list(_periods(descriptions))
    shortest = max((low for low, _ in periods if low), key=span, default=None)
    longest = min((high for _, high in periods if high), key=span, default=None)
    chosen = _as_duration(preferred) or shortest or longest or USUAL_GRANULARITY
    if longest is not None:
        chosen = min(chosen, longest, key=span)
    return chosen if shortest is None else max(chosen, shortest, key=span)


def _as_duration(length: timedelta | None) -> Duration | None:
    return None if length is None else Duration.of(length)


def _given(length: object, path: str) -> Duration | None:
    if length is None:
        return None
    if not isinstance(length, timedelta) or length < timedelta() or length.microseconds:
        raise LocalError(f"a timedelta of whole seconds is expected, not {length!r}", path=path)
    return Duration.of(length)
