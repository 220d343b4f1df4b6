"""What the demonstration makes of what it sees, and how it is drawn: without a network."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from oadr_core import encode
from oadr_core.model import OptType, Poll
from oadr_core.ven import Registered
from oadr_core.vtn import EventStatusChanged, OptReceived, ReportReceived, ReportValue, VenRegistered
from oadr_transports.cli.demo import summary
from oadr_transports.cli.demo.play import Meter
from oadr_transports.cli.demo.screen import picture
from oadr_transports.cli.demo.story import STATES, VEN, VTN, Entry, Message, Story

START = datetime(2030, 1, 1, tzinfo=UTC)
THREE = timedelta(seconds=3)


def told(told_to: list[Entry | Message] | None = None) -> Story:
    """A story up to the middle of the event."""
    story = Story(clock=lambda: 4.2, told=(told_to if told_to is not None else []).append)
    story.url = "http://127.0.0.1:1/OpenADR2/Simple/2.0b"
    story.note(VTN, VenRegistered(ven_id="ven-1", ven_name="hou\x1bse", registration_id="r"))
    story.note(VEN, Registered(ven_id="ven-1", registration_id="r", vtn_id="v", poll_interval=THREE))
    for state in STATES[:3]:
        story.note(VTN, EventStatusChanged(event_id="e", status=state))
    story.note(
        VTN,
        OptReceived(ven_id="ven-1", event_id="e", modification_number=0, opt_type=OptType.OPT_IN, response_code="200"),
    )
    values = tuple(
        ReportValue(r_id="power", dtstart=START + timedelta(seconds=n), duration=None, value=2.0 - n) for n in (0, 1)
    )
    story.note(
        VTN,
        ReportReceived(
            ven_id="ven-1", report_request_id="q", report_specifier_id="meter", report_name=None, values=values
        ),
    )
    story.message("received", "OadrPoll", encode(Poll(ven_id="ven-1")))
    story.prices = [(START + n * THREE, THREE, price) for n, price in enumerate((0.1, 0.3, 0.2))]
    return story


def test_what_is_missing_is_named_in_order() -> None:
    assert Story(clock=lambda: 0.0).missing[0] == "the VEN's registration at the VTN"
    missing = told().missing
    assert "the event being completed at the VTN" in missing
    assert "the event being active at the VTN" not in missing
    assert "4 report values at the VTN, not 2" in missing


def test_views_hear_of_everything_once_and_clean() -> None:
    heard: list[Entry | Message] = []
    story = told(heard)
    texts = [what.text for what in heard if isinstance(what, Entry)]
    assert texts[0] == "VEN registered: hou\\x1bse"
    assert [what.name for what in heard if isinstance(what, Message)] == ["oadrPoll"]
    assert story.entries + story.messages == heard  # type: ignore[operator]  # lists of two kinds


def test_a_state_is_put_down_once() -> None:
    story = told()
    before = len(story.entries)
    story.note(VTN, EventStatusChanged(event_id="e", status=STATES[0]))
    assert len(story.entries) == before
    assert story.state is STATES[2]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (72, 20), (120, 40), (300, 100)])
def test_the_picture_fits(width: int, height: int) -> None:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    for story in (Story(clock=lambda: 0.0), told()):
        with console.capture() as capture:
            console.print(picture(story, console, START + timedelta(seconds=4)))
        lines = capture.get().splitlines()
        assert len(lines) < height
        assert max(map(len, lines)) <= width
    drawn = capture.get()
    assert "▲ now" in drawn
    assert "0.3 €/kWh" in drawn
    assert "1.00 kW" in drawn
    assert "active" in drawn


@pytest.mark.parametrize(
    ("at", "words"), [(START - THREE, "begins in 3 s"), (START + 3 * THREE, "over"), (START, "▲ now")]
)
def test_the_picture_says_where_now_is(at: datetime, words: str) -> None:
    console = Console(file=io.StringIO(), width=80, height=24)
    with console.capture() as capture:
        console.print(picture(told(), console, at))
    assert words in capture.get()


def test_the_summary_of_an_unfinished_story_says_why() -> None:
    story = told()
    story.complain("HTTP status 500\n")
    found = summary.as_dict(story, None)
    assert not found["ok"]
    reason = summary.reason(found)
    assert "the event being completed at the VEN" in reason
    assert reason.endswith("The last warning was: HTTP status 500\\n")


def test_the_meter_heeds_the_price() -> None:
    now = START
    meter = Meter([(START, 10 * THREE, 0.38)], lambda: now)
    during = [meter.read() for _ in range(10)]
    assert during[-1] < 1.2
    now = START + 10 * THREE
    assert [meter.read() for _ in range(10)][-1] > 2.0
