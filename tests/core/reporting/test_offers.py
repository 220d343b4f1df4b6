"""What may be offered: metadata that break a rule are refused where the application gives them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from oadr_core import LocalError
from oadr_core.engine.copying import evolve
from oadr_core.model import (
    METADATA,
    Duration,
    EiTarget,
    Frequency,
    Interval,
    ReportDescription,
    SamplingRate,
    SignalPayload,
    Voltage,
)
from oadr_core.reporting.offers import ReportOffer, check, digest, find, metadata
from oadr_core.ven import VenConfig
from tests.core.ven.bench import START, offer

RATE = SamplingRate(oadr_min_period=Duration(seconds=10), oadr_max_period=Duration(seconds=600))
STATUS = ReportDescription(
    r_id="s", report_type="x-resourceStatus", reading_type="x-notApplicable", oadr_sampling_rate=RATE
)
VALUE = Interval(stream_payload_base=(SignalPayload(payload_base=1.0),))


def changed(point: dict[str, Any] | None = None, **changes: Any) -> ReportOffer:
    """A good offer with something else in it."""
    report = offer("spec", "r1").report
    [description] = report.oadr_report_description
    if point:
        changes["oadr_report_description"] = (evolve(description, **point),)
    return ReportOffer(report=evolve(report, **changes))


def rate(low: Duration, high: Duration) -> dict[str, SamplingRate]:
    return {"oadr_sampling_rate": SamplingRate(oadr_min_period=low, oadr_max_period=high)}


BROKEN = [
    ("R305", changed(oadr_report_description=())),
    ("R305", changed(intervals=(VALUE,))),
    ("R305", changed(dtstart=START)),
    ("R305", changed(ei_report_id="x")),
    ("R307", changed({"report_subject": EiTarget(resource_id=("a",))})),
    ("R307", changed({"report_subject": EiTarget(resource_id=("a",), end_device_asset=("Thermostat",))})),
    ("R308", offer("spec", "same", "same")),
    ("R308", offer(METADATA)),
    ("R308", offer("")),
    ("R311", changed(report_request_id="1")),
    ("R312", changed(duration=None)),
    ("R312", changed(duration=Duration())),
    ("R312", changed(duration=Duration(months=1))),
    ("R312", changed(duration=Duration(seconds=599))),
    ("R312", changed(rate(Duration(seconds=60), Duration(seconds=10)))),
    ("R312", changed(rate(Duration(months=1), Duration(months=1)))),
    ("R331", changed(report_name=None)),
    ("R331", changed(report_name="TELEMETRY_USAGE")),
    ("R331", changed(report_name="METADATA_")),
    ("R331", changed({"item_base": None}, report_name="METADATA_TELEMETRY_STATUS")),
    ("R331", changed({"report_type": "x-resourceStatus"}, report_name="METADATA_TELEMETRY_STATUS")),
    ("R333", changed({"oadr_sampling_rate": None})),
]


@pytest.mark.rule("R305")
@pytest.mark.rule("R307")
@pytest.mark.rule("R308")
@pytest.mark.rule("R311")
@pytest.mark.rule("R312")
@pytest.mark.rule("R331")
@pytest.mark.rule("R333")
@pytest.mark.parametrize(("rule", "broken"), BROKEN)
def test_offer_that_breaks_a_rule_is_refused_with_the_rule(rule: str, broken: ReportOffer) -> None:
    with pytest.raises(LocalError) as caught:
        VenConfig(ven_name="v", reports=(offer("good"), broken))
    assert caught.value.rule == rule
    assert str(caught.value.path).startswith("VenConfig/reports[2]/")


@pytest.mark.rule("R308")
def test_specifiers_are_unique_and_data_points_need_not_be() -> None:
    with pytest.raises(LocalError, match="must be unique") as caught:
        check((offer("same", "a"), offer("same", "b")), "reports")
    assert caught.value.rule == "R308"
    check((offer("one", "a"), offer("other", "a")), "reports")


@pytest.mark.rule("R331")
@pytest.mark.parametrize(
    "name",
    [
        "METADATA_TELEMETRY_USAGE",
        "METADATA_HISTORY_USAGE",
        "METADATA_HISTORY_GREENBUTTON",
        "x-own",
        "METADATA_x-own",
    ],
)
def test_known_reports_and_own_ones_may_be_offered_with_any_quantity(name: str) -> None:
    for unit in (Voltage(), Frequency()) if name.endswith("USAGE") else (Voltage(),):
        made = changed({"item_base": unit}, report_name=name)
        check((made,), "reports")
        assert made.report_name == name.removeprefix("METADATA_")


@pytest.mark.rule("R331")
def test_status_may_be_offered() -> None:
    made = changed(report_name="METADATA_TELEMETRY_STATUS", oadr_report_description=(STATUS,))
    check((made,), "reports")
    assert (made.is_status, made.is_history) == (True, False)


@pytest.mark.rule("R307")
def test_subject_may_be_a_device_class() -> None:
    check((changed({"report_subject": EiTarget(end_device_asset=("Thermostat",))}),), "reports")


def test_report_with_a_name_of_its_own_is_history_when_it_is_not_sampled() -> None:
    assert changed({"oadr_sampling_rate": None}, report_name="x-own").is_history
    assert not changed(report_name="x-own").is_history
    assert changed(report_name="METADATA_HISTORY_USAGE").is_history


@pytest.mark.rule("R306")
def test_metadata_are_all_reports_with_the_time_of_now() -> None:
    offers = (offer("a"), offer("b"))
    later = START + timedelta(hours=1)
    assert [(one.report_specifier_id, one.created_date_time) for one in metadata(offers, later)] == [
        ("a", later),
        ("b", later),
    ]
    assert metadata((), later) == ()


def test_digest_tells_what_is_offered_apart() -> None:
    assert digest((offer("a"),)) == digest((offer("a"),))
    assert len({digest(()), digest((offer("a"),)), digest((offer("b"),)), digest((offer("a"), offer("b")))}) == 4


def test_offers_are_found_by_their_specifier() -> None:
    offers = (offer("a"), offer("b"))
    assert find(offers, "b") is offers[1]
    assert find(offers, "c") is None
