"""What every driver does alike: the same application code on asyncio, trio (through anyio, and by itself), threads."""

from __future__ import annotations

import ast
import inspect
import logging
import re
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from oadr_core import LocalError
from oadr_core.engine import Failure
from oadr_core.model import Event
from oadr_core.ven import EventReceived, Registered
from oadr_core.vtn import OptReceived, OptScheduleReceived, ReportReceived, VenRegistered
from oadr_transports import OptError, TrioOpenADRClient, application, drivers, face, trio_client
from oadr_transports.drivers import on_threads, pilot
from oadr_transports.ports import CarrierError, Reply
from oadr_transports.stores import MemoryStore
from tests.observations import Observations
from tests.running import CLIENTS, running
from tests.transports.near import NearCarrier, NearSyncCarrier, NearVtn
from tests.transports.scripted_vtn import envelope, response

DEADLINE_S = 20.0
POLL = timedelta(seconds=1)


@pytest.fixture(params=CLIENTS)
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def anyio_backend(driver: str) -> str:
    """The loop in which the driver runs; threads need none, and the test has one."""
    return CLIENTS[driver][1]


@pytest.fixture
def vtn() -> NearVtn:
    return NearVtn(requested_poll_freq=POLL)


Make = Callable[..., Any]


@pytest.fixture
def make(driver: str, vtn: NearVtn) -> Make:
    """Makes clients of a VTN in this process."""
    kind = CLIENTS[driver][0]
    carrier: Any = NearSyncCarrier(vtn) if driver == "threads" else NearCarrier(vtn, anyio.lowlevel.checkpoint)

    def made(**options: Any) -> Any:
        return kind("ven", "http://vtn.example", **{"allow_jitter": False, "carrier": carrier, **options})

    return made


async def until(true: Callable[[], bool]) -> None:
    with anyio.fail_after(DEADLINE_S):
        while not true():  # noqa: ASYNC110  # threads have no event for a loop
            await anyio.sleep(0.005)


async def here_or_there(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a method of a client: await it, or let it block in a thread."""
    if inspect.iscoroutinefunction(function):
        return await function(*args, **kwargs)
    return await anyio.to_thread.run_sync(partial(function, *args, **kwargs), abandon_on_cancel=True)


@asynccontextmanager
async def block(client: Any) -> AsyncIterator[Any]:
    """The client's own block; that of threads is begun here."""
    if hasattr(client, "__aenter__"):
        async with client as entered:
            yield entered
    else:
        with client as entered:
            client.start()
            yield entered
            client.stop()
            await anyio.to_thread.run_sync(client.run)


# --- the application ------------------------------------------------------------------------------------------------


async def test_handlers_reports_and_hooks_are_called_whether_plain_or_async(make: Make, vtn: NearVtn) -> None:
    seen = Observations()
    client = make()

    def values() -> dict[str, Any]:
        return {value.r_id: value.value for note in vtn.of(ReportReceived) for value in note.values}

    async def on_event(event: dict[str, Any]) -> str:
        seen.add("asked", event_id=event["event_id"])
        return "optIn"

    async def later() -> float:
        return 2.0

    client.add_handler("on_event", on_event)
    client.add_handler("on_interval", lambda interval: seen.add("interval", value=interval["signal_payload"]))
    client.add_report(lambda: 1.0, "meter", "voltage", sampling_rate=POLL, r_id="plain")
    client.add_report(later, "meter", "voltage", sampling_rate=POLL, r_id="async")
    client.add_hook("before_send_xml", lambda text: seen.add("sent", text=text))
    client.add_hook("after_parse_xml", lambda name, payload: seen.add("parsed", name=name))
    async with running(client):
        await until(lambda: bool(vtn.of(VenRegistered)))
        vtn.publish("now", begins_in=timedelta())
        await seen.seen("interval")
        await until(lambda: values() == {"plain": 1.0, "async": 2.0})
        await until(lambda: bool(vtn.of(OptReceived)))
    assert [str(note.opt_type) for note in vtn.of(OptReceived)] == ["optIn"]
    assert [each["event_id"] for each in seen.all("asked")] == ["now"]
    assert "oadrDistributeEvent" in {each["name"] for each in seen.all("parsed")}
    assert any("oadrCreatePartyRegistration" in each["text"] for each in seen.all("sent"))


async def test_events_are_told_as_frozen_objects_also_those_known_already(make: Make, vtn: NearVtn) -> None:
    """Caught: a reader of events that was there before the client had its state is told of none."""
    store = MemoryStore()
    heard: list[str] = []

    async def read(client: Any, count: int) -> None:
        def note(event: Event) -> bool:
            assert isinstance(event, Event)
            heard.append(event.ei_event.event_descriptor.event_id)
            return len(heard) == count

        feed = client.events()
        if hasattr(feed, "__anext__"):
            async for event in feed:
                if note(event):
                    return
        else:
            await anyio.to_thread.run_sync(lambda: next((True for event in feed if note(event)), False))

    vtn.publish("first")
    client = make(state=store)
    async with block(client):
        with anyio.fail_after(DEADLINE_S):
            await read(client, 1)
        assert [event.ei_event.event_descriptor.event_id for event in client.known_events] == ["first"]
    client = make(state=store)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read, client, 3)
        await anyio.sleep(0.05)
        async with block(client):
            await until(lambda: len(heard) == 2)
            vtn.publish("second")
            await until(lambda: len(heard) == 3)
    assert heard == ["first", "first", "second"]


