"""What all carriers over HTTP do alike: headers, limits, and words for what went wrong (profile section 9.1).

It stands alone so that a VTN, and the log, see no difference between the libraries that carry our messages.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import Final

from oadr_core.engine import Failure

from .ports import CarrierError
from .tls import check_pin, explain

CONTENT_TYPE: Final = "application/xml"
HEADERS: Final[Mapping[str, str]] = {"Content-Type": CONTENT_TYPE, "Accept": CONTENT_TYPE}
_DIGITS: Final = 5
"""Of seconds: a day. Who wants to be left alone for longer is asked all the same."""


class Body:
    """Collects a reply, up to ``most`` bytes: a peer must not fill the memory."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._parts: list[bytes] = []

    def add(self, part: bytes) -> None:
        """Take a part. Raises :class:`~.ports.CarrierError` when it is too much."""
        self._size += len(part)
        if self._size > self._most:
            raise CarrierError(Failure.UNREADABLE, f"the reply has more than {self._most} bytes")
        self._parts.append(part)

    def whole(self) -> bytes:
        """All parts together."""
        return b"".join(self._parts)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of a Retry-After header; a date is not read."""
    text = headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None


def timed_out(timeout_s: float) -> CarrierError:
    """No reply in time."""
    return CarrierError(Failure.TIMEOUT, f"timed out: no reply within {timeout_s:g} s")


def undecodable(error: Exception) -> CarrierError:
    """A reply with a Content-Encoding that it does not have."""
    return CarrierError(Failure.UNREADABLE, _line(f"the reply cannot be decompressed: {error}"))


def unreachable(error: Exception, *, established: bool) -> CarrierError:
    """No connection, or one that broke; ``established``: it was a TLS connection that had been made."""
    return CarrierError(Failure.UNREACHABLE, _line(f"no connection: {explain(error, established=established)}"))


def _line(text: str) -> str:
    """One line: some libraries explain in several, and show what the peer has sent."""
    return " ".join(text.split())


def check_fingerprint(connection: ssl.SSLObject | ssl.SSLSocket | None, trusted: Sequence[str]) -> None:
    """Look whether the peer of a connection that somebody else has made is the right one; any is without ``trusted``.

    Raises :class:`~.ports.CarrierError`.
    """
    if trusted:
        try:
            check_pin(connection.getpeercert(binary_form=True) if connection is not None else None, trusted)
        except ssl.SSLError as error:
            raise unreachable(error, established=True) from None
