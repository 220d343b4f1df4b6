"""What of a VTN outlives its process: a head, and one record for each VEN, event, group and unregistered signer.

It stands alone because a VTN is too large to be looked through at every step: each change is written down where it is
made, and a step saves just that. A poll that brings nothing new changes nothing of this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from ..engine.records import Record, plan, quiet, table
from ..reporting.policy import ReportPolicy
from ..security.replay import ReplayGuard
from .book import EventEntry
from .state import VenState

HEAD = "vtn"
"""The record of everything that is neither VEN nor event nor group."""


@attrs.frozen(kw_only=True)
class Group:
    """VENs that the operator has named together."""

    ven_ids: tuple[str, ...]


@attrs.frozen(kw_only=True)
class VtnState:
    """The durable state of a VTN. ``key`` is in hexadecimal; ``step`` and ``published`` count steps and events, so
    that no identifier is ever made twice. ``reports`` is the report policy that was set, if any was.
    """

    vtn_id: str
    key: str
    step: int = quiet(0)
    published: int = quiet(0)
    reports: ReportPolicy | None = None
    vens: Mapping[str, VenState] = table("ven")
    events: Mapping[str, EventEntry] = table("event")
    groups: Mapping[str, Group] = table("group")
    strangers: Mapping[str, ReplayGuard] = table("stranger")


class Journal:
    """The changes of one step."""

    def __init__(self) -> None:
        self._changes: dict[str, object | None] = {}
        self._head = False

    def head(self) -> None:
        """Something has changed that is neither VEN nor event nor group."""
        self._head = True

    def ven(self, before: VenState | None, after: VenState | None) -> None:
        """The state of a VEN is another one; that is no change if only what is volatile differs."""
        if after is None:
            if before is not None:
                self._changes[f"ven/{before.ven_id}"] = None
        elif before is None or before.ven_id != after.ven_id or _differ(before, after):
            self._changes[f"ven/{after.ven_id}"] = after
        elif self._changes and (key := f"ven/{after.ven_id}") in self._changes:
            self._changes[key] = after

    def event(self, event_id: str, entry: EventEntry | None) -> None:
        """An event is new or another one, or (``None``) it is forgotten."""
        self._changes[f"event/{event_id}"] = entry

    def group(self, name: str, ven_ids: tuple[str, ...]) -> None:
        """A group has these members, or is no more."""
        self._changes[f"group/{name}"] = Group(ven_ids=ven_ids) if ven_ids else None

    def stranger(self, signer: str, guard: ReplayGuard | None) -> None:
        """This is remembered of a signer without a registration, or nothing more."""
        self._changes[f"stranger/{signer}"] = guard

    def drain(self) -> tuple[bool, tuple[Record, ...]]:
        """Whether anything is to be saved, and the records without the head; the journal is empty then."""
        if not self._changes and not self._head:
            return False, ()
        found = tuple(Record(key=key, state=state) for key, state in self._changes.items())
        self._changes.clear()
        self._head = False
        return True, found


def _differ(before: VenState, after: VenState) -> bool:
    """True when something is different that is worth a commit by itself."""
    return not _PLAN.untouched(before, after) and _PLAN.durable_of(before) != _PLAN.durable_of(after)


_PLAN: Final = plan(VenState)
