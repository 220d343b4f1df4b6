"""OpenLEADR as a VEN with several reports. Runs in the peer's environment.

    python openleadr_reporting_ven.py VTN_URL VEN_NAME usage|temperatures

It offers powers and energies of two resources, collected value by value, or a temperature, collected for whole
periods; not both, because this peer wants one report request in each message. Commands: `stop`. Observations: `ready`,
`sampled` (what, value), `collected` (date_from, date_to, values), and `received` for every message of the VTN.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import count, product
from typing import Any

from lines import obey, observe
from openleadr import OpenADRClient, enable_default_logging

SECOND = timedelta(seconds=1)


async def sample(what: str, numbers: Any) -> float:
    value = float(next(numbers))
    observe("sampled", what=what, value=value)
    return value


async def collect(date_from: datetime, date_to: datetime, sampling_interval: timedelta) -> list[tuple[datetime, float]]:
    begin = date_from.replace(microsecond=0) + SECOND
    values = []
    while begin <= date_to:
        values.append((begin, 20.0 + begin.second / 100))
        begin += sampling_interval
    observe("collected", date_from=date_from, date_to=date_to, values=values)
    return values


def on_message(message: str, payload: dict[str, Any]) -> None:
    observe("received", message=message, payload=payload)


async def on_event(event: dict[str, Any]) -> str:
    return "optIn"


async def main(vtn_url: str, ven_name: str, report: str) -> None:
    enable_default_logging(level=logging.INFO)
    client = OpenADRClient(ven_name=ven_name, vtn_url=vtn_url)
    offer: Callable[..., Any] = partial(client.add_report, report_duration=timedelta(hours=1), sampling_rate=SECOND)
    if report == "temperatures":
        offer(
            callback=collect,
            resource_id="boiler",
            measurement="temperature",
            data_collection_mode="full",
            report_specifier_id=report,
            r_id="boiler-temperature",
        )
    else:
        for resource, measurement in product(("boiler", "heatpump"), ("powerReal", "energyReal")):
            what = f"{resource}-{measurement}"
            offer(
                callback=partial(sample, what, count()),
                resource_id=resource,
                measurement="REAL_POWER" if measurement == "powerReal" else "REAL_ENERGY",
                report_specifier_id=report,
                r_id=what,
                scale="k",
            )
    client.add_handler("on_event", on_event)
    client.add_hook("after_parse_xml", on_message)
    observe("ready")
    await client.run()
    await obey({})


asyncio.run(main(*sys.argv[1:]))
