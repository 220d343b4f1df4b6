"""The other implementation against itself: what the interop tests wait for is what it really does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.interop.peer_process import Peer, event_answer, message
from tests.transports.scripted_vtn import REGISTRATION_ID, ScriptedVtn, distribute_event

pytestmark = pytest.mark.interop


def test_main_job(
    peer_vtn: Peer, peer_vtn_url: str, start_peer_ven: Callable[[str, str], AbstractContextManager[Peer]]
) -> None:
    with start_peer_ven(peer_vtn_url, "PeerVEN") as ven:
        registered = peer_vtn.wait("registered")
        assert registered["ven_name"] == "PeerVEN"
        assert ven.wait("registered")["registration_id"] == registered["registration_id"]

        offered = peer_vtn.wait("report_offered")
        assert (offered["resource_id"], offered["measurement"], offered["unit"]) == ("device001", "Voltage", "V")
        peer_vtn.wait("received", message("oadrCreatedReport"))

        ven_id = registered["ven_id"]
        peer_vtn.tell(
            "add_event", ven_id=ven_id, event_id="event-1", starts_in_s=60, interval_s=300, values=[0.1, 0.2, 0.3]
        )
        event = ven.wait("event")["event"]
        [signal] = event["event_signals"]
        assert [interval["signal_payload"] for interval in signal["intervals"]] == [0.1, 0.2, 0.3]
        peer_vtn.wait("event_delivered")
        assert peer_vtn.wait("opt")["opt_type"] == "optIn"

        [[_when, value], *_] = peer_vtn.wait("report_values")["values"]
        assert value == ven.wait("sampled")["value"]

        peer_vtn.tell("cancel_event", ven_id=ven_id, event_id="event-1")
        updated = ven.wait("event_updated")["event"]
        assert updated["event_descriptor"]["event_status"] == "cancelled"
        peer_vtn.wait("received", event_answer("event-1", modification_number=1))


def test_scripted_vtn_satisfies_a_real_ven(start_peer_ven: Callable[[str, str], AbstractContextManager[Peer]]) -> None:
    with ScriptedVtn() as vtn:
        vtn.script("oadrPoll", distribute_event(event_id="event-1"))
        with start_peer_ven(vtn.url, "PeerVEN") as ven:
            assert ven.wait("registered")["registration_id"] == REGISTRATION_ID
            assert ven.wait("event")["event"]["event_descriptor"]["event_id"] == "event-1"
            answer = vtn.wait("request", lambda seen: seen["message"] == "oadrCreatedEvent")
            assert b"optIn" in answer["body"]
            vtn.wait("request", lambda seen: seen["message"] == "oadrPoll", count=2)
