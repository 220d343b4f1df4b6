"""OpenLEADR's VTN, to be polled. Runs in the peer's environment, as `python -m benchmarks.peer_vtn PORT`.

It says its address in a line of JSON, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from openleadr import OpenADRServer


async def on_create_party_registration(registration: dict[str, Any]) -> tuple[str, str]:
    """Take everybody."""
    return f"id-of-{registration['ven_name']}", f"registration-of-{registration['ven_name']}"


async def main(port: int) -> None:
    """Serve until nobody listens any more."""
    server = OpenADRServer(vtn_id="VTN", http_port=port, show_fingerprint=False)
    server.add_handler("on_create_party_registration", on_create_party_registration)
    await server.run()
    print(json.dumps({"url": f"http://127.0.0.1:{port}/OpenADR2/Simple/2.0b"}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
