"""`oadr vtn event`: the events of a running VTN, published, changed, cancelled and looked at from another terminal.

It stands alone as the commands: options become the JSON of the admin API, and its answers lines.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from .admin import Json, admin_options, running_vtn, show_json, table
from .failures import Failed
from .options import (
    EventOption,
    checked_start,
    option,
    parse_duration,
    parse_event,
    parse_intervals,
    parse_start,
    parse_target,
)
from .say import clean, number, put

_F = TypeVar("_F", bound=Callable[..., Any])


@click.group
def event() -> None:
    """Publish, change, cancel and list the events of a running VTN.

    \b
    Examples:
      oadr vtn event create SIMPLE:level:+10m:1x30m
      oadr vtn event list
      oadr vtn event cancel EVENT-ID

    Exit codes: 0 done, 1 not done, 2 wrong use.
    """


def _content(command: _F) -> _F:
    """The options that new and changed events share."""
    duration = option(parse_duration)
    for add in reversed(
        (
            click.option("--market-context", metavar="URI", help="The program that the event belongs to."),
            click.option("--priority", type=click.IntRange(0), help="1 is the highest; 0 means none."),
            click.option("--notification", metavar="DURATION", callback=duration, help="How early VENs should know."),
            click.option(
                "--ramp-up", metavar="DURATION", callback=duration, help="So long before it begins it is near."
            ),
            click.option("--recovery", metavar="DURATION", callback=duration, help="How long devices may recover."),
            click.option(
                "--start-after",
                metavar="DURATION",
                callback=duration,
                help="VENs begin at random within this time.",
            ),
            click.option("--comment", metavar="TEXT", help="The VTN's comment."),
            click.option("--test/--no-test", "test_event", default=None, help="Whether it is a test event."),
            click.option(
                "--target",
                "targets",
                multiple=True,
                metavar="KIND=ID",
                callback=option(parse_target),
                help="What it is for: resource_id=r1, group_id=north, … May be repeated.",
            ),
            click.option(
                "--response",
                "response_required",
                type=click.Choice(["always", "never"]),
                help="Whether VENs shall answer. Default: always.",
            ),
        )
    ):
        command = add(command)
    return command


@event.command
@click.argument("description", metavar="SIGNAL:TYPE:START:VALUExDURATION,…", callback=option(parse_event))
@click.option("--ven", "ven_ids", multiple=True, metavar="ID", help="For this VEN only. May be repeated.")
@click.option("--group", "groups", multiple=True, metavar="NAME", help="For the VENs of this group. May be repeated.")
@click.option("--event-id", metavar="ID", help="The event's ID. Default: a new one.")
@click.option("--currency", metavar="CODE", help="The money of prices, by ISO 4217. Default: EUR.")
@_content
@admin_options
def create(
    description: EventOption, admin: str | None, token: str | None, state: Path | None, as_json: bool, **details: Any
) -> int:
    """Publish an event.

    SIGNAL is SIMPLE, ELECTRICITY_PRICE, LOAD_DISPATCH … or an x- name, TYPE is level, price, setpoint …, START is +30s
    (from now) or a date and time with zone, and each VALUExDURATION is an interval. Without --ven and --group it is
    for all VENs.

    \b
    Examples:
      oadr vtn event create SIMPLE:level:+10m:1x30m,2x30m --priority 1
      oadr vtn event create ELECTRICITY_PRICE:price:2030-01-31T17:00:00Z:0.25x1h --currency USD --group north
      oadr vtn event create SIMPLE:level:+1h:1x1h --ven VEN-ID --target resource_id=heater --start-after 5m --json

    Exit codes: 0 done, 1 not done, 2 wrong use.
    """
    body = {
        "signal_name": description.signal_name,
        "signal_type": description.signal_type,
        "start": _start(description.start),
        "intervals": _intervals(description.intervals),
        **_body(details),
    }
    with running_vtn(admin, token, state) as vtn:
        found = vtn.ask("POST", "events", body=body)
    _show(found, as_json, f"published {found['event_id']}")
    return 0


@event.command
@click.argument("event_id", metavar="EVENT-ID")
@click.option("--start", metavar="START", callback=option(checked_start), help="When it begins.")
@click.option(
    "--intervals", metavar="VALUExDURATION,…", callback=option(parse_intervals), help="New intervals of its signal."
)
@click.option("--signal", "signal_id", metavar="ID", help="Which signal, where there are several.")
@click.option("--reason", metavar="TEXT", help="Why; the VENs see it.")
@_content
@admin_options
def modify(
    event_id: str,
    start: str | None,
    intervals: tuple[tuple[timedelta, float], ...] | None,
    admin: str | None,
    token: str | None,
    state: Path | None,
    as_json: bool,
    **details: Any,
) -> int:
    """Change an event; what is not named stays, and what is past cannot change (R20).

    \b
    Examples:
      oadr vtn event modify EVENT-ID --intervals 2x30m,1x30m --reason "more is needed"
      oadr vtn event modify EVENT-ID --start 2030-01-31T18:00:00Z --priority 2

    Exit codes: 0 done, 1 not done, 2 wrong use.
    """
    body = _body(details)
    if start is not None:
        body["start"] = _start(start)
    if intervals is not None:
        body["intervals"] = _intervals(intervals)
    if not body:
        raise click.UsageError("nothing is to be changed: name at least one of the options above")
    with running_vtn(admin, token, state) as vtn:
        found = vtn.ask("PATCH", "events", event_id, body=body)
    _show(found, as_json, f"{found['event_id']} has the modification number {found['modification_number']}")
    return 0


@event.command
@click.argument("event_id", metavar="EVENT-ID")
@click.option("--reason", metavar="TEXT", help="Why; the VENs see it.")
@admin_options
def cancel(
    event_id: str, reason: str | None, admin: str | None, token: str | None, state: Path | None, as_json: bool
) -> int:
    """Cancel an event.

    \b
    Examples:
      oadr vtn event cancel EVENT-ID
      oadr vtn event cancel EVENT-ID --reason "the grid is fine again"

    Exit codes: 0 done, 1 not done, 2 wrong use.
    """
    with running_vtn(admin, token, state) as vtn:
        found = vtn.ask("POST", "events", event_id, "cancel", body={} if reason is None else {"reason": reason})
    _show(found, as_json, f"cancelled {found['event_id']}")
    return 0


@event.command("list")
@click.option("--ven", "ven_id", metavar="ID", help="Those for this VEN only.")
@click.option(
    "--status",
    type=click.Choice(["far", "near", "active", "completed", "cancelled"]),
    help="Those with this status only.",
)
@admin_options
def list_(
    ven_id: str | None, status: str | None, admin: str | None, token: str | None, state: Path | None, as_json: bool
) -> int:
    """List the events, those that are over lately too.

    \b
    Examples:
      oadr vtn event list
      oadr vtn event list --status active --json

    Exit codes: 0 done, 1 not done, 2 wrong use.
    """
    with running_vtn(admin, token, state) as vtn:
        found = vtn.ask("GET", "events", ven_id=ven_id, status=status)
    if as_json:
        show_json(found)
        return 0
    rows = [
        (
            clean(one["event_id"]),
            str(one["modification_number"]),
            one["status"],
            one["start"],
            one["end"] or "open",
            ", ".join(f"{signal['name']} {signal['type']}" for signal in one["signals"]),
            "all VENs" if one["ven_ids"] is None else f"{len(one['ven_ids'])} VENs",
        )
        for one in found["events"]
    ]
    table(("EVENT", "MOD", "STATUS", "START", "END", "SIGNALS", "FOR"), rows)
    return 0


@event.command
@click.argument("event_id", metavar="EVENT-ID")
@admin_options
def show(event_id: str, admin: str | None, token: str | None, state: Path | None, as_json: bool) -> int:
    """Show an event: its signals, and what each VEN knows of it and has answered.

    \b
    Examples:
      oadr vtn event show EVENT-ID
      oadr vtn event show EVENT-ID --json

    Exit codes: 0 done, 1 not done, 2 wrong use.
    """
    with running_vtn(admin, token, state) as vtn:
        found = vtn.ask("GET", "events", event_id)
    if as_json:
        show_json(found)
        return 0
    put(f"event {clean(found['event_id'])}, modification {found['modification_number']}: {found['status']}")
    put(f"  from {found['start']} to {found['end'] or 'its cancellation'}, {clean(found['market_context'])}")
    for signal in found["signals"]:
        unit = f" in {clean(signal['unit'])}" if signal["unit"] else ""
        put(f"  {clean(signal['name'])} {signal['type']}{unit}")
        for interval in signal["intervals"]:
            put(f"    {interval['start']}  {interval['duration']}  {number(interval['value'])}")
    rows = [
        (
            clean(one["ven_name"] or one["ven_id"]),
            clean(one["ven_id"]),
            one["state"],
            one["opt"] or "-",
            one["response_code"] or "-",
        )
        for one in found["deliveries"]
    ]
    if rows:
        table(("VEN", "VEN ID", "STATE", "OPT", "CODE"), rows)
    return 0


def _show(found: Json, as_json: bool, text: str) -> None:
    if as_json:
        show_json(found)
    else:
        put(clean(text))


def _body(details: dict[str, Any]) -> Json:
    """The options that were given, in the names and forms of the admin API."""
    body: Json = {}
    for name, value in details.items():
        if name == "targets":
            for kind, identifier in value:
                body.setdefault("targets", {}).setdefault(kind, []).append(identifier)
        elif isinstance(value, tuple):
            if value:
                body[name] = list(value)
        elif isinstance(value, timedelta):
            body[name] = value.total_seconds()
        elif value is not None:
            body[name] = value
    return body


def _intervals(intervals: tuple[tuple[timedelta, float], ...]) -> list[Json]:
    return [{"duration": length.total_seconds(), "value": value} for length, value in intervals]


def _start(text: str) -> str:
    try:
        return parse_start(text, datetime.now(UTC)).isoformat()
    except ValueError as error:
        raise Failed(str(error)) from None
