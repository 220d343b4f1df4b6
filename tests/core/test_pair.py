"""Two real ends and a network that loses, delays and repeats: whatever it does, both ends come to agree.

Typed payloads and virtual time; no bytes, no sockets.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import attrs
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from oadr_core.engine import (
    AbandonExchange,
    ExchangeFailed,
    Failure,
    Input,
    Notification,
    Now,
    Output,
    ReplyArrived,
    RequestArrived,
    SendReply,
    SendRequest,
    Tick,
)
from oadr_core.model import OptType
from oadr_core.ven import (
    Decide,
    DecisionNeeded,
    EventCancelled,
    OptDelivered,
    ProvideReport,
    Reading,
    Register,
    ReportDue,
    VenConfig,
    VenSession,
)
from oadr_core.vtn import (
    CancelEvent,
    ModifyEvent,
    OptReceived,
    PublishEvent,
    ReportReceived,
    VtnConfig,
    VtnSession,
    build_event,
    change_event,
)
from tests.core.ven.bench import offer

START = datetime(2025, 6, 1, 12, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Network:
    """How bad it is: shares of lost requests, lost replies and repeated requests, and the longest delay in seconds."""

    lost_requests: float = 0.0
    lost_replies: float = 0.0
    repeated: float = 0.0
    delay_s: float = 0.0


class Pair:
    """A VEN and a VTN in virtual time. The network's dice are seeded; the sessions have none."""

    def __init__(self, network: Network, seed: int) -> None:
        self.network = network
        self.dice = Random(seed)
        self.time = 0.0
        config = VenConfig(ven_name="v", reports=(offer("spec", "r1", shortest=10),), timeout=timedelta(seconds=10))
        self.ven = VenSession(config, key=b"v" * 16, wire=False)
        poll = timedelta(seconds=10)
        self.vtn = VtnSession(VtnConfig(vtn_id="VTN", identity="insecure", requested_poll_freq=poll), key=b"u" * 16)
        self.agenda: list[tuple[float, int, Callable[[], None]]] = []
        self.count = 0
        self.at_ven: list[Notification] = []
        self.at_vtn: list[Notification] = []
        self.abandoned: set[int] = set()
        self.opt = OptType.OPT_IN

    def now(self) -> Now:
        return Now(self.time, START + timedelta(seconds=self.time))

    def to_ven(self, something: Input) -> None:
        for output in self.ven.handle(something, self.now()):
            self._from_ven(output)

    def to_vtn(self, something: Input) -> tuple[Output, ...]:
        outputs = self.vtn.handle(something, self.now())
        self.at_vtn += [output for output in outputs if isinstance(output, Notification)]
        return outputs

    def _from_ven(self, output: Output) -> None:
        if isinstance(output, SendRequest):
            self._later(lambda: self._deliver(output))
        elif isinstance(output, AbandonExchange):
            self.abandoned.add(output.exchange)
        elif isinstance(output, Notification):
            self.at_ven.append(output)
        if isinstance(output, DecisionNeeded):
            descriptor = output.event.ei_event.event_descriptor
            self._later(
                lambda: self.to_ven(
                    Decide(
                        event_id=descriptor.event_id,
                        modification_number=descriptor.modification_number,
                        opt_type=self.opt,
                    )
                )
            )
        elif isinstance(output, ReportDue):
            readings = tuple(Reading(r_id=r_id, value=output.at.timestamp()) for r_id in output.r_ids)
            command = ProvideReport(report_request_id=output.report_request_id, at=output.at, readings=readings)
            self._later(lambda: self.to_ven(command))

    def _deliver(self, request: SendRequest) -> None:
        """Carry a request to the VTN and its reply back, as well as the network can."""
        if self._chance(self.network.lost_requests):
            failed = ExchangeFailed(exchange=request.exchange, failure=Failure.UNREACHABLE)
            self._later(lambda: self.to_ven(failed))
            return
        arrived = RequestArrived(exchange=request.exchange, service=request.service, payload=request.payload)
        for _ in range(2 if self._chance(self.network.repeated) else 1):
            [reply] = [output for output in self.to_vtn(arrived) if isinstance(output, SendReply)]
        if not self._chance(self.network.lost_replies):
            back = ReplyArrived(exchange=request.exchange, status=reply.status, payload=reply.payload)
            self._later(lambda: self.to_ven(back))

    def _chance(self, share: float) -> bool:
        return self.dice.random() < share

    def _later(self, what: Callable[[], None]) -> None:
        self.count += 1
        at = self.time + 0.01 + self.network.delay_s * self.dice.random()
        heapq.heappush(self.agenda, (at, self.count, what))

    def run(self, seconds: float) -> None:
        end = self.time + seconds
        for _ in range(100_000):
            timers = (("ven", self.ven.next_timer(self.now())), ("vtn", self.vtn.next_timer(self.now())))
            due = [(max(at, self.time), who) for who, at in timers if at is not None]
            if self.agenda:
                due.append((self.agenda[0][0], "agenda"))
            at, who = min(due, default=(end + 1, ""))
            if at > end:
                self.time = end
                return
            self.time = max(self.time, at)
            if who == "agenda":
                heapq.heappop(self.agenda)[2]()
            elif who == "ven":
                self.to_ven(Tick())
            else:
                self.to_vtn(Tick())
        raise AssertionError("the pair does not come to rest")

    def publish(self, event_id: str, minutes: int) -> None:
        event = build_event(
            signal_name="SIMPLE",
            signal_type="level",
            dtstart=self.now().seconds + timedelta(minutes=minutes),
            intervals=[(timedelta(minutes=30), 1.0)],
            market_context="http://example.com/p",
            event_id=event_id,
        )
        self.to_vtn(PublishEvent(event=event))

    def heard(self, kind: type, side: str = "vtn") -> list[Any]:
        return [note for note in (self.at_vtn if side == "vtn" else self.at_ven) if isinstance(note, kind)]

    def opts(self, event_id: str) -> dict[int, str]:
        """The last opt that the VTN has for each version of an event."""
        return {
            note.modification_number: str(note.opt_type)
            for note in self.heard(OptReceived)
            if note.event_id == event_id
        }


