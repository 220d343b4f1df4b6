"""The command line: `oadr demo`, `oadr ven run`, `oadr vtn serve`, `oadr inspect`, `oadr doctor` and others.

It stands alone because it is an application of the library, and the only part that needs click and rich. This
module imports neither, so that their absence gives one line of advice.
"""

from __future__ import annotations

import sys

__all__ = ["main"]

INTERRUPTED = 130
"""Exit code after Ctrl-C, where that is not the ordinary end: 128 + SIGINT, as shells have it."""


def main(args: list[str] | None = None) -> None:
    """Run the command line, by default with the arguments of the process, and exit.

    Exit codes: 0 done, 1 not done, 2 wrong use, 130 interrupted.
    """
    try:
        from .app import run
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        sys.stderr.write(f"oadr: the command line needs {error.name}; install it with: pip install 'oadr[cli]'\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    sys.exit(run(args))
