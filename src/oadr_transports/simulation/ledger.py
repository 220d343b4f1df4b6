"""What each VEN and the VTN have seen and done, and whether that is as it must be.

It stands alone as the judge of events and polls (that of reports is :mod:`.samples`): it looks at nothing but what goes
in and comes out at the ends, at the public state of the sessions, and at its own arithmetic of events, and it raises
:class:`.Broken` where something does not hold. What a process has not committed has not happened.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from oadr_core.model import EventStatus, OptType
from oadr_core.ven import (
    Decide,
    DecisionNeeded,
    EventCancelled,
    EventChanged,
    EventReceived,
    EventStatusChanged,
    IntervalStarted,
    MakeOpt,
)
from oadr_core.ven import Stage as VenStage
from oadr_core.vtn import EventEntry, OptReceived, Stage

from .diary import SECOND, Diary, Question, Window, spans
from .invariants import Broken, Invariant
from .samples import Samples

if TYPE_CHECKING:
    from oadr_core.vtn import VtnSession

    from .ven_end import VenEnd
    from .world import World

SLACK_S: Final = 2.0
"""How late a VEN may begin or stop that nothing has kept from it."""
FEWEST_POLLS: Final = 8
"""Regular polls in a row, from which on they must be spread."""


class Ledger:
    """The diaries of all VENs, and the versions of all events."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._scenario = world.script.scenario
        self._versions: dict[tuple[str, int], Window] = {}
        self._cancelled: dict[str, int] = {}
        self._spans: dict[str, list[tuple[float, float, int]]] = {}
        self._opts: dict[tuple[str, str], tuple[int, OptType]] = {}
        self.diaries: dict[int, Diary] = {}
        self.samples = Samples(world, self.diaries)

    # --- questions and answers --------------------------------------------------------------------------------------

    def asked(self, ven: VenEnd, note: DecisionNeeded) -> int:
        """An application is asked; how often it was about this version."""
        descriptor = note.event.ei_event.event_descriptor
        event_id, version = descriptor.event_id, descriptor.modification_number
        self._world.measures.questions += 1
        events = self.diaries[ven.index].events
        before = events.get(event_id)
        attempts = 1
        if before is not None and before.version == version and not self._came_back(event_id, version):
            if not before.failed:
                text = f"{ven.name} is asked again about version {version} of {event_id}"
                raise Broken(Invariant.ASKED_ONCE, text, ven.index)
            attempts = before.attempts + 1
        events[event_id] = Question(version, default=note.default, attempts=attempts)
        return attempts

    def _came_back(self, event_id: str, version: int) -> bool:
        """True when an event was over for the VTN, whose clock has been set back since: it may distribute the event
        once more, and to a VEN that has forgotten it meanwhile it is new."""
        window, vtn = self._versions.get((event_id, version)), self._world.vtn
        return window is not None and window.end <= vtn.furthest and vtn.wall < vtn.furthest

    def decided(self, ven: VenEnd, command: Decide | MakeOpt) -> None:
        """An application has decided, and that is saved."""
        question = self.diaries[ven.index].events.get(command.event_id or "")
        if question is None:
            return
        if isinstance(command, Decide):
            if command.modification_number != question.version:
                return  # late
            question.failed = command.failed
        question.opt, question.decided_s = command.opt_type, self._now_s
        if question.opt is OptType.OPT_OUT:
            self._stop(ven, command.event_id or "")
        elif command.event_id not in self._cancelled:
            self._expect(ven, command.event_id or "", question.version)
        self._look_later(ven, command.event_id or "", question.version)

    def stands(self, ven: VenEnd, decision: Decide) -> bool:
        """True while a decision is about the current version, which is not cancelled."""
        question = self.diaries[ven.index].events.get(decision.event_id)
        return (
            question is not None
            and question.version == decision.modification_number
            and decision.event_id not in self._cancelled
        )

    def died(self, ven: VenEnd) -> None:
        """What a process has not committed has not happened: an open question may be asked again."""
        diary = self.diaries[ven.index]
        for event_id in [event_id for event_id, one in diary.events.items() if one.opt is None]:
            del diary.events[event_id]
        diary.acts.clear()
        diary.told.clear()

    # --- events -----------------------------------------------------------------------------------------------------

    def published(self, entry: EventEntry) -> bool:
        """A version of an event is in the book: by and by each VEN must answer it. ``False`` if that was known."""
        key = entry.event_id, entry.modification_number
        if key in self._versions:
            return False
        self._versions[key] = Window.of(entry, self._now_s)
        if entry.cancelled:
            self._cancelled[entry.event_id] = entry.modification_number
            known = self._spans.get(entry.event_id, [])
            self._spans[entry.event_id] = [
                (start, min(end, self._now_s), level) for start, end, level in known if start < self._now_s
            ]
        else:
            self._spans[entry.event_id] = list(spans(entry))
        for ven in self._world.vens.values():
            if ven.ven_id and entry.is_for(ven.ven_id):
                self._look_later(ven, *key)
        return True

    def learned(self, ven: VenEnd, note: EventReceived | EventChanged | EventCancelled) -> None:
        """A VEN has a version of an event for the first time."""
        descriptor = note.event.ei_event.event_descriptor
        event_id, version = descriptor.event_id, descriptor.modification_number
        if isinstance(note, EventCancelled):
            if note.implied and event_id not in self._cancelled and not self._is_gone(event_id, version):
                text = f"{ven.name} takes {event_id} for cancelled, which it is not"
                raise Broken(Invariant.ANSWERED, text, ven.index)
            self.diaries[ven.index].cancelled.setdefault(event_id, ven.wall)
            if note.implied:
                return
        diary = self.diaries[ven.index]
        diary.acts.pop(event_id, None)
        if diary.known.get(event_id, -1) < version:
            diary.known[event_id] = version
            window = self._versions.get((event_id, version))
            if window is None:
                text = f"{ven.name} has version {version} of {event_id}, which was never published"
                raise Broken(Invariant.ANSWERED, text, ven.index)
            measures = self._world.measures
            measures.delivered += 1
            measures.to_deliver_s.append(self._now_s - window.published_s)

    def _is_gone(self, event_id: str, version: int) -> bool:
        """True when an event is over by the clock of the VTN, even if a VEN's own clock says otherwise."""
        window, vtn = self._versions.get((event_id, version)), self._world.vtn
        if window is None or vtn.moved_s > self._now_s - self._scenario.patience_s:
            return window is not None
        return window.end <= vtn.furthest or vtn.wall >= window.end + SECOND * window.start_after_s  # over once, or now

    def opted(self, note: OptReceived) -> None:
        """The VTN has an answer."""
        window = self._versions.get((note.event_id, note.modification_number))
        measures = self._world.measures
        measures.answered += 1
        if note.opt_type is OptType.OPT_IN:
            measures.opted_in += 1
        else:
            measures.opted_out += 1
        self.saved(note)
        if window is not None:
            measures.to_answer_s.append(self._now_s - window.published_s)

    def saved(self, note: OptReceived) -> None:
        """The VTN has an answer, whether or not it lives to tell of it."""
        self._opts[note.ven_id, note.event_id] = note.modification_number, note.opt_type

    def restored(self, session: VtnSession) -> None:
        """A VTN that has come back knows every opt that it has saved."""
        for (ven_id, event_id), opt in self._opts.items():
            twin, entry = session.vens.get(ven_id), session.events.get(event_id)
            delivery = None if twin is None else twin.deliveries.get(event_id)
            if entry is None or entry.modification_number != opt[0] or entry.is_over(self._world.vtn.wall):
                continue
            if delivery is None or (delivery.answered, delivery.opt_type) != opt:
                text = f"the VTN had {opt[1]} of {ven_id} for {event_id}, version {opt[0]}, and has it no more"
                raise Broken(Invariant.OPTS, text, self._world.by_id(ven_id).index)

    def _look_later(self, ven: VenEnd, event_id: str, version: int) -> None:
        at_s = self._now_s + self._scenario.patience_s
        self._world.agenda.put(at_s, self._look, (ven, event_id, version))

    def _look(self, about: tuple[VenEnd, str, int]) -> None:
        """An undisturbed VEN must have answered by now, and have told the VTN what its application wants."""
        ven, event_id, version = about
        quiet_s = max(ven.upset_s, self._world.vtn.upset_s) + self._scenario.patience_s
        session = self._world.vtn.session
        if ven.session is None or session is None or ven.cut_s > self._now_s:
            quiet_s = self._now_s + self._scenario.patience_s
        if session is None or quiet_s > self._now_s:
            self._world.agenda.put(quiet_s, self._look, about)
            return
        entry = session.events.get(event_id)
        question = self.diaries[ven.index].events.get(event_id)
        if entry is None or entry.modification_number != version or entry.is_over(self._world.vtn.wall):
            return  # there is another version by now, or it is too late
        if question is not None and question.version == version:
            waits_s = question.decided_s + self._scenario.patience_s
            if waits_s > self._now_s:
                self._world.agenda.put(waits_s, self._look, about)
                return
        self.agree(ven, entry)

    def agree(self, ven: VenEnd, entry: EventEntry) -> None:
        """Both ends know the same version of an event, and the same opt."""
        event_id, version = entry.event_id, entry.modification_number
        if self._came_back(event_id, version):
            return
        self._world.measures.checks += 1
        assert ven.session is not None
        assert self._world.vtn.session is not None
        twin = self._world.vtn.session.vens.get(ven.ven_id)
        registered = ven.session.registration
        if twin is None or registered is None or registered.registration_id != twin.registration_id:
            raise Broken(Invariant.ANSWERED, f"{ven.name} is not registered, and nothing keeps it from that", ven.index)
        delivery = twin.deliveries.get(event_id)
        stage = Stage.WAITING if delivery is None else delivery.stage(version)
        if entry.cancelled:
            if delivery is not None and entry.always and stage is not Stage.ANSWERED:
                text = f"the cancellation of {event_id} is {stage} for {ven.name}, though nothing was in the way"
                raise Broken(Invariant.ANSWERED, text, ven.index)
            return
        known = ven.session.state.events.get(event_id)
        if known is None or known.modification_number != version:
            has = "does not know it" if known is None else f"has version {known.modification_number}"
            text = f"{event_id}, version {version}: {ven.name} {has}, though nothing was in the way"
            raise Broken(Invariant.ANSWERED, text, ven.index)
        if not entry.always:
            return
        if delivery is None or stage is not Stage.ANSWERED:
            text = f"{event_id}, version {version}, is {stage} for {ven.name}, though nothing was in the way"
            raise Broken(Invariant.ANSWERED, text, ven.index)
        question = self.diaries[ven.index].events.get(event_id)
        wanted = question.stated if question is not None and question.version == version else None
        found = delivery.opt_type, known.qualified or known.opt
        if found[0] != found[1] or (wanted is not None and wanted != found[0]):
            who = f"the VTN has {found[0]}, {ven.name} {found[1]}, its application {wanted}"
            text = f"{event_id}, version {version}: {who}"
            raise Broken(Invariant.OPTS, text, ven.index)

    @property
    def asked_for(self) -> tuple[tuple[float, float, int], ...]:
        """From when to when, in seconds since the beginning, which level was asked for, by whatever event."""
        return tuple(span for known in self._spans.values() for span in known)

    # --- acting -----------------------------------------------------------------------------------------------------

    def acts(self, ven: VenEnd, note: IntervalStarted) -> None:
        """A VEN does what an event wants: it must be its time, and the application must have wanted it."""
        descriptor = note.event.ei_event.event_descriptor
        event_id, version, wall = descriptor.event_id, descriptor.modification_number, ven.wall
        diary = self.diaries[ven.index]
        window = self._versions[event_id, version]
        question = diary.events.get(event_id)
        what = f"{ven.name} begins interval {note.number} of {event_id}, version {version}, at {wall:%H:%M:%S}"

        def broken(text: str) -> Broken:
            return Broken(Invariant.IN_TIME, f"{what}: {text}", ven.index)

        offset_s = (note.at - window.begins[note.number]) / SECOND
        if not 0 <= offset_s <= window.start_after_s:
            raise broken(f"{offset_s:+.0f} s from its start, with {window.start_after_s:.0f} s of tolerance")
        known = diary.offsets.get(event_id)
        if known is not None and known[0] == window.start_after_s and abs(known[1] - offset_s) > 1e-3:
            raise broken(f"{offset_s:+.1f} s from its start, and {known[1]:+.1f} s before")
        diary.offsets[event_id] = window.start_after_s, offset_s
        if wall < note.at or (note.until is not None and wall >= note.until):
            raise broken(f"its time is {note.at:%H:%M:%S} to {note.until:%H:%M:%S}")
        if self._cancelled.get(event_id) == version:
            # R65: it stops at a random time within startafter; R36: who opts out of a cancellation cannot stop
            stops = diary.cancelled.get(event_id, wall) + SECOND * window.start_after_s
            if wall > stops and (question is None or question.stated is not OptType.OPT_OUT):
                raise broken(f"it was to stop until {stops:%H:%M:%S}")
        elif question is None or question.version != version or question.stated is not OptType.OPT_IN:
            raise broken("its application has not opted in")
        late_s = min((wall - note.at) / SECOND, self._now_s - _free_since(ven, question))
        if late_s > SLACK_S:
            raise broken(f"{late_s:.0f} s late")
        diary.acts[event_id] = note
        diary.told[event_id] = version, note.number
        if note.until is not None:
            stops_s = self._now_s + (note.until - wall) / SECOND + SLACK_S
            self._world.agenda.put(stops_s, self._must_stop, (ven, event_id, note))

    def status(self, ven: VenEnd, note: EventStatusChanged) -> None:
        """A VEN's own timeline of an event goes on; what is over is not acted on any more."""
        if note.status in (EventStatus.COMPLETED, EventStatus.CANCELLED) or note.stage is VenStage.OVER:
            self._stop(ven, note.event_id)

    def _stop(self, ven: VenEnd, event_id: str) -> None:
        if self.diaries[ven.index].acts.pop(event_id, None) is not None:
            self._world.shed(ven, event_id, None)

    def _expect(self, ven: VenEnd, event_id: str, version: int) -> None:
        """A VEN has opted in: it must act at the start."""
        window = self._versions.get((event_id, version))
        if window is not None:
            wait_s = max((window.begins[0] - ven.wall) / SECOND + window.start_after_s, 0.0)
            self._world.agenda.put(
                self._now_s + wait_s + SLACK_S, self._must_act, (ven, event_id, version, self._now_s)
            )

    def _must_act(self, about: tuple[VenEnd, str, int, float]) -> None:
        ven, event_id, version, decided_s = about
        diary = self.diaries[ven.index]
        question = diary.events.get(event_id)
        known = None if ven.session is None else ven.session.state.events.get(event_id)
        if (
            known is None
            or known.cancelled
            or question is None
            or (question.version, question.opt, question.decided_s) != (version, OptType.OPT_IN, decided_s)
            or ven.moved_s >= decided_s
            or ven.wall >= self._versions[event_id, version].end
        ):
            return
        self._world.measures.checks += 1
        if diary.told.get(event_id, (-1, 0))[0] != version:
            text = f"{ven.name} has opted in to {event_id}, version {version}, and does nothing at {ven.wall:%H:%M:%S}"
            raise Broken(Invariant.IN_TIME, text, ven.index)

    def _must_stop(self, about: tuple[VenEnd, str, IntervalStarted]) -> None:
        ven, event_id, note = about
        if self.diaries[ven.index].acts.get(event_id) is not note or note.until is None:
            return
        over_s = (ven.wall - note.until) / SECOND
        free_s = min(over_s, self._now_s - ven.moved_s)
        if free_s < SLACK_S:  # a clock was set
            self._world.agenda.put(self._now_s + SLACK_S - free_s + 1e-3, self._must_stop, about)
            return
        text = f"{ven.name} goes on with interval {note.number} of {event_id} after {note.until:%H:%M:%S}"
        raise Broken(Invariant.IN_TIME, text, ven.index)

    # --- polls ------------------------------------------------------------------------------------------------------

    def polled(self, ven: VenEnd) -> None:
        """A VEN polls; ``polled_s`` is when it last did so and got nothing since but an empty answer."""
        now_s, before_s = self._now_s, ven.polled_s
        ven.polled_s = now_s
        if before_s is None or ven.upset_s >= before_s:
            return
        gap_s, poll_s = now_s - before_s, self._scenario.poll_s
        spread_s = min(0.1 * poll_s, 300.0) if self._scenario.jitter else 0.0
        if not poll_s - spread_s - 1e-6 <= gap_s <= poll_s + spread_s + SLACK_S:
            text = f"{ven.name} polls {gap_s:.1f} s after its last poll, and is to do so every {poll_s} s"
            raise Broken(Invariant.RATE, text, ven.index)
        diary = self.diaries[ven.index]
        diary.polls += 1
        least, most = diary.gaps
        if gap_s < least or gap_s > most:
            diary.gaps = min(least, gap_s), max(most, gap_s)

    # --- the end ----------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """After a quiet time everybody is reachable: what must hold at last."""
        vtn = self._world.vtn
        assert vtn.session is not None
        live = [entry for entry in vtn.session.events.values() if not entry.is_over(vtn.wall)]
        for ven in self._world.vens.values():
            registered = None if ven.session is None else ven.session.registration
            twin = None if registered is None else vtn.session.vens.get(registered.ven_id)
            if registered is None or twin is None or registered.registration_id != twin.registration_id:
                raise Broken(Invariant.ANSWERED, f"{ven.name} is not registered at the end", ven.index)
            for entry in live:
                if entry.is_for(ven.ven_id) and self._settled(entry):
                    self.agree(ven, entry)
            self.samples.check(ven)
            self._check_spread(ven)
        if len(vtn.session.vens) != len(self._world.vens):
            text = f"{len(vtn.session.vens)} registrations of {len(self._world.vens)} VENs"
            raise Broken(Invariant.ANSWERED, text)

    def _settled(self, entry: EventEntry) -> bool:
        return (
            self._versions[entry.event_id, entry.modification_number].published_s
            < self._now_s - self._scenario.patience_s
        )

    def _check_spread(self, ven: VenEnd) -> None:
        diary = self.diaries[ven.index]
        least, most = diary.gaps
        if self._scenario.jitter and diary.polls >= FEWEST_POLLS and most - least < 0.02 * self._scenario.poll_s:
            text = f"{diary.polls} polls of {ven.name} come every {least:.1f} to {most:.1f} s: they are not spread"
            raise Broken(Invariant.RATE, text, ven.index)

    @property
    def _now_s(self) -> float:
        return self._world.agenda.now_s


def _free_since(ven: VenEnd, question: Question | None) -> float:
    """Since when nothing has kept a VEN from acting, in seconds since the beginning."""
    return max(ven.moved_s, -inf if question is None else question.decided_s)
