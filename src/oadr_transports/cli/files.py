"""The messages that a command is given: files, directories, standard input.

It stands alone because `inspect` and `validate` read the same way.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .failures import Failed
from .say import clean

STDIN: Final = "-"
_SHOWN: Final = "<stdin>"


def shown_name(name: str) -> str:
    """How a source is called in the output."""
    return _SHOWN if name == STDIN else clean(name)


def read(name: str) -> bytes:
    """The bytes of a file, or of standard input for ``-``. Raises :class:`.Failed`."""
    if name == STDIN:
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except IsADirectoryError:
        raise Failed(f"{name} is a directory; name its files, or use: oadr validate {name}") from None
    except OSError as error:
        raise Failed(f"{name}: {error.strerror}") from None


def spread(names: tuple[str, ...]) -> Iterator[str]:
    """The names, with each directory replaced by the XML files below it, in order."""
    for name in names:
        if name != STDIN and Path(name).is_dir():
            yield from (str(path) for path in sorted(Path(name).rglob("*.xml")) if path.is_file())
        else:
            yield name
