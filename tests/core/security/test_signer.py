"""A signer loads its key and certificate once, in every form that files have, and says what is wrong with them."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from oadr_core import LocalError, OadrError
from oadr_core.security import SignedEnvelope, Signer, Style, fingerprint, open_envelope, seal
from oadr_core.security.names import Method
from tests.core.security.kit import FIVE_DAYS, KINDS, NONCE, NOW, POLL, certificate, der, key_bytes, pem, trust

SECRET = b"open sesame"


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    ("encoding", "form", "passphrase"),
    [
        ("PEM", "PKCS8", None),
        ("PEM", "PKCS8", SECRET),
        ("PEM", "TraditionalOpenSSL", None),
        ("PEM", "TraditionalOpenSSL", SECRET),
        ("DER", "PKCS8", None),
        ("DER", "PKCS8", SECRET),
        ("DER", "TraditionalOpenSSL", None),  # this one cannot be encrypted
    ],
)
def test_every_form_of_key_file(name: str, encoding: str, form: str, passphrase: bytes | None) -> None:
    made = certificate(name)
    cert = pem(made) if encoding == "PEM" else der(made)
    signer = Signer.from_pem(cert, key_bytes(name, passphrase, encoding, form), passphrase)
    assert signer.fingerprint == fingerprint(der(made))
    assert signer.certificate == der(made)
    data = seal(POLL, signer=signer, now=NOW, nonce=NONCE)
    assert open_envelope(data, trust=trust(name), now=NOW).payload == POLL


def test_method_follows_the_key() -> None:
    def method(name: str) -> Method:
        return Signer.from_pem(pem(certificate(name)), key_bytes(name)).method

    assert (method("rsa"), method("ec")) == (Method.RSA_SHA256, Method.ECDSA_SHA256)


def test_passphrase_may_be_text() -> None:
    Signer.from_pem(pem(certificate("ec")), key_bytes("ec", SECRET), SECRET.decode())


def test_passphrase_that_is_not_needed_does_no_harm() -> None:
    Signer.from_pem(pem(certificate("ec")), key_bytes("ec"), SECRET)


def test_key_and_certificate_in_one_file() -> None:
    both = key_bytes("rsa") + pem(certificate("rsa"))
    assert Signer.from_pem(both, both).fingerprint == fingerprint(pem(certificate("rsa")))


def test_what_openssl_writes_around_keys_and_certificates() -> None:
    """Text, parameters of the curve, and line ends of another system."""
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    attributes = b"Bag Attributes\n    friendlyName: ven\nKey Attributes: <No Attributes>\n"
    key = parameters + key_bytes("ec", form="TraditionalOpenSSL")
    cert = b"Certificate:\n    Data:\n        Version: 3 (0x2)\n" + pem(certificate("ec"))
    for one, other in ((cert, key), (cert.replace(b"\n", b"\r\n"), key.replace(b"\n", b"\r\n"))):
        assert Signer.from_pem(one, other).certificate == der(certificate("ec"))
    bag = attributes + cert + attributes + key_bytes("ec")
    assert Signer.from_pem(bag, bag).certificate == der(certificate("ec"))


def test_expired_certificate_is_loaded() -> None:
    old = certificate("rsa", begin=NOW - 3 * FIVE_DAYS, end=NOW - FIVE_DAYS)
    assert Signer.from_pem(pem(old), key_bytes("rsa")).certificate == der(old)


def test_secret_is_not_shown() -> None:
    assert "key" not in repr(Signer.from_pem(pem(certificate("rsa")), key_bytes("rsa"))).replace("fingerprint", "")


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    ("passphrase", "given", "complaint"),
    [
        (SECRET, None, "encrypted, and there is no passphrase"),
        (SECRET, b"", "encrypted, and there is no passphrase"),
        (SECRET, b"x", "passphrase is wrong"),
    ],
)
def test_wrong_passphrase(name: str, passphrase: bytes, given: bytes | None, complaint: str) -> None:
    for encoding in ("PEM", "DER"):
        with pytest.raises(LocalError, match=complaint) as caught:
            Signer.from_pem(pem(certificate(name)), key_bytes(name, passphrase, encoding), given)
        assert caught.value.path == "key"


@pytest.mark.parametrize("other", ["rsa-other", "ec", "ec-other"])
def test_key_of_another_certificate(other: str) -> None:
    with pytest.raises(LocalError, match="does not belong to the certificate"):
        Signer.from_pem(pem(certificate("rsa")), key_bytes(other))


def test_key_where_a_certificate_is_expected() -> None:
    with pytest.raises(LocalError, match="not a certificate but a private key"):
        Signer.from_pem(key_bytes("rsa"), key_bytes("rsa"))


@pytest.mark.parametrize("key", [b"", b"nonsense", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key(key: bytes) -> None:
    with pytest.raises(LocalError, match="not a private key"):
        Signer.from_pem(pem(certificate("rsa")), key)


def test_certificate_where_a_key_is_expected() -> None:
    with pytest.raises(LocalError, match="not a private key, but PEM of another kind"):
        Signer.from_pem(pem(certificate("rsa")), pem(certificate("rsa")))


def test_damaged_certificate() -> None:
    made = der(certificate("rsa"))
    for damaged in (made[:4] + b"\x04" + made[5:], b"\x30\x03\x02\x01\x00"):
        with pytest.raises(LocalError, match=r"not an X\.509 certificate"):
            Signer.from_pem(damaged, key_bytes("rsa"))


@pytest.mark.rule("R68")
def test_key_that_is_too_short() -> None:
    with pytest.raises(LocalError, match="1024 bits, fewer than 2048") as caught:
        Signer.from_pem(pem(certificate("rsa-short")), key_bytes("rsa-short"))
    assert caught.value.rule == "R68"


def test_key_of_another_kind() -> None:
    key = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(LocalError, match="an RSA or elliptic-curve key is expected"):
        Signer.from_pem(pem(certificate("rsa")), key)


def test_every_complaint_has_words() -> None:
    for cert, key in [(b"", b""), (b"\x30\x00", b""), (pem(certificate("rsa")), b"\x30\x00")]:
        with pytest.raises(OadrError) as caught:
            Signer.from_pem(cert, key)
        assert str(caught.value)


def test_style_is_an_enumeration() -> None:
    with pytest.raises(ValueError, match="elsewhere"):
        Signer.from_pem(pem(certificate("ec")), key_bytes("ec"), style="#elsewhere")
    assert Signer.from_pem(pem(certificate("ec")), key_bytes("ec")).style is Style.OBJECT


def test_one_key_serves_peers_of_both_styles() -> None:
    first = Signer.from_pem(pem(certificate("ec")), key_bytes("ec"))
    second = first.in_style(Style.DOCUMENT)
    assert (first.style, second.style, second.fingerprint) == (Style.OBJECT, Style.DOCUMENT, first.fingerprint)
    for signer in (first, second, second.in_style(Style.OBJECT)):
        opened = open_envelope(seal(POLL, signer=signer, now=NOW, nonce=NONCE), trust=trust("ec"), now=NOW)
        assert isinstance(opened, SignedEnvelope)
        assert opened.style is signer.style


def test_naive_time_and_unfit_nonces_are_refused() -> None:
    signer = Signer.from_pem(pem(certificate("ec")), key_bytes("ec"))
    with pytest.raises(LocalError, match="time zone"):
        seal(POLL, signer=signer, now=NOW.replace(tzinfo=None), nonce=NONCE)
    for nonce in ("", "a b", "ä", "x" * 257, "\0"):
        with pytest.raises(LocalError, match="nonce"):
            seal(POLL, signer=signer, now=NOW, nonce=nonce)


def test_zone_of_now_does_not_matter() -> None:
    signer = Signer.from_pem(pem(certificate("ec")), key_bytes("ec"))
    east = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert seal(POLL, signer=signer, now=east, nonce=NONCE) == seal(POLL, signer=signer, now=NOW, nonce=NONCE)
