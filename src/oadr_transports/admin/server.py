"""Where the admin API listens: a loopback port or a Unix socket, for as long as a block lasts.

It stands alone because it must never be where the protocol is.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from oadr_core import LocalError
from oadr_transports.server import serve
from oadr_transports.vtn import Vtn

from .api import admin_app
from .contact import Contact, ContactFile, new_token

DEFAULT: Final = "127.0.0.1:0"
"""A free port of this machine, which the contact file tells."""
_UNIX: Final = "unix:"


@contextlib.asynccontextmanager
async def serve_admin(
    vtn: Vtn, *, address: str = DEFAULT, token: str | None = None, file: Path | None = None
) -> AsyncIterator[Contact]:
    """Serve the admin API of a VTN while the block lasts, and tell how to reach it.

    ``address``: ``host:port`` (port 0: a free one) or ``unix:/path``. ``token``: made when there is none. ``file``
    gets both, readable by its owner only, and is removed at the end. Enter it inside ``vtn.serve`` or
    ``vtn.running``. Raises :class:`~oadr_core.LocalError` for an address that is none, ``OSError`` for one that is
    taken.
    """
    token = new_token() if token is None else token
    app = admin_app(vtn, token)
    async with contextlib.AsyncExitStack() as stack:
        if address.startswith(_UNIX):
            path = address.removeprefix(_UNIX)
            await stack.enter_async_context(serve(app, unix=path))
            contact = Contact(url=address, token=token)
        else:
            host, port = parse_address(address)
            server = await stack.enter_async_context(serve(app, host=host, port=port, base_path=""))
            contact = Contact(url=server.url, token=token)
        if file is not None:
            stack.enter_context(ContactFile(file).written(contact))
        yield contact


def parse_address(address: str) -> tuple[str, int]:
    """``host:port`` as its parts. Raises :class:`~oadr_core.LocalError`."""
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise LocalError(f"host:port or unix:/path is expected, not {address!r}", path="admin")
    return host, int(port)


def is_local(address: str) -> bool:
    """True for a Unix socket and for an address that only this machine reaches."""
    if address.startswith(_UNIX):
        return True
    host, _ = parse_address(address)
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
