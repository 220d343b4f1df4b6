"""VENs that offer meters and send values, message by message: for tests of what a VTN makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from oadr_core import decode, encode
from oadr_core.model import (
    CanceledReport,
    CancelReport,
    CreatedReport,
    CreatePartyRegistration,
    CreateReport,
    Duration,
    EiResponse,
    EiTarget,
    Interval,
    ItemBase,
    Payload,
    PayloadResourceStatus,
    Poll,
    PowerAttributes,
    PowerReal,
    ReadingType,
    RegisteredReport,
    RegisterReport,
    Report,
    ReportDescription,
    ReportName,
    ReportPayload,
    ReportType,
    Response,
    SamplingRate,
    UpdatedReport,
    UpdateReport,
    Voltage,
)

OK = EiResponse(response_description="OK")
START = datetime(2030, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
KILOWATT = PowerReal(
    item_units="W", si_scale_code="k", power_attributes=PowerAttributes(hertz=50, voltage=230, ac=True)
)
VOLT = Voltage(si_scale_code="none")
Post = Callable[[str, bytes], bytes]
"""Sends a message to a service of the VTN; the reply comes back."""
Value = float | PayloadResourceStatus | tuple[float, str]
"""A number, one with its quality, or a state."""


class Meter:
    """A VEN whose data points have these units, or tell states where the unit is ``None``; resources are called like
    them. It has one kind or the other.
    """

    def __init__(self, post: Post, name: str, points: Mapping[str, ItemBase | None]) -> None:
        self._post = post
        self.points = dict(points)
        self.report_name = ReportName.TELEMETRY_USAGE if all(points.values()) else ReportName.TELEMETRY_STATUS
        self.ven_id: str = self.ask(
            "EiRegisterParty", CreatePartyRegistration(request_id="r", oadr_ven_name=name)
        ).ven_id
        self.requests: dict[str, str] = {}

    def ask(self, service: str, payload: Payload) -> Payload:
        """What the VTN replies."""
        return decode(self._post(service, encode(payload))).payload

    def offer(self) -> Meter:
        """Say what there is, take what the VTN offers, and agree to what it requests."""
        report = Report(
            duration=Duration(seconds=86400),
            oadr_report_description=tuple(_described(r_id, unit) for r_id, unit in self.points.items()),
            report_request_id="0",
            report_specifier_id="meters",
            report_name=f"METADATA_{self.report_name}",
            created_date_time=START,
        )
        self.ask("EiReport", RegisterReport(request_id="r", ven_id=self.ven_id, oadr_report=(report,)))
        return self.fetch()

    def fetch(self) -> Meter:
        """Poll until nothing is left, and agree to everything; events are left alone."""
        while not isinstance(message := self.ask("OadrPoll", Poll(ven_id=self.ven_id)), Response):
            if isinstance(message, CreateReport):
                for request in message.oadr_report_request:
                    self.requests[request.report_request_id] = request.report_specifier.report_specifier_id
                self._answer(CreatedReport)
            elif isinstance(message, CancelReport):
                for one in message.report_request_id:
                    self.requests.pop(one, None)
                self._answer(CanceledReport)
            elif isinstance(message, RegisterReport):
                self.ask("EiReport", RegisteredReport(ei_response=OK, ven_id=self.ven_id))
        return self

    def _answer(self, kind: type[CreatedReport | CanceledReport]) -> None:
        self.ask("EiReport", kind(ei_response=OK, oadr_pending_reports=tuple(self.requests), ven_id=self.ven_id))

    def send(
        self,
        begin: datetime,
        values: Iterable[Mapping[str, Value]],
        *,
        step: timedelta = MINUTE,
        request: str | None = None,
        made: datetime | None = None,
    ) -> UpdatedReport:
        """One report with an interval for each of ``values``; ``request`` is the first one if not given."""
        rows = list(values)
        length = Duration.of(step)
        report = Report(
            dtstart=begin,
            intervals=tuple(
                Interval(
                    dtstart=begin + number * step,
                    duration=length,
                    stream_payload_base=tuple(_payload(r_id, value) for r_id, value in row.items()),
                )
                for number, row in enumerate(rows)
            ),
            report_request_id=request or next(iter(self.requests)),
            report_specifier_id="meters",
            report_name=self.report_name,
            created_date_time=made or begin + len(rows) * step,
        )
        reply = self.ask("EiReport", UpdateReport(request_id="u", ven_id=self.ven_id, oadr_report=(report,)))
        assert isinstance(reply, UpdatedReport)
        return reply


def _described(r_id: str, unit: ItemBase | None) -> ReportDescription:
    return ReportDescription(
        r_id=r_id,
        report_data_source=EiTarget(resource_id=(r_id,)),
        report_type=ReportType.USAGE if unit else ReportType.X_RESOURCE_STATUS,
        item_base=unit,
        reading_type=ReadingType.DIRECT_READ if unit else ReadingType.X_NOT_APPLICABLE,
        oadr_sampling_rate=SamplingRate(oadr_min_period=Duration(seconds=60), oadr_max_period=Duration(seconds=3600)),
    )


def _payload(r_id: str, value: Value) -> ReportPayload:
    if isinstance(value, tuple):
        return ReportPayload(r_id=r_id, payload_base=value[0], oadr_data_quality=value[1])
    return ReportPayload(r_id=r_id, payload_base=value)
