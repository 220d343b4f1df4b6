"""Changed copies of frozen values.

It stands alone because the classes of the model are made by the project's own decorator, behind which type checkers
do not see that they are attrs classes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar, cast

import attrs

_T = TypeVar("_T")


def evolve(value: _T, **changes: object) -> _T:
    """A copy of ``value`` with some fields changed; ``TypeError`` for a field that it does not have."""
    return cast(_T, attrs.evolve(cast(Any, value), **changes))  # attrs.evolve returns the type it was given


def altered(value: _T, **changes: object) -> _T:
    """The same for a class of three fields or more, without its checks and conversions; ``AttributeError`` for a field
    that it does not have.

    States have some thirty fields, and each step makes a copy: this takes a third of the time.
    """
    cls: Any = type(value)
    read, writers = _plan(cls)
    made: _T = object.__new__(cls)
    for write, held in zip(writers, read(value), strict=True):
        write(made, held)
    for name, held in changes.items():
        object.__setattr__(made, name, held)
    return made


@cache
def _plan(cls: Any) -> tuple[Callable[[Any], tuple[Any, ...]], tuple[Callable[[Any, Any], None], ...]]:
    """How to read all slots of a class at once, and how to write each."""
    names = [field.name for field in attrs.fields(cls)]
    return attrgetter(*names), tuple(getattr(cls, name).__set__ for name in names)
