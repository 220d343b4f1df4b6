"""A web server for as long as a block lasts: uvicorn on a given or a free port, inside the running event
loop.

It stands alone because it is the only module that knows uvicorn. It installs no signal handlers and leaves
nothing behind: a server that is part of an application ends when the application says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import anyio
import attrs
import uvicorn

from .asgi import BASE_PATH, VtnApp

GRACE_S: Final = 2
"""Seconds that requests under way get when the server stops."""
_BACKLOG: Final = 2048
_DEFAULTS: Final[dict[str, Any]] = {
    "log_config": None,
    "access_log": False,
    "lifespan": "off",
    "ws": "none",
    "server_header": False,
    "timeout_graceful_shutdown": GRACE_S,
    "timeout_keep_alive": 75,  # above the usual poll intervals: no poll shall meet a closing connection
}
_ANY_HOST: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # told, not bound


@attrs.frozen
class Server:
    """A running server: where it listens, and the URL for VENs."""

    host: str
    port: int
    base_path: str = BASE_PATH
    scheme: str = "http"

    @property
    def url(self) -> str:
        """The URL of the VTN, without the service."""
        host = _ANY_HOST.get(self.host, self.host)
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.port}/{self.base_path.strip('/')}".rstrip(
            "/"
        )


class _Uvicorn(uvicorn.Server):
    """uvicorn that says when it listens, and leaves signals to the application."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = anyio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.listening.set()


@contextlib.asynccontextmanager
async def serve(
    app: VtnApp, *, host: str = "127.0.0.1", port: int = 0, base_path: str = BASE_PATH, **options: Any
) -> AsyncIterator[Server]:
    """Serve an application; the block begins when it listens and ends when the last connection is closed.

    ``port`` 0 takes a free one. ``options`` go to ``uvicorn.Config``. Raises ``OSError`` when the address is
    taken, and ``RuntimeError`` under trio, for uvicorn runs on asyncio.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError("uvicorn runs under asyncio; under trio give `vtn.app` to another ASGI server") from None
    listener = _listen(host, port)
    config = uvicorn.Config(app, **{**_DEFAULTS, **options})
    server = _Uvicorn(config)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_run, server, listener)
        try:
            await server.listening.wait()
            yield Server(host, listener.getsockname()[1], base_path, "https" if config.is_ssl else "http")
        finally:
            server.should_exit = True


async def _run(server: _Uvicorn, listener: socket.socket) -> None:
    """uvicorn closes its sockets only when it ends by itself; it is told to by ``should_exit``, also on
    cancellation.
    """
    with anyio.CancelScope(shield=True), listener:
        await server.serve(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sends small replies at once (TCP_NODELAY) instead of collecting them.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"{error.strerror}: {host}:{port}") from None
    return listener
