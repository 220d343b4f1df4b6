"""The way in to a driver that awaits, from its own loop and from any thread.

It stands alone because a handler may run in a thread or in the loop, and gives its commands alike in both.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from oadr_core.engine import Input, Output

from ..notes import Event
from .pilot import Given, Pilot


class Inlet(ABC):
    """Hands inputs to a pump; made in the thread of the loop."""

    def __init__(self, pilot: Pilot) -> None:
        self._pilot = pilot
        self._thread = threading.get_ident()

    @abstractmethod
    def _event(self) -> Event:
        """An event of the loop."""

    @abstractmethod
    def _put(self, given: Given) -> None:
        """Hand an input to the pump, in the loop. Raises :class:`~oadr_core.LocalError` when too many wait."""

    @abstractmethod
    def _cancel(self) -> None:
        """End the pump, in the loop."""

    @abstractmethod
    def _from_thread(self, function: Callable[..., Any], *args: object) -> None:
        """Call a function in the loop, from another thread."""

    def put(self, something: Input) -> None:
        """Hand an input in, from any thread. Raises :class:`~oadr_core.LocalError` when too many wait."""
        self._here(self._put, Given(something))

    async def call(self, something: Input) -> tuple[Output, ...]:
        """Hand an input in, and wait until what comes of it is saved and carried out.

        Raises :class:`~oadr_core.LocalError` when the session does not take it, or when the driver has ended.
        """
        bell = self._event()
        given = self._pilot.asked(something, bell)
        try:
            self._put(given)
            await bell.wait()
        finally:
            self._pilot.forget(given)
        return given.result()

    def stop(self) -> None:
        """End the pump; from any thread."""
        self._here(self._cancel)

    def _here(self, function: Callable[..., Any], *args: object) -> None:
        if self._thread == threading.get_ident():
            function(*args)
        else:
            self._from_thread(function, *args)
