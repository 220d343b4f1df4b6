"""Messages as they were on the wire; see the README beside each folder for where they come from."""

from __future__ import annotations

from pathlib import Path

WIRE = Path(__file__).parent / "wire"


def annex_a() -> list[Path]:
    """Our own samples: valid against the schema and the rules."""
    return sorted((WIRE / "annex_a").glob("*.xml"))


def of_peers() -> list[Path]:
    """Messages of other implementations; ``invalid`` in the name says what the schema thinks."""
    return sorted((WIRE / "peers").rglob("*.xml"))


def name(path: Path) -> str:
    """What pytest calls a golden file."""
    return f"{path.parent.name}/{path.stem}"
