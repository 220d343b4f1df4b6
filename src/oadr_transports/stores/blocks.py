"""Blocks: neighbouring values of one series, kept together column by column.

They stand alone because they are what makes a database of values small and quick: a report of a day is one row for
each data point, not 1,440, and times or qualities that are all alike are written once.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from operator import lt
from typing import Any, Final, NamedTuple, get_args

import attrs

from oadr_core.engine.values import Columns, DataPoint, ReportReceived, Value
from oadr_core.model import GBPayload, ItemBase, PayloadResourceStatus
from oadr_core.wire.jsonform import part_from_json, part_to_json

from .values import EPOCH, Series, StoredValue

MOST: Final = 4_096
"""Values of one block: a correction writes a whole block anew, some 30 KiB."""
MICROSECOND: Final = timedelta(microseconds=1)
_TYPE: Final = "type"
_OTHER_VALUES: Final = '"v":'
_UNITS: Final[dict[str, Any]] = {unit.__name__: unit for unit in get_args(ItemBase)}
_OTHERS: Final[dict[str, Any]] = {kind.__name__: kind for kind in (PayloadResourceStatus, GBPayload)}
_SILENT: Final = (None,)
_SWAPPED: Final = sys.byteorder == "big"


class Row(NamedTuple):
    """One value. ``at`` is in microseconds since 1970, ``duration`` in microseconds."""

    at: int
    duration: int | None
    value: Value
    quality: str | None
    accuracy: float | None
    confidence: int | None


@attrs.frozen(kw_only=True)
class Block:
    """Columns: ``times`` ascends, ``values`` is as long; each other column has one item where all are alike."""

    times: Sequence[int]
    durations: Sequence[int | None]
    values: Sequence[Value]
    qualities: Sequence[str | None] = (None,)
    accuracies: Sequence[float | None] = (None,)
    confidences: Sequence[int | None] = (None,)

    def rows(self) -> Iterator[Row]:
        """The values one by one."""
        count = len(self.times)
        others = (_full(each, count) for each in (self.qualities, self.accuracies, self.confidences))
        return map(Row, self.times, _full(self.durations, count), self.values, *others)


def block_of(rows: Sequence[Row]) -> Block:
    """The block of some rows that ascend in time, at least one."""
    times, durations, values, qualities, accuracies, confidences = zip(*rows, strict=True)
    return Block(
        times=times,
        durations=_brief(durations),
        values=values,
        qualities=_brief(qualities),
        accuracies=_brief(accuracies),
        confidences=_brief(confidences),
    )


def merged(blocks: Iterable[Block]) -> list[Block]:
    """The blocks in place of these, which may overlap: of several values for one time the last stays (R346)."""
    rows = {row.at: row for block in blocks for row in block.rows()}
    ordered = [rows[at] for at in sorted(rows)]
    return [block_of(ordered[start : start + MOST]) for start in range(0, len(ordered), MOST)]


def _full(column: Sequence[Any], count: int) -> Sequence[Any]:
    return column if len(column) == count else list(column) * count


def _brief(column: Sequence[Any]) -> Sequence[Any]:
    return column[:1] if column.count(column[0]) == len(column) else column


# --- from reports ---------------------------------------------------------------------------------------------------


def blocks_of(report: ReportReceived) -> Iterator[tuple[Series, list[Block]]]:
    """What a report holds, series by series."""
    name = None if report.report_name is None else str(report.report_name)
    known: Columns | None = None
    times: list[int] = []
    durations: Sequence[int | None] = _SILENT
    for r_id, columns in report.values.columns.items():
        if known is None or columns.times is not known.times:  # the data points of a report share these, as a rule
            times = [microseconds(begin) for begin in columns.times]
        if known is None or columns.durations is not known.durations:
            durations = _short(columns.durations, _length)
        known = columns
        series = Series(
            ven_id=report.ven_id,
            report_request_id=report.report_request_id,
            report_specifier_id=report.report_specifier_id,
            r_id=r_id,
            report_name=name,
            point=report.values.point(r_id),
        )
        block = Block(
            times=times,
            durations=durations,
            values=columns.values,
            qualities=_short(columns.qualities, _text),
            accuracies=_short(columns.accuracies),
            confidences=_short(columns.confidences),
        )
        yield series, normal(block)


def _short(column: Sequence[Any] | None, convert: Callable[[Any], Any] = lambda item: item) -> Sequence[Any]:
    return _SILENT if column is None else tuple(map(convert, _brief(column)))


def _length(duration: timedelta | None) -> int | None:
    return None if duration is None else duration // MICROSECOND


def _text(quality: str | None) -> str | None:
    return None if quality is None else str(quality)


def normal(block: Block) -> list[Block]:
    """Ascending blocks of a fair size, whatever a VEN has sent."""
    times = block.times
    if len(times) == 1 or (len(times) <= MOST and all(map(lt, times, times[1:]))):
        return [block]
    return merged([block])


def microseconds(at: datetime) -> int:
    """Since 1970; exact."""
    return (at - EPOCH) // MICROSECOND


def stored(series: Series, block: Block, received_at: datetime) -> Iterator[StoredValue]:
    """The values of a block as they are given to applications."""
    for at, duration, value, quality, accuracy, confidence in block.rows():
        yield StoredValue(
            series=series,
            dtstart=EPOCH + timedelta(microseconds=at),
            duration=None if duration is None else timedelta(microseconds=duration),
            value=value,
            data_quality=quality,
            accuracy=accuracy,
            confidence=confidence,
            received_at=received_at,
        )


# --- as bytes -------------------------------------------------------------------------------------------------------


class Packed(NamedTuple):
    """A block in a form for a database.

    ``step`` is the distance of its times where it is always the same, else ``times`` has them; ``numbers`` are its
    values, and ``details`` JSON of everything else. All numbers are little-endian, of eight bytes.
    """

    start: int
    last: int
    size: int
    step: int | None
    times: bytes | None
    numbers: bytes
    details: str


def packed(block: Block) -> Packed:
    """The block as bytes."""
    times, count = block.times, len(block.times)
    step = (times[-1] - times[0]) // (count - 1) if count > 1 else 0
    regular = step == 0 or list(times) == list(range(times[0], times[-1] + 1, step))
    others: dict[str, Any] = {}
    values: Any = block.values
    try:
        numbers = array("d", values)
    except TypeError:
        others = {str(n): _typed(v) for n, v in enumerate(values) if not isinstance(v, (int, float))}
        numbers = array("d", [v if isinstance(v, (int, float)) else 0.0 for v in values])
    columns = tuple(block.durations), tuple(block.qualities), tuple(block.accuracies), tuple(block.confidences)
    return Packed(
        times[0],
        times[-1],
        count,
        step if regular else None,
        None if regular else _bytes(array("q", times)),
        _bytes(numbers),
        _usual(columns) if not others and sum(map(len, columns)) == len(columns) else _details(columns, others),
    )


def _details(columns: tuple[tuple[Any, ...], ...], others: dict[str, Any]) -> str:
    found = {name: column for name, column in zip("dqac", columns, strict=True) if column != _SILENT}
    return json.dumps({**found, "v": others} if others else found)


@lru_cache(maxsize=256)
def _usual(columns: tuple[tuple[Any, ...], ...]) -> str:
    """Of numbers that are all alike but for their values; most blocks are of a few such kinds."""
    return _details(columns, {})


def extended(block: Packed, value: Packed) -> Packed | None:
    """A block with one more value behind it; ``None`` when that is no single number like the others, a step later."""
    step = block.step or value.start - block.last
    is_alike = value.size == 1 and block.details == value.details and _OTHER_VALUES not in value.details
    if not is_alike or block.times is not None or value.start != block.last + step:
        return None
    return Packed(block.start, value.last, block.size + 1, step, None, block.numbers + value.numbers, block.details)


def unpacked(block: Packed) -> Block:
    """The block that :func:`packed` has written."""
    details = json.loads(block.details)
    values: Any = _array("d", block.numbers)
    if others := details.get("v"):
        values = list(values)
        for number, other in others.items():
            values[int(number)] = part_from_json(_OTHERS[other.pop(_TYPE)], other)
    if block.times is not None:
        times: Sequence[int] = _array("q", block.times)
    else:
        times = range(block.start, block.last + 1, block.step or 1)
    return Block(
        times=times,
        durations=details.get("d", (None,)),
        values=values,
        qualities=details.get("q", (None,)),
        accuracies=details.get("a", (None,)),
        confidences=details.get("c", (None,)),
    )


@lru_cache(maxsize=4_096)
def described(report_name: str | None, point: DataPoint) -> str:
    """What a series says of itself besides its identifiers, as JSON; always the same for the same."""
    found = {
        "report_name": report_name,
        **{name: None if what is None else str(what) for name, what in attrs.asdict(point, recurse=False).items()},
        "item_base": None if point.item_base is None else _typed(point.item_base),
    }
    return json.dumps({name: what for name, what in found.items() if what is not None}, sort_keys=True)


def description(text: str) -> dict[str, Any]:
    """The arguments of a :class:`Series` that :func:`described` has written."""
    found: dict[str, Any] = json.loads(text)
    name = found.pop("report_name", None)
    if unit := found.get("item_base"):
        found["item_base"] = part_from_json(_UNITS[unit.pop(_TYPE)], unit)
    return {"report_name": name, "point": DataPoint(**found)}


def _typed(part: object) -> dict[str, Any]:
    return {_TYPE: type(part).__name__, **part_to_json(part)}


def _bytes(numbers: array[Any]) -> bytes:
    if _SWAPPED:
        numbers.byteswap()
    return numbers.tobytes()


def _array(code: str, data: bytes) -> array[Any]:
    numbers = array(code, data)
    if _SWAPPED:
        numbers.byteswap()
    return numbers
