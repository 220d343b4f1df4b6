"""What XML itself lets an attacker do around a signature gets nobody anywhere."""

from __future__ import annotations

import pytest

from oadr_core import RemoteError
from oadr_core import security as s
from oadr_core.errors import (
    DocumentTypeForbidden,
    EntityForbidden,
    ExternalReferenceForbidden,
    ForbiddenXml,
    LimitExceeded,
    NotXml,
    ProcessingInstructionForbidden,
)
from oadr_core.model import Poll
from oadr_core.security import Style, open_envelope
from tests.core.security import forge as f
from tests.core.security.kit import NOW, POLL, STYLES, refused, sealed, trust


@pytest.mark.parametrize(
    ("declaration", "kind"),
    [
        ('<!DOCTYPE a [<!ENTITY e "mallory">]>', EntityForbidden),
        ('<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">', ExternalReferenceForbidden),
        ("<!DOCTYPE a [<!ATTLIST oadr:oadrSignedObject Id ID #IMPLIED>]>", DocumentTypeForbidden),
    ],
)
def test_document_type_is_refused_before_any_signature_is_looked_at(declaration: str, kind: type[ForbiddenXml]) -> None:
    refused(declaration.encode() + f.forge(), kind)


@pytest.mark.parametrize(
    ("declaration", "kind"),
    [
        ('<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]>', ForbiddenXml),
        ('<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p"> %p;]>', ForbiddenXml),
        ('<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY e "&b;&b;&b;&b;">]>', EntityForbidden),
    ],
)
def test_entities_inside_what_is_signed(declaration: str, kind: type[ForbiddenXml]) -> None:
    data = f.forge().replace(b"ven-1", b"&e;")
    with pytest.raises(kind):
        open_envelope(declaration.encode() + data, trust=trust("rsa"), now=NOW)
    refused(data, NotXml)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp037", "utf-7", "latin-1"])
def test_other_encodings(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>' + f.forge().decode()
    with pytest.raises(RemoteError):
        open_envelope(text.encode(encoding), trust=trust("rsa"), now=NOW)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ven-1", "<![CDATA[ven-1]]>"),
        ("ven-1", "ve<![CDATA[n]]>-1"),
        ("ven-1", "&#118;en&#x2d;1"),
        ("ven-1", "ven<!-- ]]> --><![CDATA[]]>-1"),
        ("<ei:venID>", "<ei:venID\n\t>"),
        ('ei:schemaVersion="2.0b"', "ei:schemaVersion='2.0&#98;'"),
        ("<oadr:oadrPoll", '<oadr:oadrPoll xmlns:ei="http://docs.oasis-open.org/ns/energyinterop/201110"'),
        ("<ds:DigestValue>", "<ds:DigestValue><![CDATA[]]>"),
        ("<ds:SignatureValue>", "<ds:SignatureValue>&#13;\n "),
    ],
)
@pytest.mark.parametrize("style", STYLES)
def test_other_spellings_of_the_same_are_the_same(style: Style, old: str, new: str) -> None:
    data = sealed("ec", style)
    assert old.encode() in data
    assert open_envelope(data.replace(old.encode(), new.encode()), trust=trust("ec"), now=NOW).payload == POLL


@pytest.mark.parametrize(
    "text", ["ven-1<!-- -->.mallory", "<!-- -->ven-1.mallory", "ven-1<![CDATA[.mallory]]><!-- -->"]
)
def test_text_behind_a_comment_is_not_cut_off(text: str) -> None:
    """Somebody may be allowed to sign as ven-1.mallory, and must not become ven-1."""
    data = f.forge(message=f.object_of(f.MESSAGE.replace("ven-1", text)))
    opened = open_envelope(data, trust=trust("rsa"), now=NOW)
    assert opened.payload == Poll(ven_id="ven-1.mallory")


@pytest.mark.parametrize(
    "place", ["<ds:SignedInfo>", "<ei:venID>", "<ds:Signature>", "</oadr:oadrPayload>", "<dsp:nonce>"]
)
def test_processing_instructions(place: str) -> None:
    refused(f.forge().replace(place.encode(), f"<?mallory?>{place}".encode()), ProcessingInstructionForbidden)


