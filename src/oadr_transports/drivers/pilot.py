"""What every pump does between two waits: hand an input in, sort what comes out, say how long to sleep.

It stands alone so that the drivers differ in how they wait, and in nothing else: what is saved before what, who is told
of what, what a refused input means, and how much may queue up is decided here, once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, Protocol

import attrs

from oadr_core import LocalError
from oadr_core.engine import (
    AbandonExchange,
    ExchangeFailed,
    Failure,
    Input,
    Notification,
    Output,
    ReplyArrived,
    SaveState,
    SendRequest,
    Tick,
)
from oadr_core.ven import VenSession

from ..asking import Errand
from ..log import log, logger
from ..ports import Carrier, CarrierError, Clocks, Reply, SyncCarrier

if TYPE_CHECKING:
    from ..stores import Store

LONGEST_SLEEP_S: Final = 60.0
"""A wall clock that is set is noticed within a minute."""
PAUSE_AFTER_ERROR_S: Final = 1.0
"""An input that is refused again and again must not become a busy loop."""
INPUTS: Final = 1_000
"""Inputs that wait for their turn. A turn takes a millisecond, or a commit to a slow disk: minutes of work, and a
megabyte. Who hands in more waits for room, or is told that there is none."""
ERRANDS: Final = 1_000
"""Questions to the application that have no answer yet, about as many as a session has events. For what is beyond, the
session's own defaults go out, as after a handler that took too long."""
CALLS: Final = 100
"""Plain functions of the application that run at once, each in a thread. When so many are stuck, others wait."""

_ENDED: Final = "the client has stopped"
_FULL: Final = f"{INPUTS} inputs wait already: try again later"


class Bell(Protocol):
    """What somebody waits for: an event of asyncio, trio or threads."""

    def set(self) -> object:
        """Wake all that wait."""


@attrs.define(eq=False)
class Given:
    """An input; ``bell`` rings when what comes of it is saved and carried out, or refused."""

    input: Input
    bell: Bell | None = None
    outputs: tuple[Output, ...] = ()
    error: LocalError | None = None
    is_settled: bool = False

    def settle(self, outputs: tuple[Output, ...] = (), error: LocalError | None = None) -> None:
        """Tell the giver, if there is one that waits; only the first time counts."""
        if self.bell is not None and not self.is_settled:
            self.is_settled, self.outputs, self.error = True, outputs, error
            self.bell.set()

    def result(self) -> tuple[Output, ...]:
        """What came of it. Raises :class:`~oadr_core.LocalError` when the session did not take it."""
        if self.error is not None:
            raise self.error
        return self.outputs


@attrs.frozen
class Turn:
    """What is to be done after a step: first commit ``changes`` (``None``: there are none), then start ``requests`` and
    forget those in ``abandoned``, then run the errands that :meth:`Pilot.told` has."""

    given: Given | None = None
    changes: Mapping[str, bytes | None] | None = None
    requests: tuple[SendRequest, ...] = ()
    abandoned: tuple[int, ...] = ()
    outputs: tuple[Output, ...] = ()


