"""Every sample that is due arrives once, or is accounted for, whatever clocks, network and processes do."""

from __future__ import annotations

import os
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from oadr_core.model import DataQuality
from oadr_core.ven import Collection, Loss, ReportBuffer, ReportOffer
from tests.core.reporting.plant import Plant
from tests.core.ven.bench import START, offer, request

BAD = DataQuality.QUALITY_BAD_NON_SPECIFIC
# Not shrunk, for that takes minutes: who has to understand a failure adds Phase.shrink.
SEARCH = settings(
    deadline=None,
    max_examples=int(os.environ.get("OADR_EXAMPLES", "40")),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
STEPS = st.sampled_from([10, 20, 40, 60])
MOVES = st.one_of(
    st.tuples(st.just("run"), st.integers(0, 300)),
    st.tuples(st.just("sleep"), st.integers(0, 200)),
    st.tuples(st.just("ahead"), st.sampled_from([1, 7, 61, 3600])),
    st.tuples(st.just("back"), st.sampled_from([1, 7, 61, 3600])),
    st.tuples(st.just("restart"), st.sampled_from([0, 3, 100])),
    st.tuples(st.just("away"), st.booleans()),
    st.tuples(st.just("deaf"), st.booleans()),
    st.tuples(st.just("silent"), st.booleans()),
)


def play(plant: Plant, moves: list[tuple[str, Any]]) -> None:
    for kind, what in moves:
        match kind:
            case "run":
                plant.run(what)
            case "sleep":
                plant.sleep(what)
            case "ahead":
                plant.set_clock(what)
            case "back":
                plant.set_clock(-what)
            case "restart":
                plant.restart(what)
            case _:
                setattr(plant, kind, what)


def come_to_rest(plant: Plant) -> None:
    """The VTN is back, somebody answers, and clocks are left alone until everything has been caught up."""
    plant.away = plant.deaf = plant.silent = False
    plant.set_clock(max(0.0, -plant.moved_s))
    plant.run(1_500)


@pytest.mark.rule("R300")
@pytest.mark.rule("R318")
@pytest.mark.rule("R346")
@given(STEPS, st.integers(1, 5), st.integers(0, 30), st.booleans(), st.lists(MOVES, max_size=12))
@SEARCH
def test_each_instant_of_a_periodic_report_is_delivered_once(
    step: int, samples: int, odd: int, jitter: bool, moves: list[tuple[str, Any]]
) -> None:
    plant = Plant(offer("spec", "r1", "r2"), jitter=jitter)
    plant.ask(request("req", "spec", "r1", "r2", step_s=step, back_s=step * samples + odd))
    [job] = plant.jobs.values()
    play(plant, moves)
    come_to_rest(plant)
    assert not plant.lost
    kept = plant.bench.session.state.samples.values()
    waiting = {("req", reading.r_id, sample.at) for sample in kept for reading in sample.readings}
    assert plant.missing() <= waiting, "what was answered arrives as it was answered"
    assert len(waiting) <= 2 * (samples + odd // step + 1), "and does not wait longer than until its report is complete"
    arrived = {at for _, _, at in plant.arrived}
    due = {
        job.first + timedelta(seconds=step * n)
        for n in range(1 + (max(arrived) - job.first) // timedelta(seconds=step))
    }
    assert due - arrived == set(), "no instant is left out"
    assert arrived - due == set(), "no instant is made up"
    for (_, r_id, at), (value, quality) in plant.arrived.items():
        assert (at in {due.at for due in plant.asked}) or quality is BAD
        if ("req", r_id, at) not in plant.answered:
            assert (value, quality) == (0.0, BAD)
    if not any(kind == "deaf" for kind, _ in moves):
        event("a placeholder was corrected", payload=any(count > 1 for count in plant.copies.values()))
        for count in plant.copies.values():
            assert count == 1 or (count == 2 and any(kind == "ahead" for kind, _ in moves)), "none is doubled"
    questions = [due.at for due in plant.asked if (due.report_request_id, "r1", due.at) in plant.answered]
    assert len(questions) == len(set(questions)) or any(kind == "restart" for kind, _ in moves)


@pytest.mark.rule("R300")
@pytest.mark.rule("R325")
@given(STEPS, st.integers(1, 5), st.integers(0, 30), st.booleans(), st.lists(MOVES, max_size=12))
@SEARCH
def test_whole_periods_follow_each_other_without_gap_or_overlap(
    step: int, samples: int, odd: int, jitter: bool, moves: list[tuple[str, Any]]
) -> None:
    """Nothing is ever missed, for what was missed is asked for with the next period."""
    plant = Plant(ReportOffer(report=offer("spec", "r1").report, collection=Collection.FULL), jitter=jitter)
    plant.ask(request("req", "spec", "r1", step_s=step, back_s=step * samples + odd))
    [job] = plant.jobs.values()
    play(plant, moves)
    come_to_rest(plant)
    kept = plant.bench.session.state.samples.values()
    assert plant.missing() <= {("req", one.r_id, one.at or sample.at) for sample in kept for one in sample.readings}
    periods = list(dict.fromkeys((due.since, due.at) for due in plant.asked))
    assert periods[0][0] == job.begin
    for before, after in pairwise(periods):
        assert before[1] == after[0] or (before[0] == after[0] and before[1] < after[1]), "asked again after a restart"
    assert all((due.at - due.since).total_seconds() % job.back_s == 0 for due in plant.asked)
    assert all(count == 1 for count in plant.copies.values()) or any(kind == "deaf" for kind, _ in moves)


@given(
    st.integers(1, 60),
    st.lists(
        st.tuples(st.sampled_from([10, 20, 60]), st.sampled_from([10, 60, 100]), st.booleans()), min_size=1, max_size=3
    ),
    st.lists(MOVES, max_size=8),
    st.booleans(),
)
@SEARCH
def test_what_does_not_arrive_is_told(
    most: int, wanted: list[tuple[int, int, bool]], moves: list[tuple[str, Any]], small: bool
) -> None:
    """With a buffer that is too small for what the moves make wait, every value arrives or is among the lost ones."""
    buffer = ReportBuffer(values=most, message_bytes=(16 if small else 512) * 1024)
    plant = Plant(offer("spec", "r1", "r2"), report_buffer=buffer)
    ids = [f"q{number}" for number in range(len(wanted))]
    plant.ask(
        *(
            request(id_, "spec", *(("r1", "r2") if both else ("r1",)), step_s=step, back_s=max(step, back))
            for id_, (step, back, both) in zip(ids, wanted, strict=True)
        )
    )
    plant.away = True
    play(plant, [move for move in moves if move[0] != "deaf"])
    come_to_rest(plant)
    kept = plant.bench.session.state.samples.values()
    waiting = {(sample.report_request_id, one.r_id, sample.at) for sample in kept for one in sample.readings}
    gone = plant.missing() - waiting
    told = {id_: [lost for lost in plant.lost if lost.report_request_id == id_] for id_ in ids}
    for id_, _, at in gone:
        assert any(lost.since <= at <= lost.until for lost in told[id_])
    for id_, (step, _, both) in zip(ids, wanted, strict=True):
        arrived = [key for key in plant.arrived if key[0] == id_]
        assert all(lost.reason is Loss.BUFFER for lost in told[id_])
        if not any(kind in ("back", "restart", "ahead") for kind, _ in moves):
            ends = [lost.until for lost in told[id_]]
            last = max([at for _, _, at in arrived] + ends)
            due = (1 + (last - START) // timedelta(seconds=step)) * (2 if both else 1)
            still = sum(key[0] == id_ and key[2] <= last for key in waiting)
            assert due == len(arrived) + still + sum(lost.values for lost in told[id_])
