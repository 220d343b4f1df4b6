"""More about a handshake that failed: whether it is TLS at all, what would have been taken, what is wrong with a chain.

It stands alone because it is asked only then, for the sake of the words.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from . import probe
from .findings import Finding
from .telling import day

if TYPE_CHECKING:
    from oadr_transports.certificates import CertificateFacts

_PATIENCE_S: Final = 2.0
"""A second question to a server that has failed the first."""


def or_plain_http(finding: Finding, addresses: Sequence[Any], host: str, timeout_s: float) -> Finding:
    """A finding that may be due to a server without TLS, or that it is so."""
    if finding not in (Finding.NOT_TLS, Finding.TLS_SILENT, Finding.TLS_HUNG_UP):
        return finding
    return Finding.PLAIN_HTTP if probe.speaks_http(addresses, host, min(timeout_s, _PATIENCE_S)) else finding


def what_it_would_take(
    addresses: Sequence[Any], host: str, context: ssl.SSLContext, timeout_s: float
) -> dict[str, str]:
    """The version and suite that a server takes when it may choose among all, beside what ``context`` offers."""
    try:
        found = probe.look(addresses, host, timeout_s, anything=True)
    except OSError:
        found = probe.Seen()
    offered = ", ".join(suite["name"] for suite in context.get_ciphers())
    return {"version": found.version or "none", "suite": found.suite or "none at all", "offered": offered}


def outside_its_time(chain: Sequence[bytes], ca_file: Path | None) -> dict[str, str]:
    """The first certificate on the way from the server's to an authority that is not valid now."""
    from oadr_transports.certificates import facts_of

    now = datetime.now(UTC)
    names = ("the server's certificate", *(("in the server's chain,",) * len(chain)))
    shown = [(whose, facts_of(der)) for whose, der in zip(names, chain, strict=False)]
    for whose, facts in (*shown, *((f"in {ca_file},", facts) for facts in _authorities(ca_file))):
        if facts.validity(now) != "valid":
            begin, end = day(facts.not_before), day(facts.not_after)
            return {"whose": f"{whose} {facts.subject}", "begin": begin, "end": end}
    return {"whose": "the authority of the server's certificate", "begin": "some day", "end": "some day"}


def trusted(ca_file: Path | None) -> dict[str, str]:
    """Whose certificates are in a file of authorities."""
    return {"trusted": "; ".join(facts.subject for facts in _authorities(ca_file))}


def _authorities(ca_file: Path | None) -> list[CertificateFacts]:
    from oadr_transports.certificates import read_certificates

    return [] if ca_file is None else read_certificates(ca_file.read_bytes())
