"""Payloads survive JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import LocalError, decode, encode
from oadr_core.model import DistributeEvent, Duration, LexicalXml, Payload, Poll, SamplingRate
from oadr_core.wire import from_json, to_json
from tests.documents import Node, manners
from tests.golden import ANNEX_A, PEERS, name
from tests.strategies import payloads

[EVENT] = [path.read_text() for path in ANNEX_A if path.stem == "oadrDistributeEvent"]
[SAMPLE] = [path.read_text() for path in ANNEX_A if path.stem == "oadrUpdateReport"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(payload=payloads())
def test_payload_survives_json(payload: Payload) -> None:
    again = from_json(json.loads(json.dumps(to_json(payload), allow_nan=False)))
    assert again == payload
    assert encode(again) == encode(payload)


@given(data=st.data())
def test_what_was_read_survives_json(data: st.DataObject, schema_documents: st.SearchStrategy[Node]) -> None:
    """Unusual texts too: the schema's documents have them, payloads that were built have not."""
    payload = decode(data.draw(manners()).write(data.draw(schema_documents))).payload
    assert encode(from_json(json.loads(json.dumps(to_json(payload), allow_nan=False)))) == encode(payload)


@pytest.mark.parametrize("path", [*ANNEX_A, *PEERS], ids=name)
def test_golden_message_survives_json(path: Path) -> None:
    payload = decode(path.read_bytes()).payload
    assert from_json(json.loads(json.dumps(to_json(payload)))) == payload


@given(data=st.data(), payload=payloads())
def test_damaged_json_is_refused_by_place_or_means_something(data: st.DataObject, payload: Payload) -> None:
    value = to_json(payload)
    _damage(data, value)
    try:
        again = from_json(value)
    except LocalError as error:
        assert error.text  # noqa: PT017  # either outcome is right
    else:
        encode(again)


def _damage(data: st.DataObject, value: Any) -> None:
    key = data.draw(st.sampled_from(sorted(value)) if isinstance(value, dict) else st.integers(0, len(value) - 1))
    if isinstance(value[key], (dict, list)) and value[key] and data.draw(st.booleans()):
        _damage(data, value[key])
    else:
        value[key] = data.draw(VALUES)


@given(value=VALUES)
def test_other_json_is_refused(value: Any) -> None:
    with pytest.raises(LocalError):
        from_json(value)


@pytest.mark.parametrize("text", ["INF", "-INF", "NaN", "1.50", "-0", "1E5"])
def test_number_that_json_does_not_have_is_text(text: str) -> None:
    document = SAMPLE.replace("<ei:value>12.5<", f"<ei:value>{text}<").encode()
    payload = decode(document).payload
    again = from_json(json.loads(json.dumps(to_json(payload), allow_nan=False)))
    assert encode(again) == encode(payload)
    assert f"<ei:value>{text}<".encode() in encode(again)


def test_attributes_of_components_survive_json() -> None:
    value = LexicalXml('<ns0:a xmlns:ns0="urn:a"></ns0:a>', 'b="1"')
    payload = decode(EVENT.encode()).payload
    assert isinstance(payload, DistributeEvent)
    [event] = payload.oadr_event
    period = attrs.evolve(event.ei_event.ei_active_period, components=value)
    event = attrs.evolve(event, ei_event=attrs.evolve(event.ei_event, ei_active_period=period))
    payload = attrs.evolve(payload, oadr_event=[event])
    assert b'<xcal:components b="1"><ns0:a' in encode(payload)
    assert encode(from_json(json.loads(json.dumps(to_json(payload))))) == encode(payload)


def test_form_is_plain() -> None:
    assert to_json(Poll(ven_id="0012")) == {"message": "Poll", "ven_id": "0012", "schema_version": "2.0b"}


def test_unknown_field_is_refused() -> None:
    with pytest.raises(LocalError, match="Poll: Poll has no field 'venid'"):
        from_json({"message": "Poll", "venid": "v"})


def test_missing_field_is_named() -> None:
    with pytest.raises(LocalError) as caught:
        from_json({"message": "Poll"})
    assert caught.value.path == "Poll/ven_id"


def test_path_is_told_once() -> None:
    with pytest.raises(LocalError) as caught:
        from_json({"message": "Poll", "ven_id": 10**5000})
    assert str(caught.value) == "Poll/ven_id: text is expected, not <int, too long to show>"


def test_payload_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(LocalError) as caught:
        to_json(Poll(ven_id=7))  # type: ignore[arg-type]  # the wrong type is the point
    assert caught.value.path == "Poll/ven_id"


def test_part_of_a_message_is_refused() -> None:
    part = SamplingRate(oadr_min_period=Duration(), oadr_max_period=Duration())
    with pytest.raises(LocalError, match="one of the 23 messages"):
        to_json(part)  # type: ignore[arg-type]  # the wrong type is the point
