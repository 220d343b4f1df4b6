"""`oadr doctor`: why a VEN cannot talk to its VTN, and what to do.

It stands alone as the command and its drawing; what is examined and how it is judged is in
:mod:`oadr_transports.doctor`.
"""

from __future__ import annotations

import json
import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from .options import Number
from .passphrase import passphrase_again, passphrase_of, passphrase_options

if TYPE_CHECKING:
    from oadr_transports.doctor import Checked, Diagnosis, Options, Status

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_WIDE: Final = 160
"""Columns where the output is no terminal."""
_STYLES: Final = {"ok": "green", "failed": "bold red", "skipped": "bright_black"}


def _fingerprints(context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> tuple[str, ...]:
    if not texts:
        return ()
    from oadr_core import LocalError
    from oadr_core.security import normal_fingerprint

    try:
        return tuple(normal_fingerprint(text) for text in texts)
    except LocalError as error:
        raise click.BadParameter(error.text, context, parameter) from None


@click.command
@click.argument("url")
@click.option("--cert", type=_FILE, metavar="FILE", help="Certificate of the VEN (PEM), for TLS and for signing.")
@click.option("--key", type=_FILE, metavar="FILE", help="Its private key (PEM).")
@passphrase_options("opens the key")
@click.option("--ca", "--ca-file", "ca_file", type=_FILE, metavar="FILE", help="Authorities of the VTN (PEM).")
@click.option(
    "--vtn-fingerprint",
    "vtn_fingerprints",
    multiple=True,
    metavar="HEX",
    callback=_fingerprints,
    help="What the VTN's fingerprint should be. May be repeated, for a VTN with several certificates.",
)
@click.option("--ven-name", metavar="NAME", help="What the VEN is called, for the advice; nothing is registered.")
@click.option(
    "--timeout",
    type=Number(0, 600, min_open=True),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long one step may take.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def doctor(
    url: str,
    cert: Path | None,
    key: Path | None,
    passphrase_file: Path | None,
    passphrase: str | None,
    ca_file: Path | None,
    vtn_fingerprints: tuple[str, ...],
    ven_name: str | None,
    timeout: float,
    as_json: bool,
) -> int:
    """Find out why a VEN cannot talk to the VTN at URL.

    Looks at the URL, the files, name and connection, TLS, the VTN's certificate, whether it accepts the VEN's, its
    fingerprint, HTTP, the clocks, and asks what the VTN offers. For the first thing that is wrong it says what it is,
    and what to do. Nothing is changed at the VTN. The options are those of oadr ven run.

    \b
    Examples:
      oadr doctor http://localhost:8080/OpenADR2/Simple/2.0b
      oadr doctor https://vtn.example/OpenADR2/Simple/2.0b --cert ven1.pem --key ven1.key --ca ca.pem
      oadr doctor https://vtn.example/OpenADR2/Simple/2.0b --json | jq .failure

    Exit codes: 0 all is well, 1 something is wrong, 2 wrong use.
    """
    from oadr_transports.doctor import Options, examine

    options = Options(
        url=url,
        cert=cert,
        key=key,
        passphrase=passphrase_of(passphrase, passphrase_file),
        ca_file=ca_file,
        vtn_fingerprints=vtn_fingerprints,
        ven_name=ven_name,
        timeout_s=timeout,
    )
    diagnosis = examine(options)
    if as_json:
        click.echo(json.dumps(diagnosis.json))
    else:
        _draw(diagnosis, _next(options, passphrase_again(passphrase, passphrase_file)))
    return 0 if diagnosis.failure is None else 1


def _draw(diagnosis: Diagnosis, following: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from oadr_transports.doctor.steps import TITLES, Status

    from .say import clean

    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
    console.print(Text(clean(diagnosis.url), "bold"))
    table = Table(box=box.SIMPLE, show_header=False, show_edge=False, pad_edge=False)
    table.add_column()
    table.add_column()
    table.add_column(overflow="fold")
    for (status, reason), group in groupby(diagnosis.steps, _alike):
        steps = list(group)
        if status is Status.SKIPPED and len(steps) > 1:
            left_out = ", ".join(TITLES[checked.step] for checked in steps)
            cells = (Text(status), Text("…"), Text(f"{left_out}: {clean(reason)}"))
            table.add_row(*cells, style="bright_black")
            continue
        for checked in steps:
            text = Text(clean(checked.text))
            for note in checked.notes:
                text.append(f"\n{clean(note)}", "yellow")
            table.add_row(Text(status, _STYLES[status]), Text(TITLES[checked.step], "cyan"), text)
    console.print(table)
    if diagnosis.failure is not None:
        console.print(Text("\nwrong  ", "bold red").append(clean(diagnosis.failure.what), "not bold default"))
        console.print(Text("to do  ", "bold").append(clean(diagnosis.failure.advice), "not bold default"))
    else:
        console.print(Text("\nall is well", "bold green"))
        console.print(Text(f"  {following}"), soft_wrap=True)


def _alike(checked: Checked) -> tuple[Status, str]:
    """Steps that were left out for one reason go into one line."""
    return checked.status, checked.text if checked.status == "skipped" else ""


def _next(options: Options, passphrase: list[str]) -> str:
    """The command that runs a VEN with the same options."""
    from shlex import join

    given = [
        ("--vtn-url", options.url),
        ("--ven-name", options.ven_name or "NAME"),
        ("--cert", options.cert),
        ("--key", options.key),
        ("--ca", options.ca_file),
        *(("--vtn-fingerprint", each) for each in options.vtn_fingerprints),
    ]
    words = [str(part) for pair in given if pair[1] is not None for part in pair]
    return join(["oadr", "ven", "run", *words, *passphrase])
