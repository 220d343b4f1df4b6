"""`oadr vtn report`: reports of a running VTN steered from another terminal, and values in files and pictures."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import httpx2
import pytest
from lxml import etree
from pyarrow import parquet

from oadr_core.model import PayloadResourceStatus
from oadr_transports.cli.app import run
from tests.cli.command import OADR, Command, run_command, running_command
from tests.transports.meters import KILOWATT, MINUTE, VOLT, Meter

HOUR_AGO = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
BAD = "Quality Bad - Device Failure"


class Running:
    """A VTN with a state, what the commands say to it, and VENs that talk to it."""

    def __init__(self, command: Command, folder: Path) -> None:
        self.url = command.wait("start")["url"]
        self.command = command
        self.state = folder / "vtn.db"

    def ask(self, *arguments: str) -> Any:
        """The JSON of a command that does its work."""
        return json.loads(self.say(*arguments, "--json"))

    def say(self, *arguments: str) -> str:
        """What a command says to people."""
        with redirect_stdout(StringIO()) as said:
            assert run(["vtn", *arguments, "--admin", f"{self.state}.admin"]) == 0
        return said.getvalue()

    def post(self, service: str, data: bytes) -> bytes:
        reply = httpx2.post(f"{self.url}/{service}", content=data, headers={"Content-Type": "application/xml"})
        assert reply.status_code == 200
        return reply.content

    def meter(self, name: str = "cold store") -> Meter:
        return Meter(self.post, name, {"compressor": KILOWATT, "L1": VOLT})


def readings(count: int) -> list[dict[str, Any]]:
    return [
        {"compressor": 40.0 + minute, "L1": (230.5, BAD if minute == 2 else "Quality Good - Non Specific")}
        for minute in range(count)
    ]


@pytest.fixture
def vtn(tmp_path: Path) -> Iterator[Running]:
    state = str(tmp_path / "vtn.db")
    with running_command(tmp_path / "err", "vtn", "serve", "--json", "--port", "0", "--state", state) as command:
        yield Running(command, tmp_path)
        assert "Traceback" not in command.errors


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A VTN that has an event, and values from two VENs; tests only read."""
    folder = tmp_path_factory.mktemp("used")
    state = str(folder / "vtn.db")
    with running_command(folder / "err", "vtn", "serve", "--json", "--port", "0", "--state", state) as command:
        vtn = Running(command, folder)
        start = (datetime.now(UTC) - timedelta(minutes=10)).isoformat()
        vtn.say("event", "create", f"SIMPLE:level:{start}:1x20m,2x30m", "--event-id", "e1")
        for name in ("cold store", "school, old"):
            meter = vtn.meter(name).offer()
            meter.send(HOUR_AGO, readings(4))
        on = PayloadResourceStatus(oadr_online=True, oadr_manual_override=False)
        Meter(vtn.post, "valve", {"valve": None}).offer().send(HOUR_AGO, [{"valve": on}, {"valve": on}])
        yield vtn
        assert "Traceback" not in command.errors


# --- offered, requested, cancelled ----------------------------------------------------------------------------------


def test_list_shows_what_is_offered_requested_and_received(vtn: Running) -> None:
    meter = vtn.meter().offer()
    meter.send(HOUR_AGO, readings(3))
    found = vtn.ask("report", "list")
    [offer] = found["reports"]
    assert [point["r_id"] for point in offer["data_points"]] == ["compressor", "L1"]
    assert offer["data_points"][0]["scale"] == "k"
    [request] = found["report_requests"]
    assert (request["kind"], request["state"], request["wanted_by"]) == ("periodic", "confirmed", "policy")
    assert {one["r_id"]: (one["count"], one["last"]["value"]) for one in found["series"]} == {
        "compressor": (3, 42.0),
        "L1": (3, 230.5),
    }
    said = vtn.say("report", "list")
    assert "cold store" in said
    assert "42 kW" in said
    assert "230.5 V (bad)" in said
    assert vtn.ask("report", "list", "--ven", meter.ven_id)["reports"] == found["reports"]


