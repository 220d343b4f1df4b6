"""What every part of the admin API reads from a request: a name in its path, and its JSON.

It stands alone because limits belong in one place.
"""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import Any, Final
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.requests import Request

LARGEST_BODY: Final = 1 << 20
"""Bytes of a request: an event with thousands of intervals."""


def path_name(request: Request, which: str) -> str:
    """A path parameter with slashes and escapes as they were meant: identifiers may hold any character."""
    return unquote(str(request.path_params[which]))


async def json_body(request: Request) -> Any:
    """The JSON of a request; an empty body is an empty object. Raises for what is too large or no JSON."""
    announced = request.headers.get("content-length", "0")
    if not announced.isdecimal() or len(announced) > 9 or int(announced) > LARGEST_BODY:
        raise HTTPException(413, f"at most {LARGEST_BODY} bytes")
    data = b""
    async with aclosing(request.stream()) as parts:
        async for part in parts:
            data += part
            if len(data) > LARGEST_BODY:
                raise HTTPException(413, f"at most {LARGEST_BODY} bytes")
    if not data:
        return {}
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"no JSON: {error}") from None
