"""Store and forward: a VTN that was away gets everything afterwards, in order, in messages that are not too long."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import LocalError
from oadr_core.engine import Failure, SaveState, Trouble
from oadr_core.engine.copying import evolve
from oadr_core.model import (
    CancelPartyRegistration,
    CreateReport,
    EiResponse,
    GBPayload,
    PayloadResourceStatus,
    Poll,
    UpdatedReport,
    UpdateReport,
)
from oadr_core.ven import (
    Collection,
    Loss,
    PollNow,
    ProvideReport,
    Reading,
    ReportBuffer,
    ReportDelivered,
    ReportDue,
    ReportOffer,
    ReportsLost,
)
from oadr_core.wire import encode
from tests.core.reporting.plant import Plant
from tests.core.reporting.test_accounting import SEARCH
from tests.core.reporting.test_requests import within
from tests.core.ven.bench import START, Bench, nothing, offer, request

DAY_S = 86_400
SMALL = ReportBuffer(message_bytes=16 * 1024)
MIDDLE = ReportBuffer(message_bytes=64 * 1024)


def instants(plant: Plant, report_request_id: str, r_id: str) -> list[float]:
    """Seconds since the start of what has arrived, in the order of its arrival."""
    return [
        (at - START).total_seconds()
        for (request_id, id_, at) in plant.arrived
        if (request_id, id_) == (report_request_id, r_id)
    ]


@pytest.mark.rule("R300")
@pytest.mark.rule("R346")
def test_day_of_outage_loses_no_sample() -> None:
    """Three reports, two restarts and a night without anybody awake on the way."""
    buffer = ReportBuffer(message_bytes=64 * 1024)
    full = evolve(offer("full", "f1", shortest=60, longest=3600), collection=Collection.FULL)
    offers = (offer("fast", "r1", "r2"), offer("slow", "s1", shortest=60, longest=3600), full)
    plant = Plant(*offers, report_buffer=buffer, jitter=True)
    plant.ask(
        request("fast", "fast", "r1", "r2", step_s=60, back_s=900),
        request("slow", "slow", "s1", step_s=900, back_s=900),
        request("full", "full", "f1", step_s=60, back_s=3600),
    )
    plant.run(1_000)
    before = len(plant.messages)
    plant.away = True
    plant.run(30_000)
    plant.restart(120)
    plant.run(20_000)
    plant.sleep(10_000)
    plant.restart()
    plant.run(DAY_S - 60_120)
    assert len(plant.messages) == before, "nobody was there to take anything"
    plant.away = False
    plant.run(4_000)
    for report_request_id, r_id, step_s in (
        ("fast", "r1", 60),
        ("fast", "r2", 60),
        ("slow", "s1", 900),
        ("full", "f1", 60),
    ):
        found = instants(plant, report_request_id, r_id)
        assert found == list(range(0, int(found[-1]) + 1, step_s)), "all, once, in order"
        assert found[-1] > DAY_S
    assert not plant.lost
    assert plant.missing() <= {("fast", r_id, at) for _, r_id, at in plant.answered}, "but for the reports of now"
    assert all(count == 1 for count in plant.copies.values())
    for _, message in plant.messages:
        assert len(encode(message)) <= buffer.message_bytes
    catching_up = len(plant.messages) - before
    assert catching_up < 110, "a day goes out in few messages"
    assert len(plant.bench.session.state.samples) < 100, "and is forgotten then"


def test_backlog_keeps_nobody_from_polling() -> None:
    plant = Plant(offer("spec", "r1"), report_buffer=SMALL)
    plant.ask(request("x", step_s=10, back_s=10))
    plant.away = True
    plant.run(4_000)
    plant.away = False
    polls: list[int] = []
    plain = plant.reply

    def reply(payload: Any) -> Any:
        if isinstance(payload, Poll):
            polls.append(len(plant.messages))
        plant.bench._pass(7)  # a VTN that is slow
        return plain(payload)

    plant.reply = reply  # type: ignore[method-assign]  # in the place of a method
    plant.run(400)
    assert len(plant.messages) > 10
    assert len(polls) > 10


def test_oldest_values_are_dropped_when_too_many_wait_and_that_is_told() -> None:
    plant = Plant(offer("spec", "r1", "r2"), report_buffer=ReportBuffer(values=100))
    plant.ask(request("x", "spec", "r1", "r2", step_s=10, back_s=30))
    plant.away = True
    plant.run(3_000)
    plant.away = False
    plant.run(200)
    dropped = sum(lost.values for lost in plant.lost)
    assert {lost.reason for lost in plant.lost} == {Loss.BUFFER}
    assert all(lost.until >= lost.since for lost in plant.lost)
    missing = plant.missing()
    waiting = {key for key in missing if key[2] > max(at for _, _, at in plant.arrived)}
    gone = missing - waiting
    assert dropped == len(gone) > 400
    first = min(at for _, _, at in gone)
    last = max(at for _, _, at in gone)
    assert last < min(at for _, _, at in plant.arrived if at > first), "one after the other"
    away_until = START + timedelta(seconds=3_000)
    assert sum(last < at <= away_until for _, _, at in plant.arrived) >= 90, "the newest are kept"
    assert plant.lost[0].since == min(at for _, _, at in gone)
    assert plant.lost[-1].until == max(at for _, _, at in gone)


def test_long_gap_is_dropped_from_its_beginning() -> None:
    plant = Plant(offer("spec", "r1"), report_buffer=ReportBuffer(values=50))
    plant.ask(request("x", step_s=10, back_s=10))
    plant.sleep(1_000)
    plant.run(100)
    assert {lost.reason for lost in plant.lost} == {Loss.BUFFER}
    arrived = instants(plant, "x", "r1")
    assert len(arrived) + sum(lost.values for lost in plant.lost) == int(arrived[-1]) // 10 + 1
    assert plant.lost[0].since == START + timedelta(seconds=10)


@pytest.mark.parametrize("collection", list(Collection))
def test_report_that_is_too_long_for_a_message_is_split(collection: Collection) -> None:
    offered = ReportOffer(report=offer("spec", "r1", "r2").report, collection=collection)
    plant = Plant(offered, report_buffer=SMALL)
    plant.ask(request("x", "spec", "r1", "r2", step_s=10, back_s=3600))
    plant.run(7_300)
    assert len(plant.messages) > 20
    for _, message in plant.messages:
        assert len(encode(message)) <= SMALL.message_bytes
    assert instants(plant, "x", "r1") == instants(plant, "x", "r2") == list(range(0, 7_200, 10))
    assert not plant.missing() - {key for key in plant.answered if key[2] >= START + timedelta(seconds=7_200)}


def test_restart_in_the_midst_of_a_split_report_sends_the_rest() -> None:
    plant = Plant(ReportOffer(report=offer().report, collection=Collection.FULL), report_buffer=SMALL)
    plant.ask(within(request("x", step_s=10, back_s=3600), 0, 3600))
    plant.bench.wait(3_599)
    plant.away = True
    plant.run(10)
    kept = len(plant.bench.session.state.samples)
    assert kept > 5
    plant.away = False
    plain, left = plant.reply, [3]

    def reply(payload: Any) -> Any:
        left[0] -= isinstance(payload, UpdateReport)
        plant.away = not left[0]
        return plain(payload)

    plant.reply = reply  # type: ignore[method-assign]  # in the place of a method
    plant.run(120)
    assert len(plant.bench.session.state.samples) == kept - 3
    plant.reply = plain  # type: ignore[method-assign]  # in the place of a method
    plant.away = False
    plant.restart()
    plant.run(100)
    assert not plant.missing()
    assert len(plant.arrived) == 360
    assert not plant.jobs


def test_sample_is_saved_once_and_alone() -> None:
    """However long the report becomes that it goes into, and not again when the report is complete."""
    plant = Plant(offer("spec", "r1"))
    plant.ask(request("x", step_s=10, back_s=3600))
    saved: list[tuple[str, int]] = []
    plain = plant.bench.put

    def put(something: Any) -> Any:
        outputs = plain(something)
        for output in outputs:
            if isinstance(output, SaveState):
                saved.extend((record.key, len(record.data() or b"")) for record in output.records)
        return outputs

    plant.bench.put = put  # type: ignore[method-assign]  # in the place of a method
    plant.run(3_550)
    samples = [size for key, size in saved if key.startswith("sample/")]
    assert len(samples) == 355
    assert max(samples) < 200
    assert not [key for key, _ in saved if key.startswith("report/")], "the job does not change with each sample"
    saved.clear()
    plant.run(60)
    assert sum(size for _, size in saved) < 5_000, "the report is made of the samples, and not saved itself"
    assert len([key for key, size in saved if key.startswith("sample/") and not size]) == 360, "they are forgotten then"


def answered(refusal: EiResponse | None = None, **options: Any) -> tuple[Bench, list[ReportsLost], list[Any]]:
    """A bench with one value on its way, and what is told when the VTN answers it."""
    bench = Bench(reports=(offer(),), **options)
    bench.register()
    wanted = request("x", step_s=0, back_s=0)
    bench.answer(CreateReport(request_id="q", oadr_report_request=(wanted,)))
    [due] = bench.heard(ReportDue)
    bench.put(ProvideReport(report_request_id="x", at=due.at, readings=(Reading(r_id="r1", value=1.0),)))
    while not isinstance(bench.pending.payload, UpdateReport):
        bench.answer(nothing())
    bench.forget_keep_flight()
    if refusal is not None:
        bench.answer(UpdatedReport(ei_response=refusal))
    return bench, bench.heard(ReportsLost), bench.told


def test_report_that_the_vtn_refuses_is_not_sent_again_and_told() -> None:
    bench, [lost], told = answered(EiResponse(response_code="454", response_description="no", request_id=""))
    assert (lost.report_request_id, lost.values, lost.reason) == ("x", 1, Loss.REFUSED)
    assert any(isinstance(each, Trouble) and each.code == "454" for each in told)
    assert not any(isinstance(each, ReportDelivered) for each in told)
    assert not bench.session.state.samples
    assert not bench.session.state.jobs


def test_report_that_is_answered_with_a_plain_response_is_delivered() -> None:
    bench, _, _ = answered()
    bench.answer(nothing())
    assert bench.heard(ReportDelivered)
    assert not bench.session.state.samples


def test_report_that_the_vtn_will_not_take_is_given_up_and_told() -> None:
    bench, _, _ = answered()
    bench.fail(Failure.REFUSED)
    [lost] = bench.heard(ReportsLost)
    assert lost.reason is Loss.REFUSED
    assert not bench.session.state.samples


def test_report_whose_reply_is_lost_is_sent_again_as_it_was() -> None:
    bench, _, _ = answered()
    first = bench.pending.payload
    bench.fail(Failure.TIMEOUT)
    for _ in range(10):
        if bench.idle:
            bench.wait(40)
        elif isinstance(bench.pending.payload, UpdateReport):
            break
        else:
            bench.answer(nothing())
    assert bench.pending.payload == first


@pytest.mark.rule("R407")
def test_end_of_the_registration_ends_all_reports_and_says_what_is_lost() -> None:
    plant = Plant(offer("spec", "r1"))
    plant.ask(request("x", step_s=10, back_s=300))
    plant.run(95)
    plant.queue.append(CancelPartyRegistration(request_id="c", registration_id="reg-1", ven_id="ven-1"))
    plant.bench.put(PollNow())
    plant.serve()
    [lost] = plant.lost
    assert (lost.values, lost.reason) == (10, Loss.UNREGISTERED)
    assert not plant.bench.session.state.samples
    assert not plant.jobs


FEED = (
    '<atom:feed xmlns:atom="http://www.w3.org/2005/Atom"><atom:id>{}</atom:id><atom:title>x</atom:title>'
    "<atom:updated>2020-01-01T00:00:00Z</atom:updated></atom:feed>"
)
VALUES = st.one_of(
    st.none(),
    st.floats(),
    st.floats(width=32, allow_nan=False),
    st.integers(0, 3_000).map(lambda length: GBPayload(feed=FEED.format("x" * length))),
    st.just(PayloadResourceStatus(oadr_online=True, oadr_manual_override=False)),
)


@given(
    st.lists(
        st.tuples(st.integers(0, 50), VALUES, st.sampled_from([None, "x-" + "<&>" * 40])), min_size=1, max_size=200
    ),
    st.sampled_from(["r1", '<&>"' * 20]),
    st.booleans(),
)
@SEARCH
def test_no_message_is_longer_than_the_limit(
    values: list[tuple[int, Any, str | None]], r_id: str, grouped: bool
) -> None:
    offered = ReportOffer(report=offer("spec", r_id, "other").report, collection=Collection.FULL)

    many = [(60 * number + second, *rest) for number in range(1 + 300 // len(values)) for second, *rest in values]

    def answer(due: ReportDue) -> tuple[Reading, ...]:
        return tuple(
            Reading(r_id=r_id, value=value, at=due.since + timedelta(seconds=second), quality=quality)
            for second, value, quality in many
        )

    plant = Plant(offered, answer=answer, report_buffer=evolve(MIDDLE, grouped=grouped))
    # in the place of a method
    plant.take = lambda payload: plant.messages.append((plant.bench.wall, payload))  # type: ignore[method-assign]
    plant.ask(within(request("x", "spec", r_id, "other", step_s=10, back_s=60), 0, 60))
    plant.run(200)
    assert plant.messages
    assert not plant.jobs
    for _, message in plant.messages:
        assert len(encode(message)) <= MIDDLE.message_bytes


@pytest.mark.parametrize(
    "options",
    [{"values": 0}, {"values": True}, {"values": 1.5}, {"message_bytes": 16 * 1024 - 1}, {"message_bytes": None}],
)
def test_buffer_out_of_range_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(LocalError, match="whole number") as caught:
        ReportBuffer(**options)
    assert caught.value.path == f"ReportBuffer/{next(iter(options))}"


@pytest.mark.parametrize("grouped", [False, True])
def test_texts_of_the_application_count_for_the_length_of_a_message(grouped: bool) -> None:
    r_id, quality = "<&>" * 30, "x-" + "<&>" * 100
    offered = ReportOffer(report=offer("spec", r_id).report, collection=Collection.FULL)

    def answer(due: ReportDue) -> tuple[Reading, ...]:
        times = [due.since + timedelta(seconds=second) for second in range(500)]
        return tuple(Reading(r_id=r_id, value=1e-300, at=at, quality=quality, confidence=100) for at in times)

    plant = Plant(offered, answer=answer, report_buffer=evolve(MIDDLE, grouped=grouped))
    plant.ask(within(request("x", "spec", r_id, step_s=10, back_s=600), 0, 600))
    plant.run(700)
    assert len(plant.messages) > 5
    assert max(len(encode(message)) for _, message in plant.messages) <= MIDDLE.message_bytes
