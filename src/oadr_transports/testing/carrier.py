"""``check_carrier``: proves that a carrier does what its port says, on any medium.

It stands alone because it runs the checks and knows none of them: each has a link, a loop and a thread of its own, so
that one that hangs ends no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, cast

import anyio

from oadr_core import DEFAULT_LIMITS, LocalError

from . import delivery, http_checks, trouble
from .http_link import HttpLinks
from .links import Bench, Lack, Link, entered
from .peer import Peer
from .results import Check, Report, Result, chosen, concluded, judged, lacking

_CHECKS: Final = (*delivery.CHECKS, *trouble.CHECKS)
_FIX: Final = "post returns a Reply or raises CarrierError, and nothing else; the cause is in the traceback"


def carrier_checks(*, http: bool = False) -> tuple[str, ...]:
    """The names of the checks, for instance for ``pytest.mark.parametrize``; ``http``: those of HTTP too."""
    return tuple(check.name for check in (*_CHECKS, *(http_checks.CHECKS if http else ())))


def check_carrier(
    link: Callable[[], Link],
    *,
    without: Iterable[Lack | str] = (),
    only: Iterable[str] | None = None,
    most_bytes: int = DEFAULT_LIMITS.bytes,
    backend: str = "asyncio",
) -> Report:
    """Prove a carrier, one that awaits or one for threads. Call it from a plain function, for instance a test.

    ``link`` makes a :class:`~oadr_transports.testing.Link`, a new one for each check; for a carrier over HTTP it is
    ``over_http(MyCarrier)``. ``without``: what the medium lacks (:class:`~oadr_transports.testing.Lack`); checks that
    need it are not made. ``only``: the names of the checks to make. ``most_bytes``: the longest reply that the carrier
    takes. ``backend``: the event loop, ``"asyncio"`` or ``"trio"``.

    Returns the report. Raises :class:`~oadr_transports.testing.KitError` (an ``AssertionError``) that lists every
    check that failed, with what was expected, what came, and what to do; and :class:`~oadr_core.LocalError` for wrong
    arguments.
    """
    lacks = frozenset(_lack(each) for each in without)
    checks = chosen((*_CHECKS, *(http_checks.CHECKS if isinstance(link, HttpLinks) else ())), only)
    return concluded(_result(check, link, lacks, most_bytes, backend) for check in checks)


def _lack(name: Lack | str) -> Lack:
    try:
        return Lack(name)
    except ValueError:
        raise LocalError(f"one of {', '.join(Lack)} is expected, not {name!r}", path="without") from None


def _result(
    check: Check[Bench], link: Callable[[], Link], lacks: frozenset[Lack], most_bytes: int, backend: str
) -> Result:
    peer = Peer()

    async def made() -> None:
        try:
            async with entered(link()) as here:
                await check.function(Bench(cast(Link, here), peer, lacks=lacks, most_bytes=most_bytes))
        finally:
            peer.end()

    return lacking(check, lacks) or judged(
        check.name, lambda: anyio.run(made, backend=backend), _FIX, hung=peer.end
    )
