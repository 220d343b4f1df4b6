"""The planted bugs fit the source: each is a change of one place, and its test is there.

Whether the tests catch them is a longer run: ``nox -s planted``.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
BUGS = tomllib.loads((ROOT / "tests" / "planted" / "bugs.toml").read_text())["bug"]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug["name"])
def test_bug_fits_the_source(bug: dict[str, str]) -> None:
    assert (ROOT / "src" / bug["file"]).read_text().count(bug["old"]) == 1
    assert bug["new"] != bug["old"]
    path, _, test = bug["test"].partition("::")
    source = (ROOT / path).read_text()
    # runTest is what unittest calls the one test of a state machine.
    assert all(part.partition("[")[0] in source for part in test.split("::") if part != "runTest")


def test_names_tell_bugs_apart() -> None:
    names = [bug["name"] for bug in BUGS]
    assert len(set(names)) == len(names)
