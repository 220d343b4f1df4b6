"""The demonstration itself: a VTN and a VEN over real HTTP, from registration to the end of a price event.

It stands alone as the part that does the work; it says what happens to a :class:`.Story` and draws nothing.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import anyio

from oadr_core.engine import Notification
from oadr_core.vtn import ReportPolicy, ReportRequestConfirmed, ReportRule
from oadr_transports import OpenADRClient, Vtn

from .story import VEN, VTN, Story

VTN_ID: Final = "VTN-DEMO"
VEN_NAME: Final = "house-7"
POLL: Final = timedelta(seconds=1)
LEAD: Final = timedelta(seconds=6)
"""From publishing to the start: three seconds far, three seconds near, and time to spare for a slow machine."""
RAMP_UP: Final = timedelta(seconds=3)
INTERVAL: Final = timedelta(seconds=3)
PRICES: Final = (0.12, 0.38, 0.21)
SAMPLE: Final = timedelta(seconds=1)
REPORT_BACK: Final = timedelta(seconds=2)


class Meter:
    """A house with a heat pump that idles when power is dear: some kW, wandering a little.

    ``prices`` are the intervals of the event that the VEN takes part in.
    """

    def __init__(self, prices: list[tuple[datetime, timedelta, float]], now: Callable[[], datetime]) -> None:
        self._prices = prices
        self._now = now
        self._load = 2.4
        self._chance = random.Random(7)

    def read(self) -> float:
        """The power of now, in kW. Each reading moves a good part of the way to what the price suggests."""
        now = self._now()
        price = next((price for start, span, price in self._prices if start <= now < start + span), None)
        wanted = 2.4 if price is None else 3.4 - 7.0 * price
        self._load += 0.6 * (wanted - self._load) + self._chance.uniform(-0.08, 0.08)
        return round(max(self._load, 0.2), 3)


async def play(story: Story, *, port: int = 0) -> None:
    """Run until all was seen; the caller sets the deadline by cancelling.

    Raises ``OSError`` when the port is taken.
    """
    vtn = Vtn(
        vtn_id=VTN_ID,
        identity="insecure",  # two ends in one process
        requested_poll_freq=POLL,
        reports=ReportPolicy(rules=(ReportRule(granularity=SAMPLE, report_back_duration=REPORT_BACK),)),
        transcript=story.message,
    )
    watcher = _Trouble(story)
    logger = logging.getLogger("oadr")
    logger.addHandler(watcher)
    propagate, logger.propagate = logger.propagate, False
    try:
        async with vtn.notifications() as notes, vtn.serve(host="127.0.0.1", port=port) as server:
            story.url = server.url
            story.say(VTN, f"listening on port {server.port}")
            client = _client(server.url)
            async with client.notifications() as happenings, anyio.create_task_group() as tasks:
                seen = anyio.Event()
                tasks.start_soon(_watch_vtn, story, vtn, notes, seen)
                tasks.start_soon(_watch_ven, story, happenings, seen)
                tasks.start_soon(client.run)
                await seen.wait()
                story.finished_s = story.clock()
                story.say(VEN, "all was seen")
                await client.stop()
                tasks.cancel_scope.cancel()
    finally:
        logger.removeHandler(watcher)
        logger.propagate = propagate


def _client(url: str) -> OpenADRClient:
    """The VEN: it opts in to every event, and its meter heeds the prices."""
    plan: list[tuple[datetime, timedelta, float]] = []
    meter = Meter(plan, lambda: datetime.now(UTC))

    async def on_event(event: dict[str, Any]) -> str:
        plan[:] = [
            (interval["dtstart"], interval["duration"], interval["signal_payload"])
            for signal in event["event_signals"]
            for interval in signal["intervals"]
        ]
        return "optIn"

    async def read() -> float:
        return meter.read()

    client = OpenADRClient(ven_name=VEN_NAME, vtn_url=url, allow_jitter=False)
    client.add_handler("on_event", on_event)
    client.add_report(
        read,
        "house",
        "powerReal",
        report_specifier_id="meter",
        r_id="power",
        sampling_rate=SAMPLE,
        scale="k",
    )
    return client


async def _watch_vtn(story: Story, vtn: Vtn, notes: AsyncIterator[Notification], seen: anyio.Event) -> None:
    async for note in notes:
        story.note(VTN, note)
        if not story.missing:
            seen.set()
        if isinstance(note, ReportRequestConfirmed) and not story.event_id:
            publish(vtn, datetime.now(UTC))


async def _watch_ven(story: Story, happenings: AsyncIterator[Notification], seen: anyio.Event) -> None:
    async for happening in happenings:
        story.note(VEN, happening)
        if not story.missing:
            seen.set()


def publish(vtn: Vtn, now: datetime) -> str:
    """Publish the event, to start on a whole second."""
    start = datetime.fromtimestamp(math.ceil((now + LEAD).timestamp()), UTC)
    return vtn.publish_event(
        signal_name="ELECTRICITY_PRICE",
        signal_type="price",
        dtstart=start,
        intervals=[(INTERVAL, price) for price in PRICES],
        ramp_up=RAMP_UP,
        market_context="http://market.example/demo",
    )


class _Trouble(logging.Handler):
    """What the library warns of."""

    def __init__(self, story: Story) -> None:
        super().__init__(logging.WARNING)
        self._story = story

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += f": {record.exc_info[1]!r}"
        self._story.complain(text)
