"""The units that a signal or a data point can have: everything that substitutes ``emix:itemBase`` (section 2.9).

It stands alone because events and reports share it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from .declare import BOOLEAN, DECIMAL, FLOAT, TEXT, Choice, Opaque, closed, fixed, one, schema
from .vocabulary import CURRENCY_CODES, CurrencyDescription, RealPowerUnit, SiScale, TemperatureUnit

_SCALE: Final = closed(SiScale, collapse=False)


@schema
class PowerAttributes:
    """Nominal frequency in hertz, nominal voltage in volt, and whether the current alternates (POW:253)."""

    hertz: Decimal = one("power:hertz", DECIMAL)
    voltage: Decimal = one("power:voltage", DECIMAL)
    ac: bool = one("power:ac", BOOLEAN)


@schema
class Voltage:
    """Voltage in V."""

    item_description: str = one("power:itemDescription", fixed("Voltage"), default="Voltage")
    item_units: str = one("power:itemUnits", fixed("V"), default="V")
    si_scale_code: SiScale = one("scale:siScaleCode", _SCALE, default=SiScale.NONE)


@schema
class EnergyReal:
    """Real energy in Wh."""

    item_description: str = one("power:itemDescription", fixed("RealEnergy"), default="RealEnergy")
    item_units: str = one("power:itemUnits", fixed("Wh"), default="Wh")
    si_scale_code: SiScale = one("scale:siScaleCode", _SCALE, default=SiScale.NONE)


@schema
class EnergyReactive:
    """Reactive energy in VARh."""

    item_description: str = one("power:itemDescription", fixed("ReactiveEnergy"), default="ReactiveEnergy")
    item_units: str = one("power:itemUnits", fixed("VARh"), default="VARh")
    si_scale_code: SiScale = one("scale:siScaleCode", _SCALE, default=SiScale.NONE)


@schema
class EnergyApparent:
    """Apparent energy in VAh."""

    item_description: str = one("power:itemDescription", fixed("ApparentEnergy"), default="ApparentEnergy")
    item_units: str = one("power:itemUnits", fixed("VAh"), default="VAh")
    si_scale_code: SiScale = one("scale:siScaleCode", _SCALE, default=SiScale.NONE)


@schema
class PowerReal:
    """Real power in W or J/s."""

    item_description: str = one("power:itemDescription", fixed("RealPower"), default="RealPower")
    item_units: RealPowerUnit = one("power:itemUnits", closed(RealPowerUnit), default=RealPowerUnit.WATT)
    si_scale_code: SiScale = one("scale:siScaleCode", _SCALE, default=SiScale.NONE)
    power_attributes: PowerAttributes = one("power:powerAttributes", PowerAttributes)


@schema
class PowerReactive:
    """Reactive power in VAR."""

    item_description: str = one("power:itemDescription", fixed("ReactivePower"), default="ReactivePower")
    item_units: str = one("power:itemUnits", fixed("VAR"), default="VAR")
    si_scale_code: SiScale = one("scale:siScaleCode", _SCALE, default=SiScale.NONE)
    power_attributes: PowerAttributes = one("power:powerAttributes", PowerAttributes)


@schema
class PowerApparent:
    """Apparent power in VA."""

    item_description: str = one("power:itemDescription", fixed("ApparentPower"), default="ApparentPower")
    item_units: str = one("power:itemUnits", fixed("VA"), default="VA")
    si_scale_code: SiScale = one("scale:siScaleCode", _SCALE, default=SiScale.NONE)
    power_attributes: PowerAttributes = one("power:powerAttributes", PowerAttributes)


@schema
class Current:
    """Electric current in A."""

    item_description: str = one("oadr:itemDescription", fixed("Current"), default="Current")
    item_units: str = one("oadr:itemUnits", fixed("A"), default="A")
    si_scale_code: SiScale = one("scale:siScaleCode", _SCALE, default=SiScale.NONE)


@schema
class Frequency:
    """Frequency in Hz."""

    item_description: str = one("oadr:itemDescription", fixed("Frequency"), default="Frequency")
    item_units: str = one("oadr:itemUnits", fixed("Hz"), default="Hz")
    si_scale_code: SiScale = one("scale:siScaleCode", _SCALE, default=SiScale.NONE)


@schema
class Therm:
    """Heat in therm."""

    item_description: str = one("oadr:itemDescription", fixed("Therm"), default="Therm")
    item_units: str = one("oadr:itemUnits", fixed("thm"), default="thm")
    si_scale_code: SiScale = one("scale:siScaleCode", _SCALE, default=SiScale.NONE)


@schema
class Temperature:
    """Temperature in degrees Celsius or Fahrenheit."""

    item_description: str = one("oadr:itemDescription", fixed("temperature"), default="temperature")
    item_units: TemperatureUnit = one("oadr:itemUnits", closed(TemperatureUnit), default=TemperatureUnit.CELSIUS)
    si_scale_code: SiScale = one("scale:siScaleCode", _SCALE, default=SiScale.NONE)


@schema
class PulseCount:
    """Pulses of a meter; ``pulse_factor`` is kWh per pulse."""

    item_description: str = one("oadr:itemDescription", fixed("pulse count"), default="pulse count")
    item_units: str = one("oadr:itemUnits", fixed("count"), default="count")
    pulse_factor: float = one("oadr:pulseFactor", FLOAT)


@schema
class CustomUnit:
    """Any other unit, as the parties agreed."""

    item_description: str = one("oadr:itemDescription", TEXT)
    item_units: str = one("oadr:itemUnits", TEXT)
    si_scale_code: SiScale = one("scale:siScaleCode", _SCALE, default=SiScale.NONE)


@schema
class Currency:
    """An amount of money; ``item_units`` is an ISO 4217 code of the schema's list."""

    item_description: CurrencyDescription = one(
        "oadr:itemDescription", closed(CurrencyDescription), default=CurrencyDescription.CURRENCY
    )
    item_units: str = one("oadr:itemUnits", closed(CURRENCY_CODES))
    si_scale_code: SiScale = one("scale:siScaleCode", _SCALE, default=SiScale.NONE)


