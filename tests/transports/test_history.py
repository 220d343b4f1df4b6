"""The history of samples: kept in order, bounded by age, and there again after a restart."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from oadr_core import LocalError
from oadr_core.ven import Reading
from oadr_transports import Measured, SqliteHistory
from oadr_transports.history import MOST_VALUES

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def reading(minute: int, value: float | None) -> Reading:
    return Reading(r_id="r", value=value, at=NOON + minute * MINUTE)


def test_samples_come_back_in_order_within_the_period(tmp_path: Path) -> None:
    history = SqliteHistory(tmp_path / "history")
    history.record("a", [reading(2, 2.0), reading(0, 0.0), reading(1, 1.0)])
    history.record("a", [reading(3, 3.0)])
    history.record("b", [reading(1, 9.0)])
    assert history.values("a", NOON + MINUTE, NOON + 2 * MINUTE) == [
        Measured(1.0, at=NOON + MINUTE),
        Measured(2.0, at=NOON + 2 * MINUTE),
    ]
    history.close()
    again = SqliteHistory(tmp_path / "history")
    assert [found.value for found in again.values("a", NOON, NOON + timedelta(days=1))] == [0.0, 1.0, 2.0, 3.0]
    again.close()


def test_everything_that_is_known_of_a_sample_is_kept(tmp_path: Path) -> None:
    history = SqliteHistory(tmp_path / "history")
    at = NOON + timedelta(microseconds=123_457)
    history.record(
        "a", [Reading(r_id="r", value=0.1, at=at, quality="x-q", accuracy=0.5, confidence=50, duration=MINUTE)]
    )
    assert history.values("a", at, at) == [
        Measured(0.1, at=at, quality="x-q", accuracy=0.5, confidence=50, duration=MINUTE)
    ]
    history.close()


def test_later_value_for_a_time_replaces_and_a_missing_one_does_not(tmp_path: Path) -> None:
    history = SqliteHistory(tmp_path / "history")
    history.record("a", [reading(0, 1.0)])
    history.record("a", [reading(0, 2.0)])
    history.record("a", [reading(0, None), reading(1, None)])
    assert [found.value for found in history.values("a", NOON, NOON + MINUTE)] == [2.0]
    history.close()


def test_what_is_older_than_it_is_kept_goes(tmp_path: Path) -> None:
    history = SqliteHistory(tmp_path / "history", keep=timedelta(minutes=10))
    for minute in range(100):
        history.record("a", [reading(minute, float(minute))])
    history.record("b", [reading(0, 0.0)])
    found = history.values("a", NOON, NOON + timedelta(days=1))
    assert [value.value for value in found] == [float(minute) for minute in range(89, 100)]
    assert history.values("b", NOON, NOON), "each series by itself"
    history.close()


def test_newest_values_of_too_many_are_given(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    history = SqliteHistory(tmp_path / "history", keep=timedelta(days=3650))
    count = MOST_VALUES + 5
    history.record("a", [reading(number, float(number)) for number in range(count)])
    found = history.values("a", NOON, NOON + count * MINUTE)
    assert [found[0].value, found[-1].value, len(found)] == [5.0, count - 1.0, MOST_VALUES]
    assert "newest" in caplog.text
    history.close()


def test_other_databases_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "history"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE things (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(LocalError, match="something else"):
        SqliteHistory(path)
    path.write_bytes(b"no database at all, but long enough to be looked at")
    with pytest.raises(LocalError, match="no history"):
        SqliteHistory(path)
    path.write_bytes(before)


@pytest.mark.parametrize("keep", [timedelta(), -MINUTE, 5])
def test_age_must_be_one(tmp_path: Path, keep: timedelta) -> None:
    with pytest.raises(LocalError, match="keep"):
        SqliteHistory(tmp_path / "history", keep=keep)
