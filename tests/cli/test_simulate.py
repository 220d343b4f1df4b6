"""`oadr simulate`, run as its users run it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from oadr_transports.cli.app import run
from oadr_transports.simulation.plot import FORMATS
from tests.cli.command import OADR, run_command

ROOT = Path(__file__).parents[2]
SMALL = ("simulate", "--vens", "3", "--hours", "1", "--events", "24", "--typed")


def test_the_figures_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*SMALL, "--loss", "0.1"]) == 0
    said = capsys.readouterr().out
    for word in ("versions delivered", "values received", "polls", "exchanges", "all held"):
        assert word in said


def test_the_same_options_give_the_same_figures_and_another_seed_others() -> None:
    found = []
    for seed in ("3", "3", "4"):
        done = run_command(*SMALL, "--loss", "0.1", "--crashes", "10", "--seed", seed, "--json")
        assert done.returncode == 0, done.stderr.decode()
        found.append(json.loads(done.stdout))
    assert found[0]["ok"]
    assert found[0]["exchanges"] > 50
    for changing in ("took_s", "exchanges_per_s", "times_real_time"):
        for one in found:
            del one[changing]
    assert found[0] == found[1]
    assert found[0]["digest"] != found[2]["digest"]


def test_seeds_are_searched_in_several_processes() -> None:
    done = run_command(*SMALL, "--seeds", "4", "--jobs", "2", "--json")
    assert done.returncode == 0, done.stderr.decode()
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(one["seed"] for one in found) == [0, 1, 2, 3]


@pytest.mark.parametrize("ending", FORMATS)
def test_a_picture_is_drawn(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"fleet{ending}"
    assert run([*SMALL, "--plot", str(path), "--json"]) == 0
    start = path.read_bytes()[:300]
    assert {".svg": b"<svg", ".png": b"\x89PNG", ".pdf": b"%PDF"}[ending] in path.read_bytes()[:2000], start


def test_a_picture_in_another_form_is_refused_before_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*SMALL, "--plot", "fleet.docx"]) == 2
    assert ".svg, .png, .pdf" in capsys.readouterr().err


def test_a_picture_for_which_there_is_no_place_is_refused_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*SMALL, "--plot", str(tmp_path / "nowhere" / "fleet.svg")]) == 2
    said = capsys.readouterr()
    assert "cannot be written" in said.err
    assert not said.out


@pytest.mark.parametrize("option", ["--hours", "--loss", "--events", "--delay"])
def test_what_is_no_number_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", option, "nan"]) == 2
    assert "nan is no number" in capsys.readouterr().err


def test_a_failure_is_told_with_the_shortest_history(tmp_path: Path) -> None:
    """A VTN that never distributes again what was lost."""
    source, folder = tmp_path / "src", tmp_path / "history"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    target = source / "oadr_core" / "vtn" / "events.py"
    text = target.read_text()
    planted = text.replace("    return turn.again_at(delivery.sent_at)", "    return None")
    assert planted != text
    target.write_text(planted)
    fleet = ("--vens", "10", "--hours", "4", "--events", "24", "--sample", "0", "--push", "1", "--loss", "0.2")
    done = subprocess.run(
        [*OADR, "simulate", *fleet, "--seeds", "20", "--transcript", str(folder)],
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "each always event is answered by each reachable VEN" in done.stdout
    assert "The shortest history" in done.stdout
    assert "1 VEN," in done.stdout
    story = (folder / "transcript.txt").read_text()
    assert story.startswith("seed ")
    assert "the reply is lost" in story or "the request is lost" in story
    assert "oadrDistributeEvent" in story
    assert list(folder.glob("*.oadrDistributeEvent.xml")), "the messages themselves"
