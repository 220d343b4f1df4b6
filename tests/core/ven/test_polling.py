"""When a VEN polls, how often it retries, and what it does with replies that are none (sections 5.5 and 6.1)."""

from __future__ import annotations

from datetime import timedelta

import pytest

import oadr_core.ven
from oadr_core import LocalError
from oadr_core.engine import (
    AbandonExchange,
    ExchangeFailed,
    Failure,
    Input,
    Now,
    ReplyArrived,
    SaveState,
    SendRequest,
    Tick,
    Trouble,
)
from oadr_core.model import (
    MESSAGES,
    CanceledOpt,
    CreatePartyRegistration,
    DistributeEvent,
    Duration,
    EiResponse,
    Poll,
    RegisteredReport,
    RegisterReport,
    Response,
)
from oadr_core.ven import PollNow, Register, VenConfig, VenSession
from oadr_core.ven.conversation import INCOMING, REPLIES
from oadr_core.ven.session import INPUTS
from oadr_core.vtn import PublishEvent
from oadr_core.wire import decode, encode
from tests.core.ven.bench import KEY, OK, START, Bench, distribute, event, nothing, registration


@pytest.fixture
def bench() -> Bench:
    ready = Bench()
    ready.register()
    return ready


@pytest.mark.rule("R500")
def test_interval_of_the_vtn_is_kept(bench: Bench) -> None:
    for _ in range(5):
        bench.answer(nothing())
        bench.wait(29.9)
        assert bench.idle
        bench.wait(0.1)
        bench.expect(Poll)


@pytest.mark.rule("R500")
def test_polls_again_at_once_until_there_is_nothing_more(bench: Bench) -> None:
    for _ in range(3):
        bench.answer(RegisterReport(request_id="x"))
        bench.expect(RegisteredReport)  # first the answer, then the poll
        bench.answer(nothing())
        bench.expect(Poll)
    bench.answer(nothing())
    assert bench.idle


def test_vtn_that_always_has_something_is_not_hammered(bench: Bench) -> None:
    polls = 0
    for _ in range(1000):
        if bench.idle:
            break
        polls += isinstance(bench.pending.payload, Poll)
        bench.answer(RegisterReport(request_id="x") if isinstance(bench.pending.payload, Poll) else nothing())
    assert polls == 16
    bench.wait(31)
    bench.expect(Poll)


def test_jitter_spreads_polls_by_a_tenth() -> None:
    bench = Bench(jitter=True)
    bench.register()
    gaps = []
    for _ in range(60):
        began = bench.mono
        bench.answer(nothing())
        while bench.idle:
            bench.wait(0.05)
        gaps.append(bench.mono - began)
    assert min(gaps) >= 27
    assert max(gaps) <= 33.1
    assert max(gaps) - min(gaps) > 3


def test_jitter_is_at_most_five_minutes() -> None:
    bench = Bench(jitter=True)
    day = timedelta(days=1)
    bench.register(oadr_requested_oadr_poll_freq=Duration.of(day))
    bench.answer(nothing())
    timer = bench.session.next_timer(bench.now)
    assert timer is not None
    assert abs(timer - bench.mono - 86_400) <= 300


def test_poll_now(bench: Bench) -> None:
    bench.answer(nothing())
    bench.put(PollNow())
    bench.expect(Poll)


def test_no_reply_within_the_timeout_gives_the_exchange_up() -> None:
    bench = Bench(timeout=timedelta(seconds=7))
    bench.register()
    exchange = bench.pending.exchange
    bench.wait(6.9)
    assert not bench.idle
    bench.mono += 0.2
    bench.wall += timedelta(seconds=0.2)
    outputs = bench.put(Tick())
    assert AbandonExchange(exchange=exchange) in outputs
    assert bench.heard(Trouble)[0].failure is Failure.TIMEOUT
    bench.wait(2)
    assert not bench.idle, "the next try is under way"
    before = bench.session.state
    bench.put(ReplyArrived(exchange=exchange, payload=distribute(event())))
    assert bench.session.state == before, "a reply after the timeout is a stray"


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ({"data": b"<html><body>login</body></html>"}, "HTML page"),
        ({"data": b"<!DOCTYPE html><html></html>"}, "HTML page"),
        ({"data": b""}, "empty"),
        ({"data": b"  \n"}, "empty"),
        ({"status": 500}, "500"),
        ({"status": 404, "data": b"Not Found"}, "404: 'Not Found'"),
        ({"data": encode(nothing())[:-30]}, "not well-formed"),
        ({"data": encode(CanceledOpt(ei_response=EiResponse(), opt_id="o"))}, "oadrCanceledOpt"),
        ({"data": b"\xff\xfe<\0a\0"}, "UTF-8"),
        ({"payload": registration()}, "oadrCreatedPartyRegistration"),
    ],
)
def test_useless_reply_to_a_poll_is_told_in_one_line_and_the_session_goes_on(
    bench: Bench, reply: dict[str, object], words: str
) -> None:
    bench.put(ReplyArrived(exchange=bench.pending.exchange, **reply))
    [trouble] = bench.heard(Trouble)
    assert words in trouble.text
    assert "oadrPoll" in trouble.text
    assert "\n" not in trouble.text
    bench.wait(31)
    bench.expect(Poll)


