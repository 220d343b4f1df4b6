"""uvicorn with the client's certificate in the ASGI scope: the TLS extension, which it leaves out.

It stands alone because it is the only module that knows what uvicorn looks like inside: it takes whichever protocol
class uvicorn has chosen (h11 or httptools), adds one method to it, and refuses to start when that would not work.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, MutableMapping
from time import time as clock
from typing import Any, Final

import uvicorn
from uvicorn.server import ServerState

from .tls import explain

App = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]

logger = logging.getLogger("oadr")

KNOWN: Final = "0.30 to 0.54"
"""Versions of uvicorn that this was tried with."""
_VERSIONS: Final = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}


def secure(config: uvicorn.Config, context: ssl.SSLContext | None) -> None:
    """Load a configuration of uvicorn, let it serve with ``context``, and tell its application the certificates.

    ``None`` leaves TLS to the configuration. Handshakes that fail are logged. Call it inside the running event loop.
    Raises ``RuntimeError`` for a uvicorn that is built otherwise.
    """
    config.load()
    base = getattr(config, "http_protocol_class", None)
    if not isinstance(base, type) or not issubclass(base, asyncio.Protocol) or not hasattr(config, "ssl"):
        raise RuntimeError(_unlike("its configuration has no protocol class or no TLS context"))
    protocol: Any = base
    probe = protocol(config=config, server_state=ServerState(), app_state={}, _loop=asyncio.get_running_loop())
    if getattr(probe, "app", None) is not config.loaded_app:
        raise RuntimeError(_unlike(f"{base.__name__} keeps the application elsewhere"))
    config.http_protocol_class = _with_certificates(base)
    if context is not None:
        context.sslobject_class = _WatchedHandshake
        config.ssl = context


def _unlike(what: str) -> str:
    return (
        f"uvicorn {uvicorn.__version__} is unlike those that oadr knows ({KNOWN}): {what}. Install one of those, or "
        "serve `vtn.app` behind a proxy that hands the client's certificate on (trusted_proxies)"
    )


def _with_certificates(base: type[asyncio.Protocol]) -> type[asyncio.Protocol]:
    """The protocol, whose application sees the TLS extension of the ASGI specification."""

    class WithCertificates(base):  # type: ignore[valid-type,misc]  # the class is known only when uvicorn has chosen it
        app: App

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            connection = transport.get_extra_info("ssl_object")
            if connection is not None:
                self.app = _telling(self.app, connection)

    return WithCertificates


def _telling(app: App, connection: ssl.SSLObject) -> App:
    extension, ends_at = _extension(connection)

    async def with_extension(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        # A connection may outlive the certificate that opened it (R516).
        error = "certificate has expired" if ends_at is not None and clock() > ends_at else None
        tls = {**extension, "client_cert_error": error}
        scope["extensions"] = {**(scope.get("extensions") or {}), "tls": tls}
        await app(scope, receive, send)

    return with_extension


def _extension(connection: ssl.SSLObject) -> tuple[dict[str, Any], float | None]:
    """What is known of a connection after its handshake, and when the client's certificate ends (seconds, Unix)."""
    der = connection.getpeercert(binary_form=True)
    facts = connection.getpeercert() or {}
    ends = facts.get("notAfter")
    suite = connection.cipher()
    numbers = {each["name"]: int(each["id"]) & 0xFFFF for each in connection.context.get_ciphers()}
    extension = {
        "server_cert": None,
        "client_cert_chain": [ssl.DER_cert_to_PEM_cert(der)] if der else [],
        "client_cert_name": None,
        "tls_version": _VERSIONS.get(connection.version() or ""),
        "cipher_suite": numbers.get(suite[0]) if suite else None,
    }
    return extension, ssl.cert_time_to_seconds(ends) if isinstance(ends, str) else None


class _WatchedHandshake(ssl.SSLObject):
    """Says why a handshake has failed, which asyncio keeps to itself."""

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            logger.warning("a TLS handshake has failed: %s", explain(error))
            raise
