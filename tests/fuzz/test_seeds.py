"""The fuzzers' seeds, and what they once found, hold without the fuzzers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.security.forge import signed_anew
from tests.fuzz import fuzz_decode, fuzz_open


@pytest.mark.parametrize("seed", sorted(fuzz_decode.SEEDS.iterdir()), ids=lambda path: path.name)
def test_seed_holds(seed: Path) -> None:
    fuzz_decode.check(seed.read_bytes())


@pytest.mark.parametrize("seed", sorted(fuzz_open.SEEDS.glob("*.xml")), ids=lambda path: path.name)
def test_signed_seed_holds_and_gets_behind_the_signature(seed: Path) -> None:
    fuzz_open.check(seed.read_bytes())
    assert fuzz_open.opened(seed.read_bytes())
    assert fuzz_open.opened(signed_anew(seed.read_bytes(), "ec"))
