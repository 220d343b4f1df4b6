"""A store in an SQLite database, for a VTN: a commit writes what has changed, however much there is beside it.

It stands alone because it is the only module that knows SQL. The database has one table of names and JSON; any tool
can look into it while the VTN runs.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from oadr_core import LocalError

from .lock import OWNER_ONLY, locked

APPLICATION: Final = 0x6F616472
"""``oadr``: what the header of the database says."""
FORM: Final = 1
"""Of the tables. A database of a later form is refused."""
_TABLE: Final = "CREATE TABLE IF NOT EXISTS record (key TEXT PRIMARY KEY, data BLOB NOT NULL)"


class SqliteStore:
    """Keeps records in the database ``path``, which is made when it is not there, readable by its owner only.

    Each commit is one transaction in the write-ahead log, and on the disk when it returns (``synchronous=FULL``).
    May be used from any thread, by one process at a time.

    Raises ``BlockingIOError`` when another process uses the database, ``OSError`` when it cannot be opened, and
    :class:`~oadr_core.LocalError` when it is damaged or something else.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._lock: int | None = locked(self._path)
        self._turn = threading.Lock()
        try:
            self._database = self._open()
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

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        """Keep or remove records in one transaction. Raises ``OSError`` when that fails; nothing is changed then."""
        kept = [(key, data) for key, data in changes.items() if data is not None]
        gone = [(key,) for key, data in changes.items() if data is None]
        with self._turn:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                try:
                    self._database.executemany("INSERT OR REPLACE INTO record VALUES (?, ?)", kept)
                    self._database.executemany("DELETE FROM record WHERE key = ?", gone)
                    self._database.execute("COMMIT")
                except BaseException:
                    if self._database.in_transaction:
                        self._database.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise OSError(f"{str(self._path)!r} cannot be written: {error}") from error

    def close(self) -> None:
        """Close the database and release it."""
        if hasattr(self, "_database"):
            with self._turn:
                self._database.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _open(self) -> sqlite3.Connection:
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY))
        database = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(database)
        except sqlite3.DatabaseError as error:
            database.close()
            raise LocalError(f"{str(self._path)!r} is no state of a VTN: {error}", path="state") from None
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
        if not tables:
            database.execute(f"PRAGMA application_id = {APPLICATION}")
            database.execute(f"PRAGMA user_version = {FORM}")
            database.execute(_TABLE)
