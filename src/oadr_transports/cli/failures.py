"""Errors of users and of the world around, as one line that says what to do.

It stands alone because every command needs the same words. Bugs of ours are not touched: they keep their traceback.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

EXTRAS: Final = {
    "anyio": "cli",
    "attrs": "cli",
    "click": "cli",
    "h11": "cli",
    "httpx2": "cli",
    "rich": "cli",
    "starlette": "cli",
    "uvicorn": "cli",
    "cryptography": "security",
    "lxml": "security",
    "pyarrow": "parquet",
    "matplotlib": "plot",
}
"""Which extra brings a module that may be missing."""


class Failed(Exception):
    """The command could not do its work; the text says why, and what to do."""


@contextmanager
def explained() -> Iterator[None]:
    """Turn errors that users can do something about into :class:`Failed`, also where a task group has wrapped them."""
    try:
        yield
    except BrokenPipeError:
        raise
    except BaseExceptionGroup as group:
        error = _single(group)
        if isinstance(error, KeyboardInterrupt | BrokenPipeError):
            raise error from None
        words = _words(error)
        if words is None:
            raise
        raise Failed(words) from None
    except Exception as error:
        words = _words(error)
        if words is None:
            raise
        raise Failed(words) from None


def silence(stream: TextIO) -> None:
    """Nobody reads this stream any more: what is still in its buffer must not be tried again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _single(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _words(error: BaseException) -> str | None:
    from oadr_core.errors import LocalError

    if isinstance(error, Failed):
        return str(error)
    if type(error).__module__ == "oadr_transports.vtn_ledger":  # imported by whoever has raised it
        return f"{error}; what was answered is safe: start again when the disk can be written"
    if isinstance(error, LocalError):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        return missing(error)
    if isinstance(error, OSError) and error.errno is not None:
        return _of_system(error)
    if isinstance(error, FileNotFoundError):  # without errno: one of ours, which says everything
        return str(error)
    return None


def missing(error: ModuleNotFoundError) -> str | None:
    """Advice for a module that is not installed; ``None`` for one that no extra brings."""
    extra = EXTRAS.get((error.name or "").partition(".")[0])
    return f"{error.name} is missing; install it with: pip install 'oadr[{extra}]'" if extra else None


def _of_system(error: OSError) -> str:
    text = f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror)
    if error.errno == errno.EADDRINUSE:
        return f"{text}; another program has this port: choose one with --port, or 0 for a free one"
    if error.errno == errno.EACCES and not error.filename:
        return f"{text}; ports below 1024 need rights: choose another with --port"
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return f"{text}; this machine has no such address: choose one with --host, for instance 127.0.0.1"
    return text
