"""All that a VTN remembers of one VEN, as frozen values, and the one step in which it changes.

It stands alone because the modules that handle messages exchange nothing but this, and because a store may
keep it: the step for one VEN needs this state, the event book, and nothing of any other VEN.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from types import MappingProxyType
from typing import Final, TypeVar

import attrs

from ..engine import Notification, Now
from ..engine.chance import token
from ..engine.records import quiet, volatile
from ..engine.retry import back_off
from ..engine.sharing import Shared
from ..engine.values import ReportReceived
from ..model import (
    EiTarget,
    OptReason,
    OptType,
    Payload,
    ProfileName,
    Properties,
    Report,
    ReportRequest,
    ReportSpecifier,
)
from ..reporting.jobs import Job, Sample
from ..reporting.policy import ReportPolicy
from ..security.replay import ReplayGuard
from .book import EventBook
from .config import VtnConfig

AT_ONCE: Final = float("-inf")
_K = TypeVar("_K")
_V = TypeVar("_V")
_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class Mail:
    """A message that waits for a VEN. ``sent_at`` (on mono) is when it was last handed out, ``tries`` how
    often. ``due``: it did not arrive, and is handed out again as soon as can be.
    """

    payload: Payload
    sent_at: float | None = None
    tries: int = 0
    due: bool = False


class Stage(StrEnum):
    """How far the latest version of an event has come with one VEN."""

    WAITING = "waiting"
    """Not handed out yet."""
    DELIVERED = "delivered"
    """Handed out, and not answered."""
    ANSWERED = "answered"


@attrs.frozen(kw_only=True)
class Delivery:
    """What one VEN knows of one event, and what it said.

    ``modification_number`` was last handed out at ``sent_at`` (on mono; ``None``: it did not arrive, and is due
    again), ``tries`` times. ``answered`` is the
    version of the last answer, ``opt_type`` and ``response_code`` its content. ``opt_id`` is there when an
    oadrCreateOpt took over (R206); ``partial`` are opts for some resources of the event, the latest last.
    """

    modification_number: int = -1
    sent_at: float | None = None
    tries: int = 0
    answered: int | None = None
    opt_type: OptType | None = None
    response_code: str = ""
    opt_id: str | None = None
    partial: tuple[tuple[EiTarget, OptType], ...] = ()

    def stage(self, modification_number: int) -> Stage:
        """How far the version ``modification_number`` of the event has come."""
        if self.answered == modification_number:
            return Stage.ANSWERED
        return Stage.DELIVERED if self.modification_number == modification_number else Stage.WAITING


@attrs.frozen(kw_only=True)
class RequestedReport:
    """A report request of ours. ``confirmed``: the VEN has said that it will serve it. ``asked``: somebody wanted it,
    not the policy. ``stopped``: it was taken back in the reply to its own values, which nobody confirms (R335);
    ``last_one_follows``: but for one more report (R345). ``latest`` tells the report that came last from another one.
    """

    request: ReportRequest
    confirmed: bool = False
    asked: bool = False
    stopped: bool = False
    last_one_follows: bool = False
    latest: int = volatile(0, eq=False)


@attrs.frozen(kw_only=True)
class FormerRequest:
    """A report request that is over. Values for it may still come: late ones, and repeated ones.

    ``served``: it was for one report, which has come.
    """

    report_specifier_id: str
    served: bool = False
    latest: int = volatile(0, eq=False)


@attrs.frozen(kw_only=True)
class OptSchedule:
    """When a VEN takes part, or does not (section 5.4).

    ``superseded``: a later schedule has replaced it (R203), and cancelling it is no error (R211).
    """

    opt_id: str
    opt_type: OptType
    opt_reason: OptReason | str
    market_context: str | None
    availability: tuple[Properties, ...]
    target: EiTarget
    device_class: EiTarget | None
    created_date_time: datetime
    superseded: bool = False


@attrs.frozen(kw_only=True, weakref_slot=False)
class VenState:
    """A registered VEN. ``push_address`` is the base of the URLs of one that wants messages pushed (R51)."""

    ven_id: str
    registration_id: str
    ven_name: str = ""
    fingerprint: str | None = None
    profile: ProfileName = ProfileName.B
    report_only: bool = False
    xml_signature: bool = False
    push_address: str | None = None
    registered_at: datetime
    last_seen: datetime = quiet(attrs.NOTHING)
    mailbox: tuple[Mail, ...] = ()
    reports: tuple[Report, ...] = ()
    requests: Mapping[str, RequestedReport] = _NOTHING  # type: ignore[assignment]  # empty for every type of value
    former: Mapping[str, FormerRequest] = _NOTHING  # type: ignore[assignment]  # empty for every type of value
    wishes: tuple[ReportSpecifier, ...] = ()
    """What somebody asked for before the VEN registered anew: for when it has said again what it offers (R306)."""
    policy: int = quiet(0)
    """The number of the report policy that its requests follow."""
    offered: str = quiet("")
    """The number of the reports of this VTN that it was told of."""
    jobs: Mapping[str, Job] = _NOTHING  # type: ignore[assignment]  # empty for every type of value
    samples: Mapping[str, Sample] = _NOTHING  # type: ignore[assignment]  # empty for every type of value
    deliveries: Mapping[str, Delivery] = _NOTHING  # type: ignore[assignment]  # empty for every type of value
    schedules: tuple[OptSchedule, ...] = ()
    guard: ReplayGuard | None = quiet(None)
    """What it has signed lately (R514)."""
    # what a poll looks at before it looks at any event
    book_version: tuple[int, int] = volatile((-1, -1))
    resend_at: float | None = volatile(None)


class StandingPolicy:
    """The report policy that is in force. VENs whose requests follow another one are seen to when they next come.

    ``number`` tells it from others, also after a restart.
    """

    def __init__(self, policy: ReportPolicy) -> None:
        self.policy: Final = policy
        self.number: Final = int.from_bytes(blake2b(repr(policy).encode(), digest_size=6).digest(), "big")


class Turn:
    """One step in the making: a VEN's state so far, and the notifications so far.

    The handlers change ``ven`` and append notifications; if one of them raises, the session drops the turn.
    ``book`` is read only. ``fingerprint`` is that of the peer's certificate. ``standing`` is the report policy.
    """

    def __init__(
        self,
        *,
        config: VtnConfig,
        book: EventBook,
        standing: StandingPolicy,
        shared: Shared,
        now: Now,
        key: bytes,
        number: int,
        fingerprint: str | None = None,
    ) -> None:
        self.config = config
        self.book = book
        self.standing = standing
        self.shared = shared
        self.now = now
        self.fingerprint = fingerprint
        self.new_id = ""
        """The venID that a VEN gets which has none."""
        self.notes: list[Notification] = []
        self.received: list[ReportReceived] = []
        """Those of the notifications whose values are to be saved."""
        self._key = key
        self._number = number

    def tell(self, *notes: Notification) -> None:
        """Add notifications."""
        self.notes.extend(notes)

    def receive(self, report: ReportReceived) -> None:
        """Add values, which are to be saved and told."""
        self.received.append(report)
        self.notes.append(report)

    def again_at(self, sent_at: float | None) -> float:
        """When (on mono) a message is due again that was handed out at ``sent_at``.

        That is at once where ``sent_at`` is in the future: the state is from before a restart of the machine, and
        so from another clock.
        """
        if sent_at is None or sent_at > self.now.mono:
            return AT_ONCE
        return sent_at + self.config.resend_s

    def back_off(self, attempt: int, longest: timedelta, *labels: object) -> float:
        """Seconds to wait after the ``attempt``-th failure."""
        return back_off(attempt, longest.total_seconds(), self._key, self._number, *labels)

    def token(self, *labels: object) -> str:
        """An identifier that is fresh for this step and these labels."""
        return token(self._key, self._number, *labels)


def with_item(mapping: Mapping[_K, _V], key: _K, value: _V) -> Mapping[_K, _V]:
    """A copy with one item more, or another value."""
    return MappingProxyType({**mapping, key: value})
