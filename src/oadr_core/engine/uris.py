"""When two URIs are the same: market contexts are compared in their normal form (R512; RFC 3986, section 6.2).

It stands alone because both roles compare market contexts, and whoever writes one is not to be trusted with its case.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_ESCAPE: Final = re.compile("%[0-9A-Fa-f]{2}")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PORTS: Final = {"http": "80", "https": "443"}
_PARTS: Final = re.compile(r"(?:([^:/?#]+):)?(?://([^/?#]*))?([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)


@lru_cache(maxsize=1024)
def normal(uri: str) -> str:
    """The normal form of a URI: the case of scheme, host and escapes, needless escapes, dot segments, default ports
    and an empty path do not matter (RFC 3986, 6.2.2 and 6.2.3). Any text is taken.
    """
    found = _PARTS.fullmatch(uri.strip())
    if found is None:  # cannot be: the pattern takes everything
        return uri
    scheme, authority, path, query, fragment = found.groups()
    scheme = (scheme or "").lower()
    path = _plain(path)
    if scheme == "urn":  # RFC 8141: the namespace is written in any case
        namespace, colon, rest = path.partition(":")
        path = namespace.lower() + colon + rest
    if authority is not None:
        user, at, host = authority.rpartition("@")
        name, colon, port = host.rpartition(":")
        if colon and (not port or port == _PORTS.get(scheme)):
            host = name
        authority = f"//{_plain(user)}{at}{_plain(host).lower()}"
        path = _without_dots(path) or "/"
    return f"{scheme and scheme + ':'}{authority or ''}{path}{_plain(query or '')}{_plain(fragment or '')}"


def _plain(text: str) -> str:
    return _ESCAPE.sub(lambda found: _unescaped(found.group()), text)


def _unescaped(escape: str) -> str:
    character = chr(int(escape[1:], 16))
    return character if character in _UNRESERVED else escape.upper()


def _without_dots(path: str) -> str:
    """RFC 3986, 5.2.4, for a path that begins with a slash or is empty."""
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments[1:]:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "".join(f"/{segment}" for segment in kept)
