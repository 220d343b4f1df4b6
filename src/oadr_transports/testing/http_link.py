"""A real HTTP server for carriers that speak HTTP: the kit's own link, which can also play tricks with the bytes.

It stands alone because everything here is HTTP's: keep-alive, lengths, codings, and what happens when they lie. It is
made of the standard library, so that it shares no code, and no error, with the carriers that it proves.
"""

from __future__ import annotations

import gzip
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import attrs

from ..ports import Reply
from .links import AnyCarrier, Managed
from .peer import Answer, BrokenOff, Gate, Peer
from .results import KIT_THREAD

BASE_PATH: Final = "/OpenADR2/Simple/2.0b"
_RESET: Final = struct.pack("ii", 1, 0)
"""Linger for no second: closing sends a reset instead of an orderly end."""


@attrs.frozen
class HttpLinks:
    """Makes links to carriers that post over HTTP; see :func:`over_http`."""

    make: Callable[[str], AnyCarrier | Managed]

    def __call__(self) -> HttpLink:
        return HttpLink(self.make)


def over_http(make: Callable[[str], AnyCarrier | Managed]) -> HttpLinks:
    """For :func:`~oadr_transports.testing.check_carrier`: links to carriers that post over HTTP.

    ``make`` is called with the base URL of the services, e.g. ``http://127.0.0.1:40000/OpenADR2/Simple/2.0b``, and
    returns a carrier or a context manager of one; often it is the class itself.
    """
    return HttpLinks(make)


class HttpLink:
    """An address on this machine, which is ours as long as the link lasts, and a server that listens there."""

    def __init__(self, make: Callable[[str], AnyCarrier | Managed]) -> None:
        self._make = make
        self._server = _bound(0)
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> HttpLink:
        return self

    def __exit__(self, *error: object) -> None:
        self._server.server_close()

    @property
    def url(self) -> str:
        """What a carrier is told."""
        return f"http://127.0.0.1:{self.port}{BASE_PATH}"

    def carrier(self) -> AnyCarrier | Managed:
        """A new carrier."""
        return self._make(self.url)

    @contextmanager
    def listen(self, peer: Peer) -> Iterator[None]:
        """Serve while the block lasts."""
        server = self._server
        server.peer = peer
        server.server_activate()
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), name=KIT_THREAD, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
            server.drop_all()
            self._server = _bound(self.port)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128
    peer: Peer

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, _Handler, bind_and_activate=False)
        self._connections: set[socket.socket] = set()
        self._turn = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Each connection in a thread, by the kit's name."""
        with self._turn:
            self._connections.add(request)
        threading.Thread(
            target=self.process_request_thread, args=(request, client_address), name=KIT_THREAD, daemon=True
        ).start()

    def shutdown_request(self, request: Any) -> None:
        """A connection is over."""
        with self._turn:
            self._connections.discard(request)
        super().shutdown_request(request)

    def drop_all(self) -> None:
        """End what is still open; the threads see it."""
        with self._turn:
            for each in self._connections:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that ends is no error here."""


def _bound(port: int) -> _Server:
    server = _Server(("127.0.0.1", port))
    server.server_bind()
    return server


class _Handler(BaseHTTPRequestHandler):
    """One connection, kept as HTTP/1.1 keeps it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        """A message."""
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answered(data)

    do_GET = do_PUT = do_POST  # a carrier that follows a redirect is found out by what arrives

    def _answered(self, data: bytes) -> None:
        peer = self.server.peer
        about = {"method": self.command, "path": self.path}
        about.update((name.lower(), value) for name, value in self.headers.items())
        answer = peer.take(self.path.removeprefix(f"{BASE_PATH}/"), data, about)
        if answer.after is not None:
            answer.after.wait()
        if isinstance(answer.wire, (Trick, Abandoned)):
            answer.wire.play(self)
            return
        try:
            self._reply(answer.outcome())
        except BrokenOff as broken:
            if broken.reply is not None:
                self._head(broken.reply, len(broken.reply.data))
                self.wfile.write(broken.reply.data[: len(broken.reply.data) // 2])
                self.wfile.flush()
                self.hang_up(reset=False)
            else:
                self.hang_up(reset=True)

    def _reply(self, reply: Reply) -> None:
        body = reply.data if reply.status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED) else b""
        self._head(reply, len(body))
        self.wfile.write(body)

    def _head(self, reply: Reply, length: int) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/xml")
        if reply.status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(length))
        if reply.retry_after_s is not None:
            self.send_header("Retry-After", f"{reply.retry_after_s:.0f}")
        self.end_headers()

    def hang_up(self, *, reset: bool) -> None:
        """End the connection: in order, or with a reset."""
        self.close_connection = True
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.connection.close()
        else:
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it
        """Keep quiet: the peer keeps what arrives."""


class Trick:
    """What only the one who writes the bytes can do. ``head`` are status line and headers without the empty line;
    then come the ``parts``, as long as somebody reads, with ``pause`` to wait between them; then the connection ends.
    """

    def __init__(
        self, head: str, parts: Callable[[], Iterator[bytes]], *, pause: threading.Event | None = None
    ) -> None:
        self._head = head
        self._parts = parts
        self._pause = pause

    def play(self, handler: _Handler) -> None:
        """Write it."""
        with suppress(OSError):  # the carrier has hung up, as it should
            handler.wfile.write(self._head.replace("\n", "\r\n").encode() + b"\r\n\r\n" if self._head else b"")
            for part in self._parts():
                handler.wfile.write(part)
                handler.wfile.flush()
                if self._pause is not None and self._pause.wait(DRIP_S):
                    break
            handler.hang_up(reset=False)


class Abandoned:
    """No answer, but a look whether the carrier hangs up: then ``gate`` opens."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def play(self, handler: _Handler) -> None:
        """Wait for it."""
        handler.close_connection = True
        with suppress(OSError):  # a reset is an end too
            handler.connection.recv(1)
        self.gate.open()


DRIP_S: Final = 0.05
"""Between the bytes of a reply that drips."""


def answer(head: str, *parts: bytes) -> Answer:
    """An answer with these bytes on the wire."""
    return Answer(wire=Trick(head, lambda: iter(parts)))


def zipped(size: int) -> bytes:
    """So many zeros, packed."""
    return gzip.compress(bytes(size), 6, mtime=0)
