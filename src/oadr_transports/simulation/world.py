"""A run: one VTN, its VENs, the network between them, and virtual time.

It stands alone as the place where everything meets. A request lives no longer than its connection: when its sender
gives it up or dies, what is still on the way is lost. Within that, messages and copies take their own time, and both
ends of a pair may call each other at once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from struct import Struct
from typing import Any, Final
from zlib import crc32

from oadr_core.engine import SendReply, SendRequest
from oadr_core.model import Poll
from oadr_core.vtn import IdentityPolicy, PushPolicy, VtnConfig, VtnLimits

from .agenda import Agenda
from .device import offer, profile
from .diary import Diary
from .end import End
from .faults import REFUSED_S, VTN, Fate, Fault, Kind, Weather
from .invariants import Broken
from .ledger import Ledger
from .measures import LOAD_STEP_S, Measures
from .operator import Operator
from .scenario import Script
from .transcript import Transcript
from .ven_end import VenEnd
from .vtn_end import VtnEnd

SLICES: Final = 200
"""How often progress is told."""
_SMOOTH: Final = Fate()
_MOMENT: Final = Struct("<dq").pack

Progress = Callable[[float], None]
"""Is told how much of a run is over, from 0 to 1."""


class World:
    """Everything of one run. ``transcript`` is written only where it is wanted; ``typed``: messages pass as values."""

    def __init__(self, script: Script, *, transcript: bool = False, noted: bool = False) -> None:
        scenario = script.scenario
        self.script = script
        self.typed = scenario.typed
        self.offer = offer(scenario)
        self.agenda = Agenda(len(script.vens) + 1)
        self.measures = Measures.of(scenario, script.length_s + self._quiet_s)
        self.transcript = Transcript(self.agenda) if transcript else None
        self.ledger = Ledger(self)
        self.weather = Weather(scenario.faults, scenario.seed, script.vens, script.listed, noted=noted)
        self._crc = 0
        self._ids: dict[str, VenEnd] = {}
        self._size_kw = self._shed_kw = 0.0
        self.vens: dict[int, VenEnd] = {}
        self.operator = Operator(self, script.programme)
        self.vtn = VtnEnd(self, self._vtn_config())
        pushed = round(scenario.push * 100)
        for index in script.vens:
            self.ledger.diaries[index] = Diary()
            self.vens[index] = ven = VenEnd(self, index, push=index * 37 % 100 < pushed)
            self._size_kw += ven.device.size_kw
        for fault in script.faults:
            self.agenda.put(fault.at_s, self._strike, fault)
        self.agenda.put(0.0, self._measure)

    def _vtn_config(self) -> VtnConfig:
        scenario = self.script.scenario
        limits = VtnLimits(vens=max(scenario.vens, 1))
        period = timedelta(seconds=scenario.poll_s)
        push = PushPolicy(longest_pause=timedelta(seconds=min(scenario.poll_s, 300)))
        return VtnConfig(
            vtn_id="VTN",
            identity=IdentityPolicy.INSECURE,
            requested_poll_freq=period,
            push=push,
            limits=limits,
        )

    # --- time -------------------------------------------------------------------------------------------------------

    @property
    def _quiet_s(self) -> float:
        """How long nothing goes wrong at the end: enough for everything to be settled."""
        return 2.5 * self.script.scenario.patience_s

    def run(self, progress: Progress | None = None) -> None:
        """Let it all happen, then a quiet time, and see to it that everything is settled.

        Raises :class:`.Broken` for what does not hold.
        """
        whole_s = self.script.length_s + self._quiet_s
        steps = SLICES if progress is not None else 1
        for number in range(1, steps + 1):
            self.agenda.run(self.script.length_s * number / steps)
            if progress is not None:
                progress(self.script.length_s / whole_s * number / steps)
        self.calm()
        self.agenda.run(whole_s)
        self.ledger.finish()
        if progress is not None:
            progress(1.0)

    def calm(self) -> None:
        """From now on nothing goes wrong any more."""
        self.weather.clear()
        for ven in self.vens.values():
            ven.cut_s = min(ven.cut_s, self.agenda.now_s)

    def digest(self) -> str:
        """A value that two runs have in common only if all their messages are the same."""
        return f"{self._crc:08x}-{self.measures.exchanges}"

    # --- faults of ends ---------------------------------------------------------------------------------------------

    def _strike(self, fault: Fault) -> None:
        end = self._end(fault.end)
        self.measures.faults += 1
        if self.transcript is not None:
            self.transcript.say("!!!", str(fault))
        if fault.kind is Kind.PARTITION:
            self.cut(fault.end, fault.amount_s)
        elif fault.kind is Kind.STEP_CLOCK:
            end.set_clock(fault.amount_s)
        else:
            end.doom(fault)

    def cut(self, index: int, for_s: float) -> None:
        """Nothing reaches this end, or leaves it, for so long."""
        until_s = self.agenda.now_s + for_s
        for ven in self.vens.values() if index == VTN else (self.vens[index],):
            ven.cut_s = max(ven.cut_s, until_s)
            ven.upset_s = self.agenda.now_s

    def died(self, end: End, fault: Fault) -> None:
        if self.transcript is not None:
            self.transcript.say(end.name, f"dies {fault.moment}, for {fault.amount_s:.1f} s")

    def _end(self, index: int) -> End:
        return self.vtn if index == VTN else self.vens[index]

    # --- who is who -------------------------------------------------------------------------------------------------

    def registered(self, ven: VenEnd, ven_id: str) -> None:
        """A VEN knows its venID."""
        ven.ven_id = ven_id
        self._ids[ven_id] = ven

    def by_id(self, ven_id: str) -> VenEnd:
        return self._ids[ven_id]

    def by_address(self, url: str) -> VenEnd:
        return self.vens[int(url.removeprefix("http://ven-").partition("/")[0])]

    # --- from a VEN to the VTN --------------------------------------------------------------------------------------

    def post(self, ven: VenEnd, request: SendRequest) -> None:
        """Carry a request of a VEN to the VTN, as well as the network can."""
        now_s, fate = self.agenda.now_s, self._fate(ven)
        if self.transcript is not None:
            self.transcript.request(ven.name, "VTN", request)
        if fate.lost_request or ven.cut_s > now_s:
            self._say(ven, "the request is lost")
            self.agenda.put(now_s + REFUSED_S, ven.failed, (ven.life, request.exchange))
            return
        at_s = now_s + ven.latency_s + fate.request_s
        self.agenda.put(at_s, self._arrive, (ven, ven.life, request, fate))
        if fate.repeat_s is not None:
            self.agenda.put(at_s + fate.repeat_s, self._arrive, (ven, ven.life, request, None))

    def _arrive(self, about: tuple[VenEnd, int, SendRequest, Fate | None]) -> None:
        """A request reaches the VTN; a copy (without a fate) gets no answer."""
        ven, life, request, fate = about
        if ven.life != life or ven.open != request.exchange:
            return
        vtn, now_s = self.vtn, self.agenda.now_s
        reply = None
        if vtn.session is not None:
            self.measures.requests[int(now_s)] += 1
            reply = vtn.requested(ven, request)
        if fate is None:
            return
        if reply is None:  # it is dead, or has died over this
            self.agenda.put(now_s + REFUSED_S, ven.failed, (life, request.exchange))
            return
        self._count(request, reply, now_s)
        if self.transcript is not None:
            self.transcript.reply("VTN", ven.name, reply)
        if fate.lost_reply or ven.cut_s > now_s:
            self._say(ven, "the reply is lost")
            return
        about_reply = ven.life, request.exchange, reply
        self.agenda.put(now_s + ven.latency_s + fate.reply_s, self._return, (ven, vtn.life, about_reply))

    def _return(self, about: tuple[VenEnd, int, tuple[int, int, SendReply]]) -> None:
        ven, vtn_life, about_reply = about
        if self.vtn.life != vtn_life:  # with the process its connections are gone
            ven.failed(about_reply[:2])
        else:
            ven.replied(about_reply)

    # --- from the VTN to a VEN --------------------------------------------------------------------------------------

    def push(self, ven: VenEnd, request: SendRequest) -> None:
        """Carry a request of the VTN to a VEN that has an address of its own."""
        now_s, fate, vtn = self.agenda.now_s, self._fate(ven), self.vtn
        self.measures.pushes += 1
        if self.transcript is not None:
            self.transcript.request("VTN", ven.name, request)
        if fate.lost_request or ven.cut_s > now_s or ven.session is None:
            self._say(ven, "the request is lost")
            self.agenda.put(now_s + REFUSED_S, vtn.failed, (vtn.life, request.exchange))
            return
        at_s = now_s + ven.latency_s + fate.request_s
        self.agenda.put(at_s, self._pushed, (ven, vtn.life, request, fate))
        if fate.repeat_s is not None:
            self.agenda.put(at_s + fate.repeat_s, self._pushed, (ven, vtn.life, request, None))

    def _pushed(self, about: tuple[VenEnd, int, SendRequest, Fate | None]) -> None:
        ven, life, request, fate = about
        vtn, now_s = self.vtn, self.agenda.now_s
        if vtn.life != life or request.exchange not in vtn.open:
            return
        reply = None if ven.session is None else ven.requested(request)
        if fate is None:
            return
        if reply is None:
            self.agenda.put(now_s + REFUSED_S, vtn.failed, (life, request.exchange))
            return
        self._count(request, reply, now_s)
        if self.transcript is not None:
            self.transcript.reply(ven.name, "VTN", reply)
        if fate.lost_reply or ven.cut_s > now_s:
            self._say(ven, "the reply is lost")
            return
        self.agenda.put(now_s + ven.latency_s + fate.reply_s, vtn.replied, (life, request.exchange, reply))

    # --- both ways --------------------------------------------------------------------------------------------------

    def _fate(self, ven: VenEnd) -> Fate:
        fate = self.weather.fate(ven.index, ven.sent)
        if fate is None:
            return _SMOOTH
        if fate.lost_request or fate.lost_reply or max(fate.request_s, fate.reply_s) > 1:
            ven.upset_s = self.agenda.now_s
        self.measures.faults += 1
        return fate

    def _count(self, request: SendRequest, reply: SendReply, now_s: float) -> None:
        measures = self.measures
        measures.exchanges += 1
        if type(request.payload) is Poll:
            measures.polls += 1
        if self.typed:
            self._crc = crc32(_MOMENT(now_s, request.exchange), self._crc)
            return
        measures.bytes_up += len(request.data)
        measures.bytes_down += len(reply.data)
        self._crc = crc32(reply.data, crc32(request.data, self._crc))

    def _say(self, ven: VenEnd, text: str) -> None:
        if self.transcript is not None:
            self.transcript.say("network", f"{ven.name}: {text}")

    # --- the fleet's load -------------------------------------------------------------------------------------------

    def shed(self, ven: VenEnd, event_id: str, level: int | None) -> None:
        """A device follows an event, or (``None``) does not any more."""
        device = ven.device
        before = device.share
        if level is None:
            device.levels.pop(event_id, None)
        else:
            device.levels[event_id] = level
        self._shed_kw += device.size_kw * (device.share - before)

    def _measure(self, _: Any) -> None:
        now_s, measures = self.agenda.now_s, self.measures
        share = profile(now_s)
        measures.base.append(self._size_kw * share)
        measures.load.append((self._size_kw - self._shed_kw) * share)
        if now_s < self.script.length_s:
            self.agenda.put(now_s + LOAD_STEP_S, self._measure)


def simulate(
    script: Script, progress: Progress | None = None, *, transcript: bool = False, noted: bool = False
) -> tuple[World, Broken | None]:
    """Run a script to its end, or to the first invariant that breaks."""
    world = World(script, transcript=transcript, noted=noted)
    found = None
    try:
        world.run(progress)
    except Broken as broken:
        found = broken
    world.measures.asked = world.ledger.asked_for
    return world, found
