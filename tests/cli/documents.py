"""Messages to look at, built by the codec itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from oadr_core import encode
from oadr_core.model import (
    DistributeEvent,
    Event,
    Interval,
    Poll,
    Report,
    ReportPayload,
    UpdateReport,
)
from oadr_core.vtn import build_event

START = datetime(2030, 1, 31, 17, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

POLL = encode(Poll(ven_id="ven-1"))
EVENT = encode(
    DistributeEvent(
        request_id="request-1",
        vtn_id="vtn-1",
        oadr_event=(
            Event(
                ei_event=build_event(
                    event_id="event-1",
                    signal_name="ELECTRICITY_PRICE",
                    signal_type="price",
                    dtstart=START,
                    intervals=[(HOUR, 0.125), (2 * HOUR, 0.375)],
                    market_context="http://market.example/program",
                    vtn_comment="two prices \x9b31m[red]",
                )
            ),
        ),
    )
)
REPORT = encode(
    UpdateReport(
        request_id="request-2",
        ven_id="ven-1",
        oadr_report=(
            Report(
                dtstart=START,
                intervals=(
                    Interval(dtstart=START, stream_payload_base=(ReportPayload(r_id="power", payload_base=1.5),)),
                ),
                report_request_id="report-request-1",
                report_specifier_id="meter",
                created_date_time=START,
            ),
        ),
    )
)
