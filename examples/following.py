"""A VEN that does what its events want, and keeps its state in a file.

    python examples/following.py [URL of the VTN]

It needs a VTN, for instance `oadr vtn serve`. Kill it, and start it again: it goes on where it was.
"""

import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import anyio

from oadr_transports import OpenADRClient, Refuse, enable_default_logging

client = OpenADRClient(
    ven_name="boiler17",
    vtn_url=sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8080/OpenADR2/Simple/2.0b",
    signals=["SIMPLE"],
    state="boiler17.state",
)


async def on_event(event):
    if event["active_period"]["duration"] > timedelta(hours=6):
        return Refuse("469", "the tank holds warm water for six hours")
    return "optIn"


async def on_interval(interval):
    print(f"level {interval['signal_payload']:g} until {interval['until']}")


async def on_event_status(change):
    if change["stage"] == "over":
        value = client.value_now("SIMPLE")
        print("back to normal" if value is None else f"level {value.value:g} of event {value.event_id}")


async def main():
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.run)
        async with client.notifications() as happenings:
            async for _ in happenings:
                if client.registration and not client.opts:
                    morning = datetime.now(UTC).replace(hour=4, minute=0, second=0, microsecond=0)
                    await client.create_opt("optOut", schedule=[(morning + timedelta(days=1), timedelta(hours=2))])


client.add_handler("on_event", on_event)
client.add_handler("on_interval", on_interval)
client.add_handler("on_event_status", on_event_status)
enable_default_logging()
with suppress(KeyboardInterrupt):
    anyio.run(main)
