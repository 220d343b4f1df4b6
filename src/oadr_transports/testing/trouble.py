"""The checks of a carrier on bad days: peers that are away, silent or break off, callers that give up.

They stand alone because they need a medium that can fail. What they want is little: one kind of error, in time, never
a second delivery, and a carrier that works afterwards as if nothing had been.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, suppress
from typing import Final

import anyio
import anyio.lowlevel

from oadr_core.engine import Failure
from oadr_core.model import ServiceName

from ..ports import CarrierError, Reply
from .links import LARGE_S, PATIENCE_S, Bench, Lack, Poster, entered
from .peer import Answer
from .results import KIT_THREAD, Check, Nonconforming, NotChecked, told

ARRIVAL_S: Final = 0.1
"""So long a late reply has to arrive on the medium, which nobody but the carrier sees: then it is there to be mistaken
for another."""
SHORT_S: Final = 0.3
"""A timeout for silence."""
INSTANT_S: Final = 0.05
"""A timeout so short that many of them take no time; perhaps the message does not even arrive."""
HELD_S: Final = 5.2
"""For so long a reply is held back that shall still be waited for. It is a little more than the 5 s that some libraries
wait by themselves."""
SLACK_S: Final = 3.0
"""A timeout may come so much later than it was asked for: machines are busy."""
CANCELLED: Final = 120
"""More than any pool of connections holds, so that one that is not given back is missed."""
FEW: Final = 10
"""Files and tasks that may be left over by chance; what leaks leaves one for each post."""
_POLL: Final = ServiceName.OADR_POLL


# --- away -----------------------------------------------------------------------------------------------------------


async def nobody_there(bench: Bench) -> None:
    """Where nobody listens, the peer is unreachable; as soon as it listens, it is reached by the same carrier."""
    async with bench.calling() as carrier:
        for _ in range(2):
            await carrier.failure(b"hello?", bench.away, "a peer that does not listen", _away_timeout(bench))
        async with bench.listening():
            await carrier.reply(b"hello")
            _never_came(bench, b"hello?")


async def away_and_back(bench: Bench) -> None:
    """A peer that goes away and comes back is reached again by the same carrier."""
    async with bench.calling() as carrier:
        async with bench.listening():
            await carrier.reply(b"one")
        await carrier.failure(b"two", bench.away, "a peer that listens no more", _away_timeout(bench))
        async with bench.listening():
            await carrier.reply(b"three")
            _never_came(bench, b"two")


async def broken_off(bench: Bench) -> None:
    """A connection that breaks before the reply is there: unreachable, and the message was sent once."""
    async with bench.connected() as carrier:
        await carrier.reply(b"before")
        for message in (b"one", b"two"):
            bench.peer.answers = lambda _: Answer(broken=True)
            await carrier.failure(message, bench.away, "a connection that breaks off", _away_timeout(bench))
            bench.once(message)
            bench.peer.answers = lambda received: Answer(reply=Reply(200, received.data))
            await _well(carrier, b"after " + message)


async def half_a_reply(bench: Bench) -> None:
    """A reply that breaks off in its middle is none."""
    half = Answer(broken=True, half=True, reply=Reply(200, b"<a>" + b"b" * 10_000 + b"</a>"))
    async with bench.connected() as carrier:
        bench.peer.answers = lambda _: half
        await carrier.failure(b"one", bench.away, "a connection that breaks off in the reply", _away_timeout(bench))
        bench.once(b"one")
        bench.peer.answers = lambda received: Answer(reply=Reply(200, received.data))
        await _well(carrier, b"after")


async def never_twice(bench: Bench) -> None:
    """Whatever becomes of a message, the carrier sends it once: repeating is for the session, which knows the rules."""
    answers = {
        b"broken": Answer(broken=True),
        b"silent": bench.peer.silence(),
        b"failed": Answer(reply=Reply(500, b"")),
        b"busy": Answer(reply=Reply(503, b"")),
    }
    bench.peer.answers = lambda received: answers.get(received.data, Answer(reply=Reply(200, received.data)))
    async with bench.connected() as carrier:
        for message in answers:
            with suppress(CarrierError):  # other checks look at it
                await carrier.post(_POLL, message, SHORT_S)
            await _well(carrier, b"after " + message)
    for message in answers:
        bench.once(message)


# --- silent ---------------------------------------------------------------------------------------------------------


async def silence(bench: Bench) -> None:
    """A peer that does not answer: a timeout, when it was asked for, and not the reply to something else later on."""
    late = bench.peer.gate()
    bench.peer.answers = lambda received: Answer(
        reply=Reply(200, received.data), after=late if received.data == b"silent" else None
    )
    async with bench.connected() as carrier:
        for timeout_s in (SHORT_S, 3 * SHORT_S):
            began = time.monotonic()
            await carrier.failure(b"silent", (Failure.TIMEOUT,), f"{timeout_s:g} s without a reply", timeout_s)
            _in_time(time.monotonic() - began, timeout_s)
        late.open()
        await anyio.sleep(ARRIVAL_S)
        for number in range(3):
            await _well(carrier, f"after {number}".encode())


async def not_too_soon(bench: Bench) -> None:
    """A reply that comes within the time is no timeout."""
    gate = bench.peer.gate()
    bench.peer.answers = lambda received: Answer(reply=Reply(200, received.data), after=gate)
    async with bench.connected() as carrier, anyio.create_task_group() as tasks:
        tasks.start_soon(carrier.reply, b"slow")
        await bench.peer.got(1)
        await anyio.sleep(HELD_S)
        gate.open()
    bench.once(b"slow")


async def neighbours(bench: Bench) -> None:
    """What becomes of one post is nothing to the others: they wait on while it is late, cancelled or broken off."""
    gate = bench.peer.gate()
    answers = {
        b"waits": lambda: Answer(reply=Reply(200, b"waits"), after=gate),
        b"silent": bench.peer.silence,
        b"given up": bench.peer.silence,
    }
    bench.peer.answers = lambda received: answers[received.data]()
    replies: list[Reply] = []

    async def wait(carrier: Poster) -> None:
        replies.append(await carrier.reply(b"waits"))

    async with bench.connected() as carrier, anyio.create_task_group() as tasks:
        tasks.start_soon(wait, carrier)
        with anyio.move_on_after(PATIENCE_S / 4):
            await bench.peer.got(1)
        began = time.monotonic()
        await carrier.failure(b"silent", (Failure.TIMEOUT,), f"{SHORT_S:g} s without a reply", SHORT_S)
        _in_time(time.monotonic() - began, SHORT_S)
        if carrier.awaits:
            await _given_up(bench, carrier, b"given up")
        gate.open()
    if replies[0].data != b"waits":
        fix = "give each message a connection or a number of its own, and match the replies by it"
        raise Nonconforming("the reply that was waited for", f"{told(replies[0].data)} came back", fix)


# --- given up -------------------------------------------------------------------------------------------------------


async def cancelled(bench: Bench) -> None:
    """A post that is cancelled ends at once, as cancelled; the next one has its own reply."""
    async with bench.connected() as carrier:
        _awaits(carrier)
        late = bench.peer.gate()
        bench.peer.answers = lambda received: Answer(
            reply=Reply(200, received.data), after=late if received.data == b"given up" else None
        )
        await carrier.reply(b"before")
        for round_ in range(3):
            await _given_up(bench, carrier, b"given up")
            await _well(carrier, f"after {round_}".encode())
        late.open()
        await anyio.sleep(ARRIVAL_S)
        for round_ in range(3):
            await _well(carrier, f"late {round_}".encode())


async def cancelled_often(bench: Bench) -> None:
    """Posts that are cancelled leave nothing behind: no connection, no task, no place in a pool that stays taken."""
    async with leaves_nothing(bench), bench.connected() as carrier:
        _awaits(carrier)
        for _ in range(CANCELLED):
            bench.peer.answers = lambda _: bench.peer.silence()
            await _given_up(bench, carrier, b"given up")
        bench.peer.answers = lambda received: Answer(reply=Reply(200, received.data))
        await _well(carrier, b"after all")


async def cancelled_at_once(bench: Bench) -> None:
    """A post may be cancelled at its very first await, and at any later one."""
    async with bench.connected() as carrier:
        _awaits(carrier)
        for number in range(40):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_ignoring, carrier, f"early {number}".encode())
                for _ in range(number):
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
        await _well(carrier, b"after")


async def used_often(bench: Bench) -> None:
    """Posts that succeed leave nothing behind, but perhaps one connection for the next."""
    async with leaves_nothing(bench), bench.connected() as carrier:
        for number in range(4 * FEW):
            await _well(carrier, f"used {number}".encode())


async def failed_often(bench: Bench) -> None:
    """Posts that fail leave nothing behind either."""
    bench.peer.answers = lambda received: Answer(broken=True)
    async with leaves_nothing(bench), bench.connected() as carrier:
        began = time.monotonic()
        for _ in range(2 * FEW):
            await carrier.failure(b"failing", bench.away, "a connection that breaks off", _away_timeout(bench))
        took_s = time.monotonic() - began
        if Lack.CONNECTIONS not in bench.lacks and took_s > PATIENCE_S:
            fix = "try each post at once: how long to wait after a failure is for the session, which knows the rules"
            raise Nonconforming(f"{2 * FEW} failures without a wait", f"they took {took_s:.0f} s", fix)
        bench.peer.answers = lambda received: Answer(reply=Reply(200, received.data))
        await _well(carrier, b"after all")


async def late_often(bench: Bench) -> None:
    """Nor do posts that have no reply in time."""
    async with leaves_nothing(bench), bench.connected() as carrier:
        bench.peer.answers = lambda _: bench.peer.silence()
        for _ in range(2 * FEW):
            await carrier.failure(b"late", (Failure.TIMEOUT,), f"{INSTANT_S:g} s without a reply", INSTANT_S)
        bench.peer.answers = lambda received: Answer(reply=Reply(200, received.data))
        await _well(carrier, b"after all")


# --- too much -------------------------------------------------------------------------------------------------------


async def longest_reply(bench: Bench) -> None:
    """A reply may be as long as the limit, and no longer: a peer must not fill the memory."""
    async with bench.connected() as carrier:
        bench.peer.answers = lambda _: Answer(reply=Reply(200, bytes(bench.most_bytes)))
        reply = await carrier.reply(b"long", timeout_s=LARGE_S)
        if len(reply.data) != bench.most_bytes:
            fix = "take replies up to the limit whole (oadr_core.DEFAULT_LIMITS.bytes, or what you give as most_bytes)"
            raise Nonconforming(f"{bench.most_bytes} bytes", f"{len(reply.data)} came", fix)
        bench.peer.answers = lambda _: Answer(reply=Reply(200, bytes(bench.most_bytes + 1)))
        why = f"a reply of more than {bench.most_bytes} bytes"
        await carrier.failure(b"too long", (Failure.UNREADABLE,), why, LARGE_S)
        bench.peer.answers = lambda received: Answer(reply=Reply(200, received.data))
        await _well(carrier, b"after")


# --- the end --------------------------------------------------------------------------------------------------------


async def closed(bench: Bench) -> None:
    """A carrier that is left is closed: it delivers nothing any more, and what it had open is given back."""
    made = bench.link.carrier()
    if not isinstance(made, (AbstractAsyncContextManager, AbstractContextManager)):
        raise NotChecked("the carrier is no context manager, so there is nothing to close")
    async with bench.listening():
        async with entered(made):
            pass  # without a post
        async with leaves_nothing(bench):
            for number in range(4 * FEW):
                async with bench.calling() as carrier:
                    await carrier.reply(f"before {number}".encode())
        before = len(bench.peer.received)
        ended = False
        with anyio.move_on_after(PATIENCE_S):
            with suppress(Exception):  # a third party's code: any error says that it is closed
                await carrier.post(_POLL, b"after the end", SHORT_S)
            ended = True
        if not ended or len(bench.peer.received) != before:
            came = "the peer got a message" if ended else f"post was still waiting after {PATIENCE_S:g} s"
            raise Nonconforming("an error from a carrier that was left", came, "refuse to post after the end")


CHECKS: Final[tuple[Check[Bench], ...]] = (
    Check("nobody-there", nobody_there),
    Check("away-and-back", away_and_back),
    Check("broken-off", broken_off),
    Check("half-a-reply", half_a_reply),
    Check("never-twice", never_twice),
    Check("silence", silence),
    Check("not-too-soon", not_too_soon),
    Check("neighbours", neighbours, (Lack.CONCURRENCY,)),
    Check("cancelled", cancelled),
    Check("cancelled-often", cancelled_often),
    Check("cancelled-at-once", cancelled_at_once),
    Check("used-often", used_often),
    Check("failed-often", failed_often),
    Check("late-often", late_often),
    Check("longest-reply", longest_reply),
    Check("closed", closed),
)


# --- helpers --------------------------------------------------------------------------------------------------------


def _away_timeout(bench: Bench) -> float:
    """Where absence is silence, there is no need to wait for long."""
    return SHORT_S if Lack.CONNECTIONS in bench.lacks else PATIENCE_S / 4


async def _well(carrier: Poster, message: bytes) -> None:
    """After trouble: a message has its own reply."""
    reply = await carrier.reply(message)
    if reply.data != message:
        fix = "throw a reply away that comes too late, with its connection if need be; never give it to another post"
        raise Nonconforming(f"the reply to {told(message)}", f"{told(reply.data)} came back", fix)


def _never_came(bench: Bench, message: bytes) -> None:
    if Lack.CONNECTIONS not in bench.lacks and bench.peer.count(message):
        fix = "keep no message for later: a post that has failed delivers nothing, the session sends a new one"
        raise Nonconforming("a message whose post has failed to be given up", f"the peer got {told(message)}", fix)


def _in_time(took_s: float, timeout_s: float) -> None:
    if not 0.8 * timeout_s <= took_s <= timeout_s + SLACK_S:
        fix = "bound the whole post by the timeout_s that it is given, instead of a setting of your own"
        raise Nonconforming(f"a timeout after {timeout_s:g} s", f"it came after {took_s:.1f} s", fix)


def _awaits(carrier: Poster) -> None:
    if not carrier.awaits:
        raise NotChecked("nobody cancels a carrier that does not await")


async def _given_up(bench: Bench, carrier: Poster, message: bytes) -> None:
    """Cancel a post while it waits for its reply."""
    before = len(bench.peer.received)
    came: list[object] = []

    async def post() -> None:
        try:
            came.append(await carrier.post(_POLL, message, PATIENCE_S))
        except Exception as error:  # a third party's code: anything can come out of it
            came.append(error)

    ended = False
    with anyio.move_on_after(PATIENCE_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(post)
            with anyio.move_on_after(PATIENCE_S / 4):
                await bench.peer.got(before + 1, or_else=lambda: bool(came))
            began = time.monotonic()
            tasks.cancel_scope.cancel()
        ended = True
    took_s = time.monotonic() - began
    fix = "let the cancellation through: catch only what you map to CarrierError, and shield nothing that waits"
    if came:
        raise Nonconforming("a cancelled post to end as cancelled", f"{told(came[0])} came of it", fix)
    if not ended or took_s > SLACK_S:
        raise Nonconforming("a cancelled post to end at once", f"it took {took_s:.1f} s", fix)


async def _ignoring(carrier: Poster, message: bytes) -> None:
    await carrier.post(_POLL, message, PATIENCE_S)


@asynccontextmanager
async def leaves_nothing(bench: Bench) -> AsyncIterator[None]:
    """After the block there are no more open files, tasks and threads than before."""
    before = _open()
    yield
    bench.peer.release()
    gc.collect()
    for _ in range(50):  # what is being closed gets a moment
        left = {name: count - before[name] for name, count in _open().items() if count - before[name] >= FEW}
        if not left:
            return
        await anyio.sleep(SHORT_S / 10)
    fix = "close the connection and end the tasks of a post in a finally, also when it fails or is cancelled"
    raise Nonconforming("nothing left over", " and ".join(f"{n} {name} are left" for name, n in left.items()), fix)


def _open() -> dict[str, int]:
    """How much this process has open."""
    try:
        files = len(os.listdir("/dev/fd"))  # noqa: PTH208  # a count, of what is no real folder
    except OSError:  # a system without
        files = 0
    threads = sum(not each.name.startswith((KIT_THREAD, "AnyIO")) for each in threading.enumerate())
    return {"files or sockets": files, "tasks": len(anyio.get_running_tasks()), "threads": threads}
