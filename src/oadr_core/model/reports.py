"""Reports: what can be measured, what is asked for, and the values (sections 2.3 and 2.10).

It stands alone as the payloads of the service EiReport.
"""

from __future__ import annotations

from datetime import datetime

from .base import EiResponse, Payload
from .declare import BOOLEAN, DATE_TIME, DURATION, TEXT, URI, each, extensible, many, message, one, opt, schema, some
from .intervals import Interval, Properties
from .targets import EiTarget
from .units import ITEM_BASE, ItemBase
from .values import Duration
from .vocabulary import ReadingType, ReportName, ReportType

METADATA = "METADATA"
"""The report specifier that asks for the list of reports itself (R327)."""


@schema
class SamplingRate:
    """How often a data point can be sampled (O:819)."""

    oadr_min_period: Duration = one("oadr:oadrMinPeriod", DURATION)
    oadr_max_period: Duration = one("oadr:oadrMaxPeriod", DURATION)
    oadr_on_change: bool = one("oadr:oadrOnChange", BOOLEAN, default=False)


@schema
class ReportDescription:
    """One data point that can be reported (O:800)."""

    r_id: str = one("ei:rID", TEXT)
    report_subject: EiTarget | None = opt("ei:reportSubject", EiTarget)
    report_data_source: EiTarget | None = opt("ei:reportDataSource", EiTarget)
    report_type: ReportType | str = one("ei:reportType", extensible(ReportType))
    item_base: ItemBase | None = opt("", ITEM_BASE)
    reading_type: ReadingType | str = one("ei:readingType", extensible(ReadingType))
    market_context: str | None = opt("emix:marketContext", URI)
    oadr_sampling_rate: SamplingRate | None = opt("oadr:oadrSamplingRate", SamplingRate)


@schema
class Report:
    """Metadata of a report (descriptions, no intervals), or its data (the other way round) (O:761, R305, R313)."""

    dtstart: datetime | None = opt("xcal:dtstart/xcal:date-time", DATE_TIME)
    duration: Duration | None = opt("xcal:duration/xcal:duration", DURATION)
    intervals: tuple[Interval, ...] = many("strm:intervals/ei:interval*", Interval)
    ei_report_id: str | None = opt("ei:eiReportID", TEXT)
    oadr_report_description: tuple[ReportDescription, ...] = many("oadr:oadrReportDescription*", ReportDescription)
    report_request_id: str = one("ei:reportRequestID", TEXT)
    report_specifier_id: str = one("ei:reportSpecifierID", TEXT)
    report_name: ReportName | str | None = opt("ei:reportName", extensible(ReportName))
    created_date_time: datetime = one("ei:createdDateTime", DATE_TIME)


@schema
class SpecifierPayload:
    """One data point that is asked for (EI:967); ``reading_type`` is x-notApplicable (R338)."""

    r_id: str = one("ei:rID", TEXT)
    item_base: ItemBase | None = opt("", ITEM_BASE)
    reading_type: ReadingType | str = one(
        "ei:readingType", extensible(ReadingType), default=ReadingType.X_NOT_APPLICABLE
    )


@schema
class ReportSpecifier:
    """What is asked for, how often, and for how long (EI:941, rules R317, R324, R325)."""

    report_specifier_id: str = one("ei:reportSpecifierID", TEXT)
    granularity: Duration = one("xcal:granularity/xcal:duration", DURATION)
    report_back_duration: Duration = one("ei:reportBackDuration/xcal:duration", DURATION)
    report_interval: Properties | None = opt("ei:reportInterval/xcal:properties", Properties)
    specifier_payload: tuple[SpecifierPayload, ...] = some("ei:specifierPayload*", SpecifierPayload)


@schema
class ReportRequest:
    """A request for reports (O:750)."""

    report_request_id: str = one("ei:reportRequestID", TEXT)
    report_specifier: ReportSpecifier = one("ei:reportSpecifier", ReportSpecifier)


@message("oadr:oadrRegisterReport")
class RegisterReport(Payload):
    """All reports that a party can give (R306); ``report_request_id`` only in answer to a METADATA request (R311)."""

    request_id: str = one("pyld:requestID", TEXT)
    oadr_report: tuple[Report, ...] = many("oadr:oadrReport*", Report)
    ven_id: str | None = opt("ei:venID", TEXT)
    report_request_id: str | None = opt("ei:reportRequestID", TEXT)


@message("oadr:oadrRegisteredReport")
class RegisteredReport(Payload):
    """The list was taken; perhaps with first requests (R344)."""

    ei_response: EiResponse = one("ei:eiResponse", EiResponse)
    oadr_report_request: tuple[ReportRequest, ...] = many("oadr:oadrReportRequest*", ReportRequest)
    ven_id: str | None = opt("ei:venID", TEXT)


@message("oadr:oadrCreateReport")
class CreateReport(Payload):
    """Requests for reports."""

    request_id: str = one("pyld:requestID", TEXT)
    oadr_report_request: tuple[ReportRequest, ...] = some("oadr:oadrReportRequest*", ReportRequest)
    ven_id: str | None = opt("ei:venID", TEXT)


@message("oadr:oadrCreatedReport")
class CreatedReport(Payload):
    """The answer to a request: every request still to be served (R329)."""

    ei_response: EiResponse = one("ei:eiResponse", EiResponse)
    oadr_pending_reports: tuple[str, ...] = each("oadr:oadrPendingReports/ei:reportRequestID*", TEXT)
    ven_id: str | None = opt("ei:venID", TEXT)


@message("oadr:oadrUpdateReport")
class UpdateReport(Payload):
    """Values."""

    request_id: str = one("pyld:requestID", TEXT)
    oadr_report: tuple[Report, ...] = many("oadr:oadrReport*", Report)
    ven_id: str | None = opt("ei:venID", TEXT)


@message("oadr:oadrCancelReport")
class CancelReport(Payload):
    """Requests taken back; ``report_to_follow`` asks for one last report (R345)."""

    request_id: str = one("pyld:requestID", TEXT)
    report_request_id: tuple[str, ...] = some("ei:reportRequestID*", TEXT)
    report_to_follow: bool = one("pyld:reportToFollow", BOOLEAN, default=False)
    ven_id: str | None = opt("ei:venID", TEXT)


@message("oadr:oadrUpdatedReport")
class UpdatedReport(Payload):
    """Values were taken; perhaps with a cancellation (R328, R335)."""

    ei_response: EiResponse = one("ei:eiResponse", EiResponse)
    oadr_cancel_report: CancelReport | None = opt("oadr:oadrCancelReport", CancelReport)
    ven_id: str | None = opt("ei:venID", TEXT)


@message("oadr:oadrCanceledReport")
class CanceledReport(Payload):
    """Requests were taken back; what is still to be served (R329)."""

    ei_response: EiResponse = one("ei:eiResponse", EiResponse)
    oadr_pending_reports: tuple[str, ...] = each("oadr:oadrPendingReports/ei:reportRequestID*", TEXT)
    ven_id: str | None = opt("ei:venID", TEXT)
