"""What a VEN session does that was restored: it goes on, asks nobody twice, and loses nothing."""

from __future__ import annotations

from typing import Any

import pytest

from oadr_core import LocalError
from oadr_core.engine import SaveState, Tick
from oadr_core.engine.copying import evolve
from oadr_core.model import (
    CanceledPartyRegistration,
    CancelPartyRegistration,
    CreatedEvent,
    CreateOpt,
    CreatePartyRegistration,
    CreateReport,
    Duration,
    OptType,
    Payload,
    Poll,
    Properties,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    UpdateReport,
)
from oadr_core.ven import (
    Change,
    DecisionNeeded,
    EventReceived,
    MakeOpt,
    ProvideReport,
    Reading,
    Reconfigure,
    Register,
    Registered,
    ReportDue,
    VenConfig,
    VenSession,
)
from tests.core.ven.bench import KEY, OK, START, Bench, decide, distribute, event, nothing, offer, registration, request


@pytest.fixture
def bench() -> Bench:
    ready = Bench(reports=(offer(),))
    ready.register()
    return ready


def restarted(bench: Bench, **changes: Any) -> Bench:
    """Another process with what the one before has saved; its clocks go on, and mono begins anew."""
    config = evolve(bench.session.config, **changes)
    after = Bench(session=VenSession.restore(config, bench.session.snapshot(), wire=False))
    after.mono, after.wall = 5.0, bench.wall
    after.put(Tick())
    return after


def settle(bench: Bench, **replies: Payload) -> list[Payload]:
    """Answer everything up to the next regular poll, and say what was sent."""
    sent = []
    while not bench.idle:
        payload = bench.pending.payload
        sent.append(payload)
        bench.answer(replies.get(type(payload).__name__, nothing()))
    return sent


def kinds(sent: list[Payload]) -> list[str]:
    return [type(payload).__name__ for payload in sent]


@pytest.mark.rule("R500")
def test_registered_it_asks_for_all_events_and_polls_on(bench: Bench) -> None:
    after = restarted(bench)
    assert kinds(settle(after)) == ["RequestEvent", "Poll"]
    assert after.session.registration == bench.session.registration
    assert not after.heard(Registered)


def test_nobody_is_asked_twice_about_the_same_modification(bench: Bench) -> None:
    bench.answer(distribute(event()))
    bench.put(decide())
    after = restarted(bench)
    sent = settle(after, RequestEvent=distribute(event(), request_id="d2"))
    assert not after.heard(DecisionNeeded)
    assert not after.heard(EventReceived)
    answers = [each.ei_created_event.event_responses for each in sent if isinstance(each, CreatedEvent)]
    assert [(each[0].request_id, each[0].opt_type) for each in answers if each] == [("d1", "optIn"), ("d2", "optIn")]


def test_open_question_is_put_again_with_its_reason_and_a_new_deadline(bench: Bench) -> None:
    bench.answer(distribute(event()))
    bench.put(decide())
    bench.answer(nothing())
    bench.answer(distribute(event(modification=1), request_id="d2"))
    after = restarted(bench)
    [question] = after.heard(DecisionNeeded)
    assert (question.change, question.deadline) == (Change.MODIFIED, 65.0)
    settle(after, RequestEvent=distribute(event(modification=1), request_id="d3"))
    after.put(decide(modification=1))
    [answer] = after.expect(CreatedEvent).ei_created_event.event_responses or ()
    assert (answer.request_id, answer.opt_type) == ("d3", "optIn")


def test_answers_that_were_gathered_are_sent(bench: Bench) -> None:
    bench.answer(distribute(event("a"), event("b")))
    bench.put(decide(event_id="a"))
    assert bench.session.state.answers
    after = restarted(bench)
    sent = settle(after)
    answered = [
        each.qualified_event_id.event_id
        for payload in sent
        if isinstance(payload, CreatedEvent)
        for each in payload.ei_created_event.event_responses or ()
    ]
    assert "a" in answered


