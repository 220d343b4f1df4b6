"""A VEN in the callback loop of a window: everything happens in callbacks of `after()`, as in a tkinter program.

    python examples/callback_loop.py [URL of the VTN]

It needs a VTN, for instance `oadr vtn serve`. Where there is no display, a loop with the same methods stands in. A
window must not wait for the network, so each request has a thread, and its outcome is looked for every 50 ms.
"""

import contextlib
import heapq
import itertools
import queue
import secrets
import sys
import threading
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime

from oadr_core import Now, VenConfig, VenSession
from oadr_core.engine import ExchangeFailed, ReplyArrived, SendRequest, Tick
from oadr_core.model import OptType
from oadr_core.ven import Decide, DecisionNeeded, OptDelivered, Register, Registered


class Loop:
    """As much of `tkinter.Tk` as is needed here."""

    def __init__(self):
        self.due = []
        self.numbers = itertools.count()
        self.cancelled = set()

    def after(self, ms, function):
        number = next(self.numbers)
        heapq.heappush(self.due, (time.monotonic() + ms / 1000, number, function))
        return number

    def after_cancel(self, number):
        self.cancelled.add(number)

    def mainloop(self):
        while True:
            at, number, function = heapq.heappop(self.due)
            if number in self.cancelled:
                self.cancelled.discard(number)
                continue
            time.sleep(max(at - time.monotonic(), 0))
            function()


def window():
    try:
        import tkinter

        return tkinter.Tk()
    except Exception:  # no tkinter, or no display
        return Loop()


class Ven:
    """A session that lives in the callbacks of a window."""

    def __init__(self, root, url):
        self.root = root
        self.url = url
        self.session = VenSession(VenConfig(ven_name="window"), key=secrets.token_bytes(32))
        self.outcomes = queue.SimpleQueue()
        self.alarm = None
        root.after(0, lambda: self.hand_in(Register()))
        root.after(50, self.look)

    def hand_in(self, something):
        now = Now(time.monotonic(), datetime.now(UTC))
        for output in self.session.handle(something, now):
            self.carry_out(output)
        timer = self.session.next_timer(now)
        wait_s = 60 if timer is None else min(max(timer - now.mono, 0), 60)
        if self.alarm is not None:
            self.root.after_cancel(self.alarm)
        self.alarm = self.root.after(int(wait_s * 1000) + 1, self.ring)

    def ring(self):
        self.alarm = None
        self.hand_in(Tick())

    def look(self):
        while not self.outcomes.empty():
            self.hand_in(self.outcomes.get())
        self.root.after(50, self.look)

    def carry_out(self, output):
        match output:
            case SendRequest():
                threading.Thread(target=self.post, args=[output], daemon=True).start()
            case DecisionNeeded(event=event):
                descriptor = event.ei_event.event_descriptor
                version = {"event_id": descriptor.event_id, "modification_number": descriptor.modification_number}
                decision = Decide(opt_type=OptType.OPT_IN, **version)  # a window would ask its user
                self.root.after(0, lambda: self.hand_in(decision))
            case Registered():
                print(f"registered as {output.ven_id}", flush=True)
            case OptDelivered():
                print(f"{output.opt_type} to event {output.event_id}", flush=True)

    def post(self, request):
        """In a thread; it touches nothing but the queue."""
        number = request.exchange
        message = urllib.request.Request(
            f"{self.url}/{request.service}", request.data, {"Content-Type": "application/xml"}
        )
        try:
            with urllib.request.urlopen(message, timeout=request.timeout_s) as reply:
                self.outcomes.put(ReplyArrived(exchange=number, status=reply.status, data=reply.read()))
        except urllib.error.HTTPError as error:
            self.outcomes.put(ReplyArrived(exchange=number, status=error.code, data=error.read()))
        except OSError as error:
            self.outcomes.put(ExchangeFailed(exchange=number, detail=f"no connection: {error}"))


if __name__ == "__main__":
    root = window()
    Ven(root, sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8080/OpenADR2/Simple/2.0b")
    with contextlib.suppress(KeyboardInterrupt):
        root.mainloop()
