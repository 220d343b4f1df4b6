"""Where exports and plots take received values from: a running VTN, or its database, whether it runs or not.

It stands alone because what is made of the values shall not depend on that: both give the same plain JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from .admin import Admin, Json, running_vtn
from .failures import Failed

if TYPE_CHECKING:
    from oadr_core.vtn.saving import VtnState


@attrs.frozen(kw_only=True)
class Chosen:
    """Which values: one VEN, report, request or data point, and from when to when; ``None`` for all."""

    ven_id: str | None = None
    report: str | None = None
    report_request_id: str | None = None
    r_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def given(self) -> dict[str, Any]:
        """What is not ``None``."""
        return {name: what for name, what in attrs.asdict(self).items() if what is not None}


class Source(Protocol):
    """Received values, and what explains them."""

    def values(self, chosen: Chosen) -> Iterator[tuple[Json, Json]]:
        """Each value that is chosen, with the series that it belongs to."""

    def ven_names(self) -> dict[str, str]:
        """The names of the VENs that are registered, by their IDs."""

    def events(self) -> list[Json]:
        """The events, with the intervals of their signals."""


@contextmanager
def source(admin: str | None, token: str | None, state: Path | None) -> Iterator[Source]:
    """What the options mean: a database if only that is named, else a VTN that runs."""
    if state is not None and admin is None:
        yield _Database(state)
    else:
        with running_vtn(admin, token, state) as vtn:
            yield _Running(vtn)


class _Running:
    def __init__(self, vtn: Admin) -> None:
        self._vtn = vtn

    def values(self, chosen: Chosen) -> Iterator[tuple[Json, Json]]:
        query = {name: what.isoformat() if isinstance(what, datetime) else what for name, what in chosen.given.items()}
        series: Json = {}
        for line in self._vtn.lines("values", **query):
            if "series" in line:
                series = line["series"]
            elif "end" not in line:
                yield series, line
            else:
                return
        raise Failed("the VTN has broken off in the midst of the values")

    def ven_names(self) -> dict[str, str]:
        return {one["ven_id"]: one["ven_name"] for one in self._vtn.ask("GET", "vens")["vens"]}

    def events(self) -> list[Json]:
        return [self._vtn.ask("GET", "events", one["event_id"]) for one in self._vtn.ask("GET", "events")["events"]]


class _Database:
    def __init__(self, path: Path) -> None:
        from oadr_transports.stores import SqliteReader

        self._reader = SqliteReader(path)

    def values(self, chosen: Chosen) -> Iterator[tuple[Json, Json]]:
        from oadr_transports.stores import Wanted
        from oadr_transports.value_views import series_view, value_view

        series, shown = None, {}
        for value in self._reader.values(Wanted(**chosen.given)):
            if value.series is not series:
                series, shown = value.series, series_view(value.series)
            yield shown, value_view(value)

    def ven_names(self) -> dict[str, str]:
        state = self._state()
        return {} if state is None else {ven_id: ven.ven_name for ven_id, ven in state.vens.items()}

    def events(self) -> list[Json]:
        from oadr_core.engine import Now
        from oadr_transports.admin.views import entry_view

        now = Now(0.0, datetime.now(UTC))
        state = self._state()
        entries = () if state is None else sorted(state.events.values(), key=lambda entry: entry.number)
        return [entry_view(entry, now, whole=True) for entry in entries]

    def _state(self) -> VtnState | None:
        """What the VTN remembers; ``None`` where the values were kept for somebody else."""
        from oadr_core.engine.records import restored
        from oadr_core.vtn.saving import HEAD, VtnState

        records = self._reader.load()
        return restored(VtnState, HEAD, records) if HEAD in records else None