def test_messages_without_an_answer_are_sent_again_as_they_were(bench: Bench) -> None:
    period = Properties(dtstart=START, duration=Duration(seconds=60))
    bench.answer(nothing())
    bench.put(MakeOpt(opt_type=OptType.OPT_OUT, availability=(period,), opt_id="o"))
    first = bench.expect(CreateOpt)
    after = restarted(bench)
    assert first in settle(after)


def test_random_start_is_kept(bench: Bench) -> None:
    bench.answer(distribute(event(startafter=Duration(seconds=600))))
    offset = bench.session.state.events["ev-1"].offset_s
    assert restarted(bench).session.state.events["ev-1"].offset_s == offset


def test_report_goes_on_with_the_values_that_it_has(bench: Bench) -> None:
    bench.answer(CreateReport(request_id="q", oadr_report_request=(request(step_s=10, back_s=30),)))
    settle(bench)
    while len(bench.heard(ReportDue)) < 2:
        bench.wait(1)
        if not bench.idle:
            bench.answer(nothing())
        for due in bench.heard(ReportDue)[-1:]:
            bench.put(ProvideReport(report_request_id="req-1", at=due.at, readings=(Reading(r_id="r1", value=1.0),)))
    after = restarted(bench)
    settle(after)
    while not [sent for sent in after.sent if isinstance(sent.payload, UpdateReport)]:
        after.wait(1)
        for due in after.heard(ReportDue):
            after.put(ProvideReport(report_request_id="req-1", at=due.at, readings=(Reading(r_id="r1", value=2.0),)))
        if not after.idle and not isinstance(after.pending.payload, UpdateReport):
            after.answer(nothing())
    [report] = after.expect(UpdateReport).oadr_report
    found = [each.stream_payload_base[0].payload_base for each in report.intervals]
    assert found == [1.0, 1.0, 2.0]


@pytest.mark.rule("R401")
@pytest.mark.parametrize("step", [0, 1])
def test_killed_while_registering_it_registers_once(step: int) -> None:
    bench = Bench(query_first=True)
    bench.put(Register())
    if step:
        bench.answer(registration(registration_id=None, ven_id=None))
    after = restarted(bench)
    after.expect(CreatePartyRegistration if step else QueryRegistration)
    sent = settle(after, CreatePartyRegistration=registration(), QueryRegistration=registration())
    assert kinds(sent).count("CreatePartyRegistration") == 1
    assert after.session.registration is not None


@pytest.mark.rule("R401")
def test_killed_while_it_waits_to_register_again_it_registers_at_once() -> None:
    bench = Bench()
    bench.put(Register())
    bench.answer(status=404)
    assert bench.idle
    restarted(bench).expect(CreatePartyRegistration)


@pytest.mark.rule("R402")
@pytest.mark.parametrize("restart", [False, True])
def test_changed_data_of_its_own_are_registered_again_under_the_same_ids(bench: Bench, restart: bool) -> None:
    if restart:
        bench = restarted(bench, ven_name="new name")
    else:
        bench.answer(nothing())
        bench.put(Reconfigure(config=evolve(bench.session.config, ven_name="new name")))
    payload = bench.expect(CreatePartyRegistration)
    assert (payload.oadr_ven_name, payload.registration_id, payload.ven_id) == ("new name", "reg-1", "ven-1")
    bench.answer(registration())
    [told] = bench.heard(Registered)
    assert told.again


@pytest.mark.rule("R306")
@pytest.mark.parametrize("reports", [(), (offer("other"),)])
def test_changed_reports_are_offered_again_without_a_registration(bench: Bench, reports: tuple[Any, ...]) -> None:
    bench.answer(CreateReport(request_id="q", oadr_report_request=(request(),)))
    settle(bench)
    after = restarted(bench, reports=reports)
    sent = settle(after, RegisterReport=RegisteredReport(ei_response=OK))
    assert kinds(sent) == ["RegisterReport", "RequestEvent", "Poll"]
    assert not after.session.state.jobs


