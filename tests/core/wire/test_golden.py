"""Messages that were on the wire, and the samples of annex A."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from oadr_core import decode, encode
from oadr_core.model import MESSAGES
from tests.documents import meaning, message_of
from tests.golden import ANNEX_A, PEERS, name

Check = Callable[[bytes], None]
ALL = [*ANNEX_A, *PEERS]


@pytest.mark.parametrize("path", ANNEX_A, ids=name)
def test_sample_of_annex_a_is_read_without_complaint(path: Path) -> None:
    envelope = decode(path.read_bytes(), strict=True)
    assert envelope.deviations == ()
    assert f"oadr{type(envelope.payload).__name__}" in path.name


def test_annex_a_has_all_messages() -> None:
    assert {type(decode(path.read_bytes()).payload) for path in ANNEX_A} == set(MESSAGES.values())


@pytest.mark.parametrize("path", ALL, ids=name)
def test_what_was_read_can_be_written(path: Path, validate: Check) -> None:
    payload = decode(path.read_bytes()).payload
    written = encode(payload)
    validate(written)
    assert decode(written).payload == payload


@pytest.mark.parametrize("path", [path for path in ALL if "invalid" not in path.name], ids=name)
def test_valid_message_means_the_same_after_a_round_trip(path: Path) -> None:
    written = encode(decode(path.read_bytes()).payload)
    assert meaning(message_of(written)) == meaning(message_of(path.read_bytes()))


@pytest.mark.parametrize("path", ALL, ids=name)
def test_deviations_are_those_that_the_name_tells(path: Path) -> None:
    rules = {deviation.rule for deviation in decode(path.read_bytes()).deviations}
    assert ("PS 10.6" in rules) is ("bare" in path.name)
    assert ("schema" in rules) is ("invalid" in path.name)


@pytest.mark.parametrize("path", ALL, ids=name)
def test_signature_is_reported(path: Path) -> None:
    assert decode(path.read_bytes()).signed is ("signed" in path.name)


@pytest.mark.parametrize("path", PEERS, ids=name)
def test_every_deviation_says_where(path: Path) -> None:
    data = path.read_bytes()
    lines = data.count(b"\n") + 1
    for deviation in decode(data).deviations:
        assert deviation.line is not None
        assert 1 <= deviation.line <= lines
        assert str(deviation) == f"{deviation.path} (line {deviation.line}): {deviation.text} [{deviation.rule}]"


def test_golden_verdicts_are_the_schemas(official_schema: etree.XMLSchema) -> None:
    for path in ALL:
        assert official_schema.validate(etree.parse(str(path))) is ("invalid" not in path.name), path
