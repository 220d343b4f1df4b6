"""What a conformance kit says: a check and its result, and the report of all of them.

It stands alone because carriers and stores are proved alike: by named checks, each of which says what was expected,
what came instead, and what to do about it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

import attrs

from oadr_core import LocalError

_T = TypeVar("_T")
KIT_THREAD: Final = "oadr kit"
"""How the names of the kit's own threads begin."""
DEADLINE_S: Final = 120.0
"""For one check. The longest take a few seconds."""
HANGS: Final = "end by yourself after the timeout that is given, block no event loop, and give back every lock"
_LONGEST: Final = 300
"""Characters of a value in a message: enough to recognise it."""


class Nonconforming(AssertionError):
    """One thing that a part does not do as its port says."""

    def __init__(self, expected: str, came: str, fix: str) -> None:
        super().__init__(f"expected {expected}; {came}. {fix}")
        self.expected = expected
        self.came = came
        self.fix = fix


class NotChecked(Exception):
    """A check that cannot be made here; the text says why."""


class Outcome(StrEnum):
    """What came of one check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


@attrs.frozen(kw_only=True)
class Result:
    """One check and what came of it. ``expected``, ``came`` and ``fix`` are empty unless it failed; ``why`` is empty
    unless it was not made."""

    name: str
    outcome: Outcome
    expected: str = ""
    came: str = ""
    fix: str = ""
    why: str = ""

    def __str__(self) -> str:
        if self.outcome is Outcome.FAILED:
            return f"FAILED {self.name}\n  expected: {self.expected}\n  came:     {self.came}\n  fix:      {self.fix}"
        return f"{self.outcome} {self.name}" + (f": {self.why}" if self.why else "")


@attrs.frozen(kw_only=True)
class Report:
    """All results of one run, in the order of the checks."""

    results: tuple[Result, ...]

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    @property
    def failed(self) -> tuple[Result, ...]:
        """The checks that failed."""
        return tuple(result for result in self.results if result.outcome is Outcome.FAILED)

    def __str__(self) -> str:
        counts = ", ".join(
            f"{sum(result.outcome is outcome for result in self.results)} {outcome}" for outcome in Outcome
        )
        told = [str(result) for result in self.results if result.outcome is not Outcome.PASSED]
        return "\n".join([counts, *told])


class KitError(AssertionError):
    """At least one check failed; :attr:`report` has all of them."""

    def __init__(self, report: Report) -> None:
        super().__init__(str(report))
        self.report = report


@attrs.frozen
class Check(Generic[_T]):
    """A named check. ``function`` raises :class:`Nonconforming` or :class:`NotChecked`; ``needs`` are the features
    without which it cannot be made."""

    name: str
    function: Callable[[_T], Any]
    needs: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


def judged(name: str, run: Callable[[], object], fix: str, *, hung: Callable[[], object] = lambda: None) -> Result:
    """Run one check in a thread of its own and say what came of it.

    ``fix`` is the advice for an error that no check has foreseen. One that hangs is left behind, and ``hung`` called
    to set it free if that is possible.
    """
    results: list[Result] = []
    thread = threading.Thread(target=lambda: results.append(_judged(name, run, fix)), name=KIT_THREAD, daemon=True)
    thread.start()
    thread.join(DEADLINE_S)
    if thread.is_alive():
        hung()
        thread.join(1.0)
        return failed(name, Nonconforming("an end", f"it was still waiting after {DEADLINE_S:g} s", HANGS), fix)
    return results[0]


def _judged(name: str, run: Callable[[], object], fix: str) -> Result:
    try:
        run()
    except NotChecked as reason:
        return Result(name=name, outcome=Outcome.NOT_CHECKED, why=str(reason))
    except BaseException as error:  # a third party's code: anything can come out of it
        return failed(name, error, fix)
    return Result(name=name, outcome=Outcome.PASSED)


def failed(name: str, error: BaseException, fix: str) -> Result:
    """The result of a check that ended with an error; of a group the first that says what is wrong counts."""
    found = _first(error)
    if isinstance(found, Nonconforming):
        return Result(
            name=name, outcome=Outcome.FAILED, expected=found.expected, came=found.came, fix=found.fix
        )
    return Result(
        name=name, outcome=Outcome.FAILED, expected="no error", came=f"{told(found)} was raised", fix=fix
    )


def chosen(checks: Iterable[Check[_T]], only: Iterable[str] | None) -> tuple[Check[_T], ...]:
    """The checks with these names, all without. Raises :class:`~oadr_core.LocalError` for a name of none."""
    found = {check.name: check for check in checks}
    if only is None:
        return tuple(found.values())
    names = (only,) if isinstance(only, str) else tuple(only)
    for name in names:
        if name not in found:
            raise LocalError(f"one of {', '.join(found)} is expected, not {name!r}", path="only")
    return tuple(found[name] for name in names)


def lacking(check: Check[_T], lacks: frozenset[str]) -> Result | None:
    """The result of a check that cannot be made for what is lacking."""
    if missing := lacks.intersection(check.needs):
        return Result(name=check.name, outcome=Outcome.NOT_CHECKED, why=f"without {', '.join(sorted(missing))}")
    return None


def concluded(results: Iterable[Result]) -> Report:
    """The report of the results. Raises :class:`KitError` when one has failed."""
    report = Report(results=tuple(results))
    if report.failed:
        raise KitError(report)
    return report


def told(value: object) -> str:
    """A value for a message, cut to a readable length; an error with its type."""
    text = f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"


def _first(error: BaseException) -> BaseException:
    """The error itself, or the most telling one of a group."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    inner = [_first(each) for each in error.exceptions]
    return next((each for each in inner if isinstance(each, Nonconforming)), inner[0])
