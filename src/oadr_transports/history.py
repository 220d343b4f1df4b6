"""What was measured, kept for a VTN that asks for the past: the port, and a store in an SQLite database.

It stands alone because a device may have a store of its own, and because the past has nothing to do with what a session
must not lose: samples that wait for the VTN are in its ``state``.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from oadr_core import LocalError
from oadr_core.errors import shown
from oadr_core.ven import Reading

from .log import logger
from .readings import Measured
from .stores.lock import OWNER_ONLY

APPLICATION: Final = 0x6F616468
"""``oadh``: what the header of the database says."""
MOST_VALUES: Final = 100_000
"""In one answer: a day of seconds. It is also what waits for the VTN at most, unless the client says otherwise."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_TABLE: Final = """CREATE TABLE IF NOT EXISTS sample (
    series TEXT NOT NULL, at INTEGER NOT NULL, value REAL, quality TEXT, accuracy REAL, confidence INTEGER,
    seconds INTEGER, PRIMARY KEY (series, at)) WITHOUT ROWID"""


class History(Protocol):
    """Keeps what was measured. Called from any thread."""

    @property
    def keep(self) -> timedelta:
        """How far back it goes: what is offered to the VTN (R312)."""

    def record(self, series: str, readings: Iterable[Reading]) -> None:
        """Keep the readings that have a time and a number; a later one for the same time takes the place."""

    def values(self, series: str, since: datetime, until: datetime) -> Iterable[Measured]:
        """What was measured from ``since`` to ``until``, both included, oldest first."""


def recorded(history: History, series: str) -> Callable[..., Iterable[Measured]]:
    """A report callback that gives what a history holds of a series."""

    def read(date_from: datetime, date_to: datetime, sampling_interval: timedelta) -> Iterable[Measured]:
        return history.values(series, date_from, date_to)

    return read


class SqliteHistory:
    """Keeps samples in the database ``path`` for ``keep``; what is older goes when the next sample comes.

    Nothing is lost when the process is killed. When the machine loses its power, the last samples may be missing: they
    are on their way to the VTN by the client's ``state`` all the same.

    Raises ``OSError`` when the database cannot be opened, and :class:`~oadr_core.LocalError` when it is something else,
    and for a ``keep`` that is not positive.
    """

    def __init__(self, path: str | os.PathLike[str], keep: timedelta = timedelta(days=31)) -> None:
        given: object = keep  # annotations do not bind a caller
        if not isinstance(given, timedelta) or given < timedelta(seconds=1):
            raise LocalError(f"a timedelta of 1 s or more is expected, not {shown(keep)}", path="keep")
        self._keep = keep
        self._path = Path(path)
        self._turn = threading.Lock()
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY))
        self._database = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            self._database.close()
            raise LocalError(f"{str(self._path)!r} is no history: {error}", path="history") from None
        except BaseException:
            self._database.close()
            raise

    @property
    def keep(self) -> timedelta:
        """How far back it goes."""
        return self._keep

    def record(self, series: str, readings: Iterable[Reading]) -> None:
        """Keep readings, and let go of those of this series that are too old. Raises ``OSError`` when it cannot."""
        numbers = [reading for reading in readings if isinstance(reading.value, (int, float)) and reading.at]
        if not numbers:
            return
        rows = [_row(series, reading) for reading in numbers]
        oldest = max(_number(reading.at) for reading in numbers if reading.at) - self._keep // _MICROSECOND
        with self._turn:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                self._database.executemany("INSERT OR REPLACE INTO sample VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
                self._database.execute("DELETE FROM sample WHERE series = ? AND at < ?", (series, oldest))
                self._database.execute("COMMIT")
            except sqlite3.Error as error:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise OSError(f"{str(self._path)!r} cannot be written: {error}") from error

    def values(self, series: str, since: datetime, until: datetime) -> list[Measured]:
        """What was measured in a period, oldest first; of more than 100,000 values the newest.

        Raises ``OSError`` when it cannot be read.
        """
        query = (
            "SELECT at, value, quality, accuracy, confidence, seconds FROM sample "
            f"WHERE series = ? AND at BETWEEN ? AND ? ORDER BY at DESC LIMIT {MOST_VALUES + 1}"
        )
        with self._turn:
            try:
                rows = self._database.execute(query, (series, _number(since), _number(until))).fetchall()
            except sqlite3.Error as error:
                raise OSError(f"{str(self._path)!r} cannot be read: {error}") from error
        if len(rows) > MOST_VALUES:
            logger.warning("of the history of %r, only the newest %d values go into one report", series, MOST_VALUES)
        return [
            Measured(
                value,
                at=_EPOCH + at * _MICROSECOND,
                duration=None if seconds is None else timedelta(seconds=seconds),
                quality=quality,
                accuracy=accuracy,
                confidence=confidence,
            )
            for at, value, quality, accuracy, confidence, seconds in reversed(rows[:MOST_VALUES])
        ]

    def close(self) -> None:
        """Close the database; may be called twice."""
        with self._turn:
            self._database.close()

    def _prepare(self) -> None:
        [[application]] = self._database.execute("PRAGMA application_id")
        [[tables]] = self._database.execute("SELECT count(*) FROM sqlite_master")
        if tables and application != APPLICATION:
            raise LocalError(f"{str(self._path)!r} is a database of something else", path="history")
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute("PRAGMA trusted_schema = OFF")
        self._database.execute(f"PRAGMA application_id = {APPLICATION}")
        self._database.execute(_TABLE)


def _row(series: str, reading: Reading) -> tuple[object, ...]:
    assert reading.at is not None
    span = reading.duration
    return (
        series,
        _number(reading.at),
        reading.value,
        None if reading.quality is None else str(reading.quality),
        reading.accuracy,
        reading.confidence,
        None if span is None else int(span.total_seconds()),
    )


def _number(at: datetime) -> int:
    """Microseconds since 1970: exact, and in order."""
    return (at - _EPOCH) // _MICROSECOND
