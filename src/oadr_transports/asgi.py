"""The VTN's door as a plain ASGI application: what HTTP says about a request before OpenADR does.

It stands alone because it mounts in any framework and knows no session: it checks path, method, type and size
(sections 6.1 and 8.7 of the profile reference), reads the body, and asks one function for the answer.
"""

from __future__ import annotations

import gzip
import logging
import zlib
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import Any, Final

from oadr_core.engine import SendReply
from oadr_core.errors import shown
from oadr_core.model import ServiceName

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BASE_PATH: Final = "/OpenADR2/Simple/2.0b"
"""Where the services stand (R511)."""
MEDIA_TYPES: Final = ("application/xml", "text/xml")
"""What is read: the profile's type, and one that some VENs send (FLEXCoop)."""

_DIGITS: Final = 20
"""No Content-Length has more."""
_SERVICES: Final = frozenset(ServiceName)
_XML: Final = (b"content-type", b"application/xml")
_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")
_ENCODERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": lambda data: gzip.compress(data, 6, mtime=0),
    "deflate": zlib.compress,
}

logger = logging.getLogger("oadr")


class Refused(Exception):
    """A request that HTTP answers, and OpenADR never sees."""

    def __init__(self, status: HTTPStatus, text: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers


class VtnApp:
    """A plain ASGI application for the services of a VTN.

    ``answer`` gets the service, the unauthenticated body and the fingerprint of the peer's certificate, and returns
    the reply in its time; it is called from the event loop and must not block. ``identify`` finds the fingerprint
    (``None``: there is no certificate) or raises :class:`Refused`; without it nobody has one. ``lifespan`` is entered
    while a server runs the application by itself. ``base_path`` is where the services stand; ``limit`` is the largest
    body in bytes.
    """

    def __init__(
        self,
        answer: Callable[[str, bytes, str | None], Awaitable[SendReply]],
        *,
        identify: Callable[[Scope], str | None] = lambda scope: None,
        base_path: str = BASE_PATH,
        limit: int,
        lifespan: Callable[[], AbstractAsyncContextManager[None]] | None = None,
    ) -> None:
        self._answer = answer
        self._identify = identify
        self._base = _segments(base_path)
        self._services = {"/".join(("", *self._base, service)): service for service in ServiceName}
        self._limit = limit
        self._lifespan = lifespan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._run(receive, send)
        else:
            raise RuntimeError(f"ASGI {scope['type']} is not served here")

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            service = self._service(scope)
            _check_headers(scope["method"], headers)
            fingerprint = self._identify(scope)
            body = await self._body(headers, receive)
        except Refused as refused:
            peer = (scope.get("client") or ("somebody",))[0]
            logger.warning("HTTP %d to %s at %s: %s", refused.status, peer, shown(_path(scope)), refused.text)
            await _send(send, refused.status, refused.text.encode(), (_TEXT, *refused.headers))
            return
        if body is None:
            return  # the peer has gone
        try:
            reply = await self._answer(service, body, fingerprint)
        except Exception:  # a bug of ours must not end the server; the peer may try again (PS 9.1.5)
            logger.exception("HTTP 500 to %s", service)
            await _send(send, HTTPStatus.INTERNAL_SERVER_ERROR, b"", ())
            return
        if reply.payload is None and reply.status != HTTPStatus.OK:
            await _send(send, reply.status, reply.detail.encode(), (_TEXT,))
            return
        data, more = _packed(reply.data, headers.get(b"accept-encoding", ""))
        await _send(send, reply.status, data, (_XML, *more) if reply.data else ())

    def _service(self, scope: Scope) -> ServiceName:
        path = _path(scope)
        if (service := self._services.get(path)) is not None:
            return service
        segments = _segments(path)
        if not segments or segments[:-1] != self._base or segments[-1] not in _SERVICES:
            raise Refused(HTTPStatus.NOT_FOUND, "no OpenADR service")
        return ServiceName(segments[-1])

    async def _body(self, headers: dict[bytes, str], receive: Receive) -> bytes | None:
        announced = headers.get(b"content-length", "")
        if announced.isdecimal() and (len(announced) > _DIGITS or int(announced) > self._limit):
            text = f"{announced[:_DIGITS]} bytes, more than {self._limit}"
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text, _CLOSE)
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._limit:
                raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {self._limit} bytes", _CLOSE)
            if not message.get("more_body", False):
                return b"".join(parts)

    async def _run(self, receive: Receive, send: Send) -> None:
        await receive()
        if self._lifespan is None:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        else:
            async with self._lifespan():
                await send({"type": "lifespan.startup.complete"})
                await receive()
        await send({"type": "lifespan.shutdown.complete"})


_CLOSE: Final = (b"connection", b"close")


def _path(scope: Scope) -> str:
    """The path below the mount point."""
    path, root = str(scope["path"]), str(scope.get("root_path") or "")
    return path.removeprefix(root) if root and path.startswith(root) else path


def _segments(path: str) -> list[str]:
    """The parts of a path; slashes too many do not matter."""
    return [segment for segment in path.split("/") if segment]


def _check_headers(method: str, headers: dict[bytes, str]) -> None:
    if method != "POST":
        raise Refused(HTTPStatus.NOT_IMPLEMENTED, "POST only")  # PS 9.1.5
    media_type = headers.get(b"content-type", "").partition(";")[0].strip().lower()
    if media_type not in MEDIA_TYPES:
        raise Refused(HTTPStatus.NOT_ACCEPTABLE, f"Content-Type {media_type[:60]!r}; application/xml is expected")
    coding = headers.get(b"content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise Refused(HTTPStatus.NOT_ACCEPTABLE, f"Content-Encoding {coding[:60]!r} is not foreseen in requests")


def _packed(data: bytes, accepted: str) -> tuple[bytes, tuple[tuple[bytes, bytes], ...]]:
    """The body as the peer wants it (PS 9.1.9), and the headers that say so."""
    coding = _preferred(accepted) if data and accepted else None
    if coding is None:
        return data, ()
    return _ENCODERS[coding](data), ((b"content-encoding", coding.encode()), (b"vary", b"accept-encoding"))


def _preferred(accepted: str) -> str | None:
    """The coding of ours with the greatest weight in an Accept-Encoding header (RFC 9110, 12.5.3)."""
    weights: dict[str, float] = {}
    for item in accepted.split(","):
        name, _, parameters = item.strip().partition(";")
        try:
            weight = float(parameters.strip().removeprefix("q=") or 1)
        except ValueError:
            weight = 0.0
        weights[name.strip().lower()] = weight
    rest = weights.get("*", 0.0)
    best = max(_ENCODERS, key=lambda coding: weights.get(coding, rest))
    return best if weights.get(best, rest) > 0 else None


async def _send(send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """R53: Content-Length is always there."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": int(status), "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})
