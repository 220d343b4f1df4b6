"""A VTN session in virtual time, with VENs that speak to it in bytes.

Every reply is checked on its way: there is exactly one, it is valid against the official schema, and a strict reader
accepts it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any, TypeVar

from oadr_core import decode, encode
from oadr_core.engine import (
    AbandonExchange,
    Input,
    Notification,
    Now,
    Output,
    ReportReceived,
    RequestArrived,
    SaveState,
    SendReply,
    SendRequest,
    Tick,
)
from oadr_core.model import (
    CreatedEvent,
    CreatePartyRegistration,
    DistributeEvent,
    EiCreatedEvent,
    EiRequestEvent,
    EiResponse,
    Event,
    EventResponse,
    OptType,
    Payload,
    Poll,
    QualifiedEventID,
    RegisteredReport,
    RequestEvent,
)
from oadr_core.vtn import PublishEvent, VtnConfig, VtnSession, build_event
from oadr_core.vtn.routes import ROUTES

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

_N = TypeVar("_N", bound=Notification)


class World:
    """One VTN and its clock. `notes` collects all notifications, `last` those of the last input; `pushed` what it
    wants sent, `saved` the records that a store would have, after so many `saves`, and `received` the values.
    """

    def __init__(self, validate: Callable[[bytes], None], *, key: bytes = b"a key", **config: Any) -> None:
        config.setdefault("vtn_id", "VTN-1")
        config.setdefault("identity", "insecure")
        self.session = VtnSession(VtnConfig(**config), key=key)
        self.elapsed = timedelta()
        self.boot_s = 1000.0  # what the monotonic clock began with
        self.notes: list[Notification] = []
        self.last: list[Notification] = []
        self.pushed: list[Output] = []
        self.saved: dict[str, bytes | None] = {}
        self.received: list[ReportReceived] = []
        self.saves = 0
        self._validate = validate
        self._exchange = 0

    @property
    def now(self) -> Now:
        return Now(self.boot_s + self.elapsed.total_seconds(), START + self.elapsed)

    def sleep(self, span: timedelta) -> None:
        """Let time pass; timers are served on the way, each at its time."""
        end = self.elapsed + span
        while (timer := self.session.next_timer(self.now)) is not None:
            until = max(self.elapsed, timedelta(microseconds=ceil((timer - self.boot_s) * 1e6)))
            if until > end:
                break
            self.elapsed = until
            self.tell(Tick())
            following = self.session.next_timer(self.now)
            assert following is None or following > timer, "a due tick must lead to a later timer"
        self.elapsed = end

    def tell(self, something: Input) -> list[Notification]:
        """Hand in a command or a tick; the notifications come back."""
        self._take(self.handle(something))
        return self.last

    def handle(self, something: Input) -> tuple[Output, ...]:
        """Hand anything in; what is to be saved is kept, the rest comes back."""
        outputs = self.session.handle(something, self.now)
        if outputs and isinstance(outputs[0], SaveState):
            self.saves += 1
            self.received += outputs[0].reports
            for record in outputs[0].records:
                self.saved[record.key] = record.data()
            outputs = outputs[1:]
        assert not any(isinstance(output, SaveState) for output in outputs)
        return outputs

    def restart(self) -> None:
        """Kill the VTN, and start another one from what was saved."""
        records = {key: data for key, data in self.saved.items() if data is not None}
        self.session = VtnSession.restore(self.session.config, records)

    def _take(self, outputs: Iterable[Output]) -> None:
        self.last = []
        for output in outputs:
            if isinstance(output, Notification):
                self.last.append(output)
            else:
                assert isinstance(output, (SendRequest, AbandonExchange))
                self.pushed.append(output)
        self.notes += self.last

    def arrive(self, service: str, data: bytes, *, fingerprint: str | None = None) -> SendReply:
        """Hand in the bytes of a request; the reply comes back."""
        self._exchange += 1
        request = RequestArrived(exchange=self._exchange, service=service, data=data, fingerprint=fingerprint)
        reply, *others = self.handle(request)
        assert isinstance(reply, SendReply)
        assert reply.exchange == self._exchange
        self._take(others)
        if reply.data:
            self._validate(reply.data)
            assert reply.payload == decode(reply.data, strict=True).payload
        else:
            assert reply.payload is None
        return reply

    def send(self, payload: Payload, *, fingerprint: str | None = None) -> Any:
        """Send a message to where it belongs; the message in the reply comes back."""
        service = ROUTES[type(payload)].service or "EiRegisterParty"
        reply = self.arrive(service, encode(payload), fingerprint=fingerprint)
        assert reply.status == 200
        return reply.payload

    def said(self, kind: type[_N]) -> list[_N]:
        """All notifications of a kind so far."""
        return [note for note in self.notes if isinstance(note, kind)]

    def ven(self, name: str = "ven", **details: Any) -> Ven:
        """A registered VEN."""
        ven = Ven(self, name)
        ven.register(**details)
        return ven

    def publish(self, *, in_: timedelta = HOUR, ven_ids: Any = None, response: str = "always", **details: Any) -> str:
        """Publish an event of one signal; the eventID comes back."""
        details = {
            "signal_name": "SIMPLE",
            "signal_type": "level",
            "dtstart": self.now.wall + in_,
            "intervals": [(5 * MINUTE, 1), (5 * MINUTE, 2)],
            "market_context": "http://example.com/market",
            **details,
        }
        [published, *_] = self.tell(
            PublishEvent(event=build_event(**details), ven_ids=ven_ids, response_required=response)
        )
        event_id = published.event_id
        assert isinstance(event_id, str)
        return event_id


class Ven:
    """A VEN that says what it is told to say."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.ven_id = ""
        self.registration_id = ""

    def register(self, *, fingerprint: str | None = None, **details: Any) -> Any:
        """Register; with `registration_id`, again."""
        fields = {"request_id": "r", "oadr_ven_name": self.name, "oadr_http_pull_model": True, **details}
        reply = self.world.send(CreatePartyRegistration(**fields), fingerprint=fingerprint)
        if reply.ei_response.ok:
            self.ven_id, self.registration_id = reply.ven_id, reply.registration_id
        return reply

    def poll(self) -> Any:
        """What a poll brings."""
        return self.world.send(Poll(ven_id=self.ven_id))

    def drain(self) -> list[Any]:
        """What polls bring until there is nothing more."""
        found = []
        while type(message := self.poll()).__name__ != "Response":
            found.append(message)
            assert len(found) < 100
        return found

    def settle(self) -> None:
        """Take the VTN's own (empty) list of reports, which is all that waits for a new VEN."""
        [offer] = self.drain()
        self.world.send(RegisteredReport(ei_response=EiResponse(request_id=offer.request_id), ven_id=self.ven_id))

    def request_events(self, reply_limit: int | None = None) -> DistributeEvent:
        body = EiRequestEvent(request_id="all", ven_id=self.ven_id, reply_limit=reply_limit)
        message = self.world.send(RequestEvent(ei_request_event=body))
        assert isinstance(message, DistributeEvent)
        return message

    def answer(self, message: DistributeEvent, opt: OptType = OptType.OPT_IN, code: str = "200") -> Any:
        """Answer all events of a distribution."""
        return self.created(*(self.opt(message.request_id, event, opt, code) for event in message.oadr_event))

    def created(self, *responses: EventResponse, code: str = "200") -> Any:
        body = EiCreatedEvent(ei_response=EiResponse(response_code=code), event_responses=responses, ven_id=self.ven_id)
        return self.world.send(CreatedEvent(ei_created_event=body))

    def opt(
        self, request_id: str, event: Event, opt: OptType = OptType.OPT_IN, code: str = "200", number: int | None = None
    ) -> EventResponse:
        descriptor = event.ei_event.event_descriptor
        return EventResponse(
            response_code=code,
            request_id=request_id,
            opt_type=opt,
            qualified_event_id=QualifiedEventID(
                event_id=descriptor.event_id,
                modification_number=descriptor.modification_number if number is None else number,
            ),
        )


def descriptors(message: DistributeEvent) -> list[tuple[str, int, str]]:
    """eventID, modification number and status of each event of a distribution."""
    found = [event.ei_event.event_descriptor for event in message.oadr_event]
    return [(one.event_id, one.modification_number, str(one.event_status)) for one in found]
