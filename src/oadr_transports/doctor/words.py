"""All that the doctor can find, in words: what is wrong, and what to do about it.

It stands alone as a table: every finding belongs to one step and has words of its own. The words have places for what
was seen, which are named in ``PLACES``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from .findings import Finding, Step


class Words(NamedTuple):
    """A row of the table."""

    step: Step
    what: str
    advice: str


PLACES: Final = frozenset(
    "address begin ca code end excerpt fingerprint host issuer location message names now offered own own_begin "
    "own_end own_fingerprint own_issuer port said service skew status subject suite timeout trusted type ven version "
    "wanted whose".split()
)
"""What the words may have places for; all are text."""

_SERVICES: Final = "EiEvent, EiReport, EiRegisterParty, EiOpt and OadrPoll"
_RIGHT_URL: Final = "it usually ends in /OpenADR2/Simple/2.0b"
_TELL_OPERATOR: Final = "give the VTN's operator the fingerprint of {ven}: {own_fingerprint}"
_REISSUE: Final = "get another from whoever issues certificates for this VTN"

_U, _F, _N, _C, _T = Step.URL, Step.FILES, Step.NAME, Step.CONNECTION, Step.TLS
_CH, _HO, _CL, _FP = Step.CHAIN, Step.HOST, Step.CLIENT, Step.FINGERPRINT
_H, _CK, _R = Step.HTTP, Step.CLOCK, Step.REGISTRATION

TABLE: Final[Mapping[Finding, Words]] = {
    Finding.URL_UNUSABLE: Words(_U, "{said}", "give the VTN's URL as its operator has told it"),
    Finding.URL_OF_A_SERVICE: Words(
        _U,
        "the URL ends with a service, {service}",
        f"leave {{service}} off: {_SERVICES} are found below the URL",
    ),
    Finding.FILES_UNUSABLE: Words(_F, "{said}", "look at the file, for instance with: oadr cert show FILE"),
    Finding.HALF_A_PAIR: Words(_F, "{said}", "give --cert and --key, each with its file"),
    Finding.KEY_OF_ANOTHER: Words(
        _F, "{said}", "give --cert and --key that were made together; what was signed with the one fits no other"
    ),
    Finding.PASSPHRASE_MISSING: Words(_F, "{said}", "give its passphrase with --passphrase-file FILE"),
    Finding.PASSPHRASE_WRONG: Words(
        _F, "{said}", "check the passphrase; in a file, it is the first line, with all its blanks"
    ),
    Finding.OWN_EXPIRED: Words(
        _F,
        "our own certificate {own} expired on {own_end}",
        f"{_REISSUE}; no VTN may accept this one (R516). The clock of this machine says {{now}}",
    ),
    Finding.OWN_NOT_YET_VALID: Words(
        _F,
        "our own certificate {own} is not valid before {own_begin}",
        "set the clock of this machine, which says {now}; if it is right, wait until the certificate is valid (R516)",
    ),
    Finding.NAME_UNKNOWN: Words(
        _N, "nobody knows the name {host}", "check its spelling in the URL, and the name service (DNS) of this machine"
    ),
    Finding.NAME_UNUSABLE: Words(_N, "{host} cannot be a host's name: {said}", "check its spelling in the URL"),
    Finding.NAME_SERVICE_SILENT: Words(
        _N,
        "the name service does not answer for {host} ({said})",
        "check that this machine is on the network and that its name servers (DNS) can be reached",
    ),
    Finding.NAME_FAILED: Words(
        _N, "the name {host} cannot be looked up: {said}", "check the name service (DNS) of this machine"
    ),
    Finding.CONNECTION_REFUSED: Words(
        _C,
        "{address} refuses connections at port {port}: nothing listens there",
        "check the port in the URL, and that the VTN runs; it may also listen on another address only",
    ),
    Finding.CONNECTION_SILENT: Words(
        _C,
        "{address} does not answer at port {port} within {timeout}",
        "a firewall between here and there probably drops connections to this port, or the address is not in use: "
        "ask the VTN's operator whether this port is open for this machine",
    ),
    Finding.NO_ROUTE: Words(
        _C,
        "there is no way to {address}: {said}",
        "check the network of this machine: its cable or radio, its gateway, a VPN that should be up",
    ),
    Finding.CONNECTION_FAILED: Words(
        _C, "no connection to {address} at port {port}: {said}", "check host and port in the URL"
    ),
    Finding.PLAIN_HTTP: Words(
        _T,
        "the server speaks plain HTTP at port {port}, without TLS",
        "give its TLS port; only if the VTN is meant to be without TLS, begin the URL with http: instead of https:",
    ),
    Finding.NOT_TLS: Words(
        _T,
        "what listens at port {port} speaks neither TLS nor HTTP",
        "check the port in the URL: another service has this one",
    ),
    Finding.TLS_SILENT: Words(
        _T,
        "the server takes the connection and then says nothing: no TLS handshake within {timeout}",
        "check the port in the URL; if it is right, the VTN, or a proxy in front of it, hangs",
    ),
    Finding.TLS_HUNG_UP: Words(
        _T,
        "the server hangs up in the middle of the TLS handshake, without a reason",
        "check the port in the URL; the VTN's log may tell why: often a firewall or a proxy lets nobody through that "
        "it does not know",
    ),
    Finding.TLS_TOO_OLD: Words(
        _T,
        "the server has no TLS version that is allowed: it speaks {version}, and 1.2 is the lowest",
        "the VTN must be brought up to TLS 1.2 (R67): tell its operator",
    ),
    Finding.NO_SUITE: Words(
        _T,
        "there is no common cipher suite: the server would take {suite}",
        "the VTN must offer one of the profile's suites, ECDHE-ECDSA-AES128-SHA256 or AES128-SHA256 (R67), or one of "
        "the others that are offered to it: {offered}",
    ),
    Finding.TLS_NAME_REFUSED: Words(
        _T,
        "the server does not know itself by the name {host}",
        "use the host name that the VTN's operator has told, not an address or another name of the same machine",
    ),
    Finding.TLS_FAILED: Words(
        _T, "there is no TLS connection: {said}", "ask the VTN's operator what its log says of this connection at {now}"
    ),
    Finding.CHAIN_EXPIRED: Words(
        _CH,
        "{whose} expired on {end}",
        "the VTN, or its authority, needs a new certificate: tell its operator. The clock of this machine says {now}: "
        "if that is wrong, set it",
    ),
    Finding.CHAIN_NOT_YET_VALID: Words(
        _CH,
        "{whose} is not valid before {begin}",
        "set the clock of this machine, which says {now}; if it is right, the VTN's operator must look at the "
        "certificate",
    ),
    Finding.SELF_SIGNED: Words(
        _CH,
        "the server's certificate {subject} is self-signed, and not one of those that are trusted here",
        "if its fingerprint {fingerprint} is what the VTN's operator says, save the certificate and give it as --ca; "
        "if not, this is not the VTN",
    ),
    Finding.UNKNOWN_AUTHORITY: Words(
        _CH,
        "the server's certificate is issued by {issuer}, which this machine does not know",
        "get the certificate of the authority from the VTN's operator, and give it as --ca FILE",
    ),
    Finding.OTHER_AUTHORITY: Words(
        _CH,
        "the server's certificate is issued by {issuer}, which is not in {ca}: there is {trusted}",
        "give the authority of this VTN as --ca; if it is the right one, the VTN does not send the certificates "
        "between its own and the authority's: its operator must add them",
    ),
    Finding.CHAIN_REVOKED: Words(
        _CH, "the server's certificate {subject} is revoked", "do not connect: ask the VTN's operator"
    ),
    Finding.NOT_FOR_SERVERS: Words(
        _CH,
        "the certificate that the server shows, {subject}, is not meant for servers",
        "the VTN must show a certificate with the usage serverAuth; it may have been given a VEN's",
    ),
    Finding.CHAIN_WEAK: Words(
        _CH,
        "the server's certificate is too weak for this machine: {said}",
        "the VTN needs a certificate with RSA of 2048 bits or P-256, and SHA-256 (R68)",
    ),
    Finding.CHAIN_BAD: Words(
        _CH,
        "the server's certificate {subject} is not accepted: {said}",
        "look at it with: oadr fingerprint {host}:{port}; and ask the VTN's operator",
    ),
    Finding.OTHER_HOST: Words(
        _HO,
        "the server's certificate is not for {host}, but for {names}",
        "use one of its names in the URL; if {host} is right, the VTN needs a certificate for it",
    ),
    Finding.OTHER_ADDRESS: Words(
        _HO,
        "the server's certificate is not for the address {host}, but for {names}",
        "put the VTN's host name in the URL instead of its address",
    ),
    Finding.CERTIFICATE_DEMANDED: Words(
        _CL,
        "the server demands a client certificate, and none is given",
        "give the VEN's certificate and key with --cert and --key",
    ),
    Finding.CERTIFICATE_OF_ANOTHER_AUTHORITY: Words(
        _CL,
        "the server does not trust the authority that issued our certificate, {own_issuer}",
        f"{_REISSUE}, or have its operator trust this authority",
    ),
    Finding.CERTIFICATE_EXPIRED: Words(
        _CL,
        "the server says that our certificate {own} has expired; it ends on {own_end}",
        f"{_REISSUE}; if it is still valid, the clock of the VTN is wrong",
    ),
    Finding.CERTIFICATE_REVOKED: Words(_CL, "the server says that our certificate {own} is revoked", _REISSUE),
    Finding.CERTIFICATE_KIND: Words(
        _CL,
        "the server does not accept a certificate of this kind: {own}",
        "its usages must name clientAuth and digitalSignature, and the VTN may want RSA or ECC: see oadr cert show",
    ),
    Finding.CERTIFICATE_DENIED: Words(
        _CL, "the server knows our certificate {own}, and denies it access", _TELL_OPERATOR
    ),
    Finding.CERTIFICATE_REFUSED: Words(
        _CL,
        "the server does not accept our certificate {own} ({said})",
        f"{_TELL_OPERATOR}; its log may tell why it was refused",
    ),
    Finding.CERTIFICATE_UNANSWERED: Words(
        _CL,
        "the server hangs up, without a reason, when it has to accept our certificate {own}, issued by {own_issuer}",
        f"give the certificate that it knows with --cert and --key; {_TELL_OPERATOR}; its log may tell why",
    ),
    Finding.OTHER_FINGERPRINT: Words(
        _FP,
        "the server's certificate has the fingerprint {fingerprint}, not {wanted}",
        "ask the VTN's operator which is right: the certificate may have been renewed, or this is not the VTN",
    ),
    Finding.TLS_PORT: Words(
        _H,
        "the server speaks TLS at port {port}, and plain HTTP was tried",
        "begin the URL with https: instead of http:",
    ),
    Finding.NO_ANSWER: Words(
        _H,
        "the server closes the connection without an answer ({said})",
        "look at the VTN's log; a proxy in front of it may have no VTN behind it, or want another client certificate",
    ),
    Finding.HTTP_SILENT: Words(
        _H,
        "no HTTP answer within {timeout}",
        "the VTN takes requests and does not answer: it hangs, or is slower than --timeout allows",
    ),
    Finding.NOT_HTTP: Words(
        _H,
        "the answer is not proper HTTP ({said}): {excerpt}",
        "check the port in the URL: another service may have this one",
    ),
    Finding.CUT_SHORT: Words(
        _H,
        "the answer ends in the middle ({said})",
        "look at the VTN's log, and at proxies between here and there: one of them breaks off",
    ),
    Finding.TOO_LARGE: Words(
        _H, "the answer is larger than {said}", "check the URL: this cannot be the answer to a query"
    ),
    Finding.REDIRECT: Words(
        _H,
        "the server redirects to {location} (HTTP {status})",
        "messages are not sent after redirects: if that is the VTN, use its URL, without the service at its end",
    ),
    Finding.BAD_REQUEST: Words(
        _H,
        "the server could not read the request (HTTP {status}): {excerpt}",
        "check the URL: what stands there may be no VTN; if it is one, its log tells what it did not like",
    ),
    Finding.UNAUTHORIZED: Words(
        _H,
        "the server wants credentials (HTTP {status}): {excerpt}",
        f"a VTN knows VENs by their certificates: {_TELL_OPERATOR}. Names with passwords are not part of OpenADR",
    ),
    Finding.FORBIDDEN: Words(
        _H,
        "the server forbids access (HTTP {status}): {excerpt}",
        f"it does not know this VEN, or not by this certificate: {_TELL_OPERATOR}",
    ),
    Finding.NOT_FOUND: Words(
        _H,
        "there is no service at {service} (HTTP {status})",
        f"check the path of the URL: {_RIGHT_URL}, perhaps with a prefix of the VTN's before it",
    ),
    Finding.NOT_POST: Words(
        _H,
        "POST is not allowed at {service} (HTTP {status})",
        f"check the path of the URL, {_RIGHT_URL}: there is something else than a VTN",
    ),
    Finding.NOT_ACCEPTABLE: Words(
        _H,
        "the server does not accept what was sent (HTTP {status}): {excerpt}",
        "it wants messages of another version or type: ask its operator whether it speaks OpenADR 2.0b",
    ),
    Finding.TOO_MANY: Words(
        _H, "the server says that it is asked too often (HTTP {status})", "wait, and poll less often"
    ),
    Finding.INTERNAL_ERROR: Words(
        _H,
        "the server failed inside (HTTP {status}): {excerpt}",
        "this is for the VTN's operator: its log at {now} tells what happened",
    ),
    Finding.NOT_IMPLEMENTED: Words(
        _H,
        "the server does not do this (HTTP {status}): {excerpt}",
        "check the URL; a VTN without registration may be one of OpenADR 2.0a",
    ),
    Finding.BAD_GATEWAY: Words(
        _H,
        "the proxy in front of the VTN does not reach it (HTTP {status})",
        "the network is right as far as the proxy: the VTN behind it is down. Tell its operator",
    ),
    Finding.UNAVAILABLE: Words(
        _H,
        "the server is overloaded or being serviced (HTTP {status}): {excerpt}",
        "wait and try again; a VEN does so by itself",
    ),
    Finding.CLIENT_ERROR: Words(
        _H, "the server refuses the request with HTTP {status}: {excerpt}", "check the URL, and ask the VTN's operator"
    ),
    Finding.SERVER_ERROR: Words(
        _H, "the server could not answer, HTTP {status}: {excerpt}", "tell the VTN's operator, whose log says more"
    ),
    Finding.ODD_STATUS: Words(
        _H, "the server answers with HTTP {status}, which no VTN does", f"check the URL: {_RIGHT_URL}"
    ),
    Finding.EMPTY: Words(
        _H,
        "the server answers HTTP 200 with an empty body",
        f"check the URL: {_RIGHT_URL}. A query for registration always has an answer",
    ),
    Finding.HTML: Words(
        _H,
        "the server answers with a web page: {excerpt}",
        f"check the URL: {_RIGHT_URL}. This may be the VTN's pages for people, or the login of a proxy",
    ),
    Finding.OTHER_TYPE: Words(
        _H,
        "the server answers with {type} instead of application/xml: {excerpt}",
        f"check the URL: {_RIGHT_URL}. This is another kind of service",
    ),
    Finding.CLOCK_AHEAD: Words(
        _CK,
        "the clock of the server is {skew} ahead of ours, which says {now}",
        "set the one that is wrong (NTP): events would begin at the wrong time, and signed messages are refused",
    ),
    Finding.CLOCK_BEHIND: Words(
        _CK,
        "the clock of the server is {skew} behind ours, which says {now}",
        "set the one that is wrong (NTP): events would begin at the wrong time, and signed messages are refused",
    ),
    Finding.NOT_XML: Words(_R, "the answer cannot be read: {said}", f"check the URL: {_RIGHT_URL}"),
    Finding.PROFILE_20A: Words(
        _R,
        "the server answers in OpenADR 2.0a: {said}",
        "use the URL of its 2.0b services, which has 2.0b/ in it; a VTN that only has 2.0a cannot be used (R506)",
    ),
    Finding.NOT_OPENADR: Words(
        _R, "the answer is XML, but no message of OpenADR 2.0b: {said}", f"check the URL: {_RIGHT_URL}"
    ),
    Finding.NOT_VALID: Words(
        _R,
        "the answer is not as the schema of OpenADR 2.0b says: {said}",
        "this is an error of the VTN: give its operator this text",
    ),
    Finding.FORBIDDEN_XML: Words(
        _R,
        "the answer has XML that no message may have: {said}",
        "this is an error of the VTN, or an attack: give its operator this text",
    ),
    Finding.OTHER_MESSAGE: Words(
        _R,
        "the server answers a query for registration with {message}",
        "check the URL; if it is right, this is an error of the VTN (R403)",
    ),
    Finding.NOT_SIGNED: Words(
        _R,
        "the answer is not signed, and with a fingerprint of the VTN, only signed messages are believed",
        "have the VTN sign its messages (security level High), or run the VEN without --vtn-fingerprint",
    ),
    Finding.SIGNATURE_WRONG: Words(
        _R,
        "the signature of the answer is not accepted: {said}",
        "ask the VTN's operator for the fingerprint of the certificate that it signs with, and compare the clocks",
    ),
    Finding.NOT_AUTHORIZED: Words(
        _R, "the VTN does not accept this VEN ({code}): {said}", f"{_TELL_OPERATOR} (R517)"
    ),
    Finding.REFUSED: Words(
        _R, "the VTN refuses the query ({code}): {said}", "ask its operator what the code and the text mean"
    ),
    Finding.NO_PROFILE_20B: Words(
        _R, "the VTN does not offer OpenADR 2.0b, only {said}", "ask its operator for a URL of OpenADR 2.0b"
    ),
    Finding.NO_SIMPLE_HTTP: Words(
        _R,
        "the VTN does not offer OpenADR 2.0b over HTTP, only this: {said}",
        "ask its operator for a VTN with simple HTTP",
    ),
}
"""What is said of each finding."""


def words(finding: Finding, seen: Mapping[str, str]) -> tuple[str, str]:
    """What is wrong and what to do, with what was ``seen`` in its places; a place of which nothing is known says so."""
    places = {**dict.fromkeys(PLACES, "(unknown)"), **seen}
    row = TABLE[finding]
    return row.what.format_map(places), row.advice.format_map(places)
