"""What clocks and restarts do to samples: each instant is asked about once, and none is forgotten."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from oadr_core.engine import Tick
from oadr_core.model import CancelReport, DataQuality, UpdateReport
from oadr_core.ven import Collection, Loss, ReportOffer, VenSession
from tests.core.reporting.plant import Plant
from tests.core.ven.bench import START, offer, request

BAD = DataQuality.QUALITY_BAD_NON_SPECIFIC
HOUR_S = 3_600


def asked(plant: Plant) -> list[float]:
    """Seconds since the start of the instants that were asked about."""
    return [(due.at - START).total_seconds() for due in plant.asked]


def bad(plant: Plant) -> list[float]:
    """Seconds since the start of what has placeholders."""
    return [(at - START).total_seconds() for (_, _, at), (_, quality) in plant.arrived.items() if quality is BAD]


@pytest.fixture
def plant() -> Plant:
    ready = Plant(offer())
    ready.ask(request("x", step_s=10, back_s=30))
    ready.run(65)
    return ready


@pytest.mark.rule("R318")
def test_clock_that_is_set_ahead_leaves_placeholders(plant: Plant) -> None:
    plant.set_clock(95)
    plant.run(60)
    assert asked(plant) == [*range(0, 70, 10), *range(160, 230, 10)]
    assert bad(plant) == list(range(70, 160, 10))


@pytest.mark.parametrize("back_s", [1, 7, 61, HOUR_S, 14 * HOUR_S])
def test_clock_that_is_set_back_is_waited_for(plant: Plant, back_s: int) -> None:
    plant.set_clock(-back_s)
    plant.run(back_s + 60)
    assert asked(plant) == list(range(0, 130, 10))
    assert not bad(plant)
    assert set(plant.copies.values()) == {1}


@pytest.mark.rule("R346")
@pytest.mark.parametrize("delivered", [False, True])
def test_instants_with_placeholders_are_asked_about_when_the_clock_comes_back_to_them(
    plant: Plant, delivered: bool
) -> None:
    plant.away = not delivered
    plant.set_clock(HOUR_S)
    plant.run(10)
    plant.set_clock(-HOUR_S)
    plant.run(120)
    plant.away = False
    plant.run(2 * HOUR_S)
    found = sorted({(at - START).total_seconds() for _, _, at in plant.arrived})
    assert found == list(range(0, int(found[-1]) + 1, 10))
    assert found[-1] >= 2 * HOUR_S - 60
    assert bad(plant) == [70], "the only one of which nobody could be asked: the clock was wrong at that time"
    assert len(asked(plant)) == len(set(asked(plant))), "and what has a value is not asked about again"


@pytest.mark.rule("R345")
def test_nothing_is_asked_after_the_last_report_whatever_the_clock_did(plant: Plant) -> None:
    plant.set_clock(HOUR_S)
    plant.run(50)
    plant.set_clock(-HOUR_S)
    plant.run(120)
    plant.queue.append(CancelReport(request_id="c", report_request_id=tuple(plant.jobs), report_to_follow=True))
    plant.run(60)
    assert not plant.jobs
    last = max(asked(plant)[-3:])
    plant.run(2 * HOUR_S)
    assert asked(plant)[-1] <= last


def test_clock_that_was_wrong_for_long_begins_anew(plant: Plant) -> None:
    plant.set_clock(-3 * 86_400)
    plant.run(100)
    times = asked(plant)[7:]
    assert times == list(range(int(times[0]), int(times[0]) + 10 * len(times), 10))
    assert len(times) >= 9
    assert set(times) <= {(at - START).total_seconds() for _, _, at in plant.arrived} | set(times[-3:])
    assert not plant.missing() - {("x", "r1", due.at) for due in plant.asked[-3:]}, "what was there before is sent"


def test_clock_that_is_years_ahead_is_told_and_not_filled_with_placeholders(plant: Plant) -> None:
    plant.set_clock(10 * 365 * 86_400)
    plant.run(100)
    [lost] = plant.lost
    assert lost.reason is Loss.CLOCK
    assert lost.since == START + timedelta(seconds=70)
    assert len(bad(plant)) == 10_000
    assert lost.values + len(bad(plant)) + 7 == (plant.asked[7].at - START) // timedelta(seconds=10)


def test_whole_period_does_not_become_years_long() -> None:
    plant = Plant(ReportOffer(report=offer().report, collection=Collection.FULL))
    plant.ask(request("x", step_s=10, back_s=60))
    plant.run(65)
    plant.set_clock(10 * 365 * 86_400)
    plant.run(70)
    assert max(due.at - due.since for due in plant.asked) == timedelta(seconds=100_000)
    [lost] = plant.lost
    assert (lost.reason, lost.since) == (Loss.CLOCK, START + timedelta(seconds=60))


def test_summer_time_is_nothing_to_a_session() -> None:
    """Central Europe, the last Sunday of March and of October: 01:00 UTC is an hour like any other."""
    for month, day in ((3, 30), (10, 26)):
        plant = Plant(offer())
        plant.bench.wall = START.replace(month=month, day=day, hour=0)
        plant.ask(request("x", step_s=600, back_s=1800))
        plant.run(3 * HOUR_S)
        times = [due.at for due in plant.asked]
        assert [after - before for before, after in pairwise(times)] == [timedelta(minutes=10)] * 18


def test_restart_asks_about_no_instant_again(plant: Plant) -> None:
    plant.restart()
    plant.run(5)
    plant.restart(30)
    plant.run(60)
    assert asked(plant) == [*range(0, 70, 10), 70, *range(100, 170, 10)]
    assert bad(plant) == [80, 90]


def test_restart_after_the_clock_came_back_asks_about_no_instant_again(plant: Plant) -> None:
    plant.set_clock(HOUR_S)
    plant.run(50)  # nothing waits for the VTN now
    plant.set_clock(-HOUR_S)
    plant.run(120)
    plant.restart()
    plant.run(2 * HOUR_S)
    assert len(asked(plant)) == len(set(asked(plant)))
    found = sorted({(at - START).total_seconds() for _, _, at in plant.arrived})
    assert found == list(range(0, int(found[-1]) + 1, 10))


def test_question_that_was_open_is_asked_again_after_a_restart(plant: Plant) -> None:
    plant.silent = True
    plant.run(8)
    plant.silent = False
    plant.restart()
    assert asked(plant)[-2:] == [70, 70]
    plant.run(60)
    assert not bad(plant)


@pytest.mark.rule("R346")
def test_report_that_was_under_way_is_sent_again_after_a_restart() -> None:
    plant = Plant(offer())
    plant.ask(request("x", step_s=10, back_s=30))
    bench = plant.bench
    plant.run(19)
    bench.wait(2)
    plant.serve(UpdateReport)
    before = bench.expect(UpdateReport)
    bench.session = VenSession.restore(bench.session.config, bench.session.snapshot(), wire=False)
    bench.sent.clear()
    bench.put(Tick())
    plant.serve(UpdateReport)
    after = bench.expect(UpdateReport)
    assert after.oadr_report[0].intervals == before.oadr_report[0].intervals
    plant.serve()
    assert not bench.session.state.samples
    assert set(plant.copies.values()) == {1}
