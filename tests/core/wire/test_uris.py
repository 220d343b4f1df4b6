"""URI references, as validators of the schema judge them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from oadr_core.wire.uris import escaped, is_reference

PIECES = st.text(st.sampled_from("aZ09%:/?#[]@!$&'()*+,;=-._~<{é\\"), max_size=9)
HOSTS = st.builds("http://{}".format, st.text(st.sampled_from("a9%:/?#[]@."), max_size=7))


@pytest.fixture(scope="module")
def judge() -> etree.XMLSchema:
    schema = '<x:schema xmlns:x="http://www.w3.org/2001/XMLSchema"><x:element name="a" type="x:anyURI"/></x:schema>'
    return etree.XMLSchema(etree.fromstring(schema))


@settings(max_examples=1000)
@given(text=PIECES | HOSTS)
def test_text_is_judged_as_a_validator_does(text: str, judge: etree.XMLSchema) -> None:
    element = etree.Element("a")
    element.text = text
    assert is_reference(text) is judge.validate(element)


@given(text=st.text(st.characters(exclude_categories=("Cs",)), max_size=20))
def test_escaped_text_has_only_characters_of_uris(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9/?:@!$&'()*+,;=._~#%-]*", escaped(text))


@pytest.mark.parametrize(
    "text", ["", "http://example.com/a?b=c#d", "urn:x", "//host", "#", "http://[::1]:80/", "http://ü/ä b"]
)
def test_reference(text: str) -> None:
    assert is_reference(text)


@pytest.mark.parametrize("text", ["://", "http://[", "%zz", "#a#b", "http://a:b"])
def test_no_reference(text: str) -> None:
    assert not is_reference(text)


@pytest.mark.parametrize("text", [
        "a" * 2_000_000 + "[",
        "http://" + "a:" * 1_000_000,
        "http://" + "a@" * 1_000_000,
        "%41" * 700_000 + "%",
        "/" * 2_000_000 + "[",
        "a:" * 1_000_000 + "#" * 2,
        "?" * 2_000_000 + "^" * 9 + "[",
    ],
)  # fmt: skip
def test_judgement_takes_no_longer_for_hostile_text(text: str) -> None:
    assert not is_reference(text)
