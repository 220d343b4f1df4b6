"""Changed copies of frozen values, and what two of them share.

It stands alone because the classes of the model are made by the project's own decorator, behind which type checkers
do not see that they are attrs classes; and because states, which have some thirty fields, are copied and compared at
every step, by straight code that is written for their class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
    """A copy that is the caller's own, who may write into it until somebody else sees it: in a seventh of the time."""
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


def sharing(cls: Any, names: Iterable[str]) -> Callable[[object, object], bool]:
    """The function that says whether two objects of a class have the very same objects in these fields."""
    out = Source(f"sharing_{cls.__name__}", "one, other")
    same = [f"one.{name} is other.{name}" for name in names]
    out.add(1, f"return {' and '.join(same) or True}")
    compare: Callable[[object, object], bool] = out.function()
    return compare
