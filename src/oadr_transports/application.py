"""The application's functions: which is called for what, with what, and what its answer means.

It stands alone because anything can come out of a function of the application, and none of it may reach the protocol:
whatever happens there, each question gets an answer, and only that event suffers.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import attrs

from oadr_core import LocalError
from oadr_core.engine import Notification
from oadr_core.model import OptType, ResponseRequired
from oadr_core.ven import (
    Change,
    Decide,
    DecisionNeeded,
    EventCancelled,
    EventStatusChanged,
    IntervalStarted,
    ReportReceived,
    ReportValue,
)

from .asking import Call, Errand
from .eventdict import EventDict, event_dict
from .log import logger

HANDLERS: Final = ("on_event", "on_update_event", "on_event_status", "on_interval", "on_report")

NEWS: Final = 1_000
"""News about time that wait for slow handlers, who are told one after another; then the oldest are lost."""

Handler = Callable[[Any], Any]


@attrs.frozen
class Refuse:
    """What an ``on_event`` handler may return instead of ``'optOut'``: a response code of the profile, and why.

    ``code`` has three digits and is no success, e.g. ``'462'`` for a target that is not there (section 3.6).

    Raises :class:`~oadr_core.LocalError` for another code.
    """

    code: str
    reason: str = ""

    def __attrs_post_init__(self) -> None:
        code: object = self.code  # annotations do not bind a caller
        if not isinstance(code, str) or len(code) != 3 or not code.isascii() or not code.isdigit() or code < "300":
            raise LocalError(f"a response code of failure such as '462' is expected, not {code!r}", path="code")


class Application:
    """The handlers of one client, and what they are still to be told."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self._news: deque[tuple[Handler, dict[str, Any]]] = deque()
        self._telling = False
        self._turn = threading.Lock()
        self._lost = 0

    def add(self, name: str, callback: Handler) -> None:
        """Set a handler; raises :class:`~oadr_core.LocalError` for another name, or what cannot be called."""
        if name not in HANDLERS:
            raise LocalError(f"one of {', '.join(HANDLERS)} is expected, not {name!r}", path="handler")
        if not callable(callback):
            raise LocalError(f"a function is expected, not {callback!r}", path="callback")
        self._handlers[name] = callback

    @property
    def decides(self) -> bool:
        """True when somebody decides about events."""
        return "on_event" in self._handlers

    # --- questions --------------------------------------------------------------------------------------------------

    def decide(self, question: DecisionNeeded) -> Errand:
        """Ask the handler; whatever it does, there is a decision, and only about this event."""
        descriptor = question.event.ei_event.event_descriptor
        decision = Decide(
            event_id=descriptor.event_id,
            modification_number=descriptor.modification_number,
            opt_type=question.default,
        )
        handler = self._decider(question.change)
        if handler is None:
            return decision
        [outcome] = yield (Call(handler, (event_dict(question.event),)),)
        answer, error = outcome.result, outcome.error
        if error is not None:
            return _failed(decision, f"the handler raised {type(error).__name__}: {error}")
        if isinstance(answer, Refuse):
            return attrs.evolve(decision, opt_type=OptType.OPT_OUT, code=answer.code, reason=answer.reason)
        if answer in tuple(OptType):
            return attrs.evolve(decision, opt_type=OptType(answer))
        if question.event.oadr_response_required is ResponseRequired.NEVER and answer is None:
            return attrs.evolve(decision, opt_type=OptType.OPT_IN)  # the VTN asks for no opt (R62)
        return _failed(decision, f"the handler returned {answer!r} instead of 'optIn' or 'optOut'")

    def _decider(self, change: Change) -> Handler | None:
        if change in (Change.MODIFIED, Change.CANCELLED):
            return self._handlers.get("on_update_event") or self._handlers.get("on_event")
        return self._handlers.get("on_event")

    # --- news -------------------------------------------------------------------------------------------------------

    def errand(self, notification: Notification) -> Errand | None:
        """What a notification gives to do: a question, or news when nobody is telling any yet."""
        if isinstance(notification, DecisionNeeded):
            return self.decide(notification)
        if isinstance(notification, EventCancelled) and notification.implied:
            handler = self._decider(Change.CANCELLED)
            return None if handler is None else _tell(handler, event_dict(notification.event))
        if type(notification) not in _NEWS or getattr(notification, "repeated", False):
            return None
        name, words = _NEWS[type(notification)]
        if name not in self._handlers:
            return None
        with self._turn:
            if len(self._news) >= NEWS:
                self._news.popleft()
                self._lost += 1
                if self._lost & (self._lost - 1) == 0:  # 1, 2, 4, 8 …: a lasting jam fills no log
                    logger.warning("the handler %s is too slow: %d news lost so far", name, self._lost)
            self._news.append((self._handlers[name], words(notification)))
            already, self._telling = self._telling, True
        return None if already else self._tell_all()

    def forget_news(self) -> None:
        """Nobody is telling news, and there are none."""
        with self._turn:
            self._news.clear()
            self._telling = False

    def _tell_all(self) -> Errand:
        """Tell the news, one after another, until there are none."""
        while (news := self._next_news()) is not None:
            yield from _tell(*news)
        return None

    def _next_news(self) -> tuple[Handler, dict[str, Any]] | None:
        with self._turn:
            self._telling = bool(self._news)
            return self._news.popleft() if self._news else None


def _tell(handler: Handler, words: dict[str, Any]) -> Errand:
    """Nobody waits for what the handler returns."""
    [outcome] = yield (Call(handler, (words,)),)
    if (error := outcome.error) is not None:
        what = f"event {words['event_id']!r}" if "event_id" in words else f"report {words['report_specifier_id']!r}"
        logger.error("the handler of %s raised %s: %s", what, type(error).__name__, error)
    return None


def _failed(decision: Decide, reason: str) -> Decide:
    logger.error("opting out of event %r: %s", decision.event_id, reason)
    return attrs.evolve(decision, opt_type=OptType.OPT_OUT, reason="the VEN could not decide", failed=True)


def _status(change: EventStatusChanged) -> dict[str, Any]:
    return {
        "event_id": change.event_id,
        "status": str(change.status),
        "stage": str(change.stage),
        "at": change.at,
        "event": event_dict(change.event),
    }


def _interval(started: IntervalStarted) -> dict[str, Any]:
    event: EventDict = event_dict(started.event)
    [signal] = [each for each in event["event_signals"] if each["signal_id"] == started.signal_id][:1]
    return {
        "event_id": event["event_id"],
        "signal_id": started.signal_id,
        "signal_name": started.signal_name,
        "signal_type": signal["signal_type"],
        "uid": signal["intervals"][started.number]["uid"],
        "signal_payload": started.value,
        "dtstart": started.at,
        "until": started.until,
        "event": event,
    }


def _report(received: ReportReceived) -> dict[str, Any]:
    names = [field.name for field in attrs.fields(ReportValue)]
    return {
        "report_request_id": received.report_request_id,
        "report_specifier_id": received.report_specifier_id,
        "report_name": None if received.report_name is None else str(received.report_name),
        "values": [{name: getattr(value, name) for name in names} for value in received.values],
    }


_NEWS: Final[dict[type[Notification], tuple[str, Callable[[Any], dict[str, Any]]]]] = {
    EventStatusChanged: ("on_event_status", _status),
    IntervalStarted: ("on_interval", _interval),
    ReportReceived: ("on_report", _report),
}
