"""How the demonstration ended, as a table for people and as JSON for programs.

It stands alone because both say the same, from one dict.
"""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from ..say import number, utc
from .story import VEN, VTN, Side, Story


def as_dict(story: Story, transcript: str | None) -> dict[str, Any]:
    """Everything that was seen, as plain JSON values. Times are seconds since the start, unless they are texts."""
    return {
        "ok": not story.missing,
        "missing": list(story.missing),
        "trouble": story.trouble or None,
        "seconds": round(story.finished_s if story.finished_s is not None else story.clock(), 2),
        "url": story.url,
        "event_id": story.event_id,
        "intervals": [
            {"dtstart": utc(start), "duration_s": span.total_seconds(), "price": price}
            for start, span, price in story.prices
        ],
        "vtn": _side(story.sides[VTN]),
        "ven": _side(story.sides[VEN]),
        "report_values": [{"dtstart": utc(at), "value": value} for at, value in story.readings],
        "messages": {
            "count": len(story.messages),
            "bytes": story.bytes,
            "by_name": dict(sorted(story.names.items())),
        },
        "transcript": transcript,
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "registered_as": side.registered_as or None,
        "registered_s": None if side.registered_s is None else round(side.registered_s, 2),
        "event_states": {str(state): round(at_s, 2) for state, at_s in side.states.items()},
        "opt": side.opt or None,
        "report_values": side.values,
    }


def table(found: dict[str, Any]) -> Table:
    """The summary as a table: what was seen, at the VTN and at the VEN."""
    grid = Table(box=box.SIMPLE_HEAD, title="oadr demo: what was seen", title_justify="left", title_style="bold")
    grid.add_column("")
    grid.add_column("at the VTN", overflow="fold")
    grid.add_column("at the VEN", overflow="fold")
    sides = (found["vtn"], found["ven"])
    grid.add_row("registered", *(_after(side["registered_s"]) for side in sides))
    grid.add_row("event states", *(_states(side["event_states"]) for side in sides))
    grid.add_row("prices", "", ", ".join(number(i["price"]) for i in found["intervals"]) or "-")
    grid.add_row("opt", *(side["opt"] or "-" for side in sides))
    grid.add_row("report values", *(str(side["report_values"]) for side in sides))
    messages = found["messages"]
    grid.add_row("exchanged", f"{messages['count']} messages", f"{messages['bytes']:,} bytes")
    return grid


def _after(at_s: float | None) -> str:
    return "-" if at_s is None else f"after {at_s} s"


def _states(states: dict[str, float]) -> str:
    return "\n".join(f"{state:<10} {at_s:5.1f} s" for state, at_s in states.items()) or "-"


def tell(found: dict[str, Any], console: Console) -> None:
    """Print the table, the transcript's place, and what is missing."""
    console.print(table(found))
    for label, text in (("registered as:", found["ven"]["registered_as"]), ("transcript:   ", found["transcript"])):
        if text:
            console.print(f"{label} {text}", markup=False, highlight=False, soft_wrap=True)
    if found["ok"]:
        console.print(f"everything was seen, in {found['seconds']} s", style="green", highlight=False)


def reason(found: dict[str, Any]) -> str:
    """Why the demonstration failed, in one line."""
    text = f"after {found['seconds']} s these were not seen: " + "; ".join(found["missing"])
    return text + (f". The last warning was: {found['trouble']}" if found["trouble"] else "")
