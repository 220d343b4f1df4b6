"""What can be reported: metadata reports, the rules that they keep, and how their values are collected.

It stands alone because a session of either role is told so once, and tells its peer: what breaks a rule is found when
the application says it, and not by the peer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from hashlib import blake2b
from typing import Final

import attrs

from ..engine.copying import evolve
from ..errors import LocalError, shown
from ..model import METADATA, Duration, EiTarget, Report, ReportDescription, ReportType
from ..model.declare import fields_of
from .readings import Collection

METADATA_PREFIX: Final = "METADATA_"
"""How the name of an offered report begins; the report itself is named without (R313)."""
EXTENSION: Final = "x-"
"""How names begin that two parties have made up between them."""
TELEMETRY: Final = "TELEMETRY_"
HISTORY: Final = "HISTORY_"
STATUS: Final = "TELEMETRY_STATUS"
GREEN_BUTTON: Final = "HISTORY_GREENBUTTON"
NO_REQUEST: Final = "0"
"""The reportRequestID of metadata (R311)."""


@attrs.frozen(kw_only=True)
class ReportOffer:
    """A report that can be given: its metadata, and how its values are collected.

    ``report`` is a metadata report (R305): descriptions, duration, name with METADATA_. The session fills in
    ``created_date_time``. Reports of history are collected for their whole period, whatever ``collection`` says.
    """

    report: Report
    collection: Collection = Collection.INCREMENTAL

    @property
    def report_name(self) -> str:
        """The name of the reports with values (R313)."""
        return (self.report.report_name or "").removeprefix(METADATA_PREFIX)

    @property
    def is_history(self) -> bool:
        """Values of the past, as they were recorded; a report with a name of its own is one if it is not sampled."""
        if self.report_name.startswith(HISTORY):
            return True
        own = not self.report_name.startswith(TELEMETRY)
        return own and all(one.oadr_sampling_rate is None for one in self.report.oadr_report_description)

    @property
    def is_status(self) -> bool:
        """The values are states of resources, not numbers (R331)."""
        return self.report_name == STATUS


def find(offers: Iterable[ReportOffer], report_specifier_id: str) -> ReportOffer | None:
    """The offered report with this specifier."""
    return next((offer for offer in offers if offer.report.report_specifier_id == report_specifier_id), None)


def metadata(offers: Iterable[ReportOffer], created: datetime) -> tuple[Report, ...]:
    """All reports as they are told to the peer; none, if there are none (R301, R306)."""
    return tuple(evolve(offer.report, created_date_time=created) for offer in offers)


def digest(offers: Iterable[ReportOffer]) -> str:
    """Another one when something else is offered, so that the peer has to be told."""
    text = repr([offer.report for offer in offers])
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


# --- rules ----------------------------------------------------------------------------------------------------------


@attrs.frozen
class Broken:
    """A rule that an offer breaks: where, and what to do."""

    rule: str
    path: str
    text: str


Check = Callable[[ReportOffer], Iterator[Broken]]


def check(offers: tuple[ReportOffer, ...], path: str) -> None:
    """Check what a session is told to offer.

    Raises :class:`~oadr_core.errors.LocalError`, with the rule, for the first rule that is broken.
    """
    specifiers = [offer.report.report_specifier_id for offer in offers]
    if len(set(specifiers)) < len(specifiers):
        raise LocalError("report specifiers must be unique", path=path, rule="R308")
    for number, offer in enumerate(offers, 1):
        for rule in RULES:
            for broken in rule(offer):
                raise LocalError(broken.text, path=f"{path}[{number}]/{broken.path}", rule=broken.rule)


def _content(offer: ReportOffer) -> Iterator[Broken]:
    """R305: descriptions, and nothing that belongs to values."""
    report = offer.report
    if not report.oadr_report_description:
        yield Broken("R305", "oadr_report_description", "a report has at least one data point")
    for name, value in (
        ("intervals", report.intervals),
        ("dtstart", report.dtstart),
        ("ei_report_id", report.ei_report_id),
    ):
        if value:
            yield Broken("R305", name, "metadata have no values: leave it out")


def _identifiers(offer: ReportOffer) -> Iterator[Broken]:
    report = offer.report
    if report.report_specifier_id in ("", METADATA):
        yield Broken("R308", "report_specifier_id", f"{shown(report.report_specifier_id)} is not a report's own name")
    if report.report_request_id != NO_REQUEST:
        text = f"metadata have the report_request_id '0', not {shown(report.report_request_id)}"
        yield Broken("R311", "report_request_id", text)
    r_ids = [description.r_id for description in report.oadr_report_description]
    for r_id in sorted({one for one in r_ids if r_ids.count(one) > 1}):
        yield Broken("R308", "oadr_report_description", f"the data point {shown(r_id)} is there more than once")


def _name(offer: ReportOffer) -> Iterator[Broken]:
    name = offer.report.report_name or ""
    if not name.startswith((METADATA_PREFIX, EXTENSION)) or name == METADATA_PREFIX:
        yield Broken("R331", "report_name", f"METADATA_… or x-… is expected, not {shown(name)}")


def _durations(offer: ReportOffer) -> Iterator[Broken]:
    """R312: how much data there is, and no sampling that it could not hold."""
    duration = offer.report.duration
    if duration is None or duration.months or duration.seconds <= 0:
        text = f"say how much data there is: a positive duration without months, not {duration}"
        yield Broken("R312", "duration", text)
        return
    for description in offer.report.oadr_report_description:
        rate = description.oadr_sampling_rate
        if rate is None:
            continue
        low, high = rate.oadr_min_period, rate.oadr_max_period
        if low.months or high.months or low.seconds < 0 or high.seconds < low.seconds:
            text = f"{shown(description.r_id)}: the shortest sampling period comes first, not {low} before {high}"
            yield Broken("R312", "oadr_sampling_rate", text)
        elif high.seconds > duration.seconds:
            text = f"{shown(description.r_id)} is sampled every {high} at most, and the report holds {duration}"
            yield Broken("R312", "oadr_sampling_rate", text)


def _sampling(offer: ReportOffer) -> Iterator[Broken]:
    if not offer.report_name.startswith(TELEMETRY):
        return
    for description in offer.report.oadr_report_description:
        if description.oadr_sampling_rate is None:
            text = f"say how often {shown(description.r_id)} can be sampled"
            yield Broken("R333", "oadr_sampling_rate", text)


def _subjects(offer: ReportOffer) -> Iterator[Broken]:
    """R307: device classes and nothing else."""
    for description in offer.report.oadr_report_description:
        subject = description.report_subject
        if subject is not None and not _only_device_classes(subject):
            text = f"{shown(description.r_id)}: the subject is made of end_device_asset only, or left out"
            yield Broken("R307", "report_subject", text)


def _only_device_classes(target: EiTarget) -> bool:
    others = (getattr(target, field.name) for field in fields_of(EiTarget) if field.name != "end_device_asset")
    return bool(target.end_device_asset) and not any(others)


def _status(offer: ReportOffer) -> Iterator[Broken]:
    """R331: what a status report is made of. Which quantities reports of usage have is not restricted: programs use
    voltage, frequency or temperature as well.
    """
    if not offer.is_status:
        return
    for description in offer.report.oadr_report_description:
        yield from _status_point(description)


def _status_point(description: ReportDescription) -> Iterator[Broken]:
    if description.report_type != ReportType.X_RESOURCE_STATUS:
        text = f"{shown(description.r_id)}: a status has the report type x-resourceStatus"
        yield Broken("R331", "report_type", text)
    if description.item_base is not None:
        yield Broken("R331", "item_base", f"{shown(description.r_id)}: a status has no unit")


RULES: Final[tuple[Check, ...]] = (_content, _identifiers, _name, _durations, _sampling, _subjects, _status)
"""What is checked of every offer, in this order."""


def longest(duration: Duration | None) -> int:
    """Seconds of data that an offer holds; offers have been checked, so there are no months in it."""
    return duration.seconds if duration is not None else 0
