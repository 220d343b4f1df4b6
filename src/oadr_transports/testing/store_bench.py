"""What a check of a store works with: a folder, a store in it, and processes that can be killed.

It stands alone because the checks say what is expected, and this how it is brought about.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Any, Final

from ..stores import Store
from .results import Nonconforming, told

CHILD_S: Final = 60
"""After so long a child is ended by its own alarm."""
Say = Callable[[object], None]


class StoreLack(StrEnum):
    """What a store may be without. A check that needs it is not made, and the report says so."""

    DURABILITY = "durability"
    """It forgets with its process."""
    ANY_BYTES = "any-bytes"
    """It keeps records as sessions make them, JSON in ASCII without spaces, and nothing else."""


class StoreBench:
    """One check's own folder, and the store that lives in it."""

    def __init__(self, folder: Path, make: Callable[[Path], Store]) -> None:
        self.folder = folder
        self.make = make

    @contextmanager
    def opened(self) -> Iterator[Store]:
        """The store, closed at the end of the block."""
        store = self.make(self.folder)
        try:
            yield store
        finally:
            store.close()

    def holds(self, expected: Mapping[str, bytes], why: str, fix: str) -> None:
        """Open the store anew; it must hold exactly this."""
        with self.opened() as store:
            same(expected, store.load(), why, fix)


def record(number: int, size: int = 0) -> bytes:
    """A record as sessions make them, of at least so many bytes."""
    return json.dumps({"v": 1, "number": number, "text": "x" * size}, separators=(",", ":")).encode("ascii")


def same(expected: Mapping[str, bytes], came: object, why: str, fix: str) -> None:
    """Raise :class:`Nonconforming` where records are missing, too many, or others."""
    if not isinstance(came, Mapping) or not all(type(data) is bytes for data in came.values()):
        raise Nonconforming("a mapping of names to bytes", f"load gave {told(came)}", "make bytes of what you keep")
    came = dict(came)
    if came == dict(expected):
        return
    missing = [key for key in expected if key not in came]
    extra = [key for key in came if key not in expected]
    other = [key for key in expected if key in came and came[key] != expected[key]]
    parts = [
        *([f"without {told(missing[:3])}"] if missing else []),
        *([f"with {told(extra[:3])}, which should not be there"] if extra else []),
        *([f"with {told(came[other[0]])} instead of {told(expected[other[0]])} as {told(other[0])}"] if other else []),
    ]
    raise Nonconforming(
        f"{len(expected)} records as committed, {why}", f"load gave {len(came)} records, {', '.join(parts)}", fix
    )


# --- other processes ------------------------------------------------------------------------------------------------


class Child:
    """A forked process that does a job; what it says comes back as it was said."""

    def __init__(self, job: Callable[[Say], object]) -> None:
        read, write = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: the child uses none of them
            self.pid = os.fork()
        if self.pid == 0:
            os.close(read)
            _live(job, write)
        os.close(write)
        self._said = os.fdopen(read, "rb")
        self.status: int | None = None

    def said(self) -> Iterator[Any]:
        """What it says, one after another, up to its end."""
        for line in self._said:
            with suppress(ValueError):  # the last line of one that was killed
                yield json.loads(line)

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def ended(self) -> list[Any]:
        """Wait for its end; what it said up to then."""
        found = list(self.said())
        self._said.close()
        _, self.status = os.waitpid(self.pid, 0)
        if os.WIFSIGNALED(self.status) and os.WTERMSIG(self.status) == signal.SIGALRM:
            came = f"it was still busy after {CHILD_S} s"
            raise Nonconforming("an end of another process", came, "wait for no lock without an end")
        return found


def _live(job: Callable[[Say], object], write: int) -> None:
    """The whole life of a child. It must not come back into the code of its parent."""
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(CHILD_S)
        sys.settrace(None)

        def say(what: object) -> None:
            os.write(write, json.dumps(what).encode("ascii") + b"\n")

        try:
            job(say)
        except BaseException as error:  # to be judged by the parent
            say({"raised": type(error).__name__, "kinds": [kind.__name__ for kind in type(error).__mro__],
                 "text": str(error)[:300]})
    finally:
        os._exit(0)


def killed_at(step: int, function: Callable[[], object]) -> int:
    """Call a function and kill this process at its ``step``-th step, a call or a return of Python's or C's.

    Returns how many steps there were, when there were fewer.
    """
    count = 0

    def watch(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += 1
        if count == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count
