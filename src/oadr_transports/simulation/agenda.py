"""Virtual time: what is to be done when.

It stands alone because nothing else moves the time of a simulation: it jumps to the next thing that is due.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final

from .invariants import Broken, Invariant

MOST_AT_ONCE: Final = 2_000
"""Things at one instant, for each end: far more than any fault can cause, so it is two ends that never come to rest."""


class Agenda:
    """A heap of things to do. ``now_s`` is the time since the beginning; things of one instant go in the order in which
    they were put.
    """

    def __init__(self, ends: int) -> None:
        self.now_s = 0.0
        self._heap: list[tuple[float, int, Callable[[Any], object], Any]] = []
        self._next = count().__next__
        self._most = MOST_AT_ONCE * ends

    def put(self, at_s: float, what: Callable[[Any], object], about: Any = None) -> None:
        """Do ``what(about)`` at this time, or at once if that is over."""
        heappush(self._heap, (at_s, self._next(), what, about))

    def run(self, until_s: float) -> None:
        """Do all that is due until then, and let that time come.

        Raises :class:`.Broken` when that has no end.
        """
        heap, most = self._heap, self._most
        same, last_s = 0, self.now_s
        while heap and heap[0][0] <= until_s:
            at_s, _, what, about = heappop(heap)
            if at_s > last_s:
                self.now_s = last_s = at_s
                same = 0
            else:
                same += 1
                if same > most:
                    raise Broken(Invariant.REST, f"{same} things happened at one instant, and more are due")
            what(about)
        self.now_s = max(self.now_s, until_s)
