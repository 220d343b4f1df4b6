"""What is simulated: how many VENs for how long, what the operator does meanwhile, and what goes wrong.

It stands alone because it is data: from a :class:`Scenario`, what a user asks for, everything follows, drawn from its
seed, and a :class:`Script` is what a run needs, so that a script can be made shorter while it still shows a failure.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

import attrs

from .faults import VTN, Fault, Rates, planned

START: Final = datetime(2030, 1, 7, tzinfo=UTC)
"""When every run begins: midnight, a Monday."""
HOUR_S: Final = 3600.0
MOST_VENS: Final = 200_000
_MINUTE: Final = timedelta(minutes=1)


NOTHING: Final = Rates()
"""Nothing goes wrong."""


def _positive(instance: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if not value > 0:
        raise ValueError(f"{attribute.name}: a number above 0 is expected, not {value!r}")


def _at_least_zero(instance: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if value < 0:
        raise ValueError(f"{attribute.name}: a number of at least 0 is expected, not {value!r}")


# --- the operator ---------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Publish:
    """Publish an event that sheds load: SIMPLE levels, each for so many minutes.

    ``notice_s`` is how long before its start (from ``at_s``, both in seconds); ``ven_share`` picks every n-th VEN, 1
    means all of them, by an event without recipients. ``always``: the VENs shall answer.
    """

    at_s: float
    event_id: str
    notice_s: float
    levels: tuple[tuple[int, int], ...]
    start_after: int = 0
    ramp_up: int = 0
    recovery: int = 0
    every: int = 1
    always: bool = True


@attrs.frozen(kw_only=True)
class Modify:
    """Change an event: its priority, or (``longer``, in minutes) how long its last interval is."""

    at_s: float
    event_id: str
    priority: int = 0
    longer: int = 0


@attrs.frozen(kw_only=True)
class Cancel:
    """Cancel an event."""

    at_s: float
    event_id: str


Act = Publish | Modify | Cancel
"""What an operator does; ``at_s`` is when, in seconds from the beginning."""


def drawn_programme(dice: Random, per_day: float, length_s: float) -> tuple[Act, ...]:
    """A programme of events: about so many a day, some of them changed or cancelled."""
    acts: list[Act] = []
    events = max(1, round(per_day * length_s / 86_400)) if per_day else 0
    for number in range(events):
        slot = length_s / events
        at_s = round(number * slot + dice.uniform(0, 0.3) * slot + 120, 1)
        event_id = f"event-{number + 1}"
        count = dice.choice((1, 1, 2, 3))
        levels = tuple((dice.choice((15, 20, 30, 60)), dice.choice((1, 2, 3))) for _ in range(count))
        notice_s = round(dice.uniform(0.15, 0.4) * slot)
        acts.append(
            Publish(
                at_s=at_s,
                event_id=event_id,
                notice_s=notice_s,
                levels=levels,
                start_after=dice.choice((0, 0, 5, 10)),
                ramp_up=dice.choice((0, 0, 5, -5)),
                recovery=dice.choice((0, 0, 5)),
                every=dice.choice((1, 1, 1, 2)),
                always=dice.random() < 0.85,
            )
        )
        over_s = at_s + notice_s + 60 * sum(minutes for minutes, _ in levels)
        fate = dice.random()
        if fate < 0.35:
            when = round(dice.uniform(at_s + 30, over_s - 300), 1)
            longer = 15 if dice.random() < 0.5 else 0
            acts.append(Modify(at_s=when, event_id=event_id, priority=dice.randint(1, 9), longer=longer))
        elif fate < 0.6:
            acts.append(Cancel(at_s=round(dice.uniform(at_s + 30, over_s - 60), 1), event_id=event_id))
    return tuple(sorted(acts, key=lambda act: act.at_s))


# --- the whole ------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Scenario:
    """What is wanted of a run; everything else is drawn from ``seed``.

    ``poll_s``: how often VENs shall poll. ``sample_s``: how often each measures its load, and ``report_s`` how often it
    reports that; zero ``sample_s`` for no reports. ``events``: how many a day the operator publishes, unless
    ``programme`` says what to do. ``push``: the share of VENs that are pushed to. ``jitter``: polls and reports are
    spread. ``typed``: messages pass as values, not as bytes, which is faster. Raises ``ValueError`` for what cannot be.
    """

    seed: int = 0
    vens: int = attrs.field(default=20, validator=_positive)
    hours: float = attrs.field(default=24.0, validator=_positive)
    poll_s: int = attrs.field(default=300, validator=_positive)
    sample_s: int = attrs.field(default=300, validator=_at_least_zero)
    report_s: int = attrs.field(default=900, validator=_positive)
    events: float = attrs.field(default=3.0, validator=_at_least_zero)
    programme: tuple[Act, ...] | None = None
    push: float = attrs.field(default=0.0, validator=_at_least_zero)
    jitter: bool = True
    typed: bool = False
    faults: Rates = NOTHING

    def __attrs_post_init__(self) -> None:
        if self.vens > MOST_VENS:
            raise ValueError(f"vens: at most {MOST_VENS} are simulated, not {self.vens}")
        if self.sample_s and self.report_s % self.sample_s:
            text = f"report_s: a multiple of sample_s, {self.sample_s}, is expected, not {self.report_s}"
            raise ValueError(text)

    @property
    def length_s(self) -> float:
        """How long it lasts, in seconds, without the quiet time at the end."""
        return self.hours * HOUR_S

    @property
    def reports(self) -> bool:
        """True when the VENs report their load."""
        return self.sample_s > 0

    @property
    def patience_s(self) -> float:
        """How long an undisturbed VEN may take to get what waits for it and to answer, in seconds.

        That is for the end of a back-off, a poll, a question to the application, and once more for what the VTN hands
        out again.
        """
        return 3.4 * self.poll_s + 420.0


@attrs.frozen(kw_only=True)
class Script:
    """All that a run needs: the VENs by number, what the operator does, and what goes wrong.

    ``listed`` ``None``: faults of messages are drawn as the scenario's rates say, until ``length_s``; else it is all of
    them. ``faults`` are those of ends.
    """

    scenario: Scenario
    length_s: float
    vens: tuple[int, ...]
    programme: tuple[Act, ...]
    faults: tuple[Fault, ...] = ()
    listed: tuple[Fault, ...] | None = None

    @classmethod
    def of(cls, scenario: Scenario) -> Script:
        """Draw everything that can be drawn in advance."""
        length_s, vens = scenario.length_s, range(scenario.vens)
        programme = scenario.programme
        if programme is None:
            programme = drawn_programme(Random(f"{scenario.seed}/programme"), scenario.events, length_s)
        faults = planned(scenario.faults, Random(f"{scenario.seed}/faults"), (VTN, *vens), length_s)
        return cls(scenario=scenario, length_s=length_s, vens=tuple(vens), programme=programme, faults=faults)


def minutes(count: int) -> timedelta | None:
    """So many minutes; ``None`` for none."""
    return count * _MINUTE if count else None


def only(faults: Iterable[Fault], vens: Iterable[int]) -> tuple[Fault, ...]:
    """The faults of these VENs, and of the VTN."""
    ends = {VTN, *vens}
    return tuple(fault for fault in faults if fault.end in ends)
