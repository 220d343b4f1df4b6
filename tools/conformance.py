"""Write docs/conformance.md: every conformance rule of the profile, where it is enforced, and which tests prove it.

    python -m tools.conformance            write the document, and say how many rules are proven
    python -m tools.conformance --check    write nothing; exit code 1 when the document is stale

The rules are in docs/conformance.toml, the tests are found by their marks, `@pytest.mark.rule("R61")`. Exit code 1 when
a rule is not accounted for: not in the file, or without a test and without a reason why there is none.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
RULES = ROOT / "docs" / "conformance.toml"
DOCUMENT = ROOT / "docs" / "conformance.md"
RANGES = ((1, 70), (100, 116), (200, 211), (300, 346), (400, 407), (500, 517))
"""The numbers that the profile uses, first and last of each chapter."""
SHOWN = 3
"""Tests that are named for a rule; the others are counted."""
_LINE = "rule-mark:"

HEAD = """\
# Conformance

Every conformance rule of the OpenADR 2.0b profile (version 1.1), in our own words, with the place where this library
enforces it and tests that prove it. Rules without a test have the reason beside them. This document is generated from
`docs/conformance.toml` and from the marks of the tests by `python -m tools.conformance`; `nox -s conformance` fails
when it is stale or when a rule is not accounted for.
"""


class Rule(NamedTuple):
    """One rule. ``reason`` is there where nothing is to be tested."""

    number: int
    text: str
    who: str
    where: str
    reason: str

    @property
    def name(self) -> str:
        return f"R{self.number}"


def main(arguments: list[str]) -> int:
    rules, absent = read()
    tests = marked_tests()
    complaints = unaccounted(rules, absent, tests)
    document = written(rules, absent, tests)
    check = "--check" in arguments
    if check and (not DOCUMENT.exists() or DOCUMENT.read_text("utf-8") != document):
        complaints.append(f"{DOCUMENT.relative_to(ROOT)} is stale: run python -m tools.conformance")
    if not check:
        DOCUMENT.write_text(document, "utf-8")
    for complaint in complaints:
        print(complaint)
    provable = [rule for rule in rules if not rule.reason]
    proven = [rule for rule in provable if tests.get(rule.name)]
    rest = len(rules) - len(provable)
    print(f"{len(proven)} of {len(provable)} rules proven; {rest} need no test, for the reasons given")
    return 1 if complaints else 0


def read() -> tuple[list[Rule], set[int]]:
    """The rules of the file in order, and the numbers that the profile does not use."""
    data = tomllib.loads(RULES.read_text("utf-8"))
    rules = [
        Rule(int(number), one["text"], one["who"], one.get("where", ""), one.get("reason", ""))
        for number, one in data["rule"].items()
    ]
    return sorted(rules), set(data["absent"])


def unaccounted(rules: list[Rule], absent: set[int], tests: dict[str, list[str]]) -> list[str]:
    """What is missing or contradictory."""
    known = {rule.number for rule in rules}
    numbers = {number for first, last in RANGES for number in range(first, last + 1)}
    found = [f"R{number} is not in {RULES.name}" for number in sorted(numbers - known - absent)]
    found += [f"R{number} is no number of the profile" for number in sorted((known | absent) - numbers)]
    found += [f"R{number} is both a rule and absent" for number in sorted(known & absent)]
    names = {rule.name for rule in rules}
    found += [f"{name} is marked in {tests[name][0]}, and is no rule" for name in sorted(tests) if name not in names]
    for rule in rules:
        if not rule.reason and not tests.get(rule.name):
            found.append(f"{rule.name} has no test and no reason: {rule.text}")
        if not rule.reason and not rule.where:
            found.append(f"{rule.name}: it is not said where it is enforced")
        found += [f"{rule.name}: there is no {place}" for place in rule.where.split() if not exists(place)]
    return found


def exists(place: str) -> bool:
    """True for a module of ours, with or without `.py`, below src."""
    path = ROOT / "src" / place
    return path.is_dir() or path.with_suffix(".py").is_file()


def marked_tests() -> dict[str, list[str]]:
    """The tests of each rule, by pytest's own collection, one name for all parameters of a test."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-p",
        "tools.conformance",
        "-p",
        "no:cacheprovider",
    ]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode:
        sys.exit(f"the tests cannot be collected:\n{result.stdout[-3000:]}{result.stderr[-1000:]}")
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for line in result.stdout.splitlines():
        if line.startswith(_LINE):
            rule, test = line.removeprefix(_LINE).split(maxsplit=1)
            found[rule][test] = None
    return {rule: list(tests) for rule, tests in found.items()}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """As a plugin of pytest: print the rules of each test."""
    for item in items:
        for mark in item.iter_markers("rule"):
            for rule in mark.args:
                print(f"{_LINE}{rule} {item.nodeid.partition('[')[0]}")


def written(rules: list[Rule], absent: set[int], tests: dict[str, list[str]]) -> str:
    """The document."""
    lines = [HEAD]
    for title, first, last in CHAPTERS:
        lines += [f"\n## {title}\n", "| rule | what it says | who | where | tests |", "|---|---|---|---|---|"]
        for rule in rules:
            if first <= rule.number <= last:
                where = "<br>".join(f"`{place}`" for place in rule.where.split())
                proof = _proof(rule, tests.get(rule.name, []))
                lines.append(f"| {rule.name} | {rule.text} | {rule.who} | {where} | {proof} |")
    numbers = ", ".join(f"R{number}" for number in sorted(absent))
    lines.append(f"\nThe profile has no rules with the numbers {numbers}.")
    return "\n".join(lines) + "\n"


CHAPTERS = (
    ("Events, shared with 2.0a", 1, 70),
    ("Events", 100, 116),
    ("Opts", 200, 211),
    ("Reports", 300, 346),
    ("Registration", 400, 407),
    ("General", 500, 517),
)


def _proof(rule: Rule, tests: list[str]) -> str:
    shown = [f"`{test.removeprefix('tests/').replace('::', ' ')}`" for test in tests[:SHOWN]]
    if len(tests) > SHOWN:
        shown.append(f"and {len(tests) - SHOWN} more")
    if rule.reason:
        shown.insert(0, rule.reason)
    return "<br>".join(shown)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
