"""Values of reports, as whoever asked for them gets them: typed, with their times, and bound to who sent them.

They stand alone because both roles receive them, and because a driver commits them together with the records of the
step (:class:`~.records.SaveState`). A report may have many thousand values, so they are kept as columns or rows, and
each becomes a :class:`ReportValue` only when somebody looks at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain, repeat
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Final, TypeAlias, TypeVar, overload

import attrs

from ..model import (
    DataQuality,
    GBPayload,
    ItemBase,
    PayloadResourceStatus,
    ReadingType,
    ReportName,
    ReportType,
)
from .exchange import Notification

Value: TypeAlias = float | PayloadResourceStatus | GBPayload
"""A number, the state of a resource, or a Green Button feed."""
Row: TypeAlias = tuple[str, datetime, timedelta | None, Value, DataQuality | str | None, float | None, int | None]
"""rID, begin (aware, UTC), duration (``None``: a point in time, R315), value, quality, accuracy, confidence."""


@attrs.frozen(kw_only=True)
class DataPoint:
    """What its owner has said of a data point: unit with scale, resource, and kind. All may be unknown."""

    item_base: ItemBase | None = None
    resource_id: str | None = None
    report_type: ReportType | str | None = None
    reading_type: ReadingType | str | None = None
    market_context: str | None = None


_T = TypeVar("_T")
_UNKNOWN: Final = DataPoint()
_NONE: Final[Mapping[str, DataPoint]] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class ReportValue:
    """One value of one data point.

    ``dtstart`` is aware. ``duration`` is that of the interval, ``None`` for a value at a point in time (R315).
    ``value`` is a number, the state of a resource, or a Green Button feed. ``accuracy`` is in the unit of the value
    (R319), ``confidence`` in percent. ``item_base`` (unit and scale) and ``resource_id`` come from what was offered,
    if that says so.
    """

    r_id: str
    dtstart: datetime
    duration: timedelta | None
    value: Value
    data_quality: DataQuality | str | None = None
    accuracy: float | None = None
    confidence: int | None = None
    item_base: ItemBase | None = None
    resource_id: str | None = None


@attrs.frozen(kw_only=True)
class Columns:
    """The values of one data point, oldest first: columns of one length, ``None`` for one that is ``None`` throughout.

    See :data:`Row` for what they hold.
    """

    times: Sequence[datetime]
    durations: Sequence[timedelta | None] | None = None
    values: Sequence[Value]
    qualities: Sequence[DataQuality | str | None] | None = None
    accuracies: Sequence[float | None] | None = None
    confidences: Sequence[int | None] | None = None

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Columns:
        """The columns of some rows of one data point, at least one."""
        _, times, durations, values, qualities, accuracies, confidences = zip(*rows, strict=True)
        return cls(
            times=times,
            durations=said(durations),
            values=values,
            qualities=said(qualities),
            accuracies=said(accuracies),
            confidences=said(confidences),
        )

    def rows(self, r_id: str) -> Iterator[Row]:
        """The values one by one."""
        silent = repeat(None)
        return zip(
            repeat(r_id),
            self.times,
            self.durations or silent,
            self.values,
            self.qualities or silent,
            self.accuracies or silent,
            self.confidences or silent,
        )


def said(column: Sequence[_T]) -> Sequence[_T] | None:
    """A column, ``None`` for one that is ``None`` throughout."""
    return None if column.count(None) == len(column) else column


class ReportValues(Sequence[ReportValue]):
    """The values of one report, oldest first, in the order of the report at each time; equal to any sequence of the
    same values.

    For whoever wants many of them there are ``columns``, by rID, and ``rows``; whichever it was not made of is made
    when it is first asked for. ``points`` are the metadata by rID. A data point that is not in there is one of which
    nothing is known.
    """

    __slots__ = ("_columns", "_rows", "points")

    def __init__(
        self,
        rows: Iterable[Row] | None = None,
        points: Mapping[str, DataPoint] = _NONE,
        *,
        columns: Mapping[str, Columns] | None = None,
    ) -> None:
        self._rows = tuple(rows or ()) if columns is None else None
        self._columns = columns
        self.points: Final[Mapping[str, DataPoint]] = points

    @property
    def rows(self) -> tuple[Row, ...]:
        """The values without their metadata."""
        if self._rows is None:
            made = [list(columns.rows(r_id)) for r_id, columns in self.columns.items()]
            if len({id(columns.times) for columns in self.columns.values()}) == 1:
                self._rows = tuple(chain.from_iterable(zip(*made, strict=True)))
            else:
                self._rows = tuple(sorted(chain.from_iterable(made), key=itemgetter(1)))
        return self._rows

    @property
    def columns(self) -> Mapping[str, Columns]:
        """The values of each data point by its rID."""
        if self._columns is None:
            rows: dict[str, list[Row]] = {}
            for row in self.rows:
                rows.setdefault(row[0], []).append(row)
            self._columns = MappingProxyType({r_id: Columns.of(own) for r_id, own in rows.items()})
        return self._columns

    @classmethod
    def of(cls, values: Iterable[ReportValue]) -> ReportValues:
        """The same values as rows."""
        if isinstance(values, cls):
            return values
        rows: list[Row] = []
        points: dict[str, DataPoint] = {}
        for one in values:
            points[one.r_id] = DataPoint(item_base=one.item_base, resource_id=one.resource_id)
            rows.append(
                (one.r_id, one.dtstart, one.duration, one.value, one.data_quality, one.accuracy, one.confidence)
            )
        return cls(rows, points)

    def point(self, r_id: str) -> DataPoint:
        """What is known of a data point."""
        return self.points.get(r_id, _UNKNOWN)

    def __len__(self) -> int:
        if self._columns is not None:
            return sum(len(one.values) for one in self._columns.values())
        return len(self.rows)

    def __iter__(self) -> Iterator[ReportValue]:
        return map(self._value, self.rows)

    @overload
    def __getitem__(self, index: int) -> ReportValue: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[ReportValue, ...]: ...

    def __getitem__(self, index: int | slice) -> ReportValue | tuple[ReportValue, ...]:
        if isinstance(index, slice):
            return tuple(map(self._value, self.rows[index]))
        return self._value(self.rows[index])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, (str, bytes)):
            return NotImplemented
        return len(self) == len(other) and all(one == another for one, another in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"ReportValues({list(self)!r})"

    def _value(self, row: Row) -> ReportValue:
        r_id, dtstart, duration, value, quality, accuracy, confidence = row
        point = self.points.get(r_id, _UNKNOWN)
        return ReportValue(
            r_id=r_id,
            dtstart=dtstart,
            duration=duration,
            value=value,
            data_quality=quality,
            accuracy=accuracy,
            confidence=confidence,
            item_base=point.item_base,
            resource_id=point.resource_id,
        )


def _values(values: Any) -> ReportValues:
    return ReportValues.of(values)


@attrs.frozen(kw_only=True)
class ReportReceived(Notification):
    """Values have arrived from who has registered them. A repeated or corrected value replaces the former one of its
    report request, data point and time (R346).

    ``ven_id`` is the VEN of the pair: whose values these are, or (at a VEN, from its VTN) who asked for them.
    ``created_date_time`` is when the report was made. ``repeated``: the very same report has arrived before, for its
    sender did not get the answer; it is told so that nothing is ever missed, and brings nothing new.
    """

    ven_id: str
    report_request_id: str
    report_specifier_id: str
    report_name: ReportName | str | None
    values: ReportValues = attrs.field(converter=_values)
    created_date_time: datetime | None = None
    repeated: bool = False
