"""JSON lines between a peer's process and the test that drives it: observations out, commands in.

This file and its neighbours run in the peer's environment, where neither this project nor pytest exists.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

# The peer prints greetings to standard output; observations keep the real one, everything else goes to the log.
_OBSERVATIONS = sys.stdout
sys.stdout = sys.stderr


def observe(saw: str, **details: Any) -> None:
    """Tell the test one thing that happened; what JSON does not know is told as text."""
    _OBSERVATIONS.write(json.dumps({"saw": saw, **details}, default=_as_text) + "\n")
    _OBSERVATIONS.flush()


async def obey(commands: dict[str, Callable[..., Any]]) -> NoReturn:
    """Carry out commands from standard input until `stop` or its end, then end the process.

    A command is `{"do": name, …arguments}`. A command that fails is observed as `failed`. The end is immediate: an
    orderly one waits for connections and timers that no test is interested in.
    """
    reader = asyncio.StreamReader(limit=2**20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        command = json.loads(line)
        name = command.pop("do")
        if name == "stop":
            break
        try:
            result = commands[name](**command)
            if asyncio.iscoroutine(result):
                await result
        except Exception as error:
            observe("failed", command=name, error=f"{type(error).__name__}: {error}")
    sys.stderr.flush()
    os._exit(0)


def _as_text(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "total_seconds"):
        return value.total_seconds()
    return str(value)
