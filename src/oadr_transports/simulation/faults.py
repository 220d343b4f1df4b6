"""What can go wrong: faults as data, how often each kind strikes, and which messages they hit.

It stands alone because a run is repeated with fewer faults to find the shortest history that shows a failure: so each
fault is a value of its own that can be left out, whether it was drawn or given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from random import Random
from types import MappingProxyType
from typing import Any, Final

import attrs

VTN: Final = -1
"""The number of the VTN where VENs have theirs, from 0."""
DAY_S: Final = 86_400.0
REFUSED_S: Final = 0.05
"""How soon a sender learns that there is no connection."""


class Kind(StrEnum):
    """What a fault does. The first five hit one message, the others a moment of one end."""

    LOSE_REQUEST = "request lost"
    LOSE_REPLY = "reply lost"
    DELAY_REQUEST = "request delayed"
    DELAY_REPLY = "reply delayed"
    REPEAT = "request repeated"
    PARTITION = "cut off"
    KILL = "killed"
    STEP_CLOCK = "wall clock set"


OF_MESSAGES: Final = frozenset({Kind.LOSE_REQUEST, Kind.LOSE_REPLY, Kind.DELAY_REQUEST, Kind.DELAY_REPLY, Kind.REPEAT})


class Moment(StrEnum):
    """When in a step a process dies."""

    BETWEEN = "between two steps"
    BEFORE_COMMIT = "before a commit"
    AFTER_COMMIT = "after a commit, before carrying anything out"
    HALF_WAY = "after a commit, half of it carried out"


@attrs.frozen(kw_only=True)
class Fault:
    """One fault.

    ``end`` is the number of the VEN, or :data:`VTN`; that of a message is the VEN's at the other end of it. ``message``
    counts the requests of that VEN and to it, from 1. ``at_s`` is when, in seconds from the beginning. ``amount_s`` is
    how long the delay, the partition or the rest of a dead process is, or by how much a clock is set. ``reboot``: the
    monotonic clock begins anew, too.
    """

    kind: Kind
    end: int
    message: int = 0
    at_s: float = 0.0
    amount_s: float = 0.0
    moment: Moment = Moment.BETWEEN
    reboot: bool = False

    def __str__(self) -> str:
        who = "the VTN" if self.end == VTN else f"ven-{self.end}"
        if self.kind in OF_MESSAGES:
            by = f" by {self.amount_s:.1f} s" if self.amount_s else ""
            return f"{who}: {self.kind}{by} (exchange {self.message})"
        what = {
            Kind.PARTITION: f"cut off for {self.amount_s:.0f} s",
            Kind.KILL: f"killed {self.moment}, for {self.amount_s:.0f} s" + (", rebooted" if self.reboot else ""),
            Kind.STEP_CLOCK: f"wall clock set by {self.amount_s:+.0f} s",
        }[self.kind]
        return f"{who}: {what}"


def _share(instance: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"{attribute.name}: a share from 0 to less than 1 is expected, not {value!r}")


def _rate(instance: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if not 0 <= value <= DAY_S:
        raise ValueError(f"{attribute.name}: a number of at least 0 is expected, not {value!r}")


@attrs.frozen(kw_only=True)
class Rates:
    """How often what goes wrong: shares of messages, and how often a day at each end (also the VTN).

    ``loss`` hits requests and replies; ``delay_s`` is the longest delay, in seconds; ``reorder`` is the share of
    messages that are held back so long that others overtake them. Raises ``ValueError`` for what cannot be.
    """

    loss: float = attrs.field(default=0.0, validator=_share)
    delay_s: float = attrs.field(default=0.0, validator=_rate)
    duplicate: float = attrs.field(default=0.0, validator=_share)
    reorder: float = attrs.field(default=0.0, validator=_share)
    partitions: float = attrs.field(default=0.0, validator=_rate)
    crashes: float = attrs.field(default=0.0, validator=_rate)
    clock_steps: float = attrs.field(default=0.0, validator=_rate)

    @property
    def of_messages(self) -> bool:
        """True when messages have faults."""
        return bool(self.loss or self.delay_s or self.duplicate or self.reorder)


HELD_BACK_S: Final = 20.0
"""A message that others overtake is late by at most so much: less than the 30 s for which its sender waits."""


def planned(rates: Rates, dice: Random, ends: Iterable[int], length_s: float) -> tuple[Fault, ...]:
    """The faults of ends, drawn in advance, in order of time."""
    found: list[Fault] = []
    for end in ends:
        for at_s in _times(rates.partitions, dice, length_s):
            found.append(Fault(kind=Kind.PARTITION, end=end, at_s=at_s, amount_s=round(dice.uniform(5, 1800), 1)))
        for at_s in _times(rates.crashes, dice, length_s):
            found.append(
                Fault(
                    kind=Kind.KILL,
                    end=end,
                    at_s=at_s,
                    amount_s=round(dice.uniform(0.1, 10) if dice.random() < 0.5 else dice.uniform(10, 900), 1),
                    moment=dice.choice(tuple(Moment)),
                    reboot=dice.random() < 0.3,
                )
            )
        for at_s in _times(rates.clock_steps, dice, length_s):
            by_s = dice.choice((-1, 1)) * dice.choice((2.0, 30.0, 300.0, 3600.0)) * dice.uniform(0.5, 1)
            found.append(Fault(kind=Kind.STEP_CLOCK, end=end, at_s=at_s, amount_s=round(by_s, 1)))
    return tuple(sorted(found, key=lambda fault: fault.at_s))


def _times(per_day: float, dice: Random, length_s: float) -> list[float]:
    """Random moments, so many a day on average."""
    if not per_day:
        return []
    found, at_s = [], dice.expovariate(per_day / DAY_S)
    while at_s < length_s:
        found.append(round(at_s, 1))
        at_s += dice.expovariate(per_day / DAY_S)
    return found


# --- messages -------------------------------------------------------------------------------------------------------


@attrs.frozen
class Fate:
    """What happens to one exchange; ``repeat_s`` is when a copy of the request comes, ``None`` for no copy."""

    lost_request: bool = False
    lost_reply: bool = False
    request_s: float = 0.0
    reply_s: float = 0.0
    repeat_s: float | None = None


class Weather:
    """The fates of messages: drawn as the rates say until :meth:`clear` is called, or as a list of faults has them.

    With ``noted``, ``struck`` collects what was drawn, so that the same run can be made from the list.
    """

    def __init__(
        self,
        rates: Rates,
        seed: int,
        ends: Iterable[int],
        listed: Iterable[Fault] | None = None,
        *,
        noted: bool = False,
    ) -> None:
        self._rates = rates
        self._noted = noted
        self.struck: list[Fault] = []
        self._dice: Mapping[int, Random] = {}
        self._listed: Mapping[tuple[int, int], list[Fault]] = MappingProxyType({})
        if listed is not None:
            found: dict[tuple[int, int], list[Fault]] = {}
            for fault in listed:
                if fault.kind in OF_MESSAGES:
                    found.setdefault((fault.end, fault.message), []).append(fault)
            self._listed = found
        elif rates.of_messages:
            self._dice = {end: Random(f"{seed}/{end}") for end in ends}  # VENs can be left out

    def clear(self) -> None:
        """From now on nothing is lost any more."""
        self._dice = {}

    def fate(self, end: int, message: int) -> Fate | None:
        """What happens to an exchange; ``None``: nothing special."""
        if self._listed:
            faults = self._listed.get((end, message))
            return None if faults is None else _fate(faults)
        dice = self._dice.get(end)
        if dice is None:
            return None
        drawn = self._drawn(dice, end, message)
        if not drawn:
            return None
        if self._noted:
            self.struck += drawn
        return _fate(drawn)

    def _drawn(self, dice: Random, end: int, message: int) -> list[Fault]:
        rates, found = self._rates, []
        for lost, delayed in ((Kind.LOSE_REQUEST, Kind.DELAY_REQUEST), (Kind.LOSE_REPLY, Kind.DELAY_REPLY)):
            if rates.loss and dice.random() < rates.loss:
                found.append(Fault(kind=lost, end=end, message=message))
                continue
            late_s = round(dice.random() * rates.delay_s, 3) if rates.delay_s else 0.0
            if rates.reorder and dice.random() < rates.reorder:
                late_s += round(dice.uniform(1, HELD_BACK_S), 3)
            if late_s:
                found.append(Fault(kind=delayed, end=end, message=message, amount_s=late_s))
        if rates.duplicate and dice.random() < rates.duplicate:
            after_s = round(dice.random() * max(rates.delay_s, 0.5), 3)
            found.append(Fault(kind=Kind.REPEAT, end=end, message=message, amount_s=after_s))
        return found


def _fate(faults: Iterable[Fault]) -> Fate:
    by_kind = {fault.kind: fault.amount_s for fault in faults}
    return Fate(
        lost_request=Kind.LOSE_REQUEST in by_kind,
        lost_reply=Kind.LOSE_REPLY in by_kind,
        request_s=by_kind.get(Kind.DELAY_REQUEST, 0.0),
        reply_s=by_kind.get(Kind.DELAY_REPLY, 0.0),
        repeat_s=by_kind.get(Kind.REPEAT),
    )
