"""The pure core of OpenADR 2.0b: messages, rules and state machines, without I/O, clock, randomness or logging.

The names below are loaded when they are first used, so that a VEN does not pay for the VTN, and nobody for signatures
before there is one to check.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .engine import Now
    from .errors import LocalError, OadrError, RemoteError
    from .security import open_envelope, seal
    from .ven import VenConfig, VenSession
    from .vtn import VtnConfig, VtnSession
    from .wire import DEFAULT_LIMITS, Deviation, Envelope, Limits, decode, encode

__all__ = [
    "DEFAULT_LIMITS",
    "Deviation",
    "Envelope",
    "Limits",
    "LocalError",
    "Now",
    "OadrError",
    "RemoteError",
    "VenConfig",
    "VenSession",
    "VtnConfig",
    "VtnSession",
    "decode",
    "encode",
    "open_envelope",
    "seal",
]


def _engine() -> ModuleType:
    from . import engine

    return engine


def _errors() -> ModuleType:
    from . import errors

    return errors


def _security() -> ModuleType:
    from . import security

    return security


def _ven() -> ModuleType:
    from . import ven

    return ven


def _vtn() -> ModuleType:
    from . import vtn

    return vtn


def _wire() -> ModuleType:
    from . import wire

    return wire


_HOMES: Final[dict[str, Callable[[], ModuleType]]] = {
    **dict.fromkeys(("DEFAULT_LIMITS", "Deviation", "Envelope", "Limits", "decode", "encode"), _wire),
    **dict.fromkeys(("LocalError", "OadrError", "RemoteError"), _errors),
    **dict.fromkeys(("VenConfig", "VenSession"), _ven),
    **dict.fromkeys(("VtnConfig", "VtnSession"), _vtn),
    **dict.fromkeys(("open_envelope", "seal"), _security),
    "Now": _engine,
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(home(), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
