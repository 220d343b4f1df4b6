"""A VEN that meters a boiler: its power, its state, and what it has used before.

    python examples/metering.py [URL of the VTN]

It needs a VTN, for instance `oadr vtn serve`. Stop the VTN for a while: the samples go on, and reach it afterwards.
"""

import math
import sys
import time
from contextlib import suppress
from datetime import timedelta

import anyio

from oadr_core.ven import ReportDelivered, ReportsLost
from oadr_transports import Measured, OpenADRClient, SqliteHistory, enable_default_logging, resource_status

client = OpenADRClient(
    ven_name="meter17",
    vtn_url=sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8080/OpenADR2/Simple/2.0b",
    state="meter17.state",
)
history = SqliteHistory("meter17.history", keep=timedelta(days=31))


def read_power():
    # A plain function runs in a thread: it may wait for a slow meter.
    kilowatts = 1.5 + math.sin(time.time() / 60)
    return Measured(kilowatts, accuracy=0.01)


async def read_state():
    return resource_status(online=True, capacity={"current": 1.5, "min": 0, "max": 3})


async def main():
    async with anyio.create_task_group() as tasks, client.notifications() as happenings:
        tasks.start_soon(client.run)
        async for happening in happenings:
            if isinstance(happening, ReportDelivered):
                print(f"{len(happening.report.intervals)} values of {happening.report.report_specifier_id} delivered")
            elif isinstance(happening, ReportsLost):
                print(f"{happening.values} values lost, from {happening.since} to {happening.until}")


every = timedelta(seconds=10)
client.add_report(read_power, "boiler", "powerReal", unit="kW", sampling_rate=every, history=history)
client.add_report(read_state, "boiler", "status", sampling_rate=every)
client.add_handler("on_event", lambda event: "optIn")
enable_default_logging()
with suppress(KeyboardInterrupt):
    anyio.run(main)
