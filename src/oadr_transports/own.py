"""What both sides say of their own certificate when they start: the fingerprint to hand over, and whether it is valid.

It stands alone because client and server say the same, and because validity needs an extra (``oadr[security]``) that
TLS itself does without.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Final

import attrs

from oadr_core.security import fingerprint

logger: Final = logging.getLogger("oadr")


@attrs.frozen
class OwnCertificate:
    """A certificate of ours, in PEM or DER. Raises :class:`~oadr_core.LocalError` for what is none."""

    data: bytes = attrs.field(repr=False)
    fingerprint: str = attrs.field(init=False)

    @fingerprint.default
    def _of_data(self) -> str:
        return fingerprint(self.data)

    def announce(self, whose: str, advice: str, *, show: bool = True) -> None:
        """Log the fingerprint (``show``) with what to do with it, and an error for a certificate that is not valid:
        peers refuse it (R516).
        """
        if show:
            logger.info("the fingerprint of this %s is %s; %s", whose, self.fingerprint, advice)
        try:
            from .certificates import read_certificates
        except ModuleNotFoundError:
            return
        facts = read_certificates(self.data)[0]
        validity = facts.validity(datetime.now(UTC))
        if validity != "valid":
            span = f"{facts.not_before:%Y-%m-%d} to {facts.not_after:%Y-%m-%d}"
            logger.error("the certificate of this %s is %s (%s): peers refuse it", whose, validity, span)
