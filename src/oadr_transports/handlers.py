"""Calling the application: plain functions in a thread, coroutines in the loop.

It stands alone because of one promise: a handler that blocks never delays the protocol.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio.to_thread


async def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a handler, plain or ``async``, and return what it returns.

    A plain one runs in a worker thread, and is abandoned there when the caller is cancelled.
    """
    bound = partial(function, *args, **kwargs)
    if is_async(function):
        return await bound()
    result = await anyio.to_thread.run_sync(bound, abandon_on_cancel=True)
    return await result if inspect.isawaitable(result) else result


def is_async(function: Callable[..., Any]) -> bool:
    """True when calling gives a coroutine without running any of its body."""
    while isinstance(function, partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004  # the method is wanted, not whether there is one
