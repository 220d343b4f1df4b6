"""What a VEN session lends to the reporter: its tables, its clock and its voice, for one step.

It stands alone because :mod:`oadr_core.reporting` is the same for both roles, and knows no session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..engine import Now, Output
from ..engine.records import EMPTY
from ..reporting.jobs import Job, Samples
from ..reporting.offers import ReportOffer
from ..reporting.readings import ReportBuffer
from .state import Turn


class VenDesk:
    """See :class:`~oadr_core.reporting.jobs.Desk`; ``offer`` sends the metadata in answer to a request."""

    __slots__ = ("_offer", "_turn")

    def __init__(self, turn: Turn, offer: Callable[[Turn, str], None]) -> None:
        self._turn = turn
        self._offer = offer

    @property
    def jobs(self) -> Mapping[str, Job]:
        return self._turn.state.jobs

    @jobs.setter
    def jobs(self, jobs: Mapping[str, Job]) -> None:
        self._turn.set(jobs=jobs)

    @property
    def samples(self) -> Samples:
        return self._turn.state.samples

    @samples.setter
    def samples(self, samples: Samples) -> None:
        self._turn.set(samples=samples)

    @property
    def now(self) -> Now:
        return self._turn.now

    @property
    def key(self) -> bytes:
        return self._turn.key

    @property
    def offers(self) -> tuple[ReportOffer, ...]:
        return self._turn.config.reports

    @property
    def buffer(self) -> ReportBuffer:
        return self._turn.config.report_buffer

    @property
    def jitter(self) -> bool:
        return self._turn.config.jitter

    @property
    def sending(self) -> Samples:
        delivery = self._turn.state.delivery
        return EMPTY if delivery is None else delivery.samples

    def tell(self, *outputs: Output) -> None:
        self._turn.tell(*outputs)

    def number(self) -> int:
        return self._turn.number()

    def offer(self, report_request_id: str) -> None:
        self._offer(self._turn, report_request_id)
