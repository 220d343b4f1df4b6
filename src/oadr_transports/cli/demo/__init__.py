"""`oadr demo`: the main job, with nothing else installed or running.

It stands alone as the command; its parts are the play, the story that is told of it, two views, and the summary.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from rich.console import Console

    from .story import Story

DEADLINE_S: Final = 28.0
"""All must be over in half a minute, with the start of Python and the summary."""


@click.command
@click.option(
    "--save",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep every message as a file in DIR. An earlier transcript there is replaced.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="Port of the VTN; 0 takes a free one."
)
@click.option("--plain", is_flag=True, help="Lines instead of a picture, as when the output is not a terminal.")
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON; all else goes to standard error.")
def demo(save: Path | None, port: int, plain: bool, as_json: bool) -> int:
    """Watch a VTN and a VEN at work, for some 20 seconds.

    Both run here, and talk over real HTTP on this machine: the VEN registers and offers a report, the VTN asks for
    it and publishes an event with three prices, the VEN opts in, and its meter reports what the prices do.

    \b
    Examples:
      oadr demo
      oadr demo --save transcript          keep all messages, as XML
      oadr demo --plain                    lines only
      oadr demo --json 2>/dev/null         for programs

    Exit codes: 0 all was seen, 1 something was not seen within 28 seconds, 130 after Ctrl-C.
    """
    started = time.monotonic()
    import json

    from rich.console import Console

    from .. import INTERRUPTED
    from ..transcript import Transcript
    from ..until import run_until_stopped
    from . import summary
    from .story import Story

    transcript = Transcript.begin(save) if save is not None else None
    story = Story(clock=lambda: time.monotonic() - started, record=transcript.add if transcript is not None else None)
    console = Console(stderr=as_json)
    if run_until_stopped(partial(_perform, story, console, port=port, plain=plain, to_stderr=as_json)):
        return INTERRUPTED
    found = summary.as_dict(story, str(save) if save is not None else None)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        summary.tell(found, console)
    if not found["ok"]:
        click.echo(f"oadr: {summary.reason(found)}", err=True)
    return 0 if found["ok"] else 1


async def _perform(story: Story, console: Console, *, port: int, plain: bool, to_stderr: bool) -> None:
    """Play, with the view that fits, until the end or the deadline."""
    import anyio

    from .play import play

    async with anyio.create_task_group() as tasks:
        if plain or not _can_draw(console):
            from .lines import Lines

            story.told = Lines(to_stderr=to_stderr).told
        else:
            from .screen import show

            tasks.start_soon(show, story, console)
        with anyio.move_on_after(DEADLINE_S - story.clock()):
            await play(story, port=port)
        tasks.cancel_scope.cancel()


def _can_draw(console: Console) -> bool:
    """True for a terminal that is large enough and whose user has not asked for plainness."""
    from .screen import LOWEST, NARROWEST

    return (
        console.is_terminal
        and not console.no_color
        and not console.is_dumb_terminal
        and console.width >= NARROWEST
        and console.height >= LOWEST
    )
