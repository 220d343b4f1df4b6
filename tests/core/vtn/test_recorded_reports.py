"""Reports of other implementations, as they were recorded: all is understood, asked for, and taken."""

from __future__ import annotations

import pytest

from oadr_core import decode
from oadr_core.engine import Trouble
from oadr_core.engine.copying import evolve
from oadr_core.model import Payload, PayloadResourceStatus, RegisterReport, UpdateReport
from oadr_core.vtn import ReportReceived
from tests.core.vtn.test_reports import ids
from tests.core.vtn.world import START, World
from tests.golden import PEERS, name


def recorded(wanted: str) -> Payload:
    [path] = (path for path in PEERS if name(path) == wanted)
    return decode(path.read_bytes()).payload


@pytest.mark.rule("R314")
@pytest.mark.parametrize(
    ("peer", "report", "count"),
    [
        ("openleadr", "oadrUpdateReport.signed", 4),
        ("openleadr", "oadrUpdateReport", 0),
        ("epri", "oadrUpdateReport", 1),
    ],
)
def test_recorded_report_is_offered_requested_and_taken(world: World, peer: str, report: str, count: int) -> None:
    ven = world.ven()
    ven.settle()
    offer, values = recorded(f"{peer}/oadrRegisterReport"), recorded(f"{peer}/{report}")
    assert isinstance(offer, RegisterReport)
    assert isinstance(values, UpdateReport)
    [one] = values.oadr_report
    world.elapsed = one.created_date_time - START
    assert world.send(evolve(offer, ven_id=ven.ven_id)).ei_response.ok
    message = ven.poll()
    asked = {one.report_specifier.report_specifier_id: one.report_request_id for one in message.oadr_report_request}
    assert set(asked.values()) == set(ids(message))
    mine = evolve(one, report_request_id=asked[one.report_specifier_id])
    assert world.send(evolve(values, oadr_report=(mine,), ven_id=ven.ven_id)).ei_response.ok
    [note] = world.said(ReportReceived)
    assert len(note.values) == count
    assert all(each.item_base is not None or isinstance(each.value, PayloadResourceStatus) for each in note.values)
    assert world.said(Trouble) == []
