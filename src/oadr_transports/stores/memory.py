"""A store that forgets with its process: for tests, simulators, and restarts of a session inside one process.

It stands alone because it needs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping


class MemoryStore:
    """Keeps records in memory; ``records`` are those to begin with."""

    def __init__(self, records: Mapping[str, bytes] | None = None) -> None:
        self._records = dict(records or {})

    def load(self) -> Mapping[str, bytes]:
        """A copy of the records."""
        return dict(self._records)

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        """Keep or remove records."""
        for key, data in changes.items():
            if data is None:
                self._records.pop(key, None)
            else:
                self._records[key] = data

    def close(self) -> None:
        """Nothing to do."""
