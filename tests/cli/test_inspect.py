"""`oadr inspect`: every message in words, and nothing dangerous on the terminal."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from oadr_core import decode
from oadr_core.model import MESSAGES
from oadr_core.security import fingerprint
from oadr_core.wire import from_json
from oadr_transports.cli.app import run
from oadr_transports.cli.wording import SENTENCES
from tests.cli.command import run_command
from tests.cli.documents import EVENT, POLL, REPORT
from tests.core.security.kit import KINDS, certificate, pem, sealed
from tests.golden import ANNEX_A

SAMPLES = {path.stem: path.read_bytes() for path in ANNEX_A}


def write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def test_every_message_has_its_sentence() -> None:
    assert set(SENTENCES) == set(MESSAGES.values())


def test_an_event_is_a_table_in_both_times(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    assert run(["inspect", write(tmp_path / "event.xml", EVENT)]) == 0
    said = capsys.readouterr().out
    assert "oadrDistributeEvent: the VTN distributes events" in said
    assert "VTN ID: vtn-1" in said
    assert "event ID: event-1" in said
    assert "ELECTRICITY_PRICE price in EUR/kWh" in said
    [first, second] = [line.split() for line in said.splitlines() if line.strip().endswith(("0.125", "0.375"))]
    assert (first[1], first[-3:]) == ("2030-01-31T17:00:00Z", ["1", "h", "0.125"])
    assert (second[1], second[-3:]) == ("2030-01-31T18:00:00Z", ["2", "h", "0.375"])
    assert "not signed" in said


def test_a_baseline_is_a_table_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", write(tmp_path / "event.xml", SAMPLES["oadrDistributeEvent"])]) == 0
    said = capsys.readouterr().out
    assert "baseline b1: day before, for resource res-1, 2 h" in said
    [line] = [line.split() for line in said.splitlines() if line.endswith("55.5")]
    assert (line[1], line[-3:]) == ("2025-06-01T14:00:00Z", ["2", "h", "55.5"])


def test_an_interval_of_a_report_without_start_follows_the_one_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["inspect", write(tmp_path / "report.xml", SAMPLES["oadrUpdateReport"])]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip().startswith("power ")]
    assert [line[1] for line in lines] == ["2025-06-01T10:05:00Z", "2025-06-01T10:10:00Z"]
    assert lines[0][7:10] == ["0.5", "100", "%"]


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b">PT2H<", b">P" + b"9" * 500 + b"D<"),
        (b">PT2H<", b">-P9999Y<"),
        (b"2025-06-01T14:00:00Z", b"0001-01-01T00:00:00Z"),
        (b"2025-06-01T14:00:00Z", b"9999-12-31T23:59:59Z"),
        (b"2025-06-01T14:00:00Z", b"-0044-03-15T24:00:00Z"),
    ],
)
def test_times_at_the_ends_of_the_calendar_are_told(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    zone: str,
    old: bytes,
    new: bytes,
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        event = write(tmp_path / "event.xml", SAMPLES["oadrDistributeEvent"].replace(old, new))
        assert run(["inspect", event]) == 0
        assert max(map(len, capsys.readouterr().out.splitlines())) < 300
        assert run(["inspect", "--json", event]) == 0
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_peer_cannot_colour_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", write(tmp_path / "event.xml", EVENT)]) == 0
    said = capsys.readouterr().out
    assert "\x9b" not in said
    assert "two prices \\x9b31m[red]" in said


def test_a_report_shows_its_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", write(tmp_path / "report.xml", REPORT)]) == 0
    said = capsys.readouterr().out
    [line] = [line.split() for line in said.splitlines() if line.strip().startswith("power ")]
    assert "2030-01-31T17:00:00Z" in line
    assert line[-1] == "1.5"


def test_deviations_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = POLL.replace(b' ei:schemaVersion="2.0b"', b"")
    assert run(["inspect", write(tmp_path / "poll.xml", document)]) == 0
    assert "deviation: " in capsys.readouterr().out
    assert run(["inspect", "--strict", write(tmp_path / "poll.xml", document)]) == 1
    assert "R509" in capsys.readouterr().err


def test_json_is_without_loss(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [write(tmp_path / f"{number}.xml", data) for number, data in enumerate((EVENT, REPORT, POLL))]
    assert run(["inspect", "--json", *files]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line, data in zip(lines, (EVENT, REPORT, POLL), strict=True):
        assert from_json(line["payload"]) == decode(data).payload
        assert line["signature"] is None
        assert line["deviations"] == []


def test_one_bad_file_does_not_hide_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = write(tmp_path / "good.xml", POLL), write(tmp_path / "bad.xml", b"<html/>")
    assert run(["inspect", bad, good, str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert "oadrPoll: a VEN asks" in captured.out
    assert "bad.xml" in captured.err
    assert "is a directory" in captured.err


def test_standard_input() -> None:
    for arguments in (["inspect"], ["inspect", "-"]):
        done = run_command(*arguments, stdin=POLL)
        assert done.returncode == 0
        assert b"oadrPoll: a VEN asks" in done.stdout
    done = run_command("inspect", stdin=b"\xff\xfe")
    assert done.returncode == 1
    assert b"<stdin>" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_is_checked_and_its_certificate_shown(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    signed = sealed(kind)
    altered = signed.replace(b"<ei:venID>ven-1<", b"<ei:venID>ven-2<")
    assert run(["inspect", write(tmp_path / "signed.xml", signed), write(tmp_path / "altered.xml", altered)]) == 0
    good, bad = capsys.readouterr().out.split("altered.xml")
    assert "signed, intact" in good
    assert f"fingerprint: {fingerprint(pem(certificate(kind)))}" in good
    assert f"certificate: CN={kind}" in good
    assert "signed at: 2030-06-01T12:00:00" in good
    assert "signed, not intact" in bad
