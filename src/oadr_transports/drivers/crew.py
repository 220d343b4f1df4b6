"""Threads for work that may block for ever: as many as are needed, up to a limit, and nobody waits for them at the end.

It stands alone because the executor of the standard library joins its threads when the interpreter ends: a handler
that never returns would keep the process from ending.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Crew:
    """Up to ``most`` threads, each started when there is work for it and nobody idle."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._turn = threading.Lock()
        self._count = 0

    def start(self, function: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> Future[_R]:
        """Have a function called, now or when a thread is free; not at all, if the future is cancelled before."""
        future: Future[_R] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(function(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        self._jobs.put(job)
        with self._turn:
            if not self._idle.acquire(blocking=False) and self._count < self._most:
                self._count += 1
                threading.Thread(target=self._work, name=f"oadr-{self._name}-{self._count}", daemon=True).start()
        return future

    def dismiss(self) -> None:
        """Let the threads end, each after the work that it is at."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            job()
            del job
        self._jobs.put(None)  # for the next one

    def _next(self) -> Callable[[], None] | None:
        try:
            return self._jobs.get_nowait()
        except Empty:
            self._idle.release()
            return self._jobs.get()
