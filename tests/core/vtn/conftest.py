"""A VTN of one's own for each test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.core.vtn.world import World


@pytest.fixture
def make_world(validate: Callable[[bytes], None]) -> Callable[..., World]:
    """A function that makes a VTN with a configuration."""

    def make(**config: Any) -> World:
        return World(validate, **config)

    return make


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A VTN with the usual configuration."""
    return make_world()
