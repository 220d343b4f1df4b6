"""The two clocks of a session, handed in by the adapter with every input.

It stands alone because time is an argument everywhere in the core: elapsed deadlines (poll, retry, timeout) are
kept on ``mono``, calendar deadlines (event start, samples) on ``wall``, so that a wall clock that jumps is
survived.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeVar

import attrs

from ..errors import LocalError

_Instant = TypeVar("_Instant", float, datetime)


@attrs.frozen
class Now:
    """An instant on both clocks: ``mono`` in seconds that never go back, ``wall`` an aware UTC datetime.

    Raises :class:`~oadr_core.errors.LocalError` for a naive ``wall``.
    """

    mono: float
    wall: datetime

    def __attrs_post_init__(self) -> None:
        zone = self.wall.tzinfo
        if zone is UTC:
            return
        if zone is None:
            raise LocalError(f"a datetime with a time zone is expected, not {self.wall!r}", path="Now/wall")
        object.__setattr__(self, "wall", self.wall.astimezone(UTC))

    @property
    def seconds(self) -> datetime:
        """``wall`` in whole seconds, as it is put into messages (R1)."""
        return self.wall.replace(microsecond=0)

    def mono_at(self, wall: datetime) -> float:
        """When ``mono`` will be, if the wall clock does not jump, at the instant ``wall``."""
        return self.mono + (wall - self.wall).total_seconds()


def earliest(*times: _Instant | None) -> _Instant | None:
    """The first of some instants on one clock; ``None`` is never."""
    first = None
    for at in times:
        if at is not None and (first is None or at < first):
            first = at
    return first
