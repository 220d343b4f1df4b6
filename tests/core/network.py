"""A VEN and a VTN in virtual time, with a network between them that loses, delays, repeats and reorders, and with
processes that are killed and come back with what they had saved.

A request lives no longer than its connection: when its sender gives it up or dies, copies that are still on the way
are lost. Within that, copies and replies take their own time, and both ends may call each other at once.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import attrs

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
    SaveState,
    SendReply,
    SendRequest,
    Tick,
)
from oadr_core.model import OptType, Payload, ServiceName
from oadr_core.ven import Decide, DecisionNeeded, ProvideReport, Reading, Register, ReportDue, VenConfig, VenSession
from oadr_core.vtn import PushPolicy, VtnConfig, VtnSession
from tests.core.ven.bench import offer

START = datetime(2025, 6, 1, 12, tzinfo=UTC)
TIMEOUT = timedelta(seconds=10)


@attrs.frozen(kw_only=True)
class Network:
    """How bad it is: shares of lost requests, lost replies and repeated requests, and the longest delay in seconds."""

    lost_requests: float = 0.0
    lost_replies: float = 0.0
    repeated: float = 0.0
    delay_s: float = 0.0


GOOD = Network()


class End:
    """One of the two: its session, what it has saved, and what it has under way."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.saved: dict[str, bytes] = {}
        self.life = 0
        self.open: set[tuple[int, int]] = set()

    def save(self, outputs: tuple[Output, ...]) -> tuple[Output, ...]:
        """Commit what comes first; the rest is to be carried out."""
        if outputs and isinstance(outputs[0], SaveState):
            for record in outputs[0].records:
                if (data := record.data()) is None:
                    self.saved.pop(record.key, None)
                else:
                    self.saved[record.key] = data
            outputs = outputs[1:]
        assert not any(isinstance(output, SaveState) for output in outputs)
        return outputs


