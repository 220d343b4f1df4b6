"""OpenLEADR as a VTN, driven and watched over JSON lines. Runs in the peer's environment.

Given the files of its certificate, its key, the authorities, and the VEN's certificate, it serves over mutual TLS,
signs, and believes that VEN only.

Commands: `add_event` (ven_id, event_id, starts_in_s, interval_s, values), `cancel_event` (ven_id, event_id),
`stop`. Observations: `ready` (port), `registered`, `report_offered`, `report_created`, `event_delivered`, `opt`,
`report_values`, and `received`/`answered` for every message.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lines import obey, observe
from openleadr import OpenADRServer, enable_default_logging, hooks
from openleadr.utils import certificate_fingerprint

IN_THREES = "-in-threes"
"""The end of the names of resources whose values are asked for three at a time."""
POLL_EVERY = timedelta(seconds=1)


class Vtn:
    """One server, and what it knows of its VENs."""

    def __init__(self, port: int) -> None:
        self.server = OpenADRServer(
            vtn_id="PeerVTN", http_port=port, requested_poll_freq=POLL_EVERY, show_fingerprint=False, **security()
        )
        self.server.add_handler("on_create_party_registration", self.on_create_party_registration)
        self.server.add_handler("on_cancel_party_registration", self.on_cancel_party_registration)
        self.server.add_handler("on_register_report", self.on_register_report)
        self.server.add_handler("on_created_report", self.on_created_report)

    async def on_create_party_registration(self, registration: dict[str, Any]) -> tuple[str, str]:
        ven_name = registration["ven_name"]
        ven_id, registration_id = f"id-of-{ven_name}", f"registration-of-{ven_name}"
        observe("registered", ven_name=ven_name, ven_id=ven_id, registration_id=registration_id)
        return ven_id, registration_id

    async def on_cancel_party_registration(self, cancellation: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        observe("registration_cancelled", **cancellation)
        return "oadrCanceledPartyRegistration", {"registration_id": cancellation["registration_id"]}

    async def on_register_report(
        self,
        ven_id: str,
        resource_id: str,
        measurement: str,
        unit: str,
        scale: str,
        min_sampling_interval: timedelta,
        max_sampling_interval: timedelta,
    ) -> tuple[Any, ...]:
        observe(
            "report_offered",
            ven_id=ven_id,
            resource_id=resource_id,
            measurement=measurement,
            unit=unit,
            scale=scale,
            min_sampling_interval=min_sampling_interval,
            max_sampling_interval=max_sampling_interval,
        )

        async def on_values(values: list[tuple[datetime, float]]) -> None:
            observe("report_values", ven_id=ven_id, resource_id=resource_id, values=values)

        if resource_id.endswith(IN_THREES):
            return on_values, min_sampling_interval, 3 * min_sampling_interval
        return on_values, min_sampling_interval

    async def on_created_report(self, created: dict[str, Any]) -> None:
        observe("report_created", **created)

    def add_event(self, ven_id: str, event_id: str, starts_in_s: float, interval_s: float, values: list[float]) -> None:
        start = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=starts_in_s)
        length = timedelta(seconds=interval_s)
        self.server.add_event(
            ven_id=ven_id,
            event_id=event_id,
            signal_name="ELECTRICITY_PRICE",
            signal_type="price",
            intervals=[
                {"dtstart": start + number * length, "duration": length, "signal_payload": value}
                for number, value in enumerate(values)
            ],
            market_context="http://example.com/prices",
            callback=self.on_opt,
            delivery_callback=lambda: observe("event_delivered", event_id=event_id),
        )

    async def on_opt(self, ven_id: str, event_id: str, opt_type: str) -> None:
        observe("opt", ven_id=ven_id, event_id=event_id, opt_type=opt_type)

    def cancel_event(self, ven_id: str, event_id: str) -> None:
        self.server.cancel_event(ven_id, event_id)


def security() -> dict[str, Any]:
    """The server's options for TLS and signatures, from the command line."""
    if len(sys.argv) == 1:
        return {}
    cert, key, authorities, ven_cert = sys.argv[1:]
    fingerprint = certificate_fingerprint(Path(ven_cert).read_text())

    async def ven_lookup(ven_id: str) -> dict[str, str]:
        return {"ven_id": ven_id, "ven_name": "", "fingerprint": fingerprint, "registration_id": "known"}

    return {
        "cert": cert,
        "key": key,
        "http_cert": cert,
        "http_key": key,
        "http_ca_file": authorities,
        "ven_lookup": ven_lookup,
        "show_server_cert_domain": False,
    }


async def on_message(message: str, payload: dict[str, Any]) -> None:
    observe("received", message=message, payload=payload)


async def on_answer(message: str, payload: dict[str, Any]) -> None:
    observe("answered", message=message, payload=payload)


def free_port() -> int:
    """Return a port that was free a moment ago: the server cannot be handed a bound socket."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def serve() -> tuple[Vtn, int]:
    """Start on a free port; once more on another one if somebody was faster."""
    for attempts_left in reversed(range(5)):
        port = free_port()
        vtn = Vtn(port)
        try:
            await vtn.server.run()
        except OSError:
            if not attempts_left:
                raise
        else:
            return vtn, port
    raise AssertionError("unreachable")


async def main() -> None:
    enable_default_logging(level=logging.INFO)
    hooks.register("before_handle", on_message)
    hooks.register("after_handle", on_answer)
    vtn, port = await serve()
    observe("ready", port=port)
    await obey({"add_event": vtn.add_event, "cancel_event": vtn.cancel_event})


asyncio.run(main())
