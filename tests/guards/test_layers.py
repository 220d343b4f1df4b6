"""Imports inside the core point downwards only."""

from __future__ import annotations

import pytest

from tests.guards.layers import HEIGHTS, layer_violations, part_of
from tests.guards.purity import core_modules


def test_core_imports_point_downwards() -> None:
    found = [
        violation
        for module, path in core_modules().items()
        for violation in layer_violations(
            path.read_text("utf-8"), module, is_package=path.name == "__init__.py"
        )
    ]
    assert not found, "\n" + "\n".join(map(str, found))


def test_every_part_has_its_height() -> None:
    parts = {part_of(module) for module in core_modules()} - {None}
    assert parts <= HEIGHTS.keys()


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("oadr_core.model.event", "from oadr_core.wire import decode"),
        ("oadr_core.model.event", "from ..wire import decode"),
        ("oadr_core.model.event", "from .. import wire"),
        ("oadr_core.model.event", "from lxml import etree"),
        ("oadr_core.model.event", "from xml.etree import ElementTree"),
        ("oadr_core.wire.reader", "from oadr_core import decode"),
        ("oadr_core.wire.reader", "import oadr_core"),
        ("oadr_core.engine.timers", "from oadr_core.ven import VenSession"),
        ("oadr_core.ven.session", "from oadr_core.vtn import VtnSession"),
        ("oadr_core.ven.session", "from ..vtn.book import EventBook"),
        ("oadr_core.vtn.session", "import oadr_core.ven"),
        ("oadr_core.engine.timers", "from oadr_core.unheard_of import thing"),
        ("oadr_core.ven.session", "def late():\n    from oadr_transports import OpenADRClient"),
        ("oadr_core.rules.table", "if TYPE_CHECKING:\n    from oadr_core.engine import Input"),
    ],
)
def test_planted_import_is_caught(module: str, source: str) -> None:
    assert layer_violations(source, module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("oadr_core.ven.session", "from ..engine import timers\nfrom ..model import Poll"),
        ("oadr_core.ven.session", "from .state import State"),
        ("oadr_core.wire.reader", "from oadr_core.model import Poll\nfrom lxml import etree"),
        ("oadr_core.model.event", "from .base import element"),
    ],
)
def test_downward_import_passes(module: str, source: str) -> None:
    assert not layer_violations(source, module)


def test_the_package_itself_may_reexport_every_part() -> None:
    source = "from .ven import VenSession\nfrom .vtn import VtnSession"
    assert not layer_violations(source, "oadr_core", is_package=True)


def test_a_package_resolves_its_relative_imports_against_itself() -> None:
    assert not layer_violations("from .state import State", "oadr_core.ven", is_package=True)
    assert layer_violations("from ..vtn import VtnSession", "oadr_core.ven", is_package=True)
