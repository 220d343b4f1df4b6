"""What happens, said line by line: for people with the time in front, for programs as one JSON object a line.

It stands alone because every command that runs for long speaks this way. Values of peers are cleaned here: no text
from outside can move the cursor of a terminal.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs
import click

from .failures import silence

COLOURS: Final[Mapping[str, str]] = {
    "start": "bright_black",
    "registration": "green",
    "event": "cyan",
    "opt": "green",
    "report": "blue",
    "message": "bright_black",
    "warning": "yellow",
    "error": "red",
}
"""The colour of each kind of line; the kind is also the ``kind`` of the JSON object."""
_WARNINGS: Final = ("warning", "error")


def clean(text: object) -> str:
    """A text of a peer, fit for a terminal: what cannot be printed is escaped."""
    plain = str(text)
    if plain.isprintable():
        return plain
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in plain)


def shorten(text: str, longest: int) -> str:
    """The text, cut where it gets too long for a line."""
    return text if len(text) <= longest else f"{text[:longest]}…"


def utc(at: datetime) -> str:
    """An instant in UTC, in whole seconds unless it has fractions."""
    return at.astimezone(UTC).isoformat(timespec="auto").replace("+00:00", "Z")


def local(at: datetime) -> str:
    """The same instant by the clock on the wall of this machine, with its offset; in UTC at the calendar's ends."""
    with suppress(OverflowError):
        at = at.astimezone()
    return at.isoformat(sep=" ", timespec="seconds")


def length(span: timedelta) -> str:
    """A duration for people: ``5 min``, ``1 h 30 min``, ``2 d``."""
    seconds = span.total_seconds()
    if seconds < 0:
        return f"-{length(-span)}"
    parts = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count:g} {unit}")
    if seconds or not parts:
        parts.append(f"{seconds:g} s")
    return " ".join(parts)


def number(value: object) -> str:
    """A number for people: without a tail of zeros, and not rounded."""
    return f"{value:.12g}" if isinstance(value, int | float) else clean(value)


def colour_wanted() -> bool | None:
    """``False`` where the user asked for no colours (https://no-color.org); else click finds out."""
    return False if os.environ.get("NO_COLOR") else None


def put(line: str, *, err: bool = False) -> None:
    """Print a line; may be called from anywhere, also from callbacks of a server.

    Where the reader has gone away (``| head``), it ends the command as Ctrl-C does: an error here would be taken for
    one of the message that is talked about.
    """
    try:
        click.echo(line, err=err, color=colour_wanted())
    except BrokenPipeError:
        silence(sys.stderr if err else sys.stdout)
        signal.raise_signal(signal.SIGINT)


@attrs.define(kw_only=True)
class Speaker:
    """Says lines on standard output. ``quiet``: warnings and errors only."""

    as_json: bool = False
    quiet: bool = False

    def say(self, kind: str, text: str, *more: str, **data: Any) -> None:
        """Say that something happened: ``text``, and ``more`` lines below it; ``data`` is what JSON gets besides."""
        if self.quiet and kind not in _WARNINGS:
            return
        if self.as_json:
            at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            put(json.dumps({"time": at, "kind": kind, "text": text, **data}))
            return
        stamp = click.style(time.strftime("%H:%M:%S"), fg="bright_black")
        put("\n         ".join((f"{stamp} {click.style(text, fg=COLOURS.get(kind))}", *more)))

    def listen_to_log(self) -> logging.Handler:
        """Say what the library logs as warnings and errors; what happens otherwise has lines of its own."""
        handler = _Listener(self)
        logger = logging.getLogger("oadr")
        logger.addHandler(handler)
        logger.propagate = False
        return handler


class _Listener(logging.Handler):
    def __init__(self, speaker: Speaker) -> None:
        super().__init__(logging.WARNING)
        self._speaker = speaker

    def emit(self, record: logging.LogRecord) -> None:
        kind = "error" if record.levelno >= logging.ERROR else "warning"
        text = clean(record.getMessage())
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            text += f": {type(error).__name__}: {clean(error)}"
        self._speaker.say(kind, text)
