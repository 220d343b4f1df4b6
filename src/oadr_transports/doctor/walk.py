"""One step after the other, until one fails.

It stands alone because it knows no step: what is done at each is in :mod:`.examination`, what is said of a failure in
:mod:`.words`. Here it is decided what a failure means for the steps around it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from .findings import Finding, Step
from .steps import TITLES, Checked, Diagnosis, Failure, Status
from .words import TABLE, words

_GOES_ON: Final = (Step.CLOCK,)
"""Steps whose failure does not keep from taking the next."""
_ORDER: Final = {step: number for number, step in enumerate(Step)}
_PASSED: Final = {Step.CLIENT: (Step.CHAIN, Step.HOST)}
"""What was found good before a handshake failed for a later reason; chain and host name are judged together."""


class Found(Exception):
    """Something is wrong; ``seen`` is for the places in its words."""

    def __init__(self, finding: Finding, **seen: object) -> None:
        self.finding = finding
        self.seen = seen
        super().__init__(finding)


class Skip(Exception):
    """A step that has nothing to look at; the text says why."""


class Walk:
    """The steps that were taken so far, and what is known for the words.

    A step is a function that returns what it has seen in one line, or raises :class:`Found` or :class:`Skip`. It may
    add to ``notes`` and ``places``. A finding belongs to a step of its own: a handshake shows all that TLS can find.
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        self.places = dict(places)
        self.notes: list[str] = []
        self._checked: dict[Step, Checked] = {}
        self._failure: Failure | None = None

    def run(self, url: str, steps: Mapping[Step, Callable[[], str]]) -> Diagnosis:
        """Take the steps in their order; after one that fails, the rest is skipped."""
        for step in Step:
            if step in self._checked:
                continue
            if self._failure is not None and self._failure.step not in _GOES_ON:
                self._record(step, Status.SKIPPED, f"{TITLES[self._failure.step]} failed")
            else:
                self._take(step, steps)
        return Diagnosis(url=url, steps=tuple(self._checked[step] for step in Step), failure=self._failure)

    def _take(self, step: Step, steps: Mapping[Step, Callable[[], str]]) -> None:
        self.notes = []
        try:
            self._record(step, Status.OK, steps[step]())
        except Skip as skip:
            self._record(step, Status.SKIPPED, str(skip))
        except Found as found:
            self._fail(step, found, steps)

    def _fail(self, step: Step, found: Found, steps: Mapping[Step, Callable[[], str]]) -> None:
        """Record a failure at the step where it belongs, which may be another than where it showed."""
        now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        seen = {name: str(value) for name, value in found.seen.items()}
        what, advice = words(found.finding, {**self.places, "now": now, **seen})
        at = TABLE[found.finding].step
        if _ORDER[at] > _ORDER[step]:
            self._record(step, Status.OK, seen.get("so_far") or "begun")
            for passed in _PASSED.get(at, ()):
                self._take(passed, steps)
        elif at is not step:
            self._record(step, Status.SKIPPED, f"{TITLES[at]} failed")
        self._record(at, Status.FAILED, what)
        if self._failure is None:
            self._failure = Failure(step=at, finding=found.finding, what=what, advice=advice)

    def _record(self, step: Step, status: Status, text: str) -> None:
        self._checked[step] = Checked(step=step, status=status, text=text, notes=tuple(self.notes))
        self.notes = []
