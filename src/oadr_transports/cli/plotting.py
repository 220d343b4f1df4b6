"""Received values as a picture: load over time, one panel for each unit, with the events above and behind.

It stands alone because it is the only module that needs matplotlib; what it draws is plain data.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import IO, Any, Final

import attrs

from .admin import Json
from .say import clean, number, shorten

Axes = Any
"""Of matplotlib, which converts times in places where its types say numbers."""
MOST_POINTS: Final = 4_000
"""Steps of one line: a picture is not wider. Of more values the lowest and highest of each stretch are drawn."""
MOST_NAMED: Final = 16
"""Lines that the legend of a panel names."""
MOST_LANES: Final = 8
"""Rows of events above the panels."""
GAP: Final = 2.5
"""A line is broken where values are further apart than so many of its usual steps."""
_LONGEST_NAME: Final = 24
_PREFIXES: Final = {"none": "", "micro": "µ"}
_PER: Final = {"CurrencyPerKWh": "/kWh", "CurrencyPerKW": "/kW", "CurrencyPerThm": "/thm"}
_DEGREES: Final = {"celsius": "°C", "fahrenheit": "°F"}
_COLOURS: Final = ("#1f6fb4", "#d9772b", "#2f8f4e", "#8e5bb0", "#b5493b", "#5f6a72", "#c2529b", "#7f8f1f", "#1b9aaa")
_DASHES: Final = ("-", "--", ":")
_EVENT: Final = "#e0a100"
_BAD: Final = "#c62828"
_GRID: Final = "#d8dde3"
_TEXT: Final = "#30363c"
_DIM: Final = "#6b757e"


@attrs.define
class Line:
    """The values of one series, in the order of time; ``ends`` are ``None`` for points in time, ``values`` not numbers
    where the VEN calls them bad: what stands there is a placeholder (R318).
    """

    name: str
    unit: str
    starts: list[datetime] = attrs.Factory(list)
    ends: list[datetime | None] = attrs.Factory(list)
    values: list[float] = attrs.Factory(list)
    bad: list[datetime] = attrs.Factory(list)


@attrs.frozen(kw_only=True)
class Bar:
    """One interval of one signal of an event; ``end`` is ``None`` for one without end."""

    event_id: str
    signal: str
    start: datetime
    end: datetime | None
    value: float


# --- what is drawn --------------------------------------------------------------------------------------------------


def lines_of(values: Iterable[tuple[Json, Json]], ven_names: dict[str, str]) -> list[Line]:
    """The numbers among the values, as lines; several requests for one data point make one line."""
    found: dict[tuple[str, ...], Line] = {}
    for series, value in values:
        what = value.get("value")
        if not isinstance(what, (int, float)):
            continue
        key = (series["ven_id"], series["report_specifier_id"], series["r_id"], unit_text(series))
        line = found.get(key)
        if line is None:
            line = found[key] = Line(_name(series, ven_names), unit_text(series))
        start = datetime.fromisoformat(value["start"])
        length = value.get("duration")
        line.starts.append(start)
        line.ends.append(None if length is None else start + timedelta(seconds=length))
        is_bad = str(value.get("data_quality", "")).startswith("Quality Bad")
        line.values.append(math.nan if is_bad else float(what))
    return [_ordered(line) for line in found.values()]


def _ordered(line: Line) -> Line:
    """Several requests follow each other in the source; of values for one time the last stays."""
    if any(one >= other for one, other in zip(line.starts, line.starts[1:], strict=False)):
        rows = {start: (end, value) for start, end, value in zip(line.starts, line.ends, line.values, strict=True)}
        line.starts = sorted(rows)
        line.ends = [rows[start][0] for start in line.starts]
        line.values = [rows[start][1] for start in line.starts]
    line.bad = [start for start, value in zip(line.starts, line.values, strict=True) if math.isnan(value)]
    return line


def bars_of(events: Iterable[Json], ven_ids: set[str]) -> list[Bar]:
    """The intervals of the events that are for these VENs and have not been cancelled."""
    return [
        Bar(
            event_id=event["event_id"],
            signal=_signal(signal),
            start=datetime.fromisoformat(interval["start"]),
            end=_end(datetime.fromisoformat(interval["start"]), interval["duration"]),
            value=float(interval["value"]),
        )
        for event in events
        if event["status"] != "cancelled" and (event["ven_ids"] is None or not ven_ids.isdisjoint(event["ven_ids"]))
        for signal in event["signals"]
        for interval in signal["intervals"]
        if isinstance(interval["value"], (int, float))
    ]


def _signal(signal: Json) -> str:
    """Name, type and unit: ``ELECTRICITY_PRICE price, EUR/kWh``."""
    unit = clean(signal["item_units"] or "") + _PER.get(signal["unit"] or "", "")
    name = f"{clean(signal['name'])} {signal['type']}"
    return f"{name}, {unit}" if unit else name


def lanes_of(bars: Iterable[Bar]) -> list[list[Bar]]:
    """Bars of one signal side by side, and events that overlap below each other."""
    events: dict[tuple[str, str], list[Bar]] = {}
    for bar in sorted(bars, key=lambda bar: bar.start):
        events.setdefault((bar.signal, bar.event_id), []).append(bar)
    lanes: list[list[Bar]] = []
    for event in events.values():
        for lane in lanes:
            last = lane[-1].end
            if lane[0].signal == event[0].signal and last is not None and last <= event[0].start:
                lane.extend(event)
                break
        else:
            lanes.append(list(event))
    return sorted(lanes, key=lambda lane: lane[0].signal)


def _end(start: datetime, duration: str) -> datetime | None:
    from oadr_core.engine.schedule import later
    from oadr_core.model import Duration

    length = Duration.parse(duration)
    return later(start, length) if length else None


def _name(series: Json, ven_names: dict[str, str]) -> str:
    ven = ven_names.get(series["ven_id"]) or series["ven_id"]
    parts = [ven, series["resource_id"] or "", series["r_id"] if series["r_id"] != series["resource_id"] else ""]
    name = " · ".join(shorten(clean(part), _LONGEST_NAME) for part in parts if part)
    return f" {name}" if name.startswith("_") else name  # else matplotlib leaves it out of the legend


def unit_text(series: Json) -> str:
    """The unit with its scale, and what is measured: ``kW (PowerReal)``."""
    if series["measurement"] is None:
        return "unit unknown"
    scale = series["scale"] or "none"
    unit = _DEGREES.get(series["unit"] or "", series["unit"] or "")
    sign = _PREFIXES.get(scale, scale) + clean(unit)
    return f"{sign} ({clean(series['measurement'])})" if sign else clean(series["measurement"])


def outline(line: Line) -> tuple[list[datetime], list[float]]:
    """Where the steps of a line are, with ``nan`` where it is broken: at gaps, and after the last interval."""
    usual = _usual_step(line)
    xs: list[datetime] = []
    ys: list[float] = []
    for index, (start, end, value) in enumerate(zip(line.starts, line.ends, line.values, strict=True)):
        following = line.starts[index + 1] if index + 1 < len(line.starts) else None
        xs.append(start)
        ys.append(value)
        stop = end if end is not None else start + usual
        if following is None or following - stop > usual * (GAP - 1):
            xs += [stop, stop]
            ys += [value, math.nan]
    return xs, ys


def _usual_step(line: Line) -> timedelta:
    steps = [(after - before).total_seconds() for before, after in zip(line.starts, line.starts[1:], strict=False)]
    return timedelta(seconds=median(steps)) if steps else timedelta(minutes=1)


def thinned(xs: Sequence[datetime], ys: Sequence[float]) -> tuple[list[datetime], list[float]]:
    """At most about :data:`MOST_POINTS` of the steps: first, lowest, highest and last of each stretch, and gaps."""
    if len(xs) <= MOST_POINTS:
        return list(xs), list(ys)
    size = math.ceil(len(xs) * 4 / MOST_POINTS)
    chosen: list[int] = []
    for begin in range(0, len(xs), size):
        stretch = range(begin, min(begin + size, len(xs)))
        numbers = [index for index in stretch if not math.isnan(ys[index])]
        gaps = {index for index in stretch if math.isnan(ys[index])}
        kept = {stretch[0], stretch[-1]} | gaps
        if numbers:
            kept |= {min(numbers, key=ys.__getitem__), max(numbers, key=ys.__getitem__)}
        chosen += sorted(kept)
    return [xs[index] for index in chosen], [ys[index] for index in chosen]


# --- drawing --------------------------------------------------------------------------------------------------------


def draw(lines: list[Line], bars: list[Bar], out: IO[bytes], form: str, title: str) -> None:
    """Draw lines and bars into a PNG or SVG; at least one line is there. Needs matplotlib, and no display."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    first, last = _span(lines)
    margin = max((last - first) * 0.01, timedelta(seconds=30))
    begin, end = first - margin, last + margin
    bars = [bar for bar in bars if bar.start < end and (bar.end is None or bar.end > begin)]
    lanes = lanes_of(bars)
    units = sorted({line.unit for line in lines}, key=lambda unit: ("Power" not in unit, unit))
    heights = ([0.26 + 0.34 * min(len(lanes), MOST_LANES)] if lanes else []) + [2.7] * len(units)
    style = {
        "font.size": 9,
        "svg.hashsalt": "oadr",
        "svg.fonttype": "none",
        "text.parse_math": False,  # names are those of peers: a $ is a $
        "axes.edgecolor": "#9aa4ad",
        "text.color": _TEXT,
        "axes.labelcolor": _TEXT,
        "xtick.color": _TEXT,
        "ytick.color": _TEXT,
    }
    with mpl.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)  # a box stands for it
        figure = Figure(figsize=(11.5, sum(heights) + 1.0), dpi=130, layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
        if lanes:
            _draw_lanes(panels[0], lanes, begin, end)
        for panel, unit in zip(panels[len(panels) - len(units) :], units, strict=True):
            _draw_panel(panel, [line for line in lines if line.unit == unit], unit, bars, end)
        panels[-1].set_xlim(begin, end)
        _time_axis(panels[-1], first, last)
        figure.suptitle(title, fontsize=12, x=0.01, ha="left", fontweight="bold")
        figure.savefig(out, format=form, metadata={"Date": None} if form == "svg" else None)


def _span(lines: list[Line]) -> tuple[datetime, datetime]:
    begin = min(line.starts[0] for line in lines)
    end = max(end or start for line in lines for start, end in zip(line.starts[-1:], line.ends[-1:], strict=True))
    return begin, end


def _draw_lanes(panel: Axes, lanes: list[list[Bar]], begin: datetime, end: datetime) -> None:
    """Signals as rows of bars: the darker, the higher the value among those of its kind."""
    shown = lanes[:MOST_LANES]
    highest = {lane[0].signal: 0.0 for lane in lanes}
    for bar in (bar for lane in lanes for bar in lane):
        highest[bar.signal] = max(highest[bar.signal], abs(bar.value))
    for row, lane in enumerate(reversed(shown)):
        for bar in lane:
            start, stop = max(bar.start, begin), min(bar.end or end, end)
            strength = abs(bar.value) / highest[bar.signal] if bar.value else 0.0
            panel.barh(
                row,
                stop - start,
                left=start,
                height=0.74,
                color=_EVENT,
                alpha=0.15 + 0.65 * strength,
                edgecolor="white",
                linewidth=0.8,
            )
            text = number(bar.value)
            if (stop - start) / (end - begin) > 0.009 * (len(text) + 1):
                panel.text(start + (stop - start) / 2, row, text, ha="center", va="center", fontsize=8)
    more = len(lanes) - len(shown)
    panel.set_yticks(range(len(shown)), [lane[0].signal for lane in reversed(shown)], fontsize=8)
    panel.set_ylim(-0.6, len(shown) - 0.4)
    panel.set_title(f"events{f' (and {more} more rows)' if more else ''}", fontsize=8, loc="left", color=_DIM, pad=3)
    panel.tick_params(axis="both", length=0)
    for side in panel.spines.values():
        side.set_visible(False)


def _draw_panel(panel: Axes, lines: list[Line], unit: str, bars: list[Bar], end: datetime) -> None:
    for bar in bars:
        panel.axvspan(bar.start, bar.end or end, color=_EVENT, alpha=0.09, linewidth=0)
    for index, line in enumerate(lines):
        xs, ys = thinned(*outline(line))
        name = line.name if index < MOST_NAMED else None
        colour = _COLOURS[index % len(_COLOURS)]
        dash = _DASHES[index // len(_COLOURS) % len(_DASHES)]
        panel.plot(xs, ys, dash, drawstyle="steps-post", linewidth=1.2, color=colour, label=name)
        if len(line.starts) == 1:
            panel.plot(line.starts, line.values, "o", markersize=4, color=colour)
    bad = [at for line in lines for at in line.bad]
    if bad:
        panel.plot(
            bad[:MOST_POINTS],
            [0.02] * len(bad[:MOST_POINTS]),
            "x",
            transform=panel.get_xaxis_transform(),  # at the bottom, whatever the placeholder
            color=_BAD,
            markersize=5,
            markeredgewidth=1.3,
            label=f"quality bad ({len(bad)})",
            zorder=4,
        )
    panel.set_ylabel(unit)
    panel.grid(True, color=_GRID, linewidth=0.6)
    panel.set_axisbelow(True)
    panel.margins(y=0.12)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
    more = len(lines) - MOST_NAMED
    panel.legend(
        loc="upper left",
        bbox_to_anchor=(1.005, 1.0),
        borderaxespad=0.0,
        fontsize=8,
        frameon=False,
        title=f"and {more} more" if more > 0 else None,
        title_fontsize=8,
    )


def _time_axis(panel: Axes, begin: datetime, end: datetime) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(tz=UTC, minticks=5, maxticks=12)
    panel.xaxis.set_major_locator(locator)
    panel.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC, show_offset=False))
    panel.set_xlabel(f"{_day(begin)} to {_day(end)}, UTC" if _day(begin) != _day(end) else f"{_day(begin)}, UTC")


def _day(at: datetime) -> Any:
    return at.astimezone(UTC).date().isoformat()
