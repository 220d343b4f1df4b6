"""A VEN session on a bench: virtual time, typed payloads, and a record of what it did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from oadr_core.engine import (
    ExchangeFailed,
    Failure,
    Input,
    Notification,
    Now,
    Output,
    ReplyArrived,
    SaveState,
    SendRequest,
    Tick,
)
from oadr_core.model import (
    CreatedPartyRegistration,
    DistributeEvent,
    Duration,
    EiActivePeriod,
    EiEvent,
    EiEventSignal,
    EiEventSignals,
    EiResponse,
    EiTarget,
    Event,
    EventDescriptor,
    EventStatus,
    Interval,
    OptType,
    Payload,
    Profile,
    ProfileName,
    Properties,
    RegisteredReport,
    Report,
    ReportDescription,
    ReportRequest,
    ReportSpecifier,
    Response,
    ResponseRequired,
    SamplingRate,
    SignalPayload,
    SignalType,
    SpecifierPayload,
    Tolerance,
    TransportName,
    Voltage,
)
from oadr_core.ven import Decide, Register, ReportOffer, VenConfig, VenSession

START = datetime(2025, 6, 1, 12, 0, 0, tzinfo=UTC)
KEY = b"0123456789abcdef"
OK = EiResponse(response_description="OK")

_T = TypeVar("_T")


class Bench:
    """Drives one session; ``sent`` is what it has sent, ``told`` what it has notified, ``saves`` what it has saved
    lately, all in order.
    """

    def __init__(self, session: VenSession | None = None, **config: Any) -> None:
        options: dict[str, Any] = {"ven_name": "bench", "jitter": False, "query_first": False, **config}
        self.session = session or VenSession(VenConfig(**options), key=KEY, wire=False)
        self.mono = 1000.0
        self.wall = START
        self.sent: list[SendRequest] = []
        self.told: list[Notification] = []
        self.saves: list[SaveState] = []

    @property
    def now(self) -> Now:
        return Now(self.mono, self.wall)

    def put(self, something: Input) -> tuple[Output, ...]:
        outputs = self.session.handle(something, self.now)
        self.sent += [output for output in outputs if isinstance(output, SendRequest)]
        self.told += [output for output in outputs if isinstance(output, Notification)]
        self.saves = [*self.saves[-50:], *(output for output in outputs if isinstance(output, SaveState))]
        return outputs

    def wait(self, seconds: float) -> None:
        """Let time pass, with a tick at every timer on the way."""
        end = self.mono + seconds
        for _ in range(10_000):
            timer = self.session.next_timer(self.now)
            if timer is None or timer > end:
                break
            self._pass(max(timer - self.mono, 0.0))
            self.put(Tick())
        else:
            raise AssertionError("the session does not come to rest")
        self._pass(end - self.mono)

    def _pass(self, seconds: float) -> None:
        self.mono += seconds
        self.wall += timedelta(seconds=seconds)

    @property
    def pending(self) -> SendRequest:
        """The request under way."""
        flight = self.session.state.flight
        assert flight is not None, "nothing is under way"
        return next(request for request in reversed(self.sent) if request.exchange == flight.exchange)

    @property
    def idle(self) -> bool:
        return self.session.state.flight is None

    def answer(self, payload: Payload | None = None, *, data: bytes = b"", status: int = 200) -> tuple[Output, ...]:
        """Answer the request under way."""
        return self.put(ReplyArrived(exchange=self.pending.exchange, payload=payload, data=data, status=status))

    def fail(self, failure: Failure = Failure.UNREACHABLE, detail: str = "no route") -> tuple[Output, ...]:
        return self.put(ExchangeFailed(exchange=self.pending.exchange, failure=failure, detail=detail))

    def expect(self, kind: type[_T]) -> _T:
        """The payload of the request under way, which must be of this kind."""
        payload = self.pending.payload
        assert isinstance(payload, kind), f"{type(payload).__name__} is under way"
        return payload

    def heard(self, kind: type[_T]) -> list[_T]:
        return [notification for notification in self.told if isinstance(notification, kind)]

    def forget(self) -> None:
        self.sent.clear()
        self.told.clear()

    def register(self, **changes: Any) -> None:
        """Go through registration up to the first poll, which is left under way."""
        self.put(Register())
        self.answer(registration(**changes))
        self.answer(RegisteredReport(ei_response=OK))
        self.answer(DistributeEvent(ei_response=OK, request_id="d0", vtn_id="vtn-1"))
        self.forget_keep_flight()

    def forget_keep_flight(self) -> None:
        flight = self.pending
        self.forget()
        self.sent.append(flight)


def registration(**changes: Any) -> CreatedPartyRegistration:
    options: dict[str, Any] = {
        "ei_response": OK,
        "registration_id": "reg-1",
        "ven_id": "ven-1",
        "vtn_id": "vtn-1",
        "oadr_profiles": (Profile(oadr_profile_name=ProfileName.B, oadr_transports=(TransportName.SIMPLE_HTTP,)),),
        "oadr_requested_oadr_poll_freq": Duration.of(timedelta(seconds=30)),
    }
    return CreatedPartyRegistration(**{**options, **changes})


def event(
    event_id: str = "ev-1",
    modification: int = 0,
    *,
    status: EventStatus = EventStatus.FAR,
    required: ResponseRequired = ResponseRequired.ALWAYS,
    start: datetime = START + timedelta(hours=1),
    minutes: int = 60,
    ramp_up: Duration | None = None,
    startafter: Duration | None = None,
) -> Event:
    length = Duration.of(timedelta(minutes=minutes))
    return Event(
        ei_event=EiEvent(
            event_descriptor=EventDescriptor(
                event_id=event_id,
                modification_number=modification,
                market_context="http://example.com/p",
                created_date_time=START,
                event_status=status,
            ),
            ei_active_period=EiActivePeriod(
                properties=Properties(
                    dtstart=start,
                    duration=length,
                    x_ei_notification=Duration(),
                    x_ei_ramp_up=ramp_up,
                    tolerance=None if startafter is None else Tolerance(startafter=startafter),
                )
            ),
            ei_event_signals=EiEventSignals(
                ei_event_signal=(
                    EiEventSignal(
                        intervals=(
                            Interval(duration=length, uid="0", stream_payload_base=(SignalPayload(payload_base=1.0),)),
                        ),
                        signal_name="SIMPLE",
                        signal_type=SignalType.LEVEL,
                        signal_id="s",
                    ),
                )
            ),
            ei_target=EiTarget(ven_id=("ven-1",)),
        ),
        oadr_response_required=required,
    )


def distribute(*events: Event, request_id: str = "d1", vtn_id: str = "vtn-1") -> DistributeEvent:
    return DistributeEvent(ei_response=OK, request_id=request_id, vtn_id=vtn_id, oadr_event=events)


def decide(opt: OptType = OptType.OPT_IN, event_id: str = "ev-1", modification: int = 0, **options: Any) -> Decide:
    return Decide(event_id=event_id, modification_number=modification, opt_type=opt, **options)


def nothing() -> Response:
    return Response(ei_response=OK, ven_id="ven-1")


def offer(specifier: str = "spec", *r_ids: str, shortest: int = 10, longest: int = 600) -> ReportOffer:
    rate = SamplingRate(oadr_min_period=Duration(seconds=shortest), oadr_max_period=Duration(seconds=longest))
    return ReportOffer(
        report=Report(
            duration=Duration(seconds=3600),
            oadr_report_description=tuple(
                ReportDescription(
                    r_id=r_id,
                    report_type="reading",
                    item_base=Voltage(),
                    reading_type="Direct Read",
                    oadr_sampling_rate=rate,
                )
                for r_id in (r_ids or ("r1",))
            ),
            report_request_id="0",
            report_specifier_id=specifier,
            report_name="METADATA_TELEMETRY_USAGE",
            created_date_time=START,
        )
    )


def request(
    request_id: str = "req-1", specifier: str = "spec", *r_ids: str, step_s: int = 10, back_s: int = 10
) -> ReportRequest:
    return ReportRequest(
        report_request_id=request_id,
        report_specifier=ReportSpecifier(
            report_specifier_id=specifier,
            granularity=Duration(seconds=step_s),
            report_back_duration=Duration(seconds=back_s),
            specifier_payload=tuple(SpecifierPayload(r_id=r_id) for r_id in (r_ids or ("r1",))),
        ),
    )
