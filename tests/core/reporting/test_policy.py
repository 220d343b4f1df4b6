"""Standing rules: which data points they choose, in which order, and what they refuse to be told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from oadr_core import LocalError
from oadr_core.engine.copying import evolve
from oadr_core.model import (
    CustomUnit,
    EiTarget,
    EnergyReal,
    PowerAttributes,
    PowerReal,
    Report,
    ReportDescription,
    SamplingRate,
    Voltage,
)
from oadr_core.reporting.policy import ReportKind, ReportPolicy, ReportRule, choices
from tests.core.reporting.test_received import report

WATT = PowerReal(power_attributes=PowerAttributes(hertz=50, voltage=230, ac=True))  # type: ignore[arg-type]  # decimals


def point(r_id: str, **details: Any) -> ReportDescription:
    fields = {"report_type": "usage", "reading_type": "Direct Read", "item_base": WATT, **details}
    return ReportDescription(r_id=r_id, **fields)


def metadata(*points: ReportDescription, name: str = "METADATA_TELEMETRY_USAGE") -> Report:
    return report(oadr_report_description=points, report_name=name, dtstart=None)


def chosen(offered: Report, *rules: ReportRule, **ven: str) -> list[tuple[int, tuple[str, ...]]]:
    """The number of each rule that asks for something, and for what."""
    return [(rules.index(rule), r_ids) for rule, r_ids in choices(ReportPolicy(rules=rules), offered, **ven)]


HOUSE = metadata(
    point("power", report_data_source=EiTarget(resource_id=("house",))),
    point("energy", item_base=EnergyReal(), report_data_source=EiTarget(resource_id=("garage",))),
    point("voltage", item_base=Voltage(), reading_type="Mean", market_context="http://market.example/a"),
    point("wind", item_base=CustomUnit(item_description="wind speed", item_units="m/s"), report_type="x-wind"),
    point("odd", item_base=None, report_type="baseline"),
)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, ("power", "energy", "voltage", "wind", "odd")),
        ({"report_name": "TELEMETRY_USAGE"}, ("power", "energy", "voltage", "wind", "odd")),
        ({"report_name": "HISTORY_*"}, ()),
        ({"report_specifier_id": "?"}, ("power", "energy", "voltage", "wind", "odd")),
        ({"report_specifier_id": "other"}, ()),
        ({"r_id": "*o*"}, ("power", "voltage", "odd")),
        ({"r_id": "POWER"}, ()),
        ({"report_type": "x-*"}, ("wind",)),
        ({"reading_type": "Mean"}, ("voltage",)),
        ({"unit": "powerReal"}, ("power",)),
        ({"unit": "W*"}, ("power", "energy")),
        ({"unit": "m/s"}, ("wind",)),
        ({"unit": "wind speed"}, ("wind",)),
        ({"unit": "energy*", "resource_id": "house"}, ()),
        ({"resource_id": "g?rage"}, ("energy",)),
        ({"market_context": "http://market.example/*"}, ("voltage",)),
        ({"ven_id": "v1", "ven_name": "Ven *"}, ("power", "energy", "voltage", "wind", "odd")),
        ({"ven_id": "v2"}, ()),
        ({"ven_name": "other"}, ()),
        ({"r_id": "a.c"}, ()),
        ({"ask": "nothing"}, ()),
        ({"ask": "history"}, ()),
    ],
)
def test_rule_chooses_what_matches_in_every_respect(rule: dict[str, str], expected: tuple[str, ...]) -> None:
    found = chosen(HOUSE, ReportRule(**rule), ven_id="v1", ven_name="Ven One")  # type: ignore[arg-type]  # converted
    assert found == ([(0, expected)] if expected else [])


def test_the_first_rule_that_matches_a_data_point_decides() -> None:
    rules = (
        ReportRule(r_id="power", granularity=timedelta(seconds=5)),
        ReportRule(ask=ReportKind.NOTHING, unit="voltage"),
        ReportRule(ask=ReportKind.ONCE, r_id="*d*"),
        ReportRule(),
    )
    assert chosen(HOUSE, *rules) == [(0, ("power",)), (2, ("wind", "odd")), (3, ("energy",))]


def test_history_is_asked_for_as_history_only() -> None:
    history = evolve(HOUSE, report_name="METADATA_HISTORY_USAGE")
    rules = (ReportRule(), ReportRule(ask=ReportKind.HISTORY, r_id="power"), ReportRule(ask=ReportKind.HISTORY))
    assert chosen(history, *rules) == [(1, ("power",)), (2, ("energy", "voltage", "wind", "odd"))]
    own = evolve(HOUSE, report_name="x-own")
    assert chosen(own, rules[1]) == [(0, ("power",))]


@pytest.mark.rule("R317")
def test_values_on_change_are_asked_of_who_can_record_them() -> None:
    rate = {"oadr_min_period": timedelta(seconds=1), "oadr_max_period": timedelta(seconds=1)}
    offered = metadata(
        point("yes", oadr_sampling_rate=SamplingRate(**rate, oadr_on_change=True)),
        point("no", oadr_sampling_rate=SamplingRate(**rate)),
        point("unsaid"),
    )
    assert chosen(offered, ReportRule(ask=ReportKind.ON_CHANGE), ReportRule()) == [
        (0, ("yes", "unsaid")),
        (1, ("no",)),
    ]


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("ask", "sometimes"),
        ("r_id", ""),
        ("unit", None),
        ("granularity", timedelta()),
        ("granularity", timedelta(seconds=1.5)),
        ("report_back_duration", 60),
        ("history", -timedelta(days=1)),
    ],
)
def test_wrong_rule_names_the_field(field: str, wrong: Any) -> None:
    with pytest.raises(LocalError) as caught:
        ReportRule(**{field: wrong})
    assert caught.value.path == f"ReportRule/{field}"
