"""Objects of the model made without asking: for values that are known to be right.

It stands alone because it is a door past the checks of a class. Two go through it: the decoder, which has read every
value by the declarations, and the reports of thousands of values that a VEN makes out of readings it has checked.
"""

from __future__ import annotations

from functools import cache


@cache
def draft(cls: type) -> type:
    """A class of the same layout as a frozen one, whose objects can be filled.

    They turn into ``cls`` when they are complete: ``item.__class__ = cls``. Every field must be set before.
    """
    return type(cls.__name__, cls.__bases__, {"__slots__": cls.__slots__, "__setattr__": object.__setattr__})  # type: ignore[attr-defined]  # attrs makes slots
