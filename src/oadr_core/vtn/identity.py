"""The one door of a VTN: whom a message comes from, and whether it may be taken as from there (section 7.3; R70,
R400, R406, R508, R517).

It stands alone because every message passes here before anything else looks at it, also one that has no venID. What
the carrier proves (the fingerprint of a certificate) and what the message claims (venID, registrationID, name) meet in
this one place; whoever is let in has one identity for the rest of the step. The policy says what a carrier must prove.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import Any, Final

import attrs

from ..errors import InvalidID, NotAuthorized, WrongPayload, shown
from ..model import CreatePartyRegistration, Payload
from . import replies
from .config import LONGEST_ID, Admitted, IdentityPolicy, VtnConfig
from .directory import Directory, plain
from .replies import NotServed
from .state import VenState


class Who(Enum):
    """Who may send a message."""

    ANYBODY = auto()
    """Registered or not; the handler gets the VEN if it is known."""
    NEWCOMER = auto()
    """Somebody who is registered by this message."""
    MEMBER = auto()
    """A registered VEN, who says its venID (R508) or is known by its certificate."""


@attrs.frozen(kw_only=True)
class Sender:
    """Whom a message comes from: a registered VEN, or nobody that is registered.

    ``fingerprint`` is what is proven, in plain form; ``new_id`` the venID that a newcomer gets (``None``: a new one).
    """

    ven: VenState | None
    fingerprint: str | None = None
    new_id: str | None = None


class Door:
    """Decides about every message by the policy of the configuration; remembers nothing."""

    def __init__(self, config: VtnConfig, directory: Directory) -> None:
        self._config = config
        self._directory = directory
        listed = config.admitted or ()
        self._ids = {one.ven_id: one for one in listed if one.ven_id}
        self._names = {one.ven_name: one for one in listed if one.ven_name}
        self._fingerprints = {plain(one.fingerprint): one for one in listed if one.fingerprint}
        self._any_certificate = config.admitted is None or any(not one.fingerprint for one in listed)

    def prove(self, certificate: str | None, signer: str | None = None) -> str | None:
        """What is proven of a peer, in plain form: the fingerprint of the certificate that the carrier has seen, else
        of the one that has signed. ``None`` where the policy does without.

        Raises ``NotAuthorized`` (463) for a message without a certificate, and for one that was signed with another
        certificate than the carrier's.
        """
        proven, signed = plain(certificate), plain(signer)
        if not proven and self._config.identity is IdentityPolicy.CERTIFICATE:
            raise NotAuthorized("the message came without a certificate, which this VTN demands", rule="R517")
        if proven and signed and proven != signed:
            text = f"signed with the certificate {signer}, but sent with {certificate}"
            raise NotAuthorized(text, rule="R517")
        return proven or signed or None

    def sender(self, who: Who, payload: Payload, fingerprint: str | None) -> Sender:
        """Whom a message comes from; ``fingerprint`` is what :meth:`prove` gave.

        Raises ``NotAuthorized`` (463) for a certificate that is unknown or not that of the claimed VEN, and for a VEN
        that is not registered or not admitted; ``InvalidID`` (452) for a known certificate with IDs that are not its
        own; ``WrongPayload`` (459) where there is neither a venID nor a certificate.
        """
        if fingerprint is not None and not self._is_welcome(fingerprint):
            raise NotAuthorized("the certificate is not that of an admitted VEN", rule="R517")
        return _DOORS[who](self, payload, fingerprint)

    def _is_welcome(self, fingerprint: str) -> bool:
        """Whether a certificate could be that of a VEN at all."""
        if self._any_certificate or fingerprint in self._fingerprints:
            return True
        return self._directory.of_certificate(fingerprint) is not None

    # --- registered VENs --------------------------------------------------------------------------------------------

    def _member(self, payload: Payload, fingerprint: str | None) -> Sender:
        claimed = replies.ven_id(payload)
        own = self._directory.of_certificate(fingerprint)
        if claimed is None:
            if own is not None:
                return Sender(ven=own, fingerprint=fingerprint)
            if fingerprint is not None:
                raise NotAuthorized("the certificate is not that of a registered VEN", rule="R517")
            raise WrongPayload("venID is missing", rule="R508")
        if own is not None and own.ven_id != claimed:
            raise InvalidID(f"the certificate is not that of {shown(claimed)}", rule="R517")
        ven = self._directory.vens.get(claimed)
        if ven is None:
            raise replies.Unregistered(f"{shown(claimed)} is not registered", rule="R517")
        self._check_certificate(ven, fingerprint)
        return Sender(ven=ven, fingerprint=fingerprint)

    def _anybody(self, payload: Payload, fingerprint: str | None) -> Sender:
        claimed = replies.ven_id(payload)
        known = self._directory.of_certificate(fingerprint) is not None
        if known or claimed in self._directory.vens:
            return self._member(payload, fingerprint)
        return Sender(ven=None, fingerprint=fingerprint)

    # --- registration -----------------------------------------------------------------------------------------------

    def _newcomer(self, payload: CreatePartyRegistration, fingerprint: str | None) -> Sender:
        own = self._directory.of_certificate(fingerprint)
        claimed = payload.ven_id or None
        name = payload.oadr_ven_name or ""
        if claimed is not None and len(claimed) > LONGEST_ID:
            raise InvalidID(f"a venID has at most {LONGEST_ID} characters")
        _check_claim(own, claimed)
        if payload.registration_id:
            return self._renewing(payload.registration_id, claimed, own, fingerprint)
        admitted = self._admit(name, claimed, fingerprint)
        if admitted is not None and admitted.ven_id:
            if claimed not in (None, admitted.ven_id):
                raise InvalidID(f"the venID of {shown(name)} is another one", rule="R400")
            claimed = admitted.ven_id
            _check_claim(own, claimed)
        if claimed is None:
            ven = own if own is not None else self._namesake(name, fingerprint, admitted)
        else:
            ven = self._directory.vens.get(claimed)
        if ven is None:
            registered = len(self._directory.vens)
            if registered >= self._config.limits.vens:
                raise NotServed(f"{registered} VENs are registered, which is the limit")
            return Sender(ven=None, fingerprint=fingerprint, new_id=claimed)
        self._check_certificate(ven, fingerprint, moved=_names_both(admitted, ven, fingerprint))
        pinned = admitted is not None and admitted.ven_id
        if not pinned and name and ven.ven_name not in ("", name):
            raise InvalidID(f"the venID belongs to another VEN than {shown(name)}", rule="R70")
        return Sender(ven=ven, fingerprint=fingerprint)

    def _renewing(
        self, registration_id: str, claimed: str | None, own: VenState | None, fingerprint: str | None
    ) -> Sender:
        """R400: a registrationID is good only together with its venID, or with the VEN's certificate."""
        ven = own if claimed is None else self._directory.vens.get(claimed)
        if ven is None or ven.registration_id != registration_id:
            raise InvalidID("registrationID and venID are not those of a registered VEN", rule="R400")
        # A VEN from the time before certificates were demanded gets its own by its registrationID.
        listed = self._fingerprints.get(fingerprint or "")
        moved = ven.fingerprint is None or _names_both(listed, ven, fingerprint)
        self._check_certificate(ven, fingerprint, moved=moved)
        return Sender(ven=ven, fingerprint=fingerprint)

    def _namesake(self, name: str, fingerprint: str | None, admitted: Admitted | None) -> VenState | None:
        """R406: a VEN that registers without IDs is known by its name, unless its certificate says that it is another.

        A name is no identity, so with another certificate it is another VEN; a name that the operator has listed is
        that of one VEN only.
        """
        ven = self._directory.named(name) if name else None
        if ven is None or ven.fingerprint == fingerprint:
            return ven
        if ven.fingerprint is None and self._config.identity is not IdentityPolicy.CERTIFICATE:
            return ven
        return ven if admitted is not None and admitted.ven_name == name else None

    def _admit(self, name: str, ven_id: str | None, fingerprint: str | None) -> Admitted | None:
        if self._config.admitted is None:
            return None
        found = self._fingerprints.get(fingerprint or "") or self._ids.get(ven_id or "") or self._names.get(name)
        if (
            found is None
            or (found.ven_name and name and found.ven_name != name)
            or (found.fingerprint and plain(found.fingerprint) != fingerprint)
        ):
            raise NotAuthorized(f"{shown(name)} is not admitted", rule="R517")
        return found

    def _check_certificate(self, ven: VenState, fingerprint: str | None, *, moved: bool = False) -> None:
        """The certificate is that of the VEN. ``moved``: the VEN may take this one from now on."""
        if moved or ven.fingerprint == fingerprint:
            return
        if ven.fingerprint is not None:
            raise NotAuthorized(f"the certificate is not that of {shown(ven.ven_id)}", rule="R517")
        if self._config.identity is IdentityPolicy.CERTIFICATE:
            raise NotAuthorized(f"{shown(ven.ven_id)} has registered without a certificate", rule="R517")


def _check_claim(own: VenState | None, claimed: str | None) -> None:
    """A certificate that is known is good for its own VEN only."""
    if own is not None and claimed not in (None, own.ven_id):
        raise InvalidID(f"the certificate is not that of {shown(claimed)}", rule="R517")


def _names_both(admitted: Admitted | None, ven: VenState, fingerprint: str | None) -> bool:
    """Whether the operator has listed this certificate for this VEN: so a VEN gets a new certificate."""
    if admitted is None or not admitted.fingerprint or plain(admitted.fingerprint) != fingerprint:
        return False
    return admitted.ven_id == ven.ven_id or (not admitted.ven_id and admitted.ven_name == ven.ven_name)


_DOORS: Final[Mapping[Who, Callable[[Door, Any, str | None], Sender]]] = MappingProxyType(
    {Who.ANYBODY: Door._anybody, Who.NEWCOMER: Door._newcomer, Who.MEMBER: Door._member}
)
