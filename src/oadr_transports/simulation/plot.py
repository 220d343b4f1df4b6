"""A run as a picture: requests a second at the VTN with and without jitter, and the fleet's load against the events.

It stands alone because it needs matplotlib, an extra (``oadr[plot]``), and reads nothing but the figures of runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .measures import LOAD_STEP_S
from .outcome import Outcome
from .scenario import HOUR_S

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS: Final = (".svg", ".png", ".pdf")
ZOOM_S: Final = 3600
"""How much of the beginning is shown closely: there the whole fleet begins at once."""
ZOOM_STEP_S: Final = 10
SPREAD: Final = "#0a6ebd"
TOGETHER: Final = "#d9480f"
BASE: Final = "#868e96"
EVENT: Final = "#ffd43b"


def draw(path: Path, spread: Outcome, together: Outcome, *, shown: Outcome) -> None:
    """Write the picture to ``path``; its ending says the format.

    ``spread`` is the run with jitter, ``together`` the one without, ``shown`` the one whose load is drawn.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 9), layout="constrained")
    first, second, third = figure.subplots(3, 1, height_ratios=(1, 1, 1.25))
    _first_hour(first, spread, together)
    _day(second, spread, together)
    _load(third, shown)
    scenario = shown.scenario
    figure.suptitle(
        f"{scenario.vens:,} VENs that poll every {scenario.poll_s} s, {scenario.hours:g} h, seed {scenario.seed}",
        fontsize=13,
        fontweight="bold",
        x=0.01,
        ha="left",
    )
    metadata: Any = {"Date": None} if path.suffix.lower() == ".svg" else None  # the same run, the same file
    figure.savefig(path, dpi=130, metadata=metadata)


def _first_hour(axes: Axes, spread: Outcome, together: Outcome) -> None:
    """From the moment at which all begin at once."""
    length_s = min(ZOOM_S, int(spread.scenario.length_s))
    _rates(axes, spread, together, length_s, ZOOM_STEP_S, 60.0)
    axes.set_xlabel("minutes")
    _finish(axes, f"Requests a second at the VTN, at most in {ZOOM_STEP_S} s: all VENs begin at once", "requests/s")


def _day(axes: Axes, spread: Outcome, together: Outcome) -> None:
    """The whole run."""
    length_s = int(spread.scenario.length_s)
    step_s = max(300, length_s // 288)
    _rates(axes, spread, together, length_s, step_s, HOUR_S)
    axes.set_xlabel("hours")
    _finish(axes, f"The same in the whole run, at most in {step_s // 60} minutes", "requests/s")


def _rates(axes: Axes, spread: Outcome, together: Outcome, length_s: int, step_s: int, unit_s: float) -> None:
    """The busiest second of each step, for both runs."""
    for outcome, colour, label in ((together, TOGETHER, "without jitter"), (spread, SPREAD, "with jitter")):
        peaks = _peaks(outcome.measures.requests[:length_s], step_s)
        times = [number * step_s / unit_s for number in range(len(peaks) + 1)]
        axes.stairs(peaks, times, color=colour, lw=1.1, label=label)
        axes.stairs(peaks, times, color=colour, alpha=0.15, fill=True)
    axes.set_yscale("symlog", linthresh=1)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, length_s / unit_s)


def _peaks(requests: Sequence[int], bucket: int) -> list[int]:
    return [max(requests[start : start + bucket], default=0) for start in range(0, len(requests), bucket)]


def _load(axes: Axes, outcome: Outcome) -> None:
    """What the fleet takes, what it would have taken, and when it was asked to take less."""
    measures = outcome.measures
    hours = [number * LOAD_STEP_S / HOUR_S for number in range(len(measures.load))]
    scale, unit = (1000, "MW") if max(measures.base, default=0) >= 2000 else (1, "kW")
    base = [value / scale for value in measures.base]
    load = [value / scale for value in measures.load]
    label: str | None = "event: darker means a higher level"
    for start, end, level in outcome.measures.asked:
        axes.axvspan(start / HOUR_S, end / HOUR_S, color=EVENT, alpha=0.15 + 0.2 * level, lw=0, label=label)
        label = None
    axes.plot(hours, base, color=BASE, lw=1.2, ls="--", label="without events")
    axes.plot(hours, load, color=SPREAD, lw=1.6, label="load of the fleet")
    axes.fill_between(hours, load, base, color=SPREAD, alpha=0.12, lw=0)
    axes.set_ylim(bottom=0, top=1.15 * max(base, default=1))
    axes.set_xlim(0, outcome.scenario.hours)
    axes.set_xlabel("hours")
    _finish(axes, "Load of the fleet, and what its events ask for", unit)


def _finish(axes: Axes, title: str, unit: str) -> None:
    axes.set_title(title, loc="left", fontsize=10.5)
    axes.set_ylabel(unit)
    axes.grid(alpha=0.25, lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper right", fontsize=8.5, ncols=3, frameon=True, framealpha=0.85)
