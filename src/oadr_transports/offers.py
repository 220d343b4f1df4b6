"""The reports that an application offers: what ``add_report`` takes, and the metadata that comes of it.

It stands alone because ``add_report`` has many options, and each becomes a line of the metadata report or a way to
call: nothing is taken and then ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import blake2b
from typing import Any, Final

import attrs

from oadr_core import LocalError
from oadr_core.engine.copying import evolve
from oadr_core.errors import shown
from oadr_core.model import Duration, EiTarget, ItemBase, Report, ReportDescription, ReportName, SamplingRate
from oadr_core.ven import Collection, ReportDue, ReportOffer
from oadr_core.wire.examine import faults

from .asking import Errand
from .collecting import Question, Source, collect
from .describing import (
    HISTORIES,
    PERIOD_NAMES,
    STATUS,
    collection_of,
    is_as_agreed,
    kind_of,
    period_names,
    rate_of,
    report_name_of,
    types_of,
)
from .history import History, recorded
from .log import logger
from .measurements import Details, unit_of
from .options import checked_targets
from .readings import Kind, checked_time

DEFAULT_DURATION: Final = timedelta(days=1)
"""How much data a report offers: a VTN must not ask for more (R340), and a day's values in one report are usual."""
DEFAULT_HISTORY: Final = timedelta(days=366)
"""The same for a history from a callback: how far back it goes is known to nobody else."""
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class _Point:
    """One data point that is offered, and what is called for its values."""

    description: ReportDescription
    source: Source
    earliest: datetime | None = None
    period_names: tuple[str, str, str] = PERIOD_NAMES


@attrs.define(kw_only=True)
class _Offer:
    report_name: str
    duration: timedelta
    collection: Collection
    points: dict[str, _Point] = attrs.field(factory=dict)


