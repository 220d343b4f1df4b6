"""The names of measurements that ``add_report`` takes, and the units they stand for (section 2.9 of the reference).

It stands alone because it is a table: what people write to what the schema knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import attrs

from oadr_core import LocalError
from oadr_core.errors import shown
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
    GBDataDescription,
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
    "activeenergy": EnergyReal,
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
    "activepower": PowerReal,
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


_BUILT: Final = (*_PLAIN.values(), *_POWER.values(), *_MONEY.values(), Temperature, PulseCount, CustomUnit)
_FREQUENCY_HZ, _VOLTAGE_V = 50, 230
"""What powers are assumed to be of, unless the application says otherwise."""


@attrs.frozen(kw_only=True)
class Details:
    """What else was said about a measurement; ``None`` was not said."""

    unit: str | None = None
    scale: str | None = None
    power_hertz: float | None = None
    power_voltage: float | None = None
    power_ac: bool | None = None
    pulse_factor: float | None = None


_NOTHING: Final = Details()
_PREFIXES: Final = {scale.value: scale for scale in SiScale if scale is not SiScale.NONE} | {"µ": SiScale.MICRO}


def unit_of(measurement: object, details: Details = _NOTHING) -> ItemBase:
    """The unit of a measurement such as ``"voltage"``, ``"powerReal"``, ``"REAL_POWER"`` or ``"temperature"``.

    Case, blanks and underscores do not matter. Any other name makes a custom unit with that description. An object or
    dict with ``name``, ``description``, ``unit``, ``scale``, ``power_attributes`` and ``pulse_factor`` says it all by
    itself, and so does one of the units of :mod:`oadr_core.model`.

    ``unit`` may have its SI prefix with it (``"kW"``). ``power_hertz``, nominal ``power_voltage`` in volt and
    ``power_ac`` are of powers only, ``pulse_factor`` (kWh per pulse) of pulse counts.

    Raises :class:`~oadr_core.LocalError` for a scale or unit that the schema does not have, and for details that this
    measurement has no place for.
    """
    if isinstance(measurement, (*_BUILT, GBDataDescription)):
        _refuse(details, (), "a measurement that says it all")
        return measurement  # type: ignore[return-value]  # the tables hold the units, and nothing else
    if isinstance(measurement, str) and measurement:
        return _named(measurement, measurement, details)
    name = _part(measurement, "name")
    if not isinstance(name, str) or not name:
        raise LocalError(f"a measurement such as 'voltage' is expected, not {shown(measurement)}", path="measurement")
    return _named(name, str(_part(measurement, "description") or name), _merged(measurement, details))


def _named(name: str, description: str, details: Details) -> ItemBase:
    key = name.lower().replace("_", "").replace(" ", "")
    if key in ("customunit", "custom"):
        key = ""
    if key == "pulsecount":
        _refuse(details, ("unit", "pulse_factor"), name)
        return _pulses(details)
    if key in _POWER:
        unit = _scaled(_POWER[key], details)
        _refuse(details, ("unit", "scale", "power_hertz", "power_voltage", "power_ac"), name)
        return _POWER[key](**unit, power_attributes=_nominal(details))  # type: ignore[no-any-return]  # a table of units
    _refuse(details, ("unit", "scale"), name)
    if key in _PLAIN:
        return _PLAIN[key](**_scaled(_PLAIN[key], details))  # type: ignore[no-any-return]  # a table of units
    if key in _MONEY:
        if details.unit not in CURRENCY_CODES:
            raise LocalError(f"an ISO 4217 code of the schema's list is expected, not {details.unit!r}", path="unit")
        return _MONEY[key](item_units=details.unit, si_scale_code=_scale(details.scale))  # type: ignore[no-any-return]  # a table of units
    if key == "temperature":
        return _temperature(details)
    return CustomUnit(item_description=description, item_units=details.unit or "", si_scale_code=_scale(details.scale))


def _scaled(unit: type[Any], details: Details) -> dict[str, Any]:
    """The unit as it is written, and its scale, which may have been given as the unit's prefix."""
    fields = {field.name: field.default for field in attrs.fields(unit)}
    fixed = str(fields["item_units"])
    given, scale = details.unit or fixed, _scale(details.scale)
    if unit is PowerReal and given == RealPowerUnit.JOULE_PER_SECOND:
        return {"item_units": RealPowerUnit.JOULE_PER_SECOND, "si_scale_code": scale}
    prefix = given.removesuffix(fixed)
    if given == fixed:
        return {"si_scale_code": scale}
    if prefix == given or prefix not in _PREFIXES or scale is not SiScale.NONE:
        text = f"this measurement is in {fixed}, not in {given!r}; use scale for multiples"
        raise LocalError(text, path="unit")
    return {"si_scale_code": _PREFIXES[prefix]}


