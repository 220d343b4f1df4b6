"""`oadr vtn report`: the reports of a running VTN, from another terminal: offered, requested, cancelled.

It stands alone as the commands about requests; those about the values that came of them are in :mod:`.vtn_values`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from .admin import Json, admin_options, running_vtn, show_json, table
from .failures import Failed
from .options import moment, option, parse_duration, parse_rule, rule_text
from .say import clean, number, put
from .vtn_values import export, plot

_SEVERAL: Final = ", "
METADATA: Final = "METADATA"


@click.group
def report() -> None:
    """See, request and cancel the reports of the VENs of a running VTN; export and plot what they have sent.

    \b
    Examples:
      oadr vtn report list
      oadr vtn report request VEN-ID SPECIFIER-ID --granularity 1m --back 15m
      oadr vtn report cancel VEN-ID REQUEST-ID
      oadr vtn report policy periodic,unit=powerReal,granularity=1m,back=15m
      oadr vtn report export load.csv --since 24h
      oadr vtn report plot load.png --since 24h

    Exit codes: 0 done, 1 not done, 2 wrong use.
    """


for _command in (export, plot):
    report.add_command(_command)


# --- offered and requested ------------------------------------------------------------------------------------------


@report.command("list")
@click.option("--ven", "ven_id", metavar="ID", help="Those of this VEN only.")
@admin_options
def list_(ven_id: str | None, admin: str | None, token: str | None, state: Path | None, as_json: bool) -> int:
    """List what the VENs offer, what is requested of them, and the last value of each data point.

    \b
    Examples:
      oadr vtn report list
      oadr vtn report list --ven VEN-ID --json

    Exit codes: 0 done, 1 not done, 2 wrong use.
    """
    with running_vtn(admin, token, state) as vtn:
        offers = vtn.ask("GET", "reports", ven_id=ven_id)["reports"]
        requests = vtn.ask("GET", "report-requests", ven_id=ven_id)["report_requests"]
        keeps = vtn.ask("GET", "status")["keeps_values"]
        series = vtn.ask("GET", "series", ven_id=ven_id)["series"] if keeps else []
    if as_json:
        show_json({"reports": offers, "report_requests": requests, "series": series})
        return 0
    put("offered")
    table(
        ("VEN", "REPORT", "SPECIFIER", "R ID", "RESOURCE", "UNIT", "PERIOD"),
        [_offered(offer, point) for offer in offers for point in offer["data_points"]],
    )
    put("\nrequested")
    table(
        ("VEN", "REQUEST", "SPECIFIER", "R IDS", "KIND", "EVERY", "SENT EVERY", "STATE", "BY"),
        map(_requested, requests),
    )
    if keeps:
        put("\nreceived")
        table(("VEN", "REQUEST", "R ID", "VALUES", "LAST", "AT"), map(_received, series))
    return 0


def _offered(offer: Json, point: Json) -> tuple[str, ...]:
    periods = dict.fromkeys(each for each in (point["min_period"], point["max_period"]) if each)
    return (
        clean(offer["ven_name"] or offer["ven_id"]),
        clean((offer["name"] or "-").removeprefix("METADATA_")),
        clean(offer["report_specifier_id"]),
        clean(point["r_id"]),
        clean(point["resource_id"] or "-"),
        _unit(point) or "-",
        "…".join(map(clean, periods)) or "-",
    )


def _requested(one: Json) -> tuple[str, ...]:
    periodic = one["kind"] in ("periodic", "on change")
    return (
        clean(one["ven_name"] or one["ven_id"]),
        clean(one["report_request_id"]),
        clean(one["report_specifier_id"]),
        clean(_SEVERAL.join(one["r_ids"])),
        one["kind"],
        one["granularity"] if one["kind"] == "periodic" else "-",
        one["report_back_duration"] if periodic else "-",
        one["state"],
        one["wanted_by"],
    )


def _received(one: Json) -> tuple[str, ...]:
    last = one["last"]
    shown = number(last["value"]) if "value" in last else _state(last["state"])
    bad = "" if not str(last.get("data_quality", "")).startswith("Quality Bad") else " (bad)"
    return (
        clean(one["ven_id"]),
        clean(one["report_request_id"]),
        clean(one["r_id"]),
        str(one["count"]),
        f"{clean(shown)} {_unit(one)}".rstrip() + bad,
        last["start"],
    )


def _state(state: Json) -> str:
    if "oadr_online" not in state:
        return "Green Button data"
    words = ["online" if state["oadr_online"] else "offline"]
    return _SEVERAL.join([*words, "manual override"] if state["oadr_manual_override"] else words)


def _unit(point: Json) -> str:
    from .plotting import unit_text

    return unit_text(point).partition(" (")[0] if point["measurement"] else ""


@report.command
@click.argument("ven_id", metavar="VEN-ID")
@click.argument("specifier_id", metavar="SPECIFIER-ID", default=METADATA)
@click.option("--r-id", "r_ids", multiple=True, metavar="ID", help="This data point only. May be repeated.")
@click.option(
    "--granularity",
    metavar="DURATION",
    callback=option(parse_duration),
    help="How far apart the values are. Default: as near as the VEN offers.",
)
@click.option(
    "--back",
    metavar="DURATION",
    callback=option(parse_duration),
    help="How often the VEN sends. Default: each value at once.",
)
@click.option("--start", metavar="TIME", callback=option(moment), help="When the values begin. Default: now.")
@click.option(
    "--duration", metavar="DURATION", callback=option(parse_duration), help="For how long. Default: until cancelled."
)
@click.option("--once", is_flag=True, help="One report, now.")
@click.option("--history", is_flag=True, help="What the VEN has recorded since --start, once.")
@click.option("--on-change", is_flag=True, help="Values that have changed, sent every --back (default: 1m).")
@click.option("--metadata", is_flag=True, help="What the VEN offers, anew; SPECIFIER-ID is not needed.")
@admin_options
def request(
    ven_id: str,
    specifier_id: str,
    r_ids: tuple[str, ...],
    granularity: timedelta | None,
    back: timedelta | None,
    start: datetime | None,
    duration: timedelta | None,
    once: bool,
    history: bool,
    on_change: bool,
    metadata: bool,
    admin: str | None,
    token: str | None,
    state: Path | None,
    as_json: bool,
) -> int:
    """Ask a VEN for a report that it offers (see: oadr vtn report list), regularly, or in one of the other ways.

    TIME is 24h (so long ago), a date (UTC), or a date and time with zone.

    \b
    Examples:
      oadr vtn report request VEN-ID SPECIFIER-ID
      oadr vtn report request VEN-ID SPECIFIER-ID --r-id boiler --granularity 1m --back 15m --duration 2h
      oadr vtn report request VEN-ID SPECIFIER-ID --once
      oadr vtn report request VEN-ID SPECIFIER-ID --history --start 24h
      oadr vtn report request VEN-ID --metadata

    Exit codes: 0 done (the VEN will be asked), 1 not done, 2 wrong use.
    """
    if once + history + on_change + metadata > 1:
        raise click.UsageError("--once, --history, --on-change and --metadata exclude each other")
    if metadata != (specifier_id == METADATA):
        raise click.UsageError("a SPECIFIER-ID is expected, or --metadata without one")
    body: Json = {"ven_id": ven_id, "report_specifier_id": specifier_id}
    if r_ids:
        body["r_ids"] = list(r_ids)
    lengths = {
        "granularity": timedelta() if on_change else granularity,
        "report_back_duration": timedelta() if once else back,
        "duration": duration,
    }
    body.update({name: length.total_seconds() for name, length in lengths.items() if length is not None})
    if start is not None:
        body["start"] = start.isoformat()
    with running_vtn(admin, token, state) as vtn:
        if history and not _is_history(vtn.ask("GET", "reports", ven_id=ven_id)["reports"], specifier_id):
            raise Failed(f"{clean(specifier_id)} is no history report of {clean(ven_id)}; see: oadr vtn report list")
        found = vtn.ask("POST", "report-requests", body=body)
    if as_json:
        show_json(found)
    else:
        put(clean(f"{ven_id} is asked with its next message, as request {found['report_request_id']}"))
    return 0


def _is_history(offers: list[Json], specifier_id: str) -> bool:
    return any("HISTORY" in (one["name"] or "") for one in offers if one["report_specifier_id"] == specifier_id)


@report.command
@click.argument("ven_id", metavar="VEN-ID")
@click.argument("request_ids", nargs=-1, required=True, metavar="REQUEST-ID…")
@click.option("--report-to-follow", is_flag=True, help="Ask for one last report.")
@admin_options
def cancel(
    ven_id: str,
    request_ids: tuple[str, ...],
    report_to_follow: bool,
    admin: str | None,
    token: str | None,
    state: Path | None,
    as_json: bool,
) -> int:
    """Take report requests back.

    \b
    Examples:
      oadr vtn report cancel VEN-ID REQUEST-ID
      oadr vtn report cancel VEN-ID REQUEST-ID --report-to-follow

    Exit codes: 0 done (the VEN will be told), 1 not done, 2 wrong use.
    """
    body = {"ven_id": ven_id, "report_request_ids": list(request_ids), "report_to_follow": report_to_follow}
    with running_vtn(admin, token, state) as vtn:
        found = vtn.ask("POST", "report-requests", "cancel", body=body)
    if as_json:
        show_json(found)
    else:
        put(clean(f"{ven_id} is told with its next message, or in the reply to its next values"))
    return 0


@report.command
@click.argument("rules", nargs=-1, metavar="[KIND[,FIELD=VALUE…]]…", callback=option(parse_rule))
@click.option("--none", is_flag=True, help="Ask for nothing by itself.")
@click.option("--reset", is_flag=True, help="As the VTN was started.")
@admin_options
def policy(
    rules: tuple[dict[str, Any], ...],
    none: bool,
    reset: bool,
    admin: str | None,
    token: str | None,
    state: Path | None,
    as_json: bool,
) -> int:
    """Show or change what the VTN asks for by itself; VENs that are registered hear of it with their next polls.

    KIND and FIELD are those of --report-policy of oadr vtn serve; of several rules the first that fits counts.

    \b
    Examples:
      oadr vtn report policy
      oadr vtn report policy periodic,unit=powerReal,granularity=1m,back=15m once,report=TELEMETRY_STATUS
      oadr vtn report policy --none

    Exit codes: 0 done, 1 not done, 2 wrong use.
    """
    if bool(rules) + none + reset > 1:
        raise click.UsageError("rules, --none and --reset exclude each other")
    with running_vtn(admin, token, state) as vtn:
        if rules or none:
            found = vtn.ask("PUT", "report-policy", body={"rules": [_rule(rule) for rule in rules]})
        else:
            found = vtn.ask("DELETE" if reset else "GET", "report-policy")
    if as_json:
        show_json(found)
        return 0
    for one in found["rules"]:
        put(clean(rule_text(one)))
    if not found["rules"]:
        put("nothing is asked for")
    return 0


def _rule(rule: dict[str, Any]) -> Json:
    return {name: what.total_seconds() if isinstance(what, timedelta) else what for name, what in rule.items()}
