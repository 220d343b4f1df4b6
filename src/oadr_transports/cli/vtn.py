"""`oadr vtn serve`: a VTN for trying things out, without code.

It stands alone as the command: options become a ``Vtn``. What is said of its life is in :mod:`.vtn_lines`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from .channel import channel_of, channel_options, is_open
from .failures import Failed
from .options import EventOption, option, parse_event, parse_period, parse_rule, parse_start
from .vtn_event import event
from .vtn_report import report
from .vtn_ven import group, ven

if TYPE_CHECKING:
    from oadr_transports import Vtn

_OPTIONS: Final = {"ca_file": "ca", "trusted_proxies": "trusted-proxy"}
"""Options that are called otherwise than the arguments of ``Vtn``."""
_SAMPLE: Final = ((timedelta(minutes=5), 0.10), (timedelta(minutes=5), 0.25), (timedelta(minutes=5), 0.12))
"""The prices of ``--event-in``."""


@click.group
def vtn() -> None:
    """Be a VTN, the server at the utility."""


for _command in (event, ven, group, report):
    vtn.add_command(_command)


@vtn.command
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Port; 0 takes a free one."
)
@click.option("--vtn-id", default="oadr-vtn", show_default=True, metavar="ID", help="The ID that VENs see.")
@click.option(
    "--poll",
    default="10s",
    show_default=True,
    metavar="DURATION",
    callback=option(parse_period),
    help="How often VENs shall poll.",
)
@click.option(
    "--event-in",
    metavar="DURATION",
    callback=option(parse_period),
    help="Publish a price event that begins so long from now: 5 minutes each of 0.10, 0.25 and 0.12.",
)
@click.option(
    "--event",
    "events",
    multiple=True,
    metavar="SIGNAL:TYPE:START:VALUExDURATION,…",
    callback=option(parse_event),
    help="Publish an event; see above. May be repeated.",
)
@click.option(
    "--ramp-up", metavar="DURATION", callback=option(parse_period), help="So long before its start an event is near."
)
@click.option(
    "--market-context",
    default="http://market.example/oadr",
    show_default=True,
    metavar="URI",
    help="The program that the events belong to.",
)
@click.option("--currency", default="EUR", show_default=True, metavar="CODE", help="The money of prices, by ISO 4217.")
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Keep registrations, events and opts in this database, and go on where an earlier run was.",
)
@click.option(
    "--keep-values",
    metavar="DURATION",
    callback=option(parse_period),
    help="Keep received values for so long after their arrival. Default: for ever.",
)
@click.option(
    "--report-policy",
    "rules",
    multiple=True,
    metavar="KIND[,FIELD=VALUE…]",
    callback=option(parse_rule),
    help="Ask for reports so; see above. May be repeated; the first that fits a data point counts.",
)
@click.option("--no-reports", is_flag=True, help="Ask for no reports by itself.")
@click.option(
    "--admin",
    default="127.0.0.1:0",
    show_default=True,
    metavar="ADDRESS",
    help="Where `oadr vtn event` and other programs reach it: host:port or unix:/path; off for nowhere.",
)
@click.option(
    "--admin-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where its address and token are written. Default: beside the state, else a file of this user.",
)
@click.option(
    "--token", metavar="TEXT", envvar="OADR_ADMIN_TOKEN", help="The token of the admin API. Default: a new one."
)
@channel_options
@click.option(
    "--save",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep every message as a file in DIR. An earlier transcript there is replaced.",
)
@click.option("--verbose", "-v", is_flag=True, help="Show every message that is exchanged, too.")
@click.option("--quiet", "-q", is_flag=True, help="Show warnings and errors only.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def serve(
    host: str,
    port: int,
    vtn_id: str,
    poll: timedelta,
    event_in: timedelta | None,
    events: tuple[EventOption, ...],
    ramp_up: timedelta | None,
    market_context: str,
    currency: str,
    state: Path | None,
    keep_values: timedelta | None,
    rules: tuple[dict[str, Any], ...],
    no_reports: bool,
    admin: str,
    admin_file: Path | None,
    token: str | None,
    save: Path | None,
    verbose: bool,
    quiet: bool,
    as_json: bool,
    **channel: Any,
) -> int:
    """Accept VENs, ask for all reports, publish events, and show what happens, until Ctrl-C.

    With --cert, --key and --ca it speaks TLS, demands a certificate of every VEN, and signs. Without, it serves this
    machine over plain HTTP, to try things out. Everyone who gets that far may register, unless --ven says who; without
    --state nothing is kept. While it runs, `oadr vtn event` and `oadr vtn ven` steer it from another terminal.

    An event is SIGNAL:TYPE:START:VALUExDURATION,… where SIGNAL is SIMPLE, ELECTRICITY_PRICE, LOAD_DISPATCH … or an
    x- name, TYPE is level, price, setpoint …, START is +30s (from now) or a date and time with zone, and each
    VALUExDURATION is an interval.

    It asks every VEN for all telemetry that it offers, unless --report-policy or --no-reports says otherwise. KIND is
    periodic, on-change, once, history or nothing; of the fields, report, specifier, r-id, type, reading, unit,
    resource, program, ven and name are patterns (with * and ?) for what it applies to, and granularity, back, duration
    and history are durations.

    \b
    Examples:
      oadr vtn serve
      oadr vtn serve --event-in 30s
      oadr vtn serve --port 0 --poll 2s --ramp-up 10s \\
          --event ELECTRICITY_PRICE:price:+30s:0.10x5m,0.25x5m,0.12x5m
      oadr vtn serve --event SIMPLE:level:2030-01-31T17:00:00Z:1x30m,2x30m --save messages
      oadr vtn serve --host 0.0.0.0 --port 8443 --cert vtn.pem --key vtn.key --ca ca.pem \\
          --ven ven1=5E:71:FA:E4:61:75:9C:EF:A4:D6
      oadr vtn serve --trusted-proxy 10.0.0.2 --client-cert-header X-SSL-Client-Cert
      oadr vtn serve --state vtn.db --keep-values 400d
      oadr vtn serve --report-policy periodic,unit=powerReal,granularity=1m,back=15m --report-policy once

    Ctrl-C and SIGTERM end it at once. Exit codes: 0 stopped, 1 could not run, 2 wrong use.
    """
    from .say import Speaker
    from .transcript import Transcript
    from .until import run_until_stopped
    from .vtn_lines import VtnLines

    transcript = Transcript.begin(save) if save is not None else None
    lines = VtnLines(Speaker(as_json=as_json, quiet=quiet))

    def passed(direction: str, service: str, data: bytes) -> None:
        if transcript is not None:
            transcript.add(direction, service, data)
        if verbose:
            lines.message(direction, service, data)

    if keep_values is not None and state is None:
        raise click.UsageError("--keep-values is for what --state keeps")
    if rules and no_reports:
        raise click.UsageError("--report-policy and --no-reports exclude each other")
    vtn = _vtn(
        vtn_id=vtn_id,
        requested_poll_freq=poll,
        market_context=market_context,
        state=state,
        keep_values=keep_values,
        **_policy(rules, no_reports),
        **channel_of(host, **channel),
    )
    if transcript is not None or verbose:
        vtn.transcript = passed
    chosen = list(events)
    if event_in is not None:
        start = f"+{event_in // timedelta(seconds=1)}s"
        chosen.append(EventOption(signal_name="ELECTRICITY_PRICE", signal_type="price", start=start, intervals=_SAMPLE))
    lines.speaker.listen_to_log()

    async def main() -> None:
        async with vtn.notifications() as notes:
            for event in chosen:
                _publish(vtn, event, ramp_up, currency)
            async with (
                vtn.serve(host=host, port=port) as server,
                _admin(vtn, admin, token, admin_file, state) as contact,
            ):
                kept = state is not None
                lines.started(server.url, vtn, admin=contact, open_to_network=is_open(host), kept=kept)
                async for note in notes:
                    lines.say(note, vtn)

    with vtn:
        if run_until_stopped(main):
            lines.stopped()
    return 0


@asynccontextmanager
async def _admin(
    vtn: Vtn, address: str, token: str | None, file: Path | None, state: Path | None
) -> AsyncIterator[str | None]:
    """The admin API for as long as a block lasts; where its contact file is, or ``None`` for none."""
    from oadr_core import LocalError
    from oadr_transports.admin import serve_admin
    from oadr_transports.admin.contact import default_file
    from oadr_transports.admin.server import is_local

    if address == "off":
        yield None
        return
    if not is_local(address):
        raise LocalError(
            f"{address} can be reached from other machines, and tokens would travel as plain text; "
            "choose a loopback address or unix:/path, and reach it through ssh or a proxy with TLS",
            path="--admin",
        )
    file = file or default_file(state)
    async with serve_admin(vtn, address=address, token=token, file=file):
        yield str(file)


def _vtn(**options: Any) -> Vtn:
    from oadr_core import LocalError
    from oadr_transports import Vtn

    try:
        return Vtn(**options)
    except LocalError as error:
        option = _OPTIONS.get(error.path, error.path.replace("_", "-"))
        raise Failed(f"--{option}: {error.text}" if error.path else error.text) from None


def _policy(rules: tuple[dict[str, Any], ...], no_reports: bool) -> dict[str, Any]:
    """The argument that says which reports are asked for, if any option does."""
    from oadr_core.vtn import ReportPolicy, ReportRule

    if not (rules or no_reports):
        return {}
    return {"reports": ReportPolicy(rules=[ReportRule(**rule) for rule in rules])}


def _publish(vtn: Vtn, event: EventOption, ramp_up: timedelta | None, currency: str) -> None:
    from oadr_core import LocalError

    try:
        vtn.publish_event(
            signal_name=event.signal_name,
            signal_type=event.signal_type,
            dtstart=parse_start(event.start, datetime.now(UTC)),
            intervals=event.intervals,
            ramp_up=ramp_up,
            currency=currency,
        )
    except LocalError as error:
        name = f"{event.signal_name}:{event.signal_type}:{event.start}"
        raise Failed(f"the event {name} cannot be published: {error}") from None
