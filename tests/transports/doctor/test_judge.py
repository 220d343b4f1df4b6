"""What happened, and what it means: the tables that need no network."""

from __future__ import annotations

import errno
import socket
import ssl
from datetime import UTC, datetime, timedelta

import pytest

from oadr_core import LocalError
from oadr_core.errors import EncodingForbidden, NotXml, SchemaViolation, WrongProfile
from oadr_transports.doctor import judge
from oadr_transports.doctor.findings import Finding, Step
from oadr_transports.doctor.words import TABLE

NOON = datetime(2030, 6, 1, 12, 0, 0, 400_000, tzinfo=UTC)


def alert(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason.lower())
    error.reason = reason
    return error


def unverified(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    return error


def handshake(error: OSError, *, shown: bool = True, given: bool = True, authorities: bool = True) -> Finding:
    return judge.of_handshake(error, shown=shown, given=given, authorities=authorities)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (socket.gaierror(socket.EAI_NONAME, "unknown"), Finding.NAME_UNKNOWN),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), Finding.NAME_SERVICE_SILENT),
        (socket.gaierror(socket.EAI_FAIL, "failed"), Finding.NAME_FAILED),
        (TimeoutError(), Finding.NAME_SERVICE_SILENT),
        (UnicodeError("label too long"), Finding.NAME_UNUSABLE),
    ],
)
def test_lookup(error: OSError | UnicodeError, expected: Finding) -> None:
    assert judge.of_lookup(error) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ECONNREFUSED, ""), Finding.CONNECTION_REFUSED),
        (OSError(errno.ENETUNREACH, ""), Finding.NO_ROUTE),
        (OSError(errno.EHOSTUNREACH, ""), Finding.NO_ROUTE),
        (OSError(errno.ETIMEDOUT, ""), Finding.CONNECTION_SILENT),
        (TimeoutError(), Finding.CONNECTION_SILENT),
        (OSError(errno.EMFILE, ""), Finding.CONNECTION_FAILED),
        (OSError(), Finding.CONNECTION_FAILED),
    ],
)
def test_connection(error: OSError, expected: Finding) -> None:
    assert judge.of_connection(error) is expected


def test_no_suite_and_no_client_certificate_bear_one_name() -> None:
    """The same alert: what the server had shown by then makes the difference."""
    error = alert("SSLV3_ALERT_HANDSHAKE_FAILURE")
    assert handshake(error, shown=False) is Finding.NO_SUITE
    assert handshake(error, shown=True, given=False) is Finding.CERTIFICATE_DEMANDED
    assert handshake(error, shown=True, given=True) is Finding.CERTIFICATE_REFUSED


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("TLSV1_ALERT_UNKNOWN_CA", Finding.CERTIFICATE_OF_ANOTHER_AUTHORITY),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", Finding.CERTIFICATE_EXPIRED),
        ("SSLV3_ALERT_CERTIFICATE_REVOKED", Finding.CERTIFICATE_REVOKED),
        ("SSLV3_ALERT_UNSUPPORTED_CERTIFICATE", Finding.CERTIFICATE_KIND),
        ("TLSV1_ALERT_ACCESS_DENIED", Finding.CERTIFICATE_DENIED),
        ("SSLV3_ALERT_BAD_CERTIFICATE", Finding.CERTIFICATE_REFUSED),
        ("TLSV1_ALERT_DECRYPT_ERROR", Finding.CERTIFICATE_REFUSED),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", Finding.CERTIFICATE_REFUSED),
    ],
)
def test_alerts_about_our_certificate(reason: str, expected: Finding) -> None:
    assert handshake(alert(reason)) is expected
    assert handshake(alert(reason), given=False) is Finding.CERTIFICATE_DEMANDED
    assert TABLE[expected].step is Step.CLIENT


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("WRONG_VERSION_NUMBER", Finding.NOT_TLS),
        ("UNSUPPORTED_PROTOCOL", Finding.TLS_TOO_OLD),
        ("TLSV1_ALERT_PROTOCOL_VERSION", Finding.TLS_TOO_OLD),
        ("TLSV1_ALERT_INSUFFICIENT_SECURITY", Finding.NO_SUITE),
        ("TLSV1_UNRECOGNIZED_NAME", Finding.TLS_NAME_REFUSED),
        ("DH_KEY_TOO_SMALL", Finding.CHAIN_WEAK),
        ("SOMETHING_NEW", Finding.TLS_FAILED),
    ],
)
def test_other_reasons(reason: str, expected: Finding) -> None:
    assert handshake(alert(reason), given=False) is expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (9, Finding.CHAIN_NOT_YET_VALID),
        (10, Finding.CHAIN_EXPIRED),
        (18, Finding.SELF_SIGNED),
        (19, Finding.OTHER_AUTHORITY),
        (20, Finding.OTHER_AUTHORITY),
        (21, Finding.OTHER_AUTHORITY),
        (23, Finding.CHAIN_REVOKED),
        (26, Finding.NOT_FOR_SERVERS),
        (62, Finding.OTHER_HOST),
        (64, Finding.OTHER_ADDRESS),
        (68, Finding.CHAIN_WEAK),
        (99, Finding.CHAIN_BAD),
    ],
)
def test_verification(code: int, expected: Finding) -> None:
    assert handshake(unverified(code), shown=False) is expected
    by_system = Finding.UNKNOWN_AUTHORITY if expected is Finding.OTHER_AUTHORITY else expected
    assert handshake(unverified(code), authorities=False) is by_system


