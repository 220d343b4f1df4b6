"""A VTN process that is killed with SIGKILL at random moments, over and over, with real VENs and an operator at work.

Nothing that anybody was told is lost, and nothing is asked or done twice.
"""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import anyio
import httpx2
import pytest

from oadr_core.ven import OptDelivered
from oadr_transports import OpenADRClient
from oadr_transports.admin import ContactFile
from oadr_transports.stores import SqliteReader
from tests.cli.command import OADR
from tests.transports.meters import KILOWATT, MINUTE, Meter

LIVES = 5
NAMES = ("ven-a", "ven-b", "ven-c")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Server:
    """`oadr vtn serve` with a state, on one port for all its lives."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "vtn.db"
        self.contact = ContactFile(folder / "vtn.db.admin")
        self._errors = folder / "errors"
        with socket.socket() as probe:  # all lives share a port that was free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/OpenADR2/Simple/2.0b"

    @contextmanager
    def living(self) -> Iterator[subprocess.Popen[bytes]]:
        """One life; it ends by SIGKILL."""
        command = [*OADR, "vtn", "serve", "--quiet", "--port", str(self.port), "--poll", "1s", "--state", self.state]
        with self._errors.open("ab") as errors:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()

    @property
    def errors(self) -> str:
        return self._errors.read_text()

    async def operator(self) -> httpx2.AsyncClient:
        """A client of the admin API, as soon as it answers."""
        while True:
            try:
                contact = self.contact.read()
                client = httpx2.AsyncClient(
                    base_url=f"{contact.url}/v1", headers={"Authorization": f"Bearer {contact.token}"}
                )
                await client.get("/status")
                return client
            except (ValueError, httpx2.HTTPError):
                await anyio.sleep(0.02)


class Told:
    """What the operator and the VENs were told: it must hold ever after."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        self.cancelled: set[str] = set()
        self.opts: dict[tuple[str, str], tuple[int, str]] = {}
        self.registrations: dict[str, tuple[str, str]] = {}
        self.asked: Counter[tuple[str, str, int]] = Counter()


def body(dice: Random) -> dict[str, Any]:
    start = datetime.now(UTC) + timedelta(hours=dice.randint(1, 100))
    return {
        "signal_name": "SIMPLE",
        "signal_type": "level",
        "start": start.isoformat(),
        "intervals": [{"duration": 600, "value": 1}],
        "market_context": f"urn:{dice.random()}",
    }


async def operate(client: httpx2.AsyncClient, told: Told, dice: Random) -> None:
    """Publish, change and cancel until the VTN is killed; note only what was answered."""
    while True:
        live = [event_id for event_id in told.versions if event_id not in told.cancelled]
        what = dice.choice(["create", "create", "modify", "cancel"]) if live else "create"
        try:
            if what == "create":
                reply = await client.post("/events", json=body(dice))
            else:
                event_id = dice.choice(live)
                change = {"priority": dice.randint(1, 10_000)}
                path = f"/events/{event_id}"
                reply = await (client.patch(path, json=change) if what == "modify" else client.post(f"{path}/cancel"))
                if what == "cancel":
                    told.cancelled.add(event_id)  # it may have been done, even if the answer does not arrive
        except httpx2.HTTPError:
            return
        if reply.status_code < 300:
            found = reply.json()
            told.versions[found["event_id"]] = found["modification_number"]
        await anyio.sleep(dice.random() * 0.2)


def ven(server: Server, name: str, told: Told) -> OpenADRClient:
    client = OpenADRClient(ven_name=name, vtn_url=server.url, allow_jitter=False)

    def on_event(event: dict[str, Any]) -> str:
        descriptor = event["event_descriptor"]
        told.asked[name, event["event_id"], descriptor["modification_number"]] += 1
        return "optIn" if hash(event["event_id"]) % 2 else "optOut"

    client.add_handler("on_event", on_event)
    client.add_handler("on_update_event", on_event)
    return client


async def watch(client: OpenADRClient, name: str, told: Told) -> None:
    """Note which answers the VTN has taken."""
    async with client.notifications() as notes:
        async for note in notes:
            if isinstance(note, OptDelivered):
                told.opts[name, note.event_id] = (note.modification_number, str(note.opt_type))
            if client.ven_id is not None and client.registration_id is not None:
                known = told.registrations.setdefault(name, (client.ven_id, client.registration_id))
                assert known == (client.ven_id, client.registration_id), "nobody had to register anew"


