"""Every sample is received once or accounted for: the judge of reports.

It stands alone because reports have nothing to do with events. What a process has not committed has not happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final

from oadr_core.ven import ProvideReport, ReportCancelled, ReportDelivered, ReportDue, ReportsLost

from .diary import Diary, Slot
from .invariants import Broken, Invariant

if TYPE_CHECKING:
    from oadr_core.vtn import ReportReceived

    from .ven_end import VenEnd
    from .world import World

LATEST: Final = 1_000
"""Samples of one VEN that are remembered after they were received: a repetition comes much sooner."""


class Samples:
    """What was taken, and what of it has arrived, in the diaries of all VENs."""

    def __init__(self, world: World, diaries: Mapping[int, Diary]) -> None:
        self._world = world
        self._diaries = diaries

    def due(self, ven: VenEnd, note: ReportDue) -> None:
        """A VEN's meter is asked: at each round time once."""
        slots, now_s = self._diaries[ven.index].slots, self._world.agenda.now_s
        before = slots.get(note.report_request_id)
        latest = note.at if before is None else max(before.latest, note.at)
        slots[note.report_request_id] = Slot(note.at, latest, now_s)
        if before is None or ven.moved_s > min(before.asked_s, now_s - self._world.script.scenario.sample_s):
            return
        if note.interval not in (note.at - before.at, note.at - before.latest):  # a clock set back comes to old times
            text = f"{ven.name} is asked for the sample of {note.at:%H:%M:%S} after that of {before.at:%H:%M:%S}"
            raise Broken(Invariant.SAMPLES, text, ven.index)

    def took(self, ven: VenEnd, command: ProvideReport) -> None:
        """A VEN has taken a sample, and has saved it."""
        self._world.measures.produced += len(command.readings)
        diary = self._diaries[ven.index]
        at = command.at.timestamp()
        for reading in command.readings:
            assert isinstance(reading.value, float)
            diary.samples[command.report_request_id, at] = reading.value, self._world.agenda.now_s

    def received(self, reports: Iterable[ReportReceived]) -> None:
        """The VTN has committed values."""
        for report in reports:
            self._receive(report)

    def _receive(self, report: ReportReceived) -> None:
        measures, values = self._world.measures, report.values
        ven = self._world.by_id(report.ven_id)
        diary = self._diaries[ven.index]
        for value in values:
            if value.data_quality is not None:
                measures.placeholders += 1
                continue
            key = report.report_request_id, value.dtstart.timestamp()
            what = f"the sample of {ven.name} of {value.dtstart:%H:%M:%S}"
            taken = diary.samples.pop(key, None)
            known = diary.received.get(key)
            if taken is not None:
                if report.repeated:
                    raise Broken(Invariant.SAMPLES, f"{what} is received, and told to be a repetition", ven.index)
                wanted = taken[0]
                measures.received += 1
                diary.received[key] = wanted
            elif known is None:
                text = f"{what} is received twice" if key in diary.received else f"{what} was never taken"
                raise Broken(Invariant.SAMPLES, text, ven.index)
            else:  # the VEN does not know yet that it has arrived
                wanted = known
                measures.repeated += 1
            if wanted != value.value:
                raise Broken(Invariant.SAMPLES, f"{what} was {wanted}, and {value.value} is received", ven.index)
        while len(diary.received) > LATEST:
            del diary.received[next(iter(diary.received))]

    def delivered(self, ven: VenEnd, note: ReportDelivered) -> None:
        """A VEN knows, and has saved, that the VTN has its samples: from now on it never sends them again."""
        received, report = self._diaries[ven.index].received, note.report
        for interval in report.intervals or ():
            at = interval.dtstart or report.dtstart
            key = report.report_request_id, at.timestamp() if at is not None else 0.0
            if key in received:
                received[key] = None

    def cancelled(self, ven: VenEnd, note: ReportCancelled) -> None:
        """Nobody wants a report any more, and the VEN says how much of it is dropped."""
        samples = self._diaries[ven.index].samples
        gone = [key for key in samples if key[0] == note.report_request_id]
        for key in gone[-note.dropped :] if note.dropped else ():
            del samples[key]
            self._world.measures.lost += 1

    def lost(self, ven: VenEnd, note: ReportsLost) -> None:
        """A VEN's buffer is full, and it says what it has dropped."""
        diary = self._diaries[ven.index]
        for key in [key for key in diary.samples if key[0] == note.report_request_id]:
            if note.since.timestamp() <= key[1] <= note.until.timestamp():
                del diary.samples[key]
                self._world.measures.lost += 1

    def check(self, ven: VenEnd) -> None:
        """What has had the time to arrive must have arrived; the rest waits at the VEN."""
        diary, scenario = self._diaries[ven.index], self._world.script.scenario
        old_s = self._world.agenda.now_s - 1.2 * scenario.report_s - scenario.patience_s
        self._world.measures.waiting += len(diary.samples)
        for (_, at), (_, taken_s) in diary.samples.items():
            if taken_s < old_s:
                when = datetime.fromtimestamp(at, ven.wall.tzinfo)
                text = (
                    f"the sample of {ven.name} of {when:%H:%M:%S} was never received, and nobody says that it is lost"
                )
                raise Broken(Invariant.SAMPLES, text, ven.index)
