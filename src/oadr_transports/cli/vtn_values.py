"""`oadr vtn report export` and `oadr vtn report plot`: received values as a table or a picture in a file.

It stands alone as the commands: where values come from is in :mod:`.received`, what becomes of them in
:mod:`.exporting` and :mod:`.plotting`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import click

from .admin import Json, vtn_options
from .failures import Failed
from .files import STDIN
from .options import moment, option
from .say import clean, put

_F = TypeVar("_F", bound=Callable[..., Any])
PICTURES: Final = (".png", ".svg")
_TELL_EVERY_S: Final = 0.5


def _chosen(command: _F) -> _F:
    """The options that say which values."""
    time_ = option(moment)
    for add in reversed(
        (
            click.option("--ven", "ven_id", metavar="ID", help="Values of this VEN only."),
            click.option("--report", metavar="ID", help="Values of this report specifier only."),
            click.option("--request", "report_request_id", metavar="ID", help="Values of this report request only."),
            click.option("--r-id", metavar="ID", help="Values of this data point only."),
            click.option("--since", metavar="TIME", callback=time_, help="Values that begin then or later."),
            click.option("--until", metavar="TIME", callback=time_, help="Values that begin before."),
        )
    ):
        command = add(command)
    return vtn_options(command)


@click.command
@click.argument("file", metavar="[FILE]", default=STDIN)
@click.option("--csv", "form", flag_value="csv", help="Comma-separated values.")
@click.option("--json", "form", flag_value="json", help="One JSON object a line.")
@click.option("--parquet", "form", flag_value="parquet", help="Apache Parquet; needs the extra `parquet`.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@_chosen
def export(
    file: str,
    form: str | None,
    quiet: bool,
    admin: str | None,
    token: str | None,
    state: Path | None,
    **which: Any,
) -> int:
    """Write the values that were received to FILE, or to standard output.

    The name of FILE says the form (.csv, .json, .parquet), unless an option does; CSV is the default. TIME is 24h (so
    long ago), a date (UTC), or a date and time with zone. With --state the database itself is read, whether its VTN
    runs or not.

    \b
    Examples:
      oadr vtn report export --since 24h
      oadr vtn report export load.csv --ven VEN-ID --since 2030-01-31 --until 2030-02-01
      oadr vtn report export load.parquet --state vtn.db
      oadr vtn report export --json --r-id boiler | jq .value

    Exit codes: 0 done, 1 not done, 2 wrong use.
    """
    from .exporting import FORMS, SUFFIXES, counted, rows
    from .received import Chosen, source

    form = form or SUFFIXES.get(Path(file).suffix.lower(), "csv")
    if form == "parquet":
        import pyarrow  # noqa: F401  # before anything is written
    with source(admin, token, state) as found, _written(file) as out, _progress(quiet) as tell:
        values = found.values(Chosen(**which))
        FORMS[form](counted(rows(values, found.ven_names()), tell), out)
    return 0


@click.command
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--title", metavar="TEXT", help="What stands above. Default: which values, and from when to when.")
@click.option("--no-events", is_flag=True, help="Without the events.")
@_chosen
def plot(
    file: Path,
    title: str | None,
    no_events: bool,
    admin: str | None,
    token: str | None,
    state: Path | None,
    **which: Any,
) -> int:
    """Draw the values that were received, and the events, as FILE.png or FILE.svg; needs the extra `plot`.

    There is a panel for each unit and a line for each data point. Events are shaded, with their levels or prices above;
    values that the VEN calls bad are marked. TIME is 24h (so long ago), a date (UTC), or a date and time with zone.
    With --state the database itself is read, whether its VTN runs or not.

    \b
    Examples:
      oadr vtn report plot load.png --since 24h
      oadr vtn report plot load.svg --ven VEN-ID --r-id boiler --since 2030-01-31 --until 2030-02-01
      oadr vtn report plot load.png --state vtn.db

    Exit codes: 0 done, 1 not done, 2 wrong use.
    """
    if file.suffix.lower() not in PICTURES:
        raise click.UsageError(f"a name that ends in {' or '.join(PICTURES)} is expected, not {str(file)!r}")
    import matplotlib  # noqa: F401  # before anything is asked

    from .plotting import bars_of, draw, lines_of
    from .received import Chosen, source

    with source(admin, token, state) as found:
        names = found.ven_names()
        ven_ids: set[str] = set()

        def values() -> Iterator[tuple[Json, Json]]:
            for series, value in found.values(Chosen(**which)):
                ven_ids.add(series["ven_id"])
                yield series, value

        lines = lines_of(values(), names)
        if not lines:
            raise Failed("there are no numbers among the values that are chosen; see: oadr vtn report list")
        bars = [] if no_events else bars_of(found.events(), ven_ids)
    with _written(str(file)) as out:
        draw(lines, bars, out, file.suffix.lower().removeprefix("."), title or _title(ven_ids, names))
    put(f"drawn {sum(len(line.starts) for line in lines)} values of {len(lines)} data points: {clean(file)}")
    return 0


def _title(ven_ids: set[str], names: dict[str, str]) -> str:
    if len(ven_ids) > 1:
        return f"Load of {len(ven_ids)} VENs"
    [ven_id] = ven_ids
    return f"Load of {clean(names.get(ven_id) or ven_id)}"


# --- files ----------------------------------------------------------------------------------------------------------


@contextmanager
def _written(name: str) -> Iterator[IO[bytes]]:
    """A file that is there, whole, when the block has ended well, and otherwise as it was before."""
    if name == STDIN:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(name)
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with beside.open("wb") as file:
            yield file
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[int], None]]:
    """Says on a terminal how far it is, twice a second."""
    shown = not quiet and sys.stderr.isatty()
    last = time.monotonic()

    def tell(count: int) -> None:
        nonlocal last
        if shown and time.monotonic() - last > _TELL_EVERY_S:
            last = time.monotonic()
            click.echo(f"\r{count:,} values", nl=False, err=True)

    try:
        yield tell
    finally:
        if shown:
            click.echo("\r\x1b[K", nl=False, err=True)
