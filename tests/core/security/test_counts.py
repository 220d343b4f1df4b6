"""Ids, signatures and properties that are there twice or not at all are refused, wherever they stand."""

from __future__ import annotations

import re

import pytest

from oadr_core import RemoteError
from oadr_core import security as s
from oadr_core.security import Style, open_envelope
from tests.core.security import forge as f
from tests.core.security.kit import NOW, POLL, STYLES, refused, sealed, trust


@pytest.mark.parametrize(
    "attribute",
    [
        'Id="{}"',
        'oadr:Id="{}"',
        'xml:id="{}"',
        'ID="{}"',
        'id="{}"',
        'iD="{}"',
        'ei:Id="{}"',
        'dsp:ID="{}"',
        'Id=" {} "',
    ],
)
@pytest.mark.parametrize("name", ["oadrSignedObject", "prop"])
def test_duplicate_ids(attribute: str, name: str) -> None:
    message = f.OBJECT.replace("<ei:venID>", f"<ei:venID {attribute.format(name)}>")
    error = refused(f.forge(message=message), s.DuplicateId)
    assert error.value == name


@pytest.mark.parametrize(
    "element", ["ds:Signature", "ds:SignedInfo", "ds:SignatureValue", "ds:KeyInfo", "oadr:oadrPayload"]
)
@pytest.mark.parametrize("name", ["oadrSignedObject", "prop"])
def test_duplicate_ids_around_what_is_signed(element: str, name: str) -> None:
    plain = f.document_of(f.signature_of(), f.OBJECT).replace(f"<{element}", f'<{element} Id="{name}"', 1)
    assert refused(f.finish(plain), s.DuplicateId).value == name


def test_object_that_has_its_id_twice() -> None:
    message = f.OBJECT.replace("<oadr:oadrSignedObject", '<oadr:oadrSignedObject Id="oadrSignedObject"')
    refused(f.forge(message=message), s.DuplicateId)


@pytest.mark.parametrize("attribute", ["xml:id", "id", "ID", "ei:Id", "oadr:ID"])
def test_object_that_has_its_id_under_another_name(attribute: str) -> None:
    message = f.OBJECT.replace("oadr:Id", attribute)
    assert attribute in message
    refused(
        f.forge(
            message=message, references=(f.OBJECT_REF._replace(digested="/*/oadr:oadrSignedObject"), f.PROPERTY_REF)
        ),
        s.WrongReference,
    )


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


@pytest.mark.parametrize(
    ("before", "kind"),
    [
        ("<ds:SignatureMethod", s.SignatureMalformed),
        ("<ds:X509Data>", s.SecondReplayProtect),
        ("<ei:venID>", s.SecondReplayProtect),
        ("<oadr:oadrPoll", s.SecondReplayProtect),
        ("<oadr:oadrSignedObject", s.SignatureMalformed),
        ("</oadr:oadrPayload>", s.SignatureMalformed),
    ],
)
def test_second_replay_protect_elsewhere(before: str, kind: type[RemoteError]) -> None:
    """Signed or not, in whatever else it stands: a property with an older or a newer time is not looked at."""
    fresh = f.REPLAY_PROTECT.replace("12:00:00Z", "12:00:01Z")
    for added in (
        fresh,
        f"<ds:SignatureProperty Target=''>{fresh}</ds:SignatureProperty>",
        f.PROPERTY.replace("prop", "more"),
    ):
        document = f.document_of(f.signature_of(), f.OBJECT)
        assert before in document
        refused(f.finish(document.replace(before, added + before, 1)), kind)
        refused(f.forge().replace(before.encode(), (added + before).encode(), 1), kind)


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


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"<ds:SignatureValue>.*</ds:SignatureValue>", ""),
        (r"<ds:SignatureValue>.*</ds:SignatureValue>", "<ds:SignatureValue></ds:SignatureValue>"),
        (r"<ds:SignedInfo>.*</ds:SignedInfo>", ""),
        (r"<ds:KeyInfo>.*</ds:KeyInfo>", ""),
        (r"<ds:Signature>.*</ds:Signature>", "<ds:Signature/>"),
        (r"<ds:DigestValue>.*?</ds:DigestValue>", "<ds:DigestValue/>"),
        (r"<ds:Reference .*</ds:Reference>", ""),
    ],
)
def test_signature_stripped_of_a_part(old: str, new: str) -> None:
    data = f.forge().decode()
    assert re.search(old, data, re.DOTALL)
    for believed in (trust("rsa"), trust("rsa", required=False)):
        with pytest.raises(s.SignatureError):
            open_envelope(re.sub(old, new, data, flags=re.DOTALL).encode(), trust=believed, now=NOW)


def test_trust_that_takes_unsigned_messages_takes_no_wrong_signatures() -> None:
    tampered = sealed().replace(b"ven-1", b"ven-2")
    refused(tampered, s.DigestMismatch, believed=trust("rsa", required=False))
