"""When two market contexts are the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core.engine.uris import normal


@pytest.mark.rule("R512")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://Market.Example/Oadr", "HTTP://market.example/Oadr"),
        ("http://market.example", "http://market.example/"),
        ("http://market.example:80/a", "http://market.example/a"),
        ("https://market.example:/a", "https://market.example:443/a"),
        ("http://m/%7euser/%c3%a9", "http://m/~user/%C3%A9"),
        ("http://m/a/./b/../c", "http://m/a/c"),
        ("http://m/a/..", "http://m/"),
        ("URN:OADR:market", "urn:oadr:market"),
    ],
)
def test_same(one: str, other: str) -> None:
    assert normal(one) == normal(other)


@pytest.mark.rule("R512")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://m/a", "http://m/A"),
        ("http://m/a", "https://m/a"),
        ("http://m/a", "http://m/a/"),
        ("http://m/a%2Fb", "http://m/a/b"),
        ("http://m:8080/", "http://m/"),
        ("urn:oadr:a", "urn:oadr:A"),
    ],
)
def test_different(one: str, other: str) -> None:
    assert normal(one) != normal(other)


@given(st.one_of(st.text(), st.from_regex(r"[a-zA-Z]{1,5}:(//[a-z.%0-9A-F@:\[\]]*)?(/[a-z.%0-9]*)*\??[a-z]*")))
def test_the_normal_form_of_a_normal_form_is_itself(uri: str) -> None:
    assert normal(normal(uri)) == normal(uri)
