"""What is known of each VEN and each event of a simulation, for the judges.

It stands alone because it is mere bookkeeping, with its own arithmetic of when an event lasts.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import accumulate
from math import inf
from typing import Final

import attrs

from oadr_core.model import EiEvent, OptType, SignalPayload
from oadr_core.ven import IntervalStarted
from oadr_core.vtn import EventEntry

from .scenario import START

SECOND: Final = timedelta(seconds=1)


@attrs.frozen
class Slot:
    """The time for which a meter was asked last, the latest for which it ever was, and when that was."""

    at: datetime
    latest: datetime
    asked_s: float


@attrs.frozen
class Window:
    """When a version of an event lasts: our own arithmetic. ``begins`` are the starts of its intervals."""

    published_s: float
    always: bool
    begins: tuple[datetime, ...]
    end: datetime
    start_after_s: float

    @classmethod
    def of(cls, entry: EventEntry, published_s: float) -> Window:
        event: EiEvent = entry.event
        period = event.ei_active_period.properties
        lengths = [
            interval.duration.seconds if interval.duration else 0
            for interval in event.ei_event_signals.ei_event_signal[0].intervals
        ]
        tolerance = period.tolerance.startafter if period.tolerance else None
        begins = (period.dtstart + SECOND * passed for passed in accumulate(lengths[:-1], initial=0))
        return cls(
            published_s,
            entry.always,
            tuple(begins),
            period.dtstart + SECOND * sum(lengths),
            float(tolerance.seconds) if tolerance else 0.0,
        )


def spans(entry: EventEntry) -> Iterator[tuple[float, float, int]]:
    """When the intervals of an event hold, in seconds since the beginning, and their levels."""
    start = (entry.event.ei_active_period.properties.dtstart - START) / SECOND
    for interval in entry.event.ei_event_signals.ei_event_signal[0].intervals:
        end = start + (interval.duration.seconds if interval.duration else 0)
        payload = interval.stream_payload_base[0]
        level = payload.payload_base if isinstance(payload, SignalPayload) else 0
        yield start, end, int(level) if isinstance(level, float) else 0
        start = end


@attrs.define
class Question:
    """What an application was asked last about an event, and what it has said (``None``: nothing yet)."""

    version: int
    opt: OptType | None = None
    default: OptType = OptType.OPT_OUT
    failed: bool = False
    decided_s: float = -inf
    attempts: int = 1

    @property
    def stated(self) -> OptType:
        """What the VTN is to know."""
        return self.opt or self.default


class Diary:
    """What is known of one VEN. Times of samples are in seconds since 1970.

    ``samples`` are those that were taken, and ``received`` what of them has arrived: its value, ``None`` once the VEN
    knows it.
    """

    __slots__ = (
        "acts",
        "cancelled",
        "events",
        "gaps",
        "known",
        "offsets",
        "polls",
        "received",
        "samples",
        "slots",
        "told",
    )

    def __init__(self) -> None:
        self.events: dict[str, Question] = {}
        self.known: dict[str, int] = {}
        self.acts: dict[str, IntervalStarted] = {}
        self.cancelled: dict[str, datetime] = {}
        self.told: dict[str, tuple[int, int]] = {}
        self.offsets: dict[str, tuple[float, float]] = {}
        self.slots: dict[str, Slot] = {}
        self.samples: dict[tuple[str, float], tuple[float, float]] = {}
        self.received: dict[tuple[str, float], float | None] = {}
        self.polls = 0
        self.gaps = (inf, -inf)
