"""A verified message is read as it was signed, whoever signed it and in whichever of the two styles."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree

from oadr_core import LocalError, RemoteError, decode
from oadr_core.errors import SchemaViolation
from oadr_core.security import (
    FromTheFuture,
    ReplayProtectMissing,
    SignedEnvelope,
    Stale,
    Style,
    Trust,
    Window,
    fingerprint,
    open_envelope,
)
from tests.core.security import forge as f
from tests.core.security.kit import (
    KINDS,
    NOW,
    POLL,
    STYLES,
    certificate,
    der,
    key_bytes,
    own_fingerprint,
    pem,
    sealed,
    trust,
)

GOLDEN = sorted((Path(__file__).parents[2] / "golden" / "signed").glob("*.xml"))
SECOND = timedelta(seconds=1)


def own_time(data: bytes) -> datetime:
    found = re.search(rb"timestamp>([^<]+)<", data)
    assert found
    return datetime.fromisoformat(found[1].decode())


def test_there_are_golden_messages() -> None:
    assert len(GOLDEN) >= 6


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_signed_messages_of_other_implementations(path: Path) -> None:
    data = path.read_bytes()
    opened = open_envelope(data, trust=Trust(fingerprints=[own_fingerprint(data)]), now=own_time(data))
    assert isinstance(opened, SignedEnvelope)
    assert opened.payload == decode(data).payload
    assert opened.timestamp == own_time(data)
    assert opened.style is (Style.DOCUMENT if path.stem.startswith("avob") else Style.OBJECT)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_messages_changed_in_one_letter_are_refused(path: Path) -> None:
    data = path.read_bytes()
    changed = re.sub(rb"(venID|vtnID)>(\w)", rb"\1>_\2", data, count=1)
    assert changed != data
    with pytest.raises(RemoteError):
        open_envelope(changed, trust=Trust(fingerprints=[own_fingerprint(data)]), now=own_time(data))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("style", STYLES)
def test_envelope_says_who_signed_and_when(name: str, style: Style) -> None:
    opened = open_envelope(sealed(name, style), trust=trust(name), now=NOW)
    assert isinstance(opened, SignedEnvelope)
    assert opened.signed
    assert opened.payload == POLL
    assert opened.object_id == "oadrSignedObject"
    assert opened.signer == fingerprint(pem(certificate(name)))
    assert opened.certificate == der(certificate(name))
    assert (opened.timestamp, opened.nonce, opened.style) == (NOW, "0123456789abcdef", style)
    assert opened.deviations == ()


@pytest.mark.parametrize("style", STYLES)
def test_strict_reader_opens_what_we_seal(style: Style) -> None:
    assert open_envelope(sealed("rsa", style), trust=trust("rsa"), now=NOW, strict=True).payload == POLL


@pytest.mark.parametrize("references", [None, (f.Ref("", (f.ENVELOPED,)), f.PROPERTY_REF)])
def test_signature_behind_the_object_is_a_deviation(references: tuple[f.Ref, ...] | None) -> None:
    data = f.forge(last=True, **({"references": references} if references else {}))
    opened = open_envelope(data, trust=trust("rsa"), now=NOW)
    assert [each.path for each in opened.deviations] == ["oadrPayload/Signature"]
    with pytest.raises(SchemaViolation, match="behind the object"):
        open_envelope(data, trust=trust("rsa"), now=NOW, strict=True)


@pytest.mark.parametrize(
    "references",
    [
        (f.PROPERTY_REF, f.OBJECT_REF),
        (f.Ref("#oadrSignedObject", None), f.Ref("#prop", None)),
        (f.Ref("#oadrSignedObject", (f.C14N + "#WithComments",)), f.PROPERTY_REF),
        (f.PROPERTY_REF, f.Ref("", (f.ENVELOPED, f.C14N + "#WithComments"))),
    ],
)
def test_other_orders_and_transforms_that_are_allowed(references: tuple[f.Ref, ...]) -> None:
    assert open_envelope(f.forge(references=references), trust=trust("rsa"), now=NOW).payload == POLL


@pytest.mark.parametrize("element", ["ds:SignatureProperties", "ds:SignatureProperty", "dsp:ReplayProtect"])
def test_reference_to_any_holder_of_the_property(element: str) -> None:
    prop = f.PROPERTY.replace(' Id="prop"', "").replace(f"<{element}", f'<{element} Id="inner"', 1)
    data = f.forge(objects=prop, references=(f.OBJECT_REF, f.Ref("#inner")))
    assert open_envelope(data, trust=trust("rsa"), now=NOW).payload == POLL


def test_id_without_namespace() -> None:
    message = f.OBJECT.replace("oadr:Id", "Id")
    opened = open_envelope(f.forge(message=message), trust=trust("rsa"), now=NOW)
    assert opened.payload == POLL


def test_canonicalisation_with_comments_is_allowed() -> None:
    data = f.forge(canonicalisation=f.C14N + "#WithComments")
    assert open_envelope(data, trust=trust("rsa"), now=NOW).payload == POLL


def test_pretty_printed_document_with_byte_order_mark_and_declaration() -> None:
    document = etree.fromstring(f.document_of(f.signature_of("ec"), f.OBJECT))
    etree.indent(document, "\t")
    data = f.finish(etree.tostring(document, encoding="unicode"), "ec")
    data = b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n<!-- hello -->' + data
    assert open_envelope(data, trust=trust("ec"), now=NOW).payload == POLL


@pytest.mark.parametrize("last", [False, True])
def test_text_behind_the_signature_belongs_to_the_document(last: bool) -> None:
    references = (f.Ref("", (f.ENVELOPED,)), f.PROPERTY_REF)
    parts = [f.signature_of("ec", references=references), f.OBJECT]
    spaced = "\n ".join(reversed(parts) if last else parts)
    xmlsec = pytest.importorskip("xmlsec")
    root = etree.fromstring(f.document_of(f"\n  {spaced}\n\t"))
    signature = next(root.iter(f"{{{f.DS}}}Signature"))
    context = xmlsec.SignatureContext()
    context.register_id(next(root.iter(f"{{{f.DS}}}Object")), "Id")
    context.key = xmlsec.Key.from_memory(key_bytes("ec"), xmlsec.KeyFormat.PEM)
    context.sign(signature)
    assert open_envelope(etree.tostring(root), trust=trust("ec"), now=NOW).payload == POLL


def test_namespaces_in_scope_are_part_of_the_digest() -> None:
    many = ' xmlns="http://www.w3.org/2005/Atom" xmlns:x="urn:x" xmlns:a="urn:a"'
    hidden = f.OBJECT.replace("<oadr:oadrPoll", '<oadr:oadrPoll xmlns="" xmlns:x="urn:y"')
    for message in (f.OBJECT, hidden, f.OBJECT.replace("<oadr:oadrSignedObject", '<oadr:oadrSignedObject xmlns=""')):
        data = f.forge("ec", message=message, attributes=many)
        assert open_envelope(data, trust=trust("ec"), now=NOW).payload == POLL


@pytest.mark.rule("R514")
@pytest.mark.parametrize(
    ("offset", "kind"),
    [
        (timedelta(minutes=5), None),
        (timedelta(minutes=5, milliseconds=1), Stale),
        (-timedelta(minutes=5), None),
        (-timedelta(minutes=5, milliseconds=1), FromTheFuture),
        (timedelta(days=1), Stale),
        (-timedelta(days=1), FromTheFuture),
    ],
)
def test_window_around_now(offset: timedelta, kind: type[RemoteError] | None) -> None:
    data = sealed("ec")
    if kind is None:
        assert open_envelope(data, trust=trust("ec"), now=NOW + offset).payload == POLL
    else:
        with pytest.raises(kind):
            open_envelope(data, trust=trust("ec"), now=NOW + offset)


def test_window_is_a_setting() -> None:
    narrow = trust("ec", window=Window(5 * SECOND, SECOND))
    assert open_envelope(sealed("ec"), trust=narrow, now=NOW + 5 * SECOND).payload == POLL
    for offset, kind in ((6 * SECOND, Stale), (-2 * SECOND, FromTheFuture)):
        with pytest.raises(kind):
            open_envelope(sealed("ec"), trust=narrow, now=NOW + offset)


@pytest.mark.parametrize(
    "text",
    ["2030-06-01T12:00:00Z", "2030-06-01T12:00:00.1234567Z", "2030-06-01T14:00:00+02:00", " 2030-06-01T12:00:00.5Z\n"],
)
def test_forms_of_timestamps(text: str) -> None:
    data = f.forge(objects=f.PROPERTY.replace("2030-06-01T12:00:00Z", text))
    opened = open_envelope(data, trust=trust("rsa"), now=NOW)
    assert isinstance(opened, SignedEnvelope)
    assert abs(opened.timestamp - NOW) < SECOND
    assert opened.timestamp.tzinfo is UTC


@pytest.mark.rule("R514")
@pytest.mark.parametrize(
    "content",
    [
        "",
        "<dsp:timestamp>2030-06-01T12:00:00Z</dsp:timestamp>",
        "<dsp:nonce>n</dsp:nonce>",
        "<dsp:nonce>n</dsp:nonce><dsp:timestamp>2030-06-01T12:00:00Z</dsp:timestamp>",
        "<dsp:timestamp>2030-06-01T12:00:00Z</dsp:timestamp><dsp:nonce/>",
        f"<dsp:timestamp>2030-06-01T12:00:00Z</dsp:timestamp><dsp:nonce>{257 * 'n'}</dsp:nonce>",
        "<dsp:timestamp>2030-06-01T12:00:00</dsp:timestamp><dsp:nonce>n</dsp:nonce>",
        "<dsp:timestamp>2030-13-01T12:00:00Z</dsp:timestamp><dsp:nonce>n</dsp:nonce>",
        "<dsp:timestamp>0001-01-01T00:00:00+23:00</dsp:timestamp><dsp:nonce>n</dsp:nonce>",
        "<dsp:timestamp>now</dsp:timestamp><dsp:nonce>n</dsp:nonce>",
        "<dsp:timestamp/><dsp:nonce>n</dsp:nonce>",
        "<timestamp>2030-06-01T12:00:00Z</timestamp><nonce>n</nonce>",
    ],
)
def test_replay_protect_must_be_complete(content: str) -> None:
    prop = re.sub(
        "<dsp:ReplayProtect>.*</dsp:ReplayProtect>", f"<dsp:ReplayProtect>{content}</dsp:ReplayProtect>", f.PROPERTY
    )
    with pytest.raises(ReplayProtectMissing):
        open_envelope(f.forge(objects=prop), trust=trust("rsa"), now=NOW)


def test_what_is_signed_must_be_a_message() -> None:
    with pytest.raises(RemoteError, match=r"is not an? .*message"):
        open_envelope(f.forge(message=f.object_of("<ei:venID>x</ei:venID>")), trust=trust("rsa"), now=NOW)
    with pytest.raises(SchemaViolation):
        open_envelope(f.forge(message=f.object_of(2 * f.MESSAGE)), trust=trust("rsa"), now=NOW)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the document is empty"),
        (b"<", "not well-formed"),
        (b"<html><p>404", "an HTML page"),
        (b"404", "begins with '404'"),
        (b"<a>\xff</a>", "not well-formed"),
        (b"<a xmlns='urn:\x01'/>", "a character that XML does not allow"),
        (b"<a>\n\0\n</a>", "a character that XML does not allow"),
        (b"<a>&e;</a>", "undefined entity"),
        (300 * b"<a>" + 300 * b"</a>", "not well-formed"),
    ],
)
def test_what_is_no_xml(data: bytes, words: str) -> None:
    with pytest.raises(RemoteError, match=words) as caught:
        open_envelope(data, trust=trust("rsa"), now=NOW)
    assert str(caught.value).isprintable()


def test_naive_now_is_our_mistake() -> None:
    with pytest.raises(LocalError, match="time zone"):
        open_envelope(sealed(), trust=trust("rsa"), now=NOW.replace(tzinfo=None))


def test_bare_message_where_signatures_are_not_required() -> None:
    message = f.MESSAGE.replace("<oadr:oadrPoll", f"<oadr:oadrPoll {f.NAMESPACES}").encode()
    assert open_envelope(message, trust=trust("rsa", required=False), now=NOW).payload == POLL
