"""Two real ends and a network that loses, delays and repeats: whatever it does, both ends come to agree.

Typed payloads and virtual time; no bytes, no sockets.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from oadr_core.engine import ReportReceived
from oadr_core.model import OptType
from oadr_core.ven import DecisionNeeded, EventCancelled, OptDelivered, ReportDue
from oadr_core.vtn import CancelEvent, ModifyEvent, OptReceived, PublishEvent, build_event, change_event
from oadr_transports.simulation import Rates
from tests.core.network import GOOD, Pair

BAD = Rates(loss=0.3, duplicate=0.3, delay_s=4.0)
SHARES = st.floats(0, 0.3)


def publish(pair: Pair, event_id: str, minutes: int) -> None:
    event = build_event(
        signal_name="SIMPLE",
        signal_type="level",
        dtstart=pair.now().seconds + timedelta(minutes=minutes),
        intervals=[(timedelta(minutes=30), 1.0)],
        market_context="http://example.com/p",
        event_id=event_id,
    )
    pair.to_vtn(PublishEvent(event=event))


def opts(pair: Pair, event_id: str) -> dict[int, str]:
    """The last opt that the VTN has for each version of an event."""
    found = pair.heard(OptReceived, pair.vtn)
    return {note.modification_number: str(note.opt_type) for note in found if note.event_id == event_id}


@pytest.mark.parametrize("network", [GOOD, BAD], ids=["perfect", "bad"])
@pytest.mark.parametrize("seed", range(5))
def test_published_modified_and_cancelled_events_reach_both_ends(network: Rates, seed: int) -> None:
    pair = Pair(seed)
    pair.network(network)
    pair.run(600)
    assert pair.ven.session is not None
    assert pair.vtn.session is not None
    assert pair.ven.session.registration is not None
    publish(pair, "a", 120)
    publish(pair, "b", 180)
    pair.run(1800)
    assert opts(pair, "a") == {0: "optIn"}
    assert opts(pair, "b") == {0: "optIn"}
    assert pair.heard(OptDelivered, pair.ven)
    pair.device.opt = OptType.OPT_OUT
    pair.to_vtn(ModifyEvent(event=change_event(pair.vtn.session.events["a"].event, priority=1)))
    pair.run(1800)
    assert opts(pair, "a") == {0: "optIn", 1: "optOut"}
    pair.to_vtn(CancelEvent(event_id="b"))
    pair.run(1800)
    assert opts(pair, "b")[1] == "optOut"
    assert len(pair.heard(EventCancelled, pair.ven)) == 1
    assert set(pair.ven.session.state.events) == {"a"}
    pair.run(5_000)
    questions = [
        (note.event.ei_event.event_descriptor.event_id, note.event.ei_event.event_descriptor.modification_number)
        for note in pair.heard(DecisionNeeded, pair.ven)
    ]
    assert sorted(questions) == [("a", 0), ("a", 1), ("b", 0), ("b", 1)], "each version is asked about once"


@given(st.builds(Rates, loss=SHARES, duplicate=SHARES, delay_s=st.floats(0, 4)), st.integers(0, 2**32))
@settings(deadline=None, max_examples=8, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_every_sample_arrives_and_none_is_invented(network: Rates, seed: int) -> None:
    """Caught: a resent report request that began its report anew. That each has its value, the simulator judges."""
    pair = Pair(seed)
    pair.network(network)
    pair.run(1200)
    pair.network(GOOD)
    pair.run(300)
    values = [value for note in pair.heard(ReportReceived, pair.vtn) for value in note.values]
    assert [value for value in values if value.data_quality is None], "some are real"
    seconds = sorted({value.dtstart for value in values})
    gaps = {later - earlier for earlier, later in pairwise(seconds)}
    assert gaps == {timedelta(seconds=60)}, "samples are at round times, and none is missing"
    asked = {note.at for note in pair.heard(ReportDue, pair.ven)}
    assert set(seconds) <= asked
