"""All that a VEN session remembers, as frozen values.

It stands alone because the reducers of the other modules exchange nothing but this. The durable half survives a
restart, the volatile half begins anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from ..engine import Now, Output, Timeline
from ..engine.chance import token
from ..model import Event, EventResponse, EventStatus, OptType, Payload, ReportRequest, ServiceName
from .config import VenConfig
from .messages import Reading

if TYPE_CHECKING:
    from ..security import ReplayGuard, Trust

_K = TypeVar("_K")
_V = TypeVar("_V")
_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


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

    ``request_id`` is that of the message that last brought it (R42). ``opt`` is the application's decision,
    ``None`` until there is one; ``undecided`` says that the last question brought none, so that it is asked again.
    ``deadline`` (on mono) is set while a question is open. ``offset_s`` is the randomisation of its start (R30).
    """

    event: Event
    request_id: str
    timeline: Timeline
    status: EventStatus
    offset_s: float = 0.0
    opt: OptType | None = None
    reason: str = ""
    undecided: bool = False
    deadline: float | None = None
    cancelled: bool = False

    @property
    def event_id(self) -> str:
        return self.event.ei_event.event_descriptor.event_id

    @property
    def modification_number(self) -> int:
        return self.event.ei_event.event_descriptor.modification_number


@attrs.frozen(kw_only=True)
class Job:
    """A report request that is being served.

    ``start`` and ``end`` bound the samples (``end`` ``None``: for ever); ``next_sample`` is the next synchronised
    time; ``asked`` and ``deadline`` belong to an open question. A report is complete with the sample of
    ``boundary``. ``deliver_at`` (on mono) is set while a complete report waits for its jittered delivery.
    """

    request: ReportRequest
    r_ids: tuple[str, ...]
    step_s: float
    back_s: float
    start: datetime
    end: datetime | None
    next_sample: datetime | None
    boundary: datetime
    since: datetime
    asked: datetime | None = None
    deadline: float | None = None
    readings: tuple[Reading, ...] = ()
    deliver_at: float | None = None
    last: bool = False

    @property
    def id(self) -> str:
        return self.request.report_request_id


@attrs.frozen(kw_only=True)
class Outgoing:
    """A message that the VTN must get: it stays until the VTN's answer settles it.

    ``not_before`` (on mono) holds it back after a failure of its own.
    """

    number: int
    service: ServiceName
    payload: Payload
    attempts: int = 0
    not_before: float = 0.0


@attrs.frozen(kw_only=True)
class Flight:
    """The exchange under way. ``number`` is that of the :class:`Outgoing`, ``None`` for a poll."""

    exchange: int
    number: int | None
    payload: Payload
    deadline: float


@attrs.frozen(kw_only=True)
class VenState:
    """The state of a session; see the modules that change it."""

    # durable
    registration: Registration | None = None
    events: Mapping[str, KnownEvent] = _NOTHING  # type: ignore[assignment]  # empty for every type of value
    answers: tuple[EventResponse, ...] = ()
    jobs: Mapping[str, Job] = _NOTHING  # type: ignore[assignment]  # empty for every type of value
    outbox: tuple[Outgoing, ...] = ()
    counter: int = 0
    # volatile
    phase: Phase = Phase.IDLE
    flight: Flight | None = None
    next_poll: float | None = None
    drained: int = 0
    """Polls in a row that brought something; 0 when the VTN has nothing more (R500)."""
    gather_until: float | None = None
    failures: int = 0
    """Failures in a row to reach the VTN."""
    losses: int = 0
    """How often in a row the VTN did not know this VEN, although it had registered it."""
    retry_at: float | None = None
    """While the VTN is away nothing is sent before this (on mono)."""
    register_at: float | None = None
    cancel_wanted: bool = False
    """The application ended the registration while it was being made."""
    guard: ReplayGuard | None = None
    """What the VTN has signed lately, where signatures are checked (R514)."""


class Turn:
    """One step in the making: the state so far, and the outputs so far.

    The reducers change ``state`` and append to ``outputs``; if one of them raises, the session drops the turn.
    """

    def __init__(self, config: VenConfig, key: bytes, state: VenState, now: Now, trust: Trust | None = None) -> None:
        self.trust = trust
        self.config = config
        self.key = key
        self.state = state
        self.now = now
        self.outputs: list[Output] = []

    def set(self, **changes: object) -> None:
        """Change fields of the state."""
        self.state = attrs.evolve(self.state, **changes)  # type: ignore[arg-type]  # names are checked by attrs

    def tell(self, *outputs: Output) -> None:
        """Add outputs."""
        self.outputs.extend(outputs)

    def number(self) -> int:
        """The next number of this session; used once."""
        self.set(counter=self.state.counter + 1)
        return self.state.counter

    def token(self, label: str) -> str:
        """A fresh identifier."""
        return token(self.key, label, self.number())

    def post(self, service: ServiceName, payload: Payload) -> None:
        """Put a message into the outbox."""
        entry = Outgoing(number=self.number(), service=service, payload=payload)
        self.set(outbox=(*self.state.outbox, entry))

    def put_event(self, known: KnownEvent) -> None:
        self.set(events=with_item(self.state.events, known.event_id, known))

    def drop_event(self, event_id: str) -> None:
        self.set(events=without_item(self.state.events, event_id))

    def put_job(self, job: Job) -> None:
        self.set(jobs=with_item(self.state.jobs, job.id, job))

    def drop_job(self, report_request_id: str) -> None:
        self.set(jobs=without_item(self.state.jobs, report_request_id))


def with_item(mapping: Mapping[_K, _V], key: _K, value: _V) -> Mapping[_K, _V]:
    """A copy with one item more, or another value."""
    return MappingProxyType({**mapping, key: value})


def without_item(mapping: Mapping[_K, _V], key: _K) -> Mapping[_K, _V]:
    """A copy without one item."""
    return MappingProxyType({k: v for k, v in mapping.items() if k != key})