def _temperature(details: Details) -> Temperature:
    unit = details.unit or TemperatureUnit.CELSIUS
    if unit not in tuple(TemperatureUnit):
        raise LocalError(f"celsius or fahrenheit is expected, not {unit!r}", path="unit")
    return Temperature(item_units=TemperatureUnit(unit), si_scale_code=_scale(details.scale))


def _pulses(details: Details) -> PulseCount:
    if details.unit not in (None, "count"):
        raise LocalError(f"pulses are counted in 'count', not in {details.unit!r}", path="unit")
    if details.pulse_factor is None:
        raise LocalError("a pulse count needs pulse_factor, in kWh per pulse", path="pulse_factor")
    return PulseCount(pulse_factor=float(_decimal(details.pulse_factor, "pulse_factor")))


def _nominal(details: Details) -> PowerAttributes:
    ac = True if details.power_ac is None else details.power_ac
    if not isinstance(ac, bool):
        raise LocalError(f"True or False is expected, not {shown(ac)}", path="power_ac")
    hertz = _FREQUENCY_HZ if details.power_hertz is None else details.power_hertz
    voltage = _VOLTAGE_V if details.power_voltage is None else details.power_voltage
    return PowerAttributes(
        hertz=_decimal(hertz, "power_hertz"),
        voltage=_decimal(voltage, "power_voltage"),
        ac=ac,
    )


def _decimal(number: object, path: str) -> Decimal:
    try:
        found = Decimal(str(number))
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or isinstance(number, bool):
        raise LocalError(f"a number is expected, not {shown(number)}", path=path)
    return found


def _scale(scale: str | None) -> SiScale:
    try:
        return SiScale(scale or "none")
    except ValueError:
        raise LocalError(f"one of {', '.join(SiScale)} is expected, not {scale!r}", path="scale") from None


def _refuse(details: Details, allowed: tuple[str, ...], name: str) -> None:
    """Nothing is taken and then ignored; the scale ``none`` says nothing."""
    for field in attrs.fields(Details):
        value = getattr(details, field.name)
        if value is not None and field.name not in allowed and (field.name, value) != ("scale", "none"):
            raise LocalError(f"{name} has no place for {value!r}", path=field.name)


def _merged(measurement: object, details: Details) -> Details:
    """The details that a measurement brings along, and those that were said beside it, which go before."""
    power = _part(measurement, "power_attributes")
    own = Details(
        unit=_part(measurement, "unit"),
        scale=_part(measurement, "scale"),
        pulse_factor=_part(measurement, "pulse_factor"),
        power_hertz=_part(power, "hertz"),
        power_voltage=_part(power, "voltage"),
        power_ac=_part(power, "ac"),
    )
    said = {name: value for name, value in attrs.asdict(details).items() if value is not None}
    return attrs.evolve(own, **said)


def _part(whole: object, name: str) -> Any:
    return whole.get(name) if isinstance(whole, Mapping) else getattr(whole, name, None)
