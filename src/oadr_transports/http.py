"""The HTTP pull carrier: a request out, a reply back (profile section 9.1).

It stands alone so that a driver can have another carrier. It decides nothing: what a status or a silence means is
for the session.
"""

from __future__ import annotations

import ssl
from types import TracebackType
from typing import Any, Final, Self

import attrs
import httpx2

from oadr_core import DEFAULT_LIMITS
from oadr_core.engine import Failure

from .tls import explain

CONTENT_TYPE: Final = "application/xml"
_AFTER_CONNECTING: Final = (httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError)


@attrs.frozen
class Reply:
    """What came back: HTTP status, body, and how long the peer asked to be left alone."""

    status: int
    data: bytes
    retry_after_s: float | None = None


class CarrierError(Exception):
    """No reply; ``failure`` and the text say why."""

    def __init__(self, failure: Failure, detail: str) -> None:
        self.failure = failure
        super().__init__(detail)


class HttpCarrier:
    """Posts messages to the services below a base URL, e.g. ``https://vtn.example/OpenADR2/Simple/2.0b`` (R511).

    ``tls`` is the context for https. The connection is kept between requests. Use it as an async context manager.
    """

    def __init__(self, url: str, *, tls: ssl.SSLContext | None = None, most_bytes: int = DEFAULT_LIMITS.bytes) -> None:
        self._url = url.rstrip("/")
        self._tls = tls
        self._most_bytes = most_bytes
        self._client: Any = None

    async def __aenter__(self) -> Self:
        # The TLS context is loaded once; without one httpx2 would load the trust store even for plain http.
        verify = self._tls if self._tls is not None else httpx2.URL(self._url).scheme != "http"
        self._client = httpx2.AsyncClient(
            verify=verify, headers={"Content-Type": CONTENT_TYPE, "Accept": CONTENT_TYPE}, timeout=None
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        """Post a message to a service and return the reply; raises :class:`CarrierError` when there is none.

        Connecting and each pause in the reply may take ``timeout_s`` seconds; the session bounds the whole.
        """
        try:
            async with self._client.stream(
                "POST", f"{self._url}/{service}", content=data, timeout=timeout_s
            ) as response:
                return Reply(response.status_code, await self._read(response), _retry_after(response))
        except httpx2.TimeoutException:
            raise CarrierError(Failure.TIMEOUT, f"timed out: no reply within {timeout_s:g} s") from None
        except httpx2.DecodingError as error:
            raise CarrierError(Failure.UNREADABLE, f"the reply cannot be decompressed: {error}") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            established = self._tls is not None and isinstance(error, _AFTER_CONNECTING)
            text = f"no connection: {explain(error, established=established)}"
            raise CarrierError(Failure.UNREACHABLE, text) from None

    async def _read(self, response: Any) -> bytes:
        """The body, up to the limit: a peer must not fill the memory."""
        parts, size = [], 0
        async for part in response.aiter_bytes():
            size += len(part)
            if size > self._most_bytes:
                raise CarrierError(Failure.UNREADABLE, f"the reply has more than {self._most_bytes} bytes")
            parts.append(part)
        return b"".join(parts)


def _retry_after(response: Any) -> float | None:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
