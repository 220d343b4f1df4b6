"""What `oadr ven run` says of reports: asked for, delivered, taken back and lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from oadr_core.engine import Notification
from oadr_core.model import Duration, ReportRequest, ReportSpecifier, SpecifierPayload
from oadr_core.ven import Loss, ReportCancelled, ReportRequested, ReportsLost
from oadr_transports.cli.say import Speaker
from oadr_transports.cli.ven_lines import VenLines
from oadr_transports.log import log

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def said(note: Notification, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    VenLines(Speaker(as_json=True)).say(note)
    [line] = capsys.readouterr().out.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def requested(granularity: str, back: str) -> ReportRequested:
    specifier = ReportSpecifier(
        report_specifier_id="spec",
        granularity=Duration.parse(granularity),
        report_back_duration=Duration.parse(back),
        specifier_payload=(SpecifierPayload(r_id="r"),),
    )
    return ReportRequested(request=ReportRequest(report_request_id="1", report_specifier=specifier))


@pytest.mark.parametrize(
    ("granularity", "back", "words"),
    [
        ("PT10S", "PT15M", "a value every 10 s, delivered every 15 min"),
        ("PT0S", "PT15M", "a value whenever it changes, delivered every 15 min"),
        ("PT0S", "PT0S", "once"),
        ("PT10S", "PT0S", "once"),
    ],
)
def test_how_often_is_said(granularity: str, back: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = said(requested(granularity, back), capsys)
    assert line["text"] == f"report requested: r; {words}"
    assert (line["change"], line["r_ids"]) == ("requested", ["r"])


def test_lost_values_are_counted_with_their_period(capsys: pytest.CaptureFixture[str]) -> None:
    line = said(ReportsLost(report_request_id="1", since=NOON, until=NOON, values=7, reason=Loss.BUFFER), capsys)
    assert (line["change"], line["values"], line["reason"]) == ("lost", 7, "buffer")
    assert "7 values of report 1 lost" in line["text"]


@pytest.mark.parametrize("reason", Loss)
def test_log_has_words_for_every_loss(reason: Loss, caplog: pytest.LogCaptureFixture) -> None:
    log(ReportsLost(report_request_id="1", since=NOON, until=NOON, values=7, reason=reason))
    [record] = caplog.records
    assert "7 values of report request '1'" in record.getMessage()
    assert not record.getMessage().endswith(": ")


@pytest.mark.parametrize(("dropped", "words"), [(0, "no longer"), (3, "no longer; 3 values are not sent")])
def test_cancelled_report_says_what_is_not_sent(dropped: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = said(ReportCancelled(report_request_id="1", dropped=dropped), capsys)
    assert line["text"].endswith(words)
    assert line["dropped"] == dropped
