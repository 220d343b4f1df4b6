"""The shortest history that shows a failure: a run again and again with less, as long as it still breaks the same way.

It stands alone because it only needs a script and a way to run it. What is left out is never put back: fewer hours,
fewer VENs, fewer events and fewer faults, each list by halves, quarters and so on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import attrs

from .faults import Kind
from .invariants import Broken
from .scenario import Script, only
from .world import simulate

MOST_RUNS: Final = 400
"""Runs at most: the first ones leave one VEN and some hours, so that most take a blink."""

_T = TypeVar("_T")
Said = Callable[[str], None]


@attrs.frozen
class Failing:
    """A script that breaks an invariant, and how."""

    script: Script
    broken: Broken
    at_s: float


class Shrinker:
    """Makes a failing script shorter. ``said`` is told what is left after each success."""

    def __init__(self, script: Script, broken: Broken, said: Said | None = None) -> None:
        world, again = simulate(script, noted=True)
        if again is None or again.invariant is not broken.invariant:
            raise RuntimeError(f"the same script does not fail again: {broken}")
        listed = attrs.evolve(script, listed=tuple(world.weather.struck))
        self._said = said
        self._invariant = broken.invariant
        self.runs = 0
        self.best = Failing(script, again, world.agenda.now_s)
        self._try(listed)

    def shrink(self) -> Failing:
        """The shortest that was found."""
        self._shorten()
        self._fewer_vens()
        for _ in range(3):
            before = self.best
            self._shorten()
            self._fewer("programme")
            for kind in Kind:  # whole kinds first: there may be thousands of delays
                script = self.best.script
                self._try(_without(script, kind))
            self._fewer("faults")
            self._fewer("listed")
            if self.best is before:
                break
        return self.best

    def _try(self, script: Script) -> bool:
        """Keep this script if it breaks the same invariant."""
        if self.runs >= MOST_RUNS or script == self.best.script:
            return False
        self.runs += 1
        world, broken = simulate(script)
        if broken is None or broken.invariant is not self._invariant:
            return False
        self.best = Failing(script, broken, world.agenda.now_s)
        if self._said is not None:
            faults = len(script.faults) + len(script.listed or ())
            hours = min(self.best.at_s, script.length_s) / 3600
            self._said(f"{len(script.vens)} VENs, {hours:.1f} h, {len(script.programme)} acts, {faults} faults")
        return True

    def _shorten(self) -> None:
        """Nothing happens after the failure."""
        script, at_s = self.best.script, self.best.at_s
        if at_s < script.length_s:
            self._try(_until(script, at_s))
        for share in (0.25, 0.5, 0.75):
            self._try(_until(self.best.script, share * self.best.script.length_s))

    def _fewer_vens(self) -> None:
        ven = self.best.broken.ven
        if ven is not None and self._try(_of(self.best.script, (ven,))):
            return
        self._fewer("vens")

    def _fewer(self, name: str) -> None:
        """Leave parts of a list out: halves first, single items last."""
        items: Sequence[object] = getattr(self.best.script, name) or ()
        size = len(items)
        while size and items:
            start, smaller = 0, False
            while start < len(items):
                rest = tuple(items[:start]) + tuple(items[start + size :])
                if (rest or name != "vens") and self._try(_with(self.best.script, name, rest)):
                    items, smaller = rest, True
                else:
                    start += size
            if not smaller or size > len(items):
                size = min(size, len(items)) // 2 if size > 1 else 0


def _with(script: Script, name: str, items: tuple[object, ...]) -> Script:
    if name == "vens":
        return _of(script, tuple(item for item in items if isinstance(item, int)))
    return attrs.evolve(script, **{name: items})  # type: ignore[arg-type]  # the items come from that very field


def _of(script: Script, vens: tuple[int, ...]) -> Script:
    """The same with fewer VENs."""
    listed = None if script.listed is None else only(script.listed, vens)
    return attrs.evolve(script, vens=vens, faults=only(script.faults, vens), listed=listed)


def _until(script: Script, at_s: float) -> Script:
    """The same, and nothing after this time."""
    programme = tuple(act for act in script.programme if act.at_s <= at_s)
    faults = tuple(fault for fault in script.faults if fault.at_s <= at_s)
    return attrs.evolve(script, length_s=at_s, programme=programme, faults=faults)


def _without(script: Script, kind: Kind) -> Script:
    """The same without the faults of a kind."""
    listed = script.listed
    return attrs.evolve(
        script,
        faults=tuple(fault for fault in script.faults if fault.kind is not kind),
        listed=None if listed is None else tuple(fault for fault in listed if fault.kind is not kind),
    )
