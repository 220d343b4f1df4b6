"""The TLS contexts of all transports, and words for what goes wrong with them.

It stands alone because the secure channel is set up in one place: TLS 1.2 or later, mutual, with the cipher suites
that the profile demands (R67, profile sections 9.2 and 10.4), and no failure without a message that says which file,
or what to do.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeAlias

from oadr_core import LocalError
from oadr_core.security import fingerprint, normal_fingerprint
from oadr_core.security.fingerprints import matches

StrPath: TypeAlias = str | os.PathLike[str]


class Level(StrEnum):
    """Which protocol versions and cipher suites are offered."""

    PROFILE = "profile"
    """The profile to the letter: TLS 1.2 and its two suites, nothing else. For certification."""
    COMPATIBLE = "compatible"
    """Modern suites with forward secrecy first, the profile's two behind them, TLS 1.3 where both have it."""
    MODERN = "modern"
    """As ``compatible``, without RSA key exchange: a peer that has only ``AES128-SHA256`` is refused."""


_PROFILE_ECDSA: Final = "ECDHE-ECDSA-AES128-SHA256"
_PROFILE_RSA: Final = "AES128-SHA256"
_FORWARD_SECRET: Final = ("ECDHE+AESGCM", "ECDHE+CHACHA20", _PROFILE_ECDSA, "ECDHE-RSA-AES128-SHA256")
SUITES: Final = {
    Level.PROFILE: (_PROFILE_ECDSA, _PROFILE_RSA),
    Level.COMPATIBLE: (*_FORWARD_SECRET, _PROFILE_RSA),
    Level.MODERN: _FORWARD_SECRET,
}
"""The suites below TLS 1.3 in OpenSSL's names, best first. Python's own default has no ``AES128-SHA256``."""


def client_context(
    cert: StrPath | None = None,
    key: StrPath | None = None,
    passphrase: str | bytes | None = None,
    ca_file: StrPath | None = None,
    check_hostname: bool = True,
    level: Level = Level.COMPATIBLE,
    *,
    fingerprints: Sequence[str] = (),
) -> ssl.SSLContext:
    """The context of a client: a VEN that polls, or a VTN that pushes.

    ``cert`` and ``key`` are PEM files (``key`` may be left out when ``cert`` holds both), ``passphrase`` opens an
    encrypted key. ``ca_file`` has the authorities that the server's certificate must come from, PEM or DER; without
    it, those of the system count. ``check_hostname`` may be off where the fingerprint is the identity, as when a VTN
    pushes to a VEN; the chain is checked all the same. ``fingerprints``: a server whose certificate has none of these
    is refused before anything is sent to it.

    Raises :class:`~oadr_core.LocalError`, which names the file.
    """
    context = _context(ssl.PROTOCOL_TLS_CLIENT, level)
    if fingerprints:
        _pin(context, tuple(normal_fingerprint(each) for each in fingerprints))
    context.check_hostname = check_hostname
    if ca_file is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _load_authorities(context, ca_file)
    if cert is not None:
        _load_certificate(context, cert, key, passphrase)
    elif key is not None:
        raise LocalError(f"the key {_name(key)} is given without a certificate", path="key")
    return context


def server_context(
    cert: StrPath,
    key: StrPath | None = None,
    passphrase: str | bytes | None = None,
    ca_file: StrPath | None = None,
    *,
    also: Sequence[tuple[StrPath, StrPath]] = (),
    client_certificates: ssl.VerifyMode = ssl.CERT_REQUIRED,
    level: Level = Level.COMPATIBLE,
) -> ssl.SSLContext:
    """The context of a server: a VTN, or a VEN that is pushed to.

    ``cert``, ``key`` and ``passphrase`` are as for a client. ``also`` has certificates with keys of the other kind,
    as a VTN has one with an RSA and one with an elliptic-curve key (profile section 10.1); the passphrase is for all
    of them. ``ca_file`` has the authorities that the clients' certificates must come from; a self-signed client
    certificate may stand there itself. ``client_certificates`` is ``ssl.CERT_REQUIRED`` as the profile demands, or
    ``CERT_OPTIONAL`` or ``CERT_NONE`` where something else identifies the peer.

    Raises :class:`~oadr_core.LocalError`, which names the file.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, level)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    for pair in ((cert, key), *also):
        _load_certificate(context, *pair, passphrase)
    if client_certificates is not ssl.CERT_NONE:
        if ca_file is None:
            text = "client certificates are asked for, and there is no file of authorities to check them against"
            raise LocalError(text, path="ca_file")
        _load_authorities(context, ca_file)
    context.verify_mode = client_certificates
    return context


def peer_fingerprint(connection: ssl.SSLObject | ssl.SSLSocket | None) -> str | None:
    """The fingerprint of the certificate that the peer of a TLS connection has shown; ``None`` if it has shown none."""
    der = connection.getpeercert(binary_form=True) if connection is not None else None
    return fingerprint(der) if der else None


def explain(error: BaseException, *, established: bool = False) -> str:
    """One line for people about a connection that failed: what it is and, where known, what to do. Never empty.

    ``established``: it was a TLS connection, and to our eyes its handshake was done. In TLS 1.3 a client learns only
    then that its certificate is refused, and often sees nothing but the end of the connection.
    """
    for each in _causes(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            return f"the peer's certificate is not accepted: {getattr(each, 'verify_message', '') or _said(each)}"
        if isinstance(each, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            return _HUNG_UP  # a refused client certificate may look like this in TLS 1.3
        if isinstance(each, ssl.SSLError):
            known = _REASONS.get(_said(each))
            return f"{known} ({_said(each)})" if known else f"TLS failed: {_said(each)}"
    last = _causes(error)[-1]
    text, cause = str(error), str(last)
    said = f"{text} ({cause})" if text and cause not in text else text or cause or type(last).__name__
    return f"{said}; {_HUNG_UP}" if established else said


_HUNG_UP: Final = "the peer hung up in the middle: perhaps it wants another client certificate, or one at all"
_REASONS: Final = {
    "WRONG_VERSION_NUMBER": "the peer does not speak TLS on this port: perhaps it is plain HTTP",
    "HTTP_REQUEST": "the peer speaks plain HTTP on a TLS port",
    "RECORD_LAYER_FAILURE": "the peer does not speak TLS on this port: perhaps it is plain HTTP",
    "PACKET_LENGTH_TOO_LONG": "the peer does not speak TLS on this port",
    "UNSUPPORTED_PROTOCOL": "the peer has no version of TLS that is allowed: 1.2 is the lowest",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the peer refuses our versions of TLS: 1.2 is the lowest we offer",
    "NO_SHARED_CIPHER": "no common cipher suite: look at the level, and at the kind of the certificate's key",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the peer gave up: no common cipher suite, or no client certificate",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the peer wants a client certificate: give cert and key",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the peer has shown no client certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "the peer does not trust the authority that issued our certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the peer does not accept our certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the peer does not accept our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the peer says that our certificate has expired",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "the peer does not accept a certificate of this kind",
    "TLSV1_ALERT_DECRYPT_ERROR": "the peer could not verify our proof of the certificate's key",
    "TLSV1_ALERT_ACCESS_DENIED": "the peer denies access to our certificate",
    "TLSV1_UNRECOGNIZED_NAME": "the peer does not know the host name that it was called by",
    "UNEXPECTED_EOF_WHILE_READING": _HUNG_UP,
}
"""OpenSSL's reasons, in words."""


