"""The checks of a carrier that speaks HTTP: what only HTTP has, and only HTTP can get wrong.

They stand alone because they need the kit's own server, which writes the bytes itself.
"""

from __future__ import annotations

import gzip
import itertools
import math
import threading
import time
from typing import Final

import anyio

from oadr_core.engine import Failure

from ..ports import CarrierError, Reply
from .http_link import BASE_PATH, Abandoned, Trick, answer, zipped
from .links import GRACE_S, LARGE_S, PATIENCE_S, Bench, Lack, Poster
from .peer import Answer
from .results import Check, Nonconforming, NotChecked, told
from .trouble import FEW, SHORT_S, SLACK_S, leaves_nothing

_OK: Final = "HTTP/1.1 200 OK\nContent-Type: application/xml"
_ANY_END: Final = (Failure.UNREACHABLE, Failure.UNREADABLE)
_BODY: Final = b"<a>" + b"0123456789" * 300 + b"</a>"
_PARTS: Final = ((_BODY[:1_500], b""), (_BODY[1_500:], b";name=value"))
"""Chunks, and what may stand beside their lengths (RFC 9112, 7.1.1)."""


async def request_form(bench: Bench) -> None:
    """A request as the profile wants it: POST, application/xml, to the service below the base URL (R511, PS 9.1)."""
    async with bench.connected() as carrier:
        await carrier.reply(b"<a/>")
    [received] = bench.peer.received
    wanted = {"method": "POST", "path": f"{BASE_PATH}/OadrPoll", "content-type": "application/xml"}
    came = {name: str(received.about.get(name, "")).partition(";")[0] for name in wanted}
    if came != wanted:
        fix = "post to URL/service with the header Content-Type: application/xml"
        raise Nonconforming(told(wanted), told(came), fix)


async def replies_of_all_forms(bench: Bench) -> None:
    """A body with a length, in chunks, packed where the carrier takes that, or up to the end of the connection."""
    first, second = (b"%x%s\r\n%s\r\n" % (len(part), more, part) for part, more in _PARTS)
    chunks = first + second + b"0\r\nTrailer: 1\r\n\r\n"
    packed = gzip.compress(_BODY)
    async with bench.connected() as carrier:
        await carrier.reply(b"which codings?")
        forms = {
            "in chunks": answer(f"{_OK}\nConnection: close\nTransfer-Encoding: chunked", chunks),
            "up to the end of the connection": answer(f"{_OK}\nConnection: close", _BODY),
            "with headers in small letters": answer(f"{_OK}\nconnection: close\ncontent-length: {len(_BODY)}", _BODY),
            "after an interim reply": answer(
                f"HTTP/1.1 100 Continue\n\n{_OK}\nConnection: close\nContent-Length: {len(_BODY)}", _BODY
            ),
        }
        if "gzip" in str(bench.peer.received[0].about.get("accept-encoding", "")):
            head = f"{_OK}\nConnection: close\nContent-Encoding: gzip\nContent-Length: {len(packed)}"
            forms["packed with gzip"] = answer(head, packed)
        for name, form in forms.items():
            bench.peer.answers = lambda _, form=form: form  # type: ignore[misc]  # bound
            reply = await carrier.reply(name.encode())
            if reply.data != _BODY:
                fix = "let an HTTP library read the body, whole and unpacked"
                raise Nonconforming(f"the body, sent {name}", f"{told(reply.data)} came", fix)


async def broken_forms(bench: Bench) -> None:
    """What is no HTTP, or breaks off in it, is no reply."""
    tricks = {
        "something that is not HTTP": answer("", b"220 mail.example ESMTP\r\n"),
        "a status line that breaks off": answer("", b"HTTP/1."),
        "chunks that break off": answer(f"{_OK}\nTransfer-Encoding: chunked", b"100\r\nabc"),
        "no answer at all": answer(""),
    }
    async with leaves_nothing(bench), bench.connected() as carrier:
        for name, trick in FEW * tuple(tricks.items()):
            bench.peer.answers = lambda _, trick=trick: trick  # type: ignore[misc]  # bound
            await carrier.failure(name.encode(), _ANY_END, name, PATIENCE_S)
            await _usable(bench, carrier)