async def test_loop_over_events_ends_with_the_client(make: Make, vtn: NearVtn) -> None:
    client = make()
    ended = anyio.Event()

    async def read() -> None:
        feed = client.events()
        if hasattr(feed, "__anext__"):
            async for _ in feed:
                pass
        else:
            await anyio.to_thread.run_sync(lambda: list(feed))
        ended.set()

    async with anyio.create_task_group() as tasks:
        async with block(client):
            tasks.start_soon(read)
            await until(lambda: bool(vtn.of(VenRegistered)))
        with anyio.fail_after(DEADLINE_S):
            await ended.wait()


async def test_notifications_are_the_same_class_on_every_driver(make: Make, vtn: NearVtn) -> None:
    client, happened = make(), []
    vtn.publish("e")

    def keep(note: Any) -> bool:
        happened.append(note)
        return isinstance(note, EventReceived)

    notes = client.notifications()
    if hasattr(notes, "__aenter__"):
        async with notes, block(client):
            async for note in notes:
                if keep(note):
                    break
    else:
        with notes:
            async with block(client):
                await anyio.to_thread.run_sync(lambda: next(note for note in notes if keep(note)))
    assert [type(note) for note in happened] == [Registered, EventReceived]


async def test_commands_may_come_from_the_thread_of_a_handler(make: Make, vtn: NearVtn) -> None:
    client = make()

    def on_event(event: dict[str, Any]) -> str:
        client.poll_now()
        client.decide(event["event_id"], 0, "optOut")
        return "optIn"

    client.add_handler("on_event", on_event)
    vtn.publish("e")
    async with running(client):
        await until(lambda: len(vtn.of(OptReceived)) >= 1)


async def test_handler_may_stop_the_client(make: Make, driver: str, vtn: NearVtn) -> None:
    client = make()

    async def stop_and_wait(event: dict[str, Any]) -> str:
        await client.stop()
        return "optIn"

    def stop(event: dict[str, Any]) -> str:
        client.stop()
        return "optIn"

    client.add_handler("on_event", stop if driver == "threads" else stop_and_wait)
    vtn.publish("e")
    with anyio.fail_after(DEADLINE_S):
        await here_or_there(client.run)
    assert not client.is_running


