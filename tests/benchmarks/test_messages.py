"""The measured documents are what the benchmark says they are."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.messages import Message, messages

INTERVALS = {"poll": 0, "event-24": 24, "event-5x288": 5 * 288, "report-288": 288}


@pytest.mark.parametrize("message", messages(), ids=lambda message: message.key)
def test_document_is_schema_valid_and_has_its_intervals(message: Message, validate: Callable[[bytes], None]) -> None:
    validate(message.document)
    assert message.document.count(b"<ei:interval>") == INTERVALS[message.key]
