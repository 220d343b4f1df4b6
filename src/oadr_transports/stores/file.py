"""A store in one file, for a VEN: small enough to be written whole each time, and therefore never half written.

It stands alone because a VEN needs no database. The file is the snapshot of the session: the same bytes as
``session.snapshot()``, readable by ``VenSession.restore``.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from oadr_core.engine.records import pack, unpack

from .lock import OWNER_ONLY, locked


class FileStore:
    """Keeps records in the file ``path``, which is made when there is something to keep.

    Each commit writes a new file beside it, waits until that is on the disk, and puts it in the place of the old one.
    ``path`` with ``.lock`` behind it is locked as long as the store is open: two processes with one identity would
    undo each other's work.

    Raises ``BlockingIOError`` when another process uses the file, and ``OSError`` when the directory cannot be used.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._lock: int | None = locked(self._path)
        self._records: dict[str, bytes] | None = None

    def load(self) -> Mapping[str, bytes]:
        """The records in the file, none when there is no file.

        Raises :class:`~oadr_core.LocalError` for a damaged file: it is left as it is.
        """
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            self._records = {}
        else:
            self._records = unpack(data)
        return dict(self._records)

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        """Write the file anew; it is on the disk when this returns.

        Raises ``OSError`` when that fails; the old file is still there then.
        """
        known = self._records if self._records is not None else dict(self.load())
        merged = {**known, **changes}
        records = {key: data for key, data in merged.items() if data is not None}
        _replace(self._path, pack(records.items()))
        self._records = records

    def close(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _replace(path: Path, data: bytes) -> None:
    """Write beside, flush to the disk, rename over, flush the directory: at any instant one whole file is there."""
    beside = path.with_name(path.name + ".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, OWNER_ONLY)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)  # noqa: PTH105  # beside fsync and open, in the words of the system
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
