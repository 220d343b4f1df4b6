"""The command line as its users run it: a process, its lines, and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.observations import Observations

OADR = (sys.executable, "-c", "from oadr_transports.cli import main; main()")
ENDS_WITHIN_S = 5.0
"""Ctrl-C ends a command at once; a machine with two busy cores gets this long."""


class Command(Observations):
    """A running command with ``--json``: each line is an observation, under its kind."""

    def __init__(self, process: subprocess.Popen[str], errors: Path) -> None:
        super().__init__()
        self.process = process
        self._errors = errors
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> tuple[int, float]:
        """Send a signal; return the exit code and how many seconds the end took."""
        began = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(ENDS_WITHIN_S)
        return code, time.monotonic() - began

    def close_pipes(self) -> None:
        """Kill what is left, and read to the end."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def errors(self) -> str:
        """What went to standard error."""
        return self._errors.read_text("utf-8", "replace")

    def details(self) -> str:
        return f"standard error:\n{self.errors}"

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found = json.loads(line)
            self.add(found.pop("kind"), **found)
        self.close()


@contextmanager
def running_command(errors: Path, *arguments: str, stdin: Path = Path(os.devnull)) -> Iterator[Command]:
    """Start a command that prints JSON lines; it is killed at the end, if it has not ended before."""
    with errors.open("w") as file, stdin.open() as lines:
        process = subprocess.Popen([*OADR, *arguments], stdin=lines, stdout=subprocess.PIPE, stderr=file, text=True)
        command = Command(process, errors)
        try:
            yield command
        finally:
            command.close_pipes()


def run_command(*arguments: str, stdin: bytes = b"", deadline_s: float = 60.0) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end."""
    return subprocess.run([*OADR, *arguments], input=stdin, capture_output=True, timeout=deadline_s, check=False)
