"""Running until somebody says stop: Ctrl-C, or SIGTERM from a service manager.

It stands alone because both roles end the same way: at once, cleanly, and without a traceback.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable


def run_until_stopped(main: Callable[[], Awaitable[None]]) -> bool:
    """Run ``main`` under asyncio; returns True if it was stopped from outside, False if it ended by itself."""
    import anyio

    former = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        anyio.run(main)
    except KeyboardInterrupt:
        return True
    except BaseExceptionGroup as group:
        if group.subgroup(KeyboardInterrupt) is None:
            raise
        return True
    finally:
        signal.signal(signal.SIGTERM, former)
    return False
