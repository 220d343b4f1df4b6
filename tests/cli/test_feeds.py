"""Values for `oadr ven run --report` from lines, files and commands."""

from __future__ import annotations

import io
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from oadr_transports.cli.feeds import Lines, printed, recorded
from tests.cli.command import running_command

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def read_all(text: str) -> tuple[Lines, list[str]]:
    complaints: list[str] = []
    lines = Lines(io.StringIO(text), complaints.append)
    lines.read()
    return lines, complaints


def test_newest_line_counts() -> None:
    lines, complaints = read_all("1\n\n 2.5 \n")
    assert lines.source("boiler:powerReal")() == 2.5
    assert not complaints


def test_line_may_name_its_data_point() -> None:
    lines, _ = read_all("7\nboiler:powerReal 1\nheat pump:voltage 2\n")
    assert [lines.source(r_id)() for r_id in ("boiler:powerReal", "heat pump:voltage", "other")] == [1.0, 2.0, 7.0]


def test_line_for_all_goes_before_older_ones() -> None:
    lines, _ = read_all("a 1\n2\n")
    assert lines.source("a")() == 2.0


def test_before_the_first_line_there_is_no_value() -> None:
    lines, complaints = read_all("nonsense\n")
    assert lines.source("a")() is None
    assert len(complaints) == 1
    assert "nonsense" in complaints[0]


def test_rows_of_a_period_come_from_the_file_as_it_is_now(tmp_path: Path) -> None:
    path = tmp_path / "meter.csv"
    path.write_text("time,value\n2026-05-04T11:00:00Z,1\n2026-05-04T12:00:00+00:00, 2\n\n2026-05-04T14:00:00+01:00,3\n")
    read = recorded(path)
    assert read(NOON, NOON + HOUR, HOUR) == [(NOON, 2.0), (NOON + HOUR, 3.0)]
    with path.open("a") as file:
        file.write("2026-05-04T12:30:00Z,4\n")
    assert len(read(NOON, NOON + HOUR, HOUR)) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-05-04T12:00:00Z,1\n2026-05-04T12:00:00,2\n", "line 2: the time has no zone"),
        ("time,value\nnoon,1\n", "line 2"),
        ("2026-05-04T12:00:00Z\n", "line 1"),
    ],
)
def test_rows_that_cannot_be_read_are_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "meter.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        recorded(path)(NOON, NOON + HOUR, HOUR)


def test_command_prints_its_value() -> None:
    assert printed(f"{sys.executable} -c 'print(21.5, 7)'")() == 21.5
    with pytest.raises(subprocess.CalledProcessError):
        printed(f"{sys.executable} -c 'raise SystemExit(1)'")()


def test_values_of_every_source_reach_a_vtn(tmp_path: Path) -> None:
    path = tmp_path / "meter.csv"
    path.write_text(
        "".join(f"{datetime.now(UTC) + n * timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ},4\n" for n in range(90))
    )
    reports = {
        "a:powerReal/kW": "1s:1.5",
        "b:voltage": "1s:-",
        "c:temperature/fahrenheit": f"1s:!{sys.executable} -c print(3)",
        "d:current": f"1s:@{path}",
        "e:status": "1s",
        "f:pulseCount/0.001": "1s",
    }
    lines = tmp_path / "lines"
    lines.write_text("1\n2\n")
    options = [word for name, rest in reports.items() for word in ("--report", f"{name}:{rest}")]
    with running_command(tmp_path / "vtn.err", "vtn", "serve", "--json", "--port", "0", "--poll", "1s") as vtn:
        run = ("ven", "run", "--json", "--vtn-url", vtn.wait("start")["url"], "--ven-name", "v", "--no-jitter")
        run = (*run, *options, "--history", str(tmp_path / "history.db"))
        with running_command(tmp_path / "ven.err", *run, stdin=lines) as ven:
            wanted = {"a:powerReal": 1.5, "b:voltage": 2.0, "c:temperature": 3.0, "d:current": 4.0}
            for r_id, value in wanted.items():
                ven.wait(
                    "report",
                    lambda seen, r_id=r_id, value=value: (
                        seen["change"] == "delivered"
                        and any((each["r_id"], each["value"]) == (r_id, value) for each in seen["values"])
                    ),
                )
            for r_id in ("e:status", "f:pulseCount"):
                ven.wait(
                    "report",
                    lambda seen, r_id=r_id: (
                        seen["change"] == "delivered" and any(each["r_id"] == r_id for each in seen["values"])
                    ),
                )
            assert ven.interrupt()[0] == 0
            assert ven.errors == ""


def test_metering_example_runs_as_it_stands(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples" / "metering.py"
    with running_command(tmp_path / "vtn.err", "vtn", "serve", "--json", "--port", "0", "--poll", "1s") as vtn:
        command = [sys.executable, str(example), vtn.wait("start")["url"]]
        with (tmp_path / "out").open("w") as out:
            ven = subprocess.Popen(command, cwd=tmp_path, stdout=out, stderr=subprocess.STDOUT)
        try:
            received = vtn.wait(
                "report", lambda seen: seen["change"] == "received" and seen["values"][0]["unit"] == "kW"
            )
            assert 0.5 <= received["values"][0]["value"] <= 2.5
            assert ven.poll() is None
        finally:
            ven.kill()
            ven.wait()
