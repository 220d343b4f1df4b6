"""When time alone will do something to the events and reports of a VEN.

It stands alone as a note that saves looking: most steps of a session are polls that bring nothing, and neither events
nor reports change in them. The note is about the very tables it was made of, and void with any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import attrs

from ..engine import Now
from ..engine.now import earliest
from ..reporting import buffer, sampling
from ..reporting.jobs import Job
from . import decisions, progress, reports

if TYPE_CHECKING:
    from .state import KnownEvent, Turn, VenState


@attrs.frozen(kw_only=True, weakref_slot=False)
class Outlook:
    """What is known without looking at ``events`` and ``jobs``.

    On the wall clock, events hold what was told of them from ``since`` until ``until`` (``unseen``: nobody has looked
    at one of them yet); the next sample is due at ``sample_at``, and before ``set_back`` the clock has been set back.
    On mono, an application has time until ``decide_by`` and ``answer_by``, and reports are complete at ``deliver_at``.
    ``settled``: all that had come by then was dealt with, and nothing was left to do. ``None``: never.
    """

    events: Mapping[str, KnownEvent]
    jobs: Mapping[str, Job]
    settled: bool = False
    unseen: bool = False
    since: datetime | None = None
    until: datetime | None = None
    decide_by: float | None = None
    sample_at: datetime | None = None
    set_back: datetime | None = None
    answer_by: float | None = None
    deliver_at: float | None = None

    @classmethod
    def of(cls, state: VenState, *, settled: bool = False) -> Outlook:
        """The outlook on the tables of a state."""
        events, jobs = state.events, state.jobs
        if not events and not jobs:
            return cls(events=events, jobs=jobs, settled=settled)
        moments, working = [known.moment for known in events.values()], jobs.values()
        seen = [held for held in moments if held is not None]
        return cls(
            events=events,
            jobs=jobs,
            settled=settled,
            unseen=len(seen) < len(moments),
            since=max((held.since for held in seen), default=None),
            until=earliest(*[held.until for held in seen]),
            decide_by=decisions.next_mono(events.values()),
            sample_at=sampling.next_wall(working),
            set_back=sampling.set_back_before(working),
            answer_by=sampling.next_mono(working),
            deliver_at=buffer.next_delivery(working),
        )

    def is_about(self, state: VenState) -> bool:
        """True while neither table has changed."""
        return self.events is state.events and self.jobs is state.jobs

    def holds(self, wall: datetime) -> bool:
        """True as long as time has changed nothing about events; a clock that is set back changes something, too."""
        if self.unseen or (self.since is not None and wall < self.since):
            return False
        return self.until is None or wall < self.until

    def is_calm(self, now: Now) -> bool:
        """True while there is nothing to do about events and reports, but for sending."""
        mono, wall = now.mono, now.wall
        return (
            self.settled
            and self.holds(wall)
            and (self.decide_by is None or mono < self.decide_by)
            and (self.sample_at is None or wall < self.sample_at)
            and (self.set_back is None or wall >= self.set_back)
            and (self.answer_by is None or mono < self.answer_by)
        )

    def next_look(self, now: Now) -> float | None:
        """When (on mono) it will not be calm any more; now, if nobody has looked yet, or the clock was set."""
        if not self.holds(now.wall):
            return now.mono
        wall = earliest(self.until, self.sample_at)
        return earliest(None if wall is None else now.mono_at(wall), self.decide_by, self.answer_by)


def outlook(turn: Turn) -> Outlook:
    """What lies ahead of the state as it is now."""
    known = turn.outlook
    if known is None or not known.is_about(turn.state):
        turn.outlook = known = Outlook.of(turn.state)
    return known


def advance(turn: Turn) -> None:
    """What time alone does to events and reports; answers to events are sent when they are complete."""
    known = turn.outlook
    if known is not None and known.is_about(turn.state) and known.is_calm(turn.now) and not turn.state.answers:
        return
    decisions.advance(turn)
    progress.advance(turn)  # what was decided just now begins, or is over, at once
    reports.advance(turn)
    turn.outlook = Outlook.of(turn.state, settled=True)
