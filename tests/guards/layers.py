"""The direction of imports inside the core: which part stands above which.

A part may import the parts below it. Siblings at one height (`ven` and `vtn`) never meet, and `model` knows
nothing of the project and no XML library.
"""

from __future__ import annotations

from tests.guards.purity import CORE, Violation, imports

# From the bottom up. A part that stands in no row fails the totality test: decide where it belongs.
HEIGHTS = {
    "errors": 0,
    "model": 0,
    "wire": 1,
    "security": 2,
    "rules": 3,
    "engine": 4,
    "reporting": 5,
    "ven": 6,
    "vtn": 6,
}
TOP = 7  # oadr_core/__init__.py, which re-exports

XML_LIBRARIES = frozenset({"lxml", "defusedxml", "xml"})


def part_of(module: str) -> str | None:
    """Return the part a dotted name belongs to; None for the package itself and for anything else."""
    pieces = module.split(".")
    return pieces[1] if pieces[0] == CORE and len(pieces) > 1 else None


def layer_violations(source: str, module: str, *, is_package: bool = False) -> list[Violation]:
    """Return the imports that point upwards, sideways or out of the core."""
    own = part_of(module)
    height = TOP if own is None else HEIGHTS.get(own, 0)
    found = []
    for line, imported, name in imports(source, module, is_package=is_package):
        top = imported.partition(".")[0]
        if top == "oadr_transports":
            found.append(Violation(module, line, "the core imports a transport"))
        elif own == "model" and top in XML_LIBRARIES:
            found.append(Violation(module, line, f"model imports an XML library: {imported}"))
        elif top == CORE and own is not None:
            target = part_of(imported) or (name if name in HEIGHTS else None)
            if target is None:
                found.append(Violation(module, line, f"{own} imports from {CORE} itself"))
            elif target != own and HEIGHTS.get(target, TOP) >= height:
                found.append(Violation(module, line, f"{own} imports {target}, which does not stand below it"))
    return found
