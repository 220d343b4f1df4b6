"""What a picture of values shows: lines with their gaps, bad values, and the events of its time."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from io import BytesIO
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from oadr_transports.cli.plotting import (
    MOST_LANES,
    MOST_NAMED,
    MOST_POINTS,
    Line,
    bars_of,
    draw,
    lanes_of,
    lines_of,
    outline,
    thinned,
)

START = datetime(2030, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BAD = "Quality Bad - No Communication"


def series(r_id: str = "power", **fields: Any) -> dict[str, Any]:
    return {
        "ven_id": "v1",
        "report_specifier_id": "meters",
        "report_request_id": "r1",
        "r_id": r_id,
        "resource_id": None,
        "measurement": "PowerReal",
        "unit": "W",
        "scale": "k",
        **fields,
    }


def value(minute: float, number: Any, **fields: Any) -> dict[str, Any]:
    return {"start": (START + minute * MINUTE).isoformat(), "value": number, **fields}


def event(event_id: str, start: int, *lengths: tuple[int, float], **fields: Any) -> dict[str, Any]:
    intervals, at = [], START + start * MINUTE
    for minutes, level in lengths:
        intervals.append({"start": at.isoformat(), "duration": f"PT{minutes}M", "value": level})
        at += minutes * MINUTE
    signal = {"name": "SIMPLE", "type": "level", "unit": None, "item_units": None, "intervals": intervals}
    return {"event_id": event_id, "status": "active", "ven_ids": None, "signals": [signal], **fields}


def drawn(lines: list[Line], bars: list[Any] | None = None) -> str:
    out = BytesIO()
    draw(lines, bars or [], out, "svg", "title")
    return "\n".join(etree.fromstring(out.getvalue()).itertext())


# --- lines ----------------------------------------------------------------------------------------------------------


def test_each_data_point_is_a_line_named_after_ven_resource_and_rid() -> None:
    values = [
        (series(), value(0, 1.0)),
        (series(), value(1, 2.0)),
        (series("L1", resource_id="boiler", measurement="Voltage", unit="V", scale="none"), value(0, 230.0)),
        (series("t", ven_id="v2", measurement="Temperature", unit="celsius", scale="none"), value(0, 20.0)),
        (series("x", measurement=None, unit=None, scale=None), value(0, 1.0)),
    ]
    found = lines_of(values, {"v1": "cold store"})
    assert [(line.name, line.unit) for line in found] == [
        ("cold store · power", "kW (PowerReal)"),
        ("cold store · boiler · L1", "V (Voltage)"),
        ("v2 · t", "°C (Temperature)"),
        ("cold store · x", "unit unknown"),
    ]
    assert found[0].values == [1.0, 2.0]


def test_requests_for_one_data_point_make_one_line_in_the_order_of_time() -> None:
    values = [
        (series(), value(0, 1.0)),
        (series(), value(2, 3.0)),
        (series(report_request_id="r2"), value(1, 2.0)),
        (series(report_request_id="r2"), value(2, 3.5)),
    ]
    [line] = lines_of(values, {})
    assert line.values == [1.0, 2.0, 3.5]
    assert line.starts == sorted(line.starts)


def test_what_is_no_number_is_left_out() -> None:
    assert lines_of([(series(), {"start": START.isoformat(), "state": {}}), (series(), value(0, "inf"))], {}) == []


def test_bad_values_are_marked_and_not_drawn() -> None:
    [line] = lines_of(
        [(series(), value(n, 0.0 if n == 1 else 5.0, data_quality=BAD if n == 1 else None)) for n in range(3)], {}
    )
    _, ys = outline(line)
    assert 0.0 not in ys
    assert any(map(math.isnan, ys))
    assert line.bad == [START + MINUTE]
    assert "quality bad (1)" in drawn([line])


def test_a_line_is_broken_where_values_are_missing() -> None:
    minutes = [0, 1, 2, 10, 11]
    [interval] = lines_of([(series(), value(minute, 1.0, duration=60.0)) for minute in minutes], {})
    xs, ys = outline(interval)
    assert [x for x, y in zip(xs, ys, strict=True) if math.isnan(y)] == [START + 3 * MINUTE, START + 12 * MINUTE]
    [point] = lines_of([(series(), value(minute, 1.0)) for minute in minutes], {})
    xs, ys = outline(point)
    assert [x for x, y in zip(xs, ys, strict=True) if math.isnan(y)] == [START + 3 * MINUTE, START + 12 * MINUTE]


def test_one_missing_value_of_many_does_not_break_an_irregular_line() -> None:
    [line] = lines_of([(series(), value(minute, 1.0)) for minute in (0, 1, 2.2, 3, 4)], {})
    _, ys = outline(line)
    assert sum(map(math.isnan, ys)) == 1, "after the last one only"


@given(seed=st.integers(0, 2**32), count=st.integers(MOST_POINTS, 3 * MOST_POINTS))
@settings(max_examples=20, deadline=None)
def test_thinning_keeps_the_ends_the_extremes_and_the_gaps(seed: int, count: int) -> None:
    dice = Random(seed)
    ys = [math.nan if dice.random() < 0.01 else dice.uniform(-1e6, 1e6) for _ in range(count)]
    xs = [START + minute * MINUTE for minute in range(len(ys))]
    few_xs, few_ys = thinned(xs, ys)
    numbers = [y for y in ys if not math.isnan(y)]
    assert len(few_xs) == len(few_ys) <= 1.1 * MOST_POINTS + sum(map(math.isnan, ys))
    assert (few_xs[0], few_xs[-1]) == (xs[0], xs[-1])
    assert few_xs == sorted(set(few_xs))
    kept = [y for y in few_ys if not math.isnan(y)]
    assert not numbers or (min(kept), max(kept)) == (min(numbers), max(numbers))
    assert sum(map(math.isnan, few_ys)) == sum(map(math.isnan, ys))


# --- events ---------------------------------------------------------------------------------------------------------


def test_events_of_others_and_cancelled_ones_are_not_shown() -> None:
    events = [
        event("all", 0, (10, 1)),
        event("mine", 10, (10, 2), ven_ids=["v1", "v9"]),
        event("others", 20, (10, 3), ven_ids=["v9"]),
        event("cancelled", 30, (10, 3), status="cancelled"),
    ]
    assert [bar.event_id for bar in bars_of(events, {"v1"})] == ["all", "mine"]


def test_events_side_by_side_share_a_lane_and_overlapping_ones_do_not() -> None:
    bars = bars_of([event("a", 0, (10, 1), (10, 2)), event("b", 10, (10, 3)), event("c", 20, (5, 1))], {"v1"})
    lanes = [[bar.event_id for bar in lane] for lane in lanes_of(bars)]
    assert lanes == [["a", "a", "c"], ["b"]]


def test_an_event_without_end_lasts_to_the_end_of_the_picture() -> None:
    [bar] = bars_of([event("a", 0, (0, 2))], {"v1"})
    assert bar.end is None
    [line] = lines_of([(series(), value(minute, 1.0)) for minute in range(60)], {})
    assert "SIMPLE level" in drawn([line], [bar])


def test_price_signals_say_their_unit_and_values() -> None:
    priced = event("a", 0, (30, 0.25))
    priced["signals"][0] |= {
        "name": "ELECTRICITY_PRICE",
        "type": "price",
        "unit": "CurrencyPerKWh",
        "item_units": "EUR",
    }
    [line] = lines_of([(series(), value(minute, 1.0)) for minute in range(60)], {})
    text = drawn([line], bars_of([priced], {"v1"}))
    assert "ELECTRICITY_PRICE price, EUR/kWh" in text
    assert "0.25" in text


# --- the whole ------------------------------------------------------------------------------------------------------


def test_many_lines_and_lanes_are_counted_where_they_are_not_named() -> None:
    lines = lines_of([(series(f"p{n}"), value(minute, n)) for n in range(MOST_NAMED + 3) for minute in range(3)], {})
    events = [event(f"e{n}", 0, (3, 1)) for n in range(MOST_LANES + 2)]
    text = drawn(lines, bars_of(events, {"v1"}))
    assert "and 3 more" in text
    assert "(and 2 more rows)" in text


def test_a_single_value_a_flat_line_and_strange_names_are_drawn() -> None:
    lines = lines_of(
        [
            (series("<b>$x$\n\x1b[2J"), value(0, 1.0)),
            (series("flat"), value(0, 5.0)),
            (series("flat"), value(1, 5.0)),
            (series("_雪", ven_id="_hidden"), value(0, 1.0)),
        ],
        {},
    )
    text = drawn(lines)
    assert "<b>$x$" in text
    assert "\x1b" not in text
    assert "_hidden" in text


def test_the_same_picture_is_the_same_file() -> None:
    [line] = lines_of([(series(), value(minute, minute)) for minute in range(5)], {})
    files = []
    for _ in range(2):
        out = BytesIO()
        draw([line], [], out, "svg", "t")
        files.append(out.getvalue())
    assert files[0] == files[1]
