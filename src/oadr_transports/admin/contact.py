"""How a running VTN is found and spoken to: its admin address and token, in a file that only its owner can read.

It stands alone because both ends need it, the server that writes it and the commands that read it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Final

import attrs

from oadr_core import LocalError

OWNER_ONLY: Final = 0o600
ADDRESS_VARIABLE: Final = "OADR_ADMIN"
"""The environment variable with a URL, or the path of a contact file."""
TOKEN_VARIABLE: Final = "OADR_ADMIN_TOKEN"
SHORTEST_TOKEN: Final = 16
"""Characters; what is made here has 43."""


@attrs.frozen(kw_only=True)
class Contact:
    """Where the admin API listens: ``http://host:port`` or ``unix:/path``, and the token that it wants."""

    url: str
    token: str = attrs.field(repr=False)


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(32)


def checked_token(token: str) -> str:
    """``token``, if it is fit to be one. Raises :class:`~oadr_core.LocalError`."""
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        text = f"a token has at least {SHORTEST_TOKEN} printable ASCII characters and no space"
        raise LocalError(text, path="token")
    return token


def default_file(state: Path | None = None) -> Path:
    """Where the contact file stands: beside the state, else where this user's running programs leave such things."""
    if state is not None:
        return state.with_name(state.name + ".admin")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and Path(runtime).is_dir():
        return Path(runtime) / "oadr-vtn.admin"
    user = os.getuid() if hasattr(os, "getuid") else "user"
    return Path(tempfile.gettempdir()) / f"oadr-{user}" / "oadr-vtn.admin"


class ContactFile:
    """The file at a path. ``written`` is for servers, ``read`` for those who look for one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def written(self, contact: Contact) -> Iterator[None]:
        """The file is there while the block lasts, unless another server has put its own there.

        It is written beside and moved into place, so that nobody sees half of it, and is never readable by others.
        Raises ``OSError``.
        """
        folder = self.path.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = json.dumps({"url": contact.url, "token": contact.token}) + "\n"
        handle, name = tempfile.mkstemp(dir=folder, prefix=self.path.name, suffix=".new")  # 0600
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(text)
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        try:
            yield
        finally:
            with contextlib.suppress(OSError, LocalError):
                if self.read() == contact:
                    self.path.unlink()

    def read(self) -> Contact:
        """What the file says.

        Raises :class:`~oadr_core.LocalError` when there is none, when it is somebody else's, and when it says nothing
        useful.
        """
        try:
            status = self.path.stat()
            text = self.path.read_text("ascii")
        except FileNotFoundError:
            hint = "is a VTN running (oadr vtn serve), and with another --state or --admin-file?"
            raise LocalError(f"there is no {str(self.path)!r}: {hint}", path="admin") from None
        except (OSError, UnicodeDecodeError) as error:
            raise LocalError(f"{str(self.path)!r} cannot be read: {error}", path="admin") from None
        if hasattr(os, "getuid") and status.st_uid not in (os.getuid(), 0):
            raise LocalError(f"{str(self.path)!r} belongs to another user, and is not trusted", path="admin")
        try:
            found = json.loads(text)
            return Contact(url=str(found["url"]), token=checked_token(str(found["token"])))
        except (ValueError, KeyError, TypeError) as error:
            raise LocalError(f"{str(self.path)!r} is no contact file: {error}", path="admin") from None


def find(
    address: str | None, token: str | None, state: Path | None, environment: MappingProxyType[str, str] | dict[str, str]
) -> Contact:
    """The contact that options and environment name: a URL with its token, else a contact file.

    Raises :class:`~oadr_core.LocalError`.
    """
    address = address or (None if state is not None else environment.get(ADDRESS_VARIABLE)) or None
    token = token or environment.get(TOKEN_VARIABLE) or None
    if address is not None and address.startswith(("http://", "https://", "unix:")):
        if token is None:
            text = f"the token of {address} is expected, as --token or in {TOKEN_VARIABLE}"
            raise LocalError(text, path="token")
        return Contact(url=address, token=checked_token(token))
    found = ContactFile(Path(address) if address is not None else default_file(state)).read()
    return found if token is None else attrs.evolve(found, token=checked_token(token))