@pytest.mark.parametrize("error", [ssl.SSLEOFError(8, "EOF"), ConnectionResetError(), BrokenPipeError()])
def test_end_without_a_reason(error: OSError) -> None:
    assert handshake(error, shown=False) is Finding.TLS_HUNG_UP
    assert handshake(error, shown=True) is Finding.CERTIFICATE_UNANSWERED
    assert handshake(error, shown=True, given=False) is Finding.CERTIFICATE_DEMANDED
    assert handshake(error, shown=False, given=False) is Finding.TLS_HUNG_UP


def test_silence() -> None:
    assert handshake(TimeoutError(), shown=False) is Finding.TLS_SILENT


def test_every_status_but_one_is_a_finding() -> None:
    for status in range(201, 600):
        assert judge.of_reply(status, "application/xml", b"<a/>") is not None


def test_reply_that_may_be_read() -> None:
    for media_type in ("application/xml", "text/xml", "", "text/plain"):
        assert judge.of_reply(200, media_type, b" <a/>") is None


def test_what_proxies_say_of_tls() -> None:
    for body, expected in (
        (b"400 No required SSL certificate was sent", Finding.CERTIFICATE_DEMANDED),
        (b"400 The SSL certificate error", Finding.CERTIFICATE_REFUSED),
        (b"The plain HTTP request was sent to HTTPS port", Finding.TLS_PORT),
        (b"You're speaking plain HTTP to an SSL-enabled server port.", Finding.TLS_PORT),
        (b"", Finding.BAD_REQUEST),
    ):
        assert judge.of_reply(400, "text/html", body) is expected


def test_clock_skew_is_the_least_that_is_possible() -> None:
    """The Date header has whole seconds, and the answer was on its way for a while."""
    sent, received = NOON, NOON + timedelta(seconds=2)
    second = timedelta(seconds=1)
    noon = NOON.replace(microsecond=0)
    for date, expected in (
        (noon, 0.0),
        (noon + 2 * second, 0.0),
        (noon + 5 * second, 2.6),
        (noon - 3 * second, -2.4),
        (noon + timedelta(hours=1), 3597.6),
    ):
        assert judge.clock_skew(date, sent, received).total_seconds() == pytest.approx(expected)


def test_clock() -> None:
    least = timedelta(milliseconds=1)
    assert judge.of_clock(judge.CLOCK_TOLERANCE) is None
    assert judge.of_clock(-judge.CLOCK_TOLERANCE) is None
    assert judge.of_clock(judge.CLOCK_TOLERANCE + least) is Finding.CLOCK_AHEAD
    assert judge.of_clock(-judge.CLOCK_TOLERANCE - least) is Finding.CLOCK_BEHIND


def test_documents() -> None:
    for error, body, expected in (
        (NotXml("?"), b"<a", Finding.NOT_XML),
        (EncodingForbidden("?"), b"\x00\xff", Finding.NOT_XML),
        (EncodingForbidden("?"), b"\xef\xbb\xbf<a/>", Finding.FORBIDDEN_XML),
        (WrongProfile("?"), b"<a/>", Finding.PROFILE_20A),
        (SchemaViolation("?"), b"<a/>", Finding.NOT_VALID),
    ):
        assert judge.of_document(error, body) is expected


def test_files_that_are_told_in_other_words() -> None:
    assert judge.of_files(LocalError("something new")) is Finding.FILES_UNUSABLE
