"""What touches the network: look a name up, connect, shake hands, ask once.

It stands alone so that all waiting is in one place, and bounded. Each function does one thing that a client does as
part of something larger, and lets its errors through as they are; what they mean is for :mod:`.judge`. All that comes
back is unauthenticated.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any, Final

import attrs
import h11

from oadr_core import DEFAULT_LIMITS

from ..http import CONTENT_TYPE
from ..tls import client_context

VERDICT_S: Final = 1.0
"""In TLS 1.3 the handshake is over for us before the server has seen our certificate. Its refusal comes a round trip
later, and is lost when we have sent something by then."""
_HEADERS: Final = 100 * 1024
"""Bytes of status line and headers that the client of this library takes."""
_CHUNK: Final = 65_536
_ODDEST: Final = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
"""Every suite of OpenSSL, the broken ones too: to find out what an old server would take, and for nothing else."""


@attrs.frozen(kw_only=True)
class Seen:
    """What a handshake has brought to light, also one that failed: ``error`` then says how.

    ``chain`` are the certificates that the server has shown, in DER; the first is its own.
    """

    version: str = ""
    suite: str = ""
    chain: tuple[bytes, ...] = ()
    error: OSError | None = None


@attrs.frozen(kw_only=True)
class Answer:
    """An HTTP answer, with when the request was sent and the answer came; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    sent: datetime
    received: datetime


class Unanswered(Exception):
    """The connection was closed, or broke, before an answer came; ``error`` is what broke it, if anything."""

    def __init__(self, error: OSError | None = None) -> None:
        self.error = error
        super().__init__(str(error or "") or "no reason given")


class Garbled(Exception):
    """What came is not HTTP, or is, and stops in the middle (``cut``); ``data`` are the first bytes."""

    def __init__(self, said: str, data: bytes, *, cut: bool = False) -> None:
        self.data = data
        self.cut = cut and data.startswith(b"HTTP/")
        super().__init__(said)


class TooLarge(Exception):
    """The body is larger than the client would read."""


def look_up(host: str, port: int, timeout_s: float) -> list[Any]:
    """The addresses of a host, as :func:`socket.getaddrinfo` gives them.

    Raises ``OSError``, ``TimeoutError`` and, for a name that cannot be one, ``UnicodeError``.
    """
    outcome: list[Any] = []

    def ask() -> None:
        try:
            outcome.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            outcome.append(error)

    thread = threading.Thread(target=ask, daemon=True)  # it cannot be interrupted, but it can be left alone
    thread.start()
    thread.join(timeout_s)
    if not outcome:
        raise TimeoutError(f"no answer within {timeout_s:g} s")
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return list(outcome[0])


def connect(addresses: Sequence[Any], timeout_s: float) -> socket.socket:
    """A connection to the first address that takes one. Raises the ``OSError`` of the last."""
    until = time.monotonic() + timeout_s
    last: OSError | None = None
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        share = (until - time.monotonic()) / (len(addresses) - number)
        sock = None
        try:
            sock = socket.socket(family, kind, protocol)
            sock.settimeout(max(share, 0.01))
            sock.connect(address)
            sock.settimeout(timeout_s)
        except OSError as error:
            last = error
            if sock is not None:
                sock.close()
        else:
            return sock
    raise last or OSError("there is no address")


def shake_hands(
    raw: socket.socket, context: ssl.SSLContext, host: str, timeout_s: float
) -> tuple[ssl.SSLSocket | None, Seen]:
    """Begin TLS on a connection. Where it fails, ``Seen.error`` says why, and the socket is no use any more."""
    raw.settimeout(timeout_s)
    try:
        sock = context.wrap_socket(raw, server_hostname=host, do_handshake_on_connect=False)
    except OSError as caught:  # the server has gone already
        return None, Seen(error=caught)
    error: OSError | None = None
    try:
        sock.do_handshake()
    except OSError as caught:
        error = caught
    suite = sock.cipher()
    seen = Seen(version=_version(sock, suite), suite=suite[0] if suite else "", chain=_chain(sock), error=error)
    return sock, seen


def verdict(sock: ssl.SSLSocket, timeout_s: float) -> OSError | None:
    """What the server says of our certificate after a TLS 1.3 handshake: ``None`` if it says nothing bad in time.

    A session ticket means that it was accepted; an alert, or the end of the connection, that it was not.
    """
    if sock.version() != "TLSv1.3":
        return None
    until = time.monotonic() + min(VERDICT_S, timeout_s)
    sock.setblocking(False)
    try:
        with selectors.DefaultSelector() as waiting:
            waiting.register(sock, selectors.EVENT_READ)
            while not _has_ticket(sock) and (left := until - time.monotonic()) > 0 and waiting.select(left):
                try:
                    return None if sock.recv(1) else ssl.SSLZeroReturnError(6, "closed by the server")
                except ssl.SSLWantReadError:  # a ticket, or a part of one
                    continue
    except OSError as error:
        return error
    finally:
        sock.settimeout(timeout_s)
    return None


def look(addresses: Sequence[Any], host: str, timeout_s: float, *, anything: bool = False) -> Seen:
    """Shake hands without believing anything, and hang up: what does the server show to everybody?

    ``anything`` takes versions and suites that no client of ours would. Raises the ``OSError`` of the connection.
    """
    context = client_context(check_hostname=False)
    context.verify_mode = ssl.CERT_NONE
    if anything:
        import warnings

        with warnings.catch_warnings():  # Python warns of old versions, and this is about old versions
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
        context.set_ciphers(_ODDEST)
    with connect(addresses, timeout_s) as raw:
        sock, seen = shake_hands(raw, context, host, timeout_s)
        with sock or nullcontext():
            return seen


