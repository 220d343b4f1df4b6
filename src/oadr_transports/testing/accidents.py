"""The checks of a store in several processes: killed at any step, held by another, without room, damaged.

They stand alone because they fork: what happens to a process that is killed can be seen from outside only.
"""

from __future__ import annotations

import random
import resource
import time
from pathlib import Path
from typing import Any, Final

from oadr_core import LocalError

from .results import Check, Nonconforming, NotChecked, told
from .store_bench import Child, Say, StoreBench, StoreLack, killed_at, record, same

POINTS: Final = 60
"""Steps of a commit at which it is killed; a longer one is killed at so many of them, spread evenly."""
KILLS: Final = 10
"""Kills at random moments, for what happens inside a single step."""
_SIZE: Final = 20_000
_ATOMIC: Final = (
    "make the change in one transaction, or write beside and rename: a kill at any instant leaves the old or the new"
)
_FULL: Final = "raise OSError when the disk is full, undo what was begun, and take the next commit"
_DURABLE: Final = "write and flush before commit returns: what a caller was told is kept, is kept"


def killed_within(bench: StoreBench) -> None:
    """A process that is killed at any step of a commit leaves all of it, or none."""
    old, change = _generation(1), {**_generation(2), "only/1": None}
    new = _generation(2)
    with bench.opened() as store:
        store.commit(old)

    def again() -> None:
        with bench.opened() as store:
            store.commit({**{key: None for key in store.load() if key not in old}, **old})

    def job(step: int) -> Any:
        def run(say: Say) -> None:
            store = bench.make(bench.folder)
            store.load()
            say({"steps": killed_at(step, lambda: store.commit(change))})
            killed_at(1, lambda: None)

        return Child(run).ended()

    [found] = job(0)
    _raised(found)
    steps = found["steps"]
    for step in spread(steps):
        again()
        said = job(step)
        with bench.opened() as store:
            came = dict(store.load())
        if came not in (old, new):
            same(old, came, f"or all of the new ones, after a kill at step {step} of {steps} of a commit", _ATOMIC)
        if said and came != new:
            same(new, came, "after commit had returned in a process that was killed then", _DURABLE)


def killed_any_time(bench: StoreBench) -> None:
    """A process that commits again and again and is killed leaves its last commit, or the one under way, whole."""
    chance = random.Random(7)

    def job(say: Say) -> None:
        store = bench.make(bench.folder)
        number = max((int(key[5:]) for key in store.load() if key.startswith("only/")), default=0)
        while True:
            number += 1
            store.commit({**_generation(number), f"only/{number - 1}": None})
            say(number)

    last = 0
    for _ in range(KILLS):
        child = Child(job)
        for said in child.said():
            _raised(said)
            last = said
            break
        time.sleep(chance.uniform(0.0, 0.05))
        child.kill()
        for said in child.ended():
            last = _raised(said)
        with bench.opened() as store:
            came = dict(store.load())
        if came not in (_generation(last), _generation(last + 1)):
            fix = _DURABLE if came in ({}, *map(_generation, range(last))) else _ATOMIC
            same(_generation(last), came, "or all of the next ones, after a process was killed", fix)


def one_at_a_time(bench: StoreBench) -> None:
    """A second process is refused at once with BlockingIOError, and let in as soon as the first is gone."""
    fix = "lock the store as long as it is open, without waiting, with a lock that ends with its process"

    def job(say: Say) -> None:
        with bench.opened() as store:
            say("opened")
            store.commit({"by": record(2)})

    with bench.opened() as store:
        store.commit({"by": record(1)})
        store.load()  # which must not give the lock back
        found = Child(job).ended()[0]
        kinds = found.get("kinds", ()) if isinstance(found, dict) else ()
        if "BlockingIOError" not in kinds:
            came = f"{found['raised']}: {found['text']}" if kinds else "it was let in"
            raise Nonconforming("BlockingIOError for a second process", came, fix)
        same({"by": record(1)}, store.load(), "after another process was refused", fix)
        store.commit({"by": record(3)})
    _let_in(Child(job).ended(), "after the first has closed it", fix)

    def holding(say: Say) -> None:
        bench.make(bench.folder)
        say("opened")
        time.sleep(3_600)

    holder = Child(holding)
    next(holder.said(), None)
    holder.kill()
    holder.ended()
    _let_in(Child(job).ended(), "after the first was killed", fix)


