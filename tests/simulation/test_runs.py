"""Short runs of the simulator with every kind of fault: everything holds, and the same seed gives the same run.

`nox -s sim` makes many more and longer ones. Planted bugs that these runs have caught are named in
`tests/planted/bugs.toml`.
"""

from __future__ import annotations

import subprocess
import sys

import attrs
import pytest

from oadr_transports.simulation import Measures, Outcome, Rates, Scenario, run, search

BAD = Rates(loss=0.1, delay_s=2, duplicate=0.1, reorder=0.02, partitions=1, crashes=4, clock_steps=0.5)
LOSSY = Rates(loss=0.15, duplicate=0.1)
CRASHES = Rates(crashes=12)
CLOCKS = Rates(clock_steps=6)

SHORT = Scenario(vens=5, hours=8, events=12, typed=True)


def held(scenario: Scenario) -> Outcome:
    outcome = run(scenario)
    assert outcome.ok, f"seed {scenario.seed}: {outcome.broken}"
    return outcome


@pytest.mark.parametrize("seed", range(4))
def test_everything_holds_whatever_goes_wrong(seed: int) -> None:
    measures = held(attrs.evolve(SHORT, seed=seed, faults=BAD)).measures
    assert measures.restarts
    assert measures.checks > 10, "enough was looked at"


@pytest.mark.parametrize("seed", range(3))
def test_everything_holds_on_a_lossy_network(seed: int) -> None:
    measures = held(attrs.evolve(SHORT, seed=seed, faults=LOSSY)).measures
    assert measures.failed > 100


def test_everything_holds_when_requests_come_twice() -> None:
    held(attrs.evolve(SHORT, vens=20, hours=1, faults=Rates(duplicate=0.5, delay_s=2)))


@pytest.mark.parametrize("seed", range(3))
def test_everything_holds_when_both_sides_crash(seed: int) -> None:
    assert held(attrs.evolve(SHORT, seed=seed, faults=CRASHES)).measures.restarts > 10


@pytest.mark.parametrize("seed", range(3))
def test_everything_holds_when_clocks_are_set(seed: int) -> None:
    held(attrs.evolve(SHORT, seed=seed, faults=CLOCKS))


@pytest.mark.parametrize("seed", [9201, 9206])
def test_everything_holds_when_clocks_come_back_to_times_that_were(seed: int) -> None:
    """Samples of these were taken before: the next one is that after all of them."""
    faults = Rates(loss=0.05, partitions=0.5, crashes=0.5, clock_steps=6)
    held(Scenario(vens=10, hours=48, sample_s=300, report_s=900, poll_s=300, typed=True, seed=seed, faults=faults))


def test_everything_holds_through_ten_days_of_trouble() -> None:
    """An opt that the VTN has saved and not lived to tell; an event that is over, and comes back with a clock."""
    faults = Rates(loss=0.2, partitions=12, crashes=12, clock_steps=12)
    measures = held(Scenario(vens=1, hours=240, events=20, push=1, typed=True, seed=9701, faults=faults)).measures
    assert measures.restarts > 200


@pytest.mark.parametrize("seed", range(2))
def test_everything_holds_for_vens_that_are_pushed_to(seed: int) -> None:
    faults = Rates(loss=0.1, duplicate=0.05, crashes=4, partitions=1)
    measures = held(attrs.evolve(SHORT, seed=seed, push=0.6, faults=faults)).measures
    assert measures.pushes


def test_events_pushed_while_others_are_asked_for() -> None:
    """Both ends call each other at once, and a reply is slower than the push that was made after it."""
    faults = Rates(loss=0.3, delay_s=20, reorder=0.2, partitions=6)
    scenario = Scenario(vens=20, hours=3, poll_s=60, sample_s=0, events=160, push=1.0, typed=True, faults=faults)
    for seed in range(2):
        held(attrs.evolve(scenario, seed=seed))


def test_without_faults_nothing_is_repeated_or_lost() -> None:
    measures = held(SHORT).measures
    assert (measures.failed, measures.faults, measures.restarts, measures.repeated, measures.lost) == (0,) * 5
    assert measures.produced == measures.received + measures.waiting
    assert measures.delivered >= 5 * measures.published / 2
    assert measures.polls > 5 * 8 * 3600 / 300 * 0.9


def test_through_bytes_the_same_happens() -> None:
    scenario = Scenario(vens=3, hours=3, events=16, faults=attrs.evolve(BAD, crashes=8))
    through_bytes = held(scenario).measures
    typed = held(attrs.evolve(scenario, typed=True)).measures
    assert through_bytes.bytes_up > 10_000
    assert _without_bytes(through_bytes) == _without_bytes(typed)


def _without_bytes(measures: Measures) -> Measures:
    return attrs.evolve(measures, bytes_up=0, bytes_down=0)


def test_same_seed_gives_the_same_bytes_in_every_process() -> None:
    """Nothing depends on the hashes of texts, which are others in each process."""
    code = (
        "from oadr_transports.simulation import *;"
        "f = Rates(loss=0.1, delay_s=2, duplicate=0.1, crashes=8);"
        "print(run(Scenario(seed=3, vens=3, hours=2, events=12, push=0.4, faults=f)).digest)"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_another_seed_is_another_run() -> None:
    faults = Rates(loss=0.1)
    digests = {run(attrs.evolve(SHORT, hours=1, seed=seed, faults=faults)).digest for seed in range(3)}
    assert len(digests) == 3


def test_seeds_are_tried_one_after_the_other() -> None:
    found = list(search(attrs.evolve(SHORT, hours=1), range(5, 8)))
    assert [outcome.scenario.seed for outcome in found] == [5, 6, 7]
    assert all(outcome.ok for outcome in found)


def test_the_simulation_needs_no_event_loop() -> None:
    loops = ("anyio", "asyncio", "trio", "httpx2", "socket")
    code = f"import sys, oadr_transports.simulation; print([m for m in {loops!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
