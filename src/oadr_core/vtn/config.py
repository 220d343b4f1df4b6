"""What a VTN is told once: its identity, whom it admits, what it asks for, and how far it goes.

It stands alone because everything here is data, checked when it is made, and read by every step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

import attrs

from ..errors import LocalError
from ..model import Duration, EiResponse, Response
from ..reporting.offers import ReportOffer, check, digest
from ..reporting.policy import ReportPolicy, whole_seconds
from ..reporting.readings import ReportBuffer
from ..wire import DEFAULT_LIMITS, Limits, encode

DEFAULT_MARKET_CONTEXT: Final = "urn:oadr:market"
"""The program of an event that names none; every event has one (EI:337)."""
LONGEST_ID: Final = 256
"""Characters of an identifier or a name that a VEN chooses: enough for a URI, too few to fill a memory."""


def _count(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        path = f"{type(instance).__name__}/{attribute.name}"
        raise LocalError(f"a whole number of at least 1 is expected, not {value!r}", path=path)


def _text(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    path = f"{type(instance).__name__}/{attribute.name}"
    if not isinstance(value, str) or not value:
        raise LocalError(f"a text is expected, not {value!r}", path=path)
    try:
        encode(Response(ei_response=EiResponse(), ven_id=value))
    except LocalError as error:
        raise LocalError(error.text, path=path) from None


@attrs.frozen(kw_only=True)
class VtnLimits:
    """How much a VTN keeps. Whoever reaches a limit is refused; nobody else notices."""

    vens: int = attrs.field(default=100_000, validator=_count)
    """A registered VEN takes some 5 to 24 KiB: about two gigabytes in one process."""
    events: int = attrs.field(default=10_000, validator=_count)
    """Live events, all VENs together; each takes some 5 to 50 KiB."""
    finished_events: int = attrs.field(default=1_000, validator=_count)
    """Events that are over and can still be looked at, and answered late."""
    mailbox: int = attrs.field(default=64, validator=_count)
    """Messages that wait for one VEN: some minutes of polling."""
    reports: int = attrs.field(default=64, validator=_count)
    """Report specifiers that one VEN may offer."""
    data_points: int = attrs.field(default=2_000, validator=_count)
    """Data points that one VEN may offer, all its reports together: about a megabyte."""
    report_requests: int = attrs.field(default=200, validator=_count)
    """Reports that one VEN is asked for at a time: a few for each that it offers."""
    report_values: int = attrs.field(default=1_000_000, validator=_count)
    """Values in one message: less than a second's work. What comes as bytes is bounded by ``document`` before."""
    report_ahead: timedelta = attrs.field(default=timedelta(days=1), validator=whole_seconds)
    """How far in the future a measured value may lie: wrong time zones pass, wrong clocks do not."""
    report_age: timedelta = attrs.field(default=timedelta(days=3653), validator=whole_seconds)
    """How far in the past a value may lie: ten years of history pass, clocks that were never set do not."""
    schedules: int = attrs.field(default=100, validator=_count)
    """Opt schedules that one VEN may leave."""
    periods: int = attrs.field(default=1_000, validator=_count)
    """Periods of availability in one opt schedule."""
    groups: int = attrs.field(default=1_000, validator=_count)
    """Groups of VENs that the operator may name."""
    document: Limits = DEFAULT_LIMITS
    """How large a message may be."""


@attrs.frozen(kw_only=True)
class PushPolicy:
    """How messages are pushed to VENs that have registered an address of their own (R38, R51).

    ``enabled``: ``False`` refuses such registrations. ``at_once``: how many exchanges run at the same time, one for
    each VEN at most. ``timeout``: how long a VEN may take to reply, at least five seconds (PS 9.1.6).
    ``longest_pause``: the end of the exponential back-off towards a VEN that cannot be reached (PS 9.1.7).
    ``schemes``: which addresses are taken.
    """

    enabled: bool = True
    at_once: int = attrs.field(default=32, validator=_count)
    timeout: timedelta = attrs.field(default=timedelta(seconds=10), validator=whole_seconds)
    longest_pause: timedelta = attrs.field(default=timedelta(minutes=5), validator=whole_seconds)
    schemes: tuple[str, ...] = ("https", "http")

    def __attrs_post_init__(self) -> None:
        if self.timeout < timedelta(seconds=5):
            raise LocalError(f"at least 5 s is expected, not {self.timeout}", path="PushPolicy/timeout")


