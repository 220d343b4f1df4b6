"""For any bytes, decode returns or raises RemoteError; nothing else ever leaves it, and what it returns can be
written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oadr_core import RemoteError, decode, encode
from tests.golden import ANNEX_A, PEERS
from tests.mutations import splices

SAMPLES = [path.read_bytes() for path in [*ANNEX_A, *PEERS]]


@given(data=st.binary(max_size=200), strict=st.booleans())
def test_arbitrary_bytes(data: bytes, strict: bool) -> None:
    _read(data, strict)


@given(data=splices(SAMPLES), strict=st.booleans())
def test_bytes_that_were_a_message(data: bytes, strict: bool) -> None:
    _read(data, strict)


def _read(data: bytes, strict: bool) -> None:
    text = "read"
    try:
        encode(decode(data, strict=strict).payload)
    except RemoteError as error:
        text = str(error)
    assert text
    assert text.isprintable()
