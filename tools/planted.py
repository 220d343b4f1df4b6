"""Put known bugs into a copy of the source, one at a time, and see that the named test catches each.

    python -m tools.planted [WORDS OF A BUG'S NAME ...]

Exit code 1 when a bug was not caught, or does not fit the source any more.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
BUGS = ROOT / "tests" / "planted" / "bugs.toml"


def main(words: list[str]) -> int:
    bugs = tomllib.loads(BUGS.read_text())["bug"]
    chosen = [bug for bug in bugs if all(word in bug["name"] for word in words)]
    missed = [bug["name"] for bug in chosen if not caught(bug)]
    print(f"{len(chosen) - len(missed)} of {len(chosen)} planted bugs caught")
    return 1 if missed or not chosen else 0


def caught(bug: dict[str, str]) -> bool:
    """Plant one bug and run its test; the source itself is not touched."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "src"
        shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
        target = source / bug["file"]
        text = target.read_text()
        if text.count(bug["old"]) != 1:
            print(f"STALE   {bug['name']}: its text is {text.count(bug['old'])} times in {bug['file']}")
            return False
        target.write_text(text.replace(bug["old"], bug["new"]))
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", bug["test"]]
        environment = {
            **os.environ,
            "PYTHONPATH": str(source),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HYPOTHESIS_PROFILE": "planted",
        }
        result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    found = result.returncode == 1
    print(f"{'caught ' if found else 'MISSED '} {bug['name']}")
    if not found:
        print(result.stdout[-2000:])
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
