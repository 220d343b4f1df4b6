"""What a session does first: with a restored state it takes up where the process before it has stopped.

It stands alone because it is the only place where deadlines begin anew: nothing that hangs on the monotonic clock has
outlived the process. Nobody is asked again about what is decided, nothing is sent again that was settled.
"""

from __future__ import annotations

from . import decisions, registration, reports
from .state import Phase, Turn


def wake(turn: Turn) -> None:
    """Set the deadlines of a state that has just been made or restored."""
    state = turn.state
    turn.set(awake=True)
    if state.phase is Phase.REGISTERING and not state.outbox:
        turn.set(register_at=turn.now.mono)  # R401: a VEN that is not registered tries when it is switched on
    for known in tuple(state.events.values()):
        if known.asking is not None:
            decisions.ask_again(turn, known)
    reports.wake(turn)
    if state.phase is Phase.REGISTERED:
        polls = turn.config.transport_address is None
        turn.set(next_poll=turn.now.mono if polls else None)
        registration.refresh(turn)
        registration.resynchronise(turn)
