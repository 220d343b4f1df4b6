"""The reports that an application offers, and the reading of their values from its callbacks.

It stands alone because ``add_report`` has many options, and each becomes a line of the metadata report or a way to
call.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final

import attrs

from oadr_core import LocalError
from oadr_core.model import (
    Duration,
    EiTarget,
    PayloadResourceStatus,
    ReadingType,
    Report,
    ReportDescription,
    ReportName,
    ReportType,
    SamplingRate,
)
from oadr_core.ven import Collection, Reading, ReportDue, ReportOffer

from .handlers import call
from .measurements import unit_of

DEFAULT_DURATION: Final = timedelta(hours=1)
DEFAULT_RATE: Final = (timedelta(seconds=10), timedelta(hours=1))
FULL_ARGUMENTS: Final = ("date_from", "date_to", "sampling_interval")
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class _Point:
    description: ReportDescription
    callback: Callable[..., Any]
    earliest: datetime | None


@attrs.define(kw_only=True)
class _Offer:
    report_name: str
    duration: timedelta
    collection: Collection
    points: list[_Point]


class ReportOffers:
    """What a client offers to report: the part of its face that is about reports."""

    def __init__(self) -> None:
        self._offers: dict[str, _Offer] = {}
        self._closed = False

    def add_report(
        self,
        callback: Callable[..., Any],
        resource_id: str,
        measurement: str | None = None,
        data_collection_mode: str = "incremental",
        report_specifier_id: str | None = None,
        r_id: str | None = None,
        report_name: str = "TELEMETRY_USAGE",
        reading_type: str = "Direct Read",
        report_type: str = "reading",
        report_duration: timedelta | None = None,
        report_dtstart: datetime | None = None,
        sampling_rate: timedelta | tuple[timedelta, timedelta] | None = None,
        scale: str = "none",
        unit: str | None = None,
        power_ac: bool = True,
        power_hertz: float = 50,
        power_voltage: float = 230,
        market_context: str | None = None,
        end_device_asset_mrid: str | None = None,
        *,
        pulse_factor: float | None = None,
    ) -> tuple[str, str]:
        """Offer one measurement of one resource.

        :param callback: plain or ``async``. Called without arguments it returns the value of now, or a list of
            ``(datetime, value)``. With ``data_collection_mode='full'`` it is called once per report with
            ``date_from``, ``date_to`` and ``sampling_interval``, and returns a list of ``(datetime, value)``.
        :param resource_id: the resource that is measured.
        :param measurement: ``'voltage'``, ``'powerReal'``, ``'energyReal'``, ``'temperature'`` …; any other name is
        a custom
            unit. Not needed for TELEMETRY_STATUS.
        :param report_specifier_id: of the report that the data point belongs to; without it, all points with the
        same
            ``report_name`` and mode share one.
        :param report_duration: how much data is kept (default one hour).
        :param report_dtstart: the earliest data there is, for full collection; older data is not asked for.
        :param sampling_rate: one interval, or the shortest and the longest (default 10 s to one hour).
        :param scale: SI prefix of the unit: p, n, micro, m, c, d, none, k, M, G, T.

        Returns ``(report_specifier_id, r_id)``. Raises :class:`~oadr_core.LocalError` (a ``ValueError``), which
        names the argument, and when the client runs: reports are offered at registration.
        """
        if self._closed:
            raise LocalError("reports are offered at registration: add them before run()")
        collection = _collection(data_collection_mode, callback)
        name = _vocabulary(report_name, ReportName, "report_name").removeprefix("METADATA_")
        shortest, longest = _rate(sampling_rate)
        kept: Any = report_duration if report_duration is not None else max(DEFAULT_DURATION, longest)
        if not isinstance(kept, timedelta) or kept < longest:
            raise LocalError(
                f"a timedelta not below the sampling rate {longest} is expected, not {kept!r}",
                path="report_duration",
                rule="R312",
            )
        _aware(report_dtstart, "report_dtstart")
        status = name == ReportName.TELEMETRY_STATUS
        if measurement is None and not status:
            raise LocalError("a measurement such as 'voltage' or 'powerReal' is expected", path="measurement")
        specifier = report_specifier_id or self._shared(name, collection) or _made(name, collection, len(self._offers))
        offer = self._offers.setdefault(
            specifier, _Offer(report_name=name, duration=kept, collection=collection, points=[])
        )
        if (offer.report_name, offer.collection) != (name, collection):
            raise LocalError(
                f"report {specifier!r} is a {offer.collection} {offer.report_name}", path="report_specifier_id"
            )
        chosen = r_id or _made(specifier, resource_id, measurement, len(offer.points))
        if any(point.description.r_id == chosen for point in offer.points):
            raise LocalError(f"report {specifier!r} has {chosen!r} already", path="r_id", rule="R308")
        description = ReportDescription(
            r_id=chosen,
            report_subject=EiTarget(end_device_asset=(end_device_asset_mrid,)) if end_device_asset_mrid else None,
            report_data_source=EiTarget(resource_id=(resource_id,)),
            report_type=_word(ReportType.X_RESOURCE_STATUS if status else report_type, ReportType, "report_type"),
            item_base=None
            if status or measurement is None
            else unit_of(
                measurement,
                unit=unit,
                scale=scale,
                hertz=power_hertz,
                voltage=power_voltage,
                ac=power_ac,
                pulse_factor=pulse_factor,
            ),
            reading_type=_word(ReadingType.X_NOT_APPLICABLE if status else reading_type, ReadingType, "reading_type"),
            market_context=market_context,
            oadr_sampling_rate=SamplingRate(
                oadr_min_period=Duration.of(shortest), oadr_max_period=Duration.of(longest)
            ),
        )
        offer.duration = max(offer.duration, kept)
        offer.points.append(_Point(description=description, callback=callback, earliest=report_dtstart))
        return specifier, chosen

    def _shared(self, report_name: str, collection: Collection) -> str | None:
        for specifier, offer in self._offers.items():
            if (offer.report_name, offer.collection) == (report_name, collection):
                return specifier
        return None

    def _reports(self) -> tuple[ReportOffer, ...]:
        """The metadata of all reports (R305, R311, R312)."""
        return tuple(
            ReportOffer(
                report=Report(
                    duration=Duration.of(offer.duration),
                    oadr_report_description=tuple(point.description for point in offer.points),
                    report_request_id="0",
                    report_specifier_id=specifier,
                    report_name=_metadata_name(offer.report_name),
                    created_date_time=_NEVER,  # the session puts the time of sending in its place
                ),
                collection=offer.collection,
            )
            for specifier, offer in self._offers.items()
        )

    async def _read(self, due: ReportDue, r_id: str) -> list[Reading]:
        """Call the callback of one data point and make readings of what it returns.

        Raises whatever the callback raises, and ``TypeError`` for what is not a value.
        """
        point = next(point for point in self._offers[due.report_specifier_id].points if point.description.r_id == r_id)
        if due.collection is Collection.FULL:
            since = max(due.since, point.earliest or due.since)
            result = await call(point.callback, date_from=since, date_to=due.at, sampling_interval=due.interval)
        else:
            result = await call(point.callback)
        return list(_readings(r_id, result))


def _made(*what: object) -> str:
    """The same identifier each time the same reports are offered: a restart is no reason to offer them anew."""
    return blake2b("\x1f".join(map(str, what)).encode(), digest_size=16).hexdigest()


def _readings(r_id: str, result: Any) -> Iterable[Reading]:
    if isinstance(result, (list, tuple)):
        for at, value in result:
            _aware(at, "the time of a value")
            yield Reading(r_id=r_id, value=_value(value), at=at)
    else:
        yield Reading(r_id=r_id, value=_value(result))


def _value(value: Any) -> float | PayloadResourceStatus:
    if isinstance(value, PayloadResourceStatus):
        return value
    if isinstance(value, bool) or value is None:
        raise TypeError(f"a number is expected, not {value!r}")
    return float(value)


def _collection(mode: str, callback: Callable[..., Any]) -> Collection:
    if not callable(callback):
        raise LocalError(f"a function is expected, not {callback!r}", path="callback")
    try:
        collection = Collection(mode)
    except ValueError:
        raise LocalError(f"'incremental' or 'full' is expected, not {mode!r}", path="data_collection_mode") from None
    if collection is Collection.FULL:
        parameters = inspect.signature(callback).parameters
        open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        if not open_ended and not set(FULL_ARGUMENTS) <= set(parameters):
            raise LocalError(f"for 'full' it must take {', '.join(FULL_ARGUMENTS)}", path="callback")
    return collection


def _rate(rate: Any) -> tuple[timedelta, timedelta]:
    shortest, longest = (rate, rate) if isinstance(rate, timedelta) else rate if rate is not None else DEFAULT_RATE
    for value in (shortest, longest):
        if not isinstance(value, timedelta) or value < timedelta(seconds=1) or value.microseconds:
            raise LocalError(
                f"a timedelta of whole seconds, 1 or more, is expected, not {value!r}", path="sampling_rate"
            )
    if shortest > longest:
        raise LocalError(f"the shortest comes first, not {shortest} before {longest}", path="sampling_rate")
    return shortest, longest


def _vocabulary(value: str, names: type[ReportName], argument: str) -> str:
    return str(_word(value, names, argument))


def _word(value: Any, names: Any, argument: str) -> Any:
    if value in tuple(names):
        return names(value)
    if isinstance(value, str) and value.startswith("x-") and len(value) > 2:
        return value
    raise LocalError(f"one of {', '.join(names)} or x-… is expected, not {value!r}", path=argument)


def _metadata_name(name: str) -> str:
    return f"METADATA_{name}" if name in tuple(ReportName) else name


def _aware(value: Any, argument: str) -> None:
    if value is not None and (not isinstance(value, datetime) or value.tzinfo is None):
        raise LocalError(f"a datetime with a time zone is expected, not {value!r}", path=argument)
