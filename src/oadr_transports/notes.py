"""What happens, for applications that read at their own pace: notifications, or what is made of them.

It stands alone because a slow reader must never hold up a session: each has a buffer of its own, with a limit, and
loses the oldest when it is full.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeAlias, TypeVar, cast
from weakref import WeakSet

from oadr_core.engine import Notification
from oadr_core.errors import LocalError

logger = logging.getLogger("oadr")

_T = TypeVar("_T")
_R = TypeVar("_R", bound="Reader")


class Event(Protocol):
    """What a task waits for: an ``Event`` of anyio or trio."""

    def set(self) -> object:
        """Wake those that wait."""
        raise NotImplementedError

    def wait(self) -> Awaitable[object]:
        """Wait until it is set."""
        raise NotImplementedError


def _anyio_event() -> Event:
    import anyio  # not needed where readers wait in trio, or in threads

    return anyio.Event()


class Readers(Protocol):
    """Where readers stand while they are open."""

    def add(self, reader: Any, /) -> None:
        """Take a reader."""

    def discard(self, reader: Any, /) -> None:
        """Leave a reader out."""


class Audience(Generic[_R]):
    """Readers that come and go in any thread; those that nobody holds any more are gone."""

    def __init__(self) -> None:
        self._readers: WeakSet[_R] = WeakSet()
        self._turn = threading.Lock()

    def add(self, reader: _R, /) -> None:
        """Take a reader."""
        with self._turn:
            self._readers.add(reader)

    def discard(self, reader: _R, /) -> None:
        """Leave a reader out."""
        with self._turn:
            self._readers.discard(reader)

    def __iter__(self) -> Iterator[_R]:
        """Those of this moment."""
        with self._turn:
            return iter(tuple(self._readers))


class Reader(ABC):
    """Somebody who is told what happens; while it is open it stands in ``readers``."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._open = False

    @abstractmethod
    def put(self, note: Notification) -> None:
        """Take a notification; never waits."""

    @abstractmethod
    def _wake(self) -> None:
        """Something has come, or nothing more will."""

    def open(self) -> None:
        """Listen from now on."""
        self._readers.add(self)
        self._open = True

    def close(self) -> None:
        """Listen no longer; what waits can still be read."""
        self._readers.discard(self)
        self._open = False
        self._wake()


class Feed(Reader, Generic[_T]):
    """A buffer of at most ``limit``. ``choose`` makes of a notification what is read, or leaves it out (``None``).

    ``lost`` counts what did not fit. Raises :class:`~oadr_core.LocalError` for a limit below one.
    """

    def __init__(
        self, limit: int, readers: Readers, choose: Callable[[Notification], _T | None] | None = None
    ) -> None:
        if limit < 1:
            raise LocalError(f"at least one notification must fit, not {limit}", path="notifications/limit")
        super().__init__(readers)
        self.lost = 0
        self._limit = limit
        self._choose = choose
        self._waiting: deque[_T] = deque()

    @property
    def waiting(self) -> int:
        """How many wait to be read."""
        return len(self._waiting)

    def put(self, note: Notification) -> None:
        """Take a notification; never waits."""
        item = cast("_T", note) if self._choose is None else self._choose(note)  # without choice, _T is Notification
        if item is not None:
            self.fill((item,))

    def fill(self, items: Iterable[_T]) -> None:
        """Have these read next, after what waits already."""
        for item in items:
            if len(self._waiting) >= self._limit:
                self._waiting.popleft()
                self.lost += 1
                if self.lost & (self.lost - 1) == 0:  # 1, 2, 4, 8 …: a lasting jam fills no log
                    logger.warning("a reader of notifications is too slow: %d lost so far", self.lost)
            self._waiting.append(item)
        self._wake()


class AsyncFeed(Feed[_T]):
    """An async iterator, to be entered with ``async with``; it ends when the block does."""

    def __init__(
        self,
        limit: int,
        readers: Readers,
        choose: Callable[[Notification], _T | None] | None = None,
        *,
        event: Callable[[], Event] = _anyio_event,
    ) -> None:
        super().__init__(limit, readers, choose)
        self._event = event
        self._news: Event | None = None

    async def __aenter__(self) -> Self:
        self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _wake(self) -> None:
        if self._news is not None:
            self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _T:
        """The next one; ``StopAsyncIteration`` after the end of the block."""
        while not self._waiting:
            if not self._open:
                raise StopAsyncIteration
            self._news = self._event()
            await self._news.wait()
        return self._waiting.popleft()


class SyncFeed(Feed[_T]):
    """An iterator, to be entered with ``with``; it ends when the block does. For one reader, in any thread."""

    def __init__(
        self, limit: int, readers: Readers, choose: Callable[[Notification], _T | None] | None = None
    ) -> None:
        super().__init__(limit, readers, choose)
        self._moved = threading.Condition()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fill(self, items: Iterable[_T]) -> None:
        """Have these read next, after what waits already."""
        with self._moved:
            super().fill(items)

    def _wake(self) -> None:
        with self._moved:
            self._moved.notify_all()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> _T:
        """The next one; ``StopIteration`` after the end of the block."""
        with self._moved:
            while not self._waiting:
                if not self._open:
                    raise StopIteration
                self._moved.wait()
            return self._waiting.popleft()


Notes: TypeAlias = AsyncFeed[Notification]
SyncNotes: TypeAlias = SyncFeed[Notification]
