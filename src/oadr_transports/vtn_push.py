"""The carrier of pushed messages: a request to the address of a VEN, and its reply.

It stands alone because each VEN is a server of its own, with its own certificate; the rest is the client's carrier.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import urlsplit

from oadr_core import LocalError
from oadr_core.engine import ExchangeFailed, Failure, ReplyArrived, SendRequest

from .ports import CarrierError
from .vtn_pump import Push

CONTEXTS = 256
"""TLS contexts that are kept, each some 100 KB; one is made again in some milliseconds."""


def pushing(context_for: Callable[[str | None], ssl.SSLContext]) -> Push:
    """A carrier; ``context_for`` makes the TLS context for a VEN with this fingerprint (``None``: not known).

    Each message has a connection of its own: between two messages to one VEN there are usually hours.
    """
    context = lru_cache(maxsize=CONTEXTS)(context_for)

    async def push(request: SendRequest) -> ReplyArrived | ExchangeFailed:
        from .http import HttpCarrier  # a VTN whose VENs poll needs no HTTP client

        number = request.exchange
        try:
            tls = context(request.fingerprint) if urlsplit(request.url).scheme == "https" else None
            async with HttpCarrier(request.url.removesuffix(f"/{request.service}"), tls=tls) as carrier:
                reply = await carrier.post(request.service, request.data, request.timeout_s)
        except CarrierError as error:
            return ExchangeFailed(exchange=number, failure=error.failure, detail=str(error))
        except LocalError as error:  # our own certificate, for instance
            return ExchangeFailed(exchange=number, failure=Failure.UNREACHABLE, detail=str(error))
        return ReplyArrived(exchange=number, data=reply.data, status=reply.status, retry_after_s=reply.retry_after_s)

    return push
