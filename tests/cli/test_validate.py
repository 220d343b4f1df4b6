"""`oadr validate`: a line each, and where and why not."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from oadr_transports.cli.app import run
from tests.cli.command import OADR, run_command
from tests.cli.documents import EVENT, POLL, REPORT


@pytest.fixture
def messages(tmp_path: Path) -> Path:
    """A directory with three good messages, two of them below."""
    (tmp_path / "below").mkdir()
    (tmp_path / "poll.xml").write_bytes(POLL)
    (tmp_path / "below" / "event.xml").write_bytes(EVENT)
    (tmp_path / "below" / "report.xml").write_bytes(REPORT)
    (tmp_path / "README").write_text("no message")
    return tmp_path


def test_good_messages_are_ok(messages: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", str(messages)]) == 0
    captured = capsys.readouterr()
    assert [line.split()[0] for line in captured.out.splitlines()] == ["ok"] * 3
    assert "3 files, 0 bad" in captured.err


def test_a_bad_one_has_file_line_rule_and_reason(messages: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = messages / "bad.xml"
    bad.write_bytes(EVENT.replace(b"<ei:eventStatus>", b"\n<ei:eventStatus>x", 1))
    assert run(["validate", "--quiet", str(messages)]) == 1
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith(f"bad  {bad}:2: [")
    assert "eventStatus" in line


def test_json_for_programs(messages: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (messages / "bad.xml").write_bytes(b"<!DOCTYPE x><x/>")
    assert run(["validate", "--json", str(messages), "/no/such/file"]) == 1
    captured = capsys.readouterr()
    found = [json.loads(line) for line in captured.out.splitlines()]
    assert [verdict["ok"] for verdict in found] == [False, True, True, True, False]
    assert found[0]["reason"]
    assert found[-1]["reason"] == "No such file or directory"
    assert captured.err == ""


def test_strict_refuses_what_is_tolerated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "poll.xml"
    path.write_bytes(POLL.replace(b' ei:schemaVersion="2.0b"', b""))
    assert run(["validate", str(path)]) == 0
    assert "(1 deviation)" in capsys.readouterr().out
    assert run(["validate", "--strict", str(path)]) == 1
    assert "[R509]" in capsys.readouterr().out


def test_a_directory_without_messages_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", str(tmp_path)]) == 1
    assert "no .xml file" in capsys.readouterr().err


def test_standard_input() -> None:
    assert run_command("validate", "-", stdin=POLL).stdout.split() == [b"ok", b"<stdin>", b"oadrPoll"]


def test_a_reader_that_goes_away_gets_no_traceback(messages: Path) -> None:
    for number in range(2000):
        (messages / f"{number}.xml").write_bytes(POLL)
    process = subprocess.Popen(
        [*OADR, "validate", str(messages)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == 1
    assert errors == ""


def test_many_files_have_a_progress_bar_on_a_terminal(messages: Path) -> None:
    for number in range(200):
        (messages / f"{number}.xml").write_bytes(POLL)
    ours, theirs = pty.openpty()
    with subprocess.Popen([*OADR, "validate", "-q", str(messages)], stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        try:
            while part := os.read(ours, 65536):
                said += part
        except OSError:  # how a terminal ends on Linux
            pass
        os.close(ours)
    assert process.returncode == 0
    assert b"checking" in said
    assert b"203 files, 0 bad" in said


def test_a_file_is_one_line_whatever_it_is_called(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = tmp_path / "a\n\x1b[31mb.xml"
    name.write_bytes(b"x")
    assert run(["validate", str(name)]) == 1
    [line] = capsys.readouterr().out.splitlines()
    assert line.isprintable()
