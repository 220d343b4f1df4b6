"""The checks of a carrier while all is well: what is posted arrives, and what is answered comes back.

They stand alone because they need nothing of a medium but that it works.
"""

from __future__ import annotations

import threading
import time
from typing import Final

import anyio
import anyio.lowlevel

from oadr_core.model import ServiceName

from ..ports import Reply
from .links import PATIENCE_S, Bench, Lack, Poster
from .peer import Answer, Gate, Received
from .results import KIT_THREAD, Check, Nonconforming, told

EVERY_BYTE: Final = bytes(range(256)) + b"\r\n\r\n\n\r\x00\x00\xef\xbb\xbf<a/>\r\n.\r\n" + bytes(reversed(range(256)))
"""Every value, and what some media take for the end of something."""
EDGES: Final = (EVERY_BYTE[::-1], b"\r\n \t<a/> \t\r\n", b"\xef\xbb\xbf<a/>\n\n", b"\x00<a/>\x00", b'"<a/>"', b"\n.\n")
"""Whose beginning or end is trimmed by those who mean well."""
SIZES: Final = (0, 1, 2, 3, 127, 128, 1_023, 4_096, 65_535, 65_536, 65_537, 1_000_003)
"""Around the borders of buffers and lengths of frames."""
STATUSES: Final = (200, 201, 202, 204, 400, 401, 403, 404, 406, 408, 413, 425, 429, 500, 501, 502, 503, 504)
ONE_BY_ONE: Final = 200
"""Messages one after another: enough for a carrier that loses one in a hundred."""
CONCURRENT: Final = 12
HELD_S: Final = 1.0
"""For so long a reply is held back: much longer than a busy machine lets a task wait."""
TURN_S: Final = HELD_S / 50
"""So often the event loop is looked at meanwhile."""
_AS_IT_IS: Final = "carry bytes: no decoding to text, no line ends, no separators that a message may contain"


async def every_byte(bench: Bench) -> None:
    """Bytes of every value arrive as they were, both ways."""
    async with bench.connected() as carrier:
        for message in (EVERY_BYTE, *EDGES):
            bench.peer.received.clear()
            reply = await carrier.reply(message)
            _same(message, _only(bench).data, "the peer got", _AS_IT_IS)
            _same(message, reply.data, "the reply was", _AS_IT_IS)


async def every_size(bench: Bench) -> None:
    """Messages from no byte to a million, both ways; a short one after a long one too."""
    async with bench.connected() as carrier:
        for size in (*SIZES, 1, 0):
            message, answer = _pattern(size, 7), _pattern(size, 11)
            bench.peer.received.clear()
            bench.peer.answers = lambda _, answer=answer: Answer(reply=Reply(200, answer))  # type: ignore[misc]  # bound
            fix = "send and read the whole message, whatever its length; an empty one is a message too"
            reply = await carrier.reply(message)
            _same(message, _only(bench).data, f"of {size} bytes the peer got", fix)
            _same(answer, reply.data, f"the reply of {size} bytes was", fix)


async def services(bench: Bench) -> None:
    """Each service of the profile gets what was posted to it."""
    async with bench.connected() as carrier:
        for service in ServiceName:
            await carrier.reply(service.encode(), service=service)
    wrong = [each for each in bench.peer.received if each.service.encode() != each.data]
    if wrong or len(bench.peer.received) != len(ServiceName):
        came = f"the peer was told {told([each.service for each in bench.peer.received])}"
        raise Nonconforming(
            f"the services {', '.join(ServiceName)}", came, "tell the peer the name of the service with the message"
        )


async def in_order(bench: Bench) -> None:
    """Messages posted one after another arrive once each, in that order."""
    messages = [f"message {number}".encode() for number in range(ONE_BY_ONE)]
    async with bench.connected() as carrier:
        for message in messages:
            reply = await carrier.reply(message)
            _same(message, reply.data, "the reply was", "return the reply to this message, not another's")
    came = [each.data for each in bench.peer.received]
    if came != messages:
        fix = "post returns when the reply is there: send each message once, and before it returns"
        first = next((i for i, (one, two) in enumerate(zip(messages, came, strict=False)) if one != two), len(came))
        text = f"the peer got {len(came)}, and {told(came[first : first + 2])} from number {first} on"
        raise Nonconforming(f"{ONE_BY_ONE} messages, each once, in the order of the posts", text, fix)


