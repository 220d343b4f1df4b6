"""The peer that the kit puts at the other end of a carrier: it keeps what arrives, and answers as a check wants.

It stands alone because every medium has it at its end: whoever writes a carrier of its own writes a small server that
hands messages to this peer and sends back what it says.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

import anyio
import attrs

from ..ports import Reply
from .results import KIT_THREAD

_T = TypeVar("_T")
_PAUSE_S = 0.002
"""Between two looks at something that another thread does; threads and loops of any kind have no other bell."""
_EMPTY: Final = Reply(200, b"")


class BrokenOff(ConnectionError):
    """The server shall drop the connection now instead of answering.

    With ``reply`` it shall begin to send that one, leave out the end of it, and drop the connection then; where the
    medium knows no half messages, it drops the connection at once.
    """

    def __init__(self, reply: Reply | None = None) -> None:
        super().__init__("the connection shall break here")
        self.reply = reply


@attrs.frozen(kw_only=True)
class Received:
    """A message that the peer has got; ``about`` is what the kit's own server saw of it besides."""

    service: str
    data: bytes
    about: Mapping[str, str] = attrs.field(factory=dict)


class Gate:
    """Something that happens once; it can be waited for in threads and in tasks of any loop."""

    def __init__(self) -> None:
        self._open = threading.Event()

    def open(self) -> None:
        """Let all pass, now and later."""
        self._open.set()

    @property
    def is_open(self) -> bool:
        """True once it was opened."""
        return self._open.is_set()

    def wait(self) -> None:
        """Wait in a thread."""
        self._open.wait()

    async def passed(self) -> None:
        """Wait in a task."""
        while not self._open.is_set():  # noqa: ASYNC110  # see _PAUSE_S
            await anyio.sleep(_PAUSE_S)


@attrs.frozen(kw_only=True)
class Answer:
    """How the peer answers one message: with ``reply``, or by breaking off (with half of the reply, if ``half``); not
    before the gate ``after`` is open. ``wire`` is for a medium of the kit's own that plays worse tricks."""

    reply: Reply = _EMPTY
    broken: bool = False
    half: bool = False
    after: Gate | None = None
    wire: object = None

    def outcome(self) -> Reply:
        """The reply. Raises :class:`BrokenOff` where there shall be none."""
        if self.broken:
            raise BrokenOff(self.reply if self.half else None)
        return self.reply


class Peer:
    """The other end. A server of tasks awaits ``peer(service, data)``, one of threads calls ``peer.answer``; both get
    the :class:`~oadr_transports.ports.Reply` to send, or :class:`BrokenOff`, and may wait for it for long.
    """

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: Callable[[Received], Answer] = lambda received: Answer(reply=Reply(200, received.data))
        self._gates: list[Gate] = []
        self._gone = False

    # --- for servers ------------------------------------------------------------------------------------------------

    async def __call__(self, service: str, data: bytes) -> Reply:
        """The reply to a message. Raises :class:`BrokenOff`."""
        answer = self.take(service, data)
        if answer.after is not None:
            await answer.after.passed()
        return answer.outcome()

    def answer(self, service: str, data: bytes) -> Reply:
        """As calling the peer, for a server with threads: waits until there is a reply. Raises :class:`BrokenOff`."""
        answer = self.take(service, data)
        if answer.after is not None:
            answer.after.wait()
        return answer.outcome()

    def take(self, service: str, data: bytes, about: Mapping[str, str] | None = None) -> Answer:
        """Keep a message, and say how it is answered."""
        if self._gone:
            return Answer(broken=True)
        received = Received(service=str(service), data=bytes(data), about=about or {})
        self.received.append(received)
        return self.answers(received)

    # --- for checks -------------------------------------------------------------------------------------------------

    def gate(self) -> Gate:
        """A gate that is opened at the end of the check at the latest, so that no thread waits for ever."""
        gate = Gate()
        self._gates.append(gate)
        return gate

    def silence(self) -> Answer:
        """No answer as long as the check lasts."""
        return Answer(broken=True, after=self.gate())

    def count(self, data: bytes) -> int:
        """How often a message has arrived."""
        return sum(received.data == data for received in self.received)

    async def got(self, count: int, or_else: Callable[[], bool] = lambda: False) -> None:
        """Wait until so many messages have arrived in all, or something else is true."""
        while len(self.received) < count and not or_else():  # noqa: ASYNC110  # see _PAUSE_S
            await anyio.sleep(_PAUSE_S)

    def release(self) -> None:
        """Let everybody go who still waits."""
        for gate in self._gates:
            gate.open()

    def end(self) -> None:
        """The check is over: whatever comes now is broken off."""
        self._gone = True
        self.release()


async def in_thread(function: Callable[..., _T], *args: object) -> _T:
    """Call a function in a thread of its own, which is left behind when the caller is cancelled."""
    done = Gate()
    outcome: list[tuple[_T | None, BaseException | None]] = []

    def run() -> None:
        try:
            outcome.append((function(*args), None))
        except BaseException as error:  # handed on to the caller
            outcome.append((None, error))
        done.open()

    threading.Thread(target=run, name=KIT_THREAD, daemon=True).start()
    await done.passed()
    [(value, error)] = outcome
    if error is not None:
        raise error
    return value  # type: ignore[return-value]  # there was no error, so it is what the function returned
