"""The benchmark of reports measures what it says: every value of every report arrives, and targets are judged."""

from __future__ import annotations

from pathlib import Path

from benchmarks import reports, tables
from benchmarks.rounds import Effort

ONCE = Effort(rounds=1, batch_s=0)


def test_every_part_of_the_way_is_measured(tmp_path: Path) -> None:
    parts = reports.whole(ONCE, tmp_path / "s.db")
    assert list(parts) == ["build", "encode", "decode", "receive", "store", "all"]
    assert all(taken > 0 for samples in parts.values() for taken in samples)
    [every], others = parts["all"], [samples[0] for name, samples in parts.items() if name != "all"]
    assert abs(every - sum(others)) < 1e-9


def test_rates_are_of_values_and_the_store_is_only_a_part(tmp_path: Path) -> None:
    found = reports.rate(ONCE, tmp_path / "s.db", 60)
    assert 0 < found["session and store"] < found["store"]


def test_memory_grows_with_what_a_ven_is_not_with_what_it_reports() -> None:
    registered, reporting = reports.memory(30)
    assert 500 < registered <= reporting < registered + 1024


def test_targets_say_what_is_met() -> None:
    targets = [reports._at_most("a", 2.0, 1.0), reports._at_least("b", 2.0, 1.0)]
    _, [_, *rows] = tables.targets_table({"targets": targets})
    assert [(row[1], row[3]) for row in rows] == [("NOT MET", "at most 1.00"), ("met", "at least 1.00")]
