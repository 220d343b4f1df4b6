"""What a session costs: the time of a poll step on both sides, and the memory of a registered VEN on both sides.

Times are of typed payloads, for the codec has a benchmark of its own. A poll step of the VEN is the tick that makes it
poll, and the reply that brings nothing; that of the VTN is the poll and its reply. Memory is what tracemalloc counts;
every message passes as bytes there, so that neither side holds what the other has made.
"""

from __future__ import annotations

import gc
import platform
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median
from time import perf_counter
from typing import Any, Final

from benchmarks.rounds import FULL, Effort
from oadr_core.engine import Input, Now, ReplyArrived, RequestArrived, SendReply, SendRequest, Tick
from oadr_core.model import (
    CreatePartyRegistration,
    Duration,
    EiResponse,
    OptType,
    Poll,
    ReadingType,
    Report,
    ReportDescription,
    ReportName,
    ReportType,
    Response,
    SamplingRate,
    Voltage,
)
from oadr_core.ven import Decide, DecisionNeeded, Register, ReportOffer, VenConfig, VenSession
from oadr_core.vtn import PublishEvent, VtnConfig, VtnLimits, VtnSession, build_event

VEN_LIMIT_S: Final = 60e-6
VTN_LIMIT_S: Final = 80e-6
GROWTH_LIMIT: Final = 1.25
"""A poll among 100,000 VENs, or beside thousands of events of others, in a poll among 1,000: equal but for caches."""
MEMORY_LIMIT: Final = 24 * 1024
FEW, MANY, EVENTS = 1_000, 100_000, 5_000
TWINS: Final = 40
"""VENs whose memory is measured together."""
START: Final = datetime(2030, 1, 1, tzinfo=UTC)
OK: Final = EiResponse(response_description="OK")


def measure(effort: Effort = FULL) -> dict[str, Any]:
    """Run all measurements and return plain data: seconds, bytes, and the targets."""
    few, many, busy = vtn_of(FEW), vtn_of(MANY), vtn_of(FEW, EVENTS)
    steps: dict[str, Callable[[], None]] = {
        "VEN": ven_step(),
        "VTN, 1,000 VENs": few,
        "VTN, 100,000 VENs": many,
        "VTN, 5,000 events of others": busy,
    }
    samples: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(effort.rounds):
        for name, step in steps.items():
            samples[name].append(_time(step, effort.batch_s))
    medians = {name: median(times) for name, times in samples.items()}
    at_ven, at_vtn = memory()
    base = medians["VTN, 1,000 VENs"]
    others = medians["VTN, 5,000 events of others"]
    targets = [
        _target("VEN: a poll step, µs", medians["VEN"] * 1e6, VEN_LIMIT_S * 1e6),
        _target("VTN: a poll step among 100,000 VENs, µs", medians["VTN, 100,000 VENs"] * 1e6, VTN_LIMIT_S * 1e6),
        _target("VTN: 100,000 VENs against 1,000", medians["VTN, 100,000 VENs"] / base, GROWTH_LIMIT),
        _target("VTN: 5,000 events of others against none", others / base, GROWTH_LIMIT),
        _target("VEN: memory, KiB", at_ven / 1024, MEMORY_LIMIT / 1024),
        _target("VTN: memory of one VEN, KiB", at_vtn / 1024, MEMORY_LIMIT / 1024),
    ]
    return {
        "benchmark": "session",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rounds": effort.rounds,
        "median_s": medians,
        "memory_bytes": {"ven": at_ven, "vtn": at_vtn},
        "targets": targets,
    }


def _target(title: str, value: float, limit: float) -> dict[str, Any]:
    return {"title": title, "value": value, "limit": limit, "met": value <= limit}


def _time(step: Callable[[], None], batch_s: float) -> float:
    """Seconds of one step; the garbage collector waits, as it does not belong to any one step."""
    count = 0
    gc.disable()
    try:
        begin = perf_counter()
        while (taken := perf_counter() - begin) < batch_s:
            for _ in range(50):
                step()
            count += 50
    finally:
        gc.enable()
    return taken / count


# --- time -----------------------------------------------------------------------------------------------------------


