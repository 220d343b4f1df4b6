"""The HTTP pull carrier for asyncio and trio: a request out, a reply back (profile section 9.1), with ``httpx2``.

It stands alone so that a driver can have another carrier. It decides nothing: what a status or a silence means is
for the session.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

import anyio
import httpx2

from oadr_core import DEFAULT_LIMITS

from .http_alike import CONTENT_TYPE, HEADERS, Body, check_fingerprint, retry_after, timed_out, undecodable, unreachable
from .ports import CarrierError, Reply

__all__ = ["CONTENT_TYPE", "HttpCarrier"]

_AFTER_CONNECTING: Final = (httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError)


class HttpCarrier:
    """Posts messages to the services below a base URL, e.g. ``https://vtn.example/OpenADR2/Simple/2.0b`` (R511).

    ``tls`` is the context for https. The connection is kept between requests. Use it as an async context manager.

    ``client`` is one of the caller's, whose timeouts (where they are shorter than those of the session), proxies,
    headers and TLS are used, and which the caller closes. ``fingerprints``: a reply from a server whose certificate has
    none of these does not count; for a client of our own that is the business of ``tls``.
    """

    def __init__(
        self,
        url: str,
        *,
        tls: ssl.SSLContext | None = None,
        client: httpx2.AsyncClient | None = None,
        fingerprints: Sequence[str] = (),
        most_bytes: int = DEFAULT_LIMITS.bytes,
    ) -> None:
        self._url = url.rstrip("/")
        self._tls = tls
        self._given = client
        self._client = client
        self._fingerprints = tuple(fingerprints)
        self._most_bytes = most_bytes

    async def __aenter__(self) -> Self:
        if self._given is None:
            # The TLS context is loaded once; without one httpx2 would load the trust store even for plain http.
            verify = self._tls if self._tls is not None else httpx2.URL(self._url).scheme != "http"
            self._client = httpx2.AsyncClient(verify=verify, timeout=None)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._given is None and self._client is not None:
            await self._client.aclose()

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        """Post a message to a service and return the reply; raises :class:`~.ports.CarrierError` when there is none.

        All of it may take ``timeout_s`` seconds.
        """
        try:
            with anyio.fail_after(timeout_s):
                return await self._post(service, data, timeout_s)
        except (httpx2.TimeoutException, TimeoutError):
            raise timed_out(timeout_s) from None
        except httpx2.DecodingError as error:
            raise undecodable(error) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            secure = self._tls is not None or self._given is not None
            raise unreachable(error, established=secure and isinstance(error, _AFTER_CONNECTING)) from None

    async def _post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        assert self._client is not None, "enter the carrier first"
        timeout = _shorter(self._client.timeout, timeout_s)
        async with self._client.stream(
            "POST", f"{self._url}/{service}", content=data, headers=HEADERS, timeout=timeout, follow_redirects=False
        ) as response:
            check_fingerprint(_connection(response), self._fingerprints)
            body = Body(self._most_bytes)
            too_long: CarrierError | None = None
            with anyio.CancelScope() as enough:
                async for part in response.aiter_bytes():
                    try:
                        body.add(part)
                    except CarrierError as error:
                        too_long = error
                        enough.cancel()  # so that the library's generators end too: trio warns of what is left open
            if too_long is not None:
                raise too_long
            return Reply(response.status_code, body.whole(), retry_after(response.headers))


def _shorter(timeout: httpx2.Timeout, most_s: float) -> httpx2.Timeout:
    parts = {name: most_s if part is None else min(part, most_s) for name, part in timeout.as_dict().items()}
    return httpx2.Timeout(**parts)


def _connection(response: httpx2.Response) -> Any:
    """The TLS connection of a response, ``None`` for plain HTTP."""
    stream = response.extensions.get("network_stream")
    return None if stream is None else stream.get_extra_info("ssl_object")