def test_reports_are_requested_and_cancelled(vtn: Running) -> None:
    meter = vtn.meter().offer()
    asked = ("report", "request", meter.ven_id, "meters")
    made = vtn.ask(*asked, "--r-id", "L1", "--granularity", "2m", "--back", "10m", "--duration", "2h")
    assert (made["kind"], made["state"], made["wanted_by"]) == ("periodic", "waiting", "operator")
    assert (made["r_ids"], made["granularity"], made["report_back_duration"]) == (["L1"], "PT2M", "PT10M")
    assert made["duration"] == "PT2H"
    assert vtn.ask(*asked, "--once")["kind"] == "once"
    metadata = vtn.ask("report", "request", meter.ven_id, "--metadata")
    assert metadata["kind"] == "metadata"
    meter.fetch()
    states = {one["report_request_id"]: one["state"] for one in vtn.ask("report", "list")["report_requests"]}
    assert states[made["report_request_id"]] == "confirmed"
    one = made["report_request_id"]
    [left] = vtn.ask("report", "cancel", meter.ven_id, one, "--report-to-follow")["report_requests"]
    assert left["state"] == "cancelling"
    reply = meter.send(HOUR_AGO, [{"L1": 231.0}], request=one)
    assert reply.oadr_cancel_report is not None
    assert reply.oadr_cancel_report.report_request_id == (one,)
    assert reply.oadr_cancel_report.report_to_follow


def test_policy_is_shown_changed_and_reset(vtn: Running) -> None:
    meter = vtn.meter().offer()
    assert vtn.ask("report", "policy")["rules"] == [{"ask": "periodic", "report_name": "TELEMETRY_*"}]
    changed = vtn.ask("report", "policy", "periodic,unit=voltage,granularity=2m,back=10m", "nothing")
    assert changed["rules"][0] == {
        "ask": "periodic",
        "unit": "voltage",
        "granularity": 120.0,
        "report_back_duration": 600.0,
    }
    meter.fetch()
    wanted = {one["state"]: one["r_ids"] for one in vtn.ask("report", "list")["report_requests"]}
    assert wanted["confirmed"] == ["L1"]
    shown = vtn.say("report", "policy")
    assert shown.split() == ["periodic,unit=voltage,granularity=2m,back=10m", "nothing"]
    assert vtn.say("report", "policy", *shown.split()) == shown
    assert "nothing is asked for" in vtn.say("report", "policy", "--none")
    assert "TELEMETRY_*" in vtn.say("report", "policy", "--reset")


def test_serve_says_what_happens_to_reports(vtn: Running) -> None:
    meter = vtn.meter().offer()
    assert vtn.command.wait("report", lambda seen: seen["change"] == "offered")["reports"] == {
        "meters": ["compressor", "L1"]
    }
    vtn.command.wait("report", lambda seen: seen["change"] == "agreed")
    meter.send(HOUR_AGO, readings(200))
    seen = vtn.command.wait("report", lambda seen: seen["change"] == "received")
    assert (seen["count"], len(seen["values"])) == (400, 100)
    assert seen["values"][-1]["unit"] == "V"
    assert "reports 400 values" in seen["text"]
    assert len(seen["text"]) < 200


def test_serve_asks_for_what_its_options_say(tmp_path: Path) -> None:
    serve = ("vtn", "serve", "--json", "--port", "0", "--state", str(tmp_path / "vtn.db"))
    with running_command(tmp_path / "err", *serve, "--no-reports", "--keep-values", "1h") as command:
        vtn = Running(command, tmp_path)
        assert vtn.meter().offer().requests == {}
        assert vtn.ask("report", "policy")["rules"] == []
        command.interrupt()
    with running_command(tmp_path / "err", *serve, "--report-policy", "periodic,r-id=L*,back=10m") as command:
        vtn = Running(command, tmp_path)
        vtn.meter("other").offer()
        [request] = [one for one in vtn.ask("report", "list")["report_requests"] if one["ven_name"] == "other"]
        assert (request["r_ids"], request["report_back_duration"]) == (["L1"], "PT10M")


# --- export ---------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["running", "database"])
def where(request: pytest.FixtureRequest, used: Running) -> list[str]:
    return ["--admin", f"{used.state}.admin"] if request.param == "running" else ["--state", str(used.state)]


