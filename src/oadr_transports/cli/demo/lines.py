"""The demonstration as plain lines, for files, pipes and people who like it quiet.

It stands alone as one of two views of a :class:`.Story`.
"""

from __future__ import annotations

import time
from typing import Final

import click

from ..say import COLOURS, put
from .story import Entry, Message

_ARROWS: Final = {True: "VEN -> VTN", False: "VTN -> VEN"}


class Lines:
    """Prints each thing when it happens; to standard error if ``to_stderr``."""

    def __init__(self, *, to_stderr: bool) -> None:
        self._to_stderr = to_stderr

    def told(self, what: Entry | Message) -> None:
        """Print one thing; polls and their empty answers are left out."""
        if isinstance(what, Message):
            if not what.silent:
                self._print(what.at_s, f"{_ARROWS[what.to_vtn]}  {what.name} ({what.size} bytes)", "message")
        else:
            self._print(what.at_s, f"{what.side:<10}  {what.text}", what.kind)

    def _print(self, at_s: float, text: str, kind: str) -> None:
        stamp = click.style(f"{time.strftime('%H:%M:%S')}  {at_s:6.2f} s", fg="bright_black")
        put(f"{stamp}  {click.style(text, fg=COLOURS.get(kind))}", err=self._to_stderr)
