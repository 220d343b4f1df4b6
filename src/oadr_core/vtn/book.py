"""The events that a VTN has published, and when their status changes.

It stands alone because all VENs share it. Entries are frozen; publishing puts one into an index, for all or
for the named VENs, and no VEN is touched: each finds its own events, and by two counters that there may be
news, when it asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from heapq import heappop, heappush
from types import MappingProxyType
from typing import Final

import attrs

from ..engine import Now, Timeline, timeline
from ..engine.records import volatile
from ..model import EiEvent, EventStatus, ResponseRequired

OPEN_CANCELLED_KEPT: Final = timedelta(days=1)
"""A cancelled event without an end is repeated for so long to VENs that do not acknowledge it (R52: a
defined number of tries).
"""

SPARE_TIMERS: Final = 64
"""Timers of former versions that may wait in the heap before it is built anew."""


@attrs.frozen(kw_only=True)
class EventEntry:
    """One event of the book.

    ``event`` is what was published, with its modification number. ``number`` is the order of publishing.
    ``ven_ids`` ``None`` means all VENs. ``status`` is what was last announced.
    """

    event: EiEvent
    response_required: ResponseRequired
    ven_ids: tuple[str, ...] | None
    number: int
    timeline: Timeline = volatile(attrs.Factory(lambda entry: timeline(entry.event), takes_self=True))
    status: EventStatus
    cancelled_at: datetime | None = None

    @property
    def event_id(self) -> str:
        return self.event.event_descriptor.event_id

    @property
    def modification_number(self) -> int:
        return self.event.event_descriptor.modification_number

    @property
    def cancelled(self) -> bool:
        return self.cancelled_at is not None

    @property
    def always(self) -> bool:
        """True when every VEN shall answer (R12)."""
        return self.response_required is ResponseRequired.ALWAYS

    @property
    def gone(self) -> datetime | None:
        """When it leaves the messages: dtstart + duration + startafter, whatever its status (R66)."""
        if self.timeline.gone is None and self.cancelled_at is not None:
            return self.cancelled_at + OPEN_CANCELLED_KEPT
        return self.timeline.gone

    def status_at(self, wall: datetime) -> EventStatus:
        """The status to send (R10, R13)."""
        return EventStatus.CANCELLED if self.cancelled else self.timeline.status_at(wall)

    def is_over(self, wall: datetime) -> bool:
        """True when the active period is over, cancelled or not."""
        return self.timeline.end is not None and wall >= self.timeline.end

    def is_gone(self, wall: datetime) -> bool:
        """True when it has left the messages."""
        gone = self.gone
        return gone is not None and wall >= gone

    def next_change(self, wall: datetime) -> datetime | None:
        """The next instant after ``wall`` at which its status changes, or it is gone."""
        return self.gone if self.cancelled else self.timeline.next_change(wall)

    def unannounced_change(self) -> datetime | None:
        """The first instant at which its status differs from the announced one, or it is gone; perhaps long ago."""
        following = {
            EventStatus.FAR: self.timeline.ramp_up,
            EventStatus.NEAR: self.timeline.start,
            EventStatus.ACTIVE: self.timeline.end,
        }
        return following.get(self.status, self.gone)

    def is_for(self, ven_id: str) -> bool:
        """True when it is meant for this VEN."""
        return self.ven_ids is None or ven_id in self.ven_ids


class EventBook:
    """All events: live ones by VEN, and the last finished ones for late answers and curious operators."""

    def __init__(self, finished: int) -> None:
        self._entries: dict[str, EventEntry] = {}
        self._for_all: dict[str, None] = {}
        self._for_ven: dict[str, dict[str, None]] = {}
        self._all_version = 0
        self._ven_version: dict[str, int] = {}
        self._timers: list[tuple[datetime, str]] = []
        self._armed: dict[str, datetime] = {}
        self._finished: dict[str, None] = {}
        self._most_finished = finished
        self._published = 0
        self._changed: dict[str, EventEntry | None] = {}

    @property
    def entries(self) -> Mapping[str, EventEntry]:
        """All events by eventID, a read-only view."""
        return MappingProxyType(self._entries)

    @property
    def live(self) -> int:
        """How many events are still distributed."""
        return len(self._entries) - len(self._finished)

    @property
    def published(self) -> int:
        """How many events were ever published."""
        return self._published

    def get(self, event_id: str) -> EventEntry | None:
        return self._entries.get(event_id)

    def of(self, ven_id: str) -> Iterator[EventEntry]:
        """The live events of one VEN."""
        for event_id in self._for_all:
            yield self._entries[event_id]
        for event_id in self._for_ven.get(ven_id, ()):
            yield self._entries[event_id]

    def version(self, ven_id: str) -> tuple[int, int]:
        """A value that changes whenever an event of this VEN does."""
        return self._all_version, self._ven_version.get(ven_id, 0)

    def put(self, entry: EventEntry, now: Now) -> None:
        """Add an event, or a new version of one."""
        event_id = entry.event_id
        if event_id not in self._entries:
            self._published += 1
            self._list(entry)
        self._entries[event_id] = self._changed[event_id] = entry
        if entry.ven_ids is None:
            self._all_version += 1
        for ven_id in entry.ven_ids or ():
            self._ven_version[ven_id] = self._ven_version.get(ven_id, 0) + 1
        self._arm(entry, entry.next_change(now.wall))

    def restore(self, entries: Iterable[EventEntry], published: int) -> None:
        """Take in the events of a former life, in an empty book; those that were over are so again with the next
        :meth:`advance`.
        """
        for entry in sorted(entries, key=lambda entry: entry.number):
            event_id = entry.event_id
            self._entries[event_id] = entry
            self._list(entry)
            self._arm(entry, entry.unannounced_change())
        self._published = max(published, *(entry.number + 1 for entry in self._entries.values()), 0)

    def changes(self) -> Mapping[str, EventEntry | None]:
        """The events that are new or other ones since this was last asked, ``None`` for those that are forgotten."""
        changed, self._changed = self._changed, {}
        return changed

    def next_change(self) -> datetime | None:
        """When :meth:`advance` has something to do."""
        while self._timers and self._is_stale(*self._timers[0]):
            heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def advance(self, now: Now) -> list[EventEntry]:
        """Let time pass: the events whose status has changed since it was last announced, in order of
        time.
        """
        changed: list[EventEntry] = []
        while (at := self.next_change()) is not None and at <= now.wall:
            _, event_id = heappop(self._timers)
            entry = self._entries[event_id]
            if (status := entry.status_at(now.wall)) is not entry.status:
                entry = self._entries[event_id] = self._changed[event_id] = attrs.evolve(entry, status=status)
                changed.append(entry)
            if entry.is_gone(now.wall):
                self._finish(entry)
            else:
                self._arm(entry, entry.next_change(now.wall))
        return changed

    def _list(self, entry: EventEntry) -> None:
        if entry.ven_ids is None:
            self._for_all[entry.event_id] = None
        for ven_id in entry.ven_ids or ():
            self._for_ven.setdefault(ven_id, {})[entry.event_id] = None

    def _is_stale(self, at: datetime, event_id: str) -> bool:
        return self._armed.get(event_id) != at

    def _arm(self, entry: EventEntry, at: datetime | None) -> None:
        self._armed.pop(entry.event_id, None)
        if at is not None:
            self._armed[entry.event_id] = at
            heappush(self._timers, (at, entry.event_id))
        if len(self._timers) > 2 * len(self._armed) + SPARE_TIMERS:
            self._timers = sorted((at, event_id) for event_id, at in self._armed.items())

    def _finish(self, entry: EventEntry) -> None:
        event_id = entry.event_id
        self._armed.pop(event_id, None)
        self._for_all.pop(event_id, None)
        for ven_id in entry.ven_ids or ():
            del self._for_ven[ven_id][event_id]
            if not self._for_ven[ven_id]:
                del self._for_ven[ven_id]
        self._finished[event_id] = None
        while len(self._finished) > self._most_finished:
            oldest = next(iter(self._finished))
            del self._finished[oldest], self._entries[oldest]
            self._changed[oldest] = None
