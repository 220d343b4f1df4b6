"""Our own carriers and stores, proved with the kits that we publish."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oadr_transports.http import HttpCarrier
from oadr_transports.http_aiohttp import AiohttpCarrier
from oadr_transports.http_requests import RequestsCarrier
from oadr_transports.stores import MemoryStore, SqliteStore, Store
from oadr_transports.testing import (
    Outcome,
    carrier_checks,
    check_carrier,
    check_store,
    over_http,
    store_checks,
)

CARRIERS: dict[str, tuple[Any, str]] = {
    "httpx2 under asyncio": (HttpCarrier, "asyncio"),
    "httpx2 under trio": (HttpCarrier, "trio"),
    "aiohttp": (AiohttpCarrier, "asyncio"),
    "requests": (RequestsCarrier, "asyncio"),
}
STORES: dict[str, tuple[Callable[[Path], Store], list[str]]] = {
    "memory": (lambda folder: MemoryStore(), ["durability"]),
    "sqlite": (lambda folder: SqliteStore(folder / "state.db"), []),
}


@pytest.mark.filterwarnings(  # httpx2 leaves a generator open when it cannot decompress; trio alone mentions it
    "ignore:(?s).*Async generator 'httpcore2:ResourceWarning",
    "ignore:(?s).*httpcore2:pytest.PytestUnraisableExceptionWarning",
    "ignore:(?s).*PoolByteStream:pytest.PytestUnraisableExceptionWarning",
)
@pytest.mark.parametrize("check", carrier_checks(http=True))
@pytest.mark.parametrize("name", CARRIERS)
def test_carrier(name: str, check: str) -> None:
    carrier, backend = CARRIERS[name]
    [result] = check_carrier(over_http(carrier), only=[check], backend=backend)
    no_tasks = name == "requests" and "cancelled" in check
    assert result.outcome is (Outcome.NOT_CHECKED if no_tasks else Outcome.PASSED)


@pytest.mark.parametrize("check", store_checks())
@pytest.mark.parametrize("name", STORES)
def test_store(name: str, check: str) -> None:
    make, without = STORES[name]
    [result] = check_store(make, without=without, only=[check])
    if name == "sqlite":
        assert result.outcome is Outcome.PASSED
