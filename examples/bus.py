"""A VTN and a VEN that talk over a message bus instead of HTTP.

    python examples/bus.py

The bus is as MQTT is: topics, subscribers, and messages that are forgotten when nobody listens. Here it is in memory;
with a broker, `Bus` would be a client of it. A request names the topic for its reply, which has a number in it, so that
a reply that comes too late reaches nobody. See docs/howto/own-transport.md.
"""

import itertools
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta

import anyio

from oadr_core import DEFAULT_LIMITS
from oadr_core.engine import Failure
from oadr_core.vtn import OptReceived
from oadr_transports import OpenADRClient, Vtn
from oadr_transports.ports import CarrierError


class Bus:
    """Topics and who listens to them."""

    def __init__(self):
        self.subscribers = {}

    def publish(self, topic, *message):
        """Hand a message to whoever listens; true if somebody does."""
        inbox = self.subscribers.get(topic)
        if inbox is not None:
            inbox.send_nowait(message)
        return inbox is not None

    @contextmanager
    def subscription(self, topic):
        """The messages to a topic while the block lasts."""
        inbox, messages = anyio.create_memory_object_stream(float("inf"))
        self.subscribers[topic] = inbox
        with inbox, messages:
            try:
                yield messages
            finally:
                del self.subscribers[topic]


class BusCarrier:
    """The VEN's side."""

    numbers = itertools.count()

    def __init__(self, bus):
        self.bus = bus

    async def post(self, service, data, timeout_s):
        reply_topic = f"reply/{next(self.numbers)}"
        with self.bus.subscription(reply_topic) as replies, anyio.move_on_after(timeout_s):
            if not self.bus.publish("vtn", service, data, reply_topic):
                raise CarrierError(Failure.UNREACHABLE, "nobody listens to the topic of the VTN")
            [reply] = await replies.receive()
            if len(reply.data) > DEFAULT_LIMITS.bytes:
                raise CarrierError(Failure.UNREADABLE, f"the reply has {len(reply.data)} bytes")
            return reply
        raise CarrierError(Failure.TIMEOUT, f"no reply within {timeout_s:g} s")


@asynccontextmanager
async def listening(bus, answer):
    """The VTN's side: while the block lasts, `answer` is asked for the reply to each message."""

    async def reply_to(service, data, reply_topic):
        with suppress(ConnectionError):  # there is no answer: on a bus nobody sees that
            bus.publish(reply_topic, await answer(service, data))

    async def serve(messages):
        async for message in messages:
            tasks.start_soon(reply_to, *message)

    with bus.subscription("vtn") as messages:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve, messages)
            yield
            tasks.cancel_scope.cancel()


class BusLink:
    """Both sides together, for `check_carrier(BusLink, without=["connections"])`."""

    def __init__(self):
        self.bus = Bus()

    def carrier(self):
        return BusCarrier(self.bus)

    def listen(self, peer):
        return listening(self.bus, peer)


async def main():
    bus = Bus()
    vtn = Vtn(vtn_id="vtn", identity="insecure", requested_poll_freq=timedelta(seconds=1))
    ven = OpenADRClient("boiler", "http://unused.example", carrier=BusCarrier(bus))
    ven.add_handler("on_event", lambda event: "optIn")
    async with vtn.running(), listening(bus, vtn.answer), vtn.notifications() as notes, ven:
        event_id = vtn.publish_event(
            signal_name="SIMPLE",
            signal_type="level",
            dtstart=datetime.now(UTC) + timedelta(minutes=5),
            intervals=[(timedelta(minutes=30), 1.0)],
            market_context="http://example.com/program",
        )
        async for note in notes:
            if isinstance(note, OptReceived) and note.event_id == event_id:
                print(f"{note.opt_type} has come over the bus")
                break


if __name__ == "__main__":
    anyio.run(main)
