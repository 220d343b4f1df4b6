"""Reports of states and of Green Button feeds, from the offer to the message."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from oadr_core.engine.copying import evolve
from oadr_core.model import (
    DataQuality,
    GBPayload,
    LoadControlState,
    LoadControlStates,
    PayloadResourceStatus,
    ReportDescription,
    ReportPayload,
    UpdateReport,
)
from oadr_core.ven import Reading, ReportDue, ReportOffer
from oadr_core.wire import encode
from tests.core.reporting.plant import Plant
from tests.core.reporting.test_offers import RATE
from tests.core.reporting.test_requests import history, within
from tests.core.reporting.test_shapes import FEED
from tests.core.ven.bench import offer, request


def status_offer() -> ReportOffer:
    points = tuple(
        ReportDescription(
            r_id=r_id, report_type="x-resourceStatus", reading_type="x-notApplicable", oadr_sampling_rate=RATE
        )
        for r_id in ("s1", "s2")
    )
    report = evolve(offer("status").report, report_name="METADATA_TELEMETRY_STATUS", oadr_report_description=points)
    return ReportOffer(report=report)


def kept(plant: Plant) -> list[UpdateReport]:
    """Let a plant keep messages without looking into them."""
    sent: list[UpdateReport] = []
    plant.take = sent.append  # type: ignore[method-assign,assignment]  # in the place of a method
    return sent


@pytest.mark.rule("R318")
@pytest.mark.rule("R331")
@pytest.mark.rule("R334")
def test_states_are_sent_with_the_same_things_in_all_intervals(validate: Callable[[bytes], None]) -> None:
    levels = LoadControlStates(oadr_level_offset=LoadControlState(oadr_current=2.0))

    def answer(due: ReportDue) -> tuple[Reading, ...]:
        second = due.at.second
        states = None if second == 20 else levels
        state = PayloadResourceStatus(oadr_online=True, oadr_manual_override=False, oadr_load_control_state=states)
        return (Reading(r_id="s1", value=None if second == 30 else state),)  # and s2 is never known

    plant = Plant(status_offer(), answer=answer)
    sent = kept(plant)
    plant.ask(request("x", "status", "s1", "s2", step_s=10, back_s=60))
    plant.run(55)
    [message] = sent
    validate(encode(message))
    found: list[tuple[int, str, bool, Any]] = []
    for number, report in enumerate(message.oadr_report):
        assert report.report_name == "TELEMETRY_STATUS"
        for interval in report.intervals:
            for payload in interval.stream_payload_base:
                assert isinstance(payload, ReportPayload)
                state = payload.payload_base
                assert isinstance(state, PayloadResourceStatus)
                has_levels = state.oadr_load_control_state is not None
                found.append((number, payload.r_id, has_levels, payload.oadr_data_quality))
    assert len(message.oadr_report) == 2, "what tells of levels, and the one value that does not"
    assert {(number, has_levels) for number, _, has_levels, _ in found} == {(0, True), (1, False)}
    bad = [r_id for _, r_id, _, quality in found if quality is DataQuality.QUALITY_BAD_NON_SPECIFIC]
    assert sorted(bad) == ["s1"] + ["s2"] * 6
    assert len(found) == 12


@pytest.mark.rule("R316")
@pytest.mark.rule("R324")
def test_green_button_feed_is_sent_once_and_survives_a_restart(validate: Callable[[bytes], None]) -> None:
    base = history("gb").report
    offered = ReportOffer(report=evolve(base, report_name="METADATA_HISTORY_GREENBUTTON"))

    def answer(due: ReportDue) -> tuple[Reading, ...]:
        return (Reading(r_id="r1", value=FEED, at=due.since, duration=due.at - due.since),)

    plant = Plant(offered, answer=answer)
    sent = kept(plant)
    plant.ask(request("warm-up", "gb", step_s=0, back_s=10))  # refused: history is sent once
    plant.bench.wait(0)
    plant.queue.clear()
    plant.ask(within(request("x", "gb", step_s=0, back_s=0), -7200, 3600))
    [message] = sent
    validate(encode(message))
    [report] = message.oadr_report
    [interval] = report.intervals
    assert interval.stream_payload_base == (GBPayload(feed=FEED.feed),)
    assert (report.report_name, str(report.duration)) == ("HISTORY_GREENBUTTON", "PT1H")

    plant = Plant(offered, answer=answer)
    sent = []

    def hear_and_fall_silent(payload: UpdateReport) -> None:
        sent.append(payload)
        plant.deaf = True

    plant.take = hear_and_fall_silent  # type: ignore[method-assign]  # in the place of a method
    plant.ask(within(request("x", "gb", step_s=0, back_s=0), -7200, 3600))
    assert len(plant.bench.session.state.samples) == 1, "nobody has answered"
    plant.restart()
    plant.take = sent.append  # type: ignore[method-assign,assignment]  # in the place of a method
    plant.deaf = False
    plant.run(60)
    assert len(sent) == 2
    assert sent[-1].oadr_report[0].intervals == report.intervals
    assert not plant.jobs
    assert plant.bench.wall - report.created_date_time < timedelta(hours=1)
