"""The examination: what is done at each step.

It stands alone as what a client does, taken apart. What is seen comes from :mod:`.probe`, what it means from
:mod:`.judge`; :mod:`.walk` puts the steps together.
"""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from socket import SOCK_STREAM
from typing import Any, Final
from urllib.parse import quote, urlsplit

import attrs

from oadr_core import DEFAULT_LIMITS, Envelope, LocalError, RemoteError, decode, encode
from oadr_core.model import CreatedPartyRegistration, QueryRegistration, ServiceName

from ..options import checked_files, checked_url, signer_of, trust_of
from ..tls import client_context, explain
from . import judge, probe, telling
from .evidence import or_plain_http, outside_its_time, trusted, what_it_would_take
from .findings import Finding, Step
from .steps import Diagnosis
from .walk import Found, Skip, Walk

TIMEOUT_S: Final = 10.0
"""How long one step may take."""
SOON: Final = timedelta(days=30)
"""A certificate that ends so soon is worth a note."""

_ALERT: Final = b"\x15\x03"
"""How an alert of TLS begins (RFC 8446, 5.1)."""
_SERVICE: Final = ServiceName.EI_REGISTER_PARTY


@attrs.frozen(kw_only=True)
class Options:
    """What a VEN would be started with, and how long one step may take (``timeout_s``, in seconds)."""

    url: str
    cert: Path | None = None
    key: Path | None = None
    passphrase: str | None = None
    ca_file: Path | None = None
    vtn_fingerprints: tuple[str, ...] = ()
    ven_name: str | None = None
    timeout_s: float = TIMEOUT_S


def examine(options: Options) -> Diagnosis:
    """Take all steps in order. After one that fails, the rest is skipped, for it would fail for the same reason.

    Asks the VTN what it offers (``oadrQueryRegistration``) and changes nothing there. Never raises for what is wrong
    with the files, the network or the VTN.
    """
    with ExitStack() as open_sockets:
        return _Examination(options, open_sockets).run()


