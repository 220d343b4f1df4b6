"""The admin API as the commands use it: finding the running VTN, asking it, and putting its refusals in words.

It stands alone because all commands that steer a running VTN do this the same way.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

import click

from .failures import Failed
from .say import put

_F = TypeVar("_F", bound=Callable[..., Any])
_UNIX: Final = "unix:"
TIMEOUT_S: Final = 10.0
Json = dict[str, Any]


class Admin:
    """A running VTN. Its methods raise :class:`Failed` when it cannot be reached, or says no."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def ask(self, method: str, *path: str, body: Json | None = None, **query: str | None) -> Json:
        """The JSON that the VTN answers. The parts of ``path`` may hold any character."""
        import httpx2

        # escaped twice: servers unescape a path before it is taken apart, and an ID may hold a slash
        where = "/v1/" + "/".join(quote(quote(part, safe=""), safe="") for part in path)
        parameters = {name: value for name, value in query.items() if value is not None}
        try:
            reply = self._client.request(method, where, json=body, params=parameters)
        except (httpx2.HTTPError, OSError) as error:
            text = f"no VTN answers at {self._url} ({str(error) or type(error).__name__}); is it still running?"
            raise Failed(text) from None
        if reply.status_code == 204:
            return {}
        try:
            found = reply.json()
        except ValueError:
            raise Failed(f"what listens at {self._url} is no VTN: HTTP {reply.status_code}") from None
        if reply.is_success and isinstance(found, dict):
            return found
        raise Failed(_why(found, reply.status_code))

    def lines(self, *path: str, **query: str | None) -> Iterator[Json]:
        """The JSON objects that the VTN answers line by line, as they come."""
        import httpx2

        parameters = {name: value for name, value in query.items() if value is not None}
        try:
            with self._client.stream("GET", "/v1/" + "/".join(path), params=parameters) as reply:
                if not reply.is_success:
                    reply.read()
                    raise Failed(_why(_json(reply.text), reply.status_code))
                yield from map(json.loads, reply.iter_lines())
        except (httpx2.HTTPError, OSError) as error:
            text = f"the VTN at {self._url} has broken off ({str(error) or type(error).__name__})"
            raise Failed(text) from None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _why(found: Any, status: int) -> str:
    if not isinstance(found, dict):
        return f"the VTN refuses: HTTP {status}"
    where = f"{found['path']}: " if found.get("path") else ""
    return f"{where}{found.get('error', f'HTTP {status}')}"


def vtn_options(command: _F) -> _F:
    """The options that say which VTN."""
    for add in reversed(
        (
            click.option(
                "--admin",
                metavar="FILE|URL",
                help="Which VTN: its contact file, or the URL of its admin API. Default: OADR_ADMIN, else the VTN that "
                "this user has started last.",
            ),
            click.option("--token", metavar="TEXT", help="The token of the admin API. Default: OADR_ADMIN_TOKEN."),
            click.option(
                "--state",
                type=click.Path(dir_okay=False, path_type=Path),
                metavar="FILE",
                help="Which VTN: the one that keeps this state.",
            ),
        )
    ):
        command = add(command)
    return command


def admin_options(command: _F) -> _F:
    """The options that say which VTN, and how to print what it answers."""
    as_json = click.option("--json", "as_json", is_flag=True, help="Print the VTN's answer as JSON.")
    return vtn_options(as_json(command))


@contextmanager
def running_vtn(admin: str | None, token: str | None, state: Path | None) -> Iterator[Admin]:
    """The VTN that the options mean."""
    from oadr_transports.admin.contact import find

    contact = find(admin, token, state, dict(os.environ))
    import httpx2

    headers = {"Authorization": f"Bearer {contact.token}"}
    if contact.url.startswith(_UNIX):
        transport: Any = httpx2.HTTPTransport(uds=contact.url.removeprefix(_UNIX))
        base = "http://vtn"
    else:
        transport, base = None, contact.url
    verify = urlsplit(base).scheme != "http"
    with httpx2.Client(
        base_url=base, headers=headers, transport=transport, timeout=TIMEOUT_S, verify=verify, trust_env=False
    ) as client:
        yield Admin(client, contact.url)


def show_json(found: Any) -> None:
    """For programs: the VTN's answer, readable."""
    put(json.dumps(found, indent=2, ensure_ascii=False))


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Columns of text, as wide as they need to be."""
    rows = list(rows)
    widths = [max(len(row[index]) for row in (head, *rows)) for index in range(len(head))]
    for row in (head, *rows):
        put("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
