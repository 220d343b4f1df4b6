"""A folder of certificates: the authority, the VTN and any number of VENs, each a ``.pem`` and a ``.key``.

It stands alone because names, rights and what may be replaced are a matter of files: private keys are readable for
their owner only, nothing that is there is overwritten unless asked, and a VEN can be added later.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import attrs
from cryptography.x509 import Certificate

from oadr_core import LocalError
from oadr_core.security import fingerprint
from oadr_core.security.signing import load_certificates, load_key

from .facts import names_of
from .issue import LONGEST_NAME, MOST_DAYS, Issued, Kind, issue, new_authority

AUTHORITY: Final = "ca"
VTN: Final = "vtn"
"""Names of files, which no VEN may have."""
HOSTS: Final = ("localhost", "127.0.0.1", "::1")
"""Where a VTN for trying things out is reached."""

_FILE_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?", re.ASCII)
_OWNER_ONLY: Final = 0o600
_EVERYBODY: Final = 0o644


@attrs.frozen(kw_only=True)
class Party:
    """One party of a kit. ``made`` is false for what was there before."""

    role: str
    name: str
    certificate: Path
    key: Path
    fingerprint: str
    not_after: datetime
    made: bool


@attrs.frozen(kw_only=True)
class Kit:
    """What lies in the folder now: the authority first, then the VTN, then the VENs that were asked for.

    ``stale`` are certificates of an authority that is no more.
    """

    folder: Path
    parties: tuple[Party, ...]
    stale: tuple[Path, ...] = ()


def make_kit(
    folder: Path,
    *,
    vens: Sequence[str],
    now: datetime,
    hosts: Sequence[str] | None = None,
    kind: Kind = Kind.ECC,
    days: int = 365,
    passphrase: str | None = None,
    force: bool = False,
) -> Kit:
    """Make certificates in a folder, or add VENs to those that are there.

    An authority and a VTN are made when the folder has none; with an authority there, the ``vens`` are added to it.
    ``hosts`` are the names and addresses of the VTN, by default those of this machine alone. ``passphrase`` protects
    the new keys, and opens that of the authority. ``force`` makes everything new, the authority too.

    Raises :class:`~oadr_core.LocalError` for a file that would be overwritten, a name that cannot be a file's, an
    authority that cannot be used; nothing has been written then. Raises ``OSError`` where files cannot be written.
    """
    secret = passphrase.encode() if passphrase else None
    old = None if force else _authority(folder, secret)
    vtn = None if old is None else _certificate(_files(folder, VTN)[0])
    if hosts is not None and vtn is not None:
        text = f"{_files(folder, VTN)[0]} is there already, so hosts cannot be added: remove it first, or use --force"
        raise LocalError(text, path="host")
    _check_names(vens, hosts or (names_of(vtn) if vtn is not None else HOSTS))
    wanted = ([] if old else [AUTHORITY]) + ([VTN] if vtn is None else []) + list(vens)
    if not force:
        _check_free(folder, wanted)
    stale = _others(folder, wanted) if force else ()

    authority = old or new_authority(kind, now=now, days=MOST_DAYS)
    made = {} if old else {AUTHORITY: authority}
    for name in wanted[len(made) :]:
        names = (hosts or HOSTS) if name == VTN else (name,)
        made[name] = issue(authority, name=_common_name(name, names), hosts=names, kind=kind, now=now, days=days)

    folder.mkdir(parents=True, exist_ok=True)
    for name, issued in made.items():
        certificate, key = _files(folder, name)
        _write(key, issued.key_pem(secret), _OWNER_ONLY)
        _write(certificate, issued.certificate_pem, _EVERYBODY)
    certificates = {AUTHORITY: authority.certificate, **({} if vtn is None else {VTN: vtn})}
    certificates |= {name: issued.certificate for name, issued in made.items()}
    order = (AUTHORITY, VTN, *vens)
    parties = tuple(_party(folder, name, certificates[name], made=name in made) for name in order)
    return Kit(folder=folder, parties=parties, stale=stale)


def _check_names(vens: Sequence[str], hosts: Sequence[str]) -> None:
    for name in vens:
        if not _FILE_NAME.fullmatch(name):
            text = f"{name!r} cannot be a file's name: letters, digits, dots, hyphens and underscores, at most 64"
            raise LocalError(text, path="ven")
        if name.lower() in (AUTHORITY, VTN) or name in hosts:
            raise LocalError(f"{name!r} is the name of another party: choose another for the VEN", path="ven")
    if len({name.lower() for name in vens}) < len(vens):
        raise LocalError("a name is given twice", path="ven")


def _check_free(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        for file in _files(folder, name):
            if file.exists():
                text = (
                    f"{file} is there already, and is not overwritten: name another VEN to add it, remove the file to "
                    "make it anew, or use --force to replace everything, the authority too"
                )
                raise LocalError(text, path="out")


def _authority(folder: Path, secret: bytes | None) -> Issued | None:
    """The authority that is in the folder, ready to issue; ``None`` if there is none."""
    certificate, key = _files(folder, AUTHORITY)
    if not certificate.exists():
        return None
    try:
        issuer, private = load_certificates(certificate.read_bytes())[0], load_key(key.read_bytes(), secret)
    except FileNotFoundError:
        text = f"{certificate} is there without {key.name}: without its key, nothing can be added"
        raise LocalError(text, path="out") from None
    except LocalError as error:
        raise LocalError(f"the authority in {folder} cannot be used: {error.text}", path="out") from None
    if private.public_key() != issuer.public_key():
        raise LocalError(f"{key} is not the key of {certificate}", path="out")
    return Issued(certificate=issuer, key=private)


def _certificate(path: Path) -> Certificate | None:
    try:
        return load_certificates(path.read_bytes())[0]
    except FileNotFoundError:
        return None
    except LocalError as error:
        raise LocalError(f"{path} cannot be read: {error.text}", path="out") from None


def _others(folder: Path, names: Sequence[str]) -> tuple[Path, ...]:
    return tuple(file for file in sorted(folder.glob("*.pem")) if file.stem not in names)


def _common_name(name: str, hosts: Sequence[str]) -> str:
    """A VTN is called by its host, as some VENs compare that; a VEN by its name, which is its user name in XMPP."""
    return hosts[0] if name == VTN and len(hosts[0]) <= LONGEST_NAME else name


def _files(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / f"{name}.pem", folder / f"{name}.key"


def _party(folder: Path, name: str, certificate: Certificate, *, made: bool) -> Party:
    pem, key = _files(folder, name)
    return Party(
        role={AUTHORITY: "authority", VTN: "VTN"}.get(name, "VEN"),
        name=name,
        certificate=pem,
        key=key,
        fingerprint=fingerprint(pem.read_bytes()),
        not_after=certificate.not_valid_after_utc,
        made=made,
    )


def _write(path: Path, data: bytes, mode: int) -> None:
    """Put a file there in one step, with its rights from the beginning."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
    fresh.replace(path)
