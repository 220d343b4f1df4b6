"""Reports of changes: a granularity of zero (R317)."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core.model import DataQuality
from oadr_core.ven import Reading, ReportDue
from tests.core.reporting.plant import Plant
from tests.core.reporting.test_accounting import SEARCH
from tests.core.ven.bench import START, offer, request

OLD = DataQuality.NO_NEW_VALUE_PREVIOUS_VALUE_USED
BAD = DataQuality.QUALITY_BAD_NON_SPECIFIC


class Meter:
    """Two data points whose values are told to it, by seconds since the start."""

    def __init__(self, *changes: tuple[int, float]) -> None:
        self.changes = changes

    def __call__(self, due: ReportDue) -> tuple[Reading, ...]:
        return tuple(Reading(r_id=r_id, value=self.value(due.at) if r_id == "r1" else 7.0) for r_id in due.r_ids)

    def value(self, at: datetime) -> float:
        second = (at - START).total_seconds()
        return next(value for begin, value in reversed(self.changes) if second >= begin)


def told(plant: Plant, r_id: str) -> list[tuple[float, Any, Any]]:
    return [((at - START).total_seconds(), *found) for (_, id_, at), found in plant.arrived.items() if id_ == r_id]


@pytest.mark.rule("R300")
@pytest.mark.rule("R317")
def test_only_changes_are_sent_and_what_has_none_says_so_once_per_report() -> None:
    plant = Plant(offer("spec", "r1", "r2"), answer=Meter((0, 1.0), (35, 2.0), (51, 3.0)))
    plant.ask(request("x", "spec", "r1", "r2", step_s=0, back_s=60))
    plant.run(185)
    assert [due.at for due in plant.asked] == sorted({due.at for due in plant.asked}), "asked at the shortest period"
    assert len(plant.asked) == 19
    assert told(plant, "r1") == [(0, 1.0, None), (40, 2.0, None), (60, 3.0, None), (170, 3.0, OLD)]
    assert told(plant, "r2") == [(0, 7.0, None), (110, 7.0, OLD), (170, 7.0, OLD)]
    assert len(plant.reports) == 3


@pytest.mark.rule("R318")
def test_value_that_is_missing_is_a_change_and_so_is_its_return() -> None:
    plant = Plant(offer("spec", "r1"), answer=Meter((0, 1.0)))
    plant.ask(request("x", "spec", "r1", step_s=0, back_s=120))
    plant.run(15)
    plant.silent = True
    plant.run(35)
    plant.silent = False
    plant.run(200)
    assert told(plant, "r1")[:3] == [(0, 1.0, None), (20, 0.0, BAD), (60, 1.0, None)]


def test_after_a_gap_the_value_is_told_again() -> None:
    plant = Plant(offer("spec", "r1"), answer=Meter((0, 1.0)))
    plant.ask(request("x", "spec", "r1", step_s=0, back_s=120))
    plant.run(15)
    plant.sleep(50)
    plant.run(200)
    assert told(plant, "r1")[:3] == [(0, 1.0, None), (20, 0.0, BAD), (60, 1.0, None)]


def test_restart_within_a_period_makes_no_gap() -> None:
    plant = Plant(offer("spec", "r1"), answer=Meter((0, 1.0)))
    plant.ask(request("x", "spec", "r1", step_s=0, back_s=120))
    plant.run(55)
    plant.restart()
    plant.run(200)
    assert [quality for _, _, quality in told(plant, "r1")] == [None, None, OLD]


CHANGES = st.lists(st.tuples(st.integers(1, 900), st.floats(-5, 5)), max_size=8)


@pytest.mark.rule("R317")
@given(CHANGES, st.sampled_from([10, 60, 95, 300]), st.lists(st.sampled_from([1, 10, 40, 700]), max_size=4))
@SEARCH
def test_whoever_follows_the_changes_knows_the_value_at_every_instant(
    changes: list[tuple[int, float]], back_s: int, away: list[int]
) -> None:
    meter = Meter((0, 1.0), *sorted(dict(changes).items()))
    plant = Plant(offer("spec", "r1", "r2"), answer=meter)
    plant.ask(request("x", "spec", "r1", "r2", step_s=0, back_s=back_s))
    for seconds in away:
        plant.run(seconds)
        plant.away = not plant.away
    plant.away = False
    plant.run(2_000)
    known = dict(told_at(plant, "r1"))
    last = None
    for due in plant.asked:
        last = known.get(due.at, last)
        if due.at <= max(known):
            assert last == meter.value(due.at)
    values = [value for _, value in told_at(plant, "r1", OLD)]
    assert all(one != other for one, other in pairwise(values)), "nothing is sent twice"
    assert all(_points(report) == {"r1", "r2"} for report in plant.reports), "R300"


def told_at(plant: Plant, r_id: str, without: DataQuality | None = None) -> list[tuple[datetime, float]]:
    return [
        (at, value)
        for (_, id_, at), (value, quality) in plant.arrived.items()
        if id_ == r_id and (without is None or quality is not without)
    ]


def _points(report: Any) -> set[str]:
    return {payload.r_id for interval in report.intervals for payload in interval.stream_payload_base}
