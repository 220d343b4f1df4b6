"""What comes out of a report callback becomes readings, whatever it is."""

from __future__ import annotations

import logging
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import LocalError
from oadr_core.model import DataQuality, GBPayload, PayloadResourceStatus
from oadr_core.ven import Reading
from oadr_transports import Measured, resource_status
from oadr_transports.readings import Kind, readings_of

AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
LATER = AT + timedelta(minutes=1)
BAD = DataQuality.QUALITY_BAD_NON_SPECIFIC
FEED = (
    '<feed xmlns="http://www.w3.org/2005/Atom"><id>urn:uuid:1</id><title>Usage</title>'
    "<updated>2026-05-04T12:00:00Z</updated></feed>"
)


def pairs(result: Any, kind: Kind = Kind.NUMBER) -> list[tuple[datetime | None, Any, Any]]:
    return [(reading.at, reading.value, reading.quality) for reading in readings_of("r", result, kind)]


@pytest.mark.parametrize("number", [1, 1.0, Decimal("1.0"), Fraction(1, 1)])
def test_any_number_is_the_value_of_now(number: Any) -> None:
    assert pairs(number) == [(None, 1.0, None)]


@pytest.mark.parametrize(
    "rows",
    [
        [(AT, 1), (LATER, 2)],
        [(AT, 1.0), (LATER, 2.0)],
        ((AT, 1), (LATER, 2)),
        [[AT, 1], [LATER, 2]],
        [[(AT, 1), (LATER, 2)]],
        ((at, value) for at, value in ((AT, 1), (LATER, 2))),
        zip((AT, LATER), (1, 2), strict=True),
        [Measured(1, at=AT), (LATER, Decimal(2))],
    ],
    ids=["tuples", "floats", "a tuple", "lists", "rows within rows", "a generator", "zip", "measured"],
)
def test_several_values_have_their_times(rows: Any) -> None:
    assert pairs(rows) == [(AT, 1.0, None), (LATER, 2.0, None)]


def test_one_pair_alone_is_one_value() -> None:
    assert pairs((AT, 1.5)) == [(AT, 1.5, None)]


def test_no_values_are_no_readings() -> None:
    assert pairs([]) == []


@pytest.mark.rule("R318")
def test_none_means_no_valid_value() -> None:
    assert pairs(None) == [(None, None, BAD)]
    assert pairs(Measured(None, quality="Quality Bad - Sensor Failure")) == [
        (None, None, "Quality Bad - Sensor Failure")
    ]
    assert pairs(Measured(None, quality="Quality Good - Non Specific")) == [(None, None, BAD)]


@pytest.mark.rule("R319")
def test_what_is_known_of_a_value_stays_with_it() -> None:
    measured = Measured(1.5, at=AT, duration=timedelta(minutes=1), quality="x-guess", accuracy=0.1, confidence=90)
    assert readings_of("r", measured, Kind.NUMBER) == (
        Reading(
            r_id="r", value=1.5, at=AT, duration=timedelta(minutes=1), quality="x-guess", accuracy=0.1, confidence=90
        ),
    )


