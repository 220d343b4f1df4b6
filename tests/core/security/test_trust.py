"""Who is believed: named certificates, or those below named authorities, at the time that the caller gives."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from oadr_core import LocalError
from oadr_core.security import CertificateExpired, CertificateUntrusted, Signer, Trust, fingerprint, open_envelope, seal
from tests.core.security import forge as f
from tests.core.security.kit import (
    FIVE_DAYS,
    KINDS,
    NONCE,
    NOW,
    POLL,
    certificate,
    der,
    key_bytes,
    pem,
    private_key,
    sealed,
)

DAY = timedelta(days=1)


def signed_with(*chain: x509.Certificate, name: str, now: datetime = NOW) -> bytes:
    signer = Signer.from_pem(b"".join(map(pem, chain)), key_bytes(name))
    return seal(POLL, signer=signer, now=now, nonce=NONCE)


def test_nobody_trusted_is_a_mistake() -> None:
    with pytest.raises(LocalError, match="nobody is trusted"):
        Trust()
    with pytest.raises(LocalError, match="nobody is trusted"):
        Trust(required=False)


@pytest.mark.parametrize(
    "wrong", [{"fingerprints": ["xyz"]}, {"fingerprints": "AA:BB"}, {"authorities": [b"xyz"]}, {"authorities": [b""]}]
)
def test_wrong_anchors_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(LocalError):
        Trust(**wrong)


def test_fingerprint_in_any_spelling() -> None:
    mark = fingerprint(der(certificate("rsa")))
    for text in (mark, mark.lower(), mark.replace(":", ""), hashlib.sha256(der(certificate("rsa"))).hexdigest()):
        assert open_envelope(sealed("rsa"), trust=Trust(fingerprints=[text]), now=NOW).payload == POLL


def test_one_of_several_fingerprints() -> None:
    several = Trust(fingerprints=[fingerprint(der(certificate(name))) for name in ("ec", "rsa-other", "rsa")])
    assert open_envelope(sealed("rsa"), trust=several, now=NOW).payload == POLL


def test_any_signer_has_to_be_asked_for_by_name() -> None:
    assert open_envelope(sealed("rsa"), trust=Trust(insecure_any_signer=True), now=NOW).payload == POLL


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("form", [pem, der])
def test_authority(name: str, form: Any) -> None:
    authority = certificate("ec-root", authority=True)
    data = signed_with(certificate(name, "ec-root"), name=name)
    assert open_envelope(data, trust=Trust(authorities=[form(authority)]), now=NOW).payload == POLL
    assert open_envelope(data, trust=Trust(authorities=form(authority)), now=NOW).payload == POLL


def test_intermediate_authority_travels_with_the_message() -> None:
    root, middle = certificate("ec-root", authority=True), certificate("ec-middle", "ec-root", authority=True)
    leaf = certificate("rsa", "ec-middle")
    trusting = Trust(authorities=[pem(root)])
    assert open_envelope(signed_with(leaf, middle, name="rsa"), trust=trusting, now=NOW).payload == POLL
    with pytest.raises(CertificateUntrusted):
        open_envelope(signed_with(leaf, name="rsa"), trust=trusting, now=NOW)


def test_other_authority() -> None:
    data = signed_with(certificate("rsa", "ec-root"), name="rsa")
    other = Trust(authorities=[pem(certificate("ec-other-root", authority=True))])
    with pytest.raises(CertificateUntrusted, match="nor issued by a trusted authority"):
        open_envelope(data, trust=other, now=NOW)


def test_authority_that_comes_with_the_message_is_not_trusted() -> None:
    data = signed_with(certificate("rsa", "ec-root"), certificate("ec-root", authority=True), name="rsa")
    other = Trust(authorities=[pem(certificate("ec-other-root", authority=True))])
    with pytest.raises(CertificateUntrusted):
        open_envelope(data, trust=other, now=NOW)


def test_party_is_no_authority() -> None:
    below = certificate("rsa", "ec")
    with pytest.raises(CertificateUntrusted):
        open_envelope(
            signed_with(below, certificate("ec", "ec-root"), name="rsa"),
            trust=Trust(authorities=[pem(certificate("ec-root", authority=True))]),
            now=NOW,
        )


def test_authority_of_the_same_name_with_another_key() -> None:
    authority = certificate("ec-root", authority=True)
    fake = certificate("ec-attacker", "ec-fake-root")
    renamed = fake_issuer(fake)
    data = f.forge("ec-attacker", key_info=f.key_info_of(der(renamed)))
    with pytest.raises(CertificateUntrusted):
        open_envelope(data, trust=Trust(authorities=[pem(authority)]), now=NOW)


def fake_issuer(made: x509.Certificate) -> x509.Certificate:
    """The same certificate in the name of ``ec-root``, signed with another key."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ec-root")])
    builder = x509.CertificateBuilder(
        name, made.subject, made.public_key(), 1, made.not_valid_before_utc, made.not_valid_after_utc
    )
    return builder.sign(private_key("ec-fake-root"), hashes.SHA256())


