"""A VEN that keeps its state in a file and notes when its handlers were called: it is there to be killed.

    python killable_ven.py VTN_URL STATE NOTES

Each line of NOTES is an object: what was called, for which event and version, and when.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio

from oadr_core import LocalError, OadrError
from oadr_core.ven import Registered
from oadr_transports import OpenADRClient

SCHEDULE = "holidays"


def main(url: str, state: str, notes: str) -> None:
    client = OpenADRClient(ven_name="phoenix", vtn_url=url, allow_jitter=False, state=state)

    def note(**what: Any) -> None:
        with Path(notes).open("a", encoding="ascii") as file:
            file.write(json.dumps({**what, "at": time.time()}) + "\n")
            file.flush()
            os.fsync(file.fileno())

    async def on_event(event: dict[str, Any]) -> str:
        descriptor = event["event_descriptor"]
        note(called="on_event", event_id=event["event_id"], modification=descriptor["modification_number"])
        await anyio.sleep(0.05)
        return "optIn"

    async def on_interval(interval: dict[str, Any]) -> None:
        note(called="on_interval", event_id=interval["event_id"], uid=interval["uid"])

    client.add_handler("on_event", on_event)
    client.add_handler("on_interval", on_interval)

    async def state_schedule() -> None:
        """Once, whatever happens: the state knows whether it was stated."""
        async with client.notifications() as happenings:
            if client.registration is None:
                async for happening in happenings:
                    if isinstance(happening, Registered):
                        break
            if client.opts:
                return
            try:
                start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
                await client.create_opt("optOut", schedule=[(start, timedelta(days=7))], opt_id=SCHEDULE)
            except (LocalError, OadrError) as error:
                note(called="trouble", text=str(error))

    async def run() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.run)
            while not client.is_running:  # noqa: ASYNC110  # nothing else tells that it has begun
                await anyio.sleep(0.01)
            tasks.start_soon(state_schedule)

    anyio.run(run)


if __name__ == "__main__":
    main(*sys.argv[1:])
