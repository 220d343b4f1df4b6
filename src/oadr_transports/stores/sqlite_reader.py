"""Reads an SQLite state, beside the VTN that is using it or while there is none.

It stands alone because whoever only reads needs no lock, and must not be able to change anything.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote

from oadr_core import LocalError

from .blocks import Packed, description, microseconds, stored, unpacked
from .sqlite_values import NAMES, PACKED
from .values import EPOCH, EVERYTHING, Series, StoredValue, Summary, Wanted

_FIRST: Final = -(2**63)
_LAST: Final = 2**63 - 1
_CONDITIONS: Final = {
    "ven_id": "ven_id = ?",
    "report": "report_specifier_id = ?",
    "report_request_id": "report_request_id = ?",
    "r_id": "r_id = ?",
}


class SqliteReader:
    """Reads the database at ``path``. Each reading sees it as it was when the reading began.

    All methods raise :class:`~oadr_core.LocalError` for what is no state of a VTN, or is damaged.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    def load(self) -> Mapping[str, bytes]:
        """All records."""
        with self._opened() as database:
            return {key: bytes(data) for key, data in database.execute("SELECT key, data FROM record")}

    def values(self, wanted: Wanted = EVERYTHING) -> Generator[StoredValue, None, None]:
        """The values that are wanted, series by series, each in the order of time."""
        since = _FIRST if wanted.since is None else microseconds(wanted.since)
        until = _LAST if wanted.until is None else microseconds(wanted.until)
        sql = f"SELECT received, {PACKED} FROM block WHERE series = ? AND last >= ? AND start < ? ORDER BY start"
        with self._opened() as database:
            for number, series in _series(database, wanted):
                for received, *row in database.execute(sql, (number, since, until)):
                    for value in stored(series, unpacked(Packed(*row)), _instant(received)):
                        if wanted.is_at(value.dtstart):
                            yield value

    def summaries(self, wanted: Wanted = EVERYTHING) -> Generator[Summary, None, None]:
        """How much there is of each series that is wanted; its times do not matter."""
        counts = "SELECT sum(size), min(start) FROM block WHERE series = ?"
        latest = f"SELECT received, {PACKED} FROM block WHERE series = ? ORDER BY start DESC LIMIT 1"
        with self._opened() as database:
            for number, series in _series(database, wanted):
                [[count, first]] = database.execute(counts, (number,)).fetchall()
                for received, *row in database.execute(latest, (number,)).fetchall():
                    *_, last = stored(series, unpacked(Packed(*row)), _instant(received))
                    yield Summary(series=series, count=count, first=_instant(first), last=last)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        if not self._path.is_file():
            raise LocalError(f"there is no {str(self._path)!r}", path="state")
        where = f"file:{quote(str(self._path.resolve()))}?mode=ro"
        try:
            database = sqlite3.connect(where, uri=True, isolation_level=None, check_same_thread=False)
            try:
                database.execute("PRAGMA trusted_schema = OFF")
                database.execute("BEGIN")
                yield database
            finally:
                database.close()
        except sqlite3.Error as error:
            raise LocalError(f"{str(self._path)!r} cannot be read: {error}", path="state") from None


def _series(database: sqlite3.Connection, wanted: Wanted) -> list[tuple[int, Series]]:
    given = {name: value for name in _CONDITIONS if (value := getattr(wanted, name)) is not None}
    where = " AND ".join(_CONDITIONS[name] for name in given) or "true"
    rows = database.execute(f"SELECT id, {NAMES} FROM series WHERE {where} ORDER BY {NAMES}", tuple(given.values()))
    return [
        (
            number,
            Series(
                ven_id=ven_id,
                report_specifier_id=report_specifier_id,
                report_request_id=report_request_id,
                r_id=r_id,
                **description(details),
            ),
        )
        for number, ven_id, report_specifier_id, report_request_id, r_id, details in rows
    ]


def _instant(at: int) -> datetime:
    return EPOCH + timedelta(microseconds=at)
