"""The face that all clients have alike: options, handlers, reports, hooks, commands and views.

It stands alone because it has no loop: options become a configuration, notifications become errands, and how one waits
for them is the business of the classes below it. What the protocol does is none of its business.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, TypeVar

from oadr_core import LocalError
from oadr_core.engine import Input, Notification, Output
from oadr_core.engine.copying import evolve
from oadr_core.model import Event, Report
from oadr_core.ven import (
    CancelRegistration,
    Decide,
    EventCancelled,
    EventChanged,
    EventReceived,
    Opt,
    PollNow,
    Register,
    Registration,
    ReportBuffer,
    ReportDue,
    Value,
    VenConfig,
    VenSession,
)
from oadr_core.ven.state import Phase

from .application import Application, Handler
from .asgi import VtnApp
from .asking import Errand
from .drivers.pilot import Pilot
from .endpoint import Endpoint
from .given import checked_carrier, checked_flag, checked_passphrase
from .hooks import Hooks
from .log import logger
from .notes import Audience, Feed, Reader
from .offers import ReportOffers
from .options import (
    checked_buffer,
    checked_files,
    checked_fingerprints,
    checked_opt,
    checked_signals,
    checked_targets,
    checked_url,
    checked_words,
    own_certificate,
    signer_of,
    trust_of,
    with_port,
)
from .ports import Clocks, Entropy, clocks, entropy

if TYPE_CHECKING:
    from .stores import Store

_F = TypeVar("_F", bound=Feed[Event])

NOTES: Final = 1_000
"""Notifications that wait for one slow reader: hours of a VEN's life."""


class Driver(Protocol):
    """What a face needs of a driver."""

    def put(self, something: Input) -> None:
        """Hand an input in, from any thread."""

    def stop(self) -> None:
        """End it, from any thread."""


