"""A VEN with one report and an event handler.

    python examples/ven.py [URL of the VTN]

It needs a VTN, for instance `oadr vtn serve`.
"""

import asyncio
import sys
from datetime import timedelta

from oadr_transports import OpenADRClient, enable_default_logging

enable_default_logging()


async def collect_report_value():
    # This callback is called when a value is needed for the report.
    return 1.23


async def handle_event(event):
    # This callback receives an event as a dict. Code that controls your devices belongs here.
    for interval in event["event_signals"][0]["intervals"]:
        print(f"{event['event_id']}: {interval['signal_payload']} from {interval['dtstart']:%H:%M:%S}")
    return "optIn"


client = OpenADRClient(
    ven_name="ven123",
    vtn_url=sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8080/OpenADR2/Simple/2.0b",
)
client.add_report(
    callback=collect_report_value,
    resource_id="device001",
    measurement="voltage",
    sampling_rate=timedelta(seconds=10),
)
client.add_handler("on_event", handle_event)

loop = asyncio.new_event_loop()
running = loop.create_task(client.run())
try:
    loop.run_forever()
except KeyboardInterrupt:
    loop.run_until_complete(client.stop())
