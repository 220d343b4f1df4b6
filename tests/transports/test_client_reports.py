"""What callbacks give reaches a VTN over real HTTP: the documentation's examples, and every kind of report."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from oadr_core.model import DataQuality
from oadr_transports import (
    Measured,
    OpenADRClient,
    SqliteHistory,
    SyncOpenADRClient,
    TrioOpenADRClient,
    resource_status,
)
from oadr_transports.drivers.pilot import CALLS
from tests.observations import Observation
from tests.running import running
from tests.transports.delivered import all_values, offered, one, texts, value_of, values
from tests.transports.scripted_vtn import (
    ScriptedVtn,
    cancel_report,
    create_report,
    distribute_event,
    registered_report,
    report_request,
)

SECOND = timedelta(seconds=1)
BAD = "Quality Bad - Non Specific"


@pytest.fixture
def vtn() -> Iterator[ScriptedVtn]:
    with ScriptedVtn() as server:
        yield server


def client_of(vtn: ScriptedVtn, **options: Any) -> OpenADRClient:
    client = OpenADRClient(ven_name="ven-1", vtn_url=vtn.url, allow_jitter=False, **options)
    client.add_handler("on_event", lambda event: "optIn")
    return client


@asynccontextmanager
async def requesting(vtn: ScriptedVtn, client: Any, *requests: str) -> AsyncIterator[None]:
    """Run a client whose first answer to its reports brings these requests along (R344)."""
    vtn.script("oadrRegisterReport", registered_report("", *requests))
    async with running(client):
        yield


# --- the examples of the OpenLEADR documentation --------------------------------------------------------------------


async def test_example_of_the_client_documentation(vtn: ScriptedVtn) -> None:
    async def collect_report_value() -> float:
        # This callback is called when you need to collect a value for your Report
        return 1.23

    client = client_of(vtn)
    specifier, r_id = client.add_report(
        callback=collect_report_value,
        resource_id="device001",
        measurement="voltage",
        sampling_rate=timedelta(seconds=1),
    )
    async with requesting(vtn, client, report_request("1", specifier, r_id)):
        assert (await value_of(vtn, r_id)).value == "1.23"


async def test_example_of_two_devices_and_two_reports(vtn: ScriptedVtn, validate: Callable[[bytes], None]) -> None:
    async def read_voltage(device: str) -> float:
        return 230.0 if device == "Device001" else 231.0

    async def read_current(device: str) -> float:
        return 6.0 if device == "Device001" else 7.0

    client = client_of(vtn)
    ids = [
        client.add_report(
            callback=partial(read, device=device),
            report_specifier_id=specifier,
            resource_id=device,
            measurement="current",
            sampling_rate=timedelta(seconds=10),
            unit="A",
        )
        for read, specifier in ((read_current, "AmpereReport"), (read_voltage, "VoltageReport"))
        for device in ("Device001", "Device002")
    ]
    assert [specifier for specifier, _ in ids] == ["AmpereReport", "AmpereReport", "VoltageReport", "VoltageReport"]
    amperes, volts = [r_id for _, r_id in ids[:2]], [r_id for _, r_id in ids[2:]]
    one_shots = [
        report_request("a", "AmpereReport", *amperes, granularity="PT0S", back="PT0S", length=None),
        report_request("v", "VoltageReport", *volts, granularity="PT0S", back="PT0S", length=None),
    ]
    async with requesting(vtn, client, *one_shots):
        found = [(await value_of(vtn, r_id)).value for r_id in (*amperes, *volts)]
        assert list(map(float, found)) == [6.0, 7.0, 230.0, 231.0]
    metadata = vtn.wait("request", lambda seen: seen["message"] == "oadrRegisterReport")["body"]
    validate(metadata)
    report = offered(metadata)["AmpereReport"]
    assert texts(report, "oadrReportDescription/reportDataSource/resourceID") == ["Device001", "Device002"]
    assert texts(report, "current/itemUnits") == ["A", "A"]
    assert one(report, "oadrSamplingRate/oadrMinPeriod") == "PT10S"


async def test_example_of_full_collection(vtn: ScriptedVtn) -> None:
    calls: list[tuple[datetime, datetime, timedelta]] = []

    async def load_data(date_from: datetime, date_to: datetime, sampling_rate: timedelta) -> list[Any]:
        calls.append((date_from, date_to, sampling_rate))
        rows = [(date_from + n * sampling_rate, float(n)) for n in range(2)]
        return [rows]

    client = client_of(vtn)
    client.add_report(
        callback=load_data,
        data_collection_mode="full",
        report_specifier_id="AmpereReport",
        r_id="ampere",
        resource_id="Device001",
        measurement="current",
        sampling_rate=timedelta(seconds=1),
        unit="A",
    )
    async with requesting(vtn, client, report_request("1", "AmpereReport", "ampere", back="PT2S")):
        await value_of(vtn, "ampere")
    date_from, date_to, sampling_rate = calls[0]
    assert (date_to - date_from, sampling_rate) == (2 * SECOND, SECOND)
    assert [(value.at, float(value.value)) for value in all_values(vtn)[:2]] == [
        (date_from, 0.0),
        (date_from + SECOND, 1.0),
    ]


async def test_example_of_history(vtn: ScriptedVtn) -> None:
    noon = datetime(2025, 6, 1, 12, tzinfo=UTC)
    calls: list[tuple[datetime, datetime, timedelta, str]] = []

    async def get_historic_data(
        date_from: datetime, date_to: datetime, sampling_interval: timedelta, device_id: str
    ) -> list[tuple[datetime, float]]:
        calls.append((date_from, date_to, sampling_interval, device_id))
        return [(noon + n * timedelta(minutes=15), float(n)) for n in range(4)]

    client = client_of(vtn)
    specifier, r_id = client.add_report(
        callback=partial(get_historic_data, device_id="Device001"),
        report_name="HISTORY_USAGE",
        report_specifier_id="AmpereHistory",
        resource_id="Device001",
        measurement="current",
        sampling_rate=timedelta(seconds=10),
        unit="A",
    )
    request = report_request(
        "h", specifier, r_id, granularity="PT0S", back="PT0S", start="2025-06-01T12:00:00Z", length="PT1H"
    )
    async with requesting(vtn, client, request):
        await value_of(vtn, r_id)
    assert calls == [(noon, noon + timedelta(hours=1), timedelta(seconds=10), "Device001")]
    assert [(value.at, float(value.value)) for value in all_values(vtn)] == [
        (noon + n * timedelta(minutes=15), float(n)) for n in range(4)
    ]


# --- kinds of reports -----------------------------------------------------------------------------------------------


async def test_samples_at_round_times_are_gathered_into_one_report(vtn: ScriptedVtn) -> None:
    counted = iter(range(1_000))
    client = client_of(vtn)
    specifier, r_id = client.add_report(lambda: next(counted), "meter", "powerReal", sampling_rate=SECOND, unit="kW")
    async with requesting(vtn, client, report_request("1", specifier, r_id, back="PT3S")):
        await value_of(vtn, r_id)
    [first, second, third] = all_values(vtn)[:3]
    assert first.at is not None
    assert first.at.microsecond == 0
    assert [value.at for value in (second, third)] == [first.at + SECOND, first.at + 2 * SECOND]
    assert [float(value.value) for value in (first, second, third)] == [0.0, 1.0, 2.0]
    metadata = vtn.wait("request", lambda seen: seen["message"] == "oadrRegisterReport")["body"]
    assert one(offered(metadata)[specifier], "powerReal/siScaleCode") == "k"
    assert one(offered(metadata)[specifier], "oadrReportDescription/reportType") == "usage"


@pytest.mark.rule("R334")
async def test_state_of_a_resource_with_all_its_quantities(vtn: ScriptedVtn, validate: Callable[[bytes], None]) -> None:
    client = client_of(vtn)
    specifier, plain = client.add_report(lambda: True, "boiler", "status", sampling_rate=SECOND)
    same, full = client.add_report(
        lambda: resource_status(
            manual_override=True,
            capacity={"current": 5, "min": 0, "max": 10, "normal": 8},
            level_offset=1,
            percent_offset=0.5,
            set_point=21,
        ),
        "heater",
        report_name="TELEMETRY_STATUS",
        sampling_rate=SECOND,
    )
    assert same == specifier
    async with requesting(vtn, client, report_request("1", specifier, plain, full)):
        assert (await value_of(vtn, plain)).value == (
            "oadrPayloadResourceStatus(oadrOnline(true) oadrManualOverride(false))"
        )
        text = (await value_of(vtn, full)).value
    assert "oadrManualOverride(true)" in text
    assert "oadrCapacity(oadrMin(0) oadrMax(10) oadrCurrent(5) oadrNormal(8))" in text
    assert "oadrSetPoint(oadrCurrent(21))" in text
    metadata = vtn.wait("request", lambda seen: seen["message"] == "oadrRegisterReport")["body"]
    assert texts(offered(metadata)[specifier], "oadrReportDescription/reportType") == ["x-resourceStatus"] * 2
    for seen in vtn.all("request"):
        validate(seen["body"])


async def test_what_is_known_of_a_value_is_reported(vtn: ScriptedVtn, validate: Callable[[bytes], None]) -> None:
    def read() -> Measured:
        return Measured(1.5, quality=DataQuality.QUALITY_UNCERTAIN_SENSOR_NOT_ACCURATE, accuracy=0.25, confidence=80)

    client = client_of(vtn)
    specifier, r_id = client.add_report(read, "meter", "energyReal", sampling_rate=SECOND)
    async with requesting(vtn, client, report_request("1", specifier, r_id)):
        value = await value_of(vtn, r_id)
    assert (value.value, value.quality) == ("1.5", "Quality Uncertain - Sensor Not Accurate")
    assert (value.accuracy, value.confidence) == ("0.25", "80")
    validate(vtn.wait("request", lambda seen: seen["message"] == "oadrUpdateReport")["body"])


async def test_green_button_feed_is_carried_as_it_is(vtn: ScriptedVtn, validate: Callable[[bytes], None]) -> None:
    periods: list[tuple[datetime, datetime]] = []

    def feed(date_from: datetime, date_to: datetime, sampling_interval: timedelta) -> bytes:
        periods.append((date_from, date_to))
        return (
            b'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><id>urn:uuid:1</id>'
            b"<title>Usage of the boiler</title><updated>2026-05-04T12:00:00Z</updated></feed>"
        )

    client = client_of(vtn)
    specifier, r_id = client.add_report(feed, "boiler", report_name="HISTORY_GREENBUTTON")
    request = report_request(
        "g", specifier, r_id, granularity="PT0S", back="PT0S", start="2025-06-01T00:00:00Z", length="P1D"
    )
    async with requesting(vtn, client, request):
        seen = await vtn.seen("request", lambda seen: seen["message"] == "oadrUpdateReport")
    validate(seen["body"])
    assert b"Usage of the boiler" in seen["body"]
    assert periods == [(datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 6, 2, tzinfo=UTC))]


async def test_attached_history_answers_for_the_samples_that_were_taken(vtn: ScriptedVtn, tmp_path: Path) -> None:
    counted = iter(range(1_000))
    history = SqliteHistory(tmp_path / "history.db")
    client = client_of(vtn)
    specifier, r_id = client.add_report(
        lambda: next(counted), "meter", "powerReal", sampling_rate=SECOND, report_specifier_id="now", history=history
    )
    async with requesting(vtn, client, report_request("1", specifier, r_id)):
        await value_of(vtn, r_id, 2.0)
        past = report_request("past", "now-history", r_id, granularity="PT0S", back="PT0S")
        vtn.script("oadrPoll", create_report(past))
        await value_of(vtn, r_id, 0.0, request="past")
    history.close()
    told = {(value.at, value.value) for value in all_values(vtn) if value.request == "1"}
    remembered = [(value.at, value.value) for value in all_values(vtn) if value.request == "past"]
    assert len(remembered) >= 3
    assert set(remembered) <= told | set(remembered[-1:])
    assert remembered == sorted(remembered, key=lambda pair: pair[0] or datetime.min.replace(tzinfo=UTC))
    metadata = vtn.wait("request", lambda seen: seen["message"] == "oadrRegisterReport")["body"]
    assert one(offered(metadata)["now-history"], "reportName") == "METADATA_HISTORY_USAGE"


async def test_cancelled_report_ends_with_one_last_one_if_that_is_wanted(vtn: ScriptedVtn) -> None:
    client = client_of(vtn)
    specifier, r_id = client.add_report(lambda: 1.0, "meter", "voltage", sampling_rate=SECOND)
    long = report_request("long", specifier, r_id, back="PT1H")
    async with requesting(vtn, client, long):
        await vtn.seen("request", lambda seen: seen["message"] == "oadrCreatedReport")
        vtn.script("oadrPoll", cancel_report("long", to_follow=True))
        assert (await value_of(vtn, r_id)).request == "long"
        await vtn.seen("request", lambda seen: seen["message"] == "oadrCanceledReport")


async def test_metadata_is_sent_again_when_it_is_asked_for(vtn: ScriptedVtn) -> None:
    client = client_of(vtn)
    client.add_report(lambda: 1.0, "meter", "voltage")
    async with running(client):
        await vtn.seen("request", lambda seen: seen["message"] == "oadrRegisterReport")
        vtn.script("oadrPoll", create_report(report_request("m", "METADATA", "0", back="PT0S", length=None)))
        again = await vtn.seen("request", lambda seen: seen["message"] == "oadrRegisterReport", count=2)
    assert b"<ei:reportRequestID>m</ei:reportRequestID>" in again["body"]


# --- what callbacks do ----------------------------------------------------------------------------------------------


def fails() -> float:
    raise OSError("the meter is gone")


def times_out() -> float:
    raise TimeoutError("the meter does not answer")


async def fails_later() -> float:
    await anyio.lowlevel.checkpoint()
    raise ZeroDivisionError


async def never() -> float:
    await anyio.sleep_forever()
    return 1.0


async def one_point_zero() -> float:
    return 1.0


BAD_CALLBACKS: dict[str, Callable[..., Any]] = {
    "raising": fails,
    "raising-later": fails_later,
    "timing-out": times_out,
    "never": never,
    "nothing": lambda: None,
    "nan": lambda: float("nan"),
    "text": lambda: "1.5",
    "naive": lambda: [(datetime(2026, 1, 1), 1.0)],  # noqa: DTZ001  # without a zone: that is the point
}
GOOD_CALLBACKS: dict[str, Callable[..., Any]] = {
    "plain": lambda: 1,
    "decimal": lambda: Decimal(1),
    "partial": partial(float, "1"),
    "a lambda of a coroutine": lambda: one_point_zero(),
}


async def check_that_each_costs_its_own_value_only(vtn: ScriptedVtn, client: Any) -> None:
    for name, callback in (BAD_CALLBACKS | GOOD_CALLBACKS).items():
        specifier, _ = client.add_report(callback, "meter", "voltage", sampling_rate=SECOND, r_id=name)
    async with requesting(vtn, client, report_request("1", specifier, *BAD_CALLBACKS, *GOOD_CALLBACKS)):
        found = {name: await value_of(vtn, name) for name in (*BAD_CALLBACKS, *GOOD_CALLBACKS)}
    assert {name for name, value in found.items() if value.quality == BAD} == set(BAD_CALLBACKS)
    assert {float(found[name].value) for name in GOOD_CALLBACKS} == {1.0}
    assert len({value.at for value in found.values()}) == 1, "they are all of one sample"


@pytest.mark.rule("R318")
async def test_whatever_callbacks_do_each_costs_its_own_value_only(vtn: ScriptedVtn) -> None:
    await check_that_each_costs_its_own_value_only(vtn, client_of(vtn))


class TestNativeTrio:
    @pytest.fixture
    def anyio_backend(self) -> str:
        return "trio"

    @pytest.mark.rule("R318")
    async def test_whatever_callbacks_do_each_costs_its_own_value_only(self, vtn: ScriptedVtn) -> None:
        client = TrioOpenADRClient(ven_name="ven-1", vtn_url=vtn.url, allow_jitter=False)
        client.add_handler("on_event", lambda event: "optIn")
        await check_that_each_costs_its_own_value_only(vtn, client)


@pytest.mark.rule("R318")
async def test_stuck_callback_costs_one_thread_and_comes_back(vtn: ScriptedVtn) -> None:
    release, entered = threading.Event(), []

    def stuck() -> float:
        entered.append(threading.get_ident())
        release.wait(30)
        return 2.0

    client = client_of(vtn)
    specifier, _ = client.add_report(stuck, "meter", "voltage", sampling_rate=SECOND, r_id="stuck")
    client.add_report(lambda: 1.0, "meter", "current", sampling_rate=SECOND, r_id="free")
    try:
        async with requesting(vtn, client, report_request("1", specifier, "stuck", "free")):
            for count in range(1, 4):
                await vtn.seen("request", lambda seen: seen["message"] == "oadrUpdateReport", count=count)
            assert len(entered) == 1, "it is not called again while it has not come back"
            assert {(value.r_id, value.quality) for value in all_values(vtn)} == {("stuck", BAD), ("free", None)}
            release.set()
            assert (await value_of(vtn, "stuck", 2.0)).quality is None
    finally:
        release.set()


async def test_many_stuck_callbacks_hold_up_neither_commits_nor_handlers(vtn: ScriptedVtn, tmp_path: Path) -> None:
    """More of them than threads: their own reports have placeholders, and everything else goes on."""
    release = threading.Event()
    client = client_of(vtn, state=tmp_path / "ven.state")
    names = [f"stuck-{number}" for number in range(CALLS + 10)]
    for name in names:
        specifier, _ = client.add_report(
            lambda: release.wait(60) and 1.0, "meter", "voltage", sampling_rate=SECOND, r_id=name
        )
    try:
        async with requesting(vtn, client, report_request("1", specifier, *names)):
            await vtn.seen("request", lambda seen: seen["message"] == "oadrUpdateReport", count=2)
            vtn.script("oadrPoll", distribute_event(event_id="event-1"))
            await vtn.seen("request", lambda seen: seen["message"] == "oadrCreatedEvent" and b"optIn" in seen["body"])
            assert {value.quality for value in all_values(vtn)} == {BAD}
    finally:
        release.set()


async def test_callback_that_two_requests_share_is_called_for_each(vtn: ScriptedVtn) -> None:
    client = client_of(vtn)
    specifier, r_id = client.add_report(lambda: 1.0, "meter", "voltage", sampling_rate=SECOND)
    requests = [report_request(str(number), specifier, r_id) for number in range(5)]
    async with requesting(vtn, client, *requests):
        for number in range(5):
            assert (await value_of(vtn, r_id, request=str(number))).quality is None


def came_back(seen: Observation) -> bool:
    return seen["message"] == "oadrUpdateReport" and any(
        value.r_id == "stuck" and not value.quality for value in values(seen["body"])
    )


@pytest.mark.rule("R318")
def test_client_with_threads_collects_alike(vtn: ScriptedVtn) -> None:
    release, entered = threading.Event(), []

    def stuck() -> float:
        entered.append(threading.get_ident())
        release.wait(30)
        return 2.0

    client = SyncOpenADRClient(ven_name="ven-1", vtn_url=vtn.url, allow_jitter=False)
    client.add_handler("on_event", lambda event: "optIn")
    callbacks: dict[str, Callable[..., Any]] = {"stuck": stuck, "raising": fails, "async": one_point_zero, "plain": int}
    for name, callback in callbacks.items():
        specifier, _ = client.add_report(callback, "meter", "voltage", sampling_rate=SECOND, r_id=name)
    vtn.script("oadrRegisterReport", registered_report("", report_request("1", specifier, *callbacks)))
    client.start()
    try:
        vtn.wait("request", lambda seen: seen["message"] == "oadrUpdateReport", count=3)
        found = {(value.r_id, value.quality) for value in all_values(vtn)}
        assert found == {("stuck", BAD), ("raising", BAD), ("async", None), ("plain", None)}
        assert len(entered) == 1
        release.set()
        vtn.wait("request", came_back)
    finally:
        release.set()
        client.stop()
        client.run()
