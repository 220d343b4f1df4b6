"""The chapter about reports in docs/client.md: its examples run, and its table is complete."""

from __future__ import annotations

import inspect
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from oadr_core.ven import Collection, ProvideReport, ReportDue
from oadr_transports import OpenADRClient
from oadr_transports.asking import advance, called

CHAPTER = (
    (Path(__file__).parents[2] / "docs" / "client.md").read_text("utf-8").split("\n## Reports\n")[1].split("\n## ")[0]
)
EXAMPLES = re.findall(r"```python\n(.*?)```", CHAPTER, re.DOTALL)
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def test_examples_offer_reports_whose_values_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    client = OpenADRClient(ven_name="v", vtn_url="http://127.0.0.1:1/x")
    names: dict[str, Any] = {"client": client}
    for example in EXAMPLES:
        exec(example, names)  # noqa: S102  # the documentation's own text
    offers = client._reports()
    assert len(offers) == 6
    for offer in offers:
        r_ids = tuple(point.r_id for point in offer.report.oadr_report_description)
        due = ReportDue(
            report_request_id="1",
            report_specifier_id=offer.report.report_specifier_id,
            r_ids=r_ids,
            at=NOW,
            deadline=1.0,
            collection=offer.collection,
            since=NOW - timedelta(hours=1),
            interval=timedelta(minutes=10) if offer.collection is Collection.FULL else timedelta(0),
        )
        errand = client._collect(due, 10.0)
        step = advance(errand)
        while isinstance(step, tuple):
            step = advance(errand, tuple(called(asked) for asked in step))
        assert isinstance(step, ProvideReport)
        assert all(reading.value is not None for reading in step.readings)
        assert {reading.r_id for reading in step.readings} == set(r_ids) or "history" in due.report_specifier_id
    names["history"].close()


def test_table_has_every_option_and_no_other() -> None:
    table = CHAPTER.split("| option | what it says |\n|---|---|\n")[1].split("\n\n")[0]
    named = [name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(named) == sorted(set(inspect.signature(OpenADRClient.add_report).parameters) - {"self"})


@pytest.mark.parametrize("word", re.findall(r"`(\w+)`", CHAPTER.split("| `measurement` |")[1].split("; case")[0]))
def test_every_measurement_of_the_table_is_a_unit_of_the_schema(word: str) -> None:
    client = OpenADRClient(ven_name="v", vtn_url="http://127.0.0.1:1/x")
    needed = {"pulseCount": {"pulse_factor": 0.001}}.get(word, {"unit": "EUR"} if word.startswith("currency") else {})
    client.add_report(lambda: 1.0, "d", word, **needed)  # type: ignore[arg-type]  # a table of options
    [offer] = client._reports()
    [point] = offer.report.oadr_report_description
    assert type(point.item_base).__name__ != "CustomUnit"
