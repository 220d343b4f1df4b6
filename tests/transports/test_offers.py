"""What `add_report` takes ends in the metadata or in how a callback is called, and what it cannot take is named."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from oadr_core import LocalError, encode
from oadr_core.model import Report, ReportDescription, ReportName, SamplingRate
from oadr_core.model.reports import RegisterReport
from oadr_core.ven import Collection, ReportDue
from oadr_transports import OpenADRClient
from oadr_transports.offers import ReportOffers

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def value() -> float:
    return 1.0


def period(date_from: datetime, date_to: datetime, sampling_interval: timedelta) -> list[tuple[datetime, float]]:
    return [(date_from, 1.0)]


def offered(**options: Any) -> tuple[Report, ReportDescription]:
    offers = ReportOffers()
    offers.add_report(**{"callback": value, "resource_id": "boiler", "measurement": "powerReal", **options})
    [offer] = offers._reports()
    [point] = offer.report.oadr_report_description
    return offer.report, point


@pytest.mark.rule("R331")
@pytest.mark.rule("R333")
def test_defaults_are_those_of_the_profile() -> None:
    report, point = offered()
    assert (report.report_name, point.report_type, point.reading_type) == (
        "METADATA_TELEMETRY_USAGE",
        "usage",
        "Direct Read",
    )
    rate = point.oadr_sampling_rate
    assert rate is not None
    assert (str(rate.oadr_min_period), str(rate.oadr_max_period), rate.oadr_on_change) == ("PT10S", "PT1H", False)


@pytest.mark.rule("R305")
@pytest.mark.rule("R307")
@pytest.mark.rule("R311")
def test_every_option_ends_in_the_metadata(validate: Callable[[bytes], None]) -> None:
    report, point = offered(
        report_specifier_id="spec",
        r_id="r",
        report_name="x-mine",
        reading_type="Mean",
        report_type="demand",
        report_duration=timedelta(days=7),
        sampling_rate=(MINUTE, 2 * MINUTE),
        scale="k",
        power_hertz=60,
        power_voltage=120,
        power_ac=False,
        market_context="http://example.com/program",
        end_device_asset_mrid=["Thermostat", "Water_Heater"],
        report_data_source={"meter_asset": ["m1"]},
    )
    validate(encode(RegisterReport(request_id="r", oadr_report=(report,))))
    assert (report.report_specifier_id, report.report_name, report.report_request_id) == ("spec", "x-mine", "0")
    assert str(report.duration) == "P7D"
    assert (report.dtstart, report.intervals, report.ei_report_id) == (None, (), None)
    assert (point.r_id, point.reading_type, point.report_type) == ("r", "Mean", "demand")
    assert point.market_context == "http://example.com/program"
    assert point.report_subject is not None
    assert point.report_subject.end_device_asset == ("Thermostat", "Water_Heater")
    assert point.report_data_source is not None
    assert (point.report_data_source.resource_id, point.report_data_source.meter_asset) == (("boiler",), ("m1",))


@pytest.mark.rule("R343")
def test_without_a_resource_there_is_no_source() -> None:
    assert offered(resource_id=None)[1].report_data_source is None


@pytest.mark.parametrize("name", [name for name in ReportName if not name.startswith("METADATA_")])
def test_metadata_of_every_report_are_valid(name: str, validate: Callable[[bytes], None]) -> None:
    measurement = {"TELEMETRY_STATUS": None, "HISTORY_GREENBUTTON": None}.get(name, "energyReal")
    callback: Any = period if name.startswith("HISTORY") else value
    report, _ = offered(callback=callback, measurement=measurement, report_name=name)
    assert report.report_name == f"METADATA_{name}"
    validate(encode(RegisterReport(request_id="r", oadr_report=(report,))))


@pytest.mark.parametrize(
    "rate",
    [
        (MINUTE, timedelta(hours=1)),
        [MINUTE, timedelta(hours=1)],
        SimpleNamespace(min_period=MINUTE, max_period=timedelta(hours=1), on_change=True),
    ],
    ids=["tuple", "list", "object"],
)
def test_sampling_rate_may_be_a_range(rate: Any) -> None:
    found = offered(sampling_rate=rate)[1].oadr_sampling_rate
    assert found is not None
    assert (str(found.oadr_min_period), str(found.oadr_max_period)) == ("PT1M", "PT1H")
    assert found.oadr_on_change is hasattr(rate, "on_change")
    assert isinstance(offered(sampling_rate=found)[1].oadr_sampling_rate, SamplingRate)


def test_ids_are_the_same_at_each_start() -> None:
    first, second = offered(), offered()
    assert first == second


@pytest.mark.rule("R308")
def test_points_of_one_name_and_mode_share_a_report_with_ids_of_their_own() -> None:
    offers = ReportOffers()
    ids = [offers.add_report(value, resource, "voltage") for resource in ("a", "a", "b")]
    ids.append(offers.add_report(period, "a", "voltage", data_collection_mode="full"))
    assert len({specifier for specifier, _ in ids[:3]}) == 1
    assert len(set(ids)) == 4
    with pytest.raises(LocalError, match="already"):
        offers.add_report(value, "a", "voltage", report_specifier_id=ids[0][0], r_id=ids[0][1])
    with pytest.raises(LocalError, match="incremental TELEMETRY_USAGE"):
        offers.add_report(period, "a", "voltage", "full", report_specifier_id=ids[0][0])


@pytest.mark.rule("R312")
def test_data_offered_are_never_less_than_a_sample() -> None:
    assert str(offered(sampling_rate=timedelta(days=3))[0].duration) == "P3D"
    assert str(offered(report_name="HISTORY_USAGE", callback=period)[0].duration) == "P366D"
    with pytest.raises(LocalError, match="report_duration") as caught:
        offered(sampling_rate=timedelta(hours=1), report_duration=timedelta(minutes=59))
    assert caught.value.rule == "R312"


@pytest.mark.rule("R331")
def test_usage_that_is_none_is_offered_and_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "oadr")
    offered()
    offered(measurement="voltage", report_name="x-volts")
    assert not caplog.records
    report, _ = offered(measurement="voltage", r_id="v")
    assert report.report_name == "METADATA_TELEMETRY_USAGE"
    assert "'v'" in caplog.text
    assert "R331" in caplog.text


# --- how callbacks are called ---------------------------------------------------------------------------------------


def arguments(callback: Callable[..., Any], *, collection: Collection = Collection.FULL, **options: Any) -> Any:
    offers = ReportOffers()
    mode = "full" if collection is Collection.FULL else "incremental"
    specifier, r_id = offers.add_report(callback, "d", "voltage", mode, **options)
    due = ReportDue(
        report_request_id="1",
        report_specifier_id=specifier,
        r_ids=(r_id,),
        at=NOW,
        deadline=1.0,
        collection=collection,
        since=NOW - 10 * MINUTE,
        interval=options.pop("interval", MINUTE),
    )
    [question] = offers._questions(due)
    return dict(question.arguments)


def test_callback_of_full_collection_gets_the_period() -> None:
    assert arguments(period) == {"date_from": NOW - 10 * MINUTE, "date_to": NOW, "sampling_interval": MINUTE}


def test_period_has_the_names_that_the_callback_takes() -> None:
    def other(date_from: datetime, date_to: datetime, sampling_rate: timedelta) -> None: ...

    def anything(**options: Any) -> None: ...

    def both(date_from: datetime, date_to: datetime, sampling_interval: timedelta, sampling_rate: int = 0) -> None: ...

    assert set(arguments(other)) == {"date_from", "date_to", "sampling_rate"}
    for callback in (anything, both):
        assert set(arguments(callback)) == {"date_from", "date_to", "sampling_interval"}


def test_older_data_than_there_are_are_not_asked_for() -> None:
    assert arguments(period, report_dtstart=NOW - 3 * MINUTE)["date_from"] == NOW - 3 * MINUTE
    assert arguments(period, report_dtstart=NOW - timedelta(days=3))["date_from"] == NOW - 10 * MINUTE


def test_callback_of_a_sample_gets_nothing() -> None:
    assert arguments(value, collection=Collection.INCREMENTAL) == {}


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"callback": "value"}, "callback"),
        ({"callback": value, "data_collection_mode": "full"}, "callback"),
        ({"callback": value, "report_name": "HISTORY_USAGE"}, "callback"),
        ({"data_collection_mode": None}, "data_collection_mode"),
        ({"report_name": "x-"}, "report_name"),
        ({"report_name": 7}, "report_name"),
        ({"report_type": "Reading"}, "report_type"),
        ({"reading_type": "direct"}, "reading_type"),
        ({"measurement": "status", "report_type": "usage"}, "report_type"),
        ({"measurement": "status", "reading_type": "Mean"}, "reading_type"),
        ({"measurement": "status", "report_name": "TELEMETRY_USAGE"}, "measurement"),
        ({"report_name": "TELEMETRY_STATUS"}, "measurement"),
        ({"report_dtstart": datetime(2026, 1, 1)}, "report_dtstart"),  # noqa: DTZ001  # without a zone
        ({"sampling_rate": 10}, "sampling_rate"),
        ({"sampling_rate": (MINUTE,)}, "sampling_rate"),
        ({"sampling_rate": timedelta(0)}, "sampling_rate"),
        ({"report_duration": 60}, "report_duration"),
        ({"market_context": 5}, "market_context"),
        ({"report_data_source": {"meter": ["m"]}}, "report_data_source"),
        ({"end_device_asset_mrid": [1]}, "end_device_asset_mrid"),
        ({"resource_id": 5}, "resource_id"),
        ({"resource_id": "a\x00"}, "resource_id"),
        ({"r_id": "a\x00"}, "r_id"),
        ({"measurement": "status", "history": object()}, "history"),
    ],
)
def test_what_cannot_be_is_refused_and_named(options: dict[str, Any], argument: str) -> None:
    offers = ReportOffers()
    with pytest.raises(LocalError) as caught:
        offers.add_report(**{"callback": value, "resource_id": "d", "measurement": "powerReal", **options})
    assert caught.value.path == argument
    assert not offers._offers, "a refused report leaves nothing behind"


def test_buffer_must_be_one() -> None:
    with pytest.raises(LocalError, match="report_buffer"):
        OpenADRClient("v", "http://127.0.0.1:1/x", report_buffer=100)  # type: ignore[arg-type]  # wrong on purpose
