"""Values as rows, as columns and as objects: three views of the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from oadr_core.engine.values import Columns, DataPoint, ReportReceived, ReportValue, ReportValues
from oadr_core.model import DataQuality, Voltage

START = datetime(2026, 6, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
GOOD = DataQuality.QUALITY_GOOD_NON_SPECIFIC
POINTS = {"a": DataPoint(item_base=Voltage(), resource_id="meter")}
ROWS = (
    ("a", START, None, 1.0, None, None, None),
    ("b", START, None, 2.0, GOOD, 0.5, 99),
    ("a", START + SECOND, SECOND, 3.0, None, None, None),
)


def test_rows_columns_and_values_are_the_same() -> None:
    by_rows = ReportValues(ROWS, POINTS)
    by_columns = ReportValues(columns=by_rows.columns, points=POINTS)
    assert by_columns.rows == by_rows.rows == ROWS
    assert list(by_columns) == list(by_rows) == list(ReportValues.of(list(by_rows)))
    assert len(by_columns) == len(by_rows) == 3
    assert by_columns == by_rows == list(by_rows)
    assert hash(by_columns) == hash(by_rows)


def test_column_of_nothing_is_none() -> None:
    a, b = ReportValues(ROWS).columns.values()
    assert (a.times, a.durations, a.values) == ((START, START + SECOND), (None, SECOND), (1.0, 3.0))
    assert a.qualities is a.accuracies is a.confidences is None
    assert (b.durations, b.qualities, b.accuracies, b.confidences) == (None, (GOOD,), (0.5,), (99,))


def test_columns_with_the_same_times_come_side_by_side() -> None:
    times = [START, START + SECOND]
    values = ReportValues(
        columns={"a": Columns(times=times, values=[1.0, 2.0]), "b": Columns(times=times, values=[3.0, 4.0])}
    )
    assert [(row[0], row[3]) for row in values.rows] == [("a", 1.0), ("b", 3.0), ("a", 2.0), ("b", 4.0)]


def test_value_has_what_is_known_of_its_data_point() -> None:
    values = ReportValues(ROWS, POINTS)
    assert (values[0].item_base, values[0].resource_id) == (Voltage(), "meter")
    assert (values[1].item_base, values.point("b")) == (None, DataPoint())
    assert values[1:] == (values[1], values[2])
    assert values[-1] == ReportValue(
        r_id="a", dtstart=START + SECOND, duration=SECOND, value=3.0, item_base=Voltage(), resource_id="meter"
    )


def test_other_values_are_not_equal() -> None:
    values = ReportValues(ROWS, POINTS)
    assert values != ReportValues(ROWS)
    assert values != ReportValues(ROWS[:2], POINTS)
    assert values != "abc"


def test_report_takes_any_sequence_of_values() -> None:
    values = list(ReportValues(ROWS, POINTS))
    report = ReportReceived(ven_id="v", report_request_id="q", report_specifier_id="s", report_name=None, values=values)
    assert isinstance(report.values, ReportValues)
    assert report.values == values
