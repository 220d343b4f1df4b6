"""What must hold in every run, and how it is told that it does not.

It stands alone because everything else of the simulation may find a breach: it is raised where it is seen.
"""

from __future__ import annotations

from enum import StrEnum


class Invariant(StrEnum):
    """What holds whatever goes wrong."""

    ANSWERED = "each always event is answered by each reachable VEN"
    OPTS = "each opt at the VTN is that of the VEN"
    SAMPLES = "each sample is received once, or accounted for"
    IN_TIME = "no VEN acts outside an event's time"
    ASKED_ONCE = "nobody is asked twice about the same version"
    RATE = "polls keep their rate, and are spread"
    REST = "all come to rest"


class Broken(Exception):  # it is no error of the program that simulates
    """An invariant does not hold. ``ven`` is the number of the VEN that shows it, if it is one."""

    def __init__(self, invariant: Invariant, text: str, ven: int | None = None) -> None:
        super().__init__(invariant, text, ven)  # all of it, so that it can be sent between processes
        self.invariant = invariant
        self.text = text
        self.ven = ven

    def __str__(self) -> str:
        return f"{self.invariant}: {self.text}"
