"""The passphrase of a private key, as the commands are given it.

It stands alone because several commands open keys. The better way is a file: what stands on a command line is seen by
everybody who can list the processes of the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from .failures import Failed

_F = TypeVar("_F", bound=Callable[..., Any])
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def passphrase_options(what: str) -> Callable[[_F], _F]:
    """The options ``--passphrase`` and ``--passphrase-file``; ``what`` says what for."""

    def decorate(command: _F) -> _F:
        command = click.option("--passphrase", metavar="TEXT", help="The same on the command line: for tests.")(command)
        return click.option(
            "--passphrase-file", type=_FILE, metavar="FILE", help=f"A file whose first line {what}."
        )(command)

    return decorate


def passphrase_of(text: str | None, path: Path | None) -> str | None:
    """The passphrase, from whichever option gave it.

    Raises ``click.UsageError`` for both at once, and for an empty one; :class:`.Failed` for a file that has none.
    """
    if text is not None and path is not None:
        raise click.UsageError("give --passphrase or --passphrase-file, not both")
    if text == "":
        raise click.UsageError("--passphrase: the text is empty")
    return _first_line(path) if text is None else text


def passphrase_again(text: str | None, path: Path | None) -> list[str]:
    """The option as it was given, for a command that is told to be copied."""
    if path is not None:
        return ["--passphrase-file", str(path)]
    return [] if text is None else ["--passphrase", text]


def _first_line(path: Path | None) -> str | None:
    """The first line of a file. Raises :class:`.Failed` where there is none."""
    if path is None:
        return None
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise Failed(f"--passphrase-file: {path} is not text in UTF-8") from None
    if not lines or not lines[0]:
        raise Failed(f"--passphrase-file: the first line of {path} is empty")
    return lines[0]
