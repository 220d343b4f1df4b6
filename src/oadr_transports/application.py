"""The application's functions: which is called for what, with what, and what its answer means.

It stands alone because anything can come out of a function of the application, and none of it may reach the protocol:
whatever happens there, each question gets an answer, and only that event suffers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import anyio
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
)

from .eventdict import EventDict, event_dict
from .handlers import call
from .log import logger

HANDLERS: Final = ("on_event", "on_update_event", "on_event_status", "on_interval")

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
    """The handlers of one client."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

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

    async def decide(self, question: DecisionNeeded) -> Decide:
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
        try:
            answer = await call(handler, event_dict(question.event))
        except Exception as error:  # the application's code: anything can come out of it
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

    async def tell_cancelled(self, notification: EventCancelled) -> None:
        """An event that is no longer distributed: the handler is told, and nobody waits for its answer."""
        await self._tell(self._decider(Change.CANCELLED), event_dict(notification.event))

    # --- news -------------------------------------------------------------------------------------------------------

    def wants(self, notification: Notification) -> bool:
        """True when there is a handler for a notification about time."""
        name = _TIMED.get(type(notification))
        return name is not None and name[0] in self._handlers

    async def tell_all(self, news: Any) -> None:
        """Tell what comes out of a stream of notifications about time, one after another."""
        async for notification in news:
            name, words = _TIMED[type(notification)]
            await self._tell(self._handlers.get(name), words(notification))

    async def _tell(self, handler: Handler | None, words: dict[str, Any]) -> None:
        if handler is None:
            return
        try:
            await call(handler, words)
        except Exception as error:  # the application's code: anything can come out of it
            logger.error("the handler of event %r raised %s: %s", words["event_id"], type(error).__name__, error)


def stream() -> Any:
    """The two ends of a stream that never makes its sender wait."""
    return anyio.create_memory_object_stream[Notification](math.inf)


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


_TIMED: Final[dict[type[Notification], tuple[str, Callable[[Any], dict[str, Any]]]]] = {
    EventStatusChanged: ("on_event_status", _status),
    IntervalStarted: ("on_interval", _interval),
}
