"""The well-known signals: which types and units they come in, and which values they take (rule R104, table 1;
section 3.3).

It stands alone because it is data: the builder takes a signal's unit from it, and the checks refuse what it
does not list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

import attrs

from ..model import (
    Currency,
    CurrencyPerKW,
    CurrencyPerKWh,
    CurrencyPerThm,
    EnergyApparent,
    EnergyReactive,
    EnergyReal,
    ItemBase,
    PowerApparent,
    PowerAttributes,
    PowerReactive,
    PowerReal,
    SignalName,
    SignalType,
)

_N: Final = SignalName
_T: Final = SignalType


@attrs.frozen
class SignalRule:
    """What one type of a well-known signal allows: ``units`` (none of them: no itemBase), and a range of
    values.
    """

    units: tuple[type, ...] = ()
    lowest: float | None = None
    highest: float | None = None
    whole: bool = False

    def allows(self, value: float) -> bool:
        """True for a value in the range."""
        return (
            (self.lowest is None or value >= self.lowest)
            and (self.highest is None or value <= self.highest)
            and (not self.whole or value == int(value))
        )

    @property
    def values(self) -> str:
        """The range, for people."""
        kind = "a whole number" if self.whole else "a number"
        return kind if self.lowest is None else f"{kind} from {self.lowest:g} to {self.highest:g}"


_POWER: Final = (PowerReal, PowerApparent, PowerReactive)
_ENERGY: Final = (EnergyReal, EnergyApparent, EnergyReactive)
_MONEY: Final = (Currency, CurrencyPerKWh, CurrencyPerKW, CurrencyPerThm)
_ENERGY_PRICE: Final = {
    _T.PRICE: SignalRule((CurrencyPerKWh,)),
    _T.PRICE_RELATIVE: SignalRule((CurrencyPerKWh,)),
    _T.PRICE_MULTIPLIER: SignalRule(),
}

SIGNALS: Final[Mapping[str, Mapping[SignalType, SignalRule]]] = MappingProxyType(
    {
        _N.SIMPLE: {_T.LEVEL: SignalRule((), 0, 3, whole=True)},  # R9, R116
        _N.ELECTRICITY_PRICE: _ENERGY_PRICE,
        _N.ENERGY_PRICE: _ENERGY_PRICE,
        _N.DEMAND_CHARGE: {
            _T.PRICE: SignalRule((CurrencyPerKW,)),
            _T.PRICE_RELATIVE: SignalRule((CurrencyPerKW,)),
            _T.PRICE_MULTIPLIER: SignalRule(),
        },
        _N.BID_PRICE: {_T.PRICE: SignalRule(_MONEY)},
        _N.BID_LOAD: {_T.SETPOINT: SignalRule(_POWER)},
        _N.BID_ENERGY: {_T.SETPOINT: SignalRule(_ENERGY)},
        _N.CHARGE_STATE: {
            _T.SETPOINT: SignalRule(_ENERGY),
            _T.DELTA: SignalRule(_ENERGY),
            _T.MULTIPLIER: SignalRule((), 0, 1),
        },
        _N.LOAD_DISPATCH: {
            _T.SETPOINT: SignalRule(_POWER),
            _T.DELTA: SignalRule(_POWER),
            _T.MULTIPLIER: SignalRule(),
            _T.LEVEL: SignalRule(_POWER, -10, 10, whole=True),
        },
        _N.LOAD_CONTROL: {
            _T.X_LOAD_CONTROL_CAPACITY: SignalRule((), 0, 1),
            _T.X_LOAD_CONTROL_LEVEL_OFFSET: SignalRule((), whole=True),
            _T.X_LOAD_CONTROL_SETPOINT: SignalRule(),
            _T.X_LOAD_CONTROL_PERCENT_OFFSET: SignalRule(),
        },
    }
)
"""Signal name to signal type to what it allows. Names that begin with ``x-`` are the parties' own and not
listed.
"""

DEVICE_CLASSES: Final = frozenset(
    """
    Thermostat Strip_Heater Baseboard_Heater Water_Heater Pool_Pump Sauna Hot_tub Smart_Appliance Irrigation_Pump
    Managed_Commercial_and_Industrial_Loads Simple_Residential_On_Off_Loads Exterior_Lighting Interior_Lighting
    Electric_Vehicle Generation_Systems Load_Control_Switch Smart_Inverter EVSE RESU Energy_Management_System
    Smart_Energy_Module Storage
    """.split()
)
"""Device classes that a signal may be targeted at; ``x-`` names are the parties' own (R111)."""

_EUROPEAN_MAINS: Final = PowerAttributes(hertz=Decimal(50), voltage=Decimal(230), ac=True)

_MADE: Final[Mapping[type, Callable[[str], ItemBase]]] = MappingProxyType(
    {
        Currency: lambda currency: Currency(item_units=currency),
        CurrencyPerKWh: lambda currency: CurrencyPerKWh(item_units=currency),
        CurrencyPerKW: lambda currency: CurrencyPerKW(item_units=currency),
        PowerReal: lambda _: PowerReal(power_attributes=_EUROPEAN_MAINS),
        EnergyReal: lambda _: EnergyReal(),
    }
)


def usual_unit(signal_name: str, signal_type: SignalType, currency: str) -> ItemBase | None:
    """The unit of a well-known signal in its plainest form: money in ``currency``, real power in W, real
    energy in Wh.

    ``None`` for signals without unit and for the parties' own. Power is at 230 V and 50 Hz.
    """
    rule = SIGNALS.get(signal_name, {}).get(signal_type)
    return _MADE[rule.units[0]](currency) if rule is not None and rule.units else None
