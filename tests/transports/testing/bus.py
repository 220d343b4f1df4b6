"""A medium of tests: a bus in memory, on which carriers and servers meet by name, for tasks and for threads.

It is as small as a medium can be, so that the faulty carriers of the tests are easy to read.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio
import anyio.abc
import attrs

from oadr_core import DEFAULT_LIMITS
from oadr_core.engine import Failure
from oadr_transports.ports import CarrierError, Reply
from oadr_transports.testing import BrokenOff, Peer


@attrs.define(eq=False)
class Post:
    """A message under way, and what becomes of it."""

    service: str
    data: bytes
    done: anyio.Event = attrs.Factory(anyio.Event)
    reply: Reply | None = None

    def settle(self, reply: Reply | None) -> None:
        self.reply = reply
        self.done.set()


class BusLink:
    """Both ends, for tasks."""

    def __init__(self, make: type[BusCarrier] | None = None) -> None:
        self.make = make or BusCarrier
        self.peer: Peer | None = None
        self.tasks: anyio.abc.TaskGroup | None = None

    def carrier(self) -> BusCarrier:
        return self.make(self)

    @asynccontextmanager
    async def listen(self, peer: Peer) -> AsyncIterator[None]:
        async with anyio.create_task_group() as self.tasks:
            self.peer = peer
            yield
            self.peer = None
            self.tasks.cancel_scope.cancel()

    def send(self, post: Post) -> None:
        """Begin to deliver."""
        if self.peer is None or self.tasks is None:
            raise ConnectionRefusedError("nobody is on the bus")
        self.tasks.start_soon(self.deliver, self.peer, post)

    async def deliver(self, peer: Peer, post: Post) -> None:
        try:
            post.settle(await peer(post.service, post.data))
        except BrokenOff:
            post.settle(None)


class BusCarrier:
    """A carrier that does everything right."""

    def __init__(self, link: BusLink) -> None:
        self.link = link
        self.is_closed = False

    async def __aenter__(self) -> BusCarrier:
        return self

    async def __aexit__(self, *error: object) -> None:
        self.is_closed = True

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        self.check_open()
        post = Post(str(service), data)
        try:
            self.link.send(post)
        except OSError as error:
            raise CarrierError(Failure.UNREACHABLE, str(error)) from None
        with anyio.move_on_after(timeout_s) as late:
            await post.done.wait()
        if late.cancelled_caught:
            raise CarrierError(Failure.TIMEOUT, f"no reply within {timeout_s:g} s")
        return self.checked(post.reply)

    def check_open(self) -> None:
        if self.is_closed:
            raise CarrierError(Failure.UNREACHABLE, "this carrier is closed")

    def checked(self, reply: Reply | None) -> Reply:
        if reply is None:
            raise CarrierError(Failure.UNREACHABLE, "the peer has hung up")
        if len(reply.data) > DEFAULT_LIMITS.bytes:
            raise CarrierError(Failure.UNREADABLE, "the reply is too long")
        return reply


class ThreadLink:
    """Both ends, for threads."""

    def __init__(self, make: type[ThreadCarrier] | None = None) -> None:
        self.make = make or ThreadCarrier
        self.peer: Peer | None = None

    def carrier(self) -> ThreadCarrier:
        return self.make(self)

    @contextmanager
    def listen(self, peer: Peer) -> Iterator[None]:
        self.peer = peer
        yield
        self.peer = None


class ThreadCarrier:
    """A carrier for threads that does everything right."""

    def __init__(self, link: ThreadLink) -> None:
        self.link = link
        self.is_closed = False

    def __enter__(self) -> ThreadCarrier:
        return self

    def __exit__(self, *error: object) -> None:
        self.is_closed = True

    def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        peer = self.link.peer
        if peer is None or self.is_closed:
            raise CarrierError(Failure.UNREACHABLE, "nobody is on the bus")
        replies: queue.SimpleQueue[Reply | None] = queue.SimpleQueue()

        def deliver() -> None:
            try:
                replies.put(peer.answer(service, data))
            except BrokenOff:
                replies.put(None)

        threading.Thread(target=deliver, daemon=True).start()
        try:
            reply = replies.get(timeout=timeout_s)
        except queue.Empty:
            raise CarrierError(Failure.TIMEOUT, "no reply") from None
        if reply is None:
            raise CarrierError(Failure.UNREACHABLE, "the peer has hung up")
        if len(reply.data) > DEFAULT_LIMITS.bytes:
            raise CarrierError(Failure.UNREADABLE, "the reply is too long")
        return reply
