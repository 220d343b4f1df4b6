"""A web server for as long as a block lasts: uvicorn on a given or a free port, inside the running event
loop.

It stands alone because it is the only module that runs uvicorn. It installs no signal handlers and leaves
nothing behind: a server that is part of an application ends when the application says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final

import anyio
import attrs
import uvicorn

from .asgi import BASE_PATH, Receive, Scope, Send
from .uvicorn_tls import secure

Application = Callable[[Scope, Receive, Send], Awaitable[None]]
"""Any ASGI application."""
GRACE_S: Final = 2
"""Seconds that requests under way get when the server stops."""
_BACKLOG: Final = 2048
_DEFAULTS: Final[dict[str, Any]] = {
    "log_config": None,
    "access_log": False,
    "lifespan": "off",
    "ws": "none",
    "server_header": False,
    "proxy_headers": False,  # the address of a peer is that of its connection, whatever a header says
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
    app: Application,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    unix: str | None = None,
    base_path: str = BASE_PATH,
    tls: ssl.SSLContext | None = None,
    **options: Any,
) -> AsyncIterator[Server]:
    """Serve an application; the block begins when it listens and ends when the last connection is closed.

    ``port`` 0 takes a free one; ``unix`` is the path of a socket to listen on instead. ``tls`` makes it HTTPS;
    the application finds the client's certificate in the TLS extension of its scope. ``options`` go to
    ``uvicorn.Config``. Raises ``OSError`` when the address is taken, and ``RuntimeError`` under trio, for uvicorn
    runs on asyncio.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError("uvicorn runs under asyncio; under trio give `vtn.app` to another ASGI server") from None
    listener = _listen(host, port) if unix is None else _listen_unix(unix)
    config = uvicorn.Config(app, **{**_DEFAULTS, **options})
    try:
        secure(config, tls)
    except BaseException:
        listener.close()
        raise
    server = _Uvicorn(config)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_run, server, listener)
        try:
            await server.listening.wait()
            listens_on = port if unix is not None else listener.getsockname()[1]
            yield Server(host, listens_on, base_path, "https" if config.ssl else "http")
        finally:
            server.should_exit = True


async def _run(server: _Uvicorn, listener: socket.socket) -> None:
    """uvicorn closes its sockets only when it ends by itself; it is told to by ``should_exit``, also on
    cancellation.
    """
    with anyio.CancelScope(shield=True), listener:
        await server.serve(sockets=[listener])


def _listen_unix(path: str) -> socket.socket:
    """A socket that only the owner of this process can use; one that a killed process has left is replaced."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if stat.S_ISSOCK(os.stat(path, follow_symlinks=False).st_mode) and not _answers(path):  # noqa: PTH116  # no Path
            os.unlink(path)  # noqa: PTH108
    except FileNotFoundError:
        pass
    try:
        listener.bind(path)
        os.chmod(path, 0o600)  # noqa: PTH101  # before it listens
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"{error.strerror or error}: {path}") from None
    return listener


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
        return True


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
