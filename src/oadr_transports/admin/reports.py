"""The admin API's half about reports: what is offered, what is requested, and the values that have arrived.

It stands alone because it has its own subject; like the other half it decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Generator, Iterator
from itertools import islice
from typing import Any, Final

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from oadr_core.model import METADATA, CancelReport
from oadr_core.reporting.offers import HISTORY
from oadr_core.reporting.policy import bare_name
from oadr_core.vtn import ReportPolicy, ReportRule, RequestedReport, VenState
from oadr_transports.stores import Series, StoredValue
from oadr_transports.value_views import instant, offer_view, series_view, summary_view, value_view
from oadr_transports.vtn import Vtn

from . import forms
from .requests import json_body

ROUTES: Final = (
    ("GET", "/reports", "offers"),
    ("GET", "/report-requests", "requests"),
    ("POST", "/report-requests", "request"),
    ("POST", "/report-requests/cancel", "cancel"),
    ("GET", "/report-policy", "policy"),
    ("PUT", "/report-policy", "set_policy"),
    ("DELETE", "/report-policy", "reset_policy"),
    ("GET", "/series", "series"),
    ("GET", "/values", "values"),
)
"""Method, path below the version, and what answers it."""
CHUNK: Final = 1_000
"""Values that are read and sent at a time: some milliseconds, some hundred kilobytes."""
_SERIES: Final = ("ven_id", "report", "report_request_id", "r_id")
_TIMES: Final = ("since", "until")


class ReportsApi:
    """The functions that :data:`ROUTES` names."""

    def __init__(self, vtn: Vtn) -> None:
        self._vtn = vtn

    # --- offered and requested --------------------------------------------------------------------------------------

    async def offers(self, request: Request) -> Response:
        """Every report of every VEN, or of one, with its data points."""
        found = [
            {"ven_id": ven.ven_id, "ven_name": ven.ven_name, **offer_view(report)}
            for ven in self._chosen(request)
            for report in ven.reports
        ]
        return JSONResponse({"reports": found})

    async def requests(self, request: Request) -> Response:
        """Every report that is requested of every VEN, or of one."""
        found = [request_view(ven, one, made) for ven in self._chosen(request) for one, made in ven.requests.items()]
        return JSONResponse({"report_requests": found})

    async def request(self, request: Request) -> Response:
        found = forms.read(forms.REPORT_REQUEST, await json_body(request))
        ven_id, specifier_id = (forms.needed(found, name) for name in ("ven_id", "report_specifier_id"))
        if "start" in found:
            found["dtstart"] = found.pop("start")
        one = self._vtn.request_report(ven_id, specifier_id, **found)
        ven = self._vtn.vens[ven_id]
        return JSONResponse(request_view(ven, one, ven.requests[one]), 201)

    async def cancel(self, request: Request) -> Response:
        found = forms.read(forms.REPORT_CANCEL, await json_body(request))
        ven_id, ids = (forms.needed(found, name) for name in ("ven_id", "report_request_ids"))
        self._vtn.cancel_report(ven_id, *ids, **found)
        ven = self._vtn.vens[ven_id]
        left = [request_view(ven, one, ven.requests[one]) for one in ids if one in ven.requests]
        return JSONResponse({"report_requests": left}, 202)

    def _chosen(self, request: Request) -> list[VenState]:
        ven_id = request.query_params.get("ven_id")
        if ven_id is None:
            return sorted(self._vtn.vens.values(), key=lambda ven: (ven.ven_name, ven.ven_id))
        ven = self._vtn.vens.get(ven_id)
        if ven is None:
            raise HTTPException(404, f"there is no VEN {ven_id!r}")
        return [ven]

    # --- the policy -------------------------------------------------------------------------------------------------

    async def policy(self, request: Request) -> Response:
        return JSONResponse(policy_view(self._vtn.report_policy))

    async def set_policy(self, request: Request) -> Response:
        found = forms.read(forms.REPORT_POLICY, await json_body(request))
        self._vtn.set_report_policy(ReportPolicy(**found))
        return JSONResponse(policy_view(self._vtn.report_policy))

    async def reset_policy(self, request: Request) -> Response:
        self._vtn.set_report_policy(None)
        return JSONResponse(policy_view(self._vtn.report_policy))

    # --- values -----------------------------------------------------------------------------------------------------

    async def series(self, request: Request) -> Response:
        """How many values there are of each series, and the last one."""
        found = self._vtn.report_summaries(**_query(request, _SERIES))
        return JSONResponse({"series": await anyio.to_thread.run_sync(lambda: [summary_view(one) for one in found])})

    async def values(self, request: Request) -> Response:
        """The values that are wanted, one JSON object a line: a series, then its values; at the end their number."""
        found = self._vtn.report_values(**_query(request, (*_SERIES, *_TIMES)))
        lines = value_lines(found)

        async def body() -> AsyncIterator[bytes]:
            try:
                while chunk := await anyio.to_thread.run_sync(lambda: b"".join(islice(lines, CHUNK))):
                    yield chunk
            finally:
                found.close()

        return StreamingResponse(body(), media_type="application/x-ndjson")


def value_lines(values: Generator[StoredValue, None, None]) -> Iterator[bytes]:
    """Values as lines: ``{"series": …}`` before the values that belong to it, and ``{"end": count}`` after all."""
    series: Series | None = None
    count = 0
    for value in values:
        if value.series is not series and value.series != series:
            series = value.series
            yield _line({"series": series_view(series)})
        yield _line(value_view(value))
        count += 1
    yield _line({"end": count})


def _line(found: Any) -> bytes:
    return json.dumps(found, separators=(",", ":")).encode() + b"\n"


def _query(request: Request, names: tuple[str, ...]) -> dict[str, Any]:
    given = dict(request.query_params)
    readers = {name: forms.instant if name in _TIMES else forms.text for name in names}
    return forms.read(readers, given)


def request_view(ven: VenState, report_request_id: str, made: RequestedReport) -> dict[str, Any]:
    """One report request: what is wanted, who wants it, and what the VEN has said to it."""
    specifier = made.request.report_specifier
    interval = specifier.report_interval
    return {
        "ven_id": ven.ven_id,
        "ven_name": ven.ven_name,
        "report_request_id": report_request_id,
        "report_specifier_id": specifier.report_specifier_id,
        "r_ids": [point.r_id for point in specifier.specifier_payload],
        "kind": _kind(ven, made),
        "granularity": str(specifier.granularity),
        "report_back_duration": str(specifier.report_back_duration),
        "start": None if interval is None else instant(interval.dtstart),
        "duration": str(interval.duration) if interval is not None and interval.duration else None,
        "state": _state(ven, report_request_id, made),
        "wanted_by": "operator" if made.asked else "policy",
    }


def _kind(ven: VenState, made: RequestedReport) -> str:
    specifier = made.request.report_specifier
    names = {report.report_specifier_id: bare_name(report) for report in ven.reports}
    if specifier.report_specifier_id == METADATA:
        return "metadata"
    if names.get(specifier.report_specifier_id, "").startswith(HISTORY):
        return "history"
    if not specifier.report_back_duration:
        return "once"
    return "periodic" if specifier.granularity else "on change"


def _state(ven: VenState, report_request_id: str, made: RequestedReport) -> str:
    if made.stopped:
        return "stopped"
    for mail in ven.mailbox:
        if isinstance(mail.payload, CancelReport) and report_request_id in mail.payload.report_request_id:
            return "cancelling"
    return "confirmed" if made.confirmed else "waiting"


def policy_view(policy: ReportPolicy) -> dict[str, Any]:
    """What is asked for of every offer; fields of rules that say nothing are left out."""
    return {
        "rules": [_rule(rule) for rule in policy.rules],
        "piggy_back": policy.piggy_back,
        "cancel_in_reply": policy.cancel_in_reply,
    }


def _rule(rule: ReportRule) -> dict[str, Any]:
    usual = ReportRule()
    found: dict[str, Any] = {"ask": str(rule.ask)}
    for name in forms.REPORT_RULE:
        value = getattr(rule, name)
        if value != getattr(usual, name):
            found[name] = value.total_seconds() if name in forms.RULE_LENGTHS else str(value)
    return found
