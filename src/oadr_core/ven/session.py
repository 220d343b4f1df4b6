"""The VEN session: one door in, one door out.

It stands alone as what an adapter embeds. The adapter hands every input to :meth:`VenSession.handle` with the time,
carries out the outputs in order, and comes back with :class:`~oadr_core.engine.Tick` when
:meth:`VenSession.next_timer` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from ..engine import ExchangeFailed, Input, Now, Output, ReplyArrived, SendRequest, Tick
from ..engine.chance import token
from ..engine.copying import evolve
from ..errors import LocalError
from ..model import OptType
from ..wire import encode
from . import conversation, events, registration, sampling
from .config import VenConfig
from .messages import CancelRegistration, Decide, PollNow, ProvideReport, Reading, Register
from .state import Phase, Registration, Turn, VenState

if TYPE_CHECKING:
    from ..security import Signer, Trust


def _register(turn: Turn, command: Register) -> None:
    registration.begin(turn)


def _cancel(turn: Turn, command: CancelRegistration) -> None:
    registration.cancel(turn)


def _poll(turn: Turn, command: PollNow) -> None:
    if turn.state.phase is Phase.REGISTERED:
        turn.set(next_poll=turn.now.mono)


def _tick(turn: Turn, tick: Tick) -> None:
    """Time is looked at after every input."""


INPUTS: Final[Mapping[type[Input], Callable[[Turn, Any], None]]] = MappingProxyType(
    {
        Tick: _tick,
        ReplyArrived: conversation.on_reply,
        ExchangeFailed: conversation.on_failure,
        Register: _register,
        CancelRegistration: _cancel,
        Decide: events.decide,
        ProvideReport: sampling.provide,
        PollNow: _poll,
    }
)
"""What a session takes, and who deals with it."""


class VenSession:
    """A VEN, without sockets, clock or randomness.

    ``key`` is the source of everything that looks random: at least 16 bytes, drawn by the adapter; a session that
    is restored gets the same one. ``wire=False`` leaves out the bytes: requests bear only their payload, and
    replies are given as payload.

    ``signer`` signs what is sent; ``trust`` says whose signatures are believed, and then nothing else is (R514).

    Raises :class:`~oadr_core.errors.LocalError` for a key that is too short.
    """

    def __init__(
        self,
        config: VenConfig,
        *,
        key: bytes,
        wire: bool = True,
        signer: Signer | None = None,
        trust: Trust | None = None,
    ) -> None:
        if len(key) < 16:
            raise LocalError(f"a key of at least 16 bytes is expected, not {len(key)}", path="VenSession/key")
        self._config = config
        self._key = key
        self._wire = wire
        self._signer = signer
        self._trust = trust
        self._state = VenState()

    # --- the door ---------------------------------------------------------------------------------------------------

    def handle(self, input: Input, now: Now) -> tuple[Output, ...]:  # noqa: A002  # the name is fixed by the design
        """Take an input; return what is to be done and to be known, in causal order.

        After this call you must carry out the outputs, and ask :meth:`next_timer` again. Raises
        :class:`~oadr_core.errors.LocalError` for an input that cannot be; then nothing has changed.
        """
        reducer = INPUTS.get(type(input))
        if reducer is None:
            raise LocalError(f"a VenSession does not take {type(input).__name__}")
        turn = Turn(self._config, self._key, self._state, now, self._trust)
        conversation.advance(turn)
        reducer(turn, input)
        _advance(turn)
        outputs = tuple(self._written(output, now) for output in turn.outputs)
        self._state = turn.state
        return outputs

    def next_timer(self, now: Now) -> float | None:
        """When the session wants a Tick, in seconds on ``mono``; ``None`` when only an input can move it.

        Calendar times are converted with the clocks of ``now``: an adapter that sleeps for long asks again at least
        every minute, so that a wall clock that is set is noticed.
        """
        turn = Turn(self._config, self._key, self._state, now)
        state = self._state
        known = tuple(state.events.values())
        monos = [
            conversation.next_mono(turn),
            state.register_at,
            state.gather_until if state.answers and state.registration else None,
            events.next_mono(known),
            sampling.next_mono(state.jobs.values()),
        ]
        changes = (event.timeline.next_change(now.wall) for event in known if not event.cancelled)
        walls = [*changes, sampling.next_wall(state.jobs.values())]
        found = [at for at in monos if at is not None]
        found.extend(now.mono_at(wall) for wall in walls if wall is not None)
        return min(found, default=None)

    # --- commands, for convenience ----------------------------------------------------------------------------------

    def register(self, now: Now) -> tuple[Output, ...]:
        """Register with the VTN."""
        return self.handle(Register(), now)

    def decide(self, event_id: str, modification_number: int, opt_type: OptType, now: Now) -> tuple[Output, ...]:
        """Opt in to or out of a version of an event."""
        command = Decide(event_id=event_id, modification_number=modification_number, opt_type=opt_type)
        return self.handle(command, now)

    def provide(self, due: Any, readings: tuple[Reading, ...], now: Now) -> tuple[Output, ...]:
        """Answer a :class:`~oadr_core.ven.ReportDue`."""
        command = ProvideReport(report_request_id=due.report_request_id, at=due.at, readings=readings)
        return self.handle(command, now)

    # --- views ------------------------------------------------------------------------------------------------------

    @property
    def config(self) -> VenConfig:
        return self._config

    @property
    def state(self) -> VenState:
        """All that the session remembers; frozen."""
        return self._state

    @property
    def registration(self) -> Registration | None:
        """What the VTN has told about the registration; ``None`` without one."""
        return self._state.registration

    def _written(self, output: Output, now: Now) -> Output:
        if not self._wire or not isinstance(output, SendRequest):
            return output
        if self._signer is None:
            return evolve(output, data=encode(output.payload))
        from ..security import seal  # an extra, and not needed without a signer

        # Each attempt is an exchange of its own, so a repetition gets a fresh time and nonce.
        nonce = token(self._key, "nonce", output.exchange)
        return evolve(output, data=seal(output.payload, signer=self._signer, now=now.wall, nonce=nonce))


def _advance(turn: Turn) -> None:
    """What time alone does, after every input."""
    register_at = turn.state.register_at
    if register_at is not None and turn.now.mono >= register_at:
        registration.begin(turn)
    events.advance(turn)
    sampling.advance(turn)
    conversation.send_next(turn)
