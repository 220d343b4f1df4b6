"""The pure core of OpenADR 2.0b: messages, rules and state machines, without I/O, clock, randomness or logging."""

from __future__ import annotations

from .errors import LocalError, OadrError, RemoteError
from .wire import DEFAULT_LIMITS, Deviation, Envelope, Limits, decode, encode

__all__ = ["DEFAULT_LIMITS", "Deviation", "Envelope", "Limits", "LocalError", "OadrError", "RemoteError", "decode", "encode"]
