"""Only the key of a believed certificate verifies, and only a value in the form of XML signatures."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from oadr_core import security as s
from oadr_core.security import Trust, open_envelope
from tests.core.security import forge as f
from tests.core.security.kit import FIVE_DAYS, KINDS, NOW, POLL, certificate, der, pem, private_key, refused, trust


def test_attacker_with_the_certificate_of_somebody_trusted() -> None:
    for trusted in ("rsa", "rsa-other"):
        data = f.forge("rsa-attacker", key_info=f.key_info(trusted))
        refused(data, s.SignatureInvalid, believed=trust("rsa", "rsa-other"))


def test_attacker_with_a_certificate_of_their_own() -> None:
    for name in ("rsa-attacker", "ec-attacker"):
        error = refused(f.forge(name), s.CertificateUntrusted)
        assert error.value == s.fingerprint(der(certificate(name)))


def test_trusted_certificate_beside_the_attackers() -> None:
    refused(f.forge("rsa-attacker", key_info=f.key_info("rsa-attacker", "rsa")), s.CertificateUntrusted)
    refused(f.forge("rsa-attacker", key_info=f.key_info("rsa", "rsa-attacker")), s.SignatureInvalid)
    two = f.key_info("rsa") + f.key_info("rsa-attacker")
    refused(f.forge("rsa-attacker", key_info=two), s.SignatureInvalid)


def test_bare_key_is_not_looked_at() -> None:
    numbers = private_key("rsa-attacker").public_key().public_numbers()
    modulus = base64.b64encode(numbers.n.to_bytes(256)).decode()
    numbered = f"<ds:Modulus>{modulus}</ds:Modulus><ds:Exponent>AQAB</ds:Exponent>"
    value = f"<ds:KeyValue><ds:RSAKeyValue>{numbered}</ds:RSAKeyValue></ds:KeyValue>"
    refused(f.forge("rsa-attacker", key_info=value), s.CertificateUnreadable)
    refused(f.forge("rsa-attacker", key_info=value + f.key_info("rsa")), s.SignatureInvalid)
    assert open_envelope(f.forge(key_info=value + f.key_info("rsa")), trust=trust("rsa"), now=NOW).payload == POLL


def test_certificate_that_carries_a_trusted_one_inside() -> None:
    inner = base64.encodebytes(der(certificate("rsa")))
    text = b"-----BEGIN CERTIFICATE-----\n" + inner + b"-----END CERTIFICATE-----\n"
    carrier = certificate("rsa-attacker", extra=text)
    info = f.key_info_of(der(carrier))
    error = refused(f.forge("rsa-attacker", key_info=info), s.CertificateUntrusted)
    assert error.value == hashlib.sha256(der(carrier)).digest()[-10:].hex(":").upper()


def test_certificates_that_are_none() -> None:
    for raw in (b"", b"\0\0\0", b"\x30\x03\x02\x01\x00"):
        refused(f.forge(key_info=f.key_info_of(raw)), s.CertificateUnreadable)
    refused(f.forge(key_info=""), s.CertificateUnreadable)
    refused(f.forge(key_info="<ds:KeyName>rsa</ds:KeyName>"), s.CertificateUnreadable)
    refused(f.forge(key_info=f.key_info(*(50 * ["rsa"]))), s.CertificateUnreadable)


@pytest.mark.filterwarnings("error")
def test_certificate_that_the_library_warns_of_is_none_where_warnings_are_errors() -> None:
    raw = der(certificate("rsa"))
    serial = raw.index(b"\xa0\x03\x02\x01\x02\x02") + 7  # behind the version, and its own tag and length
    damaged = raw[:serial] + bytes([raw[serial] | 0x80]) + raw[serial + 1 :]
    refused(f.forge(key_info=f.key_info_of(damaged)), s.CertificateUnreadable)


def test_other_ways_to_name_a_key_are_not_followed() -> None:
    made = certificate("rsa")
    encoded = base64.b64encode(der(made)).decode()
    issuer = (
        f"<ds:X509IssuerName>CN=rsa</ds:X509IssuerName><ds:X509SerialNumber>{made.serial_number}</ds:X509SerialNumber>"
    )
    for info in (
        '<ds:RetrievalMethod URI="http://127.0.0.1:9/key"/>',
        '<ds:RetrievalMethod URI="#prop"/>',
        "<ds:X509Data><ds:X509SubjectName>CN=rsa</ds:X509SubjectName></ds:X509Data>",
        f"<ds:X509Data><ds:X509IssuerSerial>{issuer}</ds:X509IssuerSerial></ds:X509Data>",
        f"<ds:X509Certificate>{encoded}</ds:X509Certificate>",
        f"<ds:KeyValue>{f.key_info('rsa')}</ds:KeyValue>",
        f"<ds:X509Data><ds:Object><ds:X509Certificate>{encoded}</ds:X509Certificate></ds:Object></ds:X509Data>",
        f'<x:X509Data xmlns:x="urn:x"><ds:X509Certificate>{encoded}</ds:X509Certificate></x:X509Data>',
    ):
        refused(f.forge(key_info=info), s.CertificateUnreadable)
    for text in (pem(made).decode(), f"<!-- -->{encoded}", f"{encoded}<ds:Object/>", f"{encoded}=", "é"):
        info = f"<ds:X509Data><ds:X509Certificate>{text}</ds:X509Certificate></ds:X509Data>"
        refused(f.forge(key_info=info), s.SignatureMalformed)


def test_certificate_that_was_touched_is_another() -> None:
    made = der(certificate("rsa"))
    for touched in (made + b"\0", made[:-1] + bytes([made[-1] ^ 1])):
        with pytest.raises((s.CertificateUntrusted, s.CertificateUnreadable)):
            open_envelope(f.forge(key_info=f.key_info_of(touched)), trust=trust("rsa"), now=NOW)


def test_trusted_name_with_another_key() -> None:
    honest = certificate("rsa")
    builder = x509.CertificateBuilder(
        honest.issuer,
        honest.subject,
        private_key("rsa-attacker").public_key(),
        honest.serial_number,
        honest.not_valid_before_utc,
        honest.not_valid_after_utc,
    )
    twin = builder.sign(private_key("rsa-attacker"), hashes.SHA256())
    refused(f.forge("rsa-attacker", key_info=f.key_info_of(der(twin))), s.CertificateUntrusted)


@pytest.mark.rule("R68")
def test_key_that_is_too_short() -> None:
    refused(f.forge("rsa-short"), s.KeyUnsuitable, believed=trust("rsa-short"))


@pytest.mark.rule("R68")
def test_curve_that_is_too_small() -> None:
    error = refused(f.forge("ec-p192"), s.KeyUnsuitable, believed=trust("ec-p192"))
    assert "192 bits, fewer than 224" in str(error)


@pytest.mark.parametrize("name", ["ec-p224", "ec-p384", "ec-p521", "ec-brainpool"])
def test_curves_that_are_large_enough(name: str) -> None:
    assert open_envelope(f.forge(name), trust=trust(name), now=NOW).payload == POLL


@pytest.mark.parametrize("other", ["ec-p224", "ec-p384", "ec-p521", "ec-k256", "ec-brainpool", "ec-other"])
def test_value_made_on_another_curve(other: str) -> None:
    refused(f.forge("ec", sign=f.honest(other)), s.SignatureInvalid)
    refused(f.forge(other, key_info=f.key_info("ec")), s.SignatureInvalid)


@pytest.mark.rule("R68")
def test_key_of_another_kind() -> None:
    made = der(certificate("ed25519", "rsa"))
    believed = Trust(fingerprints=[s.fingerprint(made)])
    error = refused(f.forge(key_info=f.key_info_of(made)), s.KeyUnsuitable, believed=believed)
    assert error.rule == "R68"


def test_method_that_does_not_fit_the_key() -> None:
    refused(f.forge("rsa", method=f"{f.MORE}ecdsa-sha256"), s.KeyUnsuitable)
    refused(f.forge("ec", method=f"{f.MORE}rsa-sha256"), s.KeyUnsuitable)


@pytest.mark.rule("R516")
@pytest.mark.parametrize(
    ("begin", "end", "words"),
    [(-3 * FIVE_DAYS, -timedelta(seconds=1), "expired"), (timedelta(seconds=1), FIVE_DAYS, "not valid before")],
)
def test_certificate_that_is_not_valid_now(begin: timedelta, end: timedelta, words: str) -> None:
    made = der(certificate("rsa", begin=NOW + begin, end=NOW + end))
    data, mark = f.forge(key_info=f.key_info_of(made)), s.fingerprint(made)
    error = refused(data, s.CertificateExpired, believed=Trust(fingerprints=[mark]))
    assert words in str(error)
    assert error.rule == "R516"
    lenient = Trust(fingerprints=[mark], check_validity=False)
    assert open_envelope(data, trust=lenient, now=NOW).payload == POLL


@pytest.mark.parametrize("name", KINDS)
def test_signature_values_that_are_none(name: str) -> None:
    honest = f.honest(name)
    width = 256 if name == "rsa" else 64
    for value in (
        b"",
        bytes(width),
        b"\xff" * width,
        honest(b"other"),
        honest(b"other") + b"\0",
        b"\x30\x06\x02\x01\0\x02\x01\0",
    ):
        refused(f.forge(name, sign=lambda _, value=value: value), s.SignatureInvalid)


ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of P-256."""


