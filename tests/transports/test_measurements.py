"""What people call a measurement becomes a unit that the schema has."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from oadr_core import LocalError
from oadr_core.model import (
    Currency,
    CurrencyPerKW,
    CurrencyPerKWh,
    CurrencyPerThm,
    Current,
    CustomUnit,
    EnergyApparent,
    EnergyReactive,
    EnergyReal,
    Frequency,
    GBDataDescription,
    ItemBase,
    PowerApparent,
    PowerAttributes,
    PowerReactive,
    PowerReal,
    PulseCount,
    SiScale,
    Temperature,
    Therm,
    Voltage,
)
from oadr_transports.measurements import Details, unit_of

NOMINAL = PowerAttributes(hertz=Decimal(50), voltage=Decimal(230), ac=True)
NAMES: dict[str, Any] = {
    "voltage": Voltage(),
    "Voltage": Voltage(),
    "energyReal": EnergyReal(),
    "RealEnergy": EnergyReal(),
    "REAL_ENERGY": EnergyReal(),
    "active energy": EnergyReal(),
    "energyReactive": EnergyReactive(),
    "energyApparent": EnergyApparent(),
    "powerReal": PowerReal(power_attributes=NOMINAL),
    "RealPower": PowerReal(power_attributes=NOMINAL),
    "POWER_REAL": PowerReal(power_attributes=NOMINAL),
    "ACTIVE_POWER": PowerReal(power_attributes=NOMINAL),
    "powerReactive": PowerReactive(power_attributes=NOMINAL),
    "powerApparent": PowerApparent(power_attributes=NOMINAL),
    "current": Current(),
    "frequency": Frequency(),
    "Therm": Therm(),
    "temperature": Temperature(),
    "power factor": CustomUnit(item_description="power factor", item_units=""),
}


@pytest.mark.parametrize("name", NAMES)
def test_every_name_has_its_unit(name: str) -> None:
    assert unit_of(name) == NAMES[name]


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("currency", Currency),
        ("currencyPerKW", CurrencyPerKW),
        ("currencyPerKWh", CurrencyPerKWh),
        ("currencyPerThm", CurrencyPerThm),
        ("CURRENCY_PER_KWH", CurrencyPerKWh),
    ],
)
def test_money_has_its_currency(name: str, unit: type[Any]) -> None:
    assert unit_of(name, Details(unit="EUR")) == unit(item_units="EUR")


def test_every_unit_of_the_schema_can_be_named() -> None:
    named = {type(unit) for unit in NAMES.values()} | {Currency, CurrencyPerKW, CurrencyPerKWh, CurrencyPerThm}
    named |= {type(unit_of("pulseCount", Details(pulse_factor=0.001)))}
    given = {type(unit_of(GBDataDescription(feed="x")))}
    assert named | given == set(get_args(ItemBase))


@pytest.mark.parametrize(
    ("name", "unit", "scale"),
    [("powerReal", "kW", "k"), ("energyReal", "MWh", "M"), ("voltage", "mV", "m"), ("current", "µA", "micro")],
)
def test_unit_may_bring_its_prefix(name: str, unit: str, scale: str) -> None:
    assert unit_of(name, Details(unit=unit)).si_scale_code is SiScale(scale)  # type: ignore[union-attr]  # these have one


def test_details_of_powers_are_taken() -> None:
    details = Details(unit="J/s", scale="k", power_hertz=60, power_voltage=120.5, power_ac=False)
    assert unit_of("powerReal", details) == PowerReal(
        item_units="J/s",
        si_scale_code=SiScale.KILO,
        power_attributes=PowerAttributes(hertz=Decimal(60), voltage=Decimal("120.5"), ac=False),
    )


@pytest.mark.parametrize("wrap", [dict, lambda **parts: SimpleNamespace(**parts)], ids=["dict", "object"])
def test_measurement_may_say_it_all_by_itself(wrap: Any) -> None:
    power = wrap(hertz=60, voltage=120, ac=True)
    given = wrap(name="powerReal", description="RealPower", unit="W", scale="k", power_attributes=power)
    assert unit_of(given) == PowerReal(
        si_scale_code=SiScale.KILO, power_attributes=PowerAttributes(hertz=Decimal(60), voltage=Decimal(120), ac=True)
    )
    assert unit_of(given, Details(scale="M")).si_scale_code is SiScale.MEGA  # type: ignore[union-attr]  # a power
    pulses = wrap(name="pulseCount", description="pulse count", unit="count", pulse_factor=2)
    assert unit_of(pulses) == PulseCount(pulse_factor=2.0)
    custom = wrap(name="customUnit", description="Humidity", unit="%", scale="none")
    assert unit_of(custom) == CustomUnit(item_description="Humidity", item_units="%")
    assert unit_of(Temperature(item_units="fahrenheit")) == Temperature(item_units="fahrenheit")


@pytest.mark.parametrize(
    ("name", "details", "argument"),
    [
        ("voltage", Details(unit="A"), "unit"),
        ("voltage", Details(unit="kV", scale="m"), "unit"),
        ("voltage", Details(unit="xV"), "unit"),
        ("voltage", Details(scale="kilo"), "scale"),
        ("voltage", Details(power_hertz=60), "power_hertz"),
        ("energyReal", Details(power_voltage=60), "power_voltage"),
        ("current", Details(power_ac=False), "power_ac"),
        ("current", Details(pulse_factor=1), "pulse_factor"),
        ("powerReal", Details(power_hertz=float("nan")), "power_hertz"),
        ("powerReal", Details(power_hertz="x"), "power_hertz"),  # type: ignore[arg-type]  # wrong on purpose
        ("powerReal", Details(power_ac="no"), "power_ac"),  # type: ignore[arg-type]  # wrong on purpose
        ("temperature", Details(unit="kelvin"), "unit"),
        ("currency", Details(), "unit"),
        ("currency", Details(unit="dollars"), "unit"),
        ("pulseCount", Details(), "pulse_factor"),
        ("pulseCount", Details(pulse_factor=1, scale="k"), "scale"),
        ("pulseCount", Details(pulse_factor=1, unit="kWh"), "unit"),
        (Voltage(), Details(unit="V"), "unit"),
        ("", Details(), "measurement"),
        (1, Details(), "measurement"),
        ({"description": "Voltage"}, Details(), "measurement"),
    ],
)
def test_what_has_no_place_is_refused_and_named(name: Any, details: Details, argument: str) -> None:
    with pytest.raises(LocalError) as caught:
        unit_of(name, details)
    assert caught.value.path == argument
