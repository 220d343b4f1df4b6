"""The files and commands in a page of the documentation, so that a test can do what it says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parents[3] / "docs"
DEADLINE_S = 240
_BLOCK = re.compile(r"```(\w+)\n(.*?)```(?:\n+```text\n(.*?)```)?", re.DOTALL)


class Command(NamedTuple):
    """A command, and the lines that it is said to print."""

    arguments: list[str]
    output: list[str]


def lay_out(page: str, folder: Path) -> set[str]:
    """Write the files of a page: the Python blocks that begin with a name in a comment."""
    names = set()
    for language, text, _ in _BLOCK.findall((DOCS / page).read_text()):
        first, _, rest = text.partition("\n")
        if language == "python" and first.startswith("# ") and first.endswith(".py"):
            (folder / first.removeprefix("# ")).write_text(rest)
            names.add(first.removeprefix("# "))
    return names


def commands(page: str) -> list[Command]:
    """The commands of a page."""
    return [
        Command(shlex.split(line), output.splitlines())
        for language, text, output in _BLOCK.findall((DOCS / page).read_text())
        if language == "sh"
        for line in text.splitlines()
    ]


def run(folder: Path, *arguments: str) -> list[str]:
    """Run our Python there, and return what it prints; it must end well."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()
