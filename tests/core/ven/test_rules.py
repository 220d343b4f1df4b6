"""Rules about every message that a VEN sends, whatever it is about."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from oadr_core.engine import SendRequest
from oadr_core.engine.copying import evolve
from oadr_core.model import (
    CancelPartyRegistration,
    CreatedEvent,
    CreatedPartyRegistration,
    CreateReport,
    DistributeEvent,
    Duration,
    EiResponse,
    OptType,
    Payload,
    Poll,
    Properties,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    RequestReregistration,
)
from oadr_core.ven import (
    CancelRegistration,
    MakeOpt,
    ProvideReport,
    Reading,
    Register,
    RegistrationEnded,
    ReportDue,
    VenConfig,
    VenSession,
    WithdrawOpt,
)
from oadr_core.wire import decode, encode
from tests.core.ven.bench import KEY, OK, START, Bench, decide, distribute, event, nothing, offer, registration, request

PERIOD = Properties(dtstart=START, duration=Duration(seconds=3600))


def everything_sent() -> list[SendRequest]:
    """A life in which a VEN sends every message that it has."""
    config = VenConfig(ven_name="v", reports=(offer(),), jitter=False)
    bench = Bench(session=VenSession(config, key=KEY))
    polls: list[Payload] = [
        distribute(event()),
        RegisterReport(request_id="r"),
        RequestReregistration(ven_id="ven-1"),
        CreateReport(request_id="q", oadr_report_request=(request(step_s=10, back_s=10),)),
    ]
    bench.put(Register())
    for _ in range(80):
        if bench.idle:
            bench.wait(5)
            for due in bench.heard(ReportDue)[-1:]:
                readings = (Reading(r_id="r1", value=1.0),)
                bench.put(ProvideReport(report_request_id=due.report_request_id, at=due.at, readings=readings))
            continue
        payload = bench.pending.payload
        if isinstance(payload, Poll) and polls:
            bench.answer(polls.pop(0))
            if bench.session.state.events:
                bench.put(decide())
        elif type(payload).__name__ in ("QueryRegistration", "CreatePartyRegistration"):
            bench.answer(registration())
        elif isinstance(payload, RegisterReport):
            bench.answer(RegisteredReport(ei_response=OK))
        else:
            bench.answer(nothing())
    bench.put(MakeOpt(opt_type=OptType.OPT_OUT, availability=(PERIOD,), opt_id="o"))
    bench.put(WithdrawOpt(opt_id="o"))
    bench.put(CancelRegistration())
    for _ in range(6):
        if not bench.idle:
            bench.answer(nothing())
    return bench.sent


@pytest.fixture(scope="module")
def sent() -> list[SendRequest]:
    return everything_sent()


def test_the_life_is_a_full_one(sent: list[SendRequest]) -> None:
    kinds = {type(request.payload).__name__ for request in sent}
    assert kinds >= set(
        "QueryRegistration CreatePartyRegistration CancelPartyRegistration RegisterReport RegisteredReport "
        "CreatedReport UpdateReport RequestEvent CreatedEvent CreateOpt CancelOpt Poll Response".split()
    )


@pytest.mark.rule("R508")
def test_every_message_bears_the_ven_id_once_there_is_one(sent: list[SendRequest]) -> None:
    registered = False
    for request_ in sent:
        payload = request_.payload
        body = getattr(payload, "ei_created_event", None) or getattr(payload, "ei_request_event", None) or payload
        if registered and not isinstance(payload, QueryRegistration):
            assert body.ven_id == "ven-1", type(payload).__name__
        registered = registered or type(payload).__name__ == "RegisterReport"


@pytest.mark.rule("R509")
@pytest.mark.rule("R45")
def test_every_message_says_its_version_and_no_schema_location(
    sent: list[SendRequest], validate: Callable[[bytes], None]
) -> None:
    for request_ in sent:
        assert b'schemaVersion="2.0b"' in request_.data
        assert b"schemaLocation" not in request_.data
        validate(request_.data)


@pytest.mark.rule("R1")
def test_times_are_utc_with_whole_seconds(sent: list[SendRequest]) -> None:
    for request_ in sent:
        text = request_.data.decode()
        for piece in text.split("<xcal:date-time>")[1:]:
            assert piece.partition("<")[0].endswith("Z")
            assert "." not in piece.partition("<")[0]


@pytest.mark.rule("R33")
def test_every_message_is_read_back_without_a_deviation(sent: list[SendRequest]) -> None:
    for request_ in sent:
        envelope = decode(request_.data)
        assert envelope.payload == request_.payload
        assert {deviation.rule for deviation in envelope.deviations} <= {"R510"}, "this VEN offers one report"


@pytest.mark.rule("R43")
@pytest.mark.rule("R41")
def test_request_ids_need_not_differ() -> None:
    bench = Bench()
    bench.register()
    for number, event_id in enumerate(("a", "b")):
        bench.answer(distribute(*(event(each) for each in ("a", "b")[: number + 1]), request_id="0"))
        bench.put(decide(event_id=event_id))
        body = bench.expect(CreatedEvent).ei_created_event
        assert event_id in [answer.qualified_event_id.event_id for answer in body.event_responses or ()]
        bench.answer(nothing())
    assert set(bench.session.state.events) == {"a", "b"}


@pytest.mark.rule("R46")
@pytest.mark.rule("R400")
def test_empty_ven_id_means_none() -> None:
    bench = Bench()
    bench.register()
    bench.answer(CancelPartyRegistration(request_id="c", registration_id="reg-1", ven_id=""))
    assert bench.heard(RegistrationEnded)


@pytest.mark.rule("R512")
def test_vtn_id_is_compared_exactly() -> None:
    bench = Bench()
    bench.register()
    bench.answer(distribute(event(), vtn_id="VTN-1"))
    assert not bench.session.state.events


@pytest.mark.rule("R501")
@pytest.mark.rule("R403")
def test_poll_frequency_of_the_vtn_is_kept() -> None:
    bench = Bench()
    bench.register(oadr_requested_oadr_poll_freq=Duration.of(timedelta(seconds=77)))
    bench.answer(nothing())
    bench.wait(76)
    assert bench.idle
    bench.wait(1)
    bench.expect(Poll)


@pytest.mark.rule("R404")
def test_answer_to_the_query_is_no_registration() -> None:
    bench = Bench(query_first=True)
    bench.put(Register())
    bench.answer(registration(registration_id=None, ven_id=None))
    assert bench.session.registration is None


@pytest.mark.rule("R40")
@pytest.mark.parametrize("response", [None, EiResponse()])
def test_distribution_is_taken_with_and_without_a_response(response: EiResponse | None) -> None:
    bench = Bench()
    bench.register()
    bench.answer(DistributeEvent(ei_response=response, request_id="d", vtn_id="vtn-1", oadr_event=(event(),)))
    assert list(bench.session.state.events) == ["ev-1"]


@pytest.mark.rule("R116")
@pytest.mark.rule("R105")
def test_event_without_a_notification_period_is_taken() -> None:
    item = event()
    period = item.ei_event.ei_active_period
    bare = evolve(period, properties=evolve(period.properties, x_ei_notification=None))
    bench = Bench()
    bench.register()
    bench.answer(distribute(evolve(item, ei_event=evolve(item.ei_event, ei_active_period=bare))))
    assert list(bench.session.state.events) == ["ev-1"]


def test_registration_may_come_as_bytes() -> None:
    bench = Bench(session=VenSession(VenConfig(ven_name="v", query_first=False), key=KEY))
    bench.put(Register())
    reply = registration()
    assert isinstance(reply, CreatedPartyRegistration)
    bench.answer(data=encode(reply))
    assert bench.session.registration is not None