class Pilot:
    """Steers one session.

    ``notify`` gets every notification, in order, when it is true and saved; it must not block. The errands that it
    returns are questions to the application. Without a ``store``, nothing is saved.
    """

    def __init__(
        self,
        session: VenSession,
        notify: Callable[[Notification], Iterable[Errand]],
        *,
        clocks: Clocks,
        store: Store | None = None,
    ) -> None:
        self.session = session
        self.store = store
        self._notify = notify
        self._clocks = clocks
        self._refused = False
        self._waiting: set[Given] = set()
        self._errands = threading.BoundedSemaphore(ERRANDS)
        self._turned_away = 0
        self.is_over = False

    # --- in ---------------------------------------------------------------------------------------------------------

    def asked(self, something: Input, bell: Bell) -> Given:
        """An input whose giver waits. Raises :class:`~oadr_core.LocalError` when nothing is taken any more."""
        if self.is_over:
            raise LocalError(_ENDED)
        given = Given(something, bell)
        self._waiting.add(given)
        return given

    def forget(self, given: Given) -> None:
        """Its giver waits no longer."""
        self._waiting.discard(given)

    def full(self) -> LocalError:
        """What to say to somebody who cannot wait for room."""
        return LocalError(_ENDED if self.is_over else _FULL)

    # --- a turn -----------------------------------------------------------------------------------------------------

    def sleep_s(self) -> float:
        """How long to wait for an input, in seconds; then it is time for :meth:`take` without one."""
        now = self._clocks()
        timer = self.session.next_timer(now)
        if timer is None:
            return LONGEST_SLEEP_S
        if self._refused:
            timer = max(timer, now.mono + PAUSE_AFTER_ERROR_S)
        return min(max(timer - now.mono, 0.0), LONGEST_SLEEP_S)

    def take(self, given: Given | None) -> Turn:
        """Hand an input in, or a tick; raises nothing: a refused input is logged, or told to its giver."""
        something = Tick() if given is None else given.input
        self._refused = False
        try:
            outputs = self.session.handle(something, self._clocks())
        except LocalError as error:
            if given is None or given.bell is None:
                logger.error("%s was not accepted: %s", type(something).__name__, error)
                self._refused = True
            else:
                given.settle(error=error)
            return Turn()
        records = [record for each in outputs if isinstance(each, SaveState) for record in each.records]
        return Turn(
            given=given,
            changes={record.key: record.data() for record in records} if records and self.store is not None else None,
            requests=tuple(each for each in outputs if isinstance(each, SendRequest)),
            abandoned=tuple(each.exchange for each in outputs if isinstance(each, AbandonExchange)),
            outputs=outputs,
        )

    def told(self, turn: Turn) -> list[Errand]:
        """Tell everybody what has happened, now that it is saved; the errands to run come back."""
        errands: list[Errand] = []
        for output in turn.outputs:
            if isinstance(output, Notification):
                log(output)
                errands.extend(self._counted(errand) for errand in self._notify(output) if self._has_room())
        if turn.given is not None:
            turn.given.settle(turn.outputs)
        return errands

    def over(self) -> None:
        """The pump has ended: whoever waits is told so."""
        self.is_over = True
        for given in tuple(self._waiting):
            given.settle(error=LocalError(_ENDED))

    # --- the application is slower than the VTN -----------------------------------------------------------------------

    def _has_room(self) -> bool:
        if self._errands.acquire(blocking=False):
            return True
        self._turned_away += 1
        if self._turned_away & (self._turned_away - 1) == 0:  # 1, 2, 4, 8 …: a lasting jam fills no log
            text = "%d questions to the application have no answer: %d more were not asked, and defaults go out"
            logger.error(text, ERRANDS, self._turned_away)
        return False

    def _counted(self, errand: Errand) -> Errand:
        try:
            return (yield from errand)
        except Exception:  # a bug of ours must not end the client
            logger.exception("a question to the application could not be put")
            return None
        finally:
            self._errands.release()


# --- exchanges ------------------------------------------------------------------------------------------------------


async def deliver(carrier: Carrier, request: SendRequest) -> ReplyArrived | ExchangeFailed:
    """Post a request, and say what came of it."""
    try:
        return _arrived(request, await carrier.post(request.service, request.data, request.timeout_s))
    except Exception as error:  # a carrier may be anybody's
        return _failed(request, error)


def deliver_here(carrier: SyncCarrier, request: SendRequest) -> ReplyArrived | ExchangeFailed:
    """Post a request in this thread, and say what came of it."""
    try:
        return _arrived(request, carrier.post(request.service, request.data, request.timeout_s))
    except Exception as error:  # a carrier may be anybody's
        return _failed(request, error)


def _arrived(request: SendRequest, reply: Reply) -> ReplyArrived:
    return ReplyArrived(
        exchange=request.exchange, data=reply.data, status=reply.status, retry_after_s=reply.retry_after_s
    )


def _failed(request: SendRequest, error: Exception) -> ExchangeFailed:
    if isinstance(error, CarrierError):
        return ExchangeFailed(exchange=request.exchange, failure=error.failure, detail=error.detail)
    logger.error("the carrier raised %s instead of CarrierError", type(error).__name__, exc_info=error)
    return ExchangeFailed(
        exchange=request.exchange, failure=Failure.UNREACHABLE, detail=f"no connection: {type(error).__name__}: {error}"
    )
