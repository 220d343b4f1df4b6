"""The commands in the how-tos: `oadr` understands each, with the files that the commands before it have made."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import httpx2
import pytest

from oadr_transports.cli.app import cli, run
from oadr_transports.doctor.steps import TITLES
from tests.cli.command import running_command
from tests.transports.meters import KILOWATT, MINUTE, VOLT, Meter

HOWTO = Path(__file__).parents[2] / "docs" / "howto"


def commands(text: str) -> Iterator[list[str]]:
    """The arguments of every `oadr` command, in shell blocks and in tables."""
    for block in text.split("```sh\n")[1:]:
        for line in block.partition("```")[0].replace("\\\n", " ").splitlines():
            if line.startswith("oadr "):
                yield shlex.split(line, comments=True)[1:]
    for row in text.splitlines():
        if row.startswith("| ") and "`oadr " in row:
            yield shlex.split(row.partition("`")[2].partition("`")[0])[1:]


def understood(arguments: list[str]) -> None:
    """Raise what click raises for a command that it does not understand."""
    command: click.Command = cli
    context = None
    while isinstance(command, click.Group):
        name, *arguments = arguments
        context = click.Context(command, parent=context, info_name=name)
        found = command.get_command(context, name)
        assert found is not None, name
        command = found
    command.make_context(command.name, arguments, parent=context)


@pytest.mark.parametrize("name", ["certificates", "doctor"])
def test_commands_are_understood(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("secret.txt").write_text("open sesame\n")
    assert run(["cert", "generate"]) == 0 if name == "doctor" else True
    found = list(commands((HOWTO / f"{name}.md").read_text()))
    assert len(found) >= 2
    for arguments in found:
        understood(arguments)
        if arguments[:2] in (["cert", "generate"], ["cert", "show"]):
            assert run(arguments) == 0, arguments


def test_reports_are_collected_as_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command does its work, on a VTN that was started as the how-to says, with a VEN that reports."""
    monkeypatch.chdir(tmp_path)
    serve, *found = commands((HOWTO / "reports.md").read_text())
    assert serve[:2] == ["vtn", "serve"]
    with running_command(tmp_path / "err", *serve, "--port", "0", "--json") as vtn:
        url = vtn.wait("start")["url"]

        def post(service: str, data: bytes) -> bytes:
            return httpx2.post(f"{url}/{service}", content=data, headers={"Content-Type": "application/xml"}).content

        meter = Meter(post, "cold store", {"compressor": KILOWATT, "L1": VOLT}).offer()
        [request] = meter.requests
        meter.send(datetime.now(UTC).replace(microsecond=0) - 10 * MINUTE, [{"compressor": 42.0}] * 5)
        names = {"VEN-ID": meter.ven_id, "SPECIFIER-ID": "meters", "REQUEST-ID": request}
        for arguments in found:
            assert run([names.get(argument, argument) for argument in arguments]) == 0, arguments
    assert {path.name for path in tmp_path.iterdir()} >= {"load.csv", "load.parquet", "load.png", "load.svg"}


def test_every_step_is_told() -> None:
    text = (HOWTO / "doctor.md").read_text()
    assert all(f"\n| {title} | " in text for title in TITLES.values())