async def repeated(bench: Bench) -> None:
    """The very same message posted again is delivered again: the session repeats, and the peer tells them apart."""
    async with bench.connected() as carrier:
        for _ in range(3):
            await carrier.reply(b"again")
    if (count := bench.peer.count(b"again")) != 3:
        fix = "deliver every post: whether a message is a repetition is for the two sessions to say"
        raise Nonconforming("a message that was posted 3 times 3 times", f"it came {count} times", fix)


async def own_replies(bench: Bench) -> None:
    """Messages under way at once get their own replies, also when these come in the opposite order."""
    gates = {str(number).encode(): bench.peer.gate() for number in range(CONCURRENT)}
    bench.peer.answers = lambda received: Answer(
        reply=Reply(200, b"reply to " + received.data), after=gates[received.data]
    )
    replies: list[tuple[bytes, bytes]] = []

    async def post(carrier: Poster, message: bytes) -> None:
        replies.append((message, (await carrier.reply(message)).data))
        _next_gate(gates, message).open()

    async with bench.connected() as carrier, anyio.create_task_group() as tasks:
        for message in gates:
            tasks.start_soon(post, carrier, message)
        await _all_came(bench, CONCURRENT)
        gates[str(CONCURRENT - 1).encode()].open()
    _own(replies)


async def together(bench: Bench) -> None:
    """So they do when all replies come at the same instant. Two messages with the same text are two messages."""
    gate = bench.peer.gate()
    bench.peer.answers = lambda received: Answer(reply=Reply(200, b"reply to " + received.data), after=gate)
    replies: list[tuple[bytes, bytes]] = []

    async def post(carrier: Poster, message: bytes) -> None:
        replies.append((message, (await carrier.reply(message)).data))

    async with bench.connected() as carrier, anyio.create_task_group() as tasks:
        for message in (b"twin", b"twin", *(str(number).encode() for number in range(CONCURRENT - 2))):
            tasks.start_soon(post, carrier, message)
        await _all_came(bench, CONCURRENT)
        gate.open()
    _own(replies)


async def held_up(bench: Bench) -> None:
    """A message that waits long for its reply does not hold up the next."""
    gate = bench.peer.gate()
    bench.peer.answers = lambda received: Answer(
        reply=Reply(200, received.data), after=gate if received.data == b"slow" else None
    )
    async with bench.connected() as carrier, anyio.create_task_group() as tasks:
        tasks.start_soon(carrier.reply, b"slow")
        await _all_came(bench, 1)
        for _ in range(3):
            await carrier.reply(b"quick", timeout_s=PATIENCE_S / 4)
        gate.open()


async def loop_runs(bench: Bench) -> None:
    """While a reply is waited for, everything else in the event loop goes on."""
    gate = bench.peer.gate()
    bench.peer.answers = lambda received: Answer(reply=Reply(200, received.data), after=gate)
    turns: list[float] = []
    beside = 0

    def hold() -> None:
        """Hold the reply back, in a thread, and count how often that gets its turn: a machine may be busy."""
        nonlocal beside
        until = time.monotonic() + HELD_S
        while time.monotonic() < until:
            time.sleep(TURN_S)
            beside += 1
        gate.open()

    async def take_turns() -> None:
        while True:
            began = time.monotonic()
            await anyio.sleep(TURN_S)
            turns.append(time.monotonic() - began)

    async with bench.connected() as carrier, anyio.create_task_group() as tasks:
        tasks.start_soon(take_turns)
        await anyio.lowlevel.checkpoint()
        threading.Thread(target=hold, name=KIT_THREAD, daemon=True).start()  # of no loop, so that it ends in any case
        await carrier.reply(b"slow")
        await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    longest = max(turns, default=HELD_S)
    if longest > 0.8 * HELD_S or len(turns) < beside / 3:
        fix = "await what can take long: no blocking call in post, or one in a thread (anyio.to_thread.run_sync)"
        came = f"it stood still for up to {longest:.1f} s, and had {len(turns)} turns while a thread had {beside}"
        raise Nonconforming("a loop that goes on while post waits", came, fix)


