"""The kit for carriers: good ones pass on every medium, and each planted fault is found and named."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable
from typing import Any

import anyio
import anyio.abc
import anyio.lowlevel
import anyio.to_thread
import attrs
import httpx2
import pytest

from oadr_core import LocalError
from oadr_core.engine import Failure
from oadr_transports.http import HttpCarrier
from oadr_transports.ports import CarrierError, Reply
from oadr_transports.testing import KitError, Link, Outcome, carrier_checks, check_carrier, over_http
from tests.transports.testing.bus import BusCarrier, BusLink, Post, ThreadCarrier, ThreadLink


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_good_carrier_of_tasks_passes_everything(backend: str) -> None:
    report = check_carrier(BusLink, backend=backend)
    assert [result.outcome for result in report] == [Outcome.PASSED] * len(carrier_checks())


def test_good_carrier_of_threads_passes_everything_but_what_needs_tasks() -> None:
    report = check_carrier(ThreadLink)
    not_made = {result.name for result in report if result.outcome is not Outcome.PASSED}
    assert not_made == {"cancelled", "cancelled-often", "cancelled-at-once"}


# --- planted faults -------------------------------------------------------------------------------------------------


class SwallowsTheLastByte(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        return await super().post(service, data[:-1] if data[-1:] == b"\n" or len(data) > 65_535 else data, timeout_s)


class DecodesToText(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        reply = await super().post(service, data, timeout_s)
        return attrs.evolve(reply, data=reply.data.decode("utf-8", "replace").encode())


class ChangesLineEnds(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        return await super().post(service, data.replace(b"\r\n", b"\n"), timeout_s)


class SendsEmptyMessagesNowhere(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        return await super().post(service, data, timeout_s) if data else Reply(200, b"")


class OneServiceForAll(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        return await super().post("OadrPoll", data, timeout_s)


class RetriesSilently(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        for _ in range(2):
            try:
                return await super().post(service, data, timeout_s)
            except CarrierError as error:
                if error.failure is not Failure.UNREACHABLE:
                    raise
        return await super().post(service, data, timeout_s)


class RetriesWhenBusy(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        reply = await super().post(service, data, timeout_s)
        return await super().post(service, data, timeout_s) if reply.status == 503 else reply


class ForgetsRepetitions(BusCarrier):
    last: tuple[bytes, Reply] | None = None

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        if self.last is None or self.last[0] != data:
            self.last = data, await super().post(service, data, timeout_s)
        return self.last[1]


class IgnoresTheTimeout(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        return await super().post(service, data, 4.0)


class GivesUpTooSoon(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        return await super().post(service, data, min(timeout_s, 5.0))


class RaisesTimeoutError(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        try:
            return await super().post(service, data, timeout_s)
        except CarrierError as error:
            if error.failure is Failure.TIMEOUT:
                raise TimeoutError("too late") from None
            raise


class MapsBrokenOffToTimeout(BusCarrier):
    def checked(self, reply: Reply | None) -> Reply:
        if reply is None:
            raise CarrierError(Failure.TIMEOUT, "the peer has hung up")
        return super().checked(reply)


class MapsRefusedToRefused(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        if self.link.peer is None:
            raise CarrierError(Failure.REFUSED, "connection refused")
        return await super().post(service, data, timeout_s)


class LetsOSErrorsOut(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        if self.link.peer is None:
            raise ConnectionRefusedError("connection refused")
        return await super().post(service, data, timeout_s)


class StaysDownOnceDown(BusCarrier):
    down = False

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        if self.down:
            raise CarrierError(Failure.UNREACHABLE, "still down")
        try:
            return await super().post(service, data, timeout_s)
        except CarrierError:
            self.down = True
            raise


class RaisesOnStatuses(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        reply = await super().post(service, data, timeout_s)
        if reply.status >= 500:
            raise CarrierError(Failure.BROKEN, f"status {reply.status}")
        return reply


class HidesStatuses(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        return attrs.evolve(await super().post(service, data, timeout_s), status=200)


class RemembersRetryAfter(BusCarrier):
    wait: float | None = None

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        reply = await super().post(service, data, timeout_s)
        self.wait = reply.retry_after_s or self.wait
        return attrs.evolve(reply, retry_after_s=self.wait)


class TakesAnyLength(BusCarrier):
    def checked(self, reply: Reply | None) -> Reply:
        return reply if reply is not None else super().checked(reply)


class CutsLongReplies(BusCarrier):
    def checked(self, reply: Reply | None) -> Reply:
        return super().checked(reply and attrs.evolve(reply, data=reply.data[:1_000_000]))


class SharesOnePlaceForReplies(BusCarrier):
    """Replies are taken in the order in which they come, whosesoever they are."""

    def __init__(self, link: BusLink) -> None:
        super().__init__(link)
        self.send, self.receive = anyio.create_memory_object_stream[Reply | None](1_000)

    async def __aexit__(self, *error: object) -> None:
        self.send.close()
        self.receive.close()
        await super().__aexit__(*error)

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        self.check_open()
        post = Post(str(service), data)
        replies = self.send
        post.settle = lambda reply: replies.send_nowait(reply)  # type: ignore[method-assign]
        try:
            self.link.send(post)
        except OSError as error:
            raise CarrierError(Failure.UNREACHABLE, str(error)) from None
        with anyio.move_on_after(timeout_s):
            return self.checked(await self.receive.receive())
        raise CarrierError(Failure.TIMEOUT, "no reply")


class GivesLateReplies(BusCarrier):
    """A reply that comes after its timeout is given to the next post."""

    late: Post | None = None

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        post = Post(str(service), data)
        self.link.send(post)
        with anyio.move_on_after(timeout_s):
            await post.done.wait()
            if self.late is not None and self.late.done.is_set():
                post, self.late = self.late, post
            return self.checked(post.reply)
        self.late = post
        raise CarrierError(Failure.TIMEOUT, "no reply")


class OneAtATime(BusCarrier):
    def __init__(self, link: BusLink) -> None:
        super().__init__(link)
        self.turn = anyio.Lock()

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        async with self.turn:
            return await super().post(service, data, timeout_s)


class BlocksTheLoop(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        reply: list[Reply] = []

        async def wait() -> None:
            reply.append(await super(BlocksTheLoop, self).post(service, data, timeout_s))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.sleep(0.01)
            if not reply:
                time.sleep(1.5)  # noqa: ASYNC251  # the fault
        return reply[0]


class SwallowsCancellation(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        try:
            return await super().post(service, data, timeout_s)
        except anyio.get_cancelled_exc_class():
            raise CarrierError(Failure.TIMEOUT, "cancelled") from None


class ShieldsItself(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        with anyio.CancelScope(shield=True):
            return await super().post(service, data, min(timeout_s, 3.5))


class LosesPlacesWhenCancelled(BusCarrier):
    places = 100

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        if not self.places:
            raise CarrierError(Failure.UNREACHABLE, "the pool is empty")
        self.places -= 1
        reply = None
        try:
            reply = await super().post(service, data, timeout_s)
        except CarrierError:
            self.places += 1
            raise
        self.places += 1
        return reply


class LeavesFilesWhenCancelled(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        file = open(__file__, "rb")  # noqa: SIM115, ASYNC230, PTH123  # the fault
        left.append(file)
        reply = await super().post(service, data, timeout_s)
        file.close()
        return reply


left: list[Any] = []


class LeavesFilesEachTime(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        left.append(open(__file__, "rb"))  # noqa: SIM115, ASYNC230, PTH123  # the fault
        return await super().post(service, data, timeout_s)


class StaysOpen(BusCarrier):
    async def __aexit__(self, *error: object) -> None:
        """Forget to close."""


class GivesTuples(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        reply = await super().post(service, data, timeout_s)
        return reply.status, reply.data  # type: ignore[return-value]


class SaysNothing(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        try:
            return await super().post(service, data, timeout_s)
        except CarrierError as error:
            raise CarrierError(error.failure, "") from None


class TrimsMessages(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        return await super().post(service, data.rstrip(b"\r\n"), timeout_s)


class DropsTheMarkOfItsEncoding(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        reply = await super().post(service, data, timeout_s)
        return attrs.evolve(reply, data=reply.data.removeprefix(b"\xef\xbb\xbf"))


class LowersServices(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        return await super().post(service.lower(), data, timeout_s)


class Hedges(BusCarrier):
    """Sends again what has no reply for a while, and takes the first reply of the two."""

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        replies: list[Reply] = []

        async def send(after_s: float, tasks: anyio.abc.TaskGroup) -> None:
            await anyio.sleep(after_s)
            replies.append(await super(Hedges, self).post(service, data, timeout_s))
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send, 0.0, tasks)
            tasks.start_soon(send, 2.0, tasks)
        return replies[0]


class RetriesWhatIsTooMuch(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        reply = await super().post(service, data, timeout_s)
        return await super().post(service, data, timeout_s) if reply.status in (401, 429, 502) else reply


class SharesOnePostForTwins(BusCarrier):
    def __init__(self, link: BusLink) -> None:
        super().__init__(link)
        self.flying: dict[bytes, anyio.Event] = {}
        self.landed: dict[bytes, Reply] = {}

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        if data in self.flying:
            await self.flying[data].wait()
            return self.landed[data]
        self.flying[data] = anyio.Event()
        self.landed[data] = await super().post(service, data, timeout_s)
        self.flying.pop(data).set()
        return self.landed[data]


class KeepsRepliesByService(BusCarrier):
    def __init__(self, link: BusLink) -> None:
        super().__init__(link)
        self.replies: dict[str, Reply] = {}

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        self.replies[service] = await super().post(service, data, timeout_s)
        await anyio.lowlevel.checkpoint()
        return self.replies[service]


class EndsAllTogether(BusCarrier):
    """All posts share a connection, which is dropped when one of them gets no reply in time or is cancelled."""

    def __init__(self, link: BusLink) -> None:
        super().__init__(link)
        self.scopes: list[anyio.CancelScope] = []

    def drops(self, error: BaseException) -> bool:
        return isinstance(error, CarrierError) and error.failure is Failure.TIMEOUT

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        with anyio.CancelScope() as scope:
            self.scopes.append(scope)
            try:
                return await super().post(service, data, timeout_s)
            except BaseException as error:
                if self.drops(error) and not scope.cancel_called:
                    for each in self.scopes:
                        each.cancel()
                raise
            finally:
                self.scopes.remove(scope)
        raise CarrierError(Failure.UNREACHABLE, "the connection was dropped")


class EndsAllWhenCancelled(EndsAllTogether):
    def drops(self, error: BaseException) -> bool:
        return isinstance(error, anyio.get_cancelled_exc_class())


class DeliversLater(BusCarrier):
    """What cannot be delivered is kept until somebody is there."""

    def __init__(self, link: BusLink) -> None:
        super().__init__(link)
        self.kept: list[bytes] = []

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        if self.link.peer is None:
            self.kept.append(data)
        while self.link.peer is not None and self.kept:
            await super().post(service, self.kept.pop(), timeout_s)
        return await super().post(service, data, timeout_s)


class LeavesFilesWhenLate(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        try:
            return await super().post(service, data, timeout_s)
        except CarrierError as error:
            if error.failure is Failure.TIMEOUT:
                left.append(open(__file__, "rb"))  # noqa: SIM115, ASYNC230, PTH123  # the fault
            raise


class BlocksTheLoopInSteps(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        replies: list[Reply] = []

        async def wait() -> None:
            replies.append(await super(BlocksTheLoopInSteps, self).post(service, data, timeout_s))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.sleep(0.01)
            while not replies:
                time.sleep(0.1)  # noqa: ASYNC251  # the fault
                await anyio.lowlevel.checkpoint()
        return replies[0]


class GivesArrays(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        reply = await super().post(service, data, timeout_s)
        return attrs.evolve(reply, data=bytearray(reply.data))  # type: ignore[arg-type]  # the fault


class CountsInWholeSeconds(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        return await super().post(service, data, int(timeout_s))


class GivesUpForGood(BusCarrier):
    """After five failures one after another it tries no more."""

    failures = 0

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        if self.failures == 5:
            raise CarrierError(Failure.UNREACHABLE, "it has failed too often")
        self.failures += 1
        reply = await super().post(service, data, timeout_s)
        self.failures = 0
        return reply


class TakesHalfForAll(BusCarrier):
    def checked(self, reply: Reply | None) -> Reply:
        return super().checked(reply or Reply(200, b""))


FAULTS: dict[type[BusCarrier], set[str]] = {
    SwallowsTheLastByte: {"every-size"},
    DecodesToText: {"every-byte"},
    ChangesLineEnds: {"every-byte"},
    SendsEmptyMessagesNowhere: {"every-size"},
    OneServiceForAll: {"services"},
    RetriesSilently: {"broken-off", "never-twice"},
    RetriesWhenBusy: {"never-twice"},
    ForgetsRepetitions: {"repeated"},
    IgnoresTheTimeout: {"silence"},
    GivesUpTooSoon: {"not-too-soon"},
    RaisesTimeoutError: {"silence"},
    MapsBrokenOffToTimeout: {"broken-off", "half-a-reply"},
    MapsRefusedToRefused: {"nobody-there", "away-and-back"},
    LetsOSErrorsOut: {"nobody-there", "away-and-back"},
    StaysDownOnceDown: {"nobody-there", "broken-off", "silence"},
    RaisesOnStatuses: {"statuses"},
    HidesStatuses: {"statuses"},
    RemembersRetryAfter: {"retry-after"},
    TakesAnyLength: {"longest-reply"},
    CutsLongReplies: {"longest-reply", "every-size"},
    SharesOnePlaceForReplies: {"own-replies", "silence"},
    GivesLateReplies: {"silence"},
    OneAtATime: {"own-replies", "held-up"},
    BlocksTheLoop: {"loop-runs"},
    SwallowsCancellation: {"cancelled"},
    ShieldsItself: {"cancelled"},
    LosesPlacesWhenCancelled: {"cancelled-often"},
    LeavesFilesWhenCancelled: {"cancelled-often"},
    LeavesFilesEachTime: {"used-often", "failed-often"},
    StaysOpen: {"closed"},
    GivesTuples: {"in-order"},
    SaysNothing: {"nobody-there"},
    TrimsMessages: {"every-byte"},
    DropsTheMarkOfItsEncoding: {"every-byte"},
    LowersServices: {"services"},
    Hedges: {"not-too-soon"},
    RetriesWhatIsTooMuch: {"statuses"},
    SharesOnePostForTwins: {"together"},
    KeepsRepliesByService: {"together"},
    EndsAllTogether: {"neighbours"},
    EndsAllWhenCancelled: {"neighbours"},
    DeliversLater: {"nobody-there", "away-and-back"},
    LeavesFilesWhenLate: {"late-often"},
    BlocksTheLoopInSteps: {"loop-runs"},
    GivesArrays: {"in-order"},
    CountsInWholeSeconds: {"silence"},
    GivesUpForGood: {"failed-often"},
    TakesHalfForAll: {"half-a-reply", "broken-off"},
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_planted_fault_is_found_and_named(fault: type[BusCarrier]) -> None:
    for name in FAULTS[fault]:
        with pytest.raises(KitError) as caught:
            check_carrier(functools.partial(BusLink, fault), only=[name])
        [result] = caught.value.report.failed
        assert result.name == name
        assert result.expected
        assert result.came
        assert result.fix
    for file in left:
        file.close()


class WaitsAfterFailures(BusCarrier):
    has_failed = False

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        if self.has_failed:
            await anyio.sleep(0.15)
        self.has_failed = True
        reply = await super().post(service, data, timeout_s)
        self.has_failed = False
        return reply


def test_carrier_that_waits_by_itself_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oadr_transports.testing.trouble.PATIENCE_S", 2.0)
    with pytest.raises(KitError, match="for the session, which knows the rules"):
        check_carrier(functools.partial(BusLink, WaitsAfterFailures), only=["failed-often"])


def test_only_what_a_fault_touches_fails() -> None:
    with pytest.raises(KitError) as caught:
        check_carrier(functools.partial(BusLink, HidesStatuses))
    assert {result.name for result in caught.value.report.failed} == {"statuses"}
    assert "FAILED statuses" in str(caught.value)
    assert "follow no redirect" in str(caught.value)


# --- faults of carriers with threads --------------------------------------------------------------------------------


class ThreadsWaitForever(ThreadCarrier):
    def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        return super().post(service, data, 4.0)


class ThreadsShareAPlace(ThreadCarrier):
    """The message is kept in the carrier, where another thread finds it."""

    data = b""

    def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        self.data = data
        time.sleep(0.02)
        return super().post(service, self.data, timeout_s)


@pytest.mark.parametrize(
    ("fault", "name"), [(ThreadsWaitForever, "silence"), (ThreadsShareAPlace, "own-replies")]
)
def test_planted_fault_of_threads_is_found(fault: type[ThreadCarrier], name: str) -> None:
    with pytest.raises(KitError, match=f"FAILED {name}"):
        check_carrier(functools.partial(ThreadLink, fault), only=[name])


# --- faults over HTTP -----------------------------------------------------------------------------------------------


class Loose:
    """A carrier of httpx2 that a fault is easily put into; not careful in itself."""

    content_type = "application/xml"
    follows = False

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = httpx2.AsyncClient(follow_redirects=self.follows)

    async def __aenter__(self) -> Loose:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.client.aclose()

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        headers = {"Content-Type": self.content_type}
        response = await self.client.post(f"{self.url}/{service}", content=data, headers=headers, timeout=timeout_s)
        if len(response.content) > 1 << 24:  # all of it is in the memory by now
            raise CarrierError(Failure.UNREADABLE, "too long")
        return Reply(response.status_code, response.content)


class WrongType(Loose):
    content_type = "text/xml"


class FollowsRedirects(Loose):
    follows = True


class ReadsTheHeadAsItIsUsual(HttpCarrier):
    """Takes Retry-After only where it is spelled so."""

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        spelled: list[bytes] = []

        async def see(response: httpx2.Response) -> None:
            spelled.extend(name for name, _ in response.headers.raw)

        assert self._client is not None
        self._client.event_hooks = {"response": [see]}
        reply = await super().post(service, data, timeout_s)
        return reply if b"Retry-After" in spelled else attrs.evolve(reply, retry_after_s=None)


class Shielded(HttpCarrier):
    """What is cancelled goes on in a task of its own."""

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        task = asyncio.ensure_future(super().post(service, data, timeout_s))
        task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(task)


def over_http_as(change: Callable[[Reply], Reply]) -> Callable[[str], Any]:
    class Changed(HttpCarrier):
        async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
            return change(await super().post(service, data, timeout_s))

    return Changed


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (WrongType, "http-request-form"),
        (FollowsRedirects, "http-redirects"),
        (Loose, "http-dripping"),
        (Shielded, "http-cancelled-hangs-up"),
        (Loose, "http-broken-forms"),
        (ReadsTheHeadAsItIsUsual, "http-odd-retry-after"),
        (over_http_as(lambda reply: attrs.evolve(reply, retry_after_s=-5.0)), "http-odd-retry-after"),
        (over_http_as(lambda reply: attrs.evolve(reply, data=reply.data[:1_000])), "http-replies-of-all-forms"),
    ],
)
def test_planted_fault_over_http_is_found(make: Callable[[str], Any], name: str) -> None:
    with pytest.raises(KitError, match=f"FAILED {name}"):
        check_carrier(over_http(make), only=[name])


# --- the kit itself -------------------------------------------------------------------------------------------------


class Hangs(BusCarrier):
    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        if data == b"again":
            time.sleep(30)  # noqa: ASYNC251  # the fault
        return await super().post(service, data, timeout_s)


def test_check_that_hangs_is_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oadr_transports.testing.results.DEADLINE_S", 0.5)
    with pytest.raises(KitError, match="it was still waiting"):
        check_carrier(functools.partial(BusLink, Hangs), only=["repeated"])


def test_what_a_medium_lacks_is_not_checked() -> None:
    report = check_carrier(BusLink, without=["statuses", "concurrency"], only=["statuses", "held-up", "in-order"])
    assert [str(result) for result in report] == [
        "not checked statuses: without statuses",
        "not checked held-up: without concurrency",
        "passed in-order",
    ]


def test_silence_is_enough_where_nobody_sees_connections() -> None:
    class Silent(BusCarrier):
        async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
            try:
                return await super().post(service, data, timeout_s)
            except CarrierError as error:
                if error.failure is Failure.UNREACHABLE:
                    await anyio.sleep(timeout_s)
                    raise CarrierError(Failure.TIMEOUT, "no reply") from None
                raise

    link = functools.partial(BusLink, Silent)
    check_carrier(link, without=["connections"], only=["nobody-there", "broken-off"])
    with pytest.raises(KitError):
        check_carrier(link, only=["nobody-there"])


@pytest.mark.parametrize("wrong", [{"without": ["everything"]}, {"only": ["nothing"]}])
def test_wrong_names_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(LocalError, match="is expected"):
        check_carrier(BusLink, **wrong)


def test_links_are_links() -> None:
    link: Link = BusLink()
    assert link.carrier()
    other: Link = ThreadLink()
    assert other.carrier()
