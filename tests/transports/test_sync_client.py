"""The client without a loop as a whole process: signals end it, and a handler that never returns does not matter."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from oadr_core import LocalError
from oadr_core.vtn import OptReceived, VenRegistered
from oadr_transports import SyncOpenADRClient, Vtn
from oadr_transports.drivers.crew import Crew
from oadr_transports.server import serve
from tests.transports.near import NearSyncCarrier, NearVtn
from tests.transports.scripted_vtn import ScriptedVtn, distribute_event

EXAMPLE = Path(__file__).parents[2] / "examples" / "sync_ven.py"
DEADLINE_S = 20.0


@pytest.fixture
def anyio_backend() -> str:
    """The servers are uvicorn's."""
    return "asyncio"


@pytest.fixture
def vtn() -> Iterator[ScriptedVtn]:
    with ScriptedVtn() as server:
        yield server


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_example_cleanly(number: signal.Signals, vtn: ScriptedVtn) -> None:
    vtn.script("oadrPoll", distribute_event(event_id="event-1"))
    command = [sys.executable, "-X", "dev", str(EXAMPLE), vtn.url]
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell has it ignored in the background
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed
    ) as program:
        try:
            vtn.wait("request", lambda seen: seen["message"] == "oadrCreatedEvent")
            program.send_signal(number)
            printed, logged = program.communicate(timeout=DEADLINE_S)
        finally:
            program.kill()
    assert program.returncode == 0
    assert "event-1: 1.0 from 00:00:00" in printed
    assert "Traceback" not in logged
    assert ("stopped" in printed) == (number is signal.SIGINT)


def test_handler_that_never_returns_does_not_keep_the_process(vtn: ScriptedVtn) -> None:
    """Caught: threads that the interpreter waits for at its end."""
    program = f"""
        import threading
        from oadr_transports import SyncOpenADRClient
        client = SyncOpenADRClient("v", {vtn.url!r})

        def on_event(event):
            client.stop()
            threading.Event().wait()

        client.add_handler("on_event", on_event)
        client.run()
    """
    vtn.script("oadrPoll", distribute_event(event_id="event-1"))
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=DEADLINE_S)


def test_background_failure_is_raised_where_the_block_ends(tmp_path: Path) -> None:
    client = SyncOpenADRClient("v", "http://vtn.example", carrier=NearSyncCarrier(NearVtn()), state=tmp_path)
    with pytest.raises(OSError, match=r".+"), client:  # the state is a folder
        assert list(client.events()) == []


def test_running_twice_is_refused_and_run_waits_for_the_one_in_the_background() -> None:
    client = SyncOpenADRClient("v", "http://vtn.example", carrier=NearSyncCarrier(NearVtn()))
    with client:
        client.start()
        with pytest.raises(LocalError, match="running already"):
            client.start()
        with pytest.raises(LocalError, match="before run"):
            client.add_report(lambda: 1.0, "meter", "voltage")
        threading.Timer(0.05, client.stop).start()
        client.run()
        assert not client.is_running


def test_opt_that_nobody_answers_ends_with_the_client() -> None:
    vtn = NearVtn()
    entered, release = threading.Event(), threading.Event()

    class Stuck(NearSyncCarrier):
        def post(self, service: str, data: bytes, timeout_s: float) -> Any:
            if service == "EiOpt":
                entered.set()
                release.wait(DEADLINE_S)
            return super().post(service, data, timeout_s)

    vtn.publish("e")
    with SyncOpenADRClient("v", "http://vtn.example", carrier=Stuck(vtn)) as client:
        client.add_handler("on_event", lambda event: "optIn")
        next(iter(client.events()))

        def stop() -> None:
            entered.wait(DEADLINE_S)
            client.stop()

        threading.Thread(target=stop).start()
        with pytest.raises(LocalError, match="stopped before the VTN has answered"):
            client.create_opt("optIn", event_id="e")
    release.set()


async def test_it_is_pushed_to_through_any_host_of_its_app() -> None:
    """Threads pump, and an ASGI server in a loop brings what the VTN pushes."""
    vtn = Vtn(vtn_id="VTN", identity="insecure")
    asked: list[str] = []
    async with vtn.running(), vtn.serve() as server, vtn.notifications() as notes:
        client: Any = None

        async def door(scope: Any, receive: Any, send: Any) -> None:
            await client.app(scope, receive, send)

        async with serve(door) as own:
            client = SyncOpenADRClient("v", server.url, push_url=own.url)
            client.add_handler("on_event", lambda event: asked.append(event["event_id"]) or "optIn")
            client.start()
            try:
                with anyio.fail_after(DEADLINE_S):
                    async for note in notes:
                        if isinstance(note, VenRegistered):
                            publish(vtn)
                        if isinstance(note, OptReceived):
                            assert str(note.opt_type) == "optIn"
                            break
            finally:
                client.stop()
                await anyio.to_thread.run_sync(client.run)
    assert asked == ["pushed"]


def publish(vtn: Vtn) -> None:
    from datetime import UTC, datetime, timedelta

    vtn.publish_event(
        event_id="pushed",
        signal_name="SIMPLE",
        signal_type="level",
        dtstart=datetime.now(UTC) + timedelta(minutes=5),
        intervals=[(timedelta(minutes=5), 1.0)],
        market_context="http://example.com/p",
    )


def test_serving_the_door_itself_is_refused() -> None:
    with pytest.raises(LocalError, match=r"serve client\.app yourself"):
        SyncOpenADRClient("v", "http://x.example", push_url="http://ven.example", push_listen=("127.0.0.1", 0))


def test_crew_has_no_more_threads_than_it_may_and_uses_idle_ones() -> None:
    crew = Crew(3, "test")
    release, busy = threading.Event(), threading.Semaphore(0)

    def work() -> str:
        busy.release()
        release.wait(DEADLINE_S)
        return threading.current_thread().name

    futures = [crew.start(work) for _ in range(5)]
    for _ in range(3):
        assert busy.acquire(timeout=DEADLINE_S)
    assert not busy.acquire(blocking=False), "the others wait for a thread"
    release.set()
    names = {future.result(DEADLINE_S) for future in futures}
    assert len(names) <= 3
    assert crew.start(work).result(DEADLINE_S) in names | {f"oadr-test-{number}" for number in (1, 2, 3)}
    crew.dismiss()
