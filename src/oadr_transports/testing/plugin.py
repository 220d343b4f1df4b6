"""The pytest plugin: a virtual clock, an in-memory VTN and a VEN as fixtures. See docs/testing.md of the project.

It stands alone because every run of pytest loads it: it imports nothing of the library until a fixture is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .world import InMemoryVen, InMemoryVtn, VirtualClock

_MARKS = (
    "oadr_clock(start): when the world of oadr_clock begins, an aware datetime",
    "oadr_vtn(**options): options of the VTN of oadr_vtn, as of oadr_transports.Vtn",
    "oadr_ven(**options): options of the VEN of oadr_ven, as of oadr_transports.OpenADRClient",
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks known."""
    for line in _MARKS:
        config.addinivalue_line("markers", line)


@pytest.fixture
def oadr_clock(request: pytest.FixtureRequest) -> VirtualClock:
    """Virtual time, by which ``oadr_vtn`` and ``oadr_ven`` live: it stands still until ``advance`` is called."""
    from .world import VirtualClock

    return VirtualClock(**_options(request, "oadr_clock"))


@pytest.fixture
def oadr_vtn(request: pytest.FixtureRequest, oadr_clock: VirtualClock) -> Iterator[InMemoryVtn]:
    """A VTN in memory; everybody may register."""
    from .world import InMemoryVtn

    with InMemoryVtn(oadr_clock, **_options(request, "oadr_vtn")) as vtn:
        yield vtn


@pytest.fixture
def oadr_ven(
    request: pytest.FixtureRequest, oadr_clock: VirtualClock, oadr_vtn: InMemoryVtn
) -> Iterator[InMemoryVen]:
    """A VEN of that VTN, not yet started: add handlers and reports, then call ``start``."""
    from .world import InMemoryVen

    ven = InMemoryVen(oadr_clock, oadr_vtn, **_options(request, "oadr_ven"))
    yield ven
    ven.stop()


def _options(request: pytest.FixtureRequest, mark: str) -> dict[str, Any]:
    """What the marks of a test say; the nearest goes before the others."""
    options: dict[str, Any] = {}
    for found in request.node.iter_markers(mark):
        options = {**found.kwargs, **options}
    return options
