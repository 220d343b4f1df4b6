"""Messages on their way to VENs that have registered an address of their own: which, when, and how many at once
(section 6.2).

It stands alone because the carrier turns round here: this VTN sends requests, and waits, and tries again. What a VEN
shall get next is the same as for a poll; who is being sent something is never stored, for a message is settled by
its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from types import MappingProxyType
from typing import Any, Final

import attrs

from ..engine import AbandonExchange, ExchangeFailed, Failure, Output, ReplyArrived, SendRequest, Trouble
from ..engine.retry import POLICIES, failure_of_status
from ..errors import LocalError, RemoteError, WrongPayload, shown
from ..model import (
    CanceledPartyRegistration,
    CanceledReport,
    CancelPartyRegistration,
    CancelReport,
    CreatedReport,
    CreateReport,
    DistributeEvent,
    Payload,
    RegisteredReport,
    RegisterReport,
    RequestReregistration,
    Response,
    ServiceName,
    UpdatedReport,
    UpdateReport,
)
from . import replies
from .config import VtnConfig
from .directory import Directory
from .events import distribute_again
from .mailbox import hand_out_again, has_room, post, settle
from .polling import next_message
from .state import AT_ONCE, Turn, VenState

SERVICES: Final = MappingProxyType(
    {
        DistributeEvent: ServiceName.EI_EVENT,
        RegisterReport: ServiceName.EI_REPORT,
        CreateReport: ServiceName.EI_REPORT,
        CreatedReport: ServiceName.EI_REPORT,
        UpdateReport: ServiceName.EI_REPORT,
        CancelReport: ServiceName.EI_REPORT,
        CancelPartyRegistration: ServiceName.EI_REGISTER_PARTY,
        RequestReregistration: ServiceName.EI_REGISTER_PARTY,
    }
)
"""Where each message is posted (R51)."""
ANSWERS: Final = frozenset(
    {Response, RegisteredReport, CreatedReport, CanceledReport, UpdatedReport, CanceledPartyRegistration}
)
"""What a VEN may reply."""
_SETTLED_BY_SILENCE: Final = (RequestReregistration, CreatedReport)
"""Messages whose answer says nothing, so that an empty body will do."""

Handle = Callable[[Turn, Any, Any], tuple[VenState | None, Payload | None]]
Write = Callable[[Payload, VenState, Turn], bytes]
Keep = Callable[[VenState | None, VenState | None], None]
Read = Callable[[bytes, VenState], Payload]


@attrs.frozen(kw_only=True)
class Flight:
    """A message under way. ``deadline`` is on mono."""

    ven_id: str
    registration_id: str
    payload: Payload
    deadline: float


class Pusher:
    """Who is being sent something, who waits for a place, and who for a time."""

    def __init__(self, config: VtnConfig, directory: Directory, handlers: Callable[[type[Payload]], Handle]) -> None:
        self._config = config
        self._directory = directory
        self._handlers = handlers
        self._members: dict[str, None] = {}
        self._waiting: dict[str, None] = {}
        self._flights: dict[int, Flight] = {}
        self._busy: dict[str, int] = {}
        self._failures: dict[str, int] = {}
        self._paused: set[str] = set()
        self._timers: list[tuple[float, str]] = []
        self._armed: dict[str, float] = {}
        self._exchange = 0

    # --- who ------------------------------------------------------------------------------------------------------

    def seen(self, before: VenState | None, after: VenState | None) -> None:
        """The state of a VEN has changed: there may be something for it."""
        if before is not None and (after is None or before.push_address or after.push_address):
            renewed = after is None or _identity(before) != _identity(after)
            if renewed:
                self._forget(before.ven_id)
        if after is not None and after.push_address:
            self._members[after.ven_id] = None
            self._wake(after.ven_id)

    def news(self, ven_ids: Iterable[str] | None) -> None:
        """An event of these VENs, or (``None``) of all, has changed."""
        for ven_id in self._members if ven_ids is None else (one for one in ven_ids if one in self._members):
            self._wake(ven_id)

    @property
    def has_waiting(self) -> bool:
        """True if there may be something for :meth:`send`."""
        return bool(self._waiting)

    def next_timer(self) -> float | None:
        """When :meth:`tick` has something to do, on mono."""
        while self._timers and self._armed.get(self._timers[0][1]) != self._timers[0][0]:
            heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def _wake(self, ven_id: str) -> None:
        if ven_id not in self._busy and ven_id not in self._paused:
            self._waiting[ven_id] = None

    def _forget(self, ven_id: str) -> None:
        self._members.pop(ven_id, None)
        self._waiting.pop(ven_id, None)
        self._failures.pop(ven_id, None)
        self._paused.discard(ven_id)
        if ven_id not in self._busy:
            self._armed.pop(ven_id, None)

    def _arm(self, ven_id: str, at: float | None) -> None:
        if at is None:
            self._armed.pop(ven_id, None)
        elif self._armed.get(ven_id) != at:
            self._armed[ven_id] = at
            heappush(self._timers, (at, ven_id))
            if len(self._timers) > 2 * len(self._armed) + 64:
                self._timers = sorted((at, ven_id) for ven_id, at in self._armed.items())

    # --- out --------------------------------------------------------------------------------------------------------

    def send(self, turn: Turn, write: Write, keep: Keep) -> list[Output]:
        """Start as many exchanges as there are places."""
        policy = self._config.push
        outputs: list[Output] = []
        while self._waiting and len(self._flights) < policy.at_once:
            ven_id = next(iter(self._waiting))
            del self._waiting[ven_id]
            ven = self._directory.vens.get(ven_id)
            if ven is None or not ven.push_address:
                continue
            after, payload = next_message(turn, ven)
            if after is not ven:
                keep(ven, after)
            if payload is None:
                self._waiting.pop(ven_id, None)
                self._arm(ven_id, _due(after, turn))
                continue
            try:
                data = write(payload, after, turn)
            except LocalError as error:  # a bug of ours must not stop the others
                turn.tell(Trouble(text=f"a message for {shown(ven_id)} could not be written: {error}", lost=payload))
                continue
            outputs.append(self._start(after, payload, data, turn))
        return outputs

    def _start(self, ven: VenState, payload: Payload, data: bytes, turn: Turn) -> SendRequest:
        self._exchange += 1
        self._waiting.pop(ven.ven_id, None)
        timeout_s = self._config.push.timeout.total_seconds()
        flight = Flight(
            ven_id=ven.ven_id,
            registration_id=ven.registration_id,
            payload=payload,
            deadline=turn.now.mono + timeout_s,
        )
        self._flights[self._exchange] = flight
        self._busy[ven.ven_id] = self._exchange
        self._arm(ven.ven_id, flight.deadline)
        service = SERVICES[type(payload)]
        return SendRequest(
            exchange=self._exchange,
            service=service,
            payload=payload,
            data=data,
            timeout_s=timeout_s,
            url=f"{ven.push_address}/{service}",
            fingerprint=ven.fingerprint,
        )

    # --- back -------------------------------------------------------------------------------------------------------

    def tick(self, turn: Turn, keep: Keep) -> list[Output]:
        """Time has passed: exchanges without a reply are given up, pauses are over."""
        outputs: list[Output] = []
        while (at := self.next_timer()) is not None and at <= turn.now.mono:
            _, ven_id = heappop(self._timers)
            del self._armed[ven_id]
            exchange = self._busy.get(ven_id)
            if exchange is None:
                self._paused.discard(ven_id)
                self._wake(ven_id)
                continue
            outputs.append(AbandonExchange(exchange=exchange))
            self._failed(turn, exchange, Failure.TIMEOUT, "no reply in time", None, keep)
        return outputs

    def failed(self, turn: Turn, failed: ExchangeFailed, keep: Keep) -> None:
        """There was no reply. One to an exchange that was given up says nothing any more."""
        if failed.exchange in self._flights:
            self._failed(turn, failed.exchange, failed.failure, failed.detail, None, keep)

    def arrived(self, turn: Turn, reply: ReplyArrived, read: Read, keep: Keep) -> None:
        """A reply: perhaps the VEN's answer, perhaps a reason to try again."""
        flight = self._flights.get(reply.exchange)
        if flight is None:
            return
        failure = failure_of_status(reply.status)
        if failure is not None:
            detail = f"HTTP {reply.status}"
            self._failed(turn, reply.exchange, failure, detail, reply.retry_after_s, keep)
            return
        ven = self._directory.vens.get(flight.ven_id)
        if ven is None or ven.registration_id != flight.registration_id:
            self._land(reply.exchange)
            return
        kind = Failure.UNREADABLE
        try:
            payload = read(reply.data, ven) if reply.payload is None and reply.data else reply.payload
            kind = Failure.UNEXPECTED
            after = self._answered(turn, ven, flight, payload)
        except RemoteError as error:
            self._failed(turn, reply.exchange, kind, str(error), None, keep)
            return
        self._failures.pop(flight.ven_id, None)
        self._land(reply.exchange)
        keep(ven, after)

    def _answered(self, turn: Turn, ven: VenState, flight: Flight, payload: Payload | None) -> VenState | None:
        """What the VEN's reply does to it."""
        seen = attrs.evolve(ven, last_seen=turn.now.wall)
        if payload is None:
            if isinstance(flight.payload, _SETTLED_BY_SILENCE):
                seen, _ = settle(seen, lambda mail: mail is flight.payload)
            return seen
        sender = replies.ven_id(payload)
        if type(payload) not in ANSWERS or sender not in (None, ven.ven_id):
            name = payload.__element__.removeprefix("oadr:")
            raise WrongPayload(f"{name} of {shown(sender)} is no answer of {shown(ven.ven_id)}", rule="R33")
        if isinstance(payload, Response):
            answer = payload.ei_response
            if not answer.ok:
                name = flight.payload.__element__.removeprefix("oadr:")
                text = f"{ven.ven_id} refuses {name}: {answer.response_code} {shown(answer.response_description or '')}"
                turn.tell(Trouble(text=text, code=answer.response_code, lost=flight.payload))
            return settle(seen, lambda mail: mail is flight.payload)[0]
        after, reply = self._handlers(type(payload))(turn, seen, payload)
        if after is not None and isinstance(reply, CreatedReport) and has_room(after, self._config):
            after = post(after, self._config, reply)  # R344: the answer to a piggy-backed request is another push
        return after

    def _failed(
        self, turn: Turn, exchange: int, failure: Failure, detail: str, retry_after_s: float | None, keep: Keep
    ) -> None:
        flight = self._land(exchange)
        ven = self._directory.vens.get(flight.ven_id)
        if ven is None or ven.registration_id != flight.registration_id or not ven.push_address:
            return
        name = flight.payload.__element__.removeprefix("oadr:")
        times = self._failures[ven.ven_id] = self._failures.get(ven.ven_id, 0) + 1
        lost = None
        if failure is Failure.REFUSED:  # PS 9.1.5: do not resend unchanged
            after, lost = settle(ven, lambda mail: mail is flight.payload)
        elif isinstance(flight.payload, DistributeEvent):
            after = distribute_again(ven, flight.payload)
        else:
            after = hand_out_again(ven, flight.payload)
        policy = POLICIES[failure]
        pause = turn.back_off(times, self._config.push.longest_pause, "push", ven.ven_id)
        if policy.whole and retry_after_s is not None:
            pause = max(pause, min(retry_after_s, self._config.push.longest_pause.total_seconds()))
        text = f"{ven.ven_id} did not take {name}: {detail or failure}"
        turn.tell(Trouble(text=text, failure=failure, retry_s=pause, lost=lost))
        self._paused.add(ven.ven_id)
        self._waiting.pop(ven.ven_id, None)
        self._arm(ven.ven_id, turn.now.mono + pause)
        keep(ven, after)

    def _land(self, exchange: int) -> Flight:
        flight = self._flights.pop(exchange)
        del self._busy[flight.ven_id]
        self._armed.pop(flight.ven_id, None)
        if flight.ven_id in self._members:
            self._waiting[flight.ven_id] = None
        return flight


def _identity(ven: VenState) -> tuple[str, str | None]:
    return ven.registration_id, ven.push_address


def _due(ven: VenState, turn: Turn) -> float | None:
    """When something of this VEN is to be sent again, on mono."""
    again = [turn.again_at(mail.sent_at) for mail in ven.mailbox if mail.sent_at is not None]
    if ven.resend_at is not None and ven.resend_at != AT_ONCE and not ven.report_only:
        again.append(ven.resend_at)
    return min((at for at in again if at > turn.now.mono), default=None)
