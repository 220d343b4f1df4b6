"""One object in place of many equal ones: what ten thousand parties say alike is kept once.

It stands alone because it changes nothing but how much memory a session needs. Frozen values may be shared freely.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar, cast

import attrs

MOST: Final = 4_096
"""Values that are remembered: about a megabyte. Beyond that it begins anew, which only costs the sharing."""
LONGEST: Final = 256
"""Characters of a text, and items of a tuple, that are remembered: a stranger's long ones would fill the memory."""

_T = TypeVar("_T")


class Shared:
    """Remembers frozen values, and gives back the first of those that are equal."""

    def __init__(self) -> None:
        self._known: dict[tuple[type, Any], Any] = {}

    def __call__(self, value: _T) -> _T:
        """A value equal to this one, with all its parts shared: objects, tuples and texts."""
        return cast(_T, self._share(value)[0])

    def parts(self, value: _T) -> _T:
        """The same object of a class of attrs with all its parts shared, for one that is not like any other."""
        return cast(_T, self._parts(value)[0])

    def _share(self, value: Any) -> tuple[Any, bool]:
        """The shared value, and whether it is small."""
        if isinstance(value, tuple):
            shared = [self._share(item) for item in value]
            value, is_small = tuple([item for item, _ in shared]), all(is_small for _, is_small in shared)
            is_small = is_small and len(value) <= LONGEST
        elif attrs.has(type(value)):
            value, is_small = self._parts(value)
        elif isinstance(value, str):
            is_small = len(value) <= LONGEST
        else:
            return value, True
        if not is_small:
            return value, False
        if len(self._known) >= MOST:
            self._known.clear()
        return self._known.setdefault((type(value), value), value), True

    def _parts(self, value: Any) -> tuple[Any, bool]:
        shared = {field.name: self._share(getattr(value, field.name)) for field in attrs.fields(type(value))}
        made = attrs.evolve(value, **{name: part for name, (part, _) in shared.items()})
        return made, all(is_small for _, is_small in shared.values())
