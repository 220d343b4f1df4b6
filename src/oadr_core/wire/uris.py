"""Which texts are URI references (RFC 3986), the way that schema validators judge xs:anyURI.

It stands alone because the grammar fills a page and nothing else in the project knows it.
"""

from __future__ import annotations

import re
from typing import Final

_TOLERATED: Final = re.compile(r'[^\x20-\x7e]|[ <>"{}|\\^`]')
"""Characters that a URI may not have and that xs:anyURI permits: they stand for their escapes."""
_SUB: Final = r"A-Za-z0-9\-._~!$&'()*+,;="
_ESCAPE: Final = "%[0-9A-Fa-f]{2}"
_SEGMENT: Final = f"(?:[{_SUB}:@]++|{_ESCAPE})"
_AUTHORITY: Final = (
    rf"//(?:(?:[{_SUB}:]++|{_ESCAPE})*+@)?(?:\[[^\]]*+\]|(?:[{_SUB}]++|{_ESCAPE})*+)(?::[0-9]{{1,9}})?"
    rf"(?:/{_SEGMENT}*+)*+"
)
_ROOTED: Final = rf"/(?:{_SEGMENT}++(?:/{_SEGMENT}*+)*+)?"
_REFERENCE: Final = re.compile(
    rf"(?:[A-Za-z][A-Za-z0-9+\-.]*+:(?:{_AUTHORITY}|{_ROOTED}|(?:{_SEGMENT}++(?:/{_SEGMENT}*+)*+)?)"
    rf"|{_AUTHORITY}|{_ROOTED}|(?:(?:[{_SUB}@]++|{_ESCAPE})++(?:/{_SEGMENT}*+)*+)?)"
    rf"(?:\?(?:{_SEGMENT}|[/?])*+)?(?:\#(?:{_SEGMENT}|[/?\[\]])*+)?"
)


def is_reference(text: str) -> bool:
    """True for an absolute URI, a relative reference, and nothing at all."""
    return _REFERENCE.fullmatch(_TOLERATED.sub("_", text)) is not None


def escaped(text: str) -> str:
    """The text with everything escaped that has no place in a URI; what it means stays the same."""
    from urllib.parse import quote  # only for what is amiss; it takes long to load

    return quote(text, safe="/?:@!$&'()*+,;=-._~#")
