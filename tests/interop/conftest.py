"""Fixtures of the interop tests: the other implementation's VTN and VEN as running processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.interop.peer_process import Peer, running_peer


@pytest.fixture
def peer_vtn(peer_python: Path, tmp_path: Path) -> Iterator[Peer]:
    """A running peer VTN."""
    with running_peer(peer_python, tmp_path / "peer_vtn.log", "openleadr_vtn.py") as peer:
        yield peer


@pytest.fixture
def peer_vtn_url(peer_vtn: Peer) -> str:
    """The address a VEN needs for the peer VTN."""
    return f"http://127.0.0.1:{peer_vtn.wait('ready')['port']}/OpenADR2/Simple/2.0b"


@pytest.fixture
def start_peer_ven(peer_python: Path, tmp_path: Path) -> Callable[[str, str], AbstractContextManager[Peer]]:
    """A function that starts a peer VEN, given the VTN's address and the VEN's name."""

    def start(vtn_url: str, ven_name: str) -> AbstractContextManager[Peer]:
        return running_peer(peer_python, tmp_path / f"{ven_name}.log", "openleadr_ven.py", vtn_url, ven_name)

    return start
