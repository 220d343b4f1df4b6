"""Reports at the face of a VTN: values are told, kept, asked for again, and outlive the process."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from oadr_core import LocalError
from oadr_core.engine import ReportReceived, SaveState
from oadr_core.vtn import ReportPolicy, ReportRule
from oadr_transports import Vtn
from oadr_transports.stores import MemoryStore, Store, ValueStore, Wanted
from oadr_transports.vtn_ledger import Ledger
from tests.transports.meters import KILOWATT, MINUTE, VOLT, Meter
from tests.transports.test_stores_values import report

LATELY = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=1)


class Records:
    """A store of somebody who keeps no values: three methods."""

    def __init__(self) -> None:
        self.records: dict[str, bytes] = {}
        self.commits = 0

    def load(self) -> Mapping[str, bytes]:
        return dict(self.records)

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        self.commits += 1
        for key, data in changes.items():
            if data is None:
                self.records.pop(key, None)
            else:
                self.records[key] = data

    def close(self) -> None:
        pass


def meter(vtn: Vtn, name: str = "meter") -> Meter:
    client = TestClient(vtn.app, base_url="http://vtn")

    def post(service: str, data: bytes) -> bytes:
        reply = client.post(
            f"/OpenADR2/Simple/2.0b/{service}", content=data, headers={"Content-Type": "application/xml"}
        )
        assert reply.status_code == 200
        return reply.content

    return Meter(post, name, {"power": KILOWATT, "L1": VOLT}).offer()


def vtn_of(state: Any, **more: Any) -> Vtn:
    return Vtn(vtn_id="VTN-1", identity="insecure", state=state, **more)


async def test_what_is_told_is_what_is_kept(tmp_path: Path) -> None:
    with vtn_of(tmp_path / "vtn.db") as vtn:
        async with vtn.notifications() as notes:
            ven = meter(vtn)
            ven.send(LATELY, [{"power": 1.5, "L1": (230.0, "Quality Good - Non Specific")}, {"power": 2.5}])
            async for told in notes:
                if isinstance(told, ReportReceived):
                    break
        kept = {(one.r_id, one.dtstart): one for one in vtn.report_values()}
        assert isinstance(told, ReportReceived)
        assert len(kept) == len(told.values) == 3
        for value in told.values:
            same = kept[value.r_id, value.dtstart]
            assert (same.value, same.duration, same.data_quality) == (value.value, value.duration, value.data_quality)
            assert (same.item_base, same.resource_id) == (value.item_base, value.resource_id)
        assert {one.ven_id for one in kept.values()} == {ven.ven_id}


@pytest.mark.rule("R346")
def test_values_outlive_the_process_and_are_corrected_after_it(tmp_path: Path) -> None:
    path = tmp_path / "vtn.db"
    with vtn_of(path) as vtn:
        ven = meter(vtn)
        ven.send(LATELY, [{"power": 1.0}, {"power": 2.0}])
    with vtn_of(path) as vtn:
        assert [one.value for one in vtn.report_values(r_id="power")] == [1.0, 2.0]
        client = TestClient(vtn.app, base_url="http://vtn")
        headers = {"Content-Type": "application/xml"}
        ven._post = lambda service, data: (
            client.post(f"/OpenADR2/Simple/2.0b/{service}", content=data, headers=headers).content
        )
        ven.send(LATELY + MINUTE, [{"power": 2.5}, {"power": 3.5}])
        assert [one.value for one in vtn.report_values(ven_id=ven.ven_id)] == [1.0, 2.5, 3.5]
        [summary] = vtn.report_summaries(ven_id=ven.ven_id)
        assert (summary.count, summary.last.value) == (3, 3.5)


def test_values_can_be_chosen_at_the_face() -> None:
    vtn = vtn_of(MemoryStore())
    ven = meter(vtn)
    ven.send(LATELY, [{"power": 1.0, "L1": 230.0}, {"power": 2.0, "L1": 231.0}])
    [request] = ven.requests
    assert [one.value for one in vtn.report_values(report="meters", report_request_id=request, r_id="L1")] == [230, 231]
    assert [one.value for one in vtn.report_values(since=LATELY + MINUTE, r_id="power")] == [2.0]
    assert [one.value for one in vtn.report_values(until=LATELY + MINUTE, r_id="power")] == [1.0]
    with pytest.raises(LocalError, match="time zone"):
        vtn.report_values(since=datetime(2030, 1, 1))  # noqa: DTZ001  # that is the mistake


@pytest.mark.parametrize("state", [None, Records()])
def test_without_a_state_for_values_they_are_told_only(state: Store | None) -> None:
    vtn = vtn_of(state)
    meter(vtn).send(LATELY, [{"power": 1.0}])
    assert not vtn.keeps_values
    with pytest.raises(LocalError, match="values are not kept"):
        vtn.report_values()


def test_keep_values_is_for_a_database() -> None:
    with pytest.raises(LocalError, match="the path of a database"):
        vtn_of(MemoryStore(), keep_values=timedelta(days=1))


async def test_policy_can_change_while_the_vtn_runs() -> None:
    vtn = vtn_of(MemoryStore(), reports=ReportPolicy(rules=()))
    ven = meter(vtn)
    assert ven.requests == {}
    vtn.set_report_policy(ReportPolicy(rules=[ReportRule(r_id="L1")]))
    ven.fetch()
    [made] = vtn.vens[ven.ven_id].requests.values()
    assert [point.r_id for point in made.request.report_specifier.specifier_payload] == ["L1"]
    vtn.set_report_policy(None)
    assert vtn.report_policy == ReportPolicy(rules=())
    ven.fetch()
    assert ven.requests == {}


# --- the ledger -----------------------------------------------------------------------------------------------------


class Watched(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.may = threading.Semaphore(0)
        self.batches: list[int] = []

    def commit(self, changes: Mapping[str, bytes | None], reports: Iterable[ReportReceived] = ()) -> None:
        reports = list(reports)
        assert self.may.acquire(timeout=10)
        self.batches.append(len(reports))
        super().commit(changes, reports)


async def test_values_of_many_steps_share_a_commit_and_their_order_stays() -> None:
    store = Watched()
    ledger = Ledger(store)
    for number in range(5):
        ledger.add(SaveState(reports=(report(("p", 0, float(number))),)))
    store.may.release()
    await ledger.settled()
    assert store.batches == [5]
    assert [value.value for value in store.values()] == [4.0], "the last correction"
    ledger.add(SaveState(reports=(report(("p", 0, 9.0)),)))
    assert [value.value for value in store.values()] == [4.0], "and nothing before its commit"
    store.may.release()
    ledger.settle()
    assert [value.value for value in store.values(Wanted(r_id="p"))] == [9.0]


async def test_a_store_without_values_is_not_bothered_with_them() -> None:
    store = Records()
    assert not isinstance(store, ValueStore)
    ledger = Ledger(store)
    ledger.add(SaveState(reports=(report(("p", 0, 1.0)),)))
    await ledger.settled()
    assert ledger.committed == ledger.added == 1
    assert store.commits == 0
