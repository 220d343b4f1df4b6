"""A server that is polled: ours, or a bare ASGI application on the same uvicorn.

It stands alone because each runs in a process of its own: `python -m benchmarks.polled ours h11`. It says its address
in a line of JSON, and ends with its standard input.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import anyio.to_thread

from oadr_transports import Vtn
from oadr_transports.server import serve

HELLO = b"Hello, world!"
LOOPS = {"h11": False, "httptools": True}
"""Parsers, and whether uvloop goes with them: what comes with Python, and the extra `speed`."""


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Answer everything alike, having read nothing."""
    length = (b"content-length", str(len(HELLO)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length, (b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": HELLO})


def ours(parser: str) -> AbstractAsyncContextManager[Any]:
    """A VTN as anybody would run it, without a state on the disk."""
    return Vtn(vtn_id="VTN", identity="insecure").serve(http=parser)


SERVERS: dict[str, Callable[[str], AbstractAsyncContextManager[Any]]] = {
    "ours": ours,
    "hello": lambda parser: serve(hello, base_path="", http=parser),
}


async def main(name: str, parser: str) -> None:
    """Serve until nobody listens any more."""
    async with SERVERS[name](parser) as server:
        print(json.dumps({"url": server.url}), flush=True)
        await anyio.to_thread.run_sync(sys.stdin.read)


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:], backend_options={"use_uvloop": LOOPS[sys.argv[2]]})
