"""The words of errors."""

from __future__ import annotations

from oadr_core.errors import shown
from oadr_core.model import ServiceName


def test_values_are_shown_escaped_and_short() -> None:
    assert shown("a\n\x1b[31m") == r"'a\n\x1b[31m'"
    assert len(shown("x" * 10_000)) < 200
    assert shown(10**5000) == "<int, too long to show>"


def test_member_of_an_enumeration_is_shown_as_peers_know_it() -> None:
    assert shown(ServiceName.EI_EVENT) == "'EiEvent'"
