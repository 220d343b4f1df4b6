"""The client's words for reports that it wants of the VTN: asked for, awaited, taken back.

It stands alone as the part of the client's face in which the VTN has the data; what the client itself reports is in
:mod:`.offers`. What arrives is told by ``on_report`` and by the notification
:class:`~oadr_core.ven.ReportReceived`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from oadr_core import LocalError, OadrError
from oadr_core.engine import Input, Notification, Output
from oadr_core.ven import AskReport, ReportRequestConfirmed, ReportRequestMade, ReportRequestStopped, StopReports

from .notes import Notes, SyncNotes
from .options import checked_words


class ReportError(OadrError):
    """The VTN does not give a report that it was asked for."""

    def __init__(self, report_request_id: str) -> None:
        self.report_request_id = report_request_id
        super().__init__(f"the VTN refused the report request {report_request_id!r}")


class ReportWishes:
    """What a client that awaits can ask for. It brings the way to its session, and its notifications."""

    async def _call(self, something: Input) -> tuple[Output, ...]:
        raise NotImplementedError

    def notifications(self) -> Notes:
        """What happens, from now on."""
        raise NotImplementedError

    async def request_report(
        self,
        report_specifier_id: str,
        r_ids: Iterable[str] = (),
        granularity: timedelta | None = None,
        report_back_duration: timedelta | None = None,
        *,
        dtstart: datetime | None = None,
        duration: timedelta = timedelta(),
    ) -> str:
        """Ask the VTN for a report that it has offered (``vtn_reports``), and wait until it says that it will come.

        ``r_ids``: which data points; none means all. ``granularity``: how far apart values are, ``None``: as near as
        they are offered, zero: those that have changed. ``report_back_duration``: how often reports come, ``None``: as
        often as values, zero: one now. ``dtstart`` and ``duration``: of what period, zero meaning without end. The
        specifier ``METADATA`` asks for the offers themselves (R327).

        The reportRequestID comes back; the wish holds, also for offers that are new (R306), until it is taken back or
        served. Raises :class:`~oadr_core.LocalError` for what the VTN has not offered, and :class:`ReportError` when it
        refuses.
        """
        command = _asking(report_specifier_id, r_ids, granularity, report_back_duration, dtstart, duration)
        async with self.notifications() as notes:
            made = _made(await self._call(command))
            async for note in notes:
                if _is_confirmed(note, made):
                    break
        return made

    async def cancel_report(self, *report_request_ids: str, report_to_follow: bool = False) -> None:
        """Take requests back, and wait for the VTN's answer; ``report_to_follow`` asks for one last report (R345).

        Raises :class:`~oadr_core.LocalError` for a request that was never made, or is over.
        """
        async with self.notifications() as notes:
            await self._call(_stopping(report_request_ids, report_to_follow))
            async for note in notes:
                if _is_stopped(note, report_request_ids):
                    break


class SyncReportWishes:
    """The same for a client with threads: the methods wait in the caller's thread."""

    def _call_here(self, something: Input) -> tuple[Output, ...]:
        raise NotImplementedError

    def _own_stream(self) -> SyncNotes:
        """What happens from now on, until the client ends."""
        raise NotImplementedError

    def request_report(
        self,
        report_specifier_id: str,
        r_ids: Iterable[str] = (),
        granularity: timedelta | None = None,
        report_back_duration: timedelta | None = None,
        *,
        dtstart: datetime | None = None,
        duration: timedelta = timedelta(),
    ) -> str:
        """As :meth:`ReportWishes.request_report`, waiting in this thread; ``LocalError`` when the client ends first."""
        command = _asking(report_specifier_id, r_ids, granularity, report_back_duration, dtstart, duration)
        with self._own_stream() as notes:
            made = _made(self._call_here(command))
            if not any(_is_confirmed(note, made) for note in notes):
                raise LocalError(_ENDED)
        return made

    def cancel_report(self, *report_request_ids: str, report_to_follow: bool = False) -> None:
        """As :meth:`ReportWishes.cancel_report`, waiting in this thread; ``LocalError`` when the client ends first."""
        with self._own_stream() as notes:
            self._call_here(_stopping(report_request_ids, report_to_follow))
            if not any(_is_stopped(note, report_request_ids) for note in notes):
                raise LocalError(_ENDED)


_ENDED = "the client has stopped before the VTN has answered"


def _asking(
    report_specifier_id: str,
    r_ids: Iterable[str],
    granularity: timedelta | None,
    report_back_duration: timedelta | None,
    dtstart: datetime | None,
    duration: timedelta,
) -> AskReport:
    return AskReport(
        report_specifier_id=report_specifier_id,
        r_ids=checked_words(r_ids, "r_ids") or (),
        granularity=granularity,
        report_back_duration=report_back_duration,
        dtstart=dtstart,
        duration=duration,
    )


def _stopping(report_request_ids: tuple[str, ...], report_to_follow: bool) -> StopReports:
    return StopReports(report_request_ids=report_request_ids, report_to_follow=report_to_follow)


def _made(outputs: Iterable[Output]) -> str:
    [made] = [output for output in outputs if isinstance(output, ReportRequestMade)]
    return made.report_request_id


def _is_confirmed(note: Notification, report_request_id: str) -> bool:
    """True when the VTN will serve it. Raises :class:`ReportError` when it will not."""
    if isinstance(note, ReportRequestStopped) and report_request_id in note.report_request_ids:
        raise ReportError(report_request_id)
    return isinstance(note, ReportRequestConfirmed) and report_request_id in note.report_request_ids


def _is_stopped(note: Notification, report_request_ids: tuple[str, ...]) -> bool:
    return isinstance(note, ReportRequestStopped) and not set(report_request_ids).isdisjoint(note.report_request_ids)