def export(*arguments: str) -> bytes:
    done = run_command("vtn", "report", "export", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_export_as_csv(where: list[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(export(*where).decode())))
    assert len(rows) == 2 * 8 + 2
    first = next(row for row in rows if row["r_id"] == "compressor" and row["ven_name"] == "school, old")
    assert (first["measurement"], first["unit"], first["scale"], first["value"]) == ("PowerReal", "W", "k", "40.0")
    assert datetime.fromisoformat(first["start"]) == HOUR_AGO
    assert (first["resource_id"], first["duration"]) == ("compressor", "60.0")
    assert {row["data_quality"] for row in rows if row["r_id"] == "L1"} == {BAD, "Quality Good - Non Specific"}
    [state, _] = [json.loads(row["state"]) for row in rows if row["state"]]
    assert state == {"oadr_online": True, "oadr_manual_override": False}


def test_export_as_json_and_parquet_says_the_same(where: list[str], tmp_path: Path) -> None:
    lines = [json.loads(line) for line in export(*where, "--json").splitlines()]
    export(str(tmp_path / "values.parquet"), *where)
    table = parquet.read_table(tmp_path / "values.parquet")
    assert str(table.schema.field("start").type) == "timestamp[us, tz=UTC]"
    assert str(table.schema.field("value").type) == "double"
    rows = table.to_pylist()
    assert len(rows) == len(lines) == 18
    for row, line in zip(rows, lines, strict=True):
        known = {name: value for name, value in row.items() if value is not None}
        for name in ("start", "received_at"):
            line[name] = datetime.fromisoformat(line[name])
        assert known == line
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".new"]


def test_export_of_some_values(where: list[str], used: Running) -> None:
    def count(*arguments: str) -> int:
        return len(export(*where, "--json", *arguments).splitlines())

    assert count("--r-id", "L1") == 8
    [ven_id] = [one["ven_id"] for one in used.ask("ven", "list")["vens"] if one["ven_name"] == "cold store"]
    assert count("--ven", ven_id) == 8
    assert count("--report", "meters") == 18
    since, until = (HOUR_AGO + MINUTE).isoformat(), (HOUR_AGO + 3 * MINUTE).isoformat()
    assert count("--since", since, "--until", until, "--r-id", "L1") == 4
    assert count("--since", "5m") == 0
    assert count("--since", HOUR_AGO.date().isoformat()) == 18


def test_form_follows_the_name_of_the_file(where: list[str], tmp_path: Path) -> None:
    export(str(tmp_path / "v.csv"), *where)
    export(str(tmp_path / "v.jsonl"), *where)
    assert (tmp_path / "v.csv").read_text().startswith("ven_id,")
    assert json.loads((tmp_path / "v.jsonl").read_text().splitlines()[0])["ven_id"]


def test_a_long_export_shows_on_a_terminal_how_far_it_is(used: Running, tmp_path: Path) -> None:
    """Only there: no pipe and no file ever gets the counter."""
    control, terminal = pty.openpty()
    command = [*OADR, "vtn", "report", "export", str(tmp_path / "v.csv"), "--state", str(used.state)]
    done = subprocess.run(command, stdout=terminal, stderr=terminal, check=False, timeout=60)
    os.close(terminal)
    assert done.returncode == 0
    assert b"\r" in os.read(control, 1000)
    os.close(control)
    assert run_command(*command[len(OADR) :]).stderr == b""


# --- plot -----------------------------------------------------------------------------------------------------------


def test_plot_draws_lines_events_and_bad_values(where: list[str], tmp_path: Path) -> None:
    done = run_command("vtn", "report", "plot", str(tmp_path / "load.svg"), *where, "--title", "Winter <2030>")
    assert done.returncode == 0, done.stderr
    assert b"drawn 16 values of 4 data points" in done.stdout
    texts = "\n".join(etree.parse(tmp_path / "load.svg").getroot().itertext())
    for expected in (
        "Winter <2030>",
        "cold store",
        "school, old",
        "kW (PowerReal)",
        "V (Voltage)",
        "quality bad (2)",
        "UTC",
    ):
        assert expected in texts


