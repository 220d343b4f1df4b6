"""Commits of a VTN: in order, many steps at a time, before anybody hears of them; and what follows a failure."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

import anyio
import httpx2
import pytest

from oadr_core import LocalError, decode, encode
from oadr_core.engine import Record, ReportReceived, SaveState
from oadr_core.model import CreatePartyRegistration, Poll
from oadr_core.vtn.saving import Group
from oadr_transports import Vtn
from oadr_transports.stores import MemoryStore, SqliteStore
from oadr_transports.vtn_ledger import Ledger, StoreFailed


class SlowStore(MemoryStore):
    """A store whose commits end when they are allowed to."""

    def __init__(self) -> None:
        super().__init__()
        self.may = threading.Semaphore(0)
        self.commits: list[dict[str, bytes | None]] = []

    def commit(self, changes: Mapping[str, bytes | None], reports: Iterable[ReportReceived] = ()) -> None:
        assert self.may.acquire(timeout=10)
        self.commits.append(dict(changes))
        super().commit(changes, reports)


class BrokenStore(MemoryStore):
    """A store on a disk that is full after some commits."""

    def __init__(self, good: int = 0) -> None:
        super().__init__()
        self.good = good

    def commit(self, changes: Mapping[str, bytes | None], reports: Iterable[ReportReceived] = ()) -> None:
        self.good -= 1
        if self.good < 0:
            raise OSError("no space left")
        super().commit(changes, reports)


def record(key: str, *ven_ids: str) -> Record:
    return Record(key=key, state=Group(ven_ids=ven_ids))


def step(key: str, *ven_ids: str) -> SaveState:
    return SaveState(records=(record(key, *ven_ids),))


async def test_many_steps_share_a_commit_and_keep_their_order() -> None:
    store = SlowStore()
    ledger = Ledger(store)
    done: list[int] = []

    async def one(number: int) -> None:
        await ledger.settled()
        done.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(10):
            ledger.add(step(f"k{number % 3}", str(number)))
            tasks.start_soon(one, number)
        await anyio.wait_all_tasks_blocked()
        assert not done
        store.may.release(3)
    assert sorted(done) == list(range(10))
    assert len(store.commits) <= 2, "what came up during a commit is in the next"
    assert store.load() == {f"k{n % 3}": record("", str(n)).data() for n in (7, 8, 9)}


async def test_whoever_comes_later_waits_for_what_it_may_have_seen() -> None:
    store = SlowStore()
    ledger = Ledger(store)
    ledger.add(step("a"))
    passed = False

    async def reader() -> None:
        nonlocal passed
        await ledger.settled()
        passed = True

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reader)
        tasks.start_soon(reader)
        await anyio.wait_all_tasks_blocked()
        assert not passed
        store.may.release()
    assert passed
    await ledger.settled()


async def test_command_in_the_middle_of_a_commit_comes_after_it() -> None:
    store = SlowStore()
    ledger = Ledger(store)
    ledger.add(step("k", "first"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ledger.settled)
        await anyio.wait_all_tasks_blocked()
        ledger.add(step("k", "second"))
        store.may.release(2)
        ledger.settle()
    assert store.load() == {"k": record("", "second").data()}
    assert ledger.committed == ledger.added == 2


async def test_without_a_store_nothing_waits() -> None:
    ledger = Ledger(None)
    ledger.add(step("a"))
    ledger.settle()
    await ledger.settled()


async def test_after_a_failure_nothing_passes() -> None:
    ledger = Ledger(BrokenStore(good=1))
    ledger.add(step("a"))
    await ledger.settled()
    ledger.add(step("b"))
    for _ in range(2):
        with pytest.raises(StoreFailed, match="no space left"):
            await ledger.settled()
        with pytest.raises(StoreFailed):
            ledger.settle()


# --- the VTN with a store -------------------------------------------------------------------------------------------


def client_of(vtn: Vtn) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=vtn.app)
    headers = {"Content-Type": "application/xml"}
    return httpx2.AsyncClient(transport=transport, base_url="http://vtn/OpenADR2/Simple/2.0b", headers=headers)


REGISTER = encode(CreatePartyRegistration(request_id="r", oadr_ven_name="v"))


async def test_vtn_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "vtn.db"
    with Vtn(vtn_id="VTN-1", identity="insecure", state=path) as vtn:
        async with client_of(vtn) as client:
            reply = decode((await client.post("/EiRegisterParty", content=REGISTER)).content).payload
        vtn.set_group("g", [reply.ven_id])
        before = vtn.vens
    with Vtn(vtn_id="VTN-1", identity="insecure", state=str(path)) as vtn:
        assert vtn.vens == before
        assert set(vtn.groups) == {"g"}
        async with client_of(vtn) as client:
            poll = encode(Poll(ven_id=reply.ven_id))
            assert (await client.post("/OadrPoll", content=poll)).status_code == 200


def test_state_of_another_vtn_is_refused(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "vtn.db")
    Vtn(vtn_id="VTN-1", identity="insecure", state=store).set_group("g", [])
    with pytest.raises(LocalError, match="the state of the VTN 'VTN-1'"):
        Vtn(vtn_id="VTN-2", identity="insecure", state=store)
    store.close()


async def test_reply_comes_after_the_commit() -> None:
    store = SlowStore()
    vtn = Vtn(vtn_id="VTN-1", identity="insecure", state=store)
    replies: list[httpx2.Response] = []

    async def ask() -> None:
        async with client_of(vtn) as client:
            replies.append(await client.post("/EiRegisterParty", content=REGISTER))

    async with vtn.notifications() as notes, anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        assert vtn.vens, "the step is done"
        assert not replies, "and nobody knows yet"
        assert not notes.waiting
        store.may.release()
    assert replies[0].status_code == 200
    assert [key.partition("/")[0] for key in store.commits[0]] == ["vtn", "ven"]


async def test_vtn_that_cannot_save_answers_nobody_and_ends() -> None:
    vtn = Vtn(vtn_id="VTN-1", identity="insecure", state=BrokenStore())

    async def serve() -> None:
        async with vtn.running(), client_of(vtn) as client:
            assert (await client.post("/EiRegisterParty", content=REGISTER)).status_code == 500
            await anyio.sleep_forever()

    with pytest.raises(BaseExceptionGroup) as caught:
        await serve()
    assert caught.group_contains(StoreFailed)
    with pytest.raises(StoreFailed):
        vtn.set_group("g", [])
