"""`oadr ven run --state FILE`: killed and started again, it goes on where it was."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.command import run_command, running_command
from tests.observations import Observation
from tests.transports.delivered import Value, all_values, values
from tests.transports.scripted_vtn import ScriptedVtn, registered_report, report_request


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


def test_samples_outlive_sigkill_while_the_vtn_is_away(tmp_path: Path) -> None:
    """Every second has its value, or a placeholder for when no process was there."""
    second = timedelta(seconds=1)
    with ScriptedVtn() as vtn:
        request = report_request("1", "telemetry-1s", "meter:powerReal")
        vtn.script("oadrRegisterReport", registered_report("", request))
        report = ("--report", "meter:powerReal:1s:1500", "--state", str(tmp_path / "ven.state"))
        run = ("ven", "run", "--json", "--vtn-url", vtn.url, "--ven-name", "v", "--no-jitter", *report)
        with running_command(tmp_path / "ven1.err", *run) as ven:
            vtn.wait("request", lambda seen: seen["message"] == "oadrUpdateReport", count=2)
            vtn.go_down()
            ven.wait("warning", lambda seen: "next try" in seen["text"], count=3)
            ven.process.kill()
            killed = datetime.now(UTC)
            ven.process.wait()
        with running_command(tmp_path / "ven2.err", *run) as ven:
            ven.wait("warning", lambda seen: "next try" in seen["text"])
            back = datetime.now(UTC)
            vtn.come_up()
            vtn.wait("request", lambda seen: any((value.at or back) > back for value in reported(seen)))
            assert ven.interrupt()[0] == 0
        found = {value.at: value for value in all_values(vtn) if value.at is not None}
    times = sorted(found)
    assert [at - times[0] for at in times] == [number * second for number in range(len(times))]
    bad = [at for at, value in found.items() if value.quality is not None]
    assert all(killed - 2 * second <= at <= back + second for at in bad)
    assert {float(value.value) for value in found.values() if value.quality is None} == {1500.0}


def reported(seen: Observation) -> list[Value]:
    return values(seen["body"]) if seen["message"] == "oadrUpdateReport" else []


@pytest.mark.parametrize("content", [b"{", b'{"v":1,"digest":"","records":{}}'])
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
