"""What the kit needs of a medium to prove a carrier on it: somebody who listens, and carriers that call.

It stands alone because it is all that whoever writes a carrier has to write for the kit; the checks know nothing else
of the medium.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from enum import StrEnum
from typing import Final, Protocol, TypeAlias, cast

import anyio

from oadr_core.engine import Failure
from oadr_core.model import ServiceName

from ..ports import Carrier, CarrierError, Reply, SyncCarrier
from .peer import Peer, in_thread
from .results import Nonconforming, told

PATIENCE_S: Final = 20.0
"""How long something may take that is expected to work: a busy machine is no fault of a carrier."""

LARGE_S: Final = 50.0
"""The same for the longest reply, which a slow carrier copies again and again."""

GRACE_S: Final = 5.0
"""So long after its timeout a post is given up by the check; it should have ended by itself."""

AnyCarrier: TypeAlias = Carrier | SyncCarrier
Managed: TypeAlias = AbstractAsyncContextManager[AnyCarrier] | AbstractContextManager[AnyCarrier]


class Link(Protocol):
    """A medium: both its ends, with an address that stays the same as long as the link lasts.

    A link that is a context manager is entered before a check and left after it.
    """

    def listen(self, peer: Peer) -> AbstractAsyncContextManager[object] | AbstractContextManager[object]:
        """Serve while the block lasts: hand each message to ``peer`` and send what it says back.

        Several messages may be under way at once. When the block ends nobody listens, and all connections are closed.
        """
        raise NotImplementedError

    def carrier(self) -> AnyCarrier | Managed:
        """A new carrier, as an application would make it; perhaps while nobody listens.

        One that is a context manager is entered by the kit.
        """
        raise NotImplementedError


class Lack(StrEnum):
    """What a medium may be without. A check that needs it is not made, and the report says so."""

    STATUSES = "statuses"
    """No status goes with a reply: it is always 200."""
    RETRY_AFTER = "retry-after"
    """The peer cannot ask to be left alone for a while."""
    CONNECTIONS = "connections"
    """Nobody sees that the peer is away: that is a reply that does not come."""
    CONCURRENCY = "concurrency"
    """One message after another: one that waits for its reply holds up the next."""


class Poster:
    """A carrier as the checks use it: awaited, whether it awaits itself or has threads."""

    def __init__(self, carrier: AnyCarrier) -> None:
        self.awaits = inspect.iscoroutinefunction(carrier.post)
        self._carrier = carrier

    async def post(self, service: str, data: bytes, timeout_s: float = PATIENCE_S) -> Reply:
        """As the carrier does it."""
        if self.awaits:
            return await cast(Carrier, self._carrier).post(service, data, timeout_s)
        return await in_thread(cast(SyncCarrier, self._carrier).post, service, data, timeout_s)

    async def reply(
        self, data: bytes, *, service: ServiceName = ServiceName.OADR_POLL, timeout_s: float = PATIENCE_S
    ) -> Reply:
        """The reply to a message that must have one."""
        try:
            with anyio.fail_after(timeout_s + GRACE_S):
                reply = await self.post(service, data, timeout_s)
        except (CarrierError, TimeoutError) as error:
            came = "no reply came" if isinstance(error, TimeoutError) else f"{_failed(error)} was raised"
            fix = "deliver the message and return what the peer answers, whatever was posted before"
            raise Nonconforming(f"a reply to {told(data[:40])}, for the peer answers", came, fix) from None
        _check_form(reply)
        return reply

    async def failure(self, data: bytes, expected: tuple[Failure, ...], why: str, timeout_s: float) -> CarrierError:
        """The error that a post must end with, because of ``why``."""
        names = " or ".join(f"CarrierError(Failure.{each.name})" for each in expected)
        fix = f"raise {names} for {why}, in the place of the error of your library"
        try:
            with anyio.fail_after(timeout_s + GRACE_S):
                reply = await self.post(ServiceName.OADR_POLL, data, timeout_s)
        except CarrierError as error:
            if error.failure not in expected:
                raise Nonconforming(f"{names}, for {why}", f"{_failed(error)} was raised", fix) from None
            _check_detail(error)
            return error
        except TimeoutError:
            raise Nonconforming(f"{names}, for {why}", f"nothing came of it within {timeout_s + GRACE_S:g} s", fix) \
                from None
        except Exception as error:  # a third party's code: anything can come out of it
            raise Nonconforming(f"{names}, for {why}", f"{told(error)} was raised", fix) from error
        raise Nonconforming(f"{names}, for {why}", f"a reply came back: {told(reply)}", fix)


class Bench:
    """One check's own link, with its peer."""

    def __init__(self, link: Link, peer: Peer, *, lacks: frozenset[Lack], most_bytes: int) -> None:
        self.link = link
        self.peer = peer
        self.lacks = lacks
        self.most_bytes = most_bytes

    @property
    def away(self) -> tuple[Failure, ...]:
        """What may be said of a peer that is not there."""
        return (Failure.TIMEOUT, Failure.UNREACHABLE) if Lack.CONNECTIONS in self.lacks else (Failure.UNREACHABLE,)

    def once(self, message: bytes) -> None:
        """Raise :class:`Nonconforming` unless the peer got a message, and once."""
        if (count := self.peer.count(message)) != 1:
            fix = "send each message once: switch repetitions of your library off, the session repeats"
            raise Nonconforming(f"the message {told(message)} once", f"the peer got it {count} times", fix)

    def listening(self) -> AbstractAsyncContextManager[object]:
        """The peer listens while the block lasts."""
        return entered(self.link.listen(self.peer))

    @asynccontextmanager
    async def calling(self) -> AsyncIterator[Poster]:
        """A new carrier while the block lasts."""
        async with entered(self.link.carrier()) as carrier:
            yield Poster(cast(AnyCarrier, carrier))

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Poster]:
        """A peer that listens and a carrier that calls."""
        async with self.listening(), self.calling() as poster:
            yield poster


@asynccontextmanager
async def entered(thing: object) -> AsyncIterator[object]:
    """Enter what is a context manager of either kind; everything else is given back as it is."""
    if isinstance(thing, AbstractAsyncContextManager):
        async with thing as inside:
            yield inside
    elif isinstance(thing, AbstractContextManager):
        inside = await in_thread(thing.__enter__)
        try:
            yield inside
        finally:
            with anyio.CancelScope(shield=True):
                await in_thread(thing.__exit__, None, None, None)
    else:
        yield thing


def _failed(error: CarrierError) -> str:
    return f"CarrierError(Failure.{error.failure.name}, {error.detail!r})"


def _check_form(reply: object) -> None:
    fix = "return Reply(status, data, retry_after_s): an int, bytes, and seconds or None"
    if not isinstance(reply, Reply):
        raise Nonconforming("a Reply of oadr_transports.ports", f"{told(reply)} came back", fix)
    if type(reply.data) is not bytes or not isinstance(reply.status, int):
        raise Nonconforming("a Reply with an int and bytes", f"{told(reply)} came back", fix)
    if not isinstance(reply.retry_after_s, (float, int, type(None))):
        raise Nonconforming("a Reply with retry_after_s in seconds, or None", f"{told(reply)} came back", fix)


def _check_detail(error: CarrierError) -> None:
    if not error.detail or "\n" in error.detail:
        fix = "give the cause as the second argument of CarrierError, for people who read a log"
        raise Nonconforming("a cause in one line", f"the detail of the error is {error.detail!r}", fix)