PERFECT = Network()
BAD = Network(lost_requests=0.3, lost_replies=0.3, repeated=0.3, delay_s=4.0)


@pytest.mark.parametrize("network", [PERFECT, BAD], ids=["perfect", "bad"])
@pytest.mark.parametrize("seed", range(5))
def test_published_modified_and_cancelled_events_reach_both_ends(network: Network, seed: int) -> None:
    pair = Pair(network, seed)
    pair.to_ven(Register())
    pair.run(600)
    assert pair.ven.registration is not None
    pair.publish("a", 120)
    pair.publish("b", 180)
    pair.run(1800)
    assert pair.opts("a") == {0: "optIn"}
    assert pair.opts("b") == {0: "optIn"}
    assert pair.heard(OptDelivered, "ven")
    changed = change_event(pair.vtn.events["a"].event, priority=1)
    pair.to_vtn(ModifyEvent(event=changed))
    pair.opt = OptType.OPT_OUT
    pair.run(1800)
    assert pair.opts("a") == {0: "optIn", 1: "optOut"}
    pair.to_vtn(CancelEvent(event_id="b"))
    pair.run(1800)
    assert pair.opts("b")[1] == "optOut"
    assert len(pair.heard(EventCancelled, "ven")) == 1
    assert set(pair.ven.state.events) == {"a"}
    pair.run(5_000)
    questions = [
        (note.event.ei_event.event_descriptor.event_id, note.event.ei_event.event_descriptor.modification_number)
        for note in pair.heard(DecisionNeeded, "ven")
    ]
    assert sorted(questions) == [("a", 0), ("a", 1), ("b", 0), ("b", 1)], "each version is asked about once"


@given(
    st.builds(
        Network,
        lost_requests=st.floats(0, 0.3),
        lost_replies=st.floats(0, 0.3),
        repeated=st.floats(0, 0.3),
        delay_s=st.floats(0, 4),
    ),
    st.integers(0, 2**32),
)
@settings(deadline=None, max_examples=8, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_every_sample_arrives_and_none_is_invented(network: Network, seed: int) -> None:
    """Caught: a resent report request that began its report anew."""
    pair = Pair(network, seed)
    pair.to_ven(Register())
    pair.run(1200)
    pair.network = PERFECT
    pair.run(300)
    values = [value for note in pair.heard(ReportReceived) for value in note.values]
    real = [value for value in values if value.data_quality is None]
    assert real
    assert all(value.value == value.dtstart.timestamp() for value in real)
    seconds = sorted({value.dtstart for value in values})
    gaps = {later - earlier for earlier, later in pairwise(seconds)}
    assert gaps == {timedelta(seconds=10)}, "samples are at round times, and none is missing"