@pytest.mark.parametrize(
    "rubbish", ["1.5", b"1", True, math.nan, math.inf, -math.inf, object(), {"value": 1}, Exception("no"), 1j]
)
def test_rubbish_is_refused(rubbish: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        readings_of("r", rubbish, Kind.NUMBER)


@pytest.mark.rule("R318")
def test_bad_value_among_good_ones_has_a_placeholder(caplog: pytest.LogCaptureFixture) -> None:
    rows = [(AT, 1.0), (LATER, math.nan), (LATER, "x"), (datetime(2026, 1, 1), 3.0), 4.0]  # noqa: DTZ001  # without a zone: that is the point
    assert pairs(rows) == [(AT, 1.0, None), (LATER, None, BAD), (LATER, None, BAD)]
    assert len(caplog.records) == 4, "three by themselves, and how many there were"
    assert "4 values" in caplog.text


def test_nothing_good_at_all_is_refused() -> None:
    with pytest.raises(TypeError, match="time zone"):
        readings_of("r", [(datetime(2026, 1, 1), 3.0)], Kind.NUMBER)  # noqa: DTZ001  # without a zone


@pytest.mark.parametrize(
    "wrong",
    [
        {"at": datetime(2026, 1, 1)},  # noqa: DTZ001  # without a zone
        {"at": "now"},
        {"duration": timedelta(seconds=-1)},
        {"duration": timedelta(milliseconds=1)},
        {"duration": 60},
        {"quality": "good"},
        {"quality": "x-"},
        {"accuracy": math.nan},
        {"accuracy": "1"},
        {"confidence": 101},
        {"confidence": -1},
        {"confidence": 0.5},
    ],
)
def test_measured_refuses_what_cannot_be_written(wrong: dict[str, Any]) -> None:
    with pytest.raises(LocalError, match=f"Measured/{next(iter(wrong))}"):
        Measured(1.0, **wrong)


@pytest.mark.rule("R319")
def test_state_of_a_resource_has_no_accuracy() -> None:
    with pytest.raises(LocalError, match="accuracy"):
        Measured(resource_status(), accuracy=1.0)


# --- the state of a resource ----------------------------------------------------------------------------------------


@pytest.mark.rule("R334")
def test_status_has_every_quantity_of_a_load_controller() -> None:
    status = resource_status(
        True,
        False,
        capacity=5,
        level_offset={"current": 1},
        percent_offset={"current": 0.5, "min": 0, "max": 1, "normal": 1},
        set_point=21.5,
    )
    states = status.oadr_load_control_state
    assert states is not None
    assert states.oadr_capacity is not None
    assert states.oadr_capacity.oadr_current == 5.0
    assert states.oadr_percent_offset is not None
    assert (states.oadr_percent_offset.oadr_min, states.oadr_percent_offset.oadr_normal) == (0.0, 1.0)


@pytest.mark.parametrize("result", [True, resource_status(), {"online": True}, {"online": True, "capacity": None}])
def test_status_may_be_said_in_short(result: Any) -> None:
    assert pairs(result, Kind.STATUS) == [(None, resource_status(True, False), None)]


@pytest.mark.parametrize(
    "result",
    [1.0, "on", {"on": True}, {"online": 1}, PayloadResourceStatus(oadr_online="yes", oadr_manual_override=False)],
)  # type: ignore[arg-type]  # wrong on purpose
def test_what_is_no_status_is_refused(result: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        readings_of("r", result, Kind.STATUS)


@pytest.mark.parametrize("wrong", [{"min": 1}, {"current": 1, "mean": 2}, {"current": "x"}, math.nan, "1"])
def test_quantity_that_is_none_is_refused(wrong: Any) -> None:
    with pytest.raises(LocalError, match="capacity"):
        resource_status(capacity=wrong)


# --- Green Button ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "feed", [FEED, FEED.encode(), '<?xml version="1.0" encoding="UTF-8"?>\n' + FEED, b"\xef\xbb\xbf" + FEED.encode()]
)
def test_feed_is_taken_as_text_or_bytes(feed: str | bytes) -> None:
    [reading] = readings_of("r", feed, Kind.FEED)
    assert isinstance(reading.value, GBPayload)
    assert "<title>Usage</title>" in reading.value.feed


@pytest.mark.parametrize(
    "feed", ["", "<feed/>", FEED[:-3], FEED.replace("Atom", "atom"), b"\xff", 1.0, "<!DOCTYPE x>" + FEED]
)
def test_feed_that_may_not_stand_in_a_message_is_refused(feed: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        readings_of("r", feed, Kind.FEED)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5) | st.datetimes() | st.just(AT),
        lambda inner: st.lists(inner, max_size=4) | st.tuples(st.just(AT), inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    ),
    st.sampled_from(Kind),
)
def test_whatever_comes_out_gives_readings_that_can_be_written_or_one_clean_error(result: Any, kind: Kind) -> None:
    logging.getLogger("oadr").disabled = True
    try:
        readings = readings_of("r", result, kind)
    except (TypeError, ValueError):
        return
    finally:
        logging.getLogger("oadr").disabled = False
    for reading in readings:
        assert reading.value is None or kind is not Kind.NUMBER or math.isfinite(reading.value)
        assert reading.value is not None or str(reading.quality).startswith("Quality Bad")
        assert reading.at is None or reading.at.tzinfo is not None
