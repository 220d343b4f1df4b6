"""Changed copies of frozen values.

It stands alone because the classes of the model are made by the project's own decorator, behind which type checkers
do not see that they are attrs classes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, cast

import attrs

from ..model.drafts import draft
from ..wire._compile import Source

_T = TypeVar("_T")


def evolve(value: _T, **changes: object) -> _T:
    """A copy of ``value`` with some fields changed; ``TypeError`` for a field that it does not have."""
    return cast(_T, attrs.evolve(cast(Any, value), **changes))  # attrs.evolve returns the type it was given


def altered(value: _T, **changes: object) -> _T:
    """The same for a class without ``__weakref__``, without its checks and conversions; ``AttributeError`` for a field
    that it does not have.
    """
    made = copied(value)
    for name, held in changes.items():
        object.__setattr__(made, name, held)
    return made


def copied(value: _T) -> _T:
    """A copy that is the caller's own, who may write into it until somebody else sees it.

    States have some thirty fields, and each step makes a copy: this takes a seventh of what ``evolve`` does.
    """
    made: _T = _copier(cast(Any, type(value)))(value)
    return made


@cache
def _copier(cls: Any) -> Callable[[Any], Any]:
    """The function that copies an object of a class, field by field."""
    out = Source(f"copy_{cls.__name__}", "one")
    out.add(1, f"made = {out.bind(draft(cls), 'Draft')}()")
    for field in attrs.fields(cls):
        out.add(1, f"made.{field.name} = one.{field.name}")
    out.add(1, f"made.__class__ = {out.bind(cls, 'C')}")
    out.add(1, "return made")
    copy: Callable[[Any], Any] = out.function()
    return copy
