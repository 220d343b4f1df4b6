"""Who is who: the registered VENs by venID, name and certificate.

It stands alone because it is the only place that knows more than one VEN, and it never looks at more than it
is asked for. Whom a message comes from is decided in :mod:`.identity`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from .config import VtnConfig
from .state import VenState

_DIGITS: Final = 20
"""A fingerprint is the last ten bytes of a digest (section 7.3); who gives the whole digest means the same."""


class Directory:
    """The registered VENs."""

    def __init__(self, config: VtnConfig) -> None:
        self._vens: dict[str, VenState] = {}
        self.vens: Final[Mapping[str, VenState]] = MappingProxyType(self._vens)
        """The registered VENs by venID, a read-only view."""
        self._by_name: dict[str, str] = {}
        self._by_fingerprint: dict[str, str] = {}
        self._admitted_ids = frozenset(one.ven_id for one in config.admitted or () if one.ven_id)

    def __contains__(self, ven_id: object) -> bool:
        """True for a registered VEN, and for one that may register under this venID."""
        return ven_id in self._vens or ven_id in self._admitted_ids

    def put(self, ven: VenState) -> None:
        """Keep the state of a VEN."""
        before = self._vens.get(ven.ven_id)
        self._vens[ven.ven_id] = ven
        if before is None or before.ven_name != ven.ven_name or before.fingerprint != ven.fingerprint:
            if before is not None:
                self._unlist(before)
            if ven.ven_name:
                self._by_name[ven.ven_name] = ven.ven_id
            if ven.fingerprint:
                self._by_fingerprint[ven.fingerprint] = ven.ven_id

    def remove(self, ven_id: str) -> None:
        """Forget a VEN (R407)."""
        self._unlist(self._vens.pop(ven_id))

    def of_certificate(self, fingerprint: str | None) -> VenState | None:
        """The registered VEN with this certificate; ``fingerprint`` is in plain form."""
        ven_id = self._by_fingerprint.get(fingerprint) if fingerprint else None
        return None if ven_id is None else self._vens[ven_id]

    def named(self, name: str) -> VenState | None:
        """The registered VEN with this name: the latest, as a name is no identity."""
        ven_id = self._by_name.get(name)
        return None if ven_id is None else self._vens[ven_id]

    def _unlist(self, ven: VenState) -> None:
        if self._by_name.get(ven.ven_name) == ven.ven_id:
            del self._by_name[ven.ven_name]
        if ven.fingerprint and self._by_fingerprint.get(ven.fingerprint) == ven.ven_id:
            del self._by_fingerprint[ven.fingerprint]


def plain(fingerprint: str | None) -> str:
    """A fingerprint for comparison: without colons and case (section 7.3); empty for none."""
    return fingerprint.replace(":", "").lower()[-_DIGITS:] if fingerprint else ""
