"""Guard (c): an audit hook that lets no code of the core touch the outside while it is armed.

The interpreter reports sockets, files, processes and sleeps to audit hooks before they happen. A report is
held against the project only when the nearest project or tool frame on the stack is the core's or a core
test's: what Hypothesis, pytest or the import system do for their own ends is theirs.

A hook can never be taken away again, so one is installed and armed only inside `armed()`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
CORE_TESTS = str(TESTS / "core") + os.sep

# By event name; a trailing dot stands for the whole family. Sleeps and threads are reported from Python 3.12 or 3.13
# on; below that the reading guards alone see them.
FORBIDDEN_EVENTS = (
    "socket.",
    "subprocess.",
    "ssl.",
    "urllib.",
    "http.client.",
    "ftplib.",
    "smtplib.",
    "sqlite3.",
    "tempfile.",
    "shutil.",
    "os.",
    "pty.",
    "signal.",
    "syslog.",
    "time.sleep",
    "_thread.start_new_thread",
    "builtins.input",
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class ImpureCode(BaseException):
    """The core reached outside. Not an `Exception`, so that no handler on the way swallows it."""


_armed = False
_installed = False
_seen: list[str] = []


@contextmanager
def armed() -> Iterator[list[str]]:
    """Raise `ImpureCode` at each forbidden act inside the block; yields the list of what was caught."""
    global _armed, _installed
    if not _installed:
        sys.addaudithook(_hook)
        _installed = True
    _seen.clear()
    _armed = True
    try:
        yield _seen
    finally:
        _armed = False


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _armed or not (event == "open" or event.startswith(FORBIDDEN_EVENTS)):
        return
    culprit = _culprit(sys._getframe(1))
    if culprit is None:
        return
    file, line, in_core = culprit
    # A test may read its golden files; the core opens nothing.
    if event == "open" and not in_core and not _writes(args):
        return
    text = f"{event}{args!r:.200} at {file}:{line}"
    _seen.append(text)
    raise ImpureCode(text)


def _writes(args: tuple[Any, ...]) -> bool:
    _path, mode, flags = args
    return bool(flags & WRITING) or (isinstance(mode, str) and any(letter in mode for letter in "wax+"))


def _culprit(frame: FrameType | None) -> tuple[str, int, bool] | None:
    """Return file, line and whether it is the core, of the frame that is to blame; None if it is a tool's."""
    while frame is not None:
        file = frame.f_code.co_filename
        if f"{os.sep}oadr_core{os.sep}" in file:
            return file, frame.f_lineno, True
        if file.startswith(CORE_TESTS):
            return file, frame.f_lineno, False
        if file.startswith("<frozen importlib") or _is_tool(frame.f_globals.get("__name__", "")):
            return None
        frame = frame.f_back
    return None


def _is_tool(module: object) -> bool:
    return str(module).partition(".")[0] in ("hypothesis", "_hypothesis_pytestplugin", "pytest", "_pytest")
