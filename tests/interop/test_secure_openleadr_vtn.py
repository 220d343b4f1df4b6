"""Our VEN, by the documented client API, against OpenLEADR's VTN over mutual TLS, with signatures both ways."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trustme

from oadr_core.security import fingerprint
from oadr_transports.options import trust_of
from tests.interop.peer_process import Peer, running_peer
from tests.logs import logged
from tests.observations import Observations
from tests.running import CLIENTS, running

pytestmark = pytest.mark.interop


@pytest.fixture(params=CLIENTS)
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def anyio_backend(driver: str) -> str:
    """The loop in which the driver runs; threads need none, and the test has one."""
    return CLIENTS[driver][1]


@attrs.frozen
class Files:
    """Certificates and keys of a small public-key infrastructure, made for one test."""

    authority: Path
    vtn: Path
    vtn_key: Path
    ven: Path
    ven_key: Path


@pytest.fixture(params=[trustme.KeyType.RSA, trustme.KeyType.ECDSA], ids=["rsa", "ec"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    authority = trustme.CA(key_type=request.param)
    found = Files(*(tmp_path / f"{name}.pem" for name in ("ca", "vtn", "vtn-key", "ven", "ven-key")))
    authority.cert_pem.write_to_path(str(found.authority))
    for cert, key in ((found.vtn, found.vtn_key), (found.ven, found.ven_key)):
        issued = authority.issue_cert("127.0.0.1", key_type=request.param)
        cert.write_bytes(issued.cert_chain_pems[0].bytes())
        key.write_bytes(issued.private_key_pem.bytes())
    return found


@pytest.fixture
def secure_vtn(files: Files, peer_python: Path, tmp_path: Path) -> Iterator[Peer]:
    arguments = map(str, (files.vtn, files.vtn_key, files.authority, files.ven))
    with running_peer(peer_python, tmp_path / "peer_vtn.log", "openleadr_vtn.py", *arguments) as peer:
        yield peer


def client_of(driver: str, files: Files, vtn: Peer, **options: Any) -> Any:
    port = vtn.wait("ready")["port"]
    return CLIENTS[driver][0](
        **{
            "ven_name": "Secure",
            "vtn_url": f"https://127.0.0.1:{port}/OpenADR2/Simple/2.0b",
            "cert": files.ven,
            "key": files.ven_key,
            "ca_file": files.authority,
            "vtn_fingerprint": fingerprint(files.vtn.read_bytes()),
            **options,
        }
    )


async def test_signed_messages_are_believed_on_both_sides(driver: str, files: Files, secure_vtn: Peer) -> None:
    ours = Observations()
    client = client_of(driver, files, secure_vtn)
    client.add_handler("on_event", lambda event: ours.add("event", event=event) or "optIn")
    sent: list[str] = []
    client.add_hook("before_send_xml", sent.append)
    async with running(client):
        ven_id = (await secure_vtn.seen("registered"))["ven_id"]
        secure_vtn.tell(
            "add_event", ven_id=ven_id, event_id="event-1", starts_in_s=60, interval_s=300, values=[0.1, 0.2, 0.3]
        )
        assert len((await ours.seen("event"))["event"]["event_signals"][0]["intervals"]) == 3
        assert (await secure_vtn.seen("opt"))["opt_type"] == "optIn"
    assert all("<ds:Signature " in document for document in sent)


async def test_vtn_with_another_fingerprint_gets_no_message(driver: str, files: Files, secure_vtn: Peer) -> None:
    client = client_of(driver, files, secure_vtn, vtn_fingerprint="AA:BB:CC:DD:EE:FF:00:11:22:33")
    with logged() as lines:
        async with running(client):
            warning = await lines.seen("WARNING", lambda each: "no connection" in each["text"])
    assert "its fingerprint is" in warning["text"]
    assert client.registration is None
    assert not secure_vtn.all("received")


async def test_message_signed_by_another_is_warned_about_and_reaches_no_handler(
    driver: str, files: Files, secure_vtn: Peer
) -> None:
    """The connection is the right one, the signature is not."""
    ours = Observations()
    client = client_of(driver, files, secure_vtn)
    client._trust = trust_of(("AA:BB:CC:DD:EE:FF:00:11:22:33",))
    client.add_hook("after_receive_xml", lambda text: ours.add("reply"))
    with logged() as lines:
        async with running(client):
            await ours.seen("reply", count=2)
            warning = await lines.seen("WARNING", lambda each: "not believed" in each["text"])
    assert client.registration is None
    assert "not believed" in warning["text"]
    assert "not a trusted one" in warning["text"]


async def test_unsigned_messages_are_sent_when_signing_is_disabled(driver: str, files: Files, secure_vtn: Peer) -> None:
    sent: list[str] = []
    client = client_of(driver, files, secure_vtn, disable_signature=True)
    client.add_hook("before_send_xml", sent.append)
    ours = Observations()
    client.add_hook("after_receive_xml", lambda text: ours.add("reply"))
    async with running(client):
        await ours.seen("reply")
    assert not any("<ds:Signature" in document for document in sent)
