"""Events made of few words: what an operator says, put into the form of the schema.

It stands alone because every face of the VTN needs it, and because the event book takes whole events only.
Nothing is checked here that :mod:`.checks` checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from ..engine.copying import evolve
from ..errors import LocalError, shown
from ..model import (
    ZERO,
    Duration,
    EiActivePeriod,
    EiEvent,
    EiEventSignal,
    EiEventSignals,
    EiTarget,
    EventDescriptor,
    EventStatus,
    Interval,
    ItemBase,
    Properties,
    SignalName,
    SignalPayload,
    SignalType,
    Tolerance,
)
from ..model.declare import EXTENSION, fields_of
from ..rules.signals import usual_unit

_T = TypeVar("_T")


class _Unsaid:
    """The type of :data:`UNSAID`."""

    def __repr__(self) -> str:
        return "UNSAID"


UNSAID: Final = _Unsaid()
"""Leave this as it is; ``None`` takes it away."""

_TARGETS: Final = frozenset(spec.name for spec in fields_of(EiTarget))

Targets = EiTarget | Mapping[str, Sequence[str]] | None
"""Targets of an event: as the schema has them, or lists of identifiers by kind, e.g. ``{"resource_id":
["r1"]}``.
"""


def build_event(
    *,
    signal_name: SignalName | str,
    signal_type: SignalType | str,
    dtstart: datetime,
    intervals: Iterable[tuple[timedelta, float]],
    market_context: str,
    item_base: ItemBase | None = None,
    currency: str = "EUR",
    signal_id: str = "0",
    event_id: str = "",
    priority: int | None = None,
    notification: timedelta | None = None,
    ramp_up: timedelta | None = None,
    recovery: timedelta | None = None,
    start_after: timedelta | None = None,
    test_event: bool = False,
    vtn_comment: str | None = None,
    targets: Targets = None,
) -> EiEvent:
    """An event with one signal.

    ``dtstart`` is aware; parts of a second are cut off (R1). ``intervals`` are pairs of duration and value;
    durations are whole seconds, and one interval of no length makes an event without end (R47). ``item_base``
    ``None`` takes the usual unit of a well-known signal (R104), money in ``currency``. ``event_id`` empty:
    the book gives one.

    Raises :class:`~oadr_core.errors.LocalError`, which names the argument.
    """
    name, kind = _signal_name(signal_name), _signal_type(signal_type)
    made = _intervals(intervals)
    start = _start(dtstart)
    return EiEvent(
        event_descriptor=EventDescriptor(
            event_id=event_id,
            priority=priority,
            market_context=market_context,
            created_date_time=start,  # the book writes the real one
            event_status=EventStatus.FAR,
            test_event="true" if test_event else None,
            vtn_comment=vtn_comment,
        ),
        ei_active_period=EiActivePeriod(
            properties=Properties(
                dtstart=start,
                duration=_total(made),
                tolerance=_tolerance(start_after),
                x_ei_notification=_duration(notification, "notification") or ZERO,
                x_ei_ramp_up=_duration(ramp_up, "ramp_up"),
                x_ei_recovery=_duration(recovery, "recovery"),
            )
        ),
        ei_event_signals=EiEventSignals(
            ei_event_signal=(
                EiEventSignal(
                    intervals=made,
                    signal_name=name,
                    signal_type=kind,
                    signal_id=signal_id,
                    item_base=item_base if item_base is not None else usual_unit(name, kind, currency),
                ),
            )
        ),
        ei_target=_target(targets),
    )


def change_event(
    event: EiEvent,
    *,
    dtstart: datetime | _Unsaid = UNSAID,
    intervals: Iterable[tuple[timedelta, float]] | _Unsaid = UNSAID,
    market_context: str | _Unsaid = UNSAID,
    item_base: ItemBase | _Unsaid | None = UNSAID,
    signal_id: str | _Unsaid = UNSAID,
    priority: int | _Unsaid | None = UNSAID,
    notification: timedelta | _Unsaid | None = UNSAID,
    ramp_up: timedelta | _Unsaid | None = UNSAID,
    recovery: timedelta | _Unsaid | None = UNSAID,
    start_after: timedelta | _Unsaid | None = UNSAID,
    test_event: bool | _Unsaid = UNSAID,
    vtn_comment: str | _Unsaid | None = UNSAID,
    targets: Targets | _Unsaid = UNSAID,
    reason: str | _Unsaid | None = UNSAID,
) -> EiEvent:
    """The event with changes; what is not said stays.

    ``signal_id`` says which signal ``intervals`` and ``item_base`` are for, where there are several.

    Raises :class:`~oadr_core.errors.LocalError`, which names the argument.
    """
    descriptor = _changed(
        event.event_descriptor,
        market_context=market_context,
        priority=priority,
        test_event=UNSAID if isinstance(test_event, _Unsaid) else ("true" if test_event else None),
        vtn_comment=vtn_comment,
        modification_reason=reason,
    )
    made = UNSAID if isinstance(intervals, _Unsaid) else _intervals(intervals)
    signals = event.ei_event_signals
    if not (isinstance(made, _Unsaid) and isinstance(item_base, _Unsaid)):
        old = _signal(signals, None if isinstance(signal_id, _Unsaid) else signal_id)
        new = _changed(old, intervals=made, item_base=item_base)
        signals = evolve(
            signals, ei_event_signal=tuple(new if signal is old else signal for signal in signals.ei_event_signal)
        )
    properties = _changed(
        event.ei_active_period.properties,
        dtstart=UNSAID if isinstance(dtstart, _Unsaid) else _start(dtstart),
        duration=UNSAID if isinstance(made, _Unsaid) else _total(made),
        tolerance=UNSAID if isinstance(start_after, _Unsaid) else _tolerance(start_after),
        x_ei_notification=(
            UNSAID if isinstance(notification, _Unsaid) else _duration(notification, "notification") or ZERO
        ),
        x_ei_ramp_up=UNSAID if isinstance(ramp_up, _Unsaid) else _duration(ramp_up, "ramp_up"),
        x_ei_recovery=UNSAID if isinstance(recovery, _Unsaid) else _duration(recovery, "recovery"),
    )
    return evolve(
        event,
        event_descriptor=descriptor,
        ei_active_period=evolve(event.ei_active_period, properties=properties),
        ei_event_signals=signals,
        ei_target=event.ei_target if isinstance(targets, _Unsaid) else _target(targets),
    )


def _changed(value: _T, **changes: object) -> _T:
    return evolve(value, **{name: new for name, new in changes.items() if new is not UNSAID})


def _signal_name(name: object) -> SignalName | str:
    if not isinstance(name, str) or not name:
        raise LocalError(f"a signal name is expected, not {shown(name)}", path="signal_name", rule="R104")
    try:
        return SignalName(name)
    except ValueError:
        if name.startswith(EXTENSION):
            return name
        known = ", ".join(SignalName)
        raise LocalError(f"{shown(name)} is none of {known}, and no x- name", path="signal_name", rule="R104") from None


def _signal_type(kind: SignalType | str) -> SignalType:
    try:
        return SignalType(kind)
    except ValueError:
        known = ", ".join(SignalType)
        raise LocalError(f"{shown(kind)} is none of {known}", path="signal_type", rule="R104") from None


def _intervals(pairs: Iterable[tuple[timedelta, float]]) -> tuple[Interval, ...]:
    made = []
    for index, pair in enumerate(pairs):
        path = f"intervals[{index}]"
        try:
            length, value = pair
            number = float(value)
        except (TypeError, ValueError):
            raise LocalError(f"a duration and a number are expected, not {shown(pair)}", path=path) from None
        duration = _duration(length, path)
        if duration is None:
            raise LocalError("a duration is expected (R102)", path=path, rule="R102")
        payload = SignalPayload(payload_base=number)
        made.append(Interval(duration=duration, uid=str(index), stream_payload_base=(payload,)))
    if not made:
        raise LocalError("at least one interval is expected", path="intervals")
    return tuple(made)


def _total(intervals: tuple[Interval, ...]) -> Duration:
    """R8: the durations of the intervals add up to the active period."""
    return Duration(seconds=sum(interval.duration.seconds for interval in intervals if interval.duration))


def _start(dtstart: object) -> datetime:
    if not isinstance(dtstart, datetime) or dtstart.tzinfo is None:
        raise LocalError(f"a datetime with a time zone is expected, not {dtstart!r}", path="dtstart", rule="R1")
    return dtstart.astimezone(UTC).replace(microsecond=0)


def _duration(length: object, path: str) -> Duration | None:
    if length is None:
        return None
    if not isinstance(length, timedelta):
        raise LocalError(f"a timedelta is expected, not {shown(length)}", path=path)
    try:
        return Duration.of(length)
    except ValueError as error:
        raise LocalError(str(error), path=path, rule="R1") from None


def _tolerance(start_after: timedelta | None) -> Tolerance | None:
    duration = _duration(start_after, "start_after")
    return Tolerance(startafter=duration) if duration else None


def _target(targets: Targets) -> EiTarget:
    if targets is None or isinstance(targets, EiTarget):
        return targets or EiTarget()
    if not isinstance(targets, Mapping):
        raise LocalError(f"an EiTarget or a mapping is expected, not {shown(targets)}", path="targets")
    if not set(targets) <= _TARGETS:
        known = ", ".join(sorted(_TARGETS))
        raise LocalError(f"{shown(sorted(set(targets) - _TARGETS))} is none of {known}", path="targets")
    values = {kind: (ids,) if isinstance(ids, str) else tuple(ids) for kind, ids in targets.items()}
    return evolve(EiTarget(), **values)


def _signal(signals: EiEventSignals, signal_id: str | None) -> EiEventSignal:
    found = [s for s in signals.ei_event_signal if signal_id is None or s.signal_id == signal_id]
    if len(found) != 1:
        known = ", ".join(signal.signal_id for signal in signals.ei_event_signal)
        raise LocalError(f"which signal? one of {known} is expected, not {signal_id!r}", path="signal_id")
    return found[0]
