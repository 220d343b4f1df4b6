"""Each timestamp and nonce is accepted once, across restarts and wrong clocks, in bounded memory."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import LocalError
from oadr_core.security import FromTheFuture, Replayed, ReplayGuard, Stale, Window
from tests.core.security.kit import NOW

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def restarted(guard: ReplayGuard, **settings: Any) -> ReplayGuard:
    """The guard after its memory has been through a file."""
    return ReplayGuard.from_json(json.loads(json.dumps(guard.to_json())), **settings)


@pytest.mark.rule("R514")
def test_first_is_accepted_second_is_a_replay() -> None:
    guard = ReplayGuard().accept(NOW, "n", now=NOW)
    for later in (NOW, NOW + SECOND, NOW + 5 * MINUTE):
        with pytest.raises(Replayed):
            guard.accept(NOW, "n", now=later)


def test_same_nonce_at_another_time_and_other_nonce_at_the_same_time_are_fine() -> None:
    guard = ReplayGuard().accept(NOW, "n", now=NOW)
    guard = guard.accept(NOW, "m", now=NOW)
    guard.accept(NOW + SECOND, "n", now=NOW)


def test_rejection_changes_nothing() -> None:
    guard = ReplayGuard().accept(NOW, "n", now=NOW)
    before = guard.to_json()
    for timestamp in (NOW, NOW - timedelta(hours=1), NOW + timedelta(hours=1)):
        with pytest.raises((Replayed, Stale, FromTheFuture)):
            guard.accept(timestamp, "n", now=NOW)
    assert guard.to_json() == before


def test_messages_may_overtake_each_other() -> None:
    guard = ReplayGuard()
    for offset in (0, -30, 20, -299, 10):
        guard = guard.accept(NOW + offset * SECOND, "n", now=NOW)


@pytest.mark.rule("R514")
def test_replay_after_a_restart() -> None:
    guard = restarted(ReplayGuard().accept(NOW, "n", now=NOW))
    with pytest.raises(Replayed):
        guard.accept(NOW, "n", now=NOW)
    guard.accept(NOW, "m", now=NOW)


def test_memory_forgets_what_is_outside_the_window() -> None:
    guard = ReplayGuard()
    for minute in range(60):
        guard = guard.accept(NOW + minute * MINUTE, "n", now=NOW + minute * MINUTE)
    assert len(guard.seen) == 6
    with pytest.raises(Stale):
        guard.accept(NOW, "n", now=NOW + 60 * MINUTE)


@pytest.mark.parametrize("restart", [False, True])
def test_clock_that_is_set_back_opens_no_gap(restart: bool) -> None:
    guard = ReplayGuard()
    for minute in range(20):
        guard = guard.accept(NOW + minute * MINUTE, "n", now=NOW + minute * MINUTE)
    guard = restarted(guard) if restart else guard
    for minute in range(20):
        with pytest.raises(Replayed):
            guard.accept(NOW + minute * MINUTE, "n", now=NOW + minute * MINUTE)


def test_clock_that_was_ahead_accepts_nothing_of_the_time_it_skipped() -> None:
    guard = ReplayGuard().accept(NOW, "n", now=NOW)
    ahead = NOW + timedelta(hours=1)
    guard = guard.accept(ahead, "n", now=ahead)
    guard.accept(NOW + 30 * MINUTE, "n", now=NOW + 30 * MINUTE)  # later than what is forgotten: still told apart
    with pytest.raises(Replayed):
        guard.accept(NOW, "n", now=NOW)


@pytest.mark.parametrize("restart", [False, True])
def test_full_memory_stays_safe(restart: bool) -> None:
    guard = ReplayGuard(most=10)
    for second in range(30):
        guard = guard.accept(NOW + second * SECOND, "n", now=NOW + 30 * SECOND)
    assert len(guard.seen) == 10
    guard = restarted(guard, most=10) if restart else guard
    for second in range(30):
        with pytest.raises(Replayed):
            guard.accept(NOW + second * SECOND, "n", now=NOW + 30 * SECOND)
    guard.accept(NOW + 31 * SECOND, "n", now=NOW + 31 * SECOND)


def test_window_of_the_guard() -> None:
    guard = ReplayGuard(window=Window(5 * SECOND, SECOND))
    with pytest.raises(Stale, match="0:00:06 ago, more than 0:00:05"):
        guard.accept(NOW - 6 * SECOND, "n", now=NOW)
    with pytest.raises(FromTheFuture, match="0:00:02 ahead of this clock, more than 0:00:01"):
        guard.accept(NOW + 2 * SECOND, "n", now=NOW)
    assert restarted(guard, window=guard.window) == guard


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 2), st.integers(-20, 20), st.booleans()), min_size=1, max_size=60
    )
)
def test_nothing_is_accepted_twice(messages: list[tuple[int, int, int, bool]]) -> None:
    guard = ReplayGuard(window=Window(10 * SECOND, 10 * SECOND), most=4)
    accepted: set[tuple[datetime, str]] = set()
    for at, nonce, drift, restart in messages:
        timestamp = NOW + at * SECOND
        try:
            guard = guard.accept(timestamp, str(nonce), now=timestamp + drift * SECOND)
        except (Replayed, Stale, FromTheFuture):
            continue
        assert (timestamp, str(nonce)) not in accepted
        accepted.add((timestamp, str(nonce)))
        assert len(guard.seen) <= 4
        if restart:
            guard = restarted(guard, window=guard.window, most=4)


def test_order_within_the_window_never_costs_a_message() -> None:
    guard = ReplayGuard()
    for second in range(1000):
        guard = guard.accept(NOW + (second ^ 7) * SECOND, "n", now=NOW + second * SECOND)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"floor": None},
        {"floor": 1, "seen": []},
        {"floor": None, "seen": [1]},
        {"floor": "x", "seen": []},
        {"floor": None, "seen": [["2030-01-01T00:00:00+00:00"]]},
        {"floor": None, "seen": [["2030-01-01T00:00:00+00:00", 1]]},
        {"floor": None, "seen": [["2030-01-01T00:00:00", "n"]]},
    ],
)
def test_memory_that_is_none(value: dict[str, Any]) -> None:
    with pytest.raises(LocalError):
        ReplayGuard.from_json(value)


def test_wrong_settings_and_naive_times_are_our_mistakes() -> None:
    with pytest.raises(LocalError):
        Window(-SECOND)
    with pytest.raises(ValueError, match="most"):
        ReplayGuard(most=0)
    with pytest.raises(LocalError):
        ReplayGuard().accept(NOW.replace(tzinfo=None), "n", now=NOW)
    with pytest.raises(LocalError):
        ReplayGuard().accept(NOW, "n", now=NOW.replace(tzinfo=None))
