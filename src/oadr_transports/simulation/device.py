"""The application of a simulated VEN: what it thinks of events, and the load that it measures and sheds.

It stands alone because it is what a real application would be: it knows nothing of the network or of other VENs, and
all its moods follow from the seed, the number of the VEN and what it is asked.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from math import cos, exp, pi
from typing import Final

import attrs

from oadr_core.engine.chance import fraction
from oadr_core.model import (
    Duration,
    OptType,
    PowerAttributes,
    PowerReal,
    ReadingType,
    Report,
    ReportDescription,
    ReportName,
    ReportType,
    SamplingRate,
    SiScale,
)
from oadr_core.ven import ReportOffer

from .scenario import START, Scenario

SHED: Final = {0: 0.0, 1: 0.2, 2: 0.4, 3: 0.6}
"""The share of its load that a device sheds at each level of the signal SIMPLE."""
POWER: Final = "power"
"""The data point that every device has: its load in kW."""
_HOUR_S: Final = 3600.0


@attrs.frozen
class Mind:
    """What an application does about one version of an event.

    ``opt`` ``None``: it never answers. ``failed``: it cannot decide. ``regret_s``: so long afterwards it changes its
    mind, by an opt of its own (``by_message``) or by another decision.
    """

    opt: OptType | None
    think_s: float
    failed: bool = False
    regret_s: float | None = None
    by_message: bool = False


class Device:
    """A load between some 2 and 10 kW that follows the day, and sheds by level while events tell it to."""

    __slots__ = ("_key", "levels", "size_kw")

    def __init__(self, seed: int, index: int) -> None:
        self._key = f"{seed}/{index}".encode()
        self.size_kw = round(2 + 8 * fraction(self._key, "size"), 3)
        self.levels: dict[str, int] = {}
        """What each event wants now."""

    @property
    def share(self) -> float:
        """How much of the load is shed now."""
        return SHED[max(self.levels.values(), default=0)] if self.levels else 0.0

    def load_kw(self, at_s: float) -> float:
        """What the meter shows: three decimals, so that it is the same number in a message."""
        return round(self.size_kw * profile(at_s) * (1 - self.share), 3)

    def mind(self, event_id: str, modification_number: int, attempt: int, *, cancelled: bool) -> Mind:
        """What it thinks of a version of an event; most take part, and few cannot stop when it is cancelled (R36)."""
        labels = event_id, modification_number, attempt
        dice = fraction(self._key, "mood", *labels)
        most = 0.95 if cancelled else 0.85
        think_s = 0.2 + 8 * fraction(self._key, "think", *labels)
        opt = OptType.OPT_IN if fraction(self._key, "opt", *labels) < most else OptType.OPT_OUT
        if dice < 0.03:
            return Mind(None, think_s)
        if cancelled:
            return Mind(opt, think_s)
        if dice < 0.05:
            return Mind(OptType.OPT_OUT, think_s, failed=True)
        if dice < 0.12:
            regret_s = 60 + 1800 * fraction(self._key, "regret", *labels)
            return Mind(opt, think_s, regret_s=regret_s, by_message=dice < 0.08)
        if dice < 0.15:  # long after the default has gone out, and perhaps about a version that is over
            return Mind(opt, 60 + 5400 * fraction(self._key, "late", *labels))
        return Mind(opt, think_s)

    def reading_s(self, number: float) -> float | None:
        """How long the meter takes for the reading of a time; ``None``: it fails to answer."""
        dice = fraction(self._key, "meter", number)
        return None if dice < 0.002 else 0.05 + dice


def profile(at_s: float) -> float:
    """The share of its size that an average device takes at a time of day: low at night, highest in the evening."""
    hour = (at_s / _HOUR_S) % 24
    return 0.55 - 0.2 * cos((hour - 3) * pi / 12) + 0.2 * exp(-(((hour - 19) / 2) ** 2))


def offer(scenario: Scenario) -> tuple[ReportOffer, ...]:
    """What every device can report: its load."""
    if not scenario.reports:
        return ()
    period = Duration.of(timedelta(seconds=scenario.sample_s))
    mains = PowerAttributes(hertz=Decimal(50), voltage=Decimal(230), ac=True)
    description = ReportDescription(
        r_id=POWER,
        report_type=ReportType.USAGE,
        item_base=PowerReal(si_scale_code=SiScale.KILO, power_attributes=mains),
        reading_type=ReadingType.DIRECT_READ,
        oadr_sampling_rate=SamplingRate(oadr_min_period=period, oadr_max_period=period),
    )
    report = Report(
        duration=Duration.of(timedelta(seconds=scenario.report_s)),
        oadr_report_description=(description,),
        report_request_id="0",
        report_specifier_id="load",
        report_name=ReportName.METADATA_TELEMETRY_USAGE,
        created_date_time=START,
    )
    return (ReportOffer(report=report),)
