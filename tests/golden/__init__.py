"""Messages as they were on the wire; see the README beside them for where they come from."""

from __future__ import annotations

from pathlib import Path

_WIRE = Path(__file__).parent / "wire"

ANNEX_A = sorted((_WIRE / "annex_a").glob("*.xml"))
"""Our own samples: valid against the schema and the rules."""

PEERS = sorted((_WIRE / "peers").rglob("*.xml"))
"""Messages of other implementations; ``invalid`` in the name says what the schema thinks."""


def name(path: Path) -> str:
    """What pytest calls a golden file."""
    return f"{path.parent.name}/{path.stem}"
