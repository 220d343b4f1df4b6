"""The VEN session: one door in, one door out.

It stands alone as what an adapter embeds. The adapter hands every input to :meth:`VenSession.handle` with the time,
carries out the outputs in order, and comes back with :class:`~oadr_core.engine.Tick` when
:meth:`VenSession.next_timer` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self

from ..engine import ExchangeFailed, Input, Now, Output, ReplyArrived, RequestArrived, SendReply, SendRequest, Tick
from ..engine.chance import token
from ..engine.copying import evolve
from ..engine.now import earliest
from ..engine.records import SaveState, changes, everything, opened, pack, restored
from ..engine.values import ReportReceived
from ..errors import LocalError
from ..model import OptType, Payload
from ..reporting.asking import AskReport, StopReports
from ..reporting.readings import ProvideReport, Reading
from ..wire import encode
from . import conversation, decisions, opts, outlook, progress, pushed, registration, reports, requests, waking
from .config import VenConfig
from .messages import (
    CancelRegistration,
    Decide,
    MakeOpt,
    PollNow,
    Reconfigure,
    Register,
    WithdrawOpt,
)
from .outlook import Outlook
from .progress import Value
from .state import HEAD, Phase, Registration, Turn, VenState

if TYPE_CHECKING:
    from ..security import Signer, Trust

SHORTEST_KEY: Final = 16
"""Bytes: as many as a random UUID has."""


def _register(turn: Turn, command: Register) -> None:
    registration.begin(turn)


def _cancel(turn: Turn, command: CancelRegistration) -> None:
    registration.cancel(turn)


def _poll(turn: Turn, command: PollNow) -> None:
    if turn.state.phase is not Phase.REGISTERED:
        return
    if turn.config.transport_address is None:
        turn.set(next_poll=turn.now.mono)
    else:
        registration.resynchronise(turn)  # R500: who is pushed to does not poll


def _reconfigure(turn: Turn, command: Reconfigure) -> None:
    turn.config = command.config
    registration.refresh(turn)


def _tick(turn: Turn, tick: Tick) -> None:
    """Time is looked at after every input."""


INPUTS: Final[Mapping[type[Input], Callable[[Turn, Any], None]]] = MappingProxyType(
    {
        Tick: _tick,
        ReplyArrived: conversation.on_reply,
        ExchangeFailed: conversation.on_failure,
        RequestArrived: pushed.on_request,
        Register: _register,
        CancelRegistration: _cancel,
        Reconfigure: _reconfigure,
        Decide: decisions.decide,
        MakeOpt: opts.make,
        WithdrawOpt: opts.withdraw,
        ProvideReport: reports.provide,
        AskReport: requests.ask,
        StopReports: requests.stop,
        PollNow: _poll,
    }
)
"""What a session takes, and who deals with it."""


class VenSession:
    """A VEN, without sockets, clock or randomness.

    ``key`` is the source of everything that looks random: at least 16 bytes, drawn by the adapter once; it is part of
    the state. ``wire=False`` leaves out the bytes: requests bear only their payload, and replies are given as
    payload.

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
        self._begin(config, VenState(key=key), wire, signer, trust)
        self._saved = VenState()

    def _begin(
        self, config: VenConfig, state: VenState, wire: bool, signer: Signer | None, trust: Trust | None
    ) -> None:
        if len(state.key) < SHORTEST_KEY:
            text = f"a key of at least {SHORTEST_KEY} bytes is expected, not {len(state.key)}"
            raise LocalError(text, path="VenSession/key")
        self._config = config
        self._wire = wire
        self._signer = signer
        self._trust = trust
        self._state = self._saved = state
        self._outlook: Outlook | None = None

    @classmethod
    def restore(
        cls,
        config: VenConfig,
        snapshot: bytes | Mapping[str, bytes],
        *,
        key: bytes | None = None,
        wire: bool = True,
        signer: Signer | None = None,
        trust: Trust | None = None,
    ) -> Self:
        """The session that :meth:`snapshot` has described, or whose records a store has collected.

        With its first input it takes up what was under way: messages without an answer are sent again, open questions
        asked again, and all events are asked for. ``config`` may be another one: the VTN is told what has changed.
        ``key``: a fresh one in place of that of the snapshot. Raises :class:`~oadr_core.errors.LocalError` for a
        snapshot that is damaged, or written by a later version.
        """
        state = restored(VenState, HEAD, opened(snapshot))
        in_order = sorted(state.outbox.items(), key=lambda item: item[1].number)
        state = evolve(state, outbox=MappingProxyType(dict(in_order)))
        session = cls.__new__(cls)
        session._begin(config, state if key is None else evolve(state, key=key), wire, signer, trust)
        session._saved = state
        return session

    # --- the door ---------------------------------------------------------------------------------------------------

    def handle(self, input: Input, now: Now) -> tuple[Output, ...]:  # noqa: A002  # the name is fixed by the design
        """Take an input; return what is to be done and to be known, in causal order.

        After this call you must carry out the outputs, :class:`~oadr_core.engine.SaveState` first, and ask
        :meth:`next_timer` again. Raises :class:`~oadr_core.errors.LocalError` for an input that cannot be; then
        nothing has changed.
        """
        reducer = INPUTS.get(type(input))
        if reducer is None:
            raise LocalError(f"a VenSession does not take {type(input).__name__}")
        turn = Turn(self._config, self._state, now, self._trust, self._outlook)
        if not turn.state.awake:
            waking.wake(turn)
        conversation.advance(turn)
        reducer(turn, input)
        _advance(turn)
        written = [self._written(output, now) for output in turn.outputs] if self._wire else turn.outputs
        outputs = tuple(written)
        records = changes(HEAD, self._saved, turn.state)
        self._config, self._outlook = turn.config, turn.outlook
        self._state = self._saved = turn.state
        reports = tuple([one for one in outputs if isinstance(one, ReportReceived) and not one.repeated])
        return (SaveState(records=records, reports=reports), *outputs) if records or reports else outputs

    def next_timer(self, now: Now) -> float | None:
        """When the session wants a Tick, in seconds on ``mono``; ``None`` when only an input can move it.

        Calendar times are converted with the clocks of ``now``: an adapter that sleeps for long asks again at least
        every minute, so that a wall clock that is set is noticed.
        """
        state = self._state
        if not state.awake and state.phase is not Phase.IDLE:
            return now.mono
        ahead = self._outlook
        if ahead is None or not ahead.is_about(state):
            ahead = self._outlook = Outlook.of(state)
        gathering = state.gather_until if state.answers and state.registration else None
        sending = conversation.next_mono(state, ahead, now.mono)
        return earliest(sending, ahead.next_look(now), state.register_at, gathering)

    def snapshot(self) -> bytes:
        """All that outlives the process, as one JSON document with a version and a digest; :meth:`restore` takes it.

        It is what a store has after the last step.
        """
        records = everything(HEAD, self._state)
        return pack((record.key, data) for record in records if (data := record.data()) is not None)

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

    def values_now(self, now: Now) -> tuple[Value, ...]:
        """All signal values that hold now by this VEN's own timeline: by priority, then start, then eventID (R3, R15).

        Events that were opted out of, and tests, are among them: see the fields ``opt`` and ``test``.
        """
        return progress.values(self._state.events.values(), now.wall)

    def value_now(self, signal_name: str, now: Now, *, market_context: str | None = None) -> Value | None:
        """The value of a signal that is to be followed now: of the most important event that is no test, and that was
        not opted out of; ``None`` without one. ``market_context`` limits it to one program.
        """
        return progress.foremost(self.values_now(now), signal_name, market_context)

    def _written(self, output: Output, now: Now) -> Output:
        if not isinstance(output, (SendRequest, SendReply)) or output.payload is None:
            return output
        return evolve(output, data=self._bytes(output.payload, output.exchange, now))

    def _bytes(self, payload: Payload, exchange: int, now: Now) -> bytes:
        if self._signer is None:
            return encode(payload)
        from ..security import seal  # an extra, and not needed without a signer

        # Each attempt is an exchange of its own, so a repetition gets a fresh time and nonce. The clocks keep nonces
        # apart that exchanges before and after a restart would share.
        nonce = token(self._state.key, "nonce", payload.__element__, exchange, now.mono, now.wall)
        return seal(payload, signer=self._signer, now=now.wall, nonce=nonce)


def _advance(turn: Turn) -> None:
    """What time alone does, after every input."""
    register_at = turn.state.register_at
    if register_at is not None and turn.now.mono >= register_at:
        registration.begin(turn)
    outlook.advance(turn)
    conversation.send_next(turn)
