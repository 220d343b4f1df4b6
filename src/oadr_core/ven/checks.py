"""What makes an event unfit for this VEN: each check with its rule and the response code that the VTN gets.

It stands alone because it is the table of rule R48: pure functions of one event and the configuration. A cancelled
event is not judged: what is known must be cancelled, however it is written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from ..engine.schedule import later, starts
from ..engine.uris import normal
from ..errors import shown
from ..model import EiEvent, EiEventSignal, EiTarget, Event, SignalName, SignalPayload, SignalType
from ..model.declare import fields_of
from ..rules.signals import SIGNALS, SignalRule
from .config import SignalSupport, VenConfig

OUT_OF_SEQUENCE: Final = "450"
INVALID_ID: Final = "452"
INVALID_DATA: Final = "454"
COMPLIANCE: Final = "459"
SIGNAL_NOT_SUPPORTED: Final = "460"
TARGET_MISMATCH: Final = "462"
DEPLOYMENT: Final = "469"
_EXTENSION: Final = "x-"
_TARGETS: Final = tuple(field.name for field in fields_of(EiTarget))


@attrs.frozen
class Fault:
    """Why an event is refused."""

    code: str
    text: str
    rule: str


Check = Callable[[EiEvent, VenConfig, str], Fault | None]


def fault(event: Event, config: VenConfig, ven_id: str) -> Fault | None:
    """The first thing that is wrong with an event, ``None`` when it is fit."""
    found = (check(event.ei_event, config, ven_id) for check in CHECKS)
    return next((each for each in found if each is not None), None)


def _market_context(event: EiEvent, config: VenConfig, ven_id: str) -> Fault | None:
    ours = config.market_contexts
    theirs = event.event_descriptor.market_context
    if ours is None or normal(theirs) in {normal(each) for each in ours}:  # R512
        return None
    return Fault(TARGET_MISMATCH, f"market context {shown(theirs)} is not ours", "R48")


def _target(event: EiEvent, config: VenConfig, ven_id: str) -> Fault | None:
    """R22: no target means this VEN, and one of several is enough. R21: another VEN's venID alone is a wrong ID."""
    theirs = event.ei_target
    kinds = [kind for kind in _TARGETS if getattr(theirs, kind)]
    if not kinds or ven_id in theirs.ven_id:
        return None
    if kinds == ["ven_id"]:
        return Fault(INVALID_ID, f"for {shown(theirs.ven_id[0])}, this is {shown(ven_id)}", "R21")
    ours = config.targets
    if ours is None or any(set(getattr(theirs, kind)) & set(getattr(ours, kind)) for kind in kinds):
        return None
    first = next(kind for kind in kinds if kind != "ven_id")
    return Fault(TARGET_MISMATCH, f"{first} {shown(getattr(theirs, first)[0])} is not ours", "R48")


def _signals(event: EiEvent, config: VenConfig, ven_id: str) -> Fault | None:
    for signal in event.ei_event_signals.ei_event_signal:
        found = _known(signal) or _supported(signal, config.signals)
        if found is not None:
            return found
    return None


def _known(signal: EiEventSignal) -> Fault | None:
    """R104: a well-known signal has the types and units of table 1. A unit that is left out is borne: many do."""
    name = str(signal.signal_name)
    types = SIGNALS.get(name)
    if types is None:
        if name == SignalName.SIMPLE_20A or name.startswith(_EXTENSION):
            return None
        return Fault(SIGNAL_NOT_SUPPORTED, f"there is no signal {shown(name)}", "R48")
    rule = types.get(signal.signal_type)
    if rule is None:
        return Fault(SIGNAL_NOT_SUPPORTED, f"{name} does not come as {signal.signal_type}", "R104")
    if signal.item_base is not None and type(signal.item_base) not in rule.units:
        return Fault(SIGNAL_NOT_SUPPORTED, f"{name} does not come in {type(signal.item_base).__name__}", "R104")
    return None


