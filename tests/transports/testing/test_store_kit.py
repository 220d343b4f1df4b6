"""The kit for stores: a good one passes, and each planted fault is found and named."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from oadr_core import LocalError
from oadr_core.engine.values import ReportReceived
from oadr_transports.stores import EVERYTHING, MemoryStore, SqliteStore, Store, StoredValue, Summary, Wanted
from oadr_transports.testing import KitError, Outcome, check_store, store_checks
from tests.transports.testing.drawer import Drawer

VALUES = {name for name in store_checks() if name.startswith("values-")}


def test_good_store_passes_everything() -> None:
    report = check_store(Drawer)
    assert {result.name for result in report if result.outcome is not Outcome.PASSED} == VALUES
    assert {result.why for result in report if result.name in VALUES} == {"the store keeps no values"}


# --- planted faults -------------------------------------------------------------------------------------------------


class WritesInPlace(Drawer):
    def write(self, records: Mapping[str, bytes]) -> None:
        self.path.write_bytes(self.packed(records))


class RemovesBeforeItWrites(Drawer):
    def write(self, records: Mapping[str, bytes]) -> None:
        self.path.unlink(missing_ok=True)
        super().write(records)


class WritesRecordByRecord(Drawer):
    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        for key, value in changes.items():
            super().commit({key: value})


class KeepsUntilClosed(Drawer):
    """What is committed is written when the store is closed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.kept: dict[str, bytes | None] = {}

    def load(self) -> Mapping[str, bytes]:
        merged = {**super().load(), **getattr(self, "kept", {})}
        return {key: value for key, value in merged.items() if value is not None}

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        self.kept.update(dict(changes))

    def close(self) -> None:
        if self.file >= 0:
            super().commit(self.kept)
        super().close()


class WritesInTheBackground(Drawer):
    def write(self, records: Mapping[str, bytes]) -> None:
        threading.Timer(0.05, self.later, [records]).start()

    def later(self, records: Mapping[str, bytes]) -> None:
        with contextlib.suppress(OSError):  # its folder is gone with the check
            super().write(records)


class ForgetsRemovals(Drawer):
    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        super().commit({key: value for key, value in changes.items() if value is not None})


class RemembersRemovalsOnlyInMemory(Drawer):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.gone: set[str] = set()

    def load(self) -> Mapping[str, bytes]:
        return {key: value for key, value in super().load().items() if key not in self.gone}

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        self.gone |= {key for key, value in changes.items() if value is None}
        self.gone -= {key for key, value in changes.items() if value is not None}
        kept = {**super().load(), **{key: value for key, value in changes.items() if value is not None}}
        gone, self.gone = self.gone, set()
        self.write({**super().load(), **kept})
        self.gone = gone


class ReplacesEverything(Drawer):
    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        self.write({key: value for key, value in changes.items() if value is not None})


class TakesEmptyForGone(Drawer):
    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        super().commit({key: value or None for key, value in changes.items()})


class FoldsNames(Drawer):
    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        super().commit({key.casefold(): value for key, value in changes.items()})


class TrimsNames(Drawer):
    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        super().commit({key.strip(): value for key, value in changes.items()})


class KeepsText(Drawer):
    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        super().commit({key: value and value.decode(errors="replace").encode() for key, value in changes.items()})


class AsksNobody(Drawer):
    """No lock."""

    def lock(self) -> None:
        self.file = -1


class WaitsForTheLock(Drawer):
    def lock(self) -> None:
        while True:
            try:
                return super().lock()
            except BlockingIOError:
                time.sleep(0.05)


class SaysSomethingElse(Drawer):
    def lock(self) -> None:
        try:
            super().lock()
        except BlockingIOError:
            raise RuntimeError("in use") from None


class LocksByAFileThatStays(Drawer):
    def lock(self) -> None:
        self.sign = self.path.with_suffix(".pid")
        if self.sign.exists():
            raise BlockingIOError("in use")
        self.sign.touch()
        self.file = 0

    def close(self) -> None:
        if self.file == 0:
            self.sign.unlink()
            self.file = -1


class ReleasesNever(Drawer):
    def close(self) -> None:
        """Keep the lock."""


class BeginsAnewWhenDamaged(Drawer):
    def load(self) -> Mapping[str, bytes]:
        try:
            return super().load()
        except LocalError:
            return {}


class RepairsWhatIsDamaged(Drawer):
    def load(self) -> Mapping[str, bytes]:
        try:
            return super().load()
        except LocalError:
            self.write({})
            raise


class TrustsItsFile(Drawer):
    def load(self) -> Mapping[str, bytes]:
        if not self.path.exists():
            return {}
        text = self.path.read_bytes().partition(b"\n")[2]
        return {key: bytes.fromhex(value) for key, value in json.loads(text).items()}


