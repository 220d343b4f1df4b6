"""The client, with the face that the OpenLEADR client documentation shows.

It stands alone as the translation between that face and a session: options become a configuration, handlers become
decisions, report callbacks become readings. What the protocol does is none of its business.
"""

from __future__ import annotations

import os
import secrets
import ssl
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio

from oadr_core import LocalError, RemoteError, decode
from oadr_core.engine import Notification
from oadr_core.engine.copying import evolve
from oadr_core.model import DataQuality, Event, OptType
from oadr_core.ven import (
    CancelRegistration,
    Change,
    Decide,
    DecisionNeeded,
    EventCancelled,
    PollNow,
    ProvideReport,
    Reading,
    Register,
    Registration,
    ReportDue,
    VenConfig,
    VenSession,
)

from .driver import VenDriver
from .eventdict import EventDict, event_dict
from .handlers import call
from .http import HttpCarrier, Reply
from .log import logger
from .notes import Notes
from .offers import ReportOffers
from .options import checked_files, checked_opt, checked_url, signer_of, trust_of

if TYPE_CHECKING:
    pass

HANDLERS: Final = ("on_event", "on_update_event")
HOOKS: Final = (
    "before_send_xml",
    "after_receive_xml",
    "before_schema_validation",
    "before_parse_xml",
    "after_parse_xml",
)
NOTES: Final = 1_000
"""Notifications that wait for one slow reader: hours of a VEN's life."""

Handler = Callable[[EventDict], Any]


