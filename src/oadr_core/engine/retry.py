"""When to try again, and when not: the failures of an exchange and the back-off between attempts.

It stands alone so that every carrier gets the same answer (profile sections 9.1.4 to 9.1.7).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import attrs

from .chance import spread

FIRST_DELAY_S: Final = 1.0
"""About one second before the first repetition (PS 9.1.7)."""
BACK_OFF_SHARE: Final = 0.1
"""Delays are spread by 10 % each way, so that a thousand clients do not return at once (PS 9.1.7)."""
LATER: Final = frozenset({408, 429, 502, 503, 504})
"""What says nothing about the message: the same one may be taken later."""
_DOUBLINGS: Final = 30
"""No delay doubles more often; it is truncated long before."""


class Failure(StrEnum):
    """Why an exchange brought no usable reply."""

    UNREACHABLE = "unreachable"
    """No connection."""
    TIMEOUT = "timeout"
    """No reply in time."""
    OVERLOADED = "overloaded"
    """The peer asks for quiet (HTTP 503, 429), was too slow (408), or a gateway does not find it (502, 504)."""
    REFUSED = "refused"
    """The peer will not take this message (HTTP 4xx)."""
    BROKEN = "broken"
    """The peer failed (HTTP 5xx)."""
    UNREADABLE = "unreadable"
    """The reply is no OpenADR message."""
    UNEXPECTED = "unexpected"
    """The reply is an OpenADR message of another kind."""


@attrs.frozen
class Policy:
    """What follows a failure: ``whole`` holds back every message (the peer is away), not just this one; ``attempts``
    bounds how often this message is tried (``None``: for ever)."""

    whole: bool
    attempts: int | None


POLICIES: Final[dict[Failure, Policy]] = {
    Failure.UNREACHABLE: Policy(True, None),
    Failure.TIMEOUT: Policy(True, None),
    Failure.OVERLOADED: Policy(True, None),
    Failure.REFUSED: Policy(False, 1),  # PS 9.1.5: do not resend unchanged
    Failure.BROKEN: Policy(False, 8),
    Failure.UNREADABLE: Policy(False, 8),
    Failure.UNEXPECTED: Policy(False, 8),
}


def back_off(attempt: int, longest_s: float, key: bytes, *labels: object) -> float:
    """Seconds to wait after the ``attempt``-th failure (from 1): 1, 2, 4 … up to ``longest_s``, each ± 10 %."""
    delay = min(FIRST_DELAY_S * 2 ** min(attempt - 1, _DOUBLINGS), max(longest_s, FIRST_DELAY_S))
    return float(delay * spread(key, BACK_OFF_SHARE, *labels, attempt))


def failure_of_status(status: int) -> Failure | None:
    """What an HTTP status means for the exchange (PS 9.1.5); ``None`` for success."""
    if 200 <= status < 300:
        return None
    if status in LATER:
        return Failure.OVERLOADED
    return Failure.REFUSED if status < 500 else Failure.BROKEN
