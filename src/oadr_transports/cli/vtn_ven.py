"""`oadr vtn ven` and `oadr vtn group`: the VENs of a running VTN, from another terminal.

It stands alone as the commands: the admin API answers, and this makes lines of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from .admin import Json, admin_options, running_vtn, show_json, table
from .say import clean, put

_SEVERAL: Final = ", "


@click.group
def ven() -> None:
    """List the VENs of a running VTN, ask them to register again, end their registration.

    \b
    Examples:
      oadr vtn ven list
      oadr vtn ven show VEN-ID
      oadr vtn ven reregister VEN-ID

    Exit codes: 0 done, 1 not done, 2 wrong use.
    """


@ven.command("list")
@admin_options
def list_(admin: str | None, token: str | None, state: Path | None, as_json: bool) -> int:
    """List the registered VENs.

    \b
    Examples:
      oadr vtn ven list
      oadr vtn ven list --state vtn.db --json

    Exit codes: 0 done, 1 not done, 2 wrong use.
    """
    with running_vtn(admin, token, state) as vtn:
        found = vtn.ask("GET", "vens")
    if as_json:
        show_json(found)
        return 0
    rows = [
        (
            clean(one["ven_name"] or "-"),
            clean(one["ven_id"]),
            one["transport"],
            one["last_seen"],
            _SEVERAL.join(one["waiting"]) or "-",
        )
        for one in found["vens"]
    ]
    table(("NAME", "VEN ID", "TRANSPORT", "LAST SEEN", "WAITING"), rows)
    return 0


@ven.command
@click.argument("ven_id", metavar="VEN-ID")
@admin_options
def show(ven_id: str, admin: str | None, token: str | None, state: Path | None, as_json: bool) -> int:
    """Show a VEN: its registration, reports, opt schedules, and what waits for it.

    \b
    Examples:
      oadr vtn ven show VEN-ID
      oadr vtn ven show VEN-ID --json

    Exit codes: 0 done, 1 not done, 2 wrong use.
    """
    with running_vtn(admin, token, state) as vtn:
        found = vtn.ask("GET", "vens", ven_id)
    if as_json:
        show_json(found)
        return 0
    put(f"VEN {clean(found['ven_name'] or '-')} ({clean(found['ven_id'])}), {found['transport']}")
    where = f" at {clean(found['push_address'])}" if found["push_address"] else ""
    put(f"  registered {found['registered_at']}{where}, last seen {found['last_seen']}")
    for report in found["reports"]:
        name, points = clean(report["name"] or "-"), _SEVERAL.join(map(clean, report["r_ids"]))
        put(f"  report {clean(report['report_specifier_id'])} ({name}): {points}")
    for schedule in found["schedules"]:
        replaced = ", replaced" if schedule["superseded"] else ""
        periods = _SEVERAL.join(f"{one['start']} {one['duration']}" for one in schedule["periods"])
        put(f"  {schedule['opt']} schedule {clean(schedule['opt_id'])}{replaced}: {periods}")
    for message in found["waiting"]:
        put(f"  waits: {message}")
    return 0


@ven.command
@click.argument("ven_id", metavar="VEN-ID")
@admin_options
def reregister(ven_id: str, admin: str | None, token: str | None, state: Path | None, as_json: bool) -> int:
    """Ask a VEN to register again under its registration.

    \b
    Examples:
      oadr vtn ven reregister VEN-ID

    Exit codes: 0 done (the VEN will be asked), 1 not done, 2 wrong use.
    """
    with running_vtn(admin, token, state) as vtn:
        found = vtn.ask("POST", "vens", ven_id, "reregister", body={})
    _told(found, as_json, f"{ven_id} is asked with its next message")
    return 0


@ven.command
@click.argument("ven_id", metavar="VEN-ID")
@click.option("--at-once", is_flag=True, help="Forget it now, without a word to it.")
@admin_options
def cancel(ven_id: str, at_once: bool, admin: str | None, token: str | None, state: Path | None, as_json: bool) -> int:
    """End the registration of a VEN.

    \b
    Examples:
      oadr vtn ven cancel VEN-ID
      oadr vtn ven cancel VEN-ID --at-once

    Exit codes: 0 done (or the VEN will be told), 1 not done, 2 wrong use.
    """
    with running_vtn(admin, token, state) as vtn:
        found = vtn.ask("POST", "vens", ven_id, "cancel", body={"at_once": at_once})
    _told(found, as_json, f"{ven_id} is forgotten" if at_once else f"{ven_id} is told with its next message")
    return 0


@click.group
def group() -> None:
    """Name VENs as groups that events can be published for.

    \b
    Examples:
      oadr vtn group set north VEN-ID1 VEN-ID2
      oadr vtn group list

    Exit codes: 0 done, 1 not done, 2 wrong use.
    """


@group.command("list")
@admin_options
def list_groups(admin: str | None, token: str | None, state: Path | None, as_json: bool) -> int:
    """List the groups.

    \b
    Examples:
      oadr vtn group list --json

    Exit codes: 0 done, 1 not done, 2 wrong use.
    """
    with running_vtn(admin, token, state) as vtn:
        found = vtn.ask("GET", "groups")
    if as_json:
        show_json(found)
        return 0
    rows = [(clean(name), _SEVERAL.join(map(clean, ven_ids))) for name, ven_ids in found["groups"].items()]
    table(("GROUP", "VEN IDS"), rows)
    return 0


@group.command("set")
@click.argument("name", metavar="NAME")
@click.argument("ven_ids", nargs=-1, metavar="[VEN-ID]…")
@admin_options
def set_(
    name: str, ven_ids: tuple[str, ...], admin: str | None, token: str | None, state: Path | None, as_json: bool
) -> int:
    """Say which VENs a group has; without VENs it is no more.

    \b
    Examples:
      oadr vtn group set north VEN-ID1 VEN-ID2
      oadr vtn group set north

    Exit codes: 0 done, 1 not done, 2 wrong use.
    """
    with running_vtn(admin, token, state) as vtn:
        found = vtn.ask("PUT", "groups", name, body={"ven_ids": list(ven_ids)})
    _told(found, as_json, f"{name} has {len(found['ven_ids'])} VENs" if ven_ids else f"{name} is no more")
    return 0


def _told(found: Json, as_json: bool, text: str) -> None:
    if as_json:
        show_json(found)
    else:
        put(clean(text))
