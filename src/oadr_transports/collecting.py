"""How the values of a report are collected: one question for each data point, and what becomes of its answer.

It stands alone because of one promise: a callback that raises, returns rubbish or does not come back in time costs its
own value and nothing else (R318). Who calls and waits, and how, is the driver's business (:mod:`.asking`).
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

import attrs

from oadr_core.ven import ProvideReport, Reading, ReportDue

from .asking import Call, Errand, Late, Outcome
from .log import logger
from .readings import Kind, placeholder, readings_of

ANSWER_SHARE: Final = 0.8
RECORD_SHARE: Final = 0.1
"""Of the time that there is for an answer: for the callbacks, and for the history; the rest is for handing it in."""


@attrs.define(kw_only=True, eq=False)
class Source:
    """The callback behind a data point, and its calls that have not come back although nobody waits any more."""

    callback: Callable[..., Any]
    kind: Kind
    record: Callable[[Iterable[Reading]], None] | None = None
    """Keeps what was measured, where somebody has attached a history."""
    _late: list[Question] = attrs.field(factory=list, init=False)

    @property
    def is_stuck(self) -> bool:
        """True while an earlier call has not come back: another would only take one more thread."""
        self._late = [question for question in self._late if not question.done]
        return bool(self._late)

    def give_up(self, question: Question) -> None:
        """Nobody waits for the answer any more: until it comes, the callback is not called again."""
        if question.asked and not question.done:
            self._late.append(question)


@attrs.define(kw_only=True, eq=False)
class Question:
    """One call of the callback of one data point."""

    r_id: str
    source: Source
    arguments: Mapping[str, Any]
    asked: bool = False
    done: bool = False

    def call(self, within_s: float) -> Call:
        """What a driver is to call; the outcome holds the readings."""
        is_async = Call(self.source.callback).is_async
        return Call(self._ask_async if is_async else self._ask, within_s=within_s)

    def readings(self, outcome: Outcome) -> tuple[Reading, ...]:
        """The readings of an outcome: after a failure, and a line in the log, a placeholder."""
        if outcome.error is None:
            found: tuple[Reading, ...] = outcome.result
            return found
        if isinstance(outcome.error, Late):
            self.source.give_up(self)
            logger.error("the callback of report value %r %s", self.r_id, outcome.error)
        else:
            error = outcome.error
            logger.error("the callback of report value %r raised %s: %s", self.r_id, type(error).__name__, error)
        return (placeholder(self.r_id),)

    def _ask(self) -> Any:
        """The result is read in the same thread: it may be a generator that takes its time."""
        self.asked = True
        try:
            result = self.source.callback(**self.arguments)
            return self._awaited(result) if inspect.isawaitable(result) else self._read(result)
        finally:
            self.done = True

    async def _ask_async(self) -> Any:
        return self._read(await self.source.callback(**self.arguments))

    async def _awaited(self, result: Awaitable[Any]) -> tuple[Reading, ...]:
        return self._read(await result)

    def _read(self, result: Any) -> tuple[Reading, ...]:
        return readings_of(self.r_id, result, self.source.kind)


def collect(due: ReportDue, questions: Iterable[Question], within_s: float) -> Errand:
    """Ask all questions at the same time; whatever the callbacks do, there is something for each data point.

    ``within_s``: seconds until the session goes on without an answer.
    """
    asked = tuple(questions)
    free = [question for question in asked if not question.source.is_stuck]
    outcomes = yield tuple(question.call(within_s * ANSWER_SHARE) for question in free)
    came = dict(zip(free, outcomes, strict=True))
    busy = Outcome(error=Late("has not come back from an earlier call"))
    answers = [(question.source, question.readings(came.get(question, busy))) for question in asked]
    readings = [reading for _, found in answers for reading in found]
    keeping = [
        Call(source.record, ([_dated(reading, due) for reading in found],), within_s=within_s * RECORD_SHARE)
        for source, found in answers
        if source.record is not None
    ]
    if keeping:
        for outcome in (yield tuple(keeping)):
            if outcome.error is not None:
                logger.error("values were not added to the history: %s", outcome.error)
    return ProvideReport(report_request_id=due.report_request_id, at=due.at, readings=tuple(readings))


def _dated(reading: Reading, due: ReportDue) -> Reading:
    return reading if reading.at is not None else attrs.evolve(reading, at=due.at)
