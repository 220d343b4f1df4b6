"""What client and VTN are given alike, looked at before anything is done with it: paths, passphrases, switches.

It stands alone because a wrong value must be named at once, by the argument that it came in, and because what is in a
key must not get into a message.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import attrs

from oadr_core import LocalError
from oadr_core.errors import shown


def path_of(path: Any, name: str) -> str:
    """The path of a file as text. Raises :class:`~oadr_core.LocalError` for what is none, ``name`` being the
    argument."""
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(text, str):
        raise LocalError(f"the path of a file is expected, not {type(text).__name__}", path=name)
    if "-----BEGIN " in text:  # perhaps a private key, which must not get into a log
        raise LocalError("the path of a file is expected, not what is in it", path=name)
    return text


def is_file(path: str) -> bool:
    """Whether there is a file; never raises."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # too long, or with a null: what cannot be a path
        return False


def contents(path: Path, name: str) -> bytes:
    """What is in a file. Raises :class:`~oadr_core.LocalError`, ``name`` being the argument."""
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        text = getattr(error, "strerror", None) or str(error)
        raise LocalError(f"{shown(str(path))} cannot be read: {text}", path=name) from None


def checked_passphrase(passphrase: Any, *, has_key: bool) -> str | bytes | None:
    """The passphrase of a key, which must be given with it."""
    if passphrase is not None and not isinstance(passphrase, (str, bytes)):
        raise LocalError(f"a text is expected, not {type(passphrase).__name__}", path="passphrase")
    if passphrase is not None and not has_key:
        raise LocalError("a passphrase is given without a key", path="passphrase")
    return passphrase


def checked_flag(value: Any, name: str) -> bool:
    """A setting that is on or off: a text such as ``"no"`` would count as on."""
    if not isinstance(value, bool):
        raise LocalError(f"True or False is expected, not {shown(value)}", path=name)
    return value


_LIBRARIES: Final = {
    "httpx2.AsyncClient": "OpenADRClient",
    "aiohttp.ClientSession": "OpenADRClient",
    "requests.Session": "SyncOpenADRClient",
}
"""Clients of libraries that a carrier can be made of, and whose carrier."""


@attrs.frozen
class GivenCarrier:
    """A carrier that the caller brings: ``object`` itself, or a client of a ``library`` that one is made of."""

    object: Any
    library: str | None


def checked_carrier(carrier: object | None, libraries: tuple[str, ...]) -> GivenCarrier | None:
    """What the caller brings as a carrier. Raises :class:`~oadr_core.LocalError` for what is none, or for another kind
    of client than is in ``libraries``."""
    if carrier is None:
        return None
    names = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(carrier).__mro__}
    library = next((name for name in _LIBRARIES if name in names), None)
    if library is not None and library not in libraries:
        raise LocalError(f"{library} is for {_LIBRARIES[library]}; here {' or '.join(libraries)}", path="carrier")
    if library is None and not callable(getattr(carrier, "post", None)):
        text = f"an object with post(), or {' or '.join(libraries)}, is expected, not {shown(carrier)}"
        raise LocalError(text, path="carrier")
    return GivenCarrier(carrier, library)
