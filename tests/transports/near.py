"""A VTN in the same process, behind a carrier without a network: for tests of drivers and clients.

Requests and replies go through bytes. What the VTN tells is kept; the test's own time is used, if it has one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from oadr_core.engine import RequestArrived, SendReply
from oadr_core.vtn import VtnConfig, VtnSession, build_event
from oadr_core.vtn.messages import PublishEvent
from oadr_transports.ports import Clocks, Reply, clocks


class NearVtn:
    """One VTN, which answers at once."""

    def __init__(self, clocks: Clocks = clocks, **config: Any) -> None:
        given = {"requested_poll_freq": timedelta(seconds=10), **config}
        self.session = VtnSession(VtnConfig(vtn_id="VTN", identity="insecure", **given), key=b"v" * 32)
        self.clocks = clocks
        self.notes: list[Any] = []
        self.next_reply: Reply | None = None
        """What the next opt is answered with, in the place of the right answer."""
        self._exchange = 0

    def answer(self, service: str, data: bytes) -> Reply:
        """The reply to a message."""
        if self.next_reply is not None and service == "EiOpt":
            said, self.next_reply = self.next_reply, None
            return said
        self._exchange += 1
        reply = None
        for output in self.session.handle(
            RequestArrived(exchange=self._exchange, service=service, data=data), self.clocks()
        ):
            if isinstance(output, SendReply):
                reply = Reply(output.status, output.data)
            else:
                self.notes.append(output)
        assert reply is not None
        return reply

    def publish(self, event_id: str, *, begins_in: timedelta = timedelta(minutes=10), **options: Any) -> None:
        """Publish an event of one interval."""
        now = self.clocks()
        event = build_event(
            event_id=event_id,
            signal_name="SIMPLE",
            signal_type="level",
            dtstart=now.wall.replace(microsecond=0) + begins_in,
            intervals=[(timedelta(minutes=5), 1.0)],
            market_context="http://example.com/p",
            **options,
        )
        self.session.handle(PublishEvent(event=event), now)

    def of(self, kind: type) -> list[Any]:
        """What was told of that kind."""
        return [note for note in self.notes if isinstance(note, kind)]


class NearCarrier:
    """Carries to a :class:`NearVtn`, with an await on the way there and one on the way back."""

    def __init__(self, vtn: NearVtn, checkpoint: Callable[[], Awaitable[object]]) -> None:
        self._vtn = vtn
        self._checkpoint = checkpoint

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        """Deliver a message."""
        await self._checkpoint()
        reply = self._vtn.answer(service, data)
        await self._checkpoint()
        return reply


class NearSyncCarrier:
    """The same for threads."""

    def __init__(self, vtn: NearVtn) -> None:
        self._vtn = vtn

    def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        """Deliver a message."""
        return self._vtn.answer(service, data)


START = datetime(2026, 6, 1, 12, tzinfo=UTC)
"""When the days of virtual tests begin."""
