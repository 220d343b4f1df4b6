"""Bad input and bad days: what our VEN does when the VTN is down, talks nonsense or says no.

Each case gives one clear log line that names the cause, nothing crashes, and the session goes on.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from oadr_transports import OpenADRClient
from tests.observations import Condition, Observations
from tests.running import CLIENTS, running
from tests.transports.scripted_vtn import (
    BROKEN_OFF,
    EMPTY,
    HALF_A_DOCUMENT,
    HTML_PAGE,
    SERVER_ERROR,
    SILENCE,
    WRONG_TYPE,
    Answer,
    ScriptedVtn,
    cancel_party_registration,
    created_party_registration,
    distribute_event,
)

VEN_NAME = "ven-of-bad-days"

# What is answered, and what the log line must name.
BAD_ANSWERS = [
    pytest.param(HTML_PAGE, r"html", id="an-html-page"),
    pytest.param(EMPTY, r"empty", id="an-empty-200"),
    pytest.param(SERVER_ERROR, r"500", id="a-500"),
    pytest.param(HALF_A_DOCUMENT, r"not well-formed|malformed|not xml|incomplete", id="half-a-document"),
    pytest.param(BROKEN_OFF, r"connection|closed|broken|incomplete", id="a-broken-connection"),
    pytest.param(WRONG_TYPE, r"oadrCanceledPartyRegistration|CanceledPartyRegistration", id="a-wrong-type"),
    pytest.param(SILENCE, r"time|no answer", id="silence"),
]


@pytest.fixture
def vtn() -> Iterator[ScriptedVtn]:
    with ScriptedVtn() as server:
        yield server


@pytest.fixture
def logged() -> Iterator[Observations]:
    """What the library logs at warning or above, as it comes."""
    seen = Observations()

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.add("log", text=record.getMessage(), level=record.levelname, trace=record.exc_info)

    logger = logging.getLogger("oadr")
    handler = Collector(level=logging.WARNING)
    logger.addHandler(handler)
    try:
        yield seen
    finally:
        logger.removeHandler(handler)


@pytest.fixture(params=CLIENTS)
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def anyio_backend(driver: str) -> str:
    """The loop in which the driver runs; threads need none, and the test has one."""
    return CLIENTS[driver][1]


@pytest.fixture
def client(driver: str, vtn: ScriptedVtn) -> Any:
    """A client on the driver."""
    return make_client(vtn, CLIENTS[driver][0])


def make_client(vtn: ScriptedVtn, kind: type[Any] = OpenADRClient) -> Any:
    client = kind(ven_name=VEN_NAME, vtn_url=vtn.url, allow_jitter=False, request_timeout=timedelta(seconds=1))
    client.add_handler("on_event", lambda event: "optIn")
    return client


def request(message: str) -> Condition:
    return lambda seen: seen["message"] == message


def text_matches(pattern: str) -> Condition:
    return lambda seen: re.search(pattern, seen["text"], re.IGNORECASE) is not None


def count(vtn: ScriptedVtn, message: str) -> int:
    return sum(seen["message"] == message for seen in vtn.all("request"))


@pytest.mark.parametrize(("answer", "cause"), BAD_ANSWERS)
async def test_bad_answer_to_the_first_request(
    vtn: ScriptedVtn, logged: Observations, answer: Answer, cause: str, client: Any
) -> None:
    vtn.script("*", answer)
    async with running(client):
        await logged.seen("log", text_matches(cause))
        await vtn.seen("request", request("oadrCreatePartyRegistration"))
        await vtn.seen("request", request("oadrPoll"))
    [line] = logged.all("log")
    assert line["trace"] is None
    assert "\n" not in line["text"]


@pytest.mark.parametrize(("answer", "cause"), BAD_ANSWERS)
async def test_bad_answer_to_a_poll(
    vtn: ScriptedVtn, logged: Observations, answer: Answer, cause: str, client: Any
) -> None:
    vtn.script("oadrPoll", answer)
    async with running(client):
        await logged.seen("log", text_matches(cause))
        await vtn.seen("request", request("oadrPoll"), count=3)
    [line] = logged.all("log")
    assert line["trace"] is None
    assert count(vtn, "oadrCreatePartyRegistration") == 1


async def test_vtn_is_down_at_first(vtn: ScriptedVtn, logged: Observations, client: Any) -> None:
    vtn.go_down()
    async with running(client):
        await logged.seen("log", text_matches(r"refused|connect"))
        vtn.come_up()
        await vtn.seen("request", request("oadrCreatePartyRegistration"))
        await vtn.seen("request", request("oadrPoll"))


async def test_vtn_goes_down_later(vtn: ScriptedVtn, logged: Observations, client: Any) -> None:
    async with running(client):
        await vtn.seen("request", request("oadrPoll"))
        vtn.go_down()
        await logged.seen("log", text_matches(r"refused|connect"))
        polls = count(vtn, "oadrPoll")
        vtn.come_up()
        await vtn.seen("request", request("oadrPoll"), count=polls + 1)
    assert count(vtn, "oadrCreatePartyRegistration") == 1


async def test_opt_that_was_refused_by_a_500_is_delivered_again(vtn: ScriptedVtn, client: Any) -> None:
    asked: list[str] = []

    def on_event(event: dict[str, Any]) -> str:
        asked.append(event["event_id"])
        return "optIn"

    client.add_handler("on_event", on_event)
    vtn.script("oadrPoll", distribute_event(event_id="event-1"))
    vtn.script("oadrCreatedEvent", SERVER_ERROR, SILENCE)
    async with running(client):
        third = await vtn.seen("request", request("oadrCreatedEvent"), count=3)
    assert b"event-1" in third["body"]
    assert b"optIn" in third["body"]
    assert asked == ["event-1"]


async def test_opt_is_delivered_after_the_vtn_was_down(vtn: ScriptedVtn, logged: Observations, client: Any) -> None:
    def on_event(event: dict[str, Any]) -> str:
        vtn.go_down()
        return "optIn"

    client.add_handler("on_event", on_event)
    vtn.script("oadrPoll", distribute_event(event_id="event-1"))
    async with running(client):
        await logged.seen("log", text_matches(r"refused|connect"))
        assert not count(vtn, "oadrCreatedEvent")
        vtn.come_up()
        delivered = await vtn.seen("request", request("oadrCreatedEvent"))
    assert b"event-1" in delivered["body"]


async def test_refused_registration_is_told_and_can_be_tried_again(
    vtn: ScriptedVtn, logged: Observations, client: Any
) -> None:
    refusal = created_party_registration("", registered=False, code="463", text="unknown fingerprint")
    vtn.script("oadrCreatePartyRegistration", refusal)
    async with running(client):
        line = await logged.seen("log", text_matches(r"463"))
        assert "unknown fingerprint" in line["text"]
    async with running(client):
        await vtn.seen("request", request("oadrCreatePartyRegistration"), count=2)
        await vtn.seen("request", request("oadrPoll"))


async def test_registration_cancelled_by_the_vtn_is_told_and_can_be_renewed(
    vtn: ScriptedVtn, logged: Observations, client: Any
) -> None:
    vtn.script("oadrPoll", cancel_party_registration())
    async with running(client):
        await logged.seen("log", text_matches(r"cancel"))
        answered = await vtn.seen("request", request("oadrCanceledPartyRegistration"))
        assert b">200<" in answered["body"]
    polls = count(vtn, "oadrPoll")
    async with running(client):
        await vtn.seen("request", request("oadrCreatePartyRegistration"), count=2)
        await vtn.seen("request", request("oadrPoll"), count=polls + 1)


def test_unknown_handler_name_raises_at_once(vtn: ScriptedVtn) -> None:
    with pytest.raises(ValueError, match="on_event"):
        make_client(vtn).add_handler("on_evnet", print)


def test_negative_sampling_rate_raises_at_once(vtn: ScriptedVtn) -> None:
    with pytest.raises(ValueError, match="sampling_rate"):
        make_client(vtn).add_report(
            callback=lambda: 1, resource_id="r", measurement="voltage", sampling_rate=timedelta(seconds=-1)
        )


def test_naive_datetime_raises_at_once(vtn: ScriptedVtn) -> None:
    with pytest.raises(ValueError, match="report_dtstart"):
        make_client(vtn).add_report(
            callback=lambda: 1,
            resource_id="r",
            measurement="voltage",
            report_dtstart=datetime(2026, 1, 1),  # noqa: DTZ001 - the case
        )


def test_missing_certificate_file_raises_at_once(tmp_path: Path) -> None:
    missing = tmp_path / "ven.pem"
    with pytest.raises((FileNotFoundError, ValueError), match=r"ven\.pem"):
        OpenADRClient(ven_name=VEN_NAME, vtn_url="https://localhost/", cert=str(missing), key=str(missing))
