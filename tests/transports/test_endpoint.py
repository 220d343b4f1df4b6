"""The door of a VEN that is pushed to."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from oadr_core.engine import Input, Output
from oadr_transports.endpoint import PLAIN, Endpoint
from oadr_transports.tls import server_context
from tests.logs import logged
from tests.pki import Pki


@pytest.fixture
def anyio_backend() -> str:
    """uvicorn runs under asyncio."""
    return "asyncio"


@pytest.mark.parametrize("secure", [False, True])
async def test_plain_http_is_logged_as_insecure(tmp_path: Path, secure: bool) -> None:
    pki = Pki(tmp_path)
    ven = pki.issue("ven")

    async def nobody(_: Input) -> tuple[Output, ...]:
        raise AssertionError

    tls = server_context(ven.cert, ven.key, ca_file=pki.ca_file) if secure else None
    with logged() as lines, anyio.fail_after(20):
        async with Endpoint(nobody, ()).listening(("127.0.0.1", 0), tls) as port:
            assert port
    warnings = [line["text"] for line in lines.all("WARNING")]
    assert warnings == ([] if secure else [PLAIN])
