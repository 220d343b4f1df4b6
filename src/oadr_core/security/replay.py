"""Replay protection: the window for timestamps, and the memory of what was seen inside it (R514).

It stands alone because it is state, not cryptography: one :class:`ReplayGuard` for each peer, fed with the *verified*
timestamp and nonce, kept in the peer's state and in its snapshot. It needs no library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

from ..errors import LocalError, shown
from .errors import FromTheFuture, Replayed, Stale

FIVE_MINUTES: Final = timedelta(minutes=5)
"""Ordinary clocks agree within seconds, but a message may wait in a queue; with a memory of nonces a wide window
costs nothing."""
MOST_SEEN: Final = 1024
"""Messages remembered for each peer: more than one in each second of a ten-minute window, where a VEN that polls often
sends one in ten seconds. Some 100 kB."""


def utc(now: datetime) -> datetime:
    """``now`` in UTC. Raises :class:`~oadr_core.errors.LocalError` for a naive datetime."""
    if now.tzinfo is None:
        raise LocalError(f"a datetime with a time zone is expected, not {now!r}", path="now")
    return now.astimezone(UTC)


@attrs.frozen
class Window:
    """How far the time of signing may be from ``now``: ``past`` for delay and clocks, ``future`` for clocks alone.

    Raises :class:`~oadr_core.errors.LocalError` for negative ones.
    """

    past: timedelta = FIVE_MINUTES
    future: timedelta = FIVE_MINUTES

    def __attrs_post_init__(self) -> None:
        if min(self.past, self.future) < timedelta(0):
            raise LocalError(f"a window cannot be negative: {self.past}, {self.future}", path="Window")

    def check(self, timestamp: datetime, now: datetime) -> None:
        """Raise ``Stale`` or ``FromTheFuture`` unless ``timestamp`` is inside the window around ``now`` (both
        aware)."""
        age = now - timestamp
        if age > self.past:
            raise Stale(f"signed {age} ago, more than {self.past} (or one of the clocks is wrong)", rule="R514")
        if -age > self.future:
            raise FromTheFuture(f"signed {-age} ahead of this clock, more than {self.future}", rule="R514")


WINDOW: Final = Window()


@attrs.frozen(kw_only=True)
class ReplayGuard:
    """What one peer has sent lately: accepts each verified timestamp and nonce once.

    ``seen`` holds what is inside the window, at most ``most`` of them. ``floor`` is the latest timestamp that has been
    forgotten: nothing at or before it is accepted, so neither a full memory nor a clock that is set back opens a gap.
    """

    window: Window = WINDOW
    most: int = attrs.field(default=MOST_SEEN, validator=attrs.validators.ge(1))
    seen: tuple[tuple[datetime, str], ...] = ()
    floor: datetime | None = None

    def accept(self, timestamp: datetime, nonce: str, *, now: datetime) -> ReplayGuard:
        """The guard after a message with this timestamp and nonce; both must be verified.

        Raises :class:`~oadr_core.security.Stale`, ``FromTheFuture`` or ``Replayed``; the guard is what it was. Raises
        :class:`~oadr_core.errors.LocalError` for a naive datetime. Source: R514.
        """
        timestamp, now = utc(timestamp), utc(now)
        self.window.check(timestamp, now)
        entry = (timestamp, nonce)
        if entry in self.seen:
            raise Replayed(f"the nonce {shown(nonce)} of {timestamp.isoformat()} was seen before", rule="R514")
        if self.floor is not None and timestamp <= self.floor:
            text = f"signed at {timestamp.isoformat()}; what was seen up to {self.floor.isoformat()} is forgotten"
            raise Replayed(text, rule="R514")
        oldest = now - self.window.past
        kept = sorted([*(each for each in self.seen if each[0] >= oldest), entry])
        gone = [each[0] for each in self.seen if each[0] < oldest] + [each[0] for each in kept[: -self.most]]
        floor = max([*gone, self.floor] if self.floor else gone, default=None)
        return attrs.evolve(self, seen=tuple(kept[-self.most :]), floor=floor)

    def to_json(self) -> dict[str, object]:
        """The memory as plain JSON values; the settings are not part of it."""
        return {
            "floor": self.floor.isoformat() if self.floor else None,
            "seen": [[timestamp.isoformat(), nonce] for timestamp, nonce in self.seen],
        }

    @classmethod
    def from_json(
        cls, value: Mapping[str, object], *, window: Window = WINDOW, most: int = MOST_SEEN
    ) -> ReplayGuard:
        """A guard with the memory that :meth:`to_json` gave.

        Raises :class:`~oadr_core.errors.LocalError` for anything else.
        """
        floor, seen = value.get("floor"), value.get("seen")
        if not (floor is None or isinstance(floor, str)) or not isinstance(seen, Sequence):
            raise LocalError(f"not the memory of a replay guard: {shown(value)}", path="ReplayGuard")
        try:
            entries = tuple(sorted((utc(datetime.fromisoformat(timestamp)), nonce + "") for timestamp, nonce in seen))
            floored = None if floor is None else utc(datetime.fromisoformat(floor))
        except (TypeError, ValueError) as error:
            raise LocalError(f"not the memory of a replay guard: {error}", path="ReplayGuard") from None
        return cls(window=window, most=most, seen=entries, floor=floored)