@schema
class CurrencyPerKWh:
    """A price of energy."""

    item_description: CurrencyDescription = one(
        "oadr:itemDescription", closed(CurrencyDescription), default=CurrencyDescription.CURRENCY_PER_KWH
    )
    item_units: str = one("oadr:itemUnits", closed(CURRENCY_CODES))
    si_scale_code: SiScale = one("scale:siScaleCode", _SCALE, default=SiScale.NONE)


@schema
class CurrencyPerKW:
    """A price of demand."""

    item_description: CurrencyDescription = one(
        "oadr:itemDescription", closed(CurrencyDescription), default=CurrencyDescription.CURRENCY_PER_KW
    )
    item_units: str = one("oadr:itemUnits", closed(CURRENCY_CODES))
    si_scale_code: SiScale = one("scale:siScaleCode", _SCALE, default=SiScale.NONE)


@schema
class CurrencyPerThm:
    """A price of heat; the schema has no description of its own for it."""

    item_description: CurrencyDescription = one(
        "oadr:itemDescription", closed(CurrencyDescription), default=CurrencyDescription.CURRENCY
    )
    item_units: str = one("oadr:itemUnits", closed(CURRENCY_CODES))
    si_scale_code: SiScale = one("scale:siScaleCode", _SCALE, default=SiScale.NONE)


@schema
class GBDataDescription:
    """Green Button data description: an Atom feed, carried as canonical XML."""

    feed: str = one("atom:feed", Opaque())


ItemBase = (
    Voltage
    | EnergyReal
    | EnergyReactive
    | EnergyApparent
    | PowerReal
    | PowerReactive
    | PowerApparent
    | Current
    | Frequency
    | Therm
    | Temperature
    | PulseCount
    | CustomUnit
    | Currency
    | CurrencyPerKWh
    | CurrencyPerKW
    | CurrencyPerThm
    | GBDataDescription
)
"""Any unit."""

ITEM_BASE: Final = Choice(
    (
        ("power:powerReal", PowerReal),
        ("oadr:currencyPerKWh", CurrencyPerKWh),
        ("power:voltage", Voltage),
        ("power:energyReal", EnergyReal),
        ("power:energyReactive", EnergyReactive),
        ("power:energyApparent", EnergyApparent),
        ("power:powerReactive", PowerReactive),
        ("power:powerApparent", PowerApparent),
        ("oadr:current", Current),
        ("oadr:frequency", Frequency),
        ("oadr:Therm", Therm),
        ("oadr:temperature", Temperature),
        ("oadr:pulseCount", PulseCount),
        ("oadr:customUnit", CustomUnit),
        ("oadr:currency", Currency),
        ("oadr:currencyPerKW", CurrencyPerKW),
        ("oadr:currencyPerThm", CurrencyPerThm),
        ("oadr:oadrGBDataDescription", GBDataDescription),
    )
)
"""Where each unit stands in the substitution group of emix:itemBase."""


