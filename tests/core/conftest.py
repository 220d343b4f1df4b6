"""The core's tests run with the audit hook armed: no core code may touch the outside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.guards.audit import armed


@pytest.fixture(autouse=True)
def nothing_reaches_outside() -> Iterator[None]:
    """Fail the test if the core, or the test itself, opened, wrote, connected, spawned or slept."""
    with armed() as seen:
        yield
    assert not seen, "\n".join(seen)
