"""`oadr vtn serve` and `oadr ven run`, pointed at each other."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.command import OADR, running_command
from tests.observations import Observation

EVENT = "ELECTRICITY_PRICE:price:+4s:0.10x2s,0.25x2s,0.12x1m"


def change(name: str) -> Callable[[Observation], bool]:
    return lambda seen: seen.get("change") == name


def test_a_ven_and_a_vtn_from_the_command_line(tmp_path: Path, validate: Callable[[bytes], None]) -> None:
    saved = tmp_path / "messages"
    serve = ("vtn", "serve", "--json", "--port", "0", "--poll", "1s", "--ramp-up", "2s", "--event", EVENT)
    with running_command(tmp_path / "vtn.err", *serve, "--save", str(saved)) as vtn:
        url = vtn.wait("start")["url"]
        assert vtn.wait("warning", lambda seen: "every VEN is accepted" in seen["text"])
        report = ("--report", "device001:voltage:1s", "--report", "device001:powerReal:1s:1500")
        client = ("ven", "run", "--json", "--vtn-url", url, "--ven-name", "ven-of-lines", "--no-jitter", *report)
        with running_command(tmp_path / "ven.err", *client) as ven:
            registered = ven.wait("registration")
            at_vtn = vtn.wait("registration")
            assert at_vtn["ven_name"] == "ven-of-lines"
            assert at_vtn["ven_id"] == registered["ven_id"]
            assert vtn.wait("report", change("offered"))["ven_id"] == registered["ven_id"]

            event = ven.wait("event", change("new"))
            [signal_] = event["signals"]
            assert [interval["value"] for interval in signal_["intervals"]] == [0.1, 0.25, 0.12]
            assert [interval["duration"] for interval in signal_["intervals"]] == ["PT2S", "PT2S", "PT1M"]
            assert all(interval["start"].endswith("Z") for interval in signal_["intervals"])
            opt = vtn.wait("opt")
            assert (opt["event_id"], opt["opt"]) == (event["event_id"], "optIn")
            assert ven.wait("opt")["opt"] == "optIn"

            values = vtn.wait("report", change("received"), count=2)["values"]
            assert {value["r_id"]: value["unit"] for value in values} == {
                "device001:voltage": "V",
                "device001:powerReal": "W",
            }
            [power] = {value["value"] for value in values if value["unit"] == "W"}
            assert power == 1500
            ven.wait("report", change("delivered"))
            ven.wait("event", lambda seen: seen.get("status") == "active")

            assert ven.interrupt()[0] == 0
            assert ven.errors == ""
        assert vtn.interrupt()[0] == 0
        assert vtn.errors == ""
    files = sorted(saved.iterdir())
    assert files
    for path in files:
        validate(path.read_bytes())


def test_a_ven_waits_for_its_vtn_and_says_so(tmp_path: Path) -> None:
    arguments = ("ven", "run", "--json", "--vtn-url", "http://127.0.0.1:1", "--ven-name", "early")
    with running_command(tmp_path / "err", *arguments) as ven:
        assert "no connection" in ven.wait("warning")["text"]
        assert ven.interrupt(signal.SIGTERM)[0] == 0
        assert ven.errors == ""


@pytest.mark.parametrize("command", [("demo",), ("vtn", "serve", "--port", "0", "--event-in", "1s")], ids=" ".join)
def test_a_reader_that_goes_away_ends_it(command: tuple[str, ...]) -> None:
    process = subprocess.Popen([*OADR, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    try:
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in errors


def test_out_means_out(tmp_path: Path) -> None:
    serve = ("vtn", "serve", "--json", "--port", "0", "--poll", "1s", "--event-in", "1m")
    with running_command(tmp_path / "vtn.err", *serve) as vtn:
        url = vtn.wait("start")["url"]
        client = ("ven", "run", "--json", "--verbose", "--vtn-url", url, "--ven-name", "v", "--opt", "out")
        with running_command(tmp_path / "ven.err", *client) as ven:
            assert vtn.wait("opt")["opt"] == "optOut"
            ven.wait("message", lambda seen: seen["message"] == "oadrCreatedEvent" and seen["direction"] == "sent")
            assert ven.interrupt()[0] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_vtn_ends_at_once(tmp_path: Path, number: signal.Signals) -> None:
    with running_command(tmp_path / "err", "vtn", "serve", "--json", "--port", "0") as vtn:
        vtn.wait("start")
        assert vtn.interrupt(number)[0] == 0
        assert vtn.errors == ""
