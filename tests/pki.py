"""A small public-key infrastructure for a test: an authority, and certificates with their keys as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import trustme

from oadr_core.security import fingerprint

KINDS = ("RSA", "ECDSA")


@attrs.frozen
class Party:
    """The files of one party, and its fingerprint."""

    cert: Path
    key: Path
    fingerprint: str


class Pki:
    """One authority; what it certifies is valid for 127.0.0.1, and for clients."""

    def __init__(self, folder: Path, kind: str = "ECDSA") -> None:
        self.kind = kind
        self.ca_file = folder / "ca.pem"
        self._folder = folder
        self._authority = trustme.CA(key_type=trustme.KeyType[kind])
        self._authority.cert_pem.write_to_path(str(self.ca_file))

    def issue(self, name: str, host: str = "127.0.0.1", *, kind: str | None = None, **settings: Any) -> Party:
        """Certify a party."""
        issued = self._authority.issue_cert(host, key_type=trustme.KeyType[kind or self.kind], **settings)
        pem = b"".join(each.bytes() for each in issued.cert_chain_pems)
        party = Party(self._folder / f"{name}.pem", self._folder / f"{name}.key", fingerprint(pem))
        party.cert.write_bytes(pem)
        issued.private_key_pem.write_to_path(str(party.key))
        return party