class ReportOffers:
    """What a client offers to report: the part of its face that is about reports."""

    def __init__(self) -> None:
        self._offers: dict[str, _Offer] = {}
        self._closed = False

    def add_report(
        self,
        callback: Callable[..., Any],
        resource_id: str | None,
        measurement: Any = None,
        data_collection_mode: str = "incremental",
        report_specifier_id: str | None = None,
        r_id: str | None = None,
        report_name: str | None = None,
        reading_type: str | None = None,
        report_type: str | None = None,
        report_duration: timedelta | None = None,
        report_dtstart: datetime | None = None,
        sampling_rate: Any = None,
        scale: str | None = None,
        unit: str | None = None,
        power_ac: bool | None = None,
        power_hertz: float | None = None,
        power_voltage: float | None = None,
        market_context: str | None = None,
        end_device_asset_mrid: str | Iterable[str] | None = None,
        *,
        report_data_source: Mapping[str, Iterable[str]] | None = None,
        pulse_factor: float | None = None,
        history: History | None = None,
    ) -> tuple[str, str]:
        """Offer one measurement of one resource.

        :param callback: plain or ``async``. Called without arguments it returns the value of now, a list of
            ``(datetime, value)``, or a :class:`~oadr_transports.Measured` that knows more. With
            ``data_collection_mode='full'``, and for a history, it is called once per report with ``date_from``,
            ``date_to`` and ``sampling_interval``, and returns a list. ``None``: there is no valid value (R318).
        :param resource_id: the resource that is measured; ``None``: this VEN as a whole (R343).
        :param measurement: ``'voltage'``, ``'powerReal'``, ``'energyReal'``, ``'temperature'`` …, any other name for a
            custom unit, or an object with ``name``, ``description``, ``unit`` …; ``'status'`` for the state of the
            resource, and for a Green Button history nothing.
        :param data_collection_mode: ``'incremental'``: asked for each sample; ``'full'``: once for each report.
        :param report_specifier_id: of the report that the data point belongs to; without it, all points with the
            same ``report_name`` and mode share one.
        :param r_id: of the data point; without it one is made, the same at each start.
        :param report_name: without it TELEMETRY_USAGE, or TELEMETRY_STATUS for ``'status'``.
        :param reading_type: how the value is obtained (default ``'Direct Read'``).
        :param report_type: what it says; the default is ``'usage'`` where R331 has that, else ``'reading'``.
        :param report_duration: how much data can be asked for at once (default one day, of a history one
            year); of several points of a report the longest counts.
        :param report_dtstart: the earliest data there is, for full collection; older data is not asked for.
        :param sampling_rate: one interval, or the shortest and the longest (default 10 s to one hour).
        :param scale: SI prefix of the unit: p, n, micro, m, c, d, none, k, M, G, T.
        :param unit: as the measurement has it, perhaps with its prefix (``'kW'``); of a currency its ISO 4217 code.
        :param power_ac: of powers: alternating current (default true).
        :param power_hertz: of powers: nominal frequency (default 50).
        :param power_voltage: of powers: nominal voltage (default 230).
        :param market_context: the program that this is for (R302).
        :param end_device_asset_mrid: the device class, or several, e.g. ``'Thermostat'`` (R111, R307).
        :param report_data_source: what else it is measured at, e.g. ``{'meter_asset': ['m1']}`` (R302).
        :param pulse_factor: of pulse counts: kWh per pulse.
        :param history: where samples of TELEMETRY_USAGE are kept, e.g. a :class:`~oadr_transports.SqliteHistory`: the
            data point is offered as HISTORY_USAGE, too, in a report whose specifier has ``-history`` behind it.

        Returns ``(report_specifier_id, r_id)``. Raises :class:`~oadr_core.LocalError` (a ``ValueError``), which
        names the argument, and when the client runs: reports are offered at registration.
        """
        if self._closed:
            raise LocalError("reports are offered at registration: add them before run()")
        if not callable(callback):
            raise LocalError(f"a function is expected, not {shown(callback)}", path="callback")
        name = report_name_of(report_name, measurement)
        kind = kind_of(name, report_type)
        collection = collection_of(data_collection_mode, name)
        details = Details(
            unit=unit,
            scale=scale,
            power_hertz=power_hertz,
            power_voltage=power_voltage,
            power_ac=power_ac,
            pulse_factor=pulse_factor,
        )
        item_base = _item_base(kind, measurement, details)
        report_word, reading_word = types_of(kind, name, item_base, report_type, reading_type)
        rate = None if name in HISTORIES and sampling_rate is None else rate_of(sampling_rate)
        kept = _kept(report_duration, rate, DEFAULT_HISTORY if name in HISTORIES else DEFAULT_DURATION)
        checked_time(report_dtstart, "report_dtstart")
        if history is not None and name != ReportName.TELEMETRY_USAGE:
            raise LocalError(f"a history is kept of TELEMETRY_USAGE, not of {name}", path="history")
        specifier = report_specifier_id or self._shared(name, collection) or _made(name, collection, len(self._offers))
        chosen = r_id or _made(specifier, resource_id, item_base, self._size(specifier))
        description = ReportDescription(
            r_id=chosen,
            report_subject=_subject(end_device_asset_mrid),
            report_data_source=_data_source(resource_id, report_data_source),
            report_type=report_word,
            item_base=item_base,
            reading_type=reading_word,
            market_context=market_context,
            oadr_sampling_rate=rate,
        )
        for path, text in faults(description, ReportDescription, ""):
            name = path.split("/")[1]
            raise LocalError(text, path=_ARGUMENTS.get(name, name))
        series = f"{specifier}/{chosen}"
        record = None if history is None else partial(history.record, series)
        point = _Point(
            description=description,
            source=Source(callback=callback, kind=kind, record=record),
            earliest=report_dtstart,
            period_names=period_names(callback) if collection is Collection.FULL else PERIOD_NAMES,
        )
        wanted = [(specifier, name, collection, kept, point)]
        if history is not None:
            past = _Point(description=description, source=Source(callback=recorded(history, series), kind=kind))
            wanted.append((f"{specifier}-history", ReportName.HISTORY_USAGE, Collection.FULL, history.keep, past))
        self._add(wanted)
        return specifier, chosen

    def _add(self, wanted: list[tuple[str, str, Collection, timedelta, _Point]]) -> None:
        """Add a data point to each of some reports, or to none."""
        for specifier, name, collection, _, point in wanted:
            offer = self._offers.get(specifier)
            if offer is not None and (offer.report_name, offer.collection) != (name, collection):
                text = f"report {specifier!r} is a {offer.collection} {offer.report_name}"
                raise LocalError(text, path="report_specifier_id", rule="R308")
            if offer is not None and point.description.r_id in offer.points:
                text = f"report {specifier!r} has {point.description.r_id!r} already"
                raise LocalError(text, path="r_id", rule="R308")
        for specifier, name, collection, kept, point in wanted:
            new = _Offer(report_name=name, duration=kept, collection=collection)
            offer = self._offers.setdefault(specifier, new)
            offer.duration = max(offer.duration, kept)
            offer.points[point.description.r_id] = point

    def _size(self, specifier: str) -> int:
        return len(self._offers[specifier].points) if specifier in self._offers else 0

    def _shared(self, report_name: str, collection: Collection) -> str | None:
        for specifier, offer in self._offers.items():
            if (offer.report_name, offer.collection) == (report_name, collection):
                return specifier
        return None

    def _reports(self) -> tuple[ReportOffer, ...]:
        """The metadata of all reports (R305, R311, R312)."""
        for specifier, offer in self._offers.items():
            points = [point.description for point in offer.points.values()]
            odd = [point.r_id for point in points if not is_as_agreed(offer.report_name, point)]
            if odd:
                logger.info(
                    "report %r: %s stands for usage in powerReal, energyReal or pulseCount, read directly (R331); "
                    "%s is something else, and a VTN may not take it",
                    specifier,
                    offer.report_name,
                    ", ".join(map(repr, odd)),
                )
        return tuple(
            ReportOffer(
                report=Report(
                    duration=Duration.of(offer.duration),
                    oadr_report_description=tuple(point.description for point in offer.points.values()),
                    report_request_id="0",
                    report_specifier_id=specifier,
                    report_name=_metadata_name(offer.report_name),
                    created_date_time=_NEVER,  # the session puts the time of sending in its place
                ),
                collection=offer.collection,
            )
            for specifier, offer in self._offers.items()
        )

    def _collect(self, due: ReportDue, within_s: float) -> Errand:
        """Ask for the values of a report; ``within_s``: seconds until the session goes on without them."""
        return collect(due, self._questions(due), within_s)

    def _questions(self, due: ReportDue) -> Iterator[Question]:
        points = self._offers[due.report_specifier_id].points
        for r_id in due.r_ids:
            point = points[r_id]
            yield Question(r_id=r_id, source=point.source, arguments=_arguments(due, point))


