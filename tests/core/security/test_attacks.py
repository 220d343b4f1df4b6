"""Every known way to make a receiver believe what nobody signed ends in an error of its own, and delivers nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from oadr_core import RemoteError
from oadr_core import security as s
from oadr_core.errors import DocumentTypeForbidden, EntityForbidden, ForbiddenXml, LimitExceeded
from oadr_core.security import Style, Trust, open_envelope
from tests.core.security import forge as f
from tests.core.security.kit import FIVE_DAYS, KINDS, NOW, POLL, STYLES, certificate, der, private_key, sealed, trust

ENVELOPED_REF = f.Ref("", (f.ENVELOPED, f.C14N))


def refused(data: bytes, kind: type[RemoteError], *, believed: Trust | None = None) -> RemoteError:
    """Assert that a document is refused with exactly this error."""
    with pytest.raises(RemoteError) as caught:
        open_envelope(data, trust=believed or trust("rsa", "ec"), now=NOW)
    assert type(caught.value) is kind, repr(caught.value)
    assert str(caught.value)
    return caught.value


def test_forge_makes_good_documents() -> None:
    for name in KINDS:
        assert open_envelope(f.forge(name), trust=trust(name), now=NOW).payload == POLL
        whole = f.forge(name, references=(ENVELOPED_REF, f.PROPERTY_REF), last=True)
        assert open_envelope(whole, trust=trust(name), now=NOW).payload == POLL


# --- element wrapping -----------------------------------------------------------------------------------------------


def inside_of(name: str, addition: str, text: str) -> str:
    """The text with something added at the end of an element."""
    return text.replace(f"</oadr:{name}>", f"{addition}</oadr:{name}>")


def wrapped(pattern: str) -> bytes:
    """The honest document, with the signed object moved away and a forged one where the message is read."""
    honest = f.forge().decode()
    signature = honest[honest.index("<ds:Signature") : honest.index("</ds:Signature>") + len("</ds:Signature>")]
    forged_same, forged_other = f.object_of(f.FORGED), f.object_of(f.FORGED, "other")
    forged_without = f.object_of(f.FORGED, None)
    inside = signature.replace("</ds:Signature>", f"<ds:Object>{f.OBJECT}</ds:Object></ds:Signature>")
    patterns = {
        "into a ds:Object, same Id": (inside, forged_same),
        "into a ds:Object, other Id": (inside, forged_other),
        "into a ds:Object, no Id": (inside, forged_without),
        "beside, in front": (signature, f.OBJECT, forged_same),
        "beside, behind": (signature, forged_other, f.OBJECT),
        "into a wrapper": (signature, f"<oadr:wrapper>{f.OBJECT}</oadr:wrapper>", forged_other),
        "into the forged object": (signature, inside_of("oadrSignedObject", f.OBJECT, forged_other)),
        "into the forged message": (signature, inside_of("oadrPoll", f.OBJECT, forged_other)),
        "a whole payload inside": (f.object_of(f.FORGED, "other") + f.document_of(signature, f.OBJECT),),
        "a whole payload inside the message": (
            inside_of("oadrPoll", f.document_of(signature, f.OBJECT), f.object_of(f.FORGED)),
        ),
        "signature inside the forged object": (inside_of("oadrSignedObject", signature, forged_other), f.OBJECT),
        "into KeyInfo": (signature.replace("<ds:KeyInfo>", f"<ds:KeyInfo>{f.OBJECT}"), forged_other),
        "into the property": (signature.replace("<dsp:ReplayProtect>", f"{f.OBJECT}<dsp:ReplayProtect>"), forged_other),
    }
    return f.document_of(*patterns[pattern]).encode()


@pytest.mark.parametrize(
    ("pattern", "kind"),
    [
        ("into a ds:Object, same Id", s.SignatureMalformed),
        ("into a ds:Object, other Id", s.SignatureMalformed),
        ("into a ds:Object, no Id", s.SignatureMalformed),
        ("beside, in front", s.SignatureMalformed),
        ("beside, behind", s.SignatureMalformed),
        ("into a wrapper", s.SignatureMalformed),
        ("into the forged object", s.WrongReference),
        ("into the forged message", s.WrongReference),
        ("a whole payload inside", s.SignatureMalformed),
        ("a whole payload inside the message", s.SignatureMalformed),
        ("signature inside the forged object", s.SignatureMalformed),
        ("into KeyInfo", s.WrongReference),
        ("into the property", s.SignatureMalformed),
    ],
)
@pytest.mark.rule("R514")
def test_element_wrapping(pattern: str, kind: type[RemoteError]) -> None:
    assert f.MESSAGE.encode() in wrapped(pattern), "the attack has lost what was signed"
    assert b"mallory" in wrapped(pattern)
    refused(wrapped(pattern), kind)


def test_signature_and_object_inside_something_else() -> None:
    for root in ("oadr:oadrResponse", "oadr:oadrPoll", "ei:oadrPayload", "oadr:payload"):
        data = f.forge().replace(b"<oadr:oadrPayload", f"<{root}".encode())
        refused(data.replace(b"</oadr:oadrPayload", f"</{root}".encode()), s.SignatureMalformed)


def test_signed_property_moved_away_and_a_fresh_one_in_its_place() -> None:
    fresh = f.PROPERTY.replace("12:00:00Z", "12:00:01Z")
    for placed in (
        fresh.replace('Id="prop"', 'Id="other"') + f.PROPERTY,
        fresh.replace("</ds:Object>", f"{f.PROPERTY}</ds:Object>").replace('Id="prop"', 'Id="other"', 1),
    ):
        data = f.forge().decode().replace(f.PROPERTY, placed)
        assert data.count("<dsp:ReplayProtect>") == 2
        refused(data.encode(), s.SignatureMalformed if "</ds:Object><ds:Object" in data else s.SecondReplayProtect)


# --- ids, counts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attribute", ['Id="{}"', 'oadr:Id="{}"', 'xml:id="{}"', 'ID="{}"', 'id="{}"'])
@pytest.mark.parametrize("name", ["oadrSignedObject", "prop"])
def test_duplicate_ids(attribute: str, name: str) -> None:
    message = f.OBJECT.replace("<ei:venID>", f"<ei:venID {attribute.format(name)}>")
    error = refused(f.forge(message=message), s.DuplicateId)
    assert error.value == name


def test_object_with_the_id_of_the_property() -> None:
    refused(f.forge(message=f.object_of(f.MESSAGE, "prop"), references=(f.Ref("#prop"), f.Ref("#prop"))), s.DuplicateId)


@pytest.mark.parametrize("where", ["front", "back", "message"])
@pytest.mark.parametrize("name", ["rsa", "rsa-attacker"])
def test_second_signature(where: str, name: str) -> None:
    honest, second = f.forge().decode(), f.signature_of(name)
    if where == "message":
        data = honest.replace("</oadr:oadrPoll>", f"{second}</oadr:oadrPoll>")
    elif where == "front":
        data = honest.replace("<ds:Signature>", f"{second}<ds:Signature>")
    else:
        data = honest.replace("</oadr:oadrPayload>", f"{second}</oadr:oadrPayload>")
    refused(data.encode(), s.SecondSignature)


@pytest.mark.parametrize(
    "double",
    [
        f.PROPERTY.replace(f.REPLAY_PROTECT, 2 * f.REPLAY_PROTECT),
        f.PROPERTY.replace(
            f.REPLAY_PROTECT,
            f"{f.REPLAY_PROTECT}</ds:SignatureProperty><ds:SignatureProperty Target=''>{f.REPLAY_PROTECT}",
        ),
        f.PROPERTY.replace("<dsp:nonce>", f"{f.REPLAY_PROTECT}<dsp:nonce>"),
    ],
)
def test_second_replay_protect(double: str) -> None:
    refused(f.forge(objects=double), s.SecondReplayProtect)


def test_replay_protect_inside_the_message_does_not_count() -> None:
    elsewhere = f.object_of(f.MESSAGE.replace("</oadr:oadrPoll>", f.REPLAY_PROTECT + "</oadr:oadrPoll>"))
    refused(f.forge(message=elsewhere), s.SecondReplayProtect)
    without = f.PROPERTY.replace(f.REPLAY_PROTECT, "")
    refused(f.forge(message=elsewhere, objects=without), s.SignatureMalformed)
    refused(f.forge(objects=without), s.ReplayProtectMissing)


@pytest.mark.rule("R514")
@pytest.mark.parametrize("style", STYLES)
def test_stripped_signature(style: Style) -> None:
    data = re.sub(rb"<ds:Signature .*</ds:Signature>", b"", sealed("rsa", style))
    refused(data, s.SignatureMissing)
    assert open_envelope(data, trust=trust("rsa", required=False), now=NOW).payload == POLL


def test_signature_hidden_in_another_namespace_is_none() -> None:
    refused(sealed().replace(f.DS.encode(), b"urn:other"), s.SignatureMissing)


def test_trust_that_takes_unsigned_messages_takes_no_wrong_signatures() -> None:
    tampered = sealed().replace(b"ven-1", b"ven-2")
    refused(tampered, s.DigestMismatch, believed=trust("rsa", required=False))


# --- references -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "references",
    [
        (f.PROPERTY_REF, f.PROPERTY_REF),
        (f.OBJECT_REF, f.OBJECT_REF),
        (ENVELOPED_REF, f.OBJECT_REF),
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


# --- algorithms and transforms --------------------------------------------------------------------------------------


def public_pem(name: str) -> bytes:
    return bytes(
        private_key(name)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


@pytest.mark.rule("R514")
@pytest.mark.parametrize(
    ("name", "method", "sign"),
    [
        ("rsa", f"{f.DS}rsa-sha1", f.honest("rsa", hashes.SHA1())),
        ("ec", f"{f.MORE}ecdsa-sha1", f.honest("ec", hashes.SHA1())),
        ("rsa", f"{f.MORE}rsa-md5", f.honest("rsa", hashes.MD5())),
        ("rsa", f"{f.MORE}rsa-sha512", f.honest("rsa", hashes.SHA512())),
        ("rsa", f"{f.MORE}hmac-sha256", f.with_mac(public_pem("rsa"))),
        ("rsa", f"{f.DS}hmac-sha1", f.with_mac(der(certificate("rsa")))),
        ("rsa", "none", lambda _: b""),
        ("rsa", "", lambda _: b""),
        ("rsa", f"{f.DS}dsa-sha1", f.honest("rsa")),
        ("rsa", f"{f.MORE}RSA-SHA256", f.honest("rsa")),
        ("rsa", f" {f.MORE}rsa-sha256", f.honest("rsa")),
    ],
)
def test_signature_methods_that_are_not_allowed(name: str, method: str, sign: f.Sign) -> None:
    changes = {"method": method} if method else {"method": "urn:empty"}
    refused(f.forge(name, sign=sign, **changes), s.AlgorithmForbidden)


def test_parameters_of_a_method() -> None:
    short = "<ds:HMACOutputLength>8</ds:HMACOutputLength>"
    refused(f.forge(parameters=short), s.AlgorithmForbidden)
    refused(f.forge(method=f"{f.MORE}hmac-sha256", parameters=short), s.AlgorithmForbidden)


@pytest.mark.parametrize("position", [0, 1])
def test_digest_methods_that_are_not_allowed(position: int) -> None:
    for digest in (f.SHA1, f"{f.MORE}md5", "http://www.w3.org/2001/04/xmlenc#sha512", "none"):
        references = [f.OBJECT_REF, f.PROPERTY_REF]
        references[position] = references[position]._replace(digest=digest)
        refused(f.forge(references=references), s.AlgorithmForbidden)


@pytest.mark.parametrize("how", [f.EXCLUSIVE, "http://www.w3.org/2006/12/xml-c14n11", "urn:none"])
def test_canonicalisations_that_are_not_allowed(how: str) -> None:
    refused(f.forge(canonicalisation=how), s.AlgorithmForbidden)


@pytest.mark.parametrize(
    "transforms",
    [
        (f.EXCLUSIVE,),
        (f.ENVELOPED,),
        (f.ENVELOPED, f.C14N),
        ("http://www.w3.org/TR/1999/REC-xslt-19991116",),
        ("http://www.w3.org/TR/1999/REC-xpath-19991116", f.C14N),
        ("http://www.w3.org/2002/06/xmldsig-filter2", f.C14N),
        (f"{f.DS}base64",),
        (f.C14N, f.C14N),
        ("urn:identity",),
    ],
)
@pytest.mark.parametrize("position", [0, 1])
def test_transforms_that_are_not_allowed(transforms: tuple[str, ...], position: int) -> None:
    references = [f.OBJECT_REF, f.PROPERTY_REF]
    references[position] = references[position]._replace(transforms=transforms)
    refused(f.forge(references=references), s.TransformForbidden)


@pytest.mark.parametrize("transforms", [(), (f.C14N,), (f.C14N, f.ENVELOPED), (f.ENVELOPED, f.EXCLUSIVE), None])
def test_whole_document_without_the_enveloped_transform(transforms: tuple[str, ...] | None) -> None:
    refused(f.forge(references=(f.Ref("", transforms), f.PROPERTY_REF)), s.TransformForbidden)


def test_transform_with_parameters() -> None:
    path = "<ds:XPath>not(ancestor-or-self::ei:venID)</ds:XPath>"
    refused(f.forge(references=(f.OBJECT_REF._replace(inside_transform=path), f.PROPERTY_REF)), s.AlgorithmForbidden)


# --- keys and certificates ------------------------------------------------------------------------------------------


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


@pytest.mark.rule("R68")
def test_key_that_is_too_short() -> None:
    refused(f.forge("rsa-short"), s.KeyUnsuitable, believed=trust("rsa-short"))


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


def test_ecdsa_value_of_another_width() -> None:
    def sign(data: bytes) -> bytes:
        value = f.honest("ec")(data)
        return value[:32] + b"\0" + value[32:]

    refused(f.forge("ec", sign=sign), s.SignatureInvalid)


def test_ecdsa_value_in_der() -> None:
    ecdsa = ec.ECDSA(hashes.SHA256())
    refused(f.forge("ec", sign=lambda data: private_key("ec").sign(data, ecdsa)), s.SignatureInvalid)


# --- the document itself --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declaration", "kind"),
    [
        ('<!DOCTYPE a [<!ENTITY e "mallory">]>', EntityForbidden),
        ("<!DOCTYPE a [<!ATTLIST oadr:oadrSignedObject Id ID #IMPLIED>]>", DocumentTypeForbidden),
    ],
)
def test_document_type_is_refused_before_any_signature_is_looked_at(declaration: str, kind: type[ForbiddenXml]) -> None:
    refused(declaration.encode() + f.forge(), kind)


def test_flood_of_namespaces() -> None:
    many = " ".join(f'xmlns:n{i}="urn:{i}"' for i in range(1000))
    refused(f.forge().replace(b"<oadr:oadrSignedObject", f"<oadr:oadrSignedObject {many}".encode()), LimitExceeded)


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


@pytest.mark.parametrize("style", STYLES)
@given(data=st.data())
def test_no_change_of_bytes_gives_another_message(style: Style, data: st.DataObject) -> None:
    honest = sealed("ec", style)
    begin = data.draw(st.integers(0, len(honest)))
    end = data.draw(st.integers(begin, min(begin + 40, len(honest))))
    source = data.draw(st.integers(0, len(honest)))
    new = data.draw(st.binary(max_size=4) | st.just(honest[source : source + 30]))
    try:
        opened = open_envelope(honest[:begin] + new + honest[end:], trust=trust("ec"), now=NOW)
    except RemoteError:
        return
    assert opened.payload == POLL
    assert isinstance(opened, s.SignedEnvelope)
    assert (opened.timestamp, opened.nonce) == (NOW, "0123456789abcdef")


@given(st.data())
def test_no_exchange_of_elements_gives_another_message(data: st.DataObject) -> None:
    root = etree.fromstring(f.forge("ec", message=f.OBJECT))
    name = data.draw(st.sampled_from(["oadrSignedObject", "x"]))
    forged = etree.fromstring(f.document_of(f.object_of(f.FORGED, name)))
    move = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 3))
    moves = data.draw(st.lists(move, min_size=1, max_size=4))
    root.append(forged[0])
    for what, where, position in moves:
        elements = [each for each in root.iter() if each is not root]
        moved, holder = elements[what % len(elements)], elements[where % len(elements)]
        if data.draw(st.booleans()):
            holder = root
        if moved is not holder and moved not in list(holder.iterancestors()):
            holder.insert(position, moved)
    if data.draw(st.booleans()):
        last = root[-1]
        root.remove(last)
    try:
        opened = open_envelope(etree.tostring(root), trust=trust("ec"), now=NOW)
    except RemoteError:
        return
    assert opened.payload == POLL
