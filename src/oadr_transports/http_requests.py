"""The HTTP pull carrier for threads: a request out, a reply back (profile section 9.1), with ``requests``.

It stands alone so that a program without an event loop needs none. It decides nothing: what a status or a silence
means is for the session.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self

import requests
import urllib3
from requests.adapters import HTTPAdapter

from oadr_core import DEFAULT_LIMITS

from .http_alike import HEADERS, Body, check_fingerprint, retry_after, timed_out, undecodable, unreachable
from .ports import Reply

_CHUNK: Final = 65_536
"""Bytes that are read at once."""
_TIMEOUTS: Final = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
_UNDECODABLE: Final = (requests.exceptions.ContentDecodingError, urllib3.exceptions.DecodeError)
_FAILURES: Final = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)


class TlsAdapter(HTTPAdapter):
    """Makes connections with one TLS context and with nothing else: no other authorities, no other rules."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave all to the context: the base class would load other authorities into it."""

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        """What tells connections apart: the host, and the context."""
        host, _ = super().build_connection_pool_key_attributes(request, True, None)
        # Where the context does not compare the host's name, nobody shall.
        assert_hostname = None if self._context.check_hostname else False
        return host, {"ssl_context": self._context, "assert_hostname": assert_hostname}


class RequestsCarrier:
    """Posts messages to the services below a base URL, e.g. ``https://vtn.example/OpenADR2/Simple/2.0b`` (R511).

    ``tls`` is the context for https. The connection is kept between requests. Use it as a context manager.

    ``session`` is one of the caller's, whose adapters, proxies, headers and TLS are used, and which the caller closes.
    ``fingerprints``: a reply from a server whose certificate has none of these does not count; for a session of our own
    that is the business of ``tls``.
    """

    def __init__(
        self,
        url: str,
        *,
        tls: ssl.SSLContext | None = None,
        session: requests.Session | None = None,
        fingerprints: Sequence[str] = (),
        most_bytes: int = DEFAULT_LIMITS.bytes,
    ) -> None:
        self._url = url.rstrip("/")
        self._tls = tls
        self._given = session
        self._session = session
        self._fingerprints = tuple(fingerprints)
        self._most_bytes = most_bytes

    def __enter__(self) -> Self:
        if self._given is None:
            self._session = requests.Session()
            if self._tls is not None:
                self._session.mount("https://", TlsAdapter(self._tls))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._given is None and self._session is not None:
            self._session.close()
            self._session = None  # a closed one would open itself again

    def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        """Post a message to a service and return the reply; raises :class:`~.ports.CarrierError` when there is none.

        All of it may take ``timeout_s`` seconds, and a pause in the reply once more so many.
        """
        assert self._session is not None, "enter the carrier first"
        deadline = monotonic() + timeout_s
        connected = False
        try:
            with self._session.post(
                f"{self._url}/{service}",
                data=data,
                headers=HEADERS,
                timeout=timeout_s,
                stream=True,
                allow_redirects=False,
            ) as response:
                connected = True
                check_fingerprint(_connection(response), self._fingerprints)
                body = Body(self._most_bytes)
                for part in _parts(response):
                    if monotonic() > deadline:
                        raise timed_out(timeout_s)
                    body.add(part)
                return Reply(response.status_code, body.whole(), retry_after(response.headers))
        except _TIMEOUTS:
            raise timed_out(timeout_s) from None
        except _UNDECODABLE as error:
            raise undecodable(error) from None
        except _FAILURES as error:
            if isinstance(_first(error), TimeoutError):
                raise timed_out(timeout_s) from None
            secure = self._url.lower().startswith("https:")
            raise unreachable(_first(error), established=secure and (connected or _broke(error))) from None


def _parts(response: requests.Response) -> Iterator[bytes]:
    """The body as it comes: ``iter_content`` would wait until a whole chunk is there, however slowly it drips."""
    while part := response.raw.read1(_CHUNK, decode_content=True):
        yield part


def _connection(response: requests.Response) -> Any:
    """The TLS connection of a response, ``None`` for plain HTTP."""
    sock = getattr(getattr(response.raw, "connection", None), "sock", None)
    return sock if isinstance(sock, ssl.SSLSocket) else None


def _first(error: Exception) -> Exception:
    """The error of the network beneath what the library makes of it, which names addresses of objects."""
    seen: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in seen:
        seen.append(following)
        inner = (*following.args, getattr(following, "reason", None))
        following = next((each for each in inner if isinstance(each, Exception)), None) or following.__context__
    systems = [each for each in seen if isinstance(each, OSError) and not isinstance(each, requests.RequestException)]
    found = systems[-1] if systems else seen[-1]
    return found if isinstance(found, Exception) else error


def _broke(error: Exception) -> bool:
    """True when a connection broke that had been made."""
    return isinstance(_first(error), (ConnectionResetError, BrokenPipeError)) or "aborted" in str(error).lower()

