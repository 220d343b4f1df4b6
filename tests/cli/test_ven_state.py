"""`oadr ven run --state FILE`: killed and started again, it goes on where it was."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.cli.command import run_command, running_command


def test_killed_and_started_again_it_is_the_same_ven(tmp_path: Path) -> None:
    event = "SIMPLE:level:+2s:1x1m,2x1m"
    serve = ("vtn", "serve", "--json", "--port", "0", "--poll", "1s", "--event", event)
    with running_command(tmp_path / "vtn.err", *serve) as vtn:
        run = ("ven", "run", "--json", "--vtn-url", vtn.wait("start")["url"], "--ven-name", "phoenix", "--no-jitter")
        state = ("--state", str(tmp_path / "ven.state"))
        with running_command(tmp_path / "ven1.err", *run, *state) as ven:
            assert ven.wait("registration")
            assert ven.wait("opt")["opt"] == "optIn"
            interval = ven.wait("event", lambda seen: seen.get("change") == "interval")
            assert (interval["interval"], interval["value"]) == (0, 1)
            ven.process.kill()
            assert ven.process.wait() == -signal.SIGKILL
        with running_command(tmp_path / "ven2.err", *run, *state) as ven:
            again = ven.wait("event", lambda seen: seen.get("change") == "interval")
            assert (again["at"], again["value"]) == (interval["at"], interval["value"]), "what holds is told again"
            with running_command(tmp_path / "ven3.err", *run, *state) as third:
                assert third.process.wait(20) == 1
                assert "another process uses this state" in third.errors
            assert ven.interrupt()[0] == 0
            assert ven.errors == ""
            assert not ven.all("registration")
            assert not [seen for seen in ven.all("event") if seen.get("change") == "new"]
        assert len(vtn.all("registration")) == 1
        assert vtn.interrupt()[0] == 0


@pytest.mark.parametrize("content", [b"{", b"", b'{"v":1,"digest":"","records":{}}'])
def test_damaged_state_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ven.state"
    path.write_bytes(content)
    ended = run_command(
        "ven", "run", "--vtn-url", "http://127.0.0.1:1", "--ven-name", "v", "--state", str(path), deadline_s=30
    )
    assert ended.returncode == 1
    assert b"damaged" in ended.stderr
    assert b"Traceback" not in ended.stderr
    assert path.read_bytes() == content
