"""What the admin API takes: JSON objects turned into the arguments of the VTN's own methods, and refused where they
do not fit.

It stands alone because each field is named once, with what reads it; a name that is not known is refused, for a
misspelt one must not be passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import attrs

from oadr_core import LocalError
from oadr_core.errors import shown
from oadr_core.model import Duration, EiEvent
from oadr_core.vtn import ReportRule
from oadr_core.wire.jsonform import part_from_json

Reader = Callable[[Any, str], Any]


def read(form: Mapping[str, Reader], body: Any, **also: Reader) -> dict[str, Any]:
    """The arguments that ``body`` names. Raises :class:`~oadr_core.LocalError`, which names the field."""
    known = {**form, **also}
    if not isinstance(body, dict):
        raise LocalError(f"a JSON object is expected, not {shown(body)}")
    for name in body:
        if name not in known:
            raise LocalError(f"one of {', '.join(sorted(known))} is expected", path=name)
    return {name: known[name](value, name) for name, value in body.items()}


def _or_null(reader: Reader) -> Reader:
    return lambda value, path: None if value is None else reader(value, path)


def text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise LocalError(f"a text is expected, not {shown(value)}", path=path)
    return value


def flag(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise LocalError(f"true or false is expected, not {shown(value)}", path=path)
    return value


def count(value: Any, path: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise LocalError(f"a whole number is expected, not {shown(value)}", path=path)
    return value


def number(value: Any, path: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise LocalError(f"a number is expected, not {shown(value)}", path=path)
    return float(value)


def instant(value: Any, path: str) -> datetime:
    """A date and time with a zone (ISO 8601)."""
    try:
        found = datetime.fromisoformat(text(value, path))
    except ValueError:
        raise LocalError(f"a time such as 2030-01-31T17:00:00Z is expected, not {shown(value)}", path=path) from None
    if found.tzinfo is None:
        raise LocalError(f"{value!r} has no time zone: add Z for UTC, or an offset such as +01:00", path=path)
    try:
        return found.astimezone(UTC)
    except OverflowError:
        raise LocalError(f"{value!r} is beyond the calendar", path=path) from None


def length(value: Any, path: str) -> timedelta:
    """A duration: seconds, or text such as PT15M (ISO 8601, without months)."""
    try:
        if isinstance(value, str):
            duration = Duration.parse(value)
            if duration.months:
                raise LocalError("a duration without years and months is expected", path=path)
            return timedelta(seconds=duration.seconds)
        return timedelta(seconds=number(value, path))
    except LocalError:
        raise
    except (ValueError, OverflowError):
        raise LocalError(f"seconds or a duration such as PT15M are expected, not {shown(value)}", path=path) from None


def texts(value: Any, path: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise LocalError(f"a list of texts is expected, not {shown(value)}", path=path)
    return tuple(text(one, f"{path}[{index}]") for index, one in enumerate(value))


def intervals(value: Any, path: str) -> tuple[tuple[timedelta, float], ...]:
    """A list of ``{"duration": …, "value": …}``."""
    if not isinstance(value, list) or not value:
        raise LocalError(f"a list of intervals is expected, not {shown(value)}", path=path)
    found = []
    for index, one in enumerate(value):
        where = f"{path}[{index}]"
        if not isinstance(one, dict) or set(one) != {"duration", "value"}:
            raise LocalError(f"an object with duration and value is expected, not {shown(one)}", path=where)
        found.append((length(one["duration"], f"{where}/duration"), number(one["value"], f"{where}/value")))
    return tuple(found)


def targets(value: Any, path: str) -> dict[str, tuple[str, ...]]:
    """``{"resource_id": ["r1"], …}``."""
    if not isinstance(value, dict):
        raise LocalError(f"an object of lists is expected, not {shown(value)}", path=path)
    return {kind: texts(ids, f"{path}/{kind}") for kind, ids in value.items()}


def event(value: Any, path: str) -> EiEvent:
    """A whole event in the JSON form of messages."""
    if not isinstance(value, dict):
        raise LocalError(f"an object is expected, not {shown(value)}", path=path)
    return part_from_json(EiEvent, value)


_CONTENT: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        "start": instant,
        "intervals": intervals,
        "market_context": text,
        "priority": _or_null(count),
        "notification": _or_null(length),
        "ramp_up": _or_null(length),
        "recovery": _or_null(length),
        "start_after": _or_null(length),
        "test_event": flag,
        "comment": _or_null(text),
        "targets": _or_null(targets),
        "response_required": text,
        "event": event,
    }
)
CREATE: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        **_CONTENT,
        "event_id": text,
        "signal_name": text,
        "signal_type": text,
        "signal_id": text,
        "currency": text,
        "ven_ids": texts,
        "groups": texts,
    }
)
"""The fields of a new event."""
MODIFY: Final[Mapping[str, Reader]] = MappingProxyType({**_CONTENT, "signal_id": text, "reason": _or_null(text)})
"""The fields of a change: what is left out stays, ``null`` takes something away."""
_NAMES: Final = {"start": "dtstart", "comment": "vtn_comment"}


def _rules(value: Any, path: str) -> tuple[ReportRule, ...]:
    if not isinstance(value, list):
        raise LocalError(f"a list of rules is expected, not {shown(value)}", path=path)
    return tuple(ReportRule(**read(REPORT_RULE, one)) for one in value)


REPORT_REQUEST: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        "ven_id": text,
        "report_specifier_id": text,
        "r_ids": texts,
        "granularity": length,
        "report_back_duration": length,
        "start": instant,
        "duration": length,
    }
)
"""The fields of a request for a report."""
REPORT_CANCEL: Final[Mapping[str, Reader]] = MappingProxyType(
    {"ven_id": text, "report_request_ids": texts, "report_to_follow": flag}
)
RULE_LENGTHS: Final = ("granularity", "report_back_duration", "duration", "history")
REPORT_RULE: Final[Mapping[str, Reader]] = MappingProxyType(
    {field.name: length if field.name in RULE_LENGTHS else text for field in attrs.fields(ReportRule)}
)
"""The fields of a rule of a report policy."""
REPORT_POLICY: Final[Mapping[str, Reader]] = MappingProxyType(
    {"rules": _rules, "piggy_back": flag, "cancel_in_reply": flag}
)


def needed(found: dict[str, Any], name: str) -> Any:
    """Take a field out that must be there. Raises :class:`~oadr_core.LocalError`."""
    if name not in found:
        raise LocalError("this is expected", path=name)
    return found.pop(name)


def arguments(form: Mapping[str, Reader], body: Any) -> dict[str, Any]:
    """The keyword arguments of ``Vtn.publish_event`` or ``Vtn.modify_event``."""
    return {_NAMES.get(name, name): value for name, value in read(form, body).items()}
