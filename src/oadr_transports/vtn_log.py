"""The words in which a VTN's life is logged, all with the logger ``oadr``.

It stands alone because the core logs nothing: it says what happened, and this table says how loudly and in
which words. What comes from a peer is escaped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from oadr_core.engine import Notification, Trouble
from oadr_core.errors import shown
from oadr_core.vtn import (
    EventDelivered,
    EventPublished,
    EventsOverlap,
    EventStatusChanged,
    OptReceived,
    OptScheduleCancelled,
    OptScheduleReceived,
    ReportReceived,
    ReportRequestConfirmed,
    ReportRequestStopped,
    ReportsOffered,
    VenRegistered,
    VenReregistered,
    VenUnregistered,
)

logger: Final = logging.getLogger("oadr")

_INFO, _WARNING, _DEBUG = logging.INFO, logging.WARNING, logging.DEBUG


def log(notification: Notification) -> None:
    """Log a notification of a VTN."""
    level, words = _WORDS.get(type(notification), _OTHER)
    if logger.isEnabledFor(level):
        logger.log(level, "%s", words(notification))


def _ven(note: Any) -> str:
    return f"VEN {shown(note.ven_name)} ({shown(note.ven_id)})"


_OTHER: Final[tuple[int, Callable[[Any], str]]] = (_DEBUG, lambda n: type(n).__name__)
_WORDS: Final[dict[type[Notification], tuple[int, Callable[[Any], str]]]] = {
    Trouble: (_WARNING, lambda n: n.text),
    VenRegistered: (_INFO, lambda n: f"{_ven(n)} is registered"),
    VenReregistered: (_INFO, lambda n: f"{_ven(n)} is registered again"),
    VenUnregistered: (
        _INFO,
        lambda n: f"{_ven(n)} is no longer registered, by {'its own' if n.by_ven else 'the operator'}'s wish",
    ),
    ReportsOffered: (
        _INFO,
        lambda n: (
            f"{shown(n.ven_id)} offers {', '.join(shown(r.report_specifier_id) for r in n.reports) or 'no reports'}"
        ),
    ),
    ReportRequestConfirmed: (_INFO, lambda n: f"{shown(n.ven_id)} will send {len(n.report_request_ids)} reports"),
    ReportRequestStopped: (_INFO, lambda n: f"{shown(n.ven_id)} has stopped {len(n.report_request_ids)} reports"),
    ReportReceived: (
        _DEBUG,
        lambda n: f"{shown(n.ven_id)} sends {len(n.values)} values of {shown(n.report_specifier_id)}",
    ),
    EventPublished: (_INFO, lambda n: f"event {n.event_id!r} (modification {n.modification_number}) is published"),
    EventStatusChanged: (_INFO, lambda n: f"event {n.event_id!r} is {n.status}"),
    EventsOverlap: (
        _WARNING,
        lambda n: f"event {n.event_id!r} overlaps {', '.join(map(repr, n.others))} in the same program (R18)",
    ),
    EventDelivered: (
        _DEBUG,
        lambda n: f"event {n.event_id!r} (modification {n.modification_number}) was handed to {shown(n.ven_id)}",
    ),
    OptReceived: (
        _INFO,
        lambda n: (
            f"{shown(n.ven_id)}: {n.opt_type} to event {n.event_id!r} (modification {n.modification_number})"
            + ("" if n.response_code.startswith("2") else f", code {n.response_code}")
        ),
    ),
    OptScheduleReceived: (_INFO, lambda n: f"{shown(n.ven_id)}: {n.opt_type} schedule {shown(n.opt_id)}"),
    OptScheduleCancelled: (_INFO, lambda n: f"{shown(n.ven_id)} cancels the opt schedule {shown(n.opt_id)}"),
}
