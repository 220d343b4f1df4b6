"""All that a VEN session remembers, as frozen values.

It stands alone because the reducers of the other modules exchange nothing but this. The durable half survives a
restart, the volatile half begins anew: each field says what it is (:mod:`oadr_core.engine.records`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from ..engine import Now, Output
from ..engine.chance import token
from ..engine.copying import copied
from ..engine.records import EMPTY, quiet, table, volatile
from ..model import (
    CreateOpt,
    Event,
    EventResponse,
    OptType,
    Payload,
    Report,
    ReportRequest,
    ServiceName,
)
from ..reporting.jobs import Job, Sample, Samples
from ..security.replay import ReplayGuard
from .config import VenConfig
from .messages import Change
from .timeline import Moment

if TYPE_CHECKING:
    from ..security import Trust
    from .outlook import Outlook

_write = object.__setattr__
_K = TypeVar("_K")
_V = TypeVar("_V")
HEAD: Final = "ven"
"""The name of the record that holds all but the tables."""


class Phase(StrEnum):
    """Where the session stands with the VTN (section 5.1)."""

    IDLE = "idle"
    """Not registered, and not trying."""
    REGISTERING = "registering"
    """A registration is under way, or will be tried again."""
    REGISTERED = "registered"


@attrs.frozen(kw_only=True)
class Registration:
    """What the VTN has told about the registration."""

    ven_id: str
    registration_id: str
    vtn_id: str
    poll_interval_s: float


@attrs.frozen(kw_only=True)
class KnownEvent:
    """An event of this VEN.

    ``request_id`` is that of the message that last brought it (R42). ``opt``, ``code`` and ``reason`` are what was
    decided, ``opt`` ``None`` until then; ``undecided`` says that the last question brought no decision, so that it is
    asked again. ``asking`` is the question that is open, and ``deadline`` (on mono) its end. ``qualified`` is the opt
    that an oadrCreateOpt has stated, which goes before every oadrCreatedEvent (R206). ``offset_s`` is the
    randomisation of the start (R30).

    A cancelled event stays until ``stop_at`` (R65); ``implied`` says how it was cancelled (R61), ``followed`` that
    this VEN took part until then, ``acknowledged`` that the VTN has our answer (R36). ``moment`` is what was last told
    of its timeline, ``told`` which intervals were.
    """

    event: Event
    request_id: str
    offset_s: float = 0.0
    opt: OptType | None = None
    code: str = "200"
    reason: str = ""
    undecided: bool = False
    asking: Change | None = None
    qualified: OptType | None = None
    cancelled: bool = False
    implied: bool = False
    stop_at: datetime | None = None
    followed: bool = False
    acknowledged: bool = False
    deadline: float | None = volatile(None)
    moment: Moment | None = volatile(None)
    told: tuple[int | None, ...] = volatile(())

    @property
    def takes_part(self) -> bool:
        """True when this VEN does what the event wants; a cancelled one until its stop."""
        return self.followed if self.cancelled else self.opt is OptType.OPT_IN

    @property
    def event_id(self) -> str:
        return self.event.ei_event.event_descriptor.event_id

    @property
    def modification_number(self) -> int:
        return self.event.ei_event.event_descriptor.modification_number


@attrs.frozen(kw_only=True)
class Requested:
    """A report that this VEN has asked its VTN for.

    ``confirmed``: the VTN has said that it will serve it. ``served``: what comes now are parts or copies, or a last
    one. ``latest`` is the report that came last, to know a copy of it.
    """

    request: ReportRequest
    confirmed: bool = False
    served: bool = False
    latest: Report | None = volatile(None)


@attrs.frozen(kw_only=True)
class Opt:
    """An opt of ours: a schedule, or what was said about an event outside the answer to it (section 5.4).

    ``confirmed``: the VTN has taken it. ``superseded``: a later schedule has replaced it (R203). ``withdrawn``: the
    VTN is being told that it is void.
    """

    payload: CreateOpt
    confirmed: bool = False
    superseded: bool = False
    withdrawn: bool = False


@attrs.frozen(kw_only=True)
class Outgoing:
    """A message that the VTN must get: it stays until the VTN's answer settles it.

    ``not_before`` (on mono) holds it back after a failure of its own. ``samples`` are those that reports were made of.
    """

    number: int
    service: ServiceName
    payload: Payload
    attempts: int = quiet(0)
    not_before: float = volatile(0.0)
    samples: Samples = volatile(EMPTY)


@attrs.frozen(kw_only=True)
class Flight:
    """The exchange under way. ``number`` is that of the :class:`Outgoing`, ``None`` for a poll."""

    exchange: int
    number: int | None
    payload: Payload
    deadline: float


@attrs.frozen(kw_only=True)
class Identity:
    """What the VTN was told of this VEN when it registered: when that changes, the VEN registers again."""

    ven_name: str
    report_only: bool
    xml_signature: bool
    transport_address: str | None


@attrs.frozen(kw_only=True, weakref_slot=False)
class VenState:
    """The state of a session; see the modules that change it."""

    key: bytes = b""
    """What everything that looks random is derived from."""
    phase: Phase = Phase.IDLE
    registration: Registration | None = None
    identity: Identity | None = None
    offered: str = ""
    """Of the reports that the VTN was told of: a digest."""
    cancel_wanted: bool = False
    """The application ended the registration while it was being made."""
    answers: tuple[EventResponse, ...] = ()
    events: Mapping[str, KnownEvent] = table("event")
    jobs: Mapping[str, Job] = table("report")
    samples: Mapping[str, Sample] = table("sample")
    requests: Mapping[str, Requested] = table("request")
    vtn_reports: Mapping[str, Report] = table("offer")
    """What the VTN offers, by reportSpecifierID."""
    opts: Mapping[str, Opt] = table("opt")
    outbox: Mapping[str, Outgoing] = table("message")
    counter: int = quiet(0)
    """Numbers that were used. What was made of one is saved with it; numbers of polls need not be remembered."""
    guard: ReplayGuard | None = quiet(None)
    """What the VTN has signed lately, where signatures are checked (R514)."""
    # volatile
    awake: bool = volatile(False)
    flight: Flight | None = volatile(None)
    delivery: Outgoing | None = volatile(None)
    """The message with reports that is under way, or that will be tried again: made of samples, which are saved."""
    next_poll: float | None = volatile(None)
    drained: int = volatile(0)
    """Polls in a row that brought something; 0 when the VTN has nothing more (R500)."""
    gather_until: float | None = volatile(None)
    failures: int = volatile(0)
    """Failures in a row to reach the VTN."""
    missed: bool = volatile(False)
    """A reply was lost, and with it perhaps an event: ask for all of them when the VTN is back (R500)."""
    crossed: int = volatile(0)
    """The number of the oadrRequestEvent under way if events were pushed meanwhile: its reply may be the older one."""
    losses: int = volatile(0)
    """How often in a row the VTN did not know this VEN, although it had registered it."""
    retry_at: float | None = volatile(None)
    """While the VTN is away nothing is sent before this (on mono)."""
    register_at: float | None = volatile(None)


class Turn:
    """One step in the making: the state so far, and the outputs so far.

    The reducers change ``state`` and append to ``outputs``; if one of them raises, the session drops the turn.
    ``pushed``: a request of the VTN is being answered in its own exchange, and ``reply`` is the answer. ``outlook`` is
    what was noted of the events and reports, perhaps as they were before.
    """

    __slots__ = ("_copied", "config", "now", "outlook", "outputs", "pushed", "reply", "state", "trust")

    def __init__(
        self,
        config: VenConfig,
        state: VenState,
        now: Now,
        trust: Trust | None = None,
        outlook: Outlook | None = None,
    ) -> None:
        self.trust = trust
        self.outlook = outlook
        self.config = config
        self.state = state
        self.now = now
        self.outputs: list[Output] = []
        self.pushed = False
        self.reply: Payload | None = None
        self._copied = False

    @property
    def key(self) -> bytes:
        return self.state.key

    def set(self, **changes: object) -> None:
        """Change fields of the state.

        The first change makes a copy, which belongs to this turn alone until the session takes it; so the further ones
        write into it. A turn changes half a dozen fields, and copying each time is what a step would cost most.
        """
        if not self._copied:
            self.state = copied(self.state)
            self._copied = True
        for name, value in changes.items():
            _write(self.state, name, value)  # slots: a name that is not a field raises

    def tell(self, *outputs: Output) -> None:
        """Add outputs."""
        self.outputs.extend(outputs)

    def number(self) -> int:
        """The next number of this session; used once."""
        number = self.state.counter + 1
        self.set(counter=number)
        return number

    def token(self, label: str) -> str:
        """A fresh identifier."""
        return token(self.key, label, self.number())

    def post(self, service: ServiceName, payload: Payload) -> None:
        """Put a message into the outbox."""
        entry = Outgoing(number=self.number(), service=service, payload=payload)
        self.set(outbox=with_item(self.state.outbox, str(entry.number), entry))

    def answer(self, service: ServiceName, payload: Payload) -> None:
        """Answer a request of the VTN: in its own exchange if it was pushed, else by a message of our own (2.0)."""
        if self.pushed:
            self.reply = payload
        else:
            self.post(service, payload)

    def keep(self, *entries: Outgoing) -> None:
        """Change entries of the outbox that are there, or the delivery of reports."""
        delivery = self.state.delivery
        for entry in entries:
            if delivery is not None and entry.number == delivery.number:
                self.set(delivery=entry)
                return
        changed = {str(entry.number): entry for entry in entries}
        self.set(outbox=MappingProxyType({**self.state.outbox, **changed}))

    def remove(self, *entries: Outgoing) -> None:
        """Take entries out of the outbox; the delivery of reports may be one of them."""
        delivery = self.state.delivery
        if delivery is not None and any(entry.number == delivery.number for entry in entries):
            self.set(delivery=None)
            return
        gone = {str(entry.number) for entry in entries}
        self.set(outbox=MappingProxyType({k: v for k, v in self.state.outbox.items() if k not in gone}))

    def put_event(self, known: KnownEvent) -> None:
        self.set(events=with_item(self.state.events, known.event_id, known))

    def drop_event(self, event_id: str) -> None:
        self.set(events=without_item(self.state.events, event_id))

    def put_opt(self, key: str, opt: Opt) -> None:
        self.set(opts=with_item(self.state.opts, key, opt))

    def drop_opt(self, key: str) -> None:
        self.set(opts=without_item(self.state.opts, key))


def with_item(mapping: Mapping[_K, _V], key: _K, value: _V) -> Mapping[_K, _V]:
    """A copy with one item more, or another value."""
    return MappingProxyType({**mapping, key: value})


def without_item(mapping: Mapping[_K, _V], key: _K) -> Mapping[_K, _V]:
    """A copy without one item."""
    return MappingProxyType({k: v for k, v in mapping.items() if k != key})
