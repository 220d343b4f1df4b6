"""Hooks: functions of the application that see every message on its way.

It stands alone because it sits between a driver and its carrier, and neither knows of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias

from oadr_core import LocalError, RemoteError, decode

from .asking import Call, Calls, Outcome, Outcomes, called
from .log import logger
from .ports import Carrier, Reply, SyncCarrier

HOOKS: Final = (
    "before_send_xml",
    "after_receive_xml",
    "before_schema_validation",
    "before_parse_xml",
    "after_parse_xml",
)

Named: TypeAlias = tuple[str, Call]
"""A hook that is to be called, and the name of its kind."""


class Hooks:
    """The hooks of one client."""

    def __init__(self) -> None:
        self._hooks: dict[str, list[Callable[..., Any]]] = {name: [] for name in HOOKS}

    def add(self, name: str, hook: Callable[..., Any]) -> None:
        """Add a hook; raises :class:`~oadr_core.LocalError` for another name."""
        if name not in self._hooks:
            raise LocalError(f"one of {', '.join(HOOKS)} is expected, not {name!r}", path="hook_name")
        self._hooks[name].append(hook)

    def __bool__(self) -> bool:
        return any(self._hooks.values())

    def before(self, data: bytes) -> Iterator[Named]:
        """What to call, one after another, before a message is sent."""
        return self._calls("before_send_xml", data.decode())

    def after(self, data: bytes) -> Iterator[Named]:
        """What to call, one after another, when an unverified message has come back."""
        text = data.decode("utf-8", "replace")
        for name in ("after_receive_xml", "before_schema_validation", "before_parse_xml"):
            yield from self._calls(name, text)
        if self._hooks["after_parse_xml"]:
            try:
                payload = decode(data).payload
            except RemoteError:
                return  # the session will say what is wrong with it
            yield from self._calls("after_parse_xml", type(payload).__element__.partition(":")[2], payload)

    def _calls(self, name: str, *args: Any) -> Iterator[Named]:
        return ((name, Call(hook, args)) for hook in self._hooks[name])


def _look(name: str, outcome: Outcome) -> None:
    if outcome.error is not None:
        logger.error("the hook %s raised %s: %s", name, type(outcome.error).__name__, outcome.error)


class Watched:
    """A carrier that shows every message to the hooks; ``ask`` calls them."""

    def __init__(self, carrier: Carrier, hooks: Hooks, ask: Callable[[Calls], Awaitable[Outcomes]]) -> None:
        self._carrier = carrier
        self._hooks = hooks
        self._ask = ask

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        """Post a message, as the carrier does."""
        if not self._hooks:
            return await self._carrier.post(service, data, timeout_s)
        await self._show(self._hooks.before(data))
        reply = await self._carrier.post(service, data, timeout_s)
        await self._show(self._hooks.after(reply.data))
        return reply

    async def _show(self, calls: Iterable[Named]) -> None:
        for name, asked in calls:
            [outcome] = await self._ask((asked,))
            _look(name, outcome)


class WatchedHere:
    """The same for a carrier of threads: hooks are called in the thread that posts."""

    def __init__(self, carrier: SyncCarrier, hooks: Hooks) -> None:
        self._carrier = carrier
        self._hooks = hooks

    def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        """Post a message, as the carrier does."""
        if not self._hooks:
            return self._carrier.post(service, data, timeout_s)
        for name, asked in self._hooks.before(data):
            _look(name, called(asked))
        reply = self._carrier.post(service, data, timeout_s)
        for name, asked in self._hooks.after(reply.data):
            _look(name, called(asked))
        return reply
