"""Durations and lexical values keep what they said, and can be computed with where that is defined."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core.model import (
    ZERO,
    Duration,
    LexicalDateTime,
    LexicalDecimal,
    LexicalFloat,
    LexicalInt,
    LexicalXml,
    Properties,
)
from tests.strategies import durations

NOW = datetime(2025, 1, 31, 12, tzinfo=UTC)


@pytest.mark.rule("R1")
@pytest.mark.parametrize(
    ("text", "months", "seconds"),
    [
        ("PT15M", 0, 900),
        ("P1D", 0, 86400),
        ("P1DT2H", 0, 93600),
        ("P1Y2M3DT4H5M6S", 14, 273906),
        ("P1M", 1, 0),
        ("PT1M", 0, 60),
        ("PT0S", 0, 0),
        ("P", 0, 0),
        ("PT", 0, 0),
        ("P1H", 0, 3600),
        ("-PT5M", 0, -300),
        ("+PT5M", 0, 300),
        ("2W", 0, 1209600),
        ("P2W", 0, 1209600),
        ("PT٣M", 0, 180),
        ("٣2W", 0, 19353600),
    ],
)
def test_duration_means_what_it_says(text: str, months: int, seconds: int) -> None:
    duration = Duration.parse(text)
    assert (duration.months, duration.seconds) == (months, seconds)


@pytest.mark.parametrize(
    "text", ["", "5M", "PT1.5S", " PT5M", "PT5M\n", "PT5S3M", "P1W2D", "PT5", "P-1D", "PT²M", f"P{'1' * 300}W"]
)
def test_other_text_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        Duration.parse(text)


def test_long_duration_keeps_its_text_and_is_longer_than_any_calendar() -> None:
    duration = Duration.parse(f"P{'1' * 100_000}D")
    assert duration.text == f"P{'1' * 100_000}D"
    assert duration.seconds > timedelta.max.total_seconds()
    assert Duration.parse(f"P{'0' * 100_000}1D").timedelta == timedelta(days=1)


def test_duration_keeps_its_text() -> None:
    assert str(Duration.parse("PT60M")) == "PT60M"
    assert Duration.parse("PT60M") == Duration.parse("PT1H")
    assert str(Duration.parse("P2W")) == "P14D"


@given(duration=durations())
def test_duration_is_read_back(duration: Duration) -> None:
    assert Duration.parse(str(duration)) == duration


@given(seconds=st.integers(-(10**9), 10**9))
def test_duration_of_a_timedelta_is_as_long(seconds: int) -> None:
    span = timedelta(seconds=seconds)
    assert Duration.of(span).timedelta == span
    assert Duration.parse(Duration.of(span).text).timedelta == span


def test_months_have_no_fixed_length() -> None:
    with pytest.raises(ValueError, match="P1M has no fixed length"):
        _ = Duration.parse("P1M").timedelta


def test_months_go_by_the_calendar() -> None:
    assert Duration.parse("P1M").after(NOW) == datetime(2025, 2, 28, 12, tzinfo=UTC)
    assert Duration.parse("P1Y1M").after(NOW) == datetime(2026, 2, 28, 12, tzinfo=UTC)
    assert Duration.parse("-P2M").after(NOW) == datetime(2024, 11, 30, 12, tzinfo=UTC)
    assert Duration.parse("P11MT1H").after(NOW) == datetime(2025, 12, 31, 13, tzinfo=UTC)
    assert Duration.parse("PT5M").after(NOW) == NOW + timedelta(minutes=5)
    assert Duration.parse("P1M").after(datetime(9999, 11, 30, tzinfo=UTC)) == datetime(9999, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["P9999Y", "-P9999Y", "P9999999D", "P99999999999999999999D"])
def test_beyond_the_calendar_is_an_overflow(text: str) -> None:
    with pytest.raises(OverflowError):
        Duration.parse(text).after(NOW)


def test_fractions_and_mixed_signs_are_refused() -> None:
    with pytest.raises(ValueError, match="whole seconds"):
        Duration.of(timedelta(milliseconds=1))
    with pytest.raises(ValueError, match="different signs"):
        Duration(months=1, seconds=-1)


def test_zero_is_false() -> None:
    assert not ZERO
    assert not Duration.parse("P")
    assert Duration.parse("P1M")
    assert ZERO.text == "PT0S"


def test_field_takes_a_timedelta() -> None:
    properties = Properties(dtstart=NOW, duration=timedelta(hours=1))  # type: ignore[arg-type]  # converted by the field
    assert properties.duration == Duration.parse("PT1H")


@pytest.mark.parametrize(
    "value",
    [
        LexicalFloat(1.5, "1.50"),
        LexicalInt(7, "007"),
        LexicalDecimal("+50", "+50"),
        LexicalDateTime.of(NOW, "2025-01-31T12:00:00.0Z"),
        LexicalXml("<a></a>", ' b="1"'),
        Duration.parse("PT60M"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_lexical_value_survives_copies(value: object) -> None:
    for again in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert again == value
        assert type(again) is type(value)
        for name in ("text", "attributes"):
            assert getattr(again, name, None) == getattr(value, name, None)


def test_what_is_computed_from_a_lexical_time_has_no_text() -> None:
    value = LexicalDateTime.of(NOW, "2025-01-31T12:00:00.0Z")
    assert getattr(value + timedelta(hours=1), "text", "") == ""
    assert getattr(value.replace(hour=1), "text", "") == ""
