"""OpenLEADR's VEN against our VTN over mutual TLS, with signatures both ways."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest

from oadr_transports import Vtn
from tests.interop.peer_process import Peer, running_peer
from tests.interop.test_our_vtn_with_openleadr_ven import noted
from tests.logs import logged
from tests.pki import KINDS, Party, Pki

pytestmark = pytest.mark.interop

INTERVAL = timedelta(minutes=5)


@pytest.fixture
def anyio_backend() -> str:
    """uvicorn runs under asyncio."""
    return "asyncio"


@pytest.fixture(params=KINDS)
def pki(request: pytest.FixtureRequest, tmp_path: Path) -> Pki:
    return Pki(tmp_path, request.param)


class Start(Protocol):
    """Starts a peer VEN with the certificate of a party."""

    def __call__(self, url: str, name: str, own: Party, vtn: Party) -> AbstractContextManager[Peer]: ...


@pytest.fixture
def start(peer_python: Path, tmp_path: Path, pki: Pki) -> Start:
    def run(url: str, name: str, own: Party, vtn: Party) -> AbstractContextManager[Peer]:
        arguments = (url, name, str(own.cert), str(own.key), str(pki.ca_file), vtn.fingerprint)
        return running_peer(peer_python, tmp_path / f"{name}.log", "openleadr_ven.py", *arguments)

    return run


def secure_vtn(pki: Pki, party: Party, **options: Any) -> Vtn:
    given = {"cert": party.cert, "key": party.key, "ca_file": pki.ca_file, "require_signature": True, **options}
    return Vtn(vtn_id="VTN-1", requested_poll_freq=timedelta(seconds=1), **given)


async def test_main_job(pki: Pki, start: Start) -> None:
    ours, theirs = pki.issue("vtn"), pki.issue("ven")
    passed: list[bytes] = []
    vtn = secure_vtn(pki, ours, transcript=lambda direction, service, data: passed.append(data))
    async with vtn.serve() as server, noted(vtn) as seen:
        with start(server.url, "PeerVEN", theirs, ours) as ven:
            registered = (await seen.seen("VenRegistered"))["note"]
            assert (await ven.seen("registered"))["ven_id"] == registered.ven_id
            known = vtn.vens[registered.ven_id]
            assert known.fingerprint == theirs.fingerprint.replace(":", "").lower()
            assert known.guard is not None
            await seen.seen("ReportRequestConfirmed")
            event_id = vtn.publish_event(
                signal_name="ELECTRICITY_PRICE",
                signal_type="price",
                dtstart=datetime.now(UTC) + timedelta(minutes=1),
                intervals=[(INTERVAL, price) for price in (0.1, 0.2, 0.3)],
                market_context="http://example.com/prices",
            )
            assert (await ven.seen("event"))["event"]["event_descriptor"]["event_id"] == event_id
            opted = (await seen.seen("OptReceived"))["note"]
            assert (opted.event_id, opted.opt_type) == (event_id, "optIn")
            assert (await seen.seen("ReportReceived"))["note"].ven_id == registered.ven_id
            vtn.cancel_event(event_id)
            await ven.seen("event_updated")
    assert all(b"Signature" in data for data in passed)


async def test_ven_under_the_name_of_another_is_refused(pki: Pki, start: Start) -> None:
    ours, theirs, thief = pki.issue("vtn"), pki.issue("ven"), pki.issue("thief")
    vtn = secure_vtn(pki, ours, vens={"PeerVEN": "VEN-A"})
    async with vtn.serve() as server, noted(vtn) as seen:
        with start(server.url, "PeerVEN", theirs, ours):
            await seen.seen("VenRegistered")
        before = vtn.vens["VEN-A"]
        with start(server.url, "PeerVEN", thief, ours):
            trouble = (await seen.seen("Trouble", lambda each: each["note"].code in ("452", "463")))["note"]
            assert thief.fingerprint in trouble.text
        assert vtn.vens["VEN-A"].fingerprint == before.fingerprint
        assert vtn.vens["VEN-A"].registration_id == before.registration_id
        assert len(vtn.vens) == 1


async def test_peer_with_a_certificate_of_another_authority_is_not_let_in(
    pki: Pki, start: Start, tmp_path: Path
) -> None:
    ours = pki.issue("vtn")
    (tmp_path / "elsewhere").mkdir()
    stranger = Pki(tmp_path / "elsewhere", pki.kind).issue("stranger")
    vtn = secure_vtn(pki, ours)
    with logged() as lines:
        async with vtn.serve() as server:
            with start(server.url, "Stranger", stranger, ours):
                refused = await lines.seen("WARNING", lambda each: "handshake has failed" in each["text"])
    assert "certificate is not accepted" in refused["text"]
    assert not vtn.vens
