"""Reports belong to the VEN that has registered them: what another one says of them, whatever it knows, is nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core.model import (
    CanceledReport,
    CancelReport,
    CreatedReport,
    CreateReport,
    EiResponse,
    Interval,
    RegisteredReport,
    RegisterReport,
    ReportPayload,
    Response,
    UpdatedReport,
    UpdateReport,
)
from oadr_core.vtn import ReportReceived, StopReports
from tests.core.vtn.test_reports import confirm, data, ids, offer, offering, register, wish
from tests.core.vtn.world import START, World

IDS = st.sampled_from(["running", "leaving", "former", "0", "", "nothing"])
POINT = Interval(dtstart=START, stream_payload_base=(ReportPayload(r_id="r", payload_base=666.0),))
CODES = st.sampled_from(["200", "452", "461"])
MESSAGES = st.lists(
    st.one_of(
        st.tuples(
            st.just("values"), st.lists(st.tuples(IDS, st.sampled_from(["s", "t", "x"])), min_size=1, max_size=3)
        ),
        st.tuples(st.just("confirms"), st.tuples(CODES, st.lists(IDS, max_size=3))),
        st.tuples(st.just("cancelled"), st.tuples(CODES, st.lists(IDS, max_size=3))),
        st.tuples(st.just("cancels"), IDS),
        st.tuples(st.just("asks"), IDS),
        st.tuples(st.just("offers"), st.tuples(IDS, st.booleans())),
        st.tuples(st.just("takes"), CODES),
        st.tuples(st.just("answers"), CODES),
    ),
    max_size=6,
)


def message(kind: str, what: Any, known: dict[str, str], ven_id: str) -> Any:
    """What a VEN sends that knows the identifiers of another one."""

    def these(names: Any) -> tuple[str, ...]:
        return tuple(known.get(name, name) for name in names)

    def said(code: str) -> EiResponse:
        return EiResponse(response_code=code, request_id="r")

    if kind == "values":
        reports = tuple(data(POINT, request=known.get(one, one), specifier=name) for one, name in what)
        return UpdateReport(request_id="r", oadr_report=reports, ven_id=ven_id)
    if kind == "confirms":
        return CreatedReport(ei_response=said(what[0]), oadr_pending_reports=these(what[1]), ven_id=ven_id)
    if kind == "cancelled":
        return CanceledReport(ei_response=said(what[0]), oadr_pending_reports=these(what[1]), ven_id=ven_id)
    if kind == "cancels":
        return CancelReport(request_id="r", report_request_id=these([what]), ven_id=ven_id)
    if kind == "asks":
        return CreateReport(request_id="r", oadr_report_request=(wish(known.get(what, what)),), ven_id=ven_id)
    if kind == "offers":
        reports = (offer("s"), offer("t")) if what[1] else ()
        return RegisterReport(
            request_id="r", oadr_report=reports, report_request_id=these([what[0]])[0] or None, ven_id=ven_id
        )
    if kind == "takes":
        return UpdatedReport(ei_response=said(what), ven_id=ven_id)
    return RegisteredReport(ei_response=said(what), ven_id=ven_id)


@pytest.mark.rule("R304")
@given(MESSAGES)
def test_no_ven_touches_the_reports_of_another(
    validate: Callable[[bytes], None], messages: list[tuple[str, Any]]
) -> None:
    world = World(validate)
    ven = offering(world, offer("s"))
    [former] = ids(ven.poll())
    register(world, ven, offer("s"), offer("t"))
    running, leaving = ids(ven.poll())
    confirm(world, ven, running, leaving)
    world.tell(StopReports(ven_id=ven.ven_id, report_request_ids=(leaving,)))
    other = world.ven("other")
    register(world, other, offer("s"))
    known = {"running": running, "leaving": leaving, "former": former}
    before, saved = world.session.vens[ven.ven_id], world.saved[f"ven/{ven.ven_id}"]
    for kind, what in messages:
        reply = world.send(message(kind, what, known, other.ven_id))
        used = {name for name, _ in what} & known.keys() if kind == "values" else ()
        assert not used or not reply.ei_response.ok
        assert not isinstance(reply, Response) or kind != "values"
    assert world.session.vens[ven.ven_id] is before
    assert world.saved[f"ven/{ven.ven_id}"] == saved
    for note in world.said(ReportReceived):
        assert note.ven_id == other.ven_id
        assert note.report_request_id not in known.values()
