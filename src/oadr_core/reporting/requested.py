"""What a session tells about the reports that it asks its peer for: what is offered, and what became of the requests.

It stands alone because this is the face of the side that wants the data, whichever role it plays. ``ven_id`` is the VEN
of the pair: who offers and is asked, or (at a VEN) the session's own.
"""

from __future__ import annotations

import attrs

from ..engine.exchange import Notification
from ..model import Report


@attrs.frozen(kw_only=True)
class ReportsOffered(Notification):
    """The peer has told all that it can report; what it offered before is void (R306)."""

    ven_id: str
    reports: tuple[Report, ...]


@attrs.frozen(kw_only=True)
class ReportRequestMade(Notification):
    """A report request waits for the peer, as somebody wanted."""

    ven_id: str
    report_request_id: str


@attrs.frozen(kw_only=True)
class ReportRequestConfirmed(Notification):
    """The peer will serve these report requests. ``pending`` is all that it says it will serve (R329)."""

    ven_id: str
    report_request_ids: tuple[str, ...]
    pending: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class ReportRequestStopped(Notification):
    """The peer will not serve these report requests, or not any more."""

    ven_id: str
    report_request_ids: tuple[str, ...]