class HidesAFullDisk(Drawer):
    def write(self, records: Mapping[str, bytes]) -> None:
        try:
            super().write(records)
        except OSError:
            self.path.with_suffix(".new").unlink()


class SpoilsItselfOnAFullDisk(Drawer):
    """What is in memory goes on, what is on the disk does not."""

    records: dict[str, bytes] | None = None

    def load(self) -> Mapping[str, bytes]:
        if self.records is None:
            self.records = dict(super().load())
        return dict(self.records)

    def write(self, records: Mapping[str, bytes]) -> None:
        self.records = dict(records)
        super().write(records)


class GivesItsOwn(Drawer):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.records = dict(super().load())

    def load(self) -> Mapping[str, bytes]:
        return self.records

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        merged = {**self.records, **dict(changes)}
        self.records = {key: value for key, value in merged.items() if value is not None}
        self.write(self.records)


class BoundToItsThread(Drawer):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.database = sqlite3.connect(":memory:")

    def write(self, records: Mapping[str, bytes]) -> None:
        self.database.execute("SELECT 1")
        super().write(records)

    def close(self) -> None:
        super().close()
        self.database.close()


class ClosesOnce(Drawer):
    def close(self) -> None:
        os.close(self.file)


class NeedsALoad(Drawer):
    records: dict[str, bytes] | None = None

    def load(self) -> Mapping[str, bytes]:
        self.records = dict(super().load())
        return dict(self.records)

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        merged = {**(self.records or {}), **dict(changes)}
        self.records = {key: value for key, value in merged.items() if value is not None}
        self.write(self.records)


class TakesNamesForNumbers(Drawer):
    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        super().commit({str(int(key)) if key.isdecimal() else key: value for key, value in changes.items()})


class TakesNamesForPaths(Drawer):
    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        super().commit({os.path.normpath(key) if key else key: value for key, value in changes.items()})


class GivesViews(Drawer):
    def load(self) -> Mapping[str, bytes]:
        return {key: memoryview(value) for key, value in super().load().items()}  # type: ignore[misc]  # the fault


class GivesArrays(Drawer):
    def load(self) -> Mapping[str, bytes]:
        return {key: bytearray(value) for key, value in super().load().items()}


