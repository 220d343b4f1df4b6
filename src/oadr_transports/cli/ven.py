"""`oadr ven run`: a VEN against a real VTN, without code.

It stands alone as the command: options become an ``OpenADRClient``. What is said of its life is in :mod:`.ven_lines`.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .failures import Failed
from .feeds import Lines, printed, recorded
from .options import From, ReportOption, option, parse_report
from .passphrase import passphrase_of, passphrase_options
from .simulated import constant, simulated, working

if TYPE_CHECKING:
    from collections.abc import Callable

    from oadr_transports import OpenADRClient
    from oadr_transports.history import History

    from .ven_lines import VenLines

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group
def ven() -> None:
    """Be a VEN, the client at the device."""


@ven.command
@click.option(
    "--vtn-url", required=True, metavar="URL", help="Where the VTN's services are, without the service's name."
)
@click.option("--ven-name", required=True, metavar="NAME", help="The name that this VEN registers with.")
@click.option("--ven-id", metavar="ID", help="The ID that the VTN's operator has given to this VEN, if any.")
@click.option(
    "--report",
    "reports",
    multiple=True,
    metavar="RESOURCE:MEASUREMENT[/UNIT]:INTERVAL[:VALUE]",
    callback=option(parse_report),
    help="Offer a report, e.g. device001:voltage:10s. Without VALUE a simulated one wanders. May be repeated.",
)
@click.option(
    "--history",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Keep a month of what is reported in this file, and offer it as history, too.",
)
@click.option(
    "--opt", type=click.Choice(["in", "out"]), default="in", show_default=True, help="The answer to every event."
)
@click.option("--cert", type=_FILE, metavar="FILE", help="Certificate of this VEN (PEM), for TLS and for signing.")
@click.option("--key", type=_FILE, metavar="FILE", help="Its private key (PEM).")
@passphrase_options("opens the key")
@click.option("--ca", "--ca-file", "ca_file", type=_FILE, metavar="FILE", help="Authorities of the VTN (PEM).")
@click.option(
    "--vtn-fingerprint",
    "vtn_fingerprints",
    multiple=True,
    metavar="HEX",
    help="The VTN's fingerprint: messages it has not signed are refused. May be repeated, for several certificates.",
)
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Keep what must not be lost in this file: started again, it goes on where it was, even after SIGKILL.",
)
@click.option("--no-jitter", is_flag=True, help="Poll and deliver on time to the second: for tests.")
@click.option("--verbose", "-v", is_flag=True, help="Show every message that is exchanged, too.")
@click.option("--quiet", "-q", is_flag=True, help="Show warnings and errors only.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def run(
    vtn_url: str,
    ven_name: str,
    ven_id: str | None,
    reports: tuple[ReportOption, ...],
    history: Path | None,
    opt: str,
    cert: Path | None,
    key: Path | None,
    passphrase_file: Path | None,
    passphrase: str | None,
    ca_file: Path | None,
    vtn_fingerprints: tuple[str, ...],
    state: Path | None,
    no_jitter: bool,
    verbose: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Register with a VTN, answer its events, and report, until Ctrl-C.

    The VTN need not be there yet: it is waited for. INTERVAL is a whole number with s, m or h. MEASUREMENT is voltage,
    current, frequency, powerReal, energyReal, temperature …, or status for the state of the resource; any other name
    makes a unit of your own. UNIT is kW, fahrenheit, EUR …, and for pulseCount the kWh of one pulse.

    VALUE is a number that stays, - for lines of standard input (a number, or RESOURCE:MEASUREMENT and a number),
    @FILE for a CSV file of times and values, which is offered as history, too, or !COMMAND for what a command prints.

    \b
    Examples:
      oadr ven run --ven-name ven1 --vtn-url http://localhost:8080/OpenADR2/Simple/2.0b
      oadr ven run --ven-name ven1 --vtn-url https://vtn.example/OpenADR2/Simple/2.0b \\
          --cert ven1.pem --key ven1.key --ca ca.pem \\
          --report device001:voltage:10s --report device001:powerReal/kW:1m:1.5 --report device001:status:1m
      meter | oadr ven run --ven-name ven1 --vtn-url http://localhost:8080/OpenADR2/Simple/2.0b \\
          --report boiler:powerReal:10s:- --report "cpu:load:1m:!cut -d' ' -f1 /proc/loadavg" --history boiler.db
      oadr ven run --ven-name ven1 --vtn-url http://localhost:8080/OpenADR2/Simple/2.0b --opt out --json

    Ctrl-C and SIGTERM end it at once; the registration stays, and with --state it is used again. Exit codes: 0 stopped,
    1 could not run, 2 wrong use.
    """
    from oadr_transports.history import SqliteHistory

    from .say import Speaker
    from .until import run_until_stopped
    from .ven_lines import VenLines

    client = _client(
        ven_name=ven_name,
        vtn_url=vtn_url,
        ven_id=ven_id,
        cert=cert,
        key=key,
        passphrase=passphrase_of(passphrase, passphrase_file),
        ca_file=ca_file,
        vtn_fingerprint=vtn_fingerprints,
        allow_jitter=not no_jitter,
        state=state,
    )
    kept = None if history is None else SqliteHistory(history)
    answer = "optIn" if opt == "in" else "optOut"

    async def on_event(event: dict[str, Any]) -> str:
        return answer

    client.add_handler("on_event", on_event)
    speaker = Speaker(as_json=as_json, quiet=quiet)
    lines = VenLines(speaker)
    feed = Lines(sys.stdin, lambda text: speaker.say("warning", text))
    for report in reports:
        _add_report(client, report, feed, kept)
    if verbose:
        for hook in ("before_send_xml", "after_receive_xml"):
            client.add_hook(hook, lines.hook(hook))
    speaker.listen_to_log()

    async def main() -> None:
        await _run(client, lines)

    try:
        if run_until_stopped(main):
            lines.stopped(client)
    finally:
        if kept is not None:
            kept.close()
    return 0


