"""What a VEN offers, as it is told in its configuration."""

from __future__ import annotations

import pytest

from oadr_core import LocalError
from oadr_core.ven import VenConfig
from tests.core.ven.bench import offer


@pytest.mark.rule("R308")
def test_specifiers_are_unique() -> None:
    with pytest.raises(LocalError, match="must be unique"):
        VenConfig(ven_name="v", reports=(offer("same", "a"), offer("same", "b")))
    assert len(VenConfig(ven_name="v", reports=(offer("one", "a"), offer("other", "a"))).reports) == 2
