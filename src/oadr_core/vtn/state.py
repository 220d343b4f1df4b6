"""All that a VTN remembers of one VEN, as frozen values, and the one step in which it changes.

It stands alone because the modules that handle messages exchange nothing but this, and because a store may
keep it: the step for one VEN needs this state, the event book, and nothing of any other VEN.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeVar

import attrs

from ..engine import Notification, Now
from ..engine.chance import token
from ..model import (
    EiTarget,
    OptReason,
    OptType,
    Payload,
    ProfileName,
    Properties,
    Report,
    ReportRequest,
)
from .book import EventBook
from .config import VtnConfig

_K = TypeVar("_K")
_V = TypeVar("_V")
_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class Mail:
    """A message that waits for a VEN. ``sent_at`` (on mono) is when it was last handed out, ``tries`` how
    often.
    """

    payload: Payload
    sent_at: float | None = None
    tries: int = 0


@attrs.frozen(kw_only=True)
class Delivery:
    """What one VEN knows of one event, and what it said.

    ``modification_number`` was last handed out at ``sent_at`` (on mono), ``tries`` times. ``answered`` is the
    version of the last answer, ``opt_type`` and ``response_code`` its content. ``opt_id`` is there when an
    oadrCreateOpt took over (R206); ``partial`` are opts for some resources of the event, the latest last.
    """

    modification_number: int = -1
    sent_at: float = 0.0
    tries: int = 0
    answered: int | None = None
    opt_type: OptType | None = None
    response_code: str = ""
    opt_id: str | None = None
    partial: tuple[tuple[EiTarget, OptType], ...] = ()


@attrs.frozen(kw_only=True)
class RequestedReport:
    """A report request of ours. ``confirmed``: the VEN has said that it will serve it."""

    request: ReportRequest
    confirmed: bool = False


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


@attrs.frozen(kw_only=True)
class VenState:
    """A registered VEN."""

    ven_id: str
    registration_id: str
    ven_name: str = ""
    fingerprint: str | None = None
    profile: ProfileName = ProfileName.B
    report_only: bool = False
    xml_signature: bool = False
    registered_at: datetime
    last_seen: datetime
    mailbox: tuple[Mail, ...] = ()
    reports: tuple[Report, ...] = ()
    requests: Mapping[str, RequestedReport] = _NOTHING  # type: ignore[assignment]  # empty for every type of value
    deliveries: Mapping[str, Delivery] = _NOTHING  # type: ignore[assignment]  # empty for every type of value
    schedules: tuple[OptSchedule, ...] = ()
    # what a poll looks at before it looks at any event
    book_version: tuple[int, int] = (0, 0)
    resend_at: float | None = None


class Turn:
    """One step in the making: a VEN's state so far, and the notifications so far.

    The handlers change ``ven`` and append notifications; if one of them raises, the session drops the turn.
    ``book`` is read only. ``fingerprint`` is that of the peer's certificate.
    """

    def __init__(
        self, *, config: VtnConfig, book: EventBook, now: Now, key: bytes, number: int, fingerprint: str | None = None
    ) -> None:
        self.config = config
        self.book = book
        self.now = now
        self.fingerprint = fingerprint
        self.new_id = ""
        """The venID that a VEN gets which has none."""
        self.notes: list[Notification] = []
        self._key = key
        self._number = number

    def tell(self, *notes: Notification) -> None:
        """Add notifications."""
        self.notes.extend(notes)

    def token(self, *labels: object) -> str:
        """An identifier that is fresh for this step and these labels."""
        return token(self._key, self._number, *labels)


def with_item(mapping: Mapping[_K, _V], key: _K, value: _V) -> Mapping[_K, _V]:
    """A copy with one item more, or another value."""
    return MappingProxyType({**mapping, key: value})
