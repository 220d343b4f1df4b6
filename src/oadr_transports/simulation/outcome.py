"""What a run has shown: its figures, and, where an invariant broke, the shortest history of that.

It stands alone as what a command, a test or a search over many seeds asks for; it can be sent between processes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs

from .faults import Fault
from .invariants import Broken
from .measures import Measures
from .scenario import Scenario, Script
from .shrinking import Shrinker
from .transcript import Line
from .world import Progress, simulate


@attrs.frozen(kw_only=True)
class Outcome:
    """A run. ``broken`` is ``None`` when everything held. ``digest`` is the same for two runs with the same messages.

    ``cpu_s`` is what it took of a processor, ``took_s`` of the clock on the wall.
    """

    scenario: Scenario
    measures: Measures
    digest: str
    simulated_s: float
    cpu_s: float
    took_s: float
    broken: Broken | None = None

    @property
    def ok(self) -> bool:
        return self.broken is None

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain data."""
        broken = self.broken
        return {
            "ok": self.ok,
            "seed": self.scenario.seed,
            "scenario": attrs.asdict(attrs.evolve(self.scenario, programme=None)),
            "broken": None if broken is None else {"invariant": broken.invariant.name, "text": broken.text},
            **self.measures.as_dict(),
            "simulated_s": round(self.simulated_s, 1),
            "took_s": round(self.took_s, 3),
            "exchanges_per_s": round(self.measures.exchanges / self.cpu_s) if self.cpu_s else 0,
            "times_real_time": round(self.simulated_s / self.took_s) if self.took_s else 0,
            "digest": self.digest,
        }


def run(scenario: Scenario, progress: Progress | None = None) -> Outcome:
    """Simulate a scenario once."""
    cpu_s, took_s = time.process_time(), time.perf_counter()
    world, broken = simulate(Script.of(scenario), progress)
    return Outcome(
        scenario=scenario,
        measures=world.measures,
        digest=world.digest(),
        simulated_s=world.agenda.now_s,
        cpu_s=time.process_time() - cpu_s,
        took_s=time.perf_counter() - took_s,
        broken=broken,
    )


# --- failures -------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class History:
    """The shortest history that was found to break the same invariant: what is left of the script, and its lines."""

    broken: Broken
    script: Script
    lines: tuple[Line, ...]
    runs: int

    @property
    def faults(self) -> tuple[tuple[float | None, Fault], ...]:
        """What goes wrong in it: faults of ends with their times, and faults of messages."""
        ends = ((fault.at_s, fault) for fault in self.script.faults)
        return (*ends, *((None, fault) for fault in self.script.listed or ()))


def shortest(scenario: Scenario, broken: Broken, said: Callable[[str], None] | None = None) -> History:
    """Leave out what is not needed to break the same invariant, and write down what then happens."""
    shrinker = Shrinker(Script.of(scenario), broken, said)
    failing = shrinker.shrink()
    world, _ = simulate(failing.script, transcript=True)
    lines = world.transcript.lines if world.transcript is not None else []
    return History(broken=failing.broken, script=failing.script, lines=tuple(lines), runs=shrinker.runs)


# --- many seeds -----------------------------------------------------------------------------------------------------


def search(scenario: Scenario, seeds: Iterable[int], processes: int = 1) -> Iterator[Outcome]:
    """Simulate the same with other seeds, several at a time; the outcomes come as they are ready."""
    scenarios = [attrs.evolve(scenario, seed=seed) for seed in seeds]
    if processes == 1:
        yield from map(run, scenarios)
        return
    import signal
    from multiprocessing import get_context  # it brings sockets along, which one run has no use for

    heedless = (signal.signal, (signal.SIGINT, signal.SIG_IGN))  # Ctrl-C is for us: we end the others
    with get_context("spawn").Pool(processes, *heedless) as pool:
        yield from pool.imap_unordered(run, scenarios)
