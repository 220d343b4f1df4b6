"""`oadr simulate`: a VTN and its fleet in virtual time, with a network as bad as wanted.

It stands alone as the command and its words; what is simulated and judged is in :mod:`oadr_transports.simulation`.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from .failures import Failed
from .options import Number

if TYPE_CHECKING:
    from rich.console import Console

    from oadr_transports.simulation import History, Outcome, Scenario

SHOWN_LINES: Final = 40
"""Lines of a transcript on the screen; all of them are in the file."""
SHOWN_FAULTS: Final = 20
"""The same of faults: a history that takes long to fail has many that cannot be left out."""
_RATE: Final = Number(min=0, max=1000)
_SHARE: Final = Number(min=0, max=0.95)


@click.command
@click.option("--vens", type=click.IntRange(1, 200_000), default=100, show_default=True, help="How many VENs.")
@click.option("--hours", type=Number(min=0.1, max=8760), default=24.0, show_default=True, help="How long.")
@click.option("--seed", type=int, default=0, show_default=True, help="Everything that looks random follows from it.")
@click.option("--seeds", type=click.IntRange(min=1), help="Try so many seeds, from --seed on, until one fails.")
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes for --seeds.")
@click.option(
    "--poll", type=click.IntRange(1, 86_400), default=300, show_default=True, metavar="S", help="Seconds between polls."
)
@click.option(
    "--sample",
    type=click.IntRange(0, 86_400),
    default=900,
    show_default=True,
    metavar="S",
    help="Seconds between samples of each VEN's load; 0 for no reports.",
)
@click.option("--events", type=_RATE, default=3.0, show_default=True, help="Events a day; some of them change.")
@click.option("--push", type=Number(0, 1), default=0.0, show_default=True, help="Share of VENs pushed to.")
@click.option("--loss", type=_SHARE, default=0.0, show_default=True, help="Share of requests, and of replies, lost.")
@click.option(
    "--delay", type=Number(0, 60), default=0.0, show_default=True, metavar="S", help="Longest delay."
)
@click.option("--duplicate", type=_SHARE, default=0.0, show_default=True, help="Share of requests that come twice.")
@click.option("--reorder", type=_SHARE, default=0.0, show_default=True, help="Share of messages that others overtake.")
@click.option("--partitions", type=_RATE, default=0.0, show_default=True, help="Cuts a day, at each end.")
@click.option("--crashes", type=_RATE, default=0.0, show_default=True, help="Crashes a day, of each end.")
@click.option("--clock-steps", type=_RATE, default=0.0, show_default=True, help="Wall clocks set, a day.")
@click.option("--jitter/--no-jitter", default=True, show_default=True, help="Polls and reports are spread by a tenth.")
@click.option("--typed", is_flag=True, help="Messages pass as values, not as bytes: some three times as fast.")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw requests a second with and without jitter, and the fleet's load (svg, png, pdf).",
)
@click.option(
    "--transcript",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the shortest history of a failure goes.",
)
@click.option("--json", "as_json", is_flag=True, help="The figures as one JSON object, for --seeds one a line.")
def simulate(
    vens: int,
    hours: float,
    seed: int,
    seeds: int | None,
    jobs: int,
    poll: int,
    sample: int,
    events: float,
    push: float,
    loss: float,
    delay: float,
    duplicate: float,
    reorder: float,
    partitions: float,
    crashes: float,
    clock_steps: float,
    jitter: bool,
    typed: bool,
    plot: Path | None,
    transcript: Path | None,
    as_json: bool,
) -> int:
    """Simulate a fleet of VENs against one VTN, and judge every message.

    All sessions are real, only time, network and devices are not. The VTN publishes events, changes and cancels some;
    the VENs opt in or out, shed load, and report it. Meanwhile, it is judged whether each event is answered, both ends
    have the same opts, each sample arrives once, nobody acts outside an event's time, and nobody is asked twice. The
    same options give the same run, byte for byte.

    When something does not hold, the history is made as short as can be, and shown with its messages.

    \b
    Examples:
      oadr simulate
      oadr simulate --vens 1000 --hours 24 --loss 0.1 --seed 7
      oadr simulate --vens 1000 --plot fleet.svg      what jitter does, and what the fleet does
      oadr simulate --vens 20 --loss 0.1 --crashes 2 --partitions 1 --clock-steps 0.5
      oadr simulate --vens 20 --typed --loss 0.1 --crashes 1 --seeds 200 --jobs 2
      oadr simulate --vens 10000 --hours 1 --typed --json

    Exit codes: 0 all held, 1 something did not, 2 wrong use, 130 interrupted.
    """
    from rich.console import Console

    from oadr_transports.simulation import Rates, Scenario

    rates = Rates(
        loss=loss,
        delay_s=delay,
        duplicate=duplicate,
        reorder=reorder,
        partitions=partitions,
        crashes=crashes,
        clock_steps=clock_steps,
    )
    scenario = Scenario(
        seed=seed,
        vens=vens,
        hours=hours,
        poll_s=poll,
        sample_s=sample,
        report_s=3 * sample if sample else 900,
        events=events,
        push=push,
        jitter=jitter,
        typed=typed,
        faults=rates,
    )
    if plot is not None:
        _check_plot(plot, seeds)
    screen = Console(stderr=True)
    outcomes = _search(scenario, seeds, jobs, screen, as_json) if seeds else [_run(scenario, screen, "simulated")]
    failed = next((outcome for outcome in outcomes if not outcome.ok), None)
    if not seeds:
        _tell(outcomes[0], Console(), as_json=as_json)
        if plot is not None:
            _plot(outcomes[0], plot, screen)
    if failed is not None:
        _explain(failed, transcript, Console(stderr=as_json), screen)
    return 0 if failed is None else 1


# --- running --------------------------------------------------------------------------------------------------------


def _run(scenario: Scenario, screen: Console, what: str) -> Outcome:
    """Simulate once, with a bar where somebody can see it."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from oadr_transports.simulation import run

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task(f"{scenario.vens} VENs, {scenario.hours:g} h {what}", total=1.0)
        return run(scenario, lambda share: bar.update(task, completed=share))


