"""The fuzzer's seeds, and what it once found, hold without the fuzzer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.fuzz_decode import SEEDS, check


@pytest.mark.parametrize("seed", sorted(SEEDS.iterdir()), ids=lambda path: path.name)
def test_seed_holds(seed: Path) -> None:
    check(seed.read_bytes())
