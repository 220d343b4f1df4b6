"""The four measured messages: as the bytes that every contestant reads, and as what the peer is told to write.

It needs only the standard library and none of the contestants, so the same module runs on both sides and nobody's
writer makes the input. Bytes and dicts come from the same values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from typing import Any, NamedTuple

START = datetime(2030, 1, 1, tzinfo=UTC)
FIVE_MINUTES = timedelta(minutes=5)
HOUR = timedelta(hours=1)

_NAMESPACES = (
    ' xmlns:oadr="http://openadr.org/oadr-2.0b/2012/07"'
    ' xmlns:ei="http://docs.oasis-open.org/ns/energyinterop/201110"'
    ' xmlns:pyld="http://docs.oasis-open.org/ns/energyinterop/201110/payloads"'
    ' xmlns:emix="http://docs.oasis-open.org/ns/emix/2011/06"'
    ' xmlns:xcal="urn:ietf:params:xml:ns:icalendar-2.0"'
    ' xmlns:strm="urn:ietf:params:xml:ns:icalendar-2.0:stream"'
)


class Message(NamedTuple):
    """One measured message."""

    key: str
    title: str
    documents: tuple[bytes, ...]  # what is read, in turn
    peer_type: str  # what the peer is told to write
    peer_payload: dict[str, Any]

    @property
    def document(self) -> bytes:
        """The first document, which is what is written."""
        return self.documents[0]

    def each(self, count: int) -> Iterator[bytes]:
        """So many documents."""
        return islice(cycle(self.documents), count)


def messages() -> list[Message]:
    """Return the four messages, small to large."""
    events_24 = [_event(0, 24, HOUR)]
    events_5x288 = [_event(number, 288, FIVE_MINUTES) for number in range(5)]
    report = _report(288)
    return [
        Message("poll", "oadrPoll", _polls(), "oadrPoll", {"ven_id": "ven-1"}),
        Message(
            "event-24",
            "oadrDistributeEvent, 1 event × 24 intervals",
            (_document(_distribute_xml(events_24)),),
            "oadrDistributeEvent",
            _distribute_payload(events_24),
        ),
        Message(
            "event-5x288",
            "oadrDistributeEvent, 5 events × 288 intervals",
            (_document(_distribute_xml(events_5x288)),),
            "oadrDistributeEvent",
            _distribute_payload(events_5x288),
        ),
        Message(
            "report-288",
            "oadrUpdateReport, 288 intervals",
            (_document(_update_xml(report)),),
            "oadrUpdateReport",
            {"ven_id": "ven-1", "request_id": "request-1", "reports": [report]},
        ),
    ]


def _polls() -> tuple[bytes, ...]:
    """A poll of each of a hundred VENs, so that nobody reads the same one twice in a row."""
    return tuple(_document(_poll_xml(f"ven-{number}")) for number in range(1, 101))


def report_document(count: int) -> bytes:
    """Return an oadrUpdateReport with so many intervals, for measuring by size."""
    return _document(_update_xml(_report(count)))


def _event(number: int, count: int, length: timedelta) -> dict[str, Any]:
    """Return one event with one signal, in the peer's form."""
    return {
        "event_descriptor": {
            "event_id": f"event-{number}",
            "modification_number": 0,
            "modification_date_time": START,
            "priority": 1,
            "market_context": "http://example.com/prices",
            "created_date_time": START,
            "event_status": "far",
            "test_event": False,
            "vtn_comment": "day-ahead prices",
        },
        "active_period": {"dtstart": START, "duration": count * length, "notification_period": HOUR},
        "event_signals": [
            {
                "intervals": [{"duration": length, "signal_payload": _value(index)} for index in range(count)],
                "signal_name": "ELECTRICITY_PRICE",
                "signal_type": "price",
                "signal_id": f"signal-{number}",
            }
        ],
        "targets": [{"ven_id": "ven-1"}],
        "response_required": "always",
    }


def _report(count: int) -> dict[str, Any]:
    """Return one telemetry report with one value per interval, in the peer's form."""
    return {
        "dtstart": START,
        "intervals": [
            {
                "dtstart": START + index * FIVE_MINUTES,
                "duration": FIVE_MINUTES,
                "report_payload": {"r_id": "power-1", "value": _value(index)},
            }
            for index in range(count)
        ],
        "report_id": "report-1",
        "report_request_id": "report-request-1",
        "report_specifier_id": "specifier-1",
        "report_name": "TELEMETRY_USAGE",
        "created_date_time": START,
    }


def _value(index: int) -> float:
    """Return a value whose text is short and not always the same length."""
    return round(0.05 + index % 97 * 0.0125, 4)


def _document(message: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<oadr:oadrPayload{_NAMESPACES}><oadr:oadrSignedObject oadr:Id="oadrSignedObject">{message}'
        "</oadr:oadrSignedObject></oadr:oadrPayload>"
    ).encode()


def _poll_xml(ven_id: str) -> str:
    return f'<oadr:oadrPoll ei:schemaVersion="2.0b"><ei:venID>{ven_id}</ei:venID></oadr:oadrPoll>'


def _distribute_payload(events: list[dict[str, Any]]) -> dict[str, Any]:
    response = {"response_code": 200, "response_description": "OK", "request_id": "request-1"}
    return {"response": response, "request_id": "request-2", "vtn_id": "VTN-1", "events": events}


