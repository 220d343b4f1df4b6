"""`oadr validate`: whether messages are as they should be, a line each.

It stands alone as the command; what is right and wrong is the codec's business.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import attrs
import click

from .failures import Failed
from .files import read, shown_name, spread

MANY: Final = 50
"""From so many files on, a progress bar is worth its line."""


@attrs.frozen(kw_only=True)
class Verdict:
    """What is to be said of one file; ``place`` and ``rule`` may be empty, ``line`` ``None``."""

    file: str
    ok: bool
    message: str = ""
    line: int | None = None
    place: str = ""
    rule: str = ""
    reason: str = ""
    deviations: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The one line for people."""
        if self.ok:
            count = len(self.deviations)
            note = f" ({count} deviation{'s' if count != 1 else ''})" if count else ""
            return f"ok   {self.file}  {self.message}{note}"
        where = f"{self.file}:{self.line}" if self.line else self.file
        rule = f" [{self.rule}]" if self.rule else ""
        return f"bad  {where}:{rule} {f'{self.place}: ' if self.place else ''}{self.reason}"


@click.command
@click.argument("paths", nargs=-1, required=True, metavar="FILE|DIR...")
@click.option("--strict", is_flag=True, help="Refuse what a tolerant reader lets pass, as a certification would.")
@click.option("--quiet", "-q", is_flag=True, help="Show bad files only.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def validate(paths: tuple[str, ...], strict: bool, quiet: bool, as_json: bool) -> int:
    """Check messages: one line a file, `ok`, or where and why not.

    Of a directory, all files below it that end in .xml are checked; - is standard input. Signatures are not
    verified: see oadr inspect.

    \b
    Examples:
      oadr validate message.xml
      oadr validate --strict transcript/
      oadr validate -q --json messages/ | jq .reason

    Exit codes: 0 all are good, 1 some are bad, 2 wrong use.
    """
    names = list(spread(paths))
    if not names:
        raise Failed(f"no .xml file is in {', '.join(paths)}")
    bad = 0
    with _progress(len(names), as_json=as_json) as (tell, step):
        for verdict in _verdicts(names, strict=strict):
            bad += not verdict.ok
            if not (quiet and verdict.ok):
                tell(json.dumps(attrs.asdict(verdict)) if as_json else verdict.text, verdict.ok)
            step()
    if not as_json and len(names) > 1:
        click.echo(f"{len(names)} files, {bad} bad", err=True)
    return 1 if bad else 0


def _verdicts(names: Iterable[str], *, strict: bool) -> Iterator[Verdict]:
    for name in names:
        try:
            data = read(name)
        except Failed as error:
            yield Verdict(file=shown_name(name), ok=False, reason=str(error).removeprefix(f"{name}: "))
        else:
            yield judge(data, shown_name(name), strict=strict)


def judge(data: bytes, file: str, *, strict: bool) -> Verdict:
    """The verdict on the bytes of one file."""
    from oadr_core import RemoteError, decode

    from .say import clean

    try:
        envelope = decode(data, strict=strict)
    except RemoteError as error:
        return Verdict(
            file=file, ok=False, line=error.line, place=clean(error.path), rule=error.rule, reason=clean(error.text)
        )
    return Verdict(
        file=file,
        ok=True,
        message=type(envelope.payload).__element__.partition(":")[2],
        deviations=tuple(clean(deviation) for deviation in envelope.deviations),
    )


@contextmanager
def _progress(count: int, *, as_json: bool) -> Iterator[tuple[Callable[[str, bool], None], Callable[[], Any]]]:
    """What prints a line and what counts a file.

    There is a bar on standard error if there are many files and somebody watches.
    """
    from .say import colour_wanted

    def tell(line: str, ok: bool) -> None:
        click.echo(line if as_json or ok else click.style(line, fg="red"), color=colour_wanted())

    if count < MANY or not sys.stderr.isatty():
        yield tell, lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.text import Text

    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("checking"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=count)

        def tell_above(line: str, ok: bool) -> None:
            """Lines that go to the same terminal have to go around the bar."""
            console.print(Text(line, style="" if ok else "red"), soft_wrap=True)

        yield tell_above if sys.stdout.isatty() else tell, lambda: progress.advance(task)
