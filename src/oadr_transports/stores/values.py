"""Values of reports as stores keep and give them: what a series is, what one value is, and how to ask for some.

It stands alone because every store that keeps values speaks of them in these terms, whatever is inside.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol, runtime_checkable

import attrs

from oadr_core import LocalError
from oadr_core.engine.values import DataPoint, ReportReceived, Value
from oadr_core.model import DataQuality, ItemBase


@attrs.frozen(kw_only=True)
class Series:
    """What all values of one data point have in common that answer one report request; ``point`` is what was said of
    it when they arrived: unit with scale, resource, and kind.
    """

    ven_id: str
    report_request_id: str
    report_specifier_id: str
    r_id: str
    report_name: str | None = None
    point: DataPoint = attrs.Factory(DataPoint)


@attrs.frozen(kw_only=True)
class StoredValue:
    """One value: the latest that the VEN has sent for its time (R346).

    ``dtstart`` is aware, in UTC. ``duration`` is that of the interval, ``None`` for a value at a point in time (R315).
    ``accuracy`` is in the unit of the value, ``confidence`` in percent. ``received_at`` is when it, or a neighbour that
    it is kept with, has arrived.
    """

    series: Series
    dtstart: datetime
    duration: timedelta | None
    value: Value
    data_quality: DataQuality | str | None = None
    accuracy: float | None = None
    confidence: int | None = None
    received_at: datetime

    @property
    def ven_id(self) -> str:
        """Who has sent it."""
        return self.series.ven_id

    @property
    def r_id(self) -> str:
        """Its data point."""
        return self.series.r_id

    @property
    def item_base(self) -> ItemBase | None:
        """Its unit with the scale, if the VEN has offered one."""
        return self.series.point.item_base

    @property
    def resource_id(self) -> str | None:
        """What was measured, if the VEN has said so."""
        return self.series.point.resource_id

    @property
    def is_good(self) -> bool:
        """False where the VEN says that the value is bad (R318)."""
        return not str(self.data_quality or "").startswith("Quality Bad")


@attrs.frozen(kw_only=True)
class Summary:
    """How much there is of one series. ``first`` and ``last`` are the dtstart of its earliest and latest value."""

    series: Series
    count: int
    first: datetime
    last: StoredValue


def _aware(instance: object, attribute: attrs.Attribute[datetime | None], value: datetime | None) -> None:
    if value is not None and value.tzinfo is None:
        raise LocalError(f"a datetime with a time zone is expected, not {value!r}", path=attribute.name)


@attrs.frozen(kw_only=True)
class Wanted:
    """Which values are asked for; what is ``None`` does not matter.

    ``report`` is a reportSpecifierID. ``since`` and ``until`` are aware; a value belongs to the time at which it
    begins, and ``until`` itself is not wanted any more. Raises :class:`~oadr_core.LocalError` for a time without zone.
    """

    ven_id: str | None = None
    report: str | None = None
    report_request_id: str | None = None
    r_id: str | None = None
    since: datetime | None = attrs.field(default=None, validator=_aware)
    until: datetime | None = attrs.field(default=None, validator=_aware)

    def is_of(self, series: Series) -> bool:
        """True for a series whose values are wanted."""
        return (
            self.ven_id in (None, series.ven_id)
            and self.report in (None, series.report_specifier_id)
            and self.report_request_id in (None, series.report_request_id)
            and self.r_id in (None, series.r_id)
        )

    def is_at(self, at: datetime) -> bool:
        """True for a time that is wanted."""
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)


EVERYTHING = Wanted()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@runtime_checkable
class ValueStore(Protocol):
    """A :class:`~oadr_transports.stores.Store` that keeps the values of reports too: what a VTN likes to have."""

    def load(self) -> Mapping[str, bytes]:
        """As of every store."""

    def commit(self, changes: Mapping[str, bytes | None], reports: Iterable[ReportReceived] = ()) -> None:
        """Keep records and the values of ``reports`` in one step: all or none, and on the disk when it returns.

        A value replaces the one that is there with the same ``ven_id``, reportRequestID, rID and time (R346), whatever
        order they come in. Raises ``OSError`` when that is not possible; then nothing was changed.
        """

    def values(self, wanted: Wanted = EVERYTHING) -> Generator[StoredValue, None, None]:
        """The values that are wanted: series by series (VEN, report, request, data point), each in the order of time.

        What is committed while the generator is in use may be missing. Close it, or read it to its end, in any thread.
        """

    def summaries(self, wanted: Wanted = EVERYTHING) -> Generator[Summary, None, None]:
        """One for each series that has values, in the same order; ``since`` and ``until`` do not matter."""

    def close(self) -> None:
        """As of every store."""
