"""Durable state: what is saved, when, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import LocalError
from oadr_core.engine.records import (
    EMPTY,
    VERSION,
    Record,
    changes,
    dump,
    everything,
    load,
    opened,
    pack,
    quiet,
    restored,
    table,
    unpack,
    volatile,
)
from oadr_core.model import DataQuality, Duration, Event, OptType, Payload, PayloadResourceStatus
from tests.core.ven.bench import event
from tests.strategies import payloads

WHEN = datetime(2025, 6, 1, 12, 0, 0, 250, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Item:
    """An item of a table."""

    event: Event
    value: float | PayloadResourceStatus | None = None
    quality: DataQuality | str | None = None
    wait: timedelta = timedelta()
    deadline: float | None = volatile(None)


@attrs.frozen(kw_only=True)
class State:
    """A session's state in small."""

    name: str = ""
    at: datetime | None = None
    back: Duration | None = None
    opts: tuple[OptType, ...] = ()
    sent: Payload | None = None
    key: bytes = b""
    items: Mapping[str, Item] = table("item")
    counter: int = quiet(0)
    flight: int | None = volatile(None)


def with_items(state: State, **items: Item) -> State:
    return attrs.evolve(state, items=MappingProxyType(items))


def collected(state: State) -> dict[str, bytes]:
    return {record.key: record.data() or b"" for record in everything("head", state)}


FULL = with_items(
    State(
        name="é\ud800",
        at=WHEN,
        back=Duration.parse("P1Y2M"),
        opts=(OptType.OPT_IN, OptType.OPT_OUT),
        key=b"\x00\xff",
        counter=7,
        flight=3,
    ),
    a=Item(event=event(), value=1.5, quality=DataQuality.QUALITY_GOOD_NON_SPECIFIC, deadline=1.0),
    b=Item(
        event=event("b/c"),
        value=PayloadResourceStatus(oadr_online=True, oadr_manual_override=False),
        quality="x-mine",
        wait=timedelta(minutes=1, microseconds=1),
    ),
)


def test_everything_durable_comes_back_and_nothing_volatile() -> None:
    back = restored(State, "head", collected(FULL))
    assert back == attrs.evolve(
        FULL,
        flight=None,
        items=MappingProxyType({"a": attrs.evolve(FULL.items["a"], deadline=None), "b": FULL.items["b"]}),
    )
    assert isinstance(back.items["a"].quality, DataQuality)


def test_a_document_of_all_records_comes_back() -> None:
    records = collected(FULL)
    assert opened(pack(records.items())) == records == opened(records)


@given(payloads())
def test_any_message_comes_back(payload: Payload) -> None:
    state = State(sent=payload)
    assert load(State, dump(state)) == state


@given(st.floats())
def test_any_number_comes_back(value: float) -> None:
    back = load(Item, dump(Item(event=event(), value=value))).value
    assert repr(back) == repr(value)


def test_only_what_changed_is_saved() -> None:
    before = with_items(FULL, a=FULL.items["a"], b=FULL.items["b"])
    after = with_items(before, a=attrs.evolve(before.items["a"], value=2.0), c=before.items["b"])
    assert [(record.key, record.state is None) for record in changes("head", before, after)] == [
        ("item/a", False),
        ("item/c", False),
        ("item/b", True),
    ]


def test_the_volatile_and_the_quiet_save_nothing() -> None:
    after = attrs.evolve(FULL, flight=9, counter=8)
    after = with_items(after, a=attrs.evolve(FULL.items["a"], deadline=99.0), b=FULL.items["b"])
    assert changes("head", FULL, after) == ()


def test_what_is_equal_saves_nothing() -> None:
    assert changes("head", FULL, attrs.evolve(FULL, opts=tuple(FULL.opts), at=WHEN.replace())) == ()


def test_the_quiet_is_saved_together_with_an_item() -> None:
    """A counter from which an identifier of the item was made must never stand behind it."""
    after = attrs.evolve(FULL, counter=8, items=MappingProxyType({"a": FULL.items["a"]}))
    assert changes("head", FULL, after) == (Record(key="head", state=after), Record(key="item/b", state=None))


def test_a_later_version_is_refused_by_name() -> None:
    data = dump(State()).replace(f'"v":{VERSION}'.encode(), b'"v":99')
    with pytest.raises(LocalError, match="later version"):
        restored(State, "head", {"head": data})
    with pytest.raises(LocalError, match="later version"):
        unpack(pack([]).replace(f'"v":{VERSION}'.encode(), b'"v":99'))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"v":0}',
        b'{"v":"1"}',
        b"{}",
        b'{"v":1,"unheard":1}',
        b'{"v":1,"opts":["optPerhaps"]}',
        b'{"v":1,"at":"yesterday"}',
        b'{"v":1,"sent":{"message":"Poll"}}',
        b'{"v":1,"back":7}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_damaged_records_are_named(data: bytes) -> None:
    with pytest.raises(LocalError, match="damaged"):
        restored(State, "head", {"head": data})


@pytest.mark.parametrize("key", ["items/a", "item", "other/1", "tail"])
def test_unknown_records_are_named(key: str) -> None:
    with pytest.raises(LocalError, match="no such record"):
        restored(State, "head", {"head": dump(State()), key: dump(FULL.items["a"])})


def test_a_missing_head_is_named() -> None:
    with pytest.raises(LocalError, match="no record 'head'"):
        restored(State, "head", EMPTY)


@given(st.data())
def test_a_damaged_document_is_refused_or_means_the_same(data: st.DataObject) -> None:
    """Caught: a digest that is not compared."""
    snapshot = pack(collected(FULL).items())
    at = data.draw(st.integers(0, len(snapshot) - 1))
    damaged = data.draw(
        st.one_of(
            st.just(snapshot[:at]),
            st.binary(min_size=1, max_size=1).map(lambda byte: snapshot[:at] + byte + snapshot[at + 1 :]),
        )
    )
    try:
        records = unpack(damaged)
    except LocalError:
        return
    assert records == collected(FULL)
