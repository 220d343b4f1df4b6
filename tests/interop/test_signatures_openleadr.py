"""Signatures across implementations: OpenLEADR verifies what we seal, and we open what it signs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme

from oadr_core.errors import RemoteError
from oadr_core.model import EiResponse, Poll, Response
from oadr_core.security import Signer, Style, Trust, fingerprint, open_envelope, seal
from tests.interop.peer_process import Peer, running_peer

pytestmark = pytest.mark.interop


class Party(NamedTuple):
    certificate: bytes
    key: bytes


@pytest.fixture(scope="module")
def ask(peer_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    log = tmp_path_factory.mktemp("signatures") / "peer.log"
    with running_peer(peer_python, log, "openleadr_signatures.py") as running:
        running.wait("ready")
        yield Asking(running)


@pytest.fixture(scope="module", params=["RSA", "ECDSA"])
def party(request: pytest.FixtureRequest) -> Party:
    issued = trustme.CA().issue_cert("ven.example", key_type=trustme.KeyType[request.param])
    return Party(issued.cert_chain_pems[0].bytes(), issued.private_key_pem.bytes())


class Asking:
    """Questions to the peer, each with a number by which its answer is known."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._numbers = itertools.count()

    def __call__(self, do: str, saw: str, **details: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._peer.tell(do, number=number, **details)
        return self._peer.wait(saw, lambda observation: observation["number"] == number)


def now() -> datetime:
    return datetime.now(UTC)


MESSAGES = [
    Poll(ven_id="ven & co <1>"),
    Response(ei_response=EiResponse(response_code="200", request_id="r-1"), ven_id="ven-1"),
]


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("payload", MESSAGES, ids=lambda payload: type(payload).__name__)
def test_openleadr_verifies_what_we_seal(ask: Asking, party: Party, style: Style, payload: Any) -> None:
    signer = Signer.from_pem(party.certificate, party.key, style=style)
    data = seal(payload, signer=signer, now=now(), nonce=f"{type(payload).__name__}/{style.name}")
    answer = ask("verify", "verified", text=data.decode(), fingerprint=signer.fingerprint)
    assert answer["complaint"] == ""
    assert answer["payload"]["ven_id"] == payload.ven_id


def test_openleadr_refuses_what_was_changed(ask: Asking, party: Party) -> None:
    signer = Signer.from_pem(party.certificate, party.key)
    data = seal(MESSAGES[0], signer=signer, now=now(), nonce="changed")
    changed = data.decode().replace("ven &amp;", "ven and")
    assert ask("verify", "verified", text=changed, fingerprint=signer.fingerprint)["complaint"]


def test_we_open_what_openleadr_signs(ask: Asking, party: Party) -> None:
    pems = {"certificate": party.certificate.decode(), "key": party.key.decode()}
    signed = ask("sign", "signed", message="oadrPoll", payload={"ven_id": "ven-1"}, **pems)
    data = signed["text"].encode()
    trust = Trust(fingerprints=[fingerprint(party.certificate)])
    assert open_envelope(data, trust=trust, now=now()).payload == Poll(ven_id="ven-1")
    with pytest.raises(RemoteError):
        open_envelope(data.replace(b"ven-1", b"ven-2"), trust=trust, now=now())
    with pytest.raises(RemoteError):
        open_envelope(data, trust=trust, now=now() + timedelta(minutes=6))
