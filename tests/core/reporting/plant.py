"""A plant with meters on a bench: it answers every question, a VTN takes every report, and both may be away.

It stands alone because the tests of sampling, of store and forward and of days without a VTN all need the same: a
record of what was asked and answered, and of what has arrived, by request, data point and time (R346).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from oadr_core.engine import Failure, Tick
from oadr_core.model import (
    CreatedPartyRegistration,
    CreateReport,
    DistributeEvent,
    Payload,
    Poll,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    Report,
    ReportPayload,
    ReportRequest,
    UpdatedReport,
    UpdateReport,
)
from oadr_core.ven import (
    PollNow,
    ProvideReport,
    Reading,
    ReportDue,
    ReportOffer,
    ReportsLost,
    VenSession,
)
from tests.core.ven.bench import OK, Bench, nothing, registration

Answer = Callable[[ReportDue], tuple[Reading, ...]]
Key = tuple[str, str, datetime]
"""Request, data point, time."""


class Plant:
    """Drives a bench through time.

    ``answered`` is what the application has answered, ``arrived`` what the VTN has, ``copies`` how often. ``away``: the
    VTN cannot be reached; ``deaf``: it hears, but its replies are lost. ``silent``: nobody answers questions.
    """

    def __init__(self, *offers: ReportOffer, answer: Answer | None = None, **config: Any) -> None:
        self.bench = Bench(reports=offers, **config)
        self.bench.register()
        self.answer = answer or self.number
        self.away = self.deaf = self.silent = False
        self.queue: list[Payload] = []
        self.asked: list[ReportDue] = []
        self.answered: dict[Key, Any] = {}
        self.arrived: dict[Key, Any] = {}
        self.copies: dict[Key, int] = {}
        self.reports: list[Report] = []
        self.messages: list[tuple[datetime, UpdateReport]] = []
        self.lost: list[ReportsLost] = []
        self.numbers = 0
        self.moved_s = 0.0
        self.serve()

    def number(self, due: ReportDue) -> tuple[Reading, ...]:
        """Another number each time; for whole periods one per step."""
        times: list[datetime | None] = [None]
        if due.since < due.at:
            times = [due.since + n * due.interval for n in range(-((due.since - due.at) // due.interval))]
        readings = []
        for at in times:
            for r_id in due.r_ids:
                self.numbers += 1
                readings.append(Reading(r_id=r_id, value=float(self.numbers), at=at))
        return tuple(readings)

    # --- the VTN ----------------------------------------------------------------------------------------------------

    def ask(self, *requests: ReportRequest) -> None:
        """Let the VTN ask for reports with its next reply to a poll."""
        self.queue.append(CreateReport(request_id="q", oadr_report_request=requests, ven_id="ven-1"))
        self.bench.put(PollNow())
        self.serve()

    def reply(self, payload: Payload) -> Payload:
        if isinstance(payload, UpdateReport):
            self.take(payload)
            return UpdatedReport(ei_response=OK)
        if isinstance(payload, Poll) and self.queue:
            return self.queue.pop(0)
        if isinstance(payload, RegisterReport):
            return RegisteredReport(ei_response=OK)
        if isinstance(payload, QueryRegistration):
            return CreatedPartyRegistration(ei_response=OK, vtn_id="vtn-1")
        if type(payload).__name__ == "CreatePartyRegistration":
            return registration()
        if type(payload).__name__ == "RequestEvent":
            return DistributeEvent(ei_response=OK, request_id="d", vtn_id="vtn-1")
        return nothing()

    def take(self, payload: UpdateReport) -> None:
        self.messages.append((self.bench.wall, payload))
        for report in payload.oadr_report:
            self.reports.append(report)
            for key, value in values(report):
                self.arrived[key] = value
                self.copies[key] = self.copies.get(key, 0) + 1

    # --- time -------------------------------------------------------------------------------------------------------

    def serve(self, until: type[Payload] | None = None) -> None:
        """Answer what can be answered now; ``until``: but for a message of this kind."""
        for _ in range(20_000):
            questions = [told for told in self.bench.told if isinstance(told, ReportDue)]
            self.lost += [told for told in self.bench.told if isinstance(told, ReportsLost)]
            self.bench.told.clear()
            for due in questions:
                self.asked.append(due)
                if not self.silent:
                    self.give(due)
            if self.bench.idle:
                if not questions:
                    return
            elif until is not None and isinstance(self.bench.pending.payload, until):
                return
            elif self.away:
                self.bench.fail(Failure.UNREACHABLE)
            else:
                reply = self.reply(self.bench.pending.payload)
                if self.deaf:
                    self.bench.fail(Failure.TIMEOUT)
                else:
                    self.bench.answer(reply)
            self.bench.sent = self.bench.sent[-1:]
        raise AssertionError("it never comes to rest")

    def give(self, due: ReportDue) -> None:
        readings = self.answer(due)
        for reading in readings:
            self.answered[due.report_request_id, reading.r_id, reading.at or due.at] = reading.value
        command = ProvideReport(report_request_id=due.report_request_id, at=due.at, readings=readings)
        self.bench.put(command)

    def run(self, seconds: float) -> None:
        """Let time pass, with a tick at every timer on the way."""
        end = self.bench.mono + seconds
        self.serve()
        while True:
            timer = self.bench.session.next_timer(self.bench.now)
            if timer is None or timer > end + 1e-6:
                break
            self.bench._pass(max(timer - self.bench.mono, 0.001))
            self.bench.put(Tick())
            self.serve()
        self.bench._pass(max(end - self.bench.mono, 0.0))

    def sleep(self, seconds: float) -> None:
        """Let time pass while nobody wakes the session."""
        self.bench._pass(seconds)
        self.bench.put(Tick())
        self.serve()

    def set_clock(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self.moved_s += seconds
        self.bench.wall += timedelta(seconds=seconds)
        self.bench.put(Tick())
        self.serve()

    def restart(self, seconds: float = 0.0) -> None:
        """Another process takes over what was saved; the monotonic clock begins anew."""
        bench = self.bench
        bench.session = VenSession.restore(bench.session.config, bench.session.snapshot(), wire=False)
        bench.wall += timedelta(seconds=seconds)
        bench.mono = 5.0
        bench.sent.clear()
        bench.told.clear()
        bench.put(Tick())
        self.serve()

    @property
    def jobs(self) -> dict[str, Any]:
        return dict(self.bench.session.state.jobs)

    def missing(self) -> set[Key]:
        """What was answered, and has not arrived as it was answered."""
        return {key for key, value in self.answered.items() if self.arrived.get(key, (None,))[0] != value}


def values(report: Report) -> Iterator[tuple[Key, tuple[Any, Any]]]:
    """Value and quality of each data point and time."""
    for interval in report.intervals:
        for payload in interval.stream_payload_base:
            assert isinstance(payload, ReportPayload)
            assert interval.dtstart is not None
            key = (report.report_request_id, payload.r_id, interval.dtstart)
            yield key, (payload.payload_base, payload.oadr_data_quality)