def refuses_strangers(addresses: Sequence[Any], host: str, context: ssl.SSLContext, timeout_s: float) -> bool:
    """Whether a client without certificate is sent away: then the server has asked for one. ``context`` has none."""
    with connect(addresses, timeout_s) as raw:
        sock, seen = shake_hands(raw, context, host, timeout_s)
        with sock or nullcontext():
            return sock is None or seen.error is not None or verdict(sock, timeout_s) is not None


def speaks_http(addresses: Sequence[Any], host: str, timeout_s: float) -> bool:
    """Whether a server answers plain HTTP."""
    try:
        with connect(addresses, timeout_s) as sock:
            sock.settimeout(timeout_s)
            sock.sendall(f"OPTIONS * HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("ascii", "replace"))
            return sock.recv(5) == b"HTTP/"
    except OSError:
        return False


def post(sock: socket.socket, host: str, target: str, data: bytes, timeout_s: float) -> Answer:
    """Post a message on a connection and read the answer, all within ``timeout_s``.

    Raises ``TimeoutError``, :class:`Unanswered`, :class:`Garbled` and :class:`TooLarge`.
    """
    until = time.monotonic() + timeout_s
    wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEADERS)
    headers = {"Host": host, "Content-Type": CONTENT_TYPE, "Accept": CONTENT_TYPE, "User-Agent": "oadr-doctor"}
    headers |= {"Accept-Encoding": "gzip, deflate", "Content-Length": str(len(data)), "Connection": "close"}
    request = h11.Request(method="POST", target=target, headers=list(headers.items()))
    first, ended = b"", False
    sent = datetime.now(UTC)
    broken: OSError | None = None
    try:
        sock.sendall((wire.send(request) or b"") + (wire.send(h11.Data(data=data)) or b""))
        wire.send(h11.EndOfMessage())
    except TimeoutError:
        raise
    except OSError as error:
        broken = error  # the server may have said why before it hung up
    response: h11.Response | None = None
    received = sent
    parts: list[bytes] = []
    size = 0
    while True:
        try:
            event = wire.next_event()
            if event is h11.NEED_DATA:
                chunk = _receive(sock, until, broken, begun=bool(first))
                first, ended = first or chunk[:300], not chunk
                wire.receive_data(chunk)
            elif isinstance(event, h11.Response):
                response, received = event, datetime.now(UTC)
            elif isinstance(event, h11.Data):
                size += len(event.data)
                parts.append(bytes(event.data))
                if size > DEFAULT_LIMITS.bytes:
                    raise TooLarge
            elif isinstance(event, h11.EndOfMessage) and response is not None:
                break
            elif not isinstance(event, h11.InformationalResponse) or event.status_code == 101:
                raise Garbled("another protocol goes on", first)
        except TimeoutError:
            if first:
                raise Garbled(f"it has no end within {timeout_s:g} s", first, cut=True) from None
            raise
        except h11.RemoteProtocolError as error:
            if not first:
                raise Unanswered(broken) from None
            raise Garbled(str(error), first, cut=ended) from None
    fields = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    body = _unpacked(b"".join(parts), fields.get("content-encoding", ""))
    return Answer(status=response.status_code, headers=fields, body=body, sent=sent, received=received)


def _receive(sock: socket.socket, until: float, broken: OSError | None, *, begun: bool) -> bytes:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    sock.settimeout(left)
    try:
        return sock.recv(_CHUNK)
    except TimeoutError:
        raise
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        return b""
    except OSError as error:
        if begun:
            return b""
        # What a read says is better than what a write said, unless it only says that all is over.
        raise Unanswered(broken if broken is not None and isinstance(error, ConnectionError) else error) from None


def _unpacked(body: bytes, coding: str) -> bytes:
    """The body without compression; what cannot be unpacked is left as it is, and fails as XML."""
    if coding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    try:
        unpacker = zlib.decompressobj(wbits=47)  # either format, by its header
        plain = unpacker.decompress(body, DEFAULT_LIMITS.bytes + 1)
    except zlib.error:
        return body
    if len(plain) > DEFAULT_LIMITS.bytes:
        raise TooLarge
    return plain


def _version(sock: ssl.SSLSocket, suite: tuple[str, str, int] | None) -> str:
    """The version of TLS. Before the end of a handshake only the suite tells it, and only that of TLS 1.3."""
    return sock.version() or (suite[1] if suite and suite[1] == "TLSv1.3" else "")


def _chain(sock: ssl.SSLSocket) -> tuple[bytes, ...]:
    """The certificates that the server has shown, believed or not.

    Python has a public way since 3.13 only; below, it is the one inside, in versions that do not change any more.
    """
    inside: Any = sock._sslobj  # type: ignore[attr-defined]  # see above
    if inside is None:
        return ()
    if hasattr(sock, "get_unverified_chain"):
        return tuple(sock.get_unverified_chain())
    shown = inside.get_unverified_chain() or ()
    return tuple(ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in shown)


def _has_ticket(sock: ssl.SSLSocket) -> bool:
    try:
        session = sock.session
    except ValueError:  # there is none yet
        return False
    return session is not None and session.has_ticket
