"""The admin API's half about reports."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from starlette.testclient import TestClient

from oadr_core.engine import DataPoint, ReportReceived, ReportValues
from oadr_core.vtn import ReportPolicy, ReportRule
from oadr_transports import Vtn
from oadr_transports.admin import admin_app
from oadr_transports.stores import MemoryStore
from tests.transports.meters import KILOWATT, MINUTE, VOLT, Meter

TOKEN = "a-token-of-the-tests"
LATELY = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=1)


@pytest.fixture
def vtn() -> Vtn:
    return Vtn(vtn_id="VTN-1", identity="insecure", state=MemoryStore())


@asynccontextmanager
async def admin(vtn: Vtn) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=admin_app(vtn, TOKEN))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://admin/v1", headers=headers) as client:
        yield client


def meter(vtn: Vtn, name: str = "cold store") -> Meter:
    """A VEN with a meter for power and one for voltage, asked for both."""
    client = TestClient(vtn.app, base_url="http://vtn")

    def post(service: str, data: bytes) -> bytes:
        return client.post(
            f"/OpenADR2/Simple/2.0b/{service}", content=data, headers={"Content-Type": "application/xml"}
        ).content

    return Meter(post, name, {"power": KILOWATT, "L1": VOLT}).offer()


async def lines(client: httpx2.AsyncClient, **query: str) -> list[Any]:
    reply = await client.get("/values", params=query)
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in reply.text.splitlines()]


# --- offered and requested ------------------------------------------------------------------------------------------


async def test_offers_say_what_can_be_asked_for(vtn: Vtn) -> None:
    ven = meter(vtn)
    async with admin(vtn) as client:
        [offer] = (await client.get("/reports")).json()["reports"]
        assert (offer["ven_id"], offer["ven_name"], offer["duration"]) == (ven.ven_id, "cold store", "P1D")
        power, voltage = offer["data_points"]
        assert (power["r_id"], power["resource_id"], power["min_period"]) == ("power", "power", "PT1M")
        assert (power["measurement"], power["unit"], power["scale"]) == ("PowerReal", "W", "k")
        assert (voltage["measurement"], voltage["unit"], voltage["scale"]) == ("Voltage", "V", "none")
        assert (await client.get("/reports", params={"ven_id": "none"})).status_code == 404
        whole = (await client.get(f"/vens/{ven.ven_id}")).json()
        assert whole["reports"][0]["data_points"] == offer["data_points"]


async def test_reports_are_requested_followed_and_cancelled(vtn: Vtn) -> None:
    ven = meter(vtn)
    async with admin(vtn) as client:
        [policy] = (await client.get("/report-requests")).json()["report_requests"]
        assert (policy["state"], policy["wanted_by"], policy["r_ids"]) == ("confirmed", "policy", ["power", "L1"])
        body = {
            "ven_id": ven.ven_id,
            "report_specifier_id": "meters",
            "r_ids": ["L1"],
            "granularity": "PT5M",
            "report_back_duration": 900,
            "start": "2035-01-01T00:00:00Z",
            "duration": "PT1H",
        }
        reply = await client.post("/report-requests", json=body)
        assert reply.status_code == 201
        made = reply.json()
        expected = {
            "kind": "periodic",
            "granularity": "PT5M",
            "report_back_duration": "PT15M",
            "start": "2035-01-01T00:00:00Z",
            "state": "waiting",
            "wanted_by": "operator",
        }
        assert {name: made[name] for name in expected} == expected
        assert made["report_request_id"] in vtn.vens[ven.ven_id].requests
        cancel = {"ven_id": ven.ven_id, "report_request_ids": [policy["report_request_id"]]}
        reply = await client.post("/report-requests/cancel", json=cancel)
        assert reply.status_code == 202
        assert [one["state"] for one in reply.json()["report_requests"]] == ["cancelling"]
        ven.fetch()
        [left] = (await client.get("/report-requests", params={"ven_id": ven.ven_id})).json()["report_requests"]
        assert left["report_request_id"] == made["report_request_id"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("", {"report_specifier_id": "meters"}, "ven_id"),
        ("", {"ven_id": "none", "report_specifier_id": "meters"}, "ven_id"),
        ("", {"ven_id": "VEN", "report_specifier_id": "none"}, "report_specifier_id"),
        ("", {"ven_id": "VEN", "report_specifier_id": "meters", "granularity": -1}, "granularity"),
        ("", {"ven_id": "VEN", "report_specifier_id": "meters", "granularty": 1}, "granularty"),
        ("/cancel", {"ven_id": "VEN"}, "report_request_ids"),
        ("/cancel", {"ven_id": "VEN", "report_request_ids": ["none"]}, "report_request_ids"),
    ],
)
async def test_wrong_requests_are_refused(vtn: Vtn, path: str, body: dict[str, Any], field: str) -> None:
    ven = meter(vtn)
    before = vtn.vens
    async with admin(vtn) as client:
        named = {name: ven.ven_id if value == "VEN" else value for name, value in body.items()}
        reply = await client.post(f"/report-requests{path}", json=named)
        assert reply.status_code == 400
        assert reply.json()["path"] == field
    assert vtn.vens == before


async def test_policy_is_shown_changed_and_reset(vtn: Vtn) -> None:
    async with admin(vtn) as client:
        usual = (await client.get("/report-policy")).json()
        body = {
            "rules": [{"ask": "on change", "unit": "powerReal", "report_back_duration": "PT15M"}],
            "piggy_back": True,
        }
        changed = (await client.put("/report-policy", json=body)).json()
        assert changed["rules"] == [{"ask": "on change", "unit": "powerReal", "report_back_duration": 900.0}]
        rule = ReportRule(ask="on change", unit="powerReal", report_back_duration=timedelta(minutes=15))
        assert vtn.report_policy == ReportPolicy(rules=(rule,), piggy_back=True)
        assert (await client.put("/report-policy", json=changed)).json() == changed, "what is shown can be sent back"
        refused = await client.put("/report-policy", json={"rules": [{"ask": "sometimes"}]})
        assert refused.status_code == 400
        assert (await client.get("/report-policy")).json() == changed
        assert (await client.delete("/report-policy")).json() == usual
        assert vtn.report_policy == vtn.config.reports


# --- values ---------------------------------------------------------------------------------------------------------


async def test_values_come_line_by_line_with_their_series_before_them(vtn: Vtn) -> None:
    ven = meter(vtn)
    bad = "Quality Bad - Non Specific"
    ven.send(LATELY, [{"power": 1.5, "L1": 230.0}, {"power": (0.0, bad), "L1": 231.0}])
    async with admin(vtn) as client:
        found = await lines(client)
        assert [next(iter(line)) for line in found] == ["series", "start", "start", "series", "start", "start", "end"]
        assert found[-1] == {"end": 4}
        assert found[3]["series"]["r_id"] == "power"
        assert found[3]["series"]["scale"] == "k"
        assert (found[5]["value"], found[5]["data_quality"], found[5]["duration"]) == (0.0, bad, 60.0)
        assert datetime.fromisoformat(found[5]["start"]) == LATELY + MINUTE
        assert len(await lines(client, r_id="L1", since=(LATELY + MINUTE).isoformat())) == 3
        assert await lines(client, ven_id="none") == [{"end": 0}]
        assert (await client.get("/values", params={"since": "yesterday"})).status_code == 400
        assert (await client.get("/values", params={"colour": "red"})).status_code == 400


async def test_series_say_how_much_there_is(vtn: Vtn) -> None:
    ven = meter(vtn)
    ven.send(LATELY, [{"power": 1.5}, {"power": 2.5}])
    async with admin(vtn) as client:
        [series] = (await client.get("/series", params={"ven_id": ven.ven_id})).json()["series"]
        assert (series["r_id"], series["count"], series["last"]["value"]) == ("power", 2, 2.5)
        assert (await client.get("/series", params={"r_id": "L1"})).json() == {"series": []}


async def test_numbers_that_json_has_not_are_named(vtn: Vtn) -> None:
    store = MemoryStore()
    row = ("p", LATELY, None, float("inf"), None, None, None)
    values = ReportValues([row], {"p": DataPoint()})
    fields = {"report_request_id": "r", "report_specifier_id": "s", "report_name": None}
    store.commit({}, [ReportReceived(ven_id="v", values=values, **fields)])
    async with admin(Vtn(vtn_id="VTN-1", identity="insecure", state=store)) as client:
        [_, value, _] = await lines(client)
        assert value["value"] == "inf"


async def test_a_vtn_that_keeps_no_values_says_so() -> None:
    async with admin(Vtn(vtn_id="VTN-1", identity="insecure")) as client:
        assert (await client.get("/status")).json()["keeps_values"] is False
        for path in ("/values", "/series"):
            reply = await client.get(path)
            assert reply.status_code == 400
            assert "values are not kept" in reply.json()["error"]


async def test_many_values_are_streamed(vtn: Vtn, tmp_path: Path) -> None:
    with Vtn(vtn_id="VTN-1", identity="insecure", state=tmp_path / "vtn.db") as kept:
        ven = meter(kept)
        ven.send(LATELY - timedelta(days=1), [{"L1": 230.0 + minute % 7, "power": 1.0} for minute in range(1_440)])
        parts: list[bytes] = []

        async def receive() -> Any:
            await anyio.sleep_forever()  # the caller stays

        async def send(message: Any) -> None:
            parts.append(message.get("body", b""))

        headers = [(b"authorization", f"Bearer {TOKEN}".encode())]
        scope = {"type": "http", "method": "GET", "path": "/v1/values", "query_string": b"", "headers": headers}
        with anyio.fail_after(20):
            await admin_app(kept, TOKEN)(scope, receive, send)
        found = [json.loads(line) for line in b"".join(parts).splitlines()]
        assert found[-1] == {"end": 2_880}
        assert len(found) == 2_880 + 3
        assert max(map(len, parts)) < len(b"".join(parts)) / 2
