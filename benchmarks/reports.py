"""What reports cost a VTN: one large report from its making to the disk, values a second, and memory.

It stands alone because it measures across the layers: the model, the codec, a session and a database. Times of parts
are CPU time, which other work on the machine disturbs less than the clock; values a second are by the clock, for a
commit waits for the disk. Memory is what tracemalloc counts; every message passes as bytes.
"""

from __future__ import annotations

import gc
import platform
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any, Final, TypeVar

from benchmarks.rounds import FULL, Effort
from oadr_core import decode, encode
from oadr_core.engine import Now, ReportReceived, RequestArrived, SaveState, SendReply
from oadr_core.model import (
    CreatedReport,
    CreatePartyRegistration,
    Duration,
    EiResponse,
    Poll,
    ReadingType,
    RegisteredReport,
    RegisterReport,
    Report,
    ReportDescription,
    ReportName,
    ReportType,
    SamplingRate,
    UpdateReport,
    Voltage,
)
from oadr_core.reporting.readings import Reading
from oadr_core.reporting.shapes import reports
from oadr_core.vtn import VtnConfig, VtnLimits, VtnSession
from oadr_transports.stores import SqliteStore

WHOLE_LIMIT_S: Final = 60e-3
MEMORY_LIMIT: Final = 1.5 * 1024
RATE_LIMIT: Final = 50_000
INTERVALS, POINTS = 1_440, 10
"""A day of minutes, from ten meters."""
VENS: Final = 10_000
HOUR: Final = 60
START: Final = datetime(2030, 1, 1, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)
OK: Final = EiResponse(response_description="OK")
_T = TypeVar("_T")


def measure(effort: Effort = FULL, vens: int = VENS) -> dict[str, Any]:
    """Run all measurements and return plain data: seconds, values a second, bytes, and the targets."""
    with tempfile.TemporaryDirectory() as folder:
        parts = whole(effort, Path(folder) / "whole.db")
        rates = {
            f"{intervals} interval{'s' if intervals > 1 else ''} × {POINTS} rIDs": rate(
                effort, Path(folder) / f"rate-{intervals}.db", intervals
            )
            for intervals in (1, HOUR, INTERVALS)
        }
    registered, reporting = memory(vens)
    medians = {name: median(times) for name, times in parts.items()}
    slowest = min(each["store"] for each in rates.values())
    size = f"{INTERVALS} intervals × {POINTS} rIDs"
    targets = [
        _at_most(f"{size}, whole way, ms of CPU", medians["all"] * 1e3, WHOLE_LIMIT_S * 1e3),
        _at_most(f"all memory of a reporting VEN among {vens:,}, KiB", reporting / 1024, MEMORY_LIMIT / 1024),
        _at_least("SQLite: values a second of received reports", slowest, RATE_LIMIT),
    ]
    return {
        "benchmark": "reports",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rounds": effort.rounds,
        "median_s": medians,
        "values_per_s": rates,
        "memory_bytes": {"registered": registered, "reporting": reporting},
        "targets": targets,
    }


def _at_most(title: str, value: float, limit: float) -> dict[str, Any]:
    return {"title": title, "value": value, "limit": limit, "met": value <= limit}


def _at_least(title: str, value: float, limit: float) -> dict[str, Any]:
    return {"title": title, "value": value, "limit": limit, "met": value >= limit, "at_least": True}


# --- one large report -----------------------------------------------------------------------------------------------


def whole(effort: Effort, path: Path) -> dict[str, list[float]]:
    """CPU seconds of each part of the way of one large report, and of all, in each round."""
    vtn = _Vtn()
    ven = vtn.join("ven")
    samples: dict[str, list[float]] = {name: [] for name in ("build", "encode", "decode", "receive", "store", "all")}
    with _store(path) as store:
        for number in range(effort.rounds + 1):  # the first one warms up
            readings = _measured(START + number * INTERVALS * MINUTE, INTERVALS)
            with _paused():
                parts = _Parts()
                payload = parts.take("build", lambda readings=readings: ven.report(readings))
                data = parts.take("encode", lambda payload=payload: encode(payload))
                message = parts.take("decode", lambda data=data: decode(data))
                step = parts.take("receive", lambda message=message: vtn.take(message.payload))
                parts.take("store", lambda step=step: store.commit(*_changes(step)))
            assert sum(len(one.values) for one in step.reports) == INTERVALS * POINTS
            if number:
                for name, taken in parts.taken.items():
                    samples[name].append(taken)
                samples["all"].append(sum(parts.taken.values()))
        assert sum(one.count for one in store.summaries()) == (effort.rounds + 1) * INTERVALS * POINTS
    return samples


