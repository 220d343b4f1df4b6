"""The faster loop and parser of `oadr[speed]`: the same protocol, certificates and all."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from oadr_core.vtn import VenRegistered
from oadr_transports import OpenADRClient, Vtn
from tests.logs import logged
from tests.pki import Pki
from tests.running import running

DEADLINE_S = 20.0


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """asyncio on uvloop."""
    return "asyncio", {"use_uvloop": True}


@pytest.mark.parametrize("parser", ["h11", "httptools"])
async def test_mutual_tls_on_uvloop(parser: str, tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    vtn_party, ven_party = pki.issue("vtn"), pki.issue("ven")
    vtn = Vtn(
        vtn_id="VTN",
        cert=vtn_party.cert,
        key=vtn_party.key,
        ca_file=pki.ca_file,
        requested_poll_freq=timedelta(seconds=1),
    )
    async with vtn.serve(http=parser) as server, vtn.notifications() as notes:
        options = {"cert": ven_party.cert, "key": ven_party.key, "ca_file": pki.ca_file}
        async with running(OpenADRClient("v", server.url, vtn_fingerprint=vtn_party.fingerprint, **options)):
            with anyio.fail_after(DEADLINE_S):
                registered = await anext(notes)
    assert isinstance(registered, VenRegistered)
    [ven] = vtn.vens.values()
    assert ven.fingerprint == ven_party.fingerprint.replace(":", "").lower()


async def test_wrong_server_is_refused_before_anything_is_sent_on_uvloop(tmp_path: Path) -> None:
    """The fingerprint is checked in the handshake, which is another one there."""
    pki = Pki(tmp_path)
    vtn_party, ven_party = pki.issue("vtn"), pki.issue("ven")
    seen: list[str] = []
    vtn = Vtn(
        vtn_id="VTN",
        cert=vtn_party.cert,
        key=vtn_party.key,
        ca_file=pki.ca_file,
        transcript=lambda direction, service, data: seen.append(service),
    )
    async with vtn.serve() as server:
        options = {"cert": ven_party.cert, "key": ven_party.key, "ca_file": pki.ca_file}
        with logged() as lines:
            async with running(OpenADRClient("v", server.url, vtn_fingerprint=ven_party.fingerprint, **options)):
                await lines.seen("WARNING", lambda each: f"its fingerprint is {vtn_party.fingerprint}" in each["text"])
    assert not seen


def test_commands_run_on_it_where_it_is() -> None:
    code = (
        "import asyncio, signal\n"
        "from oadr_transports.cli.until import run_until_stopped\n"
        "async def main():\n"
        "    print(type(asyncio.get_running_loop()).__module__)\n"
        "run_until_stopped(main)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "uvloop"
