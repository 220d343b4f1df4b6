"""One process at a time: a lock on a file beside the state.

It stands alone because every store in a file needs it. The lock ends with its process, however that ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

OWNER_ONLY = 0o600
"""Of everything that a store writes: what is inside tells what this party does, and begets its identifiers."""


def locked(state: Path) -> int:
    """Lock the state at a path; the file descriptor comes back, and closing it ends the lock.

    Raises ``BlockingIOError`` when another process has it, and ``OSError`` when the directory cannot be used.
    """
    path = state.with_name(state.name + ".lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise BlockingIOError(error.errno, "another process uses this state", str(state)) from None
        raise
    return descriptor
