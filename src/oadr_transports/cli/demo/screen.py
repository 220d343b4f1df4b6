"""The demonstration as a picture that changes in place: VTN and VEN, the messages between them, the event, the meter.

It stands alone as one of two views of a :class:`.Story`: everything drawn is computed anew from the story, ten times
a second.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import anyio
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ..say import number
from .story import STATES, VEN, VTN, Entry, Message, Story

FRAME_S: Final = 0.1
NARROWEST: Final = 72
LOWEST: Final = 20
"""Columns and rows below which lines are the better view."""
_BELOW: Final = 12
"""Rows of everything but the three columns, and of the prompt below."""
_MOST_ROWS: Final = 13
_BARS: Final = "▁▂▃▄▅▆▇█"
_KINDS: Final = {
    "registration": "green",
    "event": "cyan",
    "opt": "green",
    "report": "blue",
    "warning": "yellow",
    "start": "bright_black",
}
_CHEAP, _FAIR, _DEAR = "black on green", "black on yellow", "white on red"


async def show(story: Story, console: Console) -> None:
    """Draw until cancelled, and once more at the end."""
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        try:
            while True:
                live.update(picture(story, console), refresh=True)
                await anyio.sleep(FRAME_S)
        finally:
            live.update(picture(story, console), refresh=True)


def picture(story: Story, console: Console, now: datetime | None = None) -> RenderableType:
    """The picture of this moment, to fit the console."""
    now = now or datetime.now(UTC)
    rows = max(4, min(_MOST_ROWS, console.height - _BELOW - 2))
    sides = Table.grid(expand=True)
    for ratio in (5, 6, 5):
        sides.add_column(ratio=ratio)
    sides.add_row(
        _panel(_column(story, VTN, rows), "VTN", "utility", rows),
        _panel(_messages(story, rows), "messages", f"{len(story.messages)}, {story.bytes:,} bytes", rows),
        _panel(_column(story, VEN, rows), "VEN", "house", rows),
    )
    width = console.width - 4
    return Group(
        _head(story),
        sides,
        Panel(Group(_steps(story), *_prices(story, now, width)), title="event", title_align="left", box=box.ROUNDED),
        Panel(_meter(story, width), title="meter, as reported to the VTN", title_align="left", box=box.ROUNDED),
    )


def _head(story: Story) -> RenderableType:
    line = Table.grid(expand=True)
    line.add_column()
    line.add_column(justify="right")
    line.add_row(Text(f" oadr demo  {story.url}", style="bold", overflow="ellipsis", no_wrap=True), _elapsed(story))
    return line


def _elapsed(story: Story) -> Text:
    if story.finished_s is not None:
        return Text(f"done in {story.finished_s:.1f} s ", style="bold green")
    return Text(f"{story.clock():.1f} s ", style="bold")


def _panel(body: RenderableType, title: str, subtitle: str, rows: int) -> Panel:
    return Panel(body, title=title, subtitle=subtitle, height=rows + 2, box=box.ROUNDED, padding=0)


def _column(story: Story, side: str, rows: int) -> RenderableType:
    """The last things that a side has noticed; warnings stand with the VTN."""
    entries = [entry for entry in story.entries if entry.side == side or (not entry.side and side == VTN)]
    return Group(*(_entry(entry) for entry in _folded(entries)[-rows:]))


def _folded(entries: list[Entry]) -> list[Entry]:
    """Of report values that follow each other, the last: they would drive out everything else."""
    found: list[Entry] = []
    for entry in entries:
        if found and _is_values(entry) and _is_values(found[-1]):
            found.pop()
        found.append(entry)
    return found


def _is_values(entry: Entry) -> bool:
    return entry.kind == "report" and entry.text.startswith("values")


def _entry(entry: Entry) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f"{entry.at_s:4.1f} ", style="bright_black")
    line.append(entry.text, style=_KINDS.get(entry.kind, ""))
    return line


def _messages(story: Story, rows: int) -> RenderableType:
    """The last messages; polls without an answer of substance are counted in one line."""
    lines: list[tuple[Message, int]] = []
    for message in story.messages:
        if message.silent and lines and lines[-1][0].silent:
            lines[-1] = (message, lines[-1][1] + 1)
        else:
            lines.append((message, 1))
    return Group(*(_message(message, count) for message, count in lines[-rows:]))


def _message(message: Message, count: int) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    if message.silent:
        line.append(f"↔ polling, {count} messages" if count > 1 else "← Poll", style="bright_black")
    elif message.to_vtn:
        line.append("← ", style="bold magenta")
        line.append(message.name.removeprefix("oadr"))
    else:
        line.append("→ ", style="bold cyan")
        line.append(message.name.removeprefix("oadr"))
    return line


def _steps(story: Story) -> Text:
    """far ── near ── active ── completed, with the current one in colour."""
    seen, current = story.sides[VTN].states, story.state
    line = Text()
    for step, state in enumerate(STATES):
        if step:
            line.append(" ─── ", style="bright_black")
        if state is current:
            line.append(f" {state} ", style="bold black on cyan")
        else:
            line.append(f" {state} ", style="cyan" if state in seen else "bright_black")
    for side in (VTN, VEN):
        opt = story.sides[side].opt
        if opt:
            line.append(f"   {side}: {opt}", style="green")
    return line


def _prices(story: Story, now: datetime, width: int) -> tuple[Text, Text]:
    """The intervals side by side with their prices, and below them where now is."""
    if not story.prices:
        return Text("no event yet", style="bright_black"), Text()
    lowest, highest = min(p for *_, p in story.prices), max(p for *_, p in story.prices)
    each = max(8, min(30, width // len(story.prices)))
    bar = Text()
    for _, _, price in story.prices:
        style = _DEAR if price == highest else _CHEAP if price == lowest else _FAIR
        bar.append(f"{number(price)} €/kWh".center(each), style=style)
    start = story.prices[0][0]
    total = sum((span for _, span, _ in story.prices), timedelta())
    if now < start:
        return bar, Text(f"begins in {(start - now).total_seconds():.0f} s", style="bright_black")
    share = (now - start) / total
    if share >= 1:
        return bar, Text("over", style="bright_black")
    column = int(share * each * len(story.prices))
    return bar, Text(" " * column + "▲ now")


def _meter(story: Story, width: int) -> Text:
    """The values as a row of bars, the last one in kW."""
    if not story.readings:
        return Text("no values yet", style="bright_black")
    label = f" {story.readings[-1][1]:.2f} kW"
    values = [value for _, value in story.readings][-((width - len(label)) // 2) :]
    top = max(max(values), 0.1)
    line = Text(no_wrap=True)
    for value in values:
        line.append(_BARS[min(7, max(0, round(value / top * 7)))] * 2, style="blue")
    line.append(label, style="bold")
    return line
