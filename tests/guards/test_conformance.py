"""The rule table accounts for every rule, and complains about what is missing."""

from __future__ import annotations

import pytest

from tools.conformance import RANGES, Rule, read, unaccounted, written

NUMBERS = {number for first, last in RANGES for number in range(first, last + 1)}


def rule(number: int = 1, where: str = "oadr_core/vtn/events", reason: str = "") -> Rule:
    return Rule(number, "what it says", "VEN", where, reason)


def test_every_number_is_a_rule_or_absent() -> None:
    rules, absent = read()
    assert {one.number for one in rules} | absent == NUMBERS
    assert all(one.text and one.who in ("VEN", "VTN", "both", "2.0a") for one in rules)
    assert all(bool(one.where) != bool(one.reason) for one in rules), "a place or a reason"


@pytest.mark.parametrize(
    ("one", "tests", "complaint"),
    [
        (rule(), {}, "R1 has no test and no reason"),
        (rule(where=""), {"R1": ["t"]}, "it is not said where"),
        (rule(where="oadr_core/vtn/nowhere"), {"R1": ["t"]}, "there is no oadr_core/vtn/nowhere"),
        (rule(), {"R1": ["t"], "R99": ["t"]}, "R99 is marked in t, and is no rule"),
    ],
)
def test_what_is_missing_is_told(one: Rule, tests: dict[str, list[str]], complaint: str) -> None:
    found = unaccounted([one], NUMBERS - {1}, tests)
    assert any(complaint in each for each in found)


def test_all_is_well() -> None:
    assert unaccounted([rule()], NUMBERS - {1}, {"R1": ["t"]}) == []
    assert unaccounted([rule(where="", reason="because")], NUMBERS - {1}, {}) == []
    assert unaccounted([rule()], NUMBERS - {1, 2}, {"R1": ["t"]}) == ["R2 is not in conformance.toml"]


def test_document_names_some_tests_and_counts_the_others() -> None:
    text = written([rule()], set(), {"R1": [f"tests/a.py::test_{n}" for n in range(5)]})
    assert "`a.py test_0`<br>`a.py test_1`<br>`a.py test_2`<br>and 2 more" in text
