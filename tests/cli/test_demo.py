"""`oadr demo`, run as its users run it."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from oadr_transports.cli.app import run
from tests.cli.command import ENDS_WITHIN_S, OADR, run_command

STATES = ["far", "near", "active", "completed"]


def test_the_whole_job_is_seen_in_half_a_minute(tmp_path: Path, validate: Callable[[bytes], None]) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("mine")
    (tmp_path / "001-VEN-to-VTN.oadrOld.xml").write_text("an earlier transcript")
    began = time.monotonic()
    done = run_command("demo", "--save", str(tmp_path), "--json")
    assert time.monotonic() - began < 30
    assert done.returncode == 0, done.stderr.decode()

    found = json.loads(done.stdout)
    assert found["ok"]
    assert found["missing"] == []
    assert [interval["price"] for interval in found["intervals"]] == [0.12, 0.38, 0.21]
    for side in (found["vtn"], found["ven"]):
        assert list(side["event_states"]) == STATES
        assert side["opt"] == "optIn"
        assert side["registered_as"] == found["vtn"]["registered_as"]
        assert side["report_values"] >= 4
    assert len(found["report_values"]) == found["vtn"]["report_values"]

    files = sorted(path for path in tmp_path.iterdir() if path != other)
    assert other.read_text() == "mine"
    assert len(files) == found["messages"]["count"]
    assert sum(path.stat().st_size for path in files) == found["messages"]["bytes"]
    for number, path in enumerate(files, 1):
        assert re.fullmatch(rf"{number:03}-(VEN-to-VTN|VTN-to-VEN)\.oadr\w+\.xml", path.name)
        validate(path.read_bytes())

    lines = done.stderr.decode()
    assert "optIn received" in lines
    assert "VEN -> VTN  oadrUpdateReport" in lines
    assert "\x1b" not in lines


def test_what_was_not_seen_is_the_reason(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("oadr_transports.cli.demo.DEADLINE_S", 2.0)
    assert run(["demo", "--plain"]) == 1
    captured = capsys.readouterr()
    assert "these were not seen" in captured.err
    assert "the event being completed at the VEN" in captured.err
    assert "what was seen" in captured.out


def test_a_port_in_use_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run(["demo", "--port", str(taken.getsockname()[1])]) == 1
    assert "choose one with --port" in capsys.readouterr().err


def test_a_transcript_that_cannot_be_kept_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert run(["demo", "--save", str(tmp_path / "file" / "below")]) == 1
    assert "the transcript cannot be kept" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_at_once(number: signal.Signals) -> None:
    process = subprocess.Popen([*OADR, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:  # until both are at work
            if "registered with" in line:
                break
        process.send_signal(number)
        _, errors = process.communicate(timeout=ENDS_WITHIN_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert errors == ""
