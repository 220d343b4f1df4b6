"""Lines of a function that is being written, and the objects that its global names stand for.

It stands alone as the only place of the project that executes generated source.
"""

from __future__ import annotations

from typing import Any

from ..model.declare import Choice, Kind
from ..model.namespaces import expand


class Mismatch(Exception):
    """The document or the value is not what the declarations say; :mod:`.examine` and :mod:`.explain` know more."""


class Source:
    """A function that is being written."""

    def __init__(self, name: str, argument: str) -> None:
        self._name = name
        self._lines = [f"def {name}({argument}):"]
        self._names: dict[str, Any] = {"Mismatch": Mismatch}
        self._count = 0

    def add(self, depth: int, line: str) -> None:
        """Add a line, ``depth`` levels inside the module."""
        self._lines.append("    " * depth + line)

    def fresh(self, stem: str) -> str:
        """A local name that nothing else has."""
        self._count += 1
        return f"{stem}{self._count}"

    def bind(self, value: Any, stem: str) -> str:
        """A global name for ``value``."""
        for name, known in self._names.items():
            if known is value or (isinstance(value, str) and known == value):
                return name
        name = f"{stem}_{len(self._names)}"
        self._names[name] = value
        return name

    def tag(self, name: str) -> str:
        """A global name for the tag of an element called ``prefix:local``."""
        return self.bind(expand(name), "T")

    def text(self) -> str:
        """The source."""
        return "\n".join(self._lines) + "\n"

    def function(self) -> Any:
        """The function."""
        names = dict(self._names)
        exec(compile(self.text(), f"<oadr_core.wire: {self._name}>", "exec"), names)
        return names[self._name]


def alternatives(kind: Choice) -> tuple[tuple[tuple[str, ...], Kind], ...]:
    """The paths and kinds of a choice."""
    return tuple((tuple(path.split("/")), inner) for path, inner in kind.alternatives)
