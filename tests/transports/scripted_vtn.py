"""A small VTN over real HTTP that answers as it is told: well by default, badly on request.

It stands in front of our VEN in the tests of bad days. Its answers are text, so that it shares no code, and so no
error, with what it tests. What it receives is observed as `request`, with the message's name and the body.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections import defaultdict, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple, Self

from tests.observations import Observations

VEN_ID = "ven-1"
REGISTRATION_ID = "registration-1"
VTN_ID = "VTN-1"

_MESSAGE = re.compile(rb"<(?:\w+:)?(oadr(?!Payload|SignedObject)\w+)[\s/>]")
_REQUEST_ID = re.compile(rb"<(?:\w+:)?requestID(?:\s[^>]*)?>([^<]*)<")


class Answer(NamedTuple):
    """What goes back for one request."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/xml"
    closes_early: bool = False  # announce more than is sent, then close
    silent: bool = False  # never answer


def envelope(inner: str) -> Answer:
    """Return an answer with one message in the usual envelope."""
    return Answer(
        (
            '<oadr:oadrPayload xmlns:oadr="http://openadr.org/oadr-2.0b/2012/07"'
            ' xmlns:ei="http://docs.oasis-open.org/ns/energyinterop/201110"'
            ' xmlns:pyld="http://docs.oasis-open.org/ns/energyinterop/201110/payloads"'
            ' xmlns:emix="http://docs.oasis-open.org/ns/emix/2011/06"'
            ' xmlns:xcal="urn:ietf:params:xml:ns:icalendar-2.0"'
            ' xmlns:strm="urn:ietf:params:xml:ns:icalendar-2.0:stream">'
            f"<oadr:oadrSignedObject>{inner}</oadr:oadrSignedObject></oadr:oadrPayload>"
        ).encode()
    )


def response(request_id: str, code: str = "200", description: str = "OK") -> str:
    """Return an eiResponse."""
    return (
        f"<ei:eiResponse><ei:responseCode>{code}</ei:responseCode>"
        f"<ei:responseDescription>{description}</ei:responseDescription>"
        f"<pyld:requestID>{request_id}</pyld:requestID></ei:eiResponse>"
    )


def created_party_registration(request_id: str, *, registered: bool, code: str = "200", text: str = "OK") -> Answer:
    """Return oadrCreatedPartyRegistration: to a query, to a registration, or (by the code) a refusal."""
    ids = f"<ei:registrationID>{REGISTRATION_ID}</ei:registrationID><ei:venID>{VEN_ID}</ei:venID>" if registered else ""
    return envelope(
        f'<oadr:oadrCreatedPartyRegistration ei:schemaVersion="2.0b">{response(request_id, code, text)}{ids}'
        f"<ei:vtnID>{VTN_ID}</ei:vtnID><oadr:oadrProfiles><oadr:oadrProfile>"
        "<oadr:oadrProfileName>2.0b</oadr:oadrProfileName><oadr:oadrTransports><oadr:oadrTransport>"
        "<oadr:oadrTransportName>simpleHttp</oadr:oadrTransportName></oadr:oadrTransport></oadr:oadrTransports>"
        "</oadr:oadrProfile></oadr:oadrProfiles><oadr:oadrRequestedOadrPollFreq><xcal:duration>PT1S</xcal:duration>"
        "</oadr:oadrRequestedOadrPollFreq></oadr:oadrCreatedPartyRegistration>"
    )


def plain_response(request_id: str = "") -> Answer:
    """Return oadrResponse 200."""
    return envelope(
        f'<oadr:oadrResponse ei:schemaVersion="2.0b">{response(request_id)}<ei:venID>{VEN_ID}</ei:venID>'
        "</oadr:oadrResponse>"
    )


def updated_report(request_id: str = "") -> Answer:
    """Return oadrUpdatedReport."""
    return envelope(
        f'<oadr:oadrUpdatedReport ei:schemaVersion="2.0b">{response(request_id)}<ei:venID>{VEN_ID}</ei:venID>'
        "</oadr:oadrUpdatedReport>"
    )


def registered_report(request_id: str, *requests: str) -> Answer:
    """Return oadrRegisteredReport with these requests, or none."""
    return envelope(
        f'<oadr:oadrRegisteredReport ei:schemaVersion="2.0b">{response(request_id)}{"".join(requests)}'
        f"<ei:venID>{VEN_ID}</ei:venID></oadr:oadrRegisteredReport>"
    )


