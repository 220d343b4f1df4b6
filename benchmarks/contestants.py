"""Who takes part: this project, OpenLEADR in its own process, and the bare parser as the floor."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from itertools import repeat
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

from lxml import etree

from benchmarks.messages import Message, messages

ROOT = Path(__file__).resolve().parent.parent


class NotEquivalentError(Exception):
    """A contestant does not do the same work as the others, so that a ratio would say nothing."""


class Contestant(Protocol):
    """One codec: how long does it take to do this so many times?"""

    name: str

    def seconds(self, operation: str, key: str, count: int) -> float:
        """Return the time for `count` runs of `decode` or `encode` on the message."""


class Ours:
    """`oadr_core.decode` and `encode`."""

    name = "oadr"

    def __init__(self) -> None:
        from oadr_core import decode, encode

        self.version = version("oadr")
        self._decode, self._encode = decode, encode
        self._messages = {message.key: message for message in messages()}
        self._payloads = {key: decode(message.document).payload for key, message in self._messages.items()}
        for message in messages():
            check_equivalent(self.name, message, encode(self._payloads[message.key]))

    def seconds(self, operation: str, key: str, count: int) -> float:
        function: Any = self._decode if operation == "decode" else self._encode
        arguments = self._messages[key].each(count) if operation == "decode" else repeat(self._payloads[key], count)
        begin = perf_counter()
        for argument in arguments:
            function(argument)
        return perf_counter() - begin


class Floor:
    """`lxml.etree.fromstring`, which builds a tree and looks at nothing."""

    name = "lxml"

    def __init__(self) -> None:
        self.version = version("lxml")
        self._messages = {message.key: message for message in messages()}

    def seconds(self, operation: str, key: str, count: int) -> float:
        assert operation == "decode"
        function, documents = etree.fromstring, self._messages[key].each(count)
        begin = perf_counter()
        for document in documents:
            function(document)
        return perf_counter() - begin


class OpenLeadr:
    """A worker process in the peer's environment."""

    name = "openleadr"

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        greeting = self._answer()
        self.version, self.python = greeting["version"], greeting["python"]
        for message in messages():
            if greeting["digests"][message.key] != hashlib.sha256(b"".join(message.documents)).hexdigest():
                raise NotEquivalentError(f"{message.key}: the worker reads other bytes")
            check_equivalent(self.name, message, self.ask(do="write", message=message.key)["text"].encode())

    def seconds(self, operation: str, key: str, count: int) -> float:
        return float(self.ask(do=operation, message=key, count=count)["seconds"])

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request to the worker and return its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer's worker ended with exit code {self._process.wait()}")
        return dict(json.loads(line))


@contextmanager
def open_leadr(python: Path) -> Iterator[OpenLeadr]:
    """Start the worker in the peer's environment and end it with the block."""
    command = [str(python), "-m", "benchmarks.peer_worker"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", cwd=ROOT
    ) as process:
        try:
            yield OpenLeadr(process)
        finally:
            process.kill()


def check_equivalent(who: str, message: Message, written: bytes) -> None:
    """Raise `NotEquivalentError` unless the elements written are those of the measured document."""
    difference = _elements(message.document)
    difference.subtract(_elements(written))
    wrong = {name: count for name, count in difference.items() if count}
    if wrong:
        raise NotEquivalentError(f"{who} writes {message.key} with other elements than it reads: {wrong}")


def _elements(document: bytes) -> Counter[str]:
    return Counter(str(element.tag) for element in etree.fromstring(document).iter())