def test_flood_of_namespaces() -> None:
    many = " ".join(f'xmlns:n{i}="urn:{i}"' for i in range(1000))
    refused(f.forge().replace(b"<oadr:oadrSignedObject", f"<oadr:oadrSignedObject {many}".encode()), LimitExceeded)


def test_flood_of_elements_deep_below_namespaces() -> None:
    many = "".join(f' xmlns:n{i}="urn:{i}"' for i in range(24))
    for depth, elements, fine in ((200, 40_000, False), (40, 200_000, False), (12, 20_000, True)):
        flood = f"<x{many}>{'<x>' * depth}{'<y/>' * elements}{'</x>' * depth}</x>"
        data = f.forge().replace(b"<ei:venID>", f"{flood}<ei:venID>".encode())
        refused(data, s.DigestMismatch if fine else LimitExceeded)


def test_flood_that_is_no_xml() -> None:
    refused(b"<a>" + 1000 * b'<b xmlns:n="urn:n"/>', NotXml)


def test_namespaces_that_do_no_harm() -> None:
    many = "".join(f' xmlns:n{i}="urn:{i}"' for i in range(40))
    assert open_envelope(f.forge(attributes=many), trust=trust("rsa"), now=NOW).payload == POLL


def test_declarations_one_after_the_other_are_no_flood() -> None:
    elements = "".join(f'<ds:SPKISexp xmlns:n{i}="urn:{i}"/>' for i in range(1000))
    info = f.key_info("rsa") + f"<ds:SPKIData>{elements}</ds:SPKIData>"
    assert open_envelope(f.forge(key_info=info), trust=trust("rsa"), now=NOW).payload == POLL


@pytest.mark.parametrize("attribute", [' xml:lang="en"', ' xml:space="preserve"', ' xml:base="http://x/"'])
def test_xml_attributes_above_what_is_signed(attribute: str) -> None:
    refused(f.forge(attributes=attribute), s.SignatureMalformed)
    refused(f.forge().replace(b"<ds:Signature>", f"<ds:Signature{attribute}>".encode()), s.SignatureMalformed)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<ds:SignatureValue>", "<ds:SignatureValue><!-- -->"),
        ("<ds:DigestValue>", "<ds:DigestValue><!-- -->"),
        ("<ds:SignatureMethod", "<!-- --><ds:SignatureMethod"),
        ("</ds:KeyInfo>", "</ds:KeyInfo><ds:Object/>"),
        ("<ds:KeyInfo>", "<ds:KeyInfo/><ds:KeyInfo>"),
        ("<ds:SignedInfo>", "<ds:SignedInfo/><ds:SignedInfo>"),
        ("<dsp:ReplayProtect>", "<!-- --><dsp:ReplayProtect>"),
        ("</oadr:oadrSignedObject>", "</oadr:oadrSignedObject><oadr:oadrSignedObject/>"),
        ("</oadr:oadrSignedObject>", "</oadr:oadrSignedObject><oadr:oadrPoll/>"),
    ],
)
def test_elements_that_do_not_belong(old: str, new: str) -> None:
    refused(f.forge().replace(old.encode(), new.encode()), s.SignatureMalformed)


@pytest.mark.parametrize("style", STYLES)
def test_comment_inside_a_text_splits_nothing(style: Style) -> None:
    data = sealed("ec", style).replace(b"ven-1", b"ven<!-- -->-1").replace(b"<ei:venID>", b"<ei:venID><!-- x -->")
    opened = open_envelope(data, trust=trust("ec"), now=NOW)
    assert opened.payload == POLL


def test_comment_inside_the_timestamp_splits_nothing() -> None:
    data = sealed("ec").replace(b"12:00:00.250Z", b"12:00:00<!-- -->.250Z").replace(b"abcdef<", b"ab<!-- -->cdef<")
    opened = open_envelope(data, trust=trust("ec"), now=NOW)
    assert isinstance(opened, s.SignedEnvelope)
    assert (opened.timestamp, opened.nonce) == (NOW, "0123456789abcdef")


@pytest.mark.parametrize("name", ["timestamp", "nonce"])
def test_elements_inside_timestamp_and_nonce(name: str) -> None:
    for inside in ("<dsp:x/>", "<dsp:x>Z</dsp:x>"):
        objects = f.PROPERTY.replace(f"</dsp:{name}>", f"{inside}</dsp:{name}>")
        refused(f.forge(objects=objects), s.ReplayProtectMissing)