def no_room(bench: StoreBench) -> None:
    """A commit for which there is no room raises OSError, and has changed nothing."""
    with bench.opened() as store:
        store.commit({"a": record(1), "b": record(2)})

    def job(say: Say) -> None:
        store = bench.make(bench.folder)
        store.load()
        largest = max((path.stat().st_size for path in _files(bench)), default=0)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest + _SIZE, resource.RLIM_INFINITY))
        try:
            store.commit({"a": record(3), "large": record(4, 100 * _SIZE), "b": None})
            say("committed")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            say(sorted(store.load()))
            store.commit({"c": record(5)})
            store.close()

    first, *rest = Child(job).ended()
    if first == "committed":
        bench.holds({"a": record(3), "large": record(4, 100 * _SIZE), "c": record(5)}, "without any error", _FULL)
        raise NotChecked("a limit to the size of files does not limit this store")
    error = rest[-1] if rest else first
    if not isinstance(error, dict) or "OSError" not in error["kinds"]:
        came = told(error) if not isinstance(error, dict) else f"{error['raised']}: {error['text']}"
        raise Nonconforming("OSError where there is no room", came, _FULL)
    if first != ["a", "b"]:
        raise Nonconforming("the records of before after a commit that failed", told(first), _FULL)
    bench.holds({"a": record(1), "b": record(2), "c": record(5)}, "after one commit without room and one with", _FULL)


def damaged(bench: StoreBench) -> None:
    """A store that was damaged is named, with LocalError, and left as it is: somebody may want to rescue it."""
    model = {f"r{number}": record(number, 500) for number in range(50)}
    with bench.opened() as store:
        store.commit(model)
    named = False
    fix = "look at what you read (a digest, a length, what the database says), raise LocalError, and write nothing"
    for path in _files(bench):
        whole = path.read_bytes()
        for how, broken in (("cut in half", whole[: len(whole) // 2]), ("overwritten", b"something else " * 100)):
            if not whole:
                continue
            path.write_bytes(broken)
            try:
                with bench.opened() as store:
                    came = dict(store.load())
            except LocalError:
                named = True
                if path.read_bytes() != broken:
                    raise Nonconforming(f"{path.name}, {how}, to be left alone", "it was changed", fix) from None
            except Exception as error:  # a third party's code: anything can come out of it
                came_ = f"{told(error)} was raised"
                raise Nonconforming(f"LocalError for {path.name}, {how}", came_, fix) from error
            else:
                if came != model:
                    raise Nonconforming(
                        f"LocalError for {path.name}, {how}", f"{len(came)} of {len(model)} records were loaded", fix
                    )
            path.write_bytes(whole)
    if not named:
        raise NotChecked("the store has no files in its folder whose damage would matter")


CHECKS: Final[tuple[Check[StoreBench], ...]] = tuple(
    Check(name, function, (StoreLack.DURABILITY,))
    for name, function in (
        ("killed-within", killed_within),
        ("killed-any-time", killed_any_time),
        ("one-at-a-time", one_at_a_time),
        ("no-room", no_room),
        ("damaged", damaged),
    )
)


def _generation(number: int) -> dict[str, bytes]:
    """Records that belong together."""
    return {
        "first": record(number),
        "large": record(number, _SIZE),
        **{f"part/{each}": record(number) for each in range(5)},
        f"only/{number}": record(number),
        "last": record(number),
    }


def spread(steps: int) -> list[int]:
    """The steps at which to kill, or a choice of them; 0: at none, when everything is done."""
    every = max(1, steps // POINTS)
    return [0, *range(1, steps + 1, every), steps]


def _files(bench: StoreBench) -> list[Path]:
    return sorted(path for path in bench.folder.rglob("*") if path.is_file() and not path.is_symlink())


def _raised(said: Any) -> Any:
    if isinstance(said, dict) and "raised" in said:
        fix = "open, load and commit work in any process, one after another, also after one was killed"
        raise Nonconforming("a store that works in another process", f"{said['raised']}: {said['text']}", fix)
    return said


def _let_in(said: list[Any], when: str, fix: str) -> None:
    if said != ["opened"]:
        raise Nonconforming(f"a process to be let in {when}", told(said), fix)

