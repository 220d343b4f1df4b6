"""The transports of OpenADR 2.0b: clients, servers and commands around the pure core.

``OpenADRClient`` is a VEN with the face of the OpenLEADR client documentation; ``Vtn`` is a VTN. Each part is
imported when it is asked for, so that a VEN needs no server library and the other way round.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .application import Refuse
    from .client import OpenADRClient
    from .history import SqliteHistory
    from .log import enable_default_logging
    from .opting import OptError
    from .readings import Measured, resource_status
    from .sync_client import SyncOpenADRClient
    from .trio_client import TrioOpenADRClient
    from .vtn import Vtn
    from .wishes import ReportError

__all__ = [
    "Measured",
    "OpenADRClient",
    "OptError",
    "Refuse",
    "ReportError",
    "SqliteHistory",
    "SyncOpenADRClient",
    "TrioOpenADRClient",
    "Vtn",
    "enable_default_logging",
    "resource_status",
]

_HOMES = {
    "OpenADRClient": "client",
    "OptError": "opting",
    "Refuse": "application",
    "ReportError": "wishes",
    "Measured": "readings",
    "SqliteHistory": "history",
    "SyncOpenADRClient": "sync_client",
    "TrioOpenADRClient": "trio_client",
    "Vtn": "vtn",
    "resource_status": "readings",
    "enable_default_logging": "log",
}
_EXTRAS = {"OpenADRClient": "http", "SyncOpenADRClient": "requests", "TrioOpenADRClient": "trio", "Vtn": "vtn"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f".{_HOMES[name]}", __name__)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(name)
        if extra is None or (error.name or "").startswith("oadr_"):
            raise
        raise ModuleNotFoundError(
            f"{name} needs {error.name}; install it with: pip install 'oadr[{extra}]'", name=error.name
        ) from None
    return getattr(module, name)