async def packed_badly(bench: Bench) -> None:
    """A packed body that cannot be unpacked, or becomes too long, is unreadable."""
    bomb = zipped(2 * bench.most_bytes)
    tricks = {
        "a body that is not packed as it says": b"this is no gzip, as every reader can see",
        "a body that becomes too long when it is unpacked": bomb,
    }
    async with bench.connected() as carrier:
        await carrier.reply(b"which codings?")
        packs = "gzip" in str(bench.peer.received[0].about.get("accept-encoding", ""))
        for name, body in tricks.items() if packs else ():
            trick = answer(f"{_OK}\nContent-Encoding: gzip\nContent-Length: {len(body)}", body)
            bench.peer.answers = lambda _, trick=trick: trick  # type: ignore[misc]  # bound
            await carrier.failure(name.encode(), (Failure.UNREADABLE,), name, PATIENCE_S)
            await _usable(bench, carrier)


async def endless(bench: Bench) -> None:
    """A reply without an end is given up at the limit."""
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    parts = lambda: itertools.repeat(chunk)  # noqa: E731
    async with bench.connected() as carrier:
        bench.peer.answers = lambda _: Answer(wire=Trick(f"{_OK}\nTransfer-Encoding: chunked", parts))
        await carrier.failure(b"endless", (Failure.UNREADABLE,), "a reply without an end", LARGE_S)
        await _usable(bench, carrier)


async def dripping(bench: Bench) -> None:
    """A reply that comes byte by byte does not stretch the timeout: it is for the whole post."""
    over = threading.Event()
    trick = Trick(f"{_OK}\nContent-Length: 100000", lambda: itertools.repeat(b"x"), pause=over)
    async with bench.connected() as carrier:
        bench.peer.answers = lambda _: Answer(wire=trick)
        timeout_s = 2 * SHORT_S
        began = time.monotonic()
        try:
            with anyio.fail_after(timeout_s + GRACE_S):
                reply: object = await carrier.post("OadrPoll", b"dripping", timeout_s)
        except CarrierError as error:
            reply = error
        except TimeoutError:
            reply = None
        finally:
            over.set()
        took_s = time.monotonic() - began
        in_time = isinstance(reply, CarrierError) and reply.failure is Failure.TIMEOUT and took_s < timeout_s + SLACK_S
        if not in_time:
            fix = "bound the whole post, not each pause in it (anyio.fail_after; in threads a deadline while reading)"
            raise Nonconforming(
                f"CarrierError(Failure.TIMEOUT) after {timeout_s:g} s",
                f"{told(reply) if reply else 'nothing'} after {took_s:.1f} s",
                fix,
            )
        await _usable(bench, carrier)


async def redirects(bench: Bench) -> None:
    """A redirect is a reply like others: messages go nowhere but to the peer (R511)."""
    async with bench.connected() as carrier:
        for status in (301, 302, 303, 307, 308):
            before = len(bench.peer.received)
            head = f"HTTP/1.1 {status} Elsewhere\nConnection: close\nLocation: {BASE_PATH}/EiEvent\nContent-Length: 0"
            bench.peer.answers = lambda _, head=head: answer(head)  # type: ignore[misc]  # bound
            reply = await carrier.post("OadrPoll", b"moved?", PATIENCE_S)
            if reply.status != status or len(bench.peer.received) != before + 1:
                came = f"status {reply.status}, and {len(bench.peer.received) - before} requests"
                raise Nonconforming(f"one request and status {status}", came, "follow no redirects")