def report_request(
    report_request_id: str,
    report_specifier_id: str,
    *r_ids: str,
    granularity: str = "PT1S",
    back: str = "PT1S",
    start: str = "2020-01-01T00:00:00Z",
    length: str | None = "PT0S",
) -> str:
    """Return oadrReportRequest, for a message; without `length` it has no period."""
    period = (
        f"<ei:reportInterval><xcal:properties><xcal:dtstart><xcal:date-time>{start}</xcal:date-time></xcal:dtstart>"
        f"<xcal:duration><xcal:duration>{length}</xcal:duration></xcal:duration></xcal:properties></ei:reportInterval>"
    )
    wanted = "".join(
        f"<ei:specifierPayload><ei:rID>{r_id}</ei:rID><ei:readingType>x-notApplicable</ei:readingType>"
        "</ei:specifierPayload>"
        for r_id in r_ids
    )
    return (
        f"<oadr:oadrReportRequest><ei:reportRequestID>{report_request_id}</ei:reportRequestID><ei:reportSpecifier>"
        f"<ei:reportSpecifierID>{report_specifier_id}</ei:reportSpecifierID>"
        f"<xcal:granularity><xcal:duration>{granularity}</xcal:duration></xcal:granularity>"
        f"<ei:reportBackDuration><xcal:duration>{back}</xcal:duration></ei:reportBackDuration>"
        f"{period if length is not None else ''}{wanted}</ei:reportSpecifier></oadr:oadrReportRequest>"
    )


def create_report(*requests: str) -> Answer:
    """Return oadrCreateReport, for a poll."""
    return envelope(
        '<oadr:oadrCreateReport ei:schemaVersion="2.0b"><pyld:requestID>create-1</pyld:requestID>'
        f"{''.join(requests)}<ei:venID>{VEN_ID}</ei:venID></oadr:oadrCreateReport>"
    )


def cancel_report(*report_request_ids: str, to_follow: bool = False) -> Answer:
    """Return oadrCancelReport, for a poll."""
    ids = "".join(f"<ei:reportRequestID>{each}</ei:reportRequestID>" for each in report_request_ids)
    return envelope(
        '<oadr:oadrCancelReport ei:schemaVersion="2.0b"><pyld:requestID>cancel-2</pyld:requestID>'
        f"{ids}<pyld:reportToFollow>{str(to_follow).lower()}</pyld:reportToFollow><ei:venID>{VEN_ID}</ei:venID>"
        "</oadr:oadrCancelReport>"
    )


def canceled_party_registration(request_id: str) -> Answer:
    """Return oadrCanceledPartyRegistration."""
    return envelope(
        f'<oadr:oadrCanceledPartyRegistration ei:schemaVersion="2.0b">{response(request_id)}'
        f"<ei:registrationID>{REGISTRATION_ID}</ei:registrationID><ei:venID>{VEN_ID}</ei:venID>"
        "</oadr:oadrCanceledPartyRegistration>"
    )


def cancel_party_registration() -> Answer:
    """Return oadrCancelPartyRegistration, for a poll."""
    return envelope(
        '<oadr:oadrCancelPartyRegistration ei:schemaVersion="2.0b"><pyld:requestID>cancel-1</pyld:requestID>'
        f"<ei:registrationID>{REGISTRATION_ID}</ei:registrationID><ei:venID>{VEN_ID}</ei:venID>"
        "</oadr:oadrCancelPartyRegistration>"
    )


def distribute_event(request_id: str = "", *, event_id: str | None = None) -> Answer:
    """Return oadrDistributeEvent with one event of one interval, or with none."""
    event = "" if event_id is None else _event(event_id)
    return envelope(
        f'<oadr:oadrDistributeEvent ei:schemaVersion="2.0b">{response(request_id)}'
        f"<pyld:requestID>distribute-1</pyld:requestID><ei:vtnID>{VTN_ID}</ei:vtnID>{event}</oadr:oadrDistributeEvent>"
    )


def _event(event_id: str) -> str:
    return (
        f"<oadr:oadrEvent><ei:eiEvent><ei:eventDescriptor><ei:eventID>{event_id}</ei:eventID>"
        "<ei:modificationNumber>0</ei:modificationNumber><ei:eiMarketContext>"
        "<emix:marketContext>http://example.com/prices</emix:marketContext></ei:eiMarketContext>"
        "<ei:createdDateTime>2020-01-01T00:00:00Z</ei:createdDateTime><ei:eventStatus>far</ei:eventStatus>"
        "</ei:eventDescriptor><ei:eiActivePeriod><xcal:properties><xcal:dtstart>"
        "<xcal:date-time>2099-01-01T00:00:00Z</xcal:date-time></xcal:dtstart><xcal:duration>"
        "<xcal:duration>PT1H</xcal:duration></xcal:duration></xcal:properties><xcal:components/></ei:eiActivePeriod>"
        "<ei:eiEventSignals><ei:eiEventSignal><strm:intervals><ei:interval><xcal:duration>"
        "<xcal:duration>PT1H</xcal:duration></xcal:duration><xcal:uid><xcal:text>0</xcal:text></xcal:uid>"
        "<ei:signalPayload><ei:payloadFloat><ei:value>1</ei:value></ei:payloadFloat></ei:signalPayload></ei:interval>"
        "</strm:intervals><ei:signalName>SIMPLE</ei:signalName><ei:signalType>level</ei:signalType>"
        "<ei:signalID>signal-1</ei:signalID></ei:eiEventSignal></ei:eiEventSignals><ei:eiTarget/></ei:eiEvent>"
        "<oadr:oadrResponseRequired>always</oadr:oadrResponseRequired></oadr:oadrEvent>"
    )


