"""Which of the reports that a peer offers are asked for without anybody saying so, and how.

It stands alone because it is the standing wish of an operator: data that a configuration holds, that can be replaced
while a session runs, and that is saved with it. Rules are tried in their order for each data point, and the first one
that matches decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

import attrs

from ..errors import LocalError
from ..model import Report, ReportDescription
from ..model.units import ITEM_BASE
from .offers import HISTORY, METADATA_PREFIX, TELEMETRY
from .received import resource

ANY: Final = "*"
"""The pattern that every text matches, and what is not said, too."""


class ReportKind(StrEnum):
    """How a report is asked for (section 5.3)."""

    PERIODIC = "periodic"
    """Values at regular times, sent regularly."""
    ON_CHANGE = "on change"
    """Values that have changed, sent regularly (granularity zero, R317)."""
    ONCE = "once"
    """What is measured now, once (reportBackDuration zero, R324)."""
    HISTORY = "history"
    """What was measured before, once (R324, R325)."""
    NOTHING = "nothing"
    """Not at all."""


def bare_name(report: Report) -> str:
    """The name of a report without METADATA_."""
    return (report.report_name or "").removeprefix(METADATA_PREFIX)


def possible(report: Report, kind: ReportKind) -> bool:
    """True if a report of this name can be asked for so: history by its nature, telemetry by its own."""
    name = bare_name(report)
    if name.startswith(HISTORY):
        return kind in (ReportKind.HISTORY, ReportKind.NOTHING)
    return kind is not ReportKind.HISTORY or not name.startswith(TELEMETRY)


def whole_seconds(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """A validator: a ``timedelta`` of at least one second, without fractions (R1); ``None`` if that is the default.

    Raises :class:`~oadr_core.errors.LocalError`.
    """
    path = f"{type(instance).__name__}/{attribute.name}"
    if value is None and attribute.default is None:
        return
    if not isinstance(value, timedelta) or value < timedelta(seconds=1) or value.microseconds:
        raise LocalError(f"a timedelta of whole seconds, at least one, is expected, not {value!r}", path=path)


def _pattern(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not value:
        path = f"{type(instance).__name__}/{attribute.name}"
        raise LocalError(f"a pattern is expected, {ANY!r} for anything, not {value!r}", path=path)


def _kind(value: object) -> ReportKind:
    try:
        return ReportKind(str(value))
    except ValueError:
        raise LocalError(f"one of {', '.join(ReportKind)} is expected, not {value!r}", path="ReportRule/ask") from None


@attrs.frozen(kw_only=True)
class ReportRule:
    """What is asked of the data points that match, of the reports that can be asked for so.

    The other fields before ``granularity`` are patterns, in which ``*`` is any text and ``?`` any character; case
    counts, and all must match. ``report_name`` is without METADATA_. ``unit`` is compared with the element
    (``powerReal``), the unit (``W``) and the description of the unit; ``resource_id`` with the resource of the data
    source.

    ``granularity``: ``None`` takes the shortest period that is offered; else it is moved into the range that is
    offered (R317). ``report_back_duration``: ``None`` takes the granularity, or for reports on change a minute; it is
    never more than what is offered (R340). ``duration``: for how long, ``None`` for ever (R325). ``history``: how far
    back, ``None`` for all that is offered.

    Raises :class:`~oadr_core.errors.LocalError`, which names the field.
    """

    ask: ReportKind = attrs.field(default=ReportKind.PERIODIC, converter=_kind)
    report_name: str = attrs.field(default=ANY, validator=_pattern)
    report_specifier_id: str = attrs.field(default=ANY, validator=_pattern)
    r_id: str = attrs.field(default=ANY, validator=_pattern)
    report_type: str = attrs.field(default=ANY, validator=_pattern)
    reading_type: str = attrs.field(default=ANY, validator=_pattern)
    unit: str = attrs.field(default=ANY, validator=_pattern)
    resource_id: str = attrs.field(default=ANY, validator=_pattern)
    market_context: str = attrs.field(default=ANY, validator=_pattern)
    ven_id: str = attrs.field(default=ANY, validator=_pattern)
    ven_name: str = attrs.field(default=ANY, validator=_pattern)
    granularity: timedelta | None = attrs.field(default=None, validator=whole_seconds)
    report_back_duration: timedelta | None = attrs.field(default=None, validator=whole_seconds)
    duration: timedelta | None = attrs.field(default=None, validator=whole_seconds)
    history: timedelta | None = attrs.field(default=None, validator=whole_seconds)


TELEMETRY_RULE: Final = ReportRule(report_name=f"{TELEMETRY}*")


def _rules(value: Iterable[ReportRule]) -> tuple[ReportRule, ...]:
    return tuple(value)


@attrs.frozen(kw_only=True)
class ReportPolicy:
    """What is asked for of every offer.

    ``rules``: the default asks for all telemetry, as often as it can be had; none ask for nothing. ``piggy_back``: ask
    already in the answer to the offer (R344), and by a message of its own only if that is not answered; the default
    asks by a message, because some VENs read only that (EPRI C++ VEN). ``cancel_in_reply``: take a request back
    already in the reply to its values, if they come before the cancellation is fetched (R328).
    """

    rules: tuple[ReportRule, ...] = attrs.field(default=(TELEMETRY_RULE,), converter=_rules)
    piggy_back: bool = False
    cancel_in_reply: bool = True


def choices(
    policy: ReportPolicy, report: Report, *, ven_id: str = "", ven_name: str = ""
) -> Iterator[tuple[ReportRule, tuple[str, ...]]]:
    """The rules that ask for something of a report, each with the data points that it asks for."""
    matching = [
        rule for rule in policy.rules if possible(report, rule.ask) and _matches(rule, report, ven_id, ven_name)
    ]
    chosen: dict[int, dict[str, None]] = {}
    for described in report.oadr_report_description:
        for number, rule in enumerate(matching):
            if _is_on_offer(rule, described) and all(
                _match(getattr(rule, name), texts(described)) for name, texts in _TEXTS.items()
            ):
                chosen.setdefault(number, {})[described.r_id] = None
                break
    for number in sorted(chosen):
        if matching[number].ask is not ReportKind.NOTHING:
            yield matching[number], tuple(chosen[number])


def _matches(rule: ReportRule, report: Report, ven_id: str, ven_name: str) -> bool:
    return (
        _match(rule.report_name, (bare_name(report),))
        and _match(rule.report_specifier_id, (report.report_specifier_id,))
        and _match(rule.ven_id, (ven_id,))
        and _match(rule.ven_name, (ven_name,))
    )


def _is_on_offer(rule: ReportRule, described: ReportDescription) -> bool:
    """R317: values on change are for who can record them."""
    rate = described.oadr_sampling_rate
    return rule.ask is not ReportKind.ON_CHANGE or rate is None or rate.oadr_on_change


def _units(described: ReportDescription) -> tuple[str, ...]:
    unit = described.item_base
    element = _ELEMENTS.get(type(unit), "")
    return (element, getattr(unit, "item_units", ""), getattr(unit, "item_description", ""))


_ELEMENTS: Final = MappingProxyType({kind: path.partition(":")[2] for path, kind in ITEM_BASE.alternatives})
_TEXTS: Final[Mapping[str, Callable[[ReportDescription], tuple[str, ...]]]] = MappingProxyType(
    {
        "r_id": lambda one: (one.r_id,),
        "report_type": lambda one: (one.report_type,),
        "reading_type": lambda one: (one.reading_type,),
        "unit": _units,
        "resource_id": lambda one: (resource(one) or "",),
        "market_context": lambda one: (one.market_context or "",),
    }
)
"""What each pattern about data points is compared with: one of these texts must match."""


def _match(pattern: str, texts: tuple[str, ...]) -> bool:
    return pattern == ANY or any(map(_compiled(pattern), texts))


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Callable[[str], object]:
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(one) or re.escape(one) for one in pattern), re.DOTALL).fullmatch
