"""Who is who: the registered VENs by venID, name and certificate, and whom a message comes from (R400, R406,
R517).

It stands alone because it is the only place that knows more than one VEN, and it never looks at more than it
is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..errors import InvalidID, NotAuthorized, WrongPayload, shown
from ..model import CreatePartyRegistration
from .config import LONGEST_ID, Admitted, VtnConfig
from .replies import NotServed
from .state import VenState


class Directory:
    """The registered VENs, and the rules of admission."""

    def __init__(self, config: VtnConfig) -> None:
        self._config = config
        self._vens: dict[str, VenState] = {}
        self._by_name: dict[str, str] = {}
        self._by_fingerprint: dict[str, str] = {}
        listed = config.admitted or ()
        self._admitted_ids = {one.ven_id: one for one in listed if one.ven_id}
        self._admitted_names = {one.ven_name: one for one in listed if one.ven_name}
        self._admitted_fingerprints = {plain(one.fingerprint): one for one in listed if one.fingerprint}

    @property
    def vens(self) -> Mapping[str, VenState]:
        """The registered VENs by venID, a read-only view."""
        return MappingProxyType(self._vens)

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

    def member(self, ven_id: str | None, fingerprint: str | None) -> VenState:
        """The registered VEN that a message comes from.

        Raises ``NotAuthorized`` (463) when nobody is registered under the venID or the certificate is not its
        own, and ``InvalidID`` (452) when the certificate is that of another registered VEN (section 7.3).
        """
        own = self._by_fingerprint.get(fingerprint) if fingerprint else None
        if ven_id is None:
            if own is None:
                raise WrongPayload("venID is missing", rule="R508")
            return self._vens[own]
        if own is not None and own != ven_id:
            raise InvalidID(f"the certificate is not that of {shown(ven_id)}", rule="R517")
        ven = self._vens.get(ven_id)
        if ven is None:
            raise NotAuthorized(f"{shown(ven_id)} is not registered", rule="R517")
        self._check_certificate(ven, fingerprint)
        return ven

    def known(self, ven_id: str | None, fingerprint: str | None) -> VenState | None:
        """The registered VEN that a message comes from, if there is one."""
        try:
            return self.member(ven_id, fingerprint)
        except (InvalidID, NotAuthorized, WrongPayload):
            return None

    def newcomer(self, payload: CreatePartyRegistration, fingerprint: str | None) -> tuple[str | None, VenState | None]:
        """Who registers: the venID that it gets (``None``: a new one), and its state if it is registered.

        Raises ``InvalidID`` (452) for a wrong registrationID or venID (R400), ``NotAuthorized`` (463) for a
        party that is not admitted.
        """
        ven_id, registration_id = payload.ven_id or None, payload.registration_id or None
        if ven_id is not None and len(ven_id) > LONGEST_ID:
            raise InvalidID(f"a venID has at most {LONGEST_ID} characters")
        if registration_id is not None:
            ven = self._vens.get(ven_id) if ven_id is not None else None
            if ven is None or ven.registration_id != registration_id:
                raise InvalidID("registrationID and venID are not those of a registered VEN", rule="R400")
            self._check_certificate(ven, fingerprint)
            return ven.ven_id, ven
        name = payload.oadr_ven_name or ""
        admitted = self._admit(name, ven_id, fingerprint)
        if admitted is not None and admitted.ven_id:
            if ven_id not in (None, admitted.ven_id):
                raise InvalidID(f"the venID of {shown(name)} is another one", rule="R400")
            ven_id = admitted.ven_id
        if ven_id is None and fingerprint:
            ven_id = self._by_fingerprint.get(fingerprint)
        if ven_id is None and name:
            ven_id = self._namesake(name, fingerprint)
        ven = self._vens.get(ven_id) if ven_id is not None else None
        if ven is not None:
            self._check_certificate(ven, fingerprint)
            pinned = admitted is not None and admitted.ven_id
            if not pinned and name and ven.ven_name not in ("", name):
                raise InvalidID(f"the venID belongs to another VEN than {shown(name)}", rule="R70")
        elif len(self._vens) >= self._config.limits.vens:
            raise NotServed(f"{len(self._vens)} VENs are registered, which is the limit")
        return ven_id, ven

    def _namesake(self, name: str, fingerprint: str | None) -> str | None:
        """R406: a VEN that registers without IDs is known by its name, unless its certificate says that it
        is another.
        """
        ven_id = self._by_name.get(name)
        if ven_id is None or self._vens[ven_id].fingerprint not in (None, fingerprint):
            return None
        return ven_id

    def _admit(self, name: str, ven_id: str | None, fingerprint: str | None) -> Admitted | None:
        if self._config.admitted is None:
            return None
        found = (
            (self._admitted_fingerprints.get(plain(fingerprint)) if fingerprint else None)
            or self._admitted_ids.get(ven_id or "")
            or self._admitted_names.get(name)
        )
        if (
            found is None
            or (found.ven_name and name and found.ven_name != name)
            or (found.fingerprint and plain(found.fingerprint) != plain(fingerprint or ""))
        ):
            raise NotAuthorized(f"{shown(name)} is not admitted", rule="R517")
        return found

    def _check_certificate(self, ven: VenState, fingerprint: str | None) -> None:
        if ven.fingerprint is not None and fingerprint != ven.fingerprint:
            raise NotAuthorized(f"the certificate is not that of {shown(ven.ven_id)}", rule="R517")

    def _unlist(self, ven: VenState) -> None:
        if self._by_name.get(ven.ven_name) == ven.ven_id:
            del self._by_name[ven.ven_name]
        if ven.fingerprint and self._by_fingerprint.get(ven.fingerprint) == ven.ven_id:
            del self._by_fingerprint[ven.fingerprint]


def plain(fingerprint: str) -> str:
    """A fingerprint for comparison: without colons and case (section 7.3)."""
    return fingerprint.replace(":", "").lower()
