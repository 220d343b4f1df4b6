"""Equal values are kept once, and nothing else changes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oadr_core.engine import sharing
from oadr_core.engine.sharing import Shared
from oadr_core.model import (
    Duration,
    EiTarget,
    LexicalFloat,
    LexicalInt,
    LexicalStr,
    Report,
    ReportDescription,
    SamplingRate,
)
from tests.core.vtn.test_reports import offer


def test_parts_that_are_alike_are_the_same_object() -> None:
    shared = Shared()
    one, other = shared.parts(offer("s", "a", "b")), shared.parts(offer("t", "a", "b"))
    assert one == offer("s", "a", "b")
    assert other == offer("t", "a", "b")
    assert one.oadr_report_description is other.oadr_report_description
    third = shared.parts(offer("u", "a", "c"))
    assert third.oadr_report_description[0] is one.oadr_report_description[0]
    assert third.oadr_report_description[1] is not one.oadr_report_description[1]


@given(st.lists(st.sampled_from(["a", "b", "ab", ""]), max_size=4), st.integers(0, 3), st.booleans())
def test_shared_value_is_equal_and_of_the_same_type(r_ids: list[str], seconds: int, on_change: bool) -> None:
    shared = Shared()
    rate = SamplingRate(
        oadr_min_period=Duration(seconds=seconds), oadr_max_period=Duration(seconds=seconds), oadr_on_change=on_change
    )
    for value in (
        *(
            ReportDescription(
                r_id=r_id,
                report_data_source=EiTarget(resource_id=tuple(r_ids)),
                report_type="usage",
                reading_type="Direct Read",
                oadr_sampling_rate=rate,
            )
            for r_id in r_ids
        ),
        seconds,
        float(seconds),
        on_change,
        None,
    ):
        found = shared(value)
        assert found == value
        assert type(found) is type(value)


def test_what_is_equal_and_written_differently_stays_as_it_was_written() -> None:
    shared = Shared()
    for text in ("P", "PT0S", "PT", "P"):
        assert shared(Duration.parse(text)).text == text
        assert shared((Duration.parse(text),))[0].text == text
    for number in (LexicalFloat(1.0, "1.00"), 1.0, 1, True, LexicalInt(1, "1"), LexicalFloat(1.0, "1.0")):
        [found] = shared((number,))
        assert (type(found), getattr(found, "text", None)) == (type(number), getattr(number, "text", None))
    empty, plain = LexicalStr("V"), "V"
    assert [type(shared(text)) for text in (empty, plain)] == [LexicalStr, str]


def test_memory_of_what_is_shared_has_a_limit() -> None:
    shared = Shared()
    for number in range(3 * sharing.MOST):
        shared(str(number))
    assert len(shared._known) <= sharing.MOST


def test_what_is_long_is_not_remembered() -> None:
    shared = Shared()
    text = "x" * 1000
    assert shared(EiTarget(resource_id=(text,))) == EiTarget(resource_id=(text,))
    assert shared(tuple(map(str, range(1000)))) == tuple(map(str, range(1000)))
    assert all(len(repr(value)) < 500 for value in shared._known.values())


def test_object_that_is_like_no_other_is_not_remembered() -> None:
    shared = Shared()
    made: Report = shared.parts(offer())
    assert made not in shared._known.values()
