"""OpenLEADR as a VEN, driven and watched over JSON lines. Runs in the peer's environment.

    python openleadr_ven.py VTN_URL VEN_NAME [CERT KEY AUTHORITIES VTN_FINGERPRINT]

Given the files of its certificate, its key and the authorities, it uses mutual TLS and signs; it believes only messages
that the VTN with that fingerprint has signed. It offers one voltage report and opts in to everything. Commands: `stop`.
Observations: `ready`, `registered`, `sampled`, `event`, `event_updated`, and `received` for every message of the VTN.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from datetime import timedelta
from typing import Any

from lines import obey, observe
from openleadr import OpenADRClient, enable_default_logging

VALUE = 231.5


def sample() -> float:
    observe("sampled", value=VALUE)
    return VALUE


async def on_event(event: dict[str, Any]) -> str:
    observe("event", event=event)
    return "optIn"


async def on_update_event(event: dict[str, Any]) -> str:
    observe("event_updated", event=event)
    return "optIn"


def on_message(message: str, payload: dict[str, Any]) -> None:
    observe("received", message=message, payload=payload)


async def main(vtn_url: str, ven_name: str, *security: str) -> None:
    enable_default_logging(level=logging.INFO)
    options = dict(zip(("cert", "key", "ca_file", "vtn_fingerprint"), security, strict=bool(security)))
    client = OpenADRClient(ven_name=ven_name, vtn_url=vtn_url, show_fingerprint=False, **options)
    client.add_report(
        callback=sample,
        resource_id="device001",
        measurement="voltage",
        report_specifier_id="specifier-1",
        r_id="voltage-1",
        report_duration=timedelta(hours=1),
        sampling_rate=timedelta(seconds=1),
    )
    client.add_handler("on_event", on_event)
    client.add_handler("on_update_event", on_update_event)
    client.add_hook("after_parse_xml", on_message)
    observe("ready")
    await client.run()
    if client.registration_id:
        observe("registered", ven_id=client.ven_id, registration_id=client.registration_id)
    await obey({})


asyncio.run(main(*sys.argv[1:]))
