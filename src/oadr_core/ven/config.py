"""What a VEN session is told once.

It stands alone because the application builds it, and every other module of the package reads it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import attrs

from ..errors import LocalError
from ..model import EiTarget, OptType, SignalName, SignalType
from ..reporting import offers
from ..reporting.offers import ReportOffer
from ..reporting.readings import ReportBuffer

SHORTEST_POLL_S: Final = 1.0
"""A VTN that asks for more than one poll a second gets one: durations have whole seconds, and zero is not defined."""


def _positive(instance: object, attribute: attrs.Attribute[Any], value: timedelta | None) -> None:
    if value is not None and value <= timedelta():
        raise LocalError(f"a positive timedelta is expected, not {value!r}", path=f"VenConfig/{attribute.name}")


@attrs.frozen(kw_only=True)
class SignalSupport:
    """A kind of signal that the VEN can follow: no ``signal_types``, no ``units``: any (R109)."""

    signal_name: SignalName | str
    signal_types: tuple[SignalType, ...] = ()
    units: tuple[type, ...] = ()


@attrs.frozen(kw_only=True)
class VenConfig:
    """What a VEN session is told once.

    ``ven_name``: for people. ``ven_id``: preconfigured by the VTN's operator, else the VTN assigns one (R402).
    ``reports``: what can be reported (R306). ``report_buffer``: how much of it waits while the VTN is away.
    ``poll_interval``: until the VTN asks for one, and never shorter than what it asks for. ``jitter``: spread polls
    and deliveries by 10 % or 5 minutes, whichever is less.
    ``default_opt``: for an event about which nobody decides in ``decision_timeout``. ``timeout``: of one exchange;
    the profile wants 5 s or more (PS 9.1.6). ``registration_retry``: after a refusal or a cancellation by the VTN
    (R401); ``None`` waits for :class:`.Register`. ``query_first``: ask what the VTN offers before registering.
    ``accept_any_vtn``: do not check vtnID (R21).

    What follows is compared with each event; ``None`` accepts any. ``market_contexts``: programs that this VEN takes
    part in, else 462 (R48). ``targets``: what it stands for besides its venID, else 462 (R22, R48). ``signals``: what
    it can follow, else 460 (R109). ``device_classes``: what it has, else 469 (R111, R112).

    ``report_only``: no events and opts (section 0). ``transport_address``: base URL of this VEN's own server; the
    VTN pushes to it then, and the VEN does not poll (R402, R500).

    Raises :class:`~oadr_core.errors.LocalError` for values out of range.
    """

    ven_name: str
    ven_id: str | None = None
    reports: tuple[ReportOffer, ...] = ()
    poll_interval: timedelta = attrs.field(default=timedelta(seconds=10), validator=_positive)
    jitter: bool = True
    default_opt: OptType = OptType.OPT_OUT
    decision_timeout: timedelta = attrs.field(default=timedelta(seconds=60), validator=_positive)
    timeout: timedelta = attrs.field(default=timedelta(seconds=30), validator=_positive)
    registration_retry: timedelta | None = attrs.field(default=timedelta(minutes=5), validator=_positive)
    query_first: bool = True
    xml_signature: bool = False
    accept_any_vtn: bool = False
    market_contexts: tuple[str, ...] | None = None
    targets: EiTarget | None = None
    signals: tuple[SignalSupport, ...] | None = None
    device_classes: frozenset[str] | None = None
    report_only: bool = False
    transport_address: str | None = None
    report_buffer: ReportBuffer = attrs.field(factory=ReportBuffer)

    def __attrs_post_init__(self) -> None:
        name: object = self.ven_name  # annotations do not bind a caller
        if not isinstance(name, str) or not name:
            raise LocalError(f"a name is expected, not {name!r}", path="VenConfig/ven_name")
        offers.check(self.reports, "VenConfig/reports")

    def offer(self, report_specifier_id: str) -> ReportOffer | None:
        """The offered report with this specifier."""
        return offers.find(self.reports, report_specifier_id)