async def idle_connection(bench: Bench) -> None:
    """A peer may close a connection that rests. Messages after that arrive, each at most once."""
    async with bench.connected() as carrier:
        bench.peer.answers = lambda received: answer(f"{_OK}\nContent-Length: 4", b"<a/>")
        for number in range(6):
            if number == 5:  # perhaps on the connection that is closed last
                bench.peer.answers = lambda received: Answer(reply=Reply(200, received.data))
            message = f"message {number}".encode()
            try:
                await carrier.post("OadrPoll", message, PATIENCE_S)
            except CarrierError as error:
                if error.failure is not Failure.UNREACHABLE:
                    fix = "a connection that the peer has closed meanwhile is UNREACHABLE, or replaced before sending"
                    raise Nonconforming("a reply, or UNREACHABLE", f"{told(error)} was raised", fix) from None
            if bench.peer.count(message) > 1:
                fix = "repeat no message that may have been sent"
                raise Nonconforming("the message at most once", f"it came {bench.peer.count(message)} times", fix)
        await _usable(bench, carrier)


async def cancelled_hangs_up(bench: Bench) -> None:
    """A post that is cancelled hangs up: nobody works any more on a reply that nobody reads."""
    async with bench.connected() as carrier:
        if not carrier.awaits:
            raise NotChecked("nobody cancels a carrier that does not await")
        gate = bench.peer.gate()
        bench.peer.answers = lambda _: Answer(wire=Abandoned(gate))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(carrier.post, "OadrPoll", b"given up", PATIENCE_S)
            await bench.peer.got(1)
            tasks.cancel_scope.cancel()
        with anyio.move_on_after(SLACK_S):
            await gate.passed()
        if not gate.is_open:
            fix = "shield no request from cancellation, and leave none to a task of its own"
            raise Nonconforming("the connection of a cancelled post to end", "it is still open", fix)


async def odd_retry_after(bench: Bench) -> None:
    """Whatever stands in Retry-After, it becomes a number of seconds, or nothing."""
    odd = ("soon", "-5", "", "1e400", "nan", "12, 13", "9" * 400, "Wed, 21 Oct 2015 07:28:00 GMT", "\xb2", "1_0")
    async with bench.connected() as carrier:
        bench.peer.answers = lambda _: answer("HTTP/1.1 503 Busy\nconnection: close\ncontent-length: 0\nretry-after: 7")
        if Lack.RETRY_AFTER not in bench.lacks and (reply := await carrier.reply(b"busy?")).retry_after_s != 7:
            fix = "names of headers are the same in capital and in small letters"
            raise Nonconforming("retry_after_s=7.0 for retry-after: 7", f"it is {reply.retry_after_s!r}", fix)
        for text in odd:
            head = f"HTTP/1.1 503 Busy\nConnection: close\nContent-Length: 0\nRetry-After: {text}"
            raw = head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n"
            bench.peer.answers = lambda _, raw=raw: answer("", raw)  # type: ignore[misc]  # bound
            reply = await carrier.reply(b"busy?")
            value = reply.retry_after_s
            if reply.status != 503 or not (value is None or (value >= 0 and math.isfinite(value))):
                fix = "take Retry-After where it is a whole number of seconds, and ignore it otherwise"
                raise Nonconforming("status 503, and seconds or None", f"{told(reply)} for {text[:40]!r}", fix)


CHECKS: Final[tuple[Check[Bench], ...]] = (
    Check("http-request-form", request_form),
    Check("http-replies-of-all-forms", replies_of_all_forms),
    Check("http-broken-forms", broken_forms),
    Check("http-packed-badly", packed_badly),
    Check("http-endless", endless),
    Check("http-dripping", dripping),
    Check("http-redirects", redirects),
    Check("http-idle-connection", idle_connection),
    Check("http-odd-retry-after", odd_retry_after),
    Check("http-cancelled-hangs-up", cancelled_hangs_up),
)


async def _usable(bench: Bench, carrier: Poster) -> None:
    bench.peer.answers = lambda received: Answer(reply=Reply(200, received.data))
    reply = await carrier.reply(b"after")
    if reply.data != b"after":
        fix = "drop a connection that has failed, and with it what still comes from there"
        raise Nonconforming("the reply to the message", f"{told(reply.data)} came back", fix)
