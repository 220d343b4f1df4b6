"""Report requests of this VTN, as what it remembers of a VEN: made, kept in step with the policy, taken back (5.3).

It stands alone because a request lives longer than any message: what is asked for is the business of
:mod:`oadr_core.reporting.asking`, what a VEN sends that of :mod:`.reports`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

import attrs

from ..engine import Trouble
from ..engine.copying import evolve
from ..engine.sharing import Shared
from ..errors import LocalError, shown
from ..model import (
    METADATA,
    CancelReport,
    CreateReport,
    Duration,
    Payload,
    ReportRequest,
    ReportSpecifier,
)
from ..reporting.asking import AskReport, StopReports, asked, by_rule, end_of, is_single, span, still_offered
from ..reporting.policy import choices
from ..reporting.requested import ReportRequestStopped
from .mailbox import has_room, post
from .state import FormerRequest, RequestedReport, Turn, VenState

STOPPED_KEPT: Final = 16
"""Requests that were taken back without a confirmation, of one VEN."""
FORMER_KEPT: Final = 16
"""Requests that are over, of one VEN: enough for values that were under way for some registrations."""
_UNSETTLED: Final = -1
"""The number of no policy."""


# --- made -----------------------------------------------------------------------------------------------------------


def by_policy(turn: Turn, ven: VenState) -> Iterator[ReportSpecifier]:
    """What the policy asks of what the VEN offers."""
    for report in ven.reports:
        for rule, r_ids in choices(turn.standing.policy, report, ven_id=ven.ven_id, ven_name=ven.ven_name):
            yield by_rule(turn.now, report, rule, r_ids)


def offered_anew(turn: Turn, ven: VenState) -> tuple[VenState, tuple[ReportRequest, ...]]:
    """R306: all requests are void but the periodic ones for metadata; asked for again is what is still wanted.

    The requests come back that are to ride on the reply (R344).
    """
    wishes = wishes_of(ven)
    void = {one for one, made in ven.requests.items() if not _is_lasting(made)}
    ven = attrs.evolve(over(_unposted(ven, void), void), wishes=(), policy=turn.standing.number)
    wanted = [*_wanted_again(turn, ven, wishes), *((specifier, False) for specifier in by_policy(turn, ven))]
    return _request(turn, ven, wanted, sent=turn.standing.policy.piggy_back)


def _wanted_again(
    turn: Turn, ven: VenState, wishes: Iterable[ReportSpecifier]
) -> Iterator[tuple[ReportSpecifier, bool]]:
    for wish in wishes:
        found = still_offered(turn.now, ven.reports, wish)
        if found is not None:
            yield found, True
        else:
            name = shown(wish.report_specifier_id)
            turn.tell(Trouble(text=f"{ven.ven_id} was asked for {name}, which it does not offer any more, or is over"))


def ask(turn: Turn, ven: VenState, command: AskReport) -> tuple[VenState, str]:
    """Carry out the operator's wish; the reportRequestID comes back.

    Raises :class:`~oadr_core.errors.LocalError` that names the field and the rule.
    """
    specifier = asked(turn.now, ven.reports, command)
    ven = _without_over(turn, ven)
    if len(ven.requests) >= turn.config.limits.report_requests:
        text = f"{ven.ven_id} is asked for {len(ven.requests)} reports, which is the limit"
        raise LocalError(text, path="limits/report_requests")
    one = _named(turn, specifier, "asked report")
    return _posted(turn, ven, ((one, True),)), one.report_request_id


def follow_policy(turn: Turn, ven: VenState) -> VenState:
    """The policy has changed since this VEN was last here: cancel what it does not ask for any more, and request what
    it asks for besides. What somebody asked for stays.
    """
    if len(ven.mailbox) + 2 > turn.config.limits.mailbox:
        return ven  # once there is room
    ven = attrs.evolve(_without_over(turn, ven), policy=turn.standing.number)
    if not ven.reports:
        return ven
    leaving = _leaving(ven)
    standing = {
        one: made.request.report_specifier
        for one, made in ven.requests.items()
        if not made.asked and not made.stopped and one not in leaving
    }
    wanted = list(_wanted_again(turn, ven, ven.wishes))
    for specifier in by_policy(turn, ven):
        same = next((one for one, other in standing.items() if _alike(specifier, other)), None)
        if same is not None:
            del standing[same]
        elif not (is_single(specifier) and _was_served(ven, specifier)):
            wanted.append((specifier, False))
    if standing:
        ven = stop(turn, ven, StopReports(ven_id=ven.ven_id, report_request_ids=tuple(standing)))
    return _request(turn, attrs.evolve(ven, wishes=()), wanted)[0]


def _request(
    turn: Turn, ven: VenState, wanted: Iterable[tuple[ReportSpecifier, bool]], *, sent: bool = False
) -> tuple[VenState, tuple[ReportRequest, ...]]:
    """Request these, each because somebody asked (``True``) or not; ``sent``: in another message, at once."""
    made = [(_named(turn, specifier, "report", place), by) for place, (specifier, by) in enumerate(wanted)]
    room = turn.config.limits.report_requests - len(ven.requests)
    if len(made) > room:
        turn.tell(Trouble(text=f"{ven.ven_id} could be asked for {len(made)} reports; {room} are, which is the limit"))
        made = made[:room]
    if not made:
        return ven, ()
    if not has_room(ven, turn.config):
        turn.tell(Trouble(text=f"too many messages wait for {ven.ven_id}; its reports are requested later"))
        wishes = tuple(one.report_specifier for one, by_somebody in made if by_somebody)
        return attrs.evolve(ven, policy=_UNSETTLED, wishes=wishes), ()
    return _posted(turn, ven, made, sent=sent), tuple(one for one, _ in made) if sent else ()


def _posted(turn: Turn, ven: VenState, made: Iterable[tuple[ReportRequest, bool]], *, sent: bool = False) -> VenState:
    """Remember requests, and put them into the mailbox; ``sent``: they are under way in another message already."""
    made = tuple(made)
    fresh = {one.report_request_id: RequestedReport(request=one, asked=by_somebody) for one, by_somebody in made}
    message = CreateReport(
        request_id=turn.token("create report"), oadr_report_request=tuple(one for one, _ in made), ven_id=ven.ven_id
    )
    ven = post(ven, turn.config, message, sent_at=turn.now.mono if sent else None)
    return attrs.evolve(ven, requests=MappingProxyType({**ven.requests, **fresh}))


def _named(turn: Turn, specifier: ReportSpecifier, *labels: object) -> ReportRequest:
    """R322: an identifier that no other request has."""
    return ReportRequest(report_request_id=turn.token(*labels), report_specifier=_sparing(turn.shared, specifier))


def _sparing(shared: Shared, specifier: ReportSpecifier) -> ReportSpecifier:
    """The same specifier; what many of them say alike is kept once."""
    names = ("report_specifier_id", "granularity", "report_back_duration", "specifier_payload")
    return evolve(specifier, **{name: shared(getattr(specifier, name)) for name in names})


def sparing(shared: Shared, ven: VenState) -> VenState:
    """The same state, with what many VENs offer and are asked for alike kept once."""
    requests = {
        one: attrs.evolve(
            made,
            request=evolve(made.request, report_specifier=_sparing(shared, made.request.report_specifier)),
        )
        for one, made in ven.requests.items()
    }
    reports = tuple(map(shared.parts, ven.reports))
    return attrs.evolve(ven, reports=reports, requests=MappingProxyType(requests))


# --- taken back -----------------------------------------------------------------------------------------------------


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
    leaving = _leaving(ven)
    ids = tuple(one for one in dict.fromkeys(command.report_request_ids) if one not in leaving)
    if not ids:
        return ven
    message = CancelReport(
        request_id=turn.token("cancel report"),
        report_request_id=ids,
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
            if turn.standing.policy.cancel_in_reply
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


def over(ven: VenState, report_request_ids: Iterable[str]) -> VenState:
    """These requests are over; what is needed to know their values when they come late is kept."""
    ids = {one for one in report_request_ids if one in ven.requests}
    if not ids:
        return ven
    kept = {one: made for one, made in ven.requests.items() if one not in ids}
    return attrs.evolve(ven, requests=MappingProxyType(kept), former=former_of(ven, ids))


def former_of(ven: VenState, ids: Container[str] | None = None) -> Mapping[str, FormerRequest]:
    """The requests that are over, with these among them (``None``: all), the latest last."""
    former = dict(ven.former)
    for one, made in ven.requests.items():
        specifier = made.request.report_specifier
        if (ids is None or one in ids) and specifier.report_specifier_id != METADATA:
            former[one] = FormerRequest(
                report_specifier_id=specifier.report_specifier_id,
                served=is_single(specifier) and bool(made.latest),
                latest=made.latest,
            )
    return MappingProxyType(dict(list(former.items())[-FORMER_KEPT:]))


def wishes_of(ven: VenState) -> tuple[ReportSpecifier, ...]:
    """What somebody asked for and has not got yet, for when the VEN has said anew what it offers."""
    leaving = _leaving(ven)
    return (
        *ven.wishes,
        *(
            made.request.report_specifier
            for one, made in ven.requests.items()
            if made.asked
            and not made.stopped
            and one not in leaving
            and made.request.report_specifier.report_specifier_id != METADATA
        ),
    )


def _is_lasting(made: RequestedReport) -> bool:
    """R306: periodic requests for metadata outlive new metadata."""
    specifier = made.request.report_specifier
    return specifier.report_specifier_id == METADATA and not is_single(specifier)


def _unposted(ven: VenState, ids: Container[str]) -> VenState:
    """Without what the mailbox says of these requests."""
    mails = ((mail, _without(mail.payload, ids)) for mail in ven.mailbox)
    kept = tuple(
        mail if payload is mail.payload else attrs.evolve(mail, payload=payload)
        for mail, payload in mails
        if payload is not None
    )
    return attrs.evolve(ven, mailbox=kept)


def _without(payload: Payload, ids: Container[str]) -> Payload | None:
    if isinstance(payload, CreateReport):
        requests = tuple(one for one in payload.oadr_report_request if one.report_request_id not in ids)
        if len(requests) < len(payload.oadr_report_request):
            return evolve(payload, oadr_report_request=requests) if requests else None
    elif isinstance(payload, CancelReport):
        kept = tuple(one for one in payload.report_request_id if one not in ids)
        if len(kept) < len(payload.report_request_id):
            return evolve(payload, report_request_id=kept) if kept else None
    return payload


def _without_over(turn: Turn, ven: VenState) -> VenState:
    """R325: requests whose interval has ended, and whose last report must have come."""
    done = []
    for one, made in ven.requests.items():
        specifier = made.request.report_specifier
        end = None if is_single(specifier) else end_of(specifier)
        if end is not None and turn.now.wall - end > 2 * span(specifier.report_back_duration):
            done.append(one)
    return over(ven, done)


def _leaving(ven: VenState) -> set[str]:
    """The requests whose cancellation is under way."""
    return {
        one for mail in ven.mailbox if isinstance(mail.payload, CancelReport) for one in mail.payload.report_request_id
    }


def _alike(one: ReportSpecifier, other: ReportSpecifier) -> bool:
    """True for requests for the same values, whenever they were made."""
    return evolve(one, report_interval=None) == evolve(other, report_interval=None) and _length(one) == _length(other)


def _length(specifier: ReportSpecifier) -> Duration | None:
    return specifier.report_interval.duration if specifier.report_interval else None


def _was_served(ven: VenState, specifier: ReportSpecifier) -> bool:
    return any(one.served and one.report_specifier_id == specifier.report_specifier_id for one in ven.former.values())


def _few_stopped(requests: dict[str, RequestedReport]) -> Mapping[str, RequestedReport]:
    """Requests that were taken back are remembered only to notice values that go on: the latest will do."""
    stopped = [one for one, requested in requests.items() if requested.stopped]
    for one in stopped[:-STOPPED_KEPT]:
        del requests[one]
    return MappingProxyType(requests)
