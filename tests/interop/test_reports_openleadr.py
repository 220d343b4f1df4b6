"""Reports between OpenLEADR and us, both ways: several data points and resources, one by one and in bundles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from oadr_core.model import EnergyReal, PowerReal, SiScale, Temperature
from oadr_transports import Measured, OpenADRClient, Vtn
from tests.interop.peer_process import Peer, message, running_peer
from tests.interop.test_our_vtn_with_openleadr_ven import noted
from tests.observations import Observation
from tests.running import running

pytestmark = pytest.mark.interop

SECOND = timedelta(seconds=1)


def times_and_values(observations: Iterator[Observation] | list[Observation]) -> list[tuple[datetime, float]]:
    return [(datetime.fromisoformat(when), value) for seen in observations for when, value in seen["values"]]


# --- our VEN, the peer's VTN ----------------------------------------------------------------------------------------


async def test_several_reports_of_several_resources(peer_vtn: Peer, peer_vtn_url: str) -> None:
    """Every kind of callback, as the documentation shows them, each data point with its own values."""
    client = OpenADRClient(ven_name="OurVEN", vtn_url=peer_vtn_url, allow_jitter=False)
    client.add_handler("on_event", lambda event: "optIn")
    constants = {("a", "voltage"): 1.0, ("a", "current"): 2.0, ("b", "voltage"): 3.0, ("b", "current"): 4.0}
    for (resource, measurement), value in constants.items():
        client.add_report(
            lambda value=value: value,
            resource_id=resource,
            measurement=measurement,
            report_specifier_id=measurement,
            sampling_rate=SECOND,
        )
    counted = iter(range(1_000))
    client.add_report(lambda: next(counted), "c-in-threes", "powerReal", sampling_rate=SECOND, report_specifier_id="c")

    def period(date_from: datetime, date_to: datetime, sampling_interval: timedelta) -> list[tuple[datetime, float]]:
        steps = range((date_to - date_from) // sampling_interval)
        return [(date_from + n * sampling_interval, 5.0) for n in steps]

    client.add_report(
        period,
        "d-in-threes",
        "temperature",
        data_collection_mode="full",
        sampling_rate=SECOND,
        report_specifier_id="d",
    )
    client.add_report(
        lambda: Measured(6.0, quality="Quality Good - Non Specific", accuracy=0.1, confidence=95),
        "e",
        "energyReal",
        sampling_rate=SECOND,
        report_specifier_id="e",
    )
    async with running(client):
        for resource in ("a", "b"):
            for wanted in (value for (name, _), value in constants.items() if name == resource):
                await peer_vtn.seen("report_values", _values_of(resource, wanted))
        await peer_vtn.seen("report_values", _values_of("e", 6.0))
        for resource in ("c-in-threes", "d-in-threes"):
            await peer_vtn.seen("report_values", lambda seen, name=resource: seen["resource_id"] == name, count=2)
    bundles = {
        resource: [seen for seen in peer_vtn.all("report_values") if seen["resource_id"] == resource][:2]
        for resource in ("c-in-threes", "d-in-threes")
    }
    for name, seen in bundles.items():
        assert [len(each["values"]) for each in seen] == [3, 3], name
        found = times_and_values(seen)
        assert [at - found[0][0] for at, _ in found] == [n * SECOND for n in range(6)], name
    assert [value for _, value in times_and_values(bundles["c-in-threes"])] == [float(n) for n in range(6)]
    assert not peer_vtn.all("failed")


def _values_of(resource_id: str, value: float) -> Callable[[Observation], bool]:
    def holds(seen: Observation) -> bool:
        return seen["resource_id"] == resource_id and all(found == value for _, found in seen["values"])

    return holds


async def test_callback_that_fails_costs_only_its_own_values(peer_vtn: Peer, peer_vtn_url: str) -> None:
    def fails() -> float:
        raise OSError("the meter is gone")

    client = OpenADRClient(ven_name="OurVEN", vtn_url=peer_vtn_url, allow_jitter=False)
    client.add_handler("on_event", lambda event: "optIn")
    client.add_report(fails, "gone", "voltage", sampling_rate=SECOND)
    client.add_report(lambda: 7.0, "there", "voltage", sampling_rate=SECOND)
    async with running(client):
        await peer_vtn.seen("report_values", _values_of("there", 7.0), count=2)
        received = await peer_vtn.seen("received", message("oadrUpdateReport"))
    payloads = [interval["report_payload"] for interval in received["payload"]["reports"][0]["intervals"]]
    assert {payload.get("data_quality") for payload in payloads} == {None, "Quality Bad - Non Specific"}


# --- our VTN, the peer's VEN ----------------------------------------------------------------------------------------


ReportingVen = Callable[[str, str], AbstractContextManager[Peer]]


@pytest.fixture
def reporting_ven(peer_python: Path, tmp_path: Path) -> ReportingVen:
    def start(vtn_url: str, report: str) -> AbstractContextManager[Peer]:
        return running_peer(peer_python, tmp_path / "ven.log", "openleadr_reporting_ven.py", vtn_url, "PeerVEN", report)

    return start


class TestOurVtn:
    @pytest.fixture
    def anyio_backend(self) -> str:
        """uvicorn runs under asyncio."""
        return "asyncio"

    async def test_values_of_several_data_points_arrive_typed(self, reporting_ven: ReportingVen) -> None:
        vtn = Vtn(vtn_id="VTN-1", identity="insecure", requested_poll_freq=SECOND)
        async with vtn.serve(host="127.0.0.1", port=0) as server, noted(vtn) as ours:
            with reporting_ven(server.url, "usage"):
                reports = [(await ours.seen("ReportReceived", count=count))["note"] for count in (1, 2)]
        found: dict[str, Any] = {value.r_id: value for value in reports[0].values}
        assert set(found) == {"boiler-powerReal", "boiler-energyReal", "heatpump-powerReal", "heatpump-energyReal"}
        power = found["boiler-powerReal"]
        assert isinstance(power.item_base, PowerReal)
        assert power.item_base.si_scale_code is SiScale.KILO
        assert isinstance(found["heatpump-energyReal"].item_base, EnergyReal)
        assert (power.value, power.resource_id) == (0.0, "boiler")
        assert abs(power.dtstart - datetime.now(UTC)) < timedelta(minutes=1)
        assert {value.value for value in reports[1].values} == {1.0}

    async def test_values_of_whole_periods_arrive_typed(self, reporting_ven: ReportingVen) -> None:
        vtn = Vtn(vtn_id="VTN-1", identity="insecure", requested_poll_freq=SECOND)
        async with vtn.serve(host="127.0.0.1", port=0) as server, noted(vtn) as ours:
            with reporting_ven(server.url, "temperatures") as ven:
                received = (await ours.seen("ReportReceived"))["note"]
                told = await ven.seen("collected")
        assert isinstance(received.values[0].item_base, Temperature)
        assert [(value.dtstart, value.value) for value in received.values] == [
            (datetime.fromisoformat(when), pytest.approx(value)) for when, value in told["values"]
        ]

    async def test_bundles_and_cancellations_are_followed(self, reporting_ven: ReportingVen) -> None:
        vtn = Vtn(vtn_id="VTN-1", identity="insecure", requested_poll_freq=SECOND)
        async with vtn.serve(host="127.0.0.1", port=0) as server, noted(vtn) as ours:
            with reporting_ven(server.url, "usage") as ven:
                ven_id = (await ours.seen("VenRegistered"))["note"].ven_id
                await ours.seen("ReportReceived")
                asked = vtn.request_report(ven_id, "usage", ["boiler-powerReal"], SECOND, 3 * SECOND)
                bundle = await ours.seen("ReportReceived", lambda seen: seen["note"].report_request_id == asked)
                values = bundle["note"].values
                assert [value.r_id for value in values] == ["boiler-powerReal"] * 3
                assert abs(values[2].dtstart - values[0].dtstart - 2 * SECOND) < SECOND
                vtn.cancel_report(ven_id, asked)
                await ven.seen("received", message("oadrCancelReport"))