def test_overloaded_vtn_is_left_alone_for_as_long_as_it_says(bench: Bench) -> None:
    bench.put(ReplyArrived(exchange=bench.pending.exchange, status=503, retry_after_s=120.0))
    bench.wait(119)
    assert bench.idle
    bench.wait(2)
    bench.expect(Poll)


def test_message_that_is_refused_is_given_up_and_told(bench: Bench) -> None:
    bench.answer(RegisterReport(request_id="x"))
    bench.answer(status=406)
    [trouble] = bench.heard(Trouble)
    assert isinstance(trouble.lost, RegisteredReport)
    assert not bench.session.state.outbox
    bench.wait(31)
    bench.expect(Poll)


def test_failing_message_does_not_hold_back_the_polls(bench: Bench) -> None:
    bench.answer(RegisterReport(request_id="x"))
    kinds = []
    for _ in range(200):
        if not bench.idle:
            kinds.append(type(bench.pending.payload))
            poll = kinds[-1] is Poll
            bench.answer(nothing()) if poll else bench.answer(status=500)
        bench.wait(1)
    assert kinds.count(RegisteredReport) == 8  # then it is given up
    assert kinds.count(Poll) >= 6
    assert isinstance(bench.heard(Trouble)[-1].lost, RegisteredReport)


@pytest.mark.rule("R517")
def test_unregistered_answer_to_any_message_starts_a_new_registration(bench: Bench) -> None:
    bench.answer(RegisterReport(request_id="x"))
    bench.answer(Response(ei_response=EiResponse(response_code="463")))
    bench.wait(2)
    bench.expect(CreatePartyRegistration)


def test_every_message_that_is_sent_has_an_answer_in_the_table() -> None:
    to_a_vtn = (
        "CancelOpt CancelPartyRegistration CancelReport CanceledPartyRegistration CanceledReport CreateOpt "
        "CreatePartyRegistration CreateReport CreatedEvent CreatedReport QueryRegistration RegisterReport "
        "RegisteredReport RequestEvent Response UpdateReport UpdatedReport"
    )
    assert {cls.__name__ for cls in REPLIES} == set(to_a_vtn.split())
    poll_replies = {"DistributeEvent", "CreateReport", "RegisterReport", "CancelReport", "UpdateReport"}
    assert {cls.__name__ for cls in INCOMING} == poll_replies | {"CancelPartyRegistration", "RequestReregistration"}
    assert set(REPLIES) | set(INCOMING) <= set(MESSAGES.values())


def test_every_input_of_the_package_has_a_reducer() -> None:
    commands = {value for value in vars(oadr_core.ven).values() if isinstance(value, type) and issubclass(value, Input)}
    assert commands <= set(INPUTS)
    assert {ReplyArrived, ExchangeFailed} <= set(INPUTS)


def test_input_of_the_other_role_is_refused(bench: Bench) -> None:
    before = bench.session.state
    with pytest.raises(LocalError, match="PublishEvent"):
        bench.put(PublishEvent(event=event().ei_event))
    assert bench.session.state is before


def test_short_key_is_refused() -> None:
    with pytest.raises(LocalError, match="16 bytes"):
        VenSession(VenConfig(ven_name="x"), key=b"short")


def test_requests_bear_the_bytes_of_their_payload() -> None:
    session = VenSession(VenConfig(ven_name="Zürich <1>"), key=KEY)
    saved, sent = session.handle(Register(), Now(0.0, START))
    assert isinstance(saved, SaveState)
    assert isinstance(sent, SendRequest)
    assert decode(sent.data).payload == sent.payload


def test_same_inputs_and_key_give_the_same_bytes() -> None:
    def run() -> list[object]:
        bench = Bench(session=VenSession(VenConfig(ven_name="x"), key=KEY))
        outputs: list[object] = [*bench.put(Register())]
        for reply in (registration(), registration(), RegisteredReport(ei_response=OK), distribute(event())):
            outputs += bench.answer(data=encode(reply))
            bench.wait(1)
        return outputs

    assert run() == run()


def test_naive_wall_clock_is_refused() -> None:
    with pytest.raises(LocalError, match="time zone"):
        Now(0.0, START.replace(tzinfo=None))


def test_wall_clock_that_is_set_back_does_not_stop_the_polls(bench: Bench) -> None:
    bench.answer(distribute(event()))
    bench.wall -= timedelta(days=2)
    bench.wait(31)
    bench.expect(Poll)
    assert not isinstance(bench.pending.payload, DistributeEvent)
