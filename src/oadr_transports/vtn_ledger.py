"""Commits what a session wants saved, the changes of many steps in one transaction, before anybody hears of them.

It stands alone because waiting for a disk is the one slow thing in a VTN: while one commit is on its way, the steps
go on, and the next commit takes along all that has come up. Whoever waits for a step waits for the commit that holds
it and all before it.
"""

from __future__ import annotations

import threading

import anyio
import anyio.to_thread

from oadr_core.engine import Record, ReportReceived, SaveState

from .stores import Store, ValueStore


class StoreFailed(Exception):
    """The state could not be saved: the process must end, and start again from what is in the store."""


class Ledger:
    """What is still to be committed to ``store``; without a store everything counts as committed."""

    def __init__(self, store: Store | None) -> None:
        self._store = store
        self._values = store if isinstance(store, ValueStore) else None
        self._waiting: dict[str, Record] = {}
        self._reports: list[ReportReceived] = []
        self._added = 0
        self._committed = 0
        self._short = threading.Lock()  # guards what is above; never held for long
        self._long = threading.Lock()  # held by the one that commits, so that commits keep their order
        self._commit_ended: anyio.Event | None = None
        self.failure: Exception | None = None
        """Why nothing can be committed any more."""

    @property
    def added(self) -> int:
        """The number of the latest change."""
        return self._added

    @property
    def committed(self) -> int:
        """The number of the latest change that is safe."""
        return self._committed

    def add(self, step: SaveState) -> None:
        """Note the changes of a step; they are encoded when they are committed."""
        if self._store is None:
            return
        with self._short:
            self._waiting.update((record.key, record) for record in step.records)
            self._reports.extend(step.reports)
            self._added += 1

    async def settled(self) -> None:
        """Return when everything that was added so far is in the store.

        Raises :class:`StoreFailed`.
        """
        wanted = self._added
        while self._committed < wanted:
            if self._commit_ended is not None:
                await self._commit_ended.wait()
            else:
                await self._lead()
            self._check()

    def settle(self) -> None:
        """The same, for callers that cannot wait; it blocks as long as a disk takes."""
        if self._committed < self._added:
            self._commit()
            self._check()

    async def _lead(self) -> None:
        """Commit for all that wait."""
        self._commit_ended = anyio.Event()
        try:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._commit)
        finally:
            self._commit_ended.set()
            self._commit_ended = None

    def _commit(self) -> None:
        """From any thread."""
        assert self._store is not None, "nothing is ever added without a store"
        with self._long:
            if self.failure is not None:
                return
            with self._short:
                batch, self._waiting = self._waiting, {}
                reports, self._reports = self._reports, []
                upto = self._added
            try:
                changes = {key: record.data() for key, record in batch.items()}
                if self._values is not None:
                    self._values.commit(changes, reports)
                elif changes:
                    self._store.commit(changes)
            except Exception as error:  # whatever it is: what is not saved must not be answered
                self.failure = error
                return
            self._committed = upto

    def _check(self) -> None:
        if self.failure is not None:
            raise StoreFailed(f"the state cannot be saved: {self.failure}") from self.failure
