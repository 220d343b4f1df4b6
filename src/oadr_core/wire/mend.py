"""How a text that the schema does not allow is mended, where it is clear what was meant.

It stands alone because these are judgements about the habits of peers, apart from the walk over the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import attrs

from ..model import Duration
from ..model.declare import Scalar
from .convert import BLANK, converters
from .uris import escaped

_OFFSET: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)([+-]\d\d:?\d\d)", re.ASCII)
_SECONDS: Final = re.compile(r"(\d+)[.,]\d+S", re.ASCII)
_WEEKS: Final = re.compile(r"[+-]?P\d+W", re.ASCII)
_LONGEST: Final = 128
"""Characters beyond which nothing is mended: what was meant is short."""


@attrs.frozen(kw_only=True)
class Mending:
    """What to read instead, and what to say about it."""

    text: str
    reason: str
    rule: str = "schema"


def mended(text: str, kind: Scalar) -> Mending | None:
    """What a text of this kind was meant to be; ``None`` if that is not clear."""
    if len(text) > _LONGEST:
        return None
    for mending in _attempts(text, kind):
        try:
            converters(kind)[0](mending.text)
        except (ValueError, OverflowError):
            continue
        return mending
    return None


def _attempts(text: str, kind: Scalar) -> Iterator[Mending]:
    bare = text.strip(BLANK)
    if bare != text:
        yield Mending(text=bare, reason="blanks around the text")
    if kind.type == "dateTime" and (match := _OFFSET.fullmatch(bare)):
        try:
            instant = datetime.fromisoformat(match[0]).astimezone(UTC)
        except (ValueError, OverflowError):
            return
        yield Mending(text=converters(kind)[1](instant), reason="a numeric offset from UTC", rule="R1")
    elif kind.type == "dateTime":
        yield Mending(text=re.sub(r"\.(?=Z?$)", "", bare), reason="a point without decimals", rule="R1")
    elif kind.type == "duration":
        if _WEEKS.fullmatch(bare):
            yield Mending(text=str(Duration.parse(bare)), reason="weeks, which the schema writes without P", rule="R1")
        yield Mending(text=_SECONDS.sub(r"\1S", bare), reason="fractions of a second, which are cut off", rule="R1")
    elif kind.type == "anyURI":
        yield Mending(text=escaped(bare), reason="characters that a URI cannot have")
    elif kind.enumeration is not None:
        for value in kind.enumeration:
            if value.casefold() == bare.casefold():
                yield Mending(text=str(value), reason="in other letters than the schema's")
