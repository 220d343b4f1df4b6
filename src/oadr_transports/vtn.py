"""A VTN for applications: publish events, watch what VENs answer, on a server of its own or mounted in
another.

It stands alone because it is the pump around the pure session: it reads the clocks, hands requests and
commands in, wakes for timers, and passes on what happened. Everything else is in :mod:`oadr_core.vtn`.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import attrs

from oadr_core.engine import Input, Output
from oadr_core.errors import LocalError
from oadr_core.model import EiEvent, ResponseRequired, SignalName, SignalType
from oadr_core.vtn import (
    AskReport,
    AskReregistration,
    CancelEvent,
    Delivery,
    EndRegistration,
    EventEntry,
    EventPublished,
    ModifyEvent,
    ProvideReport,
    PublishEvent,
    Reading,
    ReportDue,
    ReportPolicy,
    ReportRequestMade,
    SetGroup,
    SetReportPolicy,
    StopReports,
    VenState,
    VtnConfig,
    VtnSession,
    admitted,
    build_event,
    change_event,
)

from .asgi import BASE_PATH, VtnApp
from .notes import Notes
from .peers import CLIENT_CERT
from .ports import Clocks, Reply, clocks
from .stores import SqliteStore, Store, StoredValue, Summary, ValueStore, Wanted
from .tls import Level, StrPath
from .vtn_channel import Channel
from .vtn_pump import Pump, Transcript
from .vtn_push import pushing

if TYPE_CHECKING:
    from oadr_core.security import Signer, Trust

    from .server import Server

NOTES: Final = 10_000
"""Notifications that wait for one slow reader: minutes of a busy server, some megabytes."""


class Vtn:
    """A VTN.

    ``vtn_id`` and the keywords that are not explained here are those of :class:`~oadr_core.vtn.VtnConfig`. ``vens``:
    who may register, as names or a mapping of names to venIDs; without it everyone may. ``base_path`` is where the
    services stand; ``seed`` is the source of all identifiers, random when not given; ``transcript`` sees every
    message. ``state`` is where everything is kept, so that a VTN that is killed goes on where it was: the path of a
    database, or a :class:`~oadr_transports.stores.Store`; without it nothing outlives the process. With a state, close
    the VTN when it is not needed any more (:meth:`close`, or ``with``). A database keeps the values of reports too, for
    ``keep_values`` after they have arrived, ``None`` meaning for ever. ``clocks``: what to read instead of this
    machine's clocks, for tests and simulators.

    The secure channel: ``cert`` and ``key`` are PEM files, for TLS and for signing, or lists of them (the profile
    wants an RSA and an elliptic-curve certificate; the first signs), ``passphrase`` opens the keys. ``ca_file`` has the
    authorities that the VENs' certificates must come from. Every message is bound to the certificate that it came with,
    unless ``identity="insecure"`` asks for less. ``trusted_proxies`` are addresses of proxies that end TLS and hand the
    certificate on in ``client_cert_header`` (see :class:`~oadr_transports.peers.Peers`). ``disable_signature``: replies
    are not signed; ``require_signature``: unsigned messages are refused (R514). ``tls_level``: which versions and
    suites, see :class:`~oadr_transports.tls.Level`.

    All methods are for the thread of the event loop. Raises :class:`~oadr_core.errors.LocalError` for wrong
    values.
    """

    def __init__(
        self,
        *,
        vtn_id: str,
        vens: Mapping[str, str | None] | Iterable[str] | None = None,
        base_path: str = BASE_PATH,
        seed: bytes | None = None,
        state: Store | StrPath | None = None,
        keep_values: timedelta | None = None,
        transcript: Transcript | None = None,
        cert: StrPath | Sequence[StrPath] | None = None,
        key: StrPath | Sequence[StrPath] | None = None,
        passphrase: str | bytes | None = None,
        ca_file: StrPath | None = None,
        disable_signature: bool = False,
        require_signature: bool = False,
        trusted_proxies: Iterable[str] = (),
        client_cert_header: str = CLIENT_CERT,
        tls_level: Level = Level.COMPATIBLE,
        clocks: Clocks = clocks,
        **config: Any,
    ) -> None:
        if vens is not None:
            config["admitted"] = admitted(vens)
        self.base_path = base_path
        checked = _config(vtn_id=vtn_id, **config)
        self._channel = Channel(
            cert=cert,
            key=key,
            passphrase=passphrase,
            ca_file=ca_file,
            disable_signature=disable_signature,
            require_signature=require_signature,
            trusted_proxies=trusted_proxies,
            client_cert_header=client_cert_header,
            tls_level=tls_level,
        )
        peers = self._channel.peers()
        self._store = _store(state, keep_values)
        session = _session(
            checked, self._store, seed=seed, signer=self._channel.signer(), trust=self._channel.trust(checked)
        )
        self._pump = Pump(
            session,
            store=self._store,
            push=pushing(self._channel.push_context),
            transcript=transcript,
            clocks=clocks,
        )
        self.app = VtnApp(
            self._pump.answer,
            identify=peers.fingerprint,
            base_path=base_path,
            limit=self.config.limits.document.bytes,
            lifespan=self.running,
        )
        """The services as a plain ASGI application, for any server or framework."""

    # --- running ----------------------------------------------------------------------------------------------------

    def serve(
        self, *, host: str = "127.0.0.1", port: int = 0, tls: bool | None = None, **options: Any
    ) -> AbstractAsyncContextManager[Server]:
        """Serve while the block lasts; it begins when the server listens. ``port`` 0 takes a free one.

        With a certificate it serves TLS and demands a certificate of every client, unless trusted proxies do that;
        ``tls`` ``True`` or ``False`` says otherwise. The block gets an object with ``host``, ``port`` and ``url``, the
        URL that VENs need. ``options`` go to ``uvicorn.Config``. Needs asyncio. Raises
        :class:`~oadr_core.errors.LocalError` where no VEN could ever be known.
        """
        return self._serve(host, port, self._channel.context(self.config, tls), options)

    @asynccontextmanager
    async def _serve(
        self, host: str, port: int, context: ssl.SSLContext | None, options: dict[str, Any]
    ) -> AsyncIterator[Server]:
        from .server import serve

        server = serve(self.app, host=host, port=port, base_path=self.base_path, tls=context, **options)
        async with self.running(), server as listening:
            yield listening

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let time pass for the VTN while the block lasts: events change their status.

        :meth:`serve` does this, and so does :attr:`app` under a server that runs its lifespan. An application
        that mounts :attr:`app` in a framework enters this itself. Within another one it does nothing.
        """
        if not self._pump.is_running:
            self._channel.announce(self.config)
        async with self._pump.running():
            yield

    async def answer(self, service: str, data: bytes, fingerprint: str | None = None) -> Reply:
        """The reply to a message that has come by a medium of your own instead of HTTP, from within :meth:`running`.

        ``service`` is its name, e.g. ``"OadrPoll"``, ``data`` the unauthenticated bytes. ``fingerprint`` is that of
        the certificate that the peer has shown to your medium, in the form of
        :func:`oadr_core.security.fingerprint`; without one every message is refused unless the VTN was made with
        ``identity="insecure"``. What a peer sends raises nothing here.
        """
        reply = await self._pump.answer(service, data, fingerprint)
        return Reply(reply.status, reply.data)

    def close(self) -> None:
        """Release the state, if there is one; whatever was answered is in it."""
        if self._store is not None:
            self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Of the certificates of this VTN: what VENs may check."""
        return tuple(each.fingerprint for each in self._channel.own)

    @property
    def transcript(self) -> Transcript | None:
        """What sees every message."""
        return self._pump.transcript

    @transcript.setter
    def transcript(self, transcript: Transcript | None) -> None:
        self._pump.transcript = transcript

    def notifications(self, *, limit: int = NOTES) -> Notes:
        """Everything that happens from now on, to be iterated: ``async with vtn.notifications() as notes:
        async for …``.

        Every reader gets every notification. One that lags by more than ``limit`` loses the oldest, with a
        warning.
        """
        return Notes(limit, self._pump.readers)

    # --- events -----------------------------------------------------------------------------------------------------

    def publish_event(
        self,
        *,
        event: EiEvent | None = None,
        signal_name: SignalName | str | None = None,
        signal_type: SignalType | str | None = None,
        dtstart: datetime | None = None,
        intervals: Iterable[tuple[timedelta, float]] | None = None,
        ven_ids: Iterable[str] | None = None,
        groups: Iterable[str] = (),
        response_required: ResponseRequired | str = ResponseRequired.ALWAYS,
        **details: Any,
    ) -> str:
        """Publish an event and return its eventID.

        Either a whole ``event``, or one signal: ``dtstart`` (aware), ``intervals`` (pairs of duration and
        value), and the ``details`` of :func:`~oadr_core.vtn.build_event`: ``market_context``, ``item_base``,
        ``currency``, ``priority``, ``notification``, ``ramp_up``, ``recovery``, ``start_after``,
        ``test_event``, ``vtn_comment``, ``event_id``, ``targets``. ``ven_ids``
        and ``groups``: for these VENs only. ``response_required``: ``always`` or ``never`` (R12).

        Raises :class:`~oadr_core.errors.LocalError`, which names the field and the rule.
        """
        if event is None:
            given = {"signal_name": signal_name, "signal_type": signal_type, "dtstart": dtstart, "intervals": intervals}
            for name, value in given.items():
                if value is None:
                    raise LocalError(f"{name} is expected, or a whole event", path=f"publish_event/{name}")
            details.setdefault("market_context", None)
            details["market_context"] = details["market_context"] or self.config.market_context
            event = build_event(**given, **details)  # type: ignore[arg-type]  # none of them is None
        elif details or signal_name or signal_type or dtstart or intervals:
            raise LocalError("either a whole event or its parts", path="publish_event/event")
        command = PublishEvent(
            event=event,
            response_required=response_required,  # type: ignore[arg-type]  # checked by the session
            ven_ids=None if ven_ids is None else tuple(ven_ids),
            groups=tuple(groups),
        )
        [published] = [note for note in self._handle(command) if isinstance(note, EventPublished)]
        return published.event_id

    def modify_event(
        self,
        event_id: str,
        *,
        event: EiEvent | None = None,
        response_required: ResponseRequired | str | None = None,
        **changes: Any,
    ) -> int:
        """Change an event and return its modification number, the old one if nothing has changed.

        Either a whole new ``event``, or ``changes`` as in :func:`~oadr_core.vtn.change_event`: ``dtstart``,
        ``intervals``, ``priority``, ``market_context``, ``notification``, ``ramp_up``, ``recovery``,
        ``start_after``, ``test_event``, ``vtn_comment``, ``targets``, ``item_base``, ``signal_id``,
        ``reason``; ``None`` takes something away.

        Raises :class:`~oadr_core.errors.LocalError`, also for changes of the past (R20).
        """
        entry = self.events.get(event_id)
        if entry is None:
            raise LocalError(f"{event_id!r} is not published", path="modify_event/event_id")
        if event is not None and changes:
            raise LocalError("either a whole event or changes", path="modify_event/event")
        new = change_event(entry.event, **changes) if event is None else event
        if new.event_descriptor.event_id != event_id:
            raise LocalError("the eventID cannot change", path="modify_event/event")
        command = ModifyEvent(
            event=new,
            response_required=response_required,  # type: ignore[arg-type]  # checked by the session
        )
        self._handle(command)
        return self.events[event_id].modification_number

    def cancel_event(self, event_id: str, *, reason: str | None = None) -> None:
        """Cancel an event (R10); again does no harm. Raises :class:`~oadr_core.errors.LocalError` for one
        that is over.
        """
        self._handle(CancelEvent(event_id=event_id, reason=reason))

    @property
    def events(self) -> Mapping[str, EventEntry]:
        """The events by eventID, also the last ones that are over."""
        return self._session.events

    def opts(self, event_id: str) -> Mapping[str, Delivery]:
        """What each VEN knows of an event and has said to it, by venID."""
        return self._session.opts(event_id)

    # --- VENs -------------------------------------------------------------------------------------------------------

    @property
    def vens(self) -> Mapping[str, VenState]:
        """The registered VENs by venID."""
        return self._session.vens

    def request_reregistration(self, ven_id: str) -> None:
        """Ask a VEN, by its next poll, to register again under its registration."""
        self._handle(AskReregistration(ven_id=ven_id))

    def cancel_registration(self, ven_id: str, *, at_once: bool = False) -> None:
        """End a registration, by the next message to the VEN, or ``at_once`` and without a word to it;
        ``VenUnregistered`` tells that it is done (R407).
        """
        self._handle(EndRegistration(ven_id=ven_id, at_once=at_once))

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """The venIDs of each group."""
        return self._session.groups

    def set_group(self, group: str, ven_ids: Iterable[str]) -> None:
        """Name some VENs as a group for events; without VENs it is no more. Raises
        :class:`~oadr_core.errors.LocalError` for what is no VEN.
        """
        self._handle(SetGroup(group=group, ven_ids=tuple(ven_ids)))

    def request_report(
        self,
        ven_id: str,
        specifier_id: str,
        r_ids: Iterable[str] = (),
        granularity: timedelta | None = None,
        report_back_duration: timedelta | None = None,
        *,
        dtstart: datetime | None = None,
        duration: timedelta = timedelta(),
    ) -> str:
        """Ask a VEN for a report that it has offered, and return the reportRequestID.

        See :class:`~oadr_core.vtn.AskReport`. Raises :class:`~oadr_core.errors.LocalError` for what it has
        not offered.
        """
        command = AskReport(
            ven_id=ven_id,
            report_specifier_id=specifier_id,
            r_ids=tuple(r_ids),
            granularity=granularity,
            report_back_duration=report_back_duration,
            dtstart=dtstart,
            duration=duration,
        )
        [made] = [note for note in self._handle(command) if isinstance(note, ReportRequestMade)]
        return made.report_request_id

    def cancel_report(self, ven_id: str, *report_request_ids: str, report_to_follow: bool = False) -> None:
        """Take report requests back; ``report_to_follow`` asks for one last report (R345)."""
        self._handle(
            StopReports(ven_id=ven_id, report_request_ids=tuple(report_request_ids), report_to_follow=report_to_follow)
        )

    def provide_report(self, due: ReportDue, readings: Iterable[Reading]) -> None:
        """Answer a question for values of a report of the VTN's own (``offered_reports``); a late answer is ignored.

        Raises :class:`~oadr_core.errors.LocalError` for values that cannot be sent, or when the VEN is gone.
        """
        self._handle(
            ProvideReport(
                ven_id=due.ven_id, report_request_id=due.report_request_id, at=due.at, readings=tuple(readings)
            )
        )

    @property
    def report_policy(self) -> ReportPolicy:
        """What is asked for of every offer, as it was configured or as it was set."""
        return self._session.report_policy

    def set_report_policy(self, policy: ReportPolicy | None) -> None:
        """Ask for other reports from now on, of VENs that are registered too; ``None``: as configured. See
        :class:`~oadr_core.vtn.SetReportPolicy`.
        """
        self._handle(SetReportPolicy(policy=policy))

    def report_values(
        self,
        *,
        ven_id: str | None = None,
        report: str | None = None,
        report_request_id: str | None = None,
        r_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Generator[StoredValue, None, None]:
        """The values that were received and are kept: series by series, each in the order of time.

        ``report`` is a reportSpecifierID; ``since`` and ``until`` are aware, and say when the values that are wanted
        begin. Reading may take long; a thread of its own may do it. Raises :class:`~oadr_core.errors.LocalError` when
        there is no state that keeps values.
        """
        wanted = Wanted(
            ven_id=ven_id, report=report, report_request_id=report_request_id, r_id=r_id, since=since, until=until
        )
        return self._values.values(wanted)

    def report_summaries(
        self,
        *,
        ven_id: str | None = None,
        report: str | None = None,
        report_request_id: str | None = None,
        r_id: str | None = None,
    ) -> Generator[Summary, None, None]:
        """How many values there are of each series, and its latest one. Raises as :meth:`report_values`."""
        wanted = Wanted(ven_id=ven_id, report=report, report_request_id=report_request_id, r_id=r_id)
        return self._values.summaries(wanted)

    @property
    def keeps_values(self) -> bool:
        """True when received values are kept."""
        return isinstance(self._store, ValueStore)

    @property
    def _values(self) -> ValueStore:
        if not isinstance(self._store, ValueStore):
            text = "values are not kept: give the VTN a state that keeps them, such as the path of a database"
            raise LocalError(text, path="state")
        return self._store

    # --- the pump ---------------------------------------------------------------------------------------------------

    @property
    def config(self) -> VtnConfig:
        """What the VTN was told at the beginning."""
        return self._session.config

    @property
    def _session(self) -> VtnSession:
        return self._pump.session

    def _handle(self, command: Input) -> tuple[Output, ...]:
        return self._pump.tell(command)


def _store(state: Store | StrPath | None, keep_values: timedelta | None) -> Store | None:
    if isinstance(state, (str, os.PathLike)):
        return SqliteStore(state, keep_values=keep_values)
    if keep_values is not None:
        raise LocalError("this is for a state that is the path of a database", path="keep_values")
    return state


def _session(
    config: VtnConfig, store: Store | None, *, seed: bytes | None, signer: Signer | None, trust: Trust | None
) -> VtnSession:
    """A session from what is in the store, or a new one."""
    records = {} if store is None else store.load()
    if records:
        return VtnSession.restore(config, records, signer=signer, trust=trust)
    return VtnSession(config, key=seed or os.urandom(32), signer=signer, trust=trust)


def _config(**fields: Any) -> VtnConfig:
    known = attrs.fields_dict(VtnConfig)
    for name in fields:
        if name not in known:
            raise LocalError(f"one of {', '.join(known)} is expected, not {name!r}", path="Vtn")
    return VtnConfig(**fields)
