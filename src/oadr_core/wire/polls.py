"""Polls, known by the bytes around their venID.

It stands alone because it is an optimisation that must not change any result. Most messages that a VTN gets are polls
without a signature, and those of one make of VEN differ only in the venID. So the reader remembers, for the bytes
before and behind the venID, what the parser and the decoder made of such a poll with a venID of its own choice: if that
was an ordinary poll with this very venID, then so is one with any other venID of characters that mean themselves.
"""

from __future__ import annotations

import re
from typing import Final

_LONGEST: Final = 2000
"""Bytes of a poll: with all namespaces declared it has some 700."""
_MESSAGE: Final = b"oadrPoll"
_START: Final = b"venID>"
_PLAIN: Final = re.compile(rb"[ -%'-;=?-~]+").fullmatch
"""Characters that stand for themselves between a start tag and an end tag."""
PROBE: Final = b"venID"


def split_poll(data: bytes) -> tuple[bytes, str, bytes] | None:
    """What stands before, in and behind the venID of what may be a poll; ``None`` for everything else."""
    if len(data) > _LONGEST or _MESSAGE not in data:
        return None
    start = data.find(_START) + len(_START)
    end = data.find(b"<", start)
    ven_id = data[start:end]
    return (data[:start], ven_id.decode("ascii"), data[end:]) if _PLAIN(ven_id) else None
