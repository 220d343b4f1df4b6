"""The SQLite store: what is committed is there, whole, and for one process."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oadr_core import LocalError
from oadr_transports.stores import SqliteStore


def test_records_come_back_from_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    store = SqliteStore(path)
    assert store.load() == {}
    store.commit({"a": b"1", "b": b"2"})
    store.commit({"a": b"3", "b": None, "c/d": b"\xff\x00"})
    store.close()
    store.close()
    again = SqliteStore(path)
    assert again.load() == {"a": b"3", "c/d": b"\xff\x00"}
    again.close()


@given(st.lists(st.dictionaries(st.text(), st.none() | st.binary())))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
def test_store_is_like_a_dict(tmp_path: Path, commits: list[dict[str, bytes | None]]) -> None:
    path = tmp_path / "s.db"
    path.unlink(missing_ok=True)
    store = SqliteStore(path)
    model: dict[str, bytes] = {}
    for changes in commits:
        store.commit(changes)
        model = {key: data for key, data in {**model, **changes}.items() if data is not None}
        assert store.load() == model
    store.close()


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db")
    store.commit({"a": b"1"})
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    store.close()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db")
    code = f"from oadr_transports.stores import SqliteStore; SqliteStore({str(tmp_path / 's.db')!r})"
    second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "BlockingIOError" in second.stderr
    assert "another process uses this state" in second.stderr
    store.close()
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_commit_that_fails_changes_nothing(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db")
    store.commit({"a": b"1"})
    other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    other.execute("CREATE TRIGGER no BEFORE INSERT ON record WHEN NEW.key = 'z' BEGIN SELECT RAISE(ABORT, 'full'); END")
    with pytest.raises(OSError, match="cannot be written: full"):
        store.commit({"a": b"2", "z": b"1"})
    assert store.load() == {"a": b"1"}
    store.commit({"a": b"3"})
    assert store.load() == {"a": b"3"}
    other.close()
    store.close()


def test_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_bytes(b"this is no database, it is a long enough text")
    with pytest.raises(LocalError, match="no state of a VEN or VTN"):
        SqliteStore(text)
    assert text.read_bytes().startswith(b"this is")
    database = tmp_path / "other.db"
    with sqlite3.connect(database) as other:
        other.execute("CREATE TABLE mine (x)")
    other.close()
    with pytest.raises(LocalError, match="something else"):
        SqliteStore(database)


def test_later_form_is_refused(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "s.db").close()
    with sqlite3.connect(tmp_path / "s.db") as later:
        later.execute("PRAGMA user_version = 99")
    later.close()
    with pytest.raises(LocalError, match="later version"):
        SqliteStore(tmp_path / "s.db")


def test_it_waits_for_the_disk(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db")
    assert store._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._database.execute("PRAGMA synchronous").fetchone() == (2,), "FULL"
    store.close()


@pytest.mark.parametrize("content", [b"{", b'{"v":1,"digest":"'])
def test_few_bytes_of_something_else_are_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vtn.db"
    path.write_bytes(content)
    with pytest.raises(LocalError, match="damaged"):
        SqliteStore(path)
    assert path.read_bytes() == content
