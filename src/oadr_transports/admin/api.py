"""The admin API as an ASGI application: a table of paths, and one function each.

It stands alone because it decides nothing: it checks the token before anything else, hands over to the VTN's own
methods, and shows what came of it. ``docs/admin-api.md`` describes it for those who use it.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from oadr_core import LocalError, RemoteError
from oadr_core.vtn import EventEntry, VenState
from oadr_transports.ports import clocks
from oadr_transports.vtn import Vtn

from . import forms, reports
from .contact import checked_token
from .requests import json_body, path_name
from .views import event_view, note_view, ven_view

logger = logging.getLogger("oadr")

VERSION: Final = "v1"
"""The first part of every path; what is there stays as it is, but for new fields."""


def admin_app(vtn: Vtn, token: str) -> ASGIApp:
    """The admin API of a VTN, for any ASGI server under the event loop of the VTN.

    ``token`` must stand in every request: ``Authorization: Bearer …``. Raises :class:`~oadr_core.LocalError` for one
    that is too short.
    """
    halves = ((_Api(vtn), ROUTES), (reports.ReportsApi(vtn), reports.ROUTES))
    app = Starlette(
        routes=[
            Route(f"/{VERSION}{path}", getattr(half, name), methods=[method])
            for half, routes in halves
            for method, path, name in routes
        ],
        exception_handlers={
            LocalError: _refused,
            RemoteError: _refused,
            HTTPException: _no,
            Exception: _broken,
        },
    )
    return _Guarded(app, checked_token(token))


ROUTES: Final = (
    ("GET", "/status", "status"),
    ("GET", "/events", "events"),
    ("POST", "/events", "create_event"),
    ("POST", "/events/{event_id:path}/cancel", "cancel_event"),
    ("GET", "/events/{event_id:path}", "event"),
    ("PATCH", "/events/{event_id:path}", "modify_event"),
    ("GET", "/vens", "vens"),
    ("POST", "/vens/{ven_id:path}/reregister", "reregister"),
    ("POST", "/vens/{ven_id:path}/cancel", "cancel_registration"),
    ("GET", "/vens/{ven_id:path}", "ven"),
    ("GET", "/groups", "groups"),
    ("PUT", "/groups/{group:path}", "set_group"),
    ("DELETE", "/groups/{group:path}", "delete_group"),
    ("GET", "/notifications", "notifications"),
)
"""Method, path below the version, and what answers it."""


class _Guarded:
    """Nobody gets past without the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = [value for name, value in scope["headers"] if name.lower() == b"authorization"]
            if len(given) != 1 or not secrets.compare_digest(given[0], self._expected):
                body = {"error": "the token of this VTN is expected: Authorization: Bearer …"}
                denied = JSONResponse(body, 401, {"WWW-Authenticate": "Bearer", "Connection": "close"})
                await denied(scope, receive, send)
                return
        await self._app(scope, receive, send)


