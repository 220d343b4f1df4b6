"""The schema's own files as the judge: documents drawn from them, and good documents with small changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from oadr_core import RemoteError, decode, encode
from oadr_core.errors import UnknownMessage
from tests.documents import Node, manners, meaning, message_of, squashed
from tests.golden import ANNEX_A, PEERS
from tests.mutations import mutations

ORIGINALS = [path.read_bytes() for path in [*ANNEX_A, *PEERS]]
PERMITTED = {"R103", "R105", "R509", "R45"}
"""Rules that documents break which the schema permits."""
MORE = settings(max_examples=3 * settings.default.max_examples)


@given(data=st.data())
def test_document_that_the_schema_permits_survives_a_round_trip(
    data: st.DataObject, schema_documents: st.SearchStrategy[Node], is_valid: Callable[[bytes], bool]
) -> None:
    node = data.draw(schema_documents)
    document = data.draw(manners()).write(node)
    assert is_valid(document), "the generator drew what the schema does not permit"
    envelope = decode(document)
    assert {deviation.rule for deviation in envelope.deviations} <= PERMITTED
    assert envelope.signed is (len(node.children) > 1)
    written = encode(envelope.payload)
    assert is_valid(written)
    assert meaning(message_of(written)) == node.message.meaning
    assert etree.tostring(etree.fromstring(written), method="c14n") == written


@MORE
@given(document=mutations(st.sampled_from(ORIGINALS)))
def test_changed_document_is_judged_as_the_schema_does(document: bytes, is_valid: Callable[[bytes], bool]) -> None:
    _judge(document, is_valid)


@given(data=st.data())
def test_changed_document_of_the_schema_is_judged_as_the_schema_does(
    data: st.DataObject, schema_documents: st.SearchStrategy[Node], is_valid: Callable[[bytes], bool]
) -> None:
    originals = st.builds(lambda manner, node: manner.write(node), manners(), schema_documents)
    _judge(data.draw(mutations(originals, most=2)), is_valid)


def _judge(document: bytes, is_valid: Callable[[bytes], bool]) -> None:
    """Valid: it is read, and means the same when written. Invalid: it is refused, or a deviation says why."""
    try:
        valid = is_valid(document)
    except etree.XMLSyntaxError:
        return
    try:
        envelope = decode(document)
    except UnknownMessage:
        return  # the schema has elements that are no messages
    except RemoteError as error:
        assert not valid, f"a valid document was refused: {error}"  # noqa: PT017  # either outcome may be right
        return
    assert valid or {deviation.rule for deviation in envelope.deviations} - {"R103", "R105"}
    assert all(deviation.line for deviation in envelope.deviations)
    written = encode(envelope.payload)
    assert is_valid(written)
    if valid:
        assert squashed(meaning(message_of(written))) == squashed(meaning(message_of(document)))
    else:
        with pytest.raises(RemoteError):
            decode(document, strict=True)


@MORE
@given(document=mutations(st.sampled_from(ORIGINALS)))
def test_strict_reader_accepts_nothing_that_the_schema_refuses(
    document: bytes, is_valid: Callable[[bytes], bool]
) -> None:
    try:
        envelope = decode(document, strict=True)
    except RemoteError:
        return
    assert is_valid(document)
    assert envelope.payload == decode(document).payload