async def _run(client: OpenADRClient, lines: VenLines) -> None:
    import anyio

    lines.started(client)
    async with client.notifications() as happenings, anyio.create_task_group() as tasks:
        tasks.start_soon(lines.follow, happenings)
        await client.run()


def _client(**options: Any) -> OpenADRClient:
    from oadr_core import LocalError
    from oadr_transports import OpenADRClient

    try:
        return OpenADRClient(**options)
    except LocalError as error:
        raise Failed(f"--{error.path.replace('_', '-')}: {error.text}" if error.path else error.text) from None


def _add_report(client: OpenADRClient, report: ReportOption, lines: Lines, history: History | None) -> None:
    """One report for each kind and interval, so that a VTN can ask for each as often as it can be read."""
    from oadr_core import LocalError

    every = report.interval // timedelta(seconds=1)
    r_id = f"{report.resource}:{report.measurement}"
    options: dict[str, Any] = {"resource_id": report.resource, "r_id": r_id, "sampling_rate": report.interval}
    pulses = report.measurement.lower() == "pulsecount"
    options |= {"pulse_factor" if pulses else "unit": report.unit, "measurement": report.measurement}
    try:
        if report.source is From.FILE:
            callback = recorded(Path(report.argument))
            for name in ("TELEMETRY_USAGE", "HISTORY_USAGE"):
                specifier = f"{'history' if name.startswith('H') else 'recorded'}-{every}s"
                client.add_report(
                    callback, report_name=name, data_collection_mode="full", report_specifier_id=specifier, **options
                )
        elif report.measurement == "status":
            client.add_report(working, report_specifier_id=f"status-{every}s", **options)
        else:
            client.add_report(
                _callback(report, r_id, lines), report_specifier_id=f"telemetry-{every}s", history=history, **options
            )
    except (LocalError, ValueError) as error:
        raise Failed(f"--report {r_id}:{every}s: {error}") from None


def _callback(report: ReportOption, r_id: str, lines: Lines) -> Callable[..., Any]:
    match report.source:
        case From.LINES:
            lines.start()
            return lines.source(r_id)
        case From.COMMAND:
            return printed(report.argument)
        case From.CONSTANT:
            return constant(report.value)
    return simulated(report.measurement)
