"""Conformance kits for carriers and stores of your own, and fixtures for tests of applications.

``check_carrier`` and ``check_store`` prove what somebody else has written for :mod:`oadr_transports.ports` and
:mod:`oadr_transports.stores`; ``python -m oadr_transports.testing`` calls them from a shell. The pytest plugin is in
:mod:`.plugin`. Nothing here is imported before it is asked for: the plugin is loaded into every run of pytest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .carrier import carrier_checks, check_carrier
    from .http_link import over_http
    from .links import Lack, Link
    from .peer import BrokenOff, Peer
    from .results import KitError, Outcome, Report, Result
    from .store import check_store, store_checks
    from .store_bench import StoreLack
    from .world import InMemoryVen, InMemoryVtn, VirtualClock

__all__ = [
    "BrokenOff",
    "InMemoryVen",
    "InMemoryVtn",
    "KitError",
    "Lack",
    "Link",
    "Outcome",
    "Peer",
    "Report",
    "Result",
    "StoreLack",
    "VirtualClock",
    "carrier_checks",
    "check_carrier",
    "check_store",
    "over_http",
    "store_checks",
]

_HOMES = {
    "BrokenOff": "peer",
    "InMemoryVen": "world",
    "InMemoryVtn": "world",
    "KitError": "results",
    "Lack": "links",
    "Link": "links",
    "Outcome": "results",
    "Peer": "peer",
    "Report": "results",
    "Result": "results",
    "StoreLack": "store_bench",
    "VirtualClock": "world",
    "carrier_checks": "carrier",
    "check_carrier": "carrier",
    "check_store": "store",
    "over_http": "http_link",
    "store_checks": "store",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
