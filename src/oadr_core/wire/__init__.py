"""Bytes to messages and back, compiled from the declarations of the model.

It stands alone because nothing above it sees XML, and nothing below it knows that XML exists.
"""

from __future__ import annotations

from .codec import Envelope, decode, encode
from .examine import Deviation
from .jsonform import from_json, to_json
from .parse import DEFAULT_LIMITS, Limits

__all__ = ["DEFAULT_LIMITS", "Deviation", "Envelope", "Limits", "decode", "encode", "from_json", "to_json"]