class OpenADRClient(ReportOffers):
    """A VEN: registers with a VTN, polls it, passes events to handlers, and delivers reports.

    :param ven_name: name of this VEN, for people.
    :param vtn_url: base URL of the VTN's services, e.g. ``https://vtn.example/OpenADR2/Simple/2.0b``.
    :param debug: log every message that is sent or received.
    :param cert: path to the PEM certificate of this VEN, for TLS and for signing.
    :param key: path to its PEM private key.
    :param passphrase: of the key, if it is encrypted.
    :param vtn_fingerprint: fingerprint of the VTN's certificate; messages that it has not signed are refused.
    :param show_fingerprint: log the fingerprint of ``cert`` at the start.
    :param ca_file: path to the PEM certificates that the VTN's certificate is checked against.
    :param allow_jitter: spread polls and deliveries by 10 % or five minutes, whichever is less.
    :param ven_id: ID that the VTN's operator has given to this VEN, if any.
    :param disable_signature: do not sign, although there is a key.
    :param check_hostname: compare the VTN's host name with its certificate.
    :param request_timeout: how long one exchange may take (the profile wants 5 s or more).
    :param decision_timeout: how long a handler may take before the default is sent; its answer still counts then.
    :param registration_retry: wait after a refused or cancelled registration; ``None``: only :meth:`register` tries
    again.

    Raises :class:`~oadr_core.LocalError` (a ``ValueError``) that says what was expected, and ``FileNotFoundError``.
    """

    def __init__(
        self,
        ven_name: str,
        vtn_url: str,
        debug: bool = False,
        cert: str | os.PathLike[str] | None = None,
        key: str | os.PathLike[str] | None = None,
        passphrase: str | None = None,
        vtn_fingerprint: str | None = None,
        show_fingerprint: bool = True,
        ca_file: str | os.PathLike[str] | None = None,
        allow_jitter: bool = True,
        ven_id: str | None = None,
        disable_signature: bool = False,
        check_hostname: bool = True,
        *,
        request_timeout: timedelta = timedelta(seconds=30),
        decision_timeout: timedelta = timedelta(seconds=60),
        registration_retry: timedelta | None = timedelta(minutes=5),
        default_opt: str = "optOut",
    ) -> None:
        super().__init__()
        self._url = checked_url(vtn_url)
        self._files = checked_files(cert, key, ca_file)
        if passphrase is not None and key is None:
            raise LocalError("a passphrase is given without a key", path="passphrase")
        self._config = VenConfig(
            ven_name=ven_name,
            ven_id=ven_id,
            jitter=allow_jitter,
            timeout=request_timeout,
            decision_timeout=decision_timeout,
            registration_retry=registration_retry,
            default_opt=checked_opt(default_opt),
        )
        self._tls = self._tls_context(passphrase, check_hostname)
        self._show_fingerprint = show_fingerprint
        self._signer = None if disable_signature or cert is None else signer_of(self._files, passphrase)
        self._trust = None if vtn_fingerprint is None else trust_of(vtn_fingerprint)
        self._handlers: dict[str, Handler] = {}
        self._hooks: dict[str, list[Callable[..., Any]]] = {name: [] for name in HOOKS}
        if debug:
            self._hooks["before_send_xml"].append(partial(logger.info, "sent: %s"))
            self._hooks["after_receive_xml"].append(partial(logger.info, "received: %r"))
        self._readers: set[Notes] = set()
        self._driver: VenDriver | None = None
        self._session: VenSession | None = None
        self._stop: anyio.Event | None = None
        self._ended: anyio.Event | None = None

    def _tls_context(self, passphrase: str | None, check_hostname: bool) -> ssl.SSLContext | None:
        if not self._url.startswith("https:"):
            return None
        from .tls import client_context

        return client_context(
            self._files["cert"], self._files["key"], passphrase, self._files["ca_file"], check_hostname
        )

    # --- what the application offers --------------------------------------------------------------------------------

    def add_handler(self, handler: str, callback: Handler) -> None:
        """Set the function, plain or ``async``, that decides about events.

        ``on_event`` gets the dict of each new event and returns ``'optIn'`` or ``'optOut'``; ``on_update_event``
        gets modified and cancelled ones; without it ``on_event`` is asked again. Raises ``ValueError`` for another
        name.
        """
        if handler not in HANDLERS:
            raise LocalError(f"one of {', '.join(HANDLERS)} is expected, not {handler!r}", path="handler")
        if not callable(callback):
            raise LocalError(f"a function is expected, not {callback!r}", path="callback")
        self._handlers[handler] = callback

    def add_hook(self, hook_name: str, handler: Callable[..., Any]) -> None:
        """Watch messages: ``before_send_xml``, ``after_receive_xml``, ``before_schema_validation`` and
        ``before_parse_xml`` get the text, ``after_parse_xml`` gets the name of the message and the frozen payload.

        Raises ``ValueError`` for another name.
        """
        if hook_name not in self._hooks:
            raise LocalError(f"one of {', '.join(HOOKS)} is expected, not {hook_name!r}", path="hook_name")
        self._hooks[hook_name].append(handler)

    # --- life -------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Register, and serve until :meth:`stop` is called or the task is cancelled. Works under asyncio and trio.

        A VTN that is away is waited for. May be called again afterwards.
        """
        if self._driver is not None:
            raise LocalError("the client is running already")
        self._closed = True
        config = evolve(self._config, reports=self._reports(), xml_signature=self._signer is not None)
        self._session = VenSession(config, key=secrets.token_bytes(32), signer=self._signer, trust=self._trust)
        if self._signer is not None and self._show_fingerprint:
            logger.info("the fingerprint of this VEN is %s; the VTN must know it", self._signer.fingerprint)
        self._stop, self._ended = anyio.Event(), anyio.Event()
        if "on_event" not in self._handlers:
            logger.warning("there is no on_event handler: events will be answered with %s", config.default_opt)
        try:
            async with HttpCarrier(self._url, tls=self._tls) as carrier, anyio.create_task_group() as tasks:
                watched = _Watched(carrier, self)
                self._driver = VenDriver(self._session, watched, self._notified)
                self._driver.put(Register())
                tasks.start_soon(self._driver.run)
                await self._stop.wait()
                tasks.cancel_scope.cancel()
        finally:
            self._driver, self._closed = None, False
            self._ended.set()

    async def stop(self) -> None:
        """End :meth:`run` and wait until it has ended. Does nothing when it does not run.

        The registration stays: use :meth:`cancel_registration` to end that.
        """
        if self._stop is not None and self._ended is not None:
            self._stop.set()
            await self._ended.wait()

    def register(self) -> None:
        """Register (again), now; the client must be running."""
        self._running().put(Register())

    def cancel_registration(self) -> None:
        """End the registration; the client must be running, and goes on until :meth:`stop`."""
        self._running().put(CancelRegistration())

    def poll_now(self) -> None:
        """Poll at once instead of at the next regular time; the client must be running."""
        self._running().put(PollNow())

    def decide(self, event_id: str, modification_number: int, opt_type: str) -> None:
        """Change an opt later on; the client must be running."""
        opt = checked_opt(opt_type)
        self._running().put(Decide(event_id=event_id, modification_number=modification_number, opt_type=opt))

    # --- views ------------------------------------------------------------------------------------------------------

    @property
    def ven_name(self) -> str:
        return self._config.ven_name

    @property
    def vtn_url(self) -> str:
        return self._url

    @property
    def registration(self) -> Registration | None:
        """What the VTN has told about the registration; ``None`` without one."""
        return self._session.registration if self._session else None

    @property
    def ven_id(self) -> str | None:
        """The ID of this VEN: the VTN's, or the configured one."""
        return self.registration.ven_id if self.registration else self._config.ven_id

    @property
    def registration_id(self) -> str | None:
        return self.registration.registration_id if self.registration else None

    @property
    def events(self) -> tuple[Event, ...]:
        """The events that are known, as frozen objects."""
        return tuple(known.event for known in self._session.state.events.values()) if self._session else ()

    def notifications(self, *, limit: int = NOTES) -> Notes:
        """The typed face: everything that happens, as frozen objects, from now on.

        At most ``limit`` wait for a slow reader, who then loses the oldest.

        ::

            async with client.notifications() as happenings:
                async for happening in happenings:
                    match happening:
                        case EventReceived(event=event): ...
        """
        return Notes(limit, self._readers)

    # --- what the session says --------------------------------------------------------------------------------------

    def _running(self) -> VenDriver:
        if self._driver is None:
            raise LocalError("the client is not running")
        return self._driver

    def _notified(self, notification: Notification) -> None:
        for reader in tuple(self._readers):
            reader.put(notification)
        driver = self._running()
        if isinstance(notification, DecisionNeeded):
            driver.start(self._decide, driver, notification)
        elif isinstance(notification, EventCancelled) and notification.implied:
            driver.start(self._tell_cancelled, notification)
        elif isinstance(notification, ReportDue):
            driver.start(self._collect, driver, notification)

    async def _decide(self, driver: VenDriver, question: DecisionNeeded) -> None:
        """Ask the handler; whatever it does, there is a decision, and only about this event."""
        descriptor = question.event.ei_event.event_descriptor
        opt, reason = question.default, ""
        handler = self._handler(question.change)
        if handler is not None:
            try:
                answer = await call(handler, event_dict(question.event))
                if answer in tuple(OptType):
                    opt = OptType(answer)
                else:
                    reason = f"the handler returned {answer!r} instead of 'optIn' or 'optOut'"
            except Exception as error:  # the application's code: anything can come out of it
                reason = f"the handler raised {type(error).__name__}: {error}"
        failed = bool(reason)
        if failed:
            opt = OptType.OPT_OUT
            logger.error("opting out of event %r: %s", descriptor.event_id, reason)
        driver.put(
            Decide(
                event_id=descriptor.event_id,
                modification_number=descriptor.modification_number,
                opt_type=opt,
                reason="the VEN could not decide" if failed else "",
                failed=failed,
            )
        )

    def _handler(self, change: Change) -> Handler | None:
        if change in (Change.MODIFIED, Change.CANCELLED):
            return self._handlers.get("on_update_event") or self._handlers.get("on_event")
        return self._handlers.get("on_event")

    async def _tell_cancelled(self, notification: EventCancelled) -> None:
        """An event that is no longer distributed: the handler is told, and nobody waits for its answer."""
        handler = self._handler(Change.CANCELLED)
        if handler is not None:
            try:
                await call(handler, event_dict(notification.event))
            except Exception as error:  # the application's code: anything can come out of it
                logger.error("the handler raised %s for a cancelled event: %s", type(error).__name__, error)

    async def _collect(self, driver: VenDriver, due: ReportDue) -> None:
        """Ask the callbacks of all data points at the same time; who fails gets a placeholder (R318)."""
        readings: list[Reading] = []

        async def ask(r_id: str) -> None:
            try:
                readings.extend(await self._read(due, r_id))
            except Exception as error:  # the application's code: anything can come out of it
                logger.error("the callback of report value %r raised %s: %s", r_id, type(error).__name__, error)
                readings.append(Reading(r_id=r_id, value=None, quality=DataQuality.QUALITY_BAD_NON_SPECIFIC))

        async with anyio.create_task_group() as tasks:
            for r_id in due.r_ids:
                tasks.start_soon(ask, r_id)
        driver.put(ProvideReport(report_request_id=due.report_request_id, at=due.at, readings=tuple(readings)))

    async def _hook(self, name: str, *args: Any) -> None:
        for hook in self._hooks[name]:
            try:
                await call(hook, *args)
            except Exception as error:  # the application's code: anything can come out of it
                logger.error("the hook %s raised %s: %s", name, type(error).__name__, error)

    def _hooked(self) -> bool:
        return any(self._hooks.values())


class _Watched:
    """A carrier that shows every message to the hooks."""

    def __init__(self, carrier: HttpCarrier, client: OpenADRClient) -> None:
        self._carrier = carrier
        self._client = client

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        hook = self._client._hook
        if not self._client._hooked():
            return await self._carrier.post(service, data, timeout_s)
        await hook("before_send_xml", data.decode())
        reply = await self._carrier.post(service, data, timeout_s)
        text = reply.data.decode("utf-8", "replace")
        for name in ("after_receive_xml", "before_schema_validation", "before_parse_xml"):
            await hook(name, text)
        try:
            payload = decode(reply.data).payload
        except RemoteError:
            return reply  # the session will say what is wrong with it
        await hook("after_parse_xml", type(payload).__element__.partition(":")[2], payload)
        return reply
