"""The kits from a shell: ``python -m oadr_transports.testing carrier|http-carrier|store MODULE:NAME``.

It stands alone because whoever writes a carrier needs no test framework to prove it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from oadr_core import LocalError

from . import KitError, check_carrier, check_store, over_http


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a kit and print its report. 0: all is well, 1: a check has failed, 2: the call was wrong."""
    parser = argparse.ArgumentParser(prog="python -m oadr_transports.testing", description=__doc__.partition("\n")[0])
    parser.add_argument("kit", choices=["carrier", "http-carrier", "store"])
    parser.add_argument(
        "what",
        metavar="MODULE:NAME",
        help="what makes the link, the carrier for a URL, or the store in a folder; the module is looked for here too",
    )
    parser.add_argument("--without", action="append", default=[], metavar="FEATURE", help="what it lacks; see the docs")
    parser.add_argument("--only", action="append", metavar="CHECK", help="make this check")
    parser.add_argument("--backend", choices=["asyncio", "trio"], default="asyncio", help="event loop of a carrier")
    given = parser.parse_args(arguments)
    try:
        sys.stdout.write(f"{_checked(given)}\n")
    except KitError as error:
        sys.stdout.write(f"{error}\n")
        return 1
    except LocalError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _checked(given: argparse.Namespace) -> object:
    made = _found(given.what)
    if given.kit == "store":
        return check_store(made, without=given.without, only=given.only)
    link = over_http(made) if given.kit == "http-carrier" else made
    return check_carrier(link, without=given.without, only=given.only, backend=given.backend)


def _found(what: str) -> Any:
    module, colon, name = what.partition(":")
    if not colon:
        raise LocalError(f"MODULE:NAME is expected, not {what!r}", path="what")
    sys.path.insert(0, "")
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ModuleNotFoundError, AttributeError) as error:
        raise LocalError(str(error), path=what) from None
    return found


if __name__ == "__main__":
    sys.exit(main())