def _search(scenario: Scenario, seeds: int, jobs: int, screen: Console, as_json: bool) -> list[Outcome]:
    """Simulate many seeds until one fails."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from oadr_transports.simulation import search

    found: list[Outcome] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task(f"{scenario.vens} VENs, {scenario.hours:g} h, seed by seed", total=seeds)
        for outcome in search(scenario, range(scenario.seed, scenario.seed + seeds), jobs):
            found.append(outcome)
            bar.advance(task)
            if as_json:
                click.echo(json.dumps(outcome.as_dict()))
            if not outcome.ok:
                break
    if not as_json:
        measures = [outcome.measures for outcome in found]
        click.echo(
            f"{len(found)} seeds: {sum(one.exchanges for one in measures):,} exchanges,"
            f" {sum(one.faults for one in measures):,} faults, {sum(one.restarts for one in measures):,} restarts,"
            f" {sum(one.delivered for one in measures):,} versions of events delivered,"
            f" {sum(one.received for one in measures):,} values received"
        )
        if all(outcome.ok for outcome in found):
            click.secho("all held in every run", fg="green")
    return found


# --- telling --------------------------------------------------------------------------------------------------------


def _tell(outcome: Outcome, console: Console, *, as_json: bool) -> None:
    found = outcome.as_dict()
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    from rich import box
    from rich.table import Table

    scenario = outcome.scenario
    title = f"{scenario.vens:,} VENs, {scenario.hours:g} h, seed {scenario.seed}"
    grid = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", show_header=False)
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    for row in _rows(found):
        grid.add_row(*row)
    console.print(grid)
    if outcome.ok:
        console.print("all held: every answer, every opt, every sample, every time", style="green")


_ROWS: Final = (
    ("events published", "published", "{changed:,} changed, {cancelled:,} cancelled"),
    ("versions delivered", "delivered", "{delivered_after}"),
    ("answers received", "answered", "{answered_after}"),
    ("opted in", "opted_in", "{opted_out:,} out; {questions:,} questions to applications"),
    ("values produced", "produced", "{placeholders:,} placeholders"),
    ("values received", "received", "{repeated:,} repeated, {waiting:,} still wait, {lost:,} lost"),
    ("polls", "polls", "{pushes:,} pushes; busiest second: {busiest_second:,} requests"),
    ("exchanges", "exchanges", "{failed:,} more failed; {faults:,} faults, {restarts:,} restarts"),
    ("bytes", "bytes", "{bytes_up:,} to the VTN, {bytes_down:,} back"),
    ("checks of both ends", "checks", "beside those of every step"),
)
"""What is told: a name, a number, and what belongs to it."""


def _rows(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    told = {
        **found,
        "bytes": found["bytes_up"] + found["bytes_down"],
        "delivered_after": _times(found["to_deliver_s"]),
        "answered_after": _times(found["to_answer_s"]),
    }
    rows = [(name, f"{told[key]:,}", text.format_map(told)) for name, key, text in _ROWS]
    speed = f"{found['times_real_time']:,} times as fast as time; {found['exchanges_per_s']:,} exchanges/s"
    return [*rows, ("real time", f"{found['took_s']:.1f} s", speed)]


def _times(found: dict[str, float]) -> str:
    if not found:
        return ""
    return "after " + ", ".join(f"{seconds:.1f} s ({name})" for name, seconds in found.items())


def _explain(outcome: Outcome, folder: Path | None, console: Console, screen: Console) -> None:
    """The shortest history of a failure, and how to see it again."""
    from oadr_transports.simulation import shortest

    broken = outcome.broken
    assert broken is not None
    console.print(f"seed {outcome.scenario.seed}: {broken}", style="bold red", highlight=False, soft_wrap=True)
    said: Callable[[str], None] | None = None
    if screen.is_terminal:
        status = screen.status("looking for the shortest history")
        status.start()

        def said(text: str) -> None:
            status.update(f"looking for the shortest history: {text}")

    try:
        history = shortest(outcome.scenario, broken, said)
    finally:
        if screen.is_terminal:
            status.stop()
    lines = [str(line) for line in history.lines]
    console.print(f"\nThe shortest history, of {history.runs} tried: {_size(history)}", highlight=False)
    for at_s, fault in history.faults[:SHOWN_FAULTS]:
        at = "" if at_s is None else f"{_clock(at_s)}  "
        console.print(f"  {at}{fault}", markup=False, highlight=False)
    if (more := len(history.faults) - SHOWN_FAULTS) > 0:
        console.print(f"  … and {more} more", highlight=False)
    shown = lines[-SHOWN_LINES:]
    console.print(f"\nIts messages{'' if len(shown) == len(lines) else f', the last {len(shown)} of {len(lines)}'}:")
    for line in shown:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(f"\n{history.broken}", style="bold red", markup=False, highlight=False, soft_wrap=True)
    if folder is not None:
        _keep(history, outcome, folder)
        console.print(f"all of it: {folder}", markup=False, highlight=False)


def _size(history: History) -> str:
    script = history.script
    faults = len(history.faults)
    return (
        f"{len(script.vens)} VEN{'s' * (len(script.vens) != 1)}, {script.length_s / 3600:.1f} h,"
        f" {len(script.programme)} act{'s' * (len(script.programme) != 1)} of the operator,"
        f" {faults} fault{'s' * (faults != 1)}"
    )


def _clock(at_s: float) -> str:
    hours, rest = divmod(int(at_s), 3600)
    return f"{hours:02}:{rest // 60:02}:{rest % 60:02}"


def _keep(history: History, outcome: Outcome, folder: Path) -> None:
    """The transcript as a file, and each message as another."""
    from .transcript import message_name

    try:
        folder.mkdir(parents=True, exist_ok=True)
        head = [f"seed {outcome.scenario.seed}: {history.broken}", _size(history), ""]
        head += [f"{'' if at_s is None else _clock(at_s) + '  '}{fault}" for at_s, fault in history.faults]
        text = "\n".join([*head, "", *map(str, history.lines)])
        (folder / "transcript.txt").write_text(text + "\n", "utf-8")
        for number, line in enumerate((line for line in history.lines if line.data), 1):
            way = "VTN-to-VEN" if line.who == "VTN" else "VEN-to-VTN"
            (folder / f"{number:03}-{way}.{message_name(line.data)}.xml").write_bytes(line.data)
    except OSError as error:
        raise Failed(f"the transcript cannot be kept in {folder}: {error.strerror}") from None


# --- drawing --------------------------------------------------------------------------------------------------------


def _check_plot(path: Path, seeds: int | None) -> None:
    """Find out now what would be found out after the run."""
    if seeds:
        raise click.UsageError("--plot draws one run; leave --seeds out")
    from oadr_transports.simulation.plot import FORMATS

    if path.suffix.lower() not in FORMATS:
        raise click.UsageError(f"--plot: a file that ends in {', '.join(FORMATS)} is expected, not {path.name}")
    if not os.access(path.parent, os.W_OK | os.X_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise click.UsageError(f"--plot: {path} cannot be written")
    try:
        import matplotlib  # noqa: F401  # an extra: nobody shall wait for a run that cannot be drawn
    except ModuleNotFoundError:
        raise Failed("--plot needs matplotlib; install it with: pip install 'oadr[plot]'") from None


def _plot(outcome: Outcome, path: Path, screen: Console) -> None:
    """Run once more with the other jitter, and draw both."""
    import attrs

    from oadr_transports.simulation.plot import draw

    scenario = outcome.scenario
    what = "without jitter" if scenario.jitter else "with jitter"
    other = _run(attrs.evolve(scenario, jitter=not scenario.jitter, typed=True), screen, what)
    spread, together = (outcome, other) if scenario.jitter else (other, outcome)
    try:
        draw(path, spread, together, shown=outcome)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from None
    click.echo(f"drawn: {shlex.quote(str(path))}", err=True)
