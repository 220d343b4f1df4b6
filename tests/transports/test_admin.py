"""The admin API: what it answers, and to whom."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import httpx2
import pytest

from oadr_core import LocalError, decode, encode
from oadr_core.model import CreatePartyRegistration, Poll
from oadr_transports import Vtn
from oadr_transports.admin import Contact, ContactFile, admin_app, serve_admin
from oadr_transports.admin.contact import find, new_token
from oadr_transports.admin.server import is_local

TOKEN = "a-token-of-the-tests"
START = datetime(2035, 1, 1, tzinfo=UTC)


@pytest.fixture
def vtn() -> Vtn:
    return Vtn(vtn_id="VTN-1", identity="insecure")


@asynccontextmanager
async def admin(vtn: Vtn, token: str = TOKEN) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=admin_app(vtn, TOKEN))
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx2.AsyncClient(transport=transport, base_url="http://admin/v1", headers=headers) as client:
        yield client


async def post(vtn: Vtn, service: str, payload: Any) -> Any:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=vtn.app), base_url="http://vtn") as client:
        reply = await client.post(
            f"/OpenADR2/Simple/2.0b/{service}", content=encode(payload), headers={"Content-Type": "application/xml"}
        )
    return decode(reply.content).payload


async def register(vtn: Vtn, name: str = "ven") -> str:
    reply = await post(vtn, "EiRegisterParty", CreatePartyRegistration(request_id="r", oadr_ven_name=name))
    assert isinstance(reply.ven_id, str)
    return reply.ven_id


def simple(**more: Any) -> dict[str, Any]:
    return {
        "signal_name": "SIMPLE",
        "signal_type": "level",
        "start": "2035-01-01T00:00:00Z",
        "intervals": [{"duration": "PT30M", "value": 1}, {"duration": 1800, "value": 2}],
        **more,
    }


# --- who ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "wrong-token-wrong-token", f"{TOKEN} ", TOKEN[:-1], TOKEN + "x"])
async def test_nobody_gets_in_without_the_token(vtn: Vtn, token: str) -> None:
    async with admin(vtn, token) as client:
        for method, path in [("GET", "/events"), ("POST", "/events"), ("GET", "/nonsense")]:
            reply = await client.request(method, path, json=simple() if method == "POST" else None)
            assert reply.status_code == 401
            assert reply.headers["www-authenticate"] == "Bearer"
    assert not vtn.events


def test_short_token_is_refused(vtn: Vtn) -> None:
    with pytest.raises(LocalError, match="at least 16"):
        admin_app(vtn, "short")


def test_tokens_are_long_and_never_the_same() -> None:
    assert len({new_token() for _ in range(100)}) == 100
    assert len(new_token()) >= 40


# --- events ---------------------------------------------------------------------------------------------------------


async def test_event_is_created_shown_changed_and_cancelled(vtn: Vtn) -> None:
    ven_id = await register(vtn)
    async with admin(vtn) as client:
        reply = await client.post("/events", json=simple(priority=1, comment="cold", start_after="PT5M"))
        assert reply.status_code == 201
        made = reply.json()
        event_id = made["event_id"]
        assert made["status"] == "far"
        assert (made["start"], made["end"]) == ("2035-01-01T00:00:00Z", "2035-01-01T01:00:00Z")
        assert (made["priority"], made["comment"], made["start_after_s"]) == (1, "cold", 300)
        [signal] = made["signals"]
        assert [(one["start"], one["duration"], one["value"]) for one in signal["intervals"]] == [
            ("2035-01-01T00:00:00Z", "PT30M", 1.0),
            ("2035-01-01T00:30:00Z", "PT30M", 2.0),
        ]
        [delivery] = made["deliveries"]
        assert (delivery["ven_id"], delivery["state"], delivery["opt"]) == (ven_id, "waiting", None)
        await post(vtn, "OadrPoll", Poll(ven_id=ven_id))
        [delivery] = (await client.get(f"/events/{event_id}")).json()["deliveries"]
        assert (delivery["state"], delivery["modification_number"]) == ("delivered", 0)
        changed = (await client.patch(f"/events/{event_id}", json={"priority": None, "reason": "so"})).json()
        assert (changed["modification_number"], changed["priority"]) == (1, None)
        cancelled = (await client.post(f"/events/{event_id}/cancel", json={"reason": "enough"})).json()
        assert (cancelled["status"], cancelled["modification_number"]) == ("cancelled", 2)
        [listed] = (await client.get("/events")).json()["events"]
        assert listed["event_id"] == event_id
        assert "deliveries" not in listed


async def test_event_of_several_signals_in_the_form_of_messages(vtn: Vtn) -> None:
    async with admin(vtn) as client:
        whole = (await client.post("/events", json=simple())).json()["event"]
        whole["event_descriptor"]["event_id"] = "another"
        [signal] = whole["ei_event_signals"]["ei_event_signal"]
        whole["ei_event_signals"]["ei_event_signal"].append({**signal, "signal_id": "1"})
        made = (await client.post("/events", json={"event": whole})).json()
    assert made["event_id"] == "another"
    assert [one["signal_id"] for one in made["signals"]] == ["0", "1"]


async def test_events_can_be_chosen(vtn: Vtn) -> None:
    one, other = await register(vtn, "one"), await register(vtn, "other")
    async with admin(vtn) as client:
        for ven_id in (one, other):
            await client.post("/events", json=simple(event_id=f"for {ven_id}", ven_ids=[ven_id]))

        async def ids(**query: str) -> list[str]:
            return [event["event_id"] for event in (await client.get("/events", params=query)).json()["events"]]

        assert await ids() == [f"for {one}", f"for {other}"]
        assert await ids(ven_id=other) == [f"for {other}"]
        assert await ids(status="active") == []
        assert len(await ids(status="far")) == 2


@pytest.mark.parametrize("event_id", ["a/b", "a/cancel", "50%", "%2F", "ä ö", "?x=1#y", ".."])
async def test_identifiers_may_hold_any_character(vtn: Vtn, event_id: str) -> None:
    async with admin(vtn) as client:
        assert (await client.post("/events", json=simple(event_id=event_id))).status_code == 201
        escaped = quote(quote(event_id, safe=""), safe="") if event_id != ".." else "%252E%252E"
        assert (await client.get(f"/events/{escaped}")).json()["event_id"] == event_id
        reply = await client.post(f"/events/{escaped}/cancel")
        assert reply.json()["status"] == "cancelled"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"start": "2035-01-01T00:00:00"}, "start"),
        ({"start": "soon"}, "start"),
        ({"start": 5}, "start"),
        ({"intervals": []}, "intervals"),
        ({"intervals": [{"duration": "PT5M"}]}, "intervals[0]"),
        ({"intervals": [{"duration": "P1M", "value": 1}]}, "intervals[0]/duration"),
        ({"intervals": [{"duration": 1e400, "value": 1}]}, "intervals[0]/duration"),
        ({"intervals": [{"duration": 5, "value": "x"}]}, "intervals[0]/value"),
        ({"priority": -1}, "priority"),
        ({"priority": True}, "priority"),
        ({"targets": {"resource_id": "r"}}, "targets/resource_id"),
        ({"targets": {"nonsense": ["r"]}}, "targets"),
        ({"ven_ids": ["nobody"]}, "ven_ids"),
        ({"groups": ["none"]}, "groups"),
        ({"signal_name": "NONSENSE"}, "signal_name"),
        ({"prioritty": 1}, "prioritty"),
        ({"response_required": "maybe"}, "response_required"),
        ({"test_event": "yes"}, "test_event"),
    ],
)
async def test_wrong_event_is_refused_and_the_field_is_named(vtn: Vtn, body: dict[str, Any], path: str) -> None:
    async with admin(vtn) as client:
        text = json.dumps(simple(**body))
        reply = await client.post("/events", content=text, headers={"Content-Type": "application/json"})
    assert reply.status_code == 400
    assert reply.json()["path"] == path
    assert not vtn.events


async def test_the_past_cannot_be_changed(vtn: Vtn) -> None:
    begin = datetime.now(UTC) - timedelta(minutes=10)
    async with admin(vtn) as client:
        event_id = (await client.post("/events", json=simple(start=begin.isoformat()))).json()["event_id"]
        reply = await client.patch(f"/events/{event_id}", json={"start": "2035-01-01T00:00:00Z"})
    assert reply.status_code == 400
    assert reply.json()["rule"] == "R20"


@pytest.mark.parametrize("content", [b"{", b"[1]", b'"x"', b"\xff", b"[" * 100_000])
async def test_what_is_no_object_is_refused(vtn: Vtn, content: bytes) -> None:
    async with admin(vtn) as client:
        reply = await client.post("/events", content=content)
    assert reply.status_code == 400
    assert reply.json()["error"]


async def test_large_body_is_refused(vtn: Vtn) -> None:
    async with admin(vtn) as client:
        reply = await client.post("/events", content=b" " * 2_000_000)
    assert reply.status_code == 413


async def test_unknown_things_and_methods(vtn: Vtn) -> None:
    async with admin(vtn) as client:
        codes = [
            (await client.request(method, path)).status_code
            for method, path in [
                ("GET", "/events/none"),
                ("PATCH", "/events/none"),
                ("POST", "/events/none/cancel"),
                ("GET", "/vens/none"),
                ("DELETE", "/groups/none"),
                ("GET", "/nonsense"),
                ("DELETE", "/events"),
            ]
        ]
    assert codes == [404, 404, 404, 404, 404, 404, 405]


# --- VENs and groups ------------------------------------------------------------------------------------------------


async def test_vens_are_listed_asked_and_dropped(vtn: Vtn) -> None:
    ven_id = await register(vtn)
    async with admin(vtn) as client:
        [listed] = (await client.get("/vens")).json()["vens"]
        assert (listed["ven_id"], listed["ven_name"], listed["transport"]) == (ven_id, "ven", "pull")
        assert (await client.post(f"/vens/{ven_id}/reregister")).status_code == 202
        shown = (await client.get(f"/vens/{ven_id}")).json()
        assert shown["waiting"] == ["oadrRegisterReport", "oadrRequestReregistration"]
        assert (await client.post(f"/vens/{ven_id}/cancel")).status_code == 202
        assert ven_id in vtn.vens
        assert (await client.post(f"/vens/{ven_id}/cancel", json={"at_once": True})).status_code == 200
        assert not vtn.vens
        status = (await client.get("/status")).json()
    assert status == {"vtn_id": "VTN-1", "vens": 0, "live_events": 0, "events": 0, "keeps_values": False}


async def test_groups(vtn: Vtn) -> None:
    ven_id = await register(vtn)
    async with admin(vtn) as client:
        assert (await client.put("/groups/north", json={"ven_ids": [ven_id]})).json()["ven_ids"] == [ven_id]
        made = (await client.post("/events", json=simple(groups=["north"]))).json()
        assert made["ven_ids"] == [ven_id]
        assert (await client.get("/groups")).json() == {"groups": {"north": [ven_id]}}
        assert (await client.delete("/groups/north")).status_code == 204
        assert (await client.get("/groups")).json() == {"groups": {}}


# --- over sockets ---------------------------------------------------------------------------------------------------

only_asyncio = pytest.mark.parametrize("anyio_backend", ["asyncio"])


@only_asyncio
async def test_notifications_are_a_line_each(vtn: Vtn) -> None:
    async with (
        vtn.running(),
        serve_admin(vtn) as contact,
        httpx2.AsyncClient(base_url=contact.url, headers={"Authorization": f"Bearer {contact.token}"}) as client,
        client.stream("GET", "/v1/notifications") as reply,
    ):
        lines = (line async for line in reply.aiter_lines() if line)
        await client.post("/v1/events", json=simple(event_id="e"))
        with anyio.fail_after(10):
            first, second = json.loads(await anext(lines)), json.loads(await anext(lines))
    assert (first["kind"], first["event_id"], first["modification_number"]) == ("EventPublished", "e", 0)
    assert (second["kind"], second["status"]) == ("EventStatusChanged", "far")
    assert first["time"].endswith("Z")


@only_asyncio
async def test_contact_file_is_for_its_owner_only_and_goes_with_the_server(vtn: Vtn, tmp_path: Path) -> None:
    file = tmp_path / "deep" / "vtn.admin"
    async with vtn.running(), serve_admin(vtn, file=file) as contact:
        assert ContactFile(file).read() == contact
        assert file.stat().st_mode & 0o777 == 0o600
        assert contact.url.startswith("http://127.0.0.1:")
        assert contact.token not in repr(contact)
    assert not file.exists()


@only_asyncio
async def test_unix_socket_is_for_its_owner_only(vtn: Vtn, tmp_path: Path) -> None:
    path = tmp_path / "a"
    async with vtn.running(), serve_admin(vtn, address=f"unix:{path}") as contact:
        assert path.stat().st_mode & 0o777 == 0o600
        transport = httpx2.AsyncHTTPTransport(uds=str(path))
        headers = {"Authorization": f"Bearer {contact.token}"}
        async with httpx2.AsyncClient(transport=transport, base_url="http://vtn", headers=headers) as client:
            assert (await client.get("/v1/status")).json()["vtn_id"] == "VTN-1"
    async with vtn.running(), serve_admin(vtn, address=f"unix:{path}"):  # what a killed server leaves is replaced
        pass


@only_asyncio
async def test_socket_that_is_in_use_is_not_taken_over(vtn: Vtn, tmp_path: Path) -> None:
    address = f"unix:{tmp_path / 'a'}"
    async with vtn.running(), serve_admin(vtn, address=address):
        with pytest.raises(OSError, match="in use"):
            async with serve_admin(vtn, address=address):
                pass


def test_contacts_of_others_are_not_believed(tmp_path: Path) -> None:
    file = tmp_path / "f"
    with pytest.raises(LocalError, match="is a VTN running"):
        ContactFile(file).read()
    for text in ("", "{}", '{"url": "http://a", "token": "short"}', "[]", '{"url": 1}'):
        file.write_text(text)
        with pytest.raises(LocalError):
            ContactFile(file).read()


def test_contact_is_found_by_option_then_environment_then_state(tmp_path: Path) -> None:
    state = tmp_path / "vtn.db"
    with ContactFile(tmp_path / "vtn.db.admin").written(Contact(url="http://127.0.0.1:1", token=TOKEN)):
        assert find(None, None, state, {}) == Contact(url="http://127.0.0.1:1", token=TOKEN)
        other = {"OADR_ADMIN": "http://127.0.0.1:2", "OADR_ADMIN_TOKEN": TOKEN[::-1]}
        assert find(None, None, None, other) == Contact(url="http://127.0.0.1:2", token=TOKEN[::-1])
        assert find("unix:/x", None, None, other).url == "unix:/x"
        with pytest.raises(LocalError, match="the token of"):
            find("http://127.0.0.1:2", None, None, {})


@pytest.mark.parametrize(
    ("address", "local"),
    [("127.0.0.1:0", True), ("[::1]:80", True), ("localhost:1", True), ("unix:/x", True), ("0.0.0.0:1", False)],
)
def test_what_only_this_machine_reaches(address: str, local: bool) -> None:
    assert is_local(address) is local


@pytest.mark.parametrize("address", ["", "x", "h:", "h:x", "h:70000", ":1"])
def test_address_that_is_none(address: str) -> None:
    with pytest.raises(LocalError, match="host:port or unix:/path"):
        is_local(address)