_ARGUMENTS: Final = {
    "report_subject": "end_device_asset_mrid",
    "report_data_source": "resource_id",
    "oadr_sampling_rate": "sampling_rate",
}
"""The arguments of ``add_report`` that are called otherwise than their fields."""


def _arguments(due: ReportDue, point: _Point) -> dict[str, Any]:
    """What a callback is called with: the period, if that is what is asked for."""
    if due.collection is not Collection.FULL:
        return {}
    since = max(due.since, point.earliest or due.since)
    rate = point.description.oadr_sampling_rate
    shortest = timedelta(seconds=rate.oadr_min_period.seconds) if rate else timedelta()
    return dict(zip(point.period_names, (since, due.at, due.interval or shortest), strict=True))


def _item_base(kind: Kind, measurement: Any, details: Details) -> ItemBase | None:
    if kind is Kind.STATUS and measurement in (None, STATUS):
        return None
    if kind is Kind.STATUS:
        text = f"the state of a resource has no measurement, not {shown(measurement)}"
        raise LocalError(text, path="measurement", rule="R331")
    if measurement is None and kind is not Kind.NUMBER:
        return None
    if measurement is None or measurement == STATUS:
        raise LocalError("a measurement such as 'voltage' or 'powerReal' is expected", path="measurement")
    return unit_of(measurement, details)


def _subject(classes: str | Iterable[str] | None) -> EiTarget | None:
    if classes is None:
        return None
    return EiTarget(end_device_asset=(classes,) if isinstance(classes, str) else tuple(classes))


def _data_source(resource_id: str | None, more: Mapping[str, Iterable[str]] | None) -> EiTarget | None:
    target = checked_targets(more, "report_data_source") or EiTarget()
    if resource_id is not None:
        target = evolve(target, resource_id=(resource_id, *target.resource_id))
    return None if target == EiTarget() else target


def _kept(report_duration: Any, rate: SamplingRate | None, default: timedelta) -> timedelta:
    """How much data is offered: never less than one sample (R312)."""
    longest = timedelta(seconds=rate.oadr_max_period.seconds) if rate else timedelta(seconds=1)
    kept = max(default, longest) if report_duration is None else report_duration
    if not isinstance(kept, timedelta) or kept < longest:
        text = f"a timedelta not below the sampling rate {longest} is expected, not {shown(kept)}"
        raise LocalError(text, path="report_duration", rule="R312")
    return kept


def _made(*what: object) -> str:
    """The same identifier each time the same reports are offered: a restart is no reason to offer them anew."""
    return blake2b("\x1f".join(map(str, what)).encode(), digest_size=16).hexdigest()


def _metadata_name(name: str) -> str:
    return f"METADATA_{name}" if name in tuple(ReportName) else name
