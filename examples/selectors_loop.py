"""A VEN in a bare `selectors` loop: the core, sockets that never block, and nothing else. No driver, no thread.

    python examples/selectors_loop.py [URL of the VTN]

It needs a VTN, for instance `oadr vtn serve`. See docs/embedding.md.
"""

import secrets
import selectors
import socket
import sys
import time
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

from oadr_core import DEFAULT_LIMITS, Now, VenConfig, VenSession
from oadr_core.engine import AbandonExchange, ExchangeFailed, ReplyArrived, SendRequest, Tick
from oadr_core.model import OptType
from oadr_core.ven import Decide, DecisionNeeded, IntervalStarted, OptDelivered, Register, Registered

URL = urlsplit(sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8080/OpenADR2/Simple/2.0b")
BOTH = selectors.EVENT_READ | selectors.EVENT_WRITE

session = VenSession(VenConfig(ven_name="selectors"), key=secrets.token_bytes(32))
selector = selectors.DefaultSelector()
exchanges = {}
inputs = deque([Register()])


class Exchange:
    """One HTTP request and its reply, on a connection of its own. What it comes to is put into `inputs`."""

    def __init__(self, request):
        head = (
            f"POST {URL.path}/{request.service} HTTP/1.1\r\nHost: {URL.netloc}\r\nConnection: close\r\n"
            f"Content-Type: application/xml\r\nContent-Length: {len(request.data)}\r\n\r\n"
        )
        self.number = request.exchange
        self.unsent = head.encode() + request.data
        self.received = b""
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex((URL.hostname, URL.port or 80))
        selector.register(self.socket, BOTH, self)

    def go_on(self, events):
        try:
            if events & selectors.EVENT_WRITE:
                self.unsent = self.unsent[self.socket.send(self.unsent) :]
                if not self.unsent:
                    selector.modify(self.socket, selectors.EVENT_READ, self)
            if events & selectors.EVENT_READ:
                part = self.socket.recv(65_536)
                self.received += part
                if not part or len(self.received) > DEFAULT_LIMITS.bytes:
                    self.end(self.reply())
        except OSError as error:
            self.end(ExchangeFailed(exchange=self.number, detail=f"no connection: {error}"))

    def reply(self):
        head, _, body = self.received.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 "):
            return ExchangeFailed(exchange=self.number, detail="the VTN has hung up")
        return ReplyArrived(exchange=self.number, status=int(head[9:12]), data=body)

    def end(self, outcome=None):
        selector.unregister(self.socket)
        self.socket.close()
        del exchanges[self.number]
        if outcome is not None:
            inputs.append(outcome)


def carry_out(output):
    match output:
        case SendRequest():
            exchanges[output.exchange] = Exchange(output)
        case AbandonExchange(exchange=number) if number in exchanges:
            exchanges[number].end()
        case DecisionNeeded(event=event):
            descriptor = event.ei_event.event_descriptor
            version = {"event_id": descriptor.event_id, "modification_number": descriptor.modification_number}
            inputs.append(Decide(opt_type=OptType.OPT_IN, **version))
        case Registered():
            print(f"registered as {output.ven_id}", flush=True)
        case OptDelivered():
            print(f"{output.opt_type} to event {output.event_id}", flush=True)
        case IntervalStarted():
            print(f"{output.signal_name} {output.value:g} until {output.until}", flush=True)


def now():
    return Now(time.monotonic(), datetime.now(UTC))


def run():
    while True:
        while inputs:
            for output in session.handle(inputs.popleft(), now()):
                carry_out(output)
        timer = session.next_timer(now())
        for key, events in selector.select(60 if timer is None else min(max(timer - time.monotonic(), 0), 60)):
            key.data.go_on(events)
        inputs.append(Tick())


with suppress(KeyboardInterrupt):
    run()
