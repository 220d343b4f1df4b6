"""What was seen so far, to be waited on from any thread or task, with a deadline on every wait.

Handlers may run in worker threads and peers in other processes, so tests collect what they report here and wait
on it instead of sleeping. What was seen stays: a wait for something that has happened returns at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import anyio.to_thread
import pytest

DEADLINE_S = 30.0

Observation = dict[str, Any]
Condition = Callable[[Observation], bool]


class Observations:
    """A growing list of dicts, each with a name under `saw`."""

    def __init__(self) -> None:
        self._all: list[Observation] = []
        self._closed = False
        self._news = threading.Condition()

    def add(self, saw: str, **details: Any) -> None:
        """Add one observation."""
        with self._news:
            self._all.append({"saw": saw, **details})
            self._news.notify_all()

    def close(self) -> None:
        """Nothing more will come: let waits fail now rather than at their deadline."""
        with self._news:
            self._closed = True
            self._news.notify_all()

    def all(self, saw: str) -> list[Observation]:
        """Return what was seen so far under that name."""
        with self._news:
            return [observation for observation in self._all if observation["saw"] == saw]

    def wait(
        self,
        saw: str,
        where: Condition = lambda _: True,
        *,
        count: int = 1,
        deadline_s: float = DEADLINE_S,
    ) -> Observation:
        """Return the `count`-th observation of that name and condition; fail the test when it does not come."""
        end = time.monotonic() + deadline_s
        with self._news:
            read = found = 0
            while True:
                for observation in self._all[read:]:
                    if observation["saw"] == saw and where(observation):
                        found += 1
                        if found == count:
                            return observation
                read = len(self._all)
                left = end - time.monotonic()
                if self._closed or left <= 0:
                    break
                self._news.wait(left)
        seen = "\n".join(f"  {observation!r:.300}" for observation in self._all)
        why = "its source ended" if self._closed else f"{deadline_s:g} s are over"
        pytest.fail(f"{saw!r} was seen {found} of {count} times and {why}\nseen:\n{seen}\n{self.details()}")

    async def seen(
        self,
        saw: str,
        where: Condition = lambda _: True,
        *,
        count: int = 1,
        deadline_s: float = DEADLINE_S,
    ) -> Observation:
        """Wait as `wait` does, from async code."""
        return await anyio.to_thread.run_sync(lambda: self.wait(saw, where, count=count, deadline_s=deadline_s))

    def details(self) -> str:
        """Return what else helps to understand a failure."""
        return ""
