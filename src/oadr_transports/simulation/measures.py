"""What is counted in a run: messages, bytes, times to deliver, values, and the load of the fleet.

It stands alone because the ends only count, and whoever prints or draws only reads.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, Final

import attrs

from .scenario import Scenario

LOAD_STEP_S: Final = 60
"""How far apart the points of the fleet's load are."""


@attrs.define
class Measures:
    """Counts of one run; times are in seconds since its beginning.

    ``requests`` has for each second how many requests reached the VTN. ``load`` has the fleet's load in kW each
    minute, ``base`` what it would have been without events, and ``asked`` from when to when which level was wanted.
    """

    exchanges: int = 0
    polls: int = 0
    pushes: int = 0
    failed: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    published: int = 0
    changed: int = 0
    cancelled: int = 0
    delivered: int = 0
    answered: int = 0
    opted_in: int = 0
    opted_out: int = 0
    questions: int = 0
    produced: int = 0
    received: int = 0
    repeated: int = 0
    placeholders: int = 0
    lost: int = 0
    waiting: int = 0
    faults: int = 0
    restarts: int = 0
    checks: int = 0
    to_deliver_s: array[float] = attrs.field(factory=lambda: array("d"))
    to_answer_s: array[float] = attrs.field(factory=lambda: array("d"))
    requests: array[int] = attrs.field(factory=lambda: array("L"))
    load: array[float] = attrs.field(factory=lambda: array("d"))
    base: array[float] = attrs.field(factory=lambda: array("d"))
    asked: tuple[tuple[float, float, int], ...] = ()

    @classmethod
    def of(cls, scenario: Scenario, length_s: float) -> Measures:
        """Nothing counted yet, with room for so many seconds."""
        return cls(requests=array("L", bytes(array("L").itemsize * (int(length_s) + 2))))

    def as_dict(self) -> dict[str, Any]:
        """The counts as plain data."""
        numbers = {
            field.name: getattr(self, field.name)
            for field in attrs.fields(type(self))
            if isinstance(getattr(self, field.name), int)
        }
        return {
            **numbers,
            "to_deliver_s": percentiles(self.to_deliver_s),
            "to_answer_s": percentiles(self.to_answer_s),
            "busiest_second": max(self.requests, default=0),
        }


def percentiles(found: Sequence[float]) -> dict[str, float]:
    """Median and the upper percentiles; empty without values."""
    if not found:
        return {}
    ordered = sorted(found)
    last = len(ordered) - 1
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {name: round(ordered[round(share * last)], 3) for name, share in shares.items()}
