"""What our VEN has reported, read out of its messages with nothing of our own code."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from lxml import etree

from tests.observations import Observation
from tests.transports.scripted_vtn import ScriptedVtn


class Value(NamedTuple):
    """One value as it stands in an oadrUpdateReport; texts but for the time."""

    request: str
    r_id: str
    at: datetime | None
    value: str
    quality: str | None = None
    accuracy: str | None = None
    confidence: str | None = None
    duration: str | None = None


def texts(element: Any, path: str) -> list[str]:
    """The texts at a path of local names."""
    query = "/".join("" if name == "" else f"*[local-name()='{name}']" for name in path.split("/"))
    return [str(found.text or "") for found in element.xpath(f".//{query}" if not path.startswith("/") else query)]


def one(element: Any, path: str) -> str | None:
    """The first text at a path of local names, if there is one."""
    return next(iter(texts(element, path)), None)


def children(element: Any, name: str) -> list[Any]:
    """The elements with a local name, anywhere inside."""
    found: list[Any] = element.xpath(f".//*[local-name()='{name}']")
    return found


def values(body: bytes) -> list[Value]:
    """All values in an oadrUpdateReport."""
    found = []
    for report in children(etree.fromstring(body), "oadrReport"):
        request = one(report, "reportRequestID") or ""
        for interval in children(report, "interval"):
            at = one(interval, "dtstart/date-time")
            for payload in children(interval, "oadrReportPayload"):
                status = children(payload, "oadrPayloadResourceStatus")
                found.append(
                    Value(
                        request=request,
                        r_id=one(payload, "rID") or "",
                        at=datetime.fromisoformat(at) if at else None,
                        value=shape(status[0]) if status else one(payload, "payloadFloat/value") or "",
                        quality=one(payload, "oadrDataQuality"),
                        accuracy=one(payload, "accuracy"),
                        confidence=one(payload, "confidence"),
                        duration=one(interval, "duration/duration"),
                    )
                )
    return found


def shape(element: Any) -> str:
    """An element as nested names and texts, for comparison."""
    name = etree.QName(element).localname
    inner = " ".join(shape(child) for child in element) or (element.text or "")
    return f"{name}({inner})"


def offered(body: bytes) -> dict[str, Any]:
    """The metadata in an oadrRegisterReport: the report elements by their specifiers."""
    reports = children(etree.fromstring(body), "oadrReport")
    return {one(report, "reportSpecifierID") or "": report for report in reports}


async def value_of(vtn: ScriptedVtn, r_id: str, number: float | None = None, *, request: str | None = None) -> Value:
    """Wait until a value for a data point arrives, perhaps a certain one, and return it."""

    def wanted(body: bytes) -> Iterator[Value]:
        for value in values(body):
            fits = number is None or (value.quality is None and float(value.value) == number)
            if value.r_id == r_id and request in (None, value.request) and fits:
                yield value

    def holds(observation: Observation) -> bool:
        return observation["message"] == "oadrUpdateReport" and any(wanted(observation["body"]))

    seen = await vtn.seen("request", holds)
    return next(wanted(seen["body"]))


def all_values(vtn: ScriptedVtn) -> list[Value]:
    """Everything that has been reported so far, in order."""
    return [
        value for seen in vtn.all("request") if seen["message"] == "oadrUpdateReport" for value in values(seen["body"])
    ]
