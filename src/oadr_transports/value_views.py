"""Received values and offered reports as plain JSON values: what the admin API answers, and what exports are made of.

It stands alone because a database that is read without a VTN must give the same as a VTN that is asked.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from oadr_core.engine.values import DataPoint
from oadr_core.model import GBPayload, ItemBase, PayloadResourceStatus, Report, ReportDescription
from oadr_core.reporting.received import resource
from oadr_core.wire.jsonform import part_to_json

from .stores import Series, StoredValue, Summary

Json = dict[str, Any]


def series_view(series: Series) -> Json:
    """Whose values they are, of what, and in which unit."""
    return {
        "ven_id": series.ven_id,
        "report_specifier_id": series.report_specifier_id,
        "report_request_id": series.report_request_id,
        "report_name": series.report_name,
        "r_id": series.r_id,
        **point_view(series.point),
    }


def point_view(point: DataPoint) -> Json:
    """What is known of a data point; ``null`` where its owner has said nothing."""
    return {
        "resource_id": point.resource_id,
        "report_type": point.report_type and str(point.report_type),
        "reading_type": point.reading_type and str(point.reading_type),
        "market_context": point.market_context,
        **unit_view(point.item_base),
    }


def unit_view(item: ItemBase | None) -> Json:
    """Measurement, unit and scale: ``PowerReal``, ``W``, ``k``."""
    return {
        "measurement": None if item is None else type(item).__name__,
        "unit": None if item is None else str(getattr(item, "item_units", "") or getattr(item, "item_description", "")),
        "scale": None if item is None else str(getattr(item, "si_scale_code", "none")),
    }


def value_view(value: StoredValue) -> Json:
    """One value; what the VEN has not said is left out. ``value`` is a number, ``state`` anything else."""
    found: Json = {"start": instant(value.dtstart)}
    if value.duration is not None:
        found["duration"] = value.duration.total_seconds()
    if isinstance(value.value, (PayloadResourceStatus, GBPayload)):
        found["state"] = part_to_json(value.value)
    else:
        found["value"] = number(value.value)
    for name in ("data_quality", "accuracy", "confidence"):
        if (what := getattr(value, name)) is not None:
            found[name] = what
    found["received_at"] = instant(value.received_at)
    return found


def summary_view(summary: Summary) -> Json:
    """One series, how many values there are of it, and the last one."""
    return {
        **series_view(summary.series),
        "count": summary.count,
        "first": instant(summary.first),
        "last": value_view(summary.last),
    }


def offer_view(report: Report) -> Json:
    """A report that a VEN offers, with its data points."""
    return {
        "report_specifier_id": report.report_specifier_id,
        "name": report.report_name and str(report.report_name),
        "duration": report.duration and str(report.duration),
        "data_points": [_described(one) for one in report.oadr_report_description],
    }


def _described(one: ReportDescription) -> Json:
    rate = one.oadr_sampling_rate
    point = DataPoint(
        item_base=one.item_base,
        resource_id=resource(one),
        report_type=one.report_type,
        reading_type=one.reading_type,
        market_context=one.market_context,
    )
    return {
        "r_id": one.r_id,
        **point_view(point),
        "min_period": rate and str(rate.oadr_min_period),
        "max_period": rate and str(rate.oadr_max_period),
        "on_change": bool(rate and rate.oadr_on_change),
    }


def number(value: float) -> float | str:
    """A number that JSON has, else its name."""
    return float(value) if math.isfinite(value) else str(float(value))


@lru_cache(maxsize=256)  # neighbours have arrived together
def instant(at: datetime) -> str:
    """In UTC, with a Z."""
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"
