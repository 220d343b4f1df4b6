"""The small languages of options."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from oadr_transports.cli.options import (
    EventOption,
    From,
    ReportOption,
    parse_duration,
    parse_event,
    parse_period,
    parse_report,
    parse_rule,
    parse_start,
    rule_text,
)

NOW = datetime(2030, 1, 31, 17, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"), [("10s", 10), ("5m", 300), ("1h", 3600), ("1h30m", 5400), ("2d", 172800), ("0s", 0)]
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "10", "s", "-5s", "1.5s", "5 s", "5M", "٣s", "99999999d", "1s" * 50])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|too long"):
        parse_duration(text)


def test_a_period_is_at_least_a_second() -> None:
    with pytest.raises(ValueError, match="at least 1s"):
        parse_period("0m")


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("+30s", NOW + timedelta(seconds=30)),
        ("start=+1m", NOW + timedelta(minutes=1)),
        ("2030-01-31T18:00:00Z", datetime(2030, 1, 31, 18, tzinfo=UTC)),
        ("2030-01-31T18:00:00+01:00", NOW),
    ],
)
def test_starts(text: str, start: datetime) -> None:
    assert parse_start(text, NOW) == start


@pytest.mark.parametrize(
    ("text", "why"),
    [("2030-01-31T18:00:00", "time zone"), ("noon", "expected"), ("+noon", "expected"), ("", "expected")],
)
def test_what_is_no_start(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_start(text, NOW)


def test_reports() -> None:
    every = timedelta(seconds=10)
    assert parse_report("device001:voltage:10s") == ReportOption(
        resource="device001", measurement="voltage", interval=every
    )
    constant = parse_report("d:powerReal/kW:10s:1.5")
    assert constant == ReportOption(
        resource="d", measurement="powerReal", unit="kW", interval=every, source=From.CONSTANT, argument="1.5"
    )
    assert constant.value == 1.5
    assert parse_report("d:x:10s:-").source is From.LINES
    assert parse_report("d:x:10s:@a:b.csv") == ReportOption(
        resource="d", measurement="x", interval=every, source=From.FILE, argument="a:b.csv"
    )
    assert parse_report("d:x:10s:!read --port 1:2").argument == "read --port 1:2"


@pytest.mark.parametrize(
    "text", ["", "a", "a:b", "a:b:", ":b:1s", "a:b:1s:x", "a:b:1s:nan", "a:b:0s", "a:b:1s:2:3", "a:b:1s:@", "a:b:1s:!"]
)
def test_what_is_no_report(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|number"):
        parse_report(text)


def test_events() -> None:
    five = timedelta(minutes=5)
    for start in ("+30s", "start=+30s", "2030-01-31T18:00:00+01:00"):
        assert parse_event(f"ELECTRICITY_PRICE:price:{start}:0.10x5m,-0.25x5m") == EventOption(
            signal_name="ELECTRICITY_PRICE", signal_type="price", start=start, intervals=((five, 0.1), (five, -0.25))
        )


@pytest.mark.parametrize(
    "text", ["", "A:b", "A:b:+1s", "A:b:+1s:", "A:b:+1s:5", "A:b:+1s:x5m", "A:b:+1s:5x", "A:b:c:5x5m", "A::+1s:1x1m"]
)
def test_what_is_no_event(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|number"):
        parse_event(text)


@pytest.mark.parametrize(
    "text",
    [
        "periodic",
        "nothing,report=TELEMETRY_*",
        "on-change,unit=powerReal,ven=v?,granularity=90s,back=15m",
        "history,specifier=s,r-id=a b,history=400d",
        "once,resource=boiler,program=http://m,duration=36h",
    ],
)
def test_rule_is_shown_as_it_is_read(text: str) -> None:
    rule = {
        name: what.total_seconds() if isinstance(what, timedelta) else what for name, what in parse_rule(text).items()
    }
    assert rule_text(rule) == text
