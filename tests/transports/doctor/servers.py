"""Servers that do things wrong, each on a free port for as long as a block lasts, and certificates for them."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from oadr_core import encode
from oadr_core.model import CreatedPartyRegistration, EiResponse, Payload, Profile, ProfileName, TransportName
from oadr_transports.certificates import Issued, Kind, issue, new_authority
from oadr_transports.tls import server_context

Talk = Callable[[socket.socket], None]

HOST = "127.0.0.1"
PATH = "/OpenADR2/Simple/2.0b"
DEADLINE_S = 20.0
"""No test waits so long; a server thread that nobody ends does not wait longer."""
NOW = datetime.now(UTC)

WELCOME = CreatedPartyRegistration(
    ei_response=EiResponse(response_code="200", request_id="r-1"),
    vtn_id="vtn-1",
    oadr_profiles=(Profile(oadr_profile_name=ProfileName.B, oadr_transports=(TransportName.SIMPLE_HTTP,)),),
)


class Party:
    """The files of a party."""

    def __init__(self, folder: Path, name: str, issued: Issued) -> None:
        self.cert, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        self.cert.write_bytes(issued.certificate_pem)
        self.key.write_bytes(issued.key_pem())
        self.issued = issued

    def protected(self, passphrase: bytes) -> Path:
        """A copy of the key that wants a passphrase."""
        path = self.key.with_suffix(".protected")
        path.write_bytes(self.issued.key_pem(passphrase))
        return path


@cache
def authority(name: str) -> Issued:
    """An authority of ten years, which began a year ago."""
    return new_authority(Kind.ECC, now=NOW - timedelta(days=365))


def renewed(old: Issued) -> Issued:
    """The same authority, with a certificate that is valid now."""
    of = old.certificate
    begin, end = NOW - timedelta(days=1), NOW + timedelta(days=100)
    builder = x509.CertificateBuilder(of.issuer, of.subject, old.key.public_key(), 1, begin, end)
    for extension in of.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return Issued(certificate=builder.sign(old.key, hashes.SHA256()), key=old.key)


class Pki:
    """Parties in a folder, each made when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ca(self, name: str = "ours") -> Path:
        path = self.folder / f"ca-{name}.pem"
        path.write_bytes(authority(name).certificate_pem)
        return path

    def party(
        self,
        name: str,
        *,
        ca: str = "ours",
        host: str = HOST,
        now: datetime = NOW,
        days: int = 100,
        kind: Kind = Kind.ECC,
    ) -> Party:
        return Party(
            self.folder, name, issue(authority(ca), name=name, hosts=[host], kind=kind, now=now, days=days)
        )


@contextmanager
def serving(talk: Talk, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Talk so on every connection to the port that is yielded."""
    threads: list[threading.Thread] = []
    connections: list[socket.socket] = []

    def one(raw: socket.socket) -> None:
        with suppress(OSError), raw:
            raw.settimeout(DEADLINE_S)
            if tls is None:
                talk(raw)
            else:
                with tls.wrap_socket(raw, server_side=True) as connection:
                    connections.append(connection)
                    talk(connection)

    def accept() -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            connections.append(raw)
            threads.append(threading.Thread(target=one, args=(raw,)))
            threads[-1].start()

    listener = socket.create_server((HOST, 0))
    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for connection in connections:
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


def read_request(connection: socket.socket) -> bytes:
    """Read one request to its end; what a peer sends that is no HTTP ends with its first part."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65_536)
        data += part
        if not part or not data[:1].isalpha():
            return data
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length and (part := connection.recv(65_536)):
        body += part
    return head + b"\r\n\r\n" + body


def saying(data: bytes) -> Talk:
    """Read a request, and answer with these bytes."""

    def talk(connection: socket.socket) -> None:
        if read_request(connection):
            connection.sendall(data)

    return talk


def answering(
    body: bytes = b"",
    status: str = "200 OK",
    media_type: str = "application/xml",
    *headers: str,
    clock: timedelta | None = timedelta(),
) -> Talk:
    """Answer every request so, by a clock that is as far ahead as ``clock`` says."""

    def talk(connection: socket.socket) -> None:
        if not read_request(connection):
            return
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", f"Content-Type: {media_type}", *headers]
        if clock is not None:
            lines.append(f"Date: {format_datetime(datetime.now(UTC) + clock, usegmt=True)}")
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    return talk


def answering_with(payload: Payload, *, clock: timedelta | None = timedelta()) -> Talk:
    """Answer every request with this message."""
    return answering(encode(payload), clock=clock)


def silent(connection: socket.socket) -> None:
    """Say nothing until the peer has gone."""
    while connection.recv(65_536):
        pass


def hanging_up(connection: socket.socket) -> None:
    """Read what comes first, and hang up."""
    connection.recv(65_536)


def tls_server(party: Party, *, ca: Path | None = None, newest: bool = True) -> ssl.SSLContext:
    """A TLS server of ours: with ``ca``, it demands client certificates; without ``newest``, TLS 1.2 is its last."""
    context = server_context(
        party.cert, party.key, ca_file=ca, client_certificates=ssl.CERT_NONE if ca is None else ssl.CERT_REQUIRED
    )
    if not newest:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def odd_tls_server(party: Party, *, suites: str, newest: ssl.TLSVersion) -> ssl.SSLContext:
    """A TLS server as ours never are: old versions, other suites."""
    import warnings

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = newest
    context.set_ciphers(suites)
    context.load_cert_chain(party.cert, party.key)
    return context
