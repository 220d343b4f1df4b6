"""A peer's process as a test sees it: commands in, observations out."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.observations import Condition, Observation, Observations

PEERS = Path(__file__).parent / "peers"
LOG_LINES_SHOWN = 40


class Peer(Observations):
    """A running peer."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        super().__init__()
        self._process = process
        self._log = log
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def tell(self, do: str, **arguments: Any) -> None:
        """Send a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._process.stdin.flush()

    def stop(self) -> int:
        """Ask the peer to stop, kill it if it does not, and return its exit code."""
        try:
            self.tell("stop")
            self._process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        return self._process.returncode

    def details(self) -> str:
        """Return the end of the peer's own log."""
        lines = self._log.read_text("utf-8", "replace").splitlines()[-LOG_LINES_SHOWN:]
        return "the peer's log ends:\n  " + "\n  ".join(lines)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.add(**json.loads(line))
        self.close()


@contextmanager
def running_peer(python: Path, log: Path, script: str, *arguments: str) -> Iterator[Peer]:
    """Start a script of `peers/` in the peer's environment; stop it at the end, however the test ends."""
    with log.open("w") as log_file:
        process = subprocess.Popen(
            [str(python), str(PEERS / script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log_file,
            text=True,
        )
        peer = Peer(process, log)
        try:
            yield peer
        finally:
            peer.stop()


def message(name: str, **payload: Any) -> Condition:
    """Return the condition on a `received` or `answered` observation that it is this message, with these values."""

    def holds(observation: Observation) -> bool:
        return observation["message"] == name and payload.items() <= observation["payload"].items()

    return holds


def event_answer(event_id: str, modification_number: int) -> Condition:
    """Return the condition that an observation is an oadrCreatedEvent which answers that version of the event."""

    def holds(observation: Observation) -> bool:
        return observation["message"] == "oadrCreatedEvent" and any(
            (response["event_id"], response["modification_number"]) == (event_id, modification_number)
            for response in observation["payload"]["event_responses"]
        )

    return holds
