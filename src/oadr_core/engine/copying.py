"""Changed copies of frozen values.

It stands alone because the classes of the model are made by the project's own decorator, behind which type checkers
do not see that they are attrs classes.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import attrs

_T = TypeVar("_T")


def evolve(value: _T, **changes: object) -> _T:
    """A copy of ``value`` with some fields changed; ``TypeError`` for a field that it does not have."""
    return cast(_T, attrs.evolve(cast(Any, value), **changes))  # attrs.evolve returns the type it was given
