"""The client with its documented face, against our own VTN over real HTTP."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import anyio.lowlevel
import pytest

from oadr_core import LocalError
from oadr_core.ven import EventReceived, Registered
from oadr_core.vtn import OptReceived, ReportReceived, VenRegistered, VenUnregistered
from oadr_transports import OpenADRClient, Vtn
from tests.observations import Observations
from tests.running import running

DEADLINE_S = 20.0


@pytest.fixture
def anyio_backend() -> str:
    """The server is uvicorn, which knows asyncio; the client runs under trio in the interop tests and the bad days."""
    return "asyncio"


class Utility:
    """A VTN that remembers what it was told."""

    def __init__(self, vtn: Vtn, url: str) -> None:
        self.vtn = vtn
        self.url = url
        self.notes: list[Any] = []
        self.received: list[tuple[str, bytes]] = []
        self._news = anyio.Event()

    async def seen(self, kind: type, where: Callable[[Any], bool] = lambda _: True, count: int = 1) -> Any:
        with anyio.fail_after(DEADLINE_S):
            while True:
                found = [note for note in self.notes if isinstance(note, kind) and where(note)]
                if len(found) >= count:
                    return found[count - 1]
                await self._news.wait()

    async def watch(self) -> None:
        async with self.vtn.notifications() as notes:
            async for note in notes:
                self.notes.append(note)
                self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    def transcript(self, direction: str, service: str, data: bytes) -> None:
        if direction == "received":
            self.received.append((service, data))
            self._tell()

    async def polls(self, count: int) -> None:
        with anyio.fail_after(DEADLINE_S):
            while sum(service == "OadrPoll" for service, _ in self.received) < count:
                await self._news.wait()

    def event(self, **options: Any) -> str:
        return self.vtn.publish_event(
            **{
                "signal_name": "SIMPLE",
                "signal_type": "level",
                "dtstart": datetime.now(UTC) + timedelta(minutes=5),
                "intervals": [(timedelta(minutes=5), 1.0), (timedelta(minutes=5), 2.0)],
                "market_context": "http://example.com/p",
                **options,
            }
        )


@asynccontextmanager
async def utility() -> AsyncIterator[Utility]:
    vtn = Vtn(vtn_id="VTN-1", identity="insecure", requested_poll_freq=timedelta(seconds=1))
    async with vtn.serve(port=0) as server, anyio.create_task_group() as tasks:
        found = Utility(vtn, server.url)
        vtn.transcript = found.transcript
        tasks.start_soon(found.watch)
        await anyio.lowlevel.checkpoint()
        yield found
        tasks.cancel_scope.cancel()


def client_of(url: str, **options: Any) -> OpenADRClient:
    return OpenADRClient(ven_name="ven-1", vtn_url=url, allow_jitter=False, **options)


async def test_blocking_handler_delays_neither_polls_nor_the_other_events() -> None:
    release = threading.Event()

    def on_event(event: dict[str, Any]) -> str:
        if event["event_id"] == "slow":
            release.wait(DEADLINE_S)
        return "optIn"

    async with utility() as their:
        client = client_of(their.url)
        client.add_handler("on_event", on_event)
        async with running(client):
            await their.seen(VenRegistered)
            their.event(event_id="slow")
            their.event(event_id="quick")
            await their.seen(OptReceived, lambda note: note.event_id == "quick")
            before = len(their.received)
            await their.polls(sum(service == "OadrPoll" for service, _ in their.received[:before]) + 3)
            assert not [note for note in their.notes if isinstance(note, OptReceived) and note.event_id == "slow"]
            release.set()
            opt = await their.seen(OptReceived, lambda note: note.event_id == "slow")
            assert opt.opt_type == "optIn"


async def test_handler_that_blocks_for_good_does_not_keep_from_stopping() -> None:
    release = threading.Event()
    entered = anyio.Event()
    token = anyio.lowlevel.current_token()

    def on_event(event: dict[str, Any]) -> str:
        anyio.from_thread.run_sync(entered.set, token=token)
        release.wait(DEADLINE_S)
        return "optIn"

    try:
        async with utility() as their:
            client = client_of(their.url)
            client.add_handler("on_event", on_event)
            async with running(client):
                await their.seen(VenRegistered)
                their.event()
                with anyio.fail_after(DEADLINE_S):
                    await entered.wait()
    finally:
        release.set()


@pytest.mark.parametrize("answer", ["maybe", None, 1, ["optIn"]])
async def test_wrong_answer_opts_out_with_a_reason_in_the_log(answer: object, caplog: pytest.LogCaptureFixture) -> None:
    async with utility() as their:
        client = client_of(their.url)
        client.add_handler("on_event", lambda event: answer)
        async with running(client):
            await their.seen(VenRegistered)
            their.event(event_id="ev")
            assert (await their.seen(OptReceived)).opt_type == "optOut"
    [line] = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert "'ev'" in line
    assert "instead of 'optIn' or 'optOut'" in line


async def test_update_handler_gets_modified_and_cancelled_events() -> None:
    ours = Observations()

    async def on_update_event(event: dict[str, Any]) -> str:
        ours.add("update", event=event)
        return "optIn"

    async with utility() as their:
        client = client_of(their.url)
        client.add_handler("on_event", lambda event: "optIn")
        client.add_handler("on_update_event", on_update_event)
        async with running(client):
            await their.seen(VenRegistered)
            event_id = their.event()
            await their.seen(OptReceived)
            their.vtn.modify_event(event_id, priority=3)
            modified = (await ours.seen("update"))["event"]
            assert modified["event_descriptor"]["modification_number"] == 1
            assert modified["event_descriptor"]["priority"] == 3
            await their.seen(OptReceived, lambda note: note.modification_number == 1)
            their.vtn.cancel_event(event_id)
            cancelled = (await ours.seen("update", count=2))["event"]
            assert cancelled["event_descriptor"]["event_status"] == "cancelled"


async def test_without_an_update_handler_the_event_handler_is_asked_again() -> None:
    ours = Observations()
    async with utility() as their:
        client = client_of(their.url)
        client.add_handler("on_event", lambda event: ours.add("event", event=event) or "optIn")
        async with running(client):
            await their.seen(VenRegistered)
            event_id = their.event()
            await their.seen(OptReceived)
            their.vtn.modify_event(event_id, priority=3)
            await ours.seen("event", count=2)


async def test_typed_face_tells_what_happens_as_frozen_objects() -> None:
    async with utility() as their:
        client = client_of(their.url)
        happened: list[Any] = []
        async with client.notifications() as notes, running(client):
            await their.seen(VenRegistered)
            event_id = their.event()
            with anyio.fail_after(DEADLINE_S):
                async for note in notes:
                    happened.append(note)
                    if isinstance(note, EventReceived):
                        break
            assert client.known_events[0].ei_event.event_descriptor.event_id == event_id
        assert isinstance(happened[0], Registered)
        assert client.ven_id == happened[0].ven_id


async def test_opt_can_be_changed_later() -> None:
    async with utility() as their:
        client = client_of(their.url)
        client.add_handler("on_event", lambda event: "optIn")
        async with running(client):
            await their.seen(VenRegistered)
            event_id = their.event()
            await their.seen(OptReceived)
            client.decide(event_id, 0, "optOut")
            await their.seen(OptReceived, lambda note: note.opt_type == "optOut")


async def test_reports_of_every_kind_of_callback_arrive() -> None:
    taken = datetime.now(UTC).replace(microsecond=0)

    async def one() -> float:
        return 1.0

    def several() -> list[tuple[datetime, float]]:
        return [(taken, 2.0)]

    def failing() -> float:
        raise OSError("the meter is gone")

    def period(date_from: datetime, date_to: datetime, sampling_interval: timedelta) -> list[tuple[datetime, float]]:
        assert date_from < date_to
        return [(date_from, 3.0), (date_to, 4.0)]

    async with utility() as their:
        client = client_of(their.url)
        rate = timedelta(seconds=1)
        ids = {
            name: client.add_report(callback, "device", "voltage", sampling_rate=rate, r_id=name)
            for name, callback in (("one", one), ("several", several), ("failing", failing))
        }
        client.add_report(period, "device", "power", "full", sampling_rate=rate, r_id="period", unit="x")
        assert len({specifier for specifier, _ in ids.values()}) == 1
        found: dict[str, Any] = {}
        async with running(client):
            with anyio.fail_after(DEADLINE_S):
                count = 0
                while set(found) != {"one", "several", "failing", "period"}:
                    count += 1
                    note = await their.seen(ReportReceived, count=count)
                    for value in note.values:
                        found.setdefault(value.r_id, value)
        assert (found["one"].value, found["several"].value, found["period"].value) == (1.0, 2.0, 3.0)
        assert found["several"].dtstart == taken
        assert found["failing"].data_quality == "Quality Bad - Non Specific"
        assert found["one"].dtstart.microsecond == 0


async def test_hooks_see_the_messages_and_may_fail(validate: Callable[[bytes], None]) -> None:
    seen: dict[str, list[Any]] = {}

    def watch(name: str) -> Callable[..., None]:
        return lambda *args: seen.setdefault(name, []).append(args)

    def broken(text: str) -> None:
        raise RuntimeError("a hook")

    async with utility() as their:
        client = client_of(their.url)
        for name in ("before_send_xml", "after_receive_xml", "before_parse_xml", "after_parse_xml"):
            client.add_hook(name, watch(name))
        client.add_hook("before_send_xml", broken)
        async with running(client):
            await their.polls(2)
    validate(seen["before_send_xml"][0][0].encode())
    validate(seen["after_receive_xml"][0][0].encode())
    assert seen["after_parse_xml"][0][0] == "oadrCreatedPartyRegistration"


async def test_it_can_run_again_after_a_stop() -> None:
    async with utility() as their:
        client = client_of(their.url)
        for count in (1, 2):
            async with running(client):
                await their.seen(VenRegistered, count=count)
        await client.stop()


async def test_running_twice_at_once_is_refused() -> None:
    async with utility() as their:
        client = client_of(their.url)
        async with running(client):
            await their.seen(VenRegistered)
            with pytest.raises(LocalError, match="running already"):
                await client.run()
            with pytest.raises(LocalError, match="before run"):
                client.add_report(lambda: 1.0, "late", "voltage")
            await their.polls(2)


async def test_own_cancellation_is_seen_by_the_vtn() -> None:
    async with utility() as their:
        client = client_of(their.url)
        async with running(client):
            await their.seen(VenRegistered)
            client.cancel_registration()
            await their.seen(VenUnregistered)
            client.register()
            await their.seen(VenRegistered, count=2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ven_name": ""}, "ven_name"),
        ({"vtn_url": "localhost:8080"}, "vtn_url"),
        ({"vtn_url": "ftp://x/"}, "vtn_url"),
        ({"request_timeout": timedelta()}, "timeout"),
        ({"decision_timeout": timedelta(seconds=-1)}, "decision_timeout"),
        ({"default_opt": "yes"}, "optIn"),
        ({"vtn_url": " https://vtn.example"}, "vtn_url"),
        ({"vtn_url": "ht\ntps://vtn.example"}, "vtn_url"),
        ({"vtn_url": "https://vtn.example:99999"}, "vtn_url"),
        ({"vtn_url": "https://[::1"}, "vtn_url"),
        ({"vtn_url": None}, "vtn_url"),
        ({"passphrase": "secret"}, "passphrase"),
        ({"passphrase": 5}, "passphrase: a text"),
        ({"vtn_fingerprint": "AA:BB"}, "vtn_fingerprint"),
        ({"vtn_fingerprint": 5}, "vtn_fingerprint"),
        ({"vtn_fingerprint": [None]}, "vtn_fingerprint"),
        ({"vtn_fingerprint": b"AA"}, "vtn_fingerprint"),
        ({"disable_signature": "no"}, "disable_signature: True or False"),
        ({"check_hostname": "no"}, "check_hostname: True or False"),
        ({"check_hostname": None}, "check_hostname: True or False"),
        ({"cert": 5, "key": 5}, "cert: the path"),
    ],
)
def test_wrong_option_raises_at_once_and_says_what_was_expected(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        OpenADRClient(**{"ven_name": "v", "vtn_url": "http://127.0.0.1:1/x", **options})


@pytest.mark.parametrize("name", ["cert", "key", "ca_file"])
def test_what_is_in_a_key_gets_into_no_message(name: str, tmp_path: Path) -> None:
    there = tmp_path / "there.pem"
    there.write_text("x")
    secret = "-----BEGIN PRIVATE KEY-----\n" + "c2VjcmV0" * 100
    with pytest.raises(LocalError, match=f"{name}: the path of a file") as caught:
        OpenADRClient("v", "http://127.0.0.1:1/x", **{"cert": there, "key": there, name: secret})
    assert "c2VjcmV0" not in str(caught.value)


def test_certificate_without_a_key_is_refused(tmp_path: Path) -> None:
    cert = tmp_path / "cert.pem"
    cert.write_text("x")
    with pytest.raises(ValueError, match="belong together"):
        OpenADRClient(ven_name="v", vtn_url="http://127.0.0.1:1/x", cert=cert)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"callback": 1}, "callback"),
        ({"measurement": None}, "measurement"),
        ({"scale": "kilo"}, "scale"),
        ({"unit": "A"}, "unit"),
        ({"report_name": "TELEMETRY"}, "report_name"),
        ({"report_type": "readings"}, "report_type"),
        ({"reading_type": "read"}, "reading_type"),
        ({"data_collection_mode": "some"}, "data_collection_mode"),
        ({"data_collection_mode": "full"}, "date_from"),
        ({"sampling_rate": timedelta(milliseconds=10)}, "sampling_rate"),
        ({"sampling_rate": (timedelta(seconds=10), timedelta(seconds=5))}, "sampling_rate"),
        ({"report_duration": timedelta(seconds=5)}, "report_duration"),
    ],
)
def test_wrong_report_raises_at_once_and_names_the_argument(options: dict[str, Any], words: str) -> None:
    client = OpenADRClient(ven_name="v", vtn_url="http://127.0.0.1:1/x")
    with pytest.raises(ValueError, match=words):
        client.add_report(
            **{
                "callback": lambda: 1.0,
                "resource_id": "d",
                "measurement": "voltage",
                "sampling_rate": timedelta(seconds=10),
                **options,
            }
        )


def test_unknown_hook_is_refused() -> None:
    client = OpenADRClient(ven_name="v", vtn_url="http://127.0.0.1:1/x")
    with pytest.raises(ValueError, match="before_send_xml"):
        client.add_hook("before_all", print)
