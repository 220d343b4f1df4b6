"""The client for programs that know trio and nothing else.

It stands alone so that nothing of another loop is needed, or imported, for it to run.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

import trio

from .client import AsyncClient, AsyncDriver, Tasks
from .drivers.on_trio import TrioDriver
from .face import ClientFace
from .hooks import Hooks
from .notes import Event
from .ports import Carrier

if TYPE_CHECKING:
    from .drivers.pilot import Pilot


class TrioOpenADRClient(AsyncClient):
    __doc__ = ClientFace.__doc__

    def _new_event(self) -> Event:
        return trio.Event()

    def _new_tasks(self) -> AbstractAsyncContextManager[Tasks]:
        return trio.open_nursery()

    def _new_driver(self, pilot: Pilot, carrier: Carrier, hooks: Hooks) -> AsyncDriver:
        return TrioDriver(pilot, carrier, hooks)
