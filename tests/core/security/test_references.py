"""A signature over anything but the signed object and its property is refused, and so is whatever was changed."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from oadr_core import security as s
from oadr_core.security import Style, open_envelope
from tests.core.security import forge as f
from tests.core.security.kit import KINDS, NOW, POLL, STYLES, refused, sealed, trust


@pytest.mark.parametrize(
    "references",
    [
        (f.PROPERTY_REF, f.PROPERTY_REF),
        (f.OBJECT_REF, f.OBJECT_REF),
        (f.ENVELOPED_REF, f.OBJECT_REF),
        (f.OBJECT_REF,),
        (f.PROPERTY_REF,),
        (),
        (f.OBJECT_REF, f.PROPERTY_REF, f.OBJECT_REF),
        (f.OBJECT_REF, f.PROPERTY_REF, f.PROPERTY_REF),
        (f.Ref("#nowhere"), f.PROPERTY_REF),
        (f.OBJECT_REF, f.Ref("#nowhere")),
        (f.Ref("#"), f.PROPERTY_REF),
        (f.Ref("http://example.com/#oadrSignedObject", digested="//oadr:oadrSignedObject"), f.PROPERTY_REF),
        (f.Ref("file:///etc/hostname"), f.PROPERTY_REF),
        (f.Ref(None, digested="//oadr:oadrSignedObject"), f.PROPERTY_REF),
        (f.Ref("#xpointer(id('oadrSignedObject'))", digested="//oadr:oadrSignedObject"), f.PROPERTY_REF),
        (f.Ref("#xpointer(/)", digested="//oadr:oadrSignedObject"), f.PROPERTY_REF),
        (f.Ref("#OADRSIGNEDOBJECT", digested="//oadr:oadrSignedObject"), f.PROPERTY_REF),
        (f.Ref("# oadrSignedObject", digested="//oadr:oadrSignedObject"), f.PROPERTY_REF),
        (f.Ref(" #oadrSignedObject", digested="//oadr:oadrSignedObject"), f.PROPERTY_REF),
        (f.Ref("%23oadrSignedObject", digested="//oadr:oadrSignedObject"), f.PROPERTY_REF),
        (f.Ref("?#oadrSignedObject", digested="//oadr:oadrSignedObject"), f.PROPERTY_REF),
        (f.Ref("https://example.com/poll.xml", digested="//oadr:oadrSignedObject"), f.PROPERTY_REF),
        (f.Ref("cid:part", digested="//oadr:oadrSignedObject"), f.PROPERTY_REF),
        (f.Ref(".", digested="//oadr:oadrSignedObject"), f.PROPERTY_REF),
        (f.OBJECT_REF, f.Ref("", (f.ENVELOPED, f.C14N))),
        (f.OBJECT_REF, f.Ref("http://example.com/", digested="//ds:Object")),
        (f.OBJECT_REF, f.Ref("#message", digested="//oadr:oadrPoll")),
        (f.OBJECT_REF, f.PROPERTY_REF, f.Ref("#message", digested="//oadr:oadrPoll")),
    ],
)
def test_signature_over_something_else(references: tuple[f.Ref, ...]) -> None:
    refused(f.forge(references=references), s.WrongReference)


def test_reference_to_part_of_the_object() -> None:
    message = f.object_of(f.MESSAGE.replace("<oadr:oadrPoll", '<oadr:oadrPoll oadr:Id="part"'))
    refused(f.forge(message=message, references=(f.Ref("#part"), f.PROPERTY_REF)), s.WrongReference)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("style", STYLES)
def test_anything_changed_in_the_object(name: str, style: Style) -> None:
    honest = sealed(name, style)
    for old, new in [
        (b">ven-1<", b">ven-2<"),
        (b">ven-1<", b">ven-1 <"),
        (b'"2.0b"', b'"2.0a"'),
        (b"<oadr:oadrPoll ", b"<oadr:oadrPoll  xmlns:x='urn:x' "),
        (b"oadrPoll", b"oadrQueryRegistration"),
        (b"<ei:venID>", b"\n<ei:venID>"),
    ]:
        assert old in honest
        refused(honest.replace(old, new), s.DigestMismatch)


@pytest.mark.parametrize("style", STYLES)
def test_anything_changed_in_the_property(style: Style) -> None:
    refused(sealed("ec", style).replace(b"12:00:00.250Z", b"12:00:00.251Z"), s.DigestMismatch)
    refused(sealed("ec", style).replace(b"0123456789abcdef", b"0123456789abcdee"), s.DigestMismatch)


@pytest.mark.parametrize("name", KINDS)
def test_anything_changed_in_signed_info(name: str) -> None:
    honest = sealed(name).decode()
    digests = re.findall("<ds:DigestValue>(.*?)</ds:DigestValue>", honest)
    zeros = base64.b64encode(bytes(32)).decode()
    for digest in digests:
        refused(honest.replace(digest, zeros).encode(), s.SignatureInvalid)
    refused(honest.replace("<ds:Reference ", '<ds:Reference Type="urn:x" ', 1).encode(), s.SignatureInvalid)


def test_forged_object_with_its_own_digest() -> None:
    forged = f.finish(f.document_of(f.signature_of(), f.object_of(f.FORGED)), sign=lambda _: b"")
    value = re.search(rb"<ds:SignatureValue>(.*?)</ds:SignatureValue>", f.forge())
    assert value
    refused(forged.replace(b"<ds:SignatureValue></ds:SignatureValue>", value[0]), s.SignatureInvalid)


@pytest.mark.parametrize("claimed", ["", "AA==", "AAAA", "EMPTY"])
@pytest.mark.parametrize("position", [0, 1])
def test_digest_that_is_none(claimed: str, position: int) -> None:
    data = f.forge().decode()
    digest = re.findall("<ds:DigestValue>(.*?)</ds:DigestValue>", data)[position]
    data = data.replace(digest, base64.b64encode(hashlib.sha256().digest()).decode() if claimed == "EMPTY" else claimed)
    refused(f.signed_again(data.encode()), s.DigestMismatch)


@pytest.mark.parametrize("style", STYLES)
def test_digests_exchanged(style: Style) -> None:
    references = (f.OBJECT_REF if style else f.ENVELOPED_REF, f.PROPERTY_REF)
    data = f.forge(references=references).decode()
    one, two = re.findall("<ds:DigestValue>(.*?)</ds:DigestValue>", data)
    exchanged = data.replace(one, "_").replace(two, one).replace("_<", f"{two}<")
    refused(f.signed_again(exchanged.encode()), s.DigestMismatch)


def test_reference_that_calls_itself_a_manifest() -> None:
    data = f.forge().decode().replace('URI="#prop"', f'URI="#prop" Type="{f.DS}Manifest"')
    assert open_envelope(f.signed_again(data.encode()), trust=trust("rsa"), now=NOW).payload == POLL
    manifest = f.PROPERTY.replace("SignatureProperties", "Manifest")
    refused(f.forge(objects=manifest), s.SignatureMalformed)
