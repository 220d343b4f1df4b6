"""Decode and encode of four messages: this project, OpenLEADR and the bare parser, in one run.

Rounds are interleaved: in each, everybody does a batch of everything, so that a noisy moment hits all alike. A figure
is the median over the rounds of the time for one message.
"""

from __future__ import annotations

import platform
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

from benchmarks.contestants import Contestant, Floor, Ours, open_leadr
from benchmarks.messages import messages


class Effort(NamedTuple):
    """How long to measure."""

    rounds: int
    batch_s: float


FULL = Effort(rounds=21, batch_s=0.03)
QUICK = Effort(rounds=5, batch_s=0.01)


def measure(peer_python: Path, effort: Effort = FULL) -> dict[str, Any]:
    """Run the whole comparison and return it as plain data, with times in seconds."""
    ours, floor = Ours(), Floor()
    with open_leadr(peer_python) as peer:
        samples = _samples({"decode": [ours, peer, floor], "encode": [ours, peer]}, effort)
        versions = {who.name: who.version for who in (ours, peer, floor)}
    contests = [(operation, message) for operation in ("decode", "encode") for message in messages()]
    return {
        "benchmark": "codec",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rounds": effort.rounds,
        "versions": versions,
        "results": [_result(message, operation, samples) for operation, message in contests],
    }


def _samples(contests: dict[str, list[Contestant]], effort: Effort) -> dict[tuple[str, str, str], list[float]]:
    """Return the time for one message in each round, by operation, message and contestant."""
    keys = [message.key for message in messages()]
    counts = {
        (operation, key, who.name): _batch_size(who, operation, key, effort.batch_s)
        for operation, contestants in contests.items()
        for key in keys
        for who in contestants
    }
    samples: defaultdict[tuple[str, str, str], list[float]] = defaultdict(list)
    for number in range(effort.rounds):
        for operation, contestants in contests.items():
            for key in keys:
                for who in _rotated(contestants, number):
                    count = counts[operation, key, who.name]
                    samples[operation, key, who.name].append(who.seconds(operation, key, count) / count)
        if sys.stderr.isatty():
            print(f"\rround {number + 1} of {effort.rounds}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r", end="", file=sys.stderr)
    return samples


def _batch_size(who: Contestant, operation: str, key: str, batch_s: float) -> int:
    """Return how many runs fill a batch; the first runs also warm everything up."""
    who.seconds(operation, key, 1)
    count = 1
    while (taken := who.seconds(operation, key, count)) < batch_s / 4:
        count *= 4
    return max(1, round(count * batch_s / taken))


def _rotated(contestants: Sequence[Contestant], number: int) -> list[Contestant]:
    start = number % len(contestants)
    return [*contestants[start:], *contestants[:start]]


def _result(message: Any, operation: str, samples: dict[tuple[str, str, str], list[float]]) -> dict[str, Any]:
    times = {name: taken for (op, key, name), taken in samples.items() if (op, key) == (operation, message.key)}
    medians = {name: median(taken) for name, taken in times.items()}
    result = {
        "operation": operation,
        "message": message.key,
        "title": message.title,
        "bytes": len(message.document),
        "median_s": medians,
        "quartiles_s": {name: quantiles(taken, n=4) for name, taken in times.items()},
        "times_as_fast_as_openleadr": medians["openleadr"] / medians["oadr"],
    }
    if "lxml" in medians:
        result["times_the_bare_parser"] = medians["oadr"] / medians["lxml"]
    return result
