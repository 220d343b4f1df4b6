"""The secure channel of a VTN: its certificate, whom it lets in, what it signs; checked when it is given, and put in
words when it starts.

It stands alone because none of it is about running: options of files become the contexts, signers and rules that the
server and the session work with.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from oadr_core import LocalError
from oadr_core.errors import shown
from oadr_core.vtn import IdentityPolicy, VtnConfig

from .given import checked_flag, checked_passphrase, contents, path_of
from .own import OwnCertificate
from .peers import CLIENT_CERT, Peers
from .tls import Level, StrPath, client_context, server_context

if TYPE_CHECKING:
    from cryptography import x509

    from oadr_core.security import Signer, Trust

logger = logging.getLogger("oadr")

INSECURE: Final = "INSECURE (identity='insecure'): whoever names a venID is believed, unless that VEN has a certificate"
_NOBODY: Final = (
    "over plain HTTP no VEN can be known: give cert, key and ca_file, or trusted_proxies; "
    "to try things out, ask for identity='insecure'"
)
PLAIN: Final = "INSECURE: messages travel as plain HTTP, and everybody on the way can read and change them"


def _several(value: Any, name: str) -> tuple[Path, ...]:
    several = isinstance(value, Sequence) and not isinstance(value, (str, bytes))
    given = () if value is None else value if several else (value,)
    return tuple(Path(path_of(each, name)) for each in given)


def _certs(value: StrPath | Sequence[StrPath] | None) -> tuple[Path, ...]:
    return _several(value, "cert")


def _keys(value: StrPath | Sequence[StrPath] | None) -> tuple[Path, ...]:
    return _several(value, "key")


def _level(value: Any) -> Level:
    try:
        return Level(value)
    except ValueError:
        raise LocalError(f"one of {', '.join(Level)} is expected, not {shown(value)}", path="tls_level") from None


def _proxies(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise LocalError(f"a list of addresses is expected, not {shown(value)}", path="trusted_proxies")
    return tuple(value)


@attrs.frozen(kw_only=True)
class Channel:
    """What a VTN is told about its secure channel; the arguments are those of :class:`~oadr_transports.Vtn`."""

    cert: tuple[Path, ...] = attrs.field(default=(), converter=_certs)
    key: tuple[Path, ...] = attrs.field(default=(), converter=_keys)
    passphrase: str | bytes | None = attrs.field(default=None, repr=False)
    ca_file: StrPath | None = None
    disable_signature: bool = False
    require_signature: bool = False
    trusted_proxies: tuple[str, ...] = attrs.field(default=(), converter=_proxies)
    client_cert_header: str = CLIENT_CERT
    tls_level: Level = attrs.field(default=Level.COMPATIBLE, converter=_level)

    own: tuple[OwnCertificate, ...] = attrs.field(init=False)

    @own.default
    def _of_files(self) -> tuple[OwnCertificate, ...]:
        return tuple(OwnCertificate(contents(path, "cert")) for path in self.cert)

    def __attrs_post_init__(self) -> None:
        if len(self.cert) != len(self.key):
            text = f"cert and key belong together: {len(self.cert)} and {len(self.key)} are given"
            raise LocalError(text, path="key" if len(self.key) < len(self.cert) else "cert")
        checked_passphrase(self.passphrase, has_key=bool(self.key))
        checked_flag(self.disable_signature, "disable_signature")
        checked_flag(self.require_signature, "require_signature")

    def peers(self) -> Peers:
        """Who finds the certificates of the peers."""
        return Peers(self.trusted_proxies, self.client_cert_header)

    def signer(self) -> Signer | None:
        """What the VTN signs with: its first certificate. Needs ``oadr[security]``."""
        if not self.cert or self.disable_signature:
            return None
        from oadr_core.security import Signer

        return Signer.from_pem(contents(self.cert[0], "cert"), contents(self.key[0], "key"), self.passphrase)

    def trust(self, config: VtnConfig) -> Trust | None:
        """Whose signatures are believed beside the certificate of the connection: those of the authorities and of the
        VENs that are admitted by fingerprint. ``None``: nobody's.
        """
        fingerprints = tuple(one.fingerprint for one in config.admitted or () if one.fingerprint)
        if self.ca_file is None and not fingerprints:
            if self.require_signature:
                raise LocalError("signatures are required, and it is not said of whom", path="ca_file")
            return None
        from oadr_core.security import Trust

        return Trust(fingerprints=fingerprints, authorities=self._authorities(), required=self.require_signature)

    def _authorities(self) -> tuple[x509.Certificate, ...]:
        if self.ca_file is None:
            return ()
        from oadr_core.security.signing import load_certificates

        path = path_of(self.ca_file, "ca_file")
        try:
            return tuple(load_certificates(contents(Path(path), "ca_file")))
        except LocalError as error:
            raise LocalError(error.text if error.path else f"{path!r}: {error.text}", path="ca_file") from None

    def context(self, config: VtnConfig, tls: bool | None) -> ssl.SSLContext | None:
        """The TLS context of the server; ``None`` for plain HTTP.

        ``tls`` ``None``: TLS where there is a certificate, unless a proxy ends it. Raises
        :class:`~oadr_core.LocalError` where no VEN could ever be known.
        """
        insecure = config.identity is IdentityPolicy.INSECURE
        proxies = bool(self.trusted_proxies)
        if tls is None:
            tls = bool(self.cert) and not proxies
        if not tls:
            if not insecure and not proxies:
                raise LocalError(_NOBODY, path="cert")
            if not proxies:
                logger.warning(PLAIN)
            return None
        if not self.cert:
            raise LocalError("TLS needs a certificate and its key", path="cert")
        if self.ca_file is None and not insecure and not proxies:
            text = "the authorities that the VENs' certificates must come from are expected, for mutual TLS"
            raise LocalError(text, path="ca_file")
        demanded = ssl.CERT_OPTIONAL if insecure or proxies else ssl.CERT_REQUIRED
        (cert, *certs), (key, *keys) = self.cert, self.key
        return server_context(
            cert,
            key,
            self.passphrase,
            self.ca_file,
            also=tuple(zip(certs, keys, strict=True)),
            client_certificates=ssl.CERT_NONE if self.ca_file is None else demanded,
            level=self.tls_level,
        )

    def push_context(self, fingerprint: str | None) -> ssl.SSLContext:
        """The TLS context towards a VEN that messages are pushed to: it shows our certificate, and takes the VEN's
        only, where that is known.
        """
        return client_context(
            self.cert[0] if self.cert else None,
            self.key[0] if self.key else None,
            self.passphrase,
            self.ca_file,
            check_hostname=fingerprint is None,
            level=self.tls_level,
            fingerprints=() if fingerprint is None else (fingerprint,),
        )

    def announce(self, config: VtnConfig) -> None:
        """Log what VENs need to know, and what is insecure."""
        for certificate in self.own:
            certificate.announce("VTN", "VENs can check it (vtn_fingerprint)")
        if config.identity is IdentityPolicy.INSECURE:
            logger.warning(INSECURE)