HTML_PAGE = Answer(b"<!DOCTYPE html>\n<html><body><h1>Log in to the hotel network</h1></body></html>", 200, "text/html")
EMPTY = Answer()
SERVER_ERROR = Answer(status=500)
HALF_A_DOCUMENT = Answer(plain_response().body[: len(plain_response().body) // 2])
BROKEN_OFF = Answer(plain_response().body, closes_early=True)
WRONG_TYPE = canceled_party_registration("")
SILENCE = Answer(silent=True)


class ScriptedVtn(Observations):
    """The server. Inside a `with` block it is up; `go_down` and `come_up` keep its address."""

    def __init__(self) -> None:
        super().__init__()
        self._scripts: defaultdict[str, deque[Answer]] = defaultdict(deque)
        self._ending = threading.Event()
        # Bound at once, so that the address is ours; refused until it listens.
        self._server = self._bound(0)
        self._port: int = self._server.server_address[1]
        self._thread: threading.Thread | None = None
        self._moving = threading.RLock()  # a handler that runs in a thread may take it down while the test ends
        self._is_over = False

    @property
    def url(self) -> str:
        """The address for the client."""
        return f"http://127.0.0.1:{self._port}/OpenADR2/Simple/2.0b"

    def script(self, message: str, *answers: Answer) -> None:
        """Answer the next requests of that message (`*`: of any) with these, in order; then well again."""
        self._scripts[message].extend(answers)

    def come_up(self) -> None:
        """Listen and serve."""
        with self._moving:
            if self._is_over:
                return
            self._ending.clear()
            self._server.server_activate()
            self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
            self._thread.start()

    def go_down(self) -> None:
        """Close the listening socket and refuse connections; the address stays ours."""
        self._ending.set()
        with self._moving:
            if self._is_over:
                return
            if self._thread is not None:
                self._server.shutdown()
                self._thread.join()
                self._thread = None
            self._server.server_close()
            self._server = self._bound(self._port)

    def __enter__(self) -> Self:
        self.come_up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._moving:
            self.go_down()
            self._is_over = True
            self._server.server_close()

    def details(self) -> str:
        """Return what was to be answered and has not been."""
        return "not yet answered: " + ", ".join(name for name, left in self._scripts.items() if left)

    def answer(self, body: bytes) -> Answer:
        """Return the scripted answer, or else the right one."""
        named = _MESSAGE.search(body)
        name = named[1].decode() if named else "?"
        self.add("request", message=name, body=body)
        for key in (name, "*"):
            if self._scripts[key]:
                return self._scripts[key].popleft()
        found = _REQUEST_ID.search(body)
        request_id = found[1].decode() if found else ""
        match name:
            case "oadrQueryRegistration":
                return created_party_registration(request_id, registered=False)
            case "oadrCreatePartyRegistration":
                return created_party_registration(request_id, registered=True)
            case "oadrCancelPartyRegistration":
                return canceled_party_registration(request_id)
            case "oadrRegisterReport":
                return registered_report(request_id)
            case "oadrUpdateReport":
                return updated_report(request_id)
            case "oadrRequestEvent":
                return distribute_event(request_id)
            case _:
                return plain_response(request_id)

    def wait_until_ending(self) -> None:
        """Let a silent handler rest until the server goes down."""
        self._ending.wait()

    def _bound(self, port: int) -> ThreadingHTTPServer:
        vtn = self

        class Handler(_Handler):
            owner = vtn

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler, bind_and_activate=False)
        server.daemon_threads = True
        server.block_on_close = False
        server.server_bind()
        return server


class _Handler(BaseHTTPRequestHandler):
    """One connection. No keep-alive, so that going down leaves no connection open."""

    owner: ScriptedVtn

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = self.owner.answer(body)
        if answer.silent:
            self.owner.wait_until_ending()
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body) + 100 * answer.closes_early))
        self.send_header("Connection", "close")
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # some clients are gone by then, as they shall
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Keep quiet: requests are observed."""
