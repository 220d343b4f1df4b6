"""Hooks: functions of the application that see every message on its way.

It stands alone because it sits between a driver and its carrier, and neither knows of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from oadr_core import LocalError, RemoteError, decode

from .driver import Carrier
from .handlers import call
from .http import Reply
from .log import logger

HOOKS: Final = (
    "before_send_xml",
    "after_receive_xml",
    "before_schema_validation",
    "before_parse_xml",
    "after_parse_xml",
)


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

    async def run(self, name: str, *args: Any) -> None:
        """Call the hooks of a name, one after another."""
        for hook in self._hooks[name]:
            try:
                await call(hook, *args)
            except Exception as error:  # the application's code: anything can come out of it
                logger.error("the hook %s raised %s: %s", name, type(error).__name__, error)


class Watched:
    """A carrier that shows every message to the hooks."""

    def __init__(self, carrier: Carrier, hooks: Hooks) -> None:
        self._carrier = carrier
        self._hooks = hooks

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        """Post a message, as the carrier does."""
        run = self._hooks.run
        if not self._hooks:
            return await self._carrier.post(service, data, timeout_s)
        await run("before_send_xml", data.decode())
        reply = await self._carrier.post(service, data, timeout_s)
        text = reply.data.decode("utf-8", "replace")
        for name in ("after_receive_xml", "before_schema_validation", "before_parse_xml"):
            await run(name, text)
        try:
            payload = decode(reply.data).payload
        except RemoteError:
            return reply  # the session will say what is wrong with it
        await run("after_parse_xml", type(payload).__element__.partition(":")[2], payload)
        return reply
