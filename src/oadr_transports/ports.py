"""The ports: what a driver needs of the outside world, and what comes through.

It stands alone because a carrier, a clock or a source of randomness of your own is as good as ours, and needs nothing
else of this package. The store, the fifth port, has a package of its own (:mod:`.stores`). Whoever writes one proves it
with :mod:`oadr_transports.testing`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Protocol, TypeAlias

import attrs

from oadr_core.engine import Failure, Now


@attrs.frozen
class Reply:
    """What came back: a status (HTTP's, 200 for a carrier that has none), the body as it came, unverified, and for how
    many seconds the peer asked to be left alone."""

    status: int
    data: bytes
    retry_after_s: float | None = None


class CarrierError(Exception):
    """There is no reply. ``failure`` says what kind of failure it was, ``detail`` in one line for people why.

    UNREACHABLE: no connection, or it broke. TIMEOUT: no reply in time. UNREADABLE: what came back is no message and
    cannot become one, for instance too long. A reply with a status of failure is a :class:`Reply`, not an error.
    """

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure
        self.detail = detail


class Carrier(Protocol):
    """Carries messages to the one peer that it knows, for a driver that awaits.

    A carrier that is an async context manager is entered when the driver begins and left when it ends.
    """

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        """Deliver ``data`` to a service such as ``"OadrPoll"``, as it is, and return the reply.

        Nothing is sent twice: repeating is the session's business. May be called again while a call is under way, and
        be cancelled at any await; the next call works all the same. After ``timeout_s`` seconds without a reply it
        raises :class:`CarrierError`, as for every other failure; nothing else is raised.
        """
        raise NotImplementedError


class SyncCarrier(Protocol):
    """Carries messages to the one peer that it knows, for a driver with threads.

    A carrier that is a context manager is entered when the driver begins and left when it ends.
    """

    def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        """As :meth:`Carrier.post`, from any thread, and from several at once.

        Nobody can interrupt it, so ``timeout_s`` is what ends it.
        """
        raise NotImplementedError


Clocks: TypeAlias = Callable[[], Now]
"""Reads the two clocks: seconds that never go back, and the time of day, aware, in UTC."""
Entropy: TypeAlias = Callable[[int], bytes]
"""Gives so many unpredictable bytes."""


def clocks() -> Now:
    """The two clocks of this machine."""
    return Now(time.monotonic(), datetime.now(UTC))


entropy: Final[Entropy] = secrets.token_bytes
"""The randomness of this machine."""
