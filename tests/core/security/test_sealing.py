"""What is sealed is schema-valid, is canonical, and is verified by other implementations of XML signatures."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from lxml import etree

from oadr_core import decode
from oadr_core.model import Payload
from oadr_core.security import Signer, Style, open_envelope, seal
from oadr_core.security.names import Method
from tests.core.security import forge as f
from tests.core.security.kit import KINDS, NONCE, NOW, POLL, STYLES, certificate, key_bytes, pem, sealed, signer, trust
from tests.strategies import payloads

VALIDITY = timedelta(days=1)
BOTH = [(name, style) for name in KINDS for style in STYLES]


@pytest.mark.parametrize(("name", "style"), BOTH)
def test_valid_against_the_schema(name: str, style: Style, validate: Callable[[bytes], None]) -> None:
    validate(sealed(name, style))


@pytest.mark.parametrize(("name", "style"), BOTH)
def test_document_is_canonical(name: str, style: Style) -> None:
    data = sealed(name, style)
    assert etree.tostring(etree.fromstring(data), method="c14n") == data


@pytest.mark.rule("R514")
@pytest.mark.parametrize(("name", "style"), BOTH)
def test_form_of_the_profile(name: str, style: Style) -> None:
    root = etree.fromstring(sealed(name, style))
    assert [etree.QName(child).localname for child in root] == ["Signature", "oadrSignedObject"]
    assert root[1].get(f"{{{f.OADR}}}Id") == "oadrSignedObject"
    find = etree.XPath("//ds:Signature", namespaces={"ds": f.DS, "dsp": f.DSP})
    (signature,) = find(root)
    text = {"ds": f.DS, "dsp": f.DSP}
    assert [each.get("URI") for each in signature.findall(".//ds:Reference", text)] == [str(style), "#prop"]
    assert signature.find("ds:Object", text).get("Id") == "prop"
    assert signature.find("ds:SignedInfo/ds:CanonicalizationMethod", text).get("Algorithm") == f.C14N
    method = Method.RSA_SHA256 if name == "rsa" else Method.ECDSA_SHA256
    assert signature.find("ds:SignedInfo/ds:SignatureMethod", text).get("Algorithm") == method
    assert {each.get("Algorithm") for each in signature.findall(".//ds:DigestMethod", text)} == {f.SHA256}
    assert signature.findtext(".//dsp:timestamp", None, text) == "2030-06-01T12:00:00.250Z"
    assert signature.findtext(".//dsp:nonce", None, text) == NONCE
    assert base64.b64decode(signature.findtext(".//ds:X509Certificate", "", text)) == signer(name).certificate
    target = signature.find(".//ds:SignatureProperty", text).get("Target")
    assert target == f"#{signature.get('Id')}"


def test_signature_of_ecdsa_is_as_wide_as_the_key() -> None:
    for name, width in (("ec", 64), ("ec-p384", 96)):
        root = etree.fromstring(sealed(name))
        value = base64.b64decode(root.findtext(f".//{{{f.DS}}}SignatureValue", ""))
        assert len(value) == width
        assert open_envelope(sealed(name), trust=trust(name), now=NOW).payload == POLL


def test_whole_chain_is_sent_leaf_first() -> None:
    chain = pem(certificate("rsa", "authority", signs=True)) + pem(certificate("authority", authority=True))
    loaded = Signer.from_pem(chain, key_bytes("rsa"))
    root = etree.fromstring(seal(POLL, signer=loaded, now=NOW, nonce=NONCE))
    sent = [base64.b64decode(each.text or "") for each in root.iter(f"{{{f.DS}}}X509Certificate")]
    assert len(sent) == 2
    assert sent[0] == loaded.certificate


@pytest.mark.parametrize(("name", "style"), BOTH)
def test_same_input_same_bytes(name: str, style: Style) -> None:
    assert sealed(name, style) == sealed(name, style)
    assert sealed(name, style) != sealed(name, style, nonce="other")
    assert sealed(name, style) != sealed(name, style, now=NOW + timedelta(seconds=1))


def test_nonce_is_escaped() -> None:
    data = sealed("ec", nonce="a<b>&\"'c")
    opened: Any = open_envelope(data, trust=trust("ec"), now=NOW)
    assert opened.nonce == "a<b>&\"'c"
    assert etree.tostring(etree.fromstring(data), method="c14n") == data


@pytest.mark.parametrize(("name", "style"), BOTH)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(payload=payloads())
def test_every_message_comes_back(name: str, style: Style, payload: Payload) -> None:
    data = seal(payload, signer=signer(name, style), now=NOW, nonce=NONCE)
    opened = open_envelope(data, trust=trust(name), now=NOW)
    assert opened.payload == payload
    assert opened.signed
    assert decode(data).payload == payload
    assert digests_hold(data)


def digests_hold(data: bytes) -> bool:
    """Recompute both digests with lxml alone, for a signature of ours."""
    root = etree.fromstring(data)
    claimed = [base64.b64decode(each.text or "") for each in root.iter(f"{{{f.DS}}}DigestValue")]
    style = next(root.iter(f"{{{f.DS}}}Reference")).get("URI")
    prop = f.canonical_form(next(root.iter(f"{{{f.DS}}}Object")))
    signed = f.canonical_form(root[1])
    if style == "":
        root.remove(root[0])
        signed = etree.tostring(root, method="c14n")
    return claimed == [hashlib.sha256(signed).digest(), hashlib.sha256(prop).digest()]
