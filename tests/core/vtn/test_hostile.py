"""A hostile VEN: whatever it sends, nothing raises, each request has one reply, and tables stay small."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oadr_core import encode
from oadr_core.engine import Now, Output, RequestArrived, SendReply, Tick
from oadr_core.engine.copying import evolve
from oadr_core.engine.records import unpack
from oadr_core.model import (
    CreatedEvent,
    CreateOpt,
    CreatePartyRegistration,
    Duration,
    EiCreatedEvent,
    EiResponse,
    EiTarget,
    EventResponse,
    Interval,
    OptReason,
    OptType,
    Payload,
    Poll,
    Properties,
    QualifiedEventID,
    ReadingType,
    RegisterReport,
    Report,
    ReportDescription,
    ReportName,
    ReportPayload,
    ReportType,
    RequestEvent,
    ServiceName,
    UpdateReport,
)
from oadr_core.vtn import CancelEvent, PublishEvent, VtnConfig, VtnLimits, VtnSession, build_event
from oadr_core.vtn.routes import ROUTES
from tests.core.vtn.world import HOUR, MINUTE, START
from tests.strategies import payloads

LIMITS = VtnLimits(vens=2, mailbox=1, reports=2, data_points=4, schedules=1, periods=2, events=5, finished_events=2)

Step = tuple[str, Any]

steps = st.one_of(
    st.tuples(st.just("message"), payloads()),
    st.tuples(st.just("poll"), st.none()),
    st.tuples(st.just("register"), st.sampled_from(["a", "b", "c", ""])),
    st.tuples(st.just("offer"), st.integers(0, 3)),
    st.tuples(st.just("values"), st.sampled_from([0, 60, 10**11, 10**15 - 1])),
    st.tuples(st.just("schedule"), st.sampled_from(["r1", "r2", "r3"])),
    st.tuples(st.just("answer"), st.integers(0, 2)),
    st.tuples(st.just("misdirect"), payloads()),
    st.tuples(st.just("garble"), st.tuples(payloads(), st.integers(0, 500), st.binary(max_size=3))),
    st.tuples(st.just("bytes"), st.binary(max_size=50)),
    st.tuples(st.just("publish"), st.booleans()),
    st.tuples(st.just("cancel"), st.none()),
    st.tuples(st.just("wait"), st.integers(1, 7200)),
)


OFFER = Report(
    oadr_report_description=(
        ReportDescription(r_id="r", report_type=ReportType.USAGE, reading_type=ReadingType.DIRECT_READ),
    ),
    report_request_id="0",
    report_specifier_id="s0",
    report_name=ReportName.METADATA_TELEMETRY_USAGE,
    created_date_time=START,
)
OPT = CreateOpt(
    opt_id="o",
    opt_type=OptType.OPT_IN,
    opt_reason=OptReason.X_SCHEDULE,
    ven_id="x",
    vavailability=(Properties(dtstart=START, duration=Duration(seconds=60)),),
    created_date_time=START,
    request_id="c",
)


BEGINNING: list[Step] = [("register", "a"), ("offer", 1)]


class Attack:
    """A run of steps against one session; `replies` is what came back."""

    def __init__(self, key: bytes) -> None:
        self.session = VtnSession(VtnConfig(vtn_id="V", identity="insecure", limits=LIMITS), key=key)
        self.replies: list[bytes] = []
        self.outputs: list[tuple[Output, ...]] = []
        self.seconds = 0
        self.exchange = 0

    @property
    def now(self) -> Now:
        return Now(float(self.seconds), START + timedelta(seconds=self.seconds))

    def request(self, service: str, data: bytes) -> None:
        self.exchange += 1
        outputs = self.session.handle(RequestArrived(exchange=self.exchange, service=service, data=data), self.now)
        replies = [output for output in outputs if isinstance(output, SendReply)]
        assert len(replies) == 1
        assert replies[0].exchange == self.exchange
        assert replies[0].status in (200, 406)
        self.outputs.append(outputs)
        self.replies.append(replies[0].data)

    def send(self, payload: Payload) -> None:
        """Send a message under the name of a registered VEN, if there is one."""
        ven_id = next(iter(self.session.vens), None)
        if ven_id is not None:
            payload = claimed(payload, ven_id)
        self.request(ROUTES[type(payload)].service or "EiEvent", encode(payload))

    def step(self, kind: str, detail: Any) -> None:
        if kind == "message":
            self.send(detail)
        elif kind == "poll":
            self.send(Poll(ven_id="x"))
        elif kind == "register":
            self.send(CreatePartyRegistration(request_id="r", oadr_ven_name=detail, oadr_http_pull_model=True))
        elif kind == "offer":
            reports = tuple(evolve(OFFER, report_specifier_id=f"s{n}") for n in range(detail))
            self.send(RegisterReport(request_id="o", oadr_report=reports, ven_id="x"))
        elif kind == "values":
            interval = Interval(
                duration=Duration(seconds=detail), stream_payload_base=(ReportPayload(r_id="r", payload_base=1.0),)
            )
            report = evolve(OFFER, oadr_report_description=(), dtstart=START, intervals=(interval,) * 2)
            self.send(UpdateReport(request_id="u", oadr_report=(report,), ven_id="x"))
        elif kind == "schedule":
            self.send(evolve(OPT, ei_target=EiTarget(resource_id=(detail,))))
        elif kind == "answer":
            self.answer(detail)
        elif kind == "misdirect":
            self.request(ServiceName.EI_OPT, encode(detail))
        elif kind == "garble":
            payload, at, noise = detail
            data = encode(payload)
            self.request(ROUTES[type(payload)].service or "EiEvent", data[:at] + noise + data[at + 1 :])
        elif kind == "bytes":
            self.request("OadrPoll", detail)
        elif kind == "publish":
            self.publish(detail)
        elif kind == "cancel":
            for event_id, entry in list(self.session.events.items())[:1]:
                if not entry.is_over(self.now.wall):
                    self.outputs.append(self.session.handle(CancelEvent(event_id=event_id), self.now))
        else:
            self.seconds += detail
            self.outputs.append(self.session.handle(Tick(), self.now))

    def answer(self, number: int) -> None:
        responses = tuple(
            EventResponse(
                request_id="x",
                qualified_event_id=QualifiedEventID(event_id=event_id, modification_number=number),
                opt_type=OptType.OPT_OUT,
            )
            for event_id in [*self.session.events, "unknown"]
        )
        body = EiCreatedEvent(ei_response=EiResponse(), event_responses=responses, ven_id="x")
        self.send(CreatedEvent(ei_created_event=body))

    def publish(self, always: bool) -> None:
        if sum(not entry.is_gone(self.now.wall) for entry in self.session.events.values()) >= LIMITS.events:
            return
        event = build_event(
            signal_name="SIMPLE",
            signal_type="level",
            dtstart=self.now.wall + HOUR,
            intervals=[(MINUTE, 1)],
            market_context="urn:m",
        )
        required = "always" if always else "never"
        command = PublishEvent(event=event, response_required=required)
        self.outputs.append(self.session.handle(command, self.now))

    def check_limits(self) -> None:
        assert len(self.session.vens) <= LIMITS.vens
        for ven in self.session.vens.values():
            assert len(ven.mailbox) <= LIMITS.mailbox
            assert len(ven.reports) <= LIMITS.reports
            assert len(ven.schedules) <= LIMITS.schedules
            assert len(ven.deliveries) <= LIMITS.events + LIMITS.finished_events + 32
            assert len(ven.requests) <= LIMITS.reports


def claimed(payload: Payload, ven_id: str) -> Payload:
    """The message with the venID of somebody who is registered."""
    if isinstance(payload, RequestEvent):
        return evolve(payload, ei_request_event=evolve(payload.ei_request_event, ven_id=ven_id))
    if isinstance(payload, CreatedEvent):
        return evolve(payload, ei_created_event=evolve(payload.ei_created_event, ven_id=ven_id))
    if hasattr(payload, "ven_id") and not isinstance(payload, CreatePartyRegistration):
        return evolve(payload, ven_id=ven_id)
    return payload


def run(script: list[Step], key: bytes = b"k") -> Attack:
    attack = Attack(key)
    for kind, detail in script:
        attack.step(kind, detail)
        attack.check_limits()
    return attack


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(st.lists(steps, min_size=10, max_size=40))
def test_every_request_has_one_valid_reply_and_tables_stay_small(validate: Any, script: list[Step]) -> None:
    attack = run([*BEGINNING, *script])
    for data in attack.replies:
        if data:
            validate(data)
    snapshot = attack.session.snapshot()
    again = VtnSession.restore(attack.session.config, snapshot).snapshot()
    assert unpack(again) == unpack(snapshot), "whatever came can be saved"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(st.lists(steps, max_size=15))
def test_same_inputs_and_key_give_the_same_bytes(script: list[Step]) -> None:
    script = [*BEGINNING, *script]
    assert run(script).outputs == run(script).outputs
