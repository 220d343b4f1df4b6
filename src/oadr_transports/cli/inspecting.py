"""`oadr inspect`: what a message says, in words a person can read.

It stands alone as the command and its drawing; the words come from :mod:`.wording`.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from .failures import Failed
from .files import STDIN, read, shown_name

if TYPE_CHECKING:
    from rich.console import Console

    from oadr_core import Envelope

    from .signatures import SignatureFacts
    from .wording import Grid

_WIDE: Final = 160
"""Columns where the output is no terminal: enough for every table, and nobody has to look at the wrapping."""


@click.command
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--strict", is_flag=True, help="Refuse what a tolerant reader lets pass.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for each message one.")
def inspect(files: tuple[str, ...], strict: bool, as_json: bool) -> int:
    """Show what messages say, in words.

    That is kind, parties, events with their intervals, reports with their values, signature and deviations. Times are
    shown in UTC and in local time. Without a FILE, or for -, standard input is read.

    \b
    Examples:
      oadr inspect message.xml
      oadr inspect transcript/*DistributeEvent.xml
      curl -s https://vtn.example/message.xml | oadr inspect
      oadr inspect --json message.xml | jq .payload

    Exit codes: 0 all were read, 1 some were not, 2 wrong use.
    """
    if not files and sys.stdin.isatty():
        raise click.UsageError("a FILE is expected, or a message on standard input")
    names = files or (STDIN,)
    results = [_inspect(name, strict=strict, as_json=as_json, first=not index) for index, name in enumerate(names)]
    return 0 if all(results) else 1


def _inspect(name: str, *, strict: bool, as_json: bool, first: bool) -> bool:
    from oadr_core import RemoteError, decode

    try:
        data = read(name)
        envelope = decode(data, strict=strict)
    except (Failed, RemoteError) as error:
        _refuse(name, error, as_json=as_json)
        return False
    if as_json:
        click.echo(json.dumps(_json(name, data, envelope)))
    else:
        _draw(name, data, envelope, first=first)
    return True


def _refuse(name: str, error: Exception, *, as_json: bool) -> None:
    from .say import clean

    if as_json:
        found = {"file": shown_name(name), "ok": False, "error": clean(error), "kind": type(error).__name__}
        click.echo(json.dumps({**found, **_place(error)}))
    else:
        text = clean(error)
        source = shown_name(name)
        click.echo(f"oadr: {text if text.startswith(source) else f'{source}: {text}'}", err=True)


def _place(error: Exception) -> dict[str, Any]:
    return {key: getattr(error, key) for key in ("path", "line", "rule") if getattr(error, key, None)}


def _json(name: str, data: bytes, envelope: Envelope) -> dict[str, Any]:
    import attrs

    from oadr_core.wire import to_json

    from .signatures import signature_facts

    return {
        "file": shown_name(name),
        "ok": True,
        "message": type(envelope.payload).__element__.partition(":")[2],
        "payload": to_json(envelope.payload),
        "signature": signature_facts(data).json if envelope.signed else None,
        "deviations": [attrs.asdict(deviation) for deviation in envelope.deviations],
    }


def _draw(name: str, data: bytes, envelope: Envelope, *, first: bool) -> None:
    from rich.console import Console
    from rich.text import Text

    from .say import clean
    from .signatures import signature_facts
    from .wording import Fact, blocks, headline

    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
    if not first:
        console.print()
    console.print(Text(shown_name(name), style="bright_black"))
    console.print(Text(headline(envelope.payload), style="bold"))
    for block in blocks(envelope.payload):
        if isinstance(block, Fact):
            line = Text("  " * (block.depth + 1))
            line.append(block.name, style="cyan")
            console.print(line.append(f": {block.text}" if block.text else ""))
        else:
            _draw_grid(block, console)
    if envelope.signed:
        _draw_signature(signature_facts(data), console)
    else:
        console.print(Text("  not signed", style="bright_black"))
    for deviation in envelope.deviations:
        console.print(Text(f"  deviation: {clean(deviation)}", style="yellow"))


def _draw_grid(grid: Grid, console: Console) -> None:
    from rich import box
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    indent = 2 * (grid.depth + 1)
    console.print(Padding(Text(grid.title, style="cyan"), (0, 0, 0, indent), expand=False))
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in grid.columns:
        table.add_column(column, justify="right" if column == "value" else "left", overflow="fold")
    for row in grid.rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(Padding(table, (0, 0, 0, indent + 2), expand=False))


def _draw_signature(facts: SignatureFacts, console: Console) -> None:
    from rich.text import Text

    from .wording import instant

    style = {True: "green", False: "red", None: "yellow"}[facts.intact]
    console.print(Text("  signed, ", style="cyan").append(facts.text, style=style))
    for label, text in (
        ("fingerprint", facts.fingerprint),
        ("certificate", facts.subject),
        ("valid", facts.valid),
        ("signed at", None if facts.timestamp is None else instant(facts.timestamp)),
    ):
        if text:
            console.print(Text(f"    {label}", style="cyan").append(f": {text}", style="default"))
