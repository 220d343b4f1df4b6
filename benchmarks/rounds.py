"""Interleaved rounds: in each, everybody does a batch of everything, so that a noisy moment hits all alike.

It stands alone because every comparison runs this way; what is compared is the business of the others.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.contestants import Contestant


class Effort(NamedTuple):
    """How long to measure."""

    rounds: int
    batch_s: float


class Contest(NamedTuple):
    """One thing that several do."""

    operation: str
    key: str
    contestants: Sequence[Contestant]


Samples = dict[tuple[str, str, str], list[float]]
"""The time for one run in each round, by operation, key and contestant."""

FULL = Effort(rounds=21, batch_s=0.03)
QUICK = Effort(rounds=5, batch_s=0.01)


def take(contests: Sequence[Contest], effort: Effort) -> Samples:
    """Run all contests, round after round."""
    counts = {
        (contest.operation, contest.key, who.name): _batch_size(who, contest, effort.batch_s)
        for contest in contests
        for who in contest.contestants
    }
    samples: defaultdict[tuple[str, str, str], list[float]] = defaultdict(list)
    for number in range(effort.rounds):
        for contest in contests:
            for who in _rotated(contest.contestants, number):
                name = (contest.operation, contest.key, who.name)
                samples[name].append(who.seconds(contest.operation, contest.key, counts[name]) / counts[name])
        if sys.stderr.isatty():
            print(f"\rround {number + 1} of {effort.rounds}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r", end="", file=sys.stderr)
    return samples


def _batch_size(who: Contestant, contest: Contest, batch_s: float) -> int:
    """Return how many runs fill a batch; the first runs also warm everything up."""
    who.seconds(contest.operation, contest.key, 1)
    count = 1
    while (taken := who.seconds(contest.operation, contest.key, count)) < batch_s / 4:
        count *= 4
    return max(1, round(count * batch_s / taken))


def _rotated(contestants: Sequence[Contestant], number: int) -> list[Contestant]:
    start = number % len(contestants)
    return [*contestants[start:], *contestants[:start]]
