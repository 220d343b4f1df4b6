"""Running until somebody says stop: Ctrl-C, or SIGTERM from a service manager; on uvloop where it is installed.

It stands alone because all commands that run for long end the same way: at once, cleanly, and without a traceback.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from importlib.util import find_spec


def run_until_stopped(main: Callable[[], Awaitable[None]]) -> bool:
    """Run ``main`` under asyncio; returns True if it was stopped from outside, False if it ended by itself.

    SIGINT counts also where a shell has started us in the background and had it ignored.
    """
    import anyio
    import anyio.abc

    stopped = False

    async def listen(scope: anyio.CancelScope, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        nonlocal stopped
        try:
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                task_status.started()
                async for _ in signals:
                    stopped = True
                    scope.cancel()
                    return
        except NotImplementedError:  # Windows: there Ctrl-C arrives as KeyboardInterrupt
            task_status.started()

    async def stoppable() -> None:
        async with anyio.create_task_group() as tasks:
            await tasks.start(listen, tasks.cancel_scope)
            await main()
            tasks.cancel_scope.cancel()

    try:
        anyio.run(stoppable, backend_options={"use_uvloop": find_spec("uvloop") is not None})  # oadr[speed]
    except KeyboardInterrupt:
        return True
    except BaseExceptionGroup as group:
        if group.subgroup(KeyboardInterrupt) is None:
            raise
        return True
    return stopped
