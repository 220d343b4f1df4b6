"""The client's words for opts outside the answer to an event: stated, awaited, taken back.

It stands alone as the part of the client's face that is about the service EiOpt (section 5.4 of the reference).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from oadr_core import LocalError, OadrError
from oadr_core.engine import Input, Notification, Output
from oadr_core.ven import OptAccepted, OptPosted, OptRefused, OptWithdrawn, WithdrawOpt

from .notes import Notes, SyncNotes
from .options import make_opt


class OptError(OadrError):
    """The VTN has refused an opt; ``code`` is its response code."""

    def __init__(self, refused: OptRefused) -> None:
        self.opt_id, self.code = refused.opt_id, refused.code
        super().__init__(f"the VTN refused opt {refused.opt_id!r}: {refused.code} {refused.text}".rstrip())


class OptStatements:
    """What a client that awaits can say with opts. It brings the way to its session, and its notifications."""

    async def _call(self, something: Input) -> tuple[Output, ...]:
        raise NotImplementedError

    def notifications(self) -> Notes:
        """What happens, from now on."""
        raise NotImplementedError

    async def create_opt(
        self,
        opt_type: str,
        *,
        event_id: str | None = None,
        schedule: Iterable[tuple[datetime, timedelta]] = (),
        opt_reason: str | None = None,
        market_context: str | None = None,
        targets: Mapping[str, Iterable[str]] | None = None,
        device_classes: Iterable[str] = (),
        opt_id: str | None = None,
    ) -> str:
        """Opt in or out outside the answer to an event, and wait until the VTN has taken it; the optID comes back.

        Either ``event_id``: from now on this goes before what the handlers answer (R206). Or ``schedule``: periods as
        start (aware) and length, zero for an open end, perhaps of one ``market_context`` only. ``targets`` names
        resources, else all are meant; ``device_classes`` limits it to these.

        It is sent until the VTN answers, also after a restart with ``state``. Raises
        :class:`~oadr_core.LocalError` for an opt that cannot be, and :class:`OptError` when the VTN refuses it.
        """
        command = make_opt(
            opt_type, event_id, schedule, opt_reason, market_context, targets, device_classes, opt_id or ""
        )
        async with self.notifications() as notes:
            posted = _posted(await self._call(command))
            async for note in notes:
                if _settles(note, posted, OptAccepted):
                    break
        return posted

    async def cancel_opt(self, opt_id: str) -> None:
        """Take all schedules with this optID back (R204), and wait for the VTN's answer.

        Raises :class:`~oadr_core.LocalError` for an unknown optID or an opt to an event, which is changed by another
        one (R211), and :class:`OptError` when the VTN refuses.
        """
        async with self.notifications() as notes:
            await self._call(WithdrawOpt(opt_id=opt_id))
            async for note in notes:
                if _settles(note, opt_id, OptWithdrawn):
                    break


class SyncOptStatements:
    """The same for a client with threads: the methods wait in the caller's thread."""

    def _call_here(self, something: Input) -> tuple[Output, ...]:
        raise NotImplementedError

    def _own_stream(self) -> SyncNotes:
        """What happens from now on, until the client ends."""
        raise NotImplementedError

    def create_opt(
        self,
        opt_type: str,
        *,
        event_id: str | None = None,
        schedule: Iterable[tuple[datetime, timedelta]] = (),
        opt_reason: str | None = None,
        market_context: str | None = None,
        targets: Mapping[str, Iterable[str]] | None = None,
        device_classes: Iterable[str] = (),
        opt_id: str | None = None,
    ) -> str:
        """As :meth:`OptStatements.create_opt`, waiting in this thread; ``LocalError`` when the client ends first."""
        command = make_opt(
            opt_type, event_id, schedule, opt_reason, market_context, targets, device_classes, opt_id or ""
        )
        with self._own_stream() as notes:
            posted = _posted(self._call_here(command))
            _wait(notes, posted, OptAccepted)
        return posted

    def cancel_opt(self, opt_id: str) -> None:
        """As :meth:`OptStatements.cancel_opt`, waiting in this thread; ``LocalError`` when the client ends first."""
        with self._own_stream() as notes:
            self._call_here(WithdrawOpt(opt_id=opt_id))
            _wait(notes, opt_id, OptWithdrawn)


def _posted(outputs: Iterable[Output]) -> str:
    [posted] = [output for output in outputs if isinstance(output, OptPosted)]
    return posted.opt_id


def _settles(note: Notification, opt_id: str, wanted: type[OptAccepted | OptWithdrawn]) -> bool:
    """True when the VTN has taken it. Raises :class:`OptError` when it refuses."""
    if isinstance(note, OptRefused) and note.opt_id == opt_id:
        raise OptError(note)
    return isinstance(note, wanted) and note.opt_id == opt_id


def _wait(notes: SyncNotes, opt_id: str, wanted: type[OptAccepted | OptWithdrawn]) -> None:
    if not any(_settles(note, opt_id, wanted) for note in notes):
        raise LocalError("the client has stopped before the VTN has answered")
