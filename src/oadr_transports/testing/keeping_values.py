"""The checks of a store that keeps the values of reports: each is there once, in its place, with all that was said.

They stand alone because only a VTN's store has values; of others the report says that they were not checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from oadr_core.engine.values import ReportReceived, ReportValue, Value
from oadr_core.model import DataQuality

from ..stores import StoredValue, ValueStore, Wanted
from .results import Check, Nonconforming, NotChecked, told
from .store_bench import Child, Say, StoreBench, StoreLack, killed_at, record

_NOON: Final = datetime(2025, 6, 1, 12, tzinfo=UTC)
_MINUTE: Final = timedelta(minutes=1)
_KEPT: Final = "keep every value with its VEN, request, data point and time, and everything that was said of it"


def _report(values: Iterable[ReportValue], *, ven_id: str = "ven", request: str = "request") -> ReportReceived:
    return ReportReceived(
        ven_id=ven_id, report_request_id=request, report_specifier_id="spec", report_name=None, values=tuple(values)
    )


def _value(r_id: str, minute: float, value: Value = 1.0, **more: Any) -> ReportValue:
    said = {"duration": _MINUTE, **more}
    return ReportValue(r_id=r_id, dtstart=_NOON + minute * _MINUTE, value=value, **said)


def _rows(values: Iterable[StoredValue]) -> list[tuple[object, ...]]:
    return [(one.ven_id, one.series.report_request_id, one.r_id, one.dtstart, one.value) for one in values]


def kept(bench: StoreBench) -> None:
    """Values come back as they were reported: numbers of any size, points and intervals, quality, accuracy."""
    given = [
        _value("power", 0, 0.1 + 0.2),
        _value("power", 1, -1e300, data_quality=DataQuality.QUALITY_GOOD_NON_SPECIFIC),
        _value("power", 2, 5e-324, accuracy=0.5, confidence=95),
        _value("power", 3.0001, 7.0, duration=None),
        _value("power", 4, 0.0, duration=timedelta(microseconds=1)),
    ]
    with bench.opened() as store:
        _keep(store, [_report(given)])
        came = [
            ReportValue(
                r_id=one.r_id,
                dtstart=one.dtstart,
                duration=one.duration,
                value=one.value,
                data_quality=one.data_quality,
                accuracy=one.accuracy,
                confidence=one.confidence,
            )
            for one in _of(store).values()
        ]
    wrong = [(one, other) for one, other in zip(given, came, strict=False) if one != other]
    if wrong or len(came) != len(given):
        text = f"{told(wrong[0][1])} came for {told(wrong[0][0])}" if wrong else f"{len(came)} values came"
        raise Nonconforming(f"{len(given)} values as they were given", text, _KEPT)


def corrected(bench: StoreBench) -> None:
    """A value for a time that has one replaces it; one of another VEN, request or data point does not (R346)."""
    with bench.opened() as store:
        _keep(store, [_report([_value("a", 0, 1.0), _value("a", 1, 2.0), _value("b", 0, 3.0)])])
        _keep(store, [_report([_value("a", 1, 20.0)])])
        _keep(store, [_report([_value("a", 1, 5.0)], ven_id="other"), _report([_value("a", 1, 6.0)], request="second")])
        _keep(store, [_report([_value("b", -1, 30.0), _value("b", 2, 40.0)])])
        at = [_NOON + minute * _MINUTE for minute in range(-1, 3)]
        expected = [
            ("other", "request", "a", at[2], 5.0),
            ("ven", "request", "a", at[1], 1.0),
            ("ven", "request", "a", at[2], 20.0),
            ("ven", "request", "b", at[0], 30.0),
            ("ven", "request", "b", at[1], 3.0),
            ("ven", "request", "b", at[3], 40.0),
            ("ven", "second", "a", at[2], 6.0),
        ]
        _check(expected, _of(store).values(), "series by series, each in the order of time")


def wanted(bench: StoreBench) -> None:
    """Only those values come that are asked for; ``until`` is the first time that is not."""
    reports = [
        _report([_value(r_id, minute) for r_id in ("a", "b") for minute in range(4)], ven_id=ven_id)
        for ven_id in ("v1", "v2")
    ]
    with bench.opened() as store:
        _keep(store, reports)
        everything = [(one, two.r_id, two.dtstart) for one in ("v1", "v2") for two in reports[0].values]
        two, four = _NOON + _MINUTE, _NOON + 3 * _MINUTE
        for question in (
            Wanted(ven_id="v2"),
            Wanted(r_id="a"),
            Wanted(since=two, until=four),
            Wanted(ven_id="v1", r_id="b", since=two),
            Wanted(ven_id="nobody"),
            Wanted(report="spec", report_request_id="request", until=two),
            Wanted(report="another"),
        ):
            expected = [
                (ven_id, r_id, at)
                for ven_id, r_id, at in everything
                if question.ven_id in (None, ven_id)
                and question.r_id in (None, r_id)
                and question.report in (None, "spec")
                and (question.since is None or at >= question.since)
                and (question.until is None or at < question.until)
            ]
            came = [(one.ven_id, one.r_id, one.dtstart) for one in _of(store).values(question)]
            if came != expected:
                fix = "select by every field of Wanted that is not None, from since on and before until"
                raise Nonconforming(f"{len(expected)} values for {question}", f"{len(came)}: {told(came[:3])}", fix)


def summed_up(bench: StoreBench) -> None:
    """The summaries say of each series how many values it has, and its first and last."""
    with bench.opened() as store:
        _keep(store, [_report([_value("a", 0), _value("a", 2, 3.0), _value("b", 1)])])
        _keep(store, [_report([_value("a", 1), _value("a", 2, 9.0)])])
        came = [
            (each.series.r_id, each.count, each.first, each.last.dtstart, each.last.value)
            for each in _of(store).summaries()
        ]
    at = [_NOON + minute * _MINUTE for minute in range(3)]
    expected = [("a", 3, at[0], at[2], 9.0), ("b", 1, at[1], at[1], 1.0)]
    if came != expected:
        raise Nonconforming(told(expected), told(came), "count what values() gives, corrected values once")


def with_records(bench: StoreBench) -> None:
    """Values and records of one commit are kept together, or not at all, also when the process is killed in it."""
    many = [_value("a", minute) for minute in range(300)]
    with bench.opened() as store:
        _of(store)
        store.commit({"a": record(1)})

    def job(step: int) -> list[Any]:
        def run(say: Say) -> None:
            store = bench.make(bench.folder)
            say({"steps": killed_at(step, lambda: _keep(store, [_report(many)], {"a": record(2)}))})
            killed_at(1, lambda: None)

        return Child(run).ended()

    steps = 10_000
    for number in range(1, 60):
        step = number * number * 5 // 2  # close together at the beginning, where the transaction begins
        said = job(step)
        with bench.opened() as store:
            records, count = dict(store.load()), sum(1 for _ in _of(store).values())
            if (records, count) not in (({"a": record(1)}, 0), ({"a": record(2)}, len(many))):
                fix = "commit records and values in one transaction"
                came = f"{count} values and {told(records)} after a kill at step {step}"
                raise Nonconforming("records and values of one commit, or of none", came, fix)
            if said:
                if count != len(many):
                    raise Nonconforming("values that were committed", "they are gone", "flush before commit returns")
                return
    raise NotChecked(f"a commit of {len(many)} values took more than {steps} steps")


def reopened(bench: StoreBench) -> None:
    """Values are there when the store is opened again, and new ones are joined to them."""
    for minute in range(3):
        with bench.opened() as store:
            _keep(store, [_report([_value("a", minute, float(minute))])])
    with bench.opened() as store:
        expected = [("ven", "request", "a", _NOON + minute * _MINUTE, float(minute)) for minute in range(3)]
        _check(expected, _of(store).values(), "of three lives")


CHECKS: Final[tuple[Check[StoreBench], ...]] = (
    Check("values-kept", kept),
    Check("values-corrected", corrected),
    Check("values-wanted", wanted),
    Check("values-summed-up", summed_up),
    Check("values-with-records", with_records, (StoreLack.DURABILITY,)),
    Check("values-reopened", reopened, (StoreLack.DURABILITY,)),
)


def _of(store: object) -> ValueStore:
    if not isinstance(store, ValueStore):
        raise NotChecked("the store keeps no values")
    return store


def _keep(store: object, reports: list[ReportReceived], records: dict[str, bytes] | None = None) -> None:
    _of(store).commit(records or {}, reports)


def _check(expected: Sequence[tuple[object, ...]], values: Iterable[StoredValue], why: str) -> None:
    came = _rows(values)
    if came != expected:
        first = next((i for i, (one, other) in enumerate(zip(expected, came, strict=False)) if one != other), len(came))
        text = f"{len(came)}, from number {first} on {told(came[first : first + 2])}"
        raise Nonconforming(f"{len(expected)} values {why}, there {told(expected[first : first + 2])}", text, _KEPT)

