"""What a simulated exchange costs: through bytes and typed, for few VENs and for many, and the memory of 20,000 VENs.

Times are CPU time of one core, of everything together: both sessions, the bytes on both sides, the device, the network,
and the judging of every step. Worlds of all sizes are alive at the same time and run in turns, each for about the same
number of exchanges, so that a noisy moment hits all alike; the garbage collector leaves out what was there before the
first turn, lest one world pay for looking at the others. Memory is the peak of a process of its own that does nothing
but simulate.
"""

from __future__ import annotations

import gc
import platform
import sys
from collections.abc import Iterator
from multiprocessing import get_context
from statistics import median
from time import process_time
from typing import Any, Final

from benchmarks.rounds import FULL, Effort
from oadr_transports.simulation import Publish, Scenario, Script, World

THROUGH_BYTES: Final = 4_000
TYPED: Final = 12_000
GROWTH_LIMIT: Final = 1.25
"""An exchange among 20,000 VENs in one among 100: equal but for caches."""
MEMORY_LIMIT: Final = 1024**3
FEW, SOME, MANY = 100, 1_000, 20_000
POLL_S: Final = 60
SETTLED_S: Final = 90.0
"""Everybody has registered by then, and has offered its reports."""
TURN: Final = 4_000
"""Exchanges of one turn, about."""


def measure(effort: Effort = FULL) -> dict[str, Any]:
    """Run all measurements and return plain data: exchanges a second, ratios, bytes, and the targets."""
    rounds = max(3, effort.rounds // 3)
    worlds = {
        "bytes, 100 VENs": _turns(FEW, typed=False),
        "typed, 100 VENs": _turns(FEW, typed=True),
        "typed, 1,000 VENs": _turns(SOME, typed=True),
        "typed, 20,000 VENs": _turns(MANY, typed=True),
    }
    samples: dict[str, list[float]] = {name: [] for name in worlds}
    for turns in worlds.values():
        next(turns)  # warms up
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        for name, turns in worlds.items():
            samples[name].append(next(turns))
    gc.unfreeze()
    medians = {name: median(found) for name, found in samples.items()}
    with get_context("spawn").Pool(1) as pool:
        memory = pool.apply(_memory)
    growth = medians["typed, 20,000 VENs"] / medians["typed, 100 VENs"]
    targets = [
        _target("exchanges a second through bytes", 1 / medians["bytes, 100 VENs"], THROUGH_BYTES, at_least=True),
        _target("exchanges a second, typed", 1 / medians["typed, 100 VENs"], TYPED, at_least=True),
        _target("an exchange among 20,000 VENs against 100", growth, GROWTH_LIMIT),
        _target("memory of a process with 20,000 VENs, MiB", memory / 2**20, MEMORY_LIMIT / 2**20),
    ]
    return {
        "benchmark": "simulate",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rounds": rounds,
        "median_s": medians,
        "memory_bytes": memory,
        "targets": targets,
    }


def _target(title: str, value: float, limit: float, *, at_least: bool = False) -> dict[str, Any]:
    met = value >= limit if at_least else value <= limit
    return {"title": title, "value": value, "limit": limit, "met": met, "at_least": at_least}


def scenario(vens: int, *, typed: bool) -> Scenario:
    """A fleet that polls each minute, samples its load each quarter of an hour, and has an event every four hours."""
    programme = tuple(
        Publish(at_s=200.0 + number * 14_400, event_id=f"event-{number}", notice_s=1200.0, levels=((30, 2), (30, 1)))
        for number in range(6)
    )
    return Scenario(
        seed=1, vens=vens, hours=24, poll_s=POLL_S, sample_s=900, report_s=900, programme=programme, typed=typed
    )


def _turns(vens: int, *, typed: bool) -> Iterator[float]:
    """The CPU seconds of an exchange, turn by turn."""
    world = World(Script.of(scenario(vens, typed=typed)))
    world.agenda.run(SETTLED_S)
    slice_s = TURN * POLL_S / vens
    while True:
        before, begin = world.measures.exchanges, process_time()
        while (done := world.measures.exchanges - before) < TURN:
            world.agenda.run(world.agenda.now_s + slice_s / 4)
        yield (process_time() - begin) / done


def _memory() -> int:
    """The peak of the resident memory of this process, in bytes, when 20,000 VENs have answered an event."""
    import resource

    world = World(Script.of(scenario(MANY, typed=True)))
    world.agenda.run(330.0)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
