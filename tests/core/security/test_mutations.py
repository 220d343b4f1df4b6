"""However a signed message is changed, what is opened is what was signed, and a second verifier agrees."""

from __future__ import annotations

import copy
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import etree

from oadr_core import RemoteError
from oadr_core import security as s
from oadr_core.security import Style, open_envelope
from tests.core.security import forge as f
from tests.core.security.kit import NOW, POLL, STYLES, sealed, signer, trust
from tests.core.security.second_verifiers import verified_by_libxmlsec1

HONEST = {style: sealed("ec", style) for style in STYLES}


def split(document: bytes) -> list[bytes]:
    """The tags and texts of a document."""
    return [piece for piece in re.split(rb"(<[^>]*>)", document) if piece]


PIECES = [
    *(piece for document in HONEST.values() for piece in split(document)),
    b"<!-- x -->",
    b"<![CDATA[mallory]]>",
    b"<?x?>",
    b"&#0;",
    b"&amp;",
    b"&e;",
    b"<!DOCTYPE a [<!ENTITY e 'mallory'>]>",
    b' xml:id="prop"',
    b' oadr:Id="oadrSignedObject"',
    b" xmlns='urn:x'",
    f.object_of(f.FORGED).encode(),
    f.FORGED.encode(),
    f.REPLAY_PROTECT.replace("12:00:00", "12:00:01").encode(),
]
"""What an attacker has at hand: every tag and text of honest messages, and what XML has to offer."""
CHANGES = st.tuples(
    st.sampled_from(["insert", "delete", "replace", "repeat"]), st.integers(0, 200), st.sampled_from(PIECES)
)
FORGED = f.forge(
    "ec-attacker", message=f.object_of(f.FORGED), objects=f.PROPERTY.replace("12:00:00Z", "12:00:01Z")
)
searching = settings(max_examples=300, deadline=None)


def opened_as_signed(data: bytes) -> None:
    """Assert that the bytes are refused, or opened as what was signed, and rightly so."""
    try:
        opened = open_envelope(data, trust=trust("ec"), now=NOW)
    except RemoteError:
        return
    assert opened.payload == POLL
    assert isinstance(opened, s.SignedEnvelope)
    assert (opened.timestamp, opened.nonce) == (NOW, "0123456789abcdef")
    assert opened.signer == signer("ec").fingerprint
    verified_by_libxmlsec1(data, opened.certificate)


@settings(deadline=None)
@given(st.binary(max_size=200))
@example(b"")
@example(HONEST[Style.OBJECT])
@example(HONEST[Style.DOCUMENT])
def test_any_bytes(data: bytes) -> None:
    opened_as_signed(data)


@pytest.mark.parametrize("style", STYLES)
def test_no_letter_less_and_no_letter_else_gives_another_message(style: Style) -> None:
    honest = HONEST[style]
    for at, letter in enumerate(honest):
        opened_as_signed(honest[:at] + honest[at + 1 :])
        opened_as_signed(honest[:at] + bytes([letter ^ 1]) + honest[at + 1 :])


@pytest.mark.parametrize("style", STYLES)
@searching
@given(data=st.data())
def test_no_change_of_bytes_gives_another_message(style: Style, data: st.DataObject) -> None:
    honest = sealed("ec", style)
    begin = data.draw(st.integers(0, len(honest)))
    end = data.draw(st.integers(begin, min(begin + 40, len(honest))))
    source = data.draw(st.integers(0, len(honest)))
    new = data.draw(st.binary(max_size=4) | st.just(honest[source : source + 30]))
    opened_as_signed(honest[:begin] + new + honest[end:])


@pytest.mark.parametrize("style", STYLES)
@searching
@given(changes=st.lists(CHANGES, min_size=1, max_size=5))
def test_no_exchange_of_tags_and_texts_gives_another_message(
    style: Style, changes: list[tuple[str, int, bytes]]
) -> None:
    pieces = split(HONEST[style])
    for what, where, piece in changes:
        at = where % (len(pieces) + 1)
        if what == "repeat":
            pieces[at:at] = pieces[at : at + 1 + where % 7]
        else:
            pieces[at : at + (what != "insert")] = [piece] if what != "delete" else []
    opened_as_signed(b"".join(pieces))


MOVES = st.tuples(
    st.sampled_from(["move", "copy", "drop", "forge"]), st.integers(0, 60), st.integers(0, 60), st.integers(0, 3)
)


@pytest.mark.parametrize("style", STYLES)
@searching
@given(moves=st.lists(MOVES, min_size=1, max_size=4))
def test_no_exchange_of_elements_gives_another_message(style: Style, moves: list[tuple[str, int, int, int]]) -> None:
    """``forge`` puts in an element of the same name from a document that somebody else has signed."""
    root = etree.fromstring(HONEST[style])
    forged = etree.fromstring(FORGED)
    for what, which, where, position in moves:
        elements = list(root.iter())
        element, holder = elements[which % len(elements)], elements[where % len(elements)]
        parent = element.getparent()
        if parent is None or element in list(holder.iterancestors()) or element is holder:
            continue
        if what == "forge":
            others = list(forged.iter(element.tag))
            if others:
                parent.replace(element, copy.deepcopy(others[where % len(others)]))
        elif what == "drop":
            parent.remove(element)
        else:
            holder.insert(position, copy.deepcopy(element) if what == "copy" else element)
    opened_as_signed(etree.tostring(root))
