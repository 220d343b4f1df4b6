"""What the callback of a report may return, and what that means: values with their times and qualities.

It stands alone because anything can come out of an application's function, and because every driver, whether it awaits
or has threads, reads it in the same way. Nothing is called here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import attrs

from oadr_core import LocalError
from oadr_core.errors import shown
from oadr_core.model import DataQuality, GBPayload, LoadControlState, LoadControlStates, PayloadResourceStatus
from oadr_core.ven import Reading
from oadr_core.wire.examine import faults

from .log import logger

QUANTITIES: Final = ("capacity", "level_offset", "percent_offset", "set_point")
"""What a load controller may tell of itself (R334)."""
_DECLARATION: Final = re.compile(r"\ufeff?\s*(<\?xml[^>]*\?>)?")
_MOST_COMPLAINTS: Final = 3
"""Bad values of one answer that are logged one by one; there may be thousands."""


class Kind(StrEnum):
    """What the values of a data point are."""

    NUMBER = "a number"
    STATUS = "the state of a resource"
    FEED = "a Green Button feed"
    ANY = "a number or the state of a resource"


@attrs.frozen
class Measured:
    """One value with what is known of it, for a report callback that knows more than the number.

    ``value`` is a number, the state of a resource (:func:`resource_status`), or ``None`` when there is no valid one
    (R318). ``at``: when it was taken (aware); without it, the time that was asked for. ``duration``: what span the
    value is of, from ``at`` on; without it, it is of that instant (R315). ``quality``: one of
    :class:`~oadr_core.model.DataQuality`, or ``x-…``. ``accuracy``: plus or minus, in the unit of the value (R319).
    ``confidence``: in percent, 0 to 100.

    Raises :class:`~oadr_core.LocalError` for what cannot be written.
    """

    value: float | PayloadResourceStatus | None
    at: datetime | None = attrs.field(default=None, kw_only=True)
    duration: timedelta | None = attrs.field(default=None, kw_only=True)
    quality: DataQuality | str | None = attrs.field(default=None, kw_only=True)
    accuracy: float | None = attrs.field(default=None, kw_only=True)
    confidence: int | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        checked_time(self.at, "Measured/at")
        if self.duration is not None and not _is_span(self.duration):
            text = f"a timedelta of whole seconds is expected, not {shown(self.duration)}"
            raise LocalError(text, path="Measured/duration")
        if self.quality is not None and not _is_quality(self.quality):
            text = f"one of DataQuality, or x-…, is expected, not {shown(self.quality)}"
            raise LocalError(text, path="Measured/quality")
        if self.accuracy is not None and not _is_finite(self.accuracy):
            raise LocalError(f"a finite number is expected, not {shown(self.accuracy)}", path="Measured/accuracy")
        if self.confidence is not None and not _is_percent(self.confidence):
            raise LocalError(f"0 to 100 percent is expected, not {shown(self.confidence)}", path="Measured/confidence")
        if isinstance(self.value, PayloadResourceStatus) and self.accuracy is not None:
            raise LocalError("the state of a resource has no accuracy", path="Measured/accuracy", rule="R319")


def resource_status(
    online: bool = True,
    manual_override: bool = False,
    *,
    capacity: float | Mapping[str, float] | LoadControlState | None = None,
    level_offset: float | Mapping[str, float] | LoadControlState | None = None,
    percent_offset: float | Mapping[str, float] | LoadControlState | None = None,
    set_point: float | Mapping[str, float] | LoadControlState | None = None,
) -> PayloadResourceStatus:
    """The state of a resource, for TELEMETRY_STATUS (R334).

    ``online``: it can be controlled. ``manual_override``: somebody has taken the control away. The others are what a
    load controller does now, each as the current number, or as a dict with ``current`` and any of ``min``, ``max`` and
    ``normal``. A report has the same ones in all its values.

    Raises :class:`~oadr_core.LocalError` for anything else.
    """
    given = {
        "capacity": capacity,
        "level_offset": level_offset,
        "percent_offset": percent_offset,
        "set_point": set_point,
    }
    for name, flag in (("online", online), ("manual_override", manual_override)):
        if not isinstance(flag, bool):
            raise LocalError(f"True or False is expected, not {shown(flag)}", path=name)
    states = {f"oadr_{name}": _state(name, value) for name, value in given.items() if value is not None}
    return PayloadResourceStatus(
        oadr_online=online,
        oadr_manual_override=manual_override,
        oadr_load_control_state=LoadControlStates(**states) if states else None,
    )


def _state(name: str, value: Any) -> LoadControlState:
    if isinstance(value, LoadControlState):
        return value
    numbers = dict(value) if isinstance(value, Mapping) else {"current": value}
    if "current" not in numbers or not set(numbers) <= {"min", "max", "current", "normal"}:
        text = f"a number, or a dict of current and perhaps min, max and normal is expected, not {shown(value)}"
        raise LocalError(text, path=name, rule="R334")
    try:
        return LoadControlState(**{f"oadr_{key}": _number(number) for key, number in numbers.items()})
    except (TypeError, ValueError) as error:
        raise LocalError(str(error), path=name, rule="R334") from None


def checked_time(value: Any, path: str) -> None:
    """Raises :class:`~oadr_core.LocalError` for what is neither ``None`` nor an aware datetime."""
    if value is not None and (not isinstance(value, datetime) or value.tzinfo is None):
        raise LocalError(f"a datetime with a time zone is expected, not {shown(value)}", path=path)


def readings_of(r_id: str, result: Any, kind: Kind) -> tuple[Reading, ...]:
    """What a callback has returned for one data point, as readings.

    One value, or any number of them with their times: a :class:`Measured`, or a pair of an aware datetime and a value;
    a list of lists counts as one list. A value in the midst of others that is none is logged, and has a placeholder in
    its place (R318).

    Raises ``TypeError`` or ``ValueError`` when nothing in it is a value.
    """
    if type(result) is list and kind is Kind.NUMBER and all(map(_is_plain, result)):  # a day of seconds, perhaps
        return tuple(Reading(r_id=r_id, value=value, at=at) for at, value in result)
    readings, complaints = [], []
    for measured, error in _each(result):
        found, wrong = _reading(r_id, measured, kind) if measured is not None else (None, error)
        if wrong is not None:
            complaints.append(wrong)
        if found is not None:
            readings.append(found)
    if complaints and not readings:
        raise TypeError(complaints[0])
    for wrong in complaints[:_MOST_COMPLAINTS]:
        logger.error("a value of %r cannot be reported: %s", r_id, wrong)
    if len(complaints) > _MOST_COMPLAINTS:
        logger.error("%d values of %r cannot be reported", len(complaints), r_id)
    return tuple(readings)


def placeholder(r_id: str, quality: DataQuality = DataQuality.QUALITY_BAD_NON_SPECIFIC) -> Reading:
    """What stands in a report in the place of a value that is not there (R318)."""
    return Reading(r_id=r_id, value=None, quality=quality)


def _each(result: Any) -> Iterator[tuple[Measured | None, str | None]]:
    """Each value in a result, or what is wrong with it."""
    if isinstance(result, Measured):
        yield result, None
    elif _is_pair(result):
        yield _paired(*result)
    elif isinstance(result, Iterable) and not isinstance(result, (str, bytes, Mapping)):
        for item in result:
            if isinstance(item, Measured) or _is_pair(item) or isinstance(item, list):
                yield from _each(item)
            else:
                yield None, f"a time and a value are expected, not {shown(item)}"
    else:
        yield Measured(result), None


def _is_plain(item: Any) -> bool:
    """True for an aware time and a finite number, about which nothing else is to be known."""
    return (
        type(item) is tuple
        and len(item) == 2
        and type(item[0]) is datetime
        and item[0].tzinfo is not None
        and type(item[1]) is float
        and math.isfinite(item[1])
    )


def _is_pair(item: Any) -> bool:
    return isinstance(item, (tuple, list)) and len(item) == 2 and isinstance(item[0], datetime)


def _paired(at: datetime, value: Any) -> tuple[Measured | None, str | None]:
    try:
        return Measured(value, at=at), None
    except LocalError as error:
        return None, str(error)


def _reading(r_id: str, measured: Measured, kind: Kind) -> tuple[Reading | None, str | None]:
    value, wrong = measured.value, None
    if value is not None:
        try:
            value = _READERS[kind](value)
        except (TypeError, ValueError) as error:
            value, wrong = None, str(error)
            if measured.at is None:
                return None, wrong
    quality = measured.quality
    if value is None and (quality is None or not str(quality).startswith("Quality Bad")):
        quality = DataQuality.QUALITY_BAD_NON_SPECIFIC
    return Reading(
        r_id=r_id,
        value=value,
        at=measured.at,
        quality=quality,
        accuracy=None if value is None else measured.accuracy,
        confidence=measured.confidence,
        duration=measured.duration,
    ), wrong


def _is_span(duration: Any) -> bool:
    return isinstance(duration, timedelta) and duration >= timedelta() and not duration.microseconds


def _is_finite(number: Any) -> bool:
    return isinstance(number, (int, float)) and math.isfinite(number)


def _is_percent(number: Any) -> bool:
    return isinstance(number, int) and 0 <= number <= 100


def _is_quality(quality: Any) -> bool:
    return isinstance(quality, str) and (
        quality in tuple(DataQuality) or (quality.startswith("x-") and len(quality) > 2)
    )


def _number(value: Any) -> float:
    if value is None or isinstance(value, (bool, str, bytes)):
        raise TypeError(f"a number is expected, not {shown(value)}")
    number = float(value)  # also Decimal, Fraction and the numbers of other libraries
    if not math.isfinite(number):
        raise ValueError(f"a finite number is expected, not {number!r}")
    return number


def _status(value: Any) -> PayloadResourceStatus:
    if isinstance(value, bool):
        return resource_status(value)
    if isinstance(value, Mapping):
        return resource_status(**value)
    for path, text in faults(value, PayloadResourceStatus, "status"):
        raise ValueError(f"{path}: {text}")
    found: PayloadResourceStatus = value
    return found


def _feed(value: Any) -> GBPayload:
    if isinstance(value, GBPayload):
        payload = value
    elif isinstance(value, (str, bytes)):
        text = value if isinstance(value, str) else value.decode()
        payload = GBPayload(feed=_DECLARATION.sub("", text, count=1))
    else:
        raise TypeError(f"an Atom feed as text or bytes is expected, not {shown(value)}")
    for path, text in faults(payload, GBPayload, "feed"):
        raise ValueError(f"{path}: {text}")
    return payload


def _any(value: Any) -> float | PayloadResourceStatus:
    return _status(value) if isinstance(value, (PayloadResourceStatus, Mapping)) else _number(value)


_READERS: Final[dict[Kind, Callable[[Any], Any]]] = {
    Kind.NUMBER: _number,
    Kind.STATUS: _status,
    Kind.FEED: _feed,
    Kind.ANY: _any,
}
