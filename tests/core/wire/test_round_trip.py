"""Whatever can be built can be written; whatever can be written is valid, canonical, and read back as it was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from oadr_core import LocalError, decode, encode
from oadr_core.model import (
    CancelReport,
    CreateOpt,
    Duration,
    EiTarget,
    FeatureCollection,
    Interval,
    LexicalDateTime,
    LexicalFloat,
    LexicalInt,
    LexicalXml,
    OptReason,
    OptType,
    Payload,
    Poll,
    Polygon,
)
from oadr_core.model.declare import fields_of
from tests.strategies import FEEDS, payloads

FAR_EAST = timezone(timedelta(hours=14))
JUNK: tuple[Any, ...] = (
    None, "", " ", "x", "\x00", "\ud800", "\ufffe", "http://[", b"x", "0001",
    -1, 2**40, 10**5000, 1.5, float("nan"), True, (), ("x",), ["x"], [None], {"x": 1}, object(), Poll,
    Decimal("sNaN"), Decimal("1E+999999999"), datetime(1, 1, 1),  # noqa: DTZ001  # it is to be refused
    datetime.min.replace(tzinfo=FAR_EAST),
    timedelta(microseconds=1), timedelta.max, Duration(text="x"), LexicalFloat(1.5, "x"), LexicalInt(1, "<x/>"),
    LexicalDateTime.of(datetime(2025, 1, 1, tzinfo=UTC), "now"), LexicalXml("x", "y"), LexicalXml("<x/>", 'y=""'),
    EiTarget(), Poll(ven_id="v"), Interval(stream_payload_base=[None]), "<x/>", "<atom:feed/>", FEEDS[0],
    FEEDS[0].replace("urn:1", "http://["), '<x xmlns="urn:&#10;"/>', "<x>" * 1000 + "</x>" * 1000, "<!-- x -->", "]]>",
)  # fmt: skip


@given(payload=payloads())
def test_written_payload_is_valid(payload: Payload, is_valid: Callable[[bytes], bool]) -> None:
    assert is_valid(encode(payload))


@given(payload=payloads())
def test_written_payload_is_read_back(payload: Payload) -> None:
    envelope = decode(encode(payload))
    assert envelope.payload == payload
    assert not {deviation.rule for deviation in envelope.deviations} - {"R509", "R103", "R105"}


@given(payload=payloads())
def test_written_document_is_its_own_canonical_form(payload: Payload) -> None:
    written = encode(payload)
    assert etree.tostring(etree.fromstring(written), method="c14n") == written


@given(payload=payloads())
def test_signed_object_in_canonical_form_is_what_stands_in_the_document(payload: Payload) -> None:
    """A signature may digest the bytes as they are: only the inherited declarations come in front."""
    written = encode(payload)
    root = etree.fromstring(written)
    canonical = etree.tostring(root[0], method="c14n")
    declarations = written[len(b"<oadr:oadrPayload") : written.index(b">")]
    start, end = written.index(b"<oadr:oadrSignedObject"), written.rindex(b"</oadr:oadrPayload>")
    assert canonical == written[start:end].replace(
        b"<oadr:oadrSignedObject", b"<oadr:oadrSignedObject" + declarations, 1
    )


@given(data=st.data(), payload=payloads())
def test_payload_with_a_wrong_field_is_refused_by_name_or_valid(
    data: st.DataObject, payload: Payload, is_valid: Callable[[bytes], bool]
) -> None:
    spoilt, path = _spoil(data, payload)
    try:
        written = encode(spoilt)
    except LocalError as error:
        assert error.path.startswith(type(payload).__name__)  # noqa: PT017  # either outcome is right
        assert path in error.path  # noqa: PT017
    else:
        assert is_valid(written)


def _spoil(data: st.DataObject, value: Any) -> tuple[Any, str]:
    """The object with one field, perhaps deep inside, set to junk; and the name of that field."""
    spec = data.draw(st.sampled_from(fields_of(type(value))))
    old = getattr(value, spec.name)
    inner = old[0] if isinstance(old, tuple) and old else old
    if attrs.has(type(inner)) and fields_of(type(inner)) and data.draw(st.booleans()):
        new, path = _spoil(data, inner)
        return attrs.evolve(value, **{spec.name: (new, *old[1:]) if isinstance(old, tuple) else new}), path
    junk = data.draw(st.sampled_from(JUNK))
    if isinstance(old, tuple) and data.draw(st.booleans()):
        junk = (junk, *old[1:])
    return attrs.evolve(value, **{spec.name: junk}), spec.name


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(LocalError, match="one of the 23 messages"):
        encode(EiTarget())  # type: ignore[arg-type]  # the wrong argument is the point


def test_list_that_may_not_be_empty_is_named() -> None:
    with pytest.raises(LocalError) as caught:
        encode(CancelReport(request_id="r", report_request_id=()))
    assert caught.value.path == "CancelReport/report_request_id"


def test_error_names_the_field_deep_inside() -> None:
    target = EiTarget(service_area=[FeatureCollection(polygon=Polygon(pos_list="1 x"))])
    with pytest.raises(LocalError) as caught:
        encode(_opt(target))
    assert caught.value.path == "CreateOpt/ei_target/service_area[0]/polygon/pos_list"


def test_identifier_that_is_there_twice_is_refused() -> None:
    place = FeatureCollection(id="a", polygon=Polygon(pos_list="1 2"))
    with pytest.raises(LocalError) as caught:
        encode(_opt(EiTarget(service_area=[place, place])))
    assert caught.value.path == "CreateOpt/ei_target/service_area[1]/id"


def test_text_that_looks_like_an_identifier_is_text() -> None:
    payload = Poll(ven_id='<x gml:id="a" gml:id="a"/>')
    assert decode(encode(payload)).payload == payload


def _opt(target: EiTarget) -> CreateOpt:
    return CreateOpt(
        opt_id="o",
        opt_type=OptType.OPT_IN,
        opt_reason=OptReason.ECONOMIC,
        ven_id="v",
        created_date_time=datetime(2025, 1, 1, tzinfo=UTC),
        request_id="r",
        ei_target=target,
    )