_MISMATCHES: Final = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})
"""What OpenSSL calls a key of another certificate."""


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what led to it, as far as it is known."""
    found: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in found:
        found.append(following)
        following = following.__cause__ or following.__context__
    return found


def _context(side: Any, level: Level) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if level is Level.PROFILE:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    # An intermediate authority, or the peer's own certificate, is enough of an anchor.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.set_ciphers(":".join(SUITES[Level(level)]))
    except ssl.SSLError as error:
        raise LocalError(f"this OpenSSL has none of the suites of {level}: {_said(error)}", path="level") from None
    return context


def _pin(context: ssl.SSLContext, trusted: tuple[str, ...]) -> None:
    """Every connection of the context, whoever makes it, is one with a server that has a trusted fingerprint."""

    class PinnedObject(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            check_pin(self.getpeercert(binary_form=True), trusted)

    class PinnedSocket(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            check_pin(self.getpeercert(binary_form=True), trusted)

    context.sslobject_class = PinnedObject
    context.sslsocket_class = PinnedSocket


def check_pin(der: bytes | None, trusted: Sequence[str]) -> None:
    """Raises ``ssl.SSLCertVerificationError`` unless the certificate has one of these fingerprints, in normal form."""
    if not der or not any(matches(each, der) for each in trusted):
        seen = fingerprint(der) if der else "missing"
        raise ssl.SSLCertVerificationError(1, f"its fingerprint is {seen}, and {' or '.join(trusted)} is expected")


def _load_authorities(context: ssl.SSLContext, ca_file: StrPath) -> None:
    data = _read(ca_file, "ca_file")
    try:
        if b"-----BEGIN " in data:
            context.load_verify_locations(cadata=data.decode("ascii", "replace"))
        else:
            context.load_verify_locations(cadata=data)
    except (ssl.SSLError, ValueError) as error:
        text = f"no certificate of an authority can be read from {_name(ca_file)}: {_said(error)}"
        raise LocalError(text, path="ca_file") from None


def _load_certificate(
    context: ssl.SSLContext, cert: StrPath, key: StrPath | None, passphrase: str | bytes | None
) -> None:
    asked = False

    def answer() -> str | bytes:
        """Without an answer of ours, OpenSSL would ask on the terminal."""
        nonlocal asked
        asked = True
        return passphrase or b""

    certificate = _read(cert, "cert")
    holder = certificate if key is None else _read(key, "key")
    if b"CERTIFICATE-----" not in certificate:
        raise LocalError(f"there is no PEM certificate in {_name(cert)}", path="cert")
    if b"PRIVATE KEY-----" not in holder:
        where, path = (_name(cert), "cert") if key is None else (_name(key), "key")
        raise LocalError(f"there is no PEM private key in {where}", path=path)
    try:
        context.load_cert_chain(cert, key, answer)
    except (ssl.SSLError, OSError, ValueError) as error:
        where = _name(cert if key is None else key)
        if asked and not passphrase:
            text = f"the private key in {where} is encrypted, and there is no passphrase"
        elif getattr(error, "reason", "") in _MISMATCHES:
            text = f"the private key in {where} does not belong to the certificate in {_name(cert)}"
        elif asked:
            text = f"the passphrase does not open the private key in {where}: {_said(error)}"
        else:
            text = f"the certificate in {_name(cert)} or the private key in {where} cannot be read: {_said(error)}"
        raise LocalError(text, path="key" if key is not None else "cert") from None


def _read(path: StrPath, argument: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        text = f"{_name(path)} cannot be read: {error.strerror or type(error).__name__}"
        raise LocalError(text, path=argument) from None


def _name(path: StrPath) -> str:
    return repr(os.fspath(path))


def _said(error: BaseException) -> str:
    return getattr(error, "reason", None) or str(error) or type(error).__name__
