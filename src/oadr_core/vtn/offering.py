"""This VTN's own reports, for VENs that ask for them (R301, R510): what :mod:`oadr_core.reporting` does, for each VEN.

It stands alone because here the VTN is the side that has the data. Jobs and samples belong to the state of the VEN that
they are for; a report that is complete goes into its mailbox.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Final, Generic, TypeVar

import attrs

from ..engine import Notification, Now, Output, Trouble
from ..engine.copying import evolve
from ..engine.now import earliest
from ..engine.records import EMPTY
from ..errors import InvalidID, shown
from ..model import (
    METADATA,
    ZERO,
    CanceledReport,
    CancelReport,
    CreatedReport,
    CreateReport,
    EiResponse,
    Payload,
    RegisteredReport,
    RegisterReport,
    ReportRequest,
    Response,
    UpdatedReport,
    UpdateReport,
)
from ..reporting import buffer, jobs, sampling, serving
from ..reporting.jobs import Job, Samples
from ..reporting.judging import Fault
from ..reporting.offers import ReportOffer, metadata
from ..reporting.readings import ProvideReport, ReportBuffer, ReportDelivered
from . import replies
from .mailbox import discard, has_room, post, settle
from .replies import NotServed
from .state import Turn, VenState

_T = TypeVar("_T", float, datetime)
Keep = Callable[[VenState | None, VenState | None], None]


class VtnDesk:
    """What the reporter works with, for one VEN in one step; see :class:`~oadr_core.reporting.jobs.Desk`."""

    jitter: Final = False
    sending: Final[Samples] = EMPTY

    def __init__(self, turn: Turn, ven: VenState) -> None:
        self._turn = turn
        self.ven = ven

    @property
    def jobs(self) -> Mapping[str, Job]:
        return self.ven.jobs

    @jobs.setter
    def jobs(self, jobs: Mapping[str, Job]) -> None:
        self.ven = attrs.evolve(self.ven, jobs=jobs)

    @property
    def samples(self) -> Samples:
        return self.ven.samples

    @samples.setter
    def samples(self, samples: Samples) -> None:
        self.ven = attrs.evolve(self.ven, samples=samples)

    @property
    def now(self) -> Now:
        return self._turn.now

    @property
    def key(self) -> bytes:
        return self._turn.token("reports").encode()

    @property
    def offers(self) -> tuple[ReportOffer, ...]:
        return self._turn.config.offered_reports

    @property
    def buffer(self) -> ReportBuffer:
        return self._turn.config.report_buffer

    def tell(self, *outputs: Output) -> None:
        for output in outputs:
            assert isinstance(output, Notification), "reports send nothing by themselves"
            self._turn.tell(evolve(output, ven_id=self.ven.ven_id) if hasattr(output, "ven_id") else output)

    def number(self) -> int:
        return 0

    def offer(self, report_request_id: str) -> None:
        self.ven = tell_offer(self._turn, self.ven, report_request_id)

    def deliver(self) -> VenState:
        """Put what is complete into the mailbox, as far as there is room; it is safe there."""
        while has_room(self.ven, self._turn.config) and (batch := buffer.next_batch(self)) is not None:
            message = UpdateReport(
                request_id=self._turn.token("update", len(self.ven.mailbox), *batch.samples),
                oadr_report=batch.reports,
                ven_id=self.ven.ven_id,
            )
            self.ven = post(self.ven, self._turn.config, message)
            buffer.settle(self, batch.samples)
        return self.ven


# --- what is offered ------------------------------------------------------------------------------------------------


def tell_offer(turn: Turn, ven: VenState, report_request_id: str | None = None) -> VenState:
    """R301, R306: all that this VTN can report, which may be nothing; it ends all that was requested before."""
    desk = VtnDesk(turn, discard(ven, RegisterReport))
    if ven.jobs:
        jobs.replaced(desk)
    offer = RegisterReport(
        request_id=turn.token("register", report_request_id),
        oadr_report=metadata(turn.config.offered_reports, turn.now.seconds),
        ven_id=ven.ven_id,
        report_request_id=report_request_id,  # R311
    )
    return attrs.evolve(post(desk.ven, turn.config, offer), offered=turn.config.offer_number)


def work(turn: Turn, ven: VenState) -> VenState:
    """What time and a mailbox with room do to the reports of a VEN."""
    desk = VtnDesk(turn, ven)
    sampling.advance(desk)
    return desk.deliver()


def provide(turn: Turn, ven: VenState, command: ProvideReport) -> VenState:
    """Values from the application.

    Raises :class:`~oadr_core.errors.LocalError` for what could not be sent.
    """
    desk = VtnDesk(turn, ven)
    sampling.provide(desk, command)
    return desk.deliver()


# --- messages -------------------------------------------------------------------------------------------------------


def registered_report(turn: Turn, ven: VenState, payload: RegisteredReport) -> tuple[VenState, Payload]:
    """The VEN has taken our offer. A request that it adds is answered like any other (R344)."""
    ven, settled = settle(ven, lambda mail: isinstance(mail, RegisterReport))
    if not payload.ei_response.ok:
        code = payload.ei_response.response_code
        turn.tell(Trouble(text=f"{ven.ven_id} refuses our offer of reports: {code}", code=code, lost=settled))
    if payload.oadr_report_request:
        return _requested(turn, ven, payload.oadr_report_request, payload)
    return ven, Response(ei_response=replies.answer(payload), ven_id=ven.ven_id)


def create_report(turn: Turn, ven: VenState, payload: CreateReport) -> tuple[VenState, Payload]:
    """The VEN wants reports: what cannot be served is named, what is pending is listed (R329)."""
    return _requested(turn, ven, payload.oadr_report_request, payload)


def cancel_report(turn: Turn, ven: VenState, payload: CancelReport) -> tuple[VenState, Payload]:
    """The VEN takes requests back, perhaps with a last report to follow (R336, R345)."""
    if not any(one in ven.jobs for one in payload.report_request_id):
        raise InvalidID(f"the report request {shown(payload.report_request_id[0])} is unknown", rule="R336")
    desk = VtnDesk(turn, ven)
    outcome = serving.stop(desk, payload.report_request_id, follow=payload.report_to_follow)
    sampling.advance(desk)
    ven = desk.deliver()
    answer = CanceledReport(
        ei_response=_response(turn, ven, outcome, payload), oadr_pending_reports=jobs.pending(desk), ven_id=ven.ven_id
    )
    return ven, answer


def updated_report(turn: Turn, ven: VenState, payload: UpdatedReport) -> tuple[VenState, Payload]:
    """The VEN confirms a report of ours, or refuses it, and may take its request back with that (R328)."""
    ven, settled = settle(ven, lambda mail: isinstance(mail, UpdateReport))
    if settled is not None and not payload.ei_response.ok:
        code, text = payload.ei_response.response_code, payload.ei_response.response_description or ""
        turn.tell(Trouble(text=f"{ven.ven_id} refuses a report: {code} {shown(text)}", code=code, lost=settled))
    elif isinstance(settled, UpdateReport):
        turn.tell(*(ReportDelivered(report=report, ven_id=ven.ven_id) for report in settled.oadr_report))
    desk = VtnDesk(turn, ven)
    nested = payload.oadr_cancel_report
    if nested is not None:
        serving.stop(desk, nested.report_request_id, follow=nested.report_to_follow)
        sampling.advance(desk)
    return desk.deliver(), Response(ei_response=replies.answer(payload), ven_id=ven.ven_id)


def _requested(
    turn: Turn, ven: VenState, requests: tuple[ReportRequest, ...], payload: Payload
) -> tuple[VenState, Payload]:
    desk = VtnDesk(turn, ven)
    if not desk.offers:
        requests = tuple(map(_once, requests))
    outcome = serving.take_up(desk, requests)
    if any(one.report_specifier.report_specifier_id == METADATA for one in requests):
        if not has_room(discard(ven, RegisterReport), turn.config):
            raise NotServed("too many messages wait for this VEN")
        serving.offer_metadata(desk, requests)
    sampling.advance(desk)
    ven = desk.deliver()
    answer = CreatedReport(
        ei_response=_response(turn, ven, outcome, payload), oadr_pending_reports=jobs.pending(desk), ven_id=ven.ven_id
    )
    return ven, answer


def _once(request: ReportRequest) -> ReportRequest:
    """R510: who has no reports says so once, even if asked for it periodically."""
    if request.report_specifier.report_specifier_id != METADATA:
        return request
    return evolve(request, report_specifier=evolve(request.report_specifier, report_back_duration=ZERO))


def _response(turn: Turn, ven: VenState, outcome: Fault, payload: Payload) -> EiResponse:
    if not outcome.code.startswith("2"):
        turn.tell(Trouble(text=f"{ven.ven_id} asks in vain: {outcome.code} {outcome.text}", code=outcome.code))
    return replies.answer(payload, outcome.code, outcome.text)


# --- time -----------------------------------------------------------------------------------------------------------


class Reporter:
    """Knows which VENs are served reports, and when there is something to do for one of them."""

    def __init__(self) -> None:
        self._asleep: dict[str, None] = {}
        self._wall: _Agenda[datetime] = _Agenda()
        self._mono: _Agenda[float] = _Agenda()

    def restored(self, ven: VenState) -> None:
        """The state of a VEN as it was when the process ended: its deadlines begin anew."""
        if ven.jobs or ven.samples:
            self._asleep[ven.ven_id] = None

    def seen(self, before: VenState | None, after: VenState | None) -> None:
        """The state of a VEN has changed."""
        if before is not None and after is not None and before.jobs is after.jobs:
            return
        ven = after or before
        if ven is not None and (ven.jobs or (before is not None and before.jobs)):
            served: Iterable[Job] = after.jobs.values() if after is not None else ()
            self._wall.put(ven.ven_id, sampling.next_wall(served))
            self._mono.put(ven.ven_id, earliest(sampling.next_mono(served), buffer.next_delivery(served)))

    def next_timer(self, now: Now) -> float | None:
        """When :meth:`advance` has something to do, on mono."""
        if self._asleep:
            return now.mono
        wall = self._wall.first()
        return earliest(self._mono.first(), None if wall is None else now.mono_at(wall))

    def advance(self, turn: Turn, vens: Mapping[str, VenState], keep: Keep) -> None:
        """Time has passed: applications are asked, and what is complete is posted."""
        asleep, self._asleep = self._asleep, {}
        due = {*asleep, *self._wall.take(turn.now.wall), *self._mono.take(turn.now.mono)}
        for ven_id in sorted(due):
            before = vens.get(ven_id)
            if before is None:
                continue
            desk = VtnDesk(turn, before)
            if ven_id in asleep:
                sampling.wake(desk)
            after = work(turn, desk.ven)
            keep(before, after)


class _Agenda(Generic[_T]):
    """For each VEN one time; what was put before for it does not count any more."""

    def __init__(self) -> None:
        self._times: dict[str, _T] = {}
        self._heap: list[tuple[_T, str]] = []

    def put(self, ven_id: str, at: _T | None) -> None:
        if at is None:
            self._times.pop(ven_id, None)
        elif self._times.get(ven_id) != at:
            self._times[ven_id] = at
            heappush(self._heap, (at, ven_id))
            if len(self._heap) > 2 * len(self._times) + 64:
                self._heap = [(at, ven_id) for ven_id, at in self._times.items()]
                heapify(self._heap)

    def first(self) -> _T | None:
        while self._heap and self._times.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, until: _T) -> list[str]:
        """The VENs whose time has come; it is put anew when there is another."""
        found = []
        while (at := self.first()) is not None and at <= until:
            found.append(heappop(self._heap)[1])
            del self._times[found[-1]]
        return found
