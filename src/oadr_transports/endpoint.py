"""The VEN's own door, for a VTN that pushes: the ASGI application, and a server for it.

It stands alone because a VEN that polls has none. What HTTP says is in :mod:`.asgi`, what a message means in the
session; here is only who may come in: the VTN, by its certificate.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Final

from oadr_core import DEFAULT_LIMITS, LocalError
from oadr_core.engine import Input, Output, RequestArrived, SendReply
from oadr_core.security import fingerprint
from oadr_core.security.fingerprints import matches

from .asgi import Refused, Scope, VtnApp
from .log import logger
from .peers import certificate_of

PLAIN: Final = "INSECURE: this VEN is pushed to over plain HTTP, and whoever reaches it can say to be the VTN"


class Endpoint:
    """The services of one VEN.

    ``call`` hands an input to the session and comes back with the outputs; ``trusted`` are the fingerprints of the
    VTN's certificates in normal form, none: whoever has a certificate of the right authorities.
    """

    def __init__(
        self, call: Callable[[Input], Awaitable[tuple[Output, ...]]], trusted: tuple[str, ...]
    ) -> None:
        self._call = call
        self._trusted = trusted
        self._exchange = 0
        self.app = VtnApp(self._answer, identify=self._identify, limit=DEFAULT_LIMITS.bytes)

    def _identify(self, scope: Scope) -> str | None:
        der = certificate_of(scope)
        seen = None if der is None else fingerprint(der)
        if self._trusted and (der is None or not any(matches(each, der) for each in self._trusted)):
            raise Refused(HTTPStatus.FORBIDDEN, f"the certificate {seen or 'is missing: it'} is not the VTN's")
        return seen

    async def _answer(self, service: str, data: bytes, fingerprint: str | None) -> SendReply:
        self._exchange += 1
        request = RequestArrived(exchange=self._exchange, service=service, data=data, fingerprint=fingerprint)
        try:
            outputs = await self._call(request)
        except LocalError as error:  # not running
            return SendReply(exchange=self._exchange, status=HTTPStatus.SERVICE_UNAVAILABLE, detail=str(error))
        [reply] = [output for output in outputs if isinstance(output, SendReply)]
        return reply

    @contextlib.asynccontextmanager
    async def listening(self, at: tuple[str, int] | None, tls: ssl.SSLContext | None) -> AsyncIterator[int | None]:
        """Serve the application while the block lasts, if there is a host and a port to do so; the port comes back.

        Raises ``OSError`` when the address is taken.
        """
        if at is None:
            yield None
            return
        from .server import serve

        host, port = at
        async with serve(self.app, host=host, port=port, tls=tls) as server:
            logger.info("this VEN listens at %s", server.url)
            if tls is None:
                logger.warning(PLAIN)
            yield server.port