def test_restored_twice_is_the_same(bench: Bench) -> None:
    bench.answer(distribute(event()))
    once = VenSession.restore(bench.session.config, bench.session.snapshot(), wire=False)
    assert once.snapshot() == bench.session.snapshot()
    twins = [VenSession.restore(bench.session.config, once.snapshot()) for _ in range(2)]
    outputs = [twin.handle(Tick(), bench.now) for twin in twins]
    assert outputs[0] == outputs[1]
    assert outputs[0], "same state, same inputs, same bytes"


def test_store_and_snapshot_say_the_same() -> None:
    bench = Bench(reports=(offer(),))
    store: dict[str, bytes] = {}

    def save(outputs: tuple[Any, ...]) -> None:
        for output in outputs:
            if isinstance(output, SaveState):
                assert output is outputs[0]
                for record in output.records:
                    data = record.data()
                    if data is None:
                        store.pop(record.key, None)
                    else:
                        store[record.key] = data

    save(bench.put(Register()))
    for reply in (registration(), RegisteredReport(ei_response=OK), distribute(event(), event("b"))):
        save(bench.answer(reply))
    save(bench.put(decide()))
    from_store = VenSession.restore(bench.session.config, store)
    from_snapshot = VenSession.restore(bench.session.config, bench.session.snapshot())
    assert evolve(from_store.state, counter=0) == evolve(from_snapshot.state, counter=0)


def test_poll_alone_saves_nothing(bench: Bench) -> None:
    bench.answer(nothing())
    bench.wait(29)
    bench.mono += 2
    outputs = (*bench.put(Tick()), *bench.answer(nothing()))
    assert not [output for output in outputs if isinstance(output, SaveState)]


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"v":99}', b"\0"])
def test_damaged_snapshot_is_refused(damage: bytes) -> None:
    with pytest.raises(LocalError):
        VenSession.restore(VenConfig(ven_name="v"), damage)


def test_snapshot_of_somebody_else_is_refused() -> None:
    with pytest.raises(LocalError, match="no record 'ven'"):
        VenSession.restore(VenConfig(ven_name="v"), {"vtn": b'{"v":1}'})


@pytest.mark.rule("R407")
def test_end_of_the_registration_is_saved(bench: Bench) -> None:
    bench.answer(distribute(event()))
    bench.put(decide())
    settle(bench)
    bench.wait(30)
    bench.answer(CancelPartyRegistration(request_id="c", registration_id="reg-1"))
    after = VenSession.restore(bench.session.config, bench.session.snapshot())
    assert (after.registration, dict(after.state.events)) == (None, {})
    assert [type(entry.payload) for entry in after.state.outbox.values()] == [CanceledPartyRegistration]


def test_restored_with_a_key_of_its_own() -> None:
    fresh = VenSession.restore(
        VenConfig(ven_name="v"), VenSession(VenConfig(ven_name="v"), key=KEY).snapshot(), key=b"x" * 16
    )
    assert fresh.state.key == b"x" * 16
    with pytest.raises(LocalError, match="16 bytes"):
        VenSession.restore(VenConfig(ven_name="v"), fresh.snapshot(), key=b"short")


@pytest.mark.rule("R23")
def test_a_ven_that_only_reports_asks_for_no_events_and_takes_none() -> None:
    bench = Bench(report_only=True, reports=(offer(),))
    bench.put(Register())
    assert bench.expect(CreatePartyRegistration).oadr_report_only
    bench.answer(registration())
    bench.expect(RegisterReport)
    sent = settle(bench, RegisterReport=RegisteredReport(ei_response=OK))
    assert "RequestEvent" not in kinds(sent)
    bench.wait(31)
    assert bench.expect(Poll)
    bench.answer(distribute(event()))
    assert not bench.session.state.events
    assert not [sent for sent in bench.sent if isinstance(sent.payload, CreatedEvent)]
    with pytest.raises(LocalError, match="only reports"):
        bench.put(MakeOpt(opt_type=OptType.OPT_OUT))
