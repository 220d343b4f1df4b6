"""The fingerprint is the last ten bytes of SHA-256 over the DER certificate, however it is written."""

from __future__ import annotations

import hashlib

import pytest

from oadr_core import LocalError
from oadr_core.security import fingerprint, fingerprint_20a, normal_fingerprint, same_fingerprint
from oadr_core.security.fingerprints import is_der, matches
from tests.core.security.kit import certificate, der, key_bytes, pem


def test_last_ten_bytes_of_sha256_over_der() -> None:
    made = certificate("rsa")
    digest = hashlib.sha256(der(made)).hexdigest().upper()[-20:]
    assert fingerprint(pem(made)) == ":".join(digest[i : i + 2] for i in range(0, 20, 2))
    assert len(fingerprint(pem(made))) == 29


@pytest.mark.parametrize("name", ["rsa", "ec"])
def test_pem_and_der_give_the_same(name: str) -> None:
    made = certificate(name)
    assert fingerprint(pem(made)) == fingerprint(der(made))
    assert fingerprint(b"some text before\r\n" + pem(made).replace(b"\n", b"\r\n")) == fingerprint(der(made))


def test_leaf_of_a_chain_counts() -> None:
    assert fingerprint(pem(certificate("rsa")) + pem(certificate("ec"))) == fingerprint(der(certificate("rsa")))


def test_certificate_after_its_key_in_one_file() -> None:
    assert fingerprint(key_bytes("rsa") + pem(certificate("rsa"))) == fingerprint(der(certificate("rsa")))


def test_form_of_20a_is_sha1() -> None:
    made = certificate("rsa")
    assert fingerprint_20a(pem(made)).replace(":", "").lower() == hashlib.sha1(der(made)).hexdigest()[-20:]


def test_pem_text_inside_a_certificate_is_not_its_fingerprint() -> None:
    victim = certificate("ec")
    attacker = certificate("ec-attacker", extra=b"\n" + pem(victim))
    assert pem(victim) in der(attacker)
    assert fingerprint(der(attacker)) != fingerprint(der(victim))
    assert hashlib.sha256(der(attacker)).digest()[-10:].hex(":").upper() == fingerprint(der(attacker))


@pytest.mark.parametrize(
    "text", ["5E:71:FA:E4:61:75:9C:EF:A4:D6", "5e71fae461759cefa4d6", " 5e-71-fa-e4-61 75:9C:EF:A4:D6\n"]
)
def test_case_and_separators_do_not_count(text: str) -> None:
    assert normal_fingerprint(text) == "5E:71:FA:E4:61:75:9C:EF:A4:D6"
    assert same_fingerprint(text, "5E:71:FA:E4:61:75:9C:EF:A4:D6")
    assert not same_fingerprint(text, "5E:71:FA:E4:61:75:9C:EF:A4:D7")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "0 bytes"),
        ("AA:BB", "2 bytes"),
        ("GB" * 10, "hexadecimal"),
        ("AA" * 11, "11 bytes"),
        ("AAA", "hexadecimal"),
    ],
)
def test_what_is_no_fingerprint_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(LocalError, match=complaint):
        normal_fingerprint(text)


def test_whole_digest_is_a_stronger_fingerprint() -> None:
    made = der(certificate("rsa"))
    whole = hashlib.sha256(made).hexdigest()
    assert matches(normal_fingerprint(whole), made)
    other = ("00" if whole[:2] != "00" else "11") + whole[2:]
    assert not matches(normal_fingerprint(other), made)
    assert matches(normal_fingerprint(whole[-20:]), made)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "is empty"),
        (b"hello", "begins with b'hello'"),
        (b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", "base64"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "not DER"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "another kind"),
    ],
)
def test_what_is_no_certificate_is_named(data: bytes, complaint: str) -> None:
    with pytest.raises(LocalError, match=complaint):
        fingerprint(data)


def test_private_key_is_named_as_one() -> None:
    with pytest.raises(LocalError, match="but a private key"):
        fingerprint(key_bytes("rsa"))


def test_damaged_der_is_no_certificate() -> None:
    made = der(certificate("rsa"))
    assert is_der(made)
    assert not is_der(made[:-1])
    assert not is_der(made + b"\0")
