"""The client, with the face that the OpenLEADR client documentation shows.

It stands alone as the translation between that face and a session: options become a configuration, handlers become
decisions, report callbacks become readings. What the protocol does is none of its business.
"""

from __future__ import annotations

import os
import secrets
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio

from oadr_core import LocalError
from oadr_core.engine import Input, Notification, Output
from oadr_core.engine.copying import evolve
from oadr_core.model import DataQuality, Event
from oadr_core.ven import (
    CancelRegistration,
    Decide,
    DecisionNeeded,
    EventCancelled,
    Opt,
    PollNow,
    ProvideReport,
    Reading,
    Register,
    Registration,
    ReportDue,
    Value,
    VenConfig,
    VenSession,
)

from .application import Application, Handler, stream
from .asgi import VtnApp
from .driver import VenDriver, clocks
from .endpoint import Endpoint
from .given import checked_flag, checked_passphrase
from .hooks import Hooks, Watched
from .http import HttpCarrier
from .log import logger
from .notes import Notes
from .offers import ReportOffers
from .opting import OptStatements
from .options import (
    checked_files,
    checked_fingerprints,
    checked_opt,
    checked_signals,
    checked_targets,
    checked_url,
    checked_words,
    opened,
    own_certificate,
    signer_of,
    trust_of,
    with_port,
)

if TYPE_CHECKING:
    from .stores import Store

NOTES: Final = 1_000
"""Notifications that wait for one slow reader: hours of a VEN's life."""

