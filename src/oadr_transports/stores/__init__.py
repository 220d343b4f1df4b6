"""Stores: where a driver keeps the records of a session, so that a process that is killed goes on where it was.

The protocol stands alone so that a store of your own is as good as ours. A store knows nothing of what records mean:
it keeps bytes by names (see :mod:`oadr_core.engine.records`). One for a VTN may keep the values of reports besides
(:class:`ValueStore`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from .memory import MemoryStore
from .sqlite import SqliteStore
from .sqlite_reader import SqliteReader
from .values import EVERYTHING, Series, StoredValue, Summary, ValueStore, Wanted

__all__ = [
    "EVERYTHING",
    "MemoryStore",
    "Series",
    "SqliteReader",
    "SqliteStore",
    "Store",
    "StoredValue",
    "Summary",
    "ValueStore",
    "Wanted",
]


class Store(Protocol):
    """What a driver needs of a store. One process uses it at a time; a second one must be refused by the store."""

    def load(self) -> Mapping[str, bytes]:
        """All records by their names; none when nothing was ever committed.

        Raises ``LocalError`` for a store that is damaged, and ``OSError`` for one that cannot be read.
        """

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        """Keep these records, and remove those that are ``None``: all or none, and on the disk when it returns.

        Raises ``OSError`` when that is not possible; then nothing was changed.
        """

    def close(self) -> None:
        """Let others use the store; may be called twice."""