class _Examination:
    def __init__(self, options: Options, open_sockets: ExitStack) -> None:
        self._options = options
        self._open = open_sockets
        self._timeout = options.timeout_s
        places = {
            "timeout": f"{options.timeout_s:g} s",
            "ven": repr(options.ven_name) if options.ven_name else "this VEN",
            "own": "(none)" if options.cert is None else str(options.cert),
            "ca": "the authorities of this system" if options.ca_file is None else str(options.ca_file),
            "own_fingerprint": "(none is known: its certificate was not given with --cert)",
        }
        self._walk = Walk(places)
        self._secure = options.url.lower().startswith("https:")
        self._host, self._port, self._path = "", 0, ""
        self._context: ssl.SSLContext | None = None
        self._signer: Any = None
        self._addresses: list[Any] = []
        self._socket: Any = None
        self._seen = probe.Seen()
        self._answer: probe.Answer | None = None

    def run(self) -> Diagnosis:
        """Take all steps."""
        return self._walk.run(self._options.url, self._steps())

    def _steps(self) -> dict[Step, Callable[[], str]]:
        return {
            Step.URL: self._url,
            Step.FILES: self._files,
            Step.NAME: self._name,
            Step.CONNECTION: self._connection,
            Step.TLS: self._tls,
            Step.CHAIN: self._chain,
            Step.HOST: self._host_name,
            Step.CLIENT: self._client,
            Step.FINGERPRINT: self._fingerprint,
            Step.HTTP: self._http,
            Step.CLOCK: self._clock,
            Step.REGISTRATION: self._registration,
        }

    # --- the steps, in order ----------------------------------------------------------------------------------------

    def _url(self) -> str:
        try:
            parts = urlsplit(checked_url(self._options.url))
        except LocalError as error:
            raise Found(Finding.URL_UNUSABLE, said=error.text) from None
        self._port = (443 if self._secure else 80) if parts.port is None else parts.port
        self._host = parts.hostname or ""
        self._path = quote(parts.path, safe="/%:@!$&'()*+,;=~-._")
        self._walk.places |= {"host": self._host, "port": str(self._port), "service": f"{self._path}/{_SERVICE}"}
        last = self._path.rpartition("/")[2]
        if last.lower() in {service.lower() for service in ServiceName}:
            raise Found(Finding.URL_OF_A_SERVICE, service=last)
        if not self._secure:
            self._walk.notes.append("plain HTTP: OpenADR demands TLS; this is for trying things out")
        if parts.query or parts.fragment:
            self._walk.notes.append("what follows the path is not used")
        return f"host {self._host}, port {self._port}, path {self._path or '/'}"

    def _files(self) -> str:
        options = self._options
        if options.cert is None and options.key is None and options.ca_file is None:
            raise Skip("none are given")
        try:
            files = checked_files(options.cert, options.key, options.ca_file)
            self._context = self._new_context(with_certificate=True)
            self._signer = None if options.cert is None else signer_of(files, options.passphrase)
        except (LocalError, OSError) as error:
            text = error.text if isinstance(error, LocalError) else str(error)
            finding = judge.of_files(error) if isinstance(error, LocalError) else Finding.FILES_UNUSABLE
            raise Found(finding, said=text) from None
        if options.cert is None:
            return f"authorities in {options.ca_file}"
        return self._own_certificate(options.cert)

    def _own_certificate(self, path: Path) -> str:
        from oadr_transports.certificates import read_certificates

        facts, now = read_certificates(path.read_bytes())[0], datetime.now(UTC)
        self._walk.places |= {
            "own": facts.subject,
            "own_issuer": facts.issuer,
            "own_fingerprint": facts.fingerprint,
            "own_begin": telling.day(facts.not_before),
            "own_end": telling.day(facts.not_after),
        }
        wrong = {"expired": Finding.OWN_EXPIRED, "not yet valid": Finding.OWN_NOT_YET_VALID}.get(facts.validity(now))
        if wrong is not None:
            raise Found(wrong)
        self._walk.notes += [remark for remark in facts.remarks if "server" not in remark]
        self._note_end("our certificate", facts.left(now), facts.not_after)
        return f"{telling.certificate(facts)}, fingerprint {facts.fingerprint}"

    def _name(self) -> str:
        try:
            self._addresses = probe.look_up(self._host, self._port, self._timeout)
        except (OSError, UnicodeError) as error:
            said = getattr(error, "strerror", None) or str(error)
            raise Found(judge.of_lookup(error), said=said) from None
        found = list(dict.fromkeys(address[4][0] for address in self._addresses))
        self._walk.places["address"] = " and ".join(found)
        return ", ".join(found) if found != [self._host] else "the URL has the address itself"

    def _connection(self) -> str:
        try:
            self._socket = self._open.enter_context(probe.connect(self._addresses, self._timeout))
            address, port = self._socket.getpeername()[:2]
        except OSError as error:
            raise Found(judge.of_connection(error), said=error.strerror or str(error)) from None
        self._addresses = [(self._socket.family, SOCK_STREAM, 0, "", self._socket.getpeername())]
        self._walk.places["address"] = address
        if proxy := telling.proxy_for(self._options.url, self._host):
            self._walk.notes.append(f"a VEN would go through the proxy of the environment, {proxy}; this does not")
        return f"{address} port {port}"

    def _tls(self) -> str:
        if not self._secure:
            raise Skip("the URL begins with http:")
        context = self._context or self._new_context(with_certificate=True)
        self._socket, self._seen = probe.shake_hands(self._socket, context, self._host, self._timeout)
        if self._socket is not None:
            self._open.enter_context(self._socket)
        if self._seen.chain:
            self._know_server(self._seen.chain)
        if self._seen.error is not None:
            raise self._handshake_failed(self._seen.error, context)
        if not self._seen.suite.startswith(("TLS_", "ECDHE-", "DHE-")):
            self._walk.notes.append("without forward secrecy: who gets the server's key can read what was recorded")
        return f"{self._seen.version}, {self._seen.suite}"

    def _chain(self) -> str:
        if not self._secure:
            raise Skip("there is no TLS")
        facts, now = self._server, datetime.now(UTC)
        self._note_end("the server's certificate", facts.left(now), facts.not_after)
        by = "itself" if facts.self_signed else facts.issuer
        return f"{telling.certificate(facts)}, issued by {by}"

    def _host_name(self) -> str:
        if not self._secure:
            raise Skip("there is no TLS")
        return f"the certificate is for {self._host}"

    def _client(self) -> str:
        if not self._secure:
            raise Skip("there is no TLS")
        error = probe.verdict(self._socket, self._timeout)
        if error is not None:
            raise self._refused(error)
        if self._options.cert is None:
            return "none is given, and the server does not insist on one"
        stranger = self._new_context(with_certificate=False)
        try:
            if probe.refuses_strangers(self._addresses, self._host, stranger, self._timeout):
                return "accepted; without one the server hangs up"
        except OSError:
            return "accepted"
        self._walk.notes.append("the server takes connections without a client certificate, too")
        return "given, but the server does not insist on one"

    def _fingerprint(self) -> str:
        if not self._secure:
            raise Skip("there is no TLS")
        from oadr_core.security import normal_fingerprint
        from oadr_core.security.fingerprints import matches

        wanted = [normal_fingerprint(each) for each in self._options.vtn_fingerprints]
        if not wanted:
            return f"{self._server.fingerprint} (not compared: none is given)"
        if not any(matches(each, self._seen.chain[0]) for each in wanted):
            raise Found(Finding.OTHER_FINGERPRINT, wanted=" or ".join(wanted))
        return f"{self._server.fingerprint}, as given"

    def _http(self) -> str:
        name = f"[{self._host}]" if ":" in self._host else self._host.encode("idna").decode("ascii")
        default = self._port == (443 if self._secure else 80)
        header = name if default else f"{name}:{self._port}"
        try:
            self._answer = probe.post(
                self._socket, header, f"{self._path}/{_SERVICE}", self._query(), self._timeout
            )
        except TimeoutError:
            self._maybe_tls()
            raise Found(Finding.HTTP_SILENT) from None
        except probe.Unanswered as error:
            self._maybe_tls()
            raise self._unanswered(error) from None
        except probe.Garbled as error:
            self._maybe_tls(error.data)
            finding = Finding.CUT_SHORT if error.cut else Finding.NOT_HTTP
            raise Found(finding, said=error, excerpt=telling.excerpt(error.data)) from None
        except probe.TooLarge:
            raise Found(Finding.TOO_LARGE, said=f"{DEFAULT_LIMITS.bytes} bytes") from None
        answer = self._answer
        media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        self._walk.places |= {
            "status": str(answer.status),
            "type": media_type or "no type",
            "excerpt": telling.excerpt(answer.body),
            "location": answer.headers.get("location", "nowhere"),
        }
        if wrong := judge.of_reply(answer.status, media_type, answer.body):
            if answer.status == HTTPStatus.BAD_REQUEST:
                self._maybe_tls()
            raise Found(wrong, said=f"HTTP {answer.status}")
        if "transfer-encoding" in answer.headers:
            self._walk.notes.append("the answer comes in chunks, without Content-Length (R53)")
        if media_type != "application/xml":
            self._walk.notes.append(f"the type is {media_type or 'missing'}, not application/xml (R53)")
        return f"{answer.status}, {media_type or 'no type'}, {len(answer.body)} bytes"

    def _clock(self) -> str:
        assert self._answer is not None
        try:
            date = parsedate_to_datetime(self._answer.headers["date"])
        except (KeyError, ValueError):
            raise Skip("the answer has no Date header") from None
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        skew = judge.clock_skew(date, self._answer.sent, self._answer.received)
        finding = judge.of_clock(skew)
        if finding is not None:
            raise Found(finding, skew=telling.span(abs(skew)))
        return f"{telling.span(abs(skew))} apart" if skew else "as ours"

    def _registration(self) -> str:
        assert self._answer is not None
        envelope = self._open_answer(self._answer.body)
        self._walk.notes += [f"deviation: {each}" for each in envelope.deviations]
        payload = envelope.payload
        response = getattr(payload, "ei_response", None)
        finding = judge.of_answer(payload)
        if finding is not None:
            name, code = type(payload).__element__.partition(":")[2], getattr(response, "response_code", judge.OK)
            said = telling.offered(payload) if code == judge.OK else telling.said(response)
            raise Found(finding, message=name, code=code, said=said)
        assert isinstance(payload, CreatedPartyRegistration)
        known = f", knows this VEN as {payload.ven_id}" if payload.ven_id else ""
        signed = ", signed" if envelope.signed else ""
        return f"VTN {payload.vtn_id} offers {telling.offered(payload)}{known}{signed}"

    # --- parts of the steps -----------------------------------------------------------------------------------------

    def _new_context(self, *, with_certificate: bool) -> ssl.SSLContext:
        options = self._options
        if not with_certificate:
            return client_context(ca_file=options.ca_file)
        return client_context(options.cert, options.key, options.passphrase, options.ca_file)

    def _know_server(self, chain: tuple[bytes, ...]) -> None:
        """Remember what the server's certificate says; it is not believed yet."""
        from oadr_transports.certificates import facts_of

        self._server = facts_of(chain[0])  # OpenSSL has read it before
        self._walk.places |= {
            "subject": self._server.subject,
            "issuer": self._server.issuer,
            "names": ", ".join(self._server.names) or "no host at all",
            "fingerprint": self._server.fingerprint,
        }

    def _note_end(self, whose: str, left: timedelta, end: datetime) -> None:
        if left < SOON:
            self._walk.notes.append(f"{whose} ends soon, on {telling.day(end)}")

    def _handshake_failed(self, error: OSError, context: ssl.SSLContext) -> Found:
        finding = judge.of_handshake(
            error,
            shown=bool(self._seen.chain),
            given=self._options.cert is not None,
            authorities=self._options.ca_file is not None,
        )
        so_far = ", ".join(filter(None, (self._seen.version, self._seen.suite)))
        seen: dict[str, object] = {"said": explain(error), "so_far": so_far}
        finding = or_plain_http(finding, self._addresses, self._host, self._timeout)
        if finding in (Finding.TLS_TOO_OLD, Finding.NO_SUITE):
            seen |= what_it_would_take(self._addresses, self._host, context, self._timeout)
        elif finding in (Finding.CHAIN_EXPIRED, Finding.CHAIN_NOT_YET_VALID):
            seen |= outside_its_time(self._seen.chain, self._options.ca_file)
        elif finding is Finding.OTHER_AUTHORITY:
            seen |= trusted(self._options.ca_file)
        return Found(finding, **seen)

    def _refused(self, error: OSError) -> Found:
        """The handshake was fine for us, and then the server broke off: in TLS 1.3 that is about our certificate."""
        given = self._options.cert is not None
        finding = judge.of_handshake(error, shown=True, given=given, authorities=True)
        return Found(finding, said=explain(error))

    def _unanswered(self, error: probe.Unanswered) -> Found:
        """Nothing came: a late alert of TLS is about our certificate, all else is just silence."""
        cause = error.error
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
            return self._refused(cause)
        return Found(Finding.NO_ANSWER, said="no reason given" if cause is None else explain(cause))

    def _maybe_tls(self, said: bytes = b"") -> None:
        """Find out whether plain HTTP was sent to a TLS server: it ``said`` an alert, or takes a handshake."""
        if self._secure:
            return
        if said.startswith(_ALERT):
            raise Found(Finding.TLS_PORT)
        try:
            found = probe.look(self._addresses, self._host, min(self._timeout, 2.0))
        except OSError:
            return
        if found.version or found.chain:
            raise Found(Finding.TLS_PORT)

    def _query(self) -> bytes:
        """The question, signed as a VEN with a certificate signs."""
        payload = QueryRegistration(request_id=secrets.token_hex(8))
        if self._signer is None:
            return encode(payload)
        from oadr_core import seal

        return seal(payload, signer=self._signer, now=datetime.now(UTC), nonce=secrets.token_hex(16))

    def _open_answer(self, body: bytes) -> Envelope:
        """The message in the answer, believed as a VEN would believe it."""
        trust = trust_of(self._options.vtn_fingerprints)
        try:
            if trust is None:
                return decode(body)
            from oadr_core import open_envelope

            return open_envelope(body, trust=trust, now=datetime.now(UTC))
        except RemoteError as error:
            finding = judge.of_document(error, body)
            said = error.text if finding is Finding.NOT_XML else str(error)
            raise Found(finding, said=said) from None
