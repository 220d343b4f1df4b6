"""Values for reports from outside: lines of standard input, a CSV file, or what a command prints.

It stands alone because these read the world, where :mod:`.simulated` makes values up.
"""

from __future__ import annotations

import csv
import shlex
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TextIO

COMMAND_TIMEOUT_S: Final = 20.0
"""A command that takes longer is ended; its value is marked as bad."""


class Lines:
    """The newest value of each data point among lines such as ``1500`` or ``boiler:powerReal 1500``.

    A line with a number alone is for every data point. What cannot be read is told to ``complain``.
    """

    def __init__(self, stream: TextIO, complain: Callable[[str], None]) -> None:
        self._stream = stream
        self._complain = complain
        self._newest: dict[str, float] = {}
        self._started = False

    def start(self) -> None:
        """Begin to read, in a thread of its own: nobody can interrupt a read."""
        if not self._started:
            self._started = True
            threading.Thread(target=self.read, name="lines", daemon=True).start()

    def source(self, r_id: str) -> Callable[[], float | None]:
        """A report callback: the newest value, ``None`` before there is one."""

        def read() -> float | None:
            return self._newest.get(r_id, self._newest.get(""))

        return read

    def read(self) -> None:
        """Read all lines that there are, and that come, until the end."""
        for line in self._stream:
            words = line.split()
            if not words:
                continue
            try:
                value = float(words[-1])
            except ValueError:
                self._complain(f"no number at the end of the line {line.strip()[:60]!r}")
                continue
            newest = {} if len(words) == 1 else self._newest
            self._newest = {**newest, " ".join(words[:-1]): value}


def recorded(path: Path) -> Callable[[datetime, datetime, timedelta], list[tuple[datetime, float]]]:
    """A report callback for periods: rows of time and value of a CSV file, which is read anew each time.

    Times have a zone (``2026-05-04T12:00:00Z``). A first row of names is passed over.
    """

    def read(date_from: datetime, date_to: datetime, sampling_interval: timedelta) -> list[tuple[datetime, float]]:
        return [row for row in rows(path) if date_from <= row[0] <= date_to]

    return read


def rows(path: Path) -> Iterator[tuple[datetime, float]]:
    """The times and values in a CSV file. Raises ``ValueError``, which names the line, and ``OSError``."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.reader(file), 1):
            if not row or (number == 1 and not row[0][:1].isdigit()):
                continue
            try:
                at, value = datetime.fromisoformat(row[0].strip()), float(row[1])
            except (ValueError, IndexError):
                raise ValueError(f"{path}, line {number}: a time and a number are expected") from None
            if at.tzinfo is None:
                raise ValueError(f"{path}, line {number}: the time has no zone: add Z for UTC")
            yield at, value


def printed(command: str) -> Callable[[], float]:
    """A report callback: the first word that a command prints. It is run without a shell."""
    words = shlex.split(command)

    def read() -> float:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=True
        )
        return float(done.stdout.split()[0])

    return read
