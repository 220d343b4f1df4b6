"""A signed object that is moved away, with a forged one where a message is read, is refused in every form."""

from __future__ import annotations

import pytest

from oadr_core import RemoteError
from oadr_core import security as s
from oadr_core.security import open_envelope
from tests.core.security import forge as f
from tests.core.security.kit import KINDS, NOW, POLL, refused, trust


def test_forge_makes_good_documents() -> None:
    for name in KINDS:
        assert open_envelope(f.forge(name), trust=trust(name), now=NOW).payload == POLL
        whole = f.forge(name, references=(f.ENVELOPED_REF, f.PROPERTY_REF), last=True)
        assert open_envelope(whole, trust=trust(name), now=NOW).payload == POLL


def inside_of(name: str, addition: str, text: str) -> str:
    """The text with something added at the end of an element."""
    return text.replace(f"</oadr:{name}>", f"{addition}</oadr:{name}>")


def wrapped(pattern: str, *references: f.Ref) -> bytes:
    """The honest document, with the signed object moved away and a forged one where the message is read.

    The numbers are those under which the attacks on SAML are known.
    """
    honest = f.forge(references=references or (f.OBJECT_REF, f.PROPERTY_REF)).decode()
    signature = honest[honest.index("<ds:Signature") : honest.index("</ds:Signature>") + len("</ds:Signature>")]
    forged_same, forged_other = f.object_of(f.FORGED), f.object_of(f.FORGED, "other")
    forged_without = f.object_of(f.FORGED, None)
    whole = f.document_of(f.OBJECT)

    def holding(what: str) -> str:
        return signature.replace("</ds:Signature>", f"<ds:Object>{what}</ds:Object></ds:Signature>")

    patterns = {
        "into a ds:Object, same Id": (holding(f.OBJECT), forged_same),
        "into a ds:Object, other Id": (holding(f.OBJECT), forged_other),
        "into a ds:Object, no Id": (holding(f.OBJECT), forged_without),
        "into the one ds:Object": (signature.replace("</ds:Object>", f"{f.OBJECT}</ds:Object>"), forged_other),
        "beside, in front": (signature, f.OBJECT, forged_same),
        "beside, behind": (signature, forged_other, f.OBJECT),
        "beside, around the signature": (f.OBJECT, signature, forged_other),
        "the same object twice": (signature, f.OBJECT, f.OBJECT),
        "into a wrapper": (signature, f"<oadr:wrapper>{f.OBJECT}</oadr:wrapper>", forged_other),
        "into a wrapper of the same Id": (
            signature,
            f'<oadr:wrapper oadr:Id="oadrSignedObject">{f.OBJECT}</oadr:wrapper>',
            forged_other,
        ),
        "into the forged object": (signature, inside_of("oadrSignedObject", f.OBJECT, forged_other)),
        "into the forged message": (signature, inside_of("oadrPoll", f.OBJECT, forged_other)),
        "a whole payload inside": (f.object_of(f.FORGED, "other") + f.document_of(signature, f.OBJECT),),
        "a whole payload inside the message": (
            inside_of("oadrPoll", f.document_of(signature, f.OBJECT), f.object_of(f.FORGED)),
        ),
        "a whole payload behind": (f.document_of(signature, f.OBJECT), forged_other),
        "signature inside the forged object": (inside_of("oadrSignedObject", signature, forged_other), f.OBJECT),
        "signature inside the forged message": (inside_of("oadrPoll", signature, forged_other), f.OBJECT),
        "into KeyInfo": (signature.replace("<ds:KeyInfo>", f"<ds:KeyInfo>{f.OBJECT}"), forged_other),
        "into SignedInfo": (signature.replace("<ds:SignedInfo>", f"<ds:SignedInfo>{f.OBJECT}"), forged_other),
        "into a Transform": (
            signature.replace('"/></ds:Transforms>', f'">{f.OBJECT}</ds:Transform></ds:Transforms>', 1),
            forged_other,
        ),
        "into SignatureValue": (
            signature.replace("</ds:SignatureValue>", f"{f.OBJECT}</ds:SignatureValue>"),
            forged_other,
        ),
        "into the property": (signature.replace("<dsp:ReplayProtect>", f"{f.OBJECT}<dsp:ReplayProtect>"), forged_other),
        "into another namespace": (
            signature,
            f.OBJECT.replace("oadr:oadrSignedObject", "ei:oadrSignedObject"),
            forged_other,
        ),
        "XSW1": (inside_of("oadrSignedObject", holding(whole), forged_other),),
        "XSW2": (whole, signature, forged_other),
        "XSW3": (forged_other, signature, f.OBJECT),
        "XSW4": (signature, inside_of("oadrSignedObject", f.OBJECT, forged_without)),
        "XSW5": (inside_of("oadrSignedObject", signature, forged_without), f.OBJECT),
        "XSW6": (inside_of("oadrSignedObject", holding(f.OBJECT), forged_without),),
        "XSW7": (f"<oadr:extension>{forged_other}</oadr:extension>", signature, f.OBJECT),
        "XSW8": (holding(f"<oadr:extension>{f.OBJECT}</oadr:extension>"), forged_other),
    }
    return f.document_of(*patterns[pattern]).encode()