def _distribute_xml(events: list[dict[str, Any]]) -> str:
    return (
        '<oadr:oadrDistributeEvent ei:schemaVersion="2.0b"><ei:eiResponse><ei:responseCode>200</ei:responseCode>'
        "<ei:responseDescription>OK</ei:responseDescription><pyld:requestID>request-1</pyld:requestID>"
        "</ei:eiResponse><pyld:requestID>request-2</pyld:requestID><ei:vtnID>VTN-1</ei:vtnID>"
        f"{''.join(map(_event_xml, events))}</oadr:oadrDistributeEvent>"
    )


def _event_xml(event: dict[str, Any]) -> str:
    descriptor, period, [signal] = event["event_descriptor"], event["active_period"], event["event_signals"]
    return (
        "<oadr:oadrEvent><ei:eiEvent><ei:eventDescriptor>"
        f"<ei:eventID>{descriptor['event_id']}</ei:eventID>"
        f"<ei:modificationNumber>{descriptor['modification_number']}</ei:modificationNumber>"
        f"<ei:modificationDateTime>{_moment(descriptor['modification_date_time'])}</ei:modificationDateTime>"
        f"<ei:priority>{descriptor['priority']}</ei:priority><ei:eiMarketContext>"
        f"<emix:marketContext>{descriptor['market_context']}</emix:marketContext></ei:eiMarketContext>"
        f"<ei:createdDateTime>{_moment(descriptor['created_date_time'])}</ei:createdDateTime>"
        f"<ei:eventStatus>{descriptor['event_status']}</ei:eventStatus><ei:testEvent>false</ei:testEvent>"
        f"<ei:vtnComment>{descriptor['vtn_comment']}</ei:vtnComment></ei:eventDescriptor>"
        f"<ei:eiActivePeriod><xcal:properties>{_dtstart(period['dtstart'])}{_duration(period['duration'])}"
        f"<ei:x-eiNotification><xcal:duration>{_length(period['notification_period'])}</xcal:duration>"
        "</ei:x-eiNotification></xcal:properties><xcal:components/></ei:eiActivePeriod>"
        f"<ei:eiEventSignals><ei:eiEventSignal><strm:intervals>{''.join(_intervals_xml(signal, _signal_xml))}"
        f"</strm:intervals><ei:signalName>{signal['signal_name']}</ei:signalName>"
        f"<ei:signalType>{signal['signal_type']}</ei:signalType><ei:signalID>{signal['signal_id']}</ei:signalID>"
        f"</ei:eiEventSignal></ei:eiEventSignals><ei:eiTarget><ei:venID>{event['targets'][0]['ven_id']}</ei:venID>"
        "</ei:eiTarget></ei:eiEvent>"
        f"<oadr:oadrResponseRequired>{event['response_required']}</oadr:oadrResponseRequired></oadr:oadrEvent>"
    )


def _update_xml(report: dict[str, Any]) -> str:
    return (
        '<oadr:oadrUpdateReport ei:schemaVersion="2.0b"><pyld:requestID>request-1</pyld:requestID><oadr:oadrReport>'
        f"{_dtstart(report['dtstart'])}<strm:intervals>{''.join(_intervals_xml(report, _reported_xml))}"
        f"</strm:intervals><ei:eiReportID>{report['report_id']}</ei:eiReportID>"
        f"<ei:reportRequestID>{report['report_request_id']}</ei:reportRequestID>"
        f"<ei:reportSpecifierID>{report['report_specifier_id']}</ei:reportSpecifierID>"
        f"<ei:reportName>{report['report_name']}</ei:reportName>"
        f"<ei:createdDateTime>{_moment(report['created_date_time'])}</ei:createdDateTime></oadr:oadrReport>"
        "<ei:venID>ven-1</ei:venID></oadr:oadrUpdateReport>"
    )


def _intervals_xml(parent: dict[str, Any], inner: Callable[[int, dict[str, Any]], str]) -> list[str]:
    return [
        f"<ei:interval>{inner(index, interval)}</ei:interval>" for index, interval in enumerate(parent["intervals"])
    ]


def _signal_xml(index: int, interval: dict[str, Any]) -> str:
    return (
        f"{_duration(interval['duration'])}<xcal:uid><xcal:text>{index}</xcal:text></xcal:uid><ei:signalPayload>"
        f"<ei:payloadFloat><ei:value>{interval['signal_payload']}</ei:value></ei:payloadFloat></ei:signalPayload>"
    )


def _reported_xml(_index: int, interval: dict[str, Any]) -> str:
    payload = interval["report_payload"]
    return (
        f"{_dtstart(interval['dtstart'])}{_duration(interval['duration'])}<oadr:oadrReportPayload>"
        f"<ei:rID>{payload['r_id']}</ei:rID><ei:payloadFloat><ei:value>{payload['value']}</ei:value></ei:payloadFloat>"
        "</oadr:oadrReportPayload>"
    )


def _dtstart(moment: datetime) -> str:
    return f"<xcal:dtstart><xcal:date-time>{_moment(moment)}</xcal:date-time></xcal:dtstart>"


def _duration(length: timedelta) -> str:
    return f"<xcal:duration><xcal:duration>{_length(length)}</xcal:duration></xcal:duration>"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _length(length: timedelta) -> str:
    days, minutes = length.days, length.seconds // 60
    time = f"T{minutes}M" if minutes else ""
    return f"P{days}D{time}" if days else f"P{time}"
