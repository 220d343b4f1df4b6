"""The scripted VTN says what it is meant to say: valid documents where they should be, nonsense where not."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable

import pytest

from tests.transports.scripted_vtn import (
    BROKEN_OFF,
    EMPTY,
    HALF_A_DOCUMENT,
    HTML_PAGE,
    SERVER_ERROR,
    WRONG_TYPE,
    Answer,
    ScriptedVtn,
    cancel_party_registration,
    cancel_report,
    create_report,
    created_party_registration,
    distribute_event,
    envelope,
    registered_report,
    report_request,
)

MESSAGES = [
    "oadrQueryRegistration",
    "oadrCreatePartyRegistration",
    "oadrCancelPartyRegistration",
    "oadrRegisterReport",
    "oadrUpdateReport",
    "oadrRequestEvent",
    "oadrPoll",
]


def post(vtn: ScriptedVtn, message: str) -> bytes:
    body = envelope(f"<oadr:{message}><pyld:requestID>r-1</pyld:requestID></oadr:{message}>").body
    with urllib.request.urlopen(f"{vtn.url}/Any", data=body, timeout=5) as answer:
        return bytes(answer.read())


@pytest.mark.parametrize("message", MESSAGES)
def test_good_answers_are_schema_valid(message: str, validate: Callable[[bytes], None]) -> None:
    with ScriptedVtn() as vtn:
        answer = post(vtn, message)
    validate(answer)
    assert vtn.wait("request")["message"] == message


@pytest.mark.parametrize(
    "answer",
    [
        WRONG_TYPE,
        cancel_party_registration(),
        created_party_registration("", registered=False, code="463"),
        distribute_event(event_id="event-1"),
        registered_report("r-1", report_request("1", "s", "a", "b")),
        create_report(report_request("1", "s", "a"), report_request("2", "s", "a", back="PT0S", length=None)),
        cancel_report("1", "2", to_follow=True),
    ],
)
def test_scripted_documents_are_schema_valid(answer: Answer, validate: Callable[[bytes], None]) -> None:
    validate(answer.body)


def test_scripts_are_answered_in_order_and_then_well() -> None:
    with ScriptedVtn() as vtn:
        vtn.script("oadrPoll", HTML_PAGE)
        vtn.script("*", EMPTY, HALF_A_DOCUMENT)
        assert post(vtn, "oadrPoll") == HTML_PAGE.body
        assert post(vtn, "oadrPoll") == b""
        assert post(vtn, "oadrPoll") == HALF_A_DOCUMENT.body
        assert b"oadrResponse" in post(vtn, "oadrPoll")


def test_errors_and_broken_connections() -> None:
    with ScriptedVtn() as vtn:
        vtn.script("*", SERVER_ERROR, BROKEN_OFF)
        with pytest.raises(urllib.error.HTTPError, match="500") as error:
            post(vtn, "oadrPoll")
        error.value.close()
        with pytest.raises(Exception, match="IncompleteRead"):
            post(vtn, "oadrPoll")


def test_it_goes_down_and_comes_up_at_one_address() -> None:
    with ScriptedVtn() as vtn:
        assert post(vtn, "oadrPoll")
        vtn.go_down()
        with pytest.raises(urllib.error.URLError, match="refused"):
            post(vtn, "oadrPoll")
        vtn.come_up()
        assert post(vtn, "oadrPoll")
