"""The arguments of ``add_report``, each checked when it is given: what is wrong is said at once, and what was expected.

It stands alone because none of it is about the report as a whole, or about calling.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from oadr_core import LocalError
from oadr_core.errors import shown
from oadr_core.model import (
    Duration,
    EnergyReal,
    PowerReal,
    PulseCount,
    ReadingType,
    ReportDescription,
    ReportName,
    ReportType,
    SamplingRate,
)
from oadr_core.ven import Collection

from .readings import Kind

DEFAULT_RATE: Final = (timedelta(seconds=10), timedelta(hours=1))
HISTORIES: Final = frozenset({ReportName.HISTORY_USAGE, ReportName.HISTORY_GREENBUTTON})
STATUS: Final = "status"
"""The measurement that is none: the state of a resource."""
_USAGES: Final = frozenset({ReportName.TELEMETRY_USAGE, ReportName.HISTORY_USAGE})
_USAGE_UNITS: Final = (PowerReal, EnergyReal, PulseCount)
PERIOD_NAMES: Final = ("date_from", "date_to", "sampling_interval")
"""Under which a callback takes where a period begins and ends, and how far apart its values should be."""
_OTHER_STEP: Final = "sampling_rate"
"""What some callbacks call the last of these."""


def report_name_of(report_name: str | None, measurement: object) -> ReportName | str:
    """The name of a report, without METADATA; the well-known one that fits where none is given."""
    if report_name is None:
        return ReportName.TELEMETRY_STATUS if measurement == STATUS else ReportName.TELEMETRY_USAGE
    word_of(report_name, ReportName, "report_name")
    name: ReportName | str = word_of(report_name.removeprefix("METADATA_"), ReportName, "report_name")
    return name


def kind_of(report_name: str, report_type: str | None) -> Kind:
    """What the values of a data point are, by the report that it is in (R331)."""
    if report_name == ReportName.HISTORY_GREENBUTTON:
        return Kind.FEED
    if ReportType.X_RESOURCE_STATUS in (report_type, _STATUS_TYPES.get(report_name)):
        return Kind.STATUS
    return Kind.NUMBER if report_name in tuple(ReportName) else Kind.ANY


_STATUS_TYPES: Final = {str(ReportName.TELEMETRY_STATUS): ReportType.X_RESOURCE_STATUS}


def types_of(
    kind: Kind, report_name: str, unit: object, report_type: str | None, reading_type: str | None
) -> tuple[ReportType | str, ReadingType | str]:
    """Report type and reading type: those given, or those that R331 has for such a report."""
    if kind is Kind.STATUS:
        for given, only, path in (
            (report_type, ReportType.X_RESOURCE_STATUS, "report_type"),
            (reading_type, ReadingType.X_NOT_APPLICABLE, "reading_type"),
        ):
            if given not in (None, only):
                raise LocalError(f"the state of a resource has {only}, not {given!r}", path=path, rule="R331")
        return ReportType.X_RESOURCE_STATUS, ReadingType.X_NOT_APPLICABLE
    usage = report_name in _USAGES and isinstance(unit, _USAGE_UNITS)
    usual = ReportType.USAGE if usage or kind is Kind.FEED else ReportType.READING
    return (
        usual if report_type is None else word_of(report_type, ReportType, "report_type"),
        ReadingType.DIRECT_READ if reading_type is None else word_of(reading_type, ReadingType, "reading_type"),
    )


def is_as_agreed(report_name: str, point: ReportDescription) -> bool:
    """Whether a data point of a well-known report of usage is what R331 has it to be; others always are."""
    return report_name not in _USAGES or (
        isinstance(point.item_base, _USAGE_UNITS)
        and (point.report_type, point.reading_type) == (ReportType.USAGE, ReadingType.DIRECT_READ)
    )


def word_of(value: Any, names: Any, path: str) -> Any:
    """A word of a vocabulary that may be extended: a member, or a text that begins with ``x-``."""
    if isinstance(value, str) and value in tuple(names):
        return names(value)
    if isinstance(value, str) and value.startswith("x-") and len(value) > 2:
        return value
    raise LocalError(f"one of {', '.join(names)} or x-… is expected, not {shown(value)}", path=path)


def rate_of(rate: Any) -> SamplingRate:
    """A sampling rate: one timedelta, the shortest and the longest, or an object that has them as ``min_period`` and
    ``max_period``, and perhaps ``on_change``."""
    if isinstance(rate, SamplingRate):
        return rate
    on_change = getattr(rate, "on_change", False)
    if hasattr(rate, "min_period"):
        rate = (rate.min_period, getattr(rate, "max_period", rate.min_period))
    pair = (rate, rate) if isinstance(rate, timedelta) else DEFAULT_RATE if rate is None else rate
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise LocalError(f"a timedelta, or the shortest and the longest, is expected, not {shown(rate)}", path=_RATE)
    for value in pair:
        if not isinstance(value, timedelta) or value < timedelta(seconds=1) or value.microseconds:
            raise LocalError(f"a timedelta of whole seconds, 1 or more, is expected, not {shown(value)}", path=_RATE)
    shortest, longest = pair
    if shortest > longest:
        raise LocalError(f"the shortest comes first, not {shortest} before {longest}", path=_RATE)
    return SamplingRate(
        oadr_min_period=Duration.of(shortest), oadr_max_period=Duration.of(longest), oadr_on_change=on_change
    )


_RATE: Final = "sampling_rate"


def period_names(callback: Callable[..., Any]) -> tuple[str, str, str]:
    """The names under which this callback takes a period.

    Raises :class:`~oadr_core.LocalError` for one that does not take it.
    """
    try:
        parameters = inspect.signature(callback).parameters
    except (TypeError, ValueError):  # a callable that cannot be looked into
        return PERIOD_NAMES
    *period, step = PERIOD_NAMES
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        step = step if step in parameters or _OTHER_STEP not in parameters else _OTHER_STEP
        return (period[0], period[1], step)
    for name in (step, _OTHER_STEP):
        if {*period, name} <= set(parameters):
            return (period[0], period[1], name)
    raise LocalError(f"to give the values of a period it must take {', '.join(PERIOD_NAMES)}", path="callback")


def collection_of(mode: str, report_name: str) -> Collection:
    """How values are collected; those of a history never sample by sample."""
    try:
        collection = Collection(mode)
    except ValueError:
        text = f"'incremental' or 'full' is expected, not {shown(mode)}"
        raise LocalError(text, path="data_collection_mode") from None
    return Collection.FULL if report_name in HISTORIES else collection