def test_plot_shades_the_events_of_its_time(vtn: Running, tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    vtn.say("event", "create", f"SIMPLE:level:{(now - 10 * MINUTE).isoformat()}:1x20m,2x30m")
    vtn.meter().offer().send(now - 5 * MINUTE, [{"L1": 230.0}])
    named = ("--state", str(vtn.state))
    assert run_command("vtn", "report", "plot", str(tmp_path / "a.svg"), *named).returncode == 0
    assert run_command("vtn", "report", "plot", str(tmp_path / "b.svg"), *named, "--no-events").returncode == 0
    assert "SIMPLE level" in (tmp_path / "a.svg").read_text()
    assert "SIMPLE level" not in (tmp_path / "b.svg").read_text()


def test_plot_as_png_needs_no_display(used: Running, tmp_path: Path) -> None:
    command = [*OADR, "vtn", "report", "plot", str(tmp_path / "load.png"), "--state", str(used.state)]
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment["MPLBACKEND"] = "tkagg"
    done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "load.png").read_bytes().startswith(b"\x89PNG")


def test_database_is_read_when_no_vtn_runs(tmp_path: Path) -> None:
    state = str(tmp_path / "vtn.db")
    with running_command(tmp_path / "err", "vtn", "serve", "--json", "--port", "0", "--state", state) as command:
        vtn = Running(command, tmp_path)
        vtn.meter().offer().send(HOUR_AGO, readings(3))
        assert command.interrupt()[0] == 0
    assert len(export("--state", state).splitlines()) == 1 + 6
    assert run_command("vtn", "report", "plot", str(tmp_path / "x.svg"), "--state", state).returncode == 0


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["list", "--ven", "none"], 1, "there is no VEN 'none'"),
        (["request", "none", "meters"], 1, "not registered"),
        (["request", "VEN"], 2, "a SPECIFIER-ID is expected, or --metadata"),
        (["request", "VEN", "meters", "--metadata"], 2, "a SPECIFIER-ID is expected, or --metadata"),
        (["request", "VEN", "meters", "--once", "--on-change"], 2, "exclude each other"),
        (["request", "VEN", "meters", "--history"], 1, "is no history report"),
        (["request", "VEN", "other"], 1, "not 'other'"),
        (["request", "VEN", "meters", "--r-id", "none"], 1, "none"),
        (["request", "VEN", "meters", "--start", "soon"], 2, "24h (ago), 2030-01-31"),
        (["cancel", "VEN", "none"], 1, "was not requested"),
        (["policy", "often"], 2, "periodic, on-change, once, history, nothing"),
        (["policy", "once", "--none"], 2, "exclude each other"),
        (["policy", "once,colour=red"], 2, "FIELD=VALUE is expected"),
        (["plot", "load.pdf"], 2, "ends in .png or .svg"),
        (["plot", "load.png", "--r-id", "none"], 1, "there are no numbers"),
        (["export", "--since", "2030-01-01T00:00:00"], 2, "no time zone"),
        (["export", "/no/such/folder/x.csv"], 1, "No such file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_refusals_are_one_line(
    used: Running,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    [ven_id, *_] = [one["ven_id"] for one in used.ask("ven", "list")["vens"]]
    named = [ven_id if argument == "VEN" else argument for argument in arguments]
    assert run(["vtn", "report", *named, "--admin", f"{used.state}.admin"]) == code
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def test_offline_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["vtn", "report", "export", "--state", str(tmp_path / "none.db")]) == 1
    assert "there is no" in capsys.readouterr().err
    (tmp_path / "text.db").write_text("no database, but a text that is long enough to look at")
    assert run(["vtn", "report", "export", "--state", str(tmp_path / "text.db")]) == 1
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "extra", "arguments"),
    [("pyarrow", "parquet", ["export", "x.parquet"]), ("matplotlib", "plot", ["plot", "x.png"])],
)
def test_a_missing_extra_is_named_before_anything_is_written(
    tmp_path: Path, module: str, extra: str, arguments: list[str]
) -> None:
    code = (
        f"import sys\nsys.modules[{module!r}] = None\nfrom oadr_transports.cli import main\n"
        f"main(['vtn', 'report', *{arguments!r}, '--state', 'none.db'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert f"pip install 'oadr[{extra}]'" in line
    assert not list(tmp_path.iterdir())
