"""The how-to for a transport of one's own is run, block by block, in an empty folder, as somebody would who has nothing
else."""

from __future__ import annotations

from pathlib import Path

import pytest

from oadr_transports.testing import Lack, StoreLack, carrier_checks
from tests.transports.testing.blocks import DOCS, Command, commands, lay_out, run

PAGE = "howto/own-transport.md"
COMMANDS = commands(PAGE)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.arguments[:5]))
def test_command_works_and_says_what_is_promised(tmp_path: Path, command: Command) -> None:
    lay_out(PAGE, tmp_path)
    assert command.arguments[0] == "python"
    said = run(tmp_path, *command.arguments[1:])
    assert [line for line in command.output if line not in said] == []


def test_tests_in_it_pass(tmp_path: Path) -> None:
    tests = sorted(name for name in lay_out(PAGE, tmp_path) if name.startswith("test_"))
    assert tests == ["test_our_store.py", "test_unix_carrier.py"]
    run(tmp_path, "-m", "pytest", "-q", *tests)


def test_everything_is_told_of() -> None:
    text = (DOCS / PAGE).read_text()
    assert len(COMMANDS) == 3
    for name in (*carrier_checks(), *Lack, *StoreLack):
        assert f"`{name}`" in text or f'"{name}"' in text, name