async def test_opts_are_stated_and_taken_back_and_refusals_raised(make: Make, vtn: NearVtn) -> None:
    client = make()
    client.add_handler("on_event", lambda event: "optIn")
    async with running(client):
        await until(lambda: client.registration is not None)
        schedule = [(datetime.now(UTC), timedelta(hours=1))]
        opt_id = await here_or_there(client.create_opt, "optOut", schedule=schedule)
        assert [note.opt_id for note in vtn.of(OptScheduleReceived)] == [opt_id]
        await here_or_there(client.cancel_opt, opt_id)
        assert not client.opts
        refusal = envelope(
            f'<oadr:oadrCreatedOpt ei:schemaVersion="2.0b">{response("", "462", "whose?")}<ei:optID>o</ei:optID>'
            "</oadr:oadrCreatedOpt>"
        )
        vtn.next_reply = Reply(200, refusal.body)
        with pytest.raises(OptError, match=r"462 whose\?"):
            await here_or_there(client.create_opt, "optOut", schedule=schedule, opt_id="o")


async def test_commands_need_a_running_client(make: Make) -> None:
    client = make()
    for command in (client.register, client.poll_now, client.cancel_registration):
        with pytest.raises(LocalError, match="not running"):
            command()
    with pytest.raises(LocalError, match="not running"):
        await here_or_there(client.create_opt, "optOut", event_id="e")


# --- blocks ---------------------------------------------------------------------------------------------------------


async def test_handlers_may_be_added_inside_the_block_and_run_waits_there(
    make: Make, driver: str, vtn: NearVtn
) -> None:
    vtn.publish("e")
    answered = threading.Event()

    def on_event(event: dict[str, Any]) -> str:
        answered.set()
        return "optIn"

    def end(client: Any) -> None:
        answered.wait(DEADLINE_S)
        client.stop()

    with anyio.fail_after(DEADLINE_S):
        if driver == "threads":

            def whole() -> None:
                with make() as client:
                    client.add_handler("on_event", on_event)
                    client.add_report(lambda: 1.0, "meter", "voltage")
                    threading.Thread(target=end, args=(client,)).start()
                    client.run()

            await anyio.to_thread.run_sync(whole)
        else:
            async with make() as client, anyio.create_task_group() as tasks:
                client.add_handler("on_event", on_event)
                client.add_report(lambda: 1.0, "meter", "voltage")

                async def stop() -> None:
                    await anyio.to_thread.run_sync(answered.wait, DEADLINE_S)
                    await client.stop()

                tasks.start_soon(stop)
                await client.run()
    assert answered.is_set()


async def test_what_a_block_raises_comes_out_as_it_is(make: Make, vtn: NearVtn) -> None:
    client = make()
    with pytest.raises(ZeroDivisionError):  # noqa: PT012  # the block is what is tested
        async with block(client):
            await until(lambda: bool(vtn.of(VenRegistered)))
            raise ZeroDivisionError
    assert not client.is_running


class FullDisk(MemoryStore):
    def commit(self, changes: Any) -> None:
        raise OSError(28, "no space left on device")


async def test_nothing_is_sent_that_could_not_be_saved(make: Make, driver: str, vtn: NearVtn) -> None:
    client = make(state=FullDisk())
    with pytest.raises(OSError if driver == "threads" else BaseExceptionGroup) as caught:
        await here_or_there(client.run)
    if driver != "threads":
        assert caught.group_contains(OSError, match="no space left")
    assert not vtn.notes
    with pytest.raises(OSError if driver == "threads" else BaseExceptionGroup):
        async with block(make(state=FullDisk())):
            await anyio.sleep(0 if driver == "threads" else DEADLINE_S)


# --- limits ---------------------------------------------------------------------------------------------------------


async def test_stuck_handlers_hold_up_neither_polls_nor_commits(make: Make, vtn: NearVtn) -> None:
    """Caught: handlers that share their threads with the store. Forty is what anyio has of them by itself."""
    release = threading.Event()
    client = make(state=MemoryStore())

    def on_event(event: dict[str, Any]) -> str:
        release.wait(3 * DEADLINE_S)
        return "optIn"

    client.add_handler("on_event", on_event)
    for number in range(50):
        vtn.publish(f"e{number}", begins_in=timedelta(minutes=10 * number + 10))
    try:
        async with running(client):
            await until(lambda: len(client.known_events) == 50)
            with anyio.fail_after(DEADLINE_S):
                await here_or_there(client.create_opt, "optOut", schedule=[(datetime.now(UTC), timedelta(hours=1))])
            assert not vtn.of(OptReceived)
            release.set()
            await until(lambda: len({note.event_id for note in vtn.of(OptReceived)}) == 50)
    finally:
        release.set()


