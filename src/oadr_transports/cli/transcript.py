"""The messages of a session, one file each, exactly as they were on the wire.

It stands alone because the demonstration and the VTN both keep one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import attrs

from .failures import Failed

DIRECTIONS: Final = {"received": "VEN-to-VTN", "sent": "VTN-to-VEN"}
"""The VTN's words for the ways of a message, and those of the file names."""
_NAME: Final = re.compile(r"\d{3,}-(VEN-to-VTN|VTN-to-VEN)\.\w+\.xml")


def message_name(data: bytes) -> str:
    """The name of the message in unauthenticated bytes, e.g. ``oadrPoll``; ``unreadable`` where there is none."""
    from oadr_core import RemoteError, decode

    try:
        return type(decode(data).payload).__element__.partition(":")[2]
    except RemoteError:
        return "unreadable"


@attrs.define
class Transcript:
    """Writes each message to ``directory`` when it passes, as ``001-VEN-to-VTN.oadrPoll.xml`` and so on."""

    directory: Path
    count: int = 0

    @classmethod
    def begin(cls, directory: Path) -> Transcript:
        """Make the directory, and take away the transcript that is in it. Other files stay.

        Raises :class:`.Failed` where that cannot be done.
        """
        try:
            directory.mkdir(parents=True, exist_ok=True)
            for path in directory.iterdir():
                if _NAME.fullmatch(path.name):
                    path.unlink()
        except OSError as error:
            raise Failed(f"the transcript cannot be kept in {directory}: {error.strerror}") from None
        return cls(directory)

    def add(self, direction: str, service: str, data: bytes) -> None:
        """Write one message; the arguments are those of ``Vtn.transcript``."""
        self.count += 1
        name = f"{self.count:03}-{DIRECTIONS[direction]}.{message_name(data)}.xml"
        (self.directory / name).write_bytes(data)
