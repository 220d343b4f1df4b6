"""Values for reports where there is no device: constant, wandering, or counting up.

It stands alone because trying out a VTN needs plausible numbers and nothing else.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

_TYPICAL: Final = {
    "voltage": 230.0,
    "frequency": 50.0,
    "current": 6.0,
    "powerreal": 1500.0,
    "realpower": 1500.0,
    "powerapparent": 1600.0,
    "apparentpower": 1600.0,
    "powerreactive": 300.0,
    "reactivepower": 300.0,
    "temperature": 21.0,
}
"""Where the wandering values of a measurement begin, in its own unit."""
_ELSE: Final = 100.0
_COUNTERS: Final = ("energy", "therm", "pulse")
_W: Final = 1500.0
"""What a simulated counter of energy counts, in watt."""
_STEP: Final = 0.004
_FARTHEST: Final = 0.08
"""A step of a wandering value, and how far it goes, as shares of the typical value."""


def simulated(measurement: str) -> Callable[[], Awaitable[float]]:
    """A report callback with a plausible value: one that wanders, or that counts up."""
    name = measurement.lower().replace("_", "").replace(" ", "")
    return _counting() if any(word in name for word in _COUNTERS) else _wandering(_TYPICAL.get(name, _ELSE))


def constant(value: float) -> Callable[[], Awaitable[float]]:
    """A report callback that always gives this value."""

    async def read() -> float:
        return value

    return read


async def working() -> bool:
    """A report callback for the state of a resource: it is online, and nobody overrides it."""
    return True


def _counting() -> Callable[[], Awaitable[float]]:
    began = time.monotonic()

    async def read() -> float:
        return round((time.monotonic() - began) * _W / 3600, 3)

    return read


def _wandering(typical: float) -> Callable[[], Awaitable[float]]:
    chance = random.Random()
    off = 0.0

    async def read() -> float:
        nonlocal off
        off = max(-_FARTHEST, min(_FARTHEST, 0.97 * off + chance.uniform(-_STEP, _STEP)))
        return round(typical * (1 + off), 3)

    return read
