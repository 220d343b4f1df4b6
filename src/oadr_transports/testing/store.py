"""``check_store``: proves that a store does what its port says, also when its process is killed at the worst instant.

It stands alone because it runs the checks and knows none of them: each has a folder of its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from oadr_core import LocalError

from ..stores import Store
from . import accidents, keeping, keeping_values
from .results import Check, Report, Result, chosen, concluded, judged, lacking
from .store_bench import StoreBench, StoreLack

_CHECKS: Final = (*keeping.CHECKS, *accidents.CHECKS, *keeping_values.CHECKS)
_FIX: Final = "a store raises OSError when it cannot write, LocalError when it is damaged, and nothing else"


def store_checks() -> tuple[str, ...]:
    """The names of the checks, for instance for ``pytest.mark.parametrize``."""
    return tuple(check.name for check in _CHECKS)


def check_store(
    make: Callable[[Path], Store], *, without: Iterable[StoreLack | str] = (), only: Iterable[str] | None = None
) -> Report:
    """Prove a store. Call it from a plain function, for instance a test.

    ``make`` opens the store that lives in a folder, which is there and empty at the beginning of each check; called
    again with the same folder it opens the same store. A store that lives elsewhere takes the name of the folder as
    its own name. It is also called in processes that are forked, and killed. ``without``: what the store lacks
    (:class:`~oadr_transports.testing.StoreLack`); checks that need it are not made. ``only``: the names of the checks
    to make. A :class:`~oadr_transports.stores.ValueStore` is proved as such.

    Returns the report. Raises :class:`~oadr_transports.testing.KitError` (an ``AssertionError``) that lists every
    check that failed, with what was expected, what came, and what to do; and :class:`~oadr_core.LocalError` for wrong
    arguments.
    """
    lacks = frozenset(_lack(each) for each in without)
    return concluded(_result(check, make, lacks) for check in chosen(_CHECKS, only))


def _lack(name: StoreLack | str) -> StoreLack:
    try:
        return StoreLack(name)
    except ValueError:
        raise LocalError(f"one of {', '.join(StoreLack)} is expected, not {name!r}", path="without") from None


def _result(check: Check[StoreBench], make: Callable[[Path], Store], lacks: frozenset[StoreLack]) -> Result:
    def made() -> None:
        with tempfile.TemporaryDirectory(prefix="oadr-kit-") as folder:
            check.function(StoreBench(Path(folder), make))

    return lacking(check, lacks) or judged(check.name, made, _FIX)
