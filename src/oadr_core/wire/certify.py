"""Rules that the schema cannot express and that one message alone shows to be broken (section 8.8 of the reference).

It stands alone because it looks at payloads, not at XML. Two of them are broken so often that a tolerant reader only
notes them. A strict reader refuses what the certification harness refuses; what needs the history of
the conversation, the clock or the configuration is not decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs

from ..model import (
    NAMESPACES,
    CreatedEvent,
    CreateOpt,
    CreatePartyRegistration,
    CreateReport,
    DistributeEvent,
    Duration,
    EiEventSignal,
    EiTarget,
    Event,
    Interval,
    Payload,
    PayloadResourceStatus,
    Properties,
    ReadingType,
    RegisterReport,
    Report,
    ReportName,
    SignalPayload,
    TransportName,
    UpdateReport,
)
from ..model.declare import fields_of

_NONE: Final = "0"
"""The ID of no request (R311)."""


@attrs.frozen
class Departure:
    """A broken rule: where (local names below the message, numbers from 1), and what it is.

    ``tolerable`` is what the harness only logs.
    """

    rule: str
    path: str
    text: str
    tolerable: bool = False


Found = Iterator[Departure]


def departures(payload: Payload, *, strict: bool) -> Found:
    """The rules that a message breaks: all that are decided here, or only those that a tolerant reader notes."""
    if type(payload) is DistributeEvent:
        yield from _noted(payload)
    if strict and (check := _CHECKS.get(type(payload))):
        yield from check(payload)


def _noted(payload: DistributeEvent) -> Found:
    """R105 and R103: events of many peers have no notification, and a start in their intervals; one note for each.

    The schema looks at parts of messages inside ``xcal:components``, and nobody else does.
    """
    for number, event in enumerate(payload.oadr_event, 1):
        components = event.ei_event.ei_active_period.components
        if components and any(f'"{uri}"' in components for uri in NAMESPACES.values()):
            here = f"oadrEvent[{number}]/eiEvent/eiActivePeriod/components"
            yield Departure("schema", here, "a part of a message, which is not looked at")
    silent = [
        f"oadrEvent[{number}]/eiEvent/eiActivePeriod/properties"
        for number, event in enumerate(payload.oadr_event, 1)
        if event.ei_event.ei_active_period.properties.x_ei_notification is None
    ]
    if silent:
        yield Departure("R105", silent[0], f"x-eiNotification is missing ({len(silent)} times)", tolerable=True)
    started = [
        f"{here}/intervals/interval[{index}]/dtstart"
        for here, intervals in _series(payload)
        for index, interval in enumerate(intervals, 1)
        if interval.dtstart is not None
    ]
    if started:
        yield Departure("R103", started[0], f"an interval of an event has a start ({len(started)} times)")


def _series(payload: DistributeEvent) -> Iterator[tuple[str, tuple[Interval, ...]]]:
    """Where the intervals of all signals and baselines stand."""
    for event_number, event in enumerate(payload.oadr_event, 1):
        here, signals = f"oadrEvent[{event_number}]/eiEvent/eiEventSignals", event.ei_event.ei_event_signals
        for number, signal in enumerate(signals.ei_event_signal, 1):
            yield f"{here}/eiEventSignal[{number}]", signal.intervals
        if signals.ei_event_baseline is not None:
            yield f"{here}/eiEventBaseline", signals.ei_event_baseline.intervals


# --- events ---------------------------------------------------------------------------------------------------------


def _distribute_event(payload: DistributeEvent) -> Found:
    if not payload.request_id:
        yield Departure("R41", "requestID", "the requestID is empty")
    yield from _unique(
        "R70",
        [event.ei_event.event_descriptor.event_id for event in payload.oadr_event],
        "oadrEvent",
        "eiEvent/eventDescriptor/eventID",
    )
    if len({event.ei_event.event_descriptor.created_date_time for event in payload.oadr_event}) > 1:
        yield Departure(
            "R115", "oadrEvent[2]/eiEvent/eventDescriptor/createdDateTime", "the events differ in createdDateTime"
        )
    for number, event in enumerate(payload.oadr_event, 1):
        yield from _event(event, f"oadrEvent[{number}]/eiEvent")


def _event(event: Event, here: str) -> Found:
    body, signals = event.ei_event, event.ei_event.ei_event_signals
    if len(body.ei_target.ven_id) > 1:
        yield Departure("R63", f"{here}/eiTarget/venID[2]", "more than one venID")
    place = f"{here}/eiEventSignals"
    yield from _unique(
        "R107", [signal.signal_id for signal in signals.ei_event_signal], f"{place}/eiEventSignal", "signalID"
    )
    for number, signal in enumerate(signals.ei_event_signal, 1):
        yield from _signal(signal, body.ei_active_period.properties.duration, f"{place}/eiEventSignal[{number}]")
    if signals.ei_event_baseline is not None:
        baseline = signals.ei_event_baseline
        yield from _intervals(baseline.intervals, baseline.duration, f"{place}/eiEventBaseline/intervals", "R102")


def _signal(signal: EiEventSignal, total: Duration, here: str) -> Found:
    yield from _intervals(signal.intervals, total, f"{here}/intervals", "R8")
    if signal.ei_target is not None:
        yield from _device_classes("R111", signal.ei_target, f"{here}/eiTarget")


def _intervals(intervals: tuple[Interval, ...], total: Duration, here: str, rule: str) -> Found:
    lengths = []
    for index, interval in enumerate(intervals):
        place = f"{here}/interval[{index + 1}]"
        if interval.uid != str(index):
            yield Departure("R2", f"{place}/uid", f"the uid is not {index}")
        if interval.duration is None:
            yield Departure("R102", place, "the duration is missing")
        else:
            lengths.append(interval.duration)
        values = interval.stream_payload_base
        if (
            len(values) != 1
            or type(values[0]) is not SignalPayload
            or type(values[0].payload_base) is PayloadResourceStatus
        ):
            yield Departure("R100", place, "exactly one signalPayload with a number is expected")
    sums = sum(length.months for length in lengths), sum(length.seconds for length in lengths)
    if len(lengths) == len(intervals) and sums != (total.months, total.seconds):
        yield Departure(rule, here, f"the durations do not add up to {total}")


def _created_event(payload: CreatedEvent) -> Found:
    body = payload.ei_created_event
    if body.event_responses is None and body.ei_response.ok:
        yield Departure("R35", "eiCreatedEvent", "eventResponses is missing")
    if body.event_responses and body.ei_response.request_id:
        yield Departure(
            "R42", "eiCreatedEvent/eiResponse/requestID", "the requestID beside eventResponses is not empty"
        )


# --- opts and registration ------------------------------------------------------------------------------------------


def _create_opt(payload: CreateOpt) -> Found:
    about_event = payload.qualified_event_id is not None
    if about_event and payload.market_context is not None:
        yield Departure("R206", "marketContext", "an opt to an event has no marketContext")
    if about_event is (payload.vavailability is not None):
        yield Departure("R206", "vavailability", "exactly one of vavailability and qualifiedEventID is expected")
    for number, window in enumerate(payload.vavailability or (), 1):
        yield from _plain("R200", window, f"vavailability/components/available[{number}]/properties")
    if payload.oadr_device_class is not None:
        yield from _device_classes("R209", payload.oadr_device_class, "oadrDeviceClass")


def _create_party_registration(payload: CreatePartyRegistration) -> Found:
    if payload.oadr_transport_name == TransportName.SIMPLE_HTTP and payload.oadr_http_pull_model is None:
        yield Departure("R402", "oadrHttpPullModel", "oadrHttpPullModel is missing")


# --- reports --------------------------------------------------------------------------------------------------------


def _register_report(payload: RegisterReport) -> Found:
    for number, report in enumerate(payload.oadr_report, 1):
        yield from _metadata(report, f"oadrReport[{number}]")
    names = {report.report_name for report in payload.oadr_report}
    needed = {ReportName.METADATA_TELEMETRY_STATUS, ReportName.METADATA_TELEMETRY_USAGE}
    if payload.ven_id is not None and names and not needed <= names:
        yield Departure("R510", "oadrReport[1]", "METADATA_TELEMETRY_STATUS and METADATA_TELEMETRY_USAGE are expected")


def _metadata(report: Report, here: str) -> Found:
    if report.report_request_id != _NONE:
        yield Departure("R311", f"{here}/reportRequestID", "the reportRequestID of metadata is 0")
    if report.duration is None:
        yield Departure("R312", here, "the duration is missing")
    for name, value in (
        ("intervals", report.intervals),
        ("dtstart", report.dtstart),
        ("eiReportID", report.ei_report_id),
    ):
        if value:
            yield Departure("R305", f"{here}/{name}", f"metadata has no {name}")
    if not report.oadr_report_description:
        yield Departure("R305", here, "oadrReportDescription is missing")
    telemetry = str(report.report_name).startswith("METADATA_TELEMETRY")
    for number, description in enumerate(report.oadr_report_description, 1):
        place = f"{here}/oadrReportDescription[{number}]"
        if telemetry and description.oadr_sampling_rate is None:
            yield Departure("R333", place, "oadrSamplingRate is missing")
        if description.report_subject is not None:
            yield from _device_classes("R307", description.report_subject, f"{place}/reportSubject")


def _create_report(payload: CreateReport) -> Found:
    requests = payload.oadr_report_request
    yield from _unique(
        "R322", [request.report_request_id for request in requests], "oadrReportRequest", "reportRequestID"
    )
    for number, request in enumerate(requests, 1):
        here, specifier = f"oadrReportRequest[{number}]", request.report_specifier
        if request.report_request_id == _NONE:
            yield Departure("R322", f"{here}/reportRequestID", "the reportRequestID is 0")
        if specifier.report_interval is not None:
            yield from _plain("R321", specifier.report_interval, f"{here}/reportSpecifier/reportInterval/properties")
        for index, point in enumerate(specifier.specifier_payload, 1):
            place = f"{here}/reportSpecifier/specifierPayload[{index}]"
            if point.item_base is not None:
                yield Departure("R321", place, "a requested data point has no unit")
            if point.reading_type != ReadingType.X_NOT_APPLICABLE:
                yield Departure("R338", f"{place}/readingType", "the readingType is not x-notApplicable")


def _update_report(payload: UpdateReport) -> Found:
    for number, report in enumerate(payload.oadr_report, 1):
        here = f"oadrReport[{number}]"
        for name, value in (
            ("dtstart", report.dtstart),
            ("intervals", report.intervals),
            ("reportName", report.report_name),
        ):
            if not value:
                yield Departure("R313", here, f"{name} is missing")
        if str(report.report_name).startswith("METADATA_"):
            yield Departure("R313", f"{here}/reportName", "the name of a metadata report")
        if report.oadr_report_description:
            yield Departure(
                "R313", f"{here}/oadrReportDescription[1]", "a report with data has no oadrReportDescription"
            )
        yield from _samples(report.intervals, report.dtstart, f"{here}/intervals")


def _samples(intervals: tuple[Interval, ...], start: Any, here: str) -> Found:
    starts = [interval.dtstart for interval in intervals if interval.dtstart is not None]
    if starts and len(starts) != len(intervals):
        yield Departure("R314", here, "only some intervals have a dtstart")
    elif starts and (starts != sorted(starts) or starts[0] != start):
        yield Departure("R314", here, "the intervals do not begin at the report's dtstart, or are out of order")
    for index, interval in enumerate(intervals):
        if not starts and interval.uid != str(index):
            yield Departure("R316", f"{here}/interval[{index + 1}]/uid", f"the uid is not {index}")


# --- parts ----------------------------------------------------------------------------------------------------------


def _unique(rule: str, identifiers: Iterable[str], before: str, after: str) -> Found:
    seen = set()
    for number, identifier in enumerate(identifiers, 1):
        if identifier in seen:
            yield Departure(rule, f"{before}[{number}]/{after}", "an identifier that is there already")
        seen.add(identifier)


def _device_classes(rule: str, target: EiTarget, here: str) -> Found:
    if not target.end_device_asset or any(
        getattr(target, spec.name) for spec in fields_of(EiTarget) if spec.name != "end_device_asset"
    ):
        yield Departure(rule, here, "device classes and nothing else are expected")


def _plain(rule: str, properties: Properties, here: str) -> Found:
    extras = (properties.tolerance, properties.x_ei_notification, properties.x_ei_ramp_up, properties.x_ei_recovery)
    if any(extra is not None for extra in extras):
        yield Departure(rule, here, "only dtstart and duration are expected")


_CHECKS: Final[Mapping[type, Callable[[Any], Found]]] = MappingProxyType(
    {
        CreateOpt: _create_opt,
        CreatePartyRegistration: _create_party_registration,
        CreateReport: _create_report,
        CreatedEvent: _created_event,
        DistributeEvent: _distribute_event,
        RegisterReport: _register_report,
        UpdateReport: _update_report,
    }
)
