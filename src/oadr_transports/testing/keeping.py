"""The checks of a store within one process: what was committed is there, nothing else, and all or none of it.

They stand alone because they need no other process, and no accident worse than an error.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from oadr_core.engine import Now, SaveState
from oadr_core.ven import Register, VenConfig, VenSession

from .results import Check, Nonconforming, told
from .store_bench import StoreBench, StoreLack, record, same

NAMES: Final = (
    "ven", "event/a", "event/b", "event/a/b", "a", "A", "a ", " a", "", ".", "..", "../a", "/a", "a\\b", "%61", "a%",
    "a_", "é", "e\u0301", "ß", "SS", "K", "\u212a", "日本", "\U0001f50c", "'", '"', "';--", "a\nb", "a\tb", "*", "?",
    "CON", "1", "01", "1.0", "1e0", "null", "a/", "./a", "a//b", "a/b", "a.", "x" * 1_000,
)  # fmt: skip
"""Names that a careless store takes for one another, for a path, or for something to interpret."""
VALUES: Final = (b"", b"\x00", b"\xff\xfe", bytes(range(256)), b"\r\n", b"null", b"');--", b"\xef\xbb\xbf{}")
_NOON: Final = datetime(2025, 6, 1, 12, tzinfo=UTC)
MANY: Final = 5_000
LARGE: Final = 8_000_000
_NAMES_FIX: Final = "take every name as it is: escape what your files or your database would read otherwise"


def empty(bench: StoreBench) -> None:
    """A store in which nothing was ever kept gives no records."""
    with bench.opened() as store:
        same({}, store.load(), "and none was", "give an empty mapping for a new store")


def names(bench: StoreBench) -> None:
    """Records of any name come back, each as its own."""
    model = {name: record(number) for number, name in enumerate(NAMES)}
    with bench.opened() as store:
        store.commit(model)
        same(model, store.load(), "of names of any kind", _NAMES_FIX)
        store.commit(dict.fromkeys(NAMES[::2]))
        same({name: model[name] for name in NAMES[1::2]}, store.load(), "after every other one was removed", _NAMES_FIX)


def any_bytes(bench: StoreBench) -> None:
    """Records of any bytes come back; an empty one is there, and not gone."""
    model = {f"value/{number}": value for number, value in enumerate(VALUES)}
    with bench.opened() as store:
        store.commit(model)
        fix = "keep bytes as bytes; a store for JSON alone is without 'any-bytes'"
        same(model, store.load(), "of any bytes", fix)


def changes(bench: StoreBench) -> None:
    """A commit changes what it names and leaves everything else; ``None`` removes, and nothing is no change."""
    with bench.opened() as store:
        model: dict[str, bytes] = {}
        fix = "apply the changes to what is there: replace, add, remove what is None, leave the rest"
        for change in (
            {"a": record(1), "b": record(2)},
            {"b": record(3)},
            {},
            {"c": record(4), "a": None},
            {"never there": None},
            {"a": record(5), "b": None, "c": record(6)},
        ):
            store.commit(change)
            model = {key: data for key, data in {**model, **change}.items() if data is not None}
            same(model, store.load(), f"after {told(sorted(change))} were changed", fix)


def own_copies(bench: StoreBench) -> None:
    """What was given in and out belongs to the caller: changing it later changes nothing in the store."""
    with bench.opened() as store:
        given = {"a": record(1)}
        store.commit(given)
        given["a"] = record(2)
        given["b"] = record(3)
        fix = "copy what you are given, and give a copy"
        same({"a": record(1)}, store.load(), "whatever became of the mapping", fix)
        loaded = store.load()
        if isinstance(loaded, dict):
            loaded.clear()
        same({"a": record(1)}, store.load(), "whatever became of what was loaded", fix)
        store.commit({"z": record(4)})
        same({"a": record(1), "z": record(4)}, store.load(), "whatever became of what was loaded", fix)


def without_load(bench: StoreBench) -> None:
    """A commit needs no load before it, and loses nothing of what was there."""
    with bench.opened() as store:
        store.commit({"a": record(1), "b": record(2)})
    with bench.opened() as store:
        store.commit({"b": None, "c": record(3)})
    bench.holds({"a": record(1), "c": record(3)}, "by two lives, the second without a load", "merge with what is kept")


def reopened(bench: StoreBench) -> None:
    """What was committed is there when the store is opened again; so is what was removed not."""
    model: dict[str, bytes] = {}
    for life in range(4):
        with bench.opened() as store:
            fix = "when commit returns it is kept, whether or not close is called; a removal is a change like others"
            same(model, store.load(), f"at the beginning of life {life}", fix)
            change = {f"kept/{life}": record(life), "last": record(life), f"kept/{life - 2}": None}
            store.commit(change)
            model = {key: data for key, data in {**model, **change}.items() if data is not None}
    bench.holds(model, "after four lives", "keep every change")


def all_or_none(bench: StoreBench) -> None:
    """A commit that fails in the middle has changed nothing, now and later, and the next one works."""
    model = {"a": record(1), "b": record(2)}
    fix = "read all changes first; make them in one transaction, or in a copy that takes the place of the old one"
    with bench.opened() as store:
        store.commit(model)
        try:
            store.commit(_Broken({"a": record(3), "b": None, "c": record(4)}))
        except _CannotBeWritten:
            pass
        else:
            raise Nonconforming("the error of a record that cannot be written", "commit returned", fix)
        same(model, store.load(), "after changes that cannot be read to the end", fix)
        try:
            store.commit({"a": record(5), "b": None, "c": "text", "d": record(6)})  # type: ignore[dict-item]  # the case
        except Exception:  # a third party's code: any error will do, if nothing was changed
            same(model, store.load(), "after a record that is no bytes", fix)
        store.commit({**dict.fromkeys("abcd"), "c": record(7)})
        same({"c": record(7)}, store.load(), "after a commit that failed", fix)


def many(bench: StoreBench) -> None:
    """Thousands of records, and a large one."""
    model = {f"event/{number}": record(number) for number in range(MANY)}
    model["large"] = record(0, LARGE)
    with bench.opened() as store:
        store.commit(model)
        store.commit({f"event/{number}": None for number in range(0, MANY, 2)})
        kept = {key: data for key, data in model.items() if key == "large" or int(key[6:]) % 2}
        same(kept, store.load(), "many and large", "set no limit that a VTN of thousands of VENs meets")


def any_thread(bench: StoreBench) -> None:
    """Each call may come from another thread: a driver commits from whichever is free."""
    with bench.opened() as store:
        fix = "tie the store to no thread (sqlite3: check_same_thread=False and a lock)"
        for number in range(5):
            _in_thread(lambda number=number: store.commit({f"r{number}": record(number)}), fix)  # type: ignore[misc]  # bound
        same({f"r{n}": record(n) for n in range(5)}, store.load(), "from five threads", fix)
        _in_thread(store.close, fix)


def closed_twice(bench: StoreBench) -> None:
    """Closing again does no harm; closing at once neither."""
    store = bench.make(bench.folder)
    store.close()
    store.close()
    with bench.opened() as store:
        store.commit({"a": record(1)})
        store.close()


def session(bench: StoreBench) -> None:
    """A session that is restored from the store is the one that was saved."""
    config = VenConfig(ven_name="kit")
    ven = VenSession(config, key=bytes(32))
    with bench.opened() as store:
        outputs = ven.handle(Register(), Now(0.0, _NOON))
        for output in outputs:
            if isinstance(output, SaveState):
                store.commit({each.key: each.data() for each in output.records})
        records = store.load()
    again = VenSession.restore(config, records)
    if again.snapshot() != ven.snapshot():
        raise Nonconforming("the session as it was", "another one was restored", "give records back byte by byte")


CHECKS: Final[tuple[Check[StoreBench], ...]] = (
    Check("empty", empty),
    Check("names", names),
    Check("any-bytes", any_bytes, (StoreLack.ANY_BYTES,)),
    Check("changes", changes),
    Check("own-copies", own_copies),
    Check("without-load", without_load, (StoreLack.DURABILITY,)),
    Check("reopened", reopened, (StoreLack.DURABILITY,)),
    Check("all-or-none", all_or_none),
    Check("many", many),
    Check("any-thread", any_thread),
    Check("closed-twice", closed_twice),
    Check("session", session),
)


class _CannotBeWritten(Exception):
    """What a record raises that is no JSON."""


class _Broken(Mapping[str, bytes | None]):
    """Changes that fail while they are read, as records do that cannot be written as JSON."""

    def __init__(self, good: dict[str, bytes | None]) -> None:
        self._good = good

    def __getitem__(self, key: str) -> bytes | None:
        if key == list(self._good)[-1]:
            raise _CannotBeWritten
        return self._good[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._good)

    def __len__(self) -> int:
        return len(self._good)


def _in_thread(function: Callable[[], object], fix: str) -> None:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:  # of a third party's code
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise Nonconforming("the store to work in any thread", f"{told(errors[0])} was raised", fix) from errors[0]