class _Api:
    def __init__(self, vtn: Vtn) -> None:
        self._vtn = vtn

    # --- events -----------------------------------------------------------------------------------------------------

    async def events(self, request: Request) -> Response:
        """All events, or those of one VEN, or of one status, in the order of publishing."""
        now, vtn = clocks(), self._vtn
        ven_id, status = request.query_params.get("ven_id"), request.query_params.get("status")
        entries = sorted(vtn.events.values(), key=lambda entry: entry.number)
        return JSONResponse(
            {
                "events": [
                    event_view(vtn, entry, now)
                    for entry in entries
                    if (ven_id is None or entry.is_for(ven_id))
                    and (status is None or entry.status_at(now.wall) == status)
                ]
            }
        )

    async def event(self, request: Request) -> Response:
        return self._event(self._entry(request))

    async def create_event(self, request: Request) -> Response:
        event_id = self._vtn.publish_event(**forms.arguments(forms.CREATE, await json_body(request)))
        return self._event(self._vtn.events[event_id], 201)

    async def modify_event(self, request: Request) -> Response:
        entry = self._entry(request)
        self._vtn.modify_event(entry.event_id, **forms.arguments(forms.MODIFY, await json_body(request)))
        return self._event(self._vtn.events[entry.event_id])

    async def cancel_event(self, request: Request) -> Response:
        entry = self._entry(request)
        self._vtn.cancel_event(entry.event_id, **forms.read({"reason": forms.text}, await json_body(request)))
        return self._event(self._vtn.events[entry.event_id])

    def _entry(self, request: Request) -> EventEntry:
        event_id = path_name(request, "event_id")
        entry = self._vtn.events.get(event_id)
        if entry is None:
            raise HTTPException(404, f"there is no event {event_id!r}")
        return entry

    def _event(self, entry: EventEntry, status: int = 200) -> Response:
        return JSONResponse(event_view(self._vtn, entry, clocks(), whole=True), status)

    # --- VENs -------------------------------------------------------------------------------------------------------

    async def vens(self, request: Request) -> Response:
        vens = sorted(self._vtn.vens.values(), key=lambda ven: (ven.ven_name, ven.ven_id))
        return JSONResponse({"vens": [ven_view(ven) for ven in vens]})

    async def ven(self, request: Request) -> Response:
        return JSONResponse(ven_view(self._ven(request), whole=True))

    async def reregister(self, request: Request) -> Response:
        ven = self._ven(request)
        forms.read({}, await json_body(request))
        self._vtn.request_reregistration(ven.ven_id)
        return JSONResponse(ven_view(self._vtn.vens[ven.ven_id], whole=True), 202)

    async def cancel_registration(self, request: Request) -> Response:
        ven = self._ven(request)
        self._vtn.cancel_registration(ven.ven_id, **forms.read({"at_once": forms.flag}, await json_body(request)))
        left = self._vtn.vens.get(ven.ven_id)
        return JSONResponse(ven_view(ven if left is None else left, whole=True), 202 if left else 200)

    def _ven(self, request: Request) -> VenState:
        ven_id = path_name(request, "ven_id")
        ven = self._vtn.vens.get(ven_id)
        if ven is None:
            raise HTTPException(404, f"there is no VEN {ven_id!r}")
        return ven

    # --- groups -----------------------------------------------------------------------------------------------------

    async def groups(self, request: Request) -> Response:
        return JSONResponse({"groups": {name: list(ven_ids) for name, ven_ids in sorted(self._vtn.groups.items())}})

    async def set_group(self, request: Request) -> Response:
        name = path_name(request, "group")
        found = forms.read({"ven_ids": forms.texts}, await json_body(request))
        self._vtn.set_group(name, found.get("ven_ids", ()))
        return JSONResponse({"group": name, "ven_ids": list(self._vtn.groups.get(name, ()))})

    async def delete_group(self, request: Request) -> Response:
        name = path_name(request, "group")
        if name not in self._vtn.groups:
            raise HTTPException(404, f"there is no group {name!r}")
        self._vtn.set_group(name, ())
        return Response(status_code=204)

    # --- the whole --------------------------------------------------------------------------------------------------

    async def status(self, request: Request) -> Response:
        vtn, now = self._vtn, clocks()
        live = sum(1 for entry in vtn.events.values() if not entry.is_gone(now.wall))
        return JSONResponse(
            {
                "vtn_id": vtn.config.vtn_id,
                "vens": len(vtn.vens),
                "live_events": live,
                "events": len(vtn.events),
                "keeps_values": vtn.keeps_values,
            }
        )

    async def notifications(self, request: Request) -> Response:
        """All that happens from now on, one JSON object a line, until the caller goes away."""
        notes = self._vtn.notifications()
        await notes.__aenter__()  # from now on, not from when the body begins

        async def lines() -> AsyncIterator[bytes]:
            try:
                yield b"\n"  # the headers get on their way
                async for note in notes:
                    yield json.dumps(note_view(note, datetime.now(UTC))).encode() + b"\n"
            finally:
                await notes.__aexit__(None, None, None)

        return StreamingResponse(lines(), media_type="application/x-ndjson")


async def _refused(request: Request, error: Exception) -> Response:
    """The VTN says no; its state is what it was."""
    assert isinstance(error, (LocalError, RemoteError))
    found = {"error": error.text, "path": error.path or None, "rule": error.rule or None}
    return JSONResponse(found, 400)


async def _no(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _broken(request: Request, error: Exception) -> Response:
    logger.exception("the admin API failed at %s", request.url.path, exc_info=error)
    return JSONResponse({"error": f"the VTN failed: {type(error).__name__}"}, 500)
