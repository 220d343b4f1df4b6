"""A VEN without an event loop: requests and threads.

    python examples/sync_ven.py [URL of the VTN]

It needs a VTN, for instance `oadr vtn serve`. Ctrl-C or SIGTERM ends it.
"""

import signal
import sys
from datetime import timedelta

from oadr_transports import SyncOpenADRClient, enable_default_logging

enable_default_logging()


def collect_report_value():
    # This callback is called when a value is needed for the report. It may take its time: polls go on.
    return 1.23


def handle_event(event):
    # Code that controls your devices belongs here.
    for interval in event["event_signals"][0]["intervals"]:
        print(f"{event['event_id']}: {interval['signal_payload']} from {interval['dtstart']:%H:%M:%S}", flush=True)
    return "optIn"


with SyncOpenADRClient(
    ven_name="ven123",
    vtn_url=sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8080/OpenADR2/Simple/2.0b",
) as client:
    client.add_handler("on_event", handle_event)
    client.add_report(collect_report_value, "device001", "voltage", sampling_rate=timedelta(seconds=10))
    signal.signal(signal.SIGTERM, lambda *_: client.stop())
    try:
        client.run()
    except KeyboardInterrupt:
        print("stopped")
