"""The VTN of a simulation: its requests come from all VENs, and it may push to some.

It stands alone as the half of an end that knows what a VTN is.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from oadr_core.engine import (
    AbandonExchange,
    ExchangeFailed,
    Failure,
    Output,
    ReplyArrived,
    RequestArrived,
    SendReply,
    SendRequest,
)
from oadr_core.vtn import OptReceived, VtnConfig, VtnSession

from .end import End
from .faults import VTN, Fault

if TYPE_CHECKING:
    from .ven_end import VenEnd
    from .world import World


class VtnEnd(End):
    """The VTN. ``open`` are the exchanges with VENs that are pushed to."""

    __slots__ = ("config", "open")
    session: VtnSession | None

    def __init__(self, world: World, config: VtnConfig) -> None:
        super().__init__(world, VTN, "VTN")
        self.config = config
        self.open: dict[int, VenEnd] = {}
        self.session = None
        self.restore()

    def restore(self) -> None:
        wire = not self.world.script.scenario.typed
        if self.saved:
            self.session = VtnSession.restore(self.config, self._records(), wire=wire)
            self.world.ledger.restored(self.session)
            self.world.operator.resume()
        else:
            key = f"{self.world.script.scenario.seed}/vtn/{self.life}".encode()
            self.session = VtnSession(self.config, key=key, wire=wire)

    def die(self, fault: Fault) -> None:
        self.open.clear()
        super().die(fault)

    def requested(self, ven: VenEnd, request: SendRequest) -> SendReply | None:
        """A request of a VEN has arrived."""
        payload = request.payload if self.world.typed else None
        arrived = RequestArrived(exchange=request.exchange, service=request.service, data=request.data, payload=payload)
        return self.handle(arrived)

    def replied(self, about: tuple[int, int, SendReply]) -> None:
        life, exchange, reply = about
        if life == self.life and self.open.pop(exchange, None) is not None:
            payload = reply.payload if self.world.typed else None
            self.handle(ReplyArrived(exchange=exchange, data=reply.data, status=reply.status, payload=payload))

    def failed(self, about: tuple[int, int]) -> None:
        life, exchange = about
        if life == self.life and (ven := self.open.pop(exchange, None)) is not None:
            ven.upset_s = self.world.agenda.now_s
            self.world.measures.failed += 1
            self.handle(ExchangeFailed(exchange=exchange, failure=Failure.UNREACHABLE))

    def _push(self, request: SendRequest) -> None:
        ven = self.world.by_address(request.url)
        self.open[request.exchange] = ven
        ven.sent += 1
        self.world.push(ven, request)

    def _abandon(self, given_up: AbandonExchange) -> None:
        ven = self.open.pop(given_up.exchange, None)
        if ven is not None:
            ven.upset_s = self.world.agenda.now_s
            self.world.measures.failed += 1

    def _saved_untold(self, outputs: tuple[Output, ...]) -> None:
        for output in outputs:
            if isinstance(output, OptReceived):
                self.world.ledger.saved(output)

    def _opted(self, note: OptReceived) -> None:
        self.world.ledger.opted(note)


VtnEnd.ACTS = MappingProxyType(
    {SendRequest: VtnEnd._push, AbandonExchange: VtnEnd._abandon, OptReceived: VtnEnd._opted}
)
