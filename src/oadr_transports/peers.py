"""Which certificate a peer has: from its TLS connection, or from the header of a proxy that is trusted by name.

It stands alone because this is the one place where a claim of HTTP becomes an identity. A header counts only from the
address of a named proxy, and from such an address nothing else counts: the TLS connection there is the proxy's own.
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import unquote_to_bytes

from oadr_core.errors import LocalError, shown
from oadr_core.security import fingerprint, normal_fingerprint
from oadr_core.security.fingerprints import der_of

from .asgi import Refused, Scope

logger = logging.getLogger("oadr")

CLIENT_CERT: Final = "Client-Cert"
"""The header of RFC 9440."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_ELEMENT: Final = re.compile(r'\s*([A-Za-z]+)=("(?:[^"\\]|\\.)*"|[^;,"]*)\s*(;|,|$)')


class Peers:
    """Finds the fingerprint of the certificate that a request came with.

    ``trusted_proxies``: addresses, or networks such as ``10.0.0.0/8``, of the proxies that end TLS before this server.
    ``client_cert_header``: the header in which they hand the client's certificate on. ``Client-Cert`` has the form of
    RFC 9440, ``X-Forwarded-Client-Cert`` that of Envoy; any other has PEM, percent-encoded, as nginx writes it
    (``$ssl_client_escaped_cert``).

    Raises :class:`~oadr_core.errors.LocalError` for what is no address or no header's name.
    """

    def __init__(self, trusted_proxies: Iterable[str] = (), client_cert_header: str = CLIENT_CERT) -> None:
        if isinstance(trusted_proxies, str):
            raise LocalError(f"a list of addresses is expected, not {trusted_proxies!r}", path="trusted_proxies")
        self.proxies = tuple(_network(each) for each in trusted_proxies)
        if not _TOKEN.fullmatch(str(client_cert_header)):
            raise LocalError(f"the name of a header is expected, not {client_cert_header!r}", path="client_cert_header")
        self.header = str(client_cert_header)
        self._name = self.header.lower().encode()
        self._read = _FORMS.get(self.header.lower(), _escaped_pem)

    def fingerprint(self, scope: Scope) -> str | None:
        """The fingerprint of the client's certificate; ``None`` when there is none.

        Raises :class:`~oadr_transports.asgi.Refused` (403, R517) for a certificate that cannot be read, has expired,
        or is there more than once.
        """
        copies = [bytes(value) for name, value in scope["headers"] if name.lower() == self._name]
        if self._is_proxy(scope):
            return self._from_header(copies)
        if copies and self.proxies:
            peer = (scope.get("client") or ("somebody",))[0]
            logger.warning("the header %s of %s is ignored, which is no trusted proxy", self.header, peer)
        return _from_connection(scope)

    def _is_proxy(self, scope: Scope) -> bool:
        if not self.proxies or not scope.get("client"):
            return False
        try:
            address = ip_address(str(scope["client"][0]).partition("%")[0])
        except ValueError:  # not an address, but for instance the path of a socket
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self.proxies)

    def _from_header(self, copies: list[bytes]) -> str | None:
        if len(copies) > 1:
            raise Refused(HTTPStatus.FORBIDDEN, f"the header {self.header} is there {len(copies)} times")
        if not copies or not copies[0].strip():
            return None
        try:
            return self._read(copies[0].decode("ascii").strip())
        except ValueError as error:  # LocalError is one, and so are all errors of decoding
            text = f"the header {self.header} has no certificate that can be read: {error}"
            raise Refused(HTTPStatus.FORBIDDEN, text) from None


def certificate_of(scope: Scope) -> bytes | None:
    """The certificate that the client has shown in the TLS handshake, in DER; ``None`` when there is none.

    Raises :class:`~oadr_transports.asgi.Refused` (403, R516) for one that has expired since.
    """
    tls = (scope.get("extensions") or {}).get("tls") or {}
    chain = list(tls.get("client_cert_chain") or ())
    if not chain:
        return None
    if error := tls.get("client_cert_error"):
        raise Refused(HTTPStatus.FORBIDDEN, f"the client certificate is not accepted: {shown(error)}")
    return der_of(chain[0].encode())


def _from_connection(scope: Scope) -> str | None:
    der = certificate_of(scope)
    return None if der is None else fingerprint(der)


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(str(text))
    except ValueError as error:
        text = f"the address of a proxy, or a network such as 10.0.0.0/8, is expected: {error}"
        raise LocalError(text, path="trusted_proxies") from None
    if not network.prefixlen:
        raise LocalError(f"{network} is everybody, and whoever is trusted can be any VEN", path="trusted_proxies")
    return network


def _rfc9440(value: str) -> str:
    """A byte sequence: base64 between colons (RFC 9440, section 2.1; RFC 8941, section 3.3.5)."""
    if len(value) < 2 or not value.startswith(":") or not value.endswith(":"):
        raise ValueError("base64 between two colons is expected (RFC 9440)")
    try:
        return fingerprint(base64.b64decode(value[1:-1], validate=True))
    except binascii.Error as error:
        raise ValueError(f"its base64 text is damaged: {error}") from None


def _escaped_pem(value: str) -> str:
    """PEM, percent-encoded. A comma is what joins copies of a header, of which the first may be the client's own."""
    if "," in value or ";" in value:
        raise ValueError("there is more than one value: let the proxy set the header, not append to it")
    pem = unquote_to_bytes(value)
    if b"-----BEGIN " not in pem:
        raise ValueError("PEM, percent-encoded, is expected")
    return fingerprint(pem)


def _envoy(value: str) -> str:
    """``Key=value;Key="value"`` with the keys Cert (escaped PEM) and Hash (SHA-256, in hexadecimal digits).

    Elements of several hops are separated by commas. Only one is taken: the first may be the client's own invention,
    the last the certificate of another proxy.
    """
    found: dict[str, str] = {}
    at = 0
    while at < len(value):
        match = _ELEMENT.match(value, at)
        if match is None:
            raise ValueError("Key=value;Key=value is expected, as Envoy writes it")
        name, text, end = match.groups()
        if end == ",":
            raise ValueError("there are several certificates: let the proxy set the header (SANITIZE_SET), not append")
        if name.lower() in found and name.lower() in _ENVOY_KEYS:
            raise ValueError(f"{name} is there twice")
        found[name.lower()] = re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text
        at = match.end()
    if "cert" in found:
        return _escaped_pem(found["cert"])
    if "hash" in found:
        return normal_fingerprint(found["hash"])[-_SHOWN:]
    raise ValueError("neither Cert nor Hash is there: let the proxy forward one")


_ENVOY_KEYS: Final = ("cert", "hash")
_SHOWN: Final = 29
"""Characters of ten bytes in pairs: the end of a whole digest is the fingerprint (profile section 10.5.1)."""
_FORMS: Final[dict[str, Callable[[str], str]]] = {"client-cert": _rfc9440, "x-forwarded-client-cert": _envoy}
