"""Both ends over a network that loses, delays, repeats and reorders, with crashes of either: once all is quiet, they
agree about every event and every opt, every always event has its answer, and nobody was asked twice.

Planted bugs that it has caught: "an answer that was taken is lost in a restart of the VTN", "a VEN forgets its
decision in a restart", "a distribution leaves out what was handed out before".
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, precondition, rule

from oadr_core import LocalError
from oadr_core.model import OptType
from oadr_core.ven import Decide, MakeOpt
from oadr_core.vtn import CancelEvent, EventEntry, ModifyEvent, PublishEvent, Stage, build_event, change_event
from oadr_transports.simulation import Rates
from tests.core.network import GOOD, Pair

SHARES = st.sampled_from([0.0, 0.2, 0.5])
NETWORKS = st.builds(
    Rates,
    loss=SHARES,
    duplicate=SHARES,
    delay_s=st.sampled_from([0.0, 3.0, 9.0]),
)
OPTS = st.sampled_from([OptType.OPT_IN, OptType.OPT_OUT])
MINUTE = timedelta(minutes=1)
QUIET_S = 400.0
"""Long enough for every back-off, every repetition, and every answer to it."""


class PairMachine(RuleBasedStateMachine):
    events: Bundle[str] = Bundle("events")

    @initialize(target=events, seed=st.integers(0, 2**16), push=st.booleans())
    def begin(self, seed: int, push: bool) -> str:
        """A registered VEN with an event that it has answered."""
        self.pair, self.push = Pair(seed, push=push), push
        self.published = 0
        self.pair.run(60)
        event_id = self.publish(60, always=True, window=0)
        self.pair.run(60)
        self.check(event_id, self.pair.vtn.session.events[event_id])
        return event_id

    @rule(target=events, minutes=st.integers(30, 600), always=st.booleans(), window=st.sampled_from([0, 3]))
    def publish(self, minutes: int, always: bool, window: int) -> str:
        self.published += 1
        event_id = f"e{self.published}"
        event = build_event(
            signal_name="SIMPLE",
            signal_type="level",
            dtstart=self.pair.now().seconds + minutes * MINUTE,
            intervals=[(20 * MINUTE, 1.0)],
            market_context=f"urn:{event_id}",
            event_id=event_id,
            start_after=window * MINUTE or None,
        )
        self.pair.to_vtn(PublishEvent(event=event, response_required="always" if always else "never"))
        return event_id

    @rule(event_id=events, priority=st.integers(1, 1000))
    def modify(self, event_id: str, priority: int) -> None:
        self.try_vtn(lambda entry: ModifyEvent(event=change_event(entry.event, priority=priority)), event_id)

    @rule(event_id=events)
    def cancel(self, event_id: str) -> None:
        self.try_vtn(lambda entry: CancelEvent(event_id=entry.event_id), event_id)

    def try_vtn(self, make: Any, event_id: str) -> None:
        entry = self.pair.vtn.session.events.get(event_id)
        if entry is not None and not entry.cancelled and not entry.is_over(self.pair.now().wall):
            self.pair.to_vtn(make(entry))

    @rule(network=NETWORKS)
    def weather(self, network: Rates) -> None:
        """Where both ends call each other, nothing in the profile says which of two distributions that cross is the
        later one; so there the network loses and repeats, but does not delay.
        """
        self.pair.network(attrs.evolve(network, delay_s=0.0) if self.push else network)

    @rule(opt=OPTS)
    def mind(self, opt: OptType) -> None:
        """The application answers so from now on."""
        self.pair.device.opt = opt

    @rule(event_id=events, opt=OPTS, by_message=st.booleans())
    def change_of_mind(self, event_id: str, opt: OptType, by_message: bool) -> None:
        """The VEN opts in or out of an event in the middle of it, in one of the two ways."""
        known = self.pair.ven.session.state.events.get(event_id)
        if known is None or known.cancelled:
            return
        command: Any = MakeOpt(opt_type=opt, event_id=event_id)
        if not by_message:
            number = known.modification_number
            command = Decide(event_id=event_id, modification_number=number, opt_type=opt)
        try:
            self.pair.to_ven(command)
        except LocalError:  # a never event cannot be qualified (R206)
            assert by_message

    @rule(seconds=st.sampled_from([0.5, 5.0, 30.0, 120.0]))
    def wait(self, seconds: float) -> None:
        self.pair.run(seconds)

    @rule()
    def kill_ven(self) -> None:
        """No registration, event or decision is lost."""
        before = self.pair.ven.session.state
        self.pair.kill_ven()
        after = self.pair.ven.session.state
        assert after.registration == before.registration
        assert {event_id: (one.opt, one.qualified) for event_id, one in after.events.items()} == {
            event_id: (one.opt, one.qualified) for event_id, one in before.events.items()
        }

    @rule()
    def kill_vtn(self) -> None:
        """No registration, event or opt is lost."""
        before = self.pair.vtn.session
        self.pair.kill_vtn()
        after = self.pair.vtn.session
        assert after.events == before.events
        assert [ven.registration_id for ven in after.vens.values()] == [
            ven.registration_id for ven in before.vens.values()
        ]
        for event_id in before.events:
            assert after.opts(event_id) == before.opts(event_id)

    @precondition(lambda self: self.published)
    @rule()
    def calm(self) -> None:
        """The network is good again, and after a while both ends agree."""
        self.pair.network(GOOD)
        self.pair.run(QUIET_S)
        vtn, ven = self.pair.vtn.session, self.pair.ven.session
        assert ven.registration is not None, "registered"
        assert set(vtn.vens) == {ven.registration.ven_id}, "once"
        wall = self.pair.now().wall
        live = {event_id: entry for event_id, entry in vtn.events.items() if not entry.is_over(wall)}
        for event_id, entry in live.items():
            self.check(event_id, entry)
        standing = {event_id for event_id, entry in live.items() if not entry.cancelled}
        known = {event_id for event_id, one in ven.state.events.items() if not one.cancelled}
        assert standing <= known, "the VEN knows every event"
        assert known <= set(vtn.events), "and no other"

    def check(self, event_id: str, entry: EventEntry) -> None:
        """The VTN has the opt that the VEN has."""
        vtn, ven = self.pair.vtn.session, self.pair.ven.session
        delivery = vtn.opts(event_id).get(ven.registration.ven_id)
        known = ven.state.events.get(event_id)
        if entry.cancelled:
            if delivery is not None and entry.always:
                assert delivery.stage(entry.modification_number) is Stage.ANSWERED, "R52: a cancellation is answered"
            assert known is None or known.cancelled, "R59"
            return
        assert known is not None
        assert known.modification_number == entry.modification_number
        assert delivery is not None
        assert delivery.modification_number == entry.modification_number
        if entry.always:
            assert delivery.stage(entry.modification_number) is Stage.ANSWERED, "R12: every always is answered"
            assert delivery.opt_type == (known.qualified or known.opt), "both have the same opt"
        else:
            assert delivery.opt_type is None, "R12: a never is not"

    def teardown(self) -> None:
        if getattr(self, "published", 0):
            self.calm()


PairMachine.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)
TestPair = PairMachine.TestCase


def test_same_inputs_give_the_same_bytes() -> None:
    """The network's dice are the only chance there is: two runs save the very same records."""

    def story() -> tuple[dict[str, bytes | None], ...]:
        machine = PairMachine()
        machine.begin(7, push=False)
        machine.weather(attrs.evolve(GOOD, loss=0.2, duplicate=0.2, delay_s=3.0))
        first = machine.publish(60, always=True, window=3)
        machine.wait(120.0)
        machine.kill_ven()
        machine.modify(first, 3)
        machine.kill_vtn()
        machine.wait(120.0)
        ends = machine.pair.ven, machine.pair.vtn
        return tuple({key: record.data() for key, record in end.saved.items()} for end in ends)

    assert story() == story()