def _supported(signal: EiEventSignal, supported: tuple[SignalSupport, ...] | None) -> Fault | None:
    if supported is None:
        return None
    for support in supported:
        unit = signal.item_base is None or not support.units or type(signal.item_base) in support.units
        kind = not support.signal_types or signal.signal_type in support.signal_types
        if str(signal.signal_name) == str(support.signal_name) and unit and kind:
            return None
    return Fault(SIGNAL_NOT_SUPPORTED, f"{signal.signal_name} as {signal.signal_type} is not supported here", "R109")


def _device_classes(event: EiEvent, config: VenConfig, ven_id: str) -> Fault | None:
    """R111: several classes are alternatives; R112: a signal for none of ours has nothing to act on."""
    if config.device_classes is None:
        return None
    for signal in event.ei_event_signals.ei_event_signal:
        classes = signal.ei_target.end_device_asset if signal.ei_target is not None else ()
        if classes and not config.device_classes.intersection(classes):
            return Fault(DEPLOYMENT, f"there is no {shown(classes[0])} here", "R112")
    return None


def _order(event: EiEvent, config: VenConfig, ven_id: str) -> Fault | None:
    for signal in event.ei_event_signals.ei_event_signal:
        uids = [interval.uid for interval in signal.intervals]
        if uids != [str(number) for number in range(len(uids))]:
            return Fault(OUT_OF_SEQUENCE, f"the uids of {signal.signal_name} are not 0, 1, 2 …", "R2")
    return None


def _durations(event: EiEvent, config: VenConfig, ven_id: str) -> Fault | None:
    """R8, R102: what the intervals of a signal add up to is the active period. An open end has no sum (R47)."""
    period = event.ei_active_period.properties
    if period.duration.months < 0 or period.duration.seconds < 0:
        return Fault(INVALID_DATA, "the active period ends before it begins", "R8")
    for signal in event.ei_event_signals.ei_event_signal:
        lengths = [interval.duration for interval in signal.intervals]
        if any(length is None or length.months < 0 or length.seconds < 0 for length in lengths):
            return Fault(INVALID_DATA, f"an interval of {signal.signal_name} has no duration", "R102")
        if period.duration:
            *_, (last, interval) = starts(signal.intervals, period.dtstart)
            end = last if interval.duration is None else later(last, interval.duration)
            if end != later(period.dtstart, period.duration):
                text = f"the intervals of {signal.signal_name} do not add up to the active period"
                return Fault(INVALID_DATA, text, "R8")
    return None


def _values(event: EiEvent, config: VenConfig, ven_id: str) -> Fault | None:
    """R100: a number in each interval; R9, R104: in the range of its signal."""
    for signal in event.ei_event_signals.ei_event_signal:
        rule = _range(signal)
        for interval in signal.intervals:
            payload = interval.stream_payload_base[0]
            value = payload.payload_base if isinstance(payload, SignalPayload) else None
            if not isinstance(value, (int, float)) or len(interval.stream_payload_base) != 1:
                return Fault(COMPLIANCE, f"an interval of {signal.signal_name} has no single number", "R100")
            if value - value != 0 or not rule.allows(value):
                return Fault(INVALID_DATA, f"{signal.signal_name} is {rule.values}, not {value:g}", _rule_of(signal))
    return None


def _range(signal: EiEventSignal) -> SignalRule:
    name = str(signal.signal_name)
    if name == SignalName.SIMPLE_20A:
        name = SignalName.SIMPLE
    return SIGNALS.get(name, {}).get(signal.signal_type) or SignalRule()


def _rule_of(signal: EiEventSignal) -> str:
    """The rule about the values of a signal."""
    simple = str(signal.signal_name) in (SignalName.SIMPLE, SignalName.SIMPLE_20A)
    return "R9" if simple and signal.signal_type is SignalType.LEVEL else "R104"


CHECKS: Final[tuple[Check, ...]] = (_market_context, _target, _signals, _device_classes, _order, _durations, _values)
"""In the order in which they are made: what it is for, then what it says."""
