"""A store that forgets with its process: for tests, simulators, and restarts of a session inside one process.

It stands alone because it needs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

import attrs

from oadr_core.engine.values import ReportReceived

from .blocks import blocks_of, described, stored
from .values import EVERYTHING, Series, StoredValue, Summary, Wanted

MOST_VALUES: Final = 1_000_000
"""Values that are kept, some hundred bytes each; of more than these the oldest ones go."""


def _now() -> datetime:
    return datetime.now(UTC)


class MemoryStore:
    """Keeps records in memory, and the last ``most_values`` values of reports; ``records`` are those to begin with."""

    def __init__(
        self,
        records: Mapping[str, bytes] | None = None,
        *,
        most_values: int = MOST_VALUES,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._records = dict(records or {})
        self._most_values = most_values
        self._clock = clock
        self._values: dict[tuple[Series, datetime], StoredValue] = {}  # in the order of arrival

    def load(self) -> Mapping[str, bytes]:
        """A copy of the records."""
        return dict(self._records)

    def commit(self, changes: Mapping[str, bytes | None], reports: Iterable[ReportReceived] = ()) -> None:
        """Keep or remove records, and keep values."""
        for key, data in dict(changes).items():  # read to the end before anything is changed
            if data is None:
                self._records.pop(key, None)
            else:
                self._records[key] = data
        now = self._clock()
        for report in reports:
            for series, blocks in blocks_of(report):
                for value in (value for block in blocks for value in stored(series, block, now)):
                    self._values.pop((series, value.dtstart), None)
                    self._values[series, value.dtstart] = value
        for oldest in list(self._values)[: max(0, len(self._values) - self._most_values)]:
            del self._values[oldest]

    def values(self, wanted: Wanted = EVERYTHING) -> Generator[StoredValue, None, None]:
        """The values that are wanted."""
        everything = list(self._values.values())  # at once: another thread may commit meanwhile
        found = (one for one in everything if wanted.is_of(one.series) and wanted.is_at(one.dtstart))
        yield from sorted(found, key=_order)

    def summaries(self, wanted: Wanted = EVERYTHING) -> Generator[Summary, None, None]:
        """How much there is of each series."""
        everything = self.values(attrs.evolve(wanted, since=None, until=None))
        for series, values in groupby(everything, key=lambda value: value.series):
            first, *rest = values
            yield Summary(series=series, count=1 + len(rest), first=first.dtstart, last=rest[-1] if rest else first)

    def close(self) -> None:
        """Nothing to do."""


def _order(value: StoredValue) -> tuple[str | datetime, ...]:
    one = value.series
    names = (one.ven_id, one.report_specifier_id, one.report_request_id, one.r_id)
    return (*names, described(one.report_name, one.point), value.dtstart)
