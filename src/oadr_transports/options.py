"""The client's options, checked when they are given: what is wrong is said at once, and what was expected.

It stands alone because none of it is about running.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from oadr_core import LocalError
from oadr_core.model import OptType

if TYPE_CHECKING:
    from oadr_core.security import Signer, Trust


def checked_url(url: str) -> str:
    """The base URL of a VTN without a slash at its end."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise LocalError(
            f"a URL such as https://vtn.example/OpenADR2/Simple/2.0b is expected, not {url!r}", path="vtn_url"
        )
    return url.rstrip("/")


def checked_files(cert: Any, key: Any, ca_file: Any) -> dict[str, str | None]:
    """The paths of certificate, key and authorities as text; each must be a file that is there."""
    found: dict[str, str | None] = {}
    for name, path in (("cert", cert), ("key", key), ("ca_file", ca_file)):
        if path is not None and not Path(path).is_file():
            raise FileNotFoundError(f"{name}: there is no file {os.fspath(path)!r}")
        found[name] = None if path is None else os.fspath(path)
    if (cert is None) != (key is None):
        raise LocalError("cert and key belong together: give both or neither", path="key" if key is None else "cert")
    return found


def signer_of(files: dict[str, str | None], passphrase: str | None) -> Signer:
    """The signer made of the files of a certificate and its key."""
    from oadr_core.security import Signer

    cert, key = Path(files["cert"] or ""), Path(files["key"] or "")
    return Signer.from_pem(cert.read_bytes(), key.read_bytes(), None if passphrase is None else passphrase.encode())


def trust_of(vtn_fingerprint: str) -> Trust:
    """Trust in one VTN, by its fingerprint."""
    from oadr_core.security import Trust

    return Trust(fingerprints=(vtn_fingerprint,))


def checked_opt(opt: str) -> OptType:
    """An opt as written by people."""
    try:
        return OptType(opt)
    except ValueError:
        raise LocalError(f"'optIn' or 'optOut' is expected, not {opt!r}", path="opt_type") from None