async def statuses(bench: Bench) -> None:
    """A status is handed on, whatever it says; with its body."""
    async with bench.connected() as carrier:
        for status in STATUSES:
            body = b"" if status == 204 else f"body of {status}".encode()
            bench.peer.answers = lambda _, status=status, body=body: Answer(reply=Reply(status, body))  # type: ignore[misc]  # bound
            reply = await carrier.reply(str(status).encode())
            if (reply.status, reply.data) != (status, body):
                fix = "return a Reply for every status: what it means is for the session; follow no redirect"
                raise Nonconforming(f"Reply({status}, {body!r})", f"{told(reply)} came back", fix)
            bench.once(str(status).encode())


async def retry_after(bench: Bench) -> None:
    """How long the peer asks to be left alone is handed on, in seconds; and nothing where it does not ask."""
    async with bench.connected() as carrier:
        for seconds in (120.0, None, 1.0, None):
            bench.peer.answers = lambda _, s=seconds: Answer(reply=Reply(503, b"", s))  # type: ignore[misc]  # bound
            reply = await carrier.reply(b"busy?")
            if reply.retry_after_s != seconds:
                fix = "read the peer's request for quiet from this very reply (HTTP: Retry-After), as seconds"
                raise Nonconforming(f"retry_after_s={seconds}", f"it is {reply.retry_after_s!r}", fix)


CHECKS: Final[tuple[Check[Bench], ...]] = (
    Check("every-byte", every_byte),
    Check("every-size", every_size),
    Check("services", services),
    Check("in-order", in_order),
    Check("repeated", repeated),
    Check("own-replies", own_replies, (Lack.CONCURRENCY,)),
    Check("together", together, (Lack.CONCURRENCY,)),
    Check("held-up", held_up, (Lack.CONCURRENCY,)),
    Check("loop-runs", loop_runs),
    Check("statuses", statuses, (Lack.STATUSES,)),
    Check("retry-after", retry_after, (Lack.RETRY_AFTER,)),
)


# --- helpers --------------------------------------------------------------------------------------------------------


def _pattern(size: int, step: int) -> bytes:
    """Bytes in which a part that is missing, doubled or out of place is seen."""
    block = bytes((number * step + (number >> 8)) & 0xFF for number in range(min(size, 65_536)))
    return (block * (size // 65_536 + 1))[:size]


def _same(expected: bytes, came: bytes, what: str, fix: str) -> None:
    if came == expected:
        return
    first = next((i for i, (one, other) in enumerate(zip(expected, came, strict=False)) if one != other), None)
    at = min(len(expected), len(came)) if first is None else first
    text = f"{what} {len(came)} bytes, which differ from byte {at} on: {told(came[at : at + 20])}"
    raise Nonconforming(f"{len(expected)} bytes, from there {told(expected[at : at + 20])}", text, fix)


def _only(bench: Bench) -> Received:
    if len(bench.peer.received) != 1:
        came = f"the peer got {len(bench.peer.received)}"
        raise Nonconforming("one message at the peer", came, "send each message once, and before post returns")
    return bench.peer.received[0]


def _next_gate(gates: dict[bytes, Gate], message: bytes) -> Gate:
    return gates[str(max(int(message) - 1, 0)).encode()]


def _own(replies: list[tuple[bytes, bytes]]) -> None:
    if wrong := [pair for pair in replies if pair[1] != b"reply to " + pair[0]]:
        fix = "give each message a connection or a number of its own, and match the replies by it"
        raise Nonconforming("each message's own reply", f"replies were mixed up: {told(wrong)}", fix)


async def _all_came(bench: Bench, count: int) -> None:
    with anyio.move_on_after(PATIENCE_S / 4):
        await bench.peer.got(count)
        return
    raise Nonconforming(
        f"{count} messages at the peer at once",
        f"{len(bench.peer.received)} came while the others wait for their replies",
        "let several posts be under way at once; a medium that cannot do that lacks 'concurrency'",
    )