WRAPPINGS = {
    "into a ds:Object, same Id": s.SignatureMalformed,
    "into a ds:Object, other Id": s.SignatureMalformed,
    "into a ds:Object, no Id": s.SignatureMalformed,
    "into the one ds:Object": s.SignatureMalformed,
    "beside, in front": s.SignatureMalformed,
    "beside, behind": s.SignatureMalformed,
    "beside, around the signature": s.SignatureMalformed,
    "the same object twice": s.SignatureMalformed,
    "into a wrapper": s.SignatureMalformed,
    "into a wrapper of the same Id": s.SignatureMalformed,
    "into the forged object": s.WrongReference,
    "into the forged message": s.WrongReference,
    "a whole payload inside": s.SignatureMalformed,
    "a whole payload inside the message": s.SignatureMalformed,
    "a whole payload behind": s.SignatureMalformed,
    "signature inside the forged object": s.SignatureMalformed,
    "signature inside the forged message": s.SignatureMalformed,
    "into KeyInfo": s.WrongReference,
    "into SignedInfo": s.SignatureMalformed,
    "into a Transform": s.AlgorithmForbidden,
    "into SignatureValue": s.WrongReference,
    "into the property": s.SignatureMalformed,
    "into another namespace": s.SignatureMalformed,
    "XSW1": s.SignatureMalformed,
    "XSW2": s.SignatureMalformed,
    "XSW3": s.SignatureMalformed,
    "XSW4": s.WrongReference,
    "XSW5": s.SignatureMalformed,
    "XSW6": s.SignatureMalformed,
    "XSW7": s.SignatureMalformed,
    "XSW8": s.SignatureMalformed,
}


@pytest.mark.parametrize(("pattern", "kind"), WRAPPINGS.items(), ids=WRAPPINGS)
@pytest.mark.rule("R514")
def test_element_wrapping(pattern: str, kind: type[RemoteError]) -> None:
    assert f.MESSAGE.encode() in wrapped(pattern), "the attack has lost what was signed"
    assert b"mallory" in wrapped(pattern) or pattern == "the same object twice"
    refused(wrapped(pattern), kind)


@pytest.mark.parametrize("pattern", WRAPPINGS)
def test_element_wrapping_of_a_whole_document(pattern: str) -> None:
    with pytest.raises(s.SignatureError):
        open_envelope(wrapped(pattern, f.ENVELOPED_REF, f.PROPERTY_REF), trust=trust("rsa"), now=NOW)


@pytest.mark.parametrize("pattern", WRAPPINGS)
def test_no_wrapping_hides_behind_a_trust_that_takes_unsigned_messages(pattern: str) -> None:
    refused(wrapped(pattern), WRAPPINGS[pattern], believed=trust("rsa", required=False))


@pytest.mark.parametrize("text", ["mallory", "<![CDATA[mallory]]>", "<!-- a -->mallory<!-- b -->"])
@pytest.mark.parametrize("before", ["<ds:Signature>", "<oadr:oadrSignedObject", "</oadr:oadrPayload>"])
def test_text_beside_what_is_signed(text: str, before: str) -> None:
    refused(f.forge().replace(before.encode(), f"{text}{before}".encode()), s.SignatureMalformed)


def test_forged_object_in_a_comment_or_as_text() -> None:
    hidden = f"<!-- {f.object_of(f.FORGED)} -->".encode()
    for place in (b"<ds:Signature>", b"<oadr:oadrSignedObject", b"<oadr:oadrPoll", b"<ei:venID>"):
        assert open_envelope(f.forge().replace(place, hidden + place), trust=trust("rsa"), now=NOW).payload == POLL
    as_text = f"<![CDATA[{f.object_of(f.FORGED)}]]>".encode()
    refused(f.forge().replace(b"<oadr:oadrPoll", as_text + b"<oadr:oadrPoll"), s.DigestMismatch)


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
