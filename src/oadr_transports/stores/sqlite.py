"""A store in an SQLite database, for a VEN or a VTN: a commit writes what has changed, however much there is beside it.

It stands alone because it opens the database and says when a transaction begins and ends. There is one table of names
and JSON for the records, which any tool can look into while the VTN runs; the values of reports are the business of
:mod:`.sqlite_values`.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from oadr_core import LocalError
from oadr_core.engine.values import ReportReceived

from .lock import OWNER_ONLY, locked
from .sqlite_reader import SqliteReader
from .sqlite_values import TABLES, ValueTables
from .values import EVERYTHING, StoredValue, Summary, Wanted

APPLICATION: Final = 0x6F616472
"""``oadr``: what the header of the database says."""
_MAGIC: Final = b"SQLite format 3\0"
FORMS: Final = (("CREATE TABLE record (key TEXT PRIMARY KEY, data BLOB NOT NULL)",), TABLES)
"""What makes each form of the tables out of the one before. A database of a later form than the last is refused."""
FORM: Final = len(FORMS)


def _now() -> datetime:
    return datetime.now(UTC)


class SqliteStore:
    """Keeps records in the database ``path``, which is made when it is not there, readable by its owner only.

    Each commit is one transaction in the write-ahead log, and on the disk when it returns (``synchronous=FULL``).
    May be used from any thread, by one process at a time. Values of reports are kept for ``keep_values`` after they
    have arrived, ``None`` meaning for ever; every commit removes some of those that are older. ``clock`` says what
    time it is.

    Raises ``BlockingIOError`` when another process uses the database, ``OSError`` when it cannot be opened, and
    :class:`~oadr_core.LocalError` when it is damaged or something else.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        keep_values: timedelta | None = None,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        if keep_values is not None and keep_values <= timedelta():
            raise LocalError(f"a timedelta above zero is expected, not {keep_values}", path="keep_values")
        self._path = Path(path)
        self._keep_values = keep_values
        self._clock = clock
        self._lock: int | None = locked(self._path)
        self._turn = threading.Lock()
        try:
            self._database = self._open()
            self._values = ValueTables(self._database)
            self._reader = SqliteReader(self._path)
        except BaseException:
            self.close()
            raise

    def load(self) -> Mapping[str, bytes]:
        """All records. Raises :class:`~oadr_core.LocalError` for a damaged database."""
        with self._turn:
            try:
                return {key: bytes(data) for key, data in self._database.execute("SELECT key, data FROM record")}
            except sqlite3.DatabaseError as error:
                raise LocalError(f"{str(self._path)!r} is damaged: {error}", path="state") from None

    def commit(self, changes: Mapping[str, bytes | None], reports: Iterable[ReportReceived] = ()) -> None:
        """Keep or remove records, and keep values, in one transaction. Raises ``OSError`` when that fails; nothing is
        changed then.
        """
        kept = [(key, data) for key, data in changes.items() if data is not None]
        gone = [(key,) for key, data in changes.items() if data is None]
        now = self._clock()
        with self._turn:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                try:
                    self._database.executemany("INSERT OR REPLACE INTO record VALUES (?, ?)", kept)
                    self._database.executemany("DELETE FROM record WHERE key = ?", gone)
                    self._values.add(reports, now)
                    if self._keep_values is not None:
                        self._values.prune(now - self._keep_values)
                    self._database.execute("COMMIT")
                except BaseException:
                    if self._database.in_transaction:
                        self._database.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise OSError(f"{str(self._path)!r} cannot be written: {error}") from error

    def values(self, wanted: Wanted = EVERYTHING) -> Generator[StoredValue, None, None]:
        """As of :class:`~.sqlite_reader.SqliteReader`; commits go on meanwhile."""
        return self._reader.values(wanted)

    def summaries(self, wanted: Wanted = EVERYTHING) -> Generator[Summary, None, None]:
        """As of :class:`~.sqlite_reader.SqliteReader`."""
        return self._reader.summaries(wanted)

    def close(self) -> None:
        """Close the database and release it."""
        if hasattr(self, "_database"):
            with self._turn:
                self._database.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _open(self) -> sqlite3.Connection:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
        with os.fdopen(descriptor, "rb") as file:
            begin = file.read(len(_MAGIC))
        database = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            if begin not in (b"", _MAGIC):  # of a file of a few bytes SQLite would make a new database
                raise sqlite3.DatabaseError("it does not begin as a database does")
            self._prepare(database)
        except sqlite3.DatabaseError as error:
            database.close()
            text = f"{str(self._path)!r} is damaged, or no state of a VEN or VTN: {error}"
            raise LocalError(text, path="state") from None
        except BaseException:
            database.close()
            raise
        return database

    def _prepare(self, database: sqlite3.Connection) -> None:
        [[application]] = database.execute("PRAGMA application_id")
        [[form]] = database.execute("PRAGMA user_version")
        [[tables]] = database.execute("SELECT count(*) FROM sqlite_master")
        if tables and application != APPLICATION:
            raise LocalError(f"{str(self._path)!r} is a database of something else", path="state")
        if form > FORM:
            text = f"{str(self._path)!r} was written by a later version of this library (form {form})"
            raise LocalError(text, path="state")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA trusted_schema = OFF")
        if form < FORM:
            database.execute("BEGIN IMMEDIATE")  # all or none: a process that is killed here has changed nothing
            database.execute(f"PRAGMA application_id = {APPLICATION}")
            for statement in (statement for tables_of in FORMS[form:] for statement in tables_of):
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {FORM}")
            database.execute("COMMIT")