def test_fingerprint_or_authority() -> None:
    authority = pem(certificate("ec-root", authority=True))
    both = Trust(fingerprints=[fingerprint(der(certificate("rsa-other")))], authorities=[authority])
    assert open_envelope(sealed("rsa-other"), trust=both, now=NOW).payload == POLL
    assert open_envelope(signed_with(certificate("rsa", "ec-root"), name="rsa"), trust=both, now=NOW).payload == POLL
    with pytest.raises(CertificateUntrusted):
        open_envelope(sealed("rsa"), trust=both, now=NOW)


def test_key_usage_must_allow_signatures_where_it_is_there() -> None:
    anchors = [pem(certificate("ec-root", authority=True))]
    loose, tight = Trust(authorities=anchors), Trust(authorities=anchors, require_key_usage=True)
    with_usage = signed_with(certificate("ec", "ec-root", signs=True), name="ec")
    without = signed_with(certificate("ec", "ec-root"), name="ec")
    other_usage = signed_with(certificate("ec", "ec-root", signs=False), name="ec")
    assert open_envelope(with_usage, trust=tight, now=NOW).payload == POLL
    assert open_envelope(with_usage, trust=loose, now=NOW).payload == POLL
    assert open_envelope(without, trust=loose, now=NOW).payload == POLL
    for data, trusting in ((without, tight), (other_usage, tight), (other_usage, loose)):
        with pytest.raises(CertificateUntrusted, match=r"digitalSignature|2\.5\.29\.15"):
            open_envelope(data, trust=trusting, now=NOW)


@pytest.mark.rule("R516")
def test_time_is_the_callers() -> None:
    authority = certificate("ec-root", authority=True, begin=NOW - 100 * FIVE_DAYS, end=NOW + 100 * FIVE_DAYS)
    anchors = Trust(authorities=[pem(authority)])
    leaf = certificate("ec", "ec-root")
    for moment, fine in ((NOW - 4 * DAY, True), (NOW + 4 * DAY, True), (NOW - 6 * DAY, False), (NOW + 6 * DAY, False)):
        data = signed_with(leaf, name="ec", now=moment)
        if fine:
            assert open_envelope(data, trust=anchors, now=moment).payload == POLL
        else:
            with pytest.raises(CertificateExpired):
                open_envelope(data, trust=anchors, now=moment)
            lenient = Trust(authorities=[pem(authority)], check_validity=False)
            assert open_envelope(data, trust=lenient, now=moment).payload == POLL


@pytest.mark.rule("R516")
def test_expired_authority() -> None:
    authority = certificate("ec-root", authority=True, end=NOW - DAY)
    with pytest.raises(CertificateUntrusted):
        open_envelope(
            signed_with(certificate("ec", "ec-root"), name="ec"), trust=Trust(authorities=[pem(authority)]), now=NOW
        )
