"""Report requests of this VTN: made from what a VEN offers, by policy or by the operator's wish (section
5.3).

It stands alone because the rules for a request (R300, R317, R324, R325, R338, R340) are the same whoever
wants it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

import attrs

from ..engine import Now
from ..engine.copying import evolve
from ..engine.schedule import later
from ..errors import LocalError, shown
from ..model import (
    METADATA,
    ZERO,
    CancelReport,
    CreateReport,
    Duration,
    Properties,
    Report,
    ReportDescription,
    ReportRequest,
    ReportSpecifier,
    SpecifierPayload,
)
from .config import ReportPolicy
from .mailbox import has_room, post
from .messages import AskReport, ReportRequestStopped, StopReports
from .state import RequestedReport, Turn, VenState, with_item

METADATA_PREFIX: Final = "METADATA_"
"""How the name of an offered report begins; the report itself is named without (R313)."""
TELEMETRY: Final = "TELEMETRY_"
HISTORY: Final = "HISTORY_"
STOPPED_KEPT: Final = 16
"""Requests that were taken back without a confirmation, of one VEN."""
USUAL_GRANULARITY: Final = Duration(seconds=60)
"""For a report whose metadata do not say how often it can be sampled, which R333 demands."""
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


def span(duration: Duration) -> timedelta:
    """The length of a duration; months count as from the first of January 2000."""
    return later(_EPOCH, duration) - _EPOCH


def bare_name(report: Report) -> str:
    """The name of a report without METADATA_."""
    return (report.report_name or "").removeprefix(METADATA_PREFIX)


def wanted(turn: Turn, policy: ReportPolicy, reports: tuple[Report, ...]) -> tuple[ReportRequest, ...]:
    """The requests that the policy makes of an offer: every telemetry report with at least one data point."""
    if not policy.automatic:
        return ()
    requests = []
    for number, report in enumerate(reports):
        if not bare_name(report).startswith(TELEMETRY) or not report.oadr_report_description:
            continue
        granularity = _granularity(report.oadr_report_description, policy.granularity)
        back = max(granularity, _as_duration(policy.report_back_duration) or granularity, key=span)
        if report.duration and span(report.duration) < span(back):  # R340: no more than offered
            back = max(granularity, report.duration, key=span)
        requests.append(
            ReportRequest(
                report_request_id=turn.token("report", number),
                report_specifier=ReportSpecifier(
                    report_specifier_id=report.report_specifier_id,
                    granularity=granularity,
                    report_back_duration=back,
                    # R324, R325: from now on, without end
                    report_interval=Properties(dtstart=turn.now.seconds, duration=ZERO),
                    specifier_payload=_data_points(report, ()),
                ),
            )
        )
    return tuple(requests)


def request(turn: Turn, ven: VenState, requests: tuple[ReportRequest, ...], *, sent: bool = False) -> VenState:
    """Remember requests and put them into the mailbox; ``sent``: they are under way in another message
    already.
    """
    for one in requests:
        requested = RequestedReport(request=one)
        ven = attrs.evolve(ven, requests=with_item(ven.requests, one.report_request_id, requested))
    message = CreateReport(request_id=turn.token("create report"), oadr_report_request=requests, ven_id=ven.ven_id)
    return post(ven, turn.config, message, sent_at=turn.now.mono if sent else None)


def ask(turn: Turn, ven: VenState, command: AskReport) -> tuple[VenState, str]:
    """Carry out the operator's wish; the reportRequestID comes back.

    Raises :class:`~oadr_core.errors.LocalError` when the VEN has not offered that (R300).
    """
    report_request_id = turn.token("asked report")
    granularity = _given(command.granularity, "granularity")
    back = _given(command.report_back_duration, "report_back_duration")
    if command.report_specifier_id == METADATA:  # R327
        specifier = ReportSpecifier(
            report_specifier_id=METADATA,
            granularity=granularity or ZERO,
            report_back_duration=back or ZERO,
            specifier_payload=(SpecifierPayload(r_id="0"),),
        )
    else:
        specifier = _specifier(turn.now, _offered(ven, command.report_specifier_id), command, granularity, back)
    one = ReportRequest(report_request_id=report_request_id, report_specifier=specifier)
    return request(turn, ven, (one,)), report_request_id


def stop(turn: Turn, ven: VenState, command: StopReports) -> VenState:
    """Take requests back; they are forgotten when the VEN has answered.

    Raises :class:`~oadr_core.errors.LocalError` for a request that was never made.
    """
    if not command.report_request_ids:
        raise LocalError("at least one reportRequestID is expected", path="report_request_ids")
    for report_request_id in command.report_request_ids:
        if report_request_id not in ven.requests:
            text = f"{shown(report_request_id)} was not requested of {ven.ven_id}"
            raise LocalError(text, path="report_request_ids", rule="R304")
    message = CancelReport(
        request_id=turn.token("cancel report"),
        report_request_id=command.report_request_ids,
        report_to_follow=command.report_to_follow,
        ven_id=ven.ven_id,
    )
    return post(ven, turn.config, message)


def stop_at_once(turn: Turn, ven: VenState, updated: set[str]) -> tuple[VenState, CancelReport | None]:
    """What the reply to values of the requests ``updated`` takes back (R328): those whose cancellation has not been
    handed out yet. Nobody confirms this; if the values of one go on, it is cancelled by a message of its own (R335).
    """
    mail, message = next(
        (
            (mail, mail.payload)
            for mail in ven.mailbox
            if turn.config.reports.cancel_in_reply
            and mail.sent_at is None
            and isinstance(mail.payload, CancelReport)
            and not updated.isdisjoint(mail.payload.report_request_id)
        ),
        (None, None),
    )
    if mail is None or message is None:
        return _stop_again(turn, ven, updated), None
    now = tuple(one for one in message.report_request_id if one in updated)
    rest = tuple(one for one in message.report_request_id if one not in updated)
    remaining = (attrs.evolve(mail, payload=evolve(message, report_request_id=rest)),) if rest else ()
    stopped = {
        one: attrs.evolve(ven.requests[one], stopped=True, last_one_follows=message.report_to_follow)
        for one in now
        if one in ven.requests
    }
    ven = attrs.evolve(
        ven,
        mailbox=tuple(kept for one in ven.mailbox for kept in (remaining if one is mail else (one,))),
        requests=_few_stopped({**ven.requests, **stopped}),
    )
    turn.tell(ReportRequestStopped(ven_id=ven.ven_id, report_request_ids=now))
    return ven, evolve(message, report_request_id=now, request_id=turn.token("nested cancel"))


def _stop_again(turn: Turn, ven: VenState, updated: set[str]) -> VenState:
    """R335: values of a request that was taken back; the last report that was asked for is none of these (R345)."""
    changed: dict[str, RequestedReport] = {}
    again = []
    for one in sorted(updated):
        requested = ven.requests.get(one)
        if requested is None or not requested.stopped:
            continue
        if requested.last_one_follows:
            changed[one] = attrs.evolve(requested, last_one_follows=False)
        elif has_room(ven, turn.config):
            changed[one] = attrs.evolve(requested, stopped=False)
            again.append(one)
    if not changed:
        return ven
    ven = attrs.evolve(ven, requests=MappingProxyType({**ven.requests, **changed}))
    return stop(turn, ven, StopReports(ven_id=ven.ven_id, report_request_ids=tuple(again))) if again else ven


def _few_stopped(requests: dict[str, RequestedReport]) -> Mapping[str, RequestedReport]:
    """Requests that were taken back are remembered only to notice values that go on: the latest will do."""
    stopped = [one for one, requested in requests.items() if requested.stopped]
    for one in stopped[:-STOPPED_KEPT]:
        del requests[one]
    return MappingProxyType(requests)


def _specifier(
    now: Now, report: Report, command: AskReport, granularity: Duration | None, back: Duration | None
) -> ReportSpecifier:
    points = _data_points(report, command.r_ids)
    dtstart, duration = _start(now, command), _given(command.duration, "duration") or ZERO
    if bare_name(report).startswith(HISTORY):
        if command.dtstart is None:
            raise LocalError("a history report needs the earliest time (R324)", path="dtstart", rule="R324")
        granularity = back = ZERO  # R317, R324
    else:
        descriptions = [d for d in report.oadr_report_description if any(d.r_id == p.r_id for p in points)]
        if granularity is None:
            granularity = _granularity(tuple(descriptions), None)
        if granularity:
            _check_granularity(descriptions, granularity)
        back = granularity if back is None else back
        if back and span(granularity) > span(back):
            text = f"{granularity} is longer than report_back_duration {back} (R317)"
            raise LocalError(text, path="granularity", rule="R317")
        if report.duration and span(back) > span(report.duration):
            text = f"{back} is more than the {report.duration} that the VEN offers (R340)"
            raise LocalError(text, path="report_back_duration", rule="R340")
    return ReportSpecifier(
        report_specifier_id=report.report_specifier_id,
        granularity=granularity,
        report_back_duration=back,
        report_interval=Properties(dtstart=dtstart, duration=duration),
        specifier_payload=points,
    )


def _offered(ven: VenState, report_specifier_id: str) -> Report:
    for report in ven.reports:
        if report.report_specifier_id == report_specifier_id:
            return report
    known = ", ".join(report.report_specifier_id for report in ven.reports) or "nothing"
    text = f"{ven.ven_id} offers {known}, not {shown(report_specifier_id)}"
    raise LocalError(text, path="report_specifier_id", rule="R300")


def _data_points(report: Report, r_ids: tuple[str, ...]) -> tuple[SpecifierPayload, ...]:
    """R338: the reading type of a request is x-notApplicable, which is the default; R321: without unit."""
    offered = list(dict.fromkeys(description.r_id for description in report.oadr_report_description))
    for r_id in r_ids:
        if r_id not in offered:
            text = f"{report.report_specifier_id} has {', '.join(offered)}, not {shown(r_id)}"
            raise LocalError(text, path="r_ids", rule="R300")
    return tuple(SpecifierPayload(r_id=r_id) for r_id in r_ids or offered)


def _start(now: Now, command: AskReport) -> datetime:
    if command.dtstart is None:
        return now.seconds
    if command.dtstart.tzinfo is None:
        text = f"a datetime with a time zone is expected, not {command.dtstart!r}"
        raise LocalError(text, path="dtstart", rule="R1")
    return command.dtstart.astimezone(UTC).replace(microsecond=0)


def _periods(
    descriptions: tuple[ReportDescription, ...] | list[ReportDescription],
) -> Iterator[tuple[Duration, Duration]]:
    for description in descriptions:
        if (rate := description.oadr_sampling_rate) is not None:
            yield rate.oadr_min_period, rate.oadr_max_period


def _granularity(descriptions: tuple[ReportDescription, ...], preferred: timedelta | None) -> Duration:
    """R317: within what every data point offers, as near to the preferred as can be; without a preference
    the shortest.
    """
    periods = list(_periods(descriptions))
    shortest = max((low for low, _ in periods if low), key=span, default=None)
    longest = min((high for _, high in periods if high), key=span, default=None)
    chosen = _as_duration(preferred) or shortest or longest or USUAL_GRANULARITY
    if longest is not None:
        chosen = min(chosen, longest, key=span)
    return chosen if shortest is None else max(chosen, shortest, key=span)


def _check_granularity(descriptions: list[ReportDescription], granularity: Duration) -> None:
    for low, high in _periods(descriptions):
        if span(granularity) < span(low) or (high and span(granularity) > span(high)):
            text = f"{granularity} is not between {low} and {high}, which the VEN offers (R317)"
            raise LocalError(text, path="granularity", rule="R317")


def _as_duration(length: timedelta | None) -> Duration | None:
    return None if length is None else Duration.of(length)


def _given(length: object, path: str) -> Duration | None:
    if length is None:
        return None
    if not isinstance(length, timedelta) or length < timedelta() or length.microseconds:
        raise LocalError(f"a timedelta of whole seconds is expected, not {length!r}", path=path)
    return Duration.of(length)
