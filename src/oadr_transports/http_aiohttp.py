"""The HTTP pull carrier for programs that have an ``aiohttp.ClientSession``: a request out, a reply back.

It stands alone because nothing else here needs aiohttp (``oadr[aiohttp]``, asyncio only).
"""

from __future__ import annotations

import ssl
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import attrs

from oadr_core import DEFAULT_LIMITS

from .http_alike import HEADERS, Body, retry_after, timed_out, undecodable, unreachable
from .ports import CarrierError, Reply

_CHUNK: Final = 65_536
"""Bytes that are read at once."""


class AiohttpCarrier:
    """Posts messages to the services below a base URL, e.g. ``https://vtn.example/OpenADR2/Simple/2.0b`` (R511).

    ``session`` is one of the caller's, whose timeouts (where they are shorter), proxies, headers and TLS are used, and
    which the caller closes; without one, the carrier has its own, as a context manager. ``tls`` is the context for
    https, in place of that of the session: a fingerprint is checked there, as aiohttp tells nothing of a connection
    when the reply is there.
    """

    def __init__(
        self,
        url: str,
        *,
        tls: ssl.SSLContext | None = None,
        session: aiohttp.ClientSession | None = None,
        most_bytes: int = DEFAULT_LIMITS.bytes,
    ) -> None:
        self._url = url.rstrip("/")
        self._tls = tls
        self._given = session
        self._session = session
        self._most_bytes = most_bytes

    async def __aenter__(self) -> Self:
        if self._given is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._given is None and self._session is not None:
            await self._session.close()

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        """Post a message to a service and return the reply; raises :class:`~.ports.CarrierError` when there is none.

        All of it may take ``timeout_s`` seconds.
        """
        assert self._session is not None, "enter the carrier first"
        options: dict[str, Any] = {} if self._tls is None else {"ssl": self._tls}
        secure = self._url.lower().startswith("https:")
        try:
            async with self._session.post(
                f"{self._url}/{service}",
                data=data,
                headers=HEADERS,
                timeout=_shorter(self._session.timeout, timeout_s),
                allow_redirects=False,
                **options,
            ) as response:
                body = Body(self._most_bytes)
                async for part in response.content.iter_chunked(_CHUNK):
                    body.add(part)
                return Reply(response.status, body.whole(), retry_after(response.headers))
        except TimeoutError:
            raise timed_out(timeout_s) from None
        except CarrierError:
            raise
        except aiohttp.ClientConnectorError as error:
            raise unreachable(_beneath(error), established=False) from None
        except aiohttp.ClientPayloadError as error:
            if isinstance(error.__cause__, aiohttp.http_exceptions.ContentEncodingError):
                raise undecodable(error.__cause__) from None
            raise unreachable(error, established=secure) from None
        except (aiohttp.ClientError, ValueError, OSError) as error:
            raise unreachable(error, established=secure) from None


def _beneath(error: aiohttp.ClientConnectorError) -> Exception:
    """The error of the network beneath what the library makes of it, which names addresses of objects."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return error.certificate_error
    return error.os_error


def _shorter(timeout: aiohttp.ClientTimeout, most_s: float) -> aiohttp.ClientTimeout:
    total = most_s if timeout.total is None else min(timeout.total, most_s)
    return attrs.evolve(timeout, total=total)