async def test_a_killed_vtn_has_lost_nothing_and_repeats_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "oadr")
    server, told, dice = Server(tmp_path), Told(), Random(5)
    clients = {name: ven(server, name, told) for name in NAMES}
    async with anyio.create_task_group() as tasks:
        for name, client in clients.items():
            tasks.start_soon(client.run)
            tasks.start_soon(watch, client, name, told)
        for life in range(LIVES):
            with server.living():
                operator = await server.operator()
                await check(operator, told)
                with anyio.move_on_after(0.3 + 2 * dice.random()):
                    await operate(operator, told, dice)
                if life == 0:
                    with anyio.fail_after(20):
                        await until(lambda: len(told.registrations) == len(NAMES))
                await operator.aclose()
        with server.living():
            operator = await server.operator()
            with anyio.fail_after(60):
                await until(lambda: is_quiet(operator, told))
            await check(operator, told)
            await operator.aclose()
        for client in clients.values():
            await client.stop()
        tasks.cancel_scope.cancel()
    assert told.versions
    assert told.opts
    assert set(told.asked.values()) == {1}, "nobody is asked twice about one version"
    assert "Traceback" not in server.errors


async def until(holds: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait for something that another process does."""
    while True:
        found = holds()
        if found if isinstance(found, bool) else await found:
            return
        await anyio.sleep(0.1)


async def check(operator: httpx2.AsyncClient, told: Told) -> None:
    """All that was told still holds."""
    vens = {one["ven_name"]: one for one in (await operator.get("/vens")).json()["vens"]}
    for name, (ven_id, registration_id) in told.registrations.items():
        assert (vens[name]["ven_id"], vens[name]["registration_id"]) == (ven_id, registration_id)
    assert len(vens) <= len(NAMES)
    for event_id, number in list(told.versions.items()):
        shown = (await operator.get(f"/events/{event_id}")).json()
        assert shown["modification_number"] >= number, "the version that the operator was told"
        opts = {one["ven_name"]: one for one in shown["deliveries"]}
        for name in NAMES:
            version, opt = told.opts.get((name, event_id), (-1, ""))
            if version == shown["modification_number"]:
                assert opts[name]["opt"] == opt, "the answer that was taken"


async def is_quiet(operator: httpx2.AsyncClient, told: Told) -> bool:
    """True when every VEN has answered every event."""
    for event_id in told.versions:
        shown = (await operator.get(f"/events/{event_id}")).json()
        for delivery in shown["deliveries"]:
            never_heard = delivery["state"] == "waiting" and shown["status"] == "cancelled"
            if delivery["state"] != "answered" and not never_heard:
                return False
    return True


def test_a_killed_vtn_keeps_every_value_that_it_has_answered(tmp_path: Path) -> None:
    """A meter reports, and corrects what it has reported, while its VTN is killed over and over."""
    server, dice = Server(tmp_path), Random(7)
    told: dict[datetime, float] = {}
    unsure: dict[datetime, float] = {}
    begin = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=10)
    meter: Meter | None = None
    headers = {"Content-Type": "application/xml"}

    def post(service: str, data: bytes) -> bytes:
        reply = httpx2.post(f"{server.url}/{service}", content=data, headers=headers)
        assert reply.status_code == 200
        return reply.content

    for _ in range(LIVES):
        with server.living() as process:
            while True:
                try:
                    meter = meter or Meter(post, "meter", {"power": KILOWATT}).offer()
                    meter.fetch()
                    break
                except httpx2.ConnectError:
                    time.sleep(0.05)  # the process is not that far
            killer = threading.Timer(0.3 + dice.random(), process.kill)
            killer.start()
            try:
                while True:
                    first = dice.randrange(500)
                    sent = {
                        begin + minute * MINUTE: dice.random() for minute in range(first, first + dice.randint(1, 60))
                    }
                    unsure.update(sent)
                    meter.send(begin + first * MINUTE, [{"power": value} for value in sent.values()])
                    told.update(sent)
                    unsure = {at: value for at, value in unsure.items() if at not in sent}
            except httpx2.TransportError:
                killer.join()
    kept = list(SqliteReader(server.state).values())
    assert len({value.dtstart for value in kept}) == len(kept), "nothing is there twice"
    found = {value.dtstart: value.value for value in kept}
    assert len(told) > 50
    for at, value in told.items():
        assert found[at] in (value, unsure.get(at)), "what was answered, or what was sent after it"
    assert "Traceback" not in server.errors
