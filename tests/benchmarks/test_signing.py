"""The targets of the benchmark of signatures are judged as they are meant, over documents of the right size."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from benchmarks import signing, tables
from benchmarks.messages import report_document
from benchmarks.rounds import Contest, Effort, Samples, take
from oadr_core import encode

SECOND = 1.0
OPERATIONS = ("seal", "open")


def figures(**changes: float) -> tuple[Samples, dict[tuple[str, str], int]]:
    """Samples with which every target is just met, but for changes by operation_message."""
    times = {"sign_": 0.001, "seal_poll": 0.0025, "seal_event-24": 0.003, "open_event-24": 0.001, **changes}
    samples: Samples = {("sign", "rsa", "bare"): [times["sign_"]]}
    sizes = {}
    for kind in signing.KINDS:
        samples["seal", f"poll/{kind}", "oadr"] = [times["seal_poll"]]
        samples["seal", f"event-24/{kind}", "oadr"] = [times["seal_event-24"]]
        for author in ("oadr", "openleadr"):
            samples["open", f"event-24/{kind}/{author}", "oadr"] = [times["open_event-24"]]
            samples["open", f"event-24/{kind}/{author}", "openleadr"] = [0.001]
        for kilobytes in signing.SIZES:
            for operation in OPERATIONS:
                key = f"report-{kilobytes}/{kind}"
                samples[operation, key, "oadr"] = [times.get(f"{operation}_report-{kilobytes}", kilobytes * SECOND)]
                sizes[operation, key] = kilobytes * 1000
    return samples, sizes


def missed(**changes: float) -> int:
    return sum(not target["met"] for target in signing.targets(*figures(**changes)))


def test_all_targets_are_met_at_their_limits() -> None:
    assert len(signing.targets(*figures())) == 11
    assert missed() == 0


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({"seal_poll": 0.00251}, 1),
        ({"sign_": 0.00099}, 1),
        ({"seal_event-24": 0.00301}, 2),
        ({"open_event-24": 0.00101}, 4),
        ({"open_report-500": 1.6 * 500}, 2),
        ({"seal_report-500": 1.6 * 500}, 2),
        ({"seal_report-100": 100 / 1.6}, 2),
    ],
)
def test_a_target_that_is_missed_is_said_to_be(changes: dict[str, float], count: int) -> None:
    assert missed(**changes) == count
    _, rows = tables.targets_table({"targets": signing.targets(*figures(**changes))})
    assert sum("NOT MET" in row for row in rows) == count


@pytest.mark.parametrize("kilobytes", signing.SIZES)
def test_reports_have_their_size(kilobytes: int, validate: Callable[[bytes], None]) -> None:
    written = encode(signing._report(kilobytes))
    assert len(written) == pytest.approx(1000 * kilobytes, rel=0.01)
    validate(written)


def test_report_has_its_intervals() -> None:
    assert report_document(7).count(b"<ei:interval>") == 7


@pytest.mark.parametrize("kind", signing.KINDS)
def test_everybody_in_this_process_does_what_they_are_measured_for(kind: str) -> None:
    party, now = signing._party(kind), datetime.now(UTC)
    signer = signing.Signer.from_pem(*party)
    document = signing.seal(signing._payload("poll"), signer=signer, now=now, nonce=signing.NONCE)
    assert signing._verification(document, party, now)()
    bare = signing.Runs("bare", "")
    contests: list[Contest] = []
    signing._add_bare(bare, kind, party, contests)
    samples = take(contests, Effort(rounds=2, batch_s=0.0001))
    assert {(operation, len(taken)) for (operation, _, _), taken in samples.items()} == {("sign", 2), ("verify", 2)}
    with pytest.raises(signing.NotEquivalentError):
        signing._verification(document, signing._party(kind), now)
