"""The client's words for opts outside the answer to an event: stated, awaited, taken back.

It stands alone as the part of the client's face that is about the service EiOpt (section 5.4 of the reference).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from oadr_core import OadrError
from oadr_core.engine import Input, Output
from oadr_core.ven import OptAccepted, OptPosted, OptRefused, OptWithdrawn, WithdrawOpt

from .notes import Notes
from .options import make_opt


class OptError(OadrError):
    """The VTN has refused an opt; ``code`` is its response code."""

    def __init__(self, refused: OptRefused) -> None:
        self.opt_id, self.code = refused.opt_id, refused.code
        super().__init__(f"the VTN refused opt {refused.opt_id!r}: {refused.code} {refused.text}".rstrip())


class OptStatements:
    """What a client can say with opts. The client brings the way to its session, and its notifications."""

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
            outputs = await self._call(command)
            [posted] = [output for output in outputs if isinstance(output, OptPosted)]
            await _outcome(notes, posted.opt_id, OptAccepted)
        return posted.opt_id

    async def cancel_opt(self, opt_id: str) -> None:
        """Take all schedules with this optID back (R204), and wait for the VTN's answer.

        Raises :class:`~oadr_core.LocalError` for an unknown optID or an opt to an event, which is changed by another
        one (R211), and :class:`OptError` when the VTN refuses.
        """
        async with self.notifications() as notes:
            await self._call(WithdrawOpt(opt_id=opt_id))
            await _outcome(notes, opt_id, OptWithdrawn)


async def _outcome(notes: Notes, opt_id: str, wanted: type[OptAccepted | OptWithdrawn]) -> None:
    async for note in notes:
        if isinstance(note, OptRefused) and note.opt_id == opt_id:
            raise OptError(note)
        if isinstance(note, wanted) and note.opt_id == opt_id:
            return