class UnknownVens(StrEnum):
    """What a VEN is told that is not registered."""

    REFUSE = "refuse"
    """463, whatever it sends (R517)."""
    INVITE = "invite"
    """A poll is answered with oadrRequestReregistration, so that a VEN that has been forgotten registers anew."""


class IdentityPolicy(StrEnum):
    """What a carrier must prove before a message is taken as from a VEN (section 7.3)."""

    CERTIFICATE = "certificate"
    """The certificate of the peer, for every message; each registered VEN has its own."""
    INSECURE = "insecure"
    """Nothing: who names a venID is believed, unless that VEN has registered with a certificate. For trying things out,
    and for networks that are secured otherwise."""


def _policy(value: object) -> IdentityPolicy:
    try:
        return IdentityPolicy(str(value))
    except ValueError:
        text = f"one of {', '.join(IdentityPolicy)} is expected, not {value!r}"
        raise LocalError(text, path="VtnConfig/identity") from None


@attrs.frozen(kw_only=True)
class Admitted:
    """One VEN that may register: what is given must agree, and something must be given.

    ``ven_id`` is the identifier that it gets; without one it gets what it asks for, or a new one.
    """

    ven_name: str | None = None
    ven_id: str | None = None
    fingerprint: str | None = None

    def __attrs_post_init__(self) -> None:
        if not (self.ven_name or self.ven_id or self.fingerprint):
            raise LocalError("a name, a venID or a fingerprint is expected", path="Admitted")


@attrs.frozen(kw_only=True)
class VtnConfig:
    """What a VTN is told once.

    ``vtn_id``: as it is sent, and compared exactly (R512). ``requested_poll_freq``: how often VENs shall
    poll, whole seconds, at least one. ``resend_after``: a message that a VEN has fetched and not answered is
    handed out again after this time (R52, R500). ``tries``: how often a message of the mailbox is handed out
    before it is given up. ``never_tries``: how often an event that wants no answer is distributed, since
    nobody says that it arrived. ``market_context``: of events that name none. ``admitted``: who may register;
    ``None`` means everyone. A VEN that registers without IDs is known by its certificate, else by its name
    (R406). ``identity``: what must be proven of a peer. ``unknown_vens``: what others are told. ``reports``
    is what is asked for of VENs; ``offered_reports`` are this VTN's own, for VENs that ask for them (R301), and
    ``report_buffer`` how much of them waits. ``push`` and ``limits``: see there.

    Raises :class:`~oadr_core.errors.LocalError`, which names the field.
    """

    vtn_id: str = attrs.field(validator=_text)
    requested_poll_freq: timedelta = attrs.field(default=timedelta(seconds=10), validator=whole_seconds)
    resend_after: timedelta = attrs.field(default=timedelta(seconds=60), validator=whole_seconds)
    tries: int = attrs.field(default=8, validator=_count)
    never_tries: int = attrs.field(default=2, validator=_count)
    market_context: str = attrs.field(default=DEFAULT_MARKET_CONTEXT, validator=_text)
    reports: ReportPolicy = attrs.field(factory=ReportPolicy)
    offered_reports: tuple[ReportOffer, ...] = ()
    report_buffer: ReportBuffer = attrs.field(factory=ReportBuffer)
    push: PushPolicy = PushPolicy()
    identity: IdentityPolicy = attrs.field(default=IdentityPolicy.CERTIFICATE, converter=_policy)
    unknown_vens: UnknownVens = attrs.field(default=UnknownVens.REFUSE, converter=UnknownVens)
    admitted: tuple[Admitted, ...] | None = None
    limits: VtnLimits = VtnLimits()

    def __attrs_post_init__(self) -> None:
        check(self.offered_reports, "VtnConfig/offered_reports")

    @cached_property
    def offer_number(self) -> str:
        """Tells what is offered from what another configuration offers; empty for nothing."""
        return digest(self.offered_reports) if self.offered_reports else ""

    @property
    def poll_freq(self) -> Duration:
        """``requested_poll_freq`` as it is sent."""
        return Duration.of(self.requested_poll_freq)

    @property
    def resend_s(self) -> float:
        """``resend_after`` in seconds."""
        return self.resend_after / timedelta(seconds=1)


def admitted(vens: Mapping[str, str | None] | Iterable[str]) -> tuple[Admitted, ...]:
    """Admission by name: names, or a mapping of names to venIDs (``None``: the VTN gives one)."""
    named = vens if isinstance(vens, Mapping) else dict.fromkeys(vens)
    return tuple(Admitted(ven_name=name, ven_id=ven_id) for name, ven_id in named.items())
