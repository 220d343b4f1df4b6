"""From what happened to what it means: errors, statuses and answers become findings.

It stands alone because it is pure: each function takes what a probe has seen and looks it up in a table, so that it
can be tried without a network. ``None`` means that there is nothing wrong.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from oadr_core import LocalError, RemoteError
from oadr_core.errors import ForbiddenXml, NotXml, UnknownMessage, WrongProfile
from oadr_core.model import CreatedPartyRegistration, Payload, ProfileName, TransportName
from oadr_core.security import SignatureError, SignatureMissing

from .findings import Finding

CLOCK_TOLERANCE: Final = timedelta(minutes=1)
"""Events begin to the second; a signed message may be off by five minutes (R514), and time goes on to drift."""
OK: Final = "200"

_PHRASES: Final = {
    "cert and key belong together": Finding.HALF_A_PAIR,
    "given without a certificate": Finding.HALF_A_PAIR,
    "does not belong to the certificate": Finding.KEY_OF_ANOTHER,
    "there is no passphrase": Finding.PASSPHRASE_MISSING,
    "the passphrase": Finding.PASSPHRASE_WRONG,
}
"""How :mod:`oadr_transports.tls` and the signer tell what is wrong with the files; the first that fits."""
_NAMES: Final = {
    socket.EAI_NONAME: Finding.NAME_UNKNOWN,
    getattr(socket, "EAI_NODATA", socket.EAI_NONAME): Finding.NAME_UNKNOWN,
    socket.EAI_AGAIN: Finding.NAME_SERVICE_SILENT,
}
_CONNECTIONS: Final = {
    errno.ECONNREFUSED: Finding.CONNECTION_REFUSED,
    errno.ETIMEDOUT: Finding.CONNECTION_SILENT,
    errno.EHOSTUNREACH: Finding.NO_ROUTE,
    errno.ENETUNREACH: Finding.NO_ROUTE,
    errno.EADDRNOTAVAIL: Finding.NO_ROUTE,
    errno.ENETDOWN: Finding.NO_ROUTE,
}
_VERIFICATIONS: Final = {
    7: Finding.CHAIN_BAD,  # X509_V_ERR_CERT_SIGNATURE_FAILURE
    9: Finding.CHAIN_NOT_YET_VALID,
    10: Finding.CHAIN_EXPIRED,
    18: Finding.SELF_SIGNED,
    19: Finding.OTHER_AUTHORITY,  # a self-signed certificate in the chain
    20: Finding.OTHER_AUTHORITY,  # no issuer
    21: Finding.OTHER_AUTHORITY,  # no issuer, and no chain
    23: Finding.CHAIN_REVOKED,
    26: Finding.NOT_FOR_SERVERS,
    62: Finding.OTHER_HOST,
    64: Finding.OTHER_ADDRESS,
    66: Finding.CHAIN_WEAK,  # its key
    67: Finding.CHAIN_WEAK,  # a key above it
    68: Finding.CHAIN_WEAK,  # a digest
}
"""OpenSSL's verification errors (x509_vfy.h)."""
_REASONS: Final = {
    **dict.fromkeys(
        (
            "HTTP_REQUEST",
            "HTTPS_PROXY_REQUEST",
            "PACKET_LENGTH_TOO_LONG",
            "RECORD_LAYER_FAILURE",
            "UNEXPECTED_MESSAGE",
            "UNKNOWN_PROTOCOL",
            "WRONG_VERSION_NUMBER",
        ),
        Finding.NOT_TLS,
    ),
    **dict.fromkeys(
        ("TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "VERSION_TOO_LOW", "WRONG_SSL_VERSION"),
        Finding.TLS_TOO_OLD,
    ),
    **dict.fromkeys(
        ("NO_CIPHERS_AVAILABLE", "NO_SHARED_CIPHER", "TLSV1_ALERT_INSUFFICIENT_SECURITY", "WRONG_CIPHER_RETURNED"),
        Finding.NO_SUITE,
    ),
    **dict.fromkeys(("DH_KEY_TOO_SMALL", "EE_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"), Finding.CHAIN_WEAK),
    "TLSV1_UNRECOGNIZED_NAME": Finding.TLS_NAME_REFUSED,
    "TLSV1_ALERT_UNKNOWN_CA": Finding.CERTIFICATE_OF_ANOTHER_AUTHORITY,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": Finding.CERTIFICATE_EXPIRED,
    "SSLV3_ALERT_CERTIFICATE_REVOKED": Finding.CERTIFICATE_REVOKED,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": Finding.CERTIFICATE_KIND,
    "TLSV1_ALERT_ACCESS_DENIED": Finding.CERTIFICATE_DENIED,
    **dict.fromkeys(
        (
            "SSLV3_ALERT_BAD_CERTIFICATE",
            "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
            "SSLV3_ALERT_NO_CERTIFICATE",
            "TLSV13_ALERT_CERTIFICATE_REQUIRED",
            "TLSV1_ALERT_DECRYPT_ERROR",
        ),
        Finding.CERTIFICATE_REFUSED,
    ),
}
"""OpenSSL's reasons: its own, and the alerts of the server."""
_AMBIGUOUS: Final = "SSLV3_ALERT_HANDSHAKE_FAILURE"
"""No common suite, or no client certificate: it depends on how far the server had come."""
_ABOUT_OURS: Final = frozenset(
    {
        Finding.CERTIFICATE_OF_ANOTHER_AUTHORITY,
        Finding.CERTIFICATE_EXPIRED,
        Finding.CERTIFICATE_REVOKED,
        Finding.CERTIFICATE_KIND,
        Finding.CERTIFICATE_DENIED,
        Finding.CERTIFICATE_REFUSED,
        Finding.CERTIFICATE_UNANSWERED,
    }
)
_STATUSES: Final = {
    400: Finding.BAD_REQUEST,
    401: Finding.UNAUTHORIZED,
    403: Finding.FORBIDDEN,
    404: Finding.NOT_FOUND,
    405: Finding.NOT_POST,
    406: Finding.NOT_ACCEPTABLE,
    407: Finding.UNAUTHORIZED,
    410: Finding.NOT_FOUND,
    415: Finding.NOT_ACCEPTABLE,
    429: Finding.TOO_MANY,
    500: Finding.INTERNAL_ERROR,
    501: Finding.NOT_IMPLEMENTED,
    502: Finding.BAD_GATEWAY,
    503: Finding.UNAVAILABLE,
    504: Finding.BAD_GATEWAY,
}
_CLASSES: Final = {3: Finding.REDIRECT, 4: Finding.CLIENT_ERROR, 5: Finding.SERVER_ERROR}
_PROXY_PHRASES: Final = (
    (b"No required SSL certificate was sent", Finding.CERTIFICATE_DEMANDED),
    (b"The SSL certificate error", Finding.CERTIFICATE_REFUSED),
    (b"plain HTTP request was sent to HTTPS port", Finding.TLS_PORT),
    (b"speaking plain HTTP to an SSL-enabled server port", Finding.TLS_PORT),
)
"""What usual proxies say in the body of a 400 when it is about TLS."""
_XML_TYPES: Final = ("application/xml", "text/xml")
_DOCUMENTS: Final[tuple[tuple[type[RemoteError], Finding], ...]] = (
    (SignatureMissing, Finding.NOT_SIGNED),
    (SignatureError, Finding.SIGNATURE_WRONG),
    (NotXml, Finding.NOT_XML),
    (WrongProfile, Finding.PROFILE_20A),
    (UnknownMessage, Finding.NOT_OPENADR),
    (ForbiddenXml, Finding.FORBIDDEN_XML),
    (RemoteError, Finding.NOT_VALID),
)
"""What the decoder raises; the first that fits."""
_NOT_AUTHORIZED: Final = ("452", "463")
"""Codes that say that a VEN is not who it should be (R517)."""


def of_files(error: LocalError) -> Finding:
    """Certificate, key and authorities that cannot be used."""
    return next((found for phrase, found in _PHRASES.items() if phrase in error.text), Finding.FILES_UNUSABLE)


def of_lookup(error: OSError | UnicodeError) -> Finding:
    """A host name that leads to no address."""
    if isinstance(error, UnicodeError):
        return Finding.NAME_UNUSABLE
    if isinstance(error, TimeoutError):
        return Finding.NAME_SERVICE_SILENT
    return _NAMES.get(error.errno or 0, Finding.NAME_FAILED)


def of_connection(error: OSError) -> Finding:
    """An address that could not be connected to."""
    if isinstance(error, TimeoutError):
        return Finding.CONNECTION_SILENT
    return _CONNECTIONS.get(error.errno or 0, Finding.CONNECTION_FAILED)


def of_handshake(error: OSError, *, shown: bool, given: bool, authorities: bool) -> Finding:
    """A TLS handshake that failed, or a connection that broke just behind it.

    ``shown``: the server had shown its certificate by then; ``given``: there is a client certificate of ours;
    ``authorities``: there is a file of authorities, otherwise those of the system count.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        found = _VERIFICATIONS.get(error.verify_code, Finding.CHAIN_BAD)
        return Finding.UNKNOWN_AUTHORITY if found is Finding.OTHER_AUTHORITY and not authorities else found
    if isinstance(error, TimeoutError):
        return Finding.TLS_SILENT
    reason = getattr(error, "reason", None) or ""
    if isinstance(error, ssl.SSLError) and not isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        if reason == _AMBIGUOUS:
            found = Finding.CERTIFICATE_REFUSED if shown else Finding.NO_SUITE
        else:
            found = _REASONS.get(reason, Finding.TLS_FAILED)
    else:  # without a word, as asyncio's servers do it
        found = Finding.CERTIFICATE_UNANSWERED if shown else Finding.TLS_HUNG_UP
    return Finding.CERTIFICATE_DEMANDED if found in _ABOUT_OURS and not given else found


def of_reply(status: int, media_type: str, body: bytes) -> Finding | None:
    """What HTTP says, before anything is read of the body but its kind."""
    if status == 400:
        for phrase, found in _PROXY_PHRASES:
            if phrase in body:
                return found
    if status != 200:
        return _STATUSES.get(status) or _CLASSES.get(status // 100, Finding.ODD_STATUS)
    if not body.strip():
        return Finding.EMPTY
    start = body.lstrip()[:200].lower()
    if media_type in ("text/html", "application/xhtml+xml") or start.startswith((b"<!doctype html", b"<html")):
        return Finding.HTML
    if media_type not in _XML_TYPES and not start.startswith(b"<") and media_type:
        return Finding.OTHER_TYPE
    return None


def of_clock(skew: timedelta) -> Finding | None:
    """How far the clock of the server is ahead of ours; negative if it is behind."""
    if abs(skew) <= CLOCK_TOLERANCE:
        return None
    return Finding.CLOCK_AHEAD if skew > timedelta() else Finding.CLOCK_BEHIND


def clock_skew(date: datetime, sent: datetime, received: datetime) -> timedelta:
    """How far the clock that wrote ``date``, in whole seconds, is ahead of the one that saw the request leave and the
    answer come; as little as the three allow.
    """
    if date > received:
        return date - received
    latest = date + timedelta(seconds=1)
    return latest - sent if latest < sent else timedelta()


def of_document(error: RemoteError, body: bytes) -> Finding:
    """An answer that could not be read; what does not even begin like XML is none, whatever else it is."""
    if not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return Finding.NOT_XML
    return next(found for kind, found in _DOCUMENTS if isinstance(error, kind))


def of_answer(payload: Payload) -> Finding | None:
    """What the VTN says to a query for registration (R403)."""
    response = getattr(payload, "ei_response", None)
    code = getattr(response, "response_code", OK)
    if code in _NOT_AUTHORIZED:
        return Finding.NOT_AUTHORIZED
    if code != OK:
        return Finding.REFUSED
    if not isinstance(payload, CreatedPartyRegistration):
        return Finding.OTHER_MESSAGE
    offers = profiles(payload)
    if ProfileName.B not in offers:
        return Finding.NO_PROFILE_20B
    return None if TransportName.SIMPLE_HTTP in offers[ProfileName.B] else Finding.NO_SIMPLE_HTTP


def profiles(payload: CreatedPartyRegistration) -> Mapping[str, tuple[str, ...]]:
    """The profiles that the VTN offers, each with its transports."""
    return {each.oadr_profile_name: tuple(each.oadr_transports) for each in payload.oadr_profiles}
