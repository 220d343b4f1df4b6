"""Small things in words: times, durations, offers, the beginning of an answer.

It stands alone because the walk is easier to read without it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from oadr_core.model import CreatedPartyRegistration, EiResponse, Payload

from .judge import profiles

if TYPE_CHECKING:
    from oadr_transports.certificates import CertificateFacts

EXCERPT: Final = 80
"""Characters of an answer that are shown."""


def offered(payload: Payload) -> str:
    """The profiles that a VTN offers, with their transports; empty for another message."""
    if not isinstance(payload, CreatedPartyRegistration):
        return ""
    offers = profiles(payload).items()
    return "; ".join(f"{name} over {', '.join(over)}" for name, over in offers) or "nothing"


def certificate(facts: CertificateFacts) -> str:
    """A certificate in one line."""
    return f"{facts.subject}, {facts.key}, valid until {day(facts.not_after)}"


def said(response: EiResponse | None) -> str:
    """What a response says besides its code."""
    return (response.response_description if response else None) or "no reason given"


def day(at: datetime) -> str:
    """An instant to the minute."""
    return at.astimezone(UTC).isoformat(sep=" ", timespec="minutes").replace("+00:00", " UTC")


def span(length: timedelta) -> str:
    """A duration in the unit that fits."""
    seconds = round(length.total_seconds())
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            many = seconds / size
            return f"{many:.0f} {unit}" if many >= 100 else f"{many:.3g} {unit}"
    return f"{seconds} seconds"


def excerpt(data: bytes) -> str:
    """The beginning of what came, in one line."""
    text = " ".join(data[: 4 * EXCERPT].decode("utf-8", "replace").split())
    return repr(text if len(text) <= EXCERPT else f"{text[:EXCERPT]}…") if text else "(nothing)"


def proxy_for(url: str, host: str) -> str | None:
    """The proxy that the environment names for a URL."""
    proxy = getproxies().get(urlsplit(url).scheme)
    return proxy if proxy and not proxy_bypass(host) else None
