"""The same scripted day gives the same notifications over pull and push, in memory, under asyncio and trio, in trio's
own words and with threads.

Time is virtual for all of them: the day moves the clocks, and the drivers, which sleep by real ones, are woken by hand.
The VTN is the real one, in memory; carriers bring it whole messages.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any, Protocol

import anyio.from_thread
import attrs
import pytest

from oadr_core.engine import Input, Notification, Now, Output, RequestArrived, SendReply, SendRequest, Tick, Trouble
from oadr_core.ven import (
    EventCancelled,
    EventChanged,
    EventReceived,
    EventStatusChanged,
    IntervalStarted,
    OptAccepted,
    OptDelivered,
    Registered,
    RegistrationEnded,
    ReportDelivered,
    ReportRequested,
)
from oadr_core.vtn import OptReceived, ReportReceived, VenRegistered, VenReregistered
from oadr_transports import OpenADRClient, SyncOpenADRClient, TrioOpenADRClient
from oadr_transports.notes import Reader
from oadr_transports.options import make_opt
from oadr_transports.ports import Reply
from oadr_transports.testing import InMemoryVen, InMemoryVtn, VirtualClock

MARKET = "http://example.com/program"
PUSH = "http://ven.test/OpenADR2/Simple/2.0b"
MINUTE = timedelta(minutes=1)
REST_S = 20.0


def hear(client: Any, notes: list[Notification]) -> None:
    """Keep all notifications of a client."""

    class Ear(Reader):
        def put(self, note: Notification) -> None:
            notes.append(note)

        def _wake(self) -> None:
            """Nobody waits."""

    ear = Ear(client._readers)
    ear.open()
    client.ear = ear  # readers are held weakly


class Lines:
    """The carrier of real drivers: whole messages to the VTN in memory, one at a time."""

    def __init__(self, vtn: InMemoryVtn) -> None:
        self.vtn = vtn
        self.turn = threading.Lock()

    def carry(self, service: str, data: bytes) -> Reply:
        with self.turn:
            return self.vtn.reply_to(service, data)


class LinesForTasks(Lines):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        return self.carry(service, data)


class LinesForThreads(Lines):
    def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        return self.carry(service, data)


class Real:
    """A client with a real driver, as somebody who lives in virtual time."""

    def __init__(self, client: Any, call: Callable[[Input], tuple[Output, ...]], push_url: str | None) -> None:
        self.client = client
        self.notes: list[Notification] = []
        self.push_url = push_url
        self.call = call
        hear(client, self.notes)

    def timer(self, now: Now) -> float | None:
        return None if self.client._session is None else self.client._session.next_timer(now)

    def tick(self) -> None:
        self.put(Tick())

    def put(self, something: Input) -> tuple[Output, ...]:
        outputs = self.call(something)
        self.rest()
        return outputs

    def work(self) -> bool:
        return False

    def answered(self, request: SendRequest) -> SendReply | None:
        arrived = RequestArrived(exchange=request.exchange, service=request.service, data=request.data)
        [reply] = [each for each in self.put(arrived) if isinstance(each, SendReply)]
        return reply

    def rest(self) -> None:
        """Wait until no exchange is under way and no question open: the rest waits for a later time."""
        deadline = time.monotonic() + REST_S
        while not self.is_at_rest():
            assert time.monotonic() < deadline, "the driver does not come to rest"
            time.sleep(0.0005)

    def is_at_rest(self) -> bool:
        session = self.client._session
        now = self.client._clocks()
        timer = session.next_timer(now)
        state = session.state
        return (
            (timer is None or timer > now.mono)
            and state.flight is None
            and not any(known.asking for known in state.events.values())
            and not any(job.asked for job in state.jobs.values())
        )


class Ven(Protocol):
    """What a day needs of a VEN."""

    notes: list[Notification]

    def put(self, something: Input) -> Any: ...


@contextmanager
def in_memory(clock: VirtualClock, vtn: InMemoryVtn, push_url: str | None) -> Iterator[Ven]:
    ven = InMemoryVen(clock, vtn, "ven", push_url=push_url, allow_jitter=False)
    offer(ven)
    with ven:
        yield ven


def with_tasks(make: type[Any], backend: str) -> Any:
    @contextmanager
    def real(clock: VirtualClock, vtn: InMemoryVtn, push_url: str | None) -> Iterator[Ven]:
        with anyio.from_thread.start_blocking_portal(backend) as portal:
            client = make("ven", "http://vtn.test/", carrier=LinesForTasks(vtn), **options(clock, push_url))
            ven = Real(client, lambda something: portal.call(client._driver.call, something), push_url)
            offer(client)
            ended = portal.start_task_soon(client.run)
            with living(ven, clock, vtn):
                yield ven
            portal.call(client.stop)
            ended.result()

    return real


@contextmanager
def with_threads(clock: VirtualClock, vtn: InMemoryVtn, push_url: str | None) -> Iterator[Ven]:
    client = SyncOpenADRClient("ven", "http://vtn.test/", carrier=LinesForThreads(vtn), **options(clock, push_url))
    ven = Real(client, lambda something: client._driver.call(something), push_url)
    offer(client)
    with client:
        client.start()
        with living(ven, clock, vtn):
            yield ven


@contextmanager
def living(ven: Real, clock: VirtualClock, vtn: InMemoryVtn) -> Iterator[None]:
    deadline = time.monotonic() + REST_S
    while not (ven.client.is_running and vtn.told(VenRegistered)):
        assert time.monotonic() < deadline, "the VEN does not register"
        time.sleep(0.0005)
    ven.rest()
    clock.join(ven)
    vtn.meet(ven)  # type: ignore[arg-type]  # it has what is needed
    yield
    clock.leave(ven)


def options(clock: VirtualClock, push_url: str | None) -> dict[str, Any]:
    return {
        "clocks": clock,
        "entropy": lambda count: b"ven".ljust(count, b"-"),
        "push_url": push_url,
        "allow_jitter": False,
    }


def offer(client: Any) -> None:
    """What the application of the day does; nothing of it depends on the driver."""

    async def on_event(event: dict[str, Any]) -> str:
        return "optOut" if event["event_id"] == "refused" else "optIn"

    client.add_handler("on_event", on_event)
    client.add_report(
        callback=lambda: 3.5,
        resource_id="meter",
        measurement="voltage",
        report_name="TELEMETRY_USAGE",
        sampling_rate=10 * MINUTE,
    )


def day(clock: VirtualClock, vtn: InMemoryVtn, ven: Ven) -> None:
    """Half a day: events new, modified, cancelled and refused, opts, reports, a VTN that is away, registrations."""

    def publish(event_id: str, minutes: int, level: float = 1.0) -> None:
        vtn.publish_event(
            event_id=event_id,
            signal_name="SIMPLE",
            signal_type="level",
            dtstart=clock.now + minutes * MINUTE,
            intervals=[(10 * MINUTE, level), (20 * MINUTE, level + 1)],
            market_context=MARKET,
        )

    clock.advance(minutes=5)
    publish("first", 60)
    clock.advance(minutes=5)
    ven.put(make_opt("optOut", None, [(clock.now + 600 * MINUTE, 60 * MINUTE)], None, None, None, (), "holiday"))
    clock.advance(minutes=5)
    vtn.modify_event("first", priority=2)
    clock.advance(minutes=5)  # questions that are open at once may be answered in any order
    publish("refused", 120)
    clock.advance(minutes=10)
    [ven_id] = vtn.vens
    vtn.request_reregistration(ven_id)
    publish("cancelled", 90)
    clock.advance(minutes=10)
    vtn.cancel_event("cancelled")
    ven.put(make_opt("optOut", "first", (), None, None, None, (), ""))
    clock.advance(hours=1)
    vtn.away = True
    clock.advance(minutes=2)
    publish("while away", 60)
    clock.advance(minutes=18)
    vtn.away = False
    clock.advance(hours=1)
    vtn.cancel_registration(ven_id)
    clock.advance(minutes=30)
    publish("last", 5)
    clock.advance(hours=1)


DRIVERS: dict[str, Any] = {
    "memory": in_memory,
    "asyncio": with_tasks(OpenADRClient, "asyncio"),
    "trio": with_tasks(OpenADRClient, "trio"),
    "trio-native": with_tasks(TrioOpenADRClient, "trio"),
    "threads": with_threads,
}


@attrs.frozen
class Lived:
    """What both ends have to tell of a day."""

    ven: list[Notification]
    vtn: list[Notification]


def lived(driver: str, *, push: bool) -> Lived:
    clock = VirtualClock()
    with ExitStack() as stack:
        vtn = stack.enter_context(
            InMemoryVtn(
                clock,
                requested_poll_freq=timedelta(minutes=1),
            )
        )
        ven = stack.enter_context(DRIVERS[driver](clock, vtn, PUSH if push else None))
        day(clock, vtn, ven)
        return Lived(list(ven.notes), list(vtn.notes))


@pytest.fixture(scope="module", params=["pull", "push"])
def in_memory_day(request: pytest.FixtureRequest) -> tuple[bool, Lived]:
    return request.param == "push", lived("memory", push=request.param == "push")


@pytest.mark.parametrize("driver", [name for name in DRIVERS if name != "memory"])
def test_every_driver_tells_the_same(in_memory_day: tuple[bool, Lived], driver: str) -> None:
    push, expected = in_memory_day
    came = lived(driver, push=push)
    assert came.ven == expected.ven
    assert came.vtn == expected.vtn


def essence(note: Notification) -> tuple[object, ...] | None:
    """What happened, without when: a VTN that pushes is heard sooner than one that is asked each minute."""
    match note:
        case EventReceived() | EventChanged() | EventCancelled():
            descriptor = note.event.ei_event.event_descriptor
            return type(note), descriptor.event_id, descriptor.modification_number
        case EventStatusChanged():
            return type(note), note.event_id, note.status, note.stage
        case IntervalStarted():
            return type(note), note.value, note.number
        case OptDelivered():
            return type(note), note.event_id, note.modification_number, note.opt_type
        case OptReceived():
            return type(note), note.event_id, note.modification_number, note.opt_type
        case OptAccepted():
            return (type(note),)
        case Registered() | RegistrationEnded() | VenRegistered() | VenReregistered():
            return (type(note),)
        case ReportRequested():
            return (type(note),)
        case _:
            return None


def told(notes: list[Notification]) -> Counter[object]:
    """How often each thing has happened. An opt may be delivered again and again, and is the same one."""
    found = Counter(found for note in notes if (found := essence(note)) is not None)
    return Counter({what: 1 if what[0] in (OptDelivered, OptAccepted) else count for what, count in found.items()})


def test_pull_and_push_tell_the_same() -> None:
    pull, push = lived("memory", push=False), lived("memory", push=True)
    assert told(pull.ven) == told(push.ven)
    assert told(pull.vtn) == told(push.vtn)


def test_the_day_has_everything() -> None:
    """What is compared is a whole day: each of these has happened in it."""
    found = lived("memory", push=False)
    kinds = Counter(type(note) for note in found.ven)
    for kind in (
        Registered,
        RegistrationEnded,
        EventReceived,
        EventChanged,
        EventCancelled,
        EventStatusChanged,
        IntervalStarted,
        OptDelivered,
        OptAccepted,
        ReportRequested,
        ReportDelivered,
        Trouble,
    ):
        assert kinds[kind], kind
    opts = {(note.event_id, str(note.opt_type)) for note in found.vtn if isinstance(note, OptReceived)}
    assert {("first", "optIn"), ("refused", "optOut"), ("while away", "optIn"), ("last", "optIn")} <= opts
    assert sum(isinstance(note, ReportReceived) for note in found.vtn) > 20
