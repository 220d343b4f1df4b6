"""Bytes to messages and back for a VTN: whose signatures it believes, what it signs, and what it has seen (R514).

It stands alone because everything else of the VTN works with messages. Signatures need an extra
(``oadr[security]``), which is imported with the first message that needs it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

import attrs

from ..engine import Now
from ..engine.copying import evolve
from ..model import Payload
from ..security.names import Style
from ..security.replay import WINDOW, ReplayGuard
from ..wire import decode, encode
from .config import VtnConfig
from .replies import NotServed
from .state import Turn, VenState

if TYPE_CHECKING:
    from ..security import SignedEnvelope, Signer, Trust

MOST_STRANGERS: Final = 1_000
"""Signers without a registration that are remembered: some 10 MB at worst."""
STRANGER_MESSAGES: Final = 64
"""Messages remembered of each: it can ask and register, and needs two for that."""
_MARK: Final = re.compile(rb"[<:]Signature[\s/>]")
"""The tag that every signature begins with, whatever else it lacks; a name cannot be written otherwise."""


@attrs.frozen
class Letter:
    """A message that was read. ``signed`` is there when it was signed and the signature is believed."""

    payload: Payload
    signed: SignedEnvelope | None = None

    @property
    def signer(self) -> str | None:
        """The fingerprint of the certificate that has signed."""
        return None if self.signed is None else self.signed.signer


class Letters:
    """What is written and read. ``signer`` signs everything that is written.

    ``trust`` says whose signatures are believed, and whether an unsigned message passes; beside that, a certificate
    that the carrier has seen is believed for its own messages. Without ``trust`` and without a certificate from the
    carrier signatures are not looked at. ``note`` is told what is remembered of a stranger.
    """

    def __init__(
        self,
        config: VtnConfig,
        note: Callable[[str, ReplayGuard | None], None],
        *,
        signer: Signer | None = None,
        trust: Trust | None = None,
    ) -> None:
        self._limits = config.limits.document
        self._signer = signer
        self._signers = {} if signer is None else {style: evolve(signer, style=style) for style in Style}
        self._trust = trust
        self._required = trust is not None and trust.required
        self._note = note
        self.strangers: dict[str, ReplayGuard] = {}
        """What signers without a registration have sent lately, by their fingerprints."""

    # --- bytes ------------------------------------------------------------------------------------------------------

    def read(self, data: bytes, certificate: str | None, now: Now) -> Letter:
        """Read unauthenticated bytes; ``certificate`` is the fingerprint that the carrier has seen, if any.

        A signed message is verified, and built from nothing but what was signed. Raises
        :class:`~oadr_core.errors.RemoteError`.
        """
        if self._required or _MARK.search(data):
            trust = self._trust_in(certificate)
            if trust is not None:
                from ..security import SignedEnvelope, open_envelope  # an extra, and not needed without signatures

                envelope = open_envelope(data, trust=trust, now=now.wall, limits=self._limits)
                return Letter(envelope.payload, envelope if isinstance(envelope, SignedEnvelope) else None)
        return Letter(decode(data, limits=self._limits).payload)

    def write(self, payload: Payload, turn: Turn, *, answering: Letter | None = None, to: str = "") -> bytes:
        """The bytes of a message, signed if there is a signer; ``answering`` is the message that it answers, ``to``
        tells apart what one step writes to several VENs.

        A peer that signs with a reference of the other style gets the same style back: there are some that can
        verify only their own. Raises :class:`~oadr_core.errors.LocalError` for what cannot be written.
        """
        if self._signer is None:
            return encode(payload)
        from ..security import seal

        signed = None if answering is None else answering.signed
        signer = self._signer if signed is None else self._signers[signed.style]
        return seal(payload, signer=signer, now=turn.now.wall, nonce=turn.token("nonce", to))

    def _trust_in(self, certificate: str | None) -> Trust | None:
        if not certificate:
            return self._trust
        from ..security import Trust

        if self._trust is None:
            return Trust(fingerprints=(certificate,), required=False)
        return evolve(self._trust, fingerprints=(*self._trust.fingerprints, certificate))

    # --- replays ----------------------------------------------------------------------------------------------------

    def guard(self, ven: VenState | None, envelope: SignedEnvelope, now: Now) -> ReplayGuard:
        """What is remembered of the signer once this message has been accepted.

        Raises :class:`~oadr_core.security.Replayed` and others for a message that was seen before.
        """
        before = None if ven is None else ven.guard
        if before is None:
            before = self.strangers.get(envelope.signer)
        if before is None:
            self._check_room(now.wall)
            before = self._new_guard(STRANGER_MESSAGES)
        if ven is not None:
            before = attrs.evolve(before, most=self._new_guard().most)
        return before.accept(envelope.timestamp, envelope.nonce, now=now.wall)

    def remember(self, envelope: SignedEnvelope, guard: ReplayGuard, ven: VenState | None, now: Now) -> VenState | None:
        """Keep the guard: with the VEN, or apart for a signer that is not, or no more, registered."""
        if ven is not None:
            self._forget(envelope.signer)
            return attrs.evolve(ven, guard=guard)
        for signer in [signer for signer, old in self.strangers.items() if _is_over(old, now.wall)]:
            self._forget(signer)
        self.strangers[envelope.signer] = guard
        self._note(envelope.signer, guard)
        return None

    def _forget(self, signer: str) -> None:
        if self.strangers.pop(signer, None) is not None:
            self._note(signer, None)

    def _new_guard(self, most: int | None = None) -> ReplayGuard:
        window = WINDOW if self._trust is None else self._trust.window
        return ReplayGuard(window=window) if most is None else ReplayGuard(window=window, most=most)

    def _check_room(self, now: datetime) -> None:
        if len(self.strangers) >= MOST_STRANGERS and not any(_is_over(old, now) for old in self.strangers.values()):
            raise NotServed(f"{len(self.strangers)} signers that are not registered have just been here")


def _is_over(guard: ReplayGuard, now: datetime) -> bool:
    """Whether all that a guard remembers would be refused for its age anyway."""
    return not guard.seen or guard.seen[-1][0] < now - guard.window.past