@pytest.mark.parametrize(
    ("r", "s_"),
    [(0, 0), (0, 1), (1, 0), (1, 1), (ORDER, ORDER), (0, ORDER), (ORDER, 0), (ORDER + 1, 1), (1, ORDER - 1)],
)
def test_ecdsa_values_at_the_edges(r: int, s_: int) -> None:
    refused(f.forge("ec", sign=lambda _: r.to_bytes(32) + s_.to_bytes(32)), s.SignatureInvalid)


def test_half_of_an_honest_ecdsa_value() -> None:
    for half in (slice(0, 32), slice(32, 64)):

        def sign(data: bytes, half: slice = half) -> bytes:
            value = bytearray(f.honest("ec")(data))
            value[half] = bytes(32)
            return bytes(value)

        refused(f.forge("ec", sign=sign), s.SignatureInvalid)


def test_ecdsa_value_of_another_width() -> None:
    def sign(data: bytes) -> bytes:
        value = f.honest("ec")(data)
        return value[:32] + b"\0" + value[32:]

    refused(f.forge("ec", sign=sign), s.SignatureInvalid)


def test_ecdsa_value_in_der() -> None:
    ecdsa = ec.ECDSA(hashes.SHA256())
    refused(f.forge("ec", sign=lambda data: private_key("ec").sign(data, ecdsa)), s.SignatureInvalid)
