"""Notifications for applications that read at their own pace.

It stands alone because a slow reader must never hold up a server: each has a buffer of its own, with a limit,
and loses the oldest notification when it is full.
"""

from __future__ import annotations

import logging
from collections import deque
from types import TracebackType
from typing import Self

import anyio

from oadr_core.engine import Notification
from oadr_core.errors import LocalError

logger = logging.getLogger("oadr")


class Notes:
    """An async iterator of notifications, to be entered with ``async with``; it ends when the block does.

    ``lost`` counts what did not fit.
    """

    def __init__(self, limit: int, readers: set[Notes]) -> None:
        if limit < 1:
            raise LocalError(f"at least one notification must fit, not {limit}", path="notifications/limit")
        self.lost = 0
        self._limit = limit
        self._readers = readers
        self._waiting: deque[Notification] = deque()
        self._news = anyio.Event()
        self._open = False

    async def __aenter__(self) -> Self:
        self._readers.add(self)
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._readers.discard(self)
        self._open = False
        self._news.set()

    @property
    def waiting(self) -> int:
        """How many notifications wait to be read."""
        return len(self._waiting)

    def put(self, note: Notification) -> None:
        """Add a notification; never waits."""
        if len(self._waiting) >= self._limit:
            self._waiting.popleft()
            self.lost += 1
            if self.lost & (self.lost - 1) == 0:  # 1, 2, 4, 8 …: a lasting jam fills no log
                logger.warning("a reader of notifications is too slow: %d lost so far", self.lost)
        self._waiting.append(note)
        self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Notification:
        """The next notification; ``StopAsyncIteration`` after the end of the block."""
        while not self._waiting:
            if not self._open:
                raise StopAsyncIteration
            self._news = anyio.Event()
            await self._news.wait()
        return self._waiting.popleft()
