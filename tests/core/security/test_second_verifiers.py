"""Every message that is sealed is verified by libxmlsec1 and signxml, and every one that they sign is opened."""

from __future__ import annotations

import pytest
import signxml
import xmlsec
from cryptography.exceptions import InvalidSignature
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from oadr_core import RemoteError
from oadr_core.model import Payload
from oadr_core.security import Style, open_envelope, seal
from tests.core.security import forge as f
from tests.core.security.kit import NONCE, NOW, POLL, STYLES, sealed, signer, trust
from tests.core.security.second_verifiers import (
    signed_by_libxmlsec1,
    signed_by_signxml,
    verified_by_libxmlsec1,
    verified_by_signxml,
)
from tests.strategies import payloads

NAMES = ("rsa", "ec", "ec-p384")
REFUSALS = (xmlsec.Error, signxml.exceptions.SignXMLException, InvalidSignature)
"""What the two raise when they do not verify."""

for_each_key_and_style = pytest.mark.parametrize(
    ("name", "style"), [(name, style) for name in NAMES for style in STYLES]
)
searching = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@for_each_key_and_style
@searching
@given(payload=payloads())
def test_both_verify_what_we_seal(name: str, style: Style, payload: Payload) -> None:
    data = seal(payload, signer=signer(name, style), now=NOW, nonce=NONCE)
    verified_by_libxmlsec1(data, signer(name).certificate)
    signed, property_ = verified_by_signxml(data, signer(name).certificate)
    assert NONCE.encode() in property_
    assert signed.count(b"<oadr:oadrSignedObject") == 1
    assert open_envelope(data, trust=trust(name), now=NOW).payload == payload


@for_each_key_and_style
@searching
@given(payload=payloads(), indent=st.booleans(), last=st.booleans())
def test_we_open_what_libxmlsec1_signs(name: str, style: Style, payload: Payload, indent: bool, last: bool) -> None:
    template = etree.fromstring(seal(payload, signer=signer(name, style), now=NOW, nonce=NONCE))
    if last:
        template.append(template[0])
    if indent:
        etree.indent(template)
    data = signed_by_libxmlsec1(etree.tostring(template), name)
    opened = open_envelope(data, trust=trust(name), now=NOW)
    assert last == any(each.path == "oadrPayload/Signature" for each in opened.deviations)
    if not indent:
        assert opened.payload == payload
    assert len(verified_by_signxml(data, signer(name).certificate)) == 2


@pytest.mark.parametrize("name", NAMES)
@searching
@given(payload=payloads())
def test_we_open_what_signxml_signs(name: str, payload: Payload) -> None:
    ours = etree.fromstring(seal(payload, signer=signer(name), now=NOW, nonce=NONCE))
    data = signed_by_signxml(f.canonical_form(ours[1]), name)
    opened = open_envelope(data, trust=trust(name), now=NOW)
    assert opened.payload == payload
    assert (opened.signed, opened.object_id) == (True, "oadrSignedObject")
    verified_by_libxmlsec1(data, signer(name).certificate)


@for_each_key_and_style
def test_all_three_refuse_what_was_changed(name: str, style: Style) -> None:
    for old, new in ((b">ven-1<", b">ven-2<"), (NONCE.encode(), NONCE[::-1].encode()), (b"oadrPoll", b"oadrPolL")):
        changed = sealed(name, style).replace(old, new)
        for verify in (verified_by_libxmlsec1, verified_by_signxml):
            with pytest.raises(REFUSALS):
                verify(changed, signer(name).certificate)
        with pytest.raises(RemoteError):
            open_envelope(changed, trust=trust(name), now=NOW)


@pytest.mark.parametrize("name", NAMES)
def test_libxmlsec1_agrees_about_namespaces_that_are_hidden_or_redeclared(name: str) -> None:
    many = ' xmlns="http://www.w3.org/2005/Atom" xmlns:x="urn:x" xmlns:a="urn:a" xmlns:b="urn:x"'
    hidden = f.OBJECT.replace("<oadr:oadrPoll", '<oadr:oadrPoll xmlns="" xmlns:x="urn:y" xmlns:b="urn:a"')
    renamed = hidden.replace("ei:venID>", "e:venID>").replace("<e:venID", f'<e:venID xmlns:e="{f.EI}" xmlns:x="urn:x"')
    default = hidden.replace("oadr:oadr", "oadr").replace("<oadrSignedObject", f'<oadrSignedObject xmlns="{f.OADR}"')
    default = default.replace('<oadrPoll xmlns=""', "<oadrPoll")
    for message in (f.OBJECT, hidden, renamed, default):
        for references in ((f.OBJECT_REF, f.PROPERTY_REF), (f.ENVELOPED_REF, f.PROPERTY_REF)):
            unsigned = f.document_of(f.signature_of(name, references=references), message, attributes=many)
            data = signed_by_libxmlsec1(unsigned.encode(), name)
            assert open_envelope(data, trust=trust(name), now=NOW).payload == POLL