def _measured(begin: datetime, intervals: int) -> list[tuple[datetime, Reading]]:
    """What ten meters say, minute by minute."""
    return [
        (
            begin + at * MINUTE,
            Reading(r_id=f"r{point}", value=229.5 + (at * POINTS + point) % 997 / 100, duration=MINUTE),
        )
        for at in range(intervals)
        for point in range(POINTS)
    ]


class _Parts:
    def __init__(self) -> None:
        self.taken: dict[str, float] = {}

    def take(self, name: str, work: Callable[[], _T]) -> _T:
        begin = process_time()
        result = work()
        self.taken[name] = process_time() - begin
        return result


# --- values a second ------------------------------------------------------------------------------------------------


def rate(effort: Effort, path: Path, intervals: int) -> dict[str, float]:
    """Values a second by the clock, of reports with so many intervals: through the session and the database, and the
    database alone. As many reports are committed together as arrive during one commit: a thousand small ones, or one
    large one.
    """
    vtn, together = _Vtn(), max(1, 1_000 // intervals)
    vens = [vtn.join(f"ven-{number}") for number in range(together)]
    whole_rates, store_rates = [], []
    with _store(path) as store:
        for number in range(max(3, effort.rounds // 3) + 1):
            begin = START + number * intervals * MINUTE
            messages = [encode(ven.report(_measured(begin, intervals))) for ven in vens]
            with _paused():
                clock = perf_counter()
                steps = [vtn.arrived(data) for data in messages]
                middle = perf_counter()
                changes, reports = {}, []
                for step in steps:
                    more, received = _changes(step)
                    changes.update(more)
                    reports.extend(received)
                store.commit(changes, reports)
                end = perf_counter()
            values = sum(len(one.values) for one in reports)
            assert values == together * intervals * POINTS
            if number:
                whole_rates.append(values / (end - clock))
                store_rates.append(values / (end - middle))
    return {"session and store": median(whole_rates), "store": median(store_rates)}


def _changes(step: SaveState) -> tuple[dict[str, bytes | None], tuple[ReportReceived, ...]]:
    return {record.key: record.data() for record in step.records}, step.reports


@contextmanager
def _store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def _paused() -> Iterator[None]:
    """The garbage collector waits, as it does not belong to any one part."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


# --- memory ---------------------------------------------------------------------------------------------------------


def memory(vens: int) -> tuple[float, float]:
    """Bytes that a VTN holds of each VEN that has registered, offered a report of ten data points and been asked for
    it; and all that it holds when the VEN has reported every minute for some minutes.
    """
    _Vtn().join("first")  # what all share is loaded
    ven = _Ven("VEN-ID", "REQUEST-ID")
    reports = [encode(ven.report(_measured(START + minute * MINUTE, 1))) for minute in range(3)]
    gc.collect()
    tracemalloc.start()
    try:
        before = _traced()
        vtn = _Vtn()
        for number in range(vens):
            vtn.join(f"ven-{number}")
        registered = _traced() - before
        for report in reports:
            for ven_id, state in vtn.session.vens.items():
                [request_id] = state.requests
                vtn.arrived(report.replace(b"VEN-ID", ven_id.encode()).replace(b"REQUEST-ID", request_id.encode()))
        reporting = _traced() - before
    finally:
        tracemalloc.stop()
    return registered / vens, reporting / vens


def _traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


# --- who takes part -------------------------------------------------------------------------------------------------


class _Ven:
    """A VEN that sends what is wanted."""

    def __init__(self, ven_id: str, report_request_id: str) -> None:
        self.ven_id = ven_id
        self.report_request_id = report_request_id

    def report(self, readings: list[tuple[datetime, Reading]]) -> UpdateReport:
        """A message with what was measured, as a VEN makes it."""
        made = reports(
            readings,
            report_request_id=self.report_request_id,
            report_specifier_id="telemetry",
            report_name=ReportName.TELEMETRY_USAGE,
            created=readings[-1][0] + MINUTE,
            grouped=True,
        )
        return UpdateReport(request_id="request", ven_id=self.ven_id, oadr_report=tuple(made))


class _Vtn:
    """A VTN whose VENs offer one report of ten data points."""

    def __init__(self) -> None:
        limits = VtnLimits(vens=2 * VENS)
        config = VtnConfig(vtn_id="VTN-1", identity="insecure", limits=limits, resend_after=timedelta(hours=10))
        self.session = VtnSession(config, key=b"u" * 16)
        self.now = Now(1000.0, START + timedelta(days=400))

    def join(self, name: str) -> _Ven:
        """A new VEN: registered, its offer taken, its answer to the request for it too."""
        registered = self._reply("EiRegisterParty", _REGISTER.replace(b"VEN-NAME", name.encode()))
        ven_id = decode(registered).payload.ven_id
        self._reply("EiReport", _OFFER.replace(b"VEN-ID", ven_id.encode()))
        [report_request_id] = self.session.vens[ven_id].requests
        for answer in (_TAKEN, _AGREED):  # the VTN offers no reports of its own, and wants that of the VEN
            self._reply("OadrPoll", _POLL.replace(b"VEN-ID", ven_id.encode()))
            named = answer.replace(b"VEN-ID", ven_id.encode())
            self._reply("EiReport", named.replace(b"REQUEST-ID", report_request_id.encode()))
        assert not self.session.vens[ven_id].mailbox
        return _Ven(ven_id, report_request_id)

    def arrived(self, data: bytes) -> SaveState:
        """Values as bytes."""
        return self._saved(RequestArrived(exchange=1, service="EiReport", data=data))

    def take(self, payload: Any) -> SaveState:
        """Values as a payload."""
        return self._saved(RequestArrived(exchange=1, service="EiReport", payload=payload))

    def _saved(self, request: RequestArrived) -> SaveState:
        [step] = [one for one in self.session.handle(request, self.now) if isinstance(one, SaveState)]
        return step

    def _reply(self, service: str, data: bytes) -> bytes:
        outputs = self.session.handle(RequestArrived(exchange=1, service=service, data=data), self.now)
        [reply] = [one for one in outputs if isinstance(one, SendReply)]
        return reply.data


def _offer() -> Report:
    rate = SamplingRate(oadr_min_period=Duration(seconds=60), oadr_max_period=Duration(seconds=60))
    return Report(
        duration=Duration(seconds=86400 * 2),
        oadr_report_description=tuple(
            ReportDescription(
                r_id=f"r{point}",
                report_type=ReportType.USAGE,
                item_base=Voltage(si_scale_code="none"),
                reading_type=ReadingType.DIRECT_READ,
                oadr_sampling_rate=rate,
            )
            for point in range(POINTS)
        ),
        report_request_id="0",
        report_specifier_id="telemetry",
        report_name=ReportName.METADATA_TELEMETRY_USAGE,
        created_date_time=START,
    )


_REGISTER: Final = encode(CreatePartyRegistration(request_id="r", oadr_ven_name="VEN-NAME", oadr_http_pull_model=True))
_OFFER: Final = encode(RegisterReport(request_id="r", ven_id="VEN-ID", oadr_report=(_offer(),)))
_POLL: Final = encode(Poll(ven_id="VEN-ID"))
_TAKEN: Final = encode(RegisteredReport(ei_response=OK, ven_id="VEN-ID"))
_AGREED: Final = encode(CreatedReport(ei_response=OK, oadr_pending_reports=("REQUEST-ID",), ven_id="VEN-ID"))
"""The messages of a VEN that joins; only the names change."""