class Pair:
    """The two ends. ``push``: the VTN posts to the VEN, which does not poll. The dice are seeded."""

    def __init__(self, seed: int, *, push: bool = False) -> None:
        self.network = GOOD
        self.dice = Random(seed)
        self.time = 0.0
        address = "http://ven" if push else None
        report = offer("spec", "r1", shortest=60)
        self.ven_config = VenConfig(ven_name="v", reports=(report,), timeout=TIMEOUT, transport_address=address)
        self.vtn_config = VtnConfig(
            vtn_id="VTN",
            identity="insecure",  # type: ignore[arg-type]  # converted
            requested_poll_freq=TIMEOUT,
            push=PushPolicy(timeout=TIMEOUT, longest_pause=timedelta(seconds=30)),
        )
        self.ven = End(VenSession(self.ven_config, key=b"v" * 16, wire=False))
        self.vtn = End(VtnSession(self.vtn_config, key=b"u" * 16, wire=False))
        self.agenda: list[tuple[float, int, Callable[[], None]]] = []
        self.count = 0
        self.opt = OptType.OPT_IN
        self.notes: list[tuple[str, Notification]] = []
        self.decided: Counter[tuple[str, int]] = Counter()
        self.to_ven(Register())

    # --- the ends ---------------------------------------------------------------------------------------------------

    def now(self) -> Now:
        return Now(self.time, START + timedelta(seconds=self.time))

    def to_ven(self, something: Input) -> list[SendReply]:
        outputs = self.ven.save(self.ven.session.handle(something, self.now()))
        for output in outputs:
            if isinstance(output, DecisionNeeded):
                self._asked(output)
            elif isinstance(output, ReportDue):
                readings = tuple(Reading(r_id=r_id, value=1.0) for r_id in output.r_ids)
                provided = ProvideReport(report_request_id=output.report_request_id, at=output.at, readings=readings)
                self._later(lambda provided=provided: self.to_ven(provided), self.ven)
        return self._carry_out(outputs, self.ven, self.vtn, "ven")

    def to_vtn(self, something: Input) -> list[SendReply]:
        outputs = self.vtn.save(self.vtn.session.handle(something, self.now()))
        return self._carry_out(outputs, self.vtn, self.ven, "vtn")

    def _asked(self, question: DecisionNeeded) -> None:
        """The application thinks for a moment. What it has decided it is never asked again."""
        descriptor = question.event.ei_event.event_descriptor
        version = descriptor.event_id, descriptor.modification_number
        assert not self.decided[version], f"asked again about {version}"

        def decide() -> None:
            self.decided[version] += 1
            self.to_ven(Decide(event_id=version[0], modification_number=version[1], opt_type=self.opt))

        self._later(decide, self.ven)

    def kill_ven(self) -> None:
        """The VEN dies and is back at once, with what it had saved."""
        self.ven.life += 1
        self.ven.open.clear()
        if self.ven.saved:
            self.ven.session = VenSession.restore(self.ven_config, dict(self.ven.saved), wire=False)
        else:
            self.ven.session = VenSession(self.ven_config, key=b"w" * 16, wire=False)
            self.to_ven(Register())

    def kill_vtn(self) -> None:
        """The VTN dies and is back at once."""
        self.vtn.life += 1
        self.vtn.open.clear()
        if self.vtn.saved:
            self.vtn.session = VtnSession.restore(self.vtn_config, dict(self.vtn.saved), wire=False)

    # --- between them -----------------------------------------------------------------------------------------------

    def _carry_out(self, outputs: tuple[Output, ...], sender: End, receiver: End, name: str) -> list[SendReply]:
        replies = []
        for output in outputs:
            if isinstance(output, SendRequest):
                self._request(output, sender, receiver)
            elif isinstance(output, AbandonExchange):
                sender.open.discard((sender.life, output.exchange))
            elif isinstance(output, SendReply):
                replies.append(output)
            else:
                assert isinstance(output, Notification)
                self.notes.append((name, output))
        return replies

    def _request(self, request: SendRequest, sender: End, receiver: End) -> None:
        connection = sender.life, request.exchange
        sender.open.add(connection)
        hand_in = self.to_vtn if receiver is self.vtn else self.to_ven
        hand_back = self.to_ven if receiver is self.vtn else self.to_vtn

        def fail() -> None:
            sender.open.discard(connection)
            hand_back(ExchangeFailed(exchange=request.exchange, failure=Failure.UNREACHABLE))

        def reply(status: int, payload: Payload | None) -> None:
            sender.open.discard(connection)
            hand_back(ReplyArrived(exchange=request.exchange, status=status, payload=payload))

        def arrive(*, answered: bool) -> None:
            arrived = RequestArrived(
                exchange=request.exchange, service=ServiceName(request.service), payload=request.payload
            )
            replies = hand_in(arrived)
            assert len(replies) == 1, "each request has one reply"
            [found] = replies
            if answered and not self._chance(self.network.lost_replies):
                self._later(lambda: reply(found.status, found.payload), sender, connection)

        if self._chance(self.network.lost_requests):
            self._later(fail, sender, connection)
            return
        self._later(lambda: arrive(answered=True), sender, connection)
        if self._chance(self.network.repeated):
            self._later(lambda: arrive(answered=False), sender, connection)

    def _later(self, what: Callable[[], Any], end: End, connection: tuple[int, int] | None = None) -> None:
        """Do something after a while, unless its process has died or its connection is closed by then."""
        life = end.life
        self.count += 1

        def unless_over() -> None:
            if end.life == life and (connection is None or connection in end.open):
                what()

        at = self.time + 0.01 + self.network.delay_s * self.dice.random()
        heapq.heappush(self.agenda, (at, self.count, unless_over))

    def _chance(self, share: float) -> bool:
        return self.dice.random() < share

    # --- time -------------------------------------------------------------------------------------------------------

    def run(self, seconds: float) -> None:
        """Let time pass; no end may keep the other, or itself, busy without an end."""
        end = self.time + seconds
        for _ in range(int(400 + 40 * seconds)):
            found = ((self.ven, self.to_ven), (self.vtn, self.to_vtn))
            due: list[tuple[float, int, Any]] = []
            for index, (side, hand_in) in enumerate(found):
                if (at := side.session.next_timer(self.now())) is not None:
                    due.append((max(at, self.time), index, hand_in))
            if self.agenda:
                due.append((max(self.agenda[0][0], self.time), 2, None))
            at, _, hand_in = min(due, key=lambda one: one[:2], default=(end + 1, 0, None))
            if at > end:
                self.time = end
                return
            self.time = at
            if hand_in is None:
                heapq.heappop(self.agenda)[2]()
            else:
                hand_in(Tick())
        raise AssertionError("the pair does not come to rest")
