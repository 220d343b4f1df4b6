"""The durable half of a session, as named records: what a store keeps, and what a session is restored from.

It stands alone because both roles share it. A session's state is a frozen attrs class that says of each field whether
it outlives the process:

============== ======================================================================================================
declared with  means
============== ======================================================================================================
(nothing)      durable: in the head record of the state
`quiet`        durable, but no reason to save by itself: it is saved together with something else
`table`        a mapping whose items are records of their own, named ``prefix/key``
`volatile`     not durable: whatever hangs on the monotonic clock, or on a connection
============== ======================================================================================================

The same goes for the fields of the items of a table. A step whose durable half changed gives :class:`SaveState` as its
first output; the driver commits it before it carries out what follows, so whatever the process has done is also
remembered. After a crash the last step may be done again: every reducer accepts a repeat.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from hashlib import blake2b
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final, TypeVar, cast

import attrs

from ..errors import LocalError, shown
from .copying import sharing
from .exchange import Output
from .values import ReportReceived

VERSION: Final = 1
"""Of the form of records. A record of a later version is refused; an earlier one will be brought up to date here."""
EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})
"""A table without items."""
_MARK: Final = "oadr.durable"
_QUIET: Final = "quiet"
_VOLATILE: Final = "volatile"
_TABLE: Final = "table:"

_T = TypeVar("_T")


# --- declaring ------------------------------------------------------------------------------------------------------


def volatile(default: Any, *, eq: bool = True) -> Any:
    """A field that does not outlive the process; it begins with ``default``. In a part of a durable field it takes no
    part in comparisons (``eq``), so that its change alone saves nothing.
    """
    return attrs.field(default=default, eq=eq, metadata={_MARK: _VOLATILE})


def quiet(default: Any) -> Any:
    """A durable field whose change alone saves nothing, for instance a counter that every step moves."""
    return attrs.field(default=default, metadata={_MARK: _QUIET})


def table(prefix: str) -> Any:
    """A field of type ``Mapping[str, X]`` whose items are records of their own; ``prefix`` has no ``/``."""
    return attrs.field(default=EMPTY, metadata={_MARK: _TABLE + prefix})


@attrs.frozen
class Plan:
    """What a class has declared: the names of its fields by their marks."""

    durable: tuple[str, ...]
    quiet: tuple[str, ...]
    tables: tuple[tuple[str, str], ...]
    volatile: tuple[str, ...]
    durable_of: Callable[[object], tuple[object, ...]]
    """The values of the durable fields, all at once: each step asks for them."""
    untouched: Callable[[object, object], bool]
    """True if these fields, and the tables, are the very same objects in both."""


def plan(cls: type) -> Plan:
    """The plan of an attrs class."""
    return _plan(cast(Any, cls))  # mypy does not take a type[T] for hashable


@cache
def _plan(cls: type) -> Plan:
    marked = [(field.name, field.metadata.get(_MARK, "")) for field in attrs.fields(cls)]
    durable = tuple(name for name, mark in marked if not mark)
    tables = tuple((name, mark.removeprefix(_TABLE)) for name, mark in marked if mark.startswith(_TABLE))
    return Plan(
        durable=durable,
        quiet=tuple(name for name, mark in marked if mark == _QUIET),
        tables=tables,
        volatile=tuple(name for name, mark in marked if mark == _VOLATILE),
        durable_of=_getter(durable),
        untouched=sharing(cls, (*durable, *(name for name, _ in tables))),
    )


def _getter(names: tuple[str, ...]) -> Callable[[object], tuple[object, ...]]:
    """A function that gives the fields of these names."""
    if len(names) < 2:  # attrgetter gives no tuple then
        return lambda value: tuple(getattr(value, name) for name in names)
    return attrgetter(*names)


# --- saving ---------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Record:
    """A named part of the durable state; ``state`` is the frozen value, ``None`` when the record is gone."""

    key: str
    state: object | None

    def data(self) -> bytes | None:
        """The record as JSON, encoded now; ``None`` when it is gone."""
        return None if self.state is None else dump(self.state)


@attrs.frozen(kw_only=True)
class SaveState(Output):
    """Commit these records, and the values in ``reports``, all or none, before you carry out the outputs that follow.

    The values are told besides, each report by the very same :class:`~.values.ReportReceived` further on, so a driver
    that keeps none leaves them out. If the commit fails, the outputs must not be carried out: stop, and restore the
    session from the store.
    """

    records: tuple[Record, ...] = ()
    reports: tuple[ReportReceived, ...] = ()


def changes(name: str, before: object, after: object) -> tuple[Record, ...]:
    """What has to be saved after a step that made ``after`` out of ``before``; ``name`` is that of the head record.

    What is the very same object is not looked at, so a step that changes little costs little.
    """
    marks = plan(type(after))
    if marks.untouched(before, after):
        return ()
    head = marks.durable_of(before) != marks.durable_of(after)
    found: list[Record] = []
    for field, prefix in marks.tables:
        found += _table(before, after, field, prefix)
    if head or (found and any(_differ(before, after, field) for field in marks.quiet)):
        found.insert(0, Record(key=name, state=after))
    return tuple(found)


def _differ(before: object, after: object, field: str) -> bool:
    old, new = getattr(before, field), getattr(after, field)
    return old is not new and bool(old != new)


def _table(before: object, after: object, field: str, prefix: str) -> Iterator[Record]:
    old: Mapping[str, object] = getattr(before, field)
    new: Mapping[str, object] = getattr(after, field)
    if old is new:
        return
    for key, value in new.items():
        known = old.get(key)
        if known is None or not same(known, value):
            yield Record(key=f"{prefix}/{key}", state=value)
    for key in old:
        if key not in new:
            yield Record(key=f"{prefix}/{key}", state=None)


def same(one: object, other: object) -> bool:
    """True when two items agree in all that is durable."""
    if one is other:
        return True
    if type(one) is not type(other) or not attrs.has(type(one)):
        return one == other
    marks = plan(type(one))
    if marks.durable_of(one) != marks.durable_of(other):
        return False
    return not any(_differ(one, other, field) for field in marks.quiet)


def everything(name: str, state: object) -> tuple[Record, ...]:
    """All records of a state."""
    tables = plan(type(state)).tables
    items = [
        Record(key=f"{prefix}/{key}", state=value)
        for field, prefix in tables
        for key, value in getattr(state, field).items()
    ]
    return (Record(key=name, state=state), *items)


def restored(cls: type[_T], name: str, records: Mapping[str, bytes]) -> _T:
    """The state whose records these are; the volatile half begins anew.

    Raises :class:`~oadr_core.errors.LocalError` when a record is missing, unknown, damaged, or of a later version.
    """
    if name not in records:
        raise LocalError(f"there is no record {name!r}; these are not the records of a {cls.__name__}", path="records")
    tables = {prefix: field for field, prefix in plan(cls).tables}
    types = _item_types(cast(Any, cls))
    items: dict[str, dict[str, object]] = {field: {} for field in tables.values()}
    for key, data in records.items():
        if key == name:
            continue
        prefix, slash, rest = key.partition("/")
        field = tables.get(prefix) if slash else None
        if field is None:
            raise LocalError(f"a {cls.__name__} has no such record", path=f"records/{shown(key)}")
        items[field][rest] = load(types[field], data, key)
    head = load(cls, records[name], name)
    filled = {field: MappingProxyType(found) for field, found in items.items() if found}
    return cast(_T, attrs.evolve(cast(Any, head), **filled))  # attrs.evolve returns the type it was given


@cache
def _item_types(cls: type) -> Mapping[str, Any]:
    """What the tables of a class hold: the second argument of their ``Mapping``."""
    from .statejson import hints

    return MappingProxyType({field: hints(cls)[field].__args__[1] for field, _ in plan(cls).tables})


# --- one record -----------------------------------------------------------------------------------------------------


def dump(state: object) -> bytes:
    """The durable half of a frozen value, without its tables, as JSON in ASCII."""
    from .statejson import plain  # cattrs is imported when there is something to save, and not before

    return _text({"v": VERSION, **plain(state)}).encode("ascii")


def load(cls: type[_T], data: bytes, key: str = "") -> _T:
    """The value that :func:`dump` has written; ``key`` is for the error.

    Raises :class:`~oadr_core.errors.LocalError` that says what is wrong with the record.
    """
    path = f"records/{key}" if key else "records"
    try:
        value = json.loads(data)
    except (ValueError, TypeError, RecursionError) as error:
        raise LocalError(f"the record is damaged: {error}", path=path) from None
    if not isinstance(value, dict):
        raise LocalError("the record is damaged: it is no object", path=path)
    _check_version(value.pop("v", None), path)
    from .statejson import structured

    return cast(_T, structured(value, cls, path))


def _check_version(version: object, path: str) -> None:
    if type(version) is not int or version < 1:
        raise LocalError("the record is damaged: it has no version", path=path)
    if version > VERSION:
        text = f"written by a later version of this library (form {version}; this one reads up to {VERSION})"
        raise LocalError(text, path=path)


# --- all records in one document ------------------------------------------------------------------------------------


def pack(records: Iterable[tuple[str, bytes]]) -> bytes:
    """Records, by their keys, as one JSON document with a digest, so that damage is noticed."""
    body = "{" + ",".join(f"{_text(key)}:{data.decode('ascii')}" for key, data in records) + "}"
    return f'{{"v":{VERSION},"digest":"{_digest(body)}","records":{body}}}\n'.encode("ascii")


def unpack(snapshot: bytes) -> dict[str, bytes]:
    """The records that :func:`pack` has put together.

    Raises :class:`~oadr_core.errors.LocalError` for a document that is damaged or of a later version.
    """
    try:
        value = json.loads(snapshot)
    except (ValueError, TypeError, RecursionError) as error:
        raise LocalError(f"the snapshot is damaged: {error}", path="snapshot") from None
    if not isinstance(value, dict):
        raise LocalError("the snapshot is damaged: it is no object", path="snapshot")
    _check_version(value.get("v"), "snapshot")
    records = value.get("records")
    if not isinstance(records, dict) or value.get("digest") != _digest(_text(records)):
        raise LocalError("the snapshot is damaged: its digest does not fit its records", path="snapshot")
    return {key: _text(record).encode("ascii") for key, record in records.items()}


def opened(snapshot: bytes | Mapping[str, bytes]) -> Mapping[str, bytes]:
    """The records of a snapshot, or of a store that has collected them."""
    return unpack(snapshot) if isinstance(snapshot, (bytes, bytearray)) else snapshot


def _digest(text: str) -> str:
    return blake2b(text.encode("ascii"), digest_size=16).hexdigest()


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
