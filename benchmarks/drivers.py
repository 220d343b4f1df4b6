"""What each driver adds to the core and to its HTTP library, for one exchange over loopback HTTP.

It stands alone because a driver is measured with all around it: the same client polls the same server as fast as it
can, and what the core and the bare library take for the same exchanges is taken away.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any, NamedTuple

import anyio
import trio

from benchmarks import polling
from benchmarks.polling import a_registered_ven, served
from oadr_core.engine import ReplyArrived, SendRequest
from oadr_core.ven import PollNow, Register, VenConfig, VenSession
from oadr_transports import OpenADRClient, SyncOpenADRClient, TrioOpenADRClient
from oadr_transports.http import HttpCarrier
from oadr_transports.http_aiohttp import AiohttpCarrier
from oadr_transports.http_requests import RequestsCarrier
from oadr_transports.ports import Reply, clocks

TARGET = 2.5
"""Times the polls a second of OpenLEADR's VTN."""
TIMEOUT_S = 30.0


class Runs(NamedTuple):
    """How often everybody takes a turn, and of how many exchanges a turn is."""

    rounds: int
    exchanges: int


FULL = Runs(rounds=5, exchanges=500)
QUICK = Runs(rounds=3, exchanges=200)


class Meter:
    """Makes a client poll as often as it shall, and takes the time that the process computes meanwhile."""

    def __init__(self, count: int) -> None:
        self.client: Any = None
        self._left = count + WARM
        self._count = count
        self._begun = 0.0
        self.taken_s = 0.0

    def replied(self) -> None:
        """A reply is there: poll again, or stop."""
        self._left -= 1
        if self._left == self._count:
            self._begun = process_time()
        if self._left > 0:
            self.client.poll_now()
        elif not self.taken_s:
            self.taken_s = (process_time() - self._begun) / self._count
            self.client.stop_soon()


WARM = 20
"""Exchanges before the time is taken: the registration, and connections."""


class Metered:
    """A carrier that says when a reply is there."""

    def __init__(self, inner: Any, meter: Meter) -> None:
        self._inner, self._meter = inner, meter

    async def __aenter__(self) -> None:
        await self._inner.__aenter__()

    async def __aexit__(self, *error: Any) -> None:
        await self._inner.__aexit__(*error)

    async def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        """Post, and tell the meter."""
        reply: Reply = await self._inner.post(service, data, timeout_s)
        self._meter.replied()
        return reply


class SyncMetered:
    """The same for threads."""

    def __init__(self, inner: Any, meter: Meter) -> None:
        self._inner, self._meter = inner, meter

    def __enter__(self) -> None:
        self._inner.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._inner.__exit__(*error)

    def post(self, service: str, data: bytes, timeout_s: float) -> Reply:
        """Post, and tell the meter."""
        reply: Reply = self._inner.post(service, data, timeout_s)
        self._meter.replied()
        return reply


class Way(NamedTuple):
    """A driver with a library: the client, the carrier, and what runs a coroutine function (``None``: threads)."""

    client: type[Any]
    carrier: type[Any]
    run: Callable[..., Any] | None
    library: str


WAYS = {
    "anyio on asyncio": Way(OpenADRClient, HttpCarrier, anyio.run, "httpx2 on asyncio"),
    "anyio on trio": Way(OpenADRClient, HttpCarrier, trio.run, "httpx2 on trio"),
    "trio": Way(TrioOpenADRClient, HttpCarrier, trio.run, "httpx2 on trio"),
    "threads": Way(SyncOpenADRClient, RequestsCarrier, None, "requests"),
    "anyio on asyncio, aiohttp": Way(OpenADRClient, AiohttpCarrier, anyio.run, "aiohttp"),
}


