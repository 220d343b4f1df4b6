"""Values of reports in the stores: whatever order they come in, the last one said of a time is what is kept."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oadr_core import LocalError
from oadr_core.engine import DataPoint, ReportReceived, ReportValues
from oadr_core.model import (
    GBPayload,
    LoadControlState,
    LoadControlStates,
    PayloadResourceStatus,
    PowerAttributes,
    PowerReal,
    Voltage,
)
from oadr_transports.stores import MemoryStore, SqliteReader, SqliteStore, StoredValue, ValueStore, Wanted
from oadr_transports.stores.blocks import MOST, Block, extended, normal, packed, unpacked
from oadr_transports.stores.sqlite_values import GROWING, PRUNED
from tests.strategies import FEEDS

START = datetime(2030, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NOW = datetime(2031, 1, 1, tzinfo=UTC)
POWER = PowerReal(
    item_units="W",
    si_scale_code="k",
    power_attributes=PowerAttributes(hertz=50, voltage=230, ac=True),
)


def at(minutes: float) -> datetime:
    return START + minutes * MINUTE


def report(*rows: tuple[Any, ...], ven_id: str = "ven", request: str = "rr", **fields: Any) -> ReportReceived:
    """Rows are rID, minute, value, and what else may follow: duration in minutes, quality, accuracy, confidence."""
    filled = [(*row, *(None,) * (7 - len(row))) for row in rows]
    points = fields.pop("points", {})
    return ReportReceived(
        **{
            "ven_id": ven_id,
            "report_request_id": request,
            "report_specifier_id": "telemetry",
            "report_name": "TELEMETRY_USAGE",
            "values": ReportValues(
                [
                    (r_id, at(minute), None if length is None else length * MINUTE, value, *rest)
                    for r_id, minute, value, length, *rest in filled
                ],
                points,
            ),
            **fields,
        }
    )


def shown(found: Iterator[StoredValue]) -> list[tuple[str, float, Any]]:
    return [(one.r_id, (one.dtstart - START) / MINUTE, one.value) for one in found]


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ValueStore]:
    made = (
        MemoryStore(clock=lambda: NOW)
        if request.param == "memory"
        else SqliteStore(tmp_path / "s.db", clock=lambda: NOW)
    )
    assert isinstance(made, ValueStore)
    yield made
    made.close()


# --- what comes back ------------------------------------------------------------------------------------------------


def test_everything_that_is_known_of_a_value_comes_back(store: ValueStore) -> None:
    point = DataPoint(item_base=POWER, resource_id="boiler", report_type="usage", market_context="urn:m")
    store.commit(
        {"a": b"1"},
        [report(("p", 0, 1.5, 15, "Quality Bad - Non Specific", 0.25, 95), ("p", 15, -3.25, 15), points={"p": point})],
    )
    first, second = store.values()
    assert (first.ven_id, first.r_id, first.resource_id, first.item_base) == ("ven", "p", "boiler", POWER)
    assert first.series.report_name == "TELEMETRY_USAGE"
    assert first.series.point == point
    assert (first.dtstart, first.duration, first.value) == (START, 15 * MINUTE, 1.5)
    assert (first.data_quality, first.accuracy, first.confidence) == ("Quality Bad - Non Specific", 0.25, 95)
    assert not first.is_good
    assert first.received_at == NOW
    assert (second.value, second.data_quality, second.accuracy, second.confidence) == (-3.25, None, None, None)
    assert second.is_good
    assert store.load() == {"a": b"1"}


def test_states_of_resources_and_green_button_data_come_back(store: ValueStore) -> None:
    level = LoadControlState(oadr_min=0.0, oadr_max=3.0, oadr_current=2.0)
    status = PayloadResourceStatus(
        oadr_online=True, oadr_manual_override=False, oadr_load_control_state=LoadControlStates(oadr_capacity=level)
    )
    feed = GBPayload(feed=FEEDS[0])
    store.commit({}, [report(("s", 0, 1.0), ("s", 1, status), ("s", 2, feed), ("s", 3, status))])
    assert [one.value for one in store.values()] == [1.0, status, feed, status]


@pytest.mark.parametrize("unit", [None, Voltage(si_scale_code="none"), POWER])
def test_units_come_back(store: ValueStore, unit: Any) -> None:
    store.commit({}, [report(("p", 0, 1.0), points={"p": DataPoint(item_base=unit)})])
    [value] = store.values()
    assert value.item_base == unit


def test_values_can_be_chosen(store: ValueStore) -> None:
    for ven_id in ("a", "b"):
        rows = [(r_id, minute, float(minute)) for minute in range(6) for r_id in ("x", "y")]
        store.commit({}, [report(*rows, ven_id=ven_id)])
    store.commit({}, [report(("x", 0, 9.0), ven_id="a", request="other")])

    def count(**wanted: Any) -> int:
        return len(list(store.values(Wanted(**wanted))))

    assert count() == 25
    assert count(ven_id="a") == 13
    assert count(ven_id="a", r_id="x") == 7
    assert count(report_request_id="other") == 1
    assert count(report="telemetry", ven_id="b") == 12
    assert count(report="nothing") == 0
    assert shown(store.values(Wanted(ven_id="b", r_id="y", since=at(2), until=at(4)))) == [("y", 2, 2.0), ("y", 3, 3.0)]
    with pytest.raises(LocalError, match="time zone"):
        Wanted(since=datetime(2030, 1, 1))  # noqa: DTZ001  # that is the mistake


def test_summaries_count_and_show_the_last_value(store: ValueStore) -> None:
    store.commit({}, [report(("x", 0, 1.0), ("x", 1, 2.0), ("y", 5, 3.0))])
    store.commit({}, [report(("x", 7, 4.0), ("x", 1, 5.0))])
    found = {one.series.r_id: (one.count, one.first, one.last.dtstart, one.last.value) for one in store.summaries()}
    assert found == {"x": (3, at(0), at(7), 4.0), "y": (1, at(5), at(5), 3.0)}
    assert list(store.summaries(Wanted(ven_id="other"))) == []


# --- corrections ----------------------------------------------------------------------------------------------------


@pytest.mark.rule("R346")
def test_a_later_copy_corrects_and_a_repeat_does_not_double(store: ValueStore) -> None:
    first = report(("p", 0, 1.0), ("p", 1, 2.0, None, "Quality Bad - Non Specific"), ("p", 2, 3.0))
    store.commit({}, [first, first])
    store.commit({}, [first])
    store.commit({}, [report(("p", 1, 2.5, None, "Quality Good - Non Specific"))])
    assert shown(store.values()) == [("p", 0, 1.0), ("p", 1, 2.5), ("p", 2, 3.0)]
    assert [str(one.data_quality) for one in store.values()] == ["None", "Quality Good - Non Specific", "None"]


@pytest.mark.rule("R346")
def test_the_same_time_of_another_request_or_ven_is_another_value(store: ValueStore) -> None:
    store.commit(
        {}, [report(("p", 0, 1.0)), report(("p", 0, 2.0), request="other"), report(("p", 0, 3.0), ven_id="v2")]
    )
    assert sorted(one.value for one in store.values()) == [1.0, 2.0, 3.0]


_rows = st.lists(
    st.tuples(st.sampled_from("xy"), st.integers(0, 30), st.floats(allow_nan=False, width=32)), max_size=12
)


@given(commits=st.lists(st.lists(_rows, min_size=1, max_size=3), max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
def test_whatever_the_order_the_last_word_is_kept(tmp_path: Path, commits: list[list[list[Any]]]) -> None:
    path = tmp_path / "s.db"
    for left in tmp_path.iterdir():
        left.unlink()
    disk, memory = SqliteStore(path, clock=lambda: NOW), MemoryStore(clock=lambda: NOW)
    model: dict[tuple[str, float], float] = {}
    try:
        for reports in commits:
            received = [report(*rows) for rows in reports]
            for one in (disk, memory):
                one.commit({}, received)
            model.update({(r_id, minute): value for rows in reports for r_id, minute, value in rows})
            expected = [(*key, value) for key, value in sorted(model.items())]
            assert shown(disk.values()) == shown(memory.values()) == expected
            assert sum(one.count for one in disk.summaries()) == len(model)
    finally:
        disk.close()


_columns = st.integers(1, 40).flatmap(
    lambda count: st.fixed_dictionaries(
        {
            "times": st.lists(st.integers(-(2**60), 2**60), min_size=count, max_size=count, unique=True).map(sorted),
            "durations": st.just([None]) | st.lists(st.none() | st.integers(0, 2**50), min_size=count, max_size=count),
            "values": st.lists(
                st.floats() | st.builds(GBPayload, feed=st.sampled_from(FEEDS)), min_size=count, max_size=count
            ),
            "qualities": st.just([None]) | st.lists(st.none() | st.text(), min_size=count, max_size=count),
            "accuracies": st.just([None]) | st.lists(st.none() | st.floats(0, 9), min_size=count, max_size=count),
            "confidences": st.just([None]) | st.lists(st.none() | st.integers(0, 100), min_size=count, max_size=count),
        }
    )
)


@given(_columns)
def test_block_comes_back_from_its_bytes(columns: dict[str, Any]) -> None:
    block = Block(**columns)
    again = unpacked(packed(block))
    for one, other in zip(block.rows(), again.rows(), strict=True):
        same_value = one.value == other.value or (math.isnan(one.value) and math.isnan(other.value))  # type: ignore[arg-type]
        assert same_value
        assert one._replace(value=0.0) == other._replace(value=0.0)


def test_a_regular_block_is_small() -> None:
    times = [60_000_000 * minute for minute in range(1_440)]
    block = packed(Block(times=times, durations=[60_000_000], values=[0.5] * 1_440))
    assert block.times is None
    assert len(block.numbers) + len(block.details) < 1_440 * 8 + 50


def test_blocks_have_a_fair_size() -> None:
    count = MOST * 2 + 5
    [*blocks] = normal(Block(times=range(count), durations=[None], values=[float(n) for n in range(count)]))
    assert [len(block.times) for block in blocks] == [MOST, MOST, 5]
    assert [block.times[0] for block in blocks] == [0, MOST, 2 * MOST]


def test_a_long_report_and_a_correction_in_its_middle(store: ValueStore) -> None:
    count = MOST + 100
    store.commit({}, [report(*(("p", minute, float(minute)) for minute in range(count)))])
    store.commit({}, [report(("p", 50, -1.0), ("p", 50.5, -2.0), ("p", count, -3.0))])
    found = [value for _, _, value in shown(store.values())]
    assert len(found) == count + 2
    assert found[49:53] == [49.0, -1.0, -2.0, 51.0]
    assert found[-1] == -3.0


# --- SQLite ---------------------------------------------------------------------------------------------------------


def test_records_and_values_are_kept_together_or_not_at_all(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db")
    store.commit({"a": b"1"}, [report(("p", 0, 1.0))])
    other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    other.execute("CREATE TRIGGER no BEFORE INSERT ON block BEGIN SELECT RAISE(ABORT, 'full'); END")
    with pytest.raises(OSError, match="cannot be written: full"):
        store.commit({"a": b"2"}, [report(("new", 1, 2.0))])
    assert store.load() == {"a": b"1"}
    assert shown(store.values()) == [("p", 0, 1.0)]
    other.execute("DROP TRIGGER no")
    other.close()
    store.commit({"a": b"3"}, [report(("new", 1, 2.0))])
    assert shown(store.values()) == [("new", 1, 2.0), ("p", 0, 1.0)]
    store.close()


def test_a_reader_sees_one_moment_while_the_store_goes_on(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db")
    store.commit({"a": b"1"}, [report(("p", 0, 1.0), ("p", 1, 2.0))])
    reader = SqliteReader(tmp_path / "s.db")
    reading = reader.values()
    assert next(reading).value == 1.0
    store.commit({"a": b"2"}, [report(("p", 1, 5.0), ("q", 0, 6.0))])
    assert [one.value for one in reading] == [2.0], "as it was when the reading began"
    assert [one.value for one in reader.values()] == [1.0, 5.0, 6.0]
    assert reader.load() == {"a": b"2"}
    store.close()
    assert [one.value for one in reader.values()] == [1.0, 5.0, 6.0], "and without a VTN"


def test_a_reader_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"there is no .*none\.db"):
        list(SqliteReader(tmp_path / "none.db").values())
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "text.db").write_text("this is no database, it is a long enough text")
    with pytest.raises(LocalError, match="cannot be read"):
        list(SqliteReader(tmp_path / "text.db").values())


def test_database_of_the_first_form_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with sqlite3.connect(path) as first:
        first.execute("PRAGMA application_id = 0x6F616472")
        first.execute("PRAGMA user_version = 1")
        first.execute("CREATE TABLE record (key TEXT PRIMARY KEY, data BLOB NOT NULL)")
        first.execute("INSERT INTO record VALUES ('a', X'31')")
    first.close()
    store = SqliteStore(path)
    assert store.load() == {"a": b"1"}
    store.commit({}, [report(("p", 0, 1.0))])
    assert shown(store.values()) == [("p", 0, 1.0)]
    store.close()
    again = SqliteStore(path)
    assert shown(again.values()) == [("p", 0, 1.0)]
    again.close()


def test_old_values_go_in_small_steps(tmp_path: Path) -> None:
    now = [NOW]
    store = SqliteStore(tmp_path / "s.db", keep_values=timedelta(days=1), clock=lambda: now[0])
    many = PRUNED + 10
    store.commit({}, [report((f"r{number}", 0, 1.0)) for number in range(many)])
    now[0] += timedelta(hours=24)
    store.commit({}, [report(("new", 0, 2.0))])
    assert len(list(store.values())) == many + 1
    now[0] += GROWING + MINUTE
    store.commit({"a": b"1"})
    assert len(list(store.values())) == many + 1 - PRUNED
    store.commit({"a": b"2"})
    assert shown(store.values()) == [("new", 0, 2.0)]
    store.close()


def test_values_that_come_one_by_one_share_a_block_for_an_hour(tmp_path: Path) -> None:
    now = [NOW]
    store = SqliteStore(tmp_path / "s.db", clock=lambda: now[0])
    for minute in range(150):
        store.commit({}, [report(("p", minute, float(minute), 1), ("late", 2 * minute, float(minute)))])
        now[0] += MINUTE
    store.commit({}, [report(("p", 149, -1.0, 1), ("p", 10, -2.0, 1))])
    found = {at: value for r_id, at, value in shown(store.values()) if r_id == "p"}
    assert found == {**{minute: float(minute) for minute in range(150)}, 149: -1.0, 10: -2.0}
    with sqlite3.connect(tmp_path / "s.db") as database:
        sizes = [size for (size,) in database.execute("SELECT size FROM block ORDER BY series, start")]
    database.close()
    assert sizes == [60, 60, 30] * 2
    store.close()


def test_only_the_blocks_that_a_report_corrects_are_written_anew(tmp_path: Path) -> None:
    """A VEN may send a value of now and one of long ago together: what lies between is not touched."""
    store = SqliteStore(tmp_path / "s.db")
    for begin in (0, 100, 200, 300):
        store.commit({}, [report(*(("p", begin + minute, 1.0) for minute in range(10)))])

    def numbers() -> dict[int, int]:
        with sqlite3.connect(tmp_path / "s.db") as database:
            return dict(database.execute("SELECT start, id FROM block"))

    before = numbers()
    store.commit({}, [report(("p", 5, 2.0), ("p", 150, 3.0), ("p", 309, 4.0), ("p", 400, 5.0))])
    kept = {at: number for at, number in numbers().items() if before.get(at) == number}
    assert len(kept) == 2, "the second and the third"
    found = {at: value for _, at, value in shown(store.values())}
    assert len(found) == 42
    assert {at: value for at, value in found.items() if value != 1.0} == {5: 2.0, 150: 3.0, 309: 4.0, 400: 5.0}
    store.close()


def test_a_block_grows_by_what_is_like_it_only() -> None:
    first = packed(Block(times=[0, 10], durations=[10], values=[1.0, 2.0]))

    def grown(**changes: Any) -> bool:
        value = {"times": [20], "durations": [10], "values": [3.0], **changes}
        return extended(first, packed(Block(**value))) is not None

    assert grown()
    for change in (
        {"times": [30]},
        {"times": [20, 30], "values": [3.0, 4.0]},
        {"durations": [20]},
        {"qualities": ["Quality Bad - Non Specific"]},
        {"accuracies": [1.0]},
        {"values": [GBPayload(feed=FEEDS[0])]},
    ):
        assert not grown(**change), change


def test_memory_store_keeps_the_latest_only() -> None:
    store = MemoryStore(most_values=3)
    store.commit({}, [report(*(("p", minute, float(minute)) for minute in range(3)))])
    store.commit({}, [report(("p", 0, 7.0), ("p", 3, 3.0))])
    assert shown(store.values()) == [("p", 0, 7.0), ("p", 2, 2.0), ("p", 3, 3.0)]


def test_keep_values_must_be_a_time(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="above zero"):
        SqliteStore(tmp_path / "s.db", keep_values=timedelta())


def test_values_are_as_they_were_told(store: ValueStore) -> None:
    """What an application hears of a value and what it reads later are the same."""
    points = {"p": DataPoint(item_base=POWER, resource_id="r")}
    told = report(("p", 0, 1.5, 15, "Quality Good - Non Specific", 0.5, 90), ("p", 15, 2.5, 15), points=points)
    store.commit({}, [told])
    fields = [field.name for field in attrs.fields(type(told.values[0]))]
    for one, other in zip(told.values, store.values(), strict=True):
        assert [getattr(one, name) for name in fields] == [getattr(other, name) for name in fields]
