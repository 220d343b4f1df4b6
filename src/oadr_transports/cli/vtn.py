"""`oadr vtn serve`: a VTN for trying things out, without code.

It stands alone as the command: options become a ``Vtn``. What is said of its life is in :mod:`.vtn_lines`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from .failures import Failed
from .options import EventOption, option, parse_event, parse_period, parse_start

if TYPE_CHECKING:
    from oadr_transports import Vtn

    from .vtn_lines import VtnLines

_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_SAMPLE: Final = ((timedelta(minutes=5), 0.10), (timedelta(minutes=5), 0.25), (timedelta(minutes=5), 0.12))
"""The prices of ``--event-in``."""


@click.group
def vtn() -> None:
    """Be a VTN, the server at the utility."""


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
    save: Path | None,
    verbose: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Accept every VEN, ask for all reports, publish events, and show what happens, until Ctrl-C.

    Everyone who reaches it may register, and nothing is kept: this is for trying things out, not for operation.

    An event is SIGNAL:TYPE:START:VALUExDURATION,… where SIGNAL is SIMPLE, ELECTRICITY_PRICE, LOAD_DISPATCH … or an
    x- name, TYPE is level, price, setpoint …, START is +30s (from now) or a date and time with zone, and each
    VALUExDURATION is an interval.

    \b
    Examples:
      oadr vtn serve
      oadr vtn serve --event-in 30s
      oadr vtn serve --port 0 --poll 2s --ramp-up 10s \\
          --event ELECTRICITY_PRICE:price:+30s:0.10x5m,0.25x5m,0.12x5m
      oadr vtn serve --event SIMPLE:level:2030-01-31T17:00:00Z:1x30m,2x30m --save messages

    Ctrl-C and SIGTERM end it at once. Exit codes: 0 stopped, 1 could not run, 2 wrong use.
    """
    from oadr_transports import Vtn

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

    vtn = Vtn(vtn_id=vtn_id, requested_poll_freq=poll, market_context=market_context)
    if transcript is not None or verbose:
        vtn.transcript = passed
    chosen = list(events)
    if event_in is not None:
        start = f"+{event_in // timedelta(seconds=1)}s"
        chosen.append(EventOption(signal_name="ELECTRICITY_PRICE", signal_type="price", start=start, intervals=_SAMPLE))
    lines.speaker.listen_to_log()

    async def main() -> None:
        await _serve(vtn, lines, host=host, port=port, events=chosen, ramp_up=ramp_up, currency=currency)

    if run_until_stopped(main):
        lines.stopped()
    return 0


async def _serve(
    vtn: Vtn,
    lines: VtnLines,
    *,
    host: str,
    port: int,
    events: list[EventOption],
    ramp_up: timedelta | None,
    currency: str,
) -> None:
    async with vtn.notifications() as notes:
        for event in events:
            _publish(vtn, event, ramp_up, currency)
        async with vtn.serve(host=host, port=port) as server:
            lines.started(server.url, open_to_network=host not in _LOOPBACK)
            async for note in notes:
                lines.say(note, vtn)


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
