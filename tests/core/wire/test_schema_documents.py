"""The schema's own files as the judge: documents drawn from them, and known good documents with small changes."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lxml import etree

from oadr_core import RemoteError, decode, encode
from oadr_core.errors import UnknownMessage
from tests.documents import Node, manners, meaning, message_of, squashed
from tests.golden import ANNEX_A
from tests.mutations import mutations

ORIGINALS = [path.read_bytes() for path in ANNEX_A]


@given(data=st.data())
def test_document_that_the_schema_permits_survives_a_round_trip(
    data: st.DataObject, schema_documents: st.SearchStrategy[Node], is_valid: Callable[[bytes], bool]
) -> None:
    node = data.draw(schema_documents)
    document = data.draw(manners()).write(node)
    assert is_valid(document), "the generator drew what the schema does not permit"
    written = encode(decode(document).payload)
    assert is_valid(written)
    assert meaning(message_of(written)) == node.children[0].children[0].meaning


@settings(max_examples=400)
@given(document=mutations(ORIGINALS))
def test_changed_document_is_judged_as_the_schema_does(document: bytes, is_valid: Callable[[bytes], bool]) -> None:
    try:
        valid = is_valid(document)
    except etree.XMLSyntaxError:
        assume(False)
    try:
        envelope = decode(document)
    except UnknownMessage:
        return  # the schema has elements that are no messages
    except RemoteError as error:
        assert not valid, f"a valid document was refused: {error}"  # noqa: PT017  # either outcome may be right
        return
    assert valid or envelope.deviations
    assert all(deviation.line for deviation in envelope.deviations)
    written = encode(envelope.payload)
    assert is_valid(written)
    if valid:
        assert squashed(meaning(message_of(written))) == squashed(meaning(message_of(document)))


@given(document=mutations(ORIGINALS))
def test_strict_reader_accepts_nothing_that_the_schema_refuses(
    document: bytes, is_valid: Callable[[bytes], bool]
) -> None:
    try:
        decode(document, strict=True)
        assert is_valid(document)
    except (RemoteError, etree.XMLSyntaxError):
        pass
