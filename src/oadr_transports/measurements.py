"""The names of measurements that ``add_report`` takes, and the units they stand for (section 2.9 of the reference).

It stands alone because it is a table: what people write to what the schema knows.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from oadr_core import LocalError
from oadr_core.model import (
    CURRENCY_CODES,
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
    ItemBase,
    PowerApparent,
    PowerAttributes,
    PowerReactive,
    PowerReal,
    PulseCount,
    RealPowerUnit,
    SiScale,
    Temperature,
    TemperatureUnit,
    Therm,
    Voltage,
)

_PLAIN: Final[dict[str, type[Any]]] = {
    "voltage": Voltage,
    "energyreal": EnergyReal,
    "realenergy": EnergyReal,
    "energyreactive": EnergyReactive,
    "reactiveenergy": EnergyReactive,
    "energyapparent": EnergyApparent,
    "apparentenergy": EnergyApparent,
    "current": Current,
    "frequency": Frequency,
    "therm": Therm,
}
_POWER: Final[dict[str, type[Any]]] = {
    "powerreal": PowerReal,
    "realpower": PowerReal,
    "powerreactive": PowerReactive,
    "reactivepower": PowerReactive,
    "powerapparent": PowerApparent,
    "apparentpower": PowerApparent,
}
_MONEY: Final[dict[str, type[Any]]] = {
    "currency": Currency,
    "currencyperkw": CurrencyPerKW,
    "currencyperkwh": CurrencyPerKWh,
    "currencyperthm": CurrencyPerThm,
}


def unit_of(
    measurement: str,
    *,
    unit: str | None = None,
    scale: str = "none",
    hertz: float = 50,
    voltage: float = 230,
    ac: bool = True,
    pulse_factor: float | None = None,
) -> ItemBase:
    """The unit of a measurement such as ``"voltage"``, ``"powerReal"``, ``"REAL_POWER"`` or ``"temperature"``.

    Case, blanks and underscores do not matter. Any other name makes a custom unit with that description. ``hertz``,
    nominal ``voltage`` in volt and ``ac`` belong to powers only; ``pulse_factor`` is kWh per pulse.

    Raises :class:`~oadr_core.LocalError` for a scale or unit that the schema does not have.
    """
    try:
        si_scale = SiScale(scale)
    except ValueError:
        raise LocalError(f"one of {', '.join(SiScale)} is expected, not {scale!r}", path="scale") from None
    name = measurement.lower().replace("_", "").replace(" ", "")
    if name in _PLAIN:
        return _checked(lambda: _PLAIN[name](si_scale_code=si_scale), unit)
    if name in _POWER:
        nominal = PowerAttributes(hertz=Decimal(str(hertz)), voltage=Decimal(str(voltage)), ac=ac)
        if _POWER[name] is PowerReal and unit == RealPowerUnit.JOULE_PER_SECOND:
            return PowerReal(item_units=RealPowerUnit(unit), si_scale_code=si_scale, power_attributes=nominal)
        return _checked(lambda: _POWER[name](si_scale_code=si_scale, power_attributes=nominal), unit)
    if name in _MONEY:
        if unit not in CURRENCY_CODES:
            raise LocalError(f"an ISO 4217 code of the schema's list is expected, not {unit!r}", path="unit")
        return _MONEY[name](item_units=unit, si_scale_code=si_scale)  # type: ignore[no-any-return]  # a table of units
    if name == "temperature":
        if unit is not None and unit not in set(TemperatureUnit):
            raise LocalError(f"celsius or fahrenheit is expected, not {unit!r}", path="unit")
        return Temperature(item_units=TemperatureUnit(unit or "celsius"), si_scale_code=si_scale)
    if name == "pulsecount":
        if pulse_factor is None:
            raise LocalError("a pulse count needs pulse_factor, in kWh per pulse", path="pulse_factor")
        return PulseCount(pulse_factor=pulse_factor)
    return CustomUnit(item_description=measurement, item_units=unit or "", si_scale_code=si_scale)


def _checked(make: Callable[[], Any], unit: str | None) -> ItemBase:
    made: ItemBase = make()
    fixed = str(getattr(made, "item_units", ""))
    if unit is not None and unit != fixed:
        raise LocalError(f"this measurement is in {fixed}, not in {unit!r}; use scale for multiples", path="unit")
    return made
