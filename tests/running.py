"""Our own client, of whichever driver, run beside a test for as long as a block lasts."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread

from oadr_transports import OpenADRClient, SyncOpenADRClient, TrioOpenADRClient

STOP_WITHIN_S = 10.0

CLIENTS: dict[str, tuple[type[Any], str]] = {
    "asyncio": (OpenADRClient, "asyncio"),
    "trio": (OpenADRClient, "trio"),
    "trio-native": (TrioOpenADRClient, "trio"),
    "threads": (SyncOpenADRClient, "asyncio"),
}
"""Every driver: its client, and the backend of a test that runs it."""


@asynccontextmanager
async def running(client: Any) -> AsyncIterator[None]:
    """Run a client; at the end `stop()` it, and `run()` must then return by itself."""
    ended = anyio.Event()

    async def run() -> None:
        try:
            if inspect.iscoroutinefunction(client.run):
                await client.run()
            else:
                await anyio.to_thread.run_sync(client.run, abandon_on_cancel=True)
        finally:
            ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        try:
            yield
        except BaseException:
            if not inspect.iscoroutinefunction(client.run):  # nobody can cancel its thread
                client.stop()
            raise
        stopped = client.stop()
        if inspect.isawaitable(stopped):
            await stopped
        with anyio.fail_after(STOP_WITHIN_S):
            await ended.wait()
