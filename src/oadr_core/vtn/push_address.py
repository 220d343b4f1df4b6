"""The address to which a VEN wants its messages pushed (R402; PS 9.1.2).

It stands alone because a VEN chooses it, so that it is looked at before anything is ever sent there.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from .config import PushPolicy

BASE_PATH: Final = "OpenADR2/Simple/2.0b"
"""Where the services stand below the address (R511)."""
_LONGEST: Final = 1024


def base_url(address: str, policy: PushPolicy) -> str:
    """The base of the services' URLs from an oadrTransportAddress (PS 9.1.2), which may name them already (AIT VEN).

    Raises ``ValueError`` with the reason for an address that cannot be one.
    """
    address = address.strip()
    if len(address) > _LONGEST:
        raise ValueError(f"an address has at most {_LONGEST} characters")
    parts = urlsplit(address)
    if parts.scheme not in policy.schemes or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError(f"{' or '.join(policy.schemes)}://host[:port]/prefix is expected")
    _ = parts.port  # raises ValueError for what is no port
    base = address.rstrip("/")
    return base if base.endswith(BASE_PATH) else f"{base}/{BASE_PATH}"
