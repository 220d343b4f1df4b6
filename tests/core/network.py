"""A VEN and a VTN in virtual time, for machines that steer both: the world of the simulator, with one VEN.

The simulator's own judge looks on; what the machine does, and when the network is how bad, is the machine's business.
"""

from __future__ import annotations

from typing import Final, TypeVar

from oadr_core.engine import Input, Notification, Now
from oadr_core.model import OptType
from oadr_transports.simulation import Fault, Kind, Rates, Scenario, Script, World
from oadr_transports.simulation.agenda import Agenda
from oadr_transports.simulation.device import Device, Mind
from oadr_transports.simulation.faults import VTN, Weather
from oadr_transports.simulation.transcript import Transcript
from oadr_transports.simulation.ven_end import VenEnd
from oadr_transports.simulation.vtn_end import VtnEnd

GOOD: Final = Rates()
_N = TypeVar("_N", bound=Notification)
HOURS: Final = 100.0
"""More than a machine lets pass."""


class Steered(Device):
    """An application that opts as it is told, after a moment."""

    __slots__ = ("opt",)

    def __init__(self) -> None:
        super().__init__(0, 0)
        self.opt = OptType.OPT_IN

    def mind(self, event_id: str, modification_number: int, attempt: int, *, cancelled: bool) -> Mind:
        return Mind(self.opt, 0.01)

    def reading_s(self, number: float) -> float:
        return 0.01


class Notes(Transcript):
    """Every notification of both ends, in order; nothing else is written down."""

    def __init__(self, agenda: Agenda) -> None:
        super().__init__(agenda)
        self.told_by: list[tuple[str, Notification]] = []

    def say(self, who: str, text: str, data: bytes = b"") -> None:
        """Lines are for people."""

    def told(self, who: str, note: Notification) -> None:
        self.told_by.append((who, note))


class Pair:
    """The two ends. ``push``: the VTN posts to the VEN, which does not poll. Everything follows from the seed."""

    def __init__(self, seed: int, *, push: bool = False) -> None:
        scenario = Scenario(
            seed=seed, vens=1, hours=HOURS, poll_s=10, sample_s=60, report_s=60, push=float(push), typed=True
        )
        script = Script(scenario=scenario, length_s=scenario.length_s, vens=(0,), programme=())
        self._world = World(script)
        self._world.transcript = self._notes = Notes(self._world.agenda)
        self._weathers = 0
        self.device = self.ven.device = Steered()

    @property
    def ven(self) -> VenEnd:
        return self._world.vens[0]

    @property
    def vtn(self) -> VtnEnd:
        return self._world.vtn

    def network(self, rates: Rates) -> None:
        """From now on the network is so bad."""
        self._weathers += 1
        self._world.weather = Weather(rates, self._weathers, (0,))

    def heard(self, kind: type[_N], end: VenEnd | VtnEnd) -> list[_N]:
        """The notifications of one kind that an end has given."""
        return [note for who, note in self._notes.told_by if who == end.name and isinstance(note, kind)]

    def now(self) -> Now:
        return self.ven.now()

    def to_ven(self, command: Input) -> None:
        """What the application wants; it may always change its mind."""
        self.ven.handle(command)

    def to_vtn(self, command: Input) -> None:
        """What the operator wants."""
        self.vtn.handle(command)
        assert self.vtn.session is not None
        for entry in self.vtn.session.events.values():
            self._world.ledger.published(entry)

    def kill_ven(self) -> None:
        """The VEN dies and is back at once, with what it had saved."""
        self._kill(0)

    def kill_vtn(self) -> None:
        """The VTN dies and is back at once."""
        self._kill(VTN)

    def _kill(self, end: int) -> None:
        fault = Fault(kind=Kind.KILL, end=end)
        (self.vtn if end == VTN else self.ven).doom(fault)
        self.run(0.0)

    def run(self, seconds: float) -> None:
        """Let time pass; no end may keep the other, or itself, busy without an end."""
        self._world.agenda.run(self._world.agenda.now_s + seconds)
