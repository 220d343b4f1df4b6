"""What the client offers beside decisions: timeline, opts, refusals, and push; against our own VTN over real HTTP."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx2
import pytest

from oadr_core import LocalError
from oadr_core.engine import Trouble
from oadr_core.model import OptType
from oadr_core.ven import EventRefused
from oadr_core.vtn import OptReceived, OptScheduleCancelled, OptScheduleReceived, VenRegistered
from oadr_transports import OpenADRClient, Refuse, Vtn
from oadr_transports.opting import OptError
from tests.pki import Pki
from tests.running import running
from tests.transports.scripted_vtn import ScriptedVtn, envelope, response

DEADLINE_S = 20.0


@pytest.fixture
def anyio_backend() -> str:
    """The server is uvicorn, which knows asyncio."""
    return "asyncio"


class World:
    """A VTN and what it was told."""

    def __init__(self, vtn: Vtn, url: str) -> None:
        self.vtn, self.url = vtn, url
        self.notes: list[Any] = []

    async def watch(self) -> None:
        async with self.vtn.notifications() as notes:
            async for note in notes:
                self.notes.append(note)

    async def seen(self, kind: type, where: Callable[[Any], bool] = lambda _: True) -> Any:
        await until(lambda: any(isinstance(note, kind) and where(note) for note in self.notes))
        return next(note for note in self.notes if isinstance(note, kind) and where(note))

    def publish(self, event_id: str, *, seconds: float = 0, lengths: tuple[int, ...] = (600,), **options: Any) -> None:
        self.vtn.publish_event(
            event_id=event_id,
            signal_name="SIMPLE",
            signal_type="level",
            dtstart=datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds),
            intervals=[(timedelta(seconds=length), float(number % 3)) for number, length in enumerate(lengths, 1)],
            market_context="http://example.com/p",
            **options,
        )


async def until(true: Callable[[], bool]) -> None:
    with anyio.fail_after(DEADLINE_S):
        while not true():  # noqa: ASYNC110  # several sources, none of which has an event for all
            await anyio.sleep(0.02)


@asynccontextmanager
async def world(**options: Any) -> AsyncIterator[World]:
    usual = {"requested_poll_freq": timedelta(seconds=1), "identity": "insecure"}
    vtn = Vtn(vtn_id="VTN", **{**usual, **options})
    async with vtn.running(), vtn.serve() as server, anyio.create_task_group() as tasks:
        found = World(vtn, server.url)
        tasks.start_soon(found.watch)
        await anyio.lowlevel.checkpoint()
        yield found
        tasks.cancel_scope.cancel()


def client_of(their: World, **options: Any) -> OpenADRClient:
    client = OpenADRClient(ven_name="v", vtn_url=their.url, allow_jitter=False, **options)
    client.add_handler("on_event", opt_in)
    return client


async def opt_in(event: dict[str, Any]) -> str:
    return "optIn"


async def test_handlers_follow_the_event_through_its_stages_and_intervals() -> None:
    stages: list[tuple[str, str]] = []
    intervals: list[dict[str, Any]] = []

    def on_event_status(change: dict[str, Any]) -> None:
        stages.append((change["status"], change["stage"]))

    async def on_interval(interval: dict[str, Any]) -> None:
        intervals.append(interval)
        raise RuntimeError("none of the protocol's business")

    async with world() as their:
        client = client_of(their)
        client.add_handler("on_event_status", on_event_status)
        client.add_handler("on_interval", on_interval)
        async with running(client):
            await until(lambda: client.registration is not None)
            their.publish("e", seconds=2, lengths=(1, 2), ramp_up=timedelta(seconds=1))
            await until(lambda: len(intervals) == 2)
            value = client.value_now("SIMPLE")
            assert value is not None
            assert (value.value, value.event_id) == (2.0, "e")
            await until(lambda: ("completed", "over") in stages)
            assert client.value_now("SIMPLE") is None
    assert stages[-2:] == [("active", "active"), ("completed", "over")]
    assert [(each["uid"], each["signal_payload"], each["event_id"]) for each in intervals] == [
        ("0", 1.0, "e"),
        ("1", 2.0, "e"),
    ]
    assert intervals[0]["until"] == intervals[1]["dtstart"]
    assert intervals[0]["event"]["event_signals"][0]["signal_name"] == intervals[0]["signal_name"] == "SIMPLE"


async def test_handler_refuses_with_a_code_of_its_own() -> None:
    async with world() as their:
        client = client_of(their)
        client.add_handler("on_event", lambda event: Refuse("469", "the boiler is away"))
        async with running(client):
            await until(lambda: client.registration is not None)
            their.publish("e")
            opt = await their.seen(OptReceived)
    assert (opt.opt_type, opt.response_code) == (OptType.OPT_OUT, "469")


@pytest.mark.parametrize("code", ["200", "46", "abc", "4620", 462])
def test_refusals_have_codes_of_failure(code: Any) -> None:
    with pytest.raises(LocalError, match="response code"):
        Refuse(code)


async def test_events_that_do_not_fit_the_options_are_refused_without_asking() -> None:
    async with world() as their:
        client = client_of(their, market_contexts=["http://example.com/other"], signals=["SIMPLE"])
        async with client.notifications() as notes, running(client):
            await until(lambda: client.registration is not None)
            their.publish("e")
            opt = await their.seen(OptReceived)
            refused = [note async for note in _first(notes, EventRefused)]
    assert opt.response_code == "462"
    assert refused[0].rule == "R48"


async def _first(notes: Any, kind: type) -> AsyncIterator[Any]:
    async for note in notes:
        if isinstance(note, kind):
            yield note
            return


@pytest.mark.rule("R202")
@pytest.mark.rule("R204")
async def test_schedules_are_stated_and_taken_back() -> None:
    start = datetime(2030, 1, 1, tzinfo=UTC)
    async with world() as their:
        client = client_of(their)
        async with running(client):
            await until(lambda: client.registration is not None)
            opt_id = await client.create_opt(
                "optOut", schedule=[(start, timedelta(hours=4))], market_context="http://example.com/p"
            )
            assert (await their.seen(OptScheduleReceived)).opt_id == opt_id
            assert [opt.confirmed for opt in client.opts] == [True]
            await client.cancel_opt(opt_id)
            assert (await their.seen(OptScheduleCancelled)).opt_id == opt_id
            assert client.opts == ()
            with pytest.raises(LocalError, match="no schedule"):
                await client.cancel_opt(opt_id)


@pytest.mark.rule("R206")
async def test_opt_to_an_event_reaches_the_vtn() -> None:
    async with world() as their:
        client = client_of(their)
        async with running(client):
            await until(lambda: client.registration is not None)
            with pytest.raises(LocalError, match="no event"):
                await client.create_opt("optOut", event_id="e")
            their.publish("e", seconds=600)
            await their.seen(OptReceived, lambda note: str(note.opt_type) == "optIn")
            await client.create_opt("optOut", event_id="e", opt_reason="economic")
            await their.seen(OptReceived, lambda note: str(note.opt_type) == "optOut")


async def test_refused_opt_raises_with_its_code() -> None:
    refusal = envelope(
        f'<oadr:oadrCreatedOpt ei:schemaVersion="2.0b">{response("", "462", "whose?")}<ei:optID>o</ei:optID>'
        "</oadr:oadrCreatedOpt>"
    )
    with ScriptedVtn() as vtn:
        vtn.script("oadrCreateOpt", refusal)
        client = OpenADRClient(ven_name="v", vtn_url=vtn.url, allow_jitter=False)
        client.add_handler("on_event", opt_in)
        async with running(client):
            await until(lambda: client.registration is not None)
            with pytest.raises(OptError, match=r"462 whose\?") as caught:
                await client.create_opt(
                    "optOut", schedule=[(datetime(2030, 1, 1, tzinfo=UTC), timedelta(hours=4))], opt_id="o"
                )
    assert (caught.value.code, caught.value.opt_id) == ("462", "o")


def test_opts_and_options_say_what_they_expect() -> None:
    for options, words in (
        ({"targets": {"resources": ["x"]}}, "resource_id"),
        ({"targets": {"resource_id": "x"}}, "list"),
        ({"signals": "SIMPLE"}, "list"),
        ({"push_url": "ven.example"}, "URL"),
        ({"push_listen": ("", 0)}, "push_url"),
    ):
        with pytest.raises(LocalError, match=words):
            OpenADRClient(ven_name="v", vtn_url="http://vtn.example", **options)


@pytest.mark.rule("R37")
@pytest.mark.rule("R51")
@pytest.mark.parametrize("whole", [False, True], ids=["ten bytes", "whole digest"])
async def test_pushed_to_over_mutual_tls_it_decides_without_a_poll(tmp_path: Path, whole: bool) -> None:
    pki = Pki(tmp_path)
    ours, theirs, stranger = pki.issue("ven"), pki.issue("vtn"), pki.issue("stranger")
    der = ssl.PEM_cert_to_DER_cert(theirs.cert.read_text())
    services: list[str] = []
    options = {
        "cert": theirs.cert,
        "key": theirs.key,
        "ca_file": pki.ca_file,
        "identity": "certificate",
        "transcript": lambda way, service, data: services.append(f"{way} {service}"),
    }
    async with world(**options) as their:
        client = client_of(
            their,
            cert=ours.cert,
            key=ours.key,
            ca_file=pki.ca_file,
            vtn_fingerprint=sha256(der).hexdigest() if whole else theirs.fingerprint,
            push_url="https://127.0.0.1:0",
            push_listen=("127.0.0.1", 0),
        )
        async with running(client):
            await their.seen(VenRegistered)
            await until(lambda: client.registration is not None)
            their.publish("e")
            opt = await their.seen(OptReceived)
            assert opt.opt_type == OptType.OPT_IN
            assert "sent EiEvent" in services
            assert not [each for each in services if "OadrPoll" in each]
            [ven] = their.vtn.vens.values()
            url = ven.push_address
            assert url is not None
            await _stranger_is_refused(url, pki, stranger)
            their.vtn.request_reregistration(ven.ven_id)
            await until(lambda: services.count("received EiRegisterParty") >= 3)
            assert not [note for note in their.notes if isinstance(note, Trouble)]


async def _stranger_is_refused(url: str, pki: Pki, stranger: Any) -> None:
    from oadr_transports.tls import client_context

    context = client_context(stranger.cert, stranger.key, ca_file=pki.ca_file, check_hostname=False)
    async with httpx2.AsyncClient(verify=context) as http:
        reply = await http.post(f"{url}/EiEvent", content=b"<x/>", headers={"Content-Type": "application/xml"})
    assert reply.status_code == 403
    async with httpx2.AsyncClient(verify=client_context(ca_file=pki.ca_file, check_hostname=False)) as http:
        with pytest.raises(httpx2.HTTPError):
            await http.post(f"{url}/EiEvent", content=b"<x/>", headers={"Content-Type": "application/xml"})