def vtn_of(vens: int, others_events: int = 0) -> Callable[[], None]:
    """A poll step of a VTN with so many VENs, and so many events for others than the one that polls."""
    session = VtnSession(_vtn_config(), key=b"u" * 16, wire=False)
    now = Now(1000.0, START)
    ids = []
    for number in range(vens):
        message = CreatePartyRegistration(request_id="r", oadr_ven_name=f"v{number}", oadr_http_pull_model=True)
        arrived = RequestArrived(exchange=1, service="EiRegisterParty", payload=message)
        [reply] = [one for one in session.handle(arrived, now) if isinstance(one, SendReply)]
        ids.append(reply.payload.ven_id)
    mine = ids[vens // 2]
    for number in range(3 + others_events):
        ven_ids = (mine,) if number < 3 else (ids[number % 100],)
        session.handle(PublishEvent(event=_event(number), ven_ids=ven_ids), now)
    poll = RequestArrived(exchange=1, service="OadrPoll", payload=Poll(ven_id=mine))
    for _ in range(40):  # whatever waits is fetched, and given up
        session.handle(poll, Now(now.mono, START))
    step_at = now.mono

    def step() -> None:
        nonlocal step_at
        step_at += 1e-6
        session.handle(poll, Now(step_at, START))

    return step


def ven_step() -> Callable[[], None]:
    """A poll step of a VEN that knows three events and serves a report."""
    vtn = VtnSession(_vtn_config(), key=b"u" * 16, wire=False)
    ven = _Ven(vtn, "v", wire=False)
    ven.live()
    session = ven.session
    reply = Response(ei_response=OK, ven_id=session.registration.ven_id if session.registration else None)
    elapsed = ven.elapsed

    def step() -> None:
        nonlocal elapsed
        elapsed += 10.0  # events and samples are far away: the wall clock stands, so that only the poll is due
        now = Now(elapsed, ven.wall)
        outputs = session.handle(Tick(), now)
        for output in outputs:
            if isinstance(output, SendRequest):
                session.handle(ReplyArrived(exchange=output.exchange, payload=reply), now)

    return step


# --- memory ---------------------------------------------------------------------------------------------------------


def memory() -> tuple[float, float]:
    """Bytes of a VEN with one report and three events, and of its twin in the VTN."""
    vtn = VtnSession(_vtn_config(), key=b"u" * 16)
    _Ven(vtn, "first").live()  # what all share is loaded
    gc.collect()
    tracemalloc.start()
    try:
        before = _traced()
        vens = [_Ven(vtn, f"ven-{number}").live() for number in range(TWINS)]
        both = _traced() - before
        vens.clear()
        alone = _traced() - before
    finally:
        tracemalloc.stop()
    return (both - alone) / TWINS, alone / TWINS


def _traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


# --- what they do ---------------------------------------------------------------------------------------------------


def _vtn_config() -> VtnConfig:
    limits = VtnLimits(vens=2 * MANY, events=2 * EVENTS)
    return VtnConfig(vtn_id="VTN-1", identity="insecure", limits=limits, resend_after=timedelta(hours=10))


def _event(number: int) -> Any:
    return build_event(
        signal_name="ELECTRICITY_PRICE",
        signal_type="price",
        dtstart=START + timedelta(days=30, hours=number % 1000),
        intervals=[(timedelta(minutes=15), 0.1 * index) for index in range(4)],
        market_context="http://market.example/program",
        event_id=f"event-{number}",
    )


def _offer() -> ReportOffer:
    """A telemetry report with one data point."""
    return ReportOffer(
        report=Report(
            duration=Duration(seconds=3600),
            oadr_report_description=(
                ReportDescription(
                    r_id="voltage",
                    report_type=ReportType.USAGE,
                    item_base=Voltage(si_scale_code="none"),
                    reading_type=ReadingType.DIRECT_READ,
                    oadr_sampling_rate=SamplingRate(
                        oadr_min_period=Duration(seconds=3600), oadr_max_period=Duration(seconds=3600)
                    ),
                ),
            ),
            report_request_id="0",
            report_specifier_id="telemetry",
            report_name=ReportName.METADATA_TELEMETRY_USAGE,
            created_date_time=START,
        )
    )


class _Ven:
    """A real VEN session that talks to the VTN at once and without losses."""

    def __init__(self, vtn: VtnSession, name: str, *, wire: bool = True) -> None:
        config = VenConfig(ven_name=name, reports=(_offer(),), jitter=False)
        self.session = VenSession(config, key=name.encode() * 16, wire=wire)
        self.elapsed = 1000.0
        self.wall = START
        self._vtn = vtn
        self._wire = wire

    def live(self) -> VenSession:
        """Register, offer the report, be asked for it, get three events and answer them."""
        self._handle(Register())
        self._pass()
        registration = self.session.registration
        assert registration is not None
        for _ in range(3):
            number = self._vtn._book.published
            self._vtn.handle(PublishEvent(event=_event(number), ven_ids=(registration.ven_id,)), self._now())
        self._pass()
        assert len(self.session.state.events) == 3
        assert len(self.session.state.jobs) == 1
        twin = self._vtn.vens[registration.ven_id]
        assert len(twin.reports) == len(twin.requests) == 1
        assert [one.opt_type for one in twin.deliveries.values()] == [OptType.OPT_IN] * 3
        return self.session

    def _now(self) -> Now:
        return Now(self.elapsed, self.wall)

    def _pass(self) -> None:
        for _ in range(30):
            self.elapsed += 1.0
            self._handle(Tick())
        for _ in range(3):
            self.elapsed += 10.0
            self._handle(Tick())

    def _handle(self, something: Input) -> None:
        for output in self.session.handle(something, self._now()):
            if isinstance(output, SendRequest):
                payload = None if self._wire else output.payload
                arrived = RequestArrived(exchange=1, service=output.service, data=output.data, payload=payload)
                replies = self._vtn.handle(arrived, self._now())
                [reply] = [one for one in replies if isinstance(one, SendReply)]
                back = None if self._wire else reply.payload
                self._handle(ReplyArrived(exchange=output.exchange, data=reply.data, payload=back))
            elif isinstance(output, DecisionNeeded):
                descriptor = output.event.ei_event.event_descriptor
                number = descriptor.modification_number
                self._handle(Decide(event_id=descriptor.event_id, modification_number=number, opt_type=OptType.OPT_IN))
