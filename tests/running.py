"""Our own client, run beside a test for as long as a block lasts."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio

STOP_WITHIN_S = 10.0


@asynccontextmanager
async def running(client: Any) -> AsyncIterator[None]:
    """Run an `OpenADRClient`; at the end `stop()` it, and `run()` must then return by itself."""
    ended = anyio.Event()

    async def run() -> None:
        try:
            await client.run()
        finally:
            ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        yield
        stopped = client.stop()
        if inspect.isawaitable(stopped):
            await stopped
        with anyio.fail_after(STOP_WITHIN_S):
            await ended.wait()