class OpenADRClient(ReportOffers, OptStatements):
    """A VEN: registers with a VTN, polls it, passes events to handlers, and delivers reports.

    :param ven_name: name of this VEN, for people.
    :param vtn_url: base URL of the VTN's services, e.g. ``https://vtn.example/OpenADR2/Simple/2.0b``.
    :param debug: log every message that is sent or received.
    :param cert: path to the PEM certificate of this VEN, for TLS and for signing.
    :param key: path to its PEM private key.
    :param passphrase: of the key, if it is encrypted.
    :param vtn_fingerprint: fingerprint of the VTN's certificate, or several if it has several certificates: messages
    that it has not signed are refused, and so are TLS connections to a server with another one.
    :param show_fingerprint: log the fingerprint of ``cert`` at the start: the VTN must know it.
    :param ca_file: path to the PEM certificates that the VTN's certificate is checked against.
    :param allow_jitter: spread polls and deliveries by 10 % or five minutes, whichever is less.
    :param ven_id: ID that the VTN's operator has given to this VEN, if any.
    :param disable_signature: do not sign, although there is a key.
    :param check_hostname: compare the VTN's host name with its certificate.
    :param request_timeout: how long one exchange may take (the profile wants 5 s or more).
    :param decision_timeout: how long a handler may take before the default is sent; its answer still counts then.
    :param registration_retry: wait after a refused or cancelled registration; ``None``: only :meth:`register` tries
    again.
    :param default_opt: what is sent when nobody decides in time.
    :param state: path of a file, or a :class:`~oadr_transports.stores.Store`: what must not be lost is kept there, and
    a client that was killed goes on where it was. Without it, :meth:`run` begins anew.
    :param market_contexts: programs that this VEN takes part in; events of others are refused (462).
    :param targets: what it stands for, e.g. ``{"resource_id": ["boiler"]}``; events for others are refused (462).
    :param signals: names of signals that it can follow; events with others are refused (460).
    :param device_classes: what it has, e.g. ``["Thermostat"]``; events for others are refused (469).
    :param report_only: only report; no events, no opts.
    :param push_url: URL under which the VTN reaches this VEN: it pushes then, and the VEN does not poll. Serve
    :attr:`app` there.
    :param push_listen: host and port on which :meth:`run` serves :attr:`app` itself (asyncio only; port 0 takes a free
    one, which stands for port 0 in ``push_url``); with ``cert`` and ``key`` over TLS, and then the VTN must show a
    certificate.

    Raises :class:`~oadr_core.LocalError` (a ``ValueError``) that says what was expected, and ``FileNotFoundError``.
    """

    def __init__(
        self,
        ven_name: str,
        vtn_url: str,
        debug: bool = False,
        cert: str | os.PathLike[str] | None = None,
        key: str | os.PathLike[str] | None = None,
        passphrase: str | bytes | None = None,
        vtn_fingerprint: str | Sequence[str] | None = None,
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
        state: Store | str | os.PathLike[str] | None = None,
        market_contexts: Iterable[str] | None = None,
        targets: Mapping[str, Iterable[str]] | None = None,
        signals: Iterable[str] | None = None,
        device_classes: Iterable[str] | None = None,
        report_only: bool = False,
        push_url: str | None = None,
        push_listen: tuple[str, int] | None = None,
    ) -> None:
        super().__init__()
        self._url = checked_url(vtn_url)
        self._files = checked_files(cert, key, ca_file)
        self._fingerprints = checked_fingerprints(vtn_fingerprint)
        self._config = VenConfig(
            ven_name=ven_name,
            ven_id=ven_id,
            jitter=allow_jitter,
            timeout=request_timeout,
            decision_timeout=decision_timeout,
            registration_retry=registration_retry,
            default_opt=checked_opt(default_opt),
            market_contexts=checked_words(market_contexts, "market_contexts"),
            targets=checked_targets(targets),
            signals=checked_signals(signals),
            device_classes=None if device_classes is None else frozenset(device_classes),
            report_only=report_only,
            transport_address=None if push_url is None else checked_url(push_url, "push_url"),
        )
        if push_listen is not None and push_url is None:
            raise LocalError("the VTN must know where this VEN listens: give push_url", path="push_url")
        self._listen = push_listen
        self._endpoint = Endpoint(self._call, self._fingerprints)
        self._state = state
        self._passphrase = checked_passphrase(passphrase, has_key=key is not None)
        self._tls = self._tls_context(checked_flag(check_hostname, "check_hostname"))
        self._show_fingerprint = show_fingerprint
        self._own = own_certificate(self._files)
        unsigned = checked_flag(disable_signature, "disable_signature") or cert is None
        self._signer = None if unsigned else signer_of(self._files, passphrase)
        self._trust = trust_of(self._fingerprints)
        self._application = Application()
        self._hooks = Hooks()
        if debug:
            self._hooks.add("before_send_xml", partial(logger.info, "sent: %s"))
            self._hooks.add("after_receive_xml", partial(logger.info, "received: %r"))
        self._readers: set[Notes] = set()
        self._news: Any = None
        self._driver: VenDriver | None = None
        self._session: VenSession | None = None
        self._stop: anyio.Event | None = None
        self._ended: anyio.Event | None = None

    def _tls_context(self, check_hostname: bool) -> ssl.SSLContext | None:
        if not self._url.startswith("https:"):
            return None
        from .tls import client_context

        return client_context(
            self._files["cert"],
            self._files["key"],
            self._passphrase,
            self._files["ca_file"],
            check_hostname,
            fingerprints=self._fingerprints,
        )

    # --- what the application offers --------------------------------------------------------------------------------

    def add_handler(self, handler: str, callback: Handler) -> None:
        """Set a function, plain or ``async``.

        ``on_event`` gets the dict of each new event and returns ``'optIn'``, ``'optOut'`` or a
        :class:`~oadr_transports.Refuse`; ``on_update_event`` gets modified and cancelled ones; without it ``on_event``
        is asked again. ``on_event_status`` and ``on_interval`` get a dict when an event comes to another state, and
        when an interval of a signal begins, by this VEN's own clock; what they return does not matter. The keys are in
        the documentation. Raises ``ValueError`` for another name.
        """
        self._application.add(handler, callback)

    def add_hook(self, hook_name: str, handler: Callable[..., Any]) -> None:
        """Watch messages: ``before_send_xml``, ``after_receive_xml``, ``before_schema_validation`` and
        ``before_parse_xml`` get the text, ``after_parse_xml`` gets the name of the message and the frozen payload.

        Raises ``ValueError`` for another name.
        """
        self._hooks.add(hook_name, handler)

    # --- life -------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Register, and serve until :meth:`stop` is called or the task is cancelled. Works under asyncio and trio.

        A VTN that is away is waited for. May be called again afterwards.
        """
        if self._driver is not None:
            raise LocalError("the client is running already")
        self._closed = True
        config = evolve(self._config, reports=self._reports(), xml_signature=self._signer is not None)
        if self._own is not None:
            self._own.announce("VEN", "the VTN must know it", show=self._show_fingerprint)
        self._stop, self._ended = anyio.Event(), anyio.Event()
        if not self._application.decides and not config.report_only:
            logger.warning("there is no on_event handler: events will be answered with %s", config.default_opt)
        self._news, news = stream()
        try:
            with self._news, news, opened(self._state) as store:
                async with self._endpoint.listening(self._listen, self._server_tls()) as port:
                    config = evolve(config, transport_address=with_port(config.transport_address, port))
                    self._session = self._session_of(config, store)
                    await self._serve(self._session, store, news, self._stop)
        finally:
            self._driver, self._closed, self._news = None, False, None
            self._ended.set()

    async def _serve(self, session: VenSession, store: Store | None, news: Any, stop: anyio.Event) -> None:
        async with HttpCarrier(self._url, tls=self._tls) as carrier, anyio.create_task_group() as tasks:
            self._driver = VenDriver(session, Watched(carrier, self._hooks), self._notified, store=store)
            if session.registration is None:
                self._driver.put(Register())
            tasks.start_soon(self._driver.run)
            tasks.start_soon(self._application.tell_all, news)
            await stop.wait()
            tasks.cancel_scope.cancel()

    def _session_of(self, config: VenConfig, store: Store | None) -> VenSession:
        """The session that goes on where the store has it, or a new one."""
        records = {} if store is None else store.load()
        if not records:
            return VenSession(config, key=secrets.token_bytes(32), signer=self._signer, trust=self._trust)
        return VenSession.restore(config, records, signer=self._signer, trust=self._trust)

    def _server_tls(self) -> ssl.SSLContext | None:
        if self._listen is None or self._files["cert"] is None:
            return None
        from .tls import server_context

        files = self._files
        return server_context(files["cert"] or "", files["key"], self._passphrase, files["ca_file"])

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
    def fingerprint(self) -> str | None:
        """Of this VEN's certificate, which the VTN must know; ``None`` without one."""
        return None if self._own is None else self._own.fingerprint

    @property
    def is_running(self) -> bool:
        """True while :meth:`run` takes commands."""
        return self._driver is not None

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

    @property
    def opts(self) -> tuple[Opt, ...]:
        """The opts that this VEN has stated: schedules, and opts to events."""
        return tuple(self._session.state.opts.values()) if self._session else ()

    @property
    def values_now(self) -> tuple[Value, ...]:
        """Every signal value that holds now, by this VEN's own clock; what is to be followed first stands first."""
        return self._session.values_now(clocks()) if self._session else ()

    def value_now(self, signal_name: str, *, market_context: str | None = None) -> Value | None:
        """The value of a signal that is to be followed now, ``None`` without one: see ``VenSession.value_now``."""
        return self._session.value_now(signal_name, clocks(), market_context=market_context) if self._session else None

    @property
    def app(self) -> VtnApp:
        """The services of this VEN as a plain ASGI application, for a VTN that pushes (``push_url``)."""
        return self._endpoint.app

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

    async def _call(self, something: Input) -> tuple[Output, ...]:
        return await self._running().call(something)

    def _notified(self, notification: Notification) -> None:
        for reader in tuple(self._readers):
            reader.put(notification)
        driver = self._running()
        if self._news is not None and self._application.wants(notification):
            self._news.send_nowait(notification)
        elif isinstance(notification, DecisionNeeded):
            driver.start(self._decide, driver, notification)
        elif isinstance(notification, EventCancelled) and notification.implied:
            driver.start(self._application.tell_cancelled, notification)
        elif isinstance(notification, ReportDue):
            driver.start(self._collect, driver, notification)

    async def _decide(self, driver: VenDriver, question: DecisionNeeded) -> None:
        driver.put(await self._application.decide(question))

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
