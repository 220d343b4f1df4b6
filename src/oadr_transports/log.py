"""The words in which a session's life is logged, all with the logger ``oadr``.

It stands alone because the core logs nothing: it says what happened, and this table says how loudly and in which
words.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from oadr_core.engine import Notification, Trouble
from oadr_core.model import ReportSpecifier
from oadr_core.ven import (
    DecisionNeeded,
    EventCancelled,
    EventChanged,
    EventReceived,
    EventRefused,
    EventsOverlap,
    EventStatusChanged,
    IntervalStarted,
    Loss,
    OptAccepted,
    OptDelivered,
    OptPosted,
    OptRefused,
    OptWithdrawn,
    Registered,
    RegistrationEnded,
    RegistrationRefused,
    ReportCancelled,
    ReportDelivered,
    ReportReceived,
    ReportRequestConfirmed,
    ReportRequested,
    ReportRequestStopped,
    ReportsLost,
    ReportsOffered,
)

logger: Final = logging.getLogger("oadr")

_INFO, _WARNING, _ERROR, _DEBUG = logging.INFO, logging.WARNING, logging.ERROR, logging.DEBUG


def enable_default_logging(level: int = logging.INFO) -> None:
    """Print what the library logs to standard error, a line each, from ``level`` upwards.

    Calling it again changes the level.
    """
    logger.setLevel(level)
    for handler in logger.handlers:
        if handler.get_name() == "oadr-default":
            handler.setLevel(level)
            return
    handler = logging.StreamHandler()
    handler.set_name("oadr-default")
    handler.setLevel(level)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logger.addHandler(handler)


def log(notification: Notification) -> None:
    """Log a notification of a session."""
    found = _WORDS.get(type(notification))
    if found is None:
        logger.debug("%s", notification)
        return
    level, words = found
    if logger.isEnabledFor(level):
        logger.log(level, "%s", words(notification))


def _retry(seconds: float | None) -> str:
    return "" if seconds is None else f"; next try in {seconds:.0f} s" if seconds >= 1 else "; next try at once"


def _stage(change: EventStatusChanged) -> str:
    """What the state does not say already."""
    said = {"notified": ", the notification period has begun", "rampUp": ", ramping up", "recovery": ", recovering"}
    return said.get(change.stage, "")


def _event(notification: Any) -> str:
    descriptor = notification.event.ei_event.event_descriptor
    return f"event {descriptor.event_id!r} (modification {descriptor.modification_number})"


def _often(specifier: ReportSpecifier) -> str:
    return f"every {specifier.report_back_duration}" if specifier.report_back_duration else "once"


_LOSSES: Final = {
    Loss.BUFFER: "more waited than report_buffer holds",
    Loss.REFUSED: "it does not take them",
    Loss.UNREGISTERED: "the registration has ended",
    Loss.CLOCK: "the clock went ahead",
}

_WORDS: Final[dict[type[Notification], tuple[int, Callable[[Any], str]]]] = {
    Trouble: (_WARNING, lambda n: f"{n.text}{_retry(n.retry_s)}"),
    Registered: (
        _INFO,
        lambda n: (
            f"registered {'again ' if n.again else ''}with VTN {n.vtn_id!r} as {n.ven_id!r}, "
            f"registration {n.registration_id!r}, polling every {n.poll_interval.total_seconds():g} s"
        ),
    ),
    RegistrationRefused: (
        _ERROR,
        lambda n: f"the VTN refused the registration: {f'{n.code} ' if n.code else ''}{n.text}{_retry(n.retry_s)}",
    ),
    RegistrationEnded: (
        _WARNING,
        lambda n: f"the registration has ended: {n.text}{_retry(n.retry_s)}",
    ),
    EventReceived: (_INFO, lambda n: f"new {_event(n)}"),
    EventChanged: (_INFO, lambda n: f"changed {_event(n)}"),
    EventCancelled: (_INFO, lambda n: f"cancelled {_event(n)}{', no longer distributed' if n.implied else ''}"),
    EventRefused: (_WARNING, lambda n: f"refused {_event(n)} with {n.code}: {n.text}"),
    EventsOverlap: (_INFO, lambda n: f"events {n.event_id!r} and {n.other_id!r} of one market context overlap"),
    EventStatusChanged: (_INFO, lambda n: f"event {n.event_id!r} is {n.status}{_stage(n)}"),
    IntervalStarted: (
        _INFO,
        lambda n: (
            f"{n.signal_name} is {n.value} from {n.at:%H:%M:%S}{f' until {n.until:%H:%M:%S}' if n.until else ''} UTC, "
            f"{_event(n)}"
        ),
    ),
    DecisionNeeded: (_DEBUG, lambda n: f"a decision about {_event(n)} is needed"),
    OptDelivered: (_INFO, lambda n: f"{n.opt_type} to event {n.event_id!r} has reached the VTN"),
    OptPosted: (_DEBUG, lambda n: f"{n.opt_type}, opt {n.opt_id!r}, is on its way"),
    OptAccepted: (_INFO, lambda n: f"the VTN has taken {n.opt_type}, opt {n.opt_id!r}"),
    OptRefused: (_WARNING, lambda n: f"the VTN refused opt {n.opt_id!r}: {n.code} {n.text}"),
    OptWithdrawn: (_INFO, lambda n: f"opt {n.opt_id!r} is taken back"),
    ReportRequested: (
        _INFO,
        lambda n: (
            f"the VTN requests report {n.request.report_specifier.report_specifier_id!r} "
            f"{_often(n.request.report_specifier)} (request {n.request.report_request_id!r})"
        ),
    ),
    ReportDelivered: (
        _DEBUG,
        lambda n: f"report {n.report.report_specifier_id!r} ({len(n.report.intervals)} values) has reached the VTN",
    ),
    ReportCancelled: (
        _INFO,
        lambda n: (
            f"the VTN cancelled the report request {n.report_request_id!r}"
            f"{f', {n.dropped} values that were collected are not sent' if n.dropped else ''}"
        ),
    ),
    ReportsOffered: (_INFO, lambda n: f"the VTN offers {len(n.reports)} reports"),
    ReportRequestConfirmed: (
        _INFO,
        lambda n: f"the VTN will serve the report requests {', '.join(map(repr, n.report_request_ids))}",
    ),
    ReportRequestStopped: (
        _INFO,
        lambda n: f"the VTN does not serve the report requests {', '.join(map(repr, n.report_request_ids))} any more",
    ),
    ReportReceived: (_DEBUG, lambda n: f"{len(n.values)} values of report {n.report_specifier_id!r} have come"),
    ReportsLost: (
        _WARNING,
        lambda n: (
            f"{n.values} values of report request {n.report_request_id!r} from {n.since:%Y-%m-%d %H:%M:%S} to "
            f"{n.until:%Y-%m-%d %H:%M:%S} UTC never reach the VTN: {_LOSSES[n.reason]}"
        ),
    ),
}
