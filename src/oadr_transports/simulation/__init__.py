"""Fleets in virtual time: real sessions, a bad network, and no event loop, clock or socket."""

from __future__ import annotations

from .faults import Fault, Kind, Moment, Rates
from .invariants import Broken, Invariant
from .measures import Measures
from .outcome import History, Outcome, run, search, shortest
from .scenario import Cancel, Modify, Publish, Scenario, Script
from .world import World, simulate

__all__ = [
    "Broken",
    "Cancel",
    "Fault",
    "History",
    "Invariant",
    "Kind",
    "Measures",
    "Modify",
    "Moment",
    "Outcome",
    "Publish",
    "Rates",
    "Scenario",
    "Script",
    "World",
    "run",
    "search",
    "shortest",
    "simulate",
]
