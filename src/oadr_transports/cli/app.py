"""The command `oadr` itself: its subcommands, its version, and the way in which everything that can go wrong is told.

It stands alone as the only module that knows all commands. Their heavy parts are imported when they run, so that
``oadr --help`` is there at once.
"""

from __future__ import annotations

import sys
from typing import Any, TextIO

import click

from . import INTERRUPTED
from .cert import cert
from .demo import demo
from .doctor import doctor
from .failures import Failed, explained, silence
from .fingerprint import fingerprint
from .inspecting import inspect
from .simulate import simulate
from .validating import validate
from .ven import ven
from .vtn import vtn


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    from importlib import metadata

    try:
        click.echo(f"oadr {metadata.version('oadr')}")
    except metadata.PackageNotFoundError:
        click.echo("oadr, not installed (it runs from its source)")
    context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version and exit."
)
def cli() -> None:
    """OpenADR 2.0b: a VEN and a VTN to run, a reader for messages, and help with the secure channel.

    \b
    Examples:
      oadr demo                                    a VTN and a VEN at work, in 20 seconds
      oadr vtn serve --event-in 30s                a VTN to try a VEN against
      oadr vtn event create SIMPLE:level:+1m:1x5m  an event, published by the VTN that runs
      oadr vtn ven list                            its VENs; oadr vtn group makes groups of them
      oadr vtn report plot load.png --since 24h    what they have reported; also as CSV and Parquet
      oadr ven run --ven-name ven1 \\
          --vtn-url http://localhost:8080/OpenADR2/Simple/2.0b
      oadr simulate --vens 1000 --loss 0.1         a fleet in virtual time, with a bad network
      oadr inspect message.xml                     what a message says
      oadr validate messages/                      whether messages are as they should be
      oadr cert generate                           certificates to try TLS with
      oadr cert show vtn.pem                       what a certificate says
      oadr fingerprint ven.pem                     what to tell the operator of the VTN
      oadr doctor https://vtn.example/OpenADR2/Simple/2.0b
                                                   why a VEN cannot talk to its VTN

    Exit codes: 0 done, 1 not done, 2 wrong use, 130 interrupted.
    """


for _command in (demo, ven, vtn, simulate, inspect, validate, doctor, cert, fingerprint):
    cli.add_command(_command)


def run(args: list[str] | None = None) -> int:
    """Run the command line and return its exit code; nothing but a bug of ours leaves a traceback."""
    for stream in (sys.stdout, sys.stderr):
        _forgiving(stream)
    try:
        with explained():
            result = cli.main(args, prog_name="oadr", standalone_mode=False)
        code = result if isinstance(result, int) else 0
        sys.stdout.flush()
        return code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except Failed as error:
        click.echo(f"oadr: {error}", err=True)
        return 1
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        silence(sys.stdout)
        return 1


def _forgiving(stream: TextIO | Any) -> None:
    """A terminal that lacks a character shows a question mark; it does not end the program."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")