async def test_questions_beyond_the_limit_get_the_default(
    make: Make, vtn: NearVtn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pilot, "ERRANDS", 2)
    release = threading.Event()
    client = make(decision_timeout=timedelta(seconds=1))
    client.add_handler("on_event", lambda event: release.wait(DEADLINE_S) and "optIn")
    for number in range(3):
        vtn.publish(f"e{number}", begins_in=timedelta(minutes=10 * number + 10))
    try:
        async with running(client):
            await until(lambda: len(vtn.of(OptReceived)) == 3)
            assert {str(note.opt_type) for note in vtn.of(OptReceived)} == {"optOut"}
            release.set()
            await until(lambda: sum(str(note.opt_type) == "optIn" for note in vtn.of(OptReceived)) == 2)
    finally:
        release.set()
    [line] = [record for record in caplog.records if "were not asked" in record.getMessage()]
    assert line.levelno == logging.ERROR


async def test_commands_beyond_the_limit_are_refused(
    driver: str, vtn: NearVtn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the disk takes its time, so that nothing is taken from the queue."""
    entered, release = threading.Event(), threading.Event()

    class SlowDisk(MemoryStore):
        def commit(self, changes: Any) -> None:
            entered.set()
            release.wait(DEADLINE_S)

    carrier: Any = NearSyncCarrier(vtn) if driver == "threads" else NearCarrier(vtn, anyio.lowlevel.checkpoint)
    client = CLIENTS[driver][0]("ven", "http://vtn.example", carrier=carrier, state=SlowDisk())
    async with running(client):
        await anyio.to_thread.run_sync(entered.wait)
        try:
            for _ in range(pilot.INPUTS):
                client.poll_now()
            with pytest.raises(LocalError, match="try again later"):
                client.poll_now()
        finally:
            release.set()
        await until(lambda: client.registration is not None)


async def test_news_beyond_the_limit_lose_the_oldest(make: Make, vtn: NearVtn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "NEWS", 3)
    release, told = threading.Event(), []
    client = make()
    client.add_handler("on_event", lambda event: "optIn")

    def on_event_status(change: dict[str, Any]) -> None:
        release.wait(DEADLINE_S)
        told.append(change["event_id"])

    client.add_handler("on_event_status", on_event_status)
    for number in range(6):
        vtn.publish(f"e{number}", begins_in=timedelta())
    try:
        async with running(client):
            await until(lambda: len(client.known_events) == 6)
            await until(lambda: len(vtn.of(OptReceived)) == 6)
            release.set()
            await until(lambda: told[-1:] == ["e5"])
    finally:
        release.set()
    assert told[-3:] == ["e3", "e4", "e5"]
    assert len(told) <= 4, "three wait while one is told"


# --- carriers -------------------------------------------------------------------------------------------------------


async def test_carrier_that_raises_anything_ends_nothing(make: Make, driver: str, vtn: NearVtn) -> None:
    faults = [CarrierError(Failure.UNREACHABLE, "no connection: so it is"), ZeroDivisionError()]

    class Sync(NearSyncCarrier):
        def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
            if faults:
                raise faults.pop()
            return super().post(service, data, timeout_s)

    class Async(NearCarrier):
        async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
            if faults:
                raise faults.pop()
            return await super().post(service, data, timeout_s)

    carrier = Sync(vtn) if driver == "threads" else Async(vtn, anyio.lowlevel.checkpoint)
    async with running(make(carrier=carrier)):
        await until(lambda: bool(vtn.of(VenRegistered)))


async def test_carrier_with_a_block_is_entered_for_each_run(make: Make, driver: str, vtn: NearVtn) -> None:
    moves: list[str] = []

    class Sync(NearSyncCarrier):
        def __enter__(self) -> None:
            moves.append("in")

        def __exit__(self, *error: object) -> None:
            moves.append("out")

    class Async(NearCarrier):
        async def __aenter__(self) -> None:
            moves.append("in")

        async def __aexit__(self, *error: object) -> None:
            moves.append("out")

    carrier = Sync(vtn) if driver == "threads" else Async(vtn, anyio.lowlevel.checkpoint)
    client = make(carrier=carrier)
    for count in (1, 2):
        async with running(client):
            await until(lambda: len(vtn.of(VenRegistered)) == count)  # noqa: B023  # it is awaited here
    assert moves == ["in", "out", "in", "out"]


# --- the documentation ----------------------------------------------------------------------------------------------

HOWTO = Path(__file__).parents[2] / "docs" / "howto" / "drivers.md"


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", HOWTO.read_text("utf-8"), re.DOTALL))
def test_examples_of_the_howto_name_what_there_is(block: str) -> None:
    tree = ast.parse(block)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    found = {each.name: getattr(import_module(str(node.module)), each.name) for node in imports for each in node.names}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    assert calls
    for call in calls:
        named = {keyword.arg for keyword in call.keywords}
        assert named <= set(inspect.signature(found[call.func.id]).parameters)


def test_limits_of_the_howto_are_those_of_the_source() -> None:
    text = HOWTO.read_text("utf-8")
    for words, limit in {
        "inputs that wait": pilot.INPUTS,
        "questions to the application": pilot.ERRANDS,
        "plain functions of the application": pilot.CALLS,
        "news for": application.NEWS,
        "notifications or events": face.NOTES,
        "requests of `SyncOpenADRClient`": on_threads.EXCHANGES,
    }.items():
        [line] = [line for line in text.splitlines() if line.startswith(f"| {words}")]
        assert f"| {limit:,}" in line


# --- what each needs ------------------------------------------------------------------------------------------------


def imported_by(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level}


@pytest.mark.parametrize("module", [drivers.__path__[0] + "/on_trio.py", str(trio_client.__file__)])
def test_native_trio_goes_through_no_other_library(module: str) -> None:
    assert not {name for name in imported_by(Path(module)) if name.partition(".")[0] in ("anyio", "asyncio")}
    assert TrioOpenADRClient.__mro__[1].__name__ == "AsyncClient"


@pytest.mark.parametrize(
    ("client", "foreign"),
    [
        ("SyncOpenADRClient", {"anyio", "asyncio", "httpx2", "trio", "aiohttp", "uvicorn"}),
        ("TrioOpenADRClient", {"anyio", "requests", "aiohttp", "uvicorn"}),
        ("OpenADRClient", {"requests", "aiohttp", "uvicorn", "trio"}),
    ],
)
def test_client_loads_nothing_of_the_other_drivers(client: str, foreign: set[str]) -> None:
    code = f"from oadr_transports import {client}; import sys; {client}('v', 'http://x.example'); print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert not foreign & set(loaded)


BLOCKED = """
import sys, threading
import anyio, anyio.lowlevel
from tests.running import CLIENTS
from tests.transports.near import NearCarrier, NearSyncCarrier, NearVtn

make, backend = CLIENTS[sys.argv[1]]
vtn = NearVtn()
vtn.publish("event-1")
is_plain = sys.argv[1] == "threads"
carrier = NearSyncCarrier(vtn) if is_plain else NearCarrier(vtn, anyio.lowlevel.checkpoint)
client = make("v", "http://unused.example", carrier=carrier)
asked = threading.Event()

def on_event(event):
    asked.set()
    threading.Event().wait()

client.add_handler("on_event", on_event)

async def main():
    async with client:
        while not asked.is_set():
            await anyio.sleep(0.01)

if is_plain:
    with client:
        client.start()
        asked.wait()
else:
    anyio.run(main, backend=backend)
"""


def test_handler_that_never_returns_does_not_keep_the_process(driver: str) -> None:
    """Caught: threads that the interpreter waits for at its end."""
    subprocess.run([sys.executable, "-c", BLOCKED, driver], check=True, timeout=DEADLINE_S)