class LosesItsLockWhenItLoads(Drawer):
    """A lock of POSIX ends when the process closes any file of that name."""

    def lock(self) -> None:
        self.file = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT)
        fcntl.lockf(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def load(self) -> Mapping[str, bytes]:
        self.path.with_suffix(".lock").read_bytes()
        return super().load()

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        merged = {**Drawer.load(self), **dict(changes)}
        self.write({key: value for key, value in merged.items() if value is not None})


class CutsLargeRecords(Drawer):
    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        super().commit({key: value and value[:1_000_000] for key, value in changes.items()})


class WritesEverySecondTime(Drawer):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.kept: dict[str, bytes | None] = {}

    def load(self) -> Mapping[str, bytes]:
        return {key: value for key, value in {**super().load(), **self.kept}.items() if value is not None}

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        if self.kept:
            self.write({key: value for key, value in {**self.load(), **dict(changes)}.items() if value is not None})
            self.kept = {}
        else:
            self.kept = dict(changes)

    def close(self) -> None:
        if self.file >= 0 and self.kept:
            self.write(self.load())
        super().close()


class StumblesOverWhatAKillLeft(Drawer):
    def write(self, records: Mapping[str, bytes]) -> None:
        beside = self.path.with_suffix(".new")
        with beside.open("xb") as file:
            file.write(self.packed(records))
        os.replace(beside, self.path)  # noqa: PTH105


FAULTS: dict[type[Drawer], set[str]] = {
    WritesInPlace: {"killed-within", "no-room"},
    RemovesBeforeItWrites: {"killed-within"},
    WritesRecordByRecord: {"killed-within", "all-or-none"},
    KeepsUntilClosed: {"killed-within", "killed-any-time"},
    WritesInTheBackground: {"killed-within"},
    ForgetsRemovals: {"changes", "names", "reopened"},
    RemembersRemovalsOnlyInMemory: {"reopened", "without-load"},
    ReplacesEverything: {"changes"},
    TakesEmptyForGone: {"any-bytes"},
    FoldsNames: {"names"},
    TrimsNames: {"names"},
    KeepsText: {"any-bytes"},
    AsksNobody: {"one-at-a-time"},
    SaysSomethingElse: {"one-at-a-time"},
    LocksByAFileThatStays: {"one-at-a-time", "killed-within"},
    ReleasesNever: {"reopened", "one-at-a-time"},
    BeginsAnewWhenDamaged: {"damaged"},
    RepairsWhatIsDamaged: {"damaged"},
    TrustsItsFile: {"damaged"},
    HidesAFullDisk: {"no-room"},
    SpoilsItselfOnAFullDisk: {"no-room"},
    GivesItsOwn: {"own-copies"},
    BoundToItsThread: {"any-thread"},
    ClosesOnce: {"closed-twice"},
    NeedsALoad: {"without-load"},
    TakesNamesForNumbers: {"names"},
    TakesNamesForPaths: {"names"},
    GivesViews: {"changes"},
    GivesArrays: {"changes"},
    LosesItsLockWhenItLoads: {"one-at-a-time"},
    CutsLargeRecords: {"many"},
    WritesEverySecondTime: {"killed-within", "killed-any-time"},
    StumblesOverWhatAKillLeft: {"killed-within"},
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_planted_fault_is_found_and_named(fault: type[Drawer]) -> None:
    for name in FAULTS[fault]:
        with pytest.raises(KitError) as caught:
            check_store(fault, only=[name])
        [result] = caught.value.report.failed
        assert result.name == name
        assert result.expected
        assert result.came
        assert result.fix


def test_what_is_lost_is_told_from_what_is_torn() -> None:
    with pytest.raises(KitError, match="flush before commit returns"):
        check_store(KeepsUntilClosed, only=["killed-any-time"])


def test_lock_that_is_waited_for_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oadr_transports.testing.store_bench.CHILD_S", 1)
    with pytest.raises(KitError, match="wait for no lock"):
        check_store(WaitsForTheLock, only=["one-at-a-time"])


def test_only_what_a_fault_touches_fails() -> None:
    with pytest.raises(KitError) as caught:
        check_store(TakesEmptyForGone)
    assert {result.name for result in caught.value.report.failed} == {"any-bytes"}
    check_store(TakesEmptyForGone, without=["any-bytes"])


# --- values ---------------------------------------------------------------------------------------------------------


class ValuesLast(SqliteStore):
    """Records first, values in a second transaction."""

    def commit(self, changes: Mapping[str, bytes | None], reports: Iterable[ReportReceived] = ()) -> None:
        super().commit(changes)
        super().commit({}, reports)


class Sums(MemoryStore):
    """One number for each value of one time."""

    def values(self, wanted: Wanted = EVERYTHING) -> Iterator[StoredValue]:
        return (attrs.evolve(one, value=round(one.value, 3)) for one in super().values(wanted))


class IncludesUntil(MemoryStore):
    def values(self, wanted: Wanted = EVERYTHING) -> Iterator[StoredValue]:
        for one in super().values(attrs.evolve(wanted, until=None)):
            if wanted.until is None or one.dtstart <= wanted.until:
                yield one


class CountsTwice(MemoryStore):
    def summaries(self, wanted: Wanted = EVERYTHING) -> Iterator[Summary]:
        return (attrs.evolve(one, count=one.count + 1) for one in super().summaries(wanted))


class NewestFirst(MemoryStore):
    def values(self, wanted: Wanted = EVERYTHING) -> Iterator[StoredValue]:
        return iter(list(super().values(wanted))[::-1])


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda folder: ValuesLast(folder / "db"), "values-with-records"),
        (lambda folder: Sums(), "values-kept"),
        (lambda folder: IncludesUntil(), "values-wanted"),
        (lambda folder: CountsTwice(), "values-summed-up"),
        (lambda folder: NewestFirst(), "values-corrected"),
        (lambda folder: MemoryStore(), "values-reopened"),
    ],
)
def test_planted_fault_of_values_is_found(make: Callable[[Path], Store], name: str) -> None:
    with pytest.raises(KitError, match=f"FAILED {name}"):
        check_store(make, only=[name])


# --- the kit itself -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [{"without": ["everything"]}, {"only": ["nothing"]}])
def test_wrong_names_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(LocalError, match="is expected"):
        check_store(Drawer, **wrong)


def in_shell(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "oadr_transports.testing", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_kits_from_a_shell() -> None:
    good = in_shell("store", "tests.transports.testing.drawer:Drawer", "--only", "empty", "--only", "names")
    assert (good.returncode, good.stdout) == (0, "2 passed, 0 failed, 0 not checked\n")
    bad = in_shell("store", "tests.transports.testing.test_store_kit:FoldsNames", "--only", "names")
    assert bad.returncode == 1
    assert "FAILED names" in bad.stdout
    assert "take every name as it is" in bad.stdout
    lost = in_shell("store", "tests.transports.testing.drawer:Nothing")
    assert lost.returncode == 2
    assert "Nothing" in lost.stderr
    carrier = in_shell("carrier", "tests.transports.testing.bus:BusLink", "--only", "in-order", "--backend", "trio")
    assert carrier.returncode == 0


def test_kits_need_no_pytest() -> None:
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "from oadr_transports.testing import check_store, check_carrier\n"
        "from tests.transports.testing.drawer import Drawer\n"
        "from tests.transports.testing.bus import BusLink\n"
        "check_store(Drawer, only=['reopened']); check_carrier(BusLink, only=['in-order'])"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
