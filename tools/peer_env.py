"""The environment of the other implementation: OpenLEADR in a virtual environment of its own.

It pins versions that this project does not, so it never shares an environment with us; the interop tests and
the benchmarks start it as a separate process. Only the standard library is used here, so that nox, pytest
and the benchmarks can all call it.

    python -m tools.peer_env        # makes the environment if need be, prints the path of its python
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PEER_REQUIREMENT = "openleadr==0.5.36"
PEER_PYTHON_VARIABLE = "OADR_PEER_PYTHON"
ROOT = Path(__file__).resolve().parent.parent


def peer_python() -> Path:
    """Return the python of the peer's environment.

    The variable `OADR_PEER_PYTHON` names one that exists already; without it the environment is made once,
    under `.peer/` in the checkout, and found again by later runs.

    Raises `RuntimeError` when the variable names no file, and `subprocess.CalledProcessError` when the
    environment cannot be made.
    """
    named = os.environ.get(PEER_PYTHON_VARIABLE)
    if named:
        if not Path(named).is_file():
            raise RuntimeError(f"{PEER_PYTHON_VARIABLE} names no file: {named}")
        return Path(named)
    return _made_once(ROOT / ".peer" / f"openleadr-py{sys.version_info.major}.{sys.version_info.minor}")


def peer_schema() -> Path:
    """Return the path of the official 2.0b schema that the peer's wheel carries."""
    code = "import importlib.util as u; print(u.find_spec('openleadr').submodule_search_locations[0])"
    package = subprocess.check_output([peer_python(), "-c", code], text=True).strip()
    return Path(package) / "schema" / "oadr_20b.xsd"


def _made_once(home: Path) -> Path:
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = home / "requirement.txt"
    # The stamp is written last: a half-made environment is made again.
    if python.exists() and stamp.exists() and stamp.read_text() == PEER_REQUIREMENT:
        return python
    shutil.rmtree(home, ignore_errors=True)
    home.parent.mkdir(exist_ok=True)
    _make_environment(home)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, PEER_REQUIREMENT], check=True, stdout=sys.stderr)
    stamp.write_text(PEER_REQUIREMENT)
    return python


def _make_environment(home: Path) -> None:
    """Make an empty environment with venv, or with virtualenv where venv lacks its ensurepip."""
    made = subprocess.run([sys.executable, "-m", "venv", str(home)], stdout=sys.stderr, check=False)
    if made.returncode:
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "virtualenv", "-q", str(home)], check=True, stdout=sys.stderr)


if __name__ == "__main__":
    print(peer_python())