class ClientFace(ReportOffers):
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
    a client that was killed goes on where it was. Without it, ``run()`` begins anew.
    :param market_contexts: programs that this VEN takes part in; events of others are refused (462).
    :param targets: what it stands for, e.g. ``{"resource_id": ["boiler"]}``; events for others are refused (462).
    :param signals: names of signals that it can follow; events with others are refused (460).
    :param device_classes: what it has, e.g. ``["Thermostat"]``; events for others are refused (469).
    :param report_only: only report; no events, no opts.
    :param report_buffer: how much of what is reported waits while the VTN is away, and how large one message becomes:
    a :class:`~oadr_core.ven.ReportBuffer`.
    :param push_url: URL under which the VTN reaches this VEN: it pushes then, and the VEN does not poll. Serve
    :attr:`app` there.
    :param push_listen: host and port on which ``run()`` serves :attr:`app` itself (asyncio only; port 0 takes a free
    one, which stands for port 0 in ``push_url``); with ``cert`` and ``key`` over TLS, and then the VTN must show a
    certificate.
    :param carrier: what carries the messages instead of HTTP of our own: an object with ``post`` (see
    :mod:`~oadr_transports.ports`), or your own ``httpx2.AsyncClient`` or ``aiohttp.ClientSession``, with threads a
    ``requests.Session``, of which timeouts, proxies, headers and TLS are then yours.
    :param clocks: what to read instead of this machine's clocks, for tests and simulators.
    :param entropy: where the secret of a new session comes from, of which all its identifiers are made.

    Raises :class:`~oadr_core.LocalError` (a ``ValueError``) that says what was expected, and ``FileNotFoundError``.
    """


    _libraries: ClassVar[tuple[str, ...]] = ()
    """Classes of which a caller's own client may be, by their names."""

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
        report_buffer: ReportBuffer | None = None,
        push_url: str | None = None,
        push_listen: tuple[str, int] | None = None,
        carrier: object | None = None,
        clocks: Clocks = clocks,
        entropy: Entropy = entropy,
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
            report_buffer=checked_buffer(report_buffer),
            transport_address=None if push_url is None else checked_url(push_url, "push_url"),
        )
        if push_listen is not None and push_url is None:
            raise LocalError("the VTN must know where this VEN listens: give push_url", path="push_url")
        self._listen = self._checked_listen(push_listen)
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
        self._carrier = checked_carrier(carrier, type(self)._libraries)
        self._clocks = clocks
        self._entropy = entropy
        self._readers: Audience[Reader] = Audience()
        self._streams: Audience[Reader] = Audience()
        self._event_feeds: Audience[Feed[Event]] = Audience()
        self._session: VenSession | None = None
        self._driver: Driver | None = None

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
        when an interval of a signal begins, by this VEN's own clock; ``on_report`` gets a dict with the values of a
        report of the VTN's. What these return does not matter. The keys are in the documentation.

        Raises ``ValueError`` for another name.
        """
        self._application.add(handler, callback)

    def add_hook(self, hook_name: str, handler: Callable[..., Any]) -> None:
        """Watch messages: ``before_send_xml``, ``after_receive_xml``, ``before_schema_validation`` and
        ``before_parse_xml`` get the text, ``after_parse_xml`` gets the name of the message and the frozen payload.

        Raises ``ValueError`` for another name.
        """
        self._hooks.add(hook_name, handler)

    # --- life, for the classes below --------------------------------------------------------------------------------

    def _checked_listen(self, push_listen: tuple[str, int] | None) -> tuple[str, int] | None:
        return push_listen

    async def _call(self, something: Input) -> tuple[Output, ...]:
        """Hand an input in, and wait for what comes of it: the way of the door, :attr:`app`."""
        raise NotImplementedError

    def _begin(self) -> VenConfig:
        """The configuration for a run that begins now. Raises :class:`~oadr_core.LocalError` when one goes on."""
        if self._closed:
            raise LocalError("the client is running already")
        config = evolve(self._config, reports=self._reports(), xml_signature=self._signer is not None)
        self._closed = True
        if self._own is not None:
            self._own.announce("VEN", "the VTN must know it", show=self._show_fingerprint)
        if not self._application.decides and not config.report_only:
            logger.warning("there is no on_event handler: events will be answered with %s", config.default_opt)
        return config

    def _pilot(self, config: VenConfig, store: Store | None, port: int | None = None) -> Pilot:
        """The pilot of a session that goes on where the store has it, or of a new one."""
        config = evolve(config, transport_address=with_port(config.transport_address, port))
        records = {} if store is None else store.load()
        if records:
            self._session = VenSession.restore(config, records, signer=self._signer, trust=self._trust)
        else:
            self._session = VenSession(config, key=self._entropy(32), signer=self._signer, trust=self._trust)
        return Pilot(self._session, self._notified, clocks=self._clocks, store=store)

    def _begun(self, driver: Driver) -> None:
        """Take commands from now on, and register if need be."""
        self._driver = driver
        for feed in self._event_feeds:
            feed.fill(self.known_events)
        if self._session is not None and self._session.state.phase is Phase.IDLE:  # else it goes on by itself
            driver.put(Register())

    def _over(self) -> None:
        """The run has ended."""
        self._driver, self._closed = None, False
        self._application.forget_news()
        for stream in self._streams:
            stream.close()

    def _opened(self, feed: _F) -> _F:
        """A feed of events that begins with those that are known, now or when a run begins, and ends with the run."""
        feed.open()
        self._streams.add(feed)
        self._event_feeds.add(feed)
        if self._driver is not None:
            feed.fill(self.known_events)
        return feed

    def _server_tls(self) -> ssl.SSLContext | None:
        if self._listen is None or self._files["cert"] is None:
            return None
        from .tls import server_context

        files = self._files
        return server_context(files["cert"] or "", files["key"], self._passphrase, files["ca_file"])

    def _running(self) -> Driver:
        if self._driver is None:
            raise LocalError("the client is not running")
        return self._driver

    def _notified(self, notification: Notification) -> Iterable[Errand]:
        for reader in self._readers:
            reader.put(notification)
        if isinstance(notification, ReportDue):
            return (self._collect(notification, notification.deadline - self._clocks().mono),)
        errand = self._application.errand(notification)
        return () if errand is None else (errand,)

    # --- commands ---------------------------------------------------------------------------------------------------

    def register(self) -> None:
        """Register (again), now; the client must be running. This and the other commands may come from any thread."""
        self._running().put(Register())

    def cancel_registration(self) -> None:
        """End the registration; the client must be running, and goes on until it is stopped."""
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
        """True while commands are taken."""
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
    def known_events(self) -> tuple[Event, ...]:
        """The events that are known now, as frozen objects."""
        return tuple(known.event for known in self._session.state.events.values()) if self._session else ()

    @property
    def opts(self) -> tuple[Opt, ...]:
        """The opts that this VEN has stated: schedules, and opts to events."""
        return tuple(self._session.state.opts.values()) if self._session else ()

    @property
    def vtn_reports(self) -> tuple[Report, ...]:
        """What the VTN itself has offered to report."""
        return tuple(self._session.state.vtn_reports.values()) if self._session else ()

    @property
    def values_now(self) -> tuple[Value, ...]:
        """Every signal value that holds now, by this VEN's own clock; what is to be followed first stands first."""
        return self._session.values_now(self._clocks()) if self._session else ()

    def value_now(self, signal_name: str, *, market_context: str | None = None) -> Value | None:
        """The value of a signal that is to be followed now, ``None`` without one: see ``VenSession.value_now``."""
        if self._session is None:
            return None
        return self._session.value_now(signal_name, self._clocks(), market_context=market_context)

    @property
    def app(self) -> VtnApp:
        """The services of this VEN as a plain ASGI application, for a VTN that pushes (``push_url``)."""
        return self._endpoint.app


def event_in(note: Notification) -> Event | None:
    """The event that a notification tells of as new, changed or cancelled."""
    return note.event if isinstance(note, (EventReceived, EventChanged, EventCancelled)) else None
