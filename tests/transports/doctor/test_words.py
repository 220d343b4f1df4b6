"""The table of findings: each has words of its own, and says what to do."""

from __future__ import annotations

from string import Formatter

from oadr_transports.doctor.findings import Finding, Step
from oadr_transports.doctor.steps import TITLES
from oadr_transports.doctor.words import PLACES, TABLE, words

SAME_WORDS = {"{said}"}
"""Where the error has the words already."""


def places(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def test_every_finding_has_its_words() -> None:
    assert set(TABLE) == set(Finding)
    assert {row.step for row in TABLE.values()} == set(Step) == set(TITLES)


def test_no_two_findings_are_told_alike() -> None:
    told = [row.what for row in TABLE.values() if row.what not in SAME_WORDS]
    assert len(told) == len(set(told))
    alike = [(row.what, row.advice) for row in TABLE.values()]
    assert len(alike) == len(set(alike))


def test_every_finding_says_what_to_do() -> None:
    for finding, row in TABLE.items():
        assert row.what, finding
        assert row.advice not in ("", row.what), finding
        assert not row.what.endswith("."), finding
        assert not row.advice.endswith("."), finding


def test_places_are_the_ones_that_are_known() -> None:
    used = set().union(*(places(row.what) | places(row.advice) for row in TABLE.values()))
    assert used == PLACES


def test_what_was_seen_stands_in_its_place() -> None:
    what, advice = words(Finding.OTHER_HOST, {"host": "a.example", "names": "{b}.example"})
    assert what == "the server's certificate is not for a.example, but for {b}.example"
    assert "a.example" in advice


def test_an_unknown_thing_is_said_to_be_unknown() -> None:
    for finding in Finding:
        assert all(words(finding, {}))
