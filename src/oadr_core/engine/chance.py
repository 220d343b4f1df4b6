"""Everything that looks random: identifiers, jitter, the randomised start of an event.

It stands alone because the core draws no entropy. All of it is derived from a key that the adapter gives once, the
number of the step, and a label, so the same inputs and key give the same bytes.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

_RANGE: Final = 2**64


def token(key: bytes, *labels: object) -> str:
    """An identifier of 32 hexadecimal digits."""
    return _digest(key, labels).hex()


def fraction(key: bytes, *labels: object) -> float:
    """A number in [0, 1)."""
    return int.from_bytes(_digest(key, labels)[:8]) / _RANGE


def spread(key: bytes, share: float, *labels: object) -> float:
    """A factor in [1 - share, 1 + share)."""
    return 1 - share + 2 * share * fraction(key, *labels)


def _digest(key: bytes, labels: tuple[object, ...]) -> bytes:
    text = "\x1f".join(map(str, labels)).encode()
    return blake2b(text, digest_size=16, key=key[:64]).digest()
