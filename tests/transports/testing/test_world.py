"""The world in virtual time that applications are tested in: things happen when they are due, and in no other order."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oadr_core import LocalError
from oadr_core.engine import Now, Trouble
from oadr_core.ven import EventReceived, IntervalStarted, OptAccepted, Registered
from oadr_core.vtn import OptReceived, VenRegistered
from oadr_transports.stores import MemoryStore
from oadr_transports.testing import InMemoryVen, InMemoryVtn, VirtualClock


def publish(vtn: InMemoryVtn, **options: Any) -> str:
    begins = {"dtstart": vtn.clock.now + timedelta(minutes=10), "intervals": [(timedelta(minutes=5), 1.0)]}
    return vtn.publish_event(
        **{"signal_name": "SIMPLE", "signal_type": "level", "market_context": "http://m.example/", **begins, **options}
    )


@pytest.fixture
def steady(oadr_clock: VirtualClock, oadr_vtn: InMemoryVtn) -> InMemoryVen:
    ven = InMemoryVen(oadr_clock, oadr_vtn, allow_jitter=False)
    ven.add_handler("on_event", lambda event: "optIn")
    return ven


@pytest.mark.oadr_vtn(requested_poll_freq=timedelta(minutes=1))
def test_everything_happens_when_it_is_due(
    oadr_clock: VirtualClock, oadr_vtn: InMemoryVtn, steady: InMemoryVen
) -> None:
    polls, intervals = [], []
    steady.add_hook("before_send_xml", lambda text: polls.append(oadr_clock.now) if "oadrPoll" in text else None)
    steady.add_handler("on_interval", lambda interval: intervals.append((oadr_clock.now, interval["dtstart"])))
    with steady:
        event_id = publish(oadr_vtn)
        begins = oadr_vtn.events[event_id].event.ei_active_period.properties.dtstart
        oadr_clock.advance(hours=1)
    pauses = {round((second - first).total_seconds()) for first, second in itertools.pairwise(polls)}
    assert pauses <= {0, 60}, "0: the VTN had more to say"
    assert 60 <= len(polls) <= 63
    assert intervals == [(begins, begins)]
    assert oadr_clock() == Now(3600.0, datetime(2025, 6, 2, 9, tzinfo=UTC))


def test_time_stands_still_until_it_is_moved(
    oadr_clock: VirtualClock, oadr_vtn: InMemoryVtn, steady: InMemoryVen
) -> None:
    with steady:
        assert steady.registration is not None, "what needs no time is done at once"
        publish(oadr_vtn)
        oadr_clock.settle()
        assert not steady.told(EventReceived)
        oadr_clock.advance(seconds=15)
        assert len(steady.told(EventReceived)) == 1


def test_whoever_is_away_is_not_reached(oadr_clock: VirtualClock, oadr_vtn: InMemoryVtn, steady: InMemoryVen) -> None:
    steady.away = True
    with steady:
        oadr_clock.advance(minutes=5)
        assert steady.told(Trouble)
        assert not oadr_vtn.told(VenRegistered)
        steady.away = False
        oadr_clock.advance(minutes=5)
    assert len(oadr_vtn.told(VenRegistered)) == 1


def test_clock_that_is_set_moves_events_and_nothing_else(
    oadr_clock: VirtualClock, oadr_vtn: InMemoryVtn, steady: InMemoryVen
) -> None:
    with steady:
        publish(oadr_vtn, dtstart=oadr_clock.now + timedelta(days=1))
        oadr_clock.advance(minutes=1)
        before = oadr_clock().mono
        oadr_clock.set(oadr_clock.now + timedelta(days=1))
        assert oadr_clock().mono == before
        oadr_clock.advance(minutes=1)
        assert [note.value for note in steady.told(IntervalStarted)] == [1.0]


def test_restart_goes_on_where_it_was(oadr_clock: VirtualClock, oadr_vtn: InMemoryVtn) -> None:
    store = MemoryStore()
    with InMemoryVen(oadr_clock, oadr_vtn, state=store) as first:
        registration = first.registration
    oadr_clock.advance(minutes=10)
    with InMemoryVen(oadr_clock, oadr_vtn, state=store) as second:
        assert second.registration == registration
        assert not second.told(Registered)
        with pytest.raises(LocalError, match="running already"):
            second.start()


@pytest.mark.oadr_ven(push_url="http://ven.example/")
def test_pushed_to_while_it_is_stopped(oadr_clock: VirtualClock, oadr_vtn: InMemoryVtn, oadr_ven: InMemoryVen) -> None:
    oadr_ven.add_handler("on_event", lambda event: "optIn")
    oadr_ven.start()
    oadr_clock.advance(minutes=1)
    oadr_ven.stop()
    publish(oadr_vtn)
    oadr_clock.advance(minutes=1)
    assert not oadr_vtn.told(OptReceived)
    oadr_ven.start()
    oadr_clock.advance(minutes=5)
    assert oadr_vtn.told(OptReceived)


def test_opts_are_stated_without_waiting(oadr_clock: VirtualClock, oadr_vtn: InMemoryVtn, steady: InMemoryVen) -> None:
    with steady:
        steady.create_opt("optOut", schedule=[(oadr_clock.now + timedelta(hours=5), timedelta(hours=1))], opt_id="x")
        assert [note.opt_id for note in steady.told(OptAccepted)] == ["x"]


def test_what_never_comes_to_rest_is_an_error(oadr_clock: VirtualClock) -> None:
    class Restless:
        def timer(self, now: Now) -> float:
            return now.mono

        def tick(self) -> None:
            """Again."""

        def work(self) -> bool:
            return False

    oadr_clock.join(Restless())
    with pytest.raises(AssertionError, match="again and again"):
        oadr_clock.advance(seconds=1)


def test_two_runs_are_the_same() -> None:
    def lived() -> list[Any]:
        clock = VirtualClock()
        with InMemoryVtn(clock) as vtn, InMemoryVen(clock, vtn) as ven:
            publish(vtn, event_id="e")
            clock.advance(hours=1)
            return [*ven.notes, *vtn.notes]

    assert lived() == lived()
