"""Questions to the application: which of its functions to call, and what comes of that; never how one waits for it.

It stands alone because a handler or a report callback is the same under asyncio, trio and threads: what to call, and
what its answer means, is written once, as an errand. Each driver has its own way to run one.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Generator, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

import attrs

from oadr_core.engine import Input


@attrs.frozen
class Call:
    """A function of the application, plain or ``async``, with what it is called with."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = attrs.field(factory=dict)
    within_s: float | None = None
    """How long its outcome is waited for; after that it is :class:`Late`. A thread that is left behind must take no
    place from others: commits and other calls go on."""

    def __call__(self) -> Any:
        """Call it: what it returns may have to be awaited."""
        return self.function(*self.args, **self.kwargs)

    @property
    def is_async(self) -> bool:
        """True when calling gives a coroutine without running any of the function's body."""
        function: Any = self.function
        while isinstance(function, partial):
            function = function.func
        return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004  # the method is wanted, not whether there is one


class Late(Exception):
    """The outcome of a call that nobody waits for any more, or that somebody has cancelled."""


@attrs.frozen
class Outcome:
    """What came of a call: what the function returned, or what it raised; anything can come out of an application."""

    result: Any = None
    error: Exception | None = None

    def get(self) -> Any:
        """What it returned. Raises what it raised."""
        if self.error is not None:
            raise self.error
        return self.result


CANCELLED: Final = Outcome(error=Late("was cancelled"))
"""Of a call that never comes back."""


def late(asked: Call) -> Outcome:
    """The outcome of a call that took too long."""
    return Outcome(error=Late(f"did not come back in {asked.within_s or 0:.3g} s"))


Calls: TypeAlias = tuple[Call, ...]
Outcomes: TypeAlias = tuple[Outcome, ...]
Errand: TypeAlias = Generator[Calls, Outcomes, Input | None]
"""Yields functions that are to be called at the same time, gets their outcomes in the same order, and returns what the
session is to be told, if anything. It raises nothing: whatever the application does, there is an answer."""


def advance(errand: Errand, outcomes: Outcomes | None = None) -> Calls | Input | None:
    """Begin an errand, or go on with it: a tuple of what to call next, or, at its end, what it returns."""
    try:
        return next(errand) if outcomes is None else errand.send(outcomes)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # the errand's own


async def perform(errand: Errand, ask: Callable[[Calls], Awaitable[Outcomes]]) -> Input | None:
    """Run an errand to its end; ``ask`` calls the functions, in whatever loop there is."""
    step = advance(errand)
    while isinstance(step, tuple):
        step = advance(errand, await ask(step))
    return step


async def outcome_of(asked: Call, in_thread: Callable[[Callable[[], list[Any]]], Awaitable[list[Any]]]) -> Outcome:
    """What comes of a call: a coroutine runs here, a plain function in a thread."""
    try:
        if asked.is_async:
            return Outcome(await asked())
        [result] = await in_thread(lambda: [asked()])  # in a list, as trio wants no coroutine back
        return Outcome(await result if inspect.isawaitable(result) else result)
    except Exception as error:  # the application's code: anything can come out of it
        return Outcome(error=error)


def called(asked: Call) -> Outcome:
    """What comes of a call in this thread; a coroutine has an event loop of its own for as long as it runs."""
    try:
        result = asked()
        return Outcome(_awaited(result) if inspect.isawaitable(result) else result)
    except Exception as error:  # the application's code: anything can come out of it
        return Outcome(error=error)


def _awaited(result: Awaitable[Any]) -> Any:
    import asyncio  # not needed where no function of the application is async

    async def wait() -> Any:
        return await result

    return asyncio.run(wait())
