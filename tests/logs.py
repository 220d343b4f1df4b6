"""What the library logs, as observations that a test can wait for."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from tests.observations import Observations


class _Collector(logging.Handler):
    def __init__(self, seen: Observations) -> None:
        super().__init__()
        self._seen = seen

    def emit(self, record: logging.LogRecord) -> None:
        self._seen.add(record.levelname, text=record.getMessage())


@contextmanager
def logged(level: int = logging.INFO) -> Iterator[Observations]:
    """Collect what the logger ``oadr`` says, by the name of its level, while the block lasts."""
    logger = logging.getLogger("oadr")
    seen = Observations()
    collector, before = _Collector(seen), logger.level
    logger.addHandler(collector)
    logger.setLevel(level)
    try:
        yield seen
    finally:
        logger.removeHandler(collector)
        logger.setLevel(before)
