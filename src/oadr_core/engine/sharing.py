"""One object in place of many equal ones: what ten thousand parties say alike is kept once.

It stands alone because it changes nothing but how much memory a session needs. Frozen values may be shared freely.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final, TypeVar, cast

import attrs

MOST: Final = 4_096
"""Values that are remembered: a few megabytes. Beyond that it begins anew, which only costs the sharing."""
LONGEST: Final = 256
"""Characters of a text, and items of a tuple, that are remembered: a stranger's long ones would fill the memory."""

_T = TypeVar("_T")


class Shared:
    """Remembers frozen values, and gives back the first of those that are written alike."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Any] = {}

    def __call__(self, value: _T) -> _T:
        """A value equal to this one, with all its parts shared: objects, tuples and texts."""
        return cast(_T, self._share(value)[0])

    def parts(self, value: _T) -> _T:
        """The same object of a class of attrs with all its parts shared, for one that is not like any other."""
        return cast(_T, self._parts(value)[0])

    def _share(self, value: Any) -> tuple[Any, Hashable]:
        """The shared value, and all that it says, ``None`` if that is much: equal values may be written differently, as
        zero durations are, and nobody's way of writing is to become that of others.
        """
        kind = type(value)
        if isinstance(value, tuple):
            shared = [self._share(item) for item in value]
            value, said = tuple([item for item, _ in shared]), tuple([word for _, word in shared])
            is_small = len(value) <= LONGEST and None not in said
        elif attrs.has(kind):
            value, said = self._parts(value)
            is_small = None not in said
        elif isinstance(value, str):
            said, is_small = (value, getattr(value, "attributes", None)), len(value) <= LONGEST
        else:
            return value, (kind, value, getattr(value, "text", None))
        if not is_small:
            return value, None
        if len(self._known) >= MOST:
            self._known.clear()
        return self._known.setdefault((kind, *said), value), (kind, *said)

    def _parts(self, value: Any) -> tuple[Any, tuple[Hashable, ...]]:
        shared = {field.name: self._share(getattr(value, field.name)) for field in attrs.fields(type(value))}
        made = attrs.evolve(value, **{name: part for name, (part, _) in shared.items()})
        return made, tuple([word for _, word in shared.values()])