def measure(peer_python: Path, *, quick: bool) -> dict[str, Any]:
    """Measure the drivers, then the servers. Raises `FileNotFoundError` when there is no `wrk`."""
    polling.check_wrk()
    runs = QUICK if quick else FULL
    samples: dict[str, list[float]] = {}
    with served([sys.executable, "-m", "benchmarks.polled", "ours", "httptools"]) as (url, _):
        poll = a_registered_ven(url)
        for number in range(runs.rounds):
            if sys.stderr.isatty():
                print(f"\rround {number + 1} of {runs.rounds}", end="", file=sys.stderr, flush=True)
            samples.setdefault("core", []).append(_core_s(runs.exchanges))
            for name, way in WAYS.items():
                samples.setdefault(way.library, []).append(_library_s(way, url, poll, runs.exchanges))
                samples.setdefault(name, []).append(_driver_s(way, url, runs.exchanges))
    medians = {name: median(taken) for name, taken in samples.items()}
    polls = polling.measure(peer_python, polling.QUICK if quick else polling.FULL)
    best = "oadr, httptools and uvloop"
    return {
        "benchmark": "drivers",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rounds": runs.rounds,
        "median_s": medians,
        "library": {name: way.library for name, way in WAYS.items()},
        "adds_s": {name: medians[name] - medians[way.library] - medians["core"] for name, way in WAYS.items()},
        "polling": polls,
        "targets": [
            {
                "title": f"polls a second, {best}, times those of {polling.PEER}",
                "value": polls["times_openleadr"][best],
                "limit": TARGET,
                "at_least": True,
                "met": polls["times_openleadr"][best] >= TARGET,
            }
        ],
    }


def _driver_s(way: Way, url: str, count: int) -> float:
    meter = Meter(count)
    metered = SyncMetered if way.run is None else Metered
    client = way.client(
        "measured", url, allow_jitter=False, report_only=True, carrier=metered(way.carrier(url), meter)
    )
    # The client's own `stop` waits for the end, which would not come while the carrier is in a post.
    client.stop_soon = lambda: client._driver.stop()
    meter.client = client
    if way.run is None:
        client.run()
    else:
        way.run(client.run)
    return meter.taken_s


def _library_s(way: Way, url: str, poll: bytes, count: int) -> float:
    if way.run is None:
        with way.carrier(url) as sync_carrier:
            for _ in range(WARM):
                sync_carrier.post("OadrPoll", poll, TIMEOUT_S)
            begun = process_time()
            for _ in range(count):
                sync_carrier.post("OadrPoll", poll, TIMEOUT_S)
            return (process_time() - begun) / count

    async def post_all() -> float:
        async with way.carrier(url) as carrier:
            for _ in range(WARM):
                await carrier.post("OadrPoll", poll, TIMEOUT_S)
            begun = process_time()
            for _ in range(count):
                await carrier.post("OadrPoll", poll, TIMEOUT_S)
            return (process_time() - begun) / count

    return float(way.run(post_all))


def _core_s(count: int) -> float:
    """The session's steps for the same exchanges: a reply, a poll, and the question for the next timer."""
    from oadr_core.vtn import VtnConfig, VtnSession

    ven = VenSession(VenConfig(ven_name="measured", jitter=False, report_only=True), key=bytes(32))
    vtn = VtnSession(VtnConfig(vtn_id="VTN", identity="insecure"), key=bytes(32))
    now = clocks()
    [request] = _requests(ven.handle(Register(), now))
    answer = polling.answering(vtn)
    while request.service != "OadrPoll":
        outputs = ven.handle(ReplyArrived(exchange=request.exchange, data=answer(request)), now)
        [request] = _requests(outputs) or _requests(ven.handle(PollNow(), now))
    reply = answer(request)
    begun = process_time()
    for _ in range(count):
        ven.handle(PollNow(), clocks())
        ven.next_timer(clocks())
        [request] = _requests(ven.handle(ReplyArrived(exchange=request.exchange, data=reply), clocks()))
        ven.next_timer(clocks())
    return (process_time() - begun) / count


def _requests(outputs: tuple[Any, ...]) -> list[SendRequest]:
    return [output for output in outputs if isinstance(output, SendRequest)]
